"""What makes a number usable as a price: finite, positive, bounded, exactly on a tick."""

from decimal import Context, Decimal

from engine.messages import Instrument
from engine.ports import Finding

NUMERIC = "NUMERIC"

PRICE_MAX = Decimal(10) ** 12
"""No price of anything is larger (faults.md C04)."""

EXACT = Context(prec=60)
"""Wide enough for the remainder of the largest price by the smallest tick."""

ZERO = Decimal(0)


def price_finding(price: Decimal, instrument: Instrument) -> Finding | None:
    """The bound that `price` breaks. Instruments that allow negative prices allow zero too."""
    if not price.is_finite() or price.copy_abs() > PRICE_MAX:
        return Finding(NUMERIC, price, PRICE_MAX)
    if price <= 0 and not instrument.allows_negative:
        return Finding(NUMERIC, price, ZERO)
    if EXACT.remainder(price, instrument.tick):
        return Finding(NUMERIC, price, instrument.tick)
    return None


def beyond(direction: int, price: Decimal, reference: Decimal) -> bool:
    """Whether `price` is on the profit side of `reference`."""
    return price > reference if direction > 0 else price < reference
