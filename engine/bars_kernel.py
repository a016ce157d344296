"""The kernel of the BarAggregator for trades.

One pass over the rows of a block, all instruments at once. Before each row, the bars that its
line time completes are released; then the row is folded into the bar of its interval in every
built timeframe. Rows that fall into the same bars and release nothing go in together, as a run:
what does not depend on order is worked out once for all timeframes, but every bar adds up its
volume in tape order, so neither runs nor chunks change a bit of it.
"""

from typing import Any, NamedTuple

import numpy as np

from engine.bars_counted import fill, gather, rows_to_fill
from engine.bars_pending import (
    BLANK,
    FED_BY_TRADES,
    FROM_TRADES,
    HEAPED,
    LATE_TRADES,
    MISPLACED,
    OUTSIDE_SESSION,
    TAINTED,
    Pending,
    bar_at,
    start_bar,
)
from engine.bars_plan import NONE, TICK, Plan, Records, interval_of, look_up
from engine.bars_release import LATE, Outlet, has_room, horizon, release, taint
from engine.blocks import Float64, Int16, Int32, Int64
from engine.kernels import hot, inlined, kernel
from engine.messages import FOREVER_NS


class TradeRows(NamedTuple):
    time_ns: Int64
    received_ns: Int64
    instrument: Int32
    price: Float64
    size: Float64
    feed: Int16


COUNTED_RUN = 64
"""Rows at most in a run when a counted bar may cut it short, and they are looked at again."""


# Records and arrays are handed from function to function one by one: an array taken out of a
# tuple inside a loop costs Numba a reference count, dearer than the fold itself.


@kernel
def fold_trades(
    start: int, sequence: int, line_ns: Int64, rows: TradeRows, plan: Plan, pending: Pending, outlet: Outlet
) -> int:
    """Fold rows from `start`; `sequence` is that of row 0. Returns the row it stopped before."""
    times_ns, received_ns, instruments, prices, volumes, feeds = rows
    frames, built, counted, lateness_ns, sessions = plan
    bars, heap, slots, listings, gaps, carried, sizes = pending
    closed, taints = outlet
    seats = np.empty(len(built), np.int64)
    row = start
    while row < len(line_ns):
        complete_ns, time_ns, price = horizon(line_ns[row], lateness_ns), times_ns[row], prices[row]
        if sizes[HEAPED] > 0 and heap[0].close_ns <= complete_ns:
            release(complete_ns, row, sequence, frames, bars, heap, slots, gaps, carried, sizes, closed, taints)
            if sizes[HEAPED] > 0 and heap[0].close_ns <= complete_ns:
                return row
        if not has_room(len(frames), len(bars) - sizes[HEAPED], len(taints) - sizes[TAINTED]):
            return row
        instrument = instruments[row]
        if instrument < 0 or instrument >= len(listings):
            sizes[MISPLACED] = 1
            return row
        carried[feeds[row], instrument] = 1
        listing = listings[instrument]
        if time_ns < listing.open_ns or time_ns >= listing.close_ns:
            look_up(time_ns, listing, sessions)
        if not listing.inside:
            sizes[OUTSIDE_SESSION] += 1
            row += 1
            continue
        until_ns = listing.close_ns
        alone = row + 1 == len(line_ns) or instruments[row + 1] != instrument
        late = False
        for place in range(len(seats)):
            slot = instrument * len(frames) + built[place]
            number = slots[slot].cursor
            if slots[slot].fed_from > FROM_TRADES:
                number = NONE
            elif number == NONE or not takes(bars[number], time_ns):
                number = find_seat(time_ns, price, slot, complete_ns, frames, bars, heap, slots, listings, sizes)
                if number == NONE:
                    late = True
                    tell_late(row, time_ns, slot, frames, listing, taints, sizes)
            seats[place] = number
            if number != NONE:
                until_ns = min(until_ns, bars[number].close_ns)
                alone = alone or time_ns < bars[number].last_ns
        sizes[LATE_TRADES] += late
        stop = row + 1
        if not alone and not late:
            most = min(len(line_ns), row + COUNTED_RUN) if counted > 0 else len(line_ns)
            stop = end_of_run(row, most, until_ns, lateness_ns, heap, sizes, line_ns, times_ns, instruments, feeds)
        if counted > 0:
            stop = rows_to_fill(row, stop, seats, bars, prices, volumes, frames, built, counted)
        if stop == row + 1:
            for place in range(len(seats)):
                if seats[place] != NONE:
                    add_trade(bars[seats[place]], time_ns, price, volumes[row], received_ns[row], feeds[row])
                    add_spread(bars[seats[place]], listing.spread, 1)
        else:
            add_run(row, stop, seats, bars, times_ns, prices, volumes, listing.spread, received_ns, feeds)
        if counted > 0:
            fill(row, stop, complete_ns, seats, bars, heap, prices, volumes, frames, built, counted, sizes)
        row = stop
    return len(line_ns)


@hot
def takes(bar: Any, time_ns: int) -> bool:
    """Whether the bar is begun and its interval contains the time."""
    return bool(bar.open_ns <= time_ns < bar.close_ns and bar.trades > 0)


@kernel
def find_seat(
    time_ns: int, price: float, slot: int, complete_ns: int,
    frames: Records, bars: Records, heap: Records, slots: Records, listings: Records, sizes: Int64,
) -> int:  # fmt: skip
    """The pending bar of this trade, a new one where there is none; NONE when it was released."""
    number = bar_at(time_ns, slot, complete_ns, frames, bars, heap, slots, listings, sizes)
    if number == NONE:
        return NONE
    bar = bars[number]
    if frames[slot % len(frames)].kind >= TICK:
        gather(bar, price, time_ns)
    elif bar.trades == BLANK:
        start_bar(bar, price, time_ns, FED_BY_TRADES)
        slots[slot].fed_from = FROM_TRADES
    slots[slot].cursor = number
    return number


@kernel
def tell_late(row: int, time_ns: int, slot: int, frames: Records, listing: Any, taints: Records, sizes: Int64) -> None:
    open_ns, _ = interval_of(time_ns, frames[slot % len(frames)], listing)
    taint(row, slot, open_ns, LATE, taints, sizes)


@inlined
def end_of_run(
    row: int, most: int, until_ns: int, lateness_ns: int, heap: Records, sizes: Int64,
    line_ns: Int64, times_ns: Int64, instruments: Int32, feeds: Int16,
) -> int:  # fmt: skip
    """The row after the last that goes into the same bars, in order, and releases nothing."""
    due_ns = FOREVER_NS
    if sizes[HEAPED] > 0:
        due_ns = min(heap[0].close_ns, FOREVER_NS - lateness_ns) + lateness_ns
    stop = row + 1
    while (
        stop < most
        and instruments[stop] == instruments[row]
        and times_ns[stop] >= times_ns[stop - 1]
        and times_ns[stop] < until_ns
        and line_ns[stop] < due_ns
        and feeds[stop] == feeds[row]
    ):
        stop += 1
    return stop


@hot
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


@hot
def add_spread(bar: Any, spread: float, times: int) -> None:
    """One sum for each trade, so that no run shows in the result."""
    if not np.isnan(spread):
        for _ in range(times):
            bar.spread += spread
        bar.quoted += times


@hot
def add_run(
    row: int, stop: int, seats: Int64, bars: Records,
    times_ns: Int64, prices: Float64, volumes: Float64, spread: float,
    received_ns: Int64, feeds: Int16,
) -> None:  # fmt: skip
    """As `add_trade` for rows [row, stop), which are in order and not before the bars' last trade."""
    high, low, gap_ns = prices[row], prices[row], 0
    for next_row in range(row + 1, stop):
        high = max(high, prices[next_row])
        low = min(low, prices[next_row])
        gap_ns = max(gap_ns, times_ns[next_row] - times_ns[next_row - 1])
    for place in range(len(seats)):
        if seats[place] == NONE:
            continue
        bar = bars[seats[place]]
        bar.high = max(bar.high, high)
        bar.low = min(bar.low, low)
        bar.gap_ns = max(bar.gap_ns, gap_ns, times_ns[row] - bar.last_ns)
        volume = bar.volume
        for next_row in range(row, stop):
            volume += volumes[next_row]
        bar.volume = volume
        bar.trades += stop - row
        bar.close, bar.last_ns = prices[stop - 1], times_ns[stop - 1]
        bar.received_ns, bar.feed = received_ns[stop - 1], feeds[row]
        add_spread(bar, spread, stop - row)
