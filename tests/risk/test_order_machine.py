"""Gate, router and a venue joined by facts that may come late, twice and in another order.

Whatever happens: the orders of a bracket never add up to more than its intent was approved for,
nothing leaves a terminal state, and cash and profit are the exact sums of the executions.
"""

from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, Phase
from hypothesis import settings as examples
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from adapters import paper
from adapters.paper import PaperBook, PaperSettings
from engine import orders
from engine.campaigns.performance import Lot, folded, realised
from engine.messages import Accepted, Approved, CancelRequest, ExecutionFact, Fill, Intent, Message, Order, Role, Side
from engine.orders import LIFE_CYCLE, OrderRouter, OrderState
from engine.ports import MarketRow
from engine.risk import portfolio
from engine.risk.gate import RiskGate
from engine.risk.portfolio import Portfolio
from tests.makers import START_NS, session, table
from tests.risk.facts import cancel, enter, group_of, leave, marks, move_stop, settings, tell

CASH = 100_000
TABLE = table("AAA")
LIMITS = settings(max_symbol_entries=2)
VENUE = PaperSettings(latency_ns=0, participation=Decimal("0.3"))
STEP_NS = 1_000_000_000

T = TypeVar("T")

picks = st.integers(0, 10**6)
prices = st.integers(850, 1_350).map(lambda tenths: tenths / 10)
sizes = st.sampled_from([0, 2, 9, 40, 300, 5_000])


class Desk:
    def __init__(self) -> None:
        self.requests: list[Order | CancelRequest] = []

    def submit(self, request: Any) -> None:
        self.requests.append(request)


class OrderMachine(RuleBasedStateMachine):
    """`on_the_way` are facts that the venue has sent and nobody here has heard."""

    def __init__(self) -> None:
        super().__init__()
        self.desk = Desk()
        self.gate, self.router = RiskGate(LIMITS, TABLE), OrderRouter(self.desk, TABLE)
        self.book = PaperBook(TABLE, VENUE, Decimal(CASH))
        self.now_ns, self.groups, self.attempts, self.mark = START_NS, 0, 1, 100.0
        self.on_the_way: list[ExecutionFact] = []
        self.heard: list[ExecutionFact] = []
        self.executed: list[Fill] = []
        self.said: list[Message] = []
        self.approved: dict[str, Decimal] = {}
        self.orders: dict[str, list[Order]] = {}
        self.ended: dict[str, OrderState] = {}
        self._hear(session("AAA", cash=CASH, mode="live"))
        tell(self.gate, marks(self.mark))

    # ------------------------------------------------------------------------------ wishes

    @rule(limit=prices, risk_bp=st.integers(20, 200), expires=st.booleans())
    def enter(self, limit: float, risk_bp: int, expires: bool) -> None:
        price = Decimal(str(limit))
        self.groups += 1
        changes = {"limit_price": price, "stop_price": price - 4, "decision_ns": self.now_ns, "risk_bp": risk_bp}
        targets = {f"target_{n}": price + 3 * n for n in (1, 2, 3)}
        ends_ns = self.now_ns + 20 * STEP_NS if expires else 0
        self._wish(enter(group_of(self.groups), expires_ns=ends_ns, **changes, **targets))

    @rule(pick=picks)
    @precondition(lambda self: self.groups)
    def take_back(self, pick: int) -> None:
        self._wish(cancel(group_of(1 + pick % self.groups)))

    @rule(pick=picks)
    @precondition(lambda self: self.groups)
    def leave(self, pick: int) -> None:
        self.attempts += 1
        self._wish(leave(self.attempts, group_of(1 + pick % self.groups)))

    @rule(pick=picks, price=prices)
    @precondition(lambda self: self.groups)
    def move_stop(self, pick: int, price: float) -> None:
        self.attempts += 1
        self._wish(move_stop(str(price), self.attempts, group_of(1 + pick % self.groups)))

    # ------------------------------------------------------------------------------- venue

    @rule(first=prices, other=prices, size=sizes)
    def trade(self, first: float, other: float, size: int) -> None:
        self.now_ns += STEP_NS
        self.mark = other
        row = MarketRow(
            instrument=0, is_bar=True, open_ns=self.now_ns, time_ns=self.now_ns + STEP_NS // 2, open=first,
            high=max(first, other), low=min(first, other), close=other, size=size,
        )  # fmt: skip
        self._sent(self.book.match(row))
        for _, order_id in self.book.due(row.time_ns):
            self._sent(self.book.expire(order_id))
        tell(self.gate, marks(other))

    @rule(pick=picks, twice=st.booleans())
    @precondition(lambda self: self.on_the_way)
    def hear(self, pick: int, twice: bool) -> None:
        """Any fact on the way, whichever was sent first."""
        at = pick % len(self.on_the_way)
        fact = self.on_the_way.pop(at)
        for _ in range(1 + twice):
            self._hear(fact)
        self.heard.append(fact)

    @rule()
    @precondition(lambda self: self.on_the_way)
    def hear_all(self) -> None:
        while self.on_the_way:
            self.hear(0, False)

    @rule()
    @precondition(lambda self: self.on_the_way)
    def hear_all_newest_first(self) -> None:
        while self.on_the_way:
            self.hear(len(self.on_the_way) - 1, False)

    @rule(pick=picks)
    @precondition(lambda self: self.heard)
    def hear_again(self, pick: int) -> None:
        self._hear(self.heard[pick % len(self.heard)])

    @rule()
    def restart(self) -> None:
        states = self.gate.snapshot(), self.router.snapshot(), self.book.snapshot()
        self.gate, self.router = RiskGate(LIMITS, TABLE), OrderRouter(self.desk, TABLE)
        self.book = PaperBook(TABLE, VENUE, Decimal(CASH))
        for part, state in zip((self.gate, self.router, self.book), states, strict=True):
            part.restore(state)

    # ---------------------------------------------------------------------------- the laws

    @invariant()
    def orders_add_up_to_no_more_than_was_approved(self) -> None:
        for group, sent in self.orders.items():
            most = self.approved[group]
            assert sum(one.quantity for one in sent if one.role is Role.ENTRY) == most
            assert sum(one.quantity for one in sent if one.role is Role.TARGET) == most
            assert all(one.quantity <= most for one in sent)

    @invariant()
    def executions_add_up_to_no_more_than_was_approved(self) -> None:
        for group, most in self.approved.items():
            entered, exited = (self._filled(group, entries=entries) for entries in (True, False))
            assert exited <= entered <= most

    @invariant()
    def nothing_leaves_a_terminal_state(self) -> None:
        for sent in self.orders.values():
            for one in sent:
                state = self.router.state(one.order_id)
                if one.order_id in self.ended:
                    assert state in (None, self.ended[one.order_id])
                elif state is not None and not LIFE_CYCLE[state]:
                    self.ended[one.order_id] = state

    @invariant()
    def the_venue_says_nothing_of_what_has_ended(self) -> None:
        ended: set[str] = set()
        for fact in self.said:
            assert isinstance(fact, ExecutionFact)
            assert fact.order_id not in ended, fact
            if not isinstance(fact, Accepted) and not getattr(fact, "remaining", 0):
                ended.add(fact.order_id)

    @invariant()
    def cash_is_the_sum_of_the_executions(self) -> None:
        assert self.book._account is not None
        assert Fraction(self.book._account.cash) == CASH + _cash(self.executed)
        if not self.on_the_way:
            held = sum(Fraction(one.quantity) * _sign(one) for one in self.executed)
            equity = CASH + _cash(self.executed) + held * Fraction(str(self.mark))
            assert self.gate.portfolio.equity() == equity * 10**8 // 1

    @invariant()
    def profit_of_a_flat_group_is_the_sum_of_its_executions(self) -> None:
        for group in self.approved:
            fills = [one for one in self.executed if one.group == group]
            lot = Lot()
            for one in fills:
                lot = folded(lot, one)
            if fills and not lot.open:
                assert Fraction(realised(lot, 1, Decimal(1))) == _cash(fills)

    @invariant()
    def what_is_heard_is_what_is_held(self) -> None:
        """With nothing on the way the gate holds what the venue has filled, group by group, in whatever
        order it was heard; and nothing else."""
        if self.on_the_way:
            return
        assert not [one for one in self.gate.portfolio.positions if "~" in one]
        for group in self.approved:
            held = self._filled(group, entries=True) - self._filled(group, entries=False)
            position = self.gate.portfolio.positions.get(group)
            assert (position.open_quantity if position else 0) == held, (group, position, held)

    # ------------------------------------------------------------------------------- parts

    def _wish(self, intent: Intent) -> None:
        verdict = tell(self.gate, intent)[1]
        if not isinstance(verdict, Approved):
            return
        if intent.action == "ENTER":
            self.approved[intent.group] = verdict.quantity
        list(self.router.process(verdict))
        requests, self.desk.requests = self.desk.requests, []
        for one in requests:
            if isinstance(one, Order):
                self.orders.setdefault(one.group, []).append(one)
                self._sent(self.book.submit(one, now_ns=self.now_ns, mark=self.mark))
            else:
                self._sent(self.book.cancel(one, now_ns=self.now_ns))

    def _sent(self, facts: list[ExecutionFact]) -> None:
        self.on_the_way += facts
        self.said += facts
        self.executed += [one for one in facts if isinstance(one, Fill)]

    def _hear(self, fact: Message) -> None:
        tell(self.gate, fact)
        list(self.router.process(fact))

    def _filled(self, group: str, *, entries: bool) -> Decimal:
        fills = [one for one in self.executed if one.group == group and (one.role is Role.ENTRY) is entries]
        return sum((one.quantity for one in fills), Decimal(0))


def _sign(fill: Fill) -> int:
    return 1 if fill.side is Side.BUY else -1


def _cash(fills: list[Fill]) -> Fraction:
    """What the executions did to the account, exactly."""
    paid = (Fraction(one.quantity) * Fraction(one.price) * _sign(one) + Fraction(one.costs) for one in fills)
    return -sum(paid, Fraction(0))


def test_orders_and_money_add_up_whatever_happens() -> None:
    run_state_machine_as_test(
        OrderMachine, settings=examples(max_examples=60, stateful_step_count=40, deadline=None, database=None)
    )


def _all_of_it(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda resting, group, entered: resting.remaining


ANY_STATE_FOLLOWS = {state: tuple(OrderState) for state in OrderState}

MUTANTS: dict[str, tuple[object, str, object]] = {
    "shares of the targets": (orders, "target_quantities", lambda instrument, quantity: (quantity, quantity, quantity)),
    "one repeated execution": (Portfolio, "_first_report", lambda *_: True),
    "exits that overtake their entry": (portfolio, "close_early", lambda _: None),
    "what is covered": (paper, "coverable", _all_of_it(paper.coverable)),
    "terminal states": (orders, "LIFE_CYCLE", ANY_STATE_FOLLOWS),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_the_machine_notices_a_line_without(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    owner, attribute, value = MUTANTS[name]
    monkeypatch.setattr(owner, attribute, value)
    if value is ANY_STATE_FOLLOWS:
        monkeypatch.setattr(orders, "TERMINAL", ())

    with pytest.raises((AssertionError, ArithmeticError, KeyError)):
        run_state_machine_as_test(
            OrderMachine,
            settings=examples(
                max_examples=200, stateful_step_count=40, deadline=None, database=None, phases=(Phase.generate,),
                suppress_health_check=list(HealthCheck), derandomize=True,
            ),
        )  # fmt: skip
