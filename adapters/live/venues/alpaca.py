"""Alpaca market data: stocks of IEX or SIP, and crypto. Keys for data only; no host that takes orders.

Our own session and not alpaca-py's: that one has no deadline for a mute socket unless told, goes on for
ever with a wrong key, and answers a missing subscription by returning.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import aiohttp
import msgspec

from adapters.codecs.alpaca import AlpacaCodec, trade_number
from adapters.codecs.codec import Codec
from adapters.codecs.fields import Count, Identity, Number, decoder
from adapters.codecs.times import rfc3339_ns
from adapters.live.intake import Candle, Trade
from adapters.live.lost import LostError
from adapters.live.rest import Rest, read
from adapters.live.settings import Keys
from adapters.live.venue import Socket, Wanted
from engine.blocks import BUYER, SELLER, UNKNOWN_SIDE
from engine.iso import iso
from engine.live.ports import FeedRefusedError
from engine.timeframes import LENGTH_NS

STREAM: Final = "wss://stream.data.alpaca.markets"
REST: Final = "https://data.alpaca.markets"
STREAM_PATHS: Final = {
    "iex": "/v2/iex", "sip": "/v2/sip", "delayed_sip": "/v2/delayed_sip", "crypto": "/v1beta3/crypto/us",
}  # fmt: skip

TIMEFRAMES: Final = {
    "1m": "1Min", "5m": "5Min", "15m": "15Min", "1h": "1Hour", "4h": "4Hour", "1d": "1Day", "1w": "1Week",
}  # fmt: skip

FATAL: Final = (402, 405, 409, 410)
"""Wrong keys, too many symbols, not in the plan, not for these symbols: the same at the next attempt."""

BUSY, BUSY_S = 406, 30.0
"""Another connection of these keys is open: most likely our own last one, for a while."""


class RestTrade(msgspec.Struct):
    t: str
    p: Number
    s: Number
    i: Identity
    x: str = ""
    tks: str = ""


class RestBar(msgspec.Struct):
    t: str
    o: Number
    h: Number
    l: Number  # noqa: E741
    c: Number
    v: Number
    n: Count = -1


class TradesPage(msgspec.Struct):
    trades: dict[str, list[RestTrade]] | None = None


class BarsPage(msgspec.Struct):
    bars: dict[str, list[RestBar]] | None = None


class Reply(msgspec.Struct):
    kind: str = msgspec.field(default="", name="T")
    msg: str = ""
    code: int = 0
    trades: list[str] = []
    quotes: list[str] = []
    bars: list[str] = []


_TRADES: Final = decoder(TradesPage)
_BARS: Final = decoder(BarsPage)
_REPLIES: Final = decoder(list[Reply])


class AlpacaFeedVenue:
    name = "alpaca"
    consecutive = False
    only_latest = False
    page = 10_000
    ping = ""
    ping_s = 10.0
    most_s = 7 * 24 * 3600.0
    time_ns = None
    """The data host tells no time that is fine enough."""
    metadata = None
    """Assets are listed on the host that takes orders, which a feed does not reach."""

    def __init__(self, source: str, keys: Keys, stream_url: str = "", rest_url: str = "") -> None:
        """Raises ValueError on a source that is none."""
        if source not in STREAM_PATHS:
            raise ValueError(f"source must be one of {', '.join(STREAM_PATHS)}, was {source!r}")
        self.stream_url = stream_url or STREAM
        self.rest_url = rest_url or REST
        self._source = source
        self._keys = keys
        self._is_crypto = source == "crypto"

    def codec(self) -> Codec:
        return AlpacaCodec(refuse)

    def url(self, wanted: Wanted) -> str:
        return self.stream_url + STREAM_PATHS[self._source]

    def headers(self) -> dict[str, str]:
        return {"Content-Type": "application/json"}

    async def greet(self, socket: Socket, wanted: Wanted) -> None:
        if not (self._keys.key and self._keys.secret):
            raise FeedRefusedError("alpaca: keys for data must be set, was none")
        await _replies(socket)
        await socket.send_json({"action": "auth", "key": self._keys.key, "secret": self._keys.secret})
        await _replies(socket)
        channels = [*_channels(wanted), *([] if self._is_crypto else ["statuses"])]
        await socket.send_json({"action": "subscribe", **{channel: list(wanted.symbols) for channel in channels}})
        answer = await _replies(socket)
        for channel in channels:
            granted = getattr(answer, channel, list(wanted.symbols))
            missing = [symbol for symbol in wanted.symbols if symbol not in granted]
            if missing:
                raise LostError("protocol", f"{channel} of {', '.join(missing[:5])} must be subscribed to, was not")

    async def trades(self, rest: Rest, symbol: str, after_id: int, since_ns: int, now_ns: int) -> Sequence[Trade]:
        body = await self._get(rest, "trades", {"symbols": symbol, "start": iso(since_ns), "limit": str(self.page)})
        found = (read(_TRADES, body).trades or {}).get(symbol, [])
        return [_trade(symbol, one, now_ns) for one in found]

    async def latest(self, rest: Rest, symbol: str, now_ns: int) -> tuple[int, int]:
        asked = {"symbols": symbol, "start": iso(now_ns - 900_000_000_000), "limit": "1", "sort": "desc"}
        found = (read(_TRADES, await self._get(rest, "trades", asked)).trades or {}).get(symbol, [])
        return (trade_number(found[0].i, found[0].x), _ns(found[0].t)) if found else (0, 0)

    async def bars(
        self, rest: Rest, symbol: str, timeframe: str, first_ns: int, last_ns: int, now_ns: int
    ) -> Sequence[Candle]:
        asked = {
            "symbols": symbol, "timeframe": TIMEFRAMES[timeframe], "start": iso(first_ns), "end": iso(last_ns),
            "limit": str(self.page), "adjustment": "split",
        }  # fmt: skip
        found = (read(_BARS, await self._get(rest, "bars", asked)).bars or {}).get(symbol, [])
        candles = [_candle(symbol, timeframe, one, now_ns) for one in found]
        return [one for one in candles if one[3] <= now_ns]

    async def _get(self, rest: Rest, what: str, query: Mapping[str, str]) -> bytes:
        headers = {"APCA-API-KEY-ID": self._keys.key, "APCA-API-SECRET-KEY": self._keys.secret}
        if self._is_crypto:
            asked = {name: value for name, value in query.items() if name != "adjustment"}
            return await rest.get(f"/v1beta3/crypto/us/{what}", asked, headers)
        feed = {"sort": "asc", "feed": "sip" if self._source == "delayed_sip" else self._source}
        return await rest.get(f"/v2/stocks/{what}", {**feed, **query}, headers)


def refuse(code: int, text: str) -> None:
    """What an error of the stream means. Raises FeedRefusedError or LostError."""
    told = f"alpaca: error {code}: {text[:120]}"
    if code in FATAL:
        raise FeedRefusedError(told)
    raise LostError("busy" if code == BUSY else "protocol", told, BUSY_S if code == BUSY else 0.0)


async def _replies(socket: Socket) -> Reply:
    """The next answer. Raises LostError or FeedRefusedError."""
    message = await socket.receive()
    if message.type not in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
        raise LostError("closed", f"code {socket.close_code or 1006} while logging in")
    answer = read(_REPLIES, message.data)
    for one in answer:
        if one.kind == "error":
            refuse(one.code, one.msg)
    return answer[0] if answer else Reply()


def _channels(wanted: Wanted) -> list[str]:
    named = ["trades"] if wanted.kind == "trades" else ["bars", "updatedBars"]
    return [*named, "quotes"] if wanted.quotes else named


def _trade(symbol: str, one: RestTrade, now_ns: int) -> Trade:
    side = {"B": BUYER, "S": SELLER}.get(one.tks, UNKNOWN_SIDE)
    return symbol, _ns(one.t), now_ns, one.p, one.s, side, trade_number(one.i, one.x)


def _candle(symbol: str, timeframe: str, one: RestBar, now_ns: int) -> Candle:
    open_ns = _ns(one.t)
    return (
        symbol, timeframe, open_ns, open_ns + LENGTH_NS[timeframe], now_ns, one.o, one.h, one.l, one.c, one.v, one.n,
    )  # fmt: skip


def _ns(text: str) -> int:
    try:
        return rfc3339_ns(text)
    except msgspec.ValidationError as error:
        raise LostError("protocol", str(error)) from None
