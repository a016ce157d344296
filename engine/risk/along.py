"""Along a block: at which of the points on the way losses and heat have to be looked at.

Between two facts nothing but prices moves, so equity decides what a look would say, and there is a
range of it in which it says nothing. One kernel folds rows into marks and goes on while equity, in
floats and with a margin, stays in that range. Where it may have left it, whoever looks decides on
whole numbers as ever; that is also done before a day and at the end, so that the equity that is
remembered is that of the last point.
"""

from collections.abc import Callable
from math import inf
from typing import Final

import numpy as np
import numpy.typing as npt

from engine.blocks import Column, Float64, Int8, Int32, Int64, MarketBlock, Trades
from engine.kernels import kernel
from engine.risk.losses import Quiet
from engine.risk.marks import Flags, RowColumns, is_mark, row_columns
from engine.risk.portfolio import Portfolio

ROUNDING: Final = 1e-9
"""Share of all that equity is summed of by which a float may be off the exact sum; it is far less."""

WHOLE: Final = 16.0
"""Units by which rounding to whole ones may be off, with room."""


class Along:
    """The way along a block from one look to the next, folding its rows into the marks."""

    def __init__(self, block: MarketBlock, books: Portfolio) -> None:
        assert block.known is not None
        self._block = block
        self._known = block.known.columns
        self._books = books
        self._next, self._stop = block.known.start, block.known.stop
        self._whole, self._first, self._last = block.whole()
        self._row = self._first
        self._has_moved = True

    @property
    def point(self) -> int:
        """Where it is, after `go`."""
        return self._next - 1

    @property
    def decision_ns(self) -> int:
        return int(self._known.decision_ns[self.point])

    def go(self, quiet: Callable[[], Quiet]) -> bool:
        """To the next point that may not be quiet, or is the last before a day or the end; False behind the last."""
        if self._next == self._stop:
            self._fold(self._last)
            return False
        if self._next + 1 == self._stop:
            self._fold(min(int(self._known.rows[self._next]), self._last))
        else:
            self._seek(quiet())
        self._next += 1
        return True

    def _fold(self, row: int) -> None:
        """Rows up to this one become marks when somebody looks."""
        if row > self._row:
            is_all = self._row == self._first and row == self._last
            rows = self._block if is_all else self._block.window(self._row - self._first, row - self._first)
            self._books.marks.fold(rows)
            self._row = row

    def _seek(self, quiet: Quiet) -> None:
        columns = row_columns(self._whole)
        given: tuple[Column, ...] = (*(columns or NO_ROWS), *self._books.marks.settle())
        high = -inf if self._books.has_open_prices else quiet.high
        row, last = (self._row, self._last) if columns else (0, 0)
        cash, numbers, lots = self._books.floats
        self._next, row = seek(
            self._next, self._stop, row, last, self._has_moved, quiet.low, high, quiet.until_ns, self._known.rows,
            self._known.decision_ns, cash, numbers, lots, isinstance(self._whole, Trades), *given,
        )  # fmt: skip
        self._has_moved = False
        if row > self._row:
            self._row = row
            self._books.marks.version += 1


NO_ROWS: Final[RowColumns] = (np.empty(0, np.int32), np.empty(0, np.int8), np.empty(0), np.empty(0, np.int64))
for _column in NO_ROWS:
    _column.setflags(write=False)


@kernel
def seek(
    point: int, stop: int, row: int, last: int, has_moved: bool, low: float, high: float, until_ns: int,
    rows: Int64, decision_ns: Int64, cash: float, numbers: npt.NDArray[np.intp], lots: Float64,
    are_trades: bool, instrument: Int32, timeframe: Int8, price: Float64, time_ns: Int64,
    on_trades: Flags, smallest: Int8, mark: Float64, at: Int64,
) -> tuple[int, int]:  # fmt: skip
    """(point, row): the first of points [point, stop) at which to look, and how far rows are folded then.

    `rows` counts what goes before each point. `has_moved`: prices have since the last look.
    """
    while True:
        upto = min(rows[point], last)
        while row < upto:
            number = instrument[row]
            if is_mark(are_trades, number, timeframe[row], on_trades, smallest):
                has_moved |= price[row] != mark[number]
                mark[number] = price[row]
                at[number] = time_ns[row]
            row += 1
        if point + 1 == stop or decision_ns[point] >= until_ns or decision_ns[point + 1] >= until_ns:
            return point, row
        if has_moved and not is_quiet(low, high, cash, numbers, lots, mark):
            return point, row
        has_moved = False
        point += 1


@kernel
def is_quiet(low: float, high: float, cash: float, numbers: npt.NDArray[np.intp], lots: Float64, mark: Float64) -> bool:
    """Whether equity surely lies above `low` and not above `high`; not where a mark is missing."""
    equity = cash
    gross = abs(cash)
    for held in range(len(numbers)):
        value = lots[held] * mark[numbers[held]]
        equity += value
        gross += abs(value)
    margin = gross * ROUNDING + WHOLE
    return bool(low < equity - margin and equity + margin <= high)
