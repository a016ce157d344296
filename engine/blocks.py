"""MarketBlock: consecutive rows of one tape as contiguous NumPy columns.

The law of blocks: a block means exactly the sequence of its rows, so any chunking of a tape
gives the same decisions. Everything here keeps that true: `slice` shares memory, `join` inverts
it, and sequence numbers count rows.

`Trades`, `Quotes` and `Bars` are the three kinds. A block that has passed the BarAggregator also
carries `line_ns` (line time proven on arrival of each row) and `closed`, the bars that its rows
released; a bar with `release == s` belongs before the row with sequence number `s`.

A slice is a window: it costs the same for any number of rows and columns, and cuts a column when
somebody reads it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from engine.sightings import Sightings

Int64 = npt.NDArray[np.int64]
Int32 = npt.NDArray[np.int32]
Int16 = npt.NDArray[np.int16]
Int8 = npt.NDArray[np.int8]
Float64 = npt.NDArray[np.float64]
Column = npt.NDArray[Any]

BUYER = 1
SELLER = -1
UNKNOWN_SIDE = 0

OUTSIDE = 0
"""`Bars.source`: the bar came from a feed."""
DERIVED = 1
"""`Bars.source`: the aggregator built the bar."""
PARTIAL = 2
"""`Bars.source`: unfinished when its feed ended; shown, never detected on."""
HISTORY = 3
"""`Bars.source`: closed before the session began. It warms the detector up; nothing matches on it or marks by it."""


class BlockError(ValueError):
    """A row cannot be market data. Names the source, the row, the field and what was found."""


@dataclass(slots=True, kw_only=True, eq=False)
class MarketBlock:
    """Shared behaviour of the three kinds; `COLUMNS` names each column and its dtype."""

    COLUMNS: ClassVar[dict[str, type[np.generic]]] = {}
    TIME: ClassVar[str] = ""

    sequence: int = 0
    line_ns: Int64 | None = None
    line_time_ns: int = 0
    """Line time after the last row; for a block of no rows, the line time it announces."""
    closed: "Bars | None" = None
    known: "Sightings | None" = field(default=None, init=False, repr=False)
    """What became known along the rows, where it was not told in messages of its own."""
    _source: "MarketBlock | None" = field(default=None, init=False, repr=False)
    _start: int = field(default=0, init=False, repr=False)
    _stop: int = field(default=0, init=False, repr=False)
    _derived: bool = field(default=False, init=False, repr=False)

    def __post_init__(self) -> None:
        """Columns are never written again: windows share them, and kernels compile for one kind."""
        self._stop = len(self.row_ns)
        for name in self.COLUMNS:
            getattr(self, name).setflags(write=False)
        if self.line_ns is not None:
            self.line_ns.setflags(write=False)

    @property
    def row_ns(self) -> Int64:
        """The time each row proves its feed with, (n,) int64."""
        column: Int64 = getattr(self, self.TIME)
        return column

    def __len__(self) -> int:
        return self._stop - self._start

    if not TYPE_CHECKING:

        def __getattr__(self, name):
            """A column of a window, cut on first use."""
            source = self._source if name != "_source" else None
            if source is None or (name not in self.COLUMNS and name != "line_ns"):
                raise AttributeError(f"{type(self).__name__} has no {name}")
            column = getattr(source, name)
            cut = None if column is None else column[self._start : self._stop]
            setattr(self, name, cut)
            return cut

    @classmethod
    def empty(cls) -> Self:
        columns: dict[str, Any] = {name: np.empty(0, dtype) for name, dtype in cls.COLUMNS.items()}
        return cls(**columns)

    @classmethod
    def of(cls, **columns: object) -> Self:
        """Build from array-likes; missing columns become 0 (detector columns NaN)."""
        unknown = sorted(set(columns) - set(cls.COLUMNS))
        if unknown:
            raise BlockError(f"{cls.__name__}: unknown column {unknown[0]}, expected one of {', '.join(cls.COLUMNS)}")
        rows = max((np.size(values) for values in columns.values()), default=0)  # type: ignore[arg-type]
        built: dict[str, Any] = {}
        for name, dtype in cls.COLUMNS.items():
            values = columns.get(name, np.nan if name in NAN_COLUMNS else 0)
            column = np.ascontiguousarray(np.broadcast_to(np.asarray(values, dtype), (rows,)))
            built[name] = column
        return cls(**built)

    def columns(self) -> dict[str, Column]:
        return {name: getattr(self, name) for name in self.COLUMNS}

    def slice(self, start: int, stop: int) -> Self:
        """Rows [start, stop) as views. `closed` bars go with the rows that released them."""
        assert stop <= len(self)
        part = self.window(start, stop)
        if self.closed is not None:
            first, last = np.searchsorted(self.closed.release, (self.sequence + start, self.sequence + stop))
            part.closed = self.closed.slice(int(first), int(last))
        return part

    def piece(self, rows: tuple[int, int], bars: tuple[int, int]) -> Self:
        """Rows [rows) with closed bars [bars): for a stage that stops between bars and their row."""
        part = self.window(*rows)
        if self.closed is not None:
            part.closed = self.closed.window(*bars)
        return part

    def derive(self, **changes: Any) -> Self:
        """The same rows with other columns or annotations; what is not named is shared."""
        copy = self.window(0, len(self), derived=True)
        copy.line_time_ns = self.line_time_ns
        copy.closed = self.closed
        for name, value in changes.items():
            if isinstance(value, np.ndarray):
                value.setflags(write=False)
            setattr(copy, name, value)
        return copy

    def whole(self) -> tuple[Self, int, int]:
        """(block, start, stop): the rows of this one are [start, stop) of a block that is no window.

        Consecutive pieces of one block give the same block, so what was prepared for the first
        serves all of them. Its `closed` and `line_time_ns` are not those of this piece.
        """
        if self._source is None or self._derived:
            return self, 0, len(self)
        source: Self = self._source  # type: ignore[assignment]
        return source, self._start, self._stop

    def window(self, start: int, stop: int, *, derived: bool = False) -> Self:
        """Rows [start, stop) without `closed`. A `derived` window may get columns of its own."""
        source, offset = (self, 0) if self._source is None or self._derived else (self._source, self._start)
        part = object.__new__(type(self))
        part._source = source
        part._start = offset + start
        part._stop = last = offset + max(start, stop)
        part._derived = derived
        part.sequence = self.sequence + start
        part.closed = part.known = None
        # The line time of a window is that of its last row, of an empty one that of its source.
        part.line_time_ns = self.line_time_ns
        if start < stop < len(self) and source.line_ns is not None:
            part.line_time_ns = source.line_ns.item(last - 1)
        return part

    @classmethod
    def join(cls, blocks: "Sequence[Self]") -> Self:
        """Inverse of slicing: the rows of all blocks, which must follow each other."""
        if len(blocks) == 1:
            return blocks[0]
        joined: dict[str, Any] = {
            name: np.concatenate([getattr(block, name) for block in blocks]) for name in cls.COLUMNS
        }
        if all(block.line_ns is not None for block in blocks):
            joined["line_ns"] = np.concatenate([block.line_ns for block in blocks])
            joined["line_time_ns"] = blocks[-1].line_time_ns
        bars = [block.closed for block in blocks if block.closed is not None]
        if bars:
            joined["closed"] = Bars.join(bars)
        return cls(sequence=blocks[0].sequence, **joined)

    def check(self, source: str, first_row: int, allows_negative: npt.NDArray[np.bool_]) -> None:
        """Refuse rows that cannot be market data.

        `source` and `first_row` (1-based, of the block's first row in its source) go into the
        error text; `allows_negative` is indexed by instrument. Raises BlockError.
        """
        for name in self.COLUMNS:
            column = getattr(self, name)
            if column.dtype.kind == "f" and name not in NAN_COLUMNS:
                _refuse(~np.isfinite(column), column, source, first_row, name, "a finite number")
        for name in _PRICES.get(type(self).__name__, ()):
            column = getattr(self, name)
            _refuse((column <= 0) & ~allows_negative[self._instrument], column, source, first_row, name, "> 0")
        for name in _SIZES.get(type(self).__name__, ()):
            column = getattr(self, name)
            _refuse(column < 0, column, source, first_row, name, ">= 0")

    @property
    def _instrument(self) -> Int32:
        column: Int32 = getattr(self, "instrument")  # noqa: B009
        return column


@dataclass(slots=True, kw_only=True, eq=False)
class Trades(MarketBlock):
    """Prints in tape order; time may step back. `side` is the aggressor's: 1, -1 or 0."""

    TIME: ClassVar[str] = "time_ns"
    COLUMNS: ClassVar[dict[str, type[np.generic]]] = {
        "time_ns": np.int64, "received_ns": np.int64, "instrument": np.int32, "price": np.float64,
        "size": np.float64, "side": np.int8, "trade_id": np.int64, "feed": np.int16, "conditions": np.int32,
    }  # fmt: skip

    time_ns: Int64
    received_ns: Int64
    instrument: Int32
    price: Float64
    size: Float64
    side: Int8
    trade_id: Int64
    feed: Int16
    conditions: Int32


@dataclass(slots=True, kw_only=True, eq=False)
class Quotes(MarketBlock):
    """Best bid and ask. A side without a quote has size 0 and the other side's price."""

    TIME: ClassVar[str] = "time_ns"
    COLUMNS: ClassVar[dict[str, type[np.generic]]] = {
        "time_ns": np.int64, "received_ns": np.int64, "instrument": np.int32, "bid": np.float64,
        "bid_size": np.float64, "ask": np.float64, "ask_size": np.float64, "feed": np.int16,
    }  # fmt: skip

    time_ns: Int64
    received_ns: Int64
    instrument: Int32
    bid: Float64
    bid_size: Float64
    ask: Float64
    ask_size: Float64
    feed: Int16


@dataclass(slots=True, kw_only=True, eq=False)
class Bars(MarketBlock):
    """Bars over [open_ns, close_ns), from outside or closed by the aggregator.

    `timeframe` indexes the session's table. `trades` is -1 where unknown. `late` counts trades
    that came for this bar's past while it was open; `gap_ms` is the longest silence inside it.
    `spread` is the mean over its trades of ask - bid in force when each came, over its bars where
    it was built from bars, and of one from outside what it brought or was in force; NaN is unknown.
    `release` is the tape sequence number of the row before which a closed bar was released.
    The detector fills the last ten columns: NaN (phase, direction 0) means not computed.
    `phase` is 0 WARMUP, 1 NONE, 2..6 A..E. `swing_low`/`swing_high` hold the price of a swing
    that this bar confirmed, else NaN.
    """

    TIME: ClassVar[str] = "close_ns"
    COLUMNS: ClassVar[dict[str, type[np.generic]]] = {
        "open_ns": np.int64, "close_ns": np.int64, "received_ns": np.int64, "instrument": np.int32,
        "timeframe": np.int8, "open": np.float64, "high": np.float64, "low": np.float64, "close": np.float64,
        "volume": np.float64, "trades": np.int32, "first_ns": np.int64, "last_ns": np.int64, "late": np.int32,
        "gap_ms": np.int64, "spread": np.float64, "source": np.int8, "feed": np.int16, "release": np.int64,
        "vr": np.float64, "sr": np.float64, "cp": np.float64, "atr": np.float64, "phase": np.int8,
        "direction": np.int8, "confidence": np.float64, "swing_low": np.float64, "swing_high": np.float64,
    }  # fmt: skip

    open_ns: Int64
    close_ns: Int64
    received_ns: Int64
    instrument: Int32
    timeframe: Int8
    open: Float64
    high: Float64
    low: Float64
    close: Float64
    volume: Float64
    trades: Int32
    first_ns: Int64
    last_ns: Int64
    late: Int32
    gap_ms: Int64
    spread: Float64
    source: Int8
    feed: Int16
    release: Int64
    vr: Float64
    sr: Float64
    cp: Float64
    atr: Float64
    phase: Int8
    direction: Int8
    confidence: Float64
    swing_low: Float64
    swing_high: Float64

    def check(self, source: str, first_row: int, allows_negative: npt.NDArray[np.bool_]) -> None:
        MarketBlock.check(self, source, first_row, allows_negative)
        low = np.minimum(self.open, self.close)
        high = np.maximum(self.open, self.close)
        _refuse(self.high < self.low, self.high, source, first_row, "high", ">= low")
        _refuse(self.high < high, self.high, source, first_row, "high", ">= open and close")
        _refuse(self.low > low, self.low, source, first_row, "low", "<= open and close")
        _refuse(self.close_ns <= self.open_ns, self.close_ns, source, first_row, "close_ns", "> open_ns")


class Backlog:
    """Pieces of one block that follow each other, put together again.

    For a reader that needs them only now and then: it takes them all at once when it does.
    """

    def __init__(self) -> None:
        self._whole: MarketBlock | None = None
        self._start = self._stop = 0

    def add(self, block: MarketBlock) -> "tuple[MarketBlock, int, int] | None":
        """Keep a piece; gives back what was kept before when this one does not follow it."""
        whole, start, stop = block.whole()
        if whole is self._whole and start == self._stop:
            self._stop = stop
            return None
        earlier = self.take()
        self._whole, self._start, self._stop = whole, start, stop
        return earlier

    def take(self) -> "tuple[MarketBlock, int, int] | None":
        """All that is kept: rows [start, stop) of a block."""
        whole, self._whole = self._whole, None
        return None if whole is None or self._start == self._stop else (whole, self._start, self._stop)


NAN_COLUMNS = frozenset(("spread", "vr", "sr", "cp", "atr", "confidence", "swing_low", "swing_high"))

_PRICES = {"Trades": ("price",), "Quotes": ("bid", "ask"), "Bars": ("open", "high", "low", "close")}
_SIZES = {"Trades": ("size",), "Quotes": ("bid_size", "ask_size"), "Bars": ("volume",)}


def _refuse(bad: npt.NDArray[np.bool_], column: Column, source: str, first_row: int, name: str, expected: str) -> None:
    if bad.any():
        row = int(np.argmax(bad))
        raise BlockError(f"{source}: row {first_row + row}: {name} must be {expected}, was {column[row]}")


def equal(one: MarketBlock, other: MarketBlock) -> bool:
    """Same kind, same rows, bit for bit (NaN equals NaN)."""
    return type(one) is type(other) and all(
        np.array_equal(getattr(one, name), getattr(other, name), equal_nan=name in NAN_COLUMNS) for name in one.COLUMNS
    )


__all__ = [
    "BUYER", "DERIVED", "HISTORY", "NAN_COLUMNS", "OUTSIDE", "PARTIAL", "SELLER", "UNKNOWN_SIDE",
    "Backlog", "Bars", "BlockError", "MarketBlock", "Quotes", "Trades", "equal",
]  # fmt: skip
