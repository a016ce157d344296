"""Spring: the decisive probe below support in phases B and C (rule book 3.6), and the clock of failure (T7).

A clock starts when price goes below support. A close back above it within the clock is a spring,
typed by the heaviest bar below: 3 is quiet, 1 is heavy, 2 between. Each spring moves support down
to its low. When the clock runs out, or price closes far below, the range has failed. On the other
side of the mirror this is the upthrust after distribution, with gates and weights of its own (3.9).
"""

import numpy as np

from engine.kernels import kernel
from engine.wyckoff import edges as t
from engine.wyckoff import gates as g
from engine.wyckoff import kinds as k
from engine.wyckoff.edges import B
from engine.wyckoff.features import close_of, cp_of, low_of, place_of, ramp
from engine.wyckoff.layout import (
    ATR_BEFORE,
    B_BAR,
    CLIMAX,
    CLUSTER,
    INSIDE_BAR,
    IS_ACTIVE,
    LEG_ATR,
    LEG_BAR,
    LEG_CLOSE_BAR,
    LEG_CLOSES,
    LEG_LOW,
    LEG_LOW_BAR,
    LEG_SR,
    LEG_VR,
    ORIGIN,
    PHASE,
    RECLAIM_BAR,
    SIGNS,
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
    THRUSTS,
    TREND,
    TRIAL_BAR,
    VR,
    Lane,
)  # fmt: skip
from engine.wyckoff.phases import add_bias, move, wipe
from engine.wyckoff.ranges import measure
from engine.wyckoff.records import discard_parts, emit, part, relabel, set_variant
from engine.wyckoff.upthrust import shake_out

QUIET, ORDINARY, HEAVY = 3, 2, 1

FAILED_QUIETLY, FAILED_ON_VOLUME, FAILED_AS_UPTHRUST = 1, 2, 3
"""Variants of a failed range, for the post-mortem (4.6)."""

WARNING_SCORE = 50.0


@kernel
def fail_range(lane: Lane, edge: int) -> None:
    """The range is over: say so with its levels, then forget it."""
    move(lane, edge)
    row = emit(lane, k.RANGE_FAILED, lane.bar, close_of(lane, lane.bar), 0.0)
    loud = FAILED_ON_VOLUME if lane.window[VR + lane.at] > 1.5 else FAILED_QUIETLY
    set_variant(lane, row, FAILED_AS_UPTHRUST if lane.wholes[THRUSTS] >= 2 else loud)
    wipe(lane)


@kernel
def watch_support(lane: Lane) -> None:
    """One bar of phase B or C: start, run or resolve the clock below support."""
    reals, wholes = lane.reals, lane.wholes
    low = low_of(lane, lane.bar)
    if wholes[LEG_BAR] < 0:
        if low >= reals[SUPPORT]:
            return
        start_leg(lane)
    if low < reals[SUPPORT]:
        follow_leg(lane, low)
    if close_of(lane, lane.bar) >= reals[SUPPORT]:
        resolve_leg(lane)
        wholes[LEG_BAR] = -1
    else:
        run_clock(lane)


@kernel
def run_clock(lane: Lane) -> None:
    """T7: a close far below support, too many closes below it, or too many bars since the first."""
    gates, reals, wholes = lane.gates, lane.reals, lane.wholes
    wholes[LEG_CLOSES] += 1
    if wholes[LEG_CLOSE_BAR] < 0:
        wholes[LEG_CLOSE_BAR] = lane.bar
    far = close_of(lane, lane.bar) < reals[SUPPORT] - gates[g.SPRING_SHOCK_ATR] * lane.levels[ATR_BEFORE]
    late = lane.bar - wholes[LEG_CLOSE_BAR] >= gates[g.SPRING_RECLAIM_BARS]
    if far or late or wholes[LEG_CLOSES] > gates[g.SPRING_CLOSES_BELOW]:
        fail_range(lane, t.T7)


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
    if low < reals[LEG_LOW] and lane.window[SR + lane.at] > 0.0:
        reals[LEG_LOW] = low
        lane.wholes[LEG_LOW_BAR] = lane.bar
    reals[LEG_VR] = max(reals[LEG_VR], lane.window[VR + lane.at])
    reals[LEG_SR] = max(reals[LEG_SR], lane.window[SR + lane.at])


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
    """Bars phase B must last: fewer in a re-accumulation, or where 20 bars moved by over 3 % on average."""
    total = 0.0
    for bar in range(lane.bar - 19, lane.bar + 1):
        before = close_of(lane, bar - 1)
        total += abs(close_of(lane, bar) - before) / abs(before)
    least = lane.gates[g.B_MIN_BARS]
    if total / 20 > lane.gates[g.B_VOLATILE_RETURN]:
        least = min(least, lane.gates[g.B_VOLATILE_BARS])
    if lane.wholes[ORIGIN] == CLUSTER and lane.wholes[TREND] > 0:
        least = min(least, lane.gates[g.B_MIN_REACCUMULATION_BARS])
    return float(least)


@kernel
def resolve_leg(lane: Lane) -> None:
    """Closed back above support: is it a spring, and if not, did it at least shake somebody out?"""
    if not is_spring(lane) and lane.wholes[PHASE] == B:
        shake_out(lane)


@kernel
def is_spring(lane: Lane) -> bool:
    """The gates of 3.6 (3.9 on the other side); confirms the spring that passes them."""
    gates, reals, wholes = lane.gates, lane.reals, lane.wholes
    depth, kind = reals[SUPPORT] - reals[LEG_LOW], spring_type(lane)
    deepest = gates[g.SPRING_SHOCK_ATR] if kind == HEAVY else gates[g.SPRING_DEPTH_ATR]
    if not depth > gates[g.SPRING_EDGE_ATR] * reals[LEG_ATR]:
        return False
    if depth > min(gates[g.DEPTH_FRACTION] * abs(reals[SUPPORT]), deepest * reals[LEG_ATR]):
        return False
    if lane.bar - wholes[LEG_BAR] > gates[g.SPRING_RECLAIM_BARS] or not has_effort(lane, kind):
        return False
    if wholes[IS_ACTIVE] == 0 or wholes[ST_COUNT] < 1 or not has_background(lane):
        return False
    measure(lane)
    base = spring_base(lane, depth / reals[LEG_ATR], deepest)
    untested = gates[g.UTAD_WEIGHTS + 4 if gates[g.SPRING_IS_UPTHRUST] > 0.0 else g.SPRING_WEIGHTS + 6] / 100.0
    score = base / (1.0 - untested) if kind == QUIET else base
    override = score > gates[g.B_OVERRIDE_SCORE] and wholes[ST_COUNT] >= 2
    if lane.bar - wholes[B_BAR] < minimum_cause(lane) and not override:
        discard_parts(lane)
        return False
    confirm_spring(lane, kind, base, score)
    return True


@kernel
def has_effort(lane: Lane, kind: int) -> bool:
    """An upthrust shows effort or no demand at all; in strict mode a spring must be quiet (7.1)."""
    vr = lane.reals[LEG_VR]
    return bool((vr >= lane.gates[g.SPRING_EFFORT_VR] or kind == QUIET) and vr < lane.gates[g.SPRING_MOST_VR])


@kernel
def has_background(lane: Lane) -> bool:
    """An upthrust needs a rise into the range or signs of supply in it; a spring needs neither."""
    wholes = lane.wholes
    came_against = wholes[ORIGIN] != CLUSTER or wholes[TREND] < 0
    return bool(came_against or wholes[SIGNS] >= lane.gates[g.SPRING_SIGNS])


@kernel
def spring_base(lane: Lane, depth_atr: float, deepest_atr: float) -> float:
    """Score without the test, which adds its weight. Written last before `emit`, because it leaves its parts there."""
    reals, wholes = lane.reals, lane.wholes
    bars_below = lane.bar - wholes[LEG_CLOSE_BAR] if wholes[LEG_CLOSE_BAR] >= 0 else 0
    speed = max(0.0, min(1.0, 1.2 - 0.2 * bars_below))
    if lane.gates[g.SPRING_IS_UPTHRUST] > 0.0:
        return upthrust_base(lane, bars_below)
    demand = 0.3 if lane.window[VR + lane.at] >= 1.0 else 0.0
    drying = 0.5 if wholes[ST_COUNT] >= 2 and reals[ST_LAST_VR] < reals[ST_FIRST_VR] else 0.0
    on_chart = 0.5 if wholes[ORIGIN] == CLIMAX else 0.0
    return float(
        part(lane, g.SPRING_WEIGHTS, ramp(reals[LEG_VR], 1.5, 0.3))
        + part(lane, g.SPRING_WEIGHTS, min(ramp(depth_atr, 0.0, 0.2), ramp(depth_atr, deepest_atr, 0.8)))
        + part(lane, g.SPRING_WEIGHTS, speed)
        + part(lane, g.SPRING_WEIGHTS, 0.7 * ramp(cp_of(lane, lane.bar), 0.3, 0.8) + demand)
        + part(lane, g.SPRING_WEIGHTS, reals[SUPPORT_STRENGTH] / 100.0)
        + part(lane, g.SPRING_WEIGHTS, on_chart + drying)
    )


@kernel
def upthrust_base(lane: Lane, bars_below: int) -> float:
    """Of an upthrust after distribution (3.9): speed, failure close, extreme volume, supply behind it."""
    reals, wholes = lane.reals, lane.wholes
    quiet = ramp(reals[LEG_VR], 0.85, 0.4) if reals[LEG_SR] < lane.gates[g.SPRING_QUIET_SR] else 0.0
    signs = wholes[SIGNS] + (1 if wholes[ORIGIN] == CLIMAX else 0)
    return float(
        part(lane, g.UTAD_WEIGHTS, ramp(bars_below, 4.0, 1.0))
        + part(lane, g.UTAD_WEIGHTS, ramp(cp_of(lane, lane.bar), 0.3, 0.8))
        + part(lane, g.UTAD_WEIGHTS, max(ramp(reals[LEG_VR], 1.2, 2.5), quiet))
        + part(lane, g.UTAD_WEIGHTS, min(1.0, signs / 4.0))
    )


@kernel
def confirm_spring(lane: Lane, kind: int, base: float, score: float) -> None:
    """The event shows the support it broke; from then on its low is support."""
    reals, wholes = lane.reals, lane.wholes
    move(lane, t.T5)
    reals[SPRING_SCORE], reals[SPRING_BASE], reals[TEST_SCORE] = score, base, np.nan
    row = emit(lane, k.SPRING, wholes[LEG_LOW_BAR], reals[LEG_LOW], score)
    set_variant(lane, row, kind)
    wholes[SPRING_BAR], wholes[RECLAIM_BAR] = wholes[LEG_LOW_BAR], lane.bar
    wholes[SPRING_NS] = lane.opens[place_of(lane, wholes[LEG_LOW_BAR])]
    wholes[SPRING_KNOWN_NS] = lane.opens[lane.at]
    wholes[SPRING_TYPE], wholes[TESTS], wholes[TRIAL_BAR], wholes[INSIDE_BAR] = kind, 0, -1, -1
    wholes[SPRINGS] += 1
    reals[SPRING_LOW], reals[SPRING_VR], reals[SPRING_SR] = reals[LEG_LOW], reals[LEG_VR], reals[LEG_SR]
    reals[SUPPORT] = reals[LEG_LOW]
    if wholes[SPRINGS] >= lane.gates[g.WARNING_SPRINGS]:
        emit(lane, k.SUPPLY_WARNING, wholes[LEG_LOW_BAR], reals[LEG_LOW], WARNING_SCORE)
        add_bias(lane, -lane.gates[g.WARNING_POINTS])


@kernel
def void_spring(lane: Lane) -> None:
    """A close below the spring's low: it never sprang, and the range has failed with it."""
    move(lane, t.T10)
    row = emit(lane, k.SPRING_FAILED, lane.bar, close_of(lane, lane.bar), 0.0)
    set_variant(lane, row, lane.wholes[SPRING_TYPE])
    relabel(lane, row, k.SPRING, lane.wholes[SPRING_NS], lane.wholes[SPRING_KNOWN_NS])
    fail_range(lane, t.T10)
