"""The kernel of the BarAggregator for trades, and for rows that only move line time.

One pass over the rows of a block, all instruments at once. Before each row, the bars that its
line time completes are released; then the row is folded into the bar of its interval in every
built timeframe. Values are summed in tape order, so no chunking changes a bit of them.
"""

from typing import Any, NamedTuple

from engine.bars_pending import (
    DROPPED,
    FED_BY_TRADES,
    FROM_TRADES,
    HEAPED,
    LATE_TRADES,
    MISPLACED,
    NONE,
    Pending,
    Plan,
    Records,
    insert,
    seek,
    start_bar,
    start_of,
)
from engine.bars_release import LATE, Outlet, has_room, horizon, release, taint
from engine.blocks import PARTIAL, Float64, Int16, Int32, Int64
from engine.kernels import kernel
from engine.messages import FOREVER_NS


class TradeRows(NamedTuple):
    time_ns: Int64
    received_ns: Int64
    instrument: Int32
    price: Float64
    size: Float64
    feed: Int16


# Records and arrays are handed from function to function one by one: an array taken out of a
# tuple inside a loop costs Numba a reference count, dearer than the fold itself.


@kernel
def fold_trades(
    start: int, sequence: int, line_ns: Int64, rows: TradeRows, plan: Plan, pending: Pending, outlet: Outlet
) -> int:
    """Fold rows from `start`; `sequence` is that of row 0. Returns the row it stopped before."""
    times_ns, received_ns, instruments, prices, volumes, feeds = rows
    frames, built, lateness_ns = plan
    bars, heap, slots, feeder, sizes = pending
    closed, taints = outlet
    for row in range(start, len(line_ns)):
        complete_ns = horizon(line_ns[row], lateness_ns)
        if sizes[HEAPED] > 0 and heap[0].close_ns <= complete_ns:
            release(complete_ns, sequence + row, frames, bars, heap, slots, sizes, closed)
        if not has_room(complete_ns, len(frames), bars, heap, sizes, taints):
            return row
        instrument = instruments[row]
        if instrument < 0 or instrument >= len(feeder):
            sizes[MISPLACED] = 1
            return row
        time_ns = times_ns[row]
        late = False
        for place in range(len(built)):
            slot = instrument * len(frames) + built[place]
            if slots[slot].fed_from > FROM_TRADES:
                continue
            bar = slots[slot].cursor
            if bar == NONE or time_ns < bars[bar].open_ns or time_ns >= bars[bar].close_ns:
                bar = bar_of_trade(time_ns, prices[row], slot, complete_ns, frames, bars, heap, slots, sizes)
                if bar == NONE:
                    late = True
                    taint(row, slot, start_of(time_ns, frames[built[place]]), LATE, taints, sizes)
                    continue
            add_trade(bars[bar], time_ns, prices[row], volumes[row], received_ns[row], feeds[row])
        sizes[LATE_TRADES] += late
    return len(line_ns)


@kernel
def bar_of_trade(
    time_ns: int, price: float, slot: int, complete_ns: int,
    frames: Records, bars: Records, heap: Records, slots: Records, sizes: Int64,
) -> int:  # fmt: skip
    """The pending bar of this time, a new one where there is none; NONE when it was released."""
    bar = seek(time_ns, slots[slot].cursor, bars)
    if bar == NONE or time_ns >= bars[bar].close_ns:
        frame = frames[slot % len(frames)]
        open_ns = start_of(time_ns, frame)
        close_ns = open_ns + frame.length_ns
        if close_ns <= complete_ns:
            return NONE
        order = frame.order + slot // len(frames)
        bar = insert(slot, bar, open_ns, close_ns, order, bars, heap, slots, sizes)
        start_bar(bars[bar], price, time_ns, FED_BY_TRADES)
        slots[slot].fed_from = FROM_TRADES
    slots[slot].cursor = bar
    return bar


@kernel
def add_trade(bar: Any, time_ns: int, price: float, size: float, received_ns: int, feed: int) -> None:
    """Open is the earliest price, close the latest; among equal times tape order decides."""
    bar.high = max(bar.high, price)
    bar.low = min(bar.low, price)
    bar.volume += size
    bar.trades += 1
    if time_ns >= bar.last_ns:
        bar.gap_ns = max(bar.gap_ns, time_ns - bar.last_ns)
        bar.close = price
        bar.last_ns = time_ns
    else:
        bar.late += 1
        if time_ns < bar.first_ns:
            bar.open = price
            bar.first_ns = time_ns
    bar.received_ns = received_ns
    bar.feed = feed


@kernel
def pass_rows(start: int, sequence: int, line_ns: Int64, plan: Plan, pending: Pending, outlet: Outlet) -> int:
    """As `fold_trades`, for rows that only move line time."""
    frames, _, lateness_ns = plan
    bars, heap, slots, _, sizes = pending
    for row in range(start, len(line_ns)):
        complete_ns = horizon(line_ns[row], lateness_ns)
        if sizes[HEAPED] > 0 and heap[0].close_ns <= complete_ns:
            release(complete_ns, sequence + row, frames, bars, heap, slots, sizes, outlet.closed)
            if sizes[HEAPED] > 0 and heap[0].close_ns <= complete_ns:
                return row
    return len(line_ns)


@kernel
def pass_end(sequence: int, line_ns: int, plan: Plan, pending: Pending, outlet: Outlet) -> bool:
    """All feeds have ended: release what is complete at `line_ns`, then the rest as PARTIAL.

    Nothing late can come any more, so lateness no longer holds a complete bar back. False when
    the outlet filled up first.
    """
    bars, heap, slots, _, sizes = pending
    release(line_ns, sequence, plan.frames, bars, heap, slots, sizes, outlet.closed)
    for place in range(sizes[HEAPED]):
        bar = bars[heap[place].bar]
        if bar.source != DROPPED and bar.close_ns > line_ns:
            bar.source = PARTIAL
    release(FOREVER_NS, sequence, plan.frames, bars, heap, slots, sizes, outlet.closed)
    return bool(sizes[HEAPED] == 0)
