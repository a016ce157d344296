"""Gate spot, WebSocket v4: `channel`, `event` and one `result` a frame.

Tickers carry no sizes; quotes come from `spot.book_ticker`. A candle counts base units only in `a`,
which older frames lack: their `v` is money of the quote currency and makes no bar. Where frames say
in `w` whether the window is closed that decides, else the next candle does.
"""

from typing import Literal

from msgspec import Raw, Struct, ValidationError

from adapters.codecs.candles import Candle, OpenCandles, give_bar, on_grid
from adapters.codecs.codec import RowBuffer
from adapters.codecs.fields import (
    DAMAGED,
    NS_PER_MS,
    NS_PER_S,
    Identity,
    Milliseconds,
    Price,
    Seconds,
    Size,
    Symbol,
    decoder,
)
from adapters.codecs.quotes import Quote, Written, give_quotes, side
from adapters.codecs.times import decimal_ns
from engine.blocks import BUYER, SELLER

_HEAD = 160
"""Where channel and event stand, before the result."""

_BOOKS = ("spot.order_book", "spot.order_book_update", "spot.obu")
_TIMEFRAMES = {"1m": "1m", "5m": "5m", "15m": "15m", "1h": "1h", "4h": "4h", "1d": "1d", "7d": "1w"}
_SIDES = {"buy": BUYER, "sell": SELLER}


class _Error(Struct):
    code: int


class _Message(Struct):
    channel: str
    event: str = ""
    result: Raw = Raw()
    error: _Error | None = None


class _Trade(Struct):
    id: Identity
    create_time_ms: str
    side: Literal["buy", "sell"]
    currency_pair: Symbol
    amount: Size
    price: Price


class _Best(Struct):
    t: Milliseconds
    s: Symbol
    b: Written
    B: Written
    a: Written
    A: Written


class _Candle(Struct):
    t: Seconds
    n: str
    o: Price
    h: Price
    l: Price  # noqa: E741 - the venue's name
    c: Price
    a: Size | None = None
    w: bool | None = None


_message = decoder(_Message)
_trade = decoder(_Trade)
_best = decoder(_Best)
_candle = decoder(_Candle)
_ticker = decoder(dict[str, Raw])


class GateCodec:
    def __init__(self) -> None:
        self._open = OpenCandles()

    def decode(self, frame: bytes, received_ns: int, rows: RowBuffer) -> None:
        head = frame[:_HEAD]
        if b'"channel":"spot.o' in head and b'"event":"update"' in head and frame.endswith(b"}"):
            rows.passed("book")
            return
        try:
            self._decode(_message.decode(frame), received_ns, rows)
        except DAMAGED:
            rows.malformed()

    def _decode(self, message: _Message, received_ns: int, rows: RowBuffer) -> None:
        if not message.channel.startswith("spot."):
            rows.unknown(message.channel)
        elif message.channel == "spot.pong":
            rows.passed("heartbeat")
        elif message.error is not None:
            rows.passed("refusal")
        elif message.event in ("subscribe", "unsubscribe"):
            rows.passed("acknowledgement")
        elif message.event in ("update", "all"):
            self._update(message, received_ns, rows)
        else:
            rows.unknown(f"{message.channel} {message.event}")

    def _update(self, message: _Message, received_ns: int, rows: RowBuffer) -> None:
        wanted = {
            "spot.trades": rows.wants_trades,
            "spot.book_ticker": rows.wants_quotes,
            "spot.candlesticks": rows.wants_bars,
        }
        if not wanted.get(message.channel, True):
            rows.skipped()
            return
        match message.channel:
            case "spot.trades":
                _give_trade(_trade.decode(message.result), received_ns, rows)
            case "spot.book_ticker":
                best = _best.decode(message.result)
                sides = *side(best.b, best.B), *side(best.a, best.A)
                give_quotes([Quote(best.s, best.t * NS_PER_MS, *sides)], received_ns, rows)
            case "spot.candlesticks":
                self._give_candle(_candle.decode(message.result), received_ns, rows)
            case "spot.tickers":
                _ticker.decode(message.result)
                rows.passed("ticker")
            case known if known in _BOOKS:
                rows.passed("book")
            case other:
                rows.unknown(other)

    def _give_candle(self, told: _Candle, received_ns: int, rows: RowBuffer) -> None:
        interval, _, symbol = told.n.partition("_")
        if not symbol:
            raise ValidationError(f"a candle must name interval and pair, was {told.n[:40]!r}")
        timeframe = _TIMEFRAMES.get(interval)
        if timeframe is None:
            rows.passed("other_interval")
        elif told.a is None:
            rows.passed("candle_in_money")
        else:
            open_ns = told.t * NS_PER_S
            candle = Candle(symbol, timeframe, open_ns, told.o, told.h, told.l, told.c, told.a)
            self._judge(candle, told.w, received_ns, rows)

    def _judge(self, candle: Candle, closed: bool | None, received_ns: int, rows: RowBuffer) -> None:
        if closed is None:
            self._open.give([candle], received_ns, rows)
        elif not on_grid([candle]):
            rows.passed("other_interval")
        elif closed:
            give_bar(candle, received_ns, rows)
        else:
            rows.unfinished()


def _give_trade(trade: _Trade, received_ns: int, rows: RowBuffer) -> None:
    time_ns = decimal_ns(trade.create_time_ms, NS_PER_MS)
    rows.trade(
        trade.currency_pair, time_ns, received_ns, trade.price, trade.amount, _SIDES[trade.side], trade.id
    )  # fmt: skip
