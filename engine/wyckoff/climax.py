"""Selling climax, and preliminary support: the climax that a lower one superseded (rule book 3.1, 3.2).

A bar on climactic volume and spread, at a 20-bar low after a fall of 4 ATR, is a candidate. It is
confirmed when price closes off its low: by its own close, or by a close above its middle within
five bars. Nothing is emitted before that.
"""

from engine.kernels import hot, kernel
from engine.wyckoff import gates as g
from engine.wyckoff.features import close_of, high_of, is_climactic, low_of, ramp
from engine.wyckoff.layout import (
    ATR_BEFORE,
    CLIMAX_ATR,
    CLIMAX_BAR,
    CLIMAX_LEAST,
    CLIMAX_LOW,
    CLIMAX_MIDDLE,
    CLIMAX_NS,
    CLIMAX_POINTS,
    CLIMAX_PRIOR,
    CLIMAX_SR,
    CLIMAX_VR,
    CP,
    OLD_SC_BAR,
    OLD_SC_KNOWN_NS,
    OLD_SC_NS,
    SC_ATR,
    SC_BAR,
    SC_KNOWN_NS,
    SC_LOW,
    SC_NS,
    SC_PRIOR,
    SC_SCORE,
    SC_SR,
    SC_VR,
    SR,
    SUPPORT,
    VR,
    Lane,
)  # fmt: skip
from engine.wyckoff.phases import T1, T2, T4, move, wipe
from engine.wyckoff.records import PS, SC, emit, relabel


@kernel
def is_lowest(lane: Lane, bars: int) -> bool:
    lowest = low_of(lane, lane.bar)
    for bar in range(lane.bar - bars + 1, lane.bar):
        lowest = min(lowest, low_of(lane, bar))
    return lowest == low_of(lane, lane.bar)


@kernel
def prior_move(lane: Lane) -> float:
    """The fall from the highest high of the last 60 bars to this close, in ATR."""
    highest = high_of(lane, lane.bar)
    for bar in range(lane.bar - int(lane.gates[g.PRIOR_MOVE_BARS]) + 1, lane.bar):
        highest = max(highest, high_of(lane, bar))
    return (highest - close_of(lane, lane.bar)) / float(lane.levels[ATR_BEFORE])


@kernel
def hold_candidate(lane: Lane, prior: float) -> None:
    """Remember this bar; 15 points for its close, 5 for closing under the close before."""
    wholes, reals, bar = lane.wholes, lane.reals, lane.bar
    wholes[CLIMAX_BAR], wholes[CLIMAX_NS] = bar, lane.opens[lane.at]
    reals[CLIMAX_LOW] = reals[CLIMAX_LEAST] = low_of(lane, bar)
    reals[CLIMAX_MIDDLE] = (high_of(lane, bar) + low_of(lane, bar)) / 2
    reals[CLIMAX_VR], reals[CLIMAX_SR] = lane.window[VR, lane.at], lane.window[SR, lane.at]
    reals[CLIMAX_ATR], reals[CLIMAX_PRIOR] = lane.levels[ATR_BEFORE], prior
    down = close_of(lane, bar) < close_of(lane, bar - 1)
    reals[CLIMAX_POINTS] = 15.0 * lane.window[lane.offset + CP, lane.at] + (5.0 if down else 0.0)


@hot
def seek_climax(lane: Lane) -> None:
    """Phases NONE and E: find a candidate, confirm it, let it expire."""
    wide = lane.window[SR, lane.at] >= lane.gates[g.SC_SR]
    if wide and is_climactic(lane) and is_lowest(lane, int(lane.gates[g.SC_LOW_BARS])):
        prior = prior_move(lane)
        if prior >= lane.gates[g.SC_PRIOR_ATR]:
            hold_candidate(lane, prior)
    if lane.wholes[CLIMAX_BAR] >= 0 and closed_off_low(lane):
        confirm_climax(lane, T1)


@kernel
def closed_off_low(lane: Lane) -> bool:
    """Condition (5) of the climax; forgets the candidate when its time is over."""
    age = lane.bar - lane.wholes[CLIMAX_BAR]
    lane.reals[CLIMAX_LEAST] = min(lane.reals[CLIMAX_LEAST], low_of(lane, lane.bar))
    if age == 0:
        return bool(lane.window[lane.offset + CP, lane.at] >= 0.5)
    if close_of(lane, lane.bar) > lane.reals[CLIMAX_MIDDLE]:
        return True
    if age >= lane.gates[g.SC_CONFIRM_BARS]:
        lane.wholes[CLIMAX_BAR] = -1
    return False


@kernel
def climax_score(lane: Lane) -> float:
    """Volume 35, spread 20, close off the low 20, prior move 15, follow-through 10."""
    reals = lane.reals
    through = (close_of(lane, lane.bar) - reals[CLIMAX_MIDDLE]) / reals[CLIMAX_ATR]
    return float(
        35.0 * ramp(reals[CLIMAX_VR], 1.6, 3.5)
        + 20.0 * ramp(reals[CLIMAX_SR], 1.3, 2.5)
        + reals[CLIMAX_POINTS]
        + 15.0 * ramp(reals[CLIMAX_PRIOR], 4.0, 10.0)
        + 10.0 * ramp(through, 0.0, 1.0)
    )


@kernel
def confirm_climax(lane: Lane, edge: int) -> None:
    """Open a range at the candidate. Support is the least low until now."""
    wholes, reals = lane.wholes, lane.reals
    bar, open_ns, score = wholes[CLIMAX_BAR], wholes[CLIMAX_NS], climax_score(lane)
    low, vr, sr, atr, prior = (
        reals[CLIMAX_LOW], reals[CLIMAX_VR], reals[CLIMAX_SR], reals[CLIMAX_ATR], reals[CLIMAX_PRIOR],
    )  # fmt: skip
    least = reals[CLIMAX_LEAST]
    move(lane, edge)
    old_ns, old_known_ns, relabelled = int(wholes[OLD_SC_NS]), int(wholes[OLD_SC_KNOWN_NS]), False
    if edge == T2:
        relabelled = emit_preliminary(lane)
    wipe(lane)
    wholes[SC_BAR], wholes[SC_NS], wholes[SC_KNOWN_NS] = bar, open_ns, lane.opens[lane.at]
    reals[SC_LOW], reals[SC_VR], reals[SC_SR], reals[SC_ATR], reals[SC_PRIOR] = low, vr, sr, atr, prior
    reals[SC_SCORE], reals[SUPPORT] = score, least
    row = emit(lane, SC, int(bar), low, score)
    if edge == T2 and not relabelled:
        relabel(lane, row, SC, old_ns, old_known_ns)


@hot
def lower_climax(lane: Lane) -> bool:
    """Phase A before a test: a lower low on climactic volume takes the climax's place."""
    reals = lane.reals
    if not lane.window[VR, lane.at] >= lane.gates[g.SC_AGAIN_VR] * reals[SC_VR]:
        return False
    if not (low_of(lane, lane.bar) < reals[SC_LOW] and lane.window[SR, lane.at] > 0.0):
        return False
    if lane.wholes[OLD_SC_BAR] == 0:
        lane.wholes[OLD_SC_BAR], lane.wholes[OLD_SC_NS] = lane.wholes[SC_BAR], lane.wholes[SC_NS]
        lane.wholes[OLD_SC_KNOWN_NS] = lane.wholes[SC_KNOWN_NS]
    hold_candidate(lane, prior_move(lane))
    return True


@kernel
def await_lower_climax(lane: Lane) -> None:
    """The lower climax confirms (T2), or the fall was not stopped and the range is dropped (T4)."""
    lower_climax(lane)
    if closed_off_low(lane):
        confirm_climax(lane, T2)
    elif lane.wholes[CLIMAX_BAR] < 0:
        move(lane, T4)
        wipe(lane)


@kernel
def emit_preliminary(lane: Lane) -> bool:
    """Relabel the old climax as preliminary support where it was one (3.1).

    Score: volume 40 (1.5 to 2.5), spread 25 (1.2 to 2.0), reaction 35 (1 to 3 ATR).
    """
    gates, reals, old = lane.gates, lane.reals, lane.wholes[OLD_SC_BAR]
    gap = lane.bar - old
    candidate_gap = lane.wholes[CLIMAX_BAR] - old
    if candidate_gap < gates[g.PS_SUPERSEDE_MIN_BARS] or candidate_gap > gates[g.PS_SUPERSEDE_MAX_BARS]:
        return False
    highest = reals[SC_LOW]
    for bar in range(old + 1, old + 1 + min(gap, int(gates[g.PS_REACTION_BARS]))):
        highest = max(highest, high_of(lane, bar))
    reaction = (highest - reals[SC_LOW]) / reals[SC_ATR]
    if not (reaction >= gates[g.PS_REACTION_ATR] and reals[SC_VR] >= gates[g.PS_VR] and reals[SC_SR] >= gates[g.PS_SR]):
        return False
    volume, spread = 40.0 * ramp(reals[SC_VR], 1.5, 2.5), 25.0 * ramp(reals[SC_SR], 1.2, 2.0)
    row = emit(lane, PS, int(old), reals[SC_LOW], volume + spread + 35.0 * ramp(reaction, 1.0, 3.0))
    relabel(lane, row, SC, lane.wholes[OLD_SC_NS], lane.wholes[OLD_SC_KNOWN_NS])
    return True
