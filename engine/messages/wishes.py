"""Wishes: what the engine wants, in the decision digest; and its requests to Market, which are not."""

from decimal import Decimal

from engine.messages.base import Message
from engine.messages.vocabulary import Action, Leg, OrderKind, Role, Side, TimeInForce, WatchKind


class Intent(Message, frozen=True):
    """What the campaign manager wants. `intent_id` is `campaign/leg/attempt/action[-n]`.

    ENTER carries the plan: `entry_kind`, `entry_price` (stop trigger, 0 for LIMIT),
    `limit_price` (the worst price it may pay), `stop_price`, three targets, and `risk_bp`, the
    share of equity it may risk in basis points. MOVE_STOP carries `stop_price`; EXIT and CANCEL
    carry neither. `group` names the bracket: all orders of one leg and attempt.
    """

    intent_id: str
    action: Action
    campaign: str
    leg: Leg
    group: str
    symbol: str
    timeframe: str
    direction: int
    decision_ns: int
    expires_ns: int
    entry_kind: OrderKind
    entry_price: Decimal
    limit_price: Decimal
    stop_price: Decimal
    target_1: Decimal
    target_2: Decimal
    target_3: Decimal
    risk_bp: Decimal
    score: float
    reason: str


class Receipt(Message, frozen=True):
    """The sum behind a verdict; anyone can recompute it.

    Risks are whole 1e-8 account units rounded up, equity the same unit rounded down. The law:
    refuse when `(open_risk + working_risk + new_risk) * 10_000 >= equity * limit_bp`.
    `value`, `limit` and `margin` belong to the rule named by `code` ("" when approved);
    `margin` is limit - value, negative when refused.
    """

    code: str
    value: Decimal
    limit: Decimal
    margin: Decimal
    equity: int
    open_risk: int
    working_risk: int
    new_risk: int
    campaign_risk: int
    limit_bp: int
    unit_risk: Decimal
    quantity: Decimal
    mark: Decimal


class Approved(Message, frozen=True, gc=True):
    """Only the risk gate makes one. `quantity` is sized, lot-rounded and reserved."""

    intent: Intent
    quantity: Decimal
    receipt: Receipt


class Refused(Message, frozen=True, gc=True):
    """A refusal is a value: which intent, which stage, which rule, by how much."""

    intent: Intent
    stage: str
    receipt: Receipt


class Order(Message, frozen=True):
    """One order, ready for a venue.

    `order_id` is `group/role[n]`. `parent` is the order whose fill makes this one live ("" =
    live at once). Orders of one `group` share the group's filled quantity: exits together never
    exceed it. `replaces` names the order this one takes the place of. Absent prices are 0.
    `expires_ns` is 0 for GTC.
    """

    order_id: str
    campaign: str
    group: str
    role: Role
    symbol: str
    side: Side
    kind: OrderKind
    quantity: Decimal
    limit_price: Decimal
    stop_price: Decimal
    time_in_force: TimeInForce
    expires_ns: int
    parent: str
    replaces: str
    decision_ns: int


class CancelRequest(Message, frozen=True):
    """Take an order back; cancelling a parent that has not filled cancels its children."""

    order_id: str
    symbol: str
    decision_ns: int
    reason: str


class Watch(Message, frozen=True):
    """Look for this and tell `owner`. Fields that `kind` does not use are "", 0 or NaN."""

    watch_id: str
    owner: str
    kind: WatchKind
    symbol: str
    timeframe: str
    level: float
    time_ns: int
    decision_ns: int


class Unwatch(Message, frozen=True):
    watch_id: str
