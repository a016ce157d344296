"""The rule book's golden vectors that concern campaigns, gate and book, by their number there (section 12).

Vectors 1 to 10, 15, 21 and 22 are the detector's; 18 is of the side that is not traded.
"""

from decimal import Decimal

import pytest

from engine.campaigns.allocation import share_percent
from engine.campaigns.lots import Lot, initial_risk, realised
from engine.campaigns.priority import priority_score
from engine.messages import AccountState, Action, Approved, CampaignChange, EventKind, HeatState, Intent, Leg, Phase
from strategies.wyckoff_bmad import WyckoffBmad, WyckoffBmadSettings
from tests.campaigns.campaign_makers import CAMPAIGN, Line, detections, event, fill, intents, of, only, settings
from tests.campaigns.test_campaign_pipeline import case, code
from tests.makers import START_NS
from tests.risk import facts

SPRING, SOS, LPS = Leg.SPRING, Leg.SOS, Leg.LPS


def test_8_targets_are_range_widths_beyond_the_range() -> None:
    one = event(EventKind.SOS, support=100.0, resistance=110.0, range_bars=45, close=111.0, price=111.0)
    moment = case(EventKind.SOS).moment

    proposal, _, first = WyckoffBmad(WyckoffBmadSettings())._plan(moment, one)

    assert proposal.targets[:2] == (120.0, 130.0)
    assert first == 120.0


@pytest.mark.parametrize("kind", [EventKind.SPRING, EventKind.SOS])
def test_11_nothing_is_bought_in_an_early_phase_b(kind: EventKind) -> None:
    assert code(case(kind, phase=Phase.B, range_bars=15), sos_entry=True) == "PHASE_PATTERN"


def risking(money: int, number: int, equity: int = 100_000) -> Intent:
    """An entry of its own symbol that risks this much: one dollar a share."""
    share_bp = Decimal(money) * 10_000 / equity
    plan = {"limit_price": 5, "stop_price": 4, "target_1": 6, "target_2": 7, "target_3": 8}
    return facts.enter(f"{'ABCDEF'[number]}-2020-01-01/SPRING/1", risk_bp=share_bp, **plan)


def test_12_heat_of_eight_percent_nearly_ten_and_ten() -> None:
    stage = facts.gate(*"ABCDEF")
    told = [one for number in range(4) for one in facts.tell(stage, risking(2000, number))]
    warning = facts.heat_changes(told)[-1]

    refused = facts.verdict(stage, risking(2000, 4))
    allowed = facts.tell(stage, risking(1999, 5))

    assert (warning.state, warning.heat_bp) == (HeatState.WARNING, 800)
    assert (refused.receipt.code, refused.receipt.value) == ("HEAT_LIMIT", 10_000)
    assert isinstance(allowed[1], Approved)
    assert facts.heat_changes(allowed)[-1].state is HeatState.CRITICAL


def test_12_equity_of_eighty_thousand_with_eight_thousand_at_risk_is_exceeded() -> None:
    stage = facts.gate(*"ABCDEF")
    facts.tell(stage, *(risking(2000, number) for number in range(4)))

    told = facts.tell(stage, AccountState(START_NS, Decimal(80_000), Decimal(80_000), "USD"))

    assert [(one.state, one.heat_bp) for one in facts.heat_changes(told)] == [(HeatState.EXCEEDED, 1000)]


@pytest.mark.parametrize(
    ("legs", "scores", "shares"),
    [
        ((SPRING, SOS, LPS), (80, 80, 80), (40, 30, 30)),
        ((SOS, LPS), (80, 80), (70, 30)),
        ((SPRING, LPS), (80, 80), (40, 60)),
        ((LPS,), (75,), (100,)),
        ((LPS,), (74.9,), (0,)),
    ],
)
def test_13_shares_of_the_budget_follow_the_fills(
    legs: tuple[Leg, ...], scores: tuple[float, ...], shares: tuple[int, ...]
) -> None:
    found = [share_percent(settings(), leg, legs[:number], scores[number]) for number, leg in enumerate(legs)]

    assert found == [Decimal(one) for one in shares]


@pytest.mark.parametrize(
    ("limit", "stop", "risk_bp", "quantity"),
    [
        ("100.50", "97.02", 50, 143),
        ("100", "98", 50, 200),
        ("111.65", "104.50", 80, 111),
        ("110.55", "106.70", 70, 180),
    ],
)
def test_14_sizes(limit: str, stop: str, risk_bp: int, quantity: int) -> None:
    targets = {"target_1": 150, "target_2": 160, "target_3": 170}

    found = facts.verdict(facts.gate(), facts.enter(limit_price=limit, stop_price=stop, risk_bp=risk_bp, **targets))

    assert found.receipt.quantity == quantity


def test_16_and_17_priorities() -> None:
    assert round(priority_score(85, 3.5, SPRING), 6) == 69.0
    assert round(priority_score(90, 2.5, LPS), 6) == 57.0


def test_19_r_of_a_short_from_100_with_a_stop_at_102_left_at_96() -> None:
    lot = Lot(entered=Decimal(1), entry_value=Decimal(100), exited=Decimal(1), exit_value=Decimal(96))

    assert realised(lot, -1, Decimal(1)) / initial_risk(lot, Decimal(102), -1, Decimal(1)) == 2


def test_20_a_voided_spring_takes_its_entry_back_and_fails_the_campaign() -> None:
    line = Line()
    group = line.enter(EventKind.SPRING, at=20, price=101)

    left = line.send(detections(event(EventKind.SPRING_FAILED, 23)))
    line.send(fill(group, "EXIT1", price=97, at=24))

    assert only(Action.EXIT, left).group == f"{CAMPAIGN}/SPRING/1"
    assert of(CampaignChange, line.out)[-1].kind == "CAMPAIGN_FAILED"


def test_23_a_target_that_is_crossed_twice_is_one_partial() -> None:
    line = Line()
    group = line.enter(EventKind.SPRING, at=20, price=101)
    first = line.send(fill(group, "TARGET1", quantity=50, price=110, at=25))

    again = line.send(fill(group, "TARGET1", quantity=50, price=110, at=25))

    assert len(intents(Action.MOVE_STOP, first)) == 1
    assert again == []
    assert line.manager.campaigns[0].brackets[0].lot.exited == 50


def test_24_without_equity_the_gate_refuses_and_heat_is_exceeded() -> None:
    stage = facts.gate()

    told = facts.tell(stage, AccountState(START_NS, Decimal(0), Decimal(0), "USD"))

    assert [one.state for one in facts.heat_changes(told)] == [HeatState.EXCEEDED]
    assert not isinstance(facts.verdict(stage, facts.enter()), Approved)
