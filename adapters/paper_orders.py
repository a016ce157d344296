"""Orders at rest in the paper book: what one wants of a row, and how a bracket shares what it holds.

A group is an entry with its exits. Exits act only on what the entry has filled and no exit has yet
closed: a stop or exit covers all that is open, the nth target its planned part, first target first.
"""

from decimal import Context, Decimal
from math import isnan
from sys import float_info

import msgspec

from engine.instruments import MONEY, mark_price
from engine.messages import FOREVER_NS, Instrument, Order, OrderKind, Role, Side, TimeInForce
from engine.ports import MarketRow
from engine.timeframes import DAY_NS

EXACT = Context(prec=60)
"""Wide enough for the remainder of the largest quantity by the smallest lot."""

NEVER = (float("inf"), float("-inf"))
ALWAYS = (float("-inf"), float("-inf"))
AT_THE_OPEN, ON_TRIGGER = float("-inf"), -float_info.max
"""Ranks of takers: what acts at once goes before what a later price of the row triggers."""
STOPS = (OrderKind.STOP, OrderKind.STOP_LIMIT)
PRICED: dict[OrderKind, tuple[str, ...]] = {
    OrderKind.MARKET: (),
    OrderKind.LIMIT: ("limit_price",),
    OrderKind.STOP: ("stop_price",),
    OrderKind.STOP_LIMIT: ("stop_price", "limit_price"),
}


class Offer(msgspec.Struct, frozen=True, gc=False):
    """What an order would do on a row: at which price before costs; the lowest rank goes first."""

    price: float
    taker: bool
    rank: float


class Resting(msgspec.Struct):
    """One order in the book. `number` counts accepted orders: their time priority.

    `earlier_stop`, valid since `earlier_ns`, is the trigger of the stop this one replaced: it holds
    on rows that the new one may not see yet, so that moving a stop never leaves a gap. `unused` is
    what rows have offered it beyond whole lots: less than a lot, or one at most.
    """

    order: Order
    number: int
    working: bool = True
    triggered: bool = False
    filled: Decimal = Decimal(0)
    notional: Decimal = Decimal(0)
    charged: Decimal = Decimal(0)
    unused: Decimal = Decimal(0)
    executions: int = 0
    earlier_stop: float | None = None
    earlier_ns: int = FOREVER_NS

    @property
    def sign(self) -> int:
        return 1 if self.order.side is Side.BUY else -1

    @property
    def remaining(self) -> Decimal:
        return MONEY.subtract(self.order.quantity, self.filled)

    @property
    def ends_ns(self) -> int:
        """When the order's time is over, 0 for never."""
        order = self.order
        if order.time_in_force is TimeInForce.DAY and not order.expires_ns:
            return (order.decision_ns // DAY_NS + 1) * DAY_NS
        return order.expires_ns

    @property
    def is_market(self) -> bool:
        kind = self.order.kind
        return kind is OrderKind.MARKET or (kind is OrderKind.STOP and self.triggered)

    def book(self, quantity: Decimal, unit_value: Decimal) -> None:
        """Count one execution of `quantity` at `unit_value` of account currency each."""
        self.executions += 1
        self.filled = MONEY.add(self.filled, quantity)
        self.notional = MONEY.add(self.notional, MONEY.multiply(quantity, unit_value))

    def inherit(self, old: "Resting", now_ns: int, latency_ns: int) -> None:
        """Keep the trigger that is in force at the venue until this order's own is."""
        if self.order.kind not in STOPS or old.order.kind not in STOPS:
            return
        self.earlier_stop, self.earlier_ns = float(old.order.stop_price), old.order.decision_ns
        if old.earlier_stop is not None and now_ns <= old.order.decision_ns + latency_ns:
            self.earlier_stop, self.earlier_ns = old.earlier_stop, old.earlier_ns

    def triggers(self) -> tuple[float, float]:
        """A row whose high is >= the first or low <= the second may fill or trigger this order."""
        if self.is_market:
            return ALWAYS
        if self.order.kind in STOPS and not self.triggered:
            stop = float(self.order.stop_price)
            other = stop if self.earlier_stop is None else self.earlier_stop
            return (min(stop, other), NEVER[1]) if self.sign > 0 else (NEVER[0], max(stop, other))
        limit = float(self.order.limit_price)
        return (NEVER[0], limit) if self.sign > 0 else (limit, NEVER[1])

    def offer(self, row: MarketRow, start: float, latency_ns: int) -> Offer | None:
        """None where the row does not reach the order. Remembers a trigger.

        `start` is the first price of the row that the order can have met.
        """
        stop = self._stop_in_force(row, latency_ns)
        if stop is None or self._is_past(row):
            return None
        if self.is_market:
            return Offer(price=start, taker=True, rank=AT_THE_OPEN)
        if self.order.kind in STOPS and not self.triggered:
            return self._stop_offer(row, start, stop)
        limit, sign = float(self.order.limit_price), self.sign
        best = row.low if sign > 0 else row.high
        if sign * best > sign * limit:
            return None
        return Offer(price=sign * min(sign * start, sign * limit), taker=False, rank=sign * (row.close - limit))

    def _is_past(self, row: MarketRow) -> bool:
        """The order's time had run out by then; line time, which would say so, waits for another feed."""
        return 0 < self.ends_ns < row.time_ns

    def _stop_offer(self, row: MarketRow, start: float, stop: float) -> Offer | None:
        sign = self.sign
        worst = row.high if sign > 0 else row.low
        if sign * worst < sign * stop:
            return None
        self.triggered = True
        price = sign * max(sign * start, sign * stop)
        if self.order.kind is OrderKind.STOP:
            return Offer(price=price, taker=True, rank=AT_THE_OPEN if price == start else ON_TRIGGER)
        limit = float(self.order.limit_price)
        return Offer(price=price, taker=True, rank=sign * (row.close - limit)) if sign * price <= sign * limit else None

    def _stop_in_force(self, row: MarketRow, latency_ns: int) -> float | None:
        """The trigger that holds on this row (0 without one); None where the order is not there yet."""
        if sees(self.order.decision_ns, row, latency_ns):
            return float(self.order.stop_price)
        return self.earlier_stop if sees(self.earlier_ns, row, latency_ns) else None


def sees(decision_ns: int, row: MarketRow, latency_ns: int) -> bool:
    """Whether what was decided at `decision_ns` is at the venue when the row happens."""
    return row.open_ns >= decision_ns if row.is_bar else row.time_ns - latency_ns > decision_ns


class Group(msgspec.Struct):
    """A bracket, in the order in which targets share the quantity.

    Of ended orders `orders` keeps the entry, which exits name, and targets that filled, which
    later targets come after. `cost` is what the open quantity cost, in account currency.
    """

    symbol: str
    side: Side
    cost: Decimal = Decimal(0)
    entered: Decimal = Decimal(0)
    exited: Decimal = Decimal(0)
    orders: list[Resting] = msgspec.field(default_factory=list)

    @property
    def entering(self) -> bool:
        return any(one.working and one.order.role is Role.ENTRY for one in self.orders)

    @property
    def flat(self) -> bool:
        return self.entered == self.exited

    @property
    def open(self) -> Decimal:
        return MONEY.subtract(self.entered, self.exited)

    def enter(self, quantity: Decimal, value: Decimal) -> None:
        self.entered = MONEY.add(self.entered, quantity)
        self.cost = MONEY.add(self.cost, value)

    def leave(self, quantity: Decimal) -> Decimal:
        """Take `quantity` out; returns its part of the cost, all of it with the last."""
        part = MONEY.divide(MONEY.multiply(self.cost, quantity), self.open)
        self.exited = MONEY.add(self.exited, quantity)
        part = self.cost if self.flat else part
        self.cost = MONEY.subtract(self.cost, part)
        return part

    def drop(self, ended: Resting) -> None:
        """Forget an order of which nothing is needed any more."""
        if ended.order.role is not Role.ENTRY and not (ended.order.role is Role.TARGET and ended.filled):
            self.orders = [one for one in self.orders if one is not ended]

    def named(self, order_id: str) -> Resting | None:
        """The order of this id, working or kept."""
        for one in self.orders:
            if one.order.order_id == order_id:
                return one
        return None

    def admits(self, order: Order) -> bool:
        """Whether an exit may join: same symbol, other side, a parent that is an entry of the group."""
        if order.symbol != self.symbol or order.side is self.side:
            return False
        parent = self.named(order.parent) if order.parent else None
        return not order.parent or (parent is not None and parent.order.role is Role.ENTRY)

    def add(self, resting: Resting) -> None:
        """Append; a replacement takes the place right after what it replaces."""
        replaces = resting.order.replaces
        if replaces:
            for place, one in enumerate(self.orders, start=1):
                if one.order.order_id == replaces:
                    self.orders.insert(place, resting)
                    return
        self.orders.append(resting)


def coverable(resting: Resting, group: Group, entered: Decimal) -> Decimal:
    """How much the order may still fill when the entry's first `entered` count."""
    if resting.order.role is Role.ENTRY:
        return resting.remaining
    most = min(resting.remaining, MONEY.subtract(entered, group.exited))
    if resting.order.role is Role.TARGET:
        covered = MONEY.subtract(entered, _planned_before(resting, group))
        most = min(most, MONEY.subtract(covered, resting.filled))
    return max(most, Decimal(0))


def is_covered(resting: Resting, group: Group) -> bool:
    """Whether a working order may fill anything now: `coverable` is more than 0 of all that has entered."""
    role = resting.order.role
    if role is Role.ENTRY:
        return True
    if group.flat:
        return False
    return role is not Role.TARGET or coverable(resting, group, group.entered) > 0


def _planned_before(target: Resting, group: Group) -> Decimal:
    """What the targets before this one cover: their plan while they work, else what they filled."""
    planned = Decimal(0)
    for one in group.orders:
        if one is target:
            break
        if one.order.role is Role.TARGET:
            planned = MONEY.add(planned, one.order.quantity if one.working else one.filled)
    return planned


def flaw(order: Order, instrument: Instrument, mark: float) -> tuple[str, str]:
    """(code, reason) of what is wrong with an order's numbers, ("", "") when nothing is.

    Only entries must reach `min_quantity` and `min_notional`: an exit is never refused for being
    small. A market order is valued at `mark`, and not at all when that is NaN.
    """
    priced = PRICED[order.kind]
    for name in priced:
        price: Decimal = getattr(order, name)
        if not _is_multiple(price, instrument.tick) or (price <= 0 and not instrument.allows_negative):
            return "TICK", f"{name} must be a price on tick {instrument.tick}, was {price}"
    if not _is_multiple(order.quantity, instrument.lot) or order.quantity <= 0:
        return "LOT", f"quantity must be > 0 in lots of {instrument.lot}, was {order.quantity}"
    if order.role is Role.ENTRY and order.quantity < instrument.min_quantity:
        return "LOT", f"quantity must be >= {instrument.min_quantity}, was {order.quantity}"
    if order.time_in_force is TimeInForce.GTD and order.expires_ns <= 0:
        return "EXPIRY", f"a GTD order must say when it ends, was {order.expires_ns}"
    if order.role is not Role.ENTRY or (not priced and isnan(mark)):
        return "", ""
    notional = value_of(order, instrument, order.quantity, mark)
    if notional < instrument.min_notional:
        return "NOTIONAL", f"notional must be >= {instrument.min_notional}, was {notional}"
    return "", ""


def value_of(order: Order, instrument: Instrument, quantity: Decimal, mark: float) -> Decimal:
    """What `quantity` of an order is worth at its worst price; a market order at `mark`, 0 without one."""
    prices = [abs(getattr(order, name)) for name in PRICED[order.kind]]
    if not prices and isnan(mark):
        return Decimal(0)
    price = max(prices, default=None) or mark_price(abs(mark))
    return MONEY.multiply(MONEY.multiply(price, quantity), instrument.point_value)


def _is_multiple(value: Decimal, step: Decimal) -> bool:
    return value.is_finite() and not EXACT.remainder(value, step)
