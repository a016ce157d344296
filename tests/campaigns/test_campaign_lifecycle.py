"""The table of the lifecycle, the names of campaigns, and how events move them along."""

from decimal import Decimal

import pytest
from pydantic import ValidationError

from engine.campaigns.lifecycle import EDGES, TERMINAL
from engine.campaigns.watches import Purpose, Watches
from engine.messages import Action, CampaignChange, CampaignState, EventKind, Phase, StrategyMark, Unwatch, Watch
from engine.naming import base_name, numbered_name, parse_name
from tests.campaigns.campaign_makers import (
    CAMPAIGN,
    Line,
    Scripted,
    accepted,
    closed,
    day,
    detections,
    event,
    fill,
    intents,
    kinds,
    of,
    only,
    phase,
    settings,
    states,
)


def test_terminal_states_have_no_way_out() -> None:
    assert TERMINAL == (CampaignState.COMPLETED, CampaignState.INVALIDATED, CampaignState.EXPIRED)
    assert all(start not in TERMINAL for start, _ in EDGES)


def test_every_state_can_be_reached() -> None:
    reached = [CampaignState.FORMING]
    for state in reached:
        reached += [end for start, end in EDGES if start is state and end not in reached]

    assert sorted(reached) == sorted(CampaignState)


@pytest.mark.parametrize(
    ("symbol", "ordinal", "name"),
    [
        ("AAA", 1, "AAA-2020-01-01"),
        ("BRK-B", 1, "BRK-B-2020-01-01"),
        ("EUR/USD", 2, "EUR/USD-2020-01-01.2"),
        ("X-2019-05-05", 12, "X-2019-05-05-2020-01-01.12"),
    ],
)
def test_names_are_symbol_and_utc_date_and_parse_back(symbol: str, ordinal: int, name: str) -> None:
    assert numbered_name(base_name(symbol, day(1) - 1), ordinal) == name
    assert parse_name(name) == (symbol, "2020-01-01", ordinal)


def test_a_name_without_a_date_is_refused() -> None:
    with pytest.raises(ValueError, match="was AAA-2020-1-1"):
        parse_name("AAA-2020-1-1")


def test_a_first_pattern_forms_and_a_second_activates() -> None:
    line = Line()

    formed = line.send(detections(event(EventKind.SPRING, 20)))
    activated = line.send(detections(event(EventKind.TEST, 23)))

    assert kinds(formed) == ["CAMPAIGN_FORMED", "PATTERN_DETECTED"]
    assert kinds(activated) == ["PATTERN_DETECTED", "CAMPAIGN_ACTIVATED"]
    assert [one.number for one in of(CampaignChange, line.out)] == [1, 2, 3, 4]
    assert {one.campaign for one in of(CampaignChange, line.out)} == {CAMPAIGN}


def test_a_strong_pattern_activates_alone() -> None:
    assert "CAMPAIGN_ACTIVATED" not in kinds(Line().send(detections(event(EventKind.SPRING, score=84.9))))
    assert "CAMPAIGN_ACTIVATED" in kinds(Line().send(detections(event(EventKind.SPRING, score=85.0))))


def test_preliminary_events_form_nothing() -> None:
    line = Line()

    line.send(detections(*(event(kind) for kind in (EventKind.SC, EventKind.AR, EventKind.ST, EventKind.UT))))

    assert line.out == []
    assert line.manager.campaigns == ()


def test_campaigns_are_apart_by_symbol_timeframe_and_range_start() -> None:
    line = Line()

    line.send(detections(event(EventKind.SPRING)))
    line.send(detections(event(EventKind.SPRING, symbol="BBB")))
    line.send(detections(event(EventKind.SPRING, timeframe="4h")))
    line.send(detections(event(EventKind.SPRING, range_start_ns=day(0) + 1)))
    line.send(detections(event(EventKind.SPRING, range_start_ns=day(1))))

    names = [one.campaign for one in line.manager.campaigns]
    assert names == [CAMPAIGN, "BBB-2020-01-01", f"{CAMPAIGN}.2", f"{CAMPAIGN}.3", "AAA-2020-01-02"]


def test_phase_e_is_markup() -> None:
    line = Line()
    line.send(detections(event(EventKind.SOS, 20)), detections(event(EventKind.LPS, 25)))

    added = line.send(detections(phase(Phase.E), at=30))

    assert states(added) == ["MARKUP"]


def test_a_pattern_out_of_sequence_is_recorded_and_not_entered() -> None:
    line = Line()
    line.send(detections(event(EventKind.SOS, 20)))

    added = line.send(detections(event(EventKind.SPRING, 25)))

    (note,) = of(CampaignChange, added)
    assert note.cause == "SPRING SPRING@25 out of sequence after SOS"
    assert not intents(Action.ENTER, added)


def test_after_a_failed_sos_the_sequence_begins_anew_and_its_entries_are_taken_back() -> None:
    line = Line()
    line.send(detections(event(EventKind.SOS, 20)), accepted(f"{CAMPAIGN}/SOS/1"))

    failed = line.send(detections(event(EventKind.SOS_FAILED, 23)))
    sprung = line.send(detections(event(EventKind.SPRING, 25)))

    assert only(Action.CANCEL, failed).intent_id == f"{CAMPAIGN}/SOS/1/CANCEL"
    assert only(Action.ENTER, sprung).intent_id == f"{CAMPAIGN}/SPRING/1/ENTER"


def test_a_forming_campaign_expires_at_the_dormant_count_and_its_range_may_try_again() -> None:
    line = Line(Scripted(worst=90.0))
    (watch,) = of(Watch, line.send(detections(event(EventKind.SPRING, 20))))
    assert watch.time_ns == day(21) + 5 * (day(1) - day(0))

    line.send(closed(21, 1, 1, 1, 1, 1))
    added = line.fire(watch.watch_id, at=26)
    again = line.send(detections(event(EventKind.TEST, 29)))

    assert states(added) == ["EXPIRED"]
    assert of(CampaignChange, again)[0].campaign == f"{CAMPAIGN}.2"


def test_silence_is_counted_in_bars_of_the_campaigns_own_symbol_and_timeframe() -> None:
    line = Line(Scripted(worst=90.0))
    (watch,) = of(Watch, line.send(detections(event(EventKind.SPRING, 20))))

    line.send(closed(21, 1, 1, 1), closed(21, 1, 1, 1, 1, 1, symbol=1))
    added = line.fire(watch.watch_id, at=26)

    (again,) = of(Watch, added)
    assert added == [again]
    assert again.time_ns == day(28)


def test_dormant_wakes_on_an_event_and_expires_without_one() -> None:
    line = Line(Scripted(worst=90.0))
    clock = f"{CAMPAIGN}/watch/CLOCK"
    line.send(detections(event(EventKind.SPRING, 20, score=90.0)))

    line.send(closed(21, 1, 1, 1, 1, 1))
    dormant = line.fire(clock, at=26)
    awake = line.send(detections(event(EventKind.ST, 27)))
    line.send(closed(28, *[1.0] * 5))
    dormant_again = line.fire(clock, at=33)
    line.send(closed(33, *[1.0] * 25))
    gone = line.fire(clock, at=58)

    assert states(dormant) == ["DORMANT"]
    assert states(awake) == ["ACTIVE"]
    assert of(Unwatch, awake) == [Unwatch(clock)]
    assert [one.time_ns for one in of(Watch, awake)] == [day(33)]
    assert states(dormant_again) == ["DORMANT"]
    assert [one.time_ns for one in of(Watch, dormant_again)] == [day(58)]
    assert states(gone) == ["EXPIRED"]


def test_an_open_position_is_never_expired_but_its_campaign_adds_no_more() -> None:
    line = Line()
    clock = f"{CAMPAIGN}/watch/CLOCK"
    group = line.enter(EventKind.SPRING, at=20, price=101)
    line.send(closed(21, *[101.0] * 30))

    line.fire(clock, at=26)
    kept = line.fire(clock, at=60)
    added = line.send(detections(event(EventKind.LPS, 61, score=90.0)))
    line.send(fill(group, "STOP1", price=97, at=62))

    assert states(kept) == ["DORMANT"]
    assert not intents(Action.ENTER, added)
    assert states(added) == ["DORMANT", "DORMANT"]
    assert of(CampaignChange, added)[-1].cause == "LPS not entered: campaign adds no more"
    assert states(line.out)[-1] == "COMPLETED"


def test_a_campaign_with_a_working_entry_does_not_expire_before_it() -> None:
    line = Line(Scripted(valid_bars=9))
    line.send(detections(event(EventKind.SPRING, 20)), accepted(f"{CAMPAIGN}/SPRING/1"))
    line.send(closed(21, *[1.0] * 5))

    added = line.fire(f"{CAMPAIGN}/watch/CLOCK", at=26)

    (again,) = of(Watch, added)
    assert (added, again.time_ns) == ([again], day(27))


def test_phase_e_is_no_markup_of_a_campaign_still_forming() -> None:
    line = Line()
    line.send(detections(event(EventKind.SPRING, 20)))

    assert line.send(detections(phase(Phase.E), at=21)) == []


def test_a_phase_without_direction_speaks_for_both() -> None:
    strategy = Scripted()

    Line(strategy).send(detections(event(EventKind.SPRING), phase(Phase.NONE, 55.0, direction=0)))

    assert (strategy.moments[0].phase, strategy.moments[0].confidence) == (Phase.NONE, 55.0)


def test_a_mark_whose_campaign_is_over_does_not_begin_it_anew() -> None:
    line = Line()
    mark = StrategyMark("scripted", "AAA", "1d", day(20), 110.0)
    group = "AAA-2020-01-21/LPS/1"
    line.send(detections(mark, at=20), fill(group, price=111), fill(group, "STOP1", price=108, at=24))

    assert line.send(detections(mark, at=25)) == []


def test_a_watch_is_set_once_at_a_time() -> None:
    watches = Watches()
    watches.at_time("x", Purpose.CLOCK, time_ns=1, now_ns=0)

    with pytest.raises(AssertionError):
        watches.at_time("x", Purpose.CLOCK, time_ns=2, now_ns=0)


def test_a_failed_range_invalidates_at_once_where_nothing_is_held() -> None:
    line = Line(Scripted(worst=90.0))
    line.send(detections(event(EventKind.SPRING, 20)))

    added = line.send(detections(event(EventKind.RANGE_FAILED, 22)))
    late = line.send(detections(event(EventKind.SPRING, 25)), detections(phase(Phase.E), at=26))

    assert kinds(added) == ["CAMPAIGN_FAILED"]
    assert late == []


def test_distribution_is_not_traded() -> None:
    line = Line()

    assert line.send(detections(event(EventKind.SPRING, direction=-1))) == []


def test_a_mark_forms_a_campaign_only_when_its_strategy_proposes() -> None:
    mark = StrategyMark("scripted", "AAA", "1d", day(20), 110.0)
    stranger = StrategyMark("stranger", "AAA", "1d", day(20), 110.0)
    line = Line()

    assert line.send(detections(stranger, at=20)) == []
    added = line.send(detections(mark, at=20))

    assert kinds(added) == ["CAMPAIGN_FORMED", "PATTERN_DETECTED"]
    assert only(Action.ENTER, added).group == "AAA-2020-01-21/LPS/1"


def test_a_mark_joins_the_newest_campaign_of_its_symbol_and_timeframe() -> None:
    line = Line()
    line.send(detections(event(EventKind.SPRING, 20)))

    added = line.send(detections(StrategyMark("scripted", "AAA", "1d", day(23), 110.0), at=23))

    assert only(Action.ENTER, added).group == f"{CAMPAIGN}/LPS/1"


@pytest.mark.parametrize(
    "changes",
    [
        {"split_percent": {"spring": 40, "sos": 30, "lps": 31}},
        {"cap_percent": "5.1"},
        {"trade_percent": Decimal("2.01")},
        {"unknown": 1},
        {"dormant_bars": {"1d": 5}},
    ],
)
def test_settings_refuse_what_would_break_the_budget(changes: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        settings(**changes)
