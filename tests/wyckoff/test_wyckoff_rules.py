"""What surrounds the main sequence: effort, levels, targets, soft stops, thrusts, clusters, gaps, time of day."""

from collections import Counter
from dataclasses import replace
from math import isnan, nan

import numpy as np
import pytest

from engine.blocks import Bars
from engine.messages import Event, EventKind, Phase
from engine.timeframes import DAY_NS, LENGTH_NS, TIMEFRAMES
from engine.wyckoff.anatomy import score_parts
from engine.wyckoff.effort import EFFORTS, effort_class
from engine.wyckoff.ranges import level_strength, quality_points
from engine.wyckoff.settings import DetectorSettings
from engine.wyckoff.targets import measured_target, targets
from tests.makers import table
from tests.wyckoff.series import (
    ACCUMULATION,
    BACKUP,
    CAUSE,
    CLIMAX,
    DECLINE,
    QUIET,
    RALLY,
    SPRING,
    STRENGTH,
    TEST_OF_CLIMAX,
    TEST_OF_SPRING,
    block,
    changes,
    closed,
    clustered,
    decorated,
    detections,
    detector,
    events,
    mirrored,
    planted,
    run,
    swapped,
)

RANGE = QUIET + DECLINE + CLIMAX + RALLY + TEST_OF_CLIMAX + CAUSE


def long(rows: object) -> list[Event]:
    return [event for event in events(closed(rows)) if event.direction == 1]


def effort(vr: float, sr: float, change: float = 1.0) -> str:
    return EFFORTS[effort_class.py_func(vr, sr, change, 0.0)]


def test_vectors_1_to_3_effort_against_result() -> None:
    assert effort(3.0, 1.0) == "CLIMAX_UP"
    assert effort(1.5, 1.5, -1.0) == "CLIMAX_DOWN"
    assert effort(1.49, 1.5) == "NORMAL"
    assert effort(1.4, 0.8) == "ABSORB_UP"
    assert effort(0.6, 0.8) == "NO_DEMAND"
    assert effort(0.6, 0.8, -1.0) == "NO_SUPPLY"
    assert effort(0.79, 1.2) == "EASE_UP"
    assert effort(nan, 1.0) == "NORMAL"


def test_vectors_6_and_7_quality_of_a_range() -> None:
    falling, flat = (0.5, 0.5), (1.0, 1.0)

    assert quality_points.py_func(40, (4, 4), (0.3, 0.3), falling) == 100
    assert quality_points.py_func(25, (2, 2), (0.6, 0.6), flat) == 60


def test_a_level_of_two_touches_reaches_seventy_at_most() -> None:
    assert level_strength.py_func(2, 0.5, 0.9, 30) == 70
    assert level_strength.py_func(0, nan, 0.0, 0) == 0


def test_vector_8_targets_are_widths_of_the_range() -> None:
    (spring,) = [event for event in long(RANGE + SPRING) if event.kind is EventKind.SPRING]
    known = {name: getattr(spring, name) for name in Event.__struct_fields__}
    given = Event(**(known | {"support": 100.0, "resistance": 110.0, "range_bars": 45, "objective": 125.0}))

    assert targets(given) == (110.0, 120.0, 130.0, 130.0)  # the count may cap, but not below two widths
    assert measured_target(given) == 130.0
    assert measured_target(Event(**(known | {"support": 100.0, "resistance": 110.0, "range_bars": 24}))) == 120.0
    short = Event(**(known | {"direction": -1, "support": 100.0, "resistance": 110.0, "objective": 72.0}))
    assert targets(short) == (100.0, 90.0, 80.0, 72.0)


def test_the_figure_count_is_there_once_the_range_is_active() -> None:
    found = {event.kind: event for event in long(RANGE + SPRING)}

    assert isnan(found[EventKind.AR].objective)
    spring = found[EventKind.SPRING]
    assert (spring.objective - 98.0) % 1 < 1e9
    assert spring.objective > spring.support


def test_every_detection_names_its_settings() -> None:
    other = DetectorSettings(sc_sr=1.31)
    found = detections(run(detector(), block(closed(ACCUMULATION))))

    assert other.hash != DetectorSettings().hash == DetectorSettings(sc_sr=1.3).hash
    assert {one.settings for one in found} == {DetectorSettings().hash}
    assert {event.settings for one in found for event in one.events} == {DetectorSettings().hash}


def test_a_fall_without_a_climax_ends_in_a_soft_stop() -> None:
    quiet_low = [(112.0, 112.5, 106.0, 109.0, 1_000.0)]
    found = long(QUIET + DECLINE + quiet_low + RALLY + TEST_OF_CLIMAX)

    assert found[0].kind is EventKind.SOFT_STOP
    assert found[0].score <= 60
    assert found[0].origin == "SOFT_STOP"
    assert "SC" not in [event.kind for event in found]


def test_a_climax_takes_the_place_of_a_soft_stop_before_its_range_is_one() -> None:
    quiet_low = [(112.0, 112.5, 106.0, 109.0, 1_000.0)]
    found = long(QUIET + DECLINE + quiet_low + RALLY + TEST_OF_CLIMAX[:2] + [(111.0, 111.5, 90.0, 101.0, 6_000.0)])
    soft = found[0]
    (climax,) = [event for event in found if event.kind is EventKind.SC]

    assert soft.kind is EventKind.SOFT_STOP
    assert climax.supersedes == soft.event_id


UPTHRUST = [(119.0, 122.5, 117.5, 118.0, 2_000.0)]


def test_an_upthrust_in_phase_b_is_evidence_against_the_range() -> None:
    before = changes(closed([*RANGE, (101.0, 119.0, 100.8, 119.0, 900.0)]))
    found = long([*RANGE, (101.0, 119.0, 100.8, 119.0, 900.0), *UPTHRUST])

    assert before[-1].phase is Phase.B
    assert (found[-1].kind, found[-1].price, found[-1].phase) == (EventKind.UT, 122.5, Phase.B)


def test_a_shallow_dip_before_its_time_is_a_shakeout() -> None:
    early = QUIET + DECLINE + CLIMAX + RALLY + TEST_OF_CLIMAX + CAUSE[-3:] + [(100.5, 101.0, 97.0, 100.9, 600.0)]
    found = long(early)

    assert (found[-1].kind, found[-1].price) == (EventKind.SHAKE, 97.0)


def test_the_third_spring_of_a_range_is_a_warning() -> None:
    dips = []
    for low in (97.5, 97.0, 96.5):
        dips += [(100.0, 100.5, low, 99.5, 500.0), (99.5, 101.5, 99.0, 101.0, 1_500.0)]
    found = long(RANGE + dips)

    assert [event.kind.value for event in found[-4:]] == ["SPRING", "SPRING", "SPRING", "SUPPLY_WARNING"]


def test_a_weak_breakout_that_falls_back_is_taken_back_by_a_new_event() -> None:
    quiet = [(opened, high, low, close, 800.0) for opened, high, low, close, _ in STRENGTH]
    back = [(124.0, 124.5, 117.5, 118.0, 900.0)]
    found = long(RANGE + quiet + back)
    weak = next(event for event in found if event.kind is EventKind.BREAKOUT_WEAK)

    assert (found[-1].kind, found[-1].phase) == (EventKind.SOS_FAILED, Phase.B)
    assert found[-1].supersedes == weak.event_id


def test_a_failed_breakout_that_met_supply_is_also_an_upthrust() -> None:
    reversal = [(125.0, 129.0, 119.8, 120.0, 2_600.0), (120.0, 120.5, 116.5, 117.0, 900.0)]
    reversal += [(117.0, 117.5, 115.5, 116.0, 900.0)]
    found = long(RANGE + SPRING + TEST_OF_SPRING + STRENGTH + reversal)
    strength, failed, retagged = found[-3:]

    assert (strength.kind, failed.kind, retagged.kind) == (EventKind.SOS, EventKind.SOS_FAILED, EventKind.UT)
    assert failed.supersedes == retagged.supersedes == strength.event_id


def test_sides_have_the_exceptions_of_the_rule_book() -> None:
    """Quiet springs of ordinary volume are springs; mirrored they are no upthrusts, and weakness may stop short."""
    ordinary = [*RANGE, (100.5, 103.0, 97.0, 99.0, 900.0)]
    plain, other = long(ordinary), [e for e in events(mirrored(closed(ordinary))) if e.direction == -1]
    same = [e for e in events(mirrored(closed(ordinary)), swapped(detector())) if e.direction == -1]

    assert plain[-1].kind is same[-1].kind is EventKind.SPRING
    assert other[-1].kind is EventKind.SHAKE


def test_missing_sessions_freeze_the_detector() -> None:
    bars = closed(ACCUMULATION[:90])
    after = closed([(110.0, 112.0, 109.0, 111.0, 800.0)])
    shift = int(bars.close_ns[-1] - after.open_ns[0])

    def with_gap(days: int, asset_class: str) -> list[Phase]:
        moved = replace(
            after, open_ns=after.open_ns + shift + days * DAY_NS, close_ns=after.close_ns + shift + days * DAY_NS
        )
        stage = detector(table("AAA", asset_class=asset_class))
        found = detections(run(stage, block(Bars.join([bars, moved]))))
        assert EventKind.RANGE_FAILED not in [event.kind for one in found for event in one.events]
        return [change.phase for one in found for change in one.phases]

    assert with_gap(4, "stock")[-1] is Phase.B
    assert with_gap(12, "stock")[-1] is Phase.NONE
    assert with_gap(7, "stock")[-1] is Phase.B  # five weekdays are missing at most
    assert with_gap(7, "crypto")[-1] is Phase.NONE


FLAT = [(104.0, 105.0, 103.0, 104.0, 1_000.0)] * 62


def wave(rows: int, low: float = 100.0, high: float = 108.0, period: int = 18) -> list[tuple[float, ...]]:
    """Bars that swing between two levels less than 4 ATR apart, so that no swing ends a fall."""
    middle, reach = (low + high) / 2, (high - low) / 2 - 1.0
    centre = middle + reach * np.sin(2 * np.pi * np.arange(rows) / period)
    return [(c, c + 1.0, c - 1.0, c, 1_000.0) for c in centre.tolist()]


def test_levels_touched_twice_each_make_a_range_without_a_climax() -> None:
    found = events(closed(FLAT + wave(80)))
    up, down = [event for event in found if event.kind is EventKind.RANGE_FORMED][:2]

    assert (up.direction, down.direction) == (1, -1)
    assert up.origin == down.origin == "CLUSTER"
    assert up.support == down.support == pytest.approx(100.0, abs=0.3)
    assert up.resistance == pytest.approx(108.0, abs=0.3)
    assert up.quality >= 60
    assert up.event_id.endswith(":cluster")


def test_a_spring_of_a_cluster_range_needs_no_climax() -> None:
    dip = [(100.5, 101.0, 99.4, 100.8, 700.0)]
    found = events(closed(FLAT + wave(86) + dip))

    assert ("SPRING", 1, "CLUSTER") in [(event.kind.value, event.direction, event.origin) for event in found]


@pytest.mark.parametrize("bars", [planted(1_500, 5), clustered(1_500, 7)], ids=["planted", "clustered"])
def test_events_build_on_each_other_and_add_up(bars: Bars) -> None:
    found, names = events(bars), set()
    capped = Counter()
    for event in found:
        assert not event.follows or event.follows in names
        names.add(event.event_id)
        parts = score_parts(event)
        whole = sum(parts.values())
        capped[abs(whole - event.score) < 1e-9] += 1
        if event.kind in (EventKind.AR, EventKind.SOS, EventKind.TEST, EventKind.UT, EventKind.SHAKE):
            assert whole == pytest.approx(event.score)
        levels = [one for one in (event.quality, event.support_strength, event.resistance_strength) if not isnan(one)]
        weighed = 0.45 * event.score + 0.3 * event.phase_confidence + 0.1 * event.context
        weighed += 0.15 * sum(levels) / len(levels) if levels else 0.0
        assert event.confidence == pytest.approx(weighed + (5.0 if event.tests_passed >= 6 else 0.0))

    assert capped[True] > 50


def test_the_confidence_of_a_phase_is_the_sum_of_its_parts() -> None:
    seen = 0
    for change in changes(clustered(1_500, 7)):
        if change.phase in (Phase.B, Phase.C) and change.origin == "CLUSTER":
            parts = (
                0.4 * change.mean_score
                + 0.25 * change.quality
                + 20 * change.completeness
                + 15 * change.volume_signature
                + change.bias_points
            )
            assert change.confidence == pytest.approx(min(100.0, max(0.0, parts)))
            seen += 1

    assert seen > 0


def hours(days: int, asset_class: str = "crypto") -> Bars:
    """Hourly bars whose volume has the same shape every day."""
    rows = []
    for number in range(24 * days):
        price = 100.0 + np.sin(number / 5.0)
        rows.append((price, price + 0.5, price - 0.5, price, 1_000.0 + 200.0 * (number % 24)))
    return closed(rows, "1h")


def vr_of(bars: Bars, **options: object) -> np.ndarray:
    stage = detector(table("AAA", **options), detect_on=("1h",))
    return decorated(run(stage, block(bars))).vr


def test_intraday_volume_is_compared_with_the_same_time_of_earlier_sessions() -> None:
    vr = vr_of(hours(14), asset_class="stock")

    assert vr[10 * 24 :] == pytest.approx(1.0)
    assert abs(vr[9 * 24 + 21] - 1.0) > 0.3  # nine sessions are too few


def test_weekends_of_a_market_that_never_closes_have_their_own_volume() -> None:
    bars = hours(40)
    weekday = (bars.open_ns // DAY_NS + 3) % 7
    bars = replace(bars, volume=np.where(weekday >= 5, bars.volume / 4, bars.volume))
    monday = np.flatnonzero((weekday == 0) & (np.arange(len(bars)) > 30 * 24))

    assert vr_of(bars, asset_class="crypto")[monday] == pytest.approx(1.0)
    assert vr_of(bars, asset_class="crypto")[(weekday == 5)].min() < 0.6


def test_the_time_of_day_follows_the_clocks_of_the_exchange() -> None:
    """In March 2020 New York moved its clocks; the same local hour is an hour earlier in UTC."""
    local = np.arange(24 * 100)
    shape = 1_000.0 + 200.0 * (local % 24)
    rows = [(100.0, 100.5, 99.5, 100.0, volume) for volume in shape]
    bars = closed(rows, "1h")
    moved = np.where(local >= 24 * 67, LENGTH_NS["1h"], 0)  # from 8 March on
    bars = replace(bars, open_ns=bars.open_ns - moved, close_ns=bars.close_ns - moved)
    keep = np.flatnonzero(local != 24 * 67)
    bars = replace(bars, **{name: column[keep] for name, column in bars.columns().items()})

    assert vr_of(bars, calendar="XNYS")[24 * 70 :] == pytest.approx(1.0)
    assert abs(vr_of(bars)[24 * 70 :] - 1.0).max() > 0.05


def test_intraday_state_survives_a_restart() -> None:
    bars = hours(30)
    whole, first = detector(detect_on=("1h",)), detector(detect_on=("1h",))
    run(whole, block(bars))
    run(first, block(bars.slice(0, 500)))
    second = detector(detect_on=("1h",))
    second.restore(first.snapshot())
    run(second, block(bars.slice(500, len(bars))))

    assert second.snapshot() == whole.snapshot()


def test_higher_timeframes_give_context() -> None:
    daily = closed(ACCUMULATION)
    hourly = replace(
        closed(ACCUMULATION, "1h"),
        open_ns=daily.open_ns[100] + LENGTH_NS["1h"] * np.arange(len(daily), dtype=np.int64),
        close_ns=daily.open_ns[100] + LENGTH_NS["1h"] * np.arange(1, len(daily) + 1, dtype=np.int64),
    )
    both = Bars.join([daily, hourly])
    order = np.lexsort((-both.timeframe, both.close_ns))
    both = replace(both, **{name: column[order] for name, column in both.columns().items()})
    stage = detector(detect_on=("1h", "1d"))
    found = [event for one in detections(run(stage, block(both))) for event in one.events]

    assert {event.context for event in found if event.timeframe == "1d"} == {0.0}
    assert 100.0 in [event.context for event in found if event.timeframe == "1h" and event.direction == 1]
    assert TIMEFRAMES.index("1h") < TIMEFRAMES.index("1d")


def test_a_backup_inside_the_range_after_a_tested_spring_is_tracked() -> None:
    rise = [(103.0 + 3 * n, 106.5 + 3 * n, 102.5 + 3 * n, 106.0 + 3 * n, 1_000.0) for n in range(4)]
    pull = [
        (115.0, 115.2, 113.0, 113.4, 600.0),
        (113.4, 113.6, 111.5, 112.0, 500.0),
        (112.0, 114.5, 111.8, 114.2, 800.0),
    ]
    found = long(RANGE + SPRING + TEST_OF_SPRING + rise + pull)

    assert (found[-1].kind, found[-1].phase, found[-1].price) == (EventKind.LPS_INSIDE, Phase.C, 111.5)


def test_what_follows_strength_is_still_found() -> None:
    assert [event.kind for event in long(RANGE + SPRING + TEST_OF_SPRING + STRENGTH + BACKUP)][-1] is EventKind.LPS
