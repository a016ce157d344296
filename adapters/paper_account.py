"""What the simulated venue lends: an account at cost, so that no order buys what cannot be paid.

Positions count at what they cost, so buying power moves with fills and never with prices. With a
leverage of 1 it is the cash of a cash account; a short ties up its proceeds like a purchase.
"""

from decimal import Decimal

import msgspec

from engine.instruments import MONEY
from engine.messages import Side


class Account(msgspec.Struct):
    """In account currency. `cash` is what no open position ties up, `tied` what they cost."""

    cash: Decimal
    tied: Decimal = Decimal(0)

    def power(self, leverage: Decimal, reserved: Decimal) -> Decimal:
        """What one more entry may cost beside those that work."""
        lent = MONEY.multiply(leverage, MONEY.add(self.cash, self.tied))
        return MONEY.subtract(MONEY.subtract(lent, self.tied), reserved)

    def enter(self, value: Decimal, costs: Decimal) -> None:
        self.cash = MONEY.subtract(MONEY.subtract(self.cash, value), costs)
        self.tied = MONEY.add(self.tied, value)

    def leave(self, side: Side, *, cost: Decimal, value: Decimal, costs: Decimal) -> None:
        """Close, for `value`, what was entered on `side` for `cost`."""
        proceeds = value if side is Side.BUY else MONEY.subtract(MONEY.add(cost, cost), value)
        self.cash = MONEY.subtract(MONEY.add(self.cash, proceeds), costs)
        self.tied = MONEY.subtract(self.tied, cost)
