"""A loopback Binance, spot: public streams and public REST, as their documentation has them."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

import msgspec
from aiohttp import WSMessage, web

from adapters.loopback.connection import Connection, Outgoing
from adapters.loopback.market import DECIMALS, Candle, Print
from adapters.loopback.venue import LoopbackVenue
from engine.live.ports import Clock

INTERVALS_MS: Final = {
    "1m": 60_000, "5m": 300_000, "15m": 900_000, "1h": 3_600_000, "4h": 14_400_000, "1d": 86_400_000,
}  # fmt: skip
MOST_ROWS: Final = 1_000


class BinanceVenue(LoopbackVenue):
    """Streams: `<symbol>@trade`, `@aggTrade`, `@bookTicker`, `@kline_<interval>`.

    `ticks` are the tick sizes that have changed.
    """

    def __init__(
        self, symbols: Sequence[str] = ("BTCUSDT", "ETHUSDT"), *, seed: int = 0, rate: float = 100.0,
        clock: Clock | None = None, history: int = 1_500,
    ) -> None:  # fmt: skip
        super().__init__(symbols, seed=seed, rate=rate, clock=clock, history=history)
        self.ticks: dict[str, str] = {}
        self._gone: set[str] = set()
        self._updates = 0

    def delist(self, symbol: str) -> None:
        """It does not trade any more and is not listed; history is still there."""
        self.suspend(symbol)
        self._gone.add(symbol)

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/api/v3/ping", self._ping),
            web.get("/api/v3/time", self._time),
            web.get("/api/v3/exchangeInfo", self._exchange_info),
            web.get("/api/v3/klines", self._klines),
            web.get("/api/v3/trades", self._trades),
            web.get("/api/v3/historicalTrades", self._trades),
            web.get("/api/v3/aggTrades", self._aggregates),
            web.get("/ws", self._socket),
            web.get("/ws/{stream}", self._socket),
            web.get("/stream", self._socket),
        ]

    # ------------------------------------------------------------------------ streams

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        named = [*request.query.get("streams", "").split("/"), request.match_info.get("stream", "")]
        wrapped = "wrapped" if request.path == "/stream" else "bare"
        return await self.connect(request, {"*": wrapped} | dict.fromkeys(filter(None, named), wrapped))

    def answer(self, connection: Connection, message: WSMessage) -> None:
        try:
            asked = msgspec.json.decode(message.data, type=dict[str, object])
        except msgspec.MsgspecError:
            connection.say('{"error":{"code":3,"msg":"Invalid JSON"}}')
            return
        if self.faults.strike("no_ack"):
            return
        params = asked.get("params")
        streams = [str(one) for one in params] if isinstance(params, list) else []
        for stream in streams:
            self.ledger.subscriptions.append((connection.number, stream))
            if asked.get("method") == "SUBSCRIBE":
                connection.streams[stream] = connection.streams["*"]
            else:
                connection.streams.pop(stream, None)
        connection.say(_json({"result": None, "id": asked.get("id")}))

    def publish(self, made: Print) -> None:
        if not self.connections:
            return
        low = made.symbol.lower()
        self._offer_print(f"{low}@trade", "trade", made, _trade)
        self._offer_print(f"{low}@aggTrade", "aggTrade", made, _aggregate)
        stream = f"{low}@bookTicker"
        if any(stream in one.streams for one in self.connections):
            self._updates += 1
            self._offer_print(stream, "bookTicker", made, partial(_quote, self._updates))

    def publish_closed(self, first_ms: int, last_ms: int) -> None:
        for interval, length_ms in INTERVALS_MS.items():
            for symbol, listing in self.market.listings.items():
                stream = f"{symbol.lower()}@kline_{interval}"
                if any(stream in one.streams for one in self.connections):
                    for candle in listing.candles(length_ms, first_ms - length_ms + 60_000, last_ms - length_ms):
                        if first_ms < candle.open_ms + length_ms <= last_ms:
                            self._offer_bar(stream, symbol, interval, candle)

    def _offer_print(self, stream: str, channel: str, made: Print, write: "_Writer") -> None:
        for one in self.connections:
            if stream in one.streams:
                wrapped = one.streams[stream] == "wrapped"
                one.offer(_outgoing(channel, stream if wrapped else "", made, write))

    def _offer_bar(self, stream: str, symbol: str, interval: str, candle: Candle) -> None:
        for one in self.connections:
            if stream in one.streams:
                text = _kline(symbol, interval, candle, self.now_ms)
                data = f'{{"stream":"{stream}","data":{text}}}' if one.streams[stream] == "wrapped" else text
                one.offer(Outgoing("kline", symbol, 0, data, lambda _, data=data: data))  # type: ignore[misc]

    # --------------------------------------------------------------------------- REST

    async def _ping(self, request: web.Request) -> web.Response:
        return await self.refused(request) or web.json_response({})

    async def _time(self, request: web.Request) -> web.Response:
        return await self.refused(request) or web.json_response({"serverTime": self.now_ms})

    async def _exchange_info(self, request: web.Request) -> web.Response:
        refusal = await self.refused(request)
        asked = msgspec.json.decode(request.query.get("symbols", "[]"), type=list[str]) or list(self.market.listings)
        if not all(symbol in self.market.listings and symbol not in self._gone for symbol in asked):
            return refusal or _unknown_symbol()
        symbols = [
            _symbol_info(one, self.ticks.get(one, ""), "BREAK" if one in self.market.suspended else "TRADING")
            for one in asked
        ]
        told = {"timezone": "UTC", "serverTime": self.now_ms, "rateLimits": [], "exchangeFilters": []}
        return refusal or web.json_response({**told, "symbols": symbols})

    async def _klines(self, request: web.Request) -> web.Response:
        refusal = await self.refused(request)
        listing = self.market.listings.get(request.query.get("symbol", ""))
        length_ms = INTERVALS_MS.get(request.query.get("interval", ""))
        if refusal or listing is None or length_ms is None:
            return refusal or _unknown_symbol()
        now_ms, most = self.now_ms, _limit(request, 500)
        listing.pass_time(now_ms)
        last_ms = min(int(request.query.get("endTime", now_ms)), now_ms)
        first_ms = int(request.query.get("startTime", max(0, last_ms - (most - 1) * length_ms)))
        found = listing.candles(length_ms, first_ms, last_ms)
        chosen = found[:most] if "startTime" in request.query else found[-most:]
        return web.json_response([_kline_row(one, length_ms) for one in chosen])

    async def _trades(self, request: web.Request) -> web.Response:
        refusal = await self.refused(request)
        listing = self.market.listings.get(request.query.get("symbol", ""))
        if refusal or listing is None:
            return refusal or _unknown_symbol()
        most = _limit(request, 500)
        first = int(request.query.get("fromId", listing.next_id - most))
        return web.json_response([_rest_trade(one) for one in listing.since(first, most)])

    async def _aggregates(self, request: web.Request) -> web.Response:
        refusal = await self.refused(request)
        listing = self.market.listings.get(request.query.get("symbol", ""))
        if refusal or listing is None:
            return refusal or _unknown_symbol()
        most, asked = _limit(request, 500), request.query
        if "startTime" in asked or "endTime" in asked:
            last_ms = int(asked.get("endTime", self.now_ms))
            found: Sequence[Print] = listing.between(int(asked.get("startTime", 0)), last_ms)[:most]
        else:
            found = listing.since(int(asked.get("fromId", listing.next_id - most)), most)
        return web.json_response([_rest_aggregate(one) for one in found])


_Writer = Callable[[Print, str], str]
"""Writes one print, with a price in place of its own."""


def _outgoing(channel: str, stream: str, made: Print, write: _Writer) -> Outgoing:
    def wrapped(price: str) -> str:
        text = write(made, _changed(made.price, price))
        return f'{{"stream":"{stream}","data":{text}}}' if stream else text

    return Outgoing(channel, made.symbol, made.id, wrapped(""), wrapped)


def _changed(price: float, change: str) -> str:
    """ "" is the price itself, `x10.0` ten times as much, anything else stands as it is."""
    if change.startswith("x"):
        price *= float(change[1:])
    return change if change and not change.startswith("x") else f"{price:.{DECIMALS}f}"


def _trade(made: Print, price: str) -> str:
    maker = "true" if made.buyer_is_maker else "false"
    return (
        f'{{"e":"trade","E":{made.time_ms},"s":"{made.symbol}","t":{made.id},"p":"{price}",'
        f'"q":"{made.size:.3f}","T":{made.time_ms},"m":{maker},"M":true}}'
    )


def _aggregate(made: Print, price: str) -> str:
    maker = "true" if made.buyer_is_maker else "false"
    return (
        f'{{"e":"aggTrade","E":{made.time_ms},"s":"{made.symbol}","a":{made.id},"p":"{price}",'
        f'"q":"{made.size:.3f}","f":{made.id},"l":{made.id},"T":{made.time_ms},"m":{maker},"M":true}}'
    )


def _quote(update: int, made: Print, price: str) -> str:
    ask = f"{made.price * 1.0001:.{DECIMALS}f}"
    return f'{{"u":{update},"s":"{made.symbol}","b":"{price}","B":"5.000","a":"{ask}","A":"5.000"}}'


def _kline(symbol: str, interval: str, candle: Candle, now_ms: int) -> str:
    last_ms = candle.open_ms + INTERVALS_MS[interval] - 1
    o, h, low, c = (f"{price:.{DECIMALS}f}" for price in candle[1:5])
    return (
        f'{{"e":"kline","E":{now_ms},"s":"{symbol}","k":{{"t":{candle.open_ms},"T":{last_ms},"s":"{symbol}",'
        f'"i":"{interval}","f":-1,"L":-1,"o":"{o}","c":"{c}","h":"{h}","l":"{low}","v":"{candle.volume:.3f}",'
        f'"n":{candle.trades},"x":true,"q":"0","V":"0","Q":"0","B":"0"}}}}'
    )


def _kline_row(candle: Candle, length_ms: int) -> list[object]:
    prices = [f"{price:.{DECIMALS}f}" for price in candle[1:5]]
    last_ms = candle.open_ms + length_ms - 1
    return [candle.open_ms, *prices, f"{candle.volume:.3f}", last_ms, "0", candle.trades, "0", "0", "0"]


def _rest_trade(made: Print) -> dict[str, object]:
    return {
        "id": made.id, "price": f"{made.price:.{DECIMALS}f}", "qty": f"{made.size:.3f}", "quoteQty": "0",
        "time": made.time_ms, "isBuyerMaker": made.buyer_is_maker, "isBestMatch": True,
    }  # fmt: skip


def _rest_aggregate(made: Print) -> dict[str, object]:
    return {
        "a": made.id, "p": f"{made.price:.{DECIMALS}f}", "q": f"{made.size:.3f}", "f": made.id, "l": made.id,
        "T": made.time_ms, "m": made.buyer_is_maker, "M": True,
    }  # fmt: skip


def _symbol_info(symbol: str, changed_tick: str, status: str) -> dict[str, object]:
    quote = next((one for one in ("USDT", "USDC", "USD", "BTC") if symbol.endswith(one)), symbol[-3:])
    tick = changed_tick or f"{10**-DECIMALS:.{DECIMALS}f}"
    return {
        "symbol": symbol, "status": status, "baseAsset": symbol.removesuffix(quote), "baseAssetPrecision": 8,
        "quoteAsset": quote, "quotePrecision": 8, "quoteAssetPrecision": 8, "orderTypes": ["LIMIT", "MARKET"],
        "icebergAllowed": True, "ocoAllowed": True, "isSpotTradingAllowed": True, "isMarginTradingAllowed": False,
        "filters": [
            {"filterType": "PRICE_FILTER", "minPrice": tick, "maxPrice": "1000000.0000", "tickSize": tick},
            {"filterType": "LOT_SIZE", "minQty": "0.00100000", "maxQty": "9000.00000000", "stepSize": "0.00100000"},
            {"filterType": "NOTIONAL", "minNotional": "5.00000000", "applyMinToMarket": True, "avgPriceMins": 5},
        ],
        "permissions": ["SPOT"], "permissionSets": [["SPOT"]],
    }  # fmt: skip


def _limit(request: web.Request, default: int) -> int:
    return max(1, min(int(request.query.get("limit", default)), MOST_ROWS))


def _unknown_symbol() -> web.Response:
    return web.json_response({"code": -1121, "msg": "Invalid symbol."}, status=400)


def _json(answer: object) -> str:
    return msgspec.json.encode(answer).decode()
