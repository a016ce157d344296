"""KuCoin spot, public WebSocket: a `topic` and one `data` a message.

Matches and candles are stamped in nanoseconds, matches as text; tickers in milliseconds. Trade ids
were hexadecimal and are decimal now: `adapters.texts.identity` reads both. Candles have no closing
mark, whether they come as `add` or `update`.
"""

from typing import Literal

from msgspec import Raw, Struct, ValidationError

from adapters.codecs.candles import Candle, OpenCandles
from adapters.codecs.codec import RowBuffer
from adapters.codecs.fields import (
    DAMAGED,
    NS_PER_MS,
    NS_PER_S,
    Milliseconds,
    Nanoseconds,
    Price,
    Seconds,
    Size,
    Symbol,
    decoder,
)
from adapters.codecs.quotes import Quote, Written, give_quotes, side
from adapters.texts import identity
from engine.blocks import BUYER, SELLER

_DELTA, _DEPTH = b'"subject":"trade.l2update"', b'"subject":"level2"'
"""Order books are told by these without being read; old frames put the subject last."""

_ANSWERS = {"welcome": "status", "ack": "acknowledgement", "pong": "heartbeat", "error": "refusal"}
_PASSED = {
    "/market/level2": "book", "/spotMarket/level2Depth5": "book", "/spotMarket/level2Depth50": "book",
    "/market/snapshot": "ticker", "/indicator/index": "index", "/indicator/markPrice": "index",
}  # fmt: skip
_TIMEFRAMES = {
    "1min": "1m", "5min": "5m", "15min": "15m", "1hour": "1h", "4hour": "4h", "1day": "1d", "1week": "1w",
}  # fmt: skip
_SIDES = {"buy": BUYER, "sell": SELLER}


class _Message(Struct):
    type: str
    id: str = ""
    topic: str = ""
    subject: str = ""
    data: Raw = Raw()


class _Match(Struct, rename="camel"):
    symbol: Symbol
    side: Literal["buy", "sell"]
    size: Size
    price: Price
    time: Nanoseconds
    trade_id: str


class _Ticker(Struct, rename="camel"):
    best_bid: Written
    best_bid_size: Written
    best_ask: Written
    best_ask_size: Written
    time: Milliseconds


class _Level(Struct, array_like=True):
    price: Written
    size: Written


class _Level1(Struct):
    asks: _Level | None
    bids: _Level | None
    timestamp: Milliseconds


class _Candle(Struct, array_like=True):
    time: Seconds
    open: Price
    close: Price
    high: Price
    low: Price
    volume: Size


class _Candles(Struct):
    symbol: Symbol
    candles: _Candle


_message = decoder(_Message)
_match = decoder(_Match)
_ticker = decoder(_Ticker)
_level1 = decoder(_Level1)
_candles = decoder(_Candles)


class KucoinCodec:
    def __init__(self) -> None:
        self._open = OpenCandles()

    def decode(self, frame: bytes, received_ns: int, rows: RowBuffer) -> None:
        if (_DELTA in frame or _DEPTH in frame) and frame.startswith(b"{") and frame.endswith(b"}"):
            rows.passed("book")
            return
        try:
            self._decode(_message.decode(frame), received_ns, rows)
        except DAMAGED:
            rows.malformed()

    def _decode(self, message: _Message, received_ns: int, rows: RowBuffer) -> None:
        if message.type == "message":
            self._read(message, received_ns, rows)
        elif message.type in _ANSWERS and message.id:
            rows.passed(_ANSWERS[message.type])
        else:
            rows.unknown(message.type)

    def _read(self, message: _Message, received_ns: int, rows: RowBuffer) -> None:
        channel, _, rest = message.topic.partition(":")
        # Of all symbols at once, the ticker names its own in the subject.
        symbol = message.subject if rest == "all" else rest
        wanted = {
            "/market/match": rows.wants_trades,
            "/market/ticker": rows.wants_quotes,
            "/spotMarket/level1": rows.wants_quotes,
            "/market/candles": rows.wants_bars,
        }
        if not wanted.get(channel, True):
            rows.skipped()
            return
        match channel:
            case "/market/match":
                _give_trade(_match.decode(message.data), received_ns, rows)
            case "/market/ticker":
                ticker = _ticker.decode(message.data)
                sides = *side(ticker.best_bid, ticker.best_bid_size), *side(ticker.best_ask, ticker.best_ask_size)
                _give_quote(symbol, ticker.time, sides, received_ns, rows)
            case "/spotMarket/level1":
                best = _level1.decode(message.data)
                _give_quote(symbol, best.timestamp, (*_side(best.bids), *_side(best.asks)), received_ns, rows)
            case "/market/candles":
                self._give_candle(rest, _candles.decode(message.data), received_ns, rows)
            case known if known in _PASSED:
                rows.passed(_PASSED[known])
            case other:
                rows.unknown(other)

    def _give_candle(self, topic: str, told: _Candles, received_ns: int, rows: RowBuffer) -> None:
        """`topic` is `BTC-USDT_1min`."""
        timeframe = _TIMEFRAMES.get(topic.rpartition("_")[2])
        if timeframe is None:
            rows.passed("other_interval")
            return
        each = told.candles
        open_ns = each.time * NS_PER_S
        candle = Candle(told.symbol, timeframe, open_ns, each.open, each.high, each.low, each.close, each.volume)
        self._open.give([candle], received_ns, rows)


def _give_trade(match: _Match, received_ns: int, rows: RowBuffer) -> None:
    trade_id = identity(match.trade_id)
    rows.trade(match.symbol, match.time, received_ns, match.price, match.size, _SIDES[match.side], trade_id)


def _give_quote(
    symbol: str, time_ms: int, sides: tuple[float, float, float, float], received_ns: int, rows: RowBuffer
) -> None:
    if not symbol:
        raise ValidationError("a ticker's topic must name a symbol")
    give_quotes([Quote(symbol, time_ms * NS_PER_MS, *sides)], received_ns, rows)


def _side(level: _Level | None) -> tuple[float, float]:
    return (0.0, 0.0) if level is None else side(level.price, level.size)
