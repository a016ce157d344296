"""Bybit spot: stream v5, public REST, whose history of trades is the last 60."""

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from adapters.codecs.bybit import BybitCodec
from adapters.codecs.codec import Codec
from adapters.codecs.fields import NS_PER_MS, Milliseconds, Nanoseconds, Number, decoder
from adapters.live.intake import Candle, Trade
from adapters.live.lost import LostError
from adapters.live.rest import Rest, read
from adapters.live.venue import Wanted
from adapters.live.venues.public import PublicVenue, parts
from adapters.texts import identity
from engine.blocks import BUYER, SELLER
from engine.timeframes import LENGTH_NS

STREAM: Final = "wss://stream.bybit.com/v5/public/spot"
REST: Final = "https://api.bybit.com"

INTERVALS: Final = {"1m": "1", "5m": "5", "15m": "15", "1h": "60", "4h": "240", "1d": "D"}
MOST_TOPICS: Final = 10
CANDLES: Final = 1_000


class RestTrade(msgspec.Struct, rename={"number": "execId", "time_ms": "time"}):
    number: str
    price: Number
    size: Number
    side: str
    time_ms: Milliseconds


class RestCandle(msgspec.Struct, array_like=True):
    open_ms: Milliseconds
    open: Number
    high: Number
    low: Number
    close: Number
    volume: Number


class ServerTime(msgspec.Struct, rename={"time_ns": "timeNano"}):
    time_ns: Nanoseconds


class Listed(msgspec.Struct):
    rows: msgspec.Raw = msgspec.field(default=msgspec.Raw(b"[]"), name="list")


class Answer(msgspec.Struct, rename={"code": "retCode", "told": "retMsg"}):
    code: int
    told: str = ""
    result: msgspec.Raw = msgspec.Raw(b"{}")


_ANSWER: Final = decoder(Answer)
_LISTED: Final = decoder(Listed)
_TRADES: Final = decoder(list[RestTrade])
_CANDLES: Final = decoder(list[RestCandle])
_TIME: Final = decoder(ServerTime)


class BybitFeedVenue(PublicVenue):
    name = "bybit"
    consecutive = False
    only_latest = True
    page = 60
    ping = '{"op":"ping"}'

    def __init__(self, stream_url: str = "", rest_url: str = "") -> None:
        super().__init__(stream_url or STREAM, rest_url or REST)

    def codec(self) -> Codec:
        return BybitCodec()

    def subscriptions(self, wanted: Wanted) -> Iterable[object]:
        if wanted.kind == "trades":
            topics = [f"publicTrade.{symbol}" for symbol in wanted.symbols]
        else:
            topics = [f"kline.{INTERVALS[wanted.timeframe]}.{symbol}" for symbol in wanted.symbols]
        for some in parts(topics, MOST_TOPICS):
            yield {"op": "subscribe", "args": list(some)}

    async def trades(self, rest: Rest, symbol: str, after_id: int, since_ns: int, now_ns: int) -> Sequence[Trade]:
        """The last ones, however far back was asked for."""
        found = await self._recent(rest, symbol, self.page)
        return [_trade(symbol, one, now_ns) for one in found if one.time_ms * NS_PER_MS >= since_ns]

    async def latest(self, rest: Rest, symbol: str, now_ns: int) -> tuple[int, int]:
        found = await self._recent(rest, symbol, 1)
        return (identity(found[-1].number), found[-1].time_ms * NS_PER_MS) if found else (0, 0)

    async def bars(
        self, rest: Rest, symbol: str, timeframe: str, first_ns: int, last_ns: int, now_ns: int
    ) -> Sequence[Candle]:
        """All of them, in as many answers as it takes."""
        if timeframe not in INTERVALS:
            return []
        length_ns, found = LENGTH_NS[timeframe], []
        for start_ns in range(first_ns, last_ns + 1, CANDLES * length_ns):
            end_ns = min(last_ns, start_ns + (CANDLES - 1) * length_ns)
            asked = {
                "symbol": symbol, "interval": INTERVALS[timeframe], "limit": str(CANDLES),
                "start": str(start_ns // NS_PER_MS), "end": str(end_ns // NS_PER_MS),
            }  # fmt: skip
            page = read(_CANDLES, await self._list(rest, "kline", asked))
            found += [_candle(symbol, timeframe, one, now_ns) for one in reversed(page)]
        return [one for one in found if one[3] <= now_ns]

    async def time_ns(self, rest: Rest) -> int:
        return read(_TIME, await self._ask(rest, "time", {})).time_ns

    async def metadata(self, rest: Rest, symbols: Sequence[str]) -> bytes:
        named = {"symbol": symbols[0]} if len(symbols) == 1 else {}
        return await rest.get("/v5/market/instruments-info", {"category": "spot", **named})

    async def _recent(self, rest: Rest, symbol: str, limit: int) -> list[RestTrade]:
        found = read(_TRADES, await self._list(rest, "recent-trade", {"symbol": symbol, "limit": str(limit)}))
        return found[::-1]

    async def _list(self, rest: Rest, what: str, query: dict[str, str]) -> bytes:
        return bytes(read(_LISTED, await self._ask(rest, what, {"category": "spot", **query})).rows)

    async def _ask(self, rest: Rest, what: str, query: dict[str, str]) -> bytes:
        """Raises LostError where Bybit answers with an error."""
        answer = read(_ANSWER, await rest.get(f"/v5/market/{what}", query))
        if answer.code:
            raise LostError("protocol", f"error {answer.code}: {answer.told[:120]}")
        return bytes(answer.result)


def _trade(symbol: str, one: RestTrade, now_ns: int) -> Trade:
    side = BUYER if one.side == "Buy" else SELLER
    return symbol, one.time_ms * NS_PER_MS, now_ns, one.price, one.size, side, identity(one.number)


def _candle(symbol: str, timeframe: str, one: RestCandle, now_ns: int) -> Candle:
    open_ns = one.open_ms * NS_PER_MS
    close_ns = open_ns + LENGTH_NS[timeframe]
    return symbol, timeframe, open_ns, close_ns, now_ns, one.open, one.high, one.low, one.close, one.volume, -1
