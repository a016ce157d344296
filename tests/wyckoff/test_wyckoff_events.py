"""Positive control: hand-written structures give the events of the book, in order, on both sides."""

import numpy as np
import pytest

from engine.messages import Event, EventKind, Phase
from engine.naming import event_name
from engine.timeframes import DAY_NS
from tests.makers import START_NS
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
    decorated,
    detector,
    events,
    mirrored,
    real_days,
    run,
    swapped,
)  # fmt: skip

RANGE = QUIET + DECLINE + CLIMAX + RALLY + TEST_OF_CLIMAX + CAUSE


def of(found: list[Event], direction: int) -> list[Event]:
    return [event for event in found if event.direction == direction]


def kinds(rows: object) -> list[str]:
    return [event.kind.value for event in of(events(closed(rows)), 1)]


def bar_number(time_ns: int) -> int:
    return (time_ns - START_NS) // DAY_NS


def test_an_accumulation_gives_its_events_in_order() -> None:
    found = of(events(closed(ACCUMULATION)), 1)

    assert [event.kind for event in found] == [
        EventKind.SC, EventKind.AR, EventKind.ST, EventKind.ST, EventKind.SPRING, EventKind.TEST, EventKind.SOS,
        EventKind.LPS,
    ]  # fmt: skip
    assert [event.price for event in found] == [98.0, 121.0, 100.5, 106.5, 97.0, 99.5, 125.0, 121.0]
    assert [event.phase for event in found] == [*(Phase.A,) * 3, Phase.B, Phase.C, Phase.C, Phase.D, Phase.D]
    assert all(0.0 <= event.score <= 100.0 for event in found)


def test_an_event_names_the_bar_it_points_at_and_the_bar_that_confirmed_it() -> None:
    rally = of(events(closed(ACCUMULATION)), 1)[1]

    assert (bar_number(rally.event_ns), bar_number(rally.confirm_ns)) == (74, 77)
    assert rally.known_ns == rally.confirm_ns + DAY_NS
    assert rally.event_id == f"AAA:1d:+1:AR:{rally.event_ns}:{rally.confirm_ns}"
    assert (rally.support, rally.resistance) == (98.0, 121.0)
    assert rally.volume_ratio == pytest.approx(0.85, abs=0.02)


def test_the_mirror_of_an_accumulation_is_a_distribution() -> None:
    found = of(events(mirrored(closed(ACCUMULATION)), swapped(detector())), -1)

    assert [event_name(event.kind, event.direction) for event in found] == [
        "BC", "AR", "ST", "ST", "UTAD", "TEST", "SOW", "LPSY",
    ]  # fmt: skip
    assert all(event.support < event.resistance for event in found[1:])
    assert [event.price for event in found] == [-98.0, -121.0, -100.5, -106.5, -97.0, -99.5, -125.0, -121.0]


def test_the_shown_phase_runs_from_warmup_to_markup() -> None:
    shown = [change for change in changes(closed(ACCUMULATION)) if change.direction >= 0]

    assert [change.phase for change in shown] == [Phase.NONE, Phase.A, Phase.B, Phase.C, Phase.D, Phase.E]
    assert shown[0].previous == Phase.WARMUP
    assert shown[-1].confidence > 70
    assert np.isnan(shown[0].support)


def test_vector_20_a_close_under_the_spring_voids_it() -> None:
    under = [(102.0, 102.5, 98.0, 98.5, 500.0), (98.5, 99.0, 95.0, 96.0, 900.0)]
    found = of(events(closed(RANGE + SPRING + under)), 1)
    spring, voided, failed = found[-3:]

    assert (spring.kind, voided.kind, failed.kind) == (
        EventKind.SPRING, EventKind.SPRING_FAILED, EventKind.RANGE_FAILED,
    )  # fmt: skip
    assert voided.supersedes == spring.event_id
    assert voided.phase == failed.phase == Phase.NONE


@pytest.mark.parametrize(
    ("first", "kind"),
    [
        ((100.5, 100.6, 97.5, 99.0, 500.0), 3),
        ((100.5, 101.0, 97.0, 99.0, 600.0), 2),
        ((100.5, 101.0, 95.5, 99.0, 2_500.0), 1),
    ],
    ids=["quiet", "ordinary", "heavy"],
)
def test_a_spring_is_typed_by_its_heaviest_bar(first: tuple[float, ...], kind: int) -> None:
    found = of(events(closed([*RANGE, first])), 1)

    assert (found[-1].kind, found[-1].variant) == (EventKind.SPRING, kind)
    assert found[-1].support == 98.0


def test_a_spring_may_close_back_within_the_clock() -> None:
    below = [(100.5, 101.0, 96.5, 97.5, 700.0), (97.5, 98.0, 96.8, 97.6, 700.0), (97.6, 99.5, 97.0, 99.0, 700.0)]
    found = of(events(closed(RANGE + below)), 1)

    assert found[-1].kind == EventKind.SPRING
    assert (bar_number(found[-1].event_ns), bar_number(found[-1].confirm_ns)) == (97, 99)


def test_four_closes_under_support_fail_the_range() -> None:
    below = [(97.8, 98.0, 96.5, 97.5, 700.0)] * 4

    assert kinds(RANGE + below)[-1] == "RANGE_FAILED"
    assert "RANGE_FAILED" not in kinds(RANGE + below[:3])


def test_vector_11_a_spring_too_early_in_phase_b_is_not_one() -> None:
    early = QUIET + DECLINE + CLIMAX + RALLY + TEST_OF_CLIMAX + CAUSE[-3:] + SPRING

    assert "SPRING" not in kinds(early)


def test_a_test_on_more_volume_than_the_spring_returns_to_cause() -> None:
    supply = [(102.0, 102.2, 98.5, 98.8, 900.0)]
    shown = changes(closed(RANGE + SPRING + supply))

    assert shown[-1].phase == Phase.B


def test_a_breakout_without_effort_is_weak_and_moves_after_three_closes() -> None:
    quiet = [(opened, high, low, close, 800.0) for opened, high, low, close, _ in STRENGTH]
    above = [(125.0, 125.5, 124.0, 124.5, 700.0)] * 2
    found = kinds(RANGE + SPRING + TEST_OF_SPRING + quiet + above)
    shown = [change.phase for change in changes(closed(RANGE + SPRING + TEST_OF_SPRING + quiet + above))]

    assert "SOS" not in found
    assert found[-1] == "BREAKOUT_WEAK"
    assert shown[-1] == Phase.D
    assert Phase.D not in [c.phase for c in changes(closed(RANGE + SPRING + TEST_OF_SPRING + quiet + above[:1]))]


def test_two_closes_back_inside_fail_the_sign_of_strength() -> None:
    back = [(124.0, 124.5, 117.5, 118.0, 900.0), (118.0, 118.5, 116.5, 117.0, 900.0)]
    found = of(events(closed(RANGE + SPRING + TEST_OF_SPRING + STRENGTH + back)), 1)

    assert [event.kind for event in found[-2:]] == [EventKind.SOS, EventKind.SOS_FAILED]
    assert found[-1].supersedes == found[-2].event_id
    assert found[-1].phase == Phase.B


def test_a_heavy_reaction_cancels_the_sign_of_strength() -> None:
    reaction = [(125.0, 125.2, 119.9, 120.9, 2_500.0)]

    assert kinds(RANGE + SPRING + TEST_OF_SPRING + STRENGTH + reaction)[-1] == "SOS_FAILED"


def test_a_loud_backup_is_no_last_point_of_support() -> None:
    loud = [(opened, high, low, close, 2_000.0) for opened, high, low, close, _ in BACKUP]

    assert "LPS" not in kinds(RANGE + SPRING + TEST_OF_SPRING + STRENGTH + loud)


def test_a_lower_climax_makes_the_old_one_preliminary_support() -> None:
    lower = [
        (119.0, 119.2, 112.0, 113.0, 900.0),
        (113.0, 113.5, 104.0, 105.0, 900.0),
        (105.0, 106.0, 90.0, 99.0, 5_000.0),
    ]
    found = of(events(closed(QUIET + DECLINE + CLIMAX + RALLY + lower)), 1)

    assert [event.kind for event in found] == [EventKind.SC, EventKind.PS, EventKind.SC]
    assert found[1].supersedes == found[0].event_id
    assert found[1].event_ns == found[0].event_ns
    assert found[2].price == 90.0


def test_a_lower_climax_too_soon_relabels_without_preliminary_support() -> None:
    lower = [(105.0, 106.0, 90.0, 99.0, 5_000.0)]
    found = of(events(closed(QUIET + DECLINE + CLIMAX + lower)), 1)

    assert [event.kind for event in found] == [EventKind.SC, EventKind.SC]
    assert found[1].supersedes == found[0].event_id


def test_a_climax_that_closes_on_its_low_waits_for_a_close_above_its_middle() -> None:
    weak = [(110.0, 110.5, 98.0, 99.0, 4_000.0)]
    after = [(99.0, 102.0, 98.5, 101.0, 1_000.0), (101.0, 106.0, 100.5, 105.0, 1_000.0)]
    found = of(events(closed(QUIET + DECLINE + weak + after)), 1)

    assert kinds(QUIET + DECLINE + weak + after[:1]) == []
    assert (bar_number(found[0].event_ns), bar_number(found[0].confirm_ns)) == (70, 72)


def test_a_climax_without_a_fall_before_it_is_none() -> None:
    flat = [(150.0, 151.0, 149.0, 150.0, 1_000.0)] * 70

    assert kinds([*flat, (150.0, 150.5, 146.0, 149.0, 4_000.0)]) == []


def test_known_panic_lows_of_a_real_stock_are_found() -> None:
    """Positive-control dates of the rule book, section 13.2; the bars are real and adjusted."""
    if "AAPL" not in real_days():
        pytest.skip("real daily data is not present")
    found = {(event.kind.value, str(np.datetime64(event.event_ns, "ns"))[:10]) for event in events(real_days()["AAPL"])}

    for day in ("2001-09-21", "2008-01-23", "2011-10-04", "2012-11-16"):
        assert ("SC", day) in found
    assert {("SPRING", "2011-06-16"), ("SPRING", "2011-06-20")} <= found
    # The negative control: the spring of January 2013 fails, nine days before the great breakdown.
    assert {("SPRING_FAILED", "2013-01-15"), ("RANGE_FAILED", "2013-01-15")} <= found
    # 2008-10-10 is no climax: its volume ratio of 1.49 is below the floor of 1.6 (3.2, gate 2).
    assert ("SC", "2008-10-10") not in found
    bars = decorated(run(detector(), block(real_days()["AAPL"])))
    day = np.flatnonzero(bars.open_ns.astype("datetime64[ns]").astype("datetime64[D]") == np.datetime64("2008-10-10"))
    assert bars.vr[day] == pytest.approx(1.49, abs=0.005)


def test_nothing_is_detected_before_sixty_bars() -> None:
    late = (QUIET + DECLINE)[-58:] + CLIMAX

    assert kinds(late) == []
    assert kinds((QUIET + DECLINE)[-59:] + CLIMAX) == ["SC"]
