"""Gate v4: fractions of a millisecond in text, candles in money, quotes from book tickers only."""

import pytest

from adapters.codecs.codec import RowBuffer
from adapters.codecs.gate import GateCodec
from engine.blocks import Trades
from tests.codecs.codec_laws import (
    NOT_NUMBERS,
    RECEIVED_NS,
    as_frame,
    told,
    verdict,
)
from tests.codecs.recordings import replayed

STAMP_S = 1_700_000_000
STAMP_NS = STAMP_S * 1_000_000_000
MINUTE = 60_000_000_000
OPEN_S = 1_699_999_980
OPEN_NS = OPEN_S * 1_000_000_000


def message(channel: str, result: object, event: str = "update", **fields: object) -> bytes:
    return as_frame({"time": STAMP_S, "channel": channel, "event": event} | fields | {"result": result})


def trade(**changes: object) -> bytes:
    fields: dict[str, object] = {
        "id": 309143071, "create_time": STAMP_S, "create_time_ms": f"{STAMP_S}213.4578", "side": "sell",
        "currency_pair": "BTC_USDT", "amount": "0.2500000000", "price": "36500.1000000000",
    }  # fmt: skip
    return message("spot.trades", fields | changes)


def candle(minute: int = 0, **changes: object) -> bytes:
    fields: dict[str, object] = {
        "t": str(OPEN_S + 60 * minute), "v": "60.5", "c": "11", "h": "12", "l": "9", "o": "10", "n": "1m_BTC_USDT",
        "a": "5.5",
    }  # fmt: skip
    return message("spot.candlesticks", fields | changes)


BEST = {"t": STAMP_S * 1000 + 123, "u": 48733182, "s": "BTC_USDT", "b": "36500", "B": "1.5", "a": "36500.1", "A": "2.5"}
TICKER = {"currency_pair": "BTC_USDT", "last": "36500", "lowest_ask": "36500.1", "highest_bid": "36500"}
BOOK = {"t": 1, "e": "depthUpdate", "E": 1, "s": "BTC_USDT", "U": 1, "u": 1, "b": [["36500", "0"]], "a": []}

FRAMES = (
    trade(),
    message("spot.book_ticker", BEST),
    candle(),
    candle(w=True),
    candle(1, w=False),
    message("spot.tickers", TICKER),
    message("spot.order_book_update", BOOK),
    message("spot.order_book", BOOK, "all"),
    message("spot.trades", {"status": "success"}, "subscribe"),
    message("spot.order_book_update", {"status": "success"}, "subscribe"),
    message("spot.trades", None, "subscribe", error={"code": 2, "message": "unknown currency pair X_Y"}),
    message("spot.pong", None, ""),
)
BAR = ("BTC_USDT", "1m", OPEN_NS, OPEN_NS + MINUTE, RECEIVED_NS, 10.0, 12.0, 9.0, 11.0, 5.5, -1)


def test_a_trade_is_read_to_the_tenth_of_a_microsecond() -> None:
    found = told(GateCodec(), trade())

    assert found.given == [("BTC_USDT", STAMP_NS + 213_457_800, RECEIVED_NS, 36_500.1, 0.25, -1, 309143071)]
    assert told(GateCodec(), trade(side="buy")).given[0][5] == 1


def test_a_book_ticker_is_a_quote() -> None:
    found = told(GateCodec(), message("spot.book_ticker", BEST))

    assert found.given == [("BTC_USDT", STAMP_NS + 123_000_000, RECEIVED_NS, 36_500.0, 1.5, 36_500.1, 2.5)]


def test_an_empty_side_has_the_others_price_and_no_size() -> None:
    found = told(GateCodec(), message("spot.book_ticker", BEST | {"a": "", "A": ""}))

    assert found.given == [("BTC_USDT", STAMP_NS + 123_000_000, RECEIVED_NS, 36_500.0, 1.5, 36_500.0, 0.0)]


def test_a_closed_window_is_a_bar_at_once_and_an_open_one_is_not() -> None:
    codec = GateCodec()

    assert told(codec, candle(w=False)).given == []
    assert told(codec, candle(w=True)).given == [BAR]
    assert told(codec, candle(1, w=False)).given == []


def test_without_a_mark_a_candle_is_a_bar_when_the_next_one_opens() -> None:
    codec = GateCodec()

    assert dict(told(codec, candle(c="10.5")).counts) == {"unfinished_bar": 1}
    assert told(codec, candle()).given == []
    assert told(codec, candle(1)).given == [BAR]


def test_a_candle_that_counts_money_only_is_no_bar() -> None:
    old = {"t": str(OPEN_S), "v": "60.5", "c": "11", "h": "12", "l": "9", "o": "10", "n": "1m_BTC_USDT"}

    assert dict(told(GateCodec(), message("spot.candlesticks", old)).counts) == {"candle_in_money": 1}


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (FRAMES[5], "ticker"),
        (FRAMES[6], "book"),
        (FRAMES[7], "book"),
        (FRAMES[8], "acknowledgement"),
        (FRAMES[9], "acknowledgement"),
        (FRAMES[10], "refusal"),
        (FRAMES[11], "heartbeat"),
        (candle(n="10s_BTC_USDT"), "other_interval"),
        (candle(t=OPEN_S + 1, w=True), "other_interval"),
    ],
)
def test_what_carries_no_row_is_passed_with_its_reason(frame: bytes, reason: str) -> None:
    assert dict(told(GateCodec(), frame).counts) == {reason: 1}


def test_other_channels_and_events_are_named() -> None:
    for frame, name in (
        (message("spot.balances", []), "spot.balances"),
        (message("futures.trades", []), "futures.trades"),
        (message("spot.trades", [], "api"), "spot.trades api"),
    ):
        assert dict(told(GateCodec(), frame).unknown_kinds) == {name: 1}


@pytest.mark.parametrize("price", [*NOT_NUMBERS, "-1.0", "0"])
def test_a_trade_without_a_price_is_malformed(price: object) -> None:
    assert verdict(GateCodec(), trade(price=price)) == "malformed"


@pytest.mark.parametrize("name", ["1m_", "1m", ""])
def test_a_candle_of_no_pair_is_malformed(name: str) -> None:
    assert verdict(GateCodec(), candle(n=name, w=True)) == "malformed"


def test_a_cut_book_is_malformed() -> None:
    assert verdict(GateCodec(), FRAMES[6][:-3]) == "malformed"


def test_what_nobody_wants_is_not_read() -> None:
    rows = RowBuffer({"BTC_USDT": 0}, 0, frozenset())

    for frame in FRAMES[:5]:
        GateCodec().decode(frame, RECEIVED_NS, rows)

    assert dict(rows.counts) == {"unwanted_kind": 5}


def test_a_real_session_is_understood_to_the_last_frame() -> None:
    found = replayed("GATEIO", GateCodec)

    assert found.kinds == {"Trades": 9}
    assert found.counts == {"acknowledgement": 22, "book": 172, "ticker": 22, "candle_in_money": 14}
    first = next(block for block in found.blocks if isinstance(block, Trades))
    assert first.time_ns[0] == 1_619_093_543_708_264_200
