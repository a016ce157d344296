"""What the control commands do: find the socket, ask, show the answer, exit with its code."""

import json
import os
import sys
import time
from pathlib import Path
from typing import Final

import msgspec

from engine import exits
from engine.control.client import ControlClient, NoAnswerError, NotRunningError
from engine.control.protocol import Answer, RequestError, check_stop
from engine.exits import ExitError, emit
from engine.locks import Holder, holder_of
from engine.paths import Paths, find_engine

LOG_NAME: Final = "wyckoff.jsonl"
MOST_TAIL_BYTES: Final = 4_000_000

POLL_S: Final = 0.05
STOP_GRACE_S: Final = 3.0
"""Beyond its own timeout an engine may need this long to close its files."""


def run_status(home: Path | None, *, as_json: bool) -> None:
    paths = _paths(home)
    try:
        found = ControlClient(paths.socket).status()
    except NotRunningError as error:
        raise ExitError(exits.NOT_RUNNING, _down(paths, str(error))) from None
    except NoAnswerError as error:
        raise ExitError(exits.TIMED_OUT, str(error)) from None
    if as_json:
        emit(_pretty(found))
    else:
        from engine.status_text import status_text

        emit(status_text(found))


def run_command(home: Path | None, name: str, argument: str, reason: str, *, as_json: bool) -> None:
    answer = _asked(ControlClient(_paths(home).socket), name, argument, reason)
    _tell(answer, as_json=as_json)


def run_stop(home: Path | None, timeout_s: float, reason: str, *, as_json: bool) -> None:
    """Returns when the engine has let go of its state directory."""
    paths = _paths(home)
    try:
        check_stop(str(timeout_s))
    except RequestError as error:
        raise ExitError(exits.USAGE, str(error)) from None
    holders = _holders(paths)
    answer = _asked(ControlClient(paths.socket), "stop", f"{timeout_s:g}", reason)
    if answer.code != exits.OK:
        _tell(answer, as_json=as_json)
        return
    until_ns = time.monotonic_ns() + int((timeout_s + STOP_GRACE_S) * 1e9)
    while any(_holders(paths).get(mode) == holder for mode, holder in holders.items()):
        if time.monotonic_ns() > until_ns:
            raise ExitError(exits.TIMED_OUT, f"the engine still runs after {timeout_s + STOP_GRACE_S:g} s")
        time.sleep(POLL_S)  # noqa: TID251 - a command waits for another process
    _tell(Answer(code=exits.OK, message="stopped", sequence=answer.sequence), as_json=as_json)


def run_logs(home: Path | None, *, last: int, follow: bool, as_json: bool) -> None:
    paths = _paths(home)
    try:
        for line in ControlClient(paths.socket).logs(last=last, follow=follow):
            emit(line if as_json else log_text(line))
    except NotRunningError as error:
        # What an engine said before it went is what one wants to read then.
        left = _last_lines(paths.logs / LOG_NAME, last)
        if follow or not left:
            raise ExitError(exits.NOT_RUNNING, str(error)) from None
        emit("\n".join(line if as_json else log_text(line) for line in left))
        sys.stderr.write(f"wyckoff: {error}; this is from {paths.logs / LOG_NAME}\n")
    except NoAnswerError as error:
        raise ExitError(exits.TIMED_OUT, str(error)) from None


def log_text(line: str) -> str:
    """One JSON line for people: time, level, event, keys. What is no JSON object stays as it is."""
    try:
        keys = json.loads(line)
    except ValueError:
        return line
    if not isinstance(keys, dict):
        return line
    time_, level, event = (str(keys.pop(name, "")) for name in ("time", "level", "event"))
    long = {name: keys.pop(name) for name in ("exception", "stack", "stacks") if name in keys}
    rest = " ".join(f"{name}={value if isinstance(value, str) else json.dumps(value)}" for name, value in keys.items())
    text = f"{time_[:19]} {level:8}{event}  {rest}".rstrip()
    return _printable("\n".join((text, *map(str, long.values()))))


def _last_lines(path: Path, count: int) -> list[str]:
    try:
        with path.open("rb") as stream:
            stream.seek(max(0, path.stat().st_size - MOST_TAIL_BYTES))
            lines = stream.read(MOST_TAIL_BYTES).decode("utf-8", "replace").splitlines()
    except OSError:
        return []
    return lines[-count:] if count else []


def _asked(client: ControlClient, name: str, argument: str, reason: str) -> Answer:
    try:
        return client.command(name, argument, reason)
    except RequestError as error:
        raise ExitError(exits.USAGE, str(error)) from None
    except NotRunningError as error:
        raise ExitError(exits.NOT_RUNNING, str(error)) from None
    except NoAnswerError as error:
        raise ExitError(exits.TIMED_OUT, str(error)) from None


def _tell(answer: Answer, *, as_json: bool) -> None:
    if as_json:
        emit(_pretty(answer))
        if answer.code:
            raise SystemExit(answer.code)
    elif answer.code:
        raise ExitError(answer.code, answer.message)
    else:
        emit(answer.message)


def _paths(home: Path | None) -> Paths:
    return find_engine(home, os.environ, Path.cwd())


def _holders(paths: Paths) -> dict[str, Holder]:
    found = ((name, holder_of(place)) for name, place in paths.holdable.items())
    return {mode: holder for mode, holder in found if holder is not None}


def _down(paths: Paths, said: str) -> str:
    """A process that holds the state but has no socket is starting, or stuck."""
    held = [f"{mode}: pid {holder.pid}" for mode, holder in _holders(paths).items()]
    return f"{said}; but the state directory is held ({', '.join(held)})" if held else said


def _pretty(view: object) -> str:
    return msgspec.json.format(msgspec.json.encode(view), indent=2).decode()


def _printable(text: str) -> str:
    return "".join(one if one.isprintable() or one == "\n" else "?" for one in text)
