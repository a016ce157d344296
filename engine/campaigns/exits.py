"""Where a stop may move to, and when a leg has had its time. Pure sums for a long position.

A stop never moves away from profit and never to or above the market, where it would be an exit
in disguise.
"""

from decimal import ROUND_CEILING, Decimal

from engine.campaigns.performance import Lot
from engine.instruments import MONEY, mark_price, price_below
from engine.messages import Instrument

TRAIL_SWING_ATR = 0.25
TRAIL_CLOSE_ATR = 3.0


def breakeven_stop(instrument: Instrument, lot: Lot) -> Decimal:
    """The first tick at which leaving costs nothing, costs per unit of both ways as they were.

    Needs an entry fill and an exit fill.
    """
    entry_cost = MONEY.divide(lot.entry_costs, lot.entered)
    exit_cost = MONEY.divide(lot.exit_costs, lot.exited)
    points = MONEY.divide(MONEY.add(entry_cost, exit_cost), instrument.point_value)
    price = MONEY.add(lot.entry_price, points)
    ticks = MONEY.divide(price, instrument.tick).to_integral_value(ROUND_CEILING)
    return MONEY.multiply(ticks, instrument.tick)


def trailing_stop(instrument: Instrument, *, swing: float, close: float, atr: float) -> Decimal:
    """The higher of a quarter ATR under the swing low and three ATR under the close."""
    return price_below(instrument, max(swing - TRAIL_SWING_ATR * atr, close - TRAIL_CLOSE_ATR * atr))


def may_move(stop: Decimal, *, previous: Decimal, market: Decimal) -> bool:
    """Towards profit only, and below the market."""
    return previous < stop < market


def has_earned_one_r(lot: Lot, first_stop: Decimal, close: float) -> bool:
    """The close is at least as far above the entry as the first stop was below it."""
    distance = MONEY.subtract(lot.entry_price, first_stop)
    return mark_price(close) >= MONEY.add(lot.entry_price, distance)
