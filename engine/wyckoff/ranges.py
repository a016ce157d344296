"""How good a range is: its touches, and the strength of each of its levels (rule book 2.3, 2.4).

A touch is a pivot near a level, confirmed by bars after it. Resistance seen in one view is support
seen in the other, so one kernel measures both sides. Measured when a swing confirms or an event
needs it, never at every bar; at most the last 260 bars of a range are looked at.
"""

from math import sqrt

import numpy as np

from engine.kernels import kernel
from engine.wyckoff import gates as g
from engine.wyckoff.features import place_of
from engine.wyckoff.layout import (
    CP,
    KEPT,
    LOW,
    MIRRORED,
    QUALITY,
    RANGE_ATR,
    RESISTANCE,
    RESISTANCE_STRENGTH,
    SC_BAR,
    SUPPORT,
    SUPPORT_STRENGTH,
    VR,
    Lane,
)  # fmt: skip

TOUCH_SIDE_BARS = 3
"""A touch is a low below the three bars on either side (the k of the secondary test)."""


@kernel
def touches(lane: Lane, view: int, place: int, level: float, near: float) -> bool:
    """Is the bar at `place` a pivot low of `view` within `near` of `level`?"""
    low = lane.window[view + LOW, place]
    if not abs(low - level) <= near or place < TOUCH_SIDE_BARS:
        return False
    for step in range(1, TOUCH_SIDE_BARS + 1):
        if lane.window[view + LOW, place - step] <= low or lane.window[view + LOW, place + step] < low:
            return False
    return True


@kernel
def measure_side(lane: Lane, view: int, level: float) -> tuple[int, float, float, float, int]:
    """Touches, std of their prices, volume of the later over the earlier half, mean rejection, age in bars.

    NaN where fewer than two touches say nothing.
    """
    near = lane.gates[g.RANGE_TOUCH_ATR] * lane.reals[RANGE_ATR]
    first = max(place_of(lane, lane.wholes[SC_BAR]), lane.at - KEPT + 1 + TOUCH_SIDE_BARS)
    last = lane.at - TOUCH_SIDE_BARS
    count, total, wick, age = 0, 0.0, 0.0, 0
    for place in range(first, last + 1):
        if touches(lane, view, place, level, near):
            age = lane.at - place if count == 0 else age
            count += 1
            total += lane.window[view + LOW, place] - level
            wick += lane.window[view + CP, place]
    if count < 2:
        return count, np.nan, np.nan, wick, age
    mean, spread, seen, early, late = total / count, 0.0, 0, 0.0, 0.0
    half = count // 2
    for place in range(first, last + 1):
        if touches(lane, view, place, level, near):
            spread += (lane.window[view + LOW, place] - level - mean) ** 2
            if seen < half:
                early += lane.window[VR, place]
            elif seen >= count - half:
                late += lane.window[VR, place]
            seen += 1
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
def measure(lane: Lane) -> None:
    """Refresh the quality of the range and the strength of its two levels."""
    other = MIRRORED - lane.offset
    low_count, low_std, low_ratio, low_wick, low_age = measure_side(lane, lane.offset, lane.reals[SUPPORT])
    top_count, top_std, top_ratio, top_wick, top_age = measure_side(lane, other, -lane.reals[RESISTANCE])
    atr = lane.reals[RANGE_ATR]
    lane.reals[QUALITY] = (
        duration_points(lane.bar - lane.wholes[SC_BAR] + 1)
        + touch_points(low_count, top_count)
        + tightness_points(low_std / atr, top_std / atr)
        + contraction_points(low_ratio, 10.0)
        + contraction_points(top_ratio, 10.0)
    )
    lane.reals[SUPPORT_STRENGTH] = level_strength(low_count, low_ratio, low_wick, low_age)
    lane.reals[RESISTANCE_STRENGTH] = level_strength(top_count, top_ratio, top_wick, top_age)


@kernel
def width_fits(lane: Lane) -> bool:
    """At least 3 ATR and 3 %, at most 12 ATR (rule book 2.2): wider is a trend, not a range."""
    width = lane.reals[RESISTANCE] - lane.reals[SUPPORT]
    atr = lane.reals[RANGE_ATR]
    least = max(lane.gates[g.RANGE_WIDTH_MIN_ATR] * atr, lane.gates[g.WIDTH_FRACTION] * abs(lane.reals[SUPPORT]))
    return bool(least <= width <= lane.gates[g.RANGE_WIDTH_MAX_ATR] * atr)


@kernel
def is_active(lane: Lane) -> bool:
    """Old enough for a spring or a breakout to mean something."""
    return bool(lane.bar - lane.wholes[SC_BAR] + 1 >= lane.gates[g.RANGE_ACTIVE_BARS])
