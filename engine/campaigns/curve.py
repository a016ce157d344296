"""The P&L curve: what the account and each live campaign have made, marked to market.

A point is taken at each execution and, while anything is held, once in every sampling interval:
where line time passes its border, at the marks before that row. The interval is the shortest
timeframe of detection, held between an hour and a day, so a year has at most 8,760 of them. Only
running sums are kept here; the points go to whoever records them.
"""

from collections.abc import Iterator, Sequence
from decimal import Decimal

import msgspec

from engine.blocks import Float64
from engine.campaigns.lots import ZERO
from engine.instruments import MONEY, mark_price
from engine.messages import NEVER_NS, Fill, SessionStart, Side
from engine.timeframes import DAY_NS, LENGTH_NS, usual_length_ns

ACCOUNT = ""
"""The curve of all executions; the others are named by their campaign."""

SHORTEST_NS = LENGTH_NS["1h"]
LONGEST_NS = DAY_NS


class CurvePoint(msgspec.Struct, frozen=True):
    """`number` counts the points of a curve from 1, `time_ns` never steps back. `pnl` is realised
    and open profit, costs in. `return_fraction` is of the session's starting cash;
    `drawdown_fraction`, 0..1, of the highest that starting cash and profit have come to."""

    campaign: str
    number: int
    time_ns: int
    pnl: Decimal
    return_fraction: Decimal
    drawdown_fraction: Decimal


class Purse(msgspec.Struct):
    """What one curve adds up. `flow` is money in minus money out, `held` the signed quantity times
    point value by instrument number, `peak` the highest profit so far."""

    flow: Decimal = ZERO
    held: dict[int, Decimal] = {}
    peak: Decimal = ZERO
    points: int = 0
    time_ns: int = NEVER_NS
    max_drawdown: Decimal = ZERO

    def book(self, number: int, signed: Decimal, price: Decimal, costs: Decimal) -> None:
        """`signed`: quantity times point value, negative for a sale."""
        paid = MONEY.add(MONEY.multiply(signed, price), costs)
        self.flow = MONEY.subtract(self.flow, paid)
        held = MONEY.add(self.held.pop(number, ZERO), signed)
        if held:
            self.held[number] = held
            self.held = dict(sorted(self.held.items()))

    def pnl(self, prices: "Prices") -> Decimal:
        worth = self.flow
        for number, held in self.held.items():
            worth = MONEY.add(worth, MONEY.multiply(held, prices[number]))
        return worth


class Prices(dict[int, Decimal]):
    """The marks of one moment as money, by instrument number; each is made once, when it is read."""

    def __init__(self, marks: Float64) -> None:
        self._marks = marks

    def __missing__(self, number: int) -> Decimal:
        price = self[number] = mark_price(float(self._marks[number]))
        return price


class CurveState(msgspec.Struct, frozen=True):
    cash: Decimal
    interval_ns: int
    purses: dict[str, Purse]


class Curve:
    def __init__(self) -> None:
        self._cash = ZERO
        self._interval_ns = LONGEST_NS
        self._purses: dict[str, Purse] = {ACCOUNT: Purse()}

    @property
    def is_holding(self) -> bool:
        return bool(self._purses[ACCOUNT].held)

    @property
    def max_drawdown(self) -> Decimal:
        """Of the account, at its points so far, as a fraction."""
        return self._purses[ACCOUNT].max_drawdown

    @property
    def pnl_points(self) -> int:
        return self._purses[ACCOUNT].points

    def start(self, session: SessionStart, marks: Float64) -> Iterator[CurvePoint]:
        self._cash = session.cash
        shortest_ns = min((usual_length_ns(name) for name in session.detect_on), default=LONGEST_NS)
        self._interval_ns = min(max(shortest_ns, SHORTEST_NS), LONGEST_NS)
        yield self._point(ACCOUNT, session.time_ns, Prices(marks))

    def border_after(self, time_ns: int) -> int:
        """The first border of a sampling interval beyond `time_ns`."""
        return (time_ns // self._interval_ns + 1) * self._interval_ns

    def fill(self, fill: Fill, instrument: tuple[int, Decimal], campaign: str, marks: Float64) -> Iterator[CurvePoint]:
        """`instrument` is its number and point value. Campaign "" is nobody's."""
        number, point_value = instrument
        quantity = MONEY.multiply(fill.quantity, point_value)
        signed = quantity if fill.side is Side.BUY else quantity.copy_negate()
        prices = Prices(marks)
        for name in dict.fromkeys((ACCOUNT, campaign)):
            self._purses.setdefault(name, Purse()).book(number, signed, fill.price, fill.costs)
            yield self._point(name, fill.time_ns, prices)

    def sample(self, time_ns: int, marks: Float64) -> Iterator[CurvePoint]:
        """A point on each curve that holds something."""
        prices = Prices(marks)
        for name, purse in self._purses.items():
            if purse.held:
                yield self._point(name, time_ns, prices)

    def end(self, campaign: str) -> None:
        """The campaign is over; what it still holds stays with the account."""
        if campaign != ACCOUNT:
            self._purses.pop(campaign, None)

    def save(self) -> CurveState:
        return CurveState(self._cash, self._interval_ns, self._purses)

    def load(self, state: CurveState) -> None:
        self._cash, self._interval_ns, self._purses = state.cash, state.interval_ns, state.purses

    def _point(self, name: str, time_ns: int, prices: Prices) -> CurvePoint:
        purse = self._purses[name]
        pnl = purse.pnl(prices)
        purse.peak = max(purse.peak, pnl)
        purse.points += 1
        purse.time_ns = max(purse.time_ns, time_ns)
        drawdown = drawdown_fraction(self._cash, purse.peak, pnl)
        purse.max_drawdown = max(purse.max_drawdown, drawdown)
        returned = MONEY.divide(pnl, self._cash) if self._cash else ZERO
        return CurvePoint(name, purse.points, purse.time_ns, pnl, returned, drawdown)


def drawdown_fraction(cash: Decimal, peak: Decimal, pnl: Decimal) -> Decimal:
    """How far `cash + pnl` lies under `cash + peak`, 0..1; losing more than all is 1."""
    highest = MONEY.add(cash, peak)
    if pnl >= peak or highest <= 0:
        return ZERO
    return min(Decimal(1), MONEY.divide(MONEY.subtract(peak, pnl), highest))


def deepest(points: Sequence[CurvePoint]) -> Decimal:
    """Their maximum drawdown as a fraction, 0 without points."""
    return max((one.drawdown_fraction for one in points), default=ZERO)
