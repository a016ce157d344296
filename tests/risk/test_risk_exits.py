"""What lowers risk goes out, whatever the heat; only nonsense is refused."""

from decimal import Decimal

import pytest

from engine.messages import AccountState, Action, Approved, Command, FeedStatus, HeatState, Refused
from engine.risk.gate import RiskGate
from tests.makers import START_NS
from tests.risk.facts import (
    accepted,
    cancel,
    cancelled,
    code,
    enter,
    fill,
    gate,
    leave,
    mirrored,
    move_stop,
    tell,
    verdict,
)


def opened(*, quantity: int = 100, remaining: int = 0) -> RiskGate:
    stage = gate()
    tell(stage, enter(), accepted("STOP1"), fill(quantity=quantity, remaining=remaining))
    return stage


def quantity(stage: RiskGate, intent: object) -> Decimal:
    found = verdict(stage, intent)  # type: ignore[arg-type]
    assert isinstance(found, Approved)
    return found.quantity


def test_an_exit_closes_what_is_open() -> None:
    assert quantity(opened(quantity=60, remaining=40), leave()) == 60


def test_a_stop_move_covers_what_is_open_and_what_may_still_come() -> None:
    assert quantity(opened(quantity=60, remaining=40), move_stop(95)) == 100


def test_a_cancel_has_no_quantity() -> None:
    assert quantity(opened(quantity=60, remaining=40), cancel()) == 0


def test_a_second_exit_closes_only_what_the_first_does_not() -> None:
    stage = opened(quantity=60, remaining=40)
    assert quantity(stage, leave(1)) == 60

    tell(stage, fill(quantity=10, execution_id="2", remaining=30))

    assert quantity(stage, leave(2)) == 10


def test_a_filling_exit_is_not_counted_twice() -> None:
    stage = opened()
    tell(stage, leave(1), fill("EXIT1", 40, 99, remaining=60))

    assert code(stage, leave(2)) == "EXIT_NONE"
    tell(stage, cancelled("EXIT1", filled=40))
    assert quantity(stage, leave(3)) == 60


def test_an_exit_of_an_entry_that_only_works_takes_it_back() -> None:
    stage = gate()
    tell(stage, enter())

    assert quantity(stage, leave()) == 0


@pytest.mark.parametrize("intent", [leave(), move_stop(95), cancel()])
def test_what_is_not_there_cannot_be_left_moved_or_cancelled(intent: object) -> None:
    refusal = verdict(gate(), intent)  # type: ignore[arg-type]

    assert isinstance(refusal, Refused)
    assert (refusal.stage, refusal.receipt.code) == ("EXIT_SANITY", "EXIT_NONE")


def test_an_entry_that_is_done_cannot_be_cancelled() -> None:
    assert code(opened(), cancel()) == "EXIT_NONE"


def test_a_stop_never_moves_away_from_the_market() -> None:
    assert code(opened(), move_stop("89.99")) == "STOP_WIDENS"
    assert code(opened(), move_stop("90.00")) == ""


def test_a_short_stop_never_moves_up() -> None:
    def short() -> RiskGate:
        stage = gate()
        tell(stage, enter(**mirrored(enter())), accepted("STOP1"))
        return stage

    assert code(short(), move_stop("110.01")) == "STOP_WIDENS"
    assert code(short(), move_stop("110.00")) == ""


def test_a_stop_never_falls_behind_one_that_is_on_its_way() -> None:
    stage = opened()
    assert code(stage, move_stop(95, 2)) == ""

    assert code(stage, move_stop(94, 3)) == "STOP_WIDENS"
    assert code(stage, move_stop(96, 3)) == ""


@pytest.mark.parametrize("price", ["95.005", "0", "-1", "NaN", "Infinity"])
def test_a_stop_that_is_no_price_is_refused(price: str) -> None:
    assert code(opened(), move_stop(price)) == "NUMERIC"


def test_an_order_name_is_never_used_twice() -> None:
    stage = opened(quantity=60, remaining=40)
    tell(stage, move_stop(95, 2), leave(1))

    assert code(stage, move_stop(96, 2)) == "DUPLICATE"
    assert code(stage, move_stop(96, 1)) == "DUPLICATE"
    assert code(stage, leave(1)) == "DUPLICATE"


@pytest.mark.parametrize("intent", [leave(), move_stop(95), cancel()])
def test_neither_heat_nor_data_nor_an_operator_holds_back_an_exit(intent: object) -> None:
    stage = opened(quantity=60, remaining=40)
    tell(stage, FeedStatus(START_NS, 0, "STALE", ""), Command(START_NS, "kill", "", "ann", ""))
    tell(stage, AccountState(START_NS, Decimal(-9000), Decimal(-9000), "USD"))
    assert stage.heat is HeatState.EXCEEDED

    found = verdict(stage, intent)  # type: ignore[arg-type]

    assert isinstance(found, Approved)
    assert found.receipt.code == ""
    assert found.intent.action in (Action.EXIT, Action.MOVE_STOP, Action.CANCEL)
