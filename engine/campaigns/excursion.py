"""Excursions: the best and worst price that each open trade has seen, and the marks beside them.

One kernel walks over the rows on each instrument's match_on. A row counts for a trade when the
next row of its instrument comes, so that the row that ended a trade does not: of it only the price
of the exit is certain. Of the bar of a simulated entry the close and the adverse extreme count, as
the paper book assumes the worse order of events; its favourable extreme does not.
"""

from collections.abc import Iterable

import msgspec
import numpy as np
import numpy.typing as npt

from engine.blocks import OUTSIDE, Bars, Column, Float64, Int8, Int32, Int64, MarketBlock, Trades
from engine.instruments import MATCH_ON_TRADES, InstrumentTable
from engine.kernels import kernel

Flags = npt.NDArray[np.bool_]

LAST_HIGH, LAST_LOW, MARK = 0, 1, 2
"""Columns of `rows`: the last row of an instrument, NaN before its first."""

HIGH, LOW, ENTERED = 0, 1, 2
"""Columns of `trades`. ENTERED is 1 or -1 (long, short) while the last row is that of a simulated
entry, `SKIP` while it lies before the entry, else 0."""

SKIP = 2.0
NOBODY = -1
ANY_TIMEFRAME = 127
"""Longer than every timeframe: the first bar of an instrument is its smallest so far."""


class ExcursionsState(msgspec.Struct, frozen=True):
    rows: bytes
    smallest: bytes
    groups: dict[str, int]
    trades: bytes


class Excursions:
    """`rows` by instrument number; one line of `trades` for each open group, in order of opening."""

    def __init__(self, table: InstrumentTable) -> None:
        count = len(table)
        self._on_trades: Flags = np.array([one.match_on == MATCH_ON_TRADES for one in table.all], np.bool_)
        self._rows: Float64 = np.full((count, 3), np.nan)
        self._smallest: Int8 = np.full(count, ANY_TIMEFRAME, np.int8)
        self._groups: dict[str, int] = {}
        self._trades: Float64 = np.zeros((0, 3))
        self._first: Int64 = np.full(count, NOBODY, np.int64)
        self._next: Int64 = np.zeros(0, np.int64)
        self._block: MarketBlock | None = None
        self._columns: tuple[Column, ...] | None = None

    @property
    def groups(self) -> Iterable[str]:
        return self._groups.keys()

    @property
    def marks(self) -> Float64:
        """Last price by instrument number, NaN before the first."""
        return self._rows[:, MARK]

    def walk(self, block: MarketBlock, start: int, stop: int, border_ns: int) -> int:
        """Fold rows [start, stop) up to the first whose line time is at or past the border: that row."""
        if block is not self._block:
            self._block, self._columns = block, _columns(block)
        if self._columns is None:
            return stop
        lanes = (self._on_trades, self._smallest, self._rows, self._first, self._next, self._trades)
        given: tuple[Column, ...] = (*self._columns, *lanes)
        return walk(start, stop, border_ns, isinstance(block, Trades), *given)

    def trust(self, number: int, price: float) -> None:
        """An execution marks an instrument that no row has marked."""
        if np.isnan(self._rows[number, MARK]):
            self._rows[number] = price

    def open(self, group: str, number: int, *, price: float, entered: float) -> None:
        """The first fill of a group; `entered` as the column of that name."""
        self._groups[group] = number
        self._trades = np.concatenate((self._trades, [[price, price, entered]]))
        self._link()

    def fill(self, group: str, price: float) -> None:
        """A further fill of an open group: its price has been seen."""
        line = self._trades[self._line(group)]
        line[HIGH], line[LOW] = max(line[HIGH], price), min(line[LOW], price)

    def close(self, group: str, *, last_row: bool) -> tuple[float, float]:
        """High and low of a group that is flat. `last_row` says whether it was still held on that."""
        place = self._line(group)
        high, low, entered = self._trades[place].tolist()
        last_high, last_low, _ = self._rows[self._groups.pop(group)].tolist()
        if last_row and not entered:
            high, low = max(high, last_high), min(low, last_low)
        self._trades = np.delete(self._trades, place, axis=0)
        self._link()
        return high, low

    def save(self) -> ExcursionsState:
        return ExcursionsState(
            self._rows.tobytes(), self._smallest.tobytes(), dict(self._groups), self._trades.tobytes()
        )

    def load(self, state: ExcursionsState) -> None:
        self._rows[:] = np.frombuffer(state.rows).reshape(self._rows.shape)
        self._smallest[:] = np.frombuffer(state.smallest, np.int8)
        self._groups = dict(state.groups)
        self._trades = np.frombuffer(state.trades).reshape(-1, 3).copy()
        self._link()

    def _line(self, group: str) -> int:
        return list(self._groups).index(group)

    def _link(self) -> None:
        """Chains the open groups of each instrument: `first[number]`, then `next[line]`."""
        self._first[:] = NOBODY
        self._next = np.full(len(self._groups), NOBODY, np.int64)
        for line, number in enumerate(self._groups.values()):
            self._next[line], self._first[number] = self._first[number], line


def _columns(block: MarketBlock) -> tuple[Column, ...] | None:
    """line_ns to close, as `walk` takes them; None for rows that nothing matches on."""
    line_ns = _frozen(block.row_ns if block.line_ns is None else block.line_ns)
    if isinstance(block, Trades):
        price, side = _frozen(block.price), _frozen(block.side)
        return line_ns, _frozen(block.instrument), side, side, price, price, price
    if isinstance(block, Bars):
        given = (block.instrument, block.timeframe, block.source, block.high, block.low, block.close)
        return line_ns, *(_frozen(column) for column in given)
    return None


def _frozen(column: Column) -> Column:
    """A read-only view: Numba compiles one kernel per combination of writable columns."""
    if not column.flags.writeable:
        return column
    view = column[:]
    view.flags.writeable = False
    return view


@kernel
def walk(
    start: int, stop: int, border_ns: int, are_trades: bool, line_ns: Int64, instrument: Int32, timeframe: Int8,
    source: Int8, high: Float64, low: Float64, close: Float64, on_trades: Flags, smallest: Int8, rows: Float64,
    first: Int64, following: Int64, trades: Float64,
) -> int:  # fmt: skip
    for k in range(start, stop):
        if line_ns[k] >= border_ns:
            return k
        i = instrument[k]
        if are_trades != on_trades[i]:
            continue
        if not are_trades:
            if source[k] != OUTSIDE or timeframe[k] > smallest[i]:
                continue
            smallest[i] = timeframe[k]
        line = first[i]
        while line != NOBODY:
            count(trades, line, rows[i, LAST_HIGH], rows[i, LAST_LOW], rows[i, MARK])
            line = following[line]
        rows[i, LAST_HIGH], rows[i, LAST_LOW], rows[i, MARK] = high[k], low[k], close[k]
    return stop


@kernel
def count(trades: Float64, line: int, high: float, low: float, close: float) -> None:
    """The last row of a trade's instrument is over, and the trade is still held."""
    entered = trades[line, ENTERED]
    if entered == 0.0:
        trades[line, HIGH] = max(trades[line, HIGH], high)
        trades[line, LOW] = min(trades[line, LOW], low)
    elif entered != SKIP:
        trades[line, HIGH] = max(trades[line, HIGH], close if entered > 0.0 else high)
        trades[line, LOW] = min(trades[line, LOW], low if entered > 0.0 else close)
    trades[line, ENTERED] = 0.0
