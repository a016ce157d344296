"""The one kernel of a block: every closed bar, in release order, through its slot.

It fills the detector's columns and appends records. Should the output be nearly full it stops
before the next bar, so that the caller can drain it and go on.
"""

from typing import NamedTuple

import numpy as np

from engine.blocks import PARTIAL, Float64, Int8, Int16, Int32, Int64
from engine.kernels import hot, kernel
from engine.wyckoff import gates as g
from engine.wyckoff.ahead import FAR_BARS, NEAR_BARS, fetch_counts, fetch_slot, fetch_times, slot_number
from engine.wyckoff.bare import bare, lent, shifted
from engine.wyckoff.features import close_position, push, spread_ratio, swing
from engine.wyckoff.gaps import has_gap
from engine.wyckoff.layout import (
    ATR,
    ATR_BEFORE,
    BARS,
    CAPACITY,
    CONFIDENCE,
    COUNTS,
    EDGE_VOLUME,
    LANES,
    LEVELS,
    MOST_RECORDS_PER_BAR,
    NEXT,
    REALS,
    RING,
    ROWS,
    SHOWN_LANE,
    SHOWN_PHASE,
    SHOWN_SIDE,
    SR,
    THIN_REFERENCE,
    TICK,
    VR,
    WHOLES,
    ZONE_PLACE,
    State,
)  # fmt: skip
from engine.wyckoff.slot import Slot, follow, is_warm, keep_swings
from engine.wyckoff.timeofday import SESSIONS, WIDTH, Clock, edge_volume, entry_of, local_ns, reference, remember


class Feed(NamedTuple):
    """The columns of the closed bars that the detector reads, (n,) each."""

    open_ns: Int64
    instrument: Int32
    timeframe: Int8
    high: Float64
    low: Float64
    close: Float64
    volume: Float64
    source: Int8


class Decor(NamedTuple):
    """The columns of the closed bars that the detector fills, (n,) each."""

    vr: Float64
    sr: Float64
    cp: Float64
    atr: Float64
    phase: Int8
    direction: Int8
    confidence: Float64
    swing_low: Float64
    swing_high: Float64


class Rules(NamedTuple):
    """What does not change in a session.

    `places` gives a timeframe's number among the detected ones, or -1; `gates` is (asset classes,
    detected, 2 sides, COUNT); `classes` and `ticks` are per instrument; `higher` is (detected, 2):
    the places of the next higher detected timeframes, nearest first, or -1.
    """

    places: Int16
    gates: Float64
    classes: Int8
    ticks: Float64
    higher: Int16


class Output(NamedTuple):
    """Room for records; `used` holds how many are taken and whether parts of a score wait for theirs."""

    wholes: Int64
    reals: Float64
    used: Int64
    scratch: Float64


class Bare(NamedTuple):
    """All that a block's bars are read from and written to, as bare arrays."""

    feed: Feed
    decor: Decor
    state: State
    rules: Rules
    clock: Clock
    output: Output
    detected: int


@kernel
def scan(start: int, feed: Feed, decor: Decor, state: State, rules: Rules, clock: Clock, output: Output) -> int:
    """Detect on bars from `start`; returns the row at which it stopped."""
    rows, room = len(feed.close), len(output.wholes) - MOST_RECORDS_PER_BAR
    known = lent(
        Bare(
            lent(bare_feed(feed)), lent(bare_decor(decor)), lent(bare_state(state)), lent(bare_rules(rules)),
            lent(bare_clock(clock)), lent(bare_output(output)), rules.gates.shape[1],
        )
    )  # fmt: skip
    feed_, decor_ = known.feed, known.decor
    for row in range(start, rows):
        if known.output.used[0] > room:
            return row
        place = known.rules.places[feed_.timeframe[row]]
        if place < 0 or feed_.source[row] == PARTIAL:
            pass_over(row, decor_)
            continue
        look_ahead(row, rows, known)
        slot = lent(slot_of(row, place, known))
        if feed_.volume[row] > 0.0:
            take(slot, place, known)
        else:
            take_empty(slot, known)
        show(slot, decor_)
    return rows


@hot
def look_ahead(row: int, rows: int, known: Bare) -> None:
    """Where the next bars are of other slots, ask for their memory."""
    feed, places, detected = known.feed, known.rules.places, known.detected
    far, near = row + FAR_BARS, row + NEAR_BARS
    if far >= rows or feed.instrument[row + 1] == feed.instrument[row]:
        return
    number = slot_number(far, feed.instrument, feed.timeframe, places, detected)
    if number >= 0:
        fetch_counts(known.state, number)
    number = slot_number(near, feed.instrument, feed.timeframe, places, detected)
    if number >= 0:
        fetch_slot(known.state, number)
        who = (number, int(feed.instrument[near]), int(places[feed.timeframe[near]]))
        fetch_times(known.clock, known.state, who, feed.open_ns[near])


@hot
def slot_of(row: int, place: int, known: Bare) -> Slot:
    """The slot of the bar at `row`; its place in the window is not known yet."""
    state, rules, output, detected = known.state, known.rules, known.output, known.detected
    instrument = known.feed.instrument[row]
    number = instrument * detected + place
    gates = (rules.classes[instrument] * detected + place) * 2 * g.COUNT
    return Slot(
        shifted(state.windows, number * ROWS * CAPACITY), shifted(state.opens, number * CAPACITY),
        shifted(state.levels, number * LEVELS), shifted(state.counts, number * COUNTS),
        shifted(state.reals, number * LANES * REALS), shifted(state.wholes, number * LANES * WHOLES),
        shifted(state.swings, number * 2 * RING), shifted(rules.gates, gates), output.wholes, output.reals,
        output.used, output.scratch, state.counts, shifted(rules.higher, place * 2), instrument * detected, 0, row,
    )  # fmt: skip


@kernel
def pass_over(row: int, decor: Decor) -> None:
    """A bar that is not detected on."""
    decor.vr[row] = decor.sr[row] = decor.cp[row] = decor.atr[row] = np.nan
    decor.phase[row] = decor.direction[row] = 0
    decor.confidence[row] = decor.swing_low[row] = decor.swing_high[row] = np.nan


@hot
def show(slot: Slot, decor: Decor) -> None:
    counts, row = slot.counts, slot.row
    side = counts[SHOWN_SIDE]
    decor.atr[row] = slot.levels[ATR] if counts[BARS] > 0 else np.nan
    decor.phase[row], decor.direction[row] = counts[SHOWN_PHASE], side
    decor.confidence[row] = slot.reals[counts[SHOWN_LANE] * REALS + CONFIDENCE] if side != 0 else 0.0


@kernel
def take_empty(slot: Slot, known: Bare) -> None:
    """A bar without volume: shown, but no part of any window, so that nothing can anchor on it."""
    feed, decor, row = known.feed, known.decor, slot.row
    high, low = feed.high[row], feed.low[row]
    decor.vr[row] = np.nan
    decor.sr[row] = spread_ratio(slot.window, slot.counts[NEXT], high - low, int(slot.gates[g.SR_LOOKBACK_BARS]))
    decor.cp[row] = close_position(high, low, feed.close[row])
    decor.swing_low[row] = decor.swing_high[row] = np.nan


@kernel
def take(slot: Slot, place: int, known: Bare) -> None:
    """A bar with volume: features, swings, then the lanes."""
    window, levels, counts, gates = slot.window, slot.levels, slot.counts, slot.gates
    feed, decor, clock, row = known.feed, known.decor, known.clock, slot.row
    high, low, close, instrument = feed.high[row], feed.low[row], feed.close[row], feed.instrument[row]
    if counts[BARS] == 0:
        levels[TICK] = known.rules.ticks[instrument]
    at = push(window, slot.opens, levels, counts, gates, high, low, close, feed.volume[row], feed.open_ns[row])
    if gates[g.IS_INTRADAY] > 0.0:
        tell_time(slot, at, (int(instrument), int(place)), feed, clock, known.detected)
    decor.vr[row], decor.sr[row] = window[VR + at], window[SR + at]
    decor.cp[row] = close_position(high, low, close)
    swing_low = swing(window, levels[ATR_BEFORE], gates, 1.0, at)
    swing_high = -swing(window, levels[ATR_BEFORE], shifted(gates, g.COUNT), -1.0, at)
    decor.swing_low[row], decor.swing_high[row] = swing_low, swing_high
    swings = (not np.isnan(swing_low), not np.isnan(swing_high))
    here = lent(moved(slot, at))
    if swings[0] or swings[1]:
        keep_swings(here, swing_low, swing_high)
    if is_warm(counts, gates):
        gap = at > 0 and has_gap(gates, clock.length_ns[place], slot.opens[at - 1], slot.opens[at])
        follow(here, swings, gap)


@hot
def moved(slot: Slot, at: int) -> Slot:
    """The slot once its newest bar has a place in the window."""
    return Slot(
        slot.window, slot.opens, slot.levels, slot.counts, slot.reals, slot.wholes, slot.swings, slot.gates,
        slot.out_wholes, slot.out_reals, slot.used, slot.scratch, slot.all_counts, slot.higher, slot.first_slot, at,
        slot.row,
    )  # fmt: skip


@kernel
def tell_time(slot: Slot, at: int, who: tuple[int, int], feed: Feed, clock: Clock, detected: int) -> None:
    """Intraday: the bar's volume against the same time of earlier sessions, once there are enough.

    `who` are the numbers of the instrument and of the timeframe among the detected.
    """
    instrument, place = who
    counts, levels, row = slot.counts, slot.levels, slot.row
    zone, volume, least = clock.zone[instrument], feed.volume[row], int(slot.gates[g.RVOL_MIN_SESSIONS])
    length_ns = clock.length_ns[place]
    local, counts[ZONE_PLACE] = local_ns(clock, zone, counts[ZONE_PLACE], feed.open_ns[row])
    entry = entry_of(clock, instrument * detected + place, instrument, length_ns, local)
    values = shifted(clock.values, entry * WIDTH)
    usual = reference(values, least)
    counts[THIN_REFERENCE] = 1 if np.isnan(usual) else 0
    if not np.isnan(usual):
        slot.window[VR + at] = volume / usual
    levels[EDGE_VOLUME] = edge_volume(clock, zone, local, length_ns, values, least)
    remember(values, shifted(clock.ages, entry * SESSIONS), volume)


@hot
def bare_feed(feed: Feed) -> Feed:
    return Feed(
        bare(feed.open_ns), bare(feed.instrument), bare(feed.timeframe), bare(feed.high), bare(feed.low),
        bare(feed.close), bare(feed.volume), bare(feed.source),
    )  # fmt: skip


@hot
def bare_decor(decor: Decor) -> Decor:
    return Decor(
        bare(decor.vr), bare(decor.sr), bare(decor.cp), bare(decor.atr), bare(decor.phase), bare(decor.direction),
        bare(decor.confidence), bare(decor.swing_low), bare(decor.swing_high),
    )  # fmt: skip


@hot
def bare_state(state: State) -> State:
    return State(
        bare(state.windows), bare(state.opens), bare(state.levels), bare(state.counts), bare(state.reals),
        bare(state.wholes), bare(state.swings),
    )  # fmt: skip


@hot
def bare_output(output: Output) -> Output:
    return Output(bare(output.wholes), bare(output.reals), bare(output.used), bare(output.scratch))


@hot
def bare_rules(rules: Rules) -> Rules:
    return Rules(bare(rules.places), bare(rules.gates), bare(rules.classes), bare(rules.ticks), bare(rules.higher))


@hot
def bare_clock(clock: Clock) -> Clock:
    return Clock(
        bare(clock.values), bare(clock.ages), bare(clock.base), bare(clock.zone), bare(clock.groups), bare(clock.edges),
        bare(clock.offsets), bare(clock.hours), bare(clock.length_ns), clock.changes,
    )  # fmt: skip
