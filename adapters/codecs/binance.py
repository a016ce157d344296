"""Binance market streams, spot and USD-M futures: trade, aggTrade, kline, bookTicker.

A combined stream wraps each message in `{"stream":..,"data":..}`, a raw stream does not; both are
read. What cannot concern us is told by the stream's or the event's name, without reading the frame.

Times are the trade's own (`T`), not the moment of sending (`E`). Spot quotes carry no time.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Generic, Literal, TypeVar

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from adapters.codecs.codec import RowBuffer
from adapters.codecs.fields import (
    DAMAGED,
    NS_PER_MS,
    Count,
    Identity,
    Milliseconds,
    Number,
    Symbol,
    decoder,
)
from engine.blocks import BUYER, SELLER
from engine.timeframes import LENGTH_NS, TIMEFRAMES


class Trade(Struct, rename={"event": "e", "symbol": "s", "number": "t", "price": "p", "size": "q", "time_ms": "T",
                            "buyer_is_maker": "m", "means": "X"}):  # fmt: skip
    """`means` is there on futures: what is not MARKET was paid by the insurance fund or deleveraged."""

    event: Literal["trade"]
    symbol: Symbol
    number: Identity
    price: Number
    size: Number
    time_ms: Milliseconds
    buyer_is_maker: bool
    means: str = "MARKET"


class AggregateTrade(Struct, rename={"event": "e", "symbol": "s", "number": "a", "price": "p", "size": "q",
                                     "time_ms": "T", "buyer_is_maker": "m"}):  # fmt: skip
    """Fills of one taker order at one price. Its numbers count apart from those of trades."""

    event: Literal["aggTrade"]
    symbol: Symbol
    number: Identity
    price: Number
    size: Number
    time_ms: Milliseconds
    buyer_is_maker: bool


class Candle(Struct, rename={"open_ms": "t", "last_ms": "T", "interval": "i", "open": "o", "high": "h", "low": "l",
                             "close": "c", "volume": "v", "trades": "n", "is_closed": "x"}):  # fmt: skip
    """`last_ms` is the last millisecond inside the interval."""

    open_ms: Milliseconds
    last_ms: Milliseconds
    interval: str
    open: Number
    high: Number
    low: Number
    close: Number
    volume: Number
    trades: Count
    is_closed: bool


class Kline(Struct, rename={"event": "e", "symbol": "s", "candle": "k"}):
    event: Literal["kline"]
    symbol: Symbol
    candle: Candle


class BookTicker(Struct, rename={"event": "e", "symbol": "s", "bid": "b", "bid_size": "B", "ask": "a", "ask_size": "A",
                                 "time_ms": "T"}):  # fmt: skip
    """`event` and `time_ms` are there on futures only."""

    symbol: Symbol
    bid: Number
    bid_size: Number
    ask: Number
    ask_size: Number
    event: Literal["bookTicker"] = "bookTicker"
    time_ms: Milliseconds | UnsetType = UNSET


Data = TypeVar("Data")


class Enveloped(Struct, Generic[Data]):
    data: Data


class Head(Struct, rename={"event": "e", "update": "u", "book": "lastUpdateId"}):
    """What tells an unusual frame apart: keys in another order, no envelope and no event."""

    stream: str = ""
    data: Raw | UnsetType = UNSET
    event: str = ""
    update: Raw | UnsetType = UNSET
    book: Raw | UnsetType = UNSET


class Reply(Struct, forbid_unknown_fields=True):
    """The answer to a request: a refusal has an `error`, or a `code` of its own."""

    id: int | str | None = None
    result: Raw | UnsetType = UNSET
    error: dict[str, Raw] | UnsetType = UNSET
    code: int | UnsetType = UNSET
    msg: str = ""


_PASSED: Final = {
    "depthUpdate": "book",
    "24hrTicker": "ticker",
    "24hrMiniTicker": "ticker",
    "1hTicker": "ticker",
    "4hTicker": "ticker",
    "1dTicker": "ticker",
    "avgPrice": "average_price",
    "markPriceUpdate": "mark_price",
    "forceOrder": "liquidation",
}
"""Events that carry no row of ours, and what they are counted as."""

_CHANNELS: Final = {"trade": "trade", "aggTrade": "aggTrade", "bookTicker": "bookTicker"}
_STREAMS_KEPT: Final = 4_096
"""Stream names whose event is remembered; a connection may carry 1,024."""

_ENVELOPE: Final = b'{"stream":"'
_EVENT: Final = b'{"e":"'
_HEADS: Final = decoder(Head)
_REPLIES: Final = decoder(Reply)


class BinanceCodec:
    """Of a symbol that is sent both as trades and as aggregate trades, the first to come is taken."""

    def __init__(self) -> None:
        self._events: dict[bytes, str] = {}
        self._sources: dict[str, str] = {}

    def decode(self, frame: bytes, received_ns: int, rows: RowBuffer) -> None:
        try:
            if frame.startswith(_ENVELOPE):
                stream = frame[11 : frame.find(b'"', 11)]
                event = self._events.get(stream) or self._event_of(stream)
                if event:
                    self._read(event, frame, received_ns, rows, wrapped=True)
                    return
            elif frame.startswith(_EVENT):
                event = frame[6 : frame.find(b'"', 6)].decode()
                if event in _READERS or event in _PASSED:
                    self._read(event, frame, received_ns, rows, wrapped=False)
                    return
            self._read_unusual(frame, received_ns, rows)
        except DAMAGED:
            rows.malformed()

    def _event_of(self, stream: bytes) -> str:
        """The event that a stream of this name carries, "" where the name does not say."""
        channel = stream.decode().partition("@")[2] if not stream.startswith(b"!") else stream.decode()[1:]
        event = _CHANNELS.get(channel, "")
        if channel.startswith("kline_"):
            event = "kline"
        elif channel.startswith("depth"):
            event = "depthUpdate"
        if len(self._events) < _STREAMS_KEPT:
            self._events[stream] = event
        return event

    def _read(self, event: str, frame: bytes, received_ns: int, rows: RowBuffer, *, wrapped: bool) -> None:
        """Raises what is in DAMAGED before it gives a row away."""
        if event in _PASSED:
            if not frame.endswith(b"}}" if wrapped else b"}"):
                _HEADS.decode(frame)
            rows.passed(_PASSED[event])
            return
        reader = _READERS[event]
        if not getattr(rows, reader.wanted):
            rows.skipped()
            return
        message = reader.wrapped.decode(frame).data if wrapped else reader.bare.decode(frame)
        if reader.is_print and self._sources.setdefault(message.symbol, event) != event:
            rows.passed("same_trades_again")
            return
        reader.give(message, received_ns, rows)

    def _read_unusual(self, frame: bytes, received_ns: int, rows: RowBuffer) -> None:
        head = _HEADS.decode(frame)
        stream = head.stream
        if head.data is not UNSET:
            frame = bytes(head.data)
            if not frame.startswith(b"{"):
                rows.unknown(stream or "data")
                return
            head = _HEADS.decode(frame)
        event = head.event or ("bookTicker" if head.update is not UNSET else "")
        if event in _READERS or event in _PASSED:
            self._read(event, frame, received_ns, rows, wrapped=False)
        elif event:
            rows.unknown(event)
        elif head.book is not UNSET:
            rows.passed("book")
        elif answer := _answer(frame):
            rows.passed(answer)
        else:
            rows.unknown(stream or "no event")


def _answer(frame: bytes) -> str:
    """`acknowledgement` or `refusal`; "" for a frame that answers no request."""
    try:
        reply = _REPLIES.decode(frame)
    except msgspec.ValidationError:
        return ""
    if reply.error is not UNSET or reply.code is not UNSET:
        return "refusal"
    return "" if reply.result is UNSET else "acknowledgement"


def _give_trade(trade: Trade, received_ns: int, rows: RowBuffer) -> None:
    if trade.means != "MARKET":
        rows.passed("no_market_trade")
    else:
        _give_aggregate(trade, received_ns, rows)


def _give_aggregate(trade: Trade | AggregateTrade, received_ns: int, rows: RowBuffer) -> None:
    side = SELLER if trade.buyer_is_maker else BUYER
    time_ns = trade.time_ms * NS_PER_MS
    rows.trade(trade.symbol, time_ns, received_ns, trade.price, trade.size, side, trade.number)


def _give_bar(kline: Kline, received_ns: int, rows: RowBuffer) -> None:
    candle = kline.candle
    open_ns, close_ns = candle.open_ms * NS_PER_MS, (candle.last_ms + 1) * NS_PER_MS
    if candle.interval not in TIMEFRAMES:
        rows.passed("other_timeframe")
    elif close_ns - open_ns != LENGTH_NS[candle.interval]:
        rows.malformed()
    elif not candle.is_closed:
        rows.unfinished()
    else:
        rows.bar(
            kline.symbol, candle.interval, open_ns, close_ns, received_ns,
            candle.open, candle.high, candle.low, candle.close, candle.volume, candle.trades,
        )  # fmt: skip


def _give_quote(quote: BookTicker, received_ns: int, rows: RowBuffer) -> None:
    time_ns = received_ns if quote.time_ms is UNSET else quote.time_ms * NS_PER_MS
    rows.quote(quote.symbol, time_ns, received_ns, quote.bid, quote.bid_size, quote.ask, quote.ask_size)


@dataclass(frozen=True, slots=True)
class _Reader(Generic[Data]):
    """`wanted` is the attribute of a row buffer that says whether anybody wants such rows."""

    wanted: str
    bare: msgspec.json.Decoder[Data]
    wrapped: msgspec.json.Decoder[Enveloped[Data]]
    give: Callable[[Data, int, RowBuffer], None]

    @property
    def is_print(self) -> bool:
        return self.wanted == "wants_trades"


_READERS: Final[dict[str, _Reader[Any]]] = {
    "trade": _Reader("wants_trades", decoder(Trade), decoder(Enveloped[Trade]), _give_trade),
    "aggTrade": _Reader("wants_trades", decoder(AggregateTrade), decoder(Enveloped[AggregateTrade]), _give_aggregate),
    "kline": _Reader("wants_bars", decoder(Kline), decoder(Enveloped[Kline]), _give_bar),
    "bookTicker": _Reader("wants_quotes", decoder(BookTicker), decoder(Enveloped[BookTicker]), _give_quote),
}
