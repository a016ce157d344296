"""The 40/30/30 split by fills, and what an entry may risk."""

from decimal import Decimal

import msgspec
import pytest

from engine.campaigns.allocation import entry_risk_bp, share_percent, used_bp
from engine.campaigns.performance import Lot
from engine.campaigns.state import Bracket, BracketState, Campaign
from engine.messages import Action, EventKind, Leg
from tests.campaigns.campaign_makers import CAMPAIGN, Line, Scripted, accepted, detections, event, expired, fill, only
from tests.campaigns.campaign_makers import settings as campaign_settings

SPRING, SOS, LPS = Leg.SPRING, Leg.SOS, Leg.LPS


def bracket(leg: Leg = SPRING, **changes: object) -> Bracket:
    """100 bought at 100 with the stop at 95: 500 at risk, for which 50 bp were asked."""
    fields: dict[str, object] = {
        "group": f"{CAMPAIGN}/{leg}/1",
        "leg": leg,
        "expires_ns": 0,
        "first_stop": Decimal(95),
        "stop_price": Decimal(95),
        "risk_bp": Decimal(50),
        "invalid_price": 95.0,
        "closes_left": 1,
        "lot": Lot(entered=Decimal(100), entry_value=Decimal(10_000)),
        "state": BracketState.OPEN,
        "entry_live": False,
    }
    return Bracket(**(fields | changes))  # type: ignore[arg-type]


def campaign(*brackets: Bracket) -> Campaign:
    return Campaign(CAMPAIGN, "AAA", "1d", 1, 0, 0, brackets=list(brackets))


ROWS = {
    "base_spring": (SPRING, (), 70.0, 40),
    "base_sos": (SOS, (SPRING,), 70.0, 30),
    "base_lps": (LPS, (SPRING, SOS), 70.0, 30),
    "spring_skipped_sos_first": (SOS, (), 70.0, 70),
    "spring_skipped_sos_taken": (LPS, (SOS,), 70.0, 30),
    "spring_taken_sos_skipped": (LPS, (SPRING,), 70.0, 60),
    "both_skipped_strong": (LPS, (), 75.0, 100),
    "both_skipped_weak": (LPS, (), 74.9, 0),
}


@pytest.mark.parametrize(("leg", "taken", "score", "share"), ROWS.values(), ids=ROWS)
def test_the_share_of_a_skipped_leg_goes_to_the_next_one(
    leg: Leg, taken: tuple[Leg, ...], score: float, share: int
) -> None:
    assert share_percent(campaign_settings(), leg, taken, score) == share


SEQUENCES = {
    "all_three_legs": ((SPRING, SOS, LPS), 80.0, ("40", "30", "30")),
    "spring_skipped": ((SOS, LPS), 80.0, ("70", "30")),
    "sos_skipped": ((SPRING, LPS), 80.0, ("40", "60")),
    "both_skipped_and_strong": ((LPS,), 75.0, ("100",)),
    "both_skipped_and_weak": ((LPS,), 74.9, ()),
}


@pytest.mark.parametrize(("legs", "score", "expected"), SEQUENCES.values(), ids=SEQUENCES)
def test_intents_follow_the_fills(legs: tuple[Leg, ...], score: float, expected: tuple[str, ...]) -> None:
    """With a cap of 1 % and no other limit in the way, basis points are percentages of the cap."""
    line = Line(cap_percent="1.0", pattern_percent={"spring": 2, "sos": 2, "lps": 2})
    prices = {SPRING: 101, SOS: 112, LPS: 111}
    risks = []

    for number, leg in enumerate(legs):
        at = 20 + 3 * number
        for entry in [
            one
            for one in line.send(detections(event(EventKind(leg), at, score=score)))
            if getattr(one, "action", None) is Action.ENTER
        ]:
            risks.append(entry.risk_bp)  # type: ignore[union-attr]
            line.send(accepted(entry.group), fill(entry.group, price=prices[leg], at=at + 1))  # type: ignore[union-attr]

    assert risks == [Decimal(one) for one in expected]


@pytest.mark.parametrize("answered", [False, True])
def test_a_spring_that_was_never_filled_counts_as_skipped(answered: bool) -> None:
    line = Line(cap_percent="1.0", pattern_percent={"spring": 2, "sos": 2, "lps": 2})
    spring = only(Action.ENTER, line.send(detections(event(EventKind.SPRING, 20))))

    if answered:
        line.send(accepted(spring.group), expired(spring.group, at=24))
    else:
        line.fire(f"{spring.group}/watch/LAPSE", at=24)
    sos = only(Action.ENTER, line.send(detections(event(EventKind.SOS, 25))))

    assert sos.risk_bp == 70
    assert not [one for one in line.out if getattr(one, "action", None) is Action.CANCEL]


def test_a_spring_still_waiting_is_taken_back_when_the_sos_takes_its_share() -> None:
    line = Line(cap_percent="1.0", pattern_percent={"spring": 2, "sos": 2, "lps": 2})
    spring = only(Action.ENTER, line.send(detections(event(EventKind.SPRING, 20))))
    line.send(accepted(spring.group))

    added = line.send(detections(event(EventKind.SOS, 22)))

    assert only(Action.CANCEL, added).group == spring.group
    # 40 bp may still fill until the cancel is confirmed, so only 60 of the SOS's 70 are free.
    assert only(Action.ENTER, added).risk_bp == 60


def test_risk_is_the_least_of_pattern_slice_campaign_and_trade() -> None:
    def risk(leg: Leg = SPRING, *brackets: Bracket, **changes: object) -> Decimal:
        return entry_risk_bp(
            campaign_settings(**changes), campaign(*brackets), leg=leg, score=80.0, point_value=Decimal(1)
        )

    high = {"spring": 9, "sos": 9, "lps": 9}
    assert risk() == 50
    assert risk(SPRING, pattern_percent=high) == 200
    assert risk(SPRING, pattern_percent=high, cap_percent="4.0") == 160
    assert risk(SPRING, pattern_percent=high, trade_percent="1.5") == 150
    waiting = bracket(SPRING, risk_bp=Decimal(160), state=BracketState.WORKING, lot=Lot(), entry_live=True)
    assert risk(SPRING, waiting, pattern_percent=high) == 40
    assert risk(LPS, bracket(SPRING, risk_bp=Decimal(460)), pattern_percent=high) == 40


def test_a_bracket_uses_its_open_risk_and_its_losses() -> None:
    def used(**changes: object) -> Decimal:
        return used_bp(bracket(**changes), 1, Decimal(1))

    held = Lot(entered=Decimal(100), entry_value=Decimal(10_000))
    half_lost = msgspec.structs.replace(held, exited=Decimal(50), exit_value=Decimal(4_750))
    gapped = msgspec.structs.replace(held, exited=Decimal(100), exit_value=Decimal(9_000))
    won = msgspec.structs.replace(held, exited=Decimal(100), exit_value=Decimal(12_000))

    assert used() == 50
    assert used(stop_price=Decimal(100)) == 0
    assert used(stop_price=Decimal("97.5")) == 25
    assert used(lot=half_lost) == 50
    assert used(lot=gapped) == 100
    assert used(lot=won) == 0
    assert used(lot=msgspec.structs.replace(held, entry_value=Decimal(9_500))) == 50
    assert used(lot=msgspec.structs.replace(held, entry_value=Decimal(9_400))) == 50
    assert used(stop_price=Decimal(100), entry_live=True) == 50
    assert used(state=BracketState.WORKING, lot=Lot(), entry_live=True) == 50
    assert used(state=BracketState.DONE, lot=Lot()) == 0


def test_a_realised_loss_consumes_the_budget() -> None:
    lost = bracket(
        risk_bp=Decimal(200),
        lot=Lot(entered=Decimal(100), entry_value=Decimal(10_000), exited=Decimal(100), exit_value=Decimal(8_000)),
    )

    left = entry_risk_bp(
        campaign_settings(pattern_percent={"spring": 2, "sos": 2, "lps": 2}),
        campaign(lost),
        leg=LPS,
        score=80.0,
        point_value=Decimal(1),
    )

    assert used_bp(lost, 1, Decimal(1)) == 800
    assert left == 0


def test_a_leg_that_is_filling_is_not_taken_back_by_the_next_one() -> None:
    line = Line()
    spring = only(Action.ENTER, line.send(detections(event(EventKind.SPRING, 20))))
    line.send(accepted(spring.group), fill(spring.group, quantity=10, remaining=90))

    added = line.send(detections(event(EventKind.SOS, 25)))

    assert only(Action.ENTER, added).leg is SOS
    assert not [one for one in added if getattr(one, "action", None) is Action.CANCEL]


def test_no_budget_left_is_said_and_not_entered() -> None:
    line = Line(Scripted(), pattern_percent={"spring": 0, "sos": 1, "lps": 1})

    added = line.send(detections(event(EventKind.SPRING)))

    assert added[-1].cause == "SPRING not entered: no budget left"  # type: ignore[union-attr]
