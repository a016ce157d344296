"""Bitfinex, public WebSocket v2: arrays by channel number, which `subscribed` events announce.

A trade is told twice with one id: `te` at once, `tu` when it has been booked, which the venue warns
may take long; so `te` is the row. The snapshot before them is newest first and given oldest first.
The sizes of a ticker are the venue's sums of the 25 best orders a side, its time that of receipt.
"""

from typing import NamedTuple

from msgspec import Raw, Struct, ValidationError

from adapters.codecs.candles import Candle, OpenCandles
from adapters.codecs.codec import RowBuffer
from adapters.codecs.fields import DAMAGED, NS_PER_MS, Identity, Milliseconds, Number, Price, Size, decoder
from adapters.codecs.quotes import Quote, Written, give_quotes, side

MOST_CHANNELS = 1_024
"""The venue allows 25 a connection; announcements beyond this are not remembered."""

_TIMEFRAMES = {
    "1m": "1m", "5m": "5m", "15m": "15m", "1h": "1h", "4h": "4h", "1D": "1d", "1W": "1w", "7D": "1w",
}  # fmt: skip
_PASSED = {"book": "book", "status": "status", "funding": "funding", "other_interval": "other_interval"}
_WORDS = {b'"hb"': "heartbeat", b'"cs"': "book", b'"tu"': "repeated_trade"}
"""Heartbeats of a channel may come before it is announced."""


class Channel(NamedTuple):
    """`kind` is the channel's name, or why its frames are passed."""

    kind: str
    symbol: str
    timeframe: str = ""


class _Event(Struct):
    event: str
    channel: str = ""
    chanId: Identity | None = None  # noqa: N815 - the venue's name
    symbol: str = ""
    key: str = ""
    code: int | None = None
    version: int | None = None
    status: str = ""
    ts: int | None = None


class _Update(Struct, array_like=True):
    """`body` is a word, a row or a list of rows; a word's row follows in `row`."""

    channel: Identity
    body: Raw
    row: Raw = Raw()


class _Trade(Struct, array_like=True):
    id: Identity
    time: Milliseconds
    amount: Number
    price: Price


class _Ticker(Struct, array_like=True):
    bid: Written
    bid_size: Written
    ask: Written
    ask_size: Written


class _Candle(Struct, array_like=True):
    time: Milliseconds
    open: Price
    close: Price
    high: Price
    low: Price
    volume: Size


_event = decoder(_Event)
_update = decoder(_Update)
_trades = decoder(list[_Trade])
_ticker = decoder(_Ticker)
_candles = decoder(list[_Candle])


class BitfinexCodec:
    def __init__(self) -> None:
        self._channels: dict[int, Channel] = {}
        self._books: dict[bytes, None] = {}
        self._open = OpenCandles()

    def decode(self, frame: bytes, received_ns: int, rows: RowBuffer) -> None:
        number, comma, rest = frame[:24].partition(b",")
        if comma and number[1:] in self._books and rest.startswith(b"[") and frame.endswith(b"]"):
            rows.passed("book")
            return
        try:
            if frame.startswith(b"{"):
                self._hear(_event.decode(frame), rows)
            else:
                self._decode(_update.decode(frame), received_ns, rows)
        except DAMAGED:
            rows.malformed()

    def _decode(self, update: _Update, received_ns: int, rows: RowBuffer) -> None:
        channel = self._channels.get(update.channel)
        body = bytes(update.body)
        if body in _WORDS:
            rows.passed(_WORDS[body])
        elif channel is None:
            rows.unknown("channel that was not announced")
        elif channel.kind in _PASSED:
            rows.passed(_PASSED[channel.kind])
        elif body == b'"te"' and channel.kind == "trades":
            self._read(channel, b"[%b]" % bytes(update.row), received_ns, rows)
        elif body.startswith(b'"'):
            rows.unknown(body.decode())
        else:
            self._read(channel, body, received_ns, rows)

    def _read(self, channel: Channel, body: bytes, received_ns: int, rows: RowBuffer) -> None:
        """`body` is a row, or a list of rows."""
        wanted = {"trades": rows.wants_trades, "ticker": rows.wants_quotes, "candles": rows.wants_bars}
        if not wanted[channel.kind]:
            rows.skipped()
        elif channel.kind == "trades":
            _give_trades(channel.symbol, _trades.decode(body), received_ns, rows)
        elif channel.kind == "candles":
            candles = _candles.decode(body if body.startswith((b"[[", b"[]")) else b"[%b]" % body)
            self._open.give([_candle(channel, each) for each in candles], received_ns, rows)
        else:
            best = _ticker.decode(body)
            sides = *side(best.bid, best.bid_size), *side(best.ask, best.ask_size)
            give_quotes([Quote(channel.symbol, received_ns, *sides)], received_ns, rows)

    def _hear(self, event: _Event, rows: RowBuffer) -> None:
        match event:
            case _Event(event="subscribed", chanId=int(number)) if event.channel:
                self._announce(number, event, rows)
            case _Event(event="unsubscribed", chanId=int(number)):
                self._forget(number)
                rows.passed("acknowledgement")
            case _Event(event="conf" | "auth") if event.status:
                rows.passed("acknowledgement")
            case _Event(event="info", version=int()) | _Event(event="info", code=int()):
                rows.passed("status")
            case _Event(event="error", code=int()):
                rows.passed("refusal")
            case _Event(event="pong", ts=int()):
                rows.passed("heartbeat")
            case _:
                rows.unknown(event.event)

    def _announce(self, number: int, event: _Event, rows: RowBuffer) -> None:
        channel = _announced(event)
        if channel is None:
            rows.unknown(event.channel)
            return
        rows.passed("acknowledgement")
        if number not in self._channels and len(self._channels) == MOST_CHANNELS:
            return
        self._forget(number)
        self._channels[number] = channel
        if channel.kind == "book":
            self._books[str(number).encode()] = None

    def _forget(self, number: int) -> None:
        self._channels.pop(number, None)
        self._books.pop(str(number).encode(), None)


def _announced(event: _Event) -> Channel | None:
    """None where no such channel is known. Funding symbols begin with f."""
    interval, symbol = _keyed(event.key) if event.channel == "candles" else ("", event.symbol)
    if event.channel in ("book", "status"):
        return Channel(event.channel, symbol)
    if event.channel not in ("trades", "ticker", "candles"):
        return None
    if not symbol:
        raise ValidationError(f"a channel of {event.channel} must name a symbol")
    if symbol.startswith("f"):
        return Channel("funding", symbol)
    if event.channel == "candles" and interval not in _TIMEFRAMES:
        return Channel("other_interval", symbol)
    return Channel(event.channel, symbol, _TIMEFRAMES.get(interval, ""))


def _keyed(key: str) -> tuple[str, str]:
    """`trade:1m:tBTCUSD` names timeframe and symbol."""
    _, _, rest = key.partition(":")
    interval, _, symbol = rest.partition(":")
    return interval, symbol


def _give_trades(symbol: str, trades: list[_Trade], received_ns: int, rows: RowBuffer) -> None:
    if any(trade.amount == 0 for trade in trades):
        raise ValidationError("a trade must have an amount, was 0")
    for trade in sorted(trades, key=_order):
        bought = 1 if trade.amount > 0 else -1
        time_ns = trade.time * NS_PER_MS
        rows.trade(symbol, time_ns, received_ns, trade.price, abs(trade.amount), bought, trade.id)
    if not trades:
        rows.passed("empty")


def _order(trade: _Trade) -> tuple[int, int]:
    return trade.time, trade.id


def _candle(channel: Channel, candle: _Candle) -> Candle:
    return Candle(
        channel.symbol, channel.timeframe, candle.time * NS_PER_MS,
        candle.open, candle.high, candle.low, candle.close, candle.volume,
    )  # fmt: skip
