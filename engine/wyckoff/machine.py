"""One bar of one lane: the state machine's step, phase by phase, following `phases.TRANSITIONS`."""

from engine.kernels import kernel
from engine.wyckoff import edges as t
from engine.wyckoff import gates as g
from engine.wyckoff.backup import seek_backup, seek_inside_backup
from engine.wyckoff.climax import await_lower_climax, is_climax, is_loud, lower_climax, watch_climax
from engine.wyckoff.edges import NONE, A, B, C, D, E
from engine.wyckoff.features import close_of, high_of, low_of
from engine.wyckoff.layout import (
    AR_BAR,
    ATR_BEFORE,
    CLIMAX,
    CLIMAX_BAR,
    CLUSTER,
    CLUSTER_UP,
    HELD_CLOSES,
    LEG_BAR,
    LEG_LOW_BAR,
    LPS_BAR,
    LPS_COUNT,
    ON_HOLD,
    ORIGIN,
    PHASE,
    RANGE_ATR,
    RECLAIM_BAR,
    RESISTANCE,
    SC_LOW,
    SOFT,
    SOS_BAR,
    SOS_HIGH,
    SPRING_LOW,
    SPRING_SCORE,
    ST_COUNT,
    SUPPORT,
    THRUST_BAR,
    VR,
    Lane,
)  # fmt: skip
from engine.wyckoff.phases import fold_volume, move, start_cause, wipe
from engine.wyckoff.proof import seek_spring_test
from engine.wyckoff.rally import closes_inside, restart_zigzag, seek_rally, seek_test
from engine.wyckoff.ranges import check_active, fits, measure
from engine.wyckoff.soft import watch_soft_stop
from engine.wyckoff.spring import fail_range, void_spring, watch_support
from engine.wyckoff.strength import breakout_failed, fail_breakout, reaction_cancels, seek_strength
from engine.wyckoff.upthrust import watch_resistance


@kernel
def step(lane: Lane) -> None:
    """Judge the newest bar. A range that ends at this bar leaves it free to be a new climax."""
    phase = lane.wholes[PHASE]
    if phase == A:
        in_phase_a(lane)
    elif phase == B:
        in_phase_b(lane)
    elif phase == C:
        in_phase_c(lane)
    elif phase == D:
        in_phase_d(lane)
    elif phase == E:
        in_phase_e(lane)
    if lane.number < CLUSTER_UP:
        if lane.wholes[PHASE] != A or lane.wholes[ORIGIN] == SOFT:
            watch_climax(lane)
        if lane.wholes[PHASE] == NONE:
            watch_soft_stop(lane)


@kernel
def in_phase_a(lane: Lane) -> None:
    """The prior trend stops: rally, then a test or a hold (T3), a lower climax (T2), or nothing (T4)."""
    gates, wholes = lane.gates, lane.wholes
    if wholes[ORIGIN] == CLIMAX and (wholes[CLIMAX_BAR] >= 0 or lower_climax(lane)):
        await_lower_climax(lane)
        return
    if wholes[ORIGIN] == SOFT and yields_to_climax(lane):
        return
    under = lane.reals[SUPPORT] - gates[g.RANGE_FAIL_ATR] * lane.levels[ATR_BEFORE]
    if close_of(lane, lane.bar) < under and lane.window[VR + lane.at] >= 1.0:
        drop_range(lane)
        return
    if wholes[AR_BAR] == 0:
        seek_rally(lane)
    if wholes[PHASE] != A or wholes[AR_BAR] == 0:
        return
    wholes[HELD_CLOSES] = wholes[HELD_CLOSES] + 1 if closes_inside(lane) else 0
    if lane.bar > wholes[AR_BAR]:
        seek_test(lane, lane.bar)
    if wholes[ST_COUNT] > 0:
        end_phase_a(lane)
    elif wholes[HELD_CLOSES] >= gates[g.HOLD_BARS]:
        wholes[ON_HOLD] = 1
        end_phase_a(lane)
    elif lane.bar - wholes[AR_BAR] >= gates[g.ST_WINDOW_BARS]:
        drop_range(lane)


@kernel
def yields_to_climax(lane: Lane) -> bool:
    """A soft stop waits while a climax is in the making; a lower low without one ends it (T4)."""
    if lane.wholes[CLIMAX_BAR] >= 0 or (is_loud(lane) and is_climax(lane)):
        return True
    if low_of(lane, lane.bar) < lane.reals[SC_LOW]:
        drop_range(lane)
        return True
    return False


@kernel
def drop_range(lane: Lane) -> None:
    """T4: nothing was confirmed that anyone may act on, so no event is due."""
    move(lane, t.T4)
    wipe(lane)


@kernel
def end_phase_a(lane: Lane) -> None:
    if not fits(lane.gates, lane.reals[SUPPORT], lane.reals[RESISTANCE], lane.reals[RANGE_ATR]):
        drop_range(lane)
        return
    move(lane, t.T3)
    start_cause(lane)
    check_active(lane)
    measure(lane)


@kernel
def in_phase_b(lane: Lane) -> None:
    """Cause is built: spring (T5), failure (T7), breakout (T6, T15), upthrusts, further tests."""
    fold_volume(lane)
    check_active(lane)
    watch_support(lane)
    if lane.wholes[PHASE] != B:
        return
    watch_resistance(lane)
    seek_strength(lane)
    if lane.wholes[PHASE] == B and lane.wholes[ORIGIN] != CLUSTER:
        seek_test(lane, lane.bar)


@kernel
def in_phase_c(lane: Lane) -> None:
    """The test of supply: voided (T10), repeated, answered by strength (T8, T15), or stale (T9)."""
    fold_volume(lane)
    if close_of(lane, lane.bar) < lane.reals[SPRING_LOW]:
        void_spring(lane)
        return
    reclaimed = lane.wholes[RECLAIM_BAR]
    watch_support(lane)
    if lane.wholes[RECLAIM_BAR] == reclaimed and seek_spring_test(lane):
        back_to_cause(lane, t.T9)
        return
    seek_inside_backup(lane)
    seek_strength(lane)
    if lane.wholes[PHASE] == C and lane.bar - lane.wholes[RECLAIM_BAR] >= lane.gates[g.SPRING_STALE_BARS]:
        lane.reals[SPRING_SCORE] *= lane.gates[g.SPRING_STALE_FRACTION]
        back_to_cause(lane, t.T9)


@kernel
def back_to_cause(lane: Lane, edge: int) -> None:
    """Phase B again, its bars counted from where it first began."""
    move(lane, edge)
    lane.wholes[LEG_BAR] = lane.wholes[LEG_LOW_BAR] = lane.wholes[THRUST_BAR] = -1
    restart_zigzag(lane, high_of(lane, lane.bar))


@kernel
def in_phase_d(lane: Lane) -> None:
    """Demand dominates: backup and markup (T11), or the breakout fails (T12, t.T16, t.T17)."""
    wholes, close = lane.wholes, close_of(lane, lane.bar)
    if close < lane.reals[SUPPORT]:
        fail_range(lane, t.T17)
        return
    if breakout_failed(lane) or reaction_cancels(lane):
        fail_breakout(lane)
        lane.wholes[LEG_BAR] = lane.wholes[LEG_LOW_BAR] = lane.wholes[THRUST_BAR] = -1
        restart_zigzag(lane, high_of(lane, lane.bar))
        return
    if wholes[LPS_COUNT] > 0 and lane.bar > wholes[LPS_BAR] and close > lane.reals[SOS_HIGH]:
        move(lane, t.T11)
        return
    seek_backup(lane)
    if lane.bar - wholes[SOS_BAR] >= lane.gates[g.D_MAX_BARS]:
        move(lane, t.T16)
        wipe(lane)


@kernel
def in_phase_e(lane: Lane) -> None:
    """Markup: further backups, until price is back below support (T13)."""
    if close_of(lane, lane.bar) < lane.reals[SUPPORT]:
        move(lane, t.T13)
        wipe(lane)
        return
    seek_backup(lane)
