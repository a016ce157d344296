"""How many lots an entry may buy: its share of equity over the risk of one unit, capped.

Never up: lots are whole and rounded down, and the notional cap makes a size smaller instead of
refusing it. Numbers that cannot be sized give no quantity; the rules say why.
"""

from decimal import Decimal

import msgspec

from engine.instruments import MONEY, whole_lots
from engine.messages import Instrument, Intent
from engine.risk.heat import BASIS
from engine.risk.units import UPWARD, amount, risk_units

ZERO = Decimal(0)


class Sized(msgspec.Struct, frozen=True):
    """`unit_risk` is the loss of one unit from worst price to stop, in account currency;
    `new_risk` the whole size's, in 1e-8 account units; `notional` its value at the worst price."""

    quantity: Decimal
    unit_risk: Decimal
    new_risk: int
    notional: Decimal


UNSIZED = Sized(ZERO, ZERO, 0, ZERO)


def size(intent: Intent, instrument: Instrument, equity: int, cap_bp: int) -> Sized:
    """floor(equity * risk_bp / unit risk) in lots, at most `cap_bp` of equity in notional.

    `equity` in 1e-8 account units. Below one lot, the smallest quantity or the smallest
    notional it is 0.
    """
    if equity <= 0 or not all(one.is_finite() for one in (intent.limit_price, intent.stop_price, intent.risk_bp)):
        return UNSIZED
    unit_risk = unit_value(UPWARD.subtract(intent.limit_price, intent.stop_price), instrument)
    if unit_risk <= 0 or intent.risk_bp <= 0:
        return UNSIZED
    unit_notional = unit_value(intent.limit_price, instrument)
    wanted = MONEY.divide(_share(equity, intent.risk_bp), unit_risk)
    if unit_notional:
        wanted = min(wanted, MONEY.divide(_share(equity, Decimal(cap_bp)), unit_notional))
    quantity = whole_lots(instrument, wanted)
    notional = MONEY.multiply(unit_notional, quantity)
    if notional < instrument.min_notional or quantity < instrument.min_quantity:
        quantity, notional = ZERO, ZERO
    return Sized(quantity, unit_risk, risk_units(UPWARD.multiply(unit_risk, quantity)), notional)


def unit_value(price: Decimal, instrument: Instrument) -> Decimal:
    """What one unit of quantity is worth over a price distance, unsigned."""
    return UPWARD.multiply(price.copy_abs(), instrument.point_value)


def _share(equity: int, share_bp: Decimal) -> Decimal:
    return MONEY.divide(MONEY.multiply(amount(equity), share_bp), Decimal(BASIS))
