"""The one kernel of a block: every closed bar, in release order, through its slot's two machines.

It fills the detector's columns and appends records. Should the output be nearly full it stops
before the next bar, so that the caller can drain it and go on.
"""

from typing import NamedTuple

import numpy as np

from engine.blocks import PARTIAL, Float64, Int8, Int16, Int32, Int64
from engine.kernels import hot, kernel
from engine.wyckoff import gates as g
from engine.wyckoff.borrow import borrowed
from engine.wyckoff.features import close_position, push, spread_ratio, swing
from engine.wyckoff.layout import (
    ATR,
    BARS,
    CONFIDENCE,
    DIRTY,
    MIRRORED,
    MOST_RECORDS_PER_BAR,
    NEXT,
    PHASE,
    SHOWN_PHASE,
    SHOWN_SIDE,
    SR,
    VR,
    Lane,
    State,
)  # fmt: skip
from engine.wyckoff.machine import step
from engine.wyckoff.phases import NONE, T13, WARMUP, A, B, E, move, reckon, wipe
from engine.wyckoff.ranges import measure
from engine.wyckoff.records import emit_change


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


class Output(NamedTuple):
    """Room for records; `used` holds one number."""

    wholes: Int64
    reals: Float64
    used: Int64


@kernel
def scan(start: int, feed: Feed, decor: Decor, state: State, places: Int16, gates: Float64, output: Output) -> int:
    """Detect on bars from `start`; returns the row at which it stopped.

    `places` gives a timeframe's number among the detected ones, or -1; `gates` is (detected, COUNT).
    """
    detected, rows = len(gates), len(feed.close)
    feed, decor, state, output = lend_feed(feed), lend_decor(decor), lend_state(state), lend_output(output)
    gates, places = borrowed(gates), borrowed(places)
    for row in range(start, rows):
        if output.used[0] + MOST_RECORDS_PER_BAR > len(output.wholes):
            return row
        place = places[feed.timeframe[row]]
        if place < 0 or feed.source[row] == PARTIAL:
            pass_over(row, decor)
            continue
        slot = feed.instrument[row] * detected + place
        if feed.volume[row] > 0.0:
            take(row, slot, gates[place], feed, decor, state, output)
        else:
            take_empty(row, slot, gates[place], feed, decor, state)
        show(row, slot, decor, state)
    return rows


@hot
def pass_over(row: int, decor: Decor) -> None:
    """A bar that is not detected on."""
    decor.vr[row] = decor.sr[row] = decor.cp[row] = decor.atr[row] = np.nan
    decor.phase[row] = decor.direction[row] = 0
    decor.confidence[row] = decor.swing_low[row] = decor.swing_high[row] = np.nan


@hot
def show(row: int, slot: int, decor: Decor, state: State) -> None:
    side = state.counts[slot, SHOWN_SIDE]
    decor.atr[row] = state.levels[slot, ATR] if state.counts[slot, BARS] > 0 else np.nan
    decor.phase[row], decor.direction[row] = state.counts[slot, SHOWN_PHASE], side
    decor.confidence[row] = 0.0
    if side != 0:
        decor.confidence[row] = state.reals[slot, 0 if side > 0 else 1, CONFIDENCE]


@hot
def take_empty(row: int, slot: int, gates: Float64, feed: Feed, decor: Decor, state: State) -> None:
    """A bar without volume: shown, but no part of any window, so that nothing can anchor on it."""
    high, low = feed.high[row], feed.low[row]
    decor.vr[row] = np.nan
    lookback = int(gates[g.SR_LOOKBACK_BARS])
    decor.sr[row] = spread_ratio(state.windows[slot], state.counts[slot, NEXT], high - low, lookback)
    decor.cp[row] = close_position(high, low, feed.close[row])
    decor.swing_low[row] = decor.swing_high[row] = np.nan


@hot
def take(row: int, slot: int, gates: Float64, feed: Feed, decor: Decor, state: State, output: Output) -> None:
    """A bar with volume: features, swings, both machines, what is shown."""
    window, opens, levels, counts = state.windows[slot], state.opens[slot], state.levels[slot], state.counts[slot]
    high, low, close = feed.high[row], feed.low[row], feed.close[row]
    at = push(window, opens, levels, counts, gates, high, low, close, feed.volume[row], feed.open_ns[row])
    decor.vr[row], decor.sr[row] = window[VR, at], window[SR, at]
    decor.cp[row] = close_position(high, low, close)
    swing_low, swing_high = swing(window, levels, gates, 0, at), -swing(window, levels, gates, MIRRORED, at)
    decor.swing_low[row], decor.swing_high[row] = swing_low, swing_high
    bar = counts[BARS] - 1
    if bar + 1 < gates[g.PRIOR_MOVE_BARS] or bar <= gates[g.VR_LOOKBACK_BARS] or bar <= gates[g.ATR_BARS]:
        return
    has_swing = not (np.isnan(swing_low) and np.isnan(swing_high))
    wholes, is_first = state.wholes[slot], counts[SHOWN_PHASE] == WARMUP
    phase_up, phase_down = wholes[0, PHASE], wholes[1, PHASE]
    for side in range(2):
        lane = lane_of(side, slot, at, row, gates, state, output)
        if is_first:
            wholes[side, PHASE] = NONE
            wipe(lane)
        step(lane)
    for side in range(2):
        started, now = (phase_down, wholes[1, PHASE]) if side == 0 else (phase_up, wholes[0, PHASE])
        settle(lane_of(side, slot, at, row, gates, state, output), started == A and now == B, has_swing)
    choose(slot, at, row, gates, state, output)


@hot
def lane_of(side: int, slot: int, at: int, row: int, gates: Float64, state: State, output: Output) -> Lane:
    """Side 0 is accumulation, 1 its mirror."""
    return Lane(
        state.windows[slot], state.opens[slot], state.levels[slot], gates, state.reals[slot, side],
        state.wholes[slot, side], side * MIRRORED, at, state.counts[slot, BARS] - 1, row,
        output.wholes, output.reals, output.used,
    )  # fmt: skip


@hot
def settle(lane: Lane, is_opposed: bool, has_swing: bool) -> None:
    """T13: a range on the other side ends a markup. Then confidence, where anything changed."""
    if is_opposed and lane.wholes[PHASE] == E:
        move(lane, T13)
        wipe(lane)
    if has_swing and lane.wholes[PHASE] >= B:
        measure(lane)
        lane.wholes[DIRTY] = 1
    if lane.wholes[DIRTY] == 1:
        reckon(lane)
        lane.wholes[DIRTY] = 0


@hot
def choose(slot: int, at: int, row: int, gates: Float64, state: State, output: Output) -> None:
    """Show the side with the higher confidence; on a tie the one already shown, else none."""
    counts, phases = state.counts[slot], state.wholes[slot, :, PHASE]
    side = 0
    if phases[0] >= A and phases[1] >= A:
        lead = state.reals[slot, 0, CONFIDENCE] - state.reals[slot, 1, CONFIDENCE]
        side = 1 if lead > 0.0 else -1 if lead < 0.0 else counts[SHOWN_SIDE]
    elif phases[0] >= A or phases[1] >= A:
        side = 1 if phases[0] >= A else -1
    phase = NONE if side == 0 else phases[0] if side > 0 else phases[1]
    if phase != counts[SHOWN_PHASE] or side != counts[SHOWN_SIDE]:
        lane = lane_of(1 if side < 0 else 0, slot, at, row, gates, state, output)
        emit_change(lane, side, counts[SHOWN_PHASE], phase)
        counts[SHOWN_PHASE], counts[SHOWN_SIDE] = phase, side


@hot
def lend_feed(feed: Feed) -> Feed:
    return Feed(
        borrowed(feed.open_ns), borrowed(feed.instrument), borrowed(feed.timeframe), borrowed(feed.high),
        borrowed(feed.low), borrowed(feed.close), borrowed(feed.volume), borrowed(feed.source),
    )  # fmt: skip


@hot
def lend_decor(decor: Decor) -> Decor:
    return Decor(
        borrowed(decor.vr), borrowed(decor.sr), borrowed(decor.cp), borrowed(decor.atr), borrowed(decor.phase),
        borrowed(decor.direction), borrowed(decor.confidence), borrowed(decor.swing_low), borrowed(decor.swing_high),
    )  # fmt: skip


@hot
def lend_state(state: State) -> State:
    return State(
        borrowed(state.windows), borrowed(state.opens), borrowed(state.levels), borrowed(state.counts),
        borrowed(state.reals), borrowed(state.wholes),
    )  # fmt: skip


@hot
def lend_output(output: Output) -> Output:
    return Output(borrowed(output.wholes), borrowed(output.reals), borrowed(output.used))
