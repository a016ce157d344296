"""What closed bars have been: how many, at what price, how volatile and how busy, for each
(instrument, timeframe).

Campaign timeouts count bars, not hours: a weekend is not a pause. Bars wait until somebody asks;
then they are one kernel call. The last 250 of those that the detector has measured are kept, so
that an event can be ranked among them.
"""

import msgspec
import numpy as np

from engine.blocks import PARTIAL, Backlog, Bars, Float64, Int8, Int32, Int64, MarketBlock
from engine.instruments import InstrumentTable
from engine.kernels import kernel

WINDOW = 250
"""Bars that a rank is among (wyckoff.md 13.1: pct_window)."""

FIRST_LANES = 16
NO_LANE = -1
UNRANKED = float("nan")


class BarsState(msgspec.Struct, frozen=True):
    counts: bytes
    closes: bytes
    lanes: bytes
    filled: bytes
    volatility: bytes
    volume: bytes


class BarsSeen:
    """Counts only while it is shown blocks; only differences of counts mean anything."""

    def __init__(self, table: InstrumentTable, timeframes: tuple[str, ...]) -> None:
        self._table = table
        self._timeframes = {name: number for number, name in enumerate(timeframes)}
        slots = len(table) * len(timeframes)
        self._backlog = Backlog()
        self._counts = np.zeros(slots, np.int64)
        self._closes = np.full(slots, np.nan)
        self._lanes = np.full(slots, NO_LANE, np.int32)
        self._filled = np.zeros(0, np.int64)
        self._rings = np.zeros((2, 0, WINDOW))

    def see(self, block: MarketBlock) -> None:
        bars: Bars | None = block.closed
        if bars is not None and len(bars):
            self._fold(self._backlog.add(bars))

    def knows(self, timeframe: str) -> bool:
        return timeframe in self._timeframes

    def count(self, symbol: str, timeframe: str) -> int:
        self._fold(self._backlog.take())
        return int(self._counts[self._place(symbol, timeframe)])

    def close(self, symbol: str, timeframe: str) -> float:
        """The last close seen, NaN before the first."""
        self._fold(self._backlog.take())
        return float(self._closes[self._place(symbol, timeframe)])

    def ranks(self, symbol: str, timeframe: str, *, volatility: float, volume: float) -> tuple[float, float]:
        """Share of the last 250 bars, 0..100, that were below: ATR over close, volume ratio.

        NaN where there are not so many.
        """
        self._fold(self._backlog.take())
        lane = int(self._lanes[self._place(symbol, timeframe)])
        if lane == NO_LANE or self._filled[lane] < WINDOW:
            return UNRANKED, UNRANKED
        below_volatility, below_volume = _below(self._rings, lane, volatility, volume)
        return 100.0 * (below_volatility / WINDOW), 100.0 * (below_volume / WINDOW)

    def save(self) -> BarsState:
        self._fold(self._backlog.take())
        columns = (self._counts, self._closes, self._lanes, self._filled, self._rings[0], self._rings[1])
        return BarsState(*(column.tobytes() for column in columns))

    def load(self, state: BarsState) -> None:
        self._backlog.take()
        self._counts[:] = np.frombuffer(state.counts, np.int64)
        self._closes[:] = np.frombuffer(state.closes, np.float64)
        self._lanes[:] = np.frombuffer(state.lanes, np.int32)
        self._filled = np.frombuffer(state.filled, np.int64).copy()
        rings = [np.frombuffer(one, np.float64) for one in (state.volatility, state.volume)]
        self._rings = np.stack(rings).reshape(2, len(self._filled), WINDOW)

    def _place(self, symbol: str, timeframe: str) -> int:
        return self._table.number(symbol) * len(self._timeframes) + self._timeframes[timeframe]

    def _fold(self, bars: tuple[MarketBlock, int, int] | None) -> None:
        if bars is None:
            return
        whole, start, stop = bars
        assert isinstance(whole, Bars)
        while start < stop:
            columns = (whole.instrument, whole.timeframe, whole.source, whole.close, whole.atr, whole.vr)
            sums = (self._counts, self._closes, self._lanes, self._filled, self._rings[0], self._rings[1])
            start = _fold(start, stop, *columns, len(self._timeframes), *sums)
            if start < stop:
                self._widen()

    def _widen(self) -> None:
        """Room for twice as many lanes."""
        more = max(FIRST_LANES, len(self._filled))
        self._filled = np.concatenate((self._filled, np.zeros(more, np.int64)))
        self._rings = np.concatenate((self._rings, np.zeros((2, more, WINDOW))), axis=1)


@kernel
def _below(rings: Float64, lane: int, volatility: float, volume: float) -> tuple[int, int]:
    """How many of a lane's entries are lower, of each of the two rings."""
    below_volatility = below_volume = 0
    for entry in range(rings.shape[2]):
        below_volatility += rings[0, lane, entry] < volatility
        below_volume += rings[1, lane, entry] < volume
    return below_volatility, below_volume


@kernel
def _fold(
    start: int, stop: int,
    instrument: Int32, timeframe: Int8, source: Int8, close: Float64, atr: Float64, vr: Float64, width: int,
    counts: Int64, closes: Float64, lanes: Int32, filled: Int64, volatility: Float64, volume: Float64,
) -> int:  # fmt: skip
    """The first bar that was not folded, because it needs a lane and there is none."""
    free = 0
    for lane in range(len(filled)):
        free += filled[lane] > 0
    for j in range(start, stop):
        if source[j] == PARTIAL:
            continue
        place = np.int64(instrument[j]) * width + timeframe[j]
        if np.isfinite(atr[j]) and np.isfinite(vr[j]) and close[j] != 0.0:
            if lanes[place] < 0:
                if free == len(filled):
                    return j
                lanes[place] = free
                free += 1
            lane = lanes[place]
            entry = filled[lane] % volatility.shape[1]
            volatility[lane, entry] = atr[j] / abs(close[j])
            volume[lane, entry] = vr[j]
            filled[lane] += 1
        counts[place] += 1
        closes[place] = close[j]
    return stop
