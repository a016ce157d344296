"""Coinbase Advanced Trade: public market data, trades numbered one by one, newest first in history."""

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from adapters.codecs.codec import Codec
from adapters.codecs.coinbase import CoinbaseCodec
from adapters.codecs.fields import NS_PER_MS, NS_PER_S, Identity, Milliseconds, Number, Seconds, decoder
from adapters.codecs.times import rfc3339_ns
from adapters.live.intake import Candle, Trade
from adapters.live.lost import LostError
from adapters.live.rest import Rest, read
from adapters.live.venue import Wanted
from adapters.live.venues.public import PublicVenue
from engine.blocks import BUYER, SELLER, UNKNOWN_SIDE
from engine.timeframes import LENGTH_NS

STREAM: Final = "wss://advanced-trade-ws.coinbase.com"
REST: Final = "https://api.coinbase.com"
PUBLIC: Final = "/api/v3/brokerage/market/products"

GRANULARITIES: Final = {
    "1m": "ONE_MINUTE", "5m": "FIVE_MINUTE", "15m": "FIFTEEN_MINUTE", "1h": "ONE_HOUR", "4h": "FOUR_HOUR",
    "1d": "ONE_DAY",
}  # fmt: skip
TRADES: Final = 1_000
CANDLES: Final = 300
MOST_PAGES: Final = 50


class RestTrade(msgspec.Struct):
    trade_id: Identity
    price: Number
    size: Number
    time: str
    side: str = ""


class Ticker(msgspec.Struct):
    trades: list[RestTrade]


class RestCandle(msgspec.Struct):
    start: Seconds
    low: Number
    high: Number
    open: Number
    close: Number
    volume: Number


class Candles(msgspec.Struct):
    candles: list[RestCandle]


class ServerTime(msgspec.Struct, rename={"time_ms": "epochMillis"}):
    time_ms: Milliseconds


_TICKER: Final = decoder(Ticker)
_CANDLES: Final = decoder(Candles)
_TIME: Final = decoder(ServerTime)
_AGGRESSOR: Final = {"BUY": SELLER, "SELL": BUYER}
"""The side that is told is the maker's."""


class CoinbaseFeedVenue(PublicVenue):
    """`trades` answers with all that is newer at once, so a page is never full."""

    name = "coinbase"
    page = TRADES * MOST_PAGES + 1

    def __init__(self, stream_url: str = "", rest_url: str = "") -> None:
        super().__init__(stream_url or STREAM, rest_url or REST)

    def codec(self) -> Codec:
        return CoinbaseCodec()

    def subscriptions(self, wanted: Wanted) -> Iterable[object]:
        channels = ["market_trades" if wanted.kind == "trades" else "candles", "heartbeats"]
        for channel in [*channels, "ticker"] if wanted.quotes else channels:
            yield {"type": "subscribe", "channel": channel, "product_ids": list(wanted.symbols)}

    async def trades(self, rest: Rest, symbol: str, after_id: int, since_ns: int, now_ns: int) -> Sequence[Trade]:
        """Backwards from now until what is known is reached."""
        found: dict[int, Trade] = {}
        end_s = now_ns // NS_PER_S + 1
        for _ in range(MOST_PAGES):
            page = await self._page(rest, symbol, TRADES, since_ns // NS_PER_S if after_id <= 0 else 0, end_s, now_ns)
            fresh = [one for one in page if one[6] > after_id and one[1] >= since_ns and one[6] not in found]
            found |= {one[6]: one for one in fresh}
            if len(page) < TRADES or len(fresh) < len(page) or not fresh:
                break
            end_s = min(one[1] for one in page) // NS_PER_S + 1
        return [found[number] for number in sorted(found)]

    async def latest(self, rest: Rest, symbol: str, now_ns: int) -> tuple[int, int]:
        found = await self._page(rest, symbol, 1, 0, now_ns // NS_PER_S + 1, now_ns)
        return (found[0][6], found[0][1]) if found else (0, 0)

    async def bars(
        self, rest: Rest, symbol: str, timeframe: str, first_ns: int, last_ns: int, now_ns: int
    ) -> Sequence[Candle]:
        """All of them, in as many answers as it takes."""
        if timeframe not in GRANULARITIES:
            return []
        length_ns, found = LENGTH_NS[timeframe], []
        for start_ns in range(first_ns, last_ns + 1, CANDLES * length_ns):
            end_ns = min(last_ns, start_ns + (CANDLES - 1) * length_ns)
            asked = {
                "start": str(start_ns // NS_PER_S), "end": str(end_ns // NS_PER_S),
                "granularity": GRANULARITIES[timeframe],
            }  # fmt: skip
            page = read(_CANDLES, await rest.get(f"{PUBLIC}/{symbol}/candles", asked)).candles
            found += sorted((_candle(symbol, timeframe, one, now_ns) for one in page), key=lambda one: one[2])
        return [one for one in found if one[3] <= now_ns]

    async def time_ns(self, rest: Rest) -> int:
        return read(_TIME, await rest.get("/api/v3/brokerage/time", {})).time_ms * NS_PER_MS

    async def metadata(self, rest: Rest, symbols: Sequence[str]) -> bytes:
        return await rest.get(PUBLIC, {"product_ids": ",".join(symbols)} if len(symbols) == 1 else {})

    async def _page(self, rest: Rest, symbol: str, limit: int, start_s: int, end_s: int, now_ns: int) -> list[Trade]:
        asked = {"limit": str(limit), "end": str(end_s)} | ({"start": str(start_s)} if start_s > 0 else {})
        found = read(_TICKER, await rest.get(f"{PUBLIC}/{symbol}/ticker", asked)).trades
        return [_trade(symbol, one, now_ns) for one in found]


def _trade(symbol: str, one: RestTrade, now_ns: int) -> Trade:
    try:
        time_ns = rfc3339_ns(one.time)
    except msgspec.ValidationError as error:
        raise LostError("protocol", str(error)) from None
    return symbol, time_ns, now_ns, one.price, one.size, _AGGRESSOR.get(one.side, UNKNOWN_SIDE), one.trade_id


def _candle(symbol: str, timeframe: str, one: RestCandle, now_ns: int) -> Candle:
    open_ns = one.start * NS_PER_S
    close_ns = open_ns + LENGTH_NS[timeframe]
    return symbol, timeframe, open_ns, close_ns, now_ns, one.open, one.high, one.low, one.close, one.volume, -1
