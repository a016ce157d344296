"""Kraken spot, WebSocket v2: objects by channel, RFC 3339 stamps, numbered trades.

Trades and candles begin with a snapshot of history; its trades are given oldest first, and carry
the same ids when they come again after a reconnect. Candles have no closing mark. Weeks begin on
Thursday there, so weekly candles are none of the engine's.
"""

from typing import Literal

from msgspec import Raw, Struct

from adapters.codecs.candles import Candle, OpenCandles
from adapters.codecs.codec import RowBuffer
from adapters.codecs.fields import DAMAGED, Count, Identity, Price, Size, Symbol, decoder
from adapters.codecs.quotes import Quote, Written, give_quotes, side
from adapters.codecs.times import rfc3339_ns
from engine.blocks import BUYER, SELLER

_BOOKS = (b'{"channel":"book"', b'{"channel":"level3"')
_PASSED = {"status": "status", "instrument": "status", "book": "book", "level3": "book"}
_TIMEFRAMES = {1: "1m", 5: "5m", 15: "15m", 60: "1h", 240: "4h", 1440: "1d", 10080: "1w"}
_SIDES = {"buy": BUYER, "sell": SELLER}


class _Message(Struct):
    channel: str = ""
    type: str = ""
    data: Raw = Raw()
    method: str = ""
    success: bool | None = None
    error: str = ""


class _Trade(Struct):
    symbol: Symbol
    side: Literal["buy", "sell"]
    price: Price
    qty: Size
    trade_id: Identity
    timestamp: str


class _Ticker(Struct):
    symbol: Symbol
    bid: Written
    bid_qty: Written
    ask: Written
    ask_qty: Written
    timestamp: str = ""


class _Candle(Struct):
    symbol: Symbol
    open: Price
    high: Price
    low: Price
    close: Price
    volume: Size
    trades: Count
    interval_begin: str
    interval: int


_message = decoder(_Message)
_trades = decoder(list[_Trade])
_tickers = decoder(list[_Ticker])
_candles = decoder(list[_Candle])
_anything = decoder(list[Raw] | dict[str, Raw])  # type: ignore[arg-type]


class KrakenCodec:
    def __init__(self) -> None:
        self._open = OpenCandles()

    def decode(self, frame: bytes, received_ns: int, rows: RowBuffer) -> None:
        if frame.startswith(_BOOKS) and frame.endswith(b"}"):
            rows.passed("book")
            return
        try:
            self._decode(_message.decode(frame), received_ns, rows)
        except DAMAGED:
            rows.malformed()

    def _decode(self, message: _Message, received_ns: int, rows: RowBuffer) -> None:
        wanted = {"trade": rows.wants_trades, "ticker": rows.wants_quotes, "ohlc": rows.wants_bars}
        if not wanted.get(message.channel, True):
            rows.skipped()
            return
        match message.channel:
            case "trade":
                _give_trades(_trades.decode(message.data), received_ns, rows)
            case "ticker":
                tickers = _tickers.decode(message.data)
                give_quotes([_quote(ticker, received_ns) for ticker in tickers], received_ns, rows)
            case "ohlc":
                self._give_candles(_candles.decode(message.data), received_ns, rows)
            case "heartbeat":
                rows.passed("heartbeat")
            case "":
                _answer(message, rows)
            case known if known in _PASSED:
                _anything.decode(message.data)
                rows.passed(_PASSED[known])
            case other:
                rows.unknown(other)

    def _give_candles(self, candles: list[_Candle], received_ns: int, rows: RowBuffer) -> None:
        read = [
            Candle(
                each.symbol, _TIMEFRAMES[each.interval], rfc3339_ns(each.interval_begin),
                each.open, each.high, each.low, each.close, each.volume, each.trades,
            )
            for each in candles
            if each.interval in _TIMEFRAMES
        ]  # fmt: skip
        self._open.give(read, received_ns, rows)


def _give_trades(trades: list[_Trade], received_ns: int, rows: RowBuffer) -> None:
    timed = sorted(((rfc3339_ns(trade.timestamp), trade) for trade in trades), key=_order)
    for time_ns, trade in timed:
        rows.trade(
            trade.symbol, time_ns, received_ns, trade.price, trade.qty, _SIDES[trade.side], trade.trade_id
        )  # fmt: skip
    if not timed:
        rows.passed("empty")


def _order(timed: tuple[int, _Trade]) -> tuple[int, int]:
    return timed[0], timed[1].trade_id


def _quote(ticker: _Ticker, received_ns: int) -> Quote:
    """The stamp was added to the protocol late; without one it is the time of receipt."""
    time_ns = rfc3339_ns(ticker.timestamp) if ticker.timestamp else received_ns
    return Quote(ticker.symbol, time_ns, *side(ticker.bid, ticker.bid_qty), *side(ticker.ask, ticker.ask_qty))


def _answer(message: _Message, rows: RowBuffer) -> None:
    """What the venue says to a request. One that it could not read is refused without its method."""
    if message.success is False and message.error:
        rows.passed("refusal")
    elif message.method == "pong":
        rows.passed("heartbeat")
    elif message.method in ("subscribe", "unsubscribe") and message.success:
        rows.passed("acknowledgement")
    else:
        rows.unknown(message.method or "no channel")
