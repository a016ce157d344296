"""The gate decides as the heat table says, and its receipts add up."""

from decimal import Decimal

import pytest

from engine.messages import (
    AccountState,
    Approved,
    Command,
    ExternalOrder,
    FeedStatus,
    HeatState,
    Intent,
    Refused,
    Side,
    encode,
)
from engine.risk.gate import RiskGate
from engine.risk.rules import load
from tests.makers import START_NS, session, table
from tests.risk.facts import (
    ALL_RULES,
    accepted,
    cancelled,
    code,
    enter,
    expired,
    fill,
    gate,
    group_of,
    heat_changes,
    marks,
    mirrored,
    rejected,
    settings,
    tell,
    verdict,
)

SYMBOLS = tuple("ABCDEFGH")

WITHOUT_LOSSES = {"rules": load(settings(rules=[one for one in ALL_RULES if one not in ("daily_loss", "drawdown")]))}
"""So that what is asked about can be seen after a loss."""


def campaign(number: int) -> str:
    """A campaign of its own, in a symbol of its own."""
    return f"{SYMBOLS[number]}-2020-01-01/SPRING/1"


def with_risk(*amounts: int, cash: int = 100_000, **changes: object) -> RiskGate:
    """A gate with working entries that risk exactly these amounts, each in its own campaign."""
    built = gate(*SYMBOLS, cash=cash, **changes)  # type: ignore[arg-type]
    for number, money in enumerate(amounts):
        assert code(built, risking(money, campaign(number))) == ""
    return built


def risking(money: int, group: str, equity: int = 100_000) -> Intent:
    """One dollar a share, one share a dollar of risk."""
    share_bp = Decimal(money) * 10_000 / equity
    return enter(group, limit_price=5, stop_price=4, target_1=6, target_2=7, target_3=8, risk_bp=share_bp)


def test_four_times_two_thousand_is_eight_percent_and_a_warning() -> None:
    stage = with_risk(2000, 2000, 2000)

    outputs = tell(stage, risking(2000, campaign(3)))

    assert [(one.state, one.heat_bp) for one in heat_changes(outputs)] == [(HeatState.WARNING, 800)]


def test_nineteen_hundred_ninety_nine_more_is_allowed_and_critical() -> None:
    stage = with_risk(2000, 2000, 2000, 2000)

    outputs = tell(stage, risking(1999, campaign(4)))

    assert isinstance(outputs[1], Approved)
    assert outputs[1].receipt.margin == Decimal(1)
    assert [(one.state, one.heat_bp) for one in heat_changes(outputs)] == [(HeatState.CRITICAL, 1000)]


def test_two_thousand_more_is_exactly_ten_percent_and_refused() -> None:
    stage = with_risk(2000, 2000, 2000, 2000)

    refusal = verdict(stage, risking(2000, campaign(4)))

    assert isinstance(refusal, Refused)
    assert (refusal.stage, refusal.receipt.code) == ("RISK", "HEAT_LIMIT")
    assert (refusal.receipt.value, refusal.receipt.limit) == (Decimal(10_000), Decimal(10_000))


def test_a_fall_of_equity_exceeds_without_a_trade_and_blocks() -> None:
    stage = with_risk(2000, 2000, 2000, 2000, **WITHOUT_LOSSES)

    outputs = tell(stage, AccountState(START_NS, Decimal(80_000), Decimal(80_000), "USD"))

    assert [(one.state, one.heat_bp) for one in heat_changes(outputs)] == [(HeatState.EXCEEDED, 1000)]
    assert code(stage, risking(1, campaign(4), 80_000)) == "HEAT_LIMIT"


@pytest.mark.parametrize("equity", [0, -1])
def test_without_equity_everything_is_refused_and_heat_is_exceeded(equity: int) -> None:
    stage = gate()

    outputs = tell(stage, AccountState(START_NS, Decimal(equity), Decimal(equity), "USD"))

    assert [(one.state, one.heat_bp) for one in heat_changes(outputs)] == [(HeatState.EXCEEDED, 2**63 - 1)]
    assert isinstance(verdict(stage, enter()), Refused)
    assert stage.heat is HeatState.EXCEEDED


@pytest.mark.parametrize(
    ("limit", "stop", "risk_bp", "quantity"),
    [
        ("100.50", "97.02", 50, 143),
        ("100", "98", 50, 200),
        ("111.65", "104.50", 80, 111),
        ("110.55", "106.70", 70, 180),
    ],
)
def test_entries_are_sized_as_in_the_vectors(limit: str, stop: str, risk_bp: int, quantity: int) -> None:
    prices = {"target_1": 150, "target_2": 160, "target_3": 170}

    found = verdict(gate(), enter(limit_price=limit, stop_price=stop, risk_bp=risk_bp, **prices))

    assert isinstance(found, Approved)
    assert found.quantity == quantity


def test_a_short_entry_is_judged_as_its_mirror_image() -> None:
    long, short = gate(), gate()

    bought, sold = verdict(long, enter()), verdict(short, enter(**mirrored(enter())))

    assert isinstance(sold, Approved)
    assert sold.receipt == bought.receipt


def test_nothing_is_approved_without_rules() -> None:
    refusal = verdict(gate(rules=()), enter())

    assert isinstance(refusal, Refused)
    assert refusal.receipt.code == "NO_RULES"


def test_less_than_a_lot_is_refused() -> None:
    refusal = verdict(gate(), enter(risk_bp="0.99"))

    assert isinstance(refusal, Refused)
    assert (refusal.stage, refusal.receipt.code) == ("SIZING", "SIZE_MIN")
    assert code(gate(), enter(risk_bp="1.00")) == ""


def test_the_law_holds_even_where_no_rule_asks_for_it() -> None:
    stage = with_risk(2000, 2000, 2000, 2000, rules=[Passes()])

    refusal = verdict(stage, risking(2000, campaign(4)))

    assert isinstance(refusal, Refused)
    assert (refusal.stage, refusal.receipt.code) == ("RESERVE", "HEAT_LIMIT")


def test_a_live_group_is_never_entered_again_even_where_no_rule_asks() -> None:
    stage = gate(rules=[Passes()])
    assert code(stage, enter()) == ""

    refusal = verdict(stage, enter())

    assert isinstance(refusal, Refused)
    assert (refusal.stage, refusal.receipt.code) == ("RESERVE", "DUPLICATE")


def test_two_entries_that_pass_alone_and_fail_together_are_never_both_approved() -> None:
    alone = [code(with_risk(2000, 2000, 2000, 2000), risking(1100, campaign(number))) for number in (5, 6)]
    stage = with_risk(2000, 2000, 2000, 2000)

    together = [code(stage, risking(1100, campaign(number))) for number in (5, 6)]

    assert alone == ["", ""]
    assert together == ["", "HEAT_LIMIT"]


def test_a_receipt_can_be_recomputed() -> None:
    stage = with_risk(2000, 2000)

    receipt = verdict(stage, risking(1500, campaign(4))).receipt

    assert (receipt.equity, receipt.open_risk, receipt.working_risk) == (100_000 * 10**8, 0, 4_000 * 10**8)
    assert receipt.new_risk == 1_500 * 10**8
    assert receipt.new_risk == receipt.quantity * receipt.unit_risk * 10**8
    assert receipt.limit - receipt.value == receipt.margin == Decimal(10_000 - 5_500)
    assert receipt.mark == Decimal("100.0")


@pytest.mark.parametrize("release", [cancelled, expired, rejected])
def test_an_entry_that_ends_gives_back_its_reservation(release: object) -> None:
    stage = with_risk(2000, 2000, 2000, 2000)
    assert code(stage, risking(2000, campaign(4))) == "HEAT_LIMIT"

    outputs = tell(stage, release("ENTRY", campaign(0)))  # type: ignore[operator]

    assert [one.state for one in heat_changes(outputs)] == [HeatState.NORMAL]
    assert code(stage, risking(2000, campaign(4))) == ""


def test_a_fill_moves_risk_from_working_to_open() -> None:
    stage = gate()
    tell(stage, enter(), accepted("STOP1"))

    tell(stage, fill(quantity=30, price="99.50", remaining=70))

    assert stage.portfolio.working_risk == 70 * 10 * 10**8
    assert stage.portfolio.open_risk == int(30 * 9.5) * 10**8


def test_a_fill_without_a_confirmed_stop_counts_its_full_notional() -> None:
    stage = gate()
    tell(stage, enter())

    outputs = tell(stage, fill())

    assert stage.portfolio.open_risk == 100 * 100 * 10**8
    assert [one.state for one in heat_changes(outputs)] == [HeatState.EXCEEDED]
    assert [one.state for one in heat_changes(tell(stage, accepted("STOP1")))] == [HeatState.NORMAL]


def test_entries_are_refused_while_a_held_instrument_has_no_mark() -> None:
    stage = gate("AAA", "BBB", prices=(100.0,))
    stray = fill(group="BBB-2020-01-01/SPRING/1", quantity=1)

    tell(stage, stray)

    assert code(stage, enter()) == "DATA_MARK"
    tell(stage, marks(100.0, instrument=1))
    assert code(stage, enter()) == ""


def test_entries_are_refused_where_the_entrys_own_instrument_has_no_mark() -> None:
    assert code(gate("AAA", "BBB", prices=(100.0,)), enter("BBB-2020-01-01/SPRING/1")) == "DATA_MARK"


def test_entries_are_refused_while_a_feed_is_not_live() -> None:
    stage = gate()

    tell(stage, FeedStatus(START_NS, 0, "STALE", "quiet"))
    assert code(stage, enter()) == "DATA_STALE"
    tell(stage, FeedStatus(START_NS, 0, "RECOVERING", "backfill"))
    assert code(stage, enter()) == "DATA_STALE"

    tell(stage, FeedStatus(START_NS, 0, "LIVE", ""))
    assert code(stage, enter()) == ""


@pytest.mark.parametrize(("halt", "release"), [("pause", "resume"), ("kill", "unkill")])
def test_an_operator_stops_and_resumes_entries(halt: str, release: str) -> None:
    stage = gate()

    tell(stage, Command(START_NS, halt, "", "ann", "lunch"))
    assert code(stage, enter()) == "HALTED"

    tell(stage, Command(START_NS, release, "", "ann", "back"))
    assert code(stage, enter()) == ""


def test_an_entry_in_another_currency_is_refused() -> None:
    stage = RiskGate(settings(), table("AAA", currency="EUR"))
    tell(stage, session("AAA"), marks(100.0))

    assert code(stage, enter()) == "DATA_CURRENCY"


def test_an_unknown_symbol_is_refused() -> None:
    assert code(gate(), enter("ZZZ-2020-01-01/SPRING/1")) == "DATA_INSTRUMENT"


def test_a_third_working_entry_in_a_symbol_is_refused() -> None:
    stage = gate()

    codes = [code(stage, enter(group_of(number, f"AAA-2020-01-0{number}"))) for number in (1, 2, 3)]

    assert codes == ["", "", "MAX_OPEN_ORDERS"]
    tell(stage, cancelled("ENTRY", group_of(1, "AAA-2020-01-01")))
    assert code(stage, enter(group_of(3, "AAA-2020-01-03"))) == ""


def test_a_foreign_order_counts_full_notional_until_it_is_reported_gone() -> None:
    stage = gate()

    tell(stage, ExternalOrder(START_NS, "x", "AAA", Side.BUY, Decimal(95), Decimal(100)))
    assert code(stage, enter()) == "HEAT_LIMIT"

    tell(stage, ExternalOrder(START_NS, "x", "AAA", Side.BUY, Decimal(0), Decimal(100)))
    assert code(stage, enter()) == ""


def test_a_foreign_market_order_counts_at_the_mark_and_refuses_without_one() -> None:
    stage = gate("AAA", "BBB", prices=(100.0,))
    tell(stage, ExternalOrder(START_NS, "x", "BBB", Side.BUY, Decimal(95), Decimal(0)))

    assert code(stage, enter()) == "DATA_MARK"
    tell(stage, marks(100.0, instrument=1))
    assert code(stage, enter()) == "HEAT_LIMIT"


def test_campaign_risk_includes_its_realised_loss() -> None:
    stage = gate(cash=104_000, **WITHOUT_LOSSES)  # type: ignore[arg-type]
    first = enter(risk_bp=200, limit_price=10, stop_price=8, target_1=11, target_2=12, target_3=13)
    tell(stage, first, accepted("STOP1"), fill(quantity=1040, price=10), fill("STOP1", 1040, 6, execution_id="2"))

    refusal = verdict(stage, enter("AAA-2020-01-01/SOS/1", risk_bp=84))

    assert stage.portfolio.equity() == (104_000 - 4_160) * 10**8
    assert refusal.receipt.campaign_risk == 4_160 * 10**8
    assert refusal.receipt.code == ""
    assert code(stage, enter("AAA-2020-01-01/LPS/1", risk_bp=84)) == "RISK_CAMPAIGN"
    assert code(stage, enter("AAA-2020-01-02/LPS/1", risk_bp=84)) == ""


def test_every_message_of_the_gate_can_be_encoded() -> None:
    stage = gate()

    outputs = tell(stage, enter(stop_price="NaN"), enter(limit_price="Infinity"), enter(risk_bp="-1"), enter())

    assert [one.receipt.code for one in outputs if isinstance(one, Refused)] == ["NUMERIC"] * 3
    assert all(encode(one) for one in outputs)  # type: ignore[arg-type]


class Passes:
    """A rule that refuses nothing."""

    code = "NONE"
    stage = "TEST"

    def judge(self, assessment: object) -> None:
        return None
