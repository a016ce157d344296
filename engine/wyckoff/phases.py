"""What all phases share: moving along an edge, forgetting a range, and how sure we are of it."""

import numpy as np

from engine.kernels import kernel
from engine.wyckoff import gates as g
from engine.wyckoff.edges import NONE, TARGETS, A, B, C, D
from engine.wyckoff.features import close_of
from engine.wyckoff.layout import (
    AR_SCORE,
    B_BAR,
    BIAS,
    CLIMAX_ATR,
    CLIMAX_BAR,
    CLIMAX_CLOSE,
    CLIMAX_DOWN,
    CLIMAX_LOW,
    CLIMAX_MIDDLE,
    CLIMAX_NS,
    CLIMAX_PRIOR,
    CLIMAX_SR,
    CLIMAX_VR,
    CLUSTER,
    COMPLETENESS,
    CONFIDENCE,
    DIRTY,
    DOWN_VR,
    DOWNS,
    EDGE,
    FIRST_SCORE,
    INSIDE_BAR,
    IS_WEAK,
    LAST_SCORE,
    LEG_BAR,
    LPS_BAR,
    LPS_SCORE,
    MEAN_SCORE,
    ON_HOLD,
    ORIGIN,
    PHASE,
    PS_SCORE,
    QUALITY,
    REALS,
    SC_BAR,
    SC_SCORE,
    SIGNATURE,
    SOFT_BAR,
    SOS_BAR,
    SOS_SCORE,
    SPRING_SCORE,
    ST_SCORE,
    ST_TRY_BAR,
    SUM_T_VR,
    SUM_VR,
    THRUST_BAR,
    TRIAL_BAR,
    UP_VR,
    UPS,
    VOLUME_BARS,
    VR,
    WHOLES,
    Lane,
)  # fmt: skip


@kernel
def move(lane: Lane, edge: int) -> None:
    """Follow an edge of the table."""
    lane.wholes[PHASE] = TARGETS[edge]
    lane.wholes[EDGE] = edge
    lane.wholes[DIRTY] = 1


@kernel
def wipe(lane: Lane) -> None:
    """Forget the range; keep the phase, and a climax that waits for its confirmation."""
    wholes, reals = lane.wholes, lane.reals
    phase, edge, dirty, bar, ns = wholes[PHASE], wholes[EDGE], wholes[DIRTY], wholes[CLIMAX_BAR], wholes[CLIMAX_NS]
    low, middle, vr, sr = reals[CLIMAX_LOW], reals[CLIMAX_MIDDLE], reals[CLIMAX_VR], reals[CLIMAX_SR]
    atr, prior, close = reals[CLIMAX_ATR], reals[CLIMAX_PRIOR], reals[CLIMAX_CLOSE]
    down = reals[CLIMAX_DOWN]
    for index in range(REALS):
        reals[index] = np.nan
    for index in range(WHOLES):
        wholes[index] = 0
    wholes[PHASE], wholes[EDGE], wholes[DIRTY], wholes[CLIMAX_BAR], wholes[CLIMAX_NS] = phase, edge, dirty, bar, ns
    reals[CLIMAX_LOW], reals[CLIMAX_MIDDLE], reals[CLIMAX_VR], reals[CLIMAX_SR] = low, middle, vr, sr
    reals[CLIMAX_ATR], reals[CLIMAX_PRIOR], reals[CLIMAX_CLOSE] = atr, prior, close
    reals[CLIMAX_DOWN] = down
    wholes[SC_BAR] = wholes[ST_TRY_BAR] = wholes[SOFT_BAR] = wholes[THRUST_BAR] = -1
    wholes[LEG_BAR] = wholes[TRIAL_BAR] = wholes[SOS_BAR] = wholes[LPS_BAR] = wholes[INSIDE_BAR] = -1
    reals[CONFIDENCE] = reals[BIAS] = 0.0


@kernel
def clear(lane: Lane) -> None:
    """A lane as it is before anything happened."""
    lane.wholes[PHASE], lane.wholes[EDGE], lane.wholes[DIRTY], lane.wholes[CLIMAX_BAR] = NONE, 0, 0, -1
    wipe(lane)


@kernel
def start_cause(lane: Lane) -> None:
    """Phase B begins: its bars and its volume are counted from here."""
    lane.wholes[B_BAR] = lane.bar
    lane.wholes[LEG_BAR] = lane.wholes[THRUST_BAR] = -1
    lane.wholes[VOLUME_BARS] = lane.wholes[UPS] = lane.wholes[DOWNS] = 0
    lane.reals[SUM_VR] = lane.reals[SUM_T_VR] = lane.reals[UP_VR] = lane.reals[DOWN_VR] = 0.0


@kernel
def fold_volume(lane: Lane) -> None:
    """Phases B and C: does volume contract, and is it heavier on up bars?"""
    vr = lane.window[VR + lane.at]
    lane.reals[SUM_VR] += vr
    lane.reals[SUM_T_VR] += lane.wholes[VOLUME_BARS] * vr
    lane.wholes[VOLUME_BARS] += 1
    change = close_of(lane, lane.bar) - close_of(lane, lane.bar - 1)
    if change > 0.0:
        lane.reals[UP_VR] += vr
        lane.wholes[UPS] += 1
    elif change < 0.0:
        lane.reals[DOWN_VR] += vr
        lane.wholes[DOWNS] += 1


@kernel
def add_bias(lane: Lane, points: float) -> None:
    """Evidence inside the range for or against its side, in points of confidence (3.5)."""
    limit = lane.gates[g.BIAS_MAX_POINTS]
    lane.reals[BIAS] = min(limit, max(-limit, lane.reals[BIAS] + points))
    lane.wholes[DIRTY] = 1


@kernel
def has_demand(lane: Lane) -> bool:
    """In phases B and C, up bars carried more volume than down bars."""
    ups, downs = lane.wholes[UPS], lane.wholes[DOWNS]
    return bool(ups > 0 and downs > 0 and lane.reals[UP_VR] * downs > lane.reals[DOWN_VR] * ups)


@kernel
def volume_signature(lane: Lane) -> float:
    """0, 0.5 or 1: one half for a falling slope of vr in the range, one for heavier up bars."""
    count = lane.wholes[VOLUME_BARS]
    signature = 0.5 if has_demand(lane) else 0.0
    if count >= 3 and lane.reals[SUM_T_VR] < (count - 1) / 2 * lane.reals[SUM_VR]:
        signature += 0.5
    return signature


@kernel
def completeness(lane: Lane) -> float:
    """Share of the events this phase requires that are there. Touches stand for one of a cluster's three."""
    phase, reals = lane.wholes[PHASE], lane.reals
    is_cluster = lane.wholes[ORIGIN] == CLUSTER
    present = 1 if is_cluster else int(not np.isnan(reals[SC_SCORE])) + int(not np.isnan(reals[AR_SCORE]))
    if phase == A:
        return present / 2
    present += int(not np.isnan(reals[ST_SCORE]))
    if phase == B:
        return present / 3
    sprung, strong = not np.isnan(reals[SPRING_SCORE]), lane.wholes[IS_WEAK] == 0 and not np.isnan(reals[SOS_SCORE])
    if phase == C:
        return (present + int(sprung)) / 4
    present += int(strong)
    if phase == D:
        return present / 4
    return (present + int(not np.isnan(reals[LPS_SCORE]))) / 5


@kernel
def mean_score(lane: Lane) -> float:
    """Of the events there are; 0 without any."""
    total, count = 0.0, 0
    for index in range(FIRST_SCORE, LAST_SCORE + 1):
        if not np.isnan(lane.reals[index]):
            total += lane.reals[index]
            count += 1
    return total / count if count > 0 else 0.0


@kernel
def reckon(lane: Lane) -> None:
    """Confidence, 0..100 (rule book 4.2): 40 % mean event score, 25 % range quality, 20 %
    completeness, 15 % volume. What is absent adds nothing."""
    reals, gates, phase = lane.reals, lane.gates, lane.wholes[PHASE]
    if phase < A:
        reals[CONFIDENCE] = 0.0
        return
    reals[MEAN_SCORE], reals[COMPLETENESS], reals[SIGNATURE] = mean_score(lane), completeness(lane), 0.0
    confidence = gates[g.PHASE_WEIGHTS] * reals[MEAN_SCORE] / 100.0
    confidence += gates[g.PHASE_WEIGHTS + 2] * reals[COMPLETENESS]
    if not np.isnan(reals[QUALITY]):
        reals[SIGNATURE] = volume_signature(lane)
        confidence += gates[g.PHASE_WEIGHTS + 1] * reals[QUALITY] / 100.0
        confidence += gates[g.PHASE_WEIGHTS + 3] * reals[SIGNATURE]
    if phase == A and not np.isnan(reals[PS_SCORE]):
        confidence += gates[g.PS_POINTS] * reals[PS_SCORE] / 100.0
    if lane.wholes[ON_HOLD] == 1 and np.isnan(reals[ST_SCORE]):
        confidence -= gates[g.HOLD_POINTS]
    if phase == D and lane.wholes[IS_WEAK] == 1:
        confidence -= gates[g.WEAK_POINTS]
    reals[CONFIDENCE] = min(100.0, max(0.0, confidence + reals[BIAS]))
