"""Sign of strength, weak breakout and their failure (rule book 3.10; 4.4 t.T6, t.T8, t.T12, t.T15).

A sign of strength is a leg, not a bar: the rise of at most ten bars from its low to the close that
crosses resistance, on expanding volume. A crossing without such a leg, or one out of phase B that
is not strong enough, is a weak breakout: it moves the phases after three closes, it does not trade.
"""

import numpy as np

from engine.kernels import kernel
from engine.wyckoff import edges as t
from engine.wyckoff import gates as g
from engine.wyckoff import kinds as k
from engine.wyckoff.edges import B
from engine.wyckoff.features import close_of, cp_of, high_of, low_of, place_of, ramp, sr_of, vr_of
from engine.wyckoff.layout import (
    ATR_BEFORE,
    B_BAR,
    HIGH,
    IS_ACTIVE,
    IS_WEAK,
    LOW,
    LPS_BAR,
    LPS_COUNT,
    LPS_SCORE,
    MINOR_DONE,
    PHASE,
    RESISTANCE,
    RESISTANCE_STRENGTH,
    SC_BAR,
    SIGNS,
    SOS_BAR,
    SOS_CLOSES_BELOW,
    SOS_HIGH,
    SOS_KIND,
    SOS_KNOWN_NS,
    SOS_LEG_VR,
    SOS_NS,
    SOS_SCORE,
    SPRING_SCORE,
    SPRINGS,
    ST_COUNT,
    TEST_SCORE,
    THRUSTS,
    VOLUME,
    VR,
    WEAK_ABOVE,
    Lane,
)  # fmt: skip
from engine.wyckoff.phases import move
from engine.wyckoff.ranges import measure
from engine.wyckoff.records import discard_parts, emit, part, relabel
from engine.wyckoff.spring import minimum_cause
from engine.wyckoff.upthrust import is_heavy, retag_breakout

RISING_SPAN_BARS = 200
"""The last third of a range is looked at for rising lows, a breakout for its top, within this many bars."""


@kernel
def seek_strength(lane: Lane) -> None:
    """One bar of phase B or C: a breakout, strong or weak, and the weak one's three closes."""
    gates, reals, wholes = lane.gates, lane.reals, lane.wholes
    close, atr, top = close_of(lane, lane.bar), lane.levels[ATR_BEFORE], reals[RESISTANCE]
    if wholes[IS_WEAK] == 1:
        if close < top - gates[g.SOS_FAIL_ATR] * atr:
            record_failure(lane)
            return
        wholes[WEAK_ABOVE] += int(close > top)
    if close >= top - gates[g.SOW_MINOR_ATR] * atr:
        if close >= top + max(gates[g.SOS_DISTANCE_ATR] * atr, gates[g.SOS_FRACTION] * abs(top)):
            judge_breakout(lane)
        elif gates[g.HAS_MINOR] > 0.0 and wholes[MINOR_DONE] == 0:
            judge_minor(lane)
    elif wholes[MINOR_DONE] == 1 and close < top - gates[g.SOW_REARM_ATR] * atr:
        wholes[MINOR_DONE] = 0
    if wholes[IS_WEAK] == 1 and wholes[WEAK_ABOVE] >= gates[g.WEAK_CLOSES]:
        move(lane, t.T15)


@kernel
def judge_breakout(lane: Lane) -> None:
    """A weak breakout that is still in play stays one until a strong leg comes."""
    wholes, phase = lane.wholes, lane.wholes[PHASE]
    has_leg, mean_vr, score = judge_leg(lane)
    strong = has_leg and wholes[ST_COUNT] >= 1 and wholes[IS_ACTIVE] == 1
    if strong and phase == B:
        measure(lane)
        strong = (
            lane.bar - wholes[B_BAR] >= minimum_cause(lane)
            and score >= lane.gates[g.SOS_DIRECT_SCORE]
            and lane.reals[RESISTANCE_STRENGTH] >= lane.gates[g.SOS_LEVEL_STRENGTH]
        )
    if strong:
        wholes[IS_WEAK] = 0
        move(lane, t.T6 if phase == B else t.T8)
        record_breakout(lane, k.SOS, mean_vr, score)
        wholes[SPRINGS] = 0
    elif wholes[IS_WEAK] == 0:
        wholes[IS_WEAK], wholes[WEAK_ABOVE] = 1, 1
        record_breakout(lane, k.BREAKOUT_WEAK, mean_vr, min(score, lane.gates[g.WEAK_SCORE_CAP]))
    else:
        discard_parts(lane)


@kernel
def judge_minor(lane: Lane) -> None:
    """A sign of weakness that stops at the boundary: supply shows, but it moves nothing (0.3 c)."""
    if lane.wholes[ST_COUNT] < 1:
        return
    has_leg, _, score = judge_leg(lane)
    if has_leg:
        lane.wholes[MINOR_DONE] = 1
        lane.wholes[SIGNS] += 1
        emit(lane, k.SOS_MINOR, lane.bar, close_of(lane, lane.bar), min(score, lane.gates[g.WEAK_SCORE_CAP]))
    else:
        discard_parts(lane)


@kernel
def record_breakout(lane: Lane, kind: int, mean_vr: float, score: float) -> None:
    wholes, reals = lane.wholes, lane.reals
    wholes[SOS_BAR], wholes[SOS_KIND], wholes[SOS_CLOSES_BELOW] = lane.bar, kind, 0
    wholes[SOS_NS] = wholes[SOS_KNOWN_NS] = lane.opens[lane.at]
    wholes[LPS_BAR], wholes[LPS_COUNT] = -1, 0
    reals[SOS_HIGH], reals[SOS_LEG_VR] = high_of(lane, lane.bar), mean_vr
    reals[SOS_SCORE], reals[LPS_SCORE] = score, np.nan
    emit(lane, kind, lane.bar, close_of(lane, lane.bar), score)


@kernel
def judge_leg(lane: Lane) -> tuple[bool, float, float]:
    """Does the leg to this close show demand; its mean vr; its score.

    Parts: volume, spread, close, distance, spring and test, rising lows.
    """
    gates, window = lane.gates, lane.window
    start = lane.bar
    for bar in range(lane.bar - 1, lane.bar - int(gates[g.SOS_LEG_BARS]), -1):
        if low_of(lane, bar) <= low_of(lane, start):
            start = bar
    weigh = VR if gates[g.IS_INTRADAY] > 0.0 else VOLUME
    wide, loud, up_volume, down_volume, total, most_vr, most_sr = 0, 0, 0.0, 0.0, 0.0, 0.0, 0.0
    for bar in range(start, lane.bar + 1):
        vr, sr, volume = vr_of(lane, bar), sr_of(lane, bar), window[weigh + place_of(lane, bar)]
        total += vr
        change = close_of(lane, bar) - close_of(lane, bar - 1)
        if change > 0.0:
            up_volume += volume
            most_vr, most_sr = max(most_vr, vr), max(most_sr, sr)
            wide += int(vr >= gates[g.SOS_VR] and sr >= gates[g.SOS_SR] and cp_of(lane, bar) >= gates[g.SOS_CP])
            loud += int(vr >= gates[g.SOS_PAIR_VR])
        elif change < 0.0:
            down_volume += volume
    has_leg = (wide >= 1 or loud >= 2) and up_volume >= down_volume
    score = part(lane, g.SOS_WEIGHTS, ramp(most_vr, 1.5, 2.5))
    score += part(lane, g.SOS_WEIGHTS, ramp(most_sr, 1.2, 2.0))
    return has_leg, total / (lane.bar - start + 1), score + context_points(lane)


@kernel
def context_points(lane: Lane) -> float:
    """Close, distance (full from 1 to 2 ATR, none at 4), spring and test by halves, rising lows."""
    distance = (close_of(lane, lane.bar) - lane.reals[RESISTANCE]) / lane.levels[ATR_BEFORE]
    sprung = 0.0 if np.isnan(lane.reals[SPRING_SCORE]) else 0.5
    tested = 0.0 if np.isnan(lane.reals[TEST_SCORE]) else 0.5
    return float(
        part(lane, g.SOS_WEIGHTS, ramp(cp_of(lane, lane.bar), 0.5, 0.9))
        + part(lane, g.SOS_WEIGHTS, min(ramp(distance, 0.25, 1.0), ramp(distance, 4.0, 2.0)))
        + part(lane, g.SOS_WEIGHTS, sprung + tested)
        + part(lane, g.SOS_WEIGHTS, 1.0 if has_rising(lane, 1.0) else 0.0)
    )


@kernel
def has_rising(lane: Lane, way: float) -> bool:
    """In the last third of the range, do lows (`way` 1) or highs (`way` -1) rise from half to half?"""
    span = min(RISING_SPAN_BARS, (lane.bar - lane.wholes[SC_BAR]) // 3)
    if span < 4:
        return False
    row = LOW if way * lane.sign > 0.0 else HIGH
    middle, early, late = lane.at - span // 2, np.inf, np.inf
    for place in range(lane.at - span + 1, lane.at + 1):
        level = way * lane.sign * lane.window[row + place]
        if place <= middle:
            early = min(early, level)
        else:
            late = min(late, level)
    return bool(way * late > way * early)


@kernel
def breakout_failed(lane: Lane) -> bool:
    """Two closes half an ATR back inside within ten bars; one, at any time, after a weak breakout."""
    gates, wholes = lane.gates, lane.wholes
    weak = wholes[IS_WEAK] == 1
    if lane.bar - wholes[SOS_BAR] > gates[g.SOS_FAIL_BARS] and not weak:
        return False
    back = lane.reals[RESISTANCE] - gates[g.SOS_FAIL_ATR] * lane.levels[ATR_BEFORE]
    wholes[SOS_CLOSES_BELOW] += int(close_of(lane, lane.bar) < back)
    return bool(wholes[SOS_CLOSES_BELOW] >= (1 if weak else gates[g.SOS_FAIL_CLOSES]))


@kernel
def reaction_cancels(lane: Lane) -> bool:
    """A wide, heavy down bar that closes on its low, in the pullback before any last point of support."""
    gates, window, breakout = lane.gates, lane.window, lane.wholes[SOS_BAR]
    if lane.wholes[LPS_COUNT] > 0 or lane.bar - breakout > gates[g.LPS_WINDOW_BARS]:
        return False
    return bool(
        window[VR + lane.at] >= gates[g.CANCEL_VR]
        and sr_of(lane, lane.bar) >= gates[g.CANCEL_SR]
        and close_of(lane, lane.bar) < close_of(lane, lane.bar - 1)
        and cp_of(lane, lane.bar) <= gates[g.CANCEL_CP]
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
    """T12: back to phase B."""
    move(lane, t.T12)
    record_failure(lane)


@kernel
def record_failure(lane: Lane) -> None:
    """The breakout is relabelled as failed, which is evidence of supply; met with supply, as an upthrust."""
    wholes = lane.wholes
    breakout = max(int(wholes[SOS_BAR]), lane.bar - RISING_SPAN_BARS)
    top = breakout
    for bar in range(breakout + 1, lane.bar + 1):
        if high_of(lane, bar) > high_of(lane, top):
            top = bar
    row = emit(lane, k.SOS_FAILED, lane.bar, close_of(lane, lane.bar), 0.0)
    relabel(lane, row, wholes[SOS_KIND], wholes[SOS_NS], wholes[SOS_KNOWN_NS])
    if is_heavy(lane, top):
        retag_breakout(lane, top, lane.bar - breakout)
    else:
        wholes[THRUSTS] += 1
    forget_breakout(lane)


@kernel
def forget_breakout(lane: Lane) -> None:
    lane.wholes[IS_WEAK], lane.wholes[WEAK_ABOVE], lane.wholes[SOS_BAR] = 0, 0, -1
    lane.wholes[LPS_BAR], lane.wholes[LPS_COUNT] = -1, 0
    lane.reals[SOS_SCORE] = lane.reals[LPS_SCORE] = np.nan
