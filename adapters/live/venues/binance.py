"""Binance spot: aggregate trades and klines; history needs no key and bears the stream's numbers."""

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from adapters.codecs.binance import BinanceCodec
from adapters.codecs.codec import Codec
from adapters.codecs.fields import NS_PER_MS, Count, Identity, Milliseconds, Number, decoder
from adapters.live.intake import Candle, Trade
from adapters.live.rest import Rest, read
from adapters.live.venue import Wanted
from adapters.live.venues.public import PublicVenue, parts
from engine.blocks import BUYER, SELLER
from engine.timeframes import LENGTH_NS

STREAM: Final = "wss://data-stream.binance.vision"
REST: Final = "https://data-api.binance.vision"

MOST_NAMES: Final = 100
"""Streams a subscription names: requests are bounded in bytes, five of them a second."""


class AggregateTrade(msgspec.Struct, rename={"number": "a", "price": "p", "size": "q", "time_ms": "T",
                                             "buyer_is_maker": "m"}):  # fmt: skip
    number: Identity
    price: Number
    size: Number
    time_ms: Milliseconds
    buyer_is_maker: bool


class Kline(msgspec.Struct, array_like=True):
    open_ms: Milliseconds
    open: Number
    high: Number
    low: Number
    close: Number
    volume: Number
    last_ms: Milliseconds
    quote_volume: msgspec.Raw
    trades: Count


class ServerTime(msgspec.Struct, rename={"time_ms": "serverTime"}):
    time_ms: Milliseconds


_AGGREGATES: Final = decoder(list[AggregateTrade])
_KLINES: Final = decoder(list[Kline])
_TIME: Final = decoder(ServerTime)


class BinanceFeedVenue(PublicVenue):
    name = "binance"

    def __init__(self, stream_url: str = "", rest_url: str = "") -> None:
        super().__init__(stream_url or STREAM, rest_url or REST)

    def codec(self) -> Codec:
        return BinanceCodec()

    def url(self, wanted: Wanted) -> str:
        return f"{self.stream_url}/stream"

    def subscriptions(self, wanted: Wanted) -> Iterable[object]:
        names = [name for symbol in wanted.symbols for name in _streams(symbol.lower(), wanted)]
        for number, some in enumerate(parts(names, MOST_NAMES), 1):
            yield {"method": "SUBSCRIBE", "params": list(some), "id": number}

    async def trades(self, rest: Rest, symbol: str, after_id: int, since_ns: int, now_ns: int) -> Sequence[Trade]:
        query = {"symbol": symbol, "limit": str(self.page)}
        if after_id > 0:
            query["fromId"] = str(after_id + 1)
        else:
            query["startTime"] = str(since_ns // NS_PER_MS)
        found = read(_AGGREGATES, await rest.get("/api/v3/aggTrades", query))
        return [_trade(symbol, one, now_ns) for one in found]

    async def latest(self, rest: Rest, symbol: str, now_ns: int) -> tuple[int, int]:
        found = read(_AGGREGATES, await rest.get("/api/v3/aggTrades", {"symbol": symbol, "limit": "1"}))
        return (found[-1].number, found[-1].time_ms * NS_PER_MS) if found else (0, 0)

    async def bars(
        self, rest: Rest, symbol: str, timeframe: str, first_ns: int, last_ns: int, now_ns: int
    ) -> Sequence[Candle]:
        query = {
            "symbol": symbol, "interval": timeframe, "limit": str(self.page),
            "startTime": str(first_ns // NS_PER_MS), "endTime": str(last_ns // NS_PER_MS),
        }  # fmt: skip
        found = read(_KLINES, await rest.get("/api/v3/klines", query))
        candles = [_candle(symbol, timeframe, one, now_ns) for one in found]
        return [one for one in candles if one[3] <= now_ns]

    async def time_ns(self, rest: Rest) -> int:
        return read(_TIME, await rest.get("/api/v3/time", {})).time_ms * NS_PER_MS

    async def metadata(self, rest: Rest, symbols: Sequence[str]) -> bytes:
        named = msgspec.json.encode(list(symbols)).decode()
        return await rest.get("/api/v3/exchangeInfo", {"symbols": named})


def _streams(symbol: str, wanted: Wanted) -> list[str]:
    names = [f"{symbol}@aggTrade"] if wanted.kind == "trades" else [f"{symbol}@kline_{wanted.timeframe}"]
    return [*names, f"{symbol}@bookTicker"] if wanted.quotes else names


def _trade(symbol: str, one: AggregateTrade, now_ns: int) -> Trade:
    side = SELLER if one.buyer_is_maker else BUYER
    return symbol, one.time_ms * NS_PER_MS, now_ns, one.price, one.size, side, one.number


def _candle(symbol: str, timeframe: str, one: Kline, now_ns: int) -> Candle:
    open_ns = one.open_ms * NS_PER_MS
    close_ns = open_ns + LENGTH_NS[timeframe]
    return (
        symbol, timeframe, open_ns, close_ns, now_ns, one.open, one.high, one.low, one.close, one.volume, one.trades,
    )  # fmt: skip
