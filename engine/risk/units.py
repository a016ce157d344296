"""Whole 1e-8 account units: the numbers in which heat is decided.

Rounding is always against the account. Risk goes up, equity and profit go down, so a comparison
of two whole numbers never flatters.
"""

from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from typing import Final

DIGITS: Final = 8
"""One unit is 1e-8 of the account currency."""

WIRE_MAX: Final = 2**63 - 1
"""The largest whole number a message carries."""

UPWARD: Final = Context(prec=28, rounding=ROUND_CEILING)
"""Arithmetic of amounts that count against the account."""

DOWNWARD: Final = Context(prec=28, rounding=ROUND_FLOOR)
"""Arithmetic of amounts that count for the account."""


def risk_units(amount: Decimal) -> int:
    return int(UPWARD.scaleb(amount, DIGITS).to_integral_value(ROUND_CEILING))


def equity_units(amount: Decimal) -> int:
    """`amount` in units; what is too large for a message is rounded down to what fits."""
    return min(int(DOWNWARD.scaleb(amount, DIGITS).to_integral_value(ROUND_FLOOR)), WIRE_MAX)


def amount(units: int) -> Decimal:
    """Whole units as money, exactly."""
    return Decimal(units).scaleb(-DIGITS, UPWARD)


def on_wire(units: int) -> int:
    """Units as a message can carry them. Only a refusal ever holds a number this cuts."""
    return max(min(units, WIRE_MAX), -WIRE_MAX)
