"""Candles that their venue revises until the next one opens, and the grid they must lie on.

Most venues never say that a candle is closed. One is final when a later one of the same symbol and
timeframe appears on the same connection, and not before; nothing is closed by a clock. A candle that
comes again after that is too late to change anything.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from adapters.codecs.codec import RowBuffer
from engine.timeframes import LENGTH_NS, interval_start

MOST_OPEN = 4_096
"""Candles held at once; beyond that the one that was opened first is forgotten, and never a bar."""

_LAST_NS = 2**63 - 1


class Candle(NamedTuple):
    symbol: str
    timeframe: str
    open_ns: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    trades: int = -1


class OpenCandles:
    """The newest candle of each symbol and timeframe of one connection."""

    def __init__(self) -> None:
        self._newest: dict[tuple[str, str], Candle] = {}

    def give(self, candles: Iterable[Candle], received_ns: int, rows: RowBuffer) -> None:
        """The candles of one frame: an update, or the history that a venue sends at first."""
        fitting = on_grid(candles)
        taken = [self._take(candle, received_ns, rows) for candle in sorted(fitting, key=_opening)]
        if not any(taken):
            rows.passed("old_candle" if fitting else "other_interval")

    def _take(self, candle: Candle, received_ns: int, rows: RowBuffer) -> bool:
        key = candle.symbol, candle.timeframe
        before = self._newest.get(key)
        if before is not None and candle.open_ns < before.open_ns:
            return False
        if before is not None and candle.open_ns > before.open_ns:
            give_bar(before, received_ns, rows)
        elif before is None and len(self._newest) == MOST_OPEN:
            del self._newest[next(iter(self._newest))]
        self._newest[key] = candle
        rows.unfinished()
        return True


def give_bar(candle: Candle, received_ns: int, rows: RowBuffer) -> None:
    """A candle on the grid that its venue has closed."""
    symbol, timeframe, open_ns, *values, trades = candle
    open_, high, low, close, volume = values
    close_ns = open_ns + LENGTH_NS[timeframe]
    rows.bar(symbol, timeframe, open_ns, close_ns, received_ns, open_, high, low, close, volume, trades)


def on_grid(candles: Iterable[Candle]) -> Sequence[Candle]:
    """Those that open where an interval of the engine does: some venues begin a week on Thursday.

    Raises msgspec.ValidationError on one that would close beyond the last stamp.
    """
    kept = [candle for candle in candles if interval_start(candle.timeframe, candle.open_ns) == candle.open_ns]
    if any(candle.open_ns > _LAST_NS - LENGTH_NS[candle.timeframe] for candle in kept):
        raise msgspec.ValidationError("a candle must close before 2262")
    return kept


def _opening(candle: Candle) -> int:
    return candle.open_ns
