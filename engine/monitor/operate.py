"""Operator commands from the page: checked here, carried out by the engine over its control socket, audited.

The monitor can do what the engine's own user can do, and no more: it holds no keys, and the engine puts each
command on its tape before it obeys.
"""

from pathlib import Path
from typing import Any, Final

import anyio
import msgspec

from engine import exits
from engine.control.client import ControlClient, NoAnswerError, NotRunningError
from engine.control.protocol import COMMANDS, MOST_REASON_CHARACTERS, Answer, RequestError
from engine.control.status import Status
from engine.live.ports import Clock
from engine.monitor.audit import Audit, Entry
from engine.monitor.gate import Caller
from engine.monitor.nonces import Nonces
from engine.monitor.problems import ProblemError

OFFERED: Final = ("pause", "resume", "cancel", "force-exit", "kill", "unkill", "note")
"""What the page may ask for. Stopping and reloading an engine is for its own host."""

NEED_REASON: Final = frozenset(("cancel", "force-exit", "kill", "unkill", "note"))
NEED_CONFIRM: Final = frozenset(("cancel", "force-exit", "kill", "unkill"))
"""In live, these are confirmed by the last characters of the account."""

CONFIRM_CHARACTERS: Final = 4
MOST_REASON: Final = MOST_REASON_CHARACTERS - 100
"""Room for who asked."""

THREADS: Final = 4


class Wanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of a POST. `confirm` is the end of the account's name, in live; `nonce` is good for one command."""

    name: str
    argument: str = ""
    reason: str = ""
    confirm: str = ""
    nonce: str = ""


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """What a command would touch."""

    orders: int
    positions: int
    text: str


def decode_wanted(data: bytes) -> Wanted:
    """Raises ProblemError 400."""
    try:
        wanted = msgspec.json.decode(data, type=Wanted)
    except msgspec.ValidationError as error:
        raise ProblemError(400, "bad_request", str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise ProblemError(400, "bad_request", "the body must be one JSON object") from None
    if wanted.name not in OFFERED:
        raise ProblemError(400, "bad_request", f"name must be among {', '.join(OFFERED)}")
    if wanted.name in NEED_REASON and not wanted.reason.strip():
        raise ProblemError(400, "no_reason", f"{wanted.name}: needs a reason")
    if len(wanted.reason) > MOST_REASON:
        raise ProblemError(400, "bad_request", f"reason must have at most {MOST_REASON} characters")
    return wanted


def check_new(wanted: Wanted, nonces: Nonces) -> None:
    """Raises ProblemError 409 where it has been sent before. A kill is obeyed as often as it comes."""
    if wanted.nonce and not nonces.take(wanted.nonce) and wanted.name != "kill":
        raise ProblemError(409, "replayed", "the nonce was used before, or is not of the last five minutes")


class Operator:
    """Sends commands to the engine whose control socket is `socket`; None where there is no engine to ask."""

    def __init__(self, socket: Path | None, audit: Audit, clock: Clock) -> None:
        self._socket = socket
        self._audit = audit
        self._clock = clock
        self._limiter: Any = anyio.CapacityLimiter(THREADS)
        self._kills: Any = anyio.CapacityLimiter(THREADS)

    async def carry_out(self, wanted: Wanted, caller: Caller, status: Status | None) -> Answer:
        """Raises ProblemError; whatever happens is audited."""
        try:
            _check_confirm(wanted, status)
            answer = await self._asked(wanted, caller)
        except ProblemError as error:
            self._keep(wanted, caller, Answer(code=exits.TEMPORARY, message=error.problem.detail))
            raise
        self._keep(wanted, caller, answer)
        return answer

    def refused(self, wanted: Wanted, caller: Caller, why: str) -> None:
        self._keep(wanted, caller, Answer(code=exits.NO_PERMISSION, message=why))

    async def _asked(self, wanted: Wanted, caller: Caller) -> Answer:
        if wanted.name not in COMMANDS:
            raise ProblemError(501, "not_offered", f"{wanted.name}: the engine of this release does not know it")
        if self._socket is None:
            raise ProblemError(502, "no_engine", "there is no engine here: a store alone is shown")
        client = ControlClient(self._socket)
        reason = f"{wanted.reason.strip()} [monitor: {caller.told}]".strip()
        # A kill has threads of its own: it does not wait for commands that hang.
        limiter = self._kills if wanted.name == "kill" else self._limiter
        try:
            return await anyio.to_thread.run_sync(
                client.command, wanted.name, wanted.argument, reason, limiter=limiter, abandon_on_cancel=True
            )
        except RequestError as error:
            raise ProblemError(400, "bad_request", str(error)) from None
        except NotRunningError:
            raise ProblemError(502, "no_engine", "no engine runs here") from None
        except NoAnswerError:
            raise ProblemError(504, "no_answer", "the engine does not answer: use the KILL file on its host") from None

    def _keep(self, wanted: Wanted, caller: Caller, answer: Answer) -> None:
        entry = Entry(
            time="", caller=caller.told, name=wanted.name, argument=wanted.argument[:200], reason=wanted.reason[:500],
            code=answer.code, message=answer.message,
        )  # fmt: skip
        self._audit.keep(self._clock.now_ns(), entry)


def preview(name: str, argument: str, status: Status | None) -> Preview:
    """What `name` would touch now. Raises ProblemError 502 where nothing is known."""
    if status is None:
        raise ProblemError(502, "no_engine", "no engine runs here")
    entries = [one for one in status.orders if one.role == "ENTRY"]
    orders = positions = 0
    match name, argument:
        case "kill", "cancel" | "flatten":
            orders, positions = len(entries), status.position_count if argument == "flatten" else 0
        case "cancel", _:
            orders = sum(1 for one in entries if argument in ("all", one.order_id))
        case "force-exit", _:
            positions = sum(1 for one in status.positions if argument in ("all", one.campaign))
    parts = [f"cancels {_counted(orders, 'working entry', 'working entries')}"] if orders else []
    parts += [f"closes {_counted(positions, 'position', 'positions')}"] if positions else []
    text = ", ".join(parts) or "touches no order and no position"
    if name in ("kill", "pause"):
        text = f"refuses new entries; {text}"
    return Preview(orders=orders, positions=positions, text=text)


def _counted(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def _check_confirm(wanted: Wanted, status: Status | None) -> None:
    if status is None or status.mode != "live" or wanted.name not in NEED_CONFIRM:
        return
    if wanted.confirm != status.account[-CONFIRM_CHARACTERS:]:
        raise ProblemError(
            409, "confirm", f"confirm must be the last {CONFIRM_CHARACTERS} characters of the live account"
        )
