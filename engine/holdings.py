"""Cash and positions as Market knows them, for one purpose: the equity that equity watches compare.

Equity is a float that the scan kernel moves with every mark. It is summed afresh only at fills and
at the venue's own word, in the order of instrument numbers, so it never depends on chunking.

Whoever watches equity from a peak looks at it where something becomes known, and may then raise the
watch. So a point at which equity is higher than at those that were told has to be told by itself:
the rows behind it are for the raised watch to see.
"""

from decimal import Decimal
from math import isnan

import numpy as np

from engine.blocks import Float64
from engine.executions import Executions
from engine.instruments import MONEY, InstrumentTable, mark_price
from engine.market_kernel import CEILING, EQUITY, FLOOR, HELD, MARK
from engine.messages import AccountState, Fill, Side

ROUNDING = 1e-9
"""Share of equity by which a float may be off the exact sum that others go by; it is far less."""


class Holdings:
    """Writes the HELD column of `lanes` and the EQUITY entry of `account`; reads marks from `lanes`."""

    def __init__(self, table: InstrumentTable, lanes: Float64, account: Float64) -> None:
        self._table = table
        self._lanes = lanes
        self._account = account
        self.cash = Decimal(0)
        self.quantities: dict[int, Decimal] = {}
        self.executions = Executions()
        self._is_reported = False
        self._high = -np.inf

    @property
    def equity(self) -> float:
        return float(self._account[EQUITY])

    def fill(self, fill: Fill) -> None:
        """Book an execution once. An instrument without a mark takes its price. Follow with `revalue`."""
        if not self.executions.first(fill):
            return
        number = self._table.number(fill.symbol)
        signed = fill.quantity if fill.side is Side.BUY else -fill.quantity
        paid = MONEY.multiply(MONEY.multiply(signed, fill.price), self._table[number].point_value)
        self.cash = MONEY.subtract(MONEY.subtract(self.cash, paid), fill.costs)
        self._hold(number, MONEY.add(self.quantities.get(number, Decimal(0)), signed))
        if isnan(self._lanes[number, MARK]):
            self._lanes[number, MARK] = float(fill.price)

    def trust(self, state: AccountState) -> None:
        """The venue's equity is right by definition: cash becomes what makes ours equal to it."""
        self.cash = MONEY.subtract(state.equity, mark_price(self._at_marks()))
        self.revalue()

    def revalue(self) -> None:
        self._account[EQUITY] = float(self.cash) + self._at_marks()

    def is_at_high(self) -> bool:
        """Whether equity, while it is watched, has been higher since the last point than at any told before.

        Of what others report, a watch may only begin later: where nothing is watched yet, every point counts.
        """
        account = self._account
        if account[FLOOR] == -np.inf:
            return self._is_reported and bool(self.quantities)
        if account[EQUITY] > account[CEILING]:
            account[CEILING] = np.inf
        return bool(account[CEILING] == np.inf)

    def high_was_told(self) -> None:
        """A point has been told at the present equity."""
        if self._account[CEILING] == np.inf:
            self._high = max(self._high, self.equity - ROUNDING * abs(self.equity))
            self._account[CEILING] = self._high

    def hear(self) -> None:
        """Cash or positions have been reported from outside."""
        self._is_reported = True
        self.forget_high()

    def forget_high(self) -> None:
        """What was told before does not count: the watch or the way to count equity is another."""
        self._high = self._account[CEILING] = -np.inf

    def restore(self, cash: Decimal, quantities: dict[int, Decimal], equity: float) -> None:
        self.cash, self.quantities, self._is_reported = cash, {}, True
        self._lanes[:, HELD] = 0.0
        for number, quantity in quantities.items():
            self._hold(number, quantity)
        self._account[EQUITY] = equity

    def _hold(self, number: int, quantity: Decimal) -> None:
        self.quantities.pop(number, None)
        if quantity:
            self.quantities[number] = quantity
        self._lanes[number, HELD] = float(MONEY.multiply(quantity, self._table[number].point_value))

    def _at_marks(self) -> float:
        value = 0.0
        for number in sorted(self.quantities):
            value += float(self._lanes[number, HELD]) * float(self._lanes[number, MARK])
        return value
