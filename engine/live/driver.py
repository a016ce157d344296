"""What carries facts from the inbox through the line, and keeps the line's state on its tape.

The line is fused: nothing waits between the arrival of a row and its verdict. The loop gets its turn at least
every `TURN_NS`, as far as single kernel calls allow. A tape that cannot be written stops the line, not the
process: feeds wait behind the full inbox, and the fact that could not be kept is given again once there is room.
"""

from collections.abc import Callable
from contextlib import suppress

from anyio import Event
from anyio.lowlevel import checkpoint

from engine.actor import drive
from engine.blocks import MarketBlock
from engine.ingress import Ingress
from engine.live.opening import OpenLine
from engine.live.ports import Clock
from engine.live.tapes import day_of
from engine.messages import Command, Message
from engine.ports import Item
from engine.tape import TapeError

TURN_NS = 5_000_000
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
    ) -> None:
        self.opened = opened
        self._next_day = next_day
        self._ends_ns = ends_ns
        self._day = opened.day
        self.failure = ""
        self.rows = 0
        self._inbox = inbox
        self._clock = clock
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
            await self.push(fact)
            if self._clock.monotonic_ns() - turned_ns >= TURN_NS:
                await checkpoint()
                turned_ns = self._clock.monotonic_ns()

    async def push(self, fact: Item) -> None:
        """One fact all the way through; the session's own come without the inbox, before the feeds begin."""
        retries = 0
        while True:
            try:
                # The Journal is the first stage: what it cannot keep has gone nowhere.
                await self._through(fact)
                break
            except TapeError as error:
                self.failure = str(error)
                if retries >= RETRIES or self._clock.monotonic_ns() >= self._ends_ns():
                    raise
            retries += 1
            await self._writable()
        self.failure = ""
        if isinstance(fact, Command) and (noticed := self._noticed.pop(fact, None)):
            noticed.set()
        day = day_of(self.opened.line.bars.line_time_ns)
        if day > self._day:
            # The first day that is proven names a fresh tape.
            self.opened = self.opened if self._day < 0 else self._next_day(self.opened)
            self._day = day
        self._keep()

    async def _through(self, fact: Item) -> None:
        await drive(self.opened.line.chain.steps(fact), self._clock.monotonic_ns, pause_ns=TURN_NS)
        self.rows += len(fact) if isinstance(fact, MarketBlock) else 0

    def _keep(self) -> None:
        if self.rows - self._rows_kept < self._every_rows:
            return
        # A snapshot that fails is only a longer recovery; the next fact meets the same disk.
        with suppress(TapeError):
            self.opened.keep_state()
            self._rows_kept = self.rows

    async def _writable(self) -> None:
        await self._clock.sleep(RETRY_SECONDS)
        try:
            self.opened.tape.retry()
        except TapeError as error:
            self.failure = str(error)
