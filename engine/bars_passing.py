"""Kernels of the BarAggregator for what makes no bars: quotes, facts, doubts, and the end."""

from typing import NamedTuple

import numpy as np

from engine.bars_counted import finish
from engine.bars_pending import (
    DROPPED,
    FROM_OUTSIDE,
    HEAPED,
    INTERRUPTED,
    MISPLACED,
    QUARANTINED,
    Pending,
    rise,
    seek,
    unlink,
)
from engine.bars_plan import NONE, TICK, Plan, Records, interval_of, is_inside
from engine.bars_release import WITHHELD, Outlet, horizon, release, taint
from engine.blocks import PARTIAL, Float64, Int32, Int64
from engine.kernels import hot, kernel
from engine.messages import FOREVER_NS


class QuoteRows(NamedTuple):
    instrument: Int32
    bid: Float64
    bid_size: Float64
    ask: Float64
    ask_size: Float64


@kernel
def pass_quotes(
    start: int, sequence: int, line_ns: Int64, rows: QuoteRows, plan: Plan, pending: Pending, outlet: Outlet
) -> int:
    """As `fold_trades`: each row says which spread is in force. An absent side or a crossed quote says none."""
    instruments, bids, bid_sizes, asks, ask_sizes = rows
    bars, heap, slots, listings, gaps, carried, sizes = pending
    closed, taints = outlet
    frames, lateness_ns = plan.frames, plan.lateness_ns
    for row in range(start, len(line_ns)):
        complete_ns = horizon(line_ns[row], lateness_ns)
        if is_due(complete_ns, heap, sizes):
            release(complete_ns, row, sequence, frames, bars, heap, slots, gaps, carried, sizes, closed, taints)
            if is_due(complete_ns, heap, sizes):
                return row
        if instruments[row] < 0 or instruments[row] >= len(listings):
            sizes[MISPLACED] = 1
            return row
        two_sided = bid_sizes[row] > 0 and ask_sizes[row] > 0 and asks[row] >= bids[row]
        listings[instruments[row]].spread = asks[row] - bids[row] if two_sided else np.nan
    return len(line_ns)


@hot
def is_due(complete_ns: int, heap: Records, sizes: Int64) -> bool:
    return bool(sizes[HEAPED] > 0 and heap[0].close_ns <= complete_ns)


@kernel
def pass_fact(sequence: int, line_ns: int, plan: Plan, pending: Pending, outlet: Outlet) -> bool:
    """Release what is complete at `line_ns`. False when the outlet filled up first."""
    bars, heap, slots, _, gaps, carried, sizes = pending
    closed, taints = outlet
    complete_ns = horizon(line_ns, plan.lateness_ns)
    release(complete_ns, 0, sequence, plan.frames, bars, heap, slots, gaps, carried, sizes, closed, taints)
    return not is_due(complete_ns, heap, sizes)


@kernel
def pass_end(sequence: int, line_ns: int, plan: Plan, pending: Pending, outlet: Outlet) -> bool:
    """All feeds have ended: release what is complete at `line_ns`, then the rest as PARTIAL.

    Nothing late can come any more, so lateness no longer holds a complete bar back. False when
    the outlet filled up first.
    """
    bars, heap, slots, _, gaps, carried, sizes = pending
    closed, taints = outlet
    release(line_ns, 0, sequence, plan.frames, bars, heap, slots, gaps, carried, sizes, closed, taints)
    if is_due(line_ns, heap, sizes):
        return False
    for place in range(sizes[HEAPED]):
        bar = bars[heap[place].bar]
        if bar.gathers:
            end_gathering(heap[place].bar, line_ns, bars, slots)
            heap[place].close_ns = bar.close_ns
        if bar.source != DROPPED:
            bar.source = PARTIAL
        rise(place, bars, heap)
    release(FOREVER_NS, 0, sequence, plan.frames, bars, heap, slots, gaps, carried, sizes, closed, taints)
    return bool(sizes[HEAPED] == 0)


@kernel
def end_gathering(number: int, line_ns: int, bars: Records, slots: Records) -> None:
    bar = bars[number]
    if bar.trades <= 0:
        unlink(number, bars, slots)
        bar.source = DROPPED
    finish(bar, line_ns)


@kernel
def withhold(time_ns: int, instrument: int, line_ns: int, plan: Plan, pending: Pending, outlet: Outlet) -> None:
    """A feed withheld a row of this time: pending bars and those to come carry the doubt until
    they are released, a bar that was released is tainted at once."""
    bars, slots, listing = pending.bars, pending.slots, pending.listings[instrument]
    complete_ns = horizon(line_ns, plan.lateness_ns)
    listing.quarantined_ns = time_ns
    inside = is_inside(time_ns, listing, plan.sessions)
    for number in range(len(plan.frames)):
        frame, slot = plan.frames[number], instrument * len(plan.frames) + number
        bar = seek(time_ns, slots[slot].cursor, bars)
        if bar != NONE and time_ns < bars[bar].close_ns:
            bars[bar].doubts |= QUARANTINED
            continue
        if frame.kind >= TICK:
            continue
        known = slots[slot]
        if known.source != NONE and known.open_ns <= time_ns < known.close_ns:
            taint(0, slot, known.open_ns, WITHHELD, outlet.taints, pending.sizes)
        elif inside and known.fed_from != FROM_OUTSIDE and number in plan.built:
            open_ns, close_ns = interval_of(time_ns, frame, listing)
            if close_ns <= complete_ns:
                taint(0, slot, open_ns, WITHHELD, outlet.taints, pending.sizes)


@kernel
def keep_gap(feed: int, pending: Pending) -> None:
    """Write the feed's gap into the pending bars that it interrupted, before another takes its place."""
    bars, heap, gap = pending.bars, pending.heap, pending.gaps[feed]
    timeframes = len(pending.slots) // len(pending.listings)
    for place in range(pending.sizes[HEAPED]):
        bar = bars[heap[place].bar]
        open_ns = max(bar.first_ns, bar.floor_ns) if bar.gathers else bar.open_ns
        overlaps = max(gap.from_ns, open_ns) < min(gap.until_ns, bar.close_ns)
        if overlaps and pending.carried[feed, bar.slot // timeframes]:
            bar.doubts |= INTERRUPTED
