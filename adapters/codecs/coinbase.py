"""Coinbase Advanced Trade: market_trades, candles, ticker; heartbeats and order books pass.

`side` of a trade is the maker's, so the aggressor's is the other one: of 76 recorded trades at the
touch, 75 were SELL at the ask or BUY at the bid. Trades come newest first, in the snapshot and in
updates; a frame's trades leave oldest first. No candle says that it is finished: it is when its
frame is stamped after its end.
"""

from typing import Final, Literal

from msgspec import UNSET, Raw, Struct, UnsetType

from adapters.codecs.codec import RowBuffer
from adapters.codecs.fields import DAMAGED, NS_PER_S, Identity, Number, Seconds, Symbol, decoder
from adapters.codecs.times import rfc3339_ns
from engine.blocks import BUYER, SELLER, UNKNOWN_SIDE
from engine.timeframes import LENGTH_NS


class Trade(Struct):
    product_id: Symbol
    trade_id: Identity
    price: Number
    size: Number
    time: str
    side: Literal["BUY", "SELL", "UNKNOWN_ORDER_SIDE", ""]


class TradesEvent(Struct):
    trades: list[Trade]


class MarketTrades(Struct):
    channel: Literal["market_trades"]
    events: list[TradesEvent]


class Candle(Struct):
    """Of five minutes: the channel has no other."""

    product_id: Symbol
    start: Seconds
    open: Number
    high: Number
    low: Number
    close: Number
    volume: Number


class CandlesEvent(Struct):
    candles: list[Candle]


class Candles(Struct):
    channel: Literal["candles"]
    timestamp: str
    events: list[CandlesEvent]


class Ticker(Struct):
    product_id: Symbol
    best_bid: Number
    best_bid_quantity: Number
    best_ask: Number
    best_ask_quantity: Number


class TickerEvent(Struct):
    tickers: list[Ticker]


class Tickers(Struct):
    channel: Literal["ticker"]
    timestamp: str
    events: list[TickerEvent]


class Head(Struct):
    """What tells an unusual frame apart: keys in another order, refusals."""

    channel: str = ""
    type: str = ""
    events: Raw | UnsetType = UNSET


CANDLE: Final = "5m"
_AGGRESSOR: Final = {"BUY": SELLER, "SELL": BUYER}

_PASSED: Final = {
    "l2_data": "book",
    "heartbeats": "heartbeat",
    "subscriptions": "acknowledgement",
    "ticker_batch": "ticker",
    "status": "status",
}
"""Channels that carry no row of ours, and what they are counted as. `ticker_batch` has no best bid and ask."""

_CHANNEL: Final = b'{"channel":"'
_TRADES: Final = decoder(MarketTrades)
_CANDLES: Final = decoder(Candles)
_TICKERS: Final = decoder(Tickers)
_HEADS: Final = decoder(Head)


class CoinbaseCodec:
    def decode(self, frame: bytes, received_ns: int, rows: RowBuffer) -> None:
        try:
            channel = _channel(frame)
            if channel in _PASSED:
                rows.passed(_PASSED[channel])
            elif channel == "market_trades":
                _read_trades(frame, received_ns, rows)
            elif channel == "candles":
                _read_candles(frame, received_ns, rows)
            elif channel == "ticker":
                _read_tickers(frame, received_ns, rows)
            else:
                _read_unusual(frame, rows)
        except DAMAGED:
            rows.malformed()


def _channel(frame: bytes) -> str:
    """By the first key where that is the channel, so that a book is not read; "" without one."""
    if frame.startswith(_CHANNEL) and frame.endswith(b"}"):
        return frame[len(_CHANNEL) : frame.find(b'"', len(_CHANNEL))].decode()
    return _HEADS.decode(frame).channel


def _read_unusual(frame: bytes, rows: RowBuffer) -> None:
    head = _HEADS.decode(frame)
    if head.type == "error":
        rows.passed("refusal")
    else:
        rows.unknown(head.channel or head.type or "no channel")


def _read_trades(frame: bytes, received_ns: int, rows: RowBuffer) -> None:
    if not rows.wants_trades:
        rows.skipped()
        return
    found: list[tuple[int, Trade]] = []
    for event in _TRADES.decode(frame).events:
        trades = [(rfc3339_ns(trade.time), trade) for trade in event.trades]
        newest_first = bool(trades) and _moment(trades[0]) > _moment(trades[-1])
        found += reversed(trades) if newest_first else trades
    for time_ns, trade in found:
        side = _AGGRESSOR.get(trade.side, UNKNOWN_SIDE)
        rows.trade(trade.product_id, time_ns, received_ns, trade.price, trade.size, side, trade.trade_id)
    if not found:
        rows.passed("empty")


def _moment(trade: tuple[int, Trade]) -> tuple[int, int]:
    return trade[0], trade[1].trade_id


def _read_candles(frame: bytes, received_ns: int, rows: RowBuffer) -> None:
    if not rows.wants_bars:
        rows.skipped()
        return
    message = _CANDLES.decode(frame)
    stamped_ns = rfc3339_ns(message.timestamp)
    candles = sorted((candle for event in message.events for candle in event.candles), key=_start)
    for candle in candles:
        open_ns = candle.start * NS_PER_S
        close_ns = open_ns + LENGTH_NS[CANDLE]
        if close_ns > stamped_ns:
            rows.unfinished()
        else:
            rows.bar(
                candle.product_id, CANDLE, open_ns, close_ns, received_ns,
                candle.open, candle.high, candle.low, candle.close, candle.volume,
            )  # fmt: skip
    if not candles:
        rows.passed("empty")


def _start(candle: Candle) -> int:
    return candle.start


def _read_tickers(frame: bytes, received_ns: int, rows: RowBuffer) -> None:
    if not rows.wants_quotes:
        rows.skipped()
        return
    message = _TICKERS.decode(frame)
    stamped_ns = rfc3339_ns(message.timestamp)
    tickers = [ticker for event in message.events for ticker in event.tickers]
    for one in tickers:
        rows.quote(
            one.product_id, stamped_ns, received_ns,
            one.best_bid, one.best_bid_quantity, one.best_ask, one.best_ask_quantity,
        )  # fmt: skip
    if not tickers:
        rows.passed("empty")
