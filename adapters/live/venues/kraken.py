"""Kraken spot: stream v2, public REST. Trades are numbered one by one and asked for by time."""

from collections.abc import Iterable, Sequence
from typing import Final, TypeVar

import msgspec

from adapters.codecs.codec import Codec
from adapters.codecs.fields import NS_PER_S, Count, Identity, Number, Seconds, decoder
from adapters.codecs.kraken import KrakenCodec
from adapters.codecs.times import decimal_ns
from adapters.live.intake import Candle, Trade
from adapters.live.lost import LostError
from adapters.live.rest import Rest, read
from adapters.live.venue import Wanted
from adapters.live.venues.public import PublicVenue
from engine.blocks import BUYER, SELLER
from engine.timeframes import LENGTH_NS

STREAM: Final = "wss://ws.kraken.com/v2"
REST: Final = "https://api.kraken.com"

MINUTES: Final = {"1m": 1, "5m": 5, "15m": 15, "1h": 60, "4h": 240, "1d": 1440}
OLD_NAMES: Final = {"BTC": "XBT", "DOGE": "XDG"}
"""REST knows some assets by the names that the first stream had."""

SEARCH_NS: Final = 3_600 * NS_PER_S
"""History is asked for by time: so far back a number is looked for whose time nobody knows."""


class RestTrade(msgspec.Struct, array_like=True):
    price: Number
    size: Number
    time: msgspec.Raw
    side: str
    kind: str
    misc: str
    number: Identity


class RestCandle(msgspec.Struct, array_like=True):
    open_s: Seconds
    open: Number
    high: Number
    low: Number
    close: Number
    mean: Number
    volume: Number
    trades: Count


class Answer(msgspec.Struct):
    error: list[str]
    result: dict[str, msgspec.Raw] = {}


R = TypeVar("R")

_ANSWER: Final = decoder(Answer)
_TRADES: Final = decoder(list[RestTrade])
_CANDLES: Final = decoder(list[RestCandle])


class KrakenFeedVenue(PublicVenue):
    name = "kraken"
    time_ns = None
    """It tells whole seconds."""

    def __init__(self, stream_url: str = "", rest_url: str = "") -> None:
        super().__init__(stream_url or STREAM, rest_url or REST)

    def codec(self) -> Codec:
        return KrakenCodec()

    def subscriptions(self, wanted: Wanted) -> Iterable[object]:
        symbols = list(wanted.symbols)
        if wanted.kind == "trades":
            yield _subscribe({"channel": "trade", "symbol": symbols, "snapshot": False})
        else:
            yield _subscribe({"channel": "ohlc", "symbol": symbols, "interval": MINUTES[wanted.timeframe]})
        if wanted.quotes:
            yield _subscribe({"channel": "ticker", "symbol": symbols, "event_trigger": "bbo"})

    async def trades(self, rest: Rest, symbol: str, after_id: int, since_ns: int, now_ns: int) -> Sequence[Trade]:
        """By number it is looked for in the last hour: what is older was missed for longer than a feed may be away."""
        first_ns = since_ns if after_id <= 0 else now_ns - SEARCH_NS
        found: list[Trade] = []
        while True:
            asked = {"pair": _pair(symbol), "since": str(first_ns - 1), "count": str(self.page)}
            page = [_trade(symbol, one, now_ns) for one in _rows(await self._ask(rest, "Trades", asked), _TRADES)]
            found += [one for one in page if one[6] > after_id]
            if after_id <= 0 or len(found) >= self.page or len(page) < self.page or page[-1][1] < first_ns:
                return found[: self.page]
            first_ns = page[-1][1] + 1

    async def latest(self, rest: Rest, symbol: str, now_ns: int) -> tuple[int, int]:
        found = _rows(await self._ask(rest, "Trades", {"pair": _pair(symbol), "count": "1"}), _TRADES)
        return (found[-1].number, _time_ns(found[-1])) if found else (0, 0)

    async def bars(
        self, rest: Rest, symbol: str, timeframe: str, first_ns: int, last_ns: int, now_ns: int
    ) -> Sequence[Candle]:
        """The last 720 at most, whatever is asked for."""
        if timeframe not in MINUTES:
            return []
        asked = {"pair": _pair(symbol), "interval": str(MINUTES[timeframe]), "since": str(first_ns // NS_PER_S - 1)}
        found = _rows(await self._ask(rest, "OHLC", asked), _CANDLES)
        candles = [_candle(symbol, timeframe, one, now_ns) for one in found]
        return [one for one in candles if first_ns <= one[2] <= last_ns and one[3] <= now_ns]

    async def metadata(self, rest: Rest, symbols: Sequence[str]) -> bytes:
        return await rest.get("/0/public/AssetPairs", {"pair": ",".join(map(_pair, symbols))})

    async def _ask(self, rest: Rest, what: str, query: dict[str, str]) -> Answer:
        """Raises LostError where Kraken answers with an error."""
        answer = read(_ANSWER, await rest.get(f"/0/public/{what}", query))
        if answer.error:
            waits = any("limit" in one.lower() for one in answer.error)
            raise LostError("status" if waits else "protocol", ", ".join(answer.error)[:120], 5.0 if waits else 0.0)
        return answer


def _rows(answer: Answer, decoding: msgspec.json.Decoder[list[R]]) -> list[R]:
    """Those of the one pair that was asked for; beside it stands where to go on."""
    pair = next((raw for name, raw in answer.result.items() if name != "last"), None)
    return [] if pair is None else read(decoding, bytes(pair))


def _trade(symbol: str, one: RestTrade, now_ns: int) -> Trade:
    side = BUYER if one.side == "b" else SELLER
    return symbol, _time_ns(one), now_ns, one.price, one.size, side, one.number


def _time_ns(one: RestTrade) -> int:
    try:
        return decimal_ns(bytes(one.time).decode().strip('"'), NS_PER_S)
    except (msgspec.ValidationError, UnicodeDecodeError) as error:
        raise LostError("protocol", str(error)) from None


def _candle(symbol: str, timeframe: str, one: RestCandle, now_ns: int) -> Candle:
    open_ns = one.open_s * NS_PER_S
    close_ns = open_ns + LENGTH_NS[timeframe]
    return symbol, timeframe, open_ns, close_ns, now_ns, one.open, one.high, one.low, one.close, one.volume, one.trades


def _pair(symbol: str) -> str:
    return "".join(OLD_NAMES.get(part, part) for part in symbol.split("/"))


def _subscribe(params: dict[str, object]) -> dict[str, object]:
    return {"method": "subscribe", "params": params}
