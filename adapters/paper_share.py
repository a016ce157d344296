"""What one row offers resting orders, and what is left of it.

A row offers a share of its whole lots. An order that it cannot fill keeps what is no whole lot of
the offer for its next row, so that rows too small to fill a lot add up instead of counting for
nothing. What an order has filled is therefore never more than the share of the rows it reached.
"""

from decimal import Decimal

from adapters.paper_costs import PaperSettings
from adapters.paper_orders import Resting
from engine.instruments import MONEY, fill_quantity, whole_lots
from engine.messages import Instrument
from engine.ports import MarketRow


class Share:
    def __init__(self, row: MarketRow, instrument: Instrument, settings: PaperSettings) -> None:
        self.row = row
        self.instrument = instrument
        self._lots = fill_quantity(instrument, row.size)
        self._left = MONEY.multiply(self._lots, settings.participation)

    def take(self, resting: Resting, wanted: Decimal, *, limited: bool) -> Decimal:
        """Whole lots of what is left and of what the order has been offered before.

        An order that wants more keeps the rest of the row, less than a lot, for its next one. No
        execution is larger than its row.
        """
        if not limited:
            return wanted
        offered = MONEY.add(self._left, resting.unused)
        taken = min(wanted, whole_lots(self.instrument, offered), self._lots)
        self._lots = MONEY.subtract(self._lots, taken)
        if taken < wanted:
            resting.unused, self._left = min(MONEY.subtract(offered, taken), self.instrument.lot), Decimal(0)
        else:
            earlier = min(resting.unused, taken)
            resting.unused = MONEY.subtract(resting.unused, earlier)
            self._left = MONEY.subtract(self._left, MONEY.subtract(taken, earlier))
        return taken
