"""Rules of the reference that no golden vector covers, on bars small enough to work out by hand."""

from dataclasses import replace
from math import isnan

import pytest

from tests.wyckoff.reference import book, clock, clusters, features, levels, probes, springs
from tests.wyckoff.reference.clock import DAY_NS
from tests.wyckoff.reference.detector import is_gap
from tests.wyckoff.reference.features import Bar
from tests.wyckoff.reference.gates import Gates
from tests.wyckoff.reference.machine import View

MONDAY = 4  # 1970-01-05


def bar(number: int, low: float, high: float, close: float, vr: float = 1.0, sr: float = 1.0) -> Bar:
    cp = features.close_position(high, low, close)
    return Bar(number, number, high, low, close, 100.0 * vr, vr, sr, cp, atr_before=2.0, atr=2.0)


def thrust(*closes: tuple[float, float]) -> list[Bar]:
    """Ten bars under 110, then bars of the given (high, close)."""
    calm = [bar(number, 105.0, 108.0, 106.0) for number in range(10)]
    return calm + [bar(10 + number, 104.0, high, close) for number, (high, close) in enumerate(closes)]


@pytest.mark.parametrize(
    ("closes", "expected"),
    [
        ([(112.0, 109.0)], 10),  # same bar
        ([(111.0, 110.5), (112.0, 111.0), (111.0, 109.0)], 11),  # third bar; the highest is the event
        ([(111.0, 110.5), (111.0, 110.5), (111.0, 110.5), (110.5, 109.0)], None),  # a bar too late
        ([(113.1, 109.0)], None),  # more than 1.5 ATR
        ([(110.0, 109.0)], None),  # only touched
        ([(112.0, 111.0)], None),  # not back yet
    ],
)
def test_an_upthrust_is_back_within_three_bars(closes: list[tuple[float, float]], expected: int | None) -> None:
    probe = probes.upthrust(thrust(*closes), 110.0, earliest=0, gates=Gates())

    assert (None if probe is None else probe.bar.number) == expected


def test_a_loud_upthrust_that_closes_low_costs_ten_points() -> None:
    assert probes.upthrust_bias(bar(0, 100.0, 110.0, 103.0, vr=1.5)) == -10.0
    assert probes.upthrust_bias(bar(0, 100.0, 110.0, 103.1, vr=1.5)) == 0.0
    assert probes.upthrust_bias(bar(0, 100.0, 110.0, 103.0, vr=1.49)) == 0.0


def test_a_shakeout_with_a_strong_close_gives_five_points() -> None:
    bars = [bar(0, 101.0, 103.0, 102.0), bar(1, 99.0, 103.0, 102.0)]
    below = springs.break_below(bars, {0: 100.0, 1: 100.0}, earliest=0)
    assert below is not None
    probe = probes.shakeout(bars, 100.0, below, Gates())

    assert probe is not None
    assert (probe.bar.number, probe.bias) == (1, 5.0)
    assert probe.score == pytest.approx(40.0 * 0.5 + 20.0)  # vr 1 gives none; cp .75 half; same bar


def test_a_break_runs_from_its_first_close_below() -> None:
    closes = [101.0, 99.0, 98.5, 100.5]
    bars = [bar(number, close - 1.0, close + 1.0, close, vr=1.0 + number) for number, close in enumerate(closes)]
    below = springs.break_below(bars, dict.fromkeys(range(4), 100.0), earliest=0)

    assert below is not None
    assert below.deepest is not None
    assert (below.first.number, below.deepest.number, below.closes_below, below.vr) == (1, 2, 2, 4.0)
    assert springs.break_below(bars[:1], {0: 100.0}, earliest=0) is None


def test_a_close_below_counts_against_the_support_of_its_day() -> None:
    closes = [101.0, 99.0, 100.5]
    bars = [bar(number, close - 1.0, close + 1.0, close) for number, close in enumerate(closes)]
    below = springs.break_below(bars, {0: 100.0, 1: 100.0, 2: 98.5}, earliest=0)

    assert below is not None
    assert (below.first.number, below.closes_below) == (1, 1)


def test_distribution_asks_an_upthrust_for_effort_or_none_at_all() -> None:
    bars = [bar(0, 99.0, 101.0, 100.0)]

    def passes(vr: float, sr: float) -> bool:
        return springs.is_upthrust(bars, springs.Break(bars[0], bars[0], vr, sr, 0))

    assert (passes(1.2, 1.0), passes(0.84, 0.99)) == (True, True)
    assert (passes(1.19, 1.0), passes(0.84, 1.0)) == (False, False)


@pytest.mark.parametrize(
    ("missing_days", "timeframe", "expected"),
    [
        (2, "1d", False),  # a weekend
        (9, "1d", False),  # five weekdays are allowed, six are not
        (10, "1d", True),
        (3, "1h", False),  # a long weekend
        (4, "1h", True),
        (34, "1w", False),
        (48, "1w", True),
    ],
)
def test_a_gap_counts_missing_weekdays_or_weeks(missing_days: int, timeframe: str, expected: bool) -> None:
    friday = MONDAY + 4
    now = friday + missing_days + 1

    assert is_gap(friday * DAY_NS, now * DAY_NS, timeframe) is expected


def test_intraday_volume_is_held_against_the_median_of_its_time_of_day() -> None:
    assert isnan(clock.usual_volume([100.0] * 9))
    assert clock.usual_volume([1.0] * 5 + [100.0] * 9 + [300.0] * 11) == 300.0  # the last 20 only
    assert isnan(clock.usual_volume([0.0] * 20))


def test_the_edges_of_a_session_ask_for_twice_their_usual_most() -> None:
    told = clock.Clock(book.scale("15m", book.NEW_YORK))
    opening = 1_577_975_400 * 10**9  # 2020-01-02 09:30 in New York
    for day in range(10):
        told.tell(opening + day * DAY_NS, 100.0 + day)

    assert told.edge_volume == float("inf")  # nine sessions before
    told.tell(opening + 10 * DAY_NS, 100.0)
    assert told.edge_volume == 218.0
    told.tell(opening + 10 * DAY_NS + 3_600 * 10**9, 100.0)
    assert told.edge_volume == 0.0


def test_a_time_of_day_is_local_and_crypto_weekends_are_apart() -> None:
    winter, summer = 1_577_975_400 * 10**9, 1_593_783_000 * 10**9  # 09:30 in New York: 14:30 and 13:30 UTC
    here, crypto = clock.Clock(book.scale("1h", book.NEW_YORK)), clock.Clock(book.scale("1h", book.CRYPTO))
    for told in (here, crypto):
        told.tell(winter, 1.0)
        told.tell(summer, 1.0)
    crypto.tell(winter + 2 * DAY_NS, 1.0)  # Saturday

    assert list(here.slots) == [(0, 9)]
    assert list(crypto.slots) == [(0, 14), (0, 13), (1, 14)]


def test_swings_are_joined_while_they_are_near_the_mean() -> None:
    lows = [100.0, 100.5, 101.4, 103.0, 200.0, 203.0]
    swings = [bar(number, low, low + 1.0, low + 0.5) for number, low in enumerate(lows)]
    found = clusters.clusters(swings, atr=2.0, since=0)

    # .75 ATR is 1.5: 101.4 is 1.15 over the mean of the first two, 103 is 2.4 over the mean of three.
    assert [[one.low for one in members] for members in found] == [[100.0, 100.5, 101.4], [103.0], [200.0], [203.0]]
    assert clusters.clusters(swings, atr=2.0, since=2)[0][0].low == 101.4
    assert len(clusters.clusters([replace(one, low=one.low / 100.0) for one in swings], atr=2.0, since=0)) == 3


def test_a_cluster_level_is_weighed_by_volume() -> None:
    members = [bar(0, 100.0, 101.0, 100.5, vr=3.0), bar(1, 102.0, 103.0, 102.5, vr=1.0)]

    assert clusters.level_of(members) == 100.5


def test_two_touches_a_side_make_a_range_without_a_climax() -> None:
    """Legs of ten bars between 100 and 110; the fourth swing completes it."""
    closes = [100.0 + (step if leg % 2 == 0 else 10 - step) for leg in range(7) for step in range(10)]
    bars = [bar(number, close - 0.5, close + 0.5, close) for number, close in enumerate(closes)]
    turned = [features.mirrored(one) for one in bars]
    lows, highs = [bars[20], bars[40]], [turned[30], turned[50]]
    found = clusters.best_candidate(View(bars[:58], lows), View(turned[:58], highs), width_floor=0.03)

    assert found is not None
    assert (found.support, found.resistance, found.start) == (99.5, 110.5, 20)
    assert found.quality >= 60.0


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [((100.0, 110.0), (105.0, 125.0), True), ((100.0, 110.0), (105.1, 125.0), False), ((0.0, 1.0), (2.0, 3.0), False)],
)
def test_ranges_overlap_from_half_of_the_lower_one(
    first: tuple[float, float], second: tuple[float, float], expected: bool
) -> None:
    assert clusters.overlap(first, second) is expected


def test_quality_decays_after_a_hundred_bars() -> None:
    side = levels.Level(4, 0.3, 0.8, 0.5, 20)

    assert levels.quality(100, side, side, atr=1.0) == 100.0
    assert levels.quality(150, side, side, atr=1.0) == 95.0
    assert levels.quality(5_000, side, side, atr=1.0) == 0.0
