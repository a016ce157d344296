"""Bybit, public WebSocket v5: topics with one `data` each; linear, inverse, spot and options alike.

Tickers of contracts come as a snapshot and then as what has changed, so the sides of each symbol's
quote are remembered. Spot tickers carry no quotes. Candles say when they are confirmed. Trade ids
are UUIDs on contracts and numbers on spot.
"""

from typing import Literal

from msgspec import Raw, Struct, ValidationError

from adapters.codecs.candles import Candle, give_bar, on_grid
from adapters.codecs.codec import RowBuffer
from adapters.codecs.fields import DAMAGED, NS_PER_MS, Milliseconds, Price, Size, Symbol, decoder
from adapters.codecs.quotes import Quote, give_quotes, side
from adapters.texts import identity
from engine.blocks import BUYER, SELLER

MOST_QUOTED = 4_096
"""Symbols whose quotes are remembered; beyond that the first is forgotten until its next snapshot."""

_HEAD = 80
"""Where the topic stands, whichever field comes first."""

_PASSED = {
    "orderbook": "book", "liquidation": "liquidation", "allLiquidation": "liquidation",
    "insurance": "notice", "adlAlert": "notice", "priceLimit": "notice", "system": "notice",
}  # fmt: skip
_TIMEFRAMES = {"1": "1m", "5": "5m", "15": "15m", "60": "1h", "240": "4h", "D": "1d", "W": "1w"}
_SIDES = {"Buy": BUYER, "Sell": SELLER}

_Sides = tuple[str | None, str | None, str | None, str | None]
"""Bid, its size, ask, its size as last written; None before the venue has written it."""

_NOTHING: _Sides = (None, None, None, None)


class _Message(Struct):
    topic: str = ""
    type: str = ""
    ts: Milliseconds | None = None
    data: Raw = Raw()
    op: str = ""
    success: bool | None = None
    conn_id: str = ""


class _Trade(Struct):
    T: Milliseconds
    s: Symbol
    S: Literal["Buy", "Sell"]
    v: Size
    p: Price
    i: str


class _Ticker(Struct, rename={"bid": "bid1Price", "bid_size": "bid1Size", "ask": "ask1Price", "ask_size": "ask1Size"}):
    """A side without a quote is ""; what a delta does not name has not changed."""

    symbol: Symbol
    bid: str | None = None
    bid_size: str | None = None
    ask: str | None = None
    ask_size: str | None = None


class _Candle(Struct):
    start: Milliseconds
    open: Price
    high: Price
    low: Price
    close: Price
    volume: Size
    confirm: bool


_message = decoder(_Message)
_trades = decoder(list[_Trade])
_ticker = decoder(_Ticker)
_candles = decoder(list[_Candle])


class BybitCodec:
    def __init__(self) -> None:
        self._quoted: dict[str, _Sides] = {}

    def decode(self, frame: bytes, received_ns: int, rows: RowBuffer) -> None:
        if b'"topic":"orderbook.' in frame[:_HEAD] and frame.startswith(b"{") and frame.endswith(b"}"):
            rows.passed("book")
            return
        try:
            self._decode(_message.decode(frame), received_ns, rows)
        except DAMAGED:
            rows.malformed()

    def _decode(self, message: _Message, received_ns: int, rows: RowBuffer) -> None:
        channel, _, rest = message.topic.partition(".")
        wanted = {"publicTrade": rows.wants_trades, "tickers": rows.wants_quotes, "kline": rows.wants_bars}
        if not wanted.get(channel, True):
            rows.skipped()
            return
        match channel:
            case "publicTrade":
                _give_trades(_trades.decode(message.data), received_ns, rows)
            case "tickers":
                self._take_ticker(message, received_ns, rows)
            case "kline":
                _give_candles(rest, _candles.decode(message.data), received_ns, rows)
            case "":
                _answer(message, rows)
            case known if known in _PASSED:
                rows.passed(_PASSED[known])
            case other:
                rows.unknown(other)

    def _take_ticker(self, message: _Message, received_ns: int, rows: RowBuffer) -> None:
        ticker = _ticker.decode(message.data)
        known = self._quoted.get(ticker.symbol, _NOTHING) if message.type == "delta" else _NOTHING
        told: _Sides = (ticker.bid, ticker.bid_size, ticker.ask, ticker.ask_size)
        sides = _merged(known, told)
        quotes = _quotes(ticker.symbol, message.ts, sides)
        self._remember(ticker.symbol, sides)
        if not quotes or told == _NOTHING:
            rows.passed("ticker")
        else:
            give_quotes(quotes, received_ns, rows)

    def _remember(self, symbol: str, sides: _Sides) -> None:
        if symbol not in self._quoted and len(self._quoted) == MOST_QUOTED:
            del self._quoted[next(iter(self._quoted))]
        self._quoted[symbol] = sides


def _merged(known: _Sides, told: _Sides) -> _Sides:
    bid, bid_size, ask, ask_size = (old if new is None else new for old, new in zip(known, told, strict=True))
    return bid, bid_size, ask, ask_size


def _quotes(symbol: str, time_ms: int | None, sides: _Sides) -> list[Quote]:
    """One quote once all of it has been written, else none."""
    if time_ms is None:
        raise ValidationError("a ticker must have ts")
    if None in sides:
        return []
    bid, bid_size, ask, ask_size = sides
    return [Quote(symbol, time_ms * NS_PER_MS, *side(bid, bid_size), *side(ask, ask_size))]


def _give_trades(trades: list[_Trade], received_ns: int, rows: RowBuffer) -> None:
    for trade in trades:
        time_ns = trade.T * NS_PER_MS
        rows.trade(trade.s, time_ns, received_ns, trade.p, trade.v, _SIDES[trade.S], identity(trade.i))
    if not trades:
        rows.passed("empty")


def _give_candles(topic: str, candles: list[_Candle], received_ns: int, rows: RowBuffer) -> None:
    """`topic` is `interval.symbol`; one frame may close a candle and open the next."""
    interval, _, symbol = topic.partition(".")
    timeframe = _TIMEFRAMES.get(interval, "")
    if not symbol:
        raise ValidationError(f"a kline topic must name interval and symbol, was {topic[:40]!r}")
    kept = on_grid(_candle(symbol, timeframe, each) for each in candles if timeframe)
    closed = {each.start for each in candles if each.confirm}
    for candle in kept:
        if candle.open_ns // NS_PER_MS in closed:
            give_bar(candle, received_ns, rows)
        else:
            rows.unfinished()
    if not kept:
        rows.passed("other_interval")


def _candle(symbol: str, timeframe: str, each: _Candle) -> Candle:
    open_ns = each.start * NS_PER_MS
    return Candle(symbol, timeframe, open_ns, each.open, each.high, each.low, each.close, each.volume)


def _answer(message: _Message, rows: RowBuffer) -> None:
    """What the venue says to a request; options answer as COMMAND_RESP."""
    if message.op in ("ping", "pong") and message.conn_id:
        rows.passed("heartbeat")
    elif (message.op or message.type) in ("subscribe", "unsubscribe", "auth", "COMMAND_RESP") and message.conn_id:
        rows.passed("acknowledgement" if message.success else "refusal")
    else:
        rows.unknown(message.op or message.type or "no topic")
