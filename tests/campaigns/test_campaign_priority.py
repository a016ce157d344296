"""The priority score and the order of entries."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.campaigns.priority import millionths, order_key, priority_score, proposal_score
from engine.messages import Action, EventKind, Leg
from tests.campaigns.campaign_makers import Line, detections, event, intents, proposal


@pytest.mark.parametrize(
    ("confidence", "multiple", "leg", "score"),
    [(85.0, 3.5, Leg.SPRING, 69.0), (90.0, 2.5, Leg.LPS, 57.0), (60.0, 1.0, Leg.SOS, 10.0), (99.0, 9.0, Leg.LPS, 90.0)],
)
def test_score_is_confidence_reward_and_rank(confidence: float, multiple: float, leg: Leg, score: float) -> None:
    assert priority_score(confidence, multiple, leg) == pytest.approx(score, abs=1e-6)


@given(st.floats(-1e9, 1e9), st.floats(-1e9, 1e9), st.sampled_from(Leg))
def test_score_stays_between_0_and_100(confidence: float, multiple: float, leg: Leg) -> None:
    assert 0.0 <= priority_score(confidence, multiple, leg) <= 100.0


def test_reward_counts_from_the_worst_price_to_one_width_beyond_the_range() -> None:
    spring = proposal(EventKind.SPRING, 85.0, worst=100.0, stop=90.0, targets=(110.0, 135.0, 150.0))
    lps = proposal(EventKind.LPS, 90.0, worst=100.0, stop=90.0, targets=(125.0, 135.0, 150.0))

    assert proposal_score(spring) == pytest.approx(69.0)
    assert proposal_score(lps) == pytest.approx(57.0)


def test_scores_closer_than_a_millionth_are_one_score() -> None:
    assert millionths(57.0) == millionths(57.0000004)
    assert order_key(57.0000004, 2, "A", "1d", "x") > order_key(57.0, 1, "A", "1d", "x")


def test_order_is_score_then_confirm_time_symbol_longer_timeframe_and_campaign() -> None:
    ordered = [
        order_key(60.0, 9, "B", "1h", "z"),
        order_key(50.0, 1, "B", "1h", "z"),
        order_key(50.0, 2, "A", "1d", "a"),
        order_key(50.0, 2, "A", "1h", "a"),
        order_key(50.0, 2, "A", "1h", "b"),
        order_key(50.0, 2, "B", "1d", "a"),
    ]

    shuffled = ordered[3:] + ordered[:3]
    assert sorted(shuffled) == ordered


def test_entries_of_one_decision_come_best_first_after_all_facts_and_exits() -> None:
    line = Line(symbols=("AAA", "BBB", "CCC"))
    held = line.enter(EventKind.SPRING, at=20, price=101)

    added = line.send(
        detections(
            event(EventKind.LPS, 30, symbol="BBB", score=80.0),
            event(EventKind.SPRING, 30, symbol="CCC", score=80.0),
            event(EventKind.SPRING_FAILED, 30),
            event(EventKind.LPS, 30, symbol="CCC", timeframe="4h", score=95.0),
        )
    )

    entered = [(one.symbol, one.leg) for one in intents(Action.ENTER, added)]
    assert entered == [("CCC", Leg.LPS), ("CCC", Leg.SPRING), ("BBB", Leg.LPS)]
    positions = [getattr(one, "action", None) or type(one).__name__ for one in added]
    last_fact = max(index for index, name in enumerate(positions) if name == "CampaignChange")
    exits = [index for index, name in enumerate(positions) if name is Action.EXIT]
    first_entry = positions.index(Action.ENTER)
    assert last_fact < exits[0] < first_entry
    assert [one.group for one in intents(Action.EXIT, added)] == [held]


def test_equal_scores_go_by_symbol_whatever_the_order_of_events() -> None:
    found = [event(EventKind.LPS, symbol=symbol) for symbol in ("BBB", "AAA", "CCC")]

    added = Line(symbols=("AAA", "BBB", "CCC")).send(detections(*found))

    assert [one.symbol for one in intents(Action.ENTER, added)] == ["AAA", "BBB", "CCC"]
