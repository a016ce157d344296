"""What carries facts from the inbox through the line, and keeps the line's state on its tape.

The line is fused: nothing waits between the arrival of a row and its verdict. The loop gets its turn at least
every `TURN_NS`, as far as single kernel calls allow. A tape that cannot be written stops the line, not the
process: feeds wait behind the full inbox, and the fact that could not be kept is given again once there is room.
"""

from collections.abc import Callable
from contextlib import suppress

from anyio import Event, to_thread
from anyio.lowlevel import checkpoint

from engine.actor import drive
from engine.blocks import MarketBlock
from engine.ingress import Ingress
from engine.live.opening import OpenLine
from engine.live.ports import Clock
from engine.live.stage_times import StageTimes
from engine.live.tapes import day_of
from engine.messages import Command, ConfigChange, Message
from engine.ports import Item
from engine.tape import TapeError

TURN_NS = 5_000_000
SMALL_ROWS = 1_024
"""What so few rows lead to goes through in one go."""

NOTICED = (Command, ConfigChange)
"""Facts that somebody may wait for."""

RETRY_SECONDS = 1.0
RETRIES = 300
"""Five minutes in which the disk may come back, then the session ends; its tape goes on where it stopped."""


class LineDriver:
    """`failure` says why nothing can be kept, "" while all is well; no fact passes meanwhile. From
    `ends_ns()` on, by the monotonic clock, a tape that takes nothing is not waited for any more.

    `next_day` ends a tape and opens the one after it; it is called between facts, when line time has reached
    another day (UTC) than the one that the tape is of.
    """

    def __init__(
        self,
        opened: OpenLine,
        inbox: Ingress,
        clock: Clock,
        *,
        snapshot_every_rows: int,
        next_day: Callable[[OpenLine], OpenLine],
        ends_ns: Callable[[], int],
        times: StageTimes,
    ) -> None:
        self.opened = opened
        self._next_day = next_day
        self._ends_ns = ends_ns
        self._day = opened.day
        self.failure = ""
        self.rows = 0
        self._inbox = inbox
        self._clock = clock
        self.times = times
        self._every_rows = snapshot_every_rows
        self._rows_kept = 0
        self._noticed: dict[Message, Event] = {}

    def notice(self, fact: Message) -> Event:
        """Set when this fact has gone all the way through."""
        return self._noticed.setdefault(fact, Event())

    async def run(self) -> None:
        """Until the inbox is closed and empty. Raises TapeError when the tape stays unwritable."""
        turned_ns = self._clock.monotonic_ns()
        async for fact in self._inbox:
            await self.push(fact, self._inbox.since_ns)
            if self._clock.monotonic_ns() - turned_ns >= TURN_NS:
                await checkpoint()
                turned_ns = self._clock.monotonic_ns()

    async def push(self, fact: Item, since_ns: int | None = None) -> None:
        """One fact all the way through; the session's own come without the inbox, before the feeds begin.

        `since_ns` is when it came into the inbox.
        """
        since_ns = self._clock.now_ns() if since_ns is None else since_ns
        retries = 0
        while True:
            try:
                # The Journal is the first stage: what it cannot keep has gone nowhere.
                await self._through(fact, since_ns)
                break
            except TapeError as error:
                self.failure = str(error)
                if retries >= RETRIES or self._clock.monotonic_ns() >= self._ends_ns():
                    raise
            retries += 1
            await self._writable()
        self.failure = ""
        if isinstance(fact, NOTICED) and (noticed := self._noticed.pop(fact, None)):
            noticed.set()
        day = day_of(self.opened.line.bars.line_time_ns)
        if day > self._day:
            # The first day that is proven names a fresh tape.
            self.opened = self.opened if self._day < 0 else self._next_day(self.opened)
            self._day = day
        await self._keep()

    async def _through(self, fact: Item, since_ns: int) -> None:
        rows = len(fact) if isinstance(fact, MarketBlock) else 0
        chain, times = self.times.chain_for(self.opened.line.chain), self.times
        times.begin(fact, since_ns)
        try:
            if rows > SMALL_ROWS:
                await drive(chain.steps(fact), self._clock.monotonic_ns, pause_ns=TURN_NS)
            else:
                chain.push(fact)
        finally:
            times.end()
        self.rows += rows

    async def _keep(self) -> None:
        if self.rows - self._rows_kept < self._every_rows:
            return
        # A snapshot that fails is only a longer recovery; the next fact meets the same disk.
        with suppress(TapeError):
            # A slow disk holds up the line, which needs it, and not the loop.
            await to_thread.run_sync(self.opened.decisions.sync)
            self.opened.keep_state()
            self._rows_kept = self.rows

    async def _writable(self) -> None:
        await self._clock.sleep(RETRY_SECONDS)
        try:
            self.opened.tape.retry()
        except TapeError as error:
            self.failure = str(error)
