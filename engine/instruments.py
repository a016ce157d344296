"""What is traded, and the only three places where kernel floats become money.

Market columns and kernels are float64, money is `Decimal` under one explicit context. A float
crosses over exactly three times: when a plan is priced and sized, when the paper book fills,
and when a position is marked. Each crossing is one function below; nothing else converts.
"""

from collections.abc import Iterable
from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, ROUND_HALF_EVEN, Context, Decimal

import numpy as np
import numpy.typing as npt

from engine.messages import Instrument

MONEY = Context(prec=28, rounding=ROUND_HALF_EVEN)
"""The one arithmetic context of all money on the line."""

MATCH_ON_TRADES = "trades"
MATCH_ON_BARS = "bars"

ASSET_CLASSES = ("stock", "crypto", "fx", "future")
HOURS = ("regular", "extended")


class InstrumentError(ValueError):
    """A definition cannot be traded on. Names the symbol, the field and what was found."""


def check(instrument: Instrument) -> Instrument:
    """Refuse a definition that would break sizing or matching. Returns its argument."""
    for name in ("tick", "lot", "point_value"):
        value = getattr(instrument, name)
        if not value.is_finite() or value <= 0:
            raise InstrumentError(f"{instrument.symbol}: {name} must be > 0, was {value}")
    for name in ("min_notional", "min_quantity"):
        value = getattr(instrument, name)
        if not value.is_finite() or value < 0:
            raise InstrumentError(f"{instrument.symbol}: {name} must be >= 0, was {value}")
    if instrument.asset_class not in ASSET_CLASSES:
        raise InstrumentError(
            f"{instrument.symbol}: asset_class must be one of {', '.join(ASSET_CLASSES)}, was {instrument.asset_class}"
        )
    if instrument.hours not in HOURS:
        raise InstrumentError(f"{instrument.symbol}: hours must be {' or '.join(HOURS)}, was {instrument.hours}")
    if instrument.match_on not in (MATCH_ON_TRADES, MATCH_ON_BARS):
        raise InstrumentError(f"{instrument.symbol}: match_on must be trades or bars, was {instrument.match_on}")
    return instrument


class InstrumentTable:
    """The session's instruments, sorted by symbol; the position is the instrument's number."""

    def __init__(self, instruments: Iterable[Instrument]) -> None:
        """Raises InstrumentError on an unusable or repeated definition."""
        self.all = tuple(sorted((check(one) for one in instruments), key=lambda one: one.symbol))
        self.symbols = tuple(one.symbol for one in self.all)
        self._numbers = {symbol: number for number, symbol in enumerate(self.symbols)}
        if len(self._numbers) != len(self.all):
            raise InstrumentError(f"a symbol is defined twice among {', '.join(self.symbols)}")

    def __len__(self) -> int:
        return len(self.all)

    def __getitem__(self, number: int) -> Instrument:
        return self.all[number]

    def number(self, symbol: str) -> int:
        """Raises KeyError for a symbol that is not in the session."""
        return self._numbers[symbol]

    def named(self, symbol: str) -> Instrument:
        return self.all[self._numbers[symbol]]

    @property
    def allows_negative(self) -> npt.NDArray[np.bool_]:
        return np.array([one.allows_negative for one in self.all], dtype=np.bool_)


# ------------------------------------------------------------------- crossing 1: sizing


def price_above(instrument: Instrument, price: float) -> Decimal:
    """The first tick at or above a planned price."""
    return _on_tick(instrument, price, ROUND_CEILING)


def price_below(instrument: Instrument, price: float) -> Decimal:
    """The first tick at or below a planned price."""
    return _on_tick(instrument, price, ROUND_FLOOR)


def whole_lots(instrument: Instrument, quantity: Decimal) -> Decimal:
    """`quantity` rounded down to lots, never negative."""
    if quantity <= 0:
        return Decimal(0)
    lots = MONEY.divide(quantity, instrument.lot).to_integral_value(ROUND_DOWN)
    return MONEY.multiply(lots, instrument.lot)


# ----------------------------------------------------------- crossing 2: simulated fill


def fill_price(instrument: Instrument, price: float, *, buying: bool) -> Decimal:
    """A simulated execution price on the tick that is worse for the order."""
    return _on_tick(instrument, price, ROUND_CEILING if buying else ROUND_FLOOR)


def fill_quantity(instrument: Instrument, size: float) -> Decimal:
    """The part of a row's size that an order may take, in whole lots."""
    return whole_lots(instrument, _exact(size))


# -------------------------------------------------------------------- crossing 3: mark


def mark_price(price: float) -> Decimal:
    """A market price as money, unrounded: the shortest decimal that names this float."""
    return _exact(price)


def _exact(value: float) -> Decimal:
    return Decimal(repr(float(value)))


def _on_tick(instrument: Instrument, price: float, rounding: str) -> Decimal:
    ticks = MONEY.divide(_exact(price), instrument.tick).to_integral_value(rounding)
    return MONEY.multiply(ticks, instrument.tick)
