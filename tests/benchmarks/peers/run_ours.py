"""This engine: the whole line, Journal to Tap and ledger, with the detector running on every bar.

The breakout is a strategy that marks and proposes. Its trail is a watch for a close above the highest
so far, so that between two new highs no Python runs. The shipped campaign manager trails under swings
and opens campaigns on structure; `Trailing` is that manager trailing as the other engines do, with
structure reported but deciding nothing. The detector has its shipped settings; one-minute bars are all
that is built. `empty` is the same line without a strategy.
"""

import tomllib
from collections.abc import Iterable, Iterator
from decimal import Decimal
from importlib.metadata import version
from typing import Any
from unittest import mock

import numpy as np
import numpy.typing as npt

from engine import app
from engine.blocks import BUYER, SELLER, Bars, MarketBlock, Trades
from engine.campaigns import positions
from engine.campaigns.manager import CampaignManager
from engine.campaigns.watches import Purpose, parse_watch
from engine.chunks import rechunk
from engine.collector import settle
from engine.config import parse, shipped
from engine.instruments import MATCH_ON_BARS, MATCH_ON_TRADES, InstrumentTable, price_below
from engine.messages import (
    EndOfFeed,
    Event,
    Fill,
    Instrument,
    Leg,
    Message,
    OrderKind,
    PhaseChange,
    Role,
    SessionStart,
    Watched,
    WatchKind,
)
from engine.ports import Item, Moment, Proposal
from engine.sightings import Concern
from engine.timeframes import MINUTE_NS, TIMEFRAMES
from tests.benchmarks.peers.measured import main
from tests.benchmarks.peers.strategy import TICKS_PER_UNIT, Plan, Trade

CHUNK = 65_536
MINUTES = TIMEFRAMES.index("1m")
VALID_BARS = 5

FOREVER = dict.fromkeys(TIMEFRAMES, 10_000_000)
FREE = {
    "latency_ns": 0, "participation": 1, "half_spread_bp": 0, "impact_bp": 0, "stock_per_share": 0, "stock_minimum": 0,
}  # fmt: skip
CAMPAIGNS = {
    "pattern_percent": {"spring": "0.5", "sos": "0.5", "lps": "0.05"},
    "dormant_bars": FOREVER, "expire_bars": FOREVER, "time_stop_bars": FOREVER,
    "cooldown_days": {"stock": 0, "crypto": 0, "fx": 0, "future": 0},
}  # fmt: skip


class Breakout:
    """Marks each close above the highs before it, and buys there when nothing is held.

    Bars arrive in order, once each: the highs of the last `lookback` minutes are carried along. Of what
    else is built of them nothing is looked at.
    """

    name = "breakout"

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._highs = np.empty(0)

    def marks(self, bars: Bars) -> npt.NDArray[np.bool_]:
        minutes = np.flatnonzero(bars.timeframe == MINUTES)
        marked = np.zeros(len(bars), np.bool_)
        marked[minutes] = bars.close[minutes] > self._levels(bars.high[minutes])
        return marked

    def _levels(self, high: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """The highest high of the `lookback` minutes before each, infinite where there are fewer."""
        lookback = self._plan.lookback
        highs = np.concatenate((self._highs, high))
        self._highs = highs[-lookback:]
        found = highest(highs[:-1], lookback)[-len(high) :] if len(high) else high
        return np.concatenate((np.full(len(high) - len(found), np.inf), found))

    def propose(self, moment: Moment) -> Iterable[Proposal]:
        if moment.mark is None or moment.taken or moment.asked:
            return
        close = moment.mark.close
        yield Proposal(
            leg=Leg.LPS,
            kind=OrderKind.LIMIT,
            trigger=float("nan"),
            worst=close * 1.1,
            stop=self._plan.stop(round(close * TICKS_PER_UNIT)) / TICKS_PER_UNIT,
            targets=(close * 3,) * 3,
            score=80.0,
            valid_bars=VALID_BARS,
            reason="breakout",
        )


def highest(values: npt.NDArray[np.float64], size: int) -> npt.NDArray[np.float64]:
    """(n - size + 1,): the highest of each `size` values in a row; by doubling, so in log(size) passes."""
    if len(values) < size:
        return np.empty(0)
    span = 1
    while 2 * span <= size:
        values = np.maximum(values[:-span], values[span:])
        span *= 2
    rest = size - span
    return np.maximum(values[:-rest], values[rest:]) if rest else values


class Trailing(CampaignManager):
    """Follows the highest close since the mark: the stop in force says where that is. Nothing else
    than marks opens or ends a campaign."""

    plan: Plan

    def _event(self, event: Event, decision: object) -> Iterator[Message]:
        return iter(())

    def _phase(self, change: PhaseChange) -> Iterator[Message]:
        return iter(())

    def _react(self, message: Message) -> Iterable[Message]:
        if isinstance(message, Fill) and message.role is Role.ENTRY:
            return (*super()._react(message), *self._follow(message.group))
        return super()._react(message)

    def _watched(self, message: Watched) -> Iterator[Message]:
        if not message.watch_id.endswith(Purpose.TRAIL):
            yield from super()._watched(message)
        elif self._book.watches.fired(message.watch_id):
            subject, _ = parse_watch(message.watch_id)
            self._book.advance(message.time_ns)
            yield from self._trail(subject, message.price)

    def _trail(self, group: str, close: float) -> Iterator[Message]:
        found = self._book.bracket(group)
        if found is None:
            return
        campaign, bracket = found
        instrument = self._book.table.named(campaign.symbol)
        stop = price_below(instrument, self.plan.stop(round(close * TICKS_PER_UNIT)) / TICKS_PER_UNIT)
        market = Decimal(repr(close))
        yield from positions._move_stop(self._book, campaign, bracket, stop=stop, market=market, cause="trail")
        yield from self._follow(group)

    def _follow(self, group: str) -> Iterator[Message]:
        """Asks for the first close that would move the stop."""
        found = self._book.bracket(group)
        if found is None or not found[1].lot.open:
            return
        campaign, bracket = found
        yield from self._book.watches.drop(group, Purpose.TRAIL)
        level = next_close(self.plan, int(bracket.stop_price * TICKS_PER_UNIT)) - 0.5
        bars = (campaign.symbol, campaign.timeframe)
        yield self._book.watches.on_bars(
            group, Purpose.TRAIL, WatchKind.CLOSE_ABOVE, bars=bars, level=level / TICKS_PER_UNIT,
            now_ns=self._book.now_ns,
        )  # fmt: skip


def next_close(plan: Plan, stop: int) -> int:
    """The lowest close, in ticks, whose stop lies above `stop`."""
    return -(-(stop + 1) * 1_000 // (1_000 - plan.trail))


class Fills:
    """Sink that keeps the executions."""

    reads = (Fill,)

    def __init__(self) -> None:
        self.seen: list[Fill] = []

    def write(self, item: Item) -> None:
        if type(item) is Fill:
            self.seen.append(item)


class Prepared:
    """`run` builds the line too: it is part of what a run costs."""

    def __init__(self, kind: str, columns: dict[str, Any], plan: Plan, is_empty: bool) -> None:
        self.plan = plan
        self.is_empty = is_empty
        block = trades_of(columns) if kind == "trades" else bars_of(columns)
        on = MATCH_ON_TRADES if kind == "trades" else MATCH_ON_BARS
        self.table = InstrumentTable(
            [Instrument("AAA", "stock", *map(Decimal, ("0.01", "1", "1", "0")), "USD", "", on, False)]
        )
        self.start = session(int(block.row_ns[0]), "1m")
        end = EndOfFeed(time_ns=int(block.row_ns[-1]), feed=0)
        self.facts: list[Item] = [self.start, *self.table.all, *rechunk((block, end), CHUNK)]
        self.fills = Fills()
        self.line = self._line()
        settle()
        Prepared.warm(self)

    def warm(self) -> None:
        """Kernels are loaded from their cache, as those of the compiled engines are from theirs."""
        for fact in self.facts[:3]:
            short = fact.slice(0, 1_000) if isinstance(fact, MarketBlock) else fact
            self.line.chain.push(short)
        self.fills = Fills()

    def run(self) -> None:
        self.line = self._line()
        push = self.line.chain.push
        for fact in self.facts:
            push(fact)

    def trades(self) -> list[Trade]:
        return list(closed(self.fills.seen))

    def _line(self) -> app.Line:
        tables = tomllib.loads(shipped("replay").read_text())
        tables["run"]["timeframes"] = ["1m"]
        tables["run"]["strategies"] = [] if self.is_empty else ["breakout"]
        tables["campaigns"] |= CAMPAIGNS
        # The other side knows of no bad days.
        tables["risk"]["rules"] = [one for one in tables["risk"]["rules"] if one not in ("daily_loss", "drawdown")]
        tables["paper"] |= FREE
        manager = type("PlannedTrailing", (Trailing,), {"plan": self.plan})
        strategy = mock.patch.object(app, "strategy", return_value=Breakout(self.plan))
        unconcerned = mock.patch.object(app, "concern", return_value=Concern.NEVER)
        with strategy, unconcerned, mock.patch.object(app, "CampaignManager", manager):
            return app.build_line(parse(tables, "bench"), self.start, self.table, sinks=[self.fills])


def session(time_ns: int, detect_on: str) -> SessionStart:
    return SessionStart(
        time_ns=time_ns, mode="replay", feeds=("file",), timeframes=TIMEFRAMES, symbols=("AAA",),
        cash=Decimal(100_000), currency="USD", detect_on=(detect_on,),
    )  # fmt: skip


def bars_of(columns: dict[str, Any]) -> Bars:
    close_ns = columns["close_ns"]
    prices = {name: columns[name] / TICKS_PER_UNIT for name in ("open", "high", "low", "close")}
    return Bars.of(
        open_ns=close_ns - MINUTE_NS, close_ns=close_ns, received_ns=close_ns, timeframe=MINUTES,
        volume=columns["volume"].astype(np.float64), trades=-1, **prices,
    )  # fmt: skip


def trades_of(columns: dict[str, Any]) -> Trades:
    time_ns = columns["time_ns"]
    return Trades.of(
        time_ns=time_ns, received_ns=time_ns, price=columns["price"] / TICKS_PER_UNIT,
        size=columns["size"].astype(np.float64), side=np.where(columns["side"] == 1, BUYER, SELLER),
        trade_id=np.arange(len(time_ns)),
    )  # fmt: skip


def closed(fills: Iterable[Fill]) -> Iterator[Trade]:
    """Round trips: every entry and every exit is one fill here."""
    entry: Fill | None = None
    for fill in fills:
        if fill.role is Role.ENTRY:
            assert entry is None
            entry = fill
        else:
            assert entry is not None
            assert fill.quantity == entry.quantity
            prices = [int(one.price * TICKS_PER_UNIT) for one in (entry, fill)]
            yield Trade(entry.time_ns, prices[0], fill.time_ns, prices[1])
            entry = None


if __name__ == "__main__":
    main(f"{version('wyckoff-engine')}", Prepared)
