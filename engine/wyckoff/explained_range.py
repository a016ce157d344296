"""The live range of a lane as a reader sees it: levels, what they are worth and why, confidence and its parts."""

import msgspec
import numpy as np

from engine.wyckoff import gates as g
from engine.wyckoff.edges import A, D
from engine.wyckoff.explained_gates import finite
from engine.wyckoff.explained_plain import plain
from engine.wyckoff.layout import (
    BIAS,
    COMPLETENESS,
    CONFIDENCE,
    IS_WEAK,
    MEAN_SCORE,
    ON_HOLD,
    PHASE,
    PS_SCORE,
    QUALITY,
    RANGE_ATR,
    RESISTANCE,
    RESISTANCE_STRENGTH,
    SC_BAR,
    SIGNATURE,
    ST_SCORE,
    SUPPORT,
    SUPPORT_STRENGTH,
    Lane,
)
from engine.wyckoff.ranges import (
    contraction_points,
    duration_points,
    measure_side,
    tightness_points,
    touch_points,
)


class Part(msgspec.Struct, frozen=True):
    """Points of a sum; `most` is the weight, null for what is only added or taken off."""

    name: str
    points: float
    most: float | None = None


class Level(msgspec.Struct, frozen=True):
    """`price` is real; `strength` 0..100 as last measured, with its parts as they are now. `touches` are
    confirmed swings near the level since the range began, `age` the bars since the first."""

    price: float
    strength: float | None
    touches: int
    age: int | None
    parts: list[Part]


class Levels(msgspec.Struct, frozen=True):
    """Support is the lower price on both sides. `quality` is 0..100 as last measured; its parts as now."""

    support: Level | None
    resistance: Level | None
    width: float | None
    width_atr: float | None
    quality: float | None
    parts: list[Part]


def levels_of(lane: Lane) -> Levels:
    reals, gates = lane.reals, lane.gates
    atr = reals[RANGE_ATR]
    own, other = _level(lane, own=True), _level(lane, own=False)
    if np.isnan(atr) or own is None or other is None:
        low, high = (own, other) if lane.sign > 0.0 else (other, own)
        return Levels(low, high, None, None, finite(reals[QUALITY]), [])
    width = float(reals[RESISTANCE] - reals[SUPPORT])
    bars = lane.bar - lane.wholes[SC_BAR] + 1
    sides = [_side(lane, own=True), _side(lane, own=False)]
    decay = gates[g.RANGE_DECAY_POINTS] * max(0.0, bars - gates[g.RANGE_DECAY_BARS])
    parts = [
        Part("duration", plain(duration_points)(bars), 30.0),
        Part("touches", plain(touch_points)(sides[0][0], sides[1][0]), 30.0),
        Part("tightness", plain(tightness_points)(sides[0][1] / atr, sides[1][1] / atr), 20.0),
        Part("volume, support" if lane.sign > 0.0 else "volume, resistance",
             plain(contraction_points)(sides[0][2], 10.0), 10.0),
        Part("volume, resistance" if lane.sign > 0.0 else "volume, support",
             plain(contraction_points)(sides[1][2], 10.0), 10.0),
        *([Part("age", -float(decay))] if decay > 0.0 else []),
    ]  # fmt: skip
    low, high = (own, other) if lane.sign > 0.0 else (other, own)
    return Levels(low, high, width, width / float(atr), finite(reals[QUALITY]), parts)


def _side(lane: Lane, *, own: bool) -> tuple[int, float, float, float, int]:
    """Touches, std, volume ratio, rejection, age of one level, as the kernel measures them now."""
    near = lane.gates[g.RANGE_TOUCH_ATR] * lane.reals[RANGE_ATR]
    ring, seen = (lane.pivots, lane.seen) if own else (lane.tops, lane.topped)
    level = lane.reals[SUPPORT] if own else -lane.reals[RESISTANCE]
    found: tuple[int, float, float, float, int] = plain(measure_side)(
        ring, seen, level, near, lane.wholes[SC_BAR], lane.bar
    )
    return found


def _level(lane: Lane, *, own: bool) -> Level | None:
    reals = lane.reals
    price = reals[SUPPORT] if own else reals[RESISTANCE]
    if np.isnan(price):
        return None
    real = float(lane.sign * price)
    if np.isnan(reals[RANGE_ATR]):
        return Level(real, None, 0, None, [])
    count, _, ratio, rejection, age = _side(lane, own=own)
    strength = finite(reals[SUPPORT_STRENGTH] if own else reals[RESISTANCE_STRENGTH])
    return Level(real, strength, int(count), int(age) if count else None, _strength_parts(count, ratio, rejection, age))


def _strength_parts(count: int, ratio: float, rejection: float, age: int) -> list[Part]:
    """As in `ranges.level_strength`, of which they are the terms."""
    if count == 0:
        return []
    touches = 40.0 if count >= 5 else 30.0 if count == 4 else 20.0 if count == 3 else 10.0 if count == 2 else 0.0
    wick = 20.0 if rejection >= 0.7 else 15.0 if rejection >= 0.5 else 10.0 if rejection >= 0.3 else 5.0
    hold = 10.0 if age >= 30 else 8.0 if age >= 20 else 5.0 if age >= 10 else 2.0
    volume = plain(contraction_points)(ratio, 30.0)
    return [Part("touches", touches, 40.0), Part("volume", volume, 30.0), Part("rejection", wick, 20.0),
            Part("hold", hold, 10.0)]  # fmt: skip


def confidence_parts(lane: Lane) -> list[Part]:
    """The terms of `phases.reckon`, as the kernel left them; they add up to confidence before it is kept in 0..100."""
    reals, gates, phase = lane.reals, lane.gates, int(lane.wholes[PHASE])
    if phase < A:
        return []
    weights = [float(gates[g.PHASE_WEIGHTS + place]) for place in range(4)]
    known = not np.isnan(reals[QUALITY])
    parts = [
        Part("events", weights[0] * float(reals[MEAN_SCORE]) / 100.0, weights[0]),
        Part("range quality", weights[1] * float(reals[QUALITY]) / 100.0 if known else 0.0, weights[1]),
        Part("completeness", weights[2] * float(reals[COMPLETENESS]), weights[2]),
        Part("volume", weights[3] * float(reals[SIGNATURE]) if known else 0.0, weights[3]),
    ]
    if phase == A and not np.isnan(reals[PS_SCORE]):
        parts.append(Part("preliminary support", float(gates[g.PS_POINTS] * reals[PS_SCORE] / 100.0)))
    if lane.wholes[ON_HOLD] == 1 and np.isnan(reals[ST_SCORE]):
        parts.append(Part("no secondary test", -float(gates[g.HOLD_POINTS])))
    if phase == D and lane.wholes[IS_WEAK] == 1:
        parts.append(Part("weak breakout", -float(gates[g.WEAK_POINTS])))
    if reals[BIAS] != 0.0:
        parts.append(Part("signs inside the range", float(reals[BIAS])))
    return parts


def confidence_of(lane: Lane) -> float | None:
    return finite(lane.reals[CONFIDENCE]) if lane.wholes[PHASE] >= A else None
