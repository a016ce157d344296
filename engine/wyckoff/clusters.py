"""Cluster ranges: two levels that swings touched more than once, without a climax to begin them (2.1, 2.2).

Tried only when a swing confirms. The swings of the last 100 bars are sorted by price and joined
into clusters, each side in its own view; the cluster of the new swing is paired with every cluster
of the other side, and the best pair becomes a range that both sides follow until one breaks it.
"""

from typing import NamedTuple

import numpy as np

from engine.blocks import Float64
from engine.kernels import kernel
from engine.wyckoff import edges as t
from engine.wyckoff import gates as g
from engine.wyckoff import kinds as k
from engine.wyckoff.edges import A
from engine.wyckoff.features import place_of
from engine.wyckoff.layout import (
    AR_BAR,
    AR_HIGH,
    ATR_BEFORE,
    CLOSE,
    CLUSTER,
    ORIGIN,
    PHASE,
    PIVOT_BAR,
    PIVOT_LOW,
    PIVOT_VOLUME,
    PIVOTS,
    QUALITY,
    RANGE_ATR,
    RESISTANCE,
    SC_BAR,
    SC_KNOWN_NS,
    SC_LOW,
    SC_NS,
    ST_COUNT,
    ST_FIRST_VR,
    ST_LAST_VR,
    SUPPORT,
    TREND,
    Lane,
)  # fmt: skip
from engine.wyckoff.phases import move, start_cause, wipe
from engine.wyckoff.ranges import check_active, fits, measure, measure_side, quality_points
from engine.wyckoff.records import emit

TREND_BARS = 60
"""The move into a range is looked at over this many bars before its first swing."""

SCRATCH = 3 * PIVOTS
SORTED_LOW, SORTED_ENTRY, SORTED_GROUP = range(0, SCRATCH, PIVOTS)


class Candidate(NamedTuple):
    """A possible range in the view of the swing just confirmed; `quality` is -1 for none."""

    quality: float
    touches: int
    start: int
    support: float
    resistance: float
    lows: int
    tops: int


@kernel
def sort_swings(ring: Float64, seen: int, since: int, scratch: Float64) -> int:
    """Swings not older than `since` into `scratch`, lowest first, equal ones in order of time; how many."""
    count = 0
    for index in range(max(0, seen - PIVOTS), seen):
        entry = index % PIVOTS
        if ring[PIVOT_BAR + entry] < since:
            continue
        low, place = ring[PIVOT_LOW + entry], count
        while place > 0 and scratch[SORTED_LOW + place - 1] > low:
            scratch[SORTED_LOW + place] = scratch[SORTED_LOW + place - 1]
            scratch[SORTED_ENTRY + place] = scratch[SORTED_ENTRY + place - 1]
            place -= 1
        scratch[SORTED_LOW + place], scratch[SORTED_ENTRY + place] = low, entry
        count += 1
    return count


@kernel
def group_swings(scratch: Float64, count: int, tolerance: float, fraction: float) -> int:
    """Join each swing to the cluster below while it is near its mean; how many clusters."""
    group, total, members = -1, 0.0, 0
    for place in range(count):
        low = scratch[SORTED_LOW + place]
        if members == 0 or low - total / members > min(tolerance, fraction * abs(low)):
            group, total, members = group + 1, 0.0, 0
        total += low
        members += 1
        scratch[SORTED_GROUP + place] = group
    return group + 1


@kernel
def group_level(ring: Float64, scratch: Float64, count: int, group: int) -> tuple[int, float, int]:
    """Members of a cluster, their volume-weighted mean, and the first one's bar."""
    members, total, volume, first = 0, 0.0, 0.0, np.inf
    for place in range(count):
        if scratch[SORTED_GROUP + place] == group:
            entry = int(scratch[SORTED_ENTRY + place])
            members += 1
            total += ring[PIVOT_LOW + entry] * ring[PIVOT_VOLUME + entry]
            volume += ring[PIVOT_VOLUME + entry]
            first = min(first, ring[PIVOT_BAR + entry])
    return members, total / volume, int(first) if members > 0 else -1


@kernel
def group_of_newest(ring: Float64, seen: int, scratch: Float64, count: int) -> int:
    newest = (seen - 1) % PIVOTS
    for place in range(count):
        if scratch[SORTED_ENTRY + place] == newest:
            return int(scratch[SORTED_GROUP + place])
    return -1


@kernel
def seek_cluster(lane: Lane, scratch: Float64) -> Candidate:
    """The best range around the swing that `lane`'s view just confirmed."""
    gates, atr = lane.gates, lane.levels[ATR_BEFORE]
    best = nothing()
    since = lane.bar - int(gates[g.CLUSTER_BARS]) + 1
    tolerance, fraction = gates[g.CLUSTER_TOLERANCE_ATR] * atr, gates[g.CLUSTER_FRACTION]
    count = sort_swings(lane.pivots, lane.seen, since, scratch)
    group_swings(scratch, count, tolerance, fraction)
    group = group_of_newest(lane.pivots, lane.seen, scratch, count)
    lows, support, low_first = group_level(lane.pivots, scratch, count, group)
    if lows < gates[g.CLUSTER_TOUCHES]:
        return best
    count = sort_swings(lane.tops, lane.topped, since, scratch)
    groups = group_swings(scratch, count, tolerance, fraction)
    for other in range(groups):
        tops, level, top_first = group_level(lane.tops, scratch, count, other)
        start = min(low_first, top_first)
        if tops < gates[g.CLUSTER_TOUCHES] or not is_sound(lane, support, -level, start):
            continue
        quality, touches = rate(lane, support, -level, start)
        if quality >= gates[g.RANGE_TRACK_QUALITY]:
            best = better(best, Candidate(quality, touches, start, support, -level, lows, tops))
    return best


@kernel
def nothing() -> Candidate:
    return Candidate(-1.0, 0, 0, np.nan, np.nan, 0, 0)


@kernel
def better(one: Candidate, other: Candidate) -> Candidate:
    """Best of those that overlap: quality, then touches, then length (2.2, rule 4); the first of equals."""
    if other.quality != one.quality:
        return other if other.quality > one.quality else one
    if other.touches != one.touches:
        return other if other.touches > one.touches else one
    return other if other.start < one.start else one


@kernel
def seen_from_above(one: Candidate) -> Candidate:
    """A candidate of the mirrored view in real prices."""
    return Candidate(one.quality, one.touches, one.start, -one.resistance, -one.support, one.tops, one.lows)


@kernel
def is_sound(lane: Lane, support: float, resistance: float, start: int) -> bool:
    """Width and age fit, price is inside, and no close since the first swing was far outside."""
    gates, atr = lane.gates, lane.levels[ATR_BEFORE]
    if lane.bar - start + 1 < gates[g.RANGE_FORM_BARS] or not fits(gates, support, resistance, atr):
        return False
    close = lane.sign * lane.window[CLOSE + lane.at]
    if not support <= close <= resistance:
        return False
    far = gates[g.RANGE_FAIL_ATR] * atr
    for place in range(place_of(lane, start), lane.at):
        close = lane.sign * lane.window[CLOSE + place]
        if close < support - far or close > resistance + far:
            return False
    return True


@kernel
def rate(lane: Lane, support: float, resistance: float, start: int) -> tuple[float, int]:
    """Quality and touches of a range that is not there yet."""
    atr = lane.levels[ATR_BEFORE]
    near = lane.gates[g.RANGE_TOUCH_ATR] * atr
    lows, low_std, low_ratio, _, _ = measure_side(lane.pivots, lane.seen, support, near, start, lane.bar)
    tops, top_std, top_ratio, _, _ = measure_side(lane.tops, lane.topped, -resistance, near, start, lane.bar)
    bars = lane.bar - start + 1
    return quality_points(bars, (lows, tops), (low_std / atr, top_std / atr), (low_ratio, top_ratio)), lows + tops


@kernel
def overlaps(lane: Lane, support: float, resistance: float) -> bool:
    """Does the lane's range share half the smaller of both heights with these levels (real prices)?

    Both ranges end at this bar, so the shorter always lies within the other's time.
    """
    if lane.wholes[PHASE] < A or np.isnan(lane.reals[RESISTANCE]):
        return False
    low, high = lane.reals[SUPPORT], lane.reals[RESISTANCE]
    if lane.sign < 0.0:
        low, high = -lane.reals[RESISTANCE], -lane.reals[SUPPORT]
    shared = min(high, resistance) - max(low, support)
    return bool(shared >= lane.gates[g.RANGE_OVERLAP] * min(high - low, resistance - support))


@kernel
def trend_into(lane: Lane, start: int) -> int:
    """+1 where price came up into the range (in this view) by 4 ATR or more, -1 down, else 0."""
    place = place_of(lane, start)
    if start < TREND_BARS or place < TREND_BARS:
        return 0
    rise = lane.sign * (lane.window[CLOSE + place] - lane.window[CLOSE + place - TREND_BARS])
    far = lane.gates[g.TREND_ATR] * lane.levels[ATR_BEFORE]
    return 1 if rise >= far else -1 if rise <= -far else 0


@kernel
def open_cluster(lane: Lane, start: int, levels: tuple[float, float], touches: int, pivot_bar: int) -> None:
    """T18: one lane of a cluster range begins, in phase B. Touches stand in for secondary tests."""
    wholes, reals = lane.wholes, lane.reals
    move(lane, t.T18)
    wipe(lane)
    wholes[ORIGIN], wholes[TREND] = CLUSTER, trend_into(lane, start)
    wholes[SC_BAR], wholes[SC_NS] = start, lane.opens[place_of(lane, start)]
    wholes[SC_KNOWN_NS], wholes[AR_BAR] = lane.opens[lane.at], start
    reals[SUPPORT], reals[RESISTANCE] = levels
    reals[SC_LOW], reals[AR_HIGH], reals[RANGE_ATR] = levels[0], levels[1], lane.levels[ATR_BEFORE]
    wholes[ST_COUNT] = touches
    near = lane.gates[g.RANGE_TOUCH_ATR] * reals[RANGE_ATR]
    _, _, ratio, _, _ = measure_side(lane.pivots, lane.seen, levels[0], near, start, lane.bar)
    reals[ST_FIRST_VR], reals[ST_LAST_VR] = 1.0, ratio
    start_cause(lane)
    check_active(lane)
    measure(lane)
    emit(lane, k.RANGE_FORMED, pivot_bar, levels[0], reals[QUALITY])
