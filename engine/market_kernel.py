"""The scan kernel of Market: where is the next row or bar that Python must look at?

`lanes` is (instruments, 4) float64: the price at or above which, and at or below which, something
rests; the last price on the instrument's match_on; and held quantity times point value. One lane is
half a cache line, so a row with nothing near costs one load and three comparisons. The kernel keeps
marks and equity itself, row by row, so that their floats never depend on how rows were chunked.
"""

from typing import NamedTuple

import numpy as np

from engine.blocks import (
    OUTSIDE,
    PARTIAL,
    Bars,
    Column,
    Float64,
    Int8,
    Int32,
    Int64,
    MarketBlock,
    Quotes,
    Trades,
)
from engine.kernels import kernel
from engine.messages import FOREVER_NS
from engine.ports import MarketRow
from engine.sightings import Sightings, next_point

ABOVE, BELOW, MARK, HELD = 0, 1, 2, 3
"""Columns of `lanes`."""
ON_BARS, SMALLEST = 0, 1
"""Columns of `kinds`, (instruments, 2) int8: matches on bars; smallest outside timeframe seen."""
EQUITY, FLOOR, CEILING = 0, 1, 2
"""Entries of `account`, (3,) float64: equity at marks; the highest equity watch, -inf for none; the equity
above which, while one stands, the next point has to be told."""
CLOSE_ABOVE, CLOSE_BELOW, LOW, HIGH = 0, 1, 2, 3
"""Last axis of `levels`, (instruments, timeframes, 4) float64; LOW and HIGH are 1.0 when watched."""

TRADES, QUOTES, BARS = 0, 1, 2
END, BAR, TIME, ROW, RUIN, DUE, KNOWN = 0, 1, 2, 3, 4, 5, 6
"""Why a scan stopped; RUIN: row k is done, and equity is at or below the floor or above the ceiling; DUE: before bar j,
which is known later than what waits for line time; KNOWN: before what became known at a close and
may lead to a wish."""

NO_TIMEFRAME = 127


@kernel
def scan(
    kind: int, k: int, rows: int, j: int, bars: int, timed: int, timed_bar: int, sequence: int, known_ns: int,
    due_ns: int, watched: bool, lanes: Float64, kinds: Int8, account: Float64, levels: Float64,
    line_ns: Int64, instrument: Int32, high: Float64, low: Float64, close: Float64, timeframe: Int8, source: Int8,
    release: Int64, close_ns: Int64, bar_instrument: Int32, bar_timeframe: Int8, bar_close: Float64,
    bar_source: Int8, swing_low: Float64, swing_high: Float64,
) -> tuple[int, int, int]:  # fmt: skip
    """(why, row, bar) of the next point of interest in rows [k, rows) and bars [j, bars).

    `sequence` is the one row 0 of the columns has; a bar that closes after `known_ns` is known
    later than `due_ns`, at which the next line-time watch or expiry is due.

    `timed` and `timed_bar` are the last row and bar before which line time has been looked at. A
    ROW is left undone (its mark too): Python does all of it. Bars are only looked at when
    `watched` or when a row proves `due_ns`: no bar before it can be known later.
    """
    while k < rows:
        is_due = line_ns[k] >= due_ns
        if watched or is_due:
            why, j = scan_bars(
                j, bars, sequence + k, timed_bar, known_ns, watched, levels, release, close_ns, bar_instrument,
                bar_timeframe, bar_close, bar_source, swing_low, swing_high,
            )  # fmt: skip
            if why != END:
                return why, k, j
        if is_due and k > timed:
            return TIME, k, j
        i = instrument[k]
        if kind != QUOTES and matches(kind, kinds, i, timeframe[k], source[k]):
            if high[k] >= lanes[i, ABOVE] or low[k] <= lanes[i, BELOW]:
                return ROW, k, j
            if mark(lanes, account, i, close[k]):
                return RUIN, k, j
        k += 1
    if watched or due_ns < FOREVER_NS:
        why, j = scan_bars(
            j, bars, FOREVER_NS, timed_bar, known_ns, watched, levels, release, close_ns, bar_instrument,
            bar_timeframe, bar_close, bar_source, swing_low, swing_high,
        )  # fmt: skip
        return why, k, j
    return END, k, j


@kernel
def scan_bars(
    j: int, bars: int, sequence: int, timed_bar: int, known_ns: int, watched: bool, levels: Float64, release: Int64,
    close_ns: Int64, instrument: Int32, timeframe: Int8, close: Float64, source: Int8,
    swing_low: Float64, swing_high: Float64,
) -> tuple[int, int]:  # fmt: skip
    """(why, bar): the first of the bars released up to row `sequence` that is known after what is
    due, or that fires a watch; an unfinished bar proves and fires nothing."""
    while j < bars and release[j] <= sequence:
        if source[j] != PARTIAL:
            if close_ns[j] > known_ns and j > timed_bar:
                return DUE, j
            if watched and fires(levels, instrument[j], timeframe[j], close[j], swing_low[j], swing_high[j]):
                return BAR, j
        j += 1
    return END, j


@kernel
def fires(levels: Float64, i: int, timeframe: int, close: float, swing_low: float, swing_high: float) -> bool:
    """Whether any bar watch of (i, timeframe) fires."""
    if close > levels[i, timeframe, CLOSE_ABOVE] or close < levels[i, timeframe, CLOSE_BELOW]:
        return True
    if levels[i, timeframe, LOW] != 0.0 and not np.isnan(swing_low):
        return True
    return bool(levels[i, timeframe, HIGH] != 0.0 and not np.isnan(swing_high))


@kernel
def matches(kind: int, kinds: Int8, i: int, timeframe: int, source: int) -> bool:
    """Whether the row is on the instrument's match_on. Learns the smallest outside timeframe."""
    if kind == TRADES:
        return bool(kinds[i, ON_BARS] == 0)
    if kind != BARS or kinds[i, ON_BARS] == 0 or source != OUTSIDE:
        return False
    if timeframe < kinds[i, SMALLEST]:
        kinds[i, SMALLEST] = timeframe
    return bool(timeframe == kinds[i, SMALLEST])


@kernel
def mark(lanes: Float64, account: Float64, i: int, price: float) -> bool:
    """Move the mark of i to `price`. Whether i is held and equity is then outside floor and ceiling."""
    held = lanes[i, HELD]
    if held != 0.0:
        account[EQUITY] += held * (price - lanes[i, MARK])
    lanes[i, MARK] = price
    if held == 0.0 or account[FLOOR] == -np.inf:
        return False
    return bool(account[EQUITY] <= account[FLOOR] or account[EQUITY] > account[CEILING])


def new_lanes(instruments: int) -> Float64:
    lanes = np.zeros((instruments, 4), np.float64)
    lanes[:, ABOVE], lanes[:, BELOW], lanes[:, MARK] = np.inf, -np.inf, np.nan
    return lanes


def new_levels(instruments: int, timeframes: int) -> Float64:
    levels = np.zeros((instruments, timeframes, 4), np.float64)
    levels[:, :, CLOSE_ABOVE], levels[:, :, CLOSE_BELOW] = np.inf, -np.inf
    return levels


class Columns:
    """What `scan` reads of the last block; the pieces of one block share it."""

    def __init__(self) -> None:
        self._block: MarketBlock = NO_BARS
        self._bars: Bars = NO_BARS
        self._of_rows = row_columns(NO_BARS)
        self._of_bars = bar_columns(NO_BARS)

    def of(self, block: MarketBlock, bars: Bars) -> tuple[Column, ...]:
        """Columns of two blocks that are no windows."""
        if block is not self._block:
            self._block, self._of_rows = block, row_columns(block)
        if bars is not self._bars:
            self._bars, self._of_bars = bars, bar_columns(bars)
        return (*self._of_rows, *self._of_bars)


class Stops(NamedTuple):
    """What ends a scan at a point: it is known at `due_ns` or later, it may lead to a wish while so many
    campaigns live at each instrument, or every point does."""

    due_ns: int
    living: Int32
    every: bool


class Walk:
    """The way through one block: how far Market has come, and how much of it has been told."""

    def __init__(self, block: MarketBlock, line_ns: int, columns: Columns) -> None:
        self.block = block
        self.bars = NO_BARS if block.closed is None else block.closed
        whole, self._first, self._last = block.whole()
        whole_bars, self._first_bar, self._last_bar = self.bars.whole()
        self._columns = columns.of(whole, whole_bars)
        self.kind = BARS if isinstance(block, Bars) else TRADES if isinstance(block, Trades) else QUOTES
        self.row, self.bar, self.timed, self.timed_bar = 0, 0, -1, -1
        self._told = (0, 0)
        self._line_ns = line_ns
        known = block.known
        self.point = self._told_point = 0 if known is None else known.start
        self._last_point = 0 if known is None else known.stop
        self._decisive = self._last_point

    def scan(self, stops: Stops, known_ns: int, watched: bool, *tables: Column) -> int:
        """Go on to the next point of interest: why it is one. What it stopped at counts as passed,
        but for a bar that it stopped before (DUE) and for what became known there (KNOWN)."""
        rows, bars = self._seek(stops)
        why, row, bar = scan(
            self.kind, self._first + self.row, self._first + rows, self._first_bar + self.bar, self._first_bar + bars,
            self._first + self.timed, self._first_bar + self.timed_bar, self.block.sequence - self._first, known_ns,
            stops.due_ns, watched, *tables, *self._columns,
        )  # fmt: skip
        row, bar = row - self._first, bar - self._first_bar
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
            self.row = min(row + 1, len(self.block))
            self.bar = self._bars_before(row)
        self._pass_points(why)
        return why

    def _seek(self, stops: Stops) -> tuple[int, int]:
        """How many rows and bars go before the next point that has to be told by itself."""
        known, self._decisive = self.block.known, self._last_point
        if known is not None:
            given = known.columns
            self._decisive = self.point if stops.every else next_point(
                self.point, self._last_point, stops.due_ns, stops.living, given.decision_ns, given.first,
                given.concern, given.instrument,
            )  # fmt: skip
            if self._decisive < self._last_point:
                return int(given.rows[self._decisive]), int(given.bars[self._decisive])
        return len(self.block), len(self.bars)

    def _pass_points(self, why: int) -> None:
        """Points whose bars are all out are passed; but where a bar fires (BAR), that goes before
        what became known at its close, and so does all that waits for it (KNOWN)."""
        if self.block.known is None:
            return
        if why == KNOWN:
            self.point = self._decisive
        elif why == END:
            self.point = self._last_point
        else:
            bars = self.block.known.columns.bars
            upto = self.bar - 1 if why == BAR else self.bar
            found = int(np.searchsorted(bars[: self._decisive], upto, side="right"))
            self.point = max(self.point, found)

    def _bars_before(self, row: int) -> int:
        return int(np.searchsorted(self.bars.release, self.block.sequence + row, side="right"))

    def clock_ns(self, before: int) -> int:
        """Time of the last row passed, `before` where none was."""
        return int(self.block.row_ns[self.row - 1]) if self.row > 0 else before

    @property
    def line_ns(self) -> int:
        """Line time after the last row passed."""
        return self._line_ns if self.row == 0 or self.block.line_ns is None else int(self.block.line_ns[self.row - 1])

    @property
    def next_close_ns(self) -> int:
        return int(self.bars.close_ns[self.bar])

    @property
    def next_line_ns(self) -> int:
        assert self.block.line_ns is not None
        return int(self.block.line_ns[self.row])

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
        assert self.block.known is not None
        return int(self.block.known.columns.decision_ns[self.point])

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
        rows, bars = (self._told[0], len(self.block)), (self._told[1], len(self.bars))
        untold = self._untold()
        announces = len(self.block) == 0 and known is not None
        if rows[0] == rows[1] and bars[0] == bars[1] and untold is None and not announces:
            return ()
        piece = self.block.piece(rows, bars)
        piece.known = untold
        return (piece,)


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
