"""Spring and its test: the decisive probe below support in phases B and C (rule book 3.6, 3.7).

A clock starts when price goes below support. A close back above it within the clock is a spring,
typed by the heaviest bar below: 3 is quiet, 1 is heavy, 2 between. Each spring moves support down
to its low. When the clock runs out, or price closes far below, the range has failed.
"""

import numpy as np

from engine.kernels import hot, kernel
from engine.wyckoff import gates as g
from engine.wyckoff.features import close_of, high_of, low_of, ramp
from engine.wyckoff.layout import (
    ATR_BEFORE,
    B_BAR,
    CP,
    LEG_ATR,
    LEG_BAR,
    LEG_CLOSE_BAR,
    LEG_CLOSES,
    LEG_LOW,
    LEG_LOW_BAR,
    LEG_SR,
    LEG_VR,
    OUT_VARIANT,
    RECLAIM_BAR,
    RESISTANCE,
    SPRING_BAR,
    SPRING_BASE,
    SPRING_KNOWN_NS,
    SPRING_LOW,
    SPRING_NS,
    SPRING_SCORE,
    SPRING_SR,
    SPRING_TYPE,
    SPRING_VR,
    SPRINGS,
    SR,
    ST_COUNT,
    ST_FIRST_VR,
    ST_LAST_VR,
    SUPPORT,
    SUPPORT_STRENGTH,
    TEST_SCORE,
    TESTS,
    TRIAL_ATR,
    TRIAL_BAR,
    TRIAL_HIGH,
    TRIAL_LOW,
    VR,
    Lane,
)  # fmt: skip
from engine.wyckoff.phases import T5, T7, T10, move, wipe
from engine.wyckoff.ranges import is_active, measure
from engine.wyckoff.records import RANGE_FAILED, SPRING, SPRING_FAILED, TEST, emit, relabel

QUIET, ORDINARY, HEAVY = 3, 2, 1


@kernel
def fail_range(lane: Lane, edge: int) -> None:
    """The range is over: say so with its levels, then forget it."""
    move(lane, edge)
    emit(lane, RANGE_FAILED, lane.bar, close_of(lane, lane.bar), 0.0)
    wipe(lane)


@hot
def watch_support(lane: Lane) -> None:
    """One bar of phase B or C: start, run or resolve the clock below support."""
    gates, reals, wholes = lane.gates, lane.reals, lane.wholes
    low, close = low_of(lane, lane.bar), close_of(lane, lane.bar)
    edge = gates[g.SPRING_EDGE_ATR] * lane.levels[ATR_BEFORE]
    if wholes[LEG_BAR] < 0:
        if low >= reals[SUPPORT] - edge and close >= reals[SUPPORT]:
            return
        start_leg(lane)
    if low < reals[SUPPORT]:
        follow_leg(lane, low)
    if close >= reals[SUPPORT]:
        resolve_leg(lane)
        wholes[LEG_BAR] = -1
        return
    wholes[LEG_CLOSES] += 1
    if wholes[LEG_CLOSE_BAR] < 0:
        wholes[LEG_CLOSE_BAR] = lane.bar
    far = close < reals[SUPPORT] - gates[g.SPRING_SHOCK_ATR] * lane.levels[ATR_BEFORE]
    late = lane.bar - wholes[LEG_CLOSE_BAR] >= gates[g.SPRING_RECLAIM_BARS]
    if far or late or wholes[LEG_CLOSES] > gates[g.SPRING_CLOSES_BELOW]:
        fail_range(lane, T7)


@kernel
def start_leg(lane: Lane) -> None:
    lane.wholes[LEG_BAR], lane.wholes[LEG_LOW_BAR] = lane.bar, lane.bar
    lane.wholes[LEG_CLOSES], lane.wholes[LEG_CLOSE_BAR] = 0, -1
    lane.reals[LEG_ATR], lane.reals[LEG_LOW] = lane.levels[ATR_BEFORE], np.inf
    lane.reals[LEG_VR] = lane.reals[LEG_SR] = 0.0


@kernel
def follow_leg(lane: Lane, low: float) -> None:
    """The deepest bar is the event; the heaviest decides the type. Flat bars anchor nothing."""
    reals = lane.reals
    if low < reals[LEG_LOW] and lane.window[SR, lane.at] > 0.0:
        reals[LEG_LOW] = low
        lane.wholes[LEG_LOW_BAR] = lane.bar
    reals[LEG_VR] = max(reals[LEG_VR], lane.window[VR, lane.at])
    reals[LEG_SR] = max(reals[LEG_SR], lane.window[SR, lane.at])


@kernel
def spring_type(lane: Lane) -> int:
    gates, vr, sr = lane.gates, lane.reals[LEG_VR], lane.reals[LEG_SR]
    if vr < gates[g.SPRING_QUIET_VR] and sr < gates[g.SPRING_QUIET_SR]:
        return QUIET
    if vr >= gates[g.SPRING_HEAVY_VR] and sr >= gates[g.SPRING_HEAVY_SR]:
        return HEAVY
    return ORDINARY


@kernel
def minimum_cause(lane: Lane) -> float:
    """Bars phase B must last: fewer where the mean absolute return of 20 bars exceeds 3 %."""
    total = 0.0
    for bar in range(lane.bar - 19, lane.bar + 1):
        before = close_of(lane, bar - 1)
        total += abs(close_of(lane, bar) - before) / abs(before)
    least = lane.gates[g.B_MIN_BARS]
    volatile = total / 20 > lane.gates[g.B_VOLATILE_RETURN]
    return float(min(least, lane.gates[g.B_VOLATILE_BARS]) if volatile else least)


@kernel
def resolve_leg(lane: Lane) -> None:
    """Closed back above support: is it a spring?"""
    gates, reals = lane.gates, lane.reals
    depth = reals[SUPPORT] - reals[LEG_LOW]
    kind = spring_type(lane)
    deepest = gates[g.SPRING_SHOCK_ATR] if kind == HEAVY else gates[g.SPRING_DEPTH_ATR]
    if not depth > gates[g.SPRING_EDGE_ATR] * reals[LEG_ATR]:
        return
    if depth > min(gates[g.DEPTH_FRACTION] * abs(reals[SUPPORT]), deepest * reals[LEG_ATR]):
        return
    if not is_active(lane) or lane.wholes[ST_COUNT] < 1:
        return
    measure(lane)
    base = spring_base(lane, depth / reals[LEG_ATR], deepest)
    score = base / 0.8 if kind == QUIET else base
    override = score > gates[g.B_OVERRIDE_SCORE] and lane.wholes[ST_COUNT] >= 2
    if lane.bar - lane.wholes[B_BAR] >= minimum_cause(lane) or override:
        confirm_spring(lane, kind, base, score)


@kernel
def spring_base(lane: Lane, depth_atr: float, deepest_atr: float) -> float:
    """0..80: volume 25, depth 10, speed 20, reclaim 10, level 10, background 5. The test adds 20."""
    reals, wholes = lane.reals, lane.wholes
    bars_below = lane.bar - wholes[LEG_CLOSE_BAR] if wholes[LEG_CLOSE_BAR] >= 0 else 0
    speed = 20.0 if bars_below <= 1 else max(0.0, 24.0 - 4.0 * bars_below)
    demand = 3.0 if lane.window[VR, lane.at] >= 1.0 else 0.0
    drying = 2.5 if wholes[ST_COUNT] >= 2 and reals[ST_LAST_VR] < reals[ST_FIRST_VR] else 0.0
    return float(
        25.0 * ramp(reals[LEG_VR], 1.5, 0.3)
        + 10.0 * min(ramp(depth_atr, 0.0, 0.2), ramp(depth_atr, deepest_atr, 0.8))
        + speed
        + 7.0 * ramp(lane.window[lane.offset + CP, lane.at], 0.3, 0.8)
        + demand
        + 0.1 * reals[SUPPORT_STRENGTH]
        + 2.5
        + drying
    )


@kernel
def confirm_spring(lane: Lane, kind: int, base: float, score: float) -> None:
    """The event shows the support it broke; from then on its low is support."""
    reals, wholes = lane.reals, lane.wholes
    move(lane, T5)
    reals[SPRING_SCORE], reals[SPRING_BASE], reals[TEST_SCORE] = score, base, np.nan
    row = emit(lane, SPRING, wholes[LEG_LOW_BAR], reals[LEG_LOW], score)
    lane.out_wholes[row, OUT_VARIANT] = kind
    wholes[SPRING_BAR], wholes[RECLAIM_BAR] = wholes[LEG_LOW_BAR], lane.bar
    wholes[SPRING_NS], wholes[SPRING_KNOWN_NS] = (
        lane.opens[lane.at - (lane.bar - wholes[LEG_LOW_BAR])],
        lane.opens[lane.at],
    )
    wholes[SPRING_TYPE], wholes[TESTS], wholes[TRIAL_BAR] = kind, 0, -1
    wholes[SPRINGS] += 1
    reals[SPRING_LOW], reals[SPRING_VR], reals[SPRING_SR] = reals[LEG_LOW], reals[LEG_VR], reals[LEG_SR]
    reals[SUPPORT] = reals[LEG_LOW]


@kernel
def void_spring(lane: Lane) -> None:
    """A close below the spring's low: it never sprang, and the range has failed with it."""
    move(lane, T10)
    row = emit(lane, SPRING_FAILED, lane.bar, close_of(lane, lane.bar), 0.0)
    lane.out_wholes[row, OUT_VARIANT] = lane.wholes[SPRING_TYPE]
    relabel(lane, row, SPRING, lane.wholes[SPRING_NS], lane.wholes[SPRING_KNOWN_NS])
    fail_range(lane, T10)


@kernel
def seek_spring_test(lane: Lane) -> bool:
    """The first test of the spring. True when it met supply instead: back to phase B."""
    wholes, reals, gates = lane.wholes, lane.reals, lane.gates
    if wholes[TRIAL_BAR] >= 0 and wholes[TESTS] == 0:
        if close_of(lane, lane.bar) > reals[TRIAL_HIGH]:
            confirm_spring_test(lane)
        elif lane.bar - wholes[TRIAL_BAR] >= gates[g.TEST_CONFIRM_BARS]:
            wholes[TRIAL_BAR] = -1
    since, low = lane.bar - wholes[RECLAIM_BAR], low_of(lane, lane.bar)
    zone = max(
        gates[g.TEST_ZONE_ATR] * lane.levels[ATR_BEFORE],
        gates[g.TEST_ZONE_FRACTION] * (reals[RESISTANCE] - reals[SPRING_LOW]),
    )
    if since < 1 or since > gates[g.TEST_WINDOW_BARS] or not reals[SPRING_LOW] <= low <= reals[SPRING_LOW] + zone:
        return False
    vr, sr = lane.window[VR, lane.at], lane.window[SR, lane.at]
    if vr >= reals[SPRING_VR] and lane.window[lane.offset + CP, lane.at] < gates[g.TEST_SUPPLY_CP]:
        return True
    quiet = vr <= gates[g.TEST_VR_FRACTION] * reals[SPRING_VR] and 0.0 < sr <= reals[SPRING_SR]
    if quiet and wholes[TESTS] == 0 and (wholes[TRIAL_BAR] < 0 or low < reals[TRIAL_LOW]):
        wholes[TRIAL_BAR], reals[TRIAL_LOW], reals[TRIAL_HIGH] = lane.bar, low, high_of(lane, lane.bar)
        reals[TRIAL_ATR] = lane.levels[ATR_BEFORE]
    return False


@kernel
def confirm_spring_test(lane: Lane) -> None:
    """Score: the spring's 80 points plus 20 for the test: volume 10, spread 5, higher low 5."""
    wholes, reals = lane.wholes, lane.reals
    place = lane.at - (lane.bar - wholes[TRIAL_BAR])
    volume, spread = lane.window[VR, place] / reals[SPRING_VR], lane.window[SR, place] / reals[SPRING_SR]
    higher = (reals[TRIAL_LOW] - reals[SPRING_LOW]) / reals[TRIAL_ATR]
    points = 10.0 * ramp(volume, 0.8, 0.4) + 5.0 * ramp(spread, 1.0, 0.5) + 5.0 * ramp(higher, 0.0, 0.1)
    reals[TEST_SCORE] = reals[SPRING_BASE] + points
    wholes[TESTS] += 1
    row = emit(lane, TEST, wholes[TRIAL_BAR], reals[TRIAL_LOW], reals[TEST_SCORE])
    lane.out_wholes[row, OUT_VARIANT] = wholes[SPRING_TYPE]
    wholes[TRIAL_BAR] = -1
