"""How fast a recorded session goes, and who may hold it: the times of facts against a clock.

A run asks before each fact how much of it may go. What is due goes as one block, so a slow run moves
row by row and a fast one in large blocks; by the law of blocks both decide the same. The clock is the
caller's: nothing here knows the time.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from enum import StrEnum
from typing import Protocol

import anyio
import msgspec
import numpy as np

from engine.blocks import Int64, MarketBlock
from engine.messages import FOREVER_NS, NEVER_NS, SessionStart
from engine.ports import Item

MOST_ROWS = 8_192
"""Rows that go at once: at half a million a second, 16 ms until the event loop has its turn."""

NS_PER_SECOND = 1_000_000_000


class Clock(Protocol):
    def now_ns(self) -> int: ...

    def wait(self, event: anyio.Event, timeout_ns: int | None) -> Awaitable[None]:
        """Until `event` is set, or time is up; None waits without end."""
        ...


class WallClock:
    """`now_ns` is a monotonic clock, read by the shell."""

    def __init__(self, now_ns: Callable[[], int]) -> None:
        self.now_ns = now_ns

    async def wait(self, event: anyio.Event, timeout_ns: int | None) -> None:
        with anyio.move_on_after(None if timeout_ns is None else timeout_ns / NS_PER_SECOND):
            await event.wait()


class PaceState(StrEnum):
    """STEPPING: row by row until there is something to see, then PAUSED. STOPPED is final."""

    RUNNING = "RUNNING"
    STEPPING = "STEPPING"
    PAUSED = "PAUSED"
    STOPPED = "STOPPED"


class Position(msgspec.Struct, frozen=True):
    """Where a run is. `time_ns` is of the last fact let go, NEVER_NS before one; `reached` is how
    many times faster than its facts the run has gone since it last began to run."""

    state: PaceState
    time_ns: int
    speed: float
    reached: float


class Pace:
    """`speed` is times real time, 0 as fast as possible. What is later than `stop_ns` never goes.

    Commands are given in the thread of the event loop and take effect before the next fact; `on_change`
    is called after each.
    """

    def __init__(self, clock: Clock, *, speed: float = 0, stop_ns: int = FOREVER_NS) -> None:
        assert speed >= 0
        self.state = PaceState.RUNNING
        self.speed = speed
        self.on_change: Callable[[], None] = lambda: None
        self._clock = clock
        self._stop_ns = stop_ns
        self._pause_ns = FOREVER_NS
        self._time_ns = NEVER_NS
        self._anchor: tuple[int, int] | None = None
        self._changed: anyio.Event | None = None

    def pause(self) -> None:
        self._become(PaceState.PAUSED)

    def resume(self) -> None:
        self._become(PaceState.RUNNING)

    def step(self) -> None:
        """On to the next bar or decision point, then pause."""
        self._become(PaceState.STEPPING)

    def until(self, time_ns: int) -> None:
        """Run, and pause before the first fact later than `time_ns`."""
        self._pause_ns = time_ns
        self._become(PaceState.RUNNING)

    def stop(self) -> None:
        """No further fact goes. The run ends partial."""
        self._become(PaceState.STOPPED)

    def go(self, speed: float) -> None:
        """Change the speed of a run, held or not."""
        assert speed >= 0
        self.speed, self._anchor = speed, None
        self._tell()

    def stepped(self) -> None:
        """There was something to see: told by who drives the run."""
        if self.state is PaceState.STEPPING:
            self._become(PaceState.PAUSED)

    @property
    def is_stepping(self) -> bool:
        return self.state is PaceState.STEPPING

    @property
    def is_stopped(self) -> bool:
        """Facts were left when the run ended."""
        return self.state is PaceState.STOPPED

    @property
    def position(self) -> Position:
        return Position(self.state, self._time_ns, self.speed, self._reached())

    async def rows(self, times: Int64) -> int:
        """How many of the next rows may go, at least one, once one may; 0 when the run shall stop."""
        times = times[:MOST_ROWS]
        first_ns = int(times[0])
        while True:
            self._meet(first_ns)
            if self.state is PaceState.STOPPED:
                return 0
            allowed, timeout_ns = self._allowed(times, first_ns)
            if allowed:
                self._time_ns = max(self._time_ns, int(times[allowed - 1]))
                return allowed
            self._changed = self._changed or anyio.Event()
            await self._clock.wait(self._changed, timeout_ns)

    def _meet(self, first_ns: int) -> None:
        """The times at which this run pauses or stops, against the next row's."""
        if first_ns > self._stop_ns:
            self.stop()
        elif first_ns > self._pause_ns:
            self._pause_ns = FOREVER_NS
            self.pause()

    def _allowed(self, times: Int64, first_ns: int) -> tuple[int, int | None]:
        """(rows that may go now, how long to wait where none may)."""
        if self.state is PaceState.PAUSED:
            return 0, None
        if self.state is PaceState.STEPPING:
            return 1, None
        now_ns = self._clock.now_ns()
        if self._anchor is None:
            self._anchor = (first_ns, now_ns)
        began_ns, began = self._anchor
        due_ns = began_ns + int((now_ns - began) * self.speed) if self.speed else FOREVER_NS
        allowed = rows_until(times, min(due_ns, self._stop_ns, self._pause_ns))
        return allowed, int((first_ns - due_ns) / self.speed) + 1 if not allowed else None

    def _reached(self) -> float:
        if self._anchor is None:
            return 0.0
        began_ns, began = self._anchor
        elapsed_ns = self._clock.now_ns() - began
        return max(0, self._time_ns - began_ns) / elapsed_ns if elapsed_ns > 0 else 0.0

    def _become(self, state: PaceState) -> None:
        if self.state is not PaceState.STOPPED:
            self.state, self._anchor = state, None
            self._tell()

    def _tell(self) -> None:
        self.on_change()
        changed, self._changed = self._changed, None
        if changed is not None:
            changed.set()


def rows_until(times: Int64, last_ns: int) -> int:
    """Rows before the first that is later than `last_ns`; times may step back."""
    if last_ns == FOREVER_NS:
        return len(times)
    later = times > last_ns
    first = int(later.argmax())
    return first if later[first] else len(times)


async def paced(facts: Iterable[Item], pace: Pace) -> AsyncGenerator[Item]:
    """The same facts, each when it may go; ends early where the pace stops."""
    for fact in facts:
        if not isinstance(fact, MarketBlock) or not len(fact):
            if not await _may_go(fact, pace):
                return
            yield fact
            continue
        times, start = fact.row_ns, 0
        while start < len(fact):
            rows = await pace.rows(times[start:])
            if not rows:
                return
            yield fact if rows == len(fact) else fact.slice(start, start + rows)
            start += rows


async def _may_go(fact: Item, pace: Pace) -> bool:
    """What has no time of the market in it goes with what comes before it."""
    time_ns = getattr(fact, "time_ns", None)
    if time_ns is None or isinstance(fact, SessionStart | MarketBlock):
        return not pace.is_stopped
    return bool(await pace.rows(np.array([time_ns], np.int64)))
