"""OrderRouter: approvals become orders, and the life of every order is a table.

An entry leaves with its whole bracket: entry, protective stop, three targets. Orders are named
inside the line (`group/ENTRY`, `group/STOP2`), so an id says what it is for and is a function of
the intent. The router hands everything to the desk and never waits: what became of an order
comes back as a fact. A bracket is forgotten once nothing of it can work or be held.
"""

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from enum import StrEnum
from typing import Final

import msgspec

from engine.blocks import Bars, Quotes, Trades
from engine.brackets import (
    attempt,
    entry_cancel,
    entry_order,
    exit_order,
    stop_order,
    target_order,
    target_prices,
    target_quantities,
)
from engine.instruments import MONEY, InstrumentTable
from engine.messages import (
    Accepted,
    Action,
    Approved,
    CampaignChange,
    CampaignState,
    Cancelled,
    CancelRequest,
    Declined,
    Detections,
    Expired,
    Fill,
    HeatChange,
    Intent,
    Message,
    NoAnswer,
    NotSent,
    Order,
    Refused,
    Rejected,
    Role,
    Sent,
    SessionStart,
    Unwatch,
    Warned,
    Watch,
    Watched,
)
from engine.ports import Desk, Item

ZERO = Decimal(0)

LIVE_MODE = "live"
"""The session mode whose reports come from a venue; every other mode's are simulated."""


class OrderState(StrEnum):
    NEW = "NEW"
    SENT = "SENT"
    UNKNOWN = "UNKNOWN"
    ACCEPTED = "ACCEPTED"
    PARTIAL = "PARTIAL"
    FILLED = "FILLED"
    CANCELLED = "CANCELLED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"
    ABANDONED = "ABANDONED"


_ENDS = (OrderState.FILLED, OrderState.CANCELLED, OrderState.EXPIRED)
_ANSWERS = (OrderState.ACCEPTED, OrderState.PARTIAL, OrderState.REJECTED, *_ENDS)

LIFE_CYCLE: Final[dict[OrderState, tuple[OrderState, ...]]] = {
    OrderState.NEW: (OrderState.SENT, OrderState.UNKNOWN, OrderState.ABANDONED, *_ANSWERS),
    OrderState.SENT: (OrderState.UNKNOWN, *_ANSWERS),
    OrderState.UNKNOWN: (OrderState.ABANDONED, *_ANSWERS),
    OrderState.ACCEPTED: (OrderState.PARTIAL, OrderState.REJECTED, *_ENDS),
    OrderState.PARTIAL: (OrderState.PARTIAL, *_ENDS),
    OrderState.FILLED: (),
    OrderState.CANCELLED: (),
    OrderState.REJECTED: (),
    OrderState.EXPIRED: (),
    OrderState.ABANDONED: (),
}
"""What may follow what. A state with no successor is terminal and is never left."""

TERMINAL = tuple(state for state, following in LIFE_CYCLE.items() if not following)


class Bracket(msgspec.Struct):
    """All orders of one group. `states` by order id; `executions` makes a repeated fill count once;
    `cancelling` says that the entry has been asked back."""

    quantity: Decimal
    entered: Decimal = ZERO
    exited: Decimal = ZERO
    states: dict[str, OrderState] = {}
    executions: list[str] = []
    cancelling: bool = False

    def is_live(self, order_id: str) -> bool:
        return self.states.get(order_id, OrderState.ABANDONED) not in TERMINAL

    def is_over(self, group: str) -> bool:
        return self.entered <= self.exited and not self.is_live(f"{group}/ENTRY")

    def live_stop(self, group: str) -> str:
        """The newest stop that may still protect, or ""."""
        stops = f"{group}/STOP"
        for order_id, state in reversed(self.states.items()):
            if state not in TERMINAL and order_id.startswith(stops):
                return order_id
        return ""


class RouterState(msgspec.Struct):
    simulated: bool
    brackets: dict[str, Bracket]


PASSED = frozenset((Trades, Quotes, Bars, Detections, Declined, Warned, Intent, Refused, Watched, HeatChange))
"""What goes by most often and moves no order."""

REQUESTS = (Watch, Unwatch)

REPORTS = (Accepted, Cancelled, Expired, Rejected, Sent, NotSent, NoAnswer)
STATES: Final[dict[type[Message], OrderState]] = {
    Accepted: OrderState.ACCEPTED,
    Cancelled: OrderState.CANCELLED,
    Expired: OrderState.EXPIRED,
    Rejected: OrderState.REJECTED,
    Sent: OrderState.SENT,
    NotSent: OrderState.ABANDONED,
    NoAnswer: OrderState.UNKNOWN,
}
"""What each report says of its order."""

ENDED = (CampaignState.COMPLETED, CampaignState.INVALIDATED, CampaignState.EXPIRED)


class OrderRouter:
    """Orders and requests go to `desk`; orders and cancels also go on down the line."""

    def __init__(self, desk: Desk, instruments: InstrumentTable) -> None:
        self._desk = desk
        self._instruments = instruments
        self._simulated = False
        self._brackets: dict[str, Bracket] = {}

    def process(self, message: Item) -> Iterable[Item]:
        if type(message) in PASSED:
            return (message,)
        if isinstance(message, REQUESTS):
            self._desk.submit(message)
            return ()
        if isinstance(message, CampaignChange):
            if message.number == 1 or message.state in ENDED:
                self._desk.submit(message)
            return (message,)
        if isinstance(message, Approved):
            return self._route(message)
        assert isinstance(message, Message)
        self._follow(message)
        return (message,)

    def state(self, order_id: str) -> OrderState | None:
        """Where an order is in its life; None when it was never ours or is forgotten."""
        bracket = self._brackets.get(order_id.rpartition("/")[0])
        return bracket.states.get(order_id) if bracket else None

    @property
    def groups(self) -> tuple[str, ...]:
        """The brackets that still work or hold something."""
        return tuple(self._brackets)

    def snapshot(self) -> bytes:
        return msgspec.msgpack.encode(RouterState(self._simulated, self._brackets))

    def restore(self, data: bytes) -> None:
        state = msgspec.msgpack.decode(data, type=RouterState)
        self._simulated = state.simulated
        self._brackets = state.brackets

    # ------------------------------------------------------------------------ approvals down

    def _route(self, approved: Approved) -> Iterable[Item]:
        requests = self._requests(approved)
        for request in requests:
            if isinstance(request, Order):
                self._keep(request)
            self._desk.submit(request)
        return (approved, *requests)

    def _requests(self, approved: Approved) -> Sequence[Order | CancelRequest]:
        intent, quantity = approved.intent, approved.quantity
        if intent.action is Action.MOVE_STOP:
            return (self._moved_stop(intent, quantity),)
        if intent.action is Action.ENTER:
            return tuple(self._bracket(intent, quantity))
        requests: list[Order | CancelRequest] = [*self._take_back(intent)]
        if intent.action is Action.EXIT and quantity:
            requests.append(self._exit(intent, quantity))
        return requests

    def _bracket(self, intent: Intent, quantity: Decimal) -> Iterator[Order]:
        assert intent.group not in self._brackets
        self._brackets[intent.group] = Bracket(quantity)
        yield entry_order(intent, quantity)
        yield stop_order(intent, quantity, 1)
        targets = target_quantities(self._instruments.named(intent.symbol), quantity)
        for number, (price, part) in enumerate(zip(target_prices(intent), targets, strict=True), start=1):
            if part:
                yield target_order(intent, part, f"TARGET{number}", price)

    def _take_back(self, intent: Intent) -> Iterator[CancelRequest]:
        """Cancel an entry that may still fill; an exit does so only where nobody has asked yet."""
        bracket = self._brackets.get(intent.group)
        if bracket is None or not bracket.is_live(f"{intent.group}/ENTRY"):
            return
        if not (bracket.cancelling and intent.action is Action.EXIT):
            bracket.cancelling = True
            yield entry_cancel(intent)

    def _moved_stop(self, intent: Intent, quantity: Decimal) -> Order:
        bracket = self._held(intent, quantity)
        assert quantity <= max(bracket.quantity, bracket.entered)
        return stop_order(intent, quantity, attempt(intent), replaces=bracket.live_stop(intent.group))

    def _exit(self, intent: Intent, quantity: Decimal) -> Order:
        bracket = self._held(intent, quantity)
        assert quantity <= MONEY.subtract(bracket.entered, bracket.exited)
        return exit_order(intent, quantity)

    def _held(self, intent: Intent, quantity: Decimal) -> Bracket:
        """The intent's bracket; a new one for a position that came from no order of ours."""
        if intent.group not in self._brackets:
            self._brackets[intent.group] = Bracket(quantity, entered=quantity)
        return self._brackets[intent.group]

    def _keep(self, order: Order) -> None:
        states = self._brackets[order.group].states
        assert order.order_id not in states
        states[order.order_id] = OrderState.NEW

    # ------------------------------------------------------------------------------ facts in

    def _follow(self, fact: Message) -> None:
        if isinstance(fact, REPORTS):
            self._advance(fact.order_id, STATES[type(fact)])
        elif isinstance(fact, Fill):
            self._filled(fact)
        elif isinstance(fact, SessionStart):
            self._simulated = fact.mode != LIVE_MODE

    def _filled(self, fact: Fill) -> None:
        bracket = self._brackets.get(fact.group)
        key = f"{fact.order_id}#{fact.execution_id}"
        if bracket is None or key in bracket.executions:
            return
        bracket.executions.append(key)
        if fact.role is Role.ENTRY:
            bracket.entered = MONEY.add(bracket.entered, fact.quantity)
        else:
            bracket.exited = MONEY.add(bracket.exited, fact.quantity)
        self._advance(fact.order_id, OrderState.PARTIAL if fact.remaining else OrderState.FILLED)

    def _advance(self, order_id: str, state: OrderState) -> None:
        """Move an order along its table. A venue may report late; the paper book may not."""
        group = order_id.rpartition("/")[0]
        bracket = self._brackets.get(group)
        if bracket is None or order_id not in bracket.states:
            return
        if state in LIFE_CYCLE[bracket.states[order_id]]:
            bracket.states[order_id] = state
        else:
            assert not self._simulated, f"{order_id}: {state} cannot follow {bracket.states[order_id]}"
        if bracket.is_over(group):
            del self._brackets[group]
