"""A made-up market that never ends: the schematics of `engine.wyckoff`, one after the other.

For trying the daemon without a venue. A seed decides every price; when rows come is the clock's, and
at speed n the market's own time runs n times as fast. It is simulated, says so in its name and its
status, and proves nothing about markets.
"""

from collections.abc import Mapping

import numpy as np

from adapters.live.settings import NEVER_STALE_S, FeedSettings, Keys
from adapters.simulated_walk import STEPS, Row, Walk, scaled
from engine.blocks import OUTSIDE, Bars, Column, Int64, MarketBlock, Trades
from engine.definitions import VenueMetadata
from engine.feed_health import State, Status
from engine.live.ports import Clock, FeedReport, Inbox, Seen
from engine.messages import NEVER_NS, Heartbeat
from engine.timeframes import LENGTH_NS, TIMEFRAMES, interval_start

REASON = "simulated market"
NS_PER_S = 1_000_000_000


class SimulatedFeed:
    """Satisfies `engine.live.ports.LiveFeed`. Bar n of a symbol is the same whenever it is asked for."""

    simulated = True

    def __init__(self, settings: FeedSettings, clock: Clock) -> None:
        self.name = settings.name
        self.kind = settings.data
        self.timeframe = settings.timeframe
        self.symbols = settings.symbols
        self.lateness_ns = settings.lateness_ms * 1_000_000
        self._settings = settings
        self._clock = clock
        self._past = settings.history_bars
        self._base = settings.timeframe or "1m"
        self._length_ns = LENGTH_NS[self._base]
        self._walks = {symbol: Walk(f"{settings.seed}/{symbol}") for symbol in settings.symbols}
        self._origin_ns = NEVER_NS
        self._anchor_ns = 0
        self._given = dict.fromkeys(settings.symbols, 0)
        self._status = Status(0)
        self._rows = 0
        self._last_ns = NEVER_NS

    async def open(self) -> VenueMetadata | None:
        await self._clock.sleep(0)
        return None

    async def history(self, symbol: str, timeframe: str, bars: int, until_ns: int) -> Bars:
        """Bars of the feed's own length are those before its first; longer ones are another walk to the same price."""
        await self._clock.sleep(0)
        self._begin(until_ns)
        walk = self._walks[symbol]
        if timeframe == self._base:
            rows = walk.bars(self._past - min(bars, self._past), self._past)
        else:
            rows = Walk(f"{self._settings.seed}/{symbol}/{timeframe}").bars(0, bars)
            rows = scaled(rows, walk.bars(self._past, self._past + 1)[0][0])
        close_ns = interval_start(timeframe, until_ns)
        opens_ns = close_ns - LENGTH_NS[timeframe] * np.arange(len(rows), 0, -1, dtype=np.int64)
        return _bars(rows, opens_ns, timeframe)

    def resume_after(self, seen: Mapping[str, Seen]) -> None:
        """A made-up market has nothing to ask for: it goes on from now."""

    async def run(self, inbox: Inbox, numbers: Mapping[str, int], feed: int) -> None:
        now_ns = self._clock.now_ns()
        self._begin(now_ns)
        self._anchor_ns = now_ns
        self._status = Status(feed)
        await inbox.market(self._status.begin(now_ns))
        for fact in self._status.move(State.LIVE, REASON, now_ns):
            await inbox.market(fact)
        while True:
            market_ns = self._market_ns()
            for block in self._due(market_ns, numbers, feed):
                self._rows += len(block)
                self._last_ns = int(block.row_ns[-1])
                await inbox.market(block)
            await inbox.market(Heartbeat(time_ns=market_ns - self.lateness_ns, feed=feed))
            await self._clock.sleep(self._settings.heartbeat_s)

    def change(self, settings: FeedSettings) -> None:
        """A made-up market is never silent: its limit is shown, and nothing else."""
        self._settings = settings

    def report(self) -> FeedReport:
        limit_s = self._settings.stale_ceiling_s
        return FeedReport(
            name=self.name, state=self._status.state.value, reason=self._status.reason,
            since_ns=self._status.since_ns, last_row_ns=self._last_ns, last_frame_ns=self._clock.now_ns(),
            stale_after_ns=int(limit_s * NS_PER_S) if limit_s < NEVER_STALE_S else 0,
            received=self._rows, applied=self._rows,
        )  # fmt: skip

    def _begin(self, now_ns: int) -> None:
        """The first bar of the stream opens where history ends, whenever the stream is begun."""
        if self._origin_ns == NEVER_NS:
            self._origin_ns = interval_start(self._base, now_ns)

    def _market_ns(self) -> int:
        return self._anchor_ns + int((self._clock.now_ns() - self._anchor_ns) * self._settings.speed)

    def _due(self, market_ns: int, numbers: Mapping[str, int], feed: int) -> list[MarketBlock]:
        """What has happened since the last call, in order of time."""
        if self.kind == "bars":
            blocks: list[MarketBlock] = [self._bars_due(symbol, market_ns) for symbol in self.symbols]
        else:
            blocks = [self._trades_due(symbol, market_ns) for symbol in self.symbols]
        told = [
            block.derive(
                instrument=_same(numbers[symbol], len(block), np.int32), feed=_same(feed, len(block), np.int16)
            )
            for symbol, block in zip(self.symbols, blocks, strict=True)
            if len(block)
        ]
        if not told:
            return []
        joined = type(told[0]).join(told)
        order = np.argsort(joined.row_ns, kind="stable")
        return [type(joined).of(**{name: column[order] for name, column in joined.columns().items()})]

    def _bars_due(self, symbol: str, market_ns: int) -> Bars:
        first, last = self._given[symbol], max(0, (market_ns - self._origin_ns) // self._length_ns)
        self._given[symbol] = max(first, last)
        rows = self._walks[symbol].bars(self._past + first, self._past + max(first, last))
        opens_ns = self._origin_ns + self._length_ns * np.arange(first, first + len(rows), dtype=np.int64)
        return _bars(rows, opens_ns, self._base)

    def _trades_due(self, symbol: str, market_ns: int) -> Trades:
        step_ns = self._length_ns // STEPS
        # A trade lies in the middle of its step: it is due from then on, or a heartbeat would overtake it.
        first, last = self._given[symbol], (market_ns - self._origin_ns + step_ns - step_ns // 2) // step_ns
        self._given[symbol] = last = max(first, last)
        count = max(0, last - first)
        steps = np.arange(first, first + count, dtype=np.int64)
        prints = self._walks[symbol].prints(self._past * STEPS + first, count)
        times_ns = self._origin_ns + steps * step_ns + step_ns // 2
        return Trades.of(
            time_ns=times_ns, received_ns=times_ns, price=[one.price for one in prints],
            size=[one.size for one in prints], side=[one.side for one in prints], trade_id=steps + 1,
        )  # fmt: skip


def build(settings: FeedSettings, clock: Clock, _: str, __: Keys) -> SimulatedFeed:
    return SimulatedFeed(settings, clock)


def _same(value: int, size: int, dtype: type[np.generic]) -> Column:
    return np.full(size, value, dtype)


def _bars(rows: list[Row], opens_ns: Int64, timeframe: str) -> Bars:
    if not rows:
        return Bars.empty()
    opens, high, low, close, volume = (np.array(column) for column in zip(*rows, strict=True))
    closes_ns = opens_ns + LENGTH_NS[timeframe]
    return Bars.of(
        open_ns=opens_ns, close_ns=closes_ns, received_ns=closes_ns, timeframe=TIMEFRAMES.index(timeframe),
        open=opens, high=high, low=low, close=close, volume=volume, trades=-1, source=OUTSIDE,
    )  # fmt: skip
