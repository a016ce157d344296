"""Marks: the last price of every instrument, and what the holdings are worth at them.

Rows become marks in one kernel, block by block, in tape order. An instrument that matches on
trades is marked by trades; one that matches on bars, by the close of its smallest bar from
outside. Floats become money only when a decision asks for equity, and only where a mark moved.
"""

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

import msgspec
import numpy as np
import numpy.typing as npt

from engine.blocks import Backlog, Bars, Float64, Int8, Int32, Int64, MarketBlock, Trades
from engine.instruments import MATCH_ON_TRADES, MONEY, InstrumentTable, mark_price
from engine.kernels import kernel
from engine.messages import NEVER_NS

Flags = npt.NDArray[np.bool_]
RowColumns = tuple[Int32, Int8, Float64, Int64]
Lanes = tuple[Flags, Int8, Float64, Int64]

ANY_TIMEFRAME = 127
"""Longer than every timeframe: the first bar of an instrument is its smallest so far."""


class MarksState(msgspec.Struct, frozen=True):
    price: bytes
    time_ns: bytes
    timeframe: bytes


class Marks:
    """Columns by instrument number: `price` (NaN = never marked) and `time_ns`.

    Rows wait until somebody looks: between two looks they are one kernel call.
    """

    def __init__(self, instruments: InstrumentTable) -> None:
        count = len(instruments)
        self._price: Float64 = np.full(count, np.nan)
        self._time_ns: Int64 = np.full(count, NEVER_NS, np.int64)
        self._backlog = Backlog()
        self._timeframe: Int8 = np.full(count, ANY_TIMEFRAME, np.int8)
        self._on_trades: Flags = np.array([one.match_on == MATCH_ON_TRADES for one in instruments.all], np.bool_)
        self.version = 0

    def fold(self, block: MarketBlock) -> None:
        """Take the rows of a block; the bars it closed are not rows and mark nothing."""
        if len(block):
            self._mark(self._backlog.add(block))
            self.version += 1

    @property
    def price(self) -> Float64:
        self._mark(self._backlog.take())
        return self._price

    @property
    def time_ns(self) -> Int64:
        self._mark(self._backlog.take())
        return self._time_ns

    def settle(self) -> Lanes:
        """All rows so far as marks: on_trades, smallest timeframe, price and time, as kernels take them."""
        self._mark(self._backlog.take())
        return self._on_trades, self._timeframe, self._price, self._time_ns

    def _mark(self, rows: tuple[MarketBlock, int, int] | None) -> None:
        if rows is None:
            return
        whole, start, stop = rows
        columns = row_columns(whole)
        if columns is not None:
            given = (self._on_trades, self._timeframe, self._price, self._time_ns)
            mark_rows(start, stop, isinstance(whole, Trades), *columns, *given)

    def of(self, number: int) -> Decimal | None:
        price = float(self.price[number])
        return None if price != price else mark_price(price)

    def save(self) -> MarksState:
        price = self.price.tobytes()
        return MarksState(price, self._time_ns.tobytes(), self._timeframe.tobytes())

    def load(self, state: MarksState) -> None:
        self._backlog.take()
        self._price[:] = np.frombuffer(state.price, np.float64)
        self._time_ns[:] = np.frombuffer(state.time_ns, np.int64)
        self._timeframe[:] = np.frombuffer(state.timeframe, np.int8)
        self.version += 1


def row_columns(block: MarketBlock) -> RowColumns | None:
    """instrument, timeframe, price and time of the rows of a block that is no window; None for quotes, which mark
    nothing. Trades have no timeframe: another column of its type stands there."""
    if isinstance(block, Trades):
        return block.instrument, block.side, block.price, block.time_ns
    if isinstance(block, Bars):
        return block.instrument, block.timeframe, block.close, block.close_ns
    return None


@kernel
def mark_rows(
    start: int, stop: int, are_trades: bool, instrument: Int32, timeframe: Int8, price: Float64, time_ns: Int64,
    on_trades: Flags, smallest: Int8, mark: Float64, at: Int64,
) -> None:  # fmt: skip
    for row in range(start, stop):
        if is_mark(are_trades, instrument[row], timeframe[row], on_trades, smallest):
            mark[instrument[row]] = price[row]
            at[instrument[row]] = time_ns[row]


@kernel
def is_mark(are_trades: bool, number: int, timeframe: int, on_trades: Flags, smallest: Int8) -> bool:
    """Whether a row marks its instrument. Learns the smallest timeframe."""
    if are_trades or on_trades[number]:
        return bool(are_trades and on_trades[number])
    if timeframe > smallest[number]:
        return False
    smallest[number] = timeframe
    return True


MARK_DIGITS = 8
MARK_SCALE = 10**MARK_DIGITS
"""A mark with at most eight decimals is a whole number of these; adding up is then integer arithmetic."""

NET_DIGITS = 16
"""Decimals of a held quantity (times point value) that the integers keep."""

EXACT_BELOW = 2.0**52
"""Whole numbers of floats up to here are one apart: at most one of them names a given mark."""


class Holdings:
    """Net signed quantity times point value, by instrument number; flat instruments are absent.

    Worth is their exact sum, rounded to money once.
    """

    def __init__(self) -> None:
        self._net: dict[int, Decimal] = {}
        self._units: dict[int, int | None] = {}
        self._whole: list[int | None] = []
        self._numbers: npt.NDArray[np.intp] = np.empty(0, np.intp)
        self._floats: Float64 = np.empty(0)
        self._worth: Decimal | None = Decimal(0)
        self._seen = -1

    @property
    def is_empty(self) -> bool:
        return not self._net

    def add(self, number: int, signed: Decimal) -> None:
        """Book `signed` = side times quantity times point value."""
        net = MONEY.add(self._net.pop(number, Decimal(0)), signed)
        self._units.pop(number, None)
        if net:
            self._net[number] = net
            self._units[number] = _net_units(net)
        # By number, never in the order of history: a restored gate must add up the same.
        self._net = dict(sorted(self._net.items()))
        self._numbers = np.array(list(self._net), np.intp)
        self._floats = np.array(list(self._net.values()), np.float64)
        self._whole = [self._units[one] for one in self._net]
        self._seen = -1

    @property
    def lots(self) -> tuple[npt.NDArray[np.intp], Float64]:
        """Numbers of the held instruments, and what is held of each, as a float."""
        return self._numbers, self._floats

    def worth(self, marks: Marks) -> Decimal | None:
        """Market value of all holdings, negative for net short; None where a mark is missing."""
        if self._seen != marks.version:
            self._worth = self._value(marks)
            self._seen = marks.version
        return self._worth

    def unmarked(self, marks: Marks) -> int:
        """The first held instrument that has no mark; there must be one."""
        return int(self._numbers[np.isnan(marks.price[self._numbers])][0])

    def _value(self, marks: Marks) -> Decimal | None:
        if not self._net:
            return Decimal(0)
        prices: list[float] = marks.price[self._numbers].tolist()
        total = 0
        for units, price in zip(self._whole, prices, strict=True):
            scaled = price * MARK_SCALE
            if units is None or not abs(scaled) < EXACT_BELOW:
                return self._added_up(prices)
            whole = round(scaled)
            # Dividing rounds correctly, so what comes back is the mark itself or another number.
            if whole / MARK_SCALE != price:
                return self._added_up(prices)
            total += units * whole
        return MONEY.scaleb(MONEY.create_decimal(total), -NET_DIGITS - MARK_DIGITS)

    def _added_up(self, prices: Sequence[float]) -> Decimal | None:
        """The same sum where a mark or a quantity has more decimals than the integers keep."""
        total = Fraction(0)
        for net, price in zip(self._net.values(), prices, strict=True):
            if price != price:
                return None
            total += Fraction(net) * Fraction(mark_price(price))
        return MONEY.divide(Decimal(total.numerator), Decimal(total.denominator))


def _net_units(net: Decimal) -> int | None:
    scaled = net.scaleb(NET_DIGITS)
    return int(scaled) if scaled == scaled.to_integral_value() else None
