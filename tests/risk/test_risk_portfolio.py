"""The books: what fills, stops and ends do to cash, risk and memory."""

from decimal import Decimal

from engine.messages import (
    AccountState,
    CampaignChange,
    CampaignState,
    Fill,
    HeatState,
    Intent,
    Side,
)
from engine.risk.gate import RiskGate
from engine.risk.portfolio import EXECUTIONS_KEPT
from tests.makers import START_NS
from tests.risk.facts import (
    accepted,
    cancelled,
    code,
    enter,
    fill,
    gate,
    heat_changes,
    leave,
    marks,
    mirrored,
    move_stop,
    rejected,
    tell,
    verdict,
)

GROUP = "AAA-2020-01-01/SPRING/1"
UNIT = 10**8


def opened(*, quantity: int = 100, remaining: int = 0, **changes: object) -> RiskGate:
    """A hundred shares approved at 100 with a confirmed stop at 90, some of them bought."""
    stage = gate()
    tell(stage, enter(**changes), accepted("STOP1"), fill(quantity=quantity, remaining=remaining))
    return stage


def risks(stage: RiskGate) -> tuple[int, int]:
    """Open and working risk in whole account currency."""
    return stage.portfolio.open_risk // UNIT, stage.portfolio.working_risk // UNIT


def test_a_repeated_execution_is_applied_once() -> None:
    stage = opened(quantity=50, remaining=50)

    tell(stage, fill(quantity=50, remaining=50))

    assert stage.portfolio.positions[GROUP].open_quantity == 50
    assert risks(stage) == (500, 500)
    assert stage.portfolio.equity() == 100_000 * UNIT


def test_the_same_execution_number_of_another_order_is_another_execution() -> None:
    stage = opened()

    tell(stage, fill("TARGET1", 50, 110, remaining=0))

    assert stage.portfolio.positions[GROUP].open_quantity == 50


def test_memory_of_executions_is_bounded() -> None:
    stage = gate()

    for number in range(EXECUTIONS_KEPT + 10):
        stage.portfolio.fill(fill(quantity=1, execution_id=str(number)))

    assert len(stage.portfolio.save().state.executions) == EXECUTIONS_KEPT


def test_equity_is_cash_and_holdings_at_the_mark_less_costs() -> None:
    stage = gate()
    tell(stage, enter(), accepted("STOP1"), fill(costs="1.5"), marks(103.0))

    assert stage.portfolio.equity() == 100_298_50000000


def test_a_short_gains_when_the_mark_falls() -> None:
    stage = gate()
    tell(stage, enter(**mirrored(enter())), accepted("STOP1"), fill(side=Side.SELL), marks(97.0))

    assert stage.portfolio.equity() == 100_300 * UNIT
    assert risks(stage) == (1000, 0)


def test_equity_is_rounded_down_and_risk_up() -> None:
    stage = gate()
    tell(stage, enter(), accepted("STOP1"))
    for number, price in enumerate(("99", "99", "100")):
        tell(stage, fill(quantity=1, price=price, execution_id=str(number), remaining=97 - number))
    tell(stage, fill("TARGET1", 1, 110), AccountState(START_NS, Decimal("1.000000009"), Decimal(9999), "USD"))

    assert stage.portfolio.open_risk == -(-2 * 28 * UNIT // 3)
    assert stage.portfolio.equity() == 201 * UNIT


def test_a_partly_closed_position_keeps_its_average() -> None:
    stage = opened()

    tell(stage, fill("TARGET1", 50, 110))

    assert risks(stage) == (500, 0)
    assert stage.portfolio.positions[GROUP].average_price == 100


def test_a_stop_in_profit_risks_nothing() -> None:
    stage = opened()

    tell(stage, move_stop(105), accepted("STOP2"))

    assert risks(stage) == (0, 0)


def test_a_stop_counts_from_its_acceptance_and_not_before() -> None:
    stage = opened(quantity=50, remaining=50)

    tell(stage, move_stop(95))
    assert risks(stage) == (500, 500)

    tell(stage, accepted("STOP2"))
    assert risks(stage) == (250, 250)


def test_a_late_answer_about_an_older_stop_changes_nothing() -> None:
    stage = opened()
    tell(stage, move_stop(92, 2), move_stop(95, 3), accepted("STOP3"))

    tell(stage, accepted("STOP2"), cancelled("STOP1"), cancelled("STOP2"))

    assert risks(stage) == (500, 0)


def test_a_refused_stop_move_leaves_the_old_stop() -> None:
    stage = opened()

    tell(stage, move_stop(95), rejected("STOP2"))

    assert risks(stage) == (1000, 0)


def test_a_swapped_stop_protects_until_the_next_is_accepted() -> None:
    stage = opened()

    outputs = tell(stage, move_stop(95), cancelled("STOP1", reason="replaced"), accepted("STOP2"))

    assert heat_changes(outputs) == []
    assert risks(stage) == (500, 0)


def test_a_swapped_stop_whose_successor_is_refused_protects_no_more() -> None:
    stage = opened()

    tell(stage, move_stop(95), cancelled("STOP1", reason="replaced"), rejected("STOP2"))

    assert risks(stage) == (10_000, 0)


def test_a_stop_that_is_swapped_for_nothing_protects_no_more() -> None:
    stage = opened()

    tell(stage, cancelled("STOP1", reason="replaced"))

    assert risks(stage) == (10_000, 0)


def test_a_lost_stop_counts_full_notional_until_another_is_accepted() -> None:
    stage = opened(quantity=50, remaining=50)

    outputs = tell(stage, cancelled("STOP1", reason="venue"))
    assert risks(stage) == (5000, 5000)
    assert [one.state for one in heat_changes(outputs)] == [HeatState.EXCEEDED]

    assert code(stage, move_stop(80)) == ""
    tell(stage, accepted("STOP2"))
    assert risks(stage) == (1000, 1000)


def test_a_spent_stop_protects_nothing_that_comes_later() -> None:
    stage = opened(quantity=50, remaining=50)

    tell(stage, fill("STOP1", 50, 90, remaining=0))

    assert risks(stage) == (0, 5000)


def test_a_stop_refused_before_the_first_fill_counts_full_notional() -> None:
    stage = gate()

    tell(stage, enter(), rejected("STOP1"))

    assert risks(stage) == (0, 10_000)


def test_what_the_venue_filled_and_not_yet_reported_stays_reserved() -> None:
    stage = opened(quantity=20, remaining=80)

    tell(stage, cancelled(filled=60))
    assert risks(stage) == (200, 400)

    tell(stage, fill(quantity=40, execution_id="2", remaining=40))
    assert risks(stage) == (600, 0)


def test_a_group_is_forgotten_when_nothing_of_it_works_or_is_held() -> None:
    stage = opened(quantity=50, remaining=50)

    tell(stage, cancelled(filled=50))
    assert GROUP in stage.portfolio.positions

    tell(stage, fill("STOP1", 50, 90))
    assert stage.portfolio.positions == {}
    assert risks(stage) == (0, 0)


def test_a_fill_after_the_end_is_held_at_full_notional_and_can_be_closed() -> None:
    stage = gate()
    tell(stage, enter(), cancelled())

    tell(stage, fill(quantity=10, remaining=90))

    assert risks(stage) == (1000, 0)
    assert verdict(stage, leave()).receipt.quantity == 10


def test_an_exit_that_sells_too_much_becomes_a_position_of_its_own() -> None:
    stage = opened()

    tell(stage, fill("STOP1", 130, 90))

    held = list(stage.portfolio.positions.values())
    assert [(one.direction, one.open_quantity, one.group) for one in held] == [(-1, 30, f"{GROUP}~1")]
    assert risks(stage) == (2700, 0)


def test_a_venue_that_knows_of_less_equity_is_believed() -> None:
    stage = opened()

    tell(stage, AccountState(START_NS, Decimal(90_000), Decimal(99_000), "USD"), marks(101.0))

    assert stage.portfolio.equity() == 99_100 * UNIT


def test_a_venue_that_knows_of_more_equity_is_not_believed() -> None:
    stage = opened()

    tell(stage, AccountState(START_NS, Decimal(90_000), Decimal(101_000), "USD"))

    assert stage.portfolio.equity() == 100_000 * UNIT


def test_an_account_in_another_currency_is_not_ours() -> None:
    stage = gate()

    tell(stage, AccountState(START_NS, Decimal(1), Decimal(1), "EUR"))

    assert stage.portfolio.equity() == 100_000 * UNIT


def test_the_loss_of_a_campaign_is_remembered_until_it_is_over() -> None:
    stage = opened()
    tell(stage, fill("STOP1", 100, 90, costs=2))
    assert stage.portfolio.campaign_risk("AAA-2020-01-01") == 1002 * UNIT

    tell(stage, over("AAA-2020-01-01"))

    assert stage.portfolio.campaign_risk("AAA-2020-01-01") == 0
    assert stage.portfolio.save().state.closed == {}


def test_a_campaign_that_ends_before_its_last_group_is_forgotten_with_it() -> None:
    stage = opened()

    tell(stage, over("AAA-2020-01-01"))
    assert stage.portfolio.campaign_risk("AAA-2020-01-01") == 1000 * UNIT

    tell(stage, fill("STOP1", 100, 90))
    state = stage.portfolio.save().state
    assert (state.closed, state.finished) == ({}, {})


def test_profit_of_a_campaign_frees_no_budget() -> None:
    stage = opened()

    tell(stage, fill("TARGET1", 50, 150))

    assert stage.portfolio.campaign_risk("AAA-2020-01-01") == 500 * UNIT


def test_partial_fills_add_up_in_any_order() -> None:
    parts = [fill(quantity=q, price=p, execution_id=str(p), remaining=1) for q, p in ((10, 99), (30, 98), (60, 100))]
    exits = [fill("TARGET1", 20, 110), fill("STOP1", 10, 95, remaining=70)]

    results = [_after(enter(), order) for order in ([*parts, *exits], [*reversed(parts), *reversed(exits)])]

    assert results[0] == results[1]


def _after(entry: Intent, fills: list[Fill]) -> tuple[int, int, int | None]:
    stage = gate()
    tell(stage, entry, accepted("STOP1"), *fills)
    portfolio = stage.portfolio
    return portfolio.open_risk, portfolio.campaign_risk(entry.campaign), portfolio.equity()


def over(campaign: str) -> CampaignChange:
    return CampaignChange(
        campaign, 5, START_NS, "CAMPAIGN_FAILED", CampaignState.ACTIVE, CampaignState.INVALIDATED, "stop"
    )
