"""Section 2.2 [X] 2: the cluster range, two levels that swings touched more than once, without a climax."""

from dataclasses import dataclass

from tests.wyckoff.reference import book, levels
from tests.wyckoff.reference.features import Bar
from tests.wyckoff.reference.machine import View


@dataclass(frozen=True)
class Candidate:
    """Two levels in the view of the swing that led to them. `touches` counts both sides, `lows` this side's cluster."""

    quality: float
    touches: int
    start: int
    support: float
    resistance: float
    lows: list[Bar]
    tops: list[Bar]


def clusters(swings: list[Bar], atr: float, since: int) -> list[list[Bar]]:
    """2.2: sorted by price, joined while p - mean of the cluster <= min(.75 ATR, 2 % of p).

    Readings: of the swings not older than `since`, lowest first in their own view, equal ones in
    order of time; ATR(i-1) of the newest bar.
    """
    joined: list[list[Bar]] = []
    for bar in sorted((bar for bar in swings if bar.number >= since), key=lambda bar: bar.low):
        tolerance = min(book.CLUSTER_ATR * atr, book.CLUSTER_PERCENT / 100 * abs(bar.low))
        if joined and bar.low - sum(one.low for one in joined[-1]) / len(joined[-1]) <= tolerance:
            joined[-1].append(bar)
        else:
            joined.append([bar])
    return joined


def level_of(members: list[Bar]) -> float:
    """2.4: the volume-weighted mean of the pivots."""
    return sum(bar.low * bar.volume for bar in members) / sum(bar.volume for bar in members)


def best_candidate(view: View, other: View, width_floor: float) -> Candidate | None:
    """2.2 [X] 4 around the swing that the newest bar of `view` confirmed: quality, touches, longer, first."""
    now = view.bars[-1]
    since, newest = now.number - book.CLUSTER_BARS + 1, view.swings[-1]
    own = clusters(view.swings[-book.SWINGS_SEEN :], now.atr_before, since)
    mine = next(members for members in own if newest in members)
    if len(mine) < book.CLUSTER_TOUCHES:
        return None
    found = []
    for members in clusters(other.swings[-book.SWINGS_SEEN :], now.atr_before, since):
        if len(members) >= book.CLUSTER_TOUCHES:
            candidate = rated(view, other, mine, members)
            if candidate.quality >= book.TRACK_QUALITY and is_sound(view.bars, candidate, width_floor):
                found.append(candidate)
    return max(found, key=lambda one: (one.quality, one.touches, -one.start), default=None)


def rated(view: View, other: View, mine: list[Bar], theirs: list[Bar]) -> Candidate:
    """2.3 of a range that is not there yet."""
    now = view.bars[-1]
    start = min(bar.number for bar in [*mine, *theirs])
    support, resistance = level_of(mine), -level_of(theirs)
    near = book.TOUCH_ATR * now.atr_before
    lows = levels.touches(view.swings[-book.SWINGS_SEEN :], support, near, start)
    tops = levels.touches(other.swings[-book.SWINGS_SEEN :], -resistance, near, start)
    quality = levels.quality(
        now.number - start + 1,
        levels.measured(lows, support, now),
        levels.measured(tops, -resistance, now),
        now.atr_before,
    )
    return Candidate(quality, len(lows) + len(tops), start, support, resistance, mine, theirs)


def is_sound(bars: list[Bar], candidate: Candidate, width_floor: float) -> bool:
    """2.2 [X] 1, 3. Readings: closed inside now, and never more than 1.5 ATR outside since its first swing."""
    now, support, resistance = bars[-1], candidate.support, candidate.resistance
    far = book.FAIL_ATR * now.atr_before
    return (
        now.number - candidate.start + 1 >= book.FORM_BARS
        and levels.width_fits(support, resistance, now.atr_before, width_floor)
        and support <= now.close <= resistance
        and all(support - far <= bar.close <= resistance + far for bar in bars[candidate.start : -1])
    )


def overlap(first: tuple[float, float], second: tuple[float, float]) -> bool:
    """2.2 [X] 2: half of the lower of both heights. In time the shorter lies within the longer: both last until now."""
    shared = min(first[1], second[1]) - max(first[0], second[0])
    return shared >= book.OVERLAP * min(first[1] - first[0], second[1] - second[0])


def trend_into(bars: list[Bar], start: int) -> int:
    """+1 where price came up into the range by 4 ATR in 60 bars, -1 down, else 0: ours, for 4.4's re-accumulation."""
    if start < book.PRIOR_BARS:
        return 0
    rise, far = bars[start].close - bars[start - book.PRIOR_BARS].close, book.TREND_ATR * bars[-1].atr_before
    return 1 if rise >= far else -1 if rise <= -far else 0
