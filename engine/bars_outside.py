"""The kernel of the BarAggregator for bars from outside: taken as they are, folded upward.

An intraday bar that lies outside every session is none; a longer one keeps its interval.
A repeated bar is compared and never folded again. A bar that comes after its interval was
released is tainted and not folded either, as nothing tells it from a repeat.
"""

from typing import Any, NamedTuple

import numpy as np

from engine.bars_pending import (
    BAR,
    DIFFERING_BARS,
    DUPLICATE_BARS,
    FROM_BARS,
    FROM_OUTSIDE,
    FROM_TRADES,
    HEAPED,
    LATE_BARS,
    MISPLACED,
    OUTSIDE_SESSION,
    REVISED_BARS,
    TAINTED,
    UNFED,
    Pending,
    bar_at,
    doubts_of,
    drop_all,
    insert,
    seek,
    start_bar,
)
from engine.bars_plan import CLOCK, NONE, TICK, Plan, Records, interval_of, is_inside
from engine.bars_release import DIFFERS, LATE, NS_PER_MS, REVISED, Outlet, has_room, horizon, release, taint
from engine.blocks import DERIVED, HISTORY, OUTSIDE, Float64, Int8, Int16, Int32, Int64
from engine.kernels import hot, inlined, kernel
from engine.messages import NEVER_NS
from engine.sessions import Sessions

VOLUME_TOLERANCE = 1e-9
"""Relative; ten million float additions err by less than this."""

UNKNOWN_TRADES = -1


class BarRows(NamedTuple):
    open_ns: Int64
    close_ns: Int64
    received_ns: Int64
    instrument: Int32
    timeframe: Int8
    open: Float64
    high: Float64
    low: Float64
    close: Float64
    volume: Float64
    trades: Int32
    first_ns: Int64
    last_ns: Int64
    late: Int32
    gap_ms: Int64
    feed: Int16
    spread: Float64
    source: Int8


@kernel
def fold_bars(
    start: int, sequence: int, line_ns: Int64, rows: BarRows, plan: Plan, pending: Pending, outlet: Outlet
) -> int:
    """As `fold_trades`, for bars from outside."""
    opens_ns, closes_ns, received_ns, instruments, timeframes, opens, highs, lows, closes = rows[:9]
    volumes, trades, firsts_ns, lasts_ns, lates, gaps_ms, feeds, spreads, sources = rows[9:]
    frames, built, _, lateness_ns, sessions = plan
    bars, heap, slots, listings, gaps, carried, sizes = pending
    closed, taints = outlet
    given = np.zeros(1, BAR)[0]
    for row in range(start, len(line_ns)):
        complete_ns = horizon(line_ns[row], lateness_ns)
        if sizes[HEAPED] > 0 and heap[0].close_ns <= complete_ns:
            release(complete_ns, row, sequence, frames, bars, heap, slots, gaps, carried, sizes, closed, taints)
            if sizes[HEAPED] > 0 and heap[0].close_ns <= complete_ns:
                return row
        if not has_room(len(frames), len(bars) - sizes[HEAPED], len(taints) - sizes[TAINTED]):
            return row
        instrument, timeframe = instruments[row], timeframes[row]
        if instrument < 0 or instrument >= len(listings) or not has_length(timeframe, frames):
            sizes[MISPLACED] = 1
            return row
        given.slot, given.fed_by = instrument * len(frames) + timeframe, timeframe
        given.source = HISTORY if sources[row] == HISTORY else OUTSIDE
        given.open_ns, given.close_ns, given.received_ns = opens_ns[row], closes_ns[row], received_ns[row]
        given.open, given.high, given.low, given.close = opens[row], highs[row], lows[row], closes[row]
        given.volume, given.trades, given.late = volumes[row], trades[row], lates[row]
        given.first_ns, given.last_ns, given.gap_ns = firsts_ns[row], lasts_ns[row], gaps_ms[row] * NS_PER_MS
        given.feed = feeds[row]
        take_spread(given, spreads[row], listings[instrument].spread)
        carried[feeds[row], instrument] = 1
        listing, inside_ns = listings[instrument], closes_ns[row] - 1
        if not listing.inside or inside_ns < listing.open_ns or inside_ns >= listing.close_ns:
            inside_ns = last_inside(given, listing, sessions)
        if inside_ns == NEVER_NS:
            sizes[OUTSIDE_SESSION] += 1
            if frames[timeframe].kind == CLOCK:
                continue
        if repeats(row, given, bars, slots, taints, sizes):
            continue
        if given.close_ns <= complete_ns:
            sizes[LATE_BARS] += 1
            taint(row, given.slot, given.open_ns, LATE, taints, sizes)
            continue
        if given.source == HISTORY and slots[given.slot].fed_from != UNFED:
            sizes[LATE_BARS] += 1
            continue
        accept(given, frames, bars, heap, slots, listings, sizes)
        if given.source == OUTSIDE and inside_ns != NEVER_NS:
            fold_upward(row, given, inside_ns, complete_ns, frames, built, bars, heap, slots, listings, sizes, taints)
    return len(line_ns)


@hot
def has_length(timeframe: int, frames: Records) -> bool:
    return bool(0 <= timeframe < len(frames) and frames[timeframe].kind < TICK)


@hot
def take_spread(given: Any, spread: float, in_force: float) -> None:
    """The bar's own, else what is in force on its arrival, if anything is."""
    given.spread = in_force if np.isnan(spread) else spread
    given.quoted = 1
    if np.isnan(given.spread):
        given.spread, given.quoted = 0.0, 0


@kernel
def last_inside(given: Any, listing: Any, sessions: Sessions) -> int:
    """The bar's last nanosecond inside a session, NEVER_NS when it has none."""
    inside_ns = given.close_ns - 1
    if is_inside(inside_ns, listing, sessions):
        return int(inside_ns)
    session_close_ns = listing.open_ns
    if session_close_ns <= given.open_ns:
        return NEVER_NS
    is_inside(session_close_ns - 1, listing, sessions)
    return int(session_close_ns - 1)


@inlined
def repeats(row: int, given: Any, bars: Records, slots: Records, taints: Records, sizes: Int64) -> bool:
    """Whether the slot holds, or released last, a bar of this open time; if so, compare them."""
    slot = slots[given.slot]
    if slot.fed_from == FROM_OUTSIDE:
        bar = seek(given.open_ns, slot.cursor, bars)
        if bar != NONE and bars[bar].open_ns == given.open_ns:
            compare(row, given, bars[bar], taints, sizes)
            return True
    if slot.source != NONE and slot.open_ns == given.open_ns:
        compare(row, given, slot, taints, sizes)
        return True
    return False


@kernel
def compare(row: int, given: Any, first: Any, taints: Records, sizes: Int64) -> None:
    """Count the repeat of bar `first`; where the values differ, taint the one that was first.

    A feed repeats its own bar to the bit. Trades may be added up in another order elsewhere, so
    the volume of a derived bar agrees within VOLUME_TOLERANCE.
    """
    prices = first.open == given.open and first.high == given.high and first.low == given.low
    volumes = first.volume == given.volume
    if first.source == DERIVED:
        volumes = abs(first.volume - given.volume) <= VOLUME_TOLERANCE * max(abs(first.volume), abs(given.volume))
    if prices and first.close == given.close and volumes:
        sizes[DUPLICATE_BARS] += 1
    elif first.source == DERIVED:
        sizes[DIFFERING_BARS] += 1
        taint(row, given.slot, given.open_ns, DIFFERS, taints, sizes)
    else:
        sizes[REVISED_BARS] += 1
        taint(row, given.slot, given.open_ns, REVISED, taints, sizes)


@inlined
def accept(
    given: Any, frames: Records, bars: Records, heap: Records, slots: Records, listings: Records, sizes: Int64
) -> None:
    """Take the bar as it is. The first of its slot overrules what was being derived there.

    History comes before all else and leaves the slot to whoever feeds it next.
    """
    slot = slots[given.slot]
    if given.source == OUTSIDE and slot.fed_from != FROM_OUTSIDE:
        drop_all(given.slot, bars, slots)
        slot.fed_from = FROM_OUTSIDE
    after = seek(given.open_ns, slot.cursor, bars)
    instrument = given.slot // len(frames)
    order = frames[given.fed_by].order + instrument
    bar = bars[insert(given.slot, after, given.open_ns, given.close_ns, order, bars, heap, slots, sizes)]
    bar.open, bar.high, bar.low, bar.close, bar.volume = given.open, given.high, given.low, given.close, given.volume
    bar.trades, bar.late, bar.gap_ns = given.trades, given.late, given.gap_ns
    bar.first_ns, bar.last_ns, bar.received_ns = given.first_ns, given.last_ns, given.received_ns
    bar.spread, bar.quoted, bar.gathers = given.spread, given.quoted, 0
    bar.feed, bar.source, bar.fed_by = given.feed, given.source, given.fed_by
    bar.doubts = doubts_of(given.open_ns, given.close_ns, listings[instrument])


@inlined
def fold_upward(
    row: int, given: Any, inside_ns: int, complete_ns: int, frames: Records, built: Int64,
    bars: Records, heap: Records, slots: Records, listings: Records, sizes: Int64, taints: Records,
) -> None:  # fmt: skip
    """Into the longer bars that nothing better feeds.

    Only the shortest outside timeframe of the instrument starts a longer bar, and a bar is fed
    by one timeframe from its first row to its last, so nothing is counted twice. A bar belongs
    to the interval that contains its last nanosecond inside a session. That interval may be
    over only when the bar closes after its session; then it is late there.
    """
    instrument = given.slot // len(frames)
    listing = listings[instrument]
    length_ns = frames[given.fed_by].length_ns
    if listing.feeder == NONE or length_ns < frames[listing.feeder].length_ns:
        listing.feeder = given.fed_by
    starts = listing.feeder == given.fed_by
    for place in range(len(built)):
        if frames[built[place]].length_ns <= length_ns:
            break
        slot = instrument * len(frames) + built[place]
        if slots[slot].fed_from == FROM_TRADES or slots[slot].fed_from == FROM_OUTSIDE:
            continue
        bar = slots[slot].cursor
        if bar == NONE or inside_ns < bars[bar].open_ns or inside_ns >= bars[bar].close_ns:
            open_ns, close_ns = interval_of(inside_ns, frames[built[place]], listing)
            if close_ns <= complete_ns:
                if starts:
                    taint(row, slot, open_ns, LATE, taints, sizes)
                continue
            bar = bar_of_bar(given, inside_ns, slot, starts, frames, bars, heap, slots, listings, sizes)
        if bar != NONE and bars[bar].fed_by == given.fed_by:
            add_bar(bars[bar], given)


@kernel
def bar_of_bar(
    given: Any, inside_ns: int, slot: int, starts: bool, frames: Records,
    bars: Records, heap: Records, slots: Records, listings: Records, sizes: Int64,
) -> int:  # fmt: skip
    """The pending bar of this time; a new one, if `given` may start one, else NONE."""
    bar = seek(inside_ns, slots[slot].cursor, bars)
    if bar == NONE or inside_ns >= bars[bar].close_ns:
        if not starts:
            return NONE
        bar = bar_at(inside_ns, slot, NEVER_NS, frames, bars, heap, slots, listings, sizes)
        start_bar(bars[bar], given.open, given.open_ns, given.fed_by)
        slots[slot].fed_from = FROM_BARS
    slots[slot].cursor = bar
    return bar


@kernel
def add_bar(bar: Any, given: Any) -> None:
    """As `add_trade`. First and last time are the span of the bars folded; trades -1 is unknown."""
    bar.high = max(bar.high, given.high)
    bar.low = min(bar.low, given.low)
    bar.volume += given.volume
    bar.trades = UNKNOWN_TRADES if bar.trades < 0 or given.trades < 0 else bar.trades + given.trades
    bar.gap_ns = max(bar.gap_ns, given.gap_ns)
    if given.close_ns >= bar.last_ns:
        bar.gap_ns = max(bar.gap_ns, given.open_ns - bar.last_ns)
        bar.close = given.close
        bar.last_ns = given.close_ns
    else:
        bar.late += 1
    if given.open_ns < bar.first_ns:
        bar.open = given.open
        bar.first_ns = given.open_ns
    bar.spread += given.spread
    bar.quoted += given.quoted
    bar.received_ns = given.received_ns
    bar.feed = given.feed
