"""Last point of support: the quiet backup to the edge of the range after a breakout (rule book 3.11).

The pullback runs from the highest high since the breakout to the lowest low since that high. It is
confirmed by a close above the high of its lowest bar, within three bars. There may be several.
"""

from engine.kernels import hot, kernel
from engine.wyckoff import gates as g
from engine.wyckoff.features import close_of, high_of, low_of, place_of, ramp
from engine.wyckoff.layout import (
    ATR_BEFORE,
    IS_WEAK,
    LPS_BAR,
    LPS_COUNT,
    LPS_SCORE,
    RESISTANCE,
    SOS_BAR,
    SOS_LEG_VR,
    SOS_SCORE,
    SR,
    VR,
    Lane,
)  # fmt: skip
from engine.wyckoff.records import LPS, emit


@hot
def seek_backup(lane: Lane) -> None:
    """One bar of phase D or E."""
    gates, wholes = lane.gates, lane.wholes
    if lane.bar - wholes[SOS_BAR] > gates[g.LPS_WINDOW_BARS]:
        return
    top, low_bar = pullback(lane, max(wholes[SOS_BAR], wholes[LPS_BAR]))
    if low_bar - top < gates[g.LPS_PULLBACK_BARS] or not turns_up(lane, low_bar):
        return
    low, level, atr = low_of(lane, low_bar), lane.reals[RESISTANCE], lane.levels[ATR_BEFORE]
    if not level - gates[g.LPS_UNDER_ATR] * atr <= low <= level + gates[g.LPS_OVER_ATR] * atr:
        return
    mean_vr, mean_sr = pullback_effort(lane, top, low_bar)
    place = place_of(lane, low_bar)
    if mean_vr > gates[g.LPS_LEG_FRACTION] * lane.reals[SOS_LEG_VR] or lane.window[VR, place] > gates[g.LPS_VR_BAR]:
        return
    if mean_sr > gates[g.LPS_SR_MEAN] or lane.window[SR, place] == 0.0:
        return
    lowest_close = close_of(lane, lane.bar)
    for bar in range(wholes[SOS_BAR], lane.bar):
        lowest_close = min(lowest_close, close_of(lane, bar))
    held = (lowest_close - level) / atr
    if held >= -gates[g.LPS_UNDER_ATR]:
        record_backup(lane, low_bar, backup_score(lane, low_bar, mean_vr, mean_sr, held))


@kernel
def pullback(lane: Lane, start: int) -> tuple[int, int]:
    """Bars of the highest high from `start` on, and of the lowest low after it (the first of equals)."""
    top = start
    for bar in range(start + 1, lane.bar + 1):
        if high_of(lane, bar) > high_of(lane, top):
            top = bar
    low_bar = min(top + 1, lane.bar)
    for bar in range(low_bar + 1, lane.bar + 1):
        if low_of(lane, bar) < low_of(lane, low_bar):
            low_bar = bar
    return top, low_bar


@kernel
def turns_up(lane: Lane, low_bar: int) -> bool:
    """This close is the first above the high of the low bar, at most three bars after it."""
    if lane.bar == low_bar or lane.bar - low_bar > lane.gates[g.LPS_CONFIRM_BARS]:
        return False
    high = high_of(lane, low_bar)
    for bar in range(low_bar + 1, lane.bar):
        if close_of(lane, bar) > high:
            return False
    return bool(close_of(lane, lane.bar) > high)


@kernel
def pullback_effort(lane: Lane, top: int, low_bar: int) -> tuple[float, float]:
    """Mean vr and mean sr of the bars after `top` up to `low_bar`."""
    vr, sr = 0.0, 0.0
    for place in range(place_of(lane, top) + 1, place_of(lane, low_bar) + 1):
        vr += lane.window[VR, place]
        sr += lane.window[SR, place]
    return vr / (low_bar - top), sr / (low_bar - top)


@kernel
def backup_score(lane: Lane, low_bar: int, mean_vr: float, mean_sr: float, held_atr: float) -> float:
    """Dry-up 30, spread 15, proximity 20, hold 15, bounce 10, the breakout's score 10."""
    atr, gates = lane.levels[ATR_BEFORE], lane.gates
    gap = (low_of(lane, low_bar) - lane.reals[RESISTANCE]) / atr
    near = ramp(gap, gates[g.LPS_OVER_ATR], 0.0) if gap > 0.0 else ramp(gap, -gates[g.LPS_UNDER_ATR], 0.0)
    bounce = (close_of(lane, lane.bar) - high_of(lane, low_bar)) / atr
    score = (
        30.0 * ramp(mean_vr / lane.reals[SOS_LEG_VR], 0.8, 0.4)
        + 15.0 * ramp(mean_sr, 1.0, 0.5)
        + 20.0 * near
        + 15.0 * ramp(held_atr, -gates[g.LPS_UNDER_ATR], 0.0)
        + 10.0 * ramp(bounce, 0.0, 0.5)
        + 0.1 * lane.reals[SOS_SCORE]
    )
    return float(min(score, gates[g.LPS_WEAK_CAP]) if lane.wholes[IS_WEAK] == 1 else score)


@kernel
def record_backup(lane: Lane, low_bar: int, score: float) -> None:
    lane.wholes[LPS_BAR] = lane.bar
    lane.wholes[LPS_COUNT] += 1
    lane.reals[LPS_SCORE] = score
    emit(lane, LPS, low_bar, low_of(lane, low_bar), score)
