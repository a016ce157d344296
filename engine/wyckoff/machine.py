"""One bar of one view: the state machine's step, phase by phase, following `phases.TRANSITIONS`."""

from engine.kernels import hot, kernel
from engine.wyckoff import gates as g
from engine.wyckoff.backup import seek_backup
from engine.wyckoff.climax import await_lower_climax, lower_climax, seek_climax
from engine.wyckoff.features import close_of, high_of
from engine.wyckoff.layout import (
    AR_BAR,
    ATR_BEFORE,
    CLIMAX_BAR,
    HELD_CLOSES,
    LEG_BAR,
    LEG_LOW_BAR,
    LPS_BAR,
    LPS_COUNT,
    ON_HOLD,
    PHASE,
    RECLAIM_BAR,
    SOS_BAR,
    SOS_HIGH,
    SPRING_LOW,
    SPRING_SCORE,
    ST_COUNT,
    SUPPORT,
    VR,
    Lane,
)  # fmt: skip
from engine.wyckoff.phases import (
    NONE,
    T3,
    T4,
    T9,
    T11,
    T13,
    T16,
    T17,
    A,
    B,
    C,
    D,
    E,
    fold_volume,
    move,
    start_cause,
    wipe,
)  # fmt: skip
from engine.wyckoff.rally import closes_inside, restart_zigzag, seek_rally, seek_test
from engine.wyckoff.ranges import measure, width_fits
from engine.wyckoff.spring import fail_range, seek_spring_test, void_spring, watch_support
from engine.wyckoff.strength import breakout_failed, fail_breakout, reaction_cancels, seek_strength


@hot
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
    if lane.wholes[PHASE] == NONE or lane.wholes[PHASE] == E:
        seek_climax(lane)


@hot
def in_phase_a(lane: Lane) -> None:
    """The prior trend stops: rally, then a test or a hold (T3), a lower climax (T2), or nothing (T4)."""
    gates, wholes = lane.gates, lane.wholes
    if wholes[CLIMAX_BAR] >= 0 or lower_climax(lane):
        await_lower_climax(lane)
        return
    under = lane.reals[SUPPORT] - gates[g.RANGE_FAIL_ATR] * lane.levels[ATR_BEFORE]
    if close_of(lane, lane.bar) < under and lane.window[VR, lane.at] >= 1.0:
        drop_range(lane)
        return
    if wholes[AR_BAR] == 0:
        seek_rally(lane)
    if wholes[PHASE] != A or wholes[AR_BAR] == 0:
        return
    wholes[HELD_CLOSES] = wholes[HELD_CLOSES] + 1 if closes_inside(lane) else 0
    seek_test(lane, lane.bar)
    if wholes[ST_COUNT] > 0:
        end_phase_a(lane)
    elif wholes[HELD_CLOSES] >= gates[g.HOLD_BARS]:
        wholes[ON_HOLD] = 1
        end_phase_a(lane)
    elif lane.bar - wholes[AR_BAR] >= gates[g.ST_WINDOW_BARS]:
        drop_range(lane)


@kernel
def drop_range(lane: Lane) -> None:
    """T4: nothing was confirmed that anyone may act on, so no event is due."""
    move(lane, T4)
    wipe(lane)


@kernel
def end_phase_a(lane: Lane) -> None:
    if not width_fits(lane):
        drop_range(lane)
        return
    move(lane, T3)
    start_cause(lane)
    measure(lane)


@hot
def in_phase_b(lane: Lane) -> None:
    """Cause is built: spring (T5), failure (T7), breakout (T6, T15), further tests."""
    fold_volume(lane)
    watch_support(lane)
    if lane.wholes[PHASE] == B:
        seek_strength(lane)
    if lane.wholes[PHASE] == B:
        seek_test(lane, lane.bar)


@hot
def in_phase_c(lane: Lane) -> None:
    """The test of supply: voided (T10), repeated, answered by strength (T8, T15), or stale (T9)."""
    fold_volume(lane)
    if close_of(lane, lane.bar) < lane.reals[SPRING_LOW]:
        void_spring(lane)
        return
    reclaimed = lane.wholes[RECLAIM_BAR]
    watch_support(lane)
    if lane.wholes[RECLAIM_BAR] == reclaimed and seek_spring_test(lane):
        back_to_cause(lane, T9)
        return
    seek_strength(lane)
    if lane.wholes[PHASE] == C and lane.bar - lane.wholes[RECLAIM_BAR] >= lane.gates[g.SPRING_STALE_BARS]:
        lane.reals[SPRING_SCORE] *= lane.gates[g.SPRING_STALE_FRACTION]
        back_to_cause(lane, T9)


@kernel
def back_to_cause(lane: Lane, edge: int) -> None:
    """Phase B again, its bars counted from where it first began."""
    move(lane, edge)
    lane.wholes[LEG_BAR] = lane.wholes[LEG_LOW_BAR] = -1
    restart_zigzag(lane, high_of(lane, lane.bar))


@hot
def in_phase_d(lane: Lane) -> None:
    """Demand dominates: backup and markup (T11), or the breakout fails (T12, T16, T17)."""
    wholes, close = lane.wholes, close_of(lane, lane.bar)
    if close < lane.reals[SUPPORT]:
        fail_range(lane, T17)
        return
    if breakout_failed(lane) or reaction_cancels(lane):
        fail_breakout(lane)
        restart_zigzag(lane, high_of(lane, lane.bar))
        return
    if wholes[LPS_COUNT] > 0 and lane.bar > wholes[LPS_BAR] and close > lane.reals[SOS_HIGH]:
        move(lane, T11)
        return
    seek_backup(lane)
    if lane.bar - wholes[SOS_BAR] >= lane.gates[g.D_MAX_BARS]:
        move(lane, T16)
        wipe(lane)


@hot
def in_phase_e(lane: Lane) -> None:
    """Markup: further backups, until price is back below support (T13)."""
    if close_of(lane, lane.bar) < lane.reals[SUPPORT]:
        move(lane, T13)
        wipe(lane)
        return
    seek_backup(lane)
