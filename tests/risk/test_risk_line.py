"""The law on the whole line: what left it, recomputed by the independent heat calculator."""

from collections import Counter
from fractions import Fraction
from itertools import pairwise

import pytest

from engine.blocks import Bars
from engine.messages import Action, Approved, Fill, HeatChange, HeatState, Intent, Message, Refused
from engine.ports import Item
from tests.lines import config, decide, line, lively, recorded
from tests.markets import bar_market
from tests.risk.heat_oracle import Oracle

SYMBOLS = 60
LIMIT_BP = 60
"""So low that a small market reaches it: bracket stops are close and sizes are capped."""

EXITS = (Action.EXIT, Action.MOVE_STOP)


@pytest.fixture(scope="module")
def left() -> tuple[Item, ...]:
    """All that leaves a line on which many markets wish for entries at once."""
    tight = {"heat_warning_bp": 40, "heat_critical_bp": 50, "heat_limit_bp": LIMIT_BP}
    settings = config(strategies=lively().strategies, risk=tight)
    market = recorded(bar_market(SYMBOLS, 500, 3), symbols=SYMBOLS)
    return decide(market, built=line(market, settings)).left


def test_every_approval_keeps_the_law_by_independent_numbers(left: tuple[Item, ...]) -> None:
    oracle = Oracle(100_000)
    names = [f"S{number:03d}" for number in range(SYMBOLS)]
    approvals = 0

    for item in left:
        if isinstance(item, Bars):
            oracle.marks |= {
                names[n]: Fraction(repr(float(p))) for n, p in zip(item.instrument, item.close, strict=True)
            }
        oracle.tell(item)
        if isinstance(item, Approved) and item.intent.action is Action.ENTER:
            receipt, risk = item.receipt, sum(oracle.risk())
            assert receipt.equity == oracle.equity()
            assert receipt.open_risk + receipt.working_risk + receipt.new_risk == risk
            assert risk * 10_000 < receipt.equity * LIMIT_BP
            approvals += 1

    assert approvals >= 15
    assert sum(isinstance(item, Fill) for item in left) >= 30


def test_heat_reaches_its_borders_and_holds_back_no_exit(left: tuple[Item, ...]) -> None:
    codes = Counter(item.receipt.code for item in left if isinstance(item, Refused))
    states = [item.state for item in left if isinstance(item, HeatChange)]

    assert codes["HEAT_LIMIT"] > 0
    assert HeatState.CRITICAL in states
    assert not [item for item in left if isinstance(item, Refused) and item.intent.action in EXITS]


def test_every_intent_has_its_verdict_right_behind_it(left: tuple[Item, ...]) -> None:
    messages = [item for item in left if isinstance(item, Message)]

    for one, following in pairwise(messages):
        if isinstance(one, Intent):
            assert isinstance(following, Approved | Refused)
            assert following.intent is one
