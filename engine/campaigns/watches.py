"""The watches that campaigns have asked `Market` for: their names, and which are still out.

A watch fires once. Its id is `{subject}/watch/{purpose}`, the subject a campaign or a group, so
the name alone says whom it concerns.
"""

from enum import StrEnum
from typing import Final

from engine.messages import Unwatch, Watch, WatchKind

OWNER = "campaigns"

_NOTHING = float("nan")


class Purpose(StrEnum):
    CLOCK = "CLOCK"  # a campaign has been silent for long
    LAPSE = "LAPSE"  # an intent was never accepted
    INVALID = "INVALID"  # a close breaks the leg's structure
    TRAIL = "TRAIL"  # a swing low to trail under
    TIME = "TIME"  # a leg has had its time
    LEAVE = "LEAVE"  # an exit was never accepted


PURPOSES: Final = {purpose.value: purpose for purpose in Purpose}


def watch_id(subject: str, purpose: Purpose) -> str:
    return f"{subject}/watch/{purpose}"


def parse_watch(name: str) -> tuple[str, Purpose]:
    """Inverse of `watch_id`."""
    subject, _, purpose = name.rpartition("/watch/")
    return subject, PURPOSES[purpose]


class Watches:
    """Which watches are out. Insertion-ordered."""

    def __init__(self) -> None:
        self.out: dict[str, None] = {}

    def at_time(self, subject: str, purpose: Purpose, *, time_ns: int, now_ns: int) -> Watch:
        name = self._record(subject, purpose)
        return Watch(name, OWNER, WatchKind.LINE_TIME, "", "", _NOTHING, time_ns, now_ns)

    def on_bars(
        self, subject: str, purpose: Purpose, kind: WatchKind, *, bars: tuple[str, str], level: float, now_ns: int
    ) -> Watch:
        """`bars` is (symbol, timeframe)."""
        name = self._record(subject, purpose)
        return Watch(name, OWNER, kind, bars[0], bars[1], level, 0, now_ns)

    def fired(self, name: str) -> bool:
        """Take a watch off the list; False when it was not ours or no longer wanted."""
        if name not in self.out:
            return False
        del self.out[name]
        return True

    def drop(self, subject: str, *purposes: Purpose) -> list[Unwatch]:
        """Unwatch these purposes of a subject, where they are out."""
        return [Unwatch(name) for one in purposes if self.fired(name := watch_id(subject, one))]

    def _record(self, subject: str, purpose: Purpose) -> str:
        name = watch_id(subject, purpose)
        assert name not in self.out
        self.out[name] = None
        return name
