"""How rows are had from ccxt.pro without its public calls, which lose them by construction.

Its handlers put every row they parse into caches that they look up by symbol; ours hand each row on
the moment it is put. Nobody waits for `watch_*` to return: they only subscribe. A frame that a handler
chokes on is counted and does not end the connection, and nothing private is ever signed.
"""

import asyncio
import math
from collections.abc import Mapping
from decimal import Decimal
from importlib import import_module
from typing import Any, Protocol

from adapters.codecs.candles import Candle, OpenCandles
from adapters.live import hosts
from adapters.live.intake import Intake
from adapters.live.link import TURN_FRAMES
from adapters.live.lost import FAILURES, LostError
from adapters.texts import identity
from engine.blocks import BUYER, SELLER, UNKNOWN_SIDE
from engine.definitions import Definition
from engine.live.ports import Clock, FeedRefusedError
from engine.timeframes import TIMEFRAMES

NS_PER_MS = 1_000_000
SIDES = {"buy": BUYER, "sell": SELLER}

Exchange = Any
"""An instance of a class that ccxt makes at import; nothing of it is typed."""


class Taps:
    """Where the rows of one connection go. Times of rows are the venue's, in milliseconds."""

    def __init__(self, intake: Intake, clock: Clock) -> None:
        self._intake = intake
        self._clock = clock
        self._candles = OpenCandles()

    def trade(self, row: Mapping[str, Any]) -> None:
        """A trade as ccxt unifies it; raises nothing: what is not one is counted."""
        price, size, time_ms = _number(row.get("price")), _number(row.get("amount")), row.get("timestamp")
        symbol = row.get("symbol")
        if price is None or size is None or not isinstance(time_ms, int) or not isinstance(symbol, str):
            self._intake.malformed()
            return
        side = SIDES.get(str(row.get("side")), UNKNOWN_SIDE)
        number = identity(str(row.get("id") or ""))
        self._intake.trade(symbol, time_ms * NS_PER_MS, self._clock.now_ns(), price, size, side, number)

    def candle(self, symbol: str, timeframe: str, row: list[Any]) -> None:
        values = [_number(value) for value in row[1:6]]
        if len(values) < 5 or None in values or not isinstance(row[0], int) or timeframe not in TIMEFRAMES:
            self._intake.malformed()
            return
        opening, high, low, close, volume = (value for value in values if value is not None)
        made = Candle(symbol, timeframe, row[0] * NS_PER_MS, opening, high, low, close, volume)
        self._candles.give([made], self._clock.now_ns(), self._intake)

    def quote(self, symbol: str, row: Mapping[str, Any]) -> None:
        bid, ask = _number(row.get("bid")), _number(row.get("ask"))
        if bid is None or ask is None:
            self._intake.passed("empty_quote")
            return
        now_ns, time_ms = self._clock.now_ns(), row.get("timestamp")
        time_ns = time_ms * NS_PER_MS if isinstance(time_ms, int) else now_ns
        bid_size, ask_size = _number(row.get("bidVolume")) or 0.0, _number(row.get("askVolume")) or 0.0
        self._intake.quote(symbol, time_ns, now_ns, bid, bid_size, ask, ask_size)


def library() -> Any:
    """ccxt.pro, imported when a feed wants it. Raises FeedRefusedError where it is not installed."""
    try:
        return import_module("ccxt.pro")
    except ImportError:
        raise FeedRefusedError('ccxt: the package must be installed ("wyckoff-engine[ccxt]"), was not') from None


def exchange_class(name: str) -> type[Any]:
    """Raises ValueError on an exchange that ccxt.pro does not stream."""
    found = getattr(library(), name, None)
    if not isinstance(found, type):
        raise ValueError(f"exchange must be one that ccxt.pro streams, was {name!r}")
    return found


def public_only(base: type[Any]) -> type[Any]:
    """The class with every private call refused before it is signed."""

    def sign(
        self: Exchange, path: str, api: object = "public", method: str = "GET", params: object = None,
        headers: object = None, body: object = None,
    ) -> Any:  # fmt: skip
        if method != "GET" or "private" in str(api):
            raise hosts.ForbiddenHostError(f"ccxt: a feed may only read public data, was {method} {api} {path}")
        return base.sign(self, path, api, method, params or {}, headers, body)

    def check_required_credentials(self: Exchange, error: bool = True) -> bool:
        raise hosts.ForbiddenHostError("ccxt: a feed has no credentials, some were asked for")

    return type(f"Public{base.__name__}", (base,), {
        "sign": sign, "check_required_credentials": check_required_credentials,
        "checkRequiredCredentials": check_required_credentials,
    })  # fmt: skip


class Ear(Protocol):
    """Who listens to a connection that ccxt makes. `readers` are tasks that read, to be ended with it."""

    readers: list["asyncio.Task[None]"]

    def heard(self) -> None: ...

    def broken(self) -> None: ...

    def end(self, lost: LostError) -> None: ...


def tapped(base: type[Any], ear: Ear) -> Any:
    """The class with its connections read and watched by us: each frame is told, and the end of any connection."""

    def client(self: Exchange, url: str) -> Any:
        made = base.client(self, url)
        if not hasattr(made, "ear"):
            made.__class__ = _listening(type(made))
            made.ear = ear
        return made

    def on_close(self: Exchange, client: Any, code: Any) -> None:
        base.on_close(self, client, code)
        ear.end(LostError("closed", f"code {code}"))

    def on_error(self: Exchange, client: Any, error: Any) -> None:
        base.on_error(self, client, error)
        ear.end(LostError("closed", type(error).__name__))

    return type(f"Tapped{base.__name__}", (base,), {"client": client, "on_close": on_close, "on_error": on_error})


def _listening(base: type[Any]) -> type[Any]:
    """A client whose frames we read. Its own loop takes messages out of aiohttp's queue behind its back; since that
    counts 128 bytes for each, the queue thinks itself full after some thousand and never reads on (4.5.64, 3.14)."""

    def receive_loop(self: Any) -> None:
        self.ear.readers.append(self.asyncio_loop.create_task(read(self)))

    async def read(self: Any) -> None:
        number = 0
        while not self.closed():
            try:
                message = await self.receive()
            except FAILURES as error:
                self.on_error(error)
                return
            self.handle_message(message)
            number += 1
            if number % TURN_FRAMES == 0:
                await asyncio.sleep(0)
        self.on_close(1006)

    def handle_message(self: Any, message: Any) -> None:
        try:
            base.handle_message(self, message)
        except Exception:  # noqa: BLE001  what the handlers of 100 venues raise on a bad frame is anybody's guess
            self.ear.broken()
        self.ear.heard()

    return type(f"Listening{base.__name__}", (base,), {"receive_loop": receive_loop, "handle_message": handle_message})


def install(exchange: Exchange, taps: Taps, symbols: tuple[str, ...], timeframe: str) -> None:
    """Every cache that a handler may look up or make hands its rows to `taps`."""
    caches: Any = import_module("ccxt.async_support.base.ws.cache")

    class TradeCache(caches.ArrayCache):  # type: ignore[misc]
        def append(self, item: Any) -> None:
            taps.trade(item)
            super().append(item)

    class Trades(dict[str, Any]):
        def __setitem__(self, symbol: str, cache: Any) -> None:
            # A handler that made a cache itself keeps its own name for it: so the object is changed, not replaced.
            if type(cache) is caches.ArrayCache:
                for item in cache:
                    taps.trade(item)
                cache.__class__ = TradeCache
            super().__setitem__(symbol, cache)

    class Frames(dict[str, Any]):
        def __init__(self, symbol: str) -> None:
            super().__init__()
            self.symbol = symbol

        def __setitem__(self, frame: str, cache: Any) -> None:
            symbol = self.symbol

            class CandleCache(caches.ArrayCacheByTimestamp):  # type: ignore[misc]
                def append(self, item: Any) -> None:
                    taps.candle(symbol, frame, list(item))
                    super().append(item)

            if type(cache) is caches.ArrayCacheByTimestamp:
                for item in cache:
                    taps.candle(symbol, frame, list(item))
                cache.__class__ = CandleCache
            super().__setitem__(frame, cache)

    class Quotes(dict[str, Any]):
        def __setitem__(self, symbol: str, ticker: Any) -> None:
            taps.quote(symbol, ticker)
            super().__setitem__(symbol, ticker)

    exchange.trades, exchange.bidsasks, exchange.ohlcvs = Trades(), Quotes(), {}
    for symbol in symbols:
        exchange.trades[symbol] = caches.ArrayCache(1_000)
        exchange.ohlcvs[symbol] = Frames(symbol)
        if timeframe:
            exchange.ohlcvs[symbol][timeframe] = caches.ArrayCacheByTimestamp(1_000)


class CcxtMetadata:
    """What ccxt says of an exchange's markets, as `engine.definitions` asks for it."""

    def __init__(self, exchange: str, markets: Mapping[str, Any]) -> None:
        self.name = f"{exchange} (ccxt)"
        self._markets = markets

    @property
    def symbols(self) -> tuple[str, ...]:
        return tuple(sorted(self._markets))

    def definition(self, symbol: str) -> Definition | None:
        market = self._markets.get(symbol)
        if market is None:
            return None
        precision, limits = market.get("precision") or {}, market.get("limits") or {}
        return Definition(
            symbol=symbol, asset_class="crypto", tick=_step(precision.get("price")), lot=_step(precision.get("amount")),
            point_value=Decimal(1), min_notional=_least(limits, "cost"), min_quantity=_least(limits, "amount"),
            currency=market.get("quote"), calendar="",
        )  # fmt: skip


def _step(value: object) -> Decimal | None:
    """ccxt gives steps as floats: the shortest decimal that names the float is meant."""
    found = _number(value)
    return Decimal(repr(found)) if found else None


def _least(limits: Mapping[str, Any], name: str) -> Decimal | None:
    found = _number((limits.get(name) or {}).get("min"))
    return None if found is None else Decimal(repr(found))


def _number(value: object) -> float | None:
    if not isinstance(value, int | float | str):
        return None
    try:
        found = float(value)
    except ValueError:
        return None
    return found if math.isfinite(found) else None
