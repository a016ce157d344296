"""How good a range is: its touches, and the strength of each of its levels (rule book 2.3 to 2.6).

A touch is a confirmed swing near a level. Resistance seen in one view is support seen in the
other, so one kernel measures both sides. Measured when a swing confirms or an event needs it,
never at every bar, from the ring of swings and not from bars.
"""

from math import sqrt

import numpy as np

from engine.blocks import Float64
from engine.kernels import kernel
from engine.wyckoff import gates as g
from engine.wyckoff.features import atr_of, high_of, low_of
from engine.wyckoff.layout import (
    DIRTY,
    FROZEN_SUPPORT,
    IS_ACTIVE,
    OBJECTIVE,
    PIVOT_BAR,
    PIVOT_CP,
    PIVOT_LOW,
    PIVOT_VR,
    PIVOTS,
    QUALITY,
    RANGE_ATR,
    RESISTANCE,
    RESISTANCE_STRENGTH,
    SC_BAR,
    SUPPORT,
    SUPPORT_STRENGTH,
    TICK,
    Lane,
)  # fmt: skip

MOST_BARS_BACK = 255
"""How far back from the newest bar a look at bars goes at most; the window keeps 260."""


@kernel
def measure_side(ring: Float64, seen: int, level: float, near: float, since: int, bar: int) -> tuple[
    int, float, float, float, int
]:  # fmt: skip
    """Touches, std of their prices, volume of the later over the earlier half, mean rejection, age in bars.

    NaN where fewer than two touches say nothing.
    """
    count, total, wick, age, first = 0, 0.0, 0.0, 0, seen
    oldest = max(0, seen - PIVOTS)
    while first > oldest and ring[PIVOT_BAR + (first - 1) % PIVOTS] >= since:
        first -= 1
    for index in range(first, seen):
        entry = index % PIVOTS
        low = ring[PIVOT_LOW + entry]
        if abs(low - level) <= near:
            age = bar - int(ring[PIVOT_BAR + entry]) if count == 0 else age
            count += 1
            total += low - level
            wick += ring[PIVOT_CP + entry]
    if count < 2:
        return count, np.nan, np.nan, wick, age
    mean, spread, passed, early, late = total / count, 0.0, 0, 0.0, 0.0
    half = count // 2
    for index in range(first, seen):
        entry = index % PIVOTS
        low = ring[PIVOT_LOW + entry]
        if abs(low - level) <= near:
            spread += (low - level - mean) ** 2
            if passed < half:
                early += ring[PIVOT_VR + entry]
            elif passed >= count - half:
                late += ring[PIVOT_VR + entry]
            passed += 1
    return count, sqrt(spread / count), late / early, wick / count, age


@kernel
def duration_points(bars: int) -> float:
    return 30.0 if bars >= 40 else 20.0 if bars >= 25 else 15.0 if bars >= 15 else 10.0 if bars >= 10 else 0.0


@kernel
def touch_points(support: int, resistance: int) -> float:
    both = support + resistance
    points = 30.0 if both >= 8 else 25.0 if both >= 6 else 15.0 if both >= 4 else 5.0
    if min(support, resistance) >= 0.8 * max(support, resistance):
        points += 5.0
    return min(30.0, points)


@kernel
def tightness_points(support_atr: float, resistance_atr: float) -> float:
    """From the std of touches in ATR; a side with fewer than two touches is absent."""
    if np.isnan(support_atr) and np.isnan(resistance_atr):
        return 0.0
    mean = (support_atr + resistance_atr) / 2
    if np.isnan(support_atr):
        mean = resistance_atr
    elif np.isnan(resistance_atr):
        mean = support_atr
    return 20.0 if mean < 0.35 else 15.0 if mean < 0.5 else 10.0 if mean < 0.75 else 0.0


@kernel
def contraction_points(ratio: float, full: float) -> float:
    """`full` where later touches came on clearly less volume, half of it on about the same."""
    return full if ratio < 0.85 else full / 2 if ratio < 1.15 else 0.0


@kernel
def level_strength(count: int, ratio: float, rejection: float, age: int) -> float:
    """0..100 of one level (2.4): touches 40, volume 30, rejection 20, hold 10."""
    if count == 0:
        return 0.0
    points = 40.0 if count >= 5 else 30.0 if count == 4 else 20.0 if count == 3 else 10.0 if count == 2 else 0.0
    points += contraction_points(ratio, 30.0)
    points += 20.0 if rejection >= 0.7 else 15.0 if rejection >= 0.5 else 10.0 if rejection >= 0.3 else 5.0
    return points + (10.0 if age >= 30 else 8.0 if age >= 20 else 5.0 if age >= 10 else 2.0)


@kernel
def quality_points(
    bars: int, touches: tuple[int, int], stds_atr: tuple[float, float], ratios: tuple[float, float]
) -> float:
    """0..100 of a range (2.3): duration 30, touches 30, tightness 20, volume 10 a side."""
    return float(
        duration_points(bars)
        + touch_points(touches[0], touches[1])
        + tightness_points(stds_atr[0], stds_atr[1])
        + contraction_points(ratios[0], 10.0)
        + contraction_points(ratios[1], 10.0)
    )


@kernel
def measure(lane: Lane) -> None:
    """Refresh the quality of the range and the strength of its two levels. Age costs quality late."""
    reals, gates, since = lane.reals, lane.gates, lane.wholes[SC_BAR]
    atr = reals[RANGE_ATR]
    near, bars = gates[g.RANGE_TOUCH_ATR] * atr, lane.bar - since + 1
    low_count, low_std, low_ratio, low_wick, low_age = measure_side(
        lane.pivots, lane.seen, reals[SUPPORT], near, since, lane.bar
    )
    top_count, top_std, top_ratio, top_wick, top_age = measure_side(
        lane.tops, lane.topped, -reals[RESISTANCE], near, since, lane.bar
    )
    quality = quality_points(bars, (low_count, top_count), (low_std / atr, top_std / atr), (low_ratio, top_ratio))
    decay = gates[g.RANGE_DECAY_POINTS] * max(0.0, bars - gates[g.RANGE_DECAY_BARS])
    reals[QUALITY] = max(0.0, quality - decay)
    reals[SUPPORT_STRENGTH] = level_strength(low_count, low_ratio, low_wick, low_age)
    reals[RESISTANCE_STRENGTH] = level_strength(top_count, top_ratio, top_wick, top_age)
    lane.wholes[DIRTY] = 1


@kernel
def fits(gates: Float64, support: float, resistance: float, atr: float) -> bool:
    """At least 3 ATR and 3 %, at most 12 ATR (rule book 2.2): wider is a trend, not a range."""
    width = resistance - support
    least = max(gates[g.RANGE_WIDTH_MIN_ATR] * atr, gates[g.WIDTH_FRACTION] * abs(support))
    return bool(least <= width <= gates[g.RANGE_WIDTH_MAX_ATR] * atr)


@kernel
def check_active(lane: Lane) -> None:
    """Phases from B: old enough for a spring or a breakout to mean something; then levels freeze."""
    if lane.wholes[IS_ACTIVE] == 0 and lane.bar - lane.wholes[SC_BAR] + 1 >= lane.gates[g.RANGE_ACTIVE_BARS]:
        activate(lane)


@kernel
def activate(lane: Lane) -> None:
    lane.wholes[IS_ACTIVE] = 1
    lane.reals[FROZEN_SUPPORT] = lane.reals[SUPPORT]
    lane.reals[OBJECTIVE] = count_objective(lane)


@kernel
def lower_support(lane: Lane, low: float) -> None:
    """A test's low moves support; once levels are frozen by a quarter of an ATR at most."""
    floor = lane.reals[FROZEN_SUPPORT] - lane.gates[g.RANGE_FREEZE_ATR] * lane.reals[RANGE_ATR]
    if lane.wholes[IS_ACTIVE] == 1:
        low = max(low, floor)
    lane.reals[SUPPORT] = min(lane.reals[SUPPORT], low)


@kernel
def count_objective(lane: Lane) -> float:
    """Point-and-figure count of the range (2.6): support plus columns times box times reversal.

    Without a grid, so that scale and mirror do not matter: a column ends when price comes back by
    the reversal from its extreme. The first rises from the range's first low.
    """
    start = max(int(lane.wholes[SC_BAR]), lane.bar - MOST_BARS_BACK)
    atr = atr_of(lane, start)
    if np.isnan(atr):
        atr = lane.reals[RANGE_ATR]
    box = max(lane.levels[TICK], lane.gates[g.BOX_ATR] * atr)
    reversal = box * lane.gates[g.BOX_REVERSAL]
    columns, rises, extreme = 1, True, low_of(lane, start)
    for bar in range(start, lane.bar + 1):
        low, high = low_of(lane, bar), high_of(lane, bar)
        if rises:
            if high > extreme:
                extreme = high
            elif extreme - low >= reversal:
                columns, rises, extreme = columns + 1, False, low
        elif low < extreme:
            extreme = low
        elif high - extreme >= reversal:
            columns, rises, extreme = columns + 1, True, high
    return float(lane.reals[SUPPORT] + columns * reversal)
