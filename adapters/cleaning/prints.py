"""The kernel that judges trades, one after the other."""

from typing import NamedTuple

import numpy as np

from adapters.cleaning.findings import Notes, note, note_skew
from adapters.cleaning.identities import NEW, SAME, Identities, find, meet, print_of
from adapters.cleaning.levels import (
    REMEMBERED,
    Flags,
    Judged,
    Levels,
    Limits,
    forget_reused,
    give_up,
    is_far,
    let_go,
    remember,
    wait,
)
from adapters.cleaning.reasons import (
    BAD_PRICE,
    BAD_TIME,
    CONFLICTING,
    DUPLICATE,
    FORGOTTEN_ID,
    ID_GAP,
    LATE,
    NEGATIVE_SIZE,
    NOT_FINITE,
)
from engine.blocks import Float64, Int8, Int32, Int64
from engine.kernels import hot, kernel


class PrintRows(NamedTuple):
    time_ns: Int64
    received_ns: Int64
    instrument: Int32
    price: Float64
    size: Float64
    side: Int8
    trade_id: Int64
    place: Int64


class PrintState(NamedTuple):
    """`last_id` is (instruments,), 0 before the first; `clock` holds the feed's latest time."""

    levels: Levels
    known: Identities
    last_id: Int64
    negative: Flags
    clock: Int64


@kernel
def judge_prints(
    start: int, rows: PrintRows, state: PrintState, limits: Limits, notes: Notes, out: Int64, sizes: Int64
) -> int:
    """Write the indexes of rows that pass into `out`, and their number into sizes[0].

    Returns the row at which it stopped: one whose instrument has no table of ids yet, else the end.
    An ordinary row is passed right here, with what it needs in local arrays; any other goes to `judge_print`.
    """
    times_ns, received_ns, instruments, prices, volumes, sides, trade_ids, _ = rows
    levels, known, last_id, _, clock = state
    last, last_ns, history, filled, _, holding = levels[:6]
    slot_of, ids, prints, used, younger, latest_ns, _ = known
    band, hole_ns, numbered, most_ids = limits.trade_band, limits.hole_ns, limits.consecutive_ids, limits.remembered_ids
    size = sizes[0]
    for row in range(start, len(times_ns)):
        time_ns, at, price, identity = times_ns[row], instruments[row], prices[row], trade_ids[row]
        slot = slot_of[at] if identity != 0 else 0
        if slot < 0:
            sizes[0] = size
            return row
        # Equal or later than the last row, near the last price, received after it happened.
        ordinary = clock[0] <= time_ns <= last_ns[at] + hole_ns and time_ns < limits.end_ns
        ordinary = ordinary and (received_ns[row] == 0 or received_ns[row] >= time_ns)
        ordinary = ordinary and price <= last[at] * band and price * band >= last[at] > 0.0
        ordinary = ordinary and 0.0 <= volumes[row] < np.inf and holding[at] == 0
        if identity != 0 and ordinary:
            ordinary = used[slot] < most_ids and (not numbered or identity == last_id[at] + 1)
            # An id larger than all before cannot be a repeat.
            if identity <= last_id[at] and ordinary:
                ordinary = ids[slot, 0, find(ids[slot, 0], identity)] != identity
                ordinary = ordinary and ids[slot, 1, find(ids[slot, 1], identity)] != identity
        if not ordinary:
            size = judge_print(row, rows, state, limits, notes, out, size)
            continue
        if identity != 0:
            young = younger[slot]
            place = find(ids[slot, young], identity)
            ids[slot, young, place] = identity
            prints[slot, young, place] = print_of(time_ns, price, volumes[row], sides[row])
            latest_ns[slot, young] = max(latest_ns[slot, young], time_ns)
            used[slot] += 1
            last_id[at] = max(last_id[at], identity)
        clock[0] = time_ns
        last[at], last_ns[at] = price, time_ns
        history[at, filled[at] % REMEMBERED] = price
        filled[at] += 1
        out[size] = row
        size += 1
    sizes[0] = size
    return len(times_ns)


@kernel
def judge_print(
    row: int, rows: PrintRows, state: PrintState, limits: Limits, notes: Notes, out: Int64, size: int
) -> int:
    """Any row at all, by all rules. Returns how many rows are out."""
    levels, known, last_id, negative, clock = state
    time_ns, slot, price, volume = rows.time_ns[row], rows.instrument[row], rows.price[row], rows.size[row]
    place, identity = rows.place[row], rows.trade_id[row]
    judged = Judged(rows.time_ns, rows.instrument, rows.price, rows.place)
    reason = unusable(time_ns, rows.received_ns[row], price, volume, negative[slot], limits)
    if reason >= 0:
        shown = price if reason == BAD_PRICE or not np.isfinite(price) else volume
        note(notes, reason, place, time_ns, slot, shown, price)
        return size
    if identity != 0:
        fingerprint = print_of(time_ns, price, volume, rows.side[row])
        if repeats(identity, fingerprint, row, known, limits, judged, notes):
            return size
        follow(identity, row, last_id, limits, judged, notes)
    watch_clock(time_ns, rows.received_ns[row], place, slot, clock, limits, notes)
    if levels.filled[slot] > 0 and price > 0 and levels.last[slot] > 0:
        silence_ns = time_ns - levels.last_ns[slot]
        if silence_ns > limits.reuse_ns:
            forget_reused(price, row, slot, judged, limits, levels, notes)
        band = limits.trade_band if silence_ns <= limits.hole_ns else max(limits.trade_band, limits.hole_band)
        if levels.filled[slot] > 0 and is_far(price, price, levels.last[slot], slot, band, limits, levels):
            if wait(price, price, row, slot, limits.trade_band, judged, limits, levels, notes):
                return let_go(slot, judged, levels, notes, out, size)
            return size
    if levels.holding[slot] > 0:
        give_up(slot, judged, levels, notes)
    remember(levels, slot, price, time_ns)
    out[size] = row
    return size + 1


@hot
def unusable(time_ns: int, received_ns: int, price: float, size: float, negative: bool, limits: Limits) -> int:
    """The reason why a print cannot be market data, or -1."""
    if is_odd_time(time_ns, received_ns, limits):
        return BAD_TIME
    if not (np.isfinite(price) and np.isfinite(size)):
        return NOT_FINITE
    if price <= 0 and not negative:
        return BAD_PRICE
    return NEGATIVE_SIZE if size < 0 else -1


@hot
def is_odd_time(time_ns: int, received_ns: int, limits: Limits) -> bool:
    """`received_ns` is 0 where nobody noted it."""
    if time_ns < limits.first_ns or time_ns >= limits.end_ns:
        return True
    return received_ns > 0 and time_ns - received_ns > limits.ahead_ns


@hot
def watch_clock(
    time_ns: int, received_ns: int, place: int, instrument: int, clock: Int64, limits: Limits, notes: Notes
) -> None:
    """Rows that came after later ones, and rows that were received before they happened."""
    if 0 < received_ns < time_ns:
        note_skew(notes, time_ns - received_ns, place, time_ns, instrument)
    if time_ns < clock[0] and limits.counts_late:
        note(notes, LATE, place, time_ns, instrument, float(clock[0] - time_ns), 0.0)
    clock[0] = max(clock[0], time_ns)


@kernel
def repeats(
    identity: int, fingerprint: int, row: int, known: Identities, limits: Limits, judged: Judged, notes: Notes
) -> bool:
    instrument, time_ns, place = judged.instrument[row], judged.time_ns[row], judged.place[row]
    slot = known.slot_of[instrument]
    met = meet(identity, fingerprint, time_ns, slot, limits.remembered_ids, known)
    if met != NEW:
        reason = DUPLICATE if met == SAME else CONFLICTING
        note(notes, reason, place, time_ns, instrument, float(identity), judged.price[row])
        return True
    if time_ns < known.forgotten_ns[slot]:
        note(notes, FORGOTTEN_ID, place, time_ns, instrument, float(identity), judged.price[row])
        return True
    return False


@hot
def follow(identity: int, row: int, last_id: Int64, limits: Limits, judged: Judged, notes: Notes) -> None:
    """Notice ids that are missing, where the venue numbers trades one by one."""
    instrument = judged.instrument[row]
    before = last_id[instrument]
    if limits.consecutive_ids and before > 0 and identity > before + 1:
        note(notes, ID_GAP, judged.place[row], judged.time_ns[row], instrument, float(before), float(identity))
        notes.missing_ids[instrument] += identity - before - 1
    last_id[instrument] = max(before, identity)
