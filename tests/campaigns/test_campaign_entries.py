"""From proposal to intent, and the life of a leg until it is filled."""

from decimal import Decimal

import pytest

from engine.campaigns.entries import flaw
from engine.messages import (
    Action,
    CampaignChange,
    EventKind,
    Leg,
    OrderKind,
    Phase,
    Unwatch,
    Watch,
    WatchKind,
)
from tests.campaigns.campaign_makers import (
    CAMPAIGN,
    NAN,
    Line,
    Scripted,
    accepted,
    cancelled,
    day,
    detections,
    event,
    expired,
    fill,
    intents,
    of,
    only,
    phase,
    proposal,
    rejected,
)


def test_an_entry_is_on_the_tick_with_a_worst_price_and_an_end() -> None:
    line = Line(Scripted(trigger=101.001, worst=101.501, stop=97.009, targets=(110.009, 122.0, 134.0), valid_bars=2))

    entry = only(Action.ENTER, line.send(detections(event(EventKind.SPRING))))

    assert entry.intent_id == f"{CAMPAIGN}/SPRING/1/ENTER"
    assert entry.group == f"{CAMPAIGN}/SPRING/1"
    assert (entry.entry_kind, entry.entry_price) == (OrderKind.STOP_LIMIT, Decimal("101.01"))
    assert (entry.limit_price, entry.stop_price) == (Decimal("101.51"), Decimal("97.00"))
    assert (entry.target_1, entry.target_2, entry.target_3) == (Decimal("110.00"), 122, 134)
    assert (entry.decision_ns, entry.expires_ns) == (day(21), day(23))
    assert entry.risk_bp == 50


def test_a_limit_entry_has_no_trigger() -> None:
    entry = only(Action.ENTER, Line().send(detections(event(EventKind.LPS))))

    assert (entry.entry_kind, entry.entry_price, entry.limit_price) == (OrderKind.LIMIT, 0, 111)


@pytest.mark.parametrize(
    ("kind", "changes", "words"),
    [
        (EventKind.LPS, {"kind": OrderKind.MARKET}, "worst price, was MARKET"),
        (EventKind.LPS, {"kind": OrderKind.STOP}, "worst price, was STOP"),
        (EventKind.LPS, {"worst": NAN}, "finite"),
        (EventKind.LPS, {"stop": 111.0}, "between stop and first target"),
        (EventKind.LPS, {"worst": 122.0}, "between stop and first target"),
        (EventKind.LPS, {"targets": (122.0, 121.0, 134.0)}, "nearest first"),
        (EventKind.LPS, {"valid_bars": 0}, "for a bar"),
        (EventKind.SPRING, {"trigger": NAN}, "trigger"),
        (EventKind.SPRING, {"trigger": 97.0}, "trigger"),
        (EventKind.SPRING, {"trigger": 102.5}, "trigger"),
    ],
)
def test_an_unusable_proposal_is_noted_and_not_entered(kind: EventKind, changes: dict[str, object], words: str) -> None:
    assert words in flaw(proposal(kind, **changes))

    added = Line(Scripted(**changes)).send(detections(event(kind)))

    assert not intents(Action.ENTER, added)
    assert "unusable" in of(CampaignChange, added)[-1].cause


def test_a_pattern_without_proposal_says_so() -> None:
    class Silent(Scripted):
        def propose(self, moment: object) -> tuple[()]:  # type: ignore[override]
            return ()

    added = Line(Silent()).send(detections(event(EventKind.SPRING)))

    assert of(CampaignChange, added)[-1].cause == "SPRING SPRING@20 score 80.0: no entry proposed"


def test_a_moment_shows_phase_legs_and_the_low_of_the_spring() -> None:
    strategy = Scripted()
    line = Line(strategy)

    line.send(detections(event(EventKind.SPRING, price=97.25), phase(Phase.C, 82.0)))
    line.send(detections(event(EventKind.TEST, 22)))
    group = f"{CAMPAIGN}/SPRING/2"
    line.send(accepted(group), fill(group))
    line.send(detections(event(EventKind.SOS, 24), phase(Phase.D, 85.0)))

    first, second, third = strategy.moments
    assert (first.phase, first.confidence, first.taken, first.asked) == (Phase.C, 82.0, (), ())
    assert (second.asked, second.spring_low) == ((Leg.SPRING,), 97.25)
    assert (third.phase, third.confidence, third.taken) == (Phase.D, 85.0, (Leg.SPRING,))


def test_no_leg_is_asked_twice_at_one_decision() -> None:
    added = Line(Scripted(), Scripted(reason="second")).send(detections(event(EventKind.SPRING)))

    assert only(Action.ENTER, added).group == f"{CAMPAIGN}/SPRING/1"
    assert not intents(Action.CANCEL, added)


def test_a_new_signal_for_a_waiting_leg_replaces_it() -> None:
    line = Line()
    first = only(Action.ENTER, line.send(detections(event(EventKind.SPRING, 20))))
    line.send(accepted(first.group))

    added = line.send(detections(event(EventKind.TEST, 22)))

    wishes = [(one.action, one.group) for one in added if hasattr(one, "action")]  # type: ignore[attr-defined]
    assert wishes == [(Action.CANCEL, first.group), (Action.ENTER, f"{CAMPAIGN}/SPRING/2")]
    cancel = only(Action.CANCEL, added)
    assert cancel.intent_id == f"{first.group}/CANCEL"
    assert not any((cancel.entry_price, cancel.limit_price, cancel.stop_price, cancel.target_1, cancel.risk_bp))


def replaced_before_an_answer() -> tuple[Line, str]:
    """A spring that nobody has answered yet, and the next attempt at its leg."""
    line = Line()
    first = only(Action.ENTER, line.send(detections(event(EventKind.SPRING, 20))))
    line.send(detections(event(EventKind.TEST, 22)))
    return line, first.group


def test_an_entry_that_nobody_has_answered_is_not_asked_back() -> None:
    line, first = replaced_before_an_answer()

    assert [one.group for one in intents(Action.ENTER, line.out)] == [first, f"{CAMPAIGN}/SPRING/2"]
    assert intents(Action.CANCEL, line.out) == []
    line.fire(f"{first}/watch/LAPSE", at=24)
    assert intents(Action.CANCEL, line.out) == []


def test_an_entry_that_is_not_wanted_any_more_is_asked_back_once_it_is_accepted() -> None:
    line, first = replaced_before_an_answer()

    added = line.send(accepted(first, at=23))

    cancel = only(Action.CANCEL, added)
    assert (cancel.group, cancel.reason) == (first, "replaced by a new SPRING")
    assert intents(Action.CANCEL, line.send(fill(first, at=24, remaining=50))) == []


def test_an_entry_that_fills_before_its_acceptance_is_asked_back_then() -> None:
    line, first = replaced_before_an_answer()

    added = line.send(fill(first, at=23, remaining=50))

    assert [one.group for one in intents(Action.CANCEL, added)] == [first]


def test_an_entry_that_ended_before_its_acceptance_is_not_asked_back() -> None:
    line, first = replaced_before_an_answer()

    line.send(rejected(first, at=23), accepted(first, at=23))

    assert intents(Action.CANCEL, line.out) == []


def test_after_rejection_the_next_attempt_needs_no_cancel() -> None:
    line = Line()
    first = only(Action.ENTER, line.send(detections(event(EventKind.SPRING, 20))))
    line.send(rejected(first.group))

    added = line.send(detections(event(EventKind.TEST, 22)))

    assert only(Action.ENTER, added).group == f"{CAMPAIGN}/SPRING/2"
    assert not intents(Action.CANCEL, added)


def test_a_filled_leg_is_not_entered_again() -> None:
    line = Line()
    line.enter(EventKind.SPRING, at=20, price=101)

    added = line.send(detections(event(EventKind.TEST, 24)))

    assert not intents(Action.ENTER, added)
    assert of(CampaignChange, added)[-1].cause == "SPRING not entered: SPRING is taken"


def test_a_fill_that_overtakes_its_cancel_takes_the_newer_attempt_back() -> None:
    line = Line()
    line.send(detections(event(EventKind.SPRING, 20)), accepted(f"{CAMPAIGN}/SPRING/1"))
    line.send(detections(event(EventKind.TEST, 22)), accepted(f"{CAMPAIGN}/SPRING/2"))

    added = line.send(fill(f"{CAMPAIGN}/SPRING/1", at=23))

    assert only(Action.CANCEL, added).group == f"{CAMPAIGN}/SPRING/2"


def test_an_intent_lapses_unless_it_is_accepted() -> None:
    line = Line()
    (_, lapse) = of(Watch, line.send(detections(event(EventKind.SPRING))))

    assert (lapse.watch_id, lapse.kind) == (f"{CAMPAIGN}/SPRING/1/watch/LAPSE", WatchKind.LINE_TIME)
    assert lapse.time_ns == day(21) + 60 * 10**9
    assert line.manager.campaigns[0].asked == (Leg.SPRING,)

    line.fire(lapse.watch_id, at=24)

    assert line.manager.campaigns[0].asked == ()


def test_an_accepted_entry_is_no_longer_watched_for_lapse() -> None:
    line = Line()
    line.send(detections(event(EventKind.SPRING)))

    added = line.send(accepted(f"{CAMPAIGN}/SPRING/1"))

    assert added == [Unwatch(f"{CAMPAIGN}/SPRING/1/watch/LAPSE")]


@pytest.mark.parametrize("ending", [expired, cancelled, rejected])
def test_an_entry_that_ended_unfilled_frees_its_leg(ending: object) -> None:
    line = Line()
    line.send(detections(event(EventKind.SPRING)), accepted(f"{CAMPAIGN}/SPRING/1"))

    line.send(ending(f"{CAMPAIGN}/SPRING/1"))  # type: ignore[operator]

    (campaign,) = line.manager.campaigns
    assert campaign.asked == ()
    assert not campaign.is_live


def test_a_first_fill_activates_a_forming_campaign() -> None:
    line = Line()
    line.send(detections(event(EventKind.SPRING)), accepted(f"{CAMPAIGN}/SPRING/1"))

    added = line.send(fill(f"{CAMPAIGN}/SPRING/1"))

    (change,) = of(CampaignChange, added)
    assert (change.kind, change.cause) == ("CAMPAIGN_ACTIVATED", "SPRING filled")


def test_decisions_never_go_back_in_time() -> None:
    line = Line()
    line.send(detections(event(EventKind.SPRING, 20)), accepted(f"{CAMPAIGN}/SPRING/1", at=21))

    added = line.send(fill(f"{CAMPAIGN}/SPRING/1", at=10))

    assert [one.decision_ns for one in of(Watch, added)] == [day(21)] * 2


def test_facts_of_others_are_passed_on_and_mean_nothing() -> None:
    line = Line()
    line.send(detections(event(EventKind.SPRING)))

    assert line.send(fill("AAA-2020-01-01/SPRING/9"), accepted("x"), cancelled("ZZZ-2020-01-01/LPS/1")) == []
