"""What venues answer when they are asked for their instruments: one struct for an entry of each.

An entry knows the names under which its market stream speaks of it, and what it says of tick, lot and
least order. Fields that no order depends on are not read. Numbers are text at most venues and are kept
as exact decimals, without the zeros at their end: the exponent of a tick is that of every price.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Protocol

import msgspec

from engine.definitions import Definition

CRYPTO, STOCK = "crypto", "stock"
US_STOCKS = "XNYS"

STOCK_TICK, STOCK_LOT = Decimal("0.01"), Decimal(1)
"""Regulation NMS rule 612 allows no finer price from 1 USD on; stops and brackets take whole shares."""


class ShapeError(ValueError):
    """An entry cannot be traded by. Names the venue's field and what was found."""


class Entry(Protocol):
    @property
    def names(self) -> tuple[str, ...]:
        """What its market stream may call it; () for what has no stream."""
        ...

    def definition(self, name: str) -> Definition: ...


class BinanceFilter(msgspec.Struct, frozen=True, rename="camel"):
    filter_type: str
    tick_size: Decimal | None = None
    step_size: Decimal | None = None
    min_qty: Decimal | None = None
    min_notional: Decimal | None = None
    notional: Decimal | None = None


_NO_FILTER = BinanceFilter("")


class Binance(msgspec.Struct, frozen=True, rename="camel"):
    """Spot and USD-M. The least notional is in MIN_NOTIONAL or, newer, in NOTIONAL."""

    symbol: str
    quote_asset: str
    filters: list[BinanceFilter]
    contract_size: Decimal | None = None
    status: str = "TRADING"

    @property
    def names(self) -> tuple[str, ...]:
        return (self.symbol,)

    def definition(self, name: str) -> Definition:
        if self.contract_size is not None:
            raise ShapeError("contractSize: a contract that is settled in its coin has no place in the account's sums")
        by_type = {one.filter_type: one for one in reversed(self.filters)}
        price, lot = _found(by_type, "PRICE_FILTER"), _found(by_type, "LOT_SIZE")
        value = by_type.get("NOTIONAL", by_type.get("MIN_NOTIONAL", _NO_FILTER))
        least = value.min_notional if value.min_notional is not None else value.notional
        return Definition(
            symbol=name, asset_class=CRYPTO, calendar="", currency=self.quote_asset, point_value=Decimal(1),
            tick=_step("PRICE_FILTER.tickSize", price.tick_size), lot=_step("LOT_SIZE.stepSize", lot.step_size),
            min_quantity=_least("LOT_SIZE.minQty", lot.min_qty),
            min_notional=_least("NOTIONAL", least), trades=self.status == "TRADING",
        )  # fmt: skip


class Coinbase(msgspec.Struct, frozen=True):
    """Advanced Trade. `price_increment` is the finer of the two where both are there."""

    product_id: str
    product_type: str
    base_increment: str
    quote_increment: str
    quote_currency_id: str
    price_increment: str = ""
    base_min_size: str = ""
    quote_min_size: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        return (self.product_id,)

    def definition(self, name: str) -> Definition:
        if self.product_type != "SPOT":
            raise ShapeError(f"product_type: must be SPOT, was {self.product_type}")
        tick = "price_increment" if self.price_increment else "quote_increment"
        return Definition(
            symbol=name, asset_class=CRYPTO, calendar="", currency=self.quote_currency_id, point_value=Decimal(1),
            tick=_step(tick, _number(tick, getattr(self, tick))),
            lot=_step("base_increment", _number("base_increment", self.base_increment)),
            min_quantity=_least("base_min_size", _number("base_min_size", self.base_min_size)),
            min_notional=_least("quote_min_size", _number("quote_min_size", self.quote_min_size)),
        )  # fmt: skip


class Kraken(msgspec.Struct, frozen=True):
    """`wsname` is what the first protocol says; the second writes BTC and DOGE for XBT and XDG."""

    pair_decimals: int
    lot_decimals: int
    wsname: str = ""
    ordermin: Decimal | None = None
    costmin: Decimal | None = None
    tick_size: Decimal | None = None

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((self.wsname, self._spoken))) if self.wsname else ()

    def definition(self, name: str) -> Definition:
        tick = self.tick_size if self.tick_size is not None else _places("pair_decimals", self.pair_decimals)
        return Definition(
            symbol=name, asset_class=CRYPTO, calendar="", currency=self._spoken.partition("/")[2],
            point_value=Decimal(1), tick=_step("tick_size", tick), lot=_places("lot_decimals", self.lot_decimals),
            min_quantity=_least("ordermin", self.ordermin), min_notional=_least("costmin", self.costmin),
        )  # fmt: skip

    @property
    def _spoken(self) -> str:
        return "/".join(KRAKEN_COINS.get(one, one) for one in self.wsname.split("/"))


KRAKEN_COINS = {"XBT": "BTC", "XDG": "DOGE"}


class BybitPrice(msgspec.Struct, frozen=True, rename="camel"):
    tick_size: Decimal


class BybitLot(msgspec.Struct, frozen=True, rename="camel"):
    """Spot says basePrecision and minOrderAmt where contracts say qtyStep and minNotionalValue."""

    min_order_qty: Decimal
    qty_step: Decimal | None = None
    base_precision: Decimal | None = None
    min_notional_value: Decimal | None = None
    min_order_amt: Decimal | None = None


class Bybit(msgspec.Struct, frozen=True, rename="camel"):
    symbol: str
    quote_coin: str
    price_filter: BybitPrice
    lot_size_filter: BybitLot
    contract_type: str = ""
    settle_coin: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        return (self.symbol,)

    def definition(self, name: str) -> Definition:
        if self.contract_type.startswith("Inverse"):
            raise ShapeError(f"contractType: must be settled in its quote currency, was {self.contract_type}")
        lot = self.lot_size_filter
        step = lot.qty_step if lot.qty_step is not None else lot.base_precision
        least = lot.min_notional_value if lot.min_notional_value is not None else lot.min_order_amt
        return Definition(
            symbol=name, asset_class=CRYPTO, calendar="", currency=self.quote_coin, point_value=Decimal(1),
            tick=_step("priceFilter.tickSize", self.price_filter.tick_size), lot=_step("lotSizeFilter.qtyStep", step),
            min_quantity=_least("lotSizeFilter.minOrderQty", lot.min_order_qty),
            min_notional=_least("lotSizeFilter.minNotionalValue", least),
        )  # fmt: skip


class Gate(msgspec.Struct, frozen=True):
    id: str
    quote: str
    precision: int
    amount_precision: int
    min_quote_amount: Decimal | None = None
    min_base_amount: Decimal | None = None

    @property
    def names(self) -> tuple[str, ...]:
        return (self.id,)

    def definition(self, name: str) -> Definition:
        return Definition(
            symbol=name, asset_class=CRYPTO, calendar="", currency=self.quote, point_value=Decimal(1),
            tick=_places("precision", self.precision), lot=_places("amount_precision", self.amount_precision),
            min_quantity=_least("min_base_amount", self.min_base_amount),
            min_notional=_least("min_quote_amount", self.min_quote_amount),
        )  # fmt: skip


class Kucoin(msgspec.Struct, frozen=True, rename="camel"):
    """`min_funds` is new; before it `quoteMinSize` was the least value of an order."""

    symbol: str
    quote_currency: str
    price_increment: Decimal
    base_increment: Decimal
    base_min_size: Decimal | None = None
    quote_min_size: Decimal | None = None
    min_funds: Decimal | None = None

    @property
    def names(self) -> tuple[str, ...]:
        return (self.symbol,)

    def definition(self, name: str) -> Definition:
        least = self.min_funds if self.min_funds is not None else self.quote_min_size
        return Definition(
            symbol=name, asset_class=CRYPTO, calendar="", currency=self.quote_currency, point_value=Decimal(1),
            tick=_step("priceIncrement", self.price_increment), lot=_step("baseIncrement", self.base_increment),
            min_quantity=_least("baseMinSize", self.base_min_size), min_notional=_least("minFunds", least),
        )  # fmt: skip


class Alpaca(msgspec.Struct, frozen=True, rename={"kind": "class"}):
    """Stocks are listed without numbers: those of their market hold. Coins have their own."""

    symbol: str
    kind: str
    min_order_size: Decimal | None = None
    min_trade_increment: Decimal | None = None
    price_increment: Decimal | None = None

    @property
    def names(self) -> tuple[str, ...]:
        return (self.symbol,)

    def definition(self, name: str) -> Definition:
        if self.kind == "us_equity":
            return Definition(
                symbol=name, asset_class=STOCK, calendar=US_STOCKS, currency="USD", point_value=Decimal(1),
                tick=STOCK_TICK, lot=STOCK_LOT,
            )  # fmt: skip
        if self.kind != "crypto":
            raise ShapeError(f"class: must be us_equity or crypto, was {self.kind}")
        return Definition(
            symbol=name, asset_class=CRYPTO, calendar="", currency=name.partition("/")[2], point_value=Decimal(1),
            tick=_step("price_increment", self.price_increment),
            lot=_step("min_trade_increment", self.min_trade_increment),
            min_quantity=_least("min_order_size", self.min_order_size),
        )  # fmt: skip


def _found(filters: Mapping[str, BinanceFilter], name: str) -> BinanceFilter:
    if name not in filters:
        raise ShapeError(f"filters: must hold {name}, was {', '.join(filters) or 'empty'}")
    return filters[name]


def _number(field: str, text: str) -> Decimal | None:
    try:
        return None if not text else msgspec.convert(text, Decimal)
    except msgspec.ValidationError:
        raise ShapeError(f"{field}: must be a number, was {text!r}") from None


def _step(field: str, value: Decimal | None) -> Decimal:
    if value is None or not value.is_finite() or value <= 0:
        raise ShapeError(f"{field}: must be > 0, was {value}")
    return _plain(value)


def _least(field: str, value: Decimal | None) -> Decimal | None:
    if value is None:
        return None
    if not value.is_finite() or value < 0:
        raise ShapeError(f"{field}: must be >= 0, was {value}")
    return _plain(value)


def _places(field: str, places: int) -> Decimal:
    """The step of a number with so many decimal places; below 0 it is tens, hundreds."""
    if not -18 <= places <= 18:
        raise ShapeError(f"{field}: must be between -18 and 18, was {places}")
    return _plain(Decimal(1).scaleb(-places))


def _plain(value: Decimal) -> Decimal:
    return Decimal(format(value.normalize(), "f"))
