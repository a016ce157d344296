"""Bars that are open or wait for line time: a pool of records, a heap, and a chain per slot.

A slot is one (instrument, timeframe). Its pending bars form a chain ordered by open time, and
the slot's cursor rests on the bar touched last, so the next row finds its bar in one step. The
heap orders all pending bars as they will be released; a row costs one look at its top. Every
bar in the pool is in the heap exactly once, so HEAPED is also the number of records in use.
"""

from typing import Any, NamedTuple

import numpy as np

from engine.bars_plan import NONE, Plan, Records, interval_of, new_listings
from engine.blocks import DERIVED, Int8, Int64
from engine.kernels import hot, inlined, kernel

BAR = np.dtype(
    [
        ("open_ns", np.int64), ("close_ns", np.int64), ("high", np.float64), ("low", np.float64),
        ("close", np.float64), ("volume", np.float64), ("first_ns", np.int64), ("last_ns", np.int64),
        ("trades", np.int64), ("gap_ns", np.int64), ("received_ns", np.int64), ("feed", np.int64),
        ("open", np.float64), ("spread", np.float64), ("quoted", np.int64), ("late", np.int64),
        ("slot", np.int64), ("source", np.int64), ("fed_by", np.int64), ("older", np.int64),
        ("newer", np.int64), ("doubts", np.int64), ("gathers", np.int64), ("filled", np.float64),
        ("floor_ns", np.int64),
    ]
)  # fmt: skip
"""One pending bar. What every trade touches comes first, to share cache lines. `fed_by` is the
timeframe of the bars it is built from, FED_BY_TRADES, or its own when it came from outside;
`older` and `newer` are its neighbours in the slot's chain. `spread` sums what was in force at
`quoted` trades. A bar that `gathers` counts trades until one is `filled`, opens no earlier than
`floor_ns`, and until then stands for its session: see `engine.bars_counted`."""

DUE = np.dtype([("close_ns", np.int64), ("order", np.int64), ("bar", np.int64)])
"""One heap entry; `order` ranks long timeframes before short, then instruments by number."""

SLOT = np.dtype(
    [
        ("cursor", np.int64), ("fed_from", np.int64), ("open_ns", np.int64), ("source", np.int64),
        ("open", np.float64), ("high", np.float64), ("low", np.float64), ("close", np.float64),
        ("volume", np.float64), ("close_ns", np.int64),
    ]
)  # fmt: skip
"""One (instrument, timeframe): the chain's cursor, who may feed it, and the bar released last."""

DROPPED = -1
"""`BAR.source`: overruled while it waited; never released."""
FED_BY_TRADES = -1
BLANK = -2
"""`BAR.trades`: a bar that `start_bar` has yet to begin."""

QUARANTINED = 1
INTERRUPTED = 2
"""Bits of `BAR.doubts`: a feed withheld rows of the bar; a feed had a gap inside it."""

# Who feeds a slot. Between trades and shorter bars the first rules; an outside bar overrules both.
UNFED = 0
FROM_TRADES = 1
FROM_BARS = 2
FROM_OUTSIDE = 3

# Where each whole number of `Pending.sizes` stands.
HEAPED = 0
USED = 1
FREE = 2
RELEASED = 3
TAINTED = 4
MISPLACED = 5
LATE_TRADES = 6
LATE_BARS = 7
DUPLICATE_BARS = 8
REVISED_BARS = 9
DIFFERING_BARS = 10
OUTSIDE_SESSION = 11
GAPS = 12
SIZES = 13

GAP = np.dtype([("from_ns", np.int64), ("until_ns", np.int64)])
"""When a feed was last not live: [from, until), FOREVER_NS while it is not; empty when it always was."""


class Pending(NamedTuple):
    """All state of the aggregator but line time, as arrays.

    `bars` and `heap` have one capacity, `slots` is (instruments * timeframes,), `listings` is
    (instruments,), `gaps` is (feeds,) and `carried` (feeds, instruments): whether the feed has
    brought trades or bars of the instrument. `sizes[GAPS]` says whether any gap is not empty.
    """

    bars: Records
    heap: Records
    slots: Records
    listings: Records
    gaps: Records
    carried: Int8
    sizes: Int64


def no_bars(plan: Plan, feeds: int, capacity: int) -> Pending:
    instruments = len(plan.sessions.calendar)
    slots = np.zeros(instruments * len(plan.frames), SLOT)
    slots["cursor"] = NONE
    slots["source"] = NONE
    sizes = np.zeros(SIZES, np.int64)
    sizes[FREE] = NONE
    return Pending(
        bars=np.zeros(capacity, BAR),
        heap=np.zeros(capacity, DUE),
        slots=slots,
        listings=new_listings(plan.sessions),
        gaps=np.zeros(feeds, GAP),
        carried=np.zeros((feeds, instruments), np.int8),
        sizes=sizes,
    )


def with_capacity(pending: Pending, capacity: int) -> Pending:
    """The same bars in larger arrays."""
    bars, heap = np.zeros(capacity, BAR), np.zeros(capacity, DUE)
    bars[: len(pending.bars)] = pending.bars
    heap[: len(pending.heap)] = pending.heap
    return pending._replace(bars=bars, heap=heap)


@hot
def start_bar(bar: Any, price: float, time_ns: int, fed_by: int) -> None:
    """A bar that holds nothing yet, but knows the first price and its time."""
    bar.open, bar.high, bar.low, bar.close, bar.volume = price, price, price, price, 0.0
    bar.first_ns, bar.last_ns = time_ns, time_ns
    bar.trades, bar.late, bar.gap_ns = 0, 0, 0
    bar.spread, bar.quoted = 0.0, 0
    bar.source, bar.fed_by, bar.gathers = DERIVED, fed_by, 0


@hot
def bar_at(
    time_ns: int, slot: int, complete_ns: int, frames: Records,
    bars: Records, heap: Records, slots: Records, listings: Records, sizes: Int64,
) -> int:  # fmt: skip
    """The pending bar of this time, a blank one with no trades (-1) where there is none.

    NONE when its interval was released. The time lies in the session that the listing holds.
    """
    bar = seek(time_ns, slots[slot].cursor, bars)
    if bar != NONE and time_ns < bars[bar].close_ns:
        return bar
    frame, listing = frames[slot % len(frames)], listings[slot // len(frames)]
    open_ns, close_ns = interval_of(time_ns, frame, listing)
    if close_ns <= complete_ns:
        return NONE
    order = frame.order + slot // len(frames)
    bar = insert(slot, bar, open_ns, close_ns, order, bars, heap, slots, sizes)
    bars[bar].trades = BLANK
    bars[bar].doubts = doubts_of(open_ns, close_ns, listing)
    return bar


@hot
def doubts_of(open_ns: int, close_ns: int, listing: Any) -> int:
    return QUARANTINED if open_ns <= listing.quarantined_ns < close_ns else 0


@hot
def seek(time_ns: int, cursor: int, bars: Records) -> int:
    """The newest bar of the cursor's chain that opens at or before `time_ns`, else NONE."""
    bar = cursor
    if bar == NONE:
        return NONE
    while bars[bar].newer != NONE and bars[bars[bar].newer].open_ns <= time_ns:
        bar = bars[bar].newer
    while bar != NONE and bars[bar].open_ns > time_ns:
        bar = bars[bar].older
    return bar


@kernel
def insert(
    slot: int, after: int, open_ns: int, close_ns: int, order: int,
    bars: Records, heap: Records, slots: Records, sizes: Int64,
) -> int:  # fmt: skip
    """A new bar in the chain behind `after` (NONE: before all), and in the heap.

    The caller has made sure of the room, and fills the rest of the record.
    """
    bar = take(bars, sizes)
    record = bars[bar]
    record.slot, record.open_ns, record.close_ns = slot, open_ns, close_ns
    newer = bars[after].newer if after != NONE else slots[slot].cursor
    if after != NONE:
        bars[after].newer = bar
    else:
        while newer != NONE and bars[newer].older != NONE:
            newer = bars[newer].older
    if newer != NONE:
        bars[newer].older = bar
    record.older, record.newer = after, newer
    slots[slot].cursor = bar
    push(close_ns, order, bar, bars, heap, sizes)
    return bar


@inlined
def take(bars: Records, sizes: Int64) -> int:
    """A free record."""
    bar = sizes[FREE]
    if bar == NONE:
        bar = sizes[USED]
        sizes[USED] += 1
    else:
        sizes[FREE] = bars[bar].older
    return int(bar)


@inlined
def unlink(bar: int, bars: Records, slots: Records) -> None:
    """Take a bar out of its chain; it stays in the heap."""
    older, newer = bars[bar].older, bars[bar].newer
    if older != NONE:
        bars[older].newer = newer
    if newer != NONE:
        bars[newer].older = older
    slot = slots[bars[bar].slot]
    if slot.cursor == bar:
        slot.cursor = newer if newer != NONE else older


@kernel
def drop_all(slot: int, bars: Records, slots: Records) -> None:
    """Overrule every pending bar of the slot."""
    while slots[slot].cursor != NONE:
        bar = slots[slot].cursor
        unlink(bar, bars, slots)
        bars[bar].source = DROPPED


@inlined
def earlier(one: int, other: int, bars: Records, heap: Records) -> bool:
    """Whether heap entry `one` is released before heap entry `other`."""
    a, b = heap[one], heap[other]
    if a.close_ns != b.close_ns:
        return bool(a.close_ns < b.close_ns)
    if a.order != b.order:
        return bool(a.order < b.order)
    return bool(bars[a.bar].open_ns < bars[b.bar].open_ns)


@inlined
def swap(one: int, other: int, heap: Records) -> None:
    a, b = heap[one], heap[other]
    close_ns, order, bar = a.close_ns, a.order, a.bar
    a.close_ns, a.order, a.bar = b.close_ns, b.order, b.bar
    b.close_ns, b.order, b.bar = close_ns, order, bar


@inlined
def push(close_ns: int, order: int, bar: int, bars: Records, heap: Records, sizes: Int64) -> None:
    place = sizes[HEAPED]
    sizes[HEAPED] += 1
    entry = heap[place]
    entry.close_ns, entry.order, entry.bar = close_ns, order, bar
    rise(place, bars, heap)


@inlined
def rise(place: int, bars: Records, heap: Records) -> None:
    """Let a heap entry up to where it belongs, when those before it are in order."""
    while place > 0 and earlier(place, (place - 1) // 2, bars, heap):
        swap(place, (place - 1) // 2, heap)
        place = (place - 1) // 2


@inlined
def pop(bars: Records, heap: Records, slots: Records, sizes: Int64) -> int:
    """Take the bar at the top out of the heap and give its record back; it is still readable."""
    top = heap[0].bar
    sizes[HEAPED] -= 1
    swap(0, sizes[HEAPED], heap)
    place = 0
    while 2 * place + 1 < sizes[HEAPED]:
        child = 2 * place + 1
        if child + 1 < sizes[HEAPED] and earlier(child + 1, child, bars, heap):
            child += 1
        if not earlier(child, place, bars, heap):
            break
        swap(place, child, heap)
        place = child
    if bars[top].source != DROPPED:
        unlink(top, bars, slots)
    bars[top].older = sizes[FREE]
    sizes[FREE] = top
    return int(top)
