"""Marks: the last price of every instrument, and what the holdings are worth at them.

Rows become marks in one kernel, block by block, in tape order. An instrument that matches on
trades is marked by trades; one that matches on bars, by the close of its smallest bar from
outside. Floats become money only when a decision asks for equity, and only where a mark moved.
"""

from decimal import Decimal

import msgspec
import numpy as np
import numpy.typing as npt

from engine.blocks import Backlog, Bars, Float64, Int8, Int32, Int64, MarketBlock, Trades
from engine.instruments import MATCH_ON_TRADES, MONEY, InstrumentTable, mark_price
from engine.kernels import kernel
from engine.messages import NEVER_NS

Flags = npt.NDArray[np.bool_]

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

    def _mark(self, rows: tuple[MarketBlock, int, int] | None) -> None:
        if rows is None:
            return
        whole, start, stop = rows
        if isinstance(whole, Trades):
            columns = (whole.instrument, whole.price, whole.time_ns)
            mark_trades(start, stop, *columns, self._on_trades, self._price, self._time_ns)
        elif isinstance(whole, Bars):
            bars = (whole.instrument, whole.timeframe, whole.close, whole.close_ns)
            mark_bars(start, stop, *bars, self._on_trades, self._timeframe, self._price, self._time_ns)

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


@kernel
def mark_trades(
    start: int, stop: int, instrument: Int32, price: Float64, time_ns: Int64,
    on_trades: Flags, mark: Float64, at: Int64,
) -> None:  # fmt: skip
    for row in range(start, stop):
        number = instrument[row]
        if on_trades[number]:
            mark[number] = price[row]
            at[number] = time_ns[row]


@kernel
def mark_bars(
    start: int, stop: int, instrument: Int32, timeframe: Int8, close: Float64, close_ns: Int64,
    on_trades: Flags, smallest: Int8, mark: Float64, at: Int64,
) -> None:  # fmt: skip
    for row in range(start, stop):
        number = instrument[row]
        if not on_trades[number] and timeframe[row] <= smallest[number]:
            smallest[number] = timeframe[row]
            mark[number] = close[row]
            at[number] = close_ns[row]


class Holdings:
    """Net signed quantity times point value, by instrument number; flat instruments are absent."""

    def __init__(self) -> None:
        self._net: dict[int, Decimal] = {}
        self._numbers: npt.NDArray[np.intp] = np.empty(0, np.intp)
        self._valued: dict[int, tuple[float, Decimal]] = {}
        self._worth: Decimal | None = Decimal(0)
        self._seen = -1

    @property
    def is_empty(self) -> bool:
        return not self._net

    def add(self, number: int, signed: Decimal) -> None:
        """Book `signed` = side times quantity times point value."""
        net = MONEY.add(self._net.pop(number, Decimal(0)), signed)
        if net:
            self._net[number] = net
        # Summed by number, never in the order of history: a restored gate must add up the same.
        self._net = dict(sorted(self._net.items()))
        self._numbers = np.array(list(self._net), np.intp)
        self._valued.pop(number, None)
        self._seen = -1

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
        total = Decimal(0)
        add = MONEY.add
        for (number, net), price in zip(self._net.items(), marks.price[self._numbers].tolist(), strict=True):
            known = self._valued.get(number)
            if known is None or known[0] != price:
                if price != price:
                    return None
                known = self._valued[number] = (price, MONEY.multiply(net, mark_price(price)))
            total = add(total, known[1])
        return total
