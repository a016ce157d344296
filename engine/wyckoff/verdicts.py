"""What is added to a bar's records once all lanes have moved: confidence, context, stage, the nine tests.

Pattern confidence weighs the event, its phase, its levels and what higher timeframes show (rule
book 3.14). The nine tests are Pruden's, as far as bars can tell: neither the market's relative
strength nor the objective of the fall before is known, so seven may hold. They and the stage of a
phase (4.5) explain; they gate nothing.
"""

import numpy as np

from engine.blocks import Float64, Int16, Int64
from engine.kernels import kernel
from engine.wyckoff import gates as g
from engine.wyckoff.bare import shifted
from engine.wyckoff.edges import B, C, E
from engine.wyckoff.features import close_of, vr_of
from engine.wyckoff.layout import (
    AR_SCORE,
    CONFIDENCE,
    COUNTS,
    IS_ACTIVE,
    LPS_COUNT,
    OUT_CONFIDENCE,
    OUT_CONTEXT,
    OUT_KIND,
    OUT_PHASE_CONFIDENCE,
    OUT_QUALITY,
    OUT_REALS,
    OUT_RESISTANCE_STRENGTH,
    OUT_SCORE,
    OUT_STAGE,
    OUT_SUPPORT_STRENGTH,
    OUT_TESTS_PASSED,
    OUT_THIN,
    OUT_WHOLES,
    PHASE,
    RECLAIM_BAR,
    RESISTANCE,
    SC_SCORE,
    SHOWN_PHASE,
    SHOWN_SIDE,
    SOS_BAR,
    ST_COUNT,
    SUPPORT,
    TESTS,
    Lane,
)  # fmt: skip
from engine.wyckoff.phases import has_demand
from engine.wyckoff.strength import has_rising

STAGES = ("", "SPRING", "TEST", "READY", "EARLY", "MATURE", "LATE", "EXHAUSTION")
NO_STAGE, AFTER_SPRING, TESTING, READY, EARLY, MATURE, LATE, EXHAUSTED = range(8)

MANY_TESTS, MANY_TESTS_POINTS = 6, 5.0
"""From six of the nine tests on, five points of confidence (3.14)."""
REWARD_RISK = 3.0


@kernel
def context_of(counts: Int64, places: Int16, first_slot: int, side: int, points: float) -> float:
    """`points` where the nearest higher timeframe that shows a range agrees, their negative where it does not."""
    for index in range(2):
        if places[index] >= 0:
            above = shifted(counts, (first_slot + places[index]) * COUNTS)
            if above[SHOWN_PHASE] >= B and above[SHOWN_SIDE] != 0:
                return points if above[SHOWN_SIDE] == side else -points
    return 0.0


@kernel
def complete(lane: Lane, record: int, context: float, thin: int) -> None:
    """Fill in what an event could not know when it was recorded."""
    wholes, reals = shifted(lane.out_wholes, record * OUT_WHOLES), shifted(lane.out_reals, record * OUT_REALS)
    if wholes[OUT_KIND] == 0:
        return
    reals[OUT_PHASE_CONFIDENCE], reals[OUT_CONTEXT] = lane.reals[CONFIDENCE], context
    wholes[OUT_THIN], wholes[OUT_STAGE] = thin, stage_of(lane)
    wholes[OUT_TESTS_PASSED] = tests_passed(lane)
    reals[OUT_CONFIDENCE] = pattern_confidence(reals, lane.gates, wholes[OUT_TESTS_PASSED])


@kernel
def level_score(quality: float, support: float, resistance: float) -> float:
    """Mean of those that are known; 0 without any."""
    total, count = 0.0, 0
    for value in (quality, support, resistance):
        if not np.isnan(value):
            total += value
            count += 1
    return total / count if count > 0 else 0.0


@kernel
def pattern_confidence(reals: Float64, gates: Float64, passed: int) -> float:
    levels = level_score(reals[OUT_QUALITY], reals[OUT_SUPPORT_STRENGTH], reals[OUT_RESISTANCE_STRENGTH])
    weighed = (
        gates[g.PATTERN_WEIGHTS] * reals[OUT_SCORE]
        + gates[g.PATTERN_WEIGHTS + 1] * reals[OUT_PHASE_CONFIDENCE]
        + gates[g.PATTERN_WEIGHTS + 2] * levels
        + gates[g.PATTERN_WEIGHTS + 3] * reals[OUT_CONTEXT]
    )
    return float(weighed / 100.0 + (MANY_TESTS_POINTS if passed >= MANY_TESTS else 0.0))


@kernel
def tests_passed(lane: Lane) -> int:
    """How many hold of: climax and test, demand, stride broken, higher lows, higher highs, base, reward for risk."""
    reals, wholes = lane.reals, lane.wholes
    if wholes[PHASE] < B:
        return 0
    close, width = close_of(lane, lane.bar), reals[RESISTANCE] - reals[SUPPORT]
    passed = int(not np.isnan(reals[SC_SCORE]) and wholes[ST_COUNT] > 0) + int(has_demand(lane))
    passed += int(not np.isnan(reals[AR_SCORE])) + int(has_rising(lane, 1.0)) + int(has_rising(lane, -1.0))
    pays = reals[RESISTANCE] + width - close >= REWARD_RISK * (close - reals[SUPPORT])
    return passed + int(wholes[IS_ACTIVE] == 1) + int(pays)


@kernel
def stage_of(lane: Lane) -> int:
    """Sub-state of phases C and E. The slope is a share of price a bar, over ten bars."""
    wholes = lane.wholes
    if wholes[PHASE] == C:
        since = lane.bar - wholes[RECLAIM_BAR]
        return AFTER_SPRING if since <= 3 else READY if since > 5 and wholes[TESTS] == 0 else TESTING
    if wholes[PHASE] != E:
        return NO_STAGE
    if lane.bar - wholes[SOS_BAR] < 10 and wholes[LPS_COUNT] == 0:
        return EARLY
    before = close_of(lane, lane.bar - 10)
    slope, volume = (close_of(lane, lane.bar) - before) / abs(before) / 10, 0.0
    for bar in range(lane.bar - 9, lane.bar + 1):
        volume += vr_of(lane, bar)
    if volume / 10 < 0.8 and slope < 0.001:
        return EXHAUSTED
    return MATURE if slope >= 0.002 else LATE
