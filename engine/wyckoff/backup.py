"""Last point of support: the quiet backup to the edge of the range after a breakout (rule book 3.11).

The pullback runs from the highest high since the breakout to the lowest low since that high. It is
confirmed by a close above the high of its lowest bar, within three bars. There may be several. A
backup that holds the middle of the range after a tested spring is tracked as one inside it.
"""

from engine.kernels import kernel
from engine.wyckoff import gates as g
from engine.wyckoff import kinds as k
from engine.wyckoff.features import close_of, high_of, low_of, ramp, sr_of, vr_of
from engine.wyckoff.layout import (
    ATR_BEFORE,
    INSIDE_BAR,
    IS_WEAK,
    LPS_BAR,
    LPS_COUNT,
    LPS_SCORE,
    RESISTANCE,
    SOS_BAR,
    SOS_LEG_VR,
    SOS_SCORE,
    SUPPORT,
    TEST_BAR,
    TEST_LOW,
    TEST_SCORE,
    TESTS,
    Lane,
)  # fmt: skip
from engine.wyckoff.records import emit, part


@kernel
def seek_backup(lane: Lane) -> None:
    """One bar of phase D or E. Only a bar that closes above the high before it can confirm one."""
    if lane.bar - lane.wholes[SOS_BAR] <= lane.gates[g.LPS_WINDOW_BARS] and may_turn_up(lane):
        judge_backup(lane)


@kernel
def may_turn_up(lane: Lane) -> bool:
    """Cheap and necessary: this close is above the high of one of the last three bars."""
    least = high_of(lane, lane.bar - 1)
    for bar in range(lane.bar - int(lane.gates[g.LPS_CONFIRM_BARS]), lane.bar - 1):
        least = min(least, high_of(lane, bar))
    return bool(close_of(lane, lane.bar) > least)


@kernel
def judge_backup(lane: Lane) -> None:
    gates, wholes = lane.gates, lane.wholes
    top, low_bar = pullback(lane, max(wholes[SOS_BAR], wholes[LPS_BAR]))
    if low_bar - top < gates[g.LPS_PULLBACK_BARS] or not turns_up(lane, low_bar):
        return
    low, level, atr = low_of(lane, low_bar), lane.reals[RESISTANCE], lane.levels[ATR_BEFORE]
    if not level - gates[g.LPS_UNDER_ATR] * atr <= low <= level + gates[g.LPS_OVER_ATR] * atr:
        return
    mean_vr, mean_sr = pullback_effort(lane, top, low_bar)
    if mean_vr > gates[g.LPS_LEG_FRACTION] * lane.reals[SOS_LEG_VR] or not is_quiet(lane, low_bar, mean_sr):
        return
    lowest_close = close_of(lane, lane.bar)
    for bar in range(wholes[SOS_BAR], lane.bar):
        lowest_close = min(lowest_close, close_of(lane, bar))
    held = (lowest_close - level) / atr
    if held >= -gates[g.LPS_UNDER_ATR]:
        record_backup(lane, low_bar, backup_score(lane, low_bar, mean_vr, mean_sr, held))


@kernel
def is_quiet(lane: Lane, low_bar: int, mean_sr: float) -> bool:
    """The low bar on no more than average volume, the pullback on no more than average spread."""
    return bool(
        vr_of(lane, low_bar) <= lane.gates[g.LPS_VR_BAR]
        and mean_sr <= lane.gates[g.LPS_SR_MEAN]
        and sr_of(lane, low_bar) != 0.0
    )


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
    for bar in range(top + 1, low_bar + 1):
        vr += vr_of(lane, bar)
        sr += sr_of(lane, bar)
    return vr / (low_bar - top), sr / (low_bar - top)


@kernel
def backup_score(lane: Lane, low_bar: int, mean_vr: float, mean_sr: float, held_atr: float) -> float:
    """Parts: dry-up, spread, proximity, hold, bounce, the breakout's score."""
    atr, gates = lane.levels[ATR_BEFORE], lane.gates
    gap = (low_of(lane, low_bar) - lane.reals[RESISTANCE]) / atr
    near = ramp(gap, gates[g.LPS_OVER_ATR], 0.0) if gap > 0.0 else ramp(gap, -gates[g.LPS_UNDER_ATR], 0.0)
    bounce = (close_of(lane, lane.bar) - high_of(lane, low_bar)) / atr
    score = (
        part(lane, g.LPS_WEIGHTS, ramp(mean_vr / lane.reals[SOS_LEG_VR], 0.8, 0.4))
        + part(lane, g.LPS_WEIGHTS, ramp(mean_sr, 1.0, 0.5))
        + part(lane, g.LPS_WEIGHTS, near)
        + part(lane, g.LPS_WEIGHTS, ramp(held_atr, -gates[g.LPS_UNDER_ATR], 0.0))
        + part(lane, g.LPS_WEIGHTS, ramp(bounce, 0.0, 0.5))
        + part(lane, g.LPS_WEIGHTS, lane.reals[SOS_SCORE] / 100.0)
    )
    return float(min(score, gates[g.LPS_WEAK_CAP]) if lane.wholes[IS_WEAK] == 1 else score)


@kernel
def record_backup(lane: Lane, low_bar: int, score: float) -> None:
    lane.wholes[LPS_BAR] = lane.bar
    lane.wholes[LPS_COUNT] += 1
    lane.reals[LPS_SCORE] = score
    emit(lane, k.LPS, low_bar, low_of(lane, low_bar), score)


@kernel
def seek_inside_backup(lane: Lane) -> None:
    """One bar of phase C after the spring's test."""
    if lane.wholes[TESTS] > 0 and lane.bar > lane.wholes[TEST_BAR] and may_turn_up(lane):
        judge_inside_backup(lane)


@kernel
def judge_inside_backup(lane: Lane) -> None:
    gates, reals, wholes = lane.gates, lane.reals, lane.wholes
    top, low_bar = pullback(lane, max(wholes[TEST_BAR], wholes[INSIDE_BAR]))
    if low_bar - top < gates[g.LPS_PULLBACK_BARS] or not turns_up(lane, low_bar):
        return
    width, low = reals[RESISTANCE] - reals[SUPPORT], low_of(lane, low_bar)
    middle = reals[SUPPORT] + gates[g.LPS_INSIDE_FRACTION] * width
    mean_vr, mean_sr = pullback_effort(lane, top, low_bar)
    if low < middle or not is_quiet(lane, low_bar, mean_sr):
        return
    atr = lane.levels[ATR_BEFORE]
    score = (
        part(lane, g.INSIDE_WEIGHTS, ramp(mean_vr, 1.0, 0.5))
        + part(lane, g.INSIDE_WEIGHTS, ramp(mean_sr, 1.0, 0.5))
        + part(lane, g.INSIDE_WEIGHTS, ramp(low, middle, reals[RESISTANCE]))
        + part(lane, g.INSIDE_WEIGHTS, ramp((low - reals[TEST_LOW]) / atr, 0.0, 1.0))
        + part(lane, g.INSIDE_WEIGHTS, ramp((close_of(lane, lane.bar) - high_of(lane, low_bar)) / atr, 0.0, 0.5))
        + part(lane, g.INSIDE_WEIGHTS, reals[TEST_SCORE] / 100.0)
    )
    wholes[INSIDE_BAR] = lane.bar
    emit(lane, k.LPS_INSIDE, low_bar, low, score)
