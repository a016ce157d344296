"""Selling climax, and preliminary support: the climax that a lower one superseded (rule book 3.1, 3.2).

A bar on climactic volume and spread, at a 20-bar low after a fall of 4 ATR, is a candidate. It is
confirmed when price closes off its low: by its own close, or by a close above its middle within
five bars. Nothing is emitted before that.
"""

from engine.kernels import hot, kernel
from engine.wyckoff import edges as t
from engine.wyckoff import gates as g
from engine.wyckoff import kinds as k
from engine.wyckoff.edges import NONE, A, E
from engine.wyckoff.features import atr_of, close_of, cp_of, high_of, is_climactic, low_of, ramp
from engine.wyckoff.layout import (
    ATR_BEFORE,
    CLIMAX,
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
    EDGE_VOLUME,
    ORIGIN,
    PHASE,
    PS_SCORE,
    SC_ATR,
    SC_BAR,
    SC_KNOWN_NS,
    SC_LOW,
    SC_NS,
    SC_PRIOR,
    SC_SCORE,
    SC_SR,
    SC_VR,
    SOFT,
    SR,
    SUPPORT,
    VOLUME,
    VR,
    Lane,
)  # fmt: skip
from engine.wyckoff.phases import move, wipe
from engine.wyckoff.records import emit, part, relabel


@kernel
def is_lowest(lane: Lane, bars: int) -> bool:
    lowest = low_of(lane, lane.bar)
    for bar in range(lane.bar - bars + 1, lane.bar):
        lowest = min(lowest, low_of(lane, bar))
    return lowest == low_of(lane, lane.bar)


@kernel
def prior_move(lane: Lane, bar: int) -> float:
    """The fall from the highest high of the 60 bars up to `bar` to its close, in ATR."""
    highest = high_of(lane, bar)
    for earlier in range(bar - int(lane.gates[g.PRIOR_MOVE_BARS]) + 1, bar):
        highest = max(highest, high_of(lane, earlier))
    return (highest - close_of(lane, bar)) / atr_of(lane, bar)


@kernel
def hold_candidate(lane: Lane) -> None:
    """Remember this bar as a climax that waits for its confirmation."""
    wholes, reals, bar = lane.wholes, lane.reals, lane.bar
    wholes[CLIMAX_BAR], wholes[CLIMAX_NS] = bar, lane.opens[lane.at]
    reals[CLIMAX_LOW] = low_of(lane, bar)
    reals[CLIMAX_MIDDLE] = (high_of(lane, bar) + low_of(lane, bar)) / 2
    reals[CLIMAX_VR], reals[CLIMAX_SR] = lane.window[VR + lane.at], lane.window[SR + lane.at]
    reals[CLIMAX_ATR], reals[CLIMAX_PRIOR] = lane.levels[ATR_BEFORE], prior_move(lane, bar)
    reals[CLIMAX_CLOSE] = cp_of(lane, bar)
    reals[CLIMAX_DOWN] = 1.0 if close_of(lane, bar) < close_of(lane, bar - 1) else 0.0


@hot
def is_loud(lane: Lane) -> bool:
    """The cheap part of the climax gates."""
    gates, window, at = lane.gates, lane.window, lane.at
    return bool(window[SR + at] >= gates[g.SC_SR] and window[VR + at] >= gates[g.SC_VR_FLOOR])


@kernel
def is_climax(lane: Lane) -> bool:
    """Gates (1) to (4) of the climax on the newest bar."""
    return bool(
        is_loud(lane)
        and is_lowest(lane, int(lane.gates[g.SC_LOW_BARS]))
        and is_climactic(lane)
        and prior_move(lane, lane.bar) >= lane.gates[g.SC_PRIOR_ATR]
    )


@kernel
def watch_climax(lane: Lane) -> None:
    """Find a candidate, confirm it, let it expire. Only where no range is in its way is it emitted."""
    if is_loud(lane) and is_climax(lane):
        hold_candidate(lane)
    if lane.wholes[CLIMAX_BAR] >= 0:
        await_climax(lane)


@kernel
def await_climax(lane: Lane) -> None:
    """In phases NONE and E a confirmed climax opens a range; in A a soft stop's range gives way to it."""
    wholes, phase = lane.wholes, lane.wholes[PHASE]
    is_soft = wholes[ORIGIN] == SOFT
    if not closed_off_low(lane):
        if wholes[CLIMAX_BAR] < 0 and phase == A:
            move(lane, t.T4)
            wipe(lane)
    elif phase in (NONE, E):
        confirm_climax(lane, t.T1)
    elif is_soft and phase == A:
        confirm_climax(lane, t.T2)
    else:
        wholes[CLIMAX_BAR] = -1


@kernel
def closed_off_low(lane: Lane) -> bool:
    """Condition (5) of the climax; forgets the candidate when its time is over."""
    age = lane.bar - lane.wholes[CLIMAX_BAR]
    if age == 0:
        return bool(lane.reals[CLIMAX_CLOSE] >= 0.5)
    if close_of(lane, lane.bar) > lane.reals[CLIMAX_MIDDLE]:
        return True
    if age >= lane.gates[g.SC_CONFIRM_BARS]:
        lane.wholes[CLIMAX_BAR] = -1
    return False


@kernel
def climax_score(lane: Lane, ratios: tuple[float, float], close: float, prior: float, through: float) -> float:
    """Parts: volume, spread, close off the low, prior move, follow-through. `ratios` are vr and sr."""
    return (
        part(lane, g.SC_WEIGHTS, ramp(ratios[0], 1.6, 3.5))
        + part(lane, g.SC_WEIGHTS, ramp(ratios[1], 1.3, 2.5))
        + part(lane, g.SC_WEIGHTS, close)
        + part(lane, g.SC_WEIGHTS, ramp(prior, 4.0, 10.0))
        + part(lane, g.SC_WEIGHTS, ramp(through, 0.0, 1.0))
    )


@kernel
def confirm_climax(lane: Lane, edge: int) -> None:
    """Open a range at the candidate. Its low is support until a secondary test lowers it (2.2)."""
    wholes, reals = lane.wholes, lane.reals
    bar, open_ns = wholes[CLIMAX_BAR], wholes[CLIMAX_NS]
    old_ns, old_known_ns = int(wholes[SC_NS]), int(wholes[SC_KNOWN_NS])
    old_kind = 0 if edge == t.T1 else k.SOFT_STOP if wholes[ORIGIN] == SOFT else k.SC
    move(lane, edge)
    preliminary = emit_preliminary(lane) if old_kind == k.SC else -1.0
    wholes[CLIMAX_BAR] = -1
    wipe(lane)
    wholes[ORIGIN] = CLIMAX
    wholes[SC_BAR], wholes[SC_NS], wholes[SC_KNOWN_NS] = bar, open_ns, lane.opens[lane.at]
    reals[SC_LOW], reals[SC_VR], reals[SC_SR] = reals[CLIMAX_LOW], reals[CLIMAX_VR], reals[CLIMAX_SR]
    reals[SC_ATR], reals[SC_PRIOR], reals[SUPPORT] = reals[CLIMAX_ATR], reals[CLIMAX_PRIOR], reals[CLIMAX_LOW]
    if preliminary >= 0.0:
        reals[PS_SCORE] = preliminary
    close = 0.75 * reals[CLIMAX_CLOSE] + 0.25 * reals[CLIMAX_DOWN]
    through = (close_of(lane, lane.bar) - reals[CLIMAX_MIDDLE]) / reals[CLIMAX_ATR]
    reals[SC_SCORE] = climax_score(lane, (reals[SC_VR], reals[SC_SR]), close, reals[SC_PRIOR], through)
    row = emit(lane, k.SC, int(bar), reals[SC_LOW], reals[SC_SCORE])
    if old_kind != 0 and preliminary < 0.0:
        relabel(lane, row, old_kind, old_ns, old_known_ns)


@kernel
def lower_climax(lane: Lane) -> bool:
    """Phase A before a test: a lower low on climactic volume takes the climax's place, or that of the
    candidate for it."""
    reals, at = lane.reals, lane.at
    least = reals[CLIMAX_LOW] if lane.wholes[CLIMAX_BAR] >= 0 else reals[SC_LOW]
    if not lane.window[VR + at] >= lane.gates[g.SC_AGAIN_VR] * reals[SC_VR]:
        return False
    if not (low_of(lane, lane.bar) < least and lane.window[SR + at] > 0.0):
        return False
    if lane.window[VOLUME + at] < lane.levels[EDGE_VOLUME]:
        return False
    hold_candidate(lane)
    return True


@kernel
def await_lower_climax(lane: Lane) -> None:
    """The lower climax confirms (T2), or the fall was not stopped and the range is dropped (T4)."""
    lower_climax(lane)
    if closed_off_low(lane):
        confirm_climax(lane, t.T2)
    elif lane.wholes[CLIMAX_BAR] < 0:
        move(lane, t.T4)
        wipe(lane)


@kernel
def stood_out(lane: Lane, old: int) -> bool:
    """Was the old climax at a 20-bar low after a fall (3.1)? One that took another's place need not be."""
    lowest = low_of(lane, old)
    for bar in range(old - int(lane.gates[g.SC_LOW_BARS]) + 1, old):
        lowest = min(lowest, low_of(lane, bar))
    return bool(lowest == low_of(lane, old) and prior_move(lane, old) >= lane.gates[g.SC_PRIOR_ATR])


@kernel
def emit_preliminary(lane: Lane) -> float:
    """Relabel the old climax as preliminary support where it was one (3.1); its score, else -1.

    Parts: volume (1.5 to 2.5), spread (1.2 to 2.0), reaction (1 to 3 ATR).
    """
    gates, reals, old = lane.gates, lane.reals, int(lane.wholes[SC_BAR])
    gap = lane.bar - old
    candidate_gap = lane.wholes[CLIMAX_BAR] - old
    if candidate_gap < gates[g.PS_SUPERSEDE_MIN_BARS] or candidate_gap > gates[g.PS_SUPERSEDE_MAX_BARS]:
        return -1.0
    highest = reals[SC_LOW]
    for bar in range(old + 1, old + 1 + min(gap, int(gates[g.PS_REACTION_BARS]))):
        highest = max(highest, high_of(lane, bar))
    reaction = (highest - reals[SC_LOW]) / reals[SC_ATR]
    if not (reaction >= gates[g.PS_REACTION_ATR] and reals[SC_VR] >= gates[g.PS_VR] and reals[SC_SR] >= gates[g.PS_SR]):
        return -1.0
    if not stood_out(lane, old):
        return -1.0
    score = (
        part(lane, g.PS_WEIGHTS, ramp(reals[SC_VR], 1.5, 2.5))
        + part(lane, g.PS_WEIGHTS, ramp(reals[SC_SR], 1.2, 2.0))
        + part(lane, g.PS_WEIGHTS, ramp(reaction, 1.0, 3.0))
    )
    row = emit(lane, k.PS, old, reals[SC_LOW], score)
    relabel(lane, row, k.SC, lane.wholes[SC_NS], lane.wholes[SC_KNOWN_NS])
    return score
