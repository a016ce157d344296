"""The way of Market through one block: how far it has come, and how much of it has been told.

What the scan kernel reads of a block is prepared once; the pieces of one block share it.
"""

from engine.blocks import Bars, Column, Int32, MarketBlock, Quotes, Trades
from engine.market_kernel import BAR, BARS, DUE, END, KNOWN, QUOTES, TIME, TRADES, scan
from engine.ports import MarketRow
from engine.sightings import Columns as Known
from engine.sightings import Sightings, next_point


class Walk:
    """The way through one block: how far Market has come, and how much of it has been told."""

    def __init__(self, block: MarketBlock, line_ns: int, columns: "Columns") -> None:
        self.block = block
        self.bars = NO_BARS if block.closed is None else block.closed
        self.kind = BARS if isinstance(block, Bars) else TRADES if isinstance(block, Trades) else QUOTES
        self.row, self.bar, self.timed, self.timed_bar = 0, 0, -1, -1
        whole, self._first, _ = block.whole()
        whole_bars, self._first_bar, _ = self.bars.whole()
        self._columns = columns.of(whole, whole_bars)
        self._rows, self._row_ns, self._line_column = len(block), block.row_ns, block.line_ns
        self._bars, self._release = len(self.bars), self.bars.release
        self._told = (0, 0)
        self._line_ns = line_ns
        known = block.known
        self._known = None if known is None else known.columns
        self.point = self._told_point = 0 if known is None else known.start
        self._last_point = 0 if known is None else known.stop
        self._decisive = self._last_point

    def scan(self, living: Int32, *, due_ns: int, known_ns: int, watched: bool, every: bool) -> int:
        """Go on to the next point of interest: why it is one. What it stopped at counts as passed,
        but for a bar that it stopped before (DUE) and for what became known there (KNOWN).

        A point of what became known is one when it is known at `due_ns` or later, when it may lead to a
        wish while so many campaigns live at each instrument, or when `every` one is.
        """
        rows, bars = self._rows, self._bars
        if self._known is not None:
            rows, bars = self._seek(self._known, living, due_ns, every)
        first, first_bar = self._first, self._first_bar
        why, row, bar = scan(
            self.kind, first + self.row, first + rows, first_bar + self.bar, first_bar + bars, first + self.timed,
            first_bar + self.timed_bar, self.block.sequence - first, known_ns, due_ns, watched, *self._columns,
        )  # fmt: skip
        row, bar = row - first, bar - first_bar
        if why == END:
            self.row, self.bar = rows, bars
            why = END if self._decisive == self._last_point else KNOWN
        elif why == BAR:
            self.row, self.bar = row, bar + 1
        elif why == DUE:
            self.row, self.bar, self.timed_bar = row, bar, bar
        elif why == TIME:
            self.row = self.timed = row
            self.bar = self._bars_before(row)
        else:
            self.row = min(row + 1, self._rows)
            self.bar = self._bars_before(row)
        if self._known is not None:
            self._pass_points(self._known, why)
        return why

    def _seek(self, known: Known, living: Int32, due_ns: int, every: bool) -> tuple[int, int]:
        """How many rows and bars go before the next point that has to be told by itself."""
        self._decisive = self.point if every else next_point(
            self.point, self._last_point, due_ns, living, known.decision_ns, known.first, known.concern,
            known.instrument,
        )  # fmt: skip
        if self._decisive < self._last_point:
            return int(known.rows[self._decisive]), int(known.bars[self._decisive])
        return self._rows, self._bars

    def _pass_points(self, known: Known, why: int) -> None:
        """Points whose bars are all out are passed; but where a bar fires (BAR), that goes before
        what became known at its close, and so does all that waits for it (KNOWN)."""
        if why == KNOWN:
            self.point = self._decisive
        elif why == END:
            self.point = self._last_point
        elif self.point < self._decisive:
            upto = self.bar - 1 if why == BAR else self.bar
            found = int(known.bars[: self._decisive].searchsorted(upto, side="right"))
            self.point = max(self.point, found)

    def _bars_before(self, row: int) -> int:
        return int(self._release.searchsorted(self.block.sequence + row, side="right"))

    def clock_ns(self, before: int) -> int:
        """Time of the last row passed, `before` where none was."""
        return int(self._row_ns[self.row - 1]) if self.row > 0 else before

    @property
    def line_ns(self) -> int:
        """Line time after the last row passed."""
        return self._line_ns if self.row == 0 or self._line_column is None else int(self._line_column[self.row - 1])

    @property
    def next_close_ns(self) -> int:
        return int(self.bars.close_ns[self.bar])

    @property
    def next_line_ns(self) -> int:
        assert self._line_column is not None
        return int(self._line_column[self.row])

    def market_row(self) -> MarketRow:
        """The last row passed."""
        block, k = self.block, self.row - 1
        if isinstance(block, Bars):
            return MarketRow(
                instrument=int(block.instrument[k]), is_bar=True, open_ns=int(block.open_ns[k]),
                time_ns=int(block.close_ns[k]), open=float(block.open[k]), high=float(block.high[k]),
                low=float(block.low[k]), close=float(block.close[k]), size=float(block.volume[k]),
            )  # fmt: skip
        assert isinstance(block, Trades)
        time_ns, price = int(block.time_ns[k]), float(block.price[k])
        return MarketRow(
            instrument=int(block.instrument[k]), is_bar=False, open_ns=time_ns, time_ns=time_ns,
            open=price, high=price, low=price, close=price, size=float(block.size[k]),
        )  # fmt: skip

    @property
    def next_decision_ns(self) -> int:
        """Of the point before which it stopped."""
        assert self._known is not None
        return int(self._known.decision_ns[self.point])

    def cut(self) -> tuple[MarketBlock, ...]:
        """The piece up to the position, unless all of that has been told."""
        rows, bars = (self._told[0], self.row), (self._told[1], self.bar)
        known = self._untold()
        self._told = (self.row, self.bar)
        if rows[0] == rows[1] and bars[0] == bars[1] and known is None:
            return ()
        piece = self.block.piece(rows, bars)
        piece.known = known
        if rows[0] == rows[1]:
            piece.line_time_ns = self.line_ns
        return (piece,)

    def cut_with_point(self) -> tuple[MarketBlock, ...]:
        """The piece up to the position, and what became known there."""
        self.point += 1
        return self.cut()

    def _untold(self) -> Sightings | None:
        if self.block.known is None:
            return None
        first, self._told_point = self._told_point, self.point
        return self.block.known.window(first, self.point)

    def rest(self) -> tuple[MarketBlock, ...]:
        """What has not been told; the block itself when nothing has."""
        known = self.block.known
        if self._told == (0, 0) and (known is None or self._told_point == known.start):
            return (self.block,)
        rows, bars = (self._told[0], self._rows), (self._told[1], self._bars)
        untold = self._untold()
        announces = self._rows == 0 and known is not None
        if rows[0] == rows[1] and bars[0] == bars[1] and untold is None and not announces:
            return ()
        piece = self.block.piece(rows, bars)
        piece.known = untold
        return (piece,)


class Columns:
    """What `scan` reads: the tables that Market keeps, and the columns of the last block."""

    def __init__(self, *tables: Column) -> None:
        self._tables = tables
        self._block: MarketBlock = NO_BARS
        self._bars: Bars = NO_BARS
        self._of_rows = row_columns(NO_BARS)
        self._of_bars = bar_columns(NO_BARS)

    def of(self, block: MarketBlock, bars: Bars) -> tuple[Column, ...]:
        """Of two blocks that are no windows."""
        if block is not self._block:
            self._block, self._of_rows = block, row_columns(block)
        if bars is not self._bars:
            self._bars, self._of_bars = bars, bar_columns(bars)
        return (*self._tables, *self._of_rows, *self._of_bars)


def row_columns(block: MarketBlock) -> tuple[Column, ...]:
    """line_ns to source, as `scan` takes them. A kind that lacks a column passes one of its dtype."""
    assert block.line_ns is not None or len(block) == 0
    line_ns = _frozen(block.row_ns if block.line_ns is None else block.line_ns)
    match block:
        case Bars():
            given = (block.instrument, block.high, block.low, block.close, block.timeframe, block.source)
            return (line_ns, *(_frozen(column) for column in given))
        case Trades():
            price, side = _frozen(block.price), _frozen(block.side)
            return line_ns, _frozen(block.instrument), price, price, price, side, side
        case Quotes():
            bid, unread = _frozen(block.bid), _NO_BAR_COLUMNS[3]
            return line_ns, _frozen(block.instrument), bid, bid, bid, unread, unread
    raise AssertionError(type(block).__name__)


def bar_columns(bars: Bars) -> tuple[Column, ...]:
    """release to swing_high, as `scan` takes them."""
    if len(bars) == 0:
        return _NO_BAR_COLUMNS
    return _frozen_bars(bars)


def _frozen_bars(bars: Bars) -> tuple[Column, ...]:
    given = (
        bars.release, bars.close_ns, bars.instrument, bars.timeframe, bars.close, bars.source, bars.swing_low,
        bars.swing_high,
    )  # fmt: skip
    return tuple(_frozen(column) for column in given)


def _frozen(column: Column) -> Column:
    """A read-only view: Numba compiles one kernel per combination of writable columns."""
    if not column.flags.writeable:
        return column
    view = column[:]
    view.flags.writeable = False
    return view


NO_BARS = Bars.empty()
_NO_BAR_COLUMNS = _frozen_bars(NO_BARS)
