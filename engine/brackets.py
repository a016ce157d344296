"""The orders of a bracket, built from one intent: entry, stop, targets, exit.

Names, sides and parents are functions of the intent, so the same wish always makes the same
order. The parts of a bracket never add up to more than the entry.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import Final

from engine.instruments import MONEY, whole_lots
from engine.messages import CancelRequest, Instrument, Intent, Order, OrderKind, Role, Side, TimeInForce

ZERO = Decimal(0)

TARGET_SHARES: Final = (Decimal("0.5"), Decimal("0.3"))
"""Shares of the first two targets (wyckoff.md 5.7: 50/30/20); the last takes the remainder."""

TRIGGERED = (OrderKind.STOP, OrderKind.STOP_LIMIT)


def entry_order(intent: Intent, quantity: Decimal) -> Order:
    """`limit_price` is the worst price whatever the kind; `stop_price` triggers stop kinds."""
    return _order(
        intent,
        "ENTRY",
        role=Role.ENTRY,
        side=_side(intent.direction),
        kind=intent.entry_kind,
        quantity=quantity,
        limit_price=intent.limit_price,
        stop_price=intent.entry_price if intent.entry_kind in TRIGGERED else ZERO,
        expires_ns=intent.expires_ns,
    )


def stop_order(intent: Intent, quantity: Decimal, number: int, replaces: str = "") -> Order:
    return _order(
        intent,
        f"STOP{number}",
        role=Role.STOP,
        side=_side(-intent.direction),
        kind=OrderKind.STOP,
        quantity=quantity,
        stop_price=intent.stop_price,
        parent=f"{intent.group}/ENTRY",
        replaces=replaces,
    )


def target_order(intent: Intent, quantity: Decimal, name: str, price: Decimal) -> Order:
    return _order(
        intent,
        name,
        role=Role.TARGET,
        side=_side(-intent.direction),
        kind=OrderKind.LIMIT,
        quantity=quantity,
        limit_price=price,
        parent=f"{intent.group}/ENTRY",
    )


def exit_order(intent: Intent, quantity: Decimal) -> Order:
    return _order(
        intent,
        f"EXIT{attempt(intent)}",
        role=Role.EXIT,
        side=_side(-intent.direction),
        kind=OrderKind.MARKET,
        quantity=quantity,
    )


def target_quantities(instrument: Instrument, quantity: Decimal) -> tuple[Decimal, ...]:
    """How much each of the three targets closes, in lots; a small position leaves the first ones 0."""
    first = [whole_lots(instrument, MONEY.multiply(quantity, share)) for share in TARGET_SHARES]
    last = MONEY.subtract(quantity, total(first))
    assert last >= 0
    return (*first, last)


def _order(
    intent: Intent,
    name: str,
    *,
    role: Role,
    side: Side,
    kind: OrderKind,
    quantity: Decimal,
    limit_price: Decimal = ZERO,
    stop_price: Decimal = ZERO,
    expires_ns: int = 0,
    parent: str = "",
    replaces: str = "",
) -> Order:
    return Order(
        order_id=f"{intent.group}/{name}",
        campaign=intent.campaign,
        group=intent.group,
        role=role,
        symbol=intent.symbol,
        side=side,
        kind=kind,
        quantity=quantity,
        limit_price=limit_price,
        stop_price=stop_price,
        time_in_force=TimeInForce.GTD if expires_ns else TimeInForce.GTC,
        expires_ns=expires_ns,
        parent=parent,
        replaces=replaces,
        decision_ns=intent.decision_ns,
    )


def entry_cancel(intent: Intent) -> CancelRequest:
    return CancelRequest(
        order_id=f"{intent.group}/ENTRY",
        symbol=intent.symbol,
        decision_ns=intent.decision_ns,
        reason=intent.reason,
    )


def _side(direction: int) -> Side:
    return Side.BUY if direction > 0 else Side.SELL


def target_prices(intent: Intent) -> tuple[Decimal, Decimal, Decimal]:
    return intent.target_1, intent.target_2, intent.target_3


def attempt(intent: Intent) -> int:
    """The n of `group/ACTION-n`."""
    return int(intent.intent_id.rpartition("-")[2])


def total(quantities: Iterable[Decimal]) -> Decimal:
    total = ZERO
    for one in quantities:
        total = MONEY.add(total, one)
    return total
