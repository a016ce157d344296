"""Cash and positions as Market knows them, for one purpose: the equity that equity watches compare.

Equity is a float that the scan kernel moves with every mark. It is summed afresh only at fills and
at the venue's own word, in the order of instrument numbers, so it never depends on chunking.
"""

from decimal import Decimal

import numpy as np

from engine.blocks import Float64
from engine.executions import Executions
from engine.instruments import MONEY, InstrumentTable, mark_price
from engine.market_kernel import EQUITY, HELD, MARK
from engine.messages import AccountState, Fill, Side


class Holdings:
    """Writes the HELD column of `lanes` and the EQUITY entry of `account`; reads marks from `lanes`."""

    def __init__(self, table: InstrumentTable, lanes: Float64, account: Float64) -> None:
        self._table = table
        self._lanes = lanes
        self._account = account
        self.cash = Decimal(0)
        self.quantities: dict[int, Decimal] = {}
        self.executions = Executions()

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
        if np.isnan(self._lanes[number, MARK]):
            self._lanes[number, MARK] = float(fill.price)

    def trust(self, state: AccountState) -> None:
        """The venue's equity is right by definition: cash becomes what makes ours equal to it."""
        self.cash = MONEY.subtract(state.equity, mark_price(self._at_marks()))
        self.revalue()

    def revalue(self) -> None:
        self._account[EQUITY] = float(self.cash) + self._at_marks()

    def restore(self, cash: Decimal, quantities: dict[int, Decimal], equity: float) -> None:
        self.cash, self.quantities = cash, {}
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
