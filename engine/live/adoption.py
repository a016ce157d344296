"""A new tape from the state of an old one: what may be taken over, and what must be refused.

A release or a configuration that differs cannot go on with a tape, for its facts might lead elsewhere. The
state that a clean end left can be taken over, where it is understood to the last field; else nothing is.
"""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from engine.app import Line
from engine.config import Config
from engine.live.rebuild import check_identity, take_over
from engine.messages import SessionStart
from engine.replay import states_of
from engine.tape import TapeError, TapeMismatch, TapeReader

ADOPTION = (
    "`wyckoff trade --adopt` begins a new tape with the state that this one ended in, positions and kill switch "
    "included, if it ended clean"
)


def stranger(tape: Path, config: Config, start: SessionStart) -> str:
    """What of the tape's build, lock file or configuration is another one, "" where it can be gone on with.

    Raises TapeMismatch where its feeds, symbols or account are others: no state fits these.
    """
    with TapeReader(tape) as reader:
        known = reader.header
    check_same(tape, known.session, start)
    try:
        check_identity(tape, known, config)
    except TapeMismatch as error:
        return str(error)
    return ""


def final_state(reader: TapeReader) -> tuple[bytes, int]:
    """The state of the whole line behind the last fact, and that fact's number.

    Raises TapeError when the tape is damaged, TapeMismatch unless it ended clean with its state.
    """
    found = reader.verify()
    if not found.ok:
        raise TapeError(found.reason)
    if not found.clean:
        raise TapeMismatch(
            f"{reader.path}: only a tape that ended clean can be adopted, this one was cut off: start and stop the "
            "engine once under the build and the configuration that wrote it"
        )
    snapshot = reader.last_snapshot()
    if snapshot is None or snapshot.sequence != found.last_sequence:
        was = snapshot.sequence if snapshot else 0
        raise TapeMismatch(f"{reader.path}: its last state must be of fact {found.last_sequence}, was of {was}")
    return snapshot.payload, snapshot.sequence


def adopt_state(line: Line, tape: Path, state: bytes) -> None:
    """Bring a fresh line into `state`. Raises TapeMismatch that names the first thing that does not fit: a field
    that this build would drop or read as something else is one."""
    take_over(line, tape, state)
    before = states_of(state)
    for stage, was, found in zip(line.chain.stages, before, line.chain.snapshot(), strict=True):
        lost = "" if was == found else _lost(msgspec.msgpack.decode(was), msgspec.msgpack.decode(found), "")
        if lost:
            raise TapeMismatch(f"{tape}: the state of its {type(stage).__name__} cannot be taken over: {lost}")


def _lost(was: object, found: object, at: str) -> str:
    """Where `found` lacks something of `was`, "" where it does not. New fields of a map are no loss."""
    if isinstance(was, Mapping) and isinstance(found, Mapping):
        for key, value in was.items():
            if key not in found:
                return f"nothing here is called {at}{key}"
            if lost := _lost(value, found[key], f"{at}{key}."):
                return lost
        return ""
    if isinstance(was, list) and isinstance(found, list) and len(was) == len(found):
        each = (_lost(one, other, f"{at}{number}.") for number, (one, other) in enumerate(zip(was, found, strict=True)))
        return next(filter(None, each), "")
    is_same = was == found or (was != was and found != found)
    return "" if is_same and type(was) is type(found) else f"{at.rstrip('.') or 'it'} is read as something else"


def check_same(tape: Path, was: SessionStart, given: SessionStart) -> None:
    """All but the times of a beginning. Raises TapeMismatch."""
    times = {"time_ns": was.time_ns, "trades_from_ns": was.trades_from_ns, "sessions": was.sessions}
    now = msgspec.structs.replace(given, **times)
    for name in was.__struct_fields__:
        if getattr(was, name) != getattr(now, name):
            raise TapeMismatch(f"{tape}: {name} must be {getattr(was, name)}, was {getattr(now, name)}")
