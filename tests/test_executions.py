"""An execution that a venue reports again counts once, wherever executions are added up."""

from decimal import Decimal

import pytest

from engine import executions as module
from engine.executions import Executions
from engine.ledger import Ledger
from engine.market import Market
from engine.messages import Fill
from engine.timeframes import TIMEFRAMES
from tests.makers import session, table
from tests.risk.facts import fill

FILL = fill(quantity=10, price=100, costs=1)


def test_an_execution_is_first_once_also_after_a_restart() -> None:
    seen = Executions()

    assert [seen.first(FILL), seen.first(FILL)] == [True, False]
    assert not Executions(seen.save()).first(FILL)
    assert seen.first(fill("STOP1", 10, 100))


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEPT", 3)
    seen = Executions()

    for number in range(9):
        seen.first(fill(execution_id=str(number)))

    assert seen.save() == [f"{FILL.order_id}#{number}" for number in (6, 7, 8)]


def test_equity_of_the_market_counts_it_once() -> None:
    market = Market(table(), TIMEFRAMES, None)
    for item in (session(), FILL, FILL):
        list(market.process(item))
    copy = Market(table(), TIMEFRAMES, None)
    copy.restore(market.snapshot())

    list(copy.process(FILL))

    assert market.equity == copy.equity == 100_000 - 1


def test_trades_and_curve_count_it_once() -> None:
    ledger = Ledger(table())
    sold = fill("STOP1", 10, 110, costs=1)

    def tell(stage: Ledger, *facts: Fill) -> None:
        for fact in facts:
            list(stage.process(fact))

    list(ledger.process(session()))
    tell(ledger, FILL, FILL)
    copy = Ledger(table())
    copy.restore(ledger.snapshot())
    tell(copy, FILL, sold, sold)

    (trade,) = copy.trades.closed
    assert (trade.quantity, trade.pnl) == (Decimal(10), Decimal(98))
    assert copy.curve.pnl_points == 3


def test_a_trade_is_whole_when_its_exit_is_heard_first() -> None:
    ledger = Ledger(table())
    list(ledger.process(session()))

    entries = (fill(quantity=4, price=100, costs=1), fill(quantity=6, price=100, execution_id="2"))
    for fact in (fill("STOP1", 10, 110, costs=1), *entries):
        list(ledger.process(fact))

    (trade,) = ledger.trades.closed
    assert (trade.quantity, trade.pnl) == (Decimal(10), Decimal(98))
