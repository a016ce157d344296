"""A loopback venue, a feed and an inbox, run together for a while; what came out, ready to be compared."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import numpy as np

from adapters.live import build, warm
from adapters.live.clock import FastClock
from adapters.loopback.venue import LoopbackVenue
from engine.blocks import Bars, MarketBlock, Quotes, Trades
from engine.ingress import Ingress
from engine.live.ports import FeedReport, LiveFeed
from engine.messages import FeedStatus, Heartbeat, Quarantine
from engine.ports import Item

warm()  # while tests are collected: compiling may take longer than a test is allowed to

PATIENCE_S = 15.0
"""Of the host: how long a test waits for what must happen. No test asserts it."""


class Heard:
    """All facts of a feed, in order."""

    def __init__(self) -> None:
        self.facts: list[Item] = []
        self.inbox = Ingress(control_capacity=64, market_capacity=1_000, max_rows=4_096)

    async def listen(self) -> None:
        async for fact in self.inbox:
            self.facts.append(fact)

    def of(self, kind: type) -> list:
        return [fact for fact in self.facts if isinstance(fact, kind)]

    @property
    def states(self) -> list[str]:
        return [fact.status for fact in self.of(FeedStatus)]

    @property
    def reasons(self) -> list[str]:
        return [fact.reason for fact in self.of(FeedStatus)]

    @property
    def trades(self) -> Trades:
        blocks = self.of(Trades)
        return Trades.join(blocks) if blocks else Trades.empty()

    @property
    def bars(self) -> Bars:
        blocks = self.of(Bars)
        return Bars.join(blocks) if blocks else Bars.empty()

    @property
    def quotes(self) -> Quotes:
        blocks = self.of(Quotes)
        return Quotes.join(blocks) if blocks else Quotes.empty()

    def ids(self, number: int) -> list[int]:
        trades = self.trades
        return trades.trade_id[trades.instrument == number].tolist()

    @property
    def gaps(self) -> int:
        return sum(fact.count for fact in self.of(Quarantine) if fact.reason == "gap")

    def last_heartbeat(self) -> int:
        return max((fact.time_ns for fact in self.of(Heartbeat)), default=0)


class Scene:
    """`until` waits for a condition; the feed, venue and everything heard are at hand."""

    def __init__(self, venue: LoopbackVenue, feed: LiveFeed, heard: Heard, task: "asyncio.Task[None]") -> None:
        self.venue, self.feed, self.heard, self.task = venue, feed, heard, task

    async def until(self, condition: Callable[[], object], what: str = "") -> None:
        async with asyncio.timeout(PATIENCE_S):
            try:
                await eventually(condition)
            except asyncio.CancelledError:
                raise AssertionError(f"never: {what or condition}; {self.heard.states[-6:]} {self.report}") from None

    async def live(self, times: int = 1) -> None:
        await self.until(lambda: self.heard.states.count("LIVE") >= times and self.report.state == "LIVE", "live")

    async def rows(self, more: int) -> None:
        """Until so many more have been applied."""
        goal = self.report.applied + more
        await self.until(lambda: self.report.applied >= goal, f"{goal} rows")

    async def quiet(self) -> None:
        """Faults end, the market stops, and all that was made has arrived or been given up.

        The last trades are undisturbed: what was lost just before them can be missed.
        """
        self.venue.faults.clear()
        self.venue.halt()
        for symbol in self.venue.market.listings:
            self.venue.trade(symbol)
        await self.until(lambda: self.report.state == "LIVE", "live at the end")
        before = -1
        while before != self.report.received:
            before = self.report.received
            await asyncio.sleep(0.15)
        await self.until(lambda: self.report.state == "LIVE", "live at the end")

    @property
    def report(self) -> FeedReport:
        return self.feed.report()

    def made(self, number: int) -> list[int]:
        """Numbers of all trades of a symbol that the venue made since the feed asked first."""
        symbol = self.feed.symbols[number]
        return [one.id for one in self.venue.market.listings[symbol].prints]


async def eventually(condition: Callable[[], object]) -> None:
    """Looks often; who waits sets the limit."""
    while not condition():  # noqa: ASYNC110  there is nothing that would tell
        await asyncio.sleep(0.01)


@asynccontextmanager
async def scene(
    venue: LoopbackVenue, table: dict, *, before: Callable[[LiveFeed], Awaitable[object]] | None = None
) -> AsyncIterator[Scene]:
    """The venue open, the feed running, both stopped at the end."""
    heard = Heard()
    async with venue.running():
        feed = build(at(venue, table), venue.clock)
        if before is not None:
            await before(feed)
        numbers = {symbol: number for number, symbol in enumerate(feed.symbols)}
        listening = asyncio.create_task(heard.listen())
        running = asyncio.create_task(feed.run(heard.inbox, numbers, 0))
        try:
            yield Scene(venue, feed, heard, running)
        finally:
            running.cancel()
            found = await asyncio.gather(running, return_exceptions=True)
            heard.inbox.close()
            await listening
        assert all(one is None or isinstance(one, asyncio.CancelledError) for one in found), found


def at(venue: LoopbackVenue, table: dict) -> dict:
    return {"stream_url": venue.stream_url, "rest_url": venue.rest_url} | table


def account(report: FeedReport, waiting: int = 0) -> None:
    """I11: every row that came is accounted for."""
    withheld = sum(report.withheld.values())
    assert report.received == report.applied + report.duplicates + report.conflated + withheld + waiting


def assert_sane(heard: Heard) -> None:
    """I19: no row that cannot be market data."""
    for block in heard.of(MarketBlock):
        block.check("feed", 1, np.zeros(int(block.instrument.max()) + 1, np.bool_))


def fast(speed: float = 20.0) -> FastClock:
    return FastClock(speed)
