"""The kernels that judge bars and quotes, one after the other."""

from typing import NamedTuple

import numpy as np

from adapters.cleaning.findings import Notes, note
from adapters.cleaning.levels import (
    PASSED,
    RELEASED,
    REMEMBERED,
    WAITING,
    Flags,
    Judged,
    Levels,
    Limits,
    forget_reused,
    give_up,
    is_far,
    is_near,
    let_go,
    remember,
    see_again,
    wait,
)
from adapters.cleaning.prints import is_odd_time, watch_clock
from adapters.cleaning.reasons import (
    ABSURD,
    BAD_OHLC,
    BAD_PRICE,
    BAD_TIME,
    CONFLICTING,
    CROSSED,
    DUPLICATE,
    LOCKED,
    MOVED_WITHOUT_VOLUME,
    NEGATIVE_SIZE,
    NOT_FINITE,
    UNFINISHED,
    ZERO_VOLUME,
)
from engine.blocks import Float64, Int8, Int32, Int64
from engine.kernels import hot, kernel
from engine.timeframes import TIMEFRAMES

FRAMES = len(TIMEFRAMES) + 1
"""Slots an instrument has: one a timeframe, and one that all counted timeframes share."""


class CandleRows(NamedTuple):
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
    place: Int64


class CandleState(NamedTuple):
    """`seen` is (slots, 5): prices and volume of the last sound bar, `seen_ns` its open; `seen_out` whether it
    went out. `bands` and `lengths_ns` are (FRAMES,)."""

    levels: Levels
    seen_ns: Int64
    seen: Float64
    seen_out: Flags
    bands: Float64
    lengths_ns: Int64
    negative: Flags
    clock: Int64


@kernel
def judge_candles(
    start: int, rows: CandleRows, state: CandleState, limits: Limits, notes: Notes, out: Int64, sizes: Int64
) -> None:
    """As `judge_prints`, for bars."""
    opens_ns, closes_ns, received_ns, instruments, timeframes, opens, highs, lows, closes, volumes, _ = rows
    levels, seen_ns, seen, seen_out, bands, lengths_ns, _, clock = state
    last, last_ns, history, filled, _, holding = levels[:6]
    size = sizes[0]
    for row in range(start, len(closes_ns)):
        frame = min(timeframes[row], FRAMES - 1)
        at = instruments[row] * FRAMES + frame
        open_ns, close_ns, band = opens_ns[row], closes_ns[row], bands[frame]
        first, high, low, close, volume = opens[row], highs[row], lows[row], closes[row], volumes[row]
        # Equal or later than the last row, sound, with a volume, and near the last price.
        ordinary = clock[0] <= close_ns <= last_ns[at] + limits.hole_lengths * lengths_ns[frame]
        ordinary = ordinary and open_ns < close_ns <= limits.made_ns and close_ns < limits.end_ns
        ordinary = ordinary and (received_ns[row] == 0 or received_ns[row] >= close_ns)
        ordinary = ordinary and low <= first <= high and low <= close <= high and 0.0 < volume < np.inf
        ordinary = ordinary and high <= last[at] * band and low * band >= last[at] > 0.0 and high <= low * band
        ordinary = ordinary and open_ns > seen_ns[at] and holding[at] == 0
        if not ordinary:
            size = judge_candle(row, rows, state, limits, notes, out, size)
            continue
        seen_ns[at], seen_out[at] = open_ns, True
        seen[at, 0], seen[at, 1], seen[at, 2], seen[at, 3], seen[at, 4] = first, high, low, close, volume
        clock[0] = close_ns
        last[at], last_ns[at] = close, close_ns
        history[at, filled[at] % REMEMBERED] = close
        filled[at] += 1
        out[size] = row
        size += 1
    sizes[0] = size


@kernel
def judge_candle(
    row: int, rows: CandleRows, state: CandleState, limits: Limits, notes: Notes, out: Int64, size: int
) -> int:
    """Any bar at all, by all rules. Returns how many rows are out."""
    levels, seen_ns, seen, seen_out, _, _, negative, clock = state
    close_ns, instrument, place, close = rows.close_ns[row], rows.instrument[row], rows.place[row], rows.close[row]
    reason = spoiled(row, rows, negative[instrument], limits)
    if reason >= 0:
        note(notes, reason, place, close_ns, instrument, wrong_value(reason, row, rows), close)
        return size
    slot = instrument * FRAMES + min(rows.timeframe[row], FRAMES - 1)
    if seen_ns[slot] == rows.open_ns[row]:
        same = is_same(row, rows, seen[slot])
        if same or seen_out[slot]:
            note(notes, DUPLICATE if same else CONFLICTING, place, close_ns, instrument, close, seen[slot, 3])
            return size
    see(row, slot, rows, seen_ns, seen)
    seen_out[slot] = True
    watch_clock(close_ns, rows.received_ns[row], place, instrument, clock, limits, notes)
    watch_volume(row, rows, notes)
    verdict = weigh(row, slot, rows, state, limits, notes) if rows.low[row] > 0 else PASSED
    if verdict == RELEASED:
        return let_go(slot, Judged(rows.close_ns, rows.instrument, rows.close, rows.place), levels, notes, out, size)
    if verdict == WAITING:
        seen_out[slot] = False
        return size
    if levels.holding[slot] > 0:
        give_up(slot, Judged(rows.close_ns, rows.instrument, rows.close, rows.place), levels, notes)
    remember(levels, slot, close, close_ns)
    out[size] = row
    return size + 1


@kernel
def weigh(row: int, slot: int, rows: CandleRows, state: CandleState, limits: Limits, notes: Notes) -> int:
    """PASSED, WAITING (or withheld for good), or RELEASED with those that waited for it."""
    levels, lengths_ns = state.levels, state.lengths_ns
    frame = slot % FRAMES
    band, low, high, close_ns = state.bands[frame], rows.low[row], rows.high[row], rows.close_ns[row]
    judged = Judged(rows.close_ns, rows.instrument, rows.close, rows.place)
    silence_ns = close_ns - levels.last_ns[slot] if levels.filled[slot] > 0 else 0
    if silence_ns > limits.reuse_ns:
        forget_reused(rows.open[row], row, slot, judged, limits, levels, notes)
    is_first = levels.filled[slot] == 0
    last = rows.close[row] if is_first else levels.last[slot]
    wide = max(band, limits.hole_band)
    chosen = wide if silence_ns > limits.hole_lengths * lengths_ns[frame] else band
    if is_first:
        chosen = max(band, limits.listing_band)
    if not is_far(low, high, last, slot, chosen, limits, levels):
        return PASSED
    strange = high if high * low >= last * last else low
    if not is_near(low, high, wide):
        see_again(strange, slot, band, levels)
        note(notes, ABSURD, rows.place[row], close_ns, rows.instrument[row], strange, last)
        return WAITING
    complete = wait(rows.close[row], strange, row, slot, band, judged, limits, levels, notes)
    return RELEASED if complete else WAITING


@hot
def spoiled(row: int, rows: CandleRows, negative: bool, limits: Limits) -> int:
    """The reason why a bar cannot be market data, or -1."""
    if is_odd_time(rows.close_ns[row], rows.received_ns[row], limits) or rows.close_ns[row] <= rows.open_ns[row]:
        return BAD_TIME
    low, high, first, last = rows.low[row], rows.high[row], rows.open[row], rows.close[row]
    # A sum is finite only if all of it is; an overflow is as absurd as an infinity.
    if not np.isfinite(low + high + first + last + rows.volume[row]):
        return NOT_FINITE
    if min(min(low, high), min(first, last)) <= 0 and not negative:
        return BAD_PRICE
    if rows.volume[row] < 0:
        return NEGATIVE_SIZE
    if high < max(first, last) or low > min(first, last):
        return BAD_OHLC
    return UNFINISHED if rows.close_ns[row] > limits.made_ns else -1


@kernel
def wrong_value(reason: int, row: int, rows: CandleRows) -> float:
    """What to show of a spoiled bar."""
    low, high, first, last = rows.low[row], rows.high[row], rows.open[row], rows.close[row]
    found = last
    if reason == BAD_OHLC:
        found = high if high < max(first, last) else low
    elif reason == NEGATIVE_SIZE:
        found = rows.volume[row]
    elif reason == BAD_PRICE:
        found = min(min(low, high), min(first, last))
    elif reason == NOT_FINITE:
        found = rows.volume[row]
        for value in (first, high, low, last):
            if not np.isfinite(value):
                found = value
    return float(found)


@hot
def is_same(row: int, rows: CandleRows, seen: Float64) -> bool:
    return bool(
        rows.open[row] == seen[0]
        and rows.high[row] == seen[1]
        and rows.low[row] == seen[2]
        and rows.close[row] == seen[3]
        and rows.volume[row] == seen[4]
    )


@hot
def see(row: int, slot: int, rows: CandleRows, seen_ns: Int64, seen: Float64) -> None:
    seen_ns[slot] = rows.open_ns[row]
    seen[slot, 0], seen[slot, 1], seen[slot, 2] = rows.open[row], rows.high[row], rows.low[row]
    seen[slot, 3], seen[slot, 4] = rows.close[row], rows.volume[row]


@hot
def watch_volume(row: int, rows: CandleRows, notes: Notes) -> None:
    if rows.volume[row] != 0:
        return
    reason = ZERO_VOLUME if rows.high[row] == rows.low[row] else MOVED_WITHOUT_VOLUME
    note(notes, reason, rows.place[row], rows.close_ns[row], rows.instrument[row], rows.high[row], rows.low[row])


class QuoteRows(NamedTuple):
    time_ns: Int64
    received_ns: Int64
    instrument: Int32
    bid: Float64
    bid_size: Float64
    ask: Float64
    ask_size: Float64
    place: Int64


@kernel
def judge_quotes(
    rows: QuoteRows, negative: Flags, clock: Int64, limits: Limits, notes: Notes, out: Int64, sizes: Int64
) -> None:
    """As `judge_prints`, for quotes: none of them waits."""
    times_ns, received_ns, _, bids, bid_sizes, asks, ask_sizes, _ = rows
    size = sizes[0]
    for row in range(len(times_ns)):
        time_ns, bid, ask = times_ns[row], bids[row], asks[row]
        ordinary = max(clock[0], limits.first_ns) <= time_ns < limits.end_ns
        ordinary = ordinary and (received_ns[row] == 0 or received_ns[row] >= time_ns)
        ordinary = ordinary and 0.0 < bid < ask < np.inf
        ordinary = ordinary and 0.0 <= bid_sizes[row] < np.inf and 0.0 <= ask_sizes[row] < np.inf
        if ordinary:
            clock[0] = time_ns
        elif not judge_quote(row, rows, negative, clock, limits, notes):
            continue
        out[size] = row
        size += 1
    sizes[0] = size


@kernel
def judge_quote(row: int, rows: QuoteRows, negative: Flags, clock: Int64, limits: Limits, notes: Notes) -> bool:
    """Any quote at all, by all rules. Whether it goes on."""
    time_ns, instrument, place = rows.time_ns[row], rows.instrument[row], rows.place[row]
    bid, ask = rows.bid[row], rows.ask[row]
    reason = useless(row, rows, negative[instrument], limits)
    if reason >= 0:
        note(notes, reason, place, time_ns, instrument, bid, ask)
        return False
    if bid == ask and rows.bid_size[row] > 0 and rows.ask_size[row] > 0:
        note(notes, LOCKED, place, time_ns, instrument, bid, ask)
    watch_clock(time_ns, rows.received_ns[row], place, instrument, clock, limits, notes)
    return True


@hot
def useless(row: int, rows: QuoteRows, negative: bool, limits: Limits) -> int:
    """The reason why a quote cannot be market data, or -1."""
    if is_odd_time(rows.time_ns[row], rows.received_ns[row], limits):
        return BAD_TIME
    bid, ask = rows.bid[row], rows.ask[row]
    if not np.isfinite(bid + ask + rows.bid_size[row] + rows.ask_size[row]):
        return NOT_FINITE
    if min(bid, ask) <= 0 and not negative:
        return BAD_PRICE
    if min(rows.bid_size[row], rows.ask_size[row]) < 0:
        return NEGATIVE_SIZE
    return CROSSED if bid > ask else -1
