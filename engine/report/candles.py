"""Bars as a chart needs them: few columns, put together to as few candles as an eye can tell apart.

`BarKeeper` gathers the detected bars of a run, `Candles` are some of them, packed for the store.
"""

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from engine.blocks import PARTIAL, Backlog, Bars, Column, Float64, Int8, Int64, MarketBlock
from engine.messages import SessionStart
from engine.ports import Item

COLUMNS: dict[str, type[np.generic]] = {
    "open_ns": np.int64, "close_ns": np.int64, "open": np.float64, "high": np.float64, "low": np.float64,
    "close": np.float64, "volume": np.float64, "phase": np.int8, "direction": np.int8, "confidence": np.float64,
}  # fmt: skip

MOST_KEPT_BARS = 8_000_000
"""About 550 MB; bars beyond are counted and not drawn."""


@dataclass(frozen=True, slots=True)
class Candles:
    """Columns of (n,); each candle is `per_candle` bars, the last one what is left."""

    per_candle: int
    open_ns: Int64
    close_ns: Int64
    open: Float64
    high: Float64
    low: Float64
    close: Float64
    volume: Float64
    phase: Int8
    direction: Int8
    confidence: Float64

    def __len__(self) -> int:
        return len(self.open_ns)

    def place(self, time_ns: int) -> int:
        """The candle that `time_ns` falls into, else the next one; the last for what is later."""
        return min(int(np.searchsorted(self.close_ns, time_ns, side="right")), len(self) - 1)

    def known_place(self, time_ns: int) -> int:
        """The candle at whose close something known at `time_ns` was known."""
        return min(int(np.searchsorted(self.close_ns, time_ns, side="left")), len(self) - 1)

    def holds(self, first_ns: int, last_ns: int) -> bool:
        """Whether any of the span [first_ns, last_ns] is drawn."""
        return len(self) > 0 and first_ns < int(self.close_ns[-1]) and last_ns >= int(self.open_ns[0])

    def slice(self, start: int, stop: int) -> Self:
        return type(self)(self.per_candle, *(getattr(self, name)[start:stop] for name in COLUMNS))

    def thinned(self, most: int) -> Self:
        """At most `most` candles: each puts together as many neighbours as that needs."""
        each = -(-len(self) // most)
        if each <= 1:
            return self
        first = np.arange(0, len(self), each)
        last = np.append(first[1:], len(self)) - 1
        return type(self)(
            self.per_candle * each,
            open_ns=self.open_ns[first],
            close_ns=self.close_ns[last],
            open=self.open[first],
            high=np.maximum.reduceat(self.high, first),
            low=np.minimum.reduceat(self.low, first),
            close=self.close[last],
            volume=np.add.reduceat(self.volume, first),
            phase=self.phase[last],
            direction=self.direction[last],
            confidence=self.confidence[last],
        )

    def pack(self) -> bytes:
        return zlib.compress(b"".join(np.ascontiguousarray(getattr(self, name)).tobytes() for name in COLUMNS), 6)

    @classmethod
    def unpack(cls, data: bytes, per_candle: int) -> Self:
        """Raises ValueError where the bytes are not whole candles."""
        raw = zlib.decompress(data)
        rows, rest = divmod(len(raw), sum(np.dtype(dtype).itemsize for dtype in COLUMNS.values()))
        if rest:
            raise ValueError(f"candles must be whole rows, was {rest} bytes more")
        columns, start = [], 0
        for dtype in COLUMNS.values():
            columns.append(np.frombuffer(raw, dtype, rows, start))
            start += rows * np.dtype(dtype).itemsize
        return cls(per_candle, *columns)


class BarKeeper:
    """A sink of the Tap: the closed bars of the timeframes that structure is looked for on."""

    reads = (MarketBlock,)

    def __init__(
        self,
        session: SessionStart,
        columns: Sequence[str] = tuple(COLUMNS),
        most: int = MOST_KEPT_BARS,
    ) -> None:
        symbols, timeframes, detect_on = session.symbols, session.timeframes, session.detect_on
        self._columns = ("instrument", "timeframe", *columns)
        self._most = most
        self._symbols = tuple(symbols)
        self._timeframes = tuple(timeframes)
        self._detected = np.isin(timeframes, detect_on)
        self._backlog = Backlog()
        self._parts: list[tuple[Column, ...]] = []
        self._kept = 0
        self._left_out = 0

    @property
    def left_out(self) -> int:
        """Bars that were too many."""
        self._take(self._backlog.take())
        return self._left_out

    def write(self, item: Item) -> None:
        if isinstance(item, MarketBlock) and item.closed is not None and len(item.closed):
            self._take(self._backlog.add(item.closed))

    def charts(self) -> Iterator[tuple[str, str, Candles]]:
        """As `groups`, of a keeper that keeps what candles are made of."""
        return ((symbol, name, Candles(1, *columns)) for symbol, name, columns in self.groups())

    def groups(self) -> Iterator[tuple[str, str, list[Column]]]:
        """Every (symbol, timeframe) with its columns, by symbol, then in the session's order of timeframes."""
        self._take(self._backlog.take())
        if not self._parts:
            return
        instrument, timeframe, *columns = (np.concatenate(parts) for parts in zip(*self._parts, strict=True))
        key = instrument.astype(np.int64) * len(self._timeframes) + timeframe
        order = np.argsort(key, kind="stable")
        borders = np.flatnonzero(np.diff(key[order])) + 1
        for rows in np.split(order, borders):
            symbol, name = self._symbols[instrument[rows[0]]], self._timeframes[timeframe[rows[0]]]
            yield symbol, name, [column[rows] for column in columns]

    def _take(self, rows: tuple[MarketBlock, int, int] | None) -> None:
        """Copy what is kept of rows [start, stop) of a block."""
        if rows is None:
            return
        whole, start, stop = rows
        assert isinstance(whole, Bars)
        chosen = self._detected[whole.timeframe[start:stop]] & (whole.source[start:stop] != PARTIAL)
        count = int(np.count_nonzero(chosen))
        if self._kept + count > self._most:
            self._left_out += count
        elif count:
            self._parts.append(tuple(getattr(whole, name)[start:stop][chosen] for name in self._columns))
            self._kept += count
