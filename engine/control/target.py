"""The port between the control socket and a running engine: what a session implements.

The server judges who may ask and whether a request is well-formed; the target stamps it with the
session's own clock, puts it on the tape as a `Command` fact and says what came of it.
"""

from collections.abc import Awaitable
from typing import Protocol

import msgspec

from engine.control.status import Status


class OperatorCommand(msgspec.Struct, frozen=True):
    """What an operator asked for, checked. The fields of a `Command` fact, without its time.

    `name` and `argument` are those that `protocol.COMMANDS` describes. `operator` names who is at
    the other end of the socket: `alice (uid 1000)`, or for the engine's own doing `watchdog`,
    `protection daily_loss`, `SIGTERM`.
    """

    name: str
    argument: str
    operator: str
    reason: str


class Outcome(msgspec.Struct, frozen=True):
    """What came of a command. `code` is the exit code of the client: 0 done, 4 no such order or
    campaign, 6 refused in this state, 5 begun but not finished in time.

    `sequence` is the tape sequence number of the Command fact, 0 where none was made.
    """

    code: int
    message: str
    sequence: int = 0


class ControlTarget(Protocol):
    """Called on the engine's event loop, one command at a time, in the order of arrival."""

    def status(self) -> Status:
        """Built on demand, in less than a few milliseconds; never raises, in no state."""
        ...

    def submit(self, command: OperatorCommand) -> Awaitable[Outcome]:
        """Puts the command on the tape, acts, and returns when it is durable and has begun to hold.

        The server gives up waiting after the command's deadline; the command itself goes on.
        """
        ...
