"""Orders on the account that are not ours: counted at full notional, never touched."""

from collections.abc import Mapping
from decimal import Decimal

from engine.instruments import MONEY, InstrumentTable
from engine.messages import ExternalOrder
from engine.risk.marks import Marks
from engine.risk.units import risk_units

Orders = Mapping[str, ExternalOrder]


def foreign_risk(orders: Orders, instruments: InstrumentTable, marks: Marks) -> int:
    """Units at risk in orders whose price or mark is known; see `unpriced` for the others."""
    return sum(_notional(one, instruments, marks) for one in orders.values())


def unpriced(orders: Orders, instruments: InstrumentTable, marks: Marks) -> str:
    """The first symbol with an order that has neither a price nor a mark, or ""."""
    return next((one.symbol for one in orders.values() if _price(one, instruments, marks) is None), "")


def _notional(order: ExternalOrder, instruments: InstrumentTable, marks: Marks) -> int:
    price = _price(order, instruments, marks) or Decimal(0)
    known = order.symbol in instruments.symbols
    point_value = instruments.named(order.symbol).point_value if known else Decimal(1)
    return risk_units(MONEY.multiply(MONEY.multiply(price.copy_abs(), order.quantity), point_value))


def _price(order: ExternalOrder, instruments: InstrumentTable, marks: Marks) -> Decimal | None:
    """The order's own price, else the mark of its instrument."""
    if order.price:
        return order.price
    return marks.of(instruments.number(order.symbol)) if order.symbol in instruments.symbols else None
