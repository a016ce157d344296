"""Sign of strength, weak breakout and their failure (rule book 3.10; 4.4 T6, T8, T12, T15).

A sign of strength is a leg, not a bar: the rise of at most ten bars from its low to the close that
crosses resistance, on expanding volume. A crossing without such a leg, or one out of phase B that
is not strong enough, is a weak breakout: it moves the phases after three closes, it does not trade.
"""

import numpy as np

from engine.kernels import hot, kernel
from engine.wyckoff import gates as g
from engine.wyckoff.features import close_of, high_of, low_of, place_of, ramp
from engine.wyckoff.layout import (
    ATR_BEFORE,
    B_BAR,
    CLOSE,
    CP,
    HIGH,
    IS_WEAK,
    LPS_BAR,
    LPS_COUNT,
    LPS_SCORE,
    PHASE,
    RESISTANCE,
    RESISTANCE_STRENGTH,
    SC_BAR,
    SOS_BAR,
    SOS_CLOSES_BELOW,
    SOS_HIGH,
    SOS_KIND,
    SOS_KNOWN_NS,
    SOS_LEG_VR,
    SOS_NS,
    SOS_SCORE,
    SPRING_SCORE,
    SR,
    ST_COUNT,
    TEST_SCORE,
    VOLUME,
    VR,
    WEAK_ABOVE,
    Lane,
)  # fmt: skip
from engine.wyckoff.phases import T6, T8, T12, T15, B, move
from engine.wyckoff.ranges import is_active, measure
from engine.wyckoff.records import BREAKOUT_WEAK, SOS, SOS_FAILED, emit, relabel
from engine.wyckoff.spring import minimum_cause

RISING_SPAN_BARS = 200
"""The last third of a range is looked at for rising lows, within this many bars."""


@hot
def seek_strength(lane: Lane) -> None:
    """One bar of phase B or C: a breakout, strong or weak, and the weak one's three closes."""
    gates, reals, wholes = lane.gates, lane.reals, lane.wholes
    close, atr, top = close_of(lane, lane.bar), lane.levels[ATR_BEFORE], reals[RESISTANCE]
    if wholes[IS_WEAK] == 1:
        if close < top - gates[g.SOS_FAIL_ATR] * atr:
            forget_breakout(lane)
            return
        wholes[WEAK_ABOVE] += int(close > top)
    if close >= top + max(gates[g.SOS_DISTANCE_ATR] * atr, gates[g.SOS_FRACTION] * abs(top)):
        judge_breakout(lane)
    if wholes[IS_WEAK] == 1 and wholes[WEAK_ABOVE] >= gates[g.WEAK_CLOSES]:
        move(lane, T15)


@kernel
def judge_breakout(lane: Lane) -> None:
    wholes, phase = lane.wholes, lane.wholes[PHASE]
    has_leg, mean_vr, score = judge_leg(lane)
    strong = has_leg and wholes[ST_COUNT] >= 1 and is_active(lane)
    if strong and phase == B:
        measure(lane)
        strong = (
            lane.bar - wholes[B_BAR] >= minimum_cause(lane)
            and score >= lane.gates[g.SOS_DIRECT_SCORE]
            and lane.reals[RESISTANCE_STRENGTH] >= lane.gates[g.SOS_LEVEL_STRENGTH]
        )
    if strong:
        wholes[IS_WEAK] = 0
        move(lane, T6 if phase == B else T8)
        record_breakout(lane, SOS, mean_vr, score)
    elif wholes[IS_WEAK] == 0:
        wholes[IS_WEAK], wholes[WEAK_ABOVE] = 1, 1
        record_breakout(lane, BREAKOUT_WEAK, mean_vr, min(score, lane.gates[g.WEAK_SCORE_CAP]))


@kernel
def record_breakout(lane: Lane, kind: int, mean_vr: float, score: float) -> None:
    wholes, reals = lane.wholes, lane.reals
    wholes[SOS_BAR], wholes[SOS_KIND], wholes[SOS_CLOSES_BELOW] = lane.bar, kind, 0
    wholes[SOS_NS] = wholes[SOS_KNOWN_NS] = lane.opens[lane.at]
    wholes[LPS_BAR], wholes[LPS_COUNT] = -1, 0
    reals[SOS_HIGH], reals[SOS_LEG_VR] = lane.window[lane.offset + HIGH, lane.at], mean_vr
    reals[SOS_SCORE], reals[LPS_SCORE] = score, np.nan
    emit(lane, kind, lane.bar, close_of(lane, lane.bar), score)


@kernel
def judge_leg(lane: Lane) -> tuple[bool, float, float]:
    """Does the leg to this close show demand; its mean vr; its score.

    Score: volume 30, spread 15, close 20, distance 15, spring and test 10, rising lows 10.
    """
    gates, window, close_row = lane.gates, lane.window, lane.offset + CLOSE
    start = lane.bar
    for bar in range(lane.bar - 1, lane.bar - int(gates[g.SOS_LEG_BARS]), -1):
        if low_of(lane, bar) <= low_of(lane, start):
            start = bar
    wide, loud, up_volume, down_volume, total, most_vr, most_sr = 0, 0, 0.0, 0.0, 0.0, 0.0, 0.0
    for place in range(place_of(lane, start), lane.at + 1):
        vr, sr = window[VR, place], window[SR, place]
        total += vr
        change = window[close_row, place] - window[close_row, place - 1]
        if change > 0.0:
            up_volume += window[VOLUME, place]
            most_vr, most_sr = max(most_vr, vr), max(most_sr, sr)
            wide += int(
                vr >= gates[g.SOS_VR] and sr >= gates[g.SOS_SR] and window[lane.offset + CP, place] >= gates[g.SOS_CP]
            )
            loud += int(vr >= gates[g.SOS_PAIR_VR])
        elif change < 0.0:
            down_volume += window[VOLUME, place]
    has_leg = (wide >= 1 or loud >= 2) and up_volume >= down_volume
    score = 30.0 * ramp(most_vr, 1.5, 2.5) + 15.0 * ramp(most_sr, 1.2, 2.0) + context_points(lane)
    return has_leg, total / (lane.bar - start + 1), score


@kernel
def context_points(lane: Lane) -> float:
    """Close 20, distance 15 (full from 1 to 2 ATR, none at 4), spring 5, test 5, rising lows 10."""
    distance = (close_of(lane, lane.bar) - lane.reals[RESISTANCE]) / lane.levels[ATR_BEFORE]
    points = 20.0 * ramp(lane.window[lane.offset + CP, lane.at], 0.5, 0.9)
    points += 15.0 * min(ramp(distance, 0.25, 1.0), ramp(distance, 4.0, 2.0))
    points += 0.0 if np.isnan(lane.reals[SPRING_SCORE]) else 5.0
    points += 0.0 if np.isnan(lane.reals[TEST_SCORE]) else 5.0
    return float(points + (10.0 if has_rising_lows(lane) else 0.0))


@kernel
def has_rising_lows(lane: Lane) -> bool:
    """In the last third of the range, the second half holds above the lowest low of the first."""
    span = min(RISING_SPAN_BARS, (lane.bar - lane.wholes[SC_BAR]) // 3)
    if span < 4:
        return False
    middle, early, late = lane.bar - span // 2, np.inf, np.inf
    for bar in range(lane.bar - span + 1, lane.bar + 1):
        if bar <= middle:
            early = min(early, low_of(lane, bar))
        else:
            late = min(late, low_of(lane, bar))
    return bool(late > early)


@hot
def breakout_failed(lane: Lane) -> bool:
    """Two closes half an ATR back inside within ten bars; one, at any time, after a weak breakout."""
    gates, wholes = lane.gates, lane.wholes
    weak = wholes[IS_WEAK] == 1
    if lane.bar - wholes[SOS_BAR] > gates[g.SOS_FAIL_BARS] and not weak:
        return False
    back = lane.reals[RESISTANCE] - gates[g.SOS_FAIL_ATR] * lane.levels[ATR_BEFORE]
    wholes[SOS_CLOSES_BELOW] += int(close_of(lane, lane.bar) < back)
    return bool(wholes[SOS_CLOSES_BELOW] >= (1 if weak else gates[g.SOS_FAIL_CLOSES]))


@hot
def reaction_cancels(lane: Lane) -> bool:
    """A wide, heavy down bar that closes on its low, in the pullback before any last point of support."""
    gates, window, breakout = lane.gates, lane.window, lane.wholes[SOS_BAR]
    if lane.wholes[LPS_COUNT] > 0 or lane.bar - breakout > gates[g.LPS_WINDOW_BARS]:
        return False
    return bool(
        close_of(lane, lane.bar) < close_of(lane, lane.bar - 1)
        and window[VR, lane.at] >= gates[g.CANCEL_VR]
        and window[SR, lane.at] >= gates[g.CANCEL_SR]
        and window[lane.offset + CP, lane.at] <= gates[g.CANCEL_CP]
        and pulls_back(lane)
    )


@kernel
def pulls_back(lane: Lane) -> bool:
    """Is this bar off the highest high since the breakout? A bar that makes a new high reacts to nothing."""
    highest = -np.inf
    for bar in range(lane.wholes[SOS_BAR], lane.bar):
        highest = max(highest, high_of(lane, bar))
    return bool(highest >= high_of(lane, lane.bar))


@kernel
def fail_breakout(lane: Lane) -> None:
    """T12: back to phase B; the breakout is relabelled as failed."""
    wholes = lane.wholes
    move(lane, T12)
    row = emit(lane, SOS_FAILED, lane.bar, close_of(lane, lane.bar), 0.0)
    relabel(lane, row, wholes[SOS_KIND], wholes[SOS_NS], wholes[SOS_KNOWN_NS])
    forget_breakout(lane)


@kernel
def forget_breakout(lane: Lane) -> None:
    lane.wholes[IS_WEAK], lane.wholes[WEAK_ABOVE], lane.wholes[SOS_BAR] = 0, 0, -1
    lane.wholes[LPS_BAR], lane.wholes[LPS_COUNT] = -1, 0
    lane.reals[SOS_SCORE] = lane.reals[LPS_SCORE] = np.nan
