"""What the tests of the BarAggregator share: makers of rows, a run, and readings of its output."""

from collections.abc import Iterable, Sequence

import numpy as np

from engine.bars import BarAggregator
from engine.blocks import Bars, Int64, MarketBlock, Trades
from engine.journal import Journal
from engine.messages import BarTaint
from engine.ports import Item
from engine.sessions import sessions_of
from engine.timeframes import MINUTE_NS, TIMEFRAMES
from tests.makers import START_NS, bars, table, trades

SECOND_NS = 1_000_000_000


COUNTED = ("tick:3", "volume:100", "dollar:1000")
TABLE = (*TIMEFRAMES, *COUNTED)


def aggregator(
    *symbols: str,
    build: tuple[str, ...] = ("1m",),
    feeds: int = 1,
    lateness_ns: int = 0,
    sessions: Sequence[tuple[str, str]] | None = None,
) -> BarAggregator:
    """`sessions` are those of all symbols, as UTC times; None trades around the clock."""
    instruments = table(*symbols)
    hours = None if sessions is None else sessions_of([utc_spans(sessions)], [0] * len(instruments))
    frames = TABLE if set(build) & set(COUNTED) else TIMEFRAMES
    return BarAggregator(instruments, frames, build, feeds, lateness_ns, hours)


def utc(text: str) -> int:
    """`2020-03-09 13:30` as nanoseconds."""
    return int(np.datetime64(text, "ns").astype(np.int64))


def utc_spans(spans: Sequence[tuple[str, str]]) -> tuple[Int64, Int64]:
    return np.array([utc(open_) for open_, _ in spans]), np.array([utc(close) for _, close in spans])


def trades_at(*texts_and_prices: tuple[str, float], **columns: object) -> Trades:
    """Trades at UTC times."""
    times = np.array([utc(text) for text, _ in texts_and_prices])
    prices = [price for _, price in texts_and_prices]
    return trades(*prices, **({"time_ns": times, "received_ns": times, "size": 1.0} | columns))


def spans(bars_: Bars) -> list[tuple[str, str, str]]:
    """Timeframe, open and close in UTC, to the minute where that is exact."""
    return [
        (TABLE[frame], text(open_ns), text(close_ns))
        for frame, open_ns, close_ns in zip(bars_.timeframe, bars_.open_ns, bars_.close_ns, strict=True)
    ]


def text(time_ns: int) -> str:
    stamp = str(np.datetime64(int(time_ns), "ns")).replace("T", " ")
    return stamp.removesuffix(":00.000000000").removesuffix(".000000000")


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
