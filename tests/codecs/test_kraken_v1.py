"""Kraken v1: arrays that name channel and pair at their end; trades without ids."""

import pytest

from adapters.codecs.codec import RowBuffer
from adapters.codecs.kraken_v1 import KrakenV1Codec
from engine.blocks import Trades
from tests.codecs.codec_laws import (
    NOT_NUMBERS,
    RECEIVED_NS,
    as_frame,
    told,
    verdict,
)
from tests.codecs.recordings import replayed

MINUTE = 60_000_000_000
STAMP = "1618678142.557535"
STAMP_NS = 1_618_678_142_557_535_000
END = "1618678200.000000"
OPEN_NS = 1_618_678_140_000_000_000


def frame(data: object, name: str, pair: str = "XBT/USD") -> bytes:
    return as_frame([337, data, name, pair])


def trades(*rows: list[object]) -> bytes:
    return frame(list(rows), "trade")


def candle(end: str = END, close: str = "11.0") -> bytes:
    return frame([STAMP, end, "10.0", "12.0", "9.0", close, "10.5", "5.50000000", 3], "ohlc-1")


SOLD: list[object] = ["62000.10000", "0.25000000", STAMP, "s", "l", ""]
BOUGHT: list[object] = ["62000.20000", "0.75000000", "1618678142.557536", "b", "m", ""]
TICKER = {
    "a": ["62000.20000", 1, "1.50000000"], "b": ["62000.10000", 35, "35.50000000"], "c": ["62000.1", "0.25"],
    "v": ["1.0", "2.0"], "p": ["1.0", "2.0"], "t": [640, 1353], "l": ["1.0", "1.0"], "h": ["2.0", "2.0"],
    "o": ["1.5", "1.5"],
}  # fmt: skip
LEVEL = ["62000.10000", "0.50000000", STAMP]
SUBSCRIPTION = {
    "channelID": 337, "channelName": "trade", "event": "subscriptionStatus", "pair": "XBT/USD",
    "status": "subscribed", "subscription": {"name": "trade"},
}  # fmt: skip
REFUSAL = {
    "errorMessage": "Currency pair not supported X/Y", "event": "subscriptionStatus", "pair": "X/Y",
    "status": "error", "subscription": {"name": "trade"},
}  # fmt: skip

FRAMES = (
    trades(SOLD, BOUGHT),
    frame(TICKER, "ticker"),
    frame(["62000.1", "62000.2", STAMP, "35.5", "1.5"], "spread"),
    candle(),
    frame({"as": [LEVEL], "bs": [LEVEL]}, "book-10"),
    frame({"a": [LEVEL], "c": "974942666"}, "book-1000"),
    as_frame([337, {"a": [LEVEL]}, {"b": [LEVEL], "c": "974942666"}, "book-10", "XBT/USD"]),
    as_frame({"connectionID": 8628615390848610000, "event": "systemStatus", "status": "online", "version": "1.8.3"}),
    as_frame(SUBSCRIPTION),
    as_frame(REFUSAL),
    as_frame({"errorMessage": "Malformed request", "event": "error"}),
    as_frame({"event": "pong", "reqid": 42}),
    as_frame({"event": "heartbeat"}),
)


def test_trades_are_read_to_the_microsecond_and_have_no_ids() -> None:
    found = told(KrakenV1Codec(), trades(SOLD, BOUGHT))

    assert found.given == [
        ("XBT/USD", STAMP_NS, RECEIVED_NS, 62_000.1, 0.25, -1, 0),
        ("XBT/USD", STAMP_NS + 1_000, RECEIVED_NS, 62_000.2, 0.75, 1, 0),
    ]


def test_the_ticker_gives_lots_not_whole_lots_at_the_time_of_receipt() -> None:
    found = told(KrakenV1Codec(), frame(TICKER, "ticker"))

    assert found.given == [("XBT/USD", RECEIVED_NS, RECEIVED_NS, 62_000.1, 35.5, 62_000.2, 1.5)]


def test_the_spread_has_a_time_of_its_own() -> None:
    found = told(KrakenV1Codec(), FRAMES[2])

    assert found.given == [("XBT/USD", STAMP_NS, RECEIVED_NS, 62_000.1, 35.5, 62_000.2, 1.5)]


def test_a_candle_is_a_bar_when_the_next_one_opens() -> None:
    codec = KrakenV1Codec()

    running = [told(codec, candle(close="10.5")), told(codec, candle())]
    following = told(codec, candle("1618678260.000000"))

    assert [found.given for found in running] == [[], []]
    assert following.given == [("XBT/USD", "1m", OPEN_NS, OPEN_NS + MINUTE, RECEIVED_NS, 10.0, 12.0, 9.0, 11.0, 5.5, 3)]


@pytest.mark.parametrize(
    ("given_frame", "reason"),
    [
        (FRAMES[4], "book"),
        (FRAMES[5], "book"),
        (FRAMES[6], "book"),
        (FRAMES[7], "status"),
        (FRAMES[8], "acknowledgement"),
        (FRAMES[9], "refusal"),
        (FRAMES[10], "refusal"),
        (FRAMES[11], "heartbeat"),
        (FRAMES[12], "heartbeat"),
        (frame([STAMP, END, "1", "1", "1", "1", "1", "1", 1], "ohlc-30"), "other_interval"),
        (candle("1542057360.435743"), "other_interval"),
        (trades(), "empty"),
    ],
)
def test_what_carries_no_row_is_passed_with_its_reason(given_frame: bytes, reason: str) -> None:
    assert dict(told(KrakenV1Codec(), given_frame).counts) == {reason: 1}


def test_other_channels_and_events_are_named() -> None:
    assert dict(told(KrakenV1Codec(), frame({}, "ownTrades")).unknown_kinds) == {"ownTrades": 1}
    assert dict(told(KrakenV1Codec(), b'{"event":"subscribed"}').unknown_kinds) == {"subscribed": 1}
    assert dict(told(KrakenV1Codec(), b'{"event":"pong","ts":1,"cid":2}').unknown_kinds) == {"pong": 1}


@pytest.mark.parametrize("price", [*NOT_NUMBERS, "-1.0", "0"])
def test_a_trade_without_a_price_spoils_its_frame(price: object) -> None:
    assert verdict(KrakenV1Codec(), trades(SOLD, [price, *SOLD[1:]])) == "malformed"


@pytest.mark.parametrize("stamp", ["", "-1", "1.", ".5", "1e9", "NaN", "99999999999999999999", "9223372037.0"])
def test_a_stamp_must_be_a_decimal_number_of_seconds(stamp: str) -> None:
    assert verdict(KrakenV1Codec(), trades([*SOLD[:2], stamp, *SOLD[3:]])) == "malformed"


def test_a_candle_before_1970_is_malformed() -> None:
    assert verdict(KrakenV1Codec(), candle("0.000000")) == "malformed"


def test_a_cut_book_is_malformed() -> None:
    assert verdict(KrakenV1Codec(), FRAMES[4][:-1]) == "malformed"


def test_what_nobody_wants_is_not_read() -> None:
    rows = RowBuffer({"XBT/USD": 0}, 0, frozenset(("bars",)))

    for each in FRAMES[:4]:
        KrakenV1Codec().decode(each, RECEIVED_NS, rows)

    assert dict(rows.counts) == {"unwanted_kind": 3, "unfinished_bar": 1}


def test_a_real_session_is_understood_to_the_last_frame() -> None:
    found = replayed("KRAKEN", KrakenV1Codec)

    assert found.kinds == {"Trades": 10, "Quotes": 18}
    assert found.counts == {"status": 3, "acknowledgement": 30, "heartbeat": 92, "book": 4_279}
    times = [int(time_ns) for block in found.blocks if isinstance(block, Trades) for time_ns in block.time_ns]
    assert times[0] == STAMP_NS
    assert times == sorted(times)
