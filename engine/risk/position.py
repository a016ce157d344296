"""One bracket group in the books: what it may still buy, what it holds, what protects it.

A position keeps only sums of what happened; average, risk and profit are functions of the sums,
so neither the order of partial fills nor a snapshot can change them. Risk is worst case: what
still works costs its worst price, and what has no confirmed stop costs all of it.
"""

from decimal import Decimal
from functools import reduce

import msgspec

from engine.instruments import MONEY
from engine.messages import Fill, Intent
from engine.risk.units import DOWNWARD, UPWARD, equity_units, risk_units

ZERO = Decimal(0)
NO_STOP = 0
"""`stop_number` before any stop was confirmed."""


class Position(msgspec.Struct):
    """Quantities in the instrument's unit, values are price times quantity without point value.

    `awaited` is the part of the entry order that may still fill. `stop_price` is the stop that was
    confirmed last, under `stop_number`, or before any the one the entry was approved with;
    `stop_lost` says that it protects no more, `stop_leaving` that the venue is swapping it for the
    next. `asked_stops` and `working_exits` are by the number in the order id: stop prices approved
    and not yet accepted, and exit quantities not yet filled. `early` are (quantity, price) of exits
    that were heard before the entry fill they close, oldest first.
    """

    group: str
    campaign: str
    symbol: str
    instrument: int
    direction: int
    point_value: Decimal
    worst_price: Decimal
    initial_stop: Decimal
    stop_price: Decimal
    awaited: Decimal = ZERO
    entered: Decimal = ZERO
    entry_value: Decimal = ZERO
    exited: Decimal = ZERO
    exit_value: Decimal = ZERO
    costs: Decimal = ZERO
    stop_number: int = NO_STOP
    stop_lost: bool = False
    stop_leaving: bool = False
    last_stop: int = 1
    last_exit: int = 0
    asked_stops: dict[int, Decimal] = {}
    working_exits: dict[int, Decimal] = {}
    early: list[tuple[Decimal, Decimal]] = []

    @property
    def open_quantity(self) -> Decimal:
        return MONEY.subtract(self.entered, self.exited)

    @property
    def average_price(self) -> Decimal:
        """Mean entry price of all that was entered; 0 before the first fill."""
        return MONEY.divide(self.entry_value, self.entered) if self.entered else ZERO

    @property
    def working_exit_quantity(self) -> Decimal:
        return reduce(MONEY.add, self.working_exits.values(), ZERO)

    @property
    def early_quantity(self) -> Decimal:
        return reduce(MONEY.add, (quantity for quantity, _ in self.early), ZERO)

    @property
    def is_over(self) -> bool:
        return not self.awaited and self.entered == self.exited and not self.early

    @property
    def is_confirmed(self) -> bool:
        return self.stop_number != NO_STOP and not self.stop_lost


def reserved(intent: Intent, quantity: Decimal, point_value: Decimal, number: int) -> Position:
    """The position of an approved entry, before anything filled. Its stop will be STOP1."""
    return Position(
        group=intent.group,
        campaign=intent.campaign,
        symbol=intent.symbol,
        instrument=number,
        direction=intent.direction,
        point_value=point_value,
        worst_price=intent.limit_price,
        initial_stop=intent.stop_price,
        stop_price=intent.stop_price,
        awaited=quantity,
        asked_stops={1: intent.stop_price},
    )


def adopted(fill: Fill, direction: int, point_value: Decimal, number: int) -> Position:
    """The position of a fill that nothing here asked for: held, unprotected, at full notional."""
    return Position(
        group=fill.group,
        campaign=fill.group.rsplit("/", 2)[0],
        symbol=fill.symbol,
        instrument=number,
        direction=direction,
        point_value=point_value,
        worst_price=fill.price,
        initial_stop=ZERO,
        stop_price=ZERO,
        stop_lost=True,
    )


def open_risk(position: Position) -> int:
    """max(0, d * (average entry - stop)) * open quantity * point value, or the full notional.

    What was sold before its purchase is heard of is held against us at full notional until then.
    """
    held = position.open_quantity
    if position.early:
        return _early_risk(position) + _held_risk(position, held)
    return _held_risk(position, held)


def _early_risk(position: Position) -> int:
    value = reduce(UPWARD.add, (UPWARD.multiply(quantity, abs(price)) for quantity, price in position.early), ZERO)
    return risk_units(UPWARD.multiply(value, position.point_value))


def _held_risk(position: Position, held: Decimal) -> int:
    if not held:
        return 0
    if not position.is_confirmed:
        return _share(position, held, abs(position.entry_value))
    stop_value = MONEY.multiply(position.stop_price, position.entered)
    return _share(position, held, _signed(position, UPWARD.subtract(position.entry_value, stop_value)))


def _share(position: Position, held: Decimal, lost_value: Decimal) -> int:
    """The held part of what all entered quantity would lose; the one division comes last."""
    if lost_value <= 0:
        return 0
    amount = UPWARD.multiply(UPWARD.multiply(lost_value, held), position.point_value)
    return risk_units(UPWARD.divide(amount, position.entered))


def working_risk(position: Position) -> int:
    """max(0, d * (worst price - stop)) * awaited * point value; no stop at all: the full notional."""
    if not position.awaited:
        return 0
    if position.stop_lost:
        distance = abs(position.worst_price)
    else:
        distance = _signed(position, UPWARD.subtract(position.worst_price, position.stop_price))
    if distance <= 0:
        return 0
    return risk_units(UPWARD.multiply(UPWARD.multiply(distance, position.awaited), position.point_value))


def realised(position: Position) -> int:
    """Profit of what was closed, all costs so far taken off, in units rounded down."""
    if not position.entered:
        return equity_units(position.costs.copy_negate())
    cost_basis = DOWNWARD.multiply(position.entry_value, position.exited)
    gained = DOWNWARD.subtract(DOWNWARD.multiply(position.exit_value, position.entered), cost_basis)
    amount = DOWNWARD.multiply(_signed(position, gained), position.point_value)
    return equity_units(DOWNWARD.subtract(DOWNWARD.divide(amount, position.entered), position.costs))


def close(position: Position, quantity: Decimal, price: Decimal) -> Decimal:
    """Sell `quantity` of what is open, then of what may still be entered; returns what is left over."""
    open_part = min(quantity, position.open_quantity)
    _exit(position, open_part, price)
    ahead = min(
        MONEY.subtract(quantity, open_part), max(ZERO, MONEY.subtract(position.awaited, position.early_quantity))
    )
    if ahead:
        position.early.append((ahead, price))
    return MONEY.subtract(MONEY.subtract(quantity, open_part), ahead)


def close_early(position: Position) -> None:
    """Let exits that overtook their entry close what has been entered since, oldest first."""
    while position.early and position.open_quantity:
        quantity, price = position.early.pop(0)
        part = min(quantity, position.open_quantity)
        _exit(position, part, price)
        if part < quantity:
            position.early.insert(0, (MONEY.subtract(quantity, part), price))


def _exit(position: Position, quantity: Decimal, price: Decimal) -> None:
    position.exited = MONEY.add(position.exited, quantity)
    position.exit_value = MONEY.add(position.exit_value, MONEY.multiply(quantity, price))


def _signed(position: Position, value: Decimal) -> Decimal:
    """d * value: a fall for a long position, a rise for a short one."""
    return value if position.direction > 0 else value.copy_negate()
