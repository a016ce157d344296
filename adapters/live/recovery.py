"""What a feed has missed, asked for by REST before it is live again.

Rows of the stream wait meanwhile; what is asked for goes before them, so the line sees one order. What
history cannot give is a gap: it is told, counted and given up, and the feed goes on.
"""

import asyncio
from collections.abc import Mapping

from adapters.live.intake import Intake, Trade
from adapters.live.lost import LostError
from adapters.live.outlet import Outlet
from adapters.live.pacing import Backoff
from adapters.live.rest import Rest
from adapters.live.settings import FeedSettings
from adapters.live.venue import Venue
from engine.live.ports import Clock, Seen
from engine.messages import NEVER_NS, Quarantine
from engine.timeframes import LENGTH_NS, interval_start

MOST_PAGES = 200
"""Answers asked for at most to close one gap."""

SEAM_TRADES = 5_000
"""Trades asked for at most so that the first bar is whole."""

OVERLAP_NS = 2_000_000_000
"""Asked for again before the last row, where numbers do not tell what is missing."""

HOLE_TRIES = 3
"""History may lag the stream: so often is it asked for what is missing inside a connection."""

FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 5.0


class Recovery:
    """`seams` are the opens from which the first bars of each symbol still miss their trades, longest bar first.

    `gaps` counts holes that were given up.
    """

    def __init__(
        self, venue: Venue, rest: Rest, intake: Intake, outlet: Outlet, settings: FeedSettings, clock: Clock,
        *, feed: int, seen: Mapping[str, Seen], seams: Mapping[str, list[int]],
    ) -> None:  # fmt: skip
        self.gaps = 0
        self._venue = venue
        self._rest = rest
        self._intake = intake
        self._outlet = outlet
        self._settings = settings
        self._clock = clock
        self._feed = feed
        self._seen = seen
        self._seams = seams
        self._begun_ns = clock.now_ns()
        self._until_ns = 0
        for symbol, one in seen.items():
            intake.last_ns[symbol] = one.time_ns
            if symbol in intake.sequences and one.trade_id > 0:
                intake.sequences[symbol].next_id = one.trade_id + 1
            if settings.data == "bars":
                intake.closed_ns[symbol, settings.timeframe] = one.time_ns

    async def fill(self) -> None:
        """All symbols; rows of the stream wait meanwhile."""
        self._begin()
        async with asyncio.TaskGroup() as tasks:
            for symbol in self._settings.symbols:
                tasks.create_task(self._fill(symbol))

    async def release(self) -> None:
        """Let go what waits. What numbers say is still missing is asked for, and given up in the end."""
        self._begin()
        self._intake.release()
        self._outlet.wake()
        for attempt in range(HOLE_TRIES):
            holes = self._intake.holes()
            if not holes:
                return
            if attempt:
                await self._clock.sleep(FIRST_WAIT_S)
            for symbol in holes:
                await self._fill(symbol)
                self._intake.follow(symbol)
                self._outlet.wake()
        for symbol in self._intake.holes():
            self._tell_gap(symbol, self._intake.give_up(symbol))

    def _begin(self) -> None:
        self._until_ns = self._clock.monotonic_ns() + int(self._settings.recover_s * 1e9)

    def _go_on(self) -> None:
        """Raises LostError when it takes too long, or too much waits."""
        if self._clock.monotonic_ns() >= self._until_ns or self._intake.is_full:
            raise LostError("timeout", f"history took more than {self._settings.recover_s:g} s")

    async def _fill(self, symbol: str) -> None:
        """One symbol, tried again until `recover_s` are over."""
        backoff = Backoff(f"{self._settings.name}/{symbol}", FIRST_WAIT_S, LONGEST_WAIT_S)
        while True:
            try:
                await (self._fill_bars(symbol) if self._settings.data == "bars" else self._fill_trades(symbol))
            except LostError as lost:
                if self._clock.monotonic_ns() >= self._until_ns or self._intake.is_full:
                    self._tell_gap(symbol, 1)
                    return
                await self._clock.sleep(backoff.wait_s(lost.retry_after_s))
            else:
                return

    async def _fill_trades(self, symbol: str) -> None:
        sequence = self._intake.sequences.get(symbol)
        if sequence is not None and sequence.next_id:
            await self._pages_by_number(symbol, sequence.next_id - 1, MOST_PAGES)
            return
        last_ns = self._intake.last_ns.get(symbol, NEVER_NS)
        if last_ns != NEVER_NS:
            await self._pages_by_time(symbol, last_ns - OVERLAP_NS, MOST_PAGES)
            return
        begin_ns = interval_start("1m", self._begun_ns)
        pages = max(1, SEAM_TRADES // self._venue.page)
        for open_ns in dict.fromkeys((*self._seams.get(symbol, ()), begin_ns)):
            if await self._pages_by_time(symbol, open_ns, pages, only_whole=True):
                return

    async def _pages_by_number(self, symbol: str, after_id: int, most: int) -> None:
        missing = self._intake.sequences[symbol].missing
        for _ in range(most):
            self._go_on()
            found = await self._venue.trades(self._rest, symbol, after_id, 0, self._clock.now_ns())
            for trade in found:
                self._intake.fill_trade(trade)
            await self._outlet.flow()
            if len(found) < self._venue.page:
                break
            after_id = found[-1][6]
        else:
            self._tell_gap(symbol, 1)
        self._tell_gap(symbol, self._intake.sequences[symbol].missing - missing)

    async def _pages_by_time(self, symbol: str, since_ns: int, most: int, *, only_whole: bool = False) -> bool:
        """Whether all of it fitted into `most` pages. With `only_whole` nothing is given unless it did."""
        found: list[Trade] = []
        for _ in range(most):
            self._go_on()
            page = await self._venue.trades(self._rest, symbol, 0, since_ns, self._clock.now_ns())
            if self._venue.only_latest and len(page) >= self._venue.page and page[0][1] > since_ns:
                if only_whole:
                    return False
                self._tell_gap(symbol, 1)
            if only_whole:
                found += page
            else:
                for trade in page:
                    self._intake.fill_trade(trade)
                await self._outlet.flow()
            if len(page) < self._venue.page or page[-1][1] <= since_ns or self._venue.only_latest:
                break
            since_ns = page[-1][1]
        else:
            if not only_whole:
                self._tell_gap(symbol, 1)
            return False
        for trade in found:
            self._intake.fill_trade(trade)
        await self._outlet.flow()
        return True

    async def _fill_bars(self, symbol: str) -> None:
        timeframe, now_ns = self._settings.timeframe, self._clock.now_ns()
        begin_ns = max(self._seams.get(symbol, ()), default=NEVER_NS)
        first_ns = self._intake.closed_ns.get((symbol, timeframe), begin_ns)
        if first_ns == NEVER_NS:
            first_ns = interval_start(timeframe, self._begun_ns)
        for _ in range(MOST_PAGES):
            self._go_on()
            found = await self._venue.bars(self._rest, symbol, timeframe, first_ns, now_ns, now_ns)
            for candle in found:
                self._intake.fill_bar(candle)
            await self._outlet.flow()
            if len(found) < self._venue.page:
                return
            first_ns = found[-1][2] + LENGTH_NS[timeframe]
        self._tell_gap(symbol, 1)

    def _tell_gap(self, symbol: str, missing: int) -> None:
        if missing <= 0:
            return
        self.gaps += 1
        time_ns = self._intake.last_ns.get(symbol, self._begun_ns)
        self._outlet.say(Quarantine(time_ns=time_ns, feed=self._feed, symbol=symbol, reason="gap", count=missing))
