"""What the tests of the BarAggregator share: makers of rows, a run, and readings of its output."""

from collections.abc import Iterable

import numpy as np

from engine.bars import BarAggregator
from engine.blocks import Bars, MarketBlock, Trades
from engine.journal import Journal
from engine.messages import BarTaint
from engine.ports import Item
from engine.timeframes import MINUTE_NS, TIMEFRAMES
from tests.makers import START_NS, bars, table, trades

SECOND_NS = 1_000_000_000


def aggregator(*symbols: str, build: tuple[str, ...] = ("1m",), feeds: int = 1, lateness_ns: int = 0) -> BarAggregator:
    return BarAggregator(table(*symbols), TIMEFRAMES, build, feeds, lateness_ns)


def run(stage: BarAggregator, *facts: Item) -> list[Item]:
    journal = Journal(None)
    return [out for fact in facts for numbered in journal.process(fact) for out in stage.process(numbered)]


def at(*seconds_and_prices: tuple[float, float], **columns: object) -> Trades:
    """Trades at seconds after the start of the session."""
    seconds, prices = zip(*seconds_and_prices, strict=True)
    times = START_NS + (np.array(seconds) * SECOND_NS).astype(np.int64)
    return trades(*prices, **({"time_ns": times, "received_ns": times, "size": 1.0} | columns))


def minute_bars(*minutes_and_closes: tuple[int, float], timeframe: str = "1m", **columns: object) -> Bars:
    """Outside bars by the minute they open in; open, high and low lie around the close."""
    minutes, closes = (np.array(column) for column in zip(*minutes_and_closes, strict=True))
    opens_ns = START_NS + minutes.astype(np.int64) * MINUTE_NS
    ohlc = [(close - 1, close + 2, close - 2, close) for close in closes]
    given = {"open_ns": opens_ns, "close_ns": opens_ns + MINUTE_NS}
    return bars(*ohlc, timeframe=timeframe, **(given | columns))


def closed(outputs: Iterable[Item]) -> Bars:
    return Bars.join([item.closed for item in outputs if isinstance(item, MarketBlock) and item.closed is not None])


def taints(outputs: Iterable[Item]) -> list[BarTaint]:
    return [item for item in outputs if isinstance(item, BarTaint)]


def named(bars_: Bars) -> list[str]:
    return [TIMEFRAMES[number] for number in bars_.timeframe]


def ohlcv(bars_: Bars) -> list[tuple[float, ...]]:
    return list(
        zip(*(getattr(bars_, name).tolist() for name in ("open", "high", "low", "close", "volume")), strict=True)
    )
