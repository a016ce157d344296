"""Kraken spot, WebSocket v1: `[channel, data, name, pair]`, and objects for everything else.

Trades carry no ids. The ticker has no time, so its quotes bear the time of receipt; the spread
channel has one. Candles are stamped with their end, and have no closing mark.
"""

from typing import Literal

from msgspec import Raw, Struct, ValidationError

from adapters.codecs.candles import Candle, OpenCandles
from adapters.codecs.codec import RowBuffer
from adapters.codecs.fields import DAMAGED, NS_PER_S, Count, Price, Size, Symbol, decoder
from adapters.codecs.quotes import Quote, Written, give_quotes, side
from adapters.codecs.times import decimal_ns
from engine.blocks import BUYER, SELLER
from engine.timeframes import LENGTH_NS

_TAIL = 48
"""Where the channel's name stands: the last two texts of a frame."""

_EVENTS = {"heartbeat": "heartbeat", "pong": "heartbeat", "systemStatus": "status"}
_TIMEFRAMES = {
    "ohlc-1": "1m", "ohlc-5": "5m", "ohlc-15": "15m", "ohlc-60": "1h", "ohlc-240": "4h", "ohlc-1440": "1d",
    "ohlc-10080": "1w",
}  # fmt: skip
_SIDES = {"b": BUYER, "s": SELLER}


class _Frame(Struct, array_like=True):
    channel: int
    data: Raw
    name: str
    pair: Symbol


class _Event(Struct):
    event: str
    status: str = ""
    errorMessage: str = ""  # noqa: N815 - the venue's name
    ts: int | None = None


class _Trade(Struct, array_like=True):
    price: Price
    volume: Size
    time: str
    side: Literal["b", "s"]


class _Best(Struct, array_like=True):
    price: Written
    whole_lots: Written
    lots: Written


class _Ticker(Struct):
    a: _Best
    b: _Best


class _Spread(Struct, array_like=True):
    bid: Written
    ask: Written
    time: str
    bid_volume: Written
    ask_volume: Written


class _Candle(Struct, array_like=True):
    time: str
    end: str
    open: Price
    high: Price
    low: Price
    close: Price
    vwap: Size
    volume: Size
    count: Count


_frame = decoder(_Frame)
_event = decoder(_Event)
_trades = decoder(list[_Trade])
_ticker = decoder(_Ticker)
_spread = decoder(_Spread)
_candle = decoder(_Candle)


class KrakenV1Codec:
    def __init__(self) -> None:
        self._open = OpenCandles()

    def decode(self, frame: bytes, received_ns: int, rows: RowBuffer) -> None:
        try:
            if frame.startswith(b"{"):
                _tell(_event.decode(frame), rows)
            elif b',"book-' in frame[-_TAIL:] and frame.startswith(b"[") and frame.endswith(b'"]'):
                rows.passed("book")
            else:
                self._decode(_frame.decode(frame), received_ns, rows)
        except DAMAGED:
            rows.malformed()

    def _decode(self, frame: _Frame, received_ns: int, rows: RowBuffer) -> None:
        wanted = {"trade": rows.wants_trades, "ticker": rows.wants_quotes, "spread": rows.wants_quotes}
        if not wanted.get(frame.name, rows.wants_bars or frame.name not in _TIMEFRAMES):
            rows.skipped()
            return
        match frame.name:
            case "trade":
                _give_trades(frame.pair, _trades.decode(frame.data), received_ns, rows)
            case "ticker":
                best = _ticker.decode(frame.data)
                sides = *side(best.b.price, best.b.lots), *side(best.a.price, best.a.lots)
                give_quotes([Quote(frame.pair, received_ns, *sides)], received_ns, rows)
            case "spread":
                spread = _spread.decode(frame.data)
                sides = *side(spread.bid, spread.bid_volume), *side(spread.ask, spread.ask_volume)
                give_quotes([Quote(frame.pair, decimal_ns(spread.time, NS_PER_S), *sides)], received_ns, rows)
            case known if known in _TIMEFRAMES:
                self._open.give([_read(frame, _TIMEFRAMES[known])], received_ns, rows)
            case other if other.startswith("ohlc-"):
                rows.passed("other_interval")
            case other if other.startswith("book-"):
                rows.passed("book")
            case other:
                rows.unknown(other)


def _give_trades(pair: str, trades: list[_Trade], received_ns: int, rows: RowBuffer) -> None:
    times = [decimal_ns(trade.time, NS_PER_S) for trade in trades]
    for time_ns, trade in zip(times, trades, strict=True):
        rows.trade(pair, time_ns, received_ns, trade.price, trade.volume, _SIDES[trade.side], 0)
    if not trades:
        rows.passed("empty")


def _read(frame: _Frame, timeframe: str) -> Candle:
    candle = _candle.decode(frame.data)
    open_ns = decimal_ns(candle.end, NS_PER_S) - LENGTH_NS[timeframe]
    if open_ns < 0:
        raise ValidationError(f"a candle must open after 1970, was {candle.end!r}")
    return Candle(
        frame.pair, timeframe, open_ns,
        candle.open, candle.high, candle.low, candle.close, candle.volume, candle.count,
    )  # fmt: skip


def _tell(event: _Event, rows: RowBuffer) -> None:
    """A pong with a time is another venue's."""
    if event.event == "subscriptionStatus":
        rows.passed("refusal" if event.status == "error" else "acknowledgement")
    elif event.event == "error" and event.errorMessage:
        rows.passed("refusal")
    elif event.event in _EVENTS and event.ts is None:
        rows.passed(_EVENTS[event.event])
    else:
        rows.unknown(event.event)
