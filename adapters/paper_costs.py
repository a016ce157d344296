"""What trading on paper costs: settings, the price a taker pays, commissions.

One model for replay and paper: a taker crosses half the spread and moves the market by the square
root of its share of the row; commissions are per order. Sources of the defaults are named at each.
"""

from decimal import Decimal
from math import sqrt
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from engine.instruments import MONEY, fill_price
from engine.messages import Instrument, Order, OrderKind, Side

BP = 10_000
LIMITED = (OrderKind.LIMIT, OrderKind.STOP_LIMIT)


class PaperSettings(BaseModel):
    """The fill model. Basis points are of price for spread and impact, of notional for takers."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    # From decision to venue, on trades; on bars it is part of slippage.
    latency_ns: int = Field(default=100_000_000, ge=0)
    # At most this share of a row's size: 5 % of volume is the usual bound for not moving a market.
    participation: Decimal = Field(default=Decimal("0.05"), gt=0, le=1)
    # False lets protective and profit-taking orders fill whole: an exit is then never starved.
    exits_participate: bool = True
    # 1 bp is half the spread of a liquid stock, 5 bp of others: those are named in symbol_half_spread_bp.
    half_spread_bp: Decimal = Field(default=Decimal(1), ge=0)
    symbol_half_spread_bp: dict[str, Annotated[Decimal, Field(ge=0)]] = {}
    # Square-root law: 10 bp at a participation of 1.
    impact_bp: Decimal = Field(default=Decimal(10), ge=0)
    # Interactive Brokers, tiered, in account currency: per share, and at least this much an order.
    stock_per_share: Decimal = Field(default=Decimal("0.0035"), ge=0)
    stock_minimum: Decimal = Field(default=Decimal("0.35"), ge=0)
    # Spot taker fees of large venues are 5 to 10 bp.
    crypto_taker_bp: Decimal = Field(default=Decimal(10), ge=0)
    # Interactive Brokers charges 0.2 bp for spot currency.
    fx_taker_bp: Decimal = Field(default=Decimal("0.2"), ge=0)
    # About 2.25 a side on an index future of 250,000.
    future_taker_bp: Decimal = Field(default=Decimal("0.1"), ge=0)
    # Entries may cost this many times the account's equity at cost; 1 is a cash account.
    leverage: Decimal = Field(default=Decimal(1), ge=1)
    # What the venue does not trade: its orders are rejected.
    halted: tuple[str, ...] = ()

    def spread_bp(self, symbol: str) -> Decimal:
        return self.symbol_half_spread_bp.get(symbol, self.half_spread_bp)


def execution_price(
    settings: PaperSettings, instrument: Instrument, order: Order, *, raw_price: float, taker: bool, share: float
) -> Decimal:
    """`raw_price` made worse by the costs of taking `share` of a row, on the worse tick.

    A taker may pay beyond the bar's high or low: that part is cost. Never worse than a limit.
    """
    buying = order.side is Side.BUY
    price = raw_price
    if taker:
        cost_bp = float(settings.spread_bp(instrument.symbol)) + float(settings.impact_bp) * sqrt(share)
        price += (1 if buying else -1) * abs(raw_price) * cost_bp / BP
    executed = fill_price(instrument, price, buying=buying)
    if order.kind in LIMITED:
        return min(executed, order.limit_price) if buying else max(executed, order.limit_price)
    return executed


def commission(settings: PaperSettings, instrument: Instrument, quantity: Decimal, notional: Decimal) -> Decimal:
    """What one order owes in all after filling `quantity` for `notional`."""
    if instrument.asset_class == "stock":
        return max(settings.stock_minimum, MONEY.multiply(settings.stock_per_share, quantity))
    rates = {"crypto": settings.crypto_taker_bp, "fx": settings.fx_taker_bp, "future": settings.future_taker_bp}
    return MONEY.divide(MONEY.multiply(notional, rates[instrument.asset_class]), Decimal(BP))
