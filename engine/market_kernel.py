"""The scan kernel of Market: where is the next row or bar that Python must look at?

`lanes` is (instruments, 4) float64: the price at or above which, and at or below which, something
rests; the last price on the instrument's match_on; and held quantity times point value. One lane is
half a cache line, so a row with nothing near costs one load and three comparisons. The kernel keeps
marks and equity itself, row by row, so that their floats never depend on how rows were chunked.
"""

import numpy as np

from engine.blocks import OUTSIDE, PARTIAL, Float64, Int8, Int32, Int64
from engine.kernels import kernel
from engine.messages import FOREVER_NS

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
