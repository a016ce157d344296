"""What may be asked on the control socket, and how: versioned JSON in, versioned JSON out.

`GET /v1/status` answers a Status, `POST /v1/command` takes a Request and answers an Answer,
`GET /v1/logs?last=N&follow=1` streams JSON lines. Every refusal is an Answer with a code.
"""

from typing import Final

import msgspec

from engine import exits
from engine.control.status import KillLevel

PROTOCOL_VERSION: Final = 1
MOST_REQUEST_BYTES: Final = 16_384
MOST_ARGUMENT_CHARACTERS: Final = 200
MOST_REASON_CHARACTERS: Final = 500
MOST_ERROR_CHARACTERS: Final = 200
MOST_STOP_S: Final = 600.0
"""How long a stop may take before what still works is left as it is."""

ALL: Final = "all"
"""The argument of `cancel` and `force-exit` that means every one."""


class CommandKind(msgspec.Struct, frozen=True):
    """What a command needs. `deadline_s` is how long the server waits for its outcome."""

    name: str
    argument: str
    needs_argument: bool
    needs_reason: bool
    deadline_s: float
    says: str


COMMANDS: Final = {
    one.name: one
    for one in (
        CommandKind("pause", "", False, False, 5.0, "no new entries until resume; exits and stops go on"),
        CommandKind("resume", "", False, False, 5.0, "take back a pause; a kill stands until unkill"),
        CommandKind("cancel", "order id or all", True, False, 10.0, "cancel one or all working entries"),
        CommandKind("force-exit", "campaign id or all", True, False, 10.0, "close a campaign at market"),
        CommandKind("kill", "entries, cancel or flatten", True, True, 10.0, "the kill switch; survives a restart"),
        CommandKind("unkill", "", False, True, 10.0, "release the kill switch"),
        CommandKind("note", "", False, True, 5.0, "a remark for the tape; changes nothing"),
        CommandKind("reload", "", False, False, 10.0, "read the configuration again; live keys take effect"),
        CommandKind("stop", "seconds to drain", True, False, MOST_STOP_S + 5, "drain and end with exit code 0"),
    )
}
"""Every operator command by name."""


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    version: int
    name: str
    argument: str = ""
    reason: str = ""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """`code` is what the client exits with; `message` is for people."""

    version: int = PROTOCOL_VERSION
    code: int
    message: str
    sequence: int = 0


class RequestError(ValueError):
    """A request that cannot be carried out as it stands."""


def decode_request(data: bytes) -> Request:
    """Raises RequestError, which repeats nothing of what was sent but names of keys and commands."""
    try:
        request = msgspec.json.decode(data, type=Request)
    except msgspec.ValidationError as error:
        raise RequestError(f"request: {shown(str(error), MOST_ERROR_CHARACTERS)}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise RequestError("request: must be one JSON object") from None
    if request.version != PROTOCOL_VERSION:
        raise RequestError(f"request: version must be {PROTOCOL_VERSION}, was {request.version}")
    check(request)
    return request


def check(request: Request) -> None:
    """Raises RequestError where a command lacks what it needs."""
    kind = COMMANDS.get(request.name)
    if kind is None:
        raise RequestError(f"request: name must be among {', '.join(COMMANDS)}, was {shown(request.name)}")
    _check_text("argument", request.argument, MOST_ARGUMENT_CHARACTERS)
    _check_text("reason", request.reason, MOST_REASON_CHARACTERS)
    if kind.needs_argument and not request.argument:
        raise RequestError(f"{request.name}: needs {kind.argument}")
    if not kind.argument and request.argument:
        raise RequestError(f"{request.name}: takes no argument, was {shown(request.argument)}")
    if kind.needs_reason and not request.reason.strip():
        raise RequestError(f"{request.name}: needs a reason")
    _check_argument(request)


def refusal(message: str, code: int = exits.USAGE) -> Answer:
    return Answer(code=code, message=message)


def shown(text: str, width: int = 40) -> str:
    """A stranger's text in one of our lines: printable and short."""
    plain = "".join(one if one.isprintable() else "?" for one in text[: width + 1])
    return plain if len(plain) <= width else plain[:width] + "..."


def _check_text(name: str, text: str, most: int) -> None:
    if len(text) > most:
        raise RequestError(f"request: {name} must have at most {most} characters, was {len(text)}")
    if not all(one.isprintable() for one in text):
        raise RequestError(f"request: {name} must be one line of printable characters")


def _check_argument(request: Request) -> None:
    if request.name == "kill" and request.argument not in [level for level in KillLevel if level]:
        raise RequestError(f"kill: level must be entries, cancel or flatten, was {shown(request.argument)}")
    if request.name == "stop":
        check_stop(request.argument)


def check_stop(argument: str) -> float:
    """Seconds to drain. Raises RequestError."""
    try:
        seconds = float(argument)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= MOST_STOP_S:
        raise RequestError(f"stop: seconds must be 0 to {MOST_STOP_S:.0f}, was {shown(argument)}")
    return seconds
