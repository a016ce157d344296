"""Section 2: touches, quality of a range, strength of a level, width, targets."""

from dataclasses import dataclass
from math import isnan, nan, sqrt

from tests.wyckoff.reference import book
from tests.wyckoff.reference.features import Bar


@dataclass(frozen=True)
class Level:
    """One side of a range, as its touches show it. Values are NaN where two touches are needed and absent."""

    touches: int
    deviation: float
    volume_ratio: float
    rejection: float
    held_bars: int


def touches(swings: list[Bar], level: float, near: float, first: int) -> list[Bar]:
    """2.2, 2.3: confirmed swings (2.1) within the tolerance of the level.

    Reading: from the range's first bar on. `swings` are the last 32 of this side.
    """
    return [bar for bar in swings if bar.number >= first and abs(bar.low - level) <= near]


def measured(found: list[Bar], level: float, now: Bar) -> Level:
    """2.3 and 2.4, from a level's touches. Reading: of an odd number the middle one belongs to neither half."""
    count, half = len(found), len(found) // 2
    held = now.number - found[0].number if found else 0
    rejected = sum((bar.cp for bar in found), 0.0)
    if count < 2:
        return Level(count, nan, nan, rejected, held)
    mean = sum(bar.low - level for bar in found) / count
    spread = sum((bar.low - level - mean) ** 2 for bar in found)
    early, late = sum(bar.vr for bar in found[:half]), sum(bar.vr for bar in found[count - half :])
    return Level(count, sqrt(spread / count), late / early, rejected / count, held)


def duration_points(bars: int) -> float:
    """2.3: at least 40, 25, 15, 10 bars."""
    return next((points for least, points in ((40, 30.0), (25, 20.0), (15, 15.0), (10, 10.0)) if bars >= least), 0.0)


def touch_points(support: int, resistance: int) -> float:
    """2.3: both sides together; 5 more where they are balanced, 30 at most."""
    both, fewer, more = support + resistance, min(support, resistance), max(support, resistance)
    points = 30.0 if both >= 8 else 25.0 if both >= 6 else 15.0 if both >= 4 else 5.0
    return min(30.0, points + (5.0 if fewer >= 0.8 * more else 0.0))


def tightness_points(deviations_atr: list[float]) -> float:
    """2.3 [X]: mean of the sides' standard deviations in ATR. Reading: a side with fewer than two touches is absent."""
    known = [one for one in deviations_atr if not isnan(one)]
    if not known:
        return 0.0
    mean = sum(known) / len(known)
    return 20.0 if mean < 0.35 else 15.0 if mean < 0.5 else 10.0 if mean < 0.75 else 0.0


def volume_points(ratio: float, full: float) -> float:
    """2.3, 2.4: later touches on less than .85 of the volume of the earlier, or less than 1.15."""
    return full if ratio < 0.85 else full / 2 if ratio < 1.15 else 0.0


def quality(duration: int, support: Level, resistance: Level, atr: float) -> float:
    """2.3: duration 30, touches 30, tightness 20, volume 10 a side.

    2.2 [X] 3: it decays after 100 bars. Reading: .1 a bar.
    """
    points = (
        duration_points(duration)
        + touch_points(support.touches, resistance.touches)
        + tightness_points([support.deviation / atr, resistance.deviation / atr])
        + volume_points(support.volume_ratio, 10.0)
        + volume_points(resistance.volume_ratio, 10.0)
    )
    beyond = max(0, duration - book.DECAY_BARS)
    return max(0.0, points - book.DECAY_POINTS * beyond)


def strength(level: Level) -> float:
    """2.4: touches 40, volume 30, rejection 20, bars held 10. Reading: no touch, no strength."""
    if level.touches == 0:
        return 0.0
    touched = {1: 0.0, 2: 10.0, 3: 20.0, 4: 30.0}.get(level.touches, 40.0)
    wick = next((points for least, points in ((0.7, 20.0), (0.5, 15.0), (0.3, 10.0)) if level.rejection >= least), 5.0)
    held = next((points for least, points in ((30, 10.0), (20, 8.0), (10, 5.0)) if level.held_bars >= least), 2.0)
    return touched + volume_points(level.volume_ratio, 30.0) + wick + held


def width_fits(support: float, resistance: float, atr: float, width_floor: float) -> bool:
    """2.2 [X] 1: at least max(3 ATR, 3 % m), at most 12 ATR."""
    width = resistance - support
    return max(book.WIDTH_MIN_ATR * atr, width_floor * abs(support)) <= width <= book.WIDTH_MAX_ATR * atr


def count_objective(bars: list[Bar], start: int, support: float, atr: float, tick: float) -> float:
    """2.6 point-and-figure count: S + columns x box x reversal, over the bars of the range so far.

    Readings: box is max(tick, .25 ATR(i-1) of the range's first bar); without a grid a column turns
    when price comes back three boxes from its extreme, a bar that extends it does not turn it; the
    first column rises from the low of the first bar; no further back than 255 bars.
    """
    first = max(start, bars[-1].number - book.COUNTED_BARS)
    first_atr = bars[first].atr_before
    reversal = max(tick, book.BOX_ATR * (atr if isnan(first_atr) else first_atr)) * book.BOX_REVERSAL
    columns, direction, extreme = 1, 1, bars[first].low
    for bar in bars[first:]:
        ahead, behind = (bar.high, bar.low) if direction > 0 else (-bar.low, -bar.high)
        if ahead > direction * extreme:
            extreme = direction * ahead
        elif direction * extreme - behind >= reversal:
            columns, extreme, direction = columns + 1, direction * behind, -direction
    return support + columns * reversal


def targets(support: float, resistance: float) -> tuple[float, float, float, float]:
    """2.6 [X]: T0 = R, T1 = R + W, T2 = R + 2 W, T3 = R + 3 W (before a point-and-figure cap)."""
    width = resistance - support
    return resistance, resistance + width, resistance + 2.0 * width, resistance + 3.0 * width
