"""Binance frames as recorded: both markets, with and without the envelope, and what is wrong with some."""

import json

import pytest

from adapters.codecs.binance import BinanceCodec
from adapters.codecs.codec import RowBuffer
from tests.codecs.codec_laws import (
    NOT_NUMBERS,
    RECEIVED_NS,
    as_frame,
    told,
    verdict,
)

MS = 1_000_000

SPOT_TRADE = {
    "e": "trade", "E": 1723161255343, "s": "BTCUSDT", "t": 3735683259, "p": "61837.63000000", "q": "0.02000000",
    "T": 1723161255342, "m": True, "M": True,
}  # fmt: skip
FUTURES_TRADE = {
    "e": "trade", "E": 1723161256322, "T": 1723161256321, "s": "BTCUSDT", "t": 5266583935, "p": "61800.30",
    "q": "0.006", "X": "MARKET", "m": False,
}  # fmt: skip
AGGREGATE = {
    "e": "aggTrade", "E": 1626992741575, "a": 16599292, "s": "CTKUSDT", "p": "1.01100", "q": "10", "f": 23961322,
    "l": 23961322, "T": 1626992741421, "m": False,
}  # fmt: skip
CANDLE = {
    "t": 1626992700000, "T": 1626992759999, "s": "CTKUSDT", "i": "1m", "f": 23961275, "L": 23961322, "o": "1.01000",
    "c": "1.01100", "h": "1.01200", "l": "1.00900", "v": "3917", "n": 48, "x": True, "q": "3957.89900", "V": "1729",
}  # fmt: skip
KLINE = {"e": "kline", "E": 1626992760424, "s": "CTKUSDT", "k": CANDLE}
SPOT_QUOTE = {
    "u": 499869768, "s": "NKNUSDT", "b": "0.35210000", "B": "672.00000000", "a": "0.35260000", "A": "3199.00000000",
}  # fmt: skip
FUTURES_QUOTE = {
    "e": "bookTicker", "u": 600859600576, "s": "SUSHIUSDT", "b": "7.6110", "B": "2", "a": "7.6120", "A": "297",
    "T": 1626992741012, "E": 1626992741017,
}  # fmt: skip
BOOK = {"e": "depthUpdate", "E": 1, "s": "BTCUSDT", "U": 1, "u": 2, "b": [["1", "2"]], "a": []}
SNAPSHOT = {"lastUpdateId": 50093239218, "bids": [["61837.63", "3.78"]], "asks": []}


def wrapped(stream: str, data: object) -> bytes:
    return as_frame({"stream": stream, "data": data})


FRAMES = (
    as_frame(SPOT_TRADE),
    wrapped("btcusdt@trade", FUTURES_TRADE),
    wrapped("ctkusdt@aggTrade", AGGREGATE),
    wrapped("ctkusdt@kline_1m", KLINE),
    as_frame(KLINE),
    as_frame(SPOT_QUOTE),
    wrapped("nknusdt@bookTicker", SPOT_QUOTE),
    wrapped("sushiusdt@bookTicker", FUTURES_QUOTE),
    wrapped("btcusdt@depth@100ms", BOOK),
    as_frame(BOOK),
    as_frame(SNAPSHOT),
    as_frame({"result": None, "id": 1}),
)

CLOSED = ("CTKUSDT", "1m", 1626992700000 * MS, 1626992760000 * MS, RECEIVED_NS, 1.01, 1.012, 1.009, 1.011, 3917.0, 48)


@pytest.mark.parametrize(
    ("stream", "data", "row"),
    [
        ("btcusdt@trade", SPOT_TRADE,
         ("BTCUSDT", 1723161255342 * MS, RECEIVED_NS, 61837.63, 0.02, -1, 3735683259)),
        ("btcusdt@trade", FUTURES_TRADE,
         ("BTCUSDT", 1723161256321 * MS, RECEIVED_NS, 61800.3, 0.006, 1, 5266583935)),
        ("ctkusdt@aggTrade", AGGREGATE, ("CTKUSDT", 1626992741421 * MS, RECEIVED_NS, 1.011, 10.0, 1, 16599292)),
        ("ctkusdt@kline_1m", KLINE, CLOSED),
        ("nknusdt@bookTicker", SPOT_QUOTE, ("NKNUSDT", RECEIVED_NS, RECEIVED_NS, 0.3521, 672.0, 0.3526, 3199.0)),
        ("!bookTicker", SPOT_QUOTE, ("NKNUSDT", RECEIVED_NS, RECEIVED_NS, 0.3521, 672.0, 0.3526, 3199.0)),
        ("sushiusdt@bookTicker", FUTURES_QUOTE,
         ("SUSHIUSDT", 1626992741012 * MS, RECEIVED_NS, 7.611, 2.0, 7.612, 297.0)),
    ],
)  # fmt: skip
def test_a_row_is_the_same_with_and_without_envelope(stream: str, data: object, row: tuple[object, ...]) -> None:
    assert told(BinanceCodec(), wrapped(stream, data)).given == [row]
    assert told(BinanceCodec(), as_frame(data)).given == [row]


def test_order_and_spacing_of_keys_do_not_matter() -> None:
    turned = dict(reversed(SPOT_TRADE.items()))

    for frame in (as_frame(turned), json.dumps(SPOT_TRADE), json.dumps({"data": turned, "stream": "btcusdt@trade"})):
        assert told(BinanceCodec(), as_frame(frame)).given == told(BinanceCodec(), as_frame(SPOT_TRADE)).given


def test_numbers_may_be_texts_and_texts_numbers() -> None:
    frame = as_frame(SPOT_TRADE | {"t": "3735683259", "T": "1723161255342", "p": 61837.63, "q": 0.02})

    assert told(BinanceCodec(), frame).given == told(BinanceCodec(), as_frame(SPOT_TRADE)).given


def test_an_open_candle_is_no_bar() -> None:
    rows = told(BinanceCodec(), as_frame(KLINE | {"k": CANDLE | {"x": False}}))

    assert rows.given == []
    assert rows.counts == {"unfinished_bar": 1}


@pytest.mark.parametrize(
    ("frame", "counted"),
    [
        (wrapped("btcusdt@depth@100ms", BOOK), "book"),
        (wrapped("btcusdt@depth20", {"lastUpdateId": 1, "bids": [], "asks": []}), "book"),
        (as_frame(BOOK), "book"),
        (as_frame(SNAPSHOT), "book"),
        (as_frame({"result": None, "id": 1}), "acknowledgement"),
        (as_frame({"error": {"code": 2, "msg": "x"}, "id": 1}), "refusal"),
        (as_frame({"code": -1121, "msg": "Invalid symbol."}), "refusal"),
        (wrapped("btcusdt@markPrice", {"e": "markPriceUpdate", "s": "BTCUSDT"}), "mark_price"),
        (as_frame({"e": "24hrTicker", "s": "BTCUSDT"}), "ticker"),
        (as_frame(KLINE | {"k": CANDLE | {"i": "3m", "T": 1626992879999}}), "other_timeframe"),
        (as_frame(KLINE | {"k": CANDLE | {"T": 1626992759998}}), "malformed_frame"),
        (as_frame(FUTURES_TRADE | {"X": "INSURANCE_FUND"}), "no_market_trade"),
        (wrapped("btcusdt@trade", AGGREGATE), "malformed_frame"),
        (wrapped("btcusdt@depth", BOOK)[:-1], "malformed_frame"),
    ],
)
def test_a_frame_without_rows_is_named(frame: bytes, counted: str) -> None:
    assert told(BinanceCodec(), frame).counts == {counted: 1}


@pytest.mark.parametrize(
    ("frame", "kind"),
    [
        (as_frame({"e": "listenKeyExpired", "E": 1}), "listenKeyExpired"),
        (wrapped("btcusdt@liquid", {"e": "somethingNew"}), "somethingNew"),
        (wrapped("!miniTicker@arr", [{"e": "24hrMiniTicker"}]), "!miniTicker@arr"),
        (as_frame({"hello": 1}), "no event"),
    ],
)
def test_an_unknown_kind_is_named_and_never_guessed(frame: bytes, kind: str) -> None:
    rows = told(BinanceCodec(), frame)

    assert rows.verdict == "unknown"
    assert rows.unknown_kinds == {kind: 1}


@pytest.mark.parametrize("value", [*NOT_NUMBERS, "-"])
@pytest.mark.parametrize(("data", "field"), [
    (SPOT_TRADE, "p"), (SPOT_TRADE, "q"), (AGGREGATE, "p"), (SPOT_QUOTE, "b"), (FUTURES_QUOTE, "A"),
])  # fmt: skip
def test_what_is_not_a_number_makes_the_frame_malformed(data: dict[str, object], field: str, value: object) -> None:
    assert verdict(BinanceCodec(), data | {field: value}) == "malformed"


@pytest.mark.parametrize("field", ["s", "t", "p", "q", "T", "m"])
def test_a_missing_field_makes_the_frame_malformed(field: str) -> None:
    data = {name: value for name, value in SPOT_TRADE.items() if name != field}

    assert verdict(BinanceCodec(), data) == "malformed"


@pytest.mark.parametrize("frame", [
    b"", b"{", b"null", b"[]", b'"trade"', b"\xff\xfe", b'{"e":"trade', b'{"stream":"', b'{"e":"\xff"}',
    b'{"a":' * 5_000, b"[" * 5_000, b'{"stream":"btcusdt@trade","data":' * 2_000,
])  # fmt: skip
def test_broken_json_is_malformed(frame: bytes) -> None:
    assert verdict(BinanceCodec(), frame) == "malformed"


def test_a_symbol_sent_as_trades_and_as_aggregates_is_counted_once() -> None:
    codec = BinanceCodec()

    assert told(codec, as_frame(SPOT_TRADE)).given
    assert told(codec, as_frame(AGGREGATE | {"s": "BTCUSDT"})).counts == {"same_trades_again": 1}
    assert told(codec, as_frame(AGGREGATE)).given


def test_rows_nobody_wants_are_not_read() -> None:
    rows = RowBuffer({"NKNUSDT": 0}, 0, frozenset(("trades",)))

    BinanceCodec().decode(b'{"stream":"nknusdt@bookTicker","data":not read}', RECEIVED_NS, rows)

    assert rows.counts == {"unwanted_kind": 1}
