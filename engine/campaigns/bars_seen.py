"""How many bars have closed, and at what price, for each (instrument, timeframe).

Campaign timeouts count bars, not hours: a weekend is not a pause. One kernel call per block
folds its closed bars; nothing happens per row.
"""

import numpy as np

from engine.blocks import PARTIAL, Bars, Float64, Int8, Int32, Int64, MarketBlock
from engine.instruments import InstrumentTable
from engine.kernels import kernel


class BarsSeen:
    """Counts only while it is shown blocks; only differences of counts mean anything."""

    def __init__(self, table: InstrumentTable, timeframes: tuple[str, ...]) -> None:
        self._table = table
        self._timeframes = timeframes
        self.counts = np.zeros(len(table) * len(timeframes), np.int64)
        self.closes = np.full(len(table) * len(timeframes), np.nan)

    def see(self, block: MarketBlock) -> None:
        bars: Bars | None = block.closed
        if bars is None or not len(bars):
            return
        whole, start, stop = bars.whole()
        columns = (whole.instrument, whole.timeframe, whole.source, whole.close)
        _count(start, stop, *columns, len(self._timeframes), self.counts, self.closes)

    def count(self, symbol: str, timeframe: str) -> int:
        return int(self.counts[self._place(symbol, timeframe)])

    def close(self, symbol: str, timeframe: str) -> float:
        """The last close seen, NaN before the first."""
        return float(self.closes[self._place(symbol, timeframe)])

    def _place(self, symbol: str, timeframe: str) -> int:
        return self._table.number(symbol) * len(self._timeframes) + self._timeframes.index(timeframe)


@kernel
def _count(
    start: int, stop: int, instrument: Int32, timeframe: Int8, source: Int8, close: Float64,
    width: int, counts: Int64, closes: Float64,
) -> None:  # fmt: skip
    for j in range(start, stop):
        if source[j] != PARTIAL:
            place = np.int64(instrument[j]) * width + timeframe[j]
            counts[place] += 1
            closes[place] = close[j]
