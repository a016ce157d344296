"""Out of the pending bars by line time: release in order, and the buffers that carry it out.

A pass over rows fills two buffers, released bars and taints; the stage empties them after the
pass. A full buffer stops the pass before a row, so its size never shows in the result.
"""

from typing import Any, NamedTuple

import numpy as np

from engine.bars_pending import DROPPED, HEAPED, RELEASED, TAINTED, Records, pop
from engine.blocks import Bars, Int64
from engine.kernels import kernel
from engine.messages import NEVER_NS

NS_PER_MS = 1_000_000

CLOSED = np.dtype(list(Bars.COLUMNS.items()), align=True)
TAINT = np.dtype([("row", np.int64), ("slot", np.int64), ("open_ns", np.int64), ("reason", np.int64)])

LATE = 0
REVISED = 1
DIFFERS = 2
REASONS = ("late", "revised", "differs")
"""What a taint's `reason` indexes: a row came after its bar had closed, a feed repeated its bar
with other values, a bar from outside contradicts the derived bar that was released."""


class Outlet(NamedTuple):
    """Buffers that are emptied after each pass: released bars (CLOSED) and taints (TAINT)."""

    closed: Records
    taints: Records


@kernel
def horizon(line_ns: int, lateness_ns: int) -> int:
    """Bars that close at or before this are complete; NEVER_NS stays NEVER_NS."""
    return max(line_ns, NEVER_NS + lateness_ns) - lateness_ns


@kernel
def has_room(complete_ns: int, timeframes: int, bars: Records, heap: Records, sizes: Int64, taints: Records) -> bool:
    """Whether a row may be folded: all due bars are out, and what it opens and taints will fit."""
    if sizes[HEAPED] > 0 and heap[0].close_ns <= complete_ns:
        return False
    return bool(len(bars) - sizes[HEAPED] >= timeframes and len(taints) - sizes[TAINTED] >= timeframes)


@kernel
def release(
    complete_ns: int, sequence: int,
    frames: Records, bars: Records, heap: Records, slots: Records, sizes: Int64, closed: Records,
) -> None:  # fmt: skip
    """Close the bars that are complete, in order, as many as `closed` takes."""
    while sizes[HEAPED] > 0 and heap[0].close_ns <= complete_ns and sizes[RELEASED] < len(closed):
        bar = bars[pop(bars, heap, slots, sizes)]
        if bar.source != DROPPED:
            remember(bar, slots[bar.slot])
            write_bar(closed[sizes[RELEASED]], bar, len(frames), sequence)
            sizes[RELEASED] += 1


@kernel
def remember(bar: Any, slot: Any) -> None:
    slot.open_ns, slot.source = bar.open_ns, bar.source
    slot.open, slot.high, slot.low, slot.close, slot.volume = bar.open, bar.high, bar.low, bar.close, bar.volume


@kernel
def write_bar(out: Any, bar: Any, timeframes: int, sequence: int) -> None:
    out.open_ns, out.close_ns, out.received_ns = bar.open_ns, bar.close_ns, bar.received_ns
    out.instrument, out.timeframe = bar.slot // timeframes, bar.slot % timeframes
    out.open, out.high, out.low, out.close, out.volume = bar.open, bar.high, bar.low, bar.close, bar.volume
    out.trades, out.first_ns, out.last_ns = bar.trades, bar.first_ns, bar.last_ns
    out.late, out.gap_ms = bar.late, bar.gap_ns // NS_PER_MS
    out.source, out.feed, out.release = bar.source, bar.feed, sequence


@kernel
def taint(row: int, slot: int, open_ns: int, reason: int, taints: Records, sizes: Int64) -> None:
    record = taints[sizes[TAINTED]]
    sizes[TAINTED] += 1
    record.row, record.slot, record.open_ns, record.reason = row, slot, open_ns, reason
