"""The gate against an independent heat calculator, over everything that can happen to an account."""

from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import TypeVar

import msgspec
import pytest
from hypothesis import HealthCheck, Phase
from hypothesis import settings as examples
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from engine.messages import (
    AccountState,
    Approved,
    ExternalOrder,
    Fill,
    HeatChange,
    HeatState,
    Intent,
    Message,
    Refused,
    Side,
)
from engine.risk import gate, portfolio, position, sizing
from engine.risk import marks as marks_module
from engine.risk.exits import exit_quantity
from engine.risk.gate import RiskGate
from engine.risk.position import Position
from engine.risk.rules.heat import Heat
from tests.makers import START_NS, heartbeat, session, table
from tests.risk.facts import (
    accepted,
    cancelled,
    enter,
    expired,
    fill,
    leave,
    marks,
    move_stop,
    rejected,
    settings,
    tell,
)
from tests.risk.heat_oracle import Oracle

SYMBOLS = ("AAA", "BBB", "CCC")
CASH = 100_000
EXITS = ("STOP", "TARGET1", "EXIT")
RULES = ("numeric", "data_mark", "duplicate", "heat")
LIMITS = settings(rules=RULES)

T = TypeVar("T")

prices = st.integers(5_000, 15_000).map(lambda cents: Decimal(cents) / 100)
shares = st.integers(1, 40).map(Decimal)
picks = st.integers(0, 10**6)


class GateMachine(RuleBasedStateMachine):
    """Drives a gate by its own view of what is open; judges it by the oracle's."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = RiskGate(LIMITS, table(*SYMBOLS))
        self.oracle = Oracle(CASH)
        self.heat = HeatState.NORMAL
        self.count = 0
        self.past: list[Fill] = []
        tell(self.gate, session(*SYMBOLS, cash=CASH))
        for number in range(len(SYMBOLS)):
            self._mark(number, Decimal(100))

    # ---------------------------------------------------------------------------- entries

    @rule(symbol=picks, limit=prices, share=st.integers(5, 95), risk_bp=st.integers(1, 700), long=st.booleans())
    def enter(self, symbol: int, limit: Decimal, share: int, risk_bp: int, long: bool) -> None:
        self._judge(self._entry(symbol, limit, share, risk_bp if long else -risk_bp))

    @rule(symbol=picks, limit=prices, share=st.integers(5, 95), risk_bp=st.integers(300, 700))
    def enter_two_that_may_not_fit_together(self, symbol: int, limit: Decimal, share: int, risk_bp: int) -> None:
        pair = [self._entry(symbol + number, limit, share, risk_bp) for number in (0, 1)]
        alone = [isinstance(tell(self._copy(), one)[1], Approved) for one in pair]

        together = [self._judge(one) for one in pair]

        assert together[0] == alone[0]
        assert alone[1] or not together[1]

    @rule(pick=picks)
    @precondition(lambda self: self.gate.portfolio.positions)
    def enter_again(self, pick: int) -> None:
        group = self._live(pick).group
        assert not self._judge(enter(group, symbol=group[:3]))

    # ------------------------------------------------------------------------- executions

    @rule(pick=picks, quantity=shares, price=prices)
    @precondition(lambda self: self._working())
    def fill_entry(self, pick: int, quantity: Decimal, price: Decimal) -> None:
        one = _pick(self._working(), pick)
        quantity = min(quantity, one.awaited)
        self._execute(one, "ENTRY", quantity, price, one.awaited - quantity)

    @rule(
        pick=picks,
        quantity=shares,
        price=prices,
        name=st.sampled_from(EXITS),
        spent=st.booleans(),
    )
    @precondition(lambda self: self._held())
    def fill_exit(self, pick: int, quantity: Decimal, price: Decimal, name: str, spent: bool) -> None:
        one = _pick(self._held(), pick)
        order = self._exit_order(one, name)
        self._execute(one, order, min(quantity, one.open_quantity), price, Decimal(0 if spent else 1))

    @rule(pick=picks, quantity=shares, price=prices, name=st.sampled_from(EXITS))
    @precondition(lambda self: self._working())
    def fill_an_exit_before_its_entry(self, pick: int, quantity: Decimal, price: Decimal, name: str) -> None:
        one = _pick(self._working(), pick)
        most = one.open_quantity + one.awaited - one.early_quantity
        if most:
            self._execute(one, self._exit_order(one, name), min(quantity, most), price, Decimal(1))

    @rule(pick=picks)
    @precondition(lambda self: self.past)
    def repeat_an_execution(self, pick: int) -> None:
        self._tell(_pick(self.past, pick))

    @rule(pick=picks, how=st.sampled_from((cancelled, expired, rejected)))
    @precondition(lambda self: self._working())
    def end_entry(self, pick: int, how: Callable[..., Message]) -> None:
        one = _pick(self._working(), pick)
        if how is rejected and one.early:
            return
        known = {} if how is rejected else {"filled": one.entered + one.early_quantity}
        self._tell(how("ENTRY", one.group, **known))

    # ------------------------------------------------------------------------------ stops

    @rule(pick=picks, raised=st.integers(-200, 2000))
    @precondition(lambda self: self.gate.portfolio.positions)
    def move_stop(self, pick: int, raised: int) -> None:
        one = self._live(pick)
        price = one.stop_price + one.direction * Decimal(raised) / 100
        excused = raised < 0 or price <= 0 or bool(one.asked_stops)
        found = self._decide(move_stop(price, one.last_stop + 1, one.group))
        assert isinstance(found, Approved) or excused

    @rule(pick=picks, older=st.integers(0, 2))
    @precondition(lambda self: self.gate.portfolio.positions)
    def accept_stop(self, pick: int, older: int) -> None:
        one = self._live(pick)
        self._tell(accepted(f"STOP{max(1, one.last_stop - older)}", one.group))

    @rule(pick=picks, older=st.integers(0, 2), how=st.sampled_from((cancelled, expired, rejected)))
    @precondition(lambda self: self.gate.portfolio.positions)
    def lose_stop(self, pick: int, older: int, how: Callable[..., Message]) -> None:
        one = self._live(pick)
        self._tell(how(f"STOP{max(1, one.last_stop - older)}", one.group))

    @rule(pick=picks)
    @precondition(lambda self: self.gate.portfolio.positions)
    def swap_stop(self, pick: int) -> None:
        one = self._live(pick)
        self._tell(cancelled(f"STOP{max(1, one.stop_number)}", one.group, reason="replaced"))

    @rule(pick=picks)
    @precondition(lambda self: self._held())
    def leave(self, pick: int) -> None:
        one = _pick(self._held(), pick)
        intent = leave(one.last_exit + 1, one.group)
        left = exit_quantity(intent, one)
        found = self._decide(intent)
        assert isinstance(found, Approved) == bool(left or one.awaited)
        assert found.receipt.quantity <= one.open_quantity

    # --------------------------------------------------------------------- prices, account

    @rule(symbol=picks, price=prices)
    def move_price(self, symbol: int, price: Decimal) -> None:
        self._mark(symbol % len(SYMBOLS), price)
        self._tell(heartbeat(START_NS))

    @rule(cash=st.integers(-20_000, 200_000), cents=st.integers(0, 99))
    def shock(self, cash: int, cents: int) -> None:
        money = Decimal(cash) + Decimal(cents) / 100
        self._tell(AccountState(START_NS, money, Decimal(10) ** 9, "USD"))

    @rule(quantity=st.integers(0, 30), price=prices, name=st.sampled_from("xy"))
    def foreign_order(self, quantity: int, price: Decimal, name: str) -> None:
        self._tell(ExternalOrder(START_NS, name, "AAA", Side.SELL, Decimal(quantity), price))

    @rule()
    def restart(self) -> None:
        self.gate = self._copy()

    # -------------------------------------------------------------------------- judgement

    @invariant()
    def books_agree(self) -> None:
        books = self.gate.portfolio
        assert (books.open_risk, books.working_risk) == self.oracle.risk()
        assert books.equity() == self.oracle.equity()

    @invariant()
    def campaigns_agree(self) -> None:
        for campaign in {one["campaign"] for one in self.oracle.groups.values()}:
            assert self.gate.portfolio.campaign_risk(campaign) == self.oracle.campaign(campaign)

    @invariant()
    def heat_state_is_told_and_right(self) -> None:
        risk, equity = sum(self.oracle.risk()), self.oracle.equity()
        assert self.heat is self.gate.heat
        borders = ((10, HeatState.EXCEEDED), (9, HeatState.CRITICAL), (7, HeatState.WARNING))
        reached = (state for percent, state in borders if equity <= 0 or risk * 100 >= equity * percent)
        assert self.heat is next(reached, HeatState.NORMAL)

    # ------------------------------------------------------------------------------ parts

    def _entry(self, symbol: int, limit: Decimal, share: int, signed_bp: int) -> Intent:
        self.count += 1
        name, direction = SYMBOLS[symbol % len(SYMBOLS)], 1 if signed_bp > 0 else -1
        distance = (limit * share / 100).quantize(Decimal("0.01"))
        targets = {f"target_{n}": limit + direction * Decimal(n) for n in (1, 2, 3)}
        group = f"{name}-2020-01-0{self.count % 3 + 1}/SPRING/{self.count}"
        return enter(
            group, direction=direction, limit_price=limit, stop_price=limit - direction * distance,
            risk_bp=abs(signed_bp), **targets,
        )  # fmt: skip

    def _judge(self, intent: Intent) -> bool:
        found = self._decide(intent)
        if isinstance(found, Refused):
            return False
        self._obeys_the_law(found)
        return True

    def _obeys_the_law(self, found: Approved) -> None:
        """The law, in the oracle's numbers: they already hold the entry."""
        projected, equity = sum(self.oracle.risk()), self.oracle.equity()
        receipt = found.receipt
        assert equity > 0
        assert projected * 10 < equity
        assert receipt.open_risk + receipt.working_risk + receipt.new_risk == projected

    def _decide(self, intent: Intent) -> Approved | Refused:
        outputs = self._tell(intent)
        found = outputs[1]
        assert isinstance(found, Approved | Refused)
        return found

    def _tell(self, fact: Message) -> list[object]:
        outputs = tell(self.gate, fact)
        self.oracle.tell(fact)
        for one in outputs[1:]:
            if isinstance(one, HeatChange):
                assert one.previous is self.heat
                self.heat = one.state
            elif isinstance(one, Approved):
                self.oracle.tell(one)
        return list(outputs)

    def _execute(self, one: Position, name: str, quantity: Decimal, price: Decimal, remaining: Decimal) -> None:
        self.count += 1
        buying = (one.direction > 0) == (name == "ENTRY")
        fact = fill(
            name, quantity, price, group=one.group, execution_id=str(self.count), costs="0.350000001",
            remaining=remaining, side=Side.BUY if buying else Side.SELL,
        )  # fmt: skip
        self.past.append(fact)
        self._tell(fact)

    def _exit_order(self, one: Position, name: str) -> str:
        return {"STOP": f"STOP{max(1, one.stop_number)}", "EXIT": f"EXIT{one.last_exit}"}.get(name, name)

    def _mark(self, number: int, price: Decimal) -> None:
        tell(self.gate, marks(float(price), instrument=number))
        self.oracle.marks[SYMBOLS[number]] = Fraction(price)

    def _copy(self) -> RiskGate:
        copy = RiskGate(LIMITS, table(*SYMBOLS))
        copy.restore(self.gate.snapshot())
        return copy

    def _live(self, pick: int) -> Position:
        return _pick(list(self.gate.portfolio.positions.values()), pick)

    def _working(self) -> list[Position]:
        return [one for one in self.gate.portfolio.positions.values() if one.awaited]

    def _held(self) -> list[Position]:
        return [one for one in self.gate.portfolio.positions.values() if one.open_quantity]


def _pick(some: list[T], pick: int) -> T:
    return some[pick % len(some)]


def test_the_gate_agrees_with_an_independent_heat_calculator() -> None:
    run_state_machine_as_test(
        GateMachine, settings=examples(max_examples=100, stateful_step_count=50, deadline=None, database=None)
    )


def _rounded_down(amount: Decimal) -> int:
    return int(amount * 10**8)


MUTANTS: dict[str, list[tuple[object, str, object]]] = {
    "the law": [(gate, "reaches", lambda *_: False), (Heat, "judge", lambda *_: None)],
    "open risk without a confirmed stop": [(position.Position, "is_confirmed", True)],
    "working risk after a lost stop": [(portfolio, "_end_stop", lambda *_: None)],
    "working risk": [(portfolio, "working_risk", lambda _: 0)],
    "open risk": [(portfolio, "open_risk", lambda _: 0)],
    "realised loss": [(portfolio, "realised", lambda _: 0)],
    "rounding up": [(position, "risk_units", _rounded_down)],
    "rounding down": [(portfolio, "equity_units", lambda amount: -_rounded_down(-amount))],
    "repeated executions": [(portfolio.Portfolio, "_first_report", lambda *_: True)],
    "end of an entry": [(portfolio.Portfolio, "ended", lambda *_: None)],
    "acceptance of a stop": [(portfolio.Portfolio, "accepted", lambda *_: None)],
    "an exit that overtakes its entry": [(portfolio, "close_early", lambda _: None)],
    "risk of an exit that overtakes": [(position, "_early_risk", lambda _: 0)],
    "swap of a stop": [(portfolio.Portfolio, "replaced", lambda *_: None)],
    "foreign orders": [(portfolio, "foreign_risk", lambda *_: 0)],
    "reservation": [(portfolio.Portfolio, "reserve", lambda *_: None)],
    "the venue's cash": [(portfolio.Portfolio, "account", lambda *_: None)],
    "marks": [(marks_module.Holdings, "_value", lambda *_: Decimal(0))],
    "heat changes": [(gate.RiskGate, "_heat_change", lambda *_: ())],
    "new risk": [(gate, "size", lambda *a: msgspec.structs.replace(sizing.size(*a), new_risk=0))],
}


@pytest.mark.parametrize("name", MUTANTS)
def test_the_machine_notices_a_gate_without(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for owner, attribute, value in MUTANTS[name]:
        monkeypatch.setattr(owner, attribute, value)

    with pytest.raises((AssertionError, KeyError, IndexError, ZeroDivisionError)):
        run_state_machine_as_test(
            GateMachine,
            settings=examples(
                max_examples=200, stateful_step_count=40, deadline=None, database=None, phases=(Phase.generate,),
                suppress_health_check=list(HealthCheck), derandomize=True,
            ),
        )  # fmt: skip
