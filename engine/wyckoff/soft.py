"""Soft stop: where a fall of 4 ATR ends at a swing low without a climax (rule book 3.2, last rule).

The swing low must be the lowest of 60 bars; it is confirmed once price has risen 2 ATR from it
within the time an automatic rally has. Its score is capped, so that a range begun this way has to
earn its confidence later.
"""

from engine.kernels import kernel
from engine.wyckoff import edges as t
from engine.wyckoff import gates as g
from engine.wyckoff import kinds as k
from engine.wyckoff.climax import climax_score, prior_move
from engine.wyckoff.features import atr_of, close_of, cp_of, high_of, low_of, place_of, sr_of, vr_of
from engine.wyckoff.layout import (
    CLIMAX_BAR,
    ORIGIN,
    PIVOT_BAR,
    PIVOTS,
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
    SOFT_ATR,
    SOFT_BAR,
    SOFT_HIGH,
    SOFT_LOW,
    SOFT_PRIOR,
    SUPPORT,
    Lane,
)  # fmt: skip
from engine.wyckoff.phases import move, wipe
from engine.wyckoff.records import emit


@kernel
def has_new_swing(lane: Lane) -> bool:
    """Did this bar confirm a swing low of this view?"""
    if lane.seen == 0:
        return False
    return bool(lane.pivots[PIVOT_BAR + (lane.seen - 1) % PIVOTS] == lane.bar - lane.gates[g.PIVOT_BARS])


@kernel
def watch_soft_stop(lane: Lane) -> None:
    """Phase NONE: hold the swing that a fall ended at, confirm it, or forget it."""
    if has_new_swing(lane):
        hold_swing(lane, lane.bar - int(lane.gates[g.PIVOT_BARS]))
    if lane.wholes[SOFT_BAR] >= 0:
        follow_swing(lane)


@kernel
def hold_swing(lane: Lane, bar: int) -> None:
    gates, reals, bars = lane.gates, lane.reals, int(lane.gates[g.SOFT_LOW_BARS])
    if bar + 1 < max(bars, int(gates[g.PRIOR_MOVE_BARS])):
        return
    low = low_of(lane, bar)
    for earlier in range(bar - bars + 1, bar):
        if low_of(lane, earlier) <= low:
            return
    prior = prior_move(lane, bar)
    if not prior >= gates[g.SOFT_PRIOR_ATR] or lane.bar - bar > gates[g.AR_MAX_BARS]:
        return
    lane.wholes[SOFT_BAR] = bar
    reals[SOFT_LOW], reals[SOFT_ATR], reals[SOFT_PRIOR] = low, atr_of(lane, bar), prior
    reals[SOFT_HIGH] = low
    for later in range(bar + 1, lane.bar + 1):
        reals[SOFT_HIGH] = max(reals[SOFT_HIGH], high_of(lane, later))


@kernel
def follow_swing(lane: Lane) -> None:
    wholes, reals, gates = lane.wholes, lane.reals, lane.gates
    reals[SOFT_HIGH] = max(reals[SOFT_HIGH], high_of(lane, lane.bar))
    if low_of(lane, lane.bar) < reals[SOFT_LOW] or lane.bar - wholes[SOFT_BAR] > gates[g.AR_MAX_BARS]:
        wholes[SOFT_BAR] = -1
    elif wholes[CLIMAX_BAR] < 0 and reals[SOFT_HIGH] - reals[SOFT_LOW] >= gates[g.SOFT_RISE_ATR] * reals[SOFT_ATR]:
        confirm_soft_stop(lane)


@kernel
def confirm_soft_stop(lane: Lane) -> None:
    """Open a range at the swing. A test is measured against at least an average bar."""
    wholes, reals, bar = lane.wholes, lane.reals, int(lane.wholes[SOFT_BAR])
    low, atr, prior = reals[SOFT_LOW], reals[SOFT_ATR], reals[SOFT_PRIOR]
    vr, sr = vr_of(lane, bar), sr_of(lane, bar)
    move(lane, t.T1)
    wipe(lane)
    wholes[ORIGIN] = SOFT
    wholes[SC_BAR], wholes[SC_NS], wholes[SC_KNOWN_NS] = bar, lane.opens[place_of(lane, bar)], lane.opens[lane.at]
    reals[SC_LOW], reals[SC_VR], reals[SC_SR], reals[SUPPORT] = low, max(vr, 1.0), max(sr, 1.0), low
    reals[SC_ATR], reals[SC_PRIOR] = atr, prior
    down = 0.25 if close_of(lane, bar) < close_of(lane, bar - 1) else 0.0
    through = (close_of(lane, lane.bar) - (high_of(lane, bar) + low) / 2) / atr
    score = climax_score(lane, (vr, sr), 0.75 * cp_of(lane, bar) + down, prior, through)
    reals[SC_SCORE] = min(score, lane.gates[g.SOFT_SCORE_CAP])
    emit(lane, k.SOFT_STOP, bar, low, reals[SC_SCORE])
