"""Out of the pending bars by line time: release in order, and the buffers that carry it out.

A pass over rows fills two buffers, released bars and taints; the stage empties them after the
pass. A full buffer stops the pass before a row, so its size never shows in the result. What made
a bar doubtful while it was pending is told just before the bar.
"""

from typing import Any, NamedTuple

import numpy as np

from engine.bars_counted import finish
from engine.bars_pending import (
    DROPPED,
    GAPS,
    HEAPED,
    INTERRUPTED,
    QUARANTINED,
    RELEASED,
    TAINTED,
    pop,
    push,
    take,
)
from engine.bars_plan import NONE, Records
from engine.blocks import Bars, Int8, Int64
from engine.kernels import hot, kernel
from engine.messages import NEVER_NS

NS_PER_MS = 1_000_000

DETECTED = ("vr", "sr", "cp", "atr", "phase", "direction", "confidence", "swing_low", "swing_high")
"""The columns of `Bars` that only the detector knows."""

CLOSED = np.dtype([(name, kind) for name, kind in Bars.COLUMNS.items() if name not in DETECTED], align=True)
TAINT = np.dtype([("row", np.int64), ("slot", np.int64), ("open_ns", np.int64), ("reason", np.int64)])

LATE = 0
REVISED = 1
DIFFERS = 2
GAPPED = 3
WITHHELD = 4
REASONS = ("late", "revised", "differs", "gap", "quarantine")
"""What a taint's `reason` indexes: a row came after its bar had closed, a feed repeated its bar
with other values, a bar from outside contradicts the derived bar that was released, a feed that
carries the instrument was not live during part of the bar, a feed withheld rows of it."""

TAINTS_PER_BAR = 2


class Outlet(NamedTuple):
    """Buffers that are emptied after each pass: released bars (CLOSED) and taints (TAINT)."""

    closed: Records
    taints: Records


@hot
def horizon(line_ns: int, lateness_ns: int) -> int:
    """Bars that close at or before this are complete; NEVER_NS stays NEVER_NS."""
    return max(line_ns, NEVER_NS + lateness_ns) - lateness_ns


@hot
def has_room(timeframes: int, free_bars: int, free_taints: int) -> bool:
    """Whether what one row may open, complete and taint will fit. Scalars, as this is asked for every row."""
    return bool(free_bars >= 2 * timeframes and free_taints >= timeframes)


@kernel
def release(
    complete_ns: int, row: int, sequence: int, frames: Records,
    bars: Records, heap: Records, slots: Records, gaps: Records, carried: Int8, sizes: Int64,
    closed: Records, taints: Records,
) -> None:  # fmt: skip
    """Close the bars that are complete, in order, as many as the outlet takes, before `row`.

    `sequence` is that of row 0.
    """
    while sizes[HEAPED] > 0 and heap[0].close_ns <= complete_ns and sizes[RELEASED] < len(closed):
        if len(taints) - sizes[TAINTED] < TAINTS_PER_BAR:
            return
        number = pop(bars, heap, slots, sizes)
        bar = bars[number]
        if bar.gathers and not ends_with_session(number, frames, bars, heap, sizes):
            continue
        if bar.source != DROPPED:
            if bar.doubts or sizes[GAPS]:
                tell_doubts(row, bar, len(frames), gaps, carried, sizes, taints)
            remember(bar, slots[bar.slot])
            write_bar(closed[sizes[RELEASED]], bar, len(frames), sequence + row)
            sizes[RELEASED] += 1


@hot
def ends_with_session(number: int, frames: Records, bars: Records, heap: Records, sizes: Int64) -> bool:
    """Whether the counted bar of a session that is over is one, as it is, and closes with it.

    Where bars before it took up the session's last nanosecond it closes after them, later.
    """
    bar = bars[number]
    if bar.trades <= 0:
        return False
    session_close_ns = bar.close_ns
    finish(bar, session_close_ns - 1)
    if bar.close_ns == session_close_ns:
        return True
    take(bars, sizes)
    bar.older, bar.newer = NONE, NONE
    order = frames[bar.slot % len(frames)].order + bar.slot // len(frames)
    push(bar.close_ns, order, number, bars, heap, sizes)
    return False


@kernel
def tell_doubts(
    row: int, bar: Any, timeframes: int, gaps: Records, carried: Int8, sizes: Int64, taints: Records
) -> None:
    instrument = bar.slot // timeframes
    if bar.doubts & INTERRUPTED or is_interrupted(bar.open_ns, bar.close_ns, instrument, gaps, carried):
        taint(row, bar.slot, bar.open_ns, GAPPED, taints, sizes)
    if bar.doubts & QUARANTINED:
        taint(row, bar.slot, bar.open_ns, WITHHELD, taints, sizes)


@kernel
def is_interrupted(open_ns: int, close_ns: int, instrument: int, gaps: Records, carried: Int8) -> bool:
    """Whether a feed that carries the instrument had its last gap inside [open, close)."""
    for feed in range(len(gaps)):
        gap = gaps[feed]
        if carried[feed, instrument] and max(gap.from_ns, open_ns) < min(gap.until_ns, close_ns):
            return True
    return False


@kernel
def remember(bar: Any, slot: Any) -> None:
    slot.open_ns, slot.close_ns, slot.source = bar.open_ns, bar.close_ns, bar.source
    slot.open, slot.high, slot.low, slot.close, slot.volume = bar.open, bar.high, bar.low, bar.close, bar.volume


@kernel
def write_bar(out: Any, bar: Any, timeframes: int, sequence: int) -> None:
    out.open_ns, out.close_ns, out.received_ns = bar.open_ns, bar.close_ns, bar.received_ns
    out.instrument, out.timeframe = bar.slot // timeframes, bar.slot % timeframes
    out.open, out.high, out.low, out.close, out.volume = bar.open, bar.high, bar.low, bar.close, bar.volume
    out.trades, out.first_ns, out.last_ns = bar.trades, bar.first_ns, bar.last_ns
    out.late, out.gap_ms = bar.late, bar.gap_ns // NS_PER_MS
    out.spread = bar.spread / bar.quoted if bar.quoted > 0 else np.nan
    out.source, out.feed, out.release = bar.source, bar.feed, sequence


@kernel
def taint(row: int, slot: int, open_ns: int, reason: int, taints: Records, sizes: Int64) -> None:
    record = taints[sizes[TAINTED]]
    sizes[TAINTED] += 1
    record.row, record.slot, record.open_ns, record.reason = row, slot, open_ns, reason
