"""The tapes of one state directory: one file a session, named by the moment it began.

A session goes on over restarts on its tape until the day is over; then the next tape opens with the state that
the last one ended in, so each replays on its own.
"""

from datetime import UTC, datetime
from pathlib import Path

from engine.messages import NEVER_NS
from engine.timeframes import DAY_NS

SUFFIX = ".tape"
DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
SECOND_NS = 1_000_000_000


class Tapes:
    """`directory` is made when the first tape is."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def all(self) -> list[Path]:
        """Oldest first."""
        return sorted(self.directory.glob(f"*{SUFFIX}"))

    def latest(self) -> Path | None:
        found = self.all()
        return found[-1] if found else None

    def fresh(self, now_ns: int) -> Path:
        """A name that sorts behind all others: `20261121T084512Z-t5xk3s.tape`."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        taken = {path.name for path in self.all()}
        while True:
            began = datetime.fromtimestamp(now_ns // SECOND_NS, UTC)
            name = f"{began:%Y%m%dT%H%M%SZ}-{epoch(now_ns)}{SUFFIX}"
            if name not in taken and (not taken or name > max(taken)):
                return self.directory / name
            now_ns += SECOND_NS

    def older_than(self, days: int, now_ns: int) -> list[Path]:
        """Those that ended more than `days` ago, without the latest: a session still goes on from it."""
        limit_s = (now_ns - days * DAY_NS) / SECOND_NS
        return [path for path in self.all()[:-1] if path.stat().st_mtime < limit_s]

    def forget(self, tape: Path) -> None:
        """Delete a tape and what lies beside it. The one after it opens with the state it ended in."""
        assert tape != self.latest()
        self.discard(tape)

    def discard(self, tape: Path) -> None:
        """Delete a tape that nobody needs, and what lies beside it."""
        for path in self.directory.glob(f"{tape.stem}.*"):
            path.unlink()


def epoch(now_ns: int) -> str:
    """The second in base 36."""
    left, digits = max(0, now_ns // SECOND_NS), ""
    while left:
        left, digit = divmod(left, 36)
        digits = DIGITS[digit] + digits
    return digits or "0"


def day_of(time_ns: int) -> int:
    """Days since the epoch, UTC; NEVER_NS stays before them all."""
    return -1 if time_ns == NEVER_NS else time_ns // DAY_NS
