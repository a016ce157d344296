"""Lots: the fills of one group added up, and what they come to.

Only sums are kept, so neither the order of partial fills nor a snapshot can change a result, and
what is closed needs no division: its profit is exact.
"""

from collections.abc import Sequence
from decimal import Decimal

import msgspec

from engine.instruments import MONEY
from engine.messages import Fill, Role

ZERO = Decimal(0)


class Lot(msgspec.Struct, frozen=True):
    """All fills of one group. Values are price * quantity; costs in account currency, >= 0."""

    entered: Decimal = ZERO
    entry_value: Decimal = ZERO
    entry_costs: Decimal = ZERO
    entry_ns: int = 0
    exited: Decimal = ZERO
    exit_value: Decimal = ZERO
    exit_costs: Decimal = ZERO
    exit_ns: int = 0

    @property
    def open(self) -> Decimal:
        """Quantity still held, never negative."""
        return max(ZERO, MONEY.subtract(self.entered, self.exited))

    @property
    def entry_price(self) -> Decimal:
        """Quantity-weighted; 0 before the first entry fill."""
        return MONEY.divide(self.entry_value, self.entered) if self.entered else ZERO

    @property
    def exit_price(self) -> Decimal:
        """Quantity-weighted; 0 before the first exit fill."""
        return MONEY.divide(self.exit_value, self.exited) if self.exited else ZERO


def folded(lot: Lot, fill: Fill) -> Lot:
    """`lot` after one more fill of its group."""
    value = MONEY.multiply(fill.price, fill.quantity)
    if fill.role is Role.ENTRY:
        return msgspec.structs.replace(
            lot,
            entered=MONEY.add(lot.entered, fill.quantity),
            entry_value=MONEY.add(lot.entry_value, value),
            entry_costs=MONEY.add(lot.entry_costs, fill.costs),
            entry_ns=lot.entry_ns or fill.time_ns,
        )
    return msgspec.structs.replace(
        lot,
        exited=MONEY.add(lot.exited, fill.quantity),
        exit_value=MONEY.add(lot.exit_value, value),
        exit_costs=MONEY.add(lot.exit_costs, fill.costs),
        exit_ns=fill.time_ns,
    )


def realised(lot: Lot, direction: int, point_value: Decimal) -> Decimal:
    """Profit of what has been exited, all exit costs and its share of the entry costs in."""
    if not lot.entered or not lot.exited:
        return -lot.exit_costs
    points = MONEY.subtract(lot.exit_value, _share(lot.entry_value, lot.exited, lot.entered))
    entry_costs = _share(lot.entry_costs, min(lot.exited, lot.entered), lot.entered)
    gross = MONEY.multiply(MONEY.multiply(points, point_value), Decimal(direction))
    return MONEY.subtract(gross, MONEY.add(entry_costs, lot.exit_costs))


def initial_risk(lot: Lot, stop_price: Decimal, direction: int, point_value: Decimal) -> Decimal:
    """What the entry put at risk: distance to the first stop times quantity, >= 0."""
    lost_value = MONEY.subtract(lot.entry_value, MONEY.multiply(stop_price, lot.entered))
    return max(ZERO, MONEY.multiply(MONEY.multiply(lost_value, point_value), Decimal(direction)))


def total(amounts: Sequence[Decimal]) -> Decimal:
    """Their sum under the money context, in order."""
    result = ZERO
    for amount in amounts:
        result = MONEY.add(result, amount)
    return result


def _share(amount: Decimal, part: Decimal, whole: Decimal) -> Decimal:
    """All of it where the part is the whole: then nothing is rounded."""
    return amount if part == whole else MONEY.divide(MONEY.multiply(amount, part), whole)
