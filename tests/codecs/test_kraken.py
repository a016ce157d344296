"""Kraken v2: channels with a list of objects, snapshots before updates, RFC 3339 stamps."""

import pytest

from adapters.codecs.codec import RowBuffer
from adapters.codecs.kraken import KrakenCodec
from tests.codecs.codec_laws import (
    NOT_NUMBERS,
    RECEIVED_NS,
    as_frame,
    told,
    verdict,
)

MINUTE = 60_000_000_000
STAMP = "2023-09-25T07:49:37.708706Z"
STAMP_NS = 1_695_628_177_708_706_000
OPEN_NS = 1_695_628_140_000_000_000


def message(channel: str, *data: object, kind: str = "update") -> bytes:
    return as_frame({"channel": channel, "type": kind, "data": list(data)})


def trade(number: int = 4665906, **changes: object) -> dict[str, object]:
    fields: dict[str, object] = {
        "symbol": "BTC/USD", "side": "sell", "price": 26_200.1, "qty": 0.25, "ord_type": "market",
        "trade_id": number, "timestamp": STAMP,
    }  # fmt: skip
    return fields | changes


def ticker(**changes: object) -> dict[str, object]:
    fields: dict[str, object] = {
        "symbol": "BTC/USD", "bid": 26_200.0, "bid_qty": 1.5, "ask": 26_200.1, "ask_qty": 2.5, "last": 26_200.1,
        "volume": 100.0, "vwap": 26_000.0, "low": 25_000.0, "high": 27_000.0, "change": -1.0, "change_pct": -0.1,
    }  # fmt: skip
    return fields | changes


def candle(minute: int = 0, **changes: object) -> dict[str, object]:
    fields: dict[str, object] = {
        "symbol": "BTC/USD", "open": 10.0, "high": 12.0, "low": 9.0, "close": 11.0, "trades": 3, "volume": 5.5,
        "vwap": 10.5, "interval_begin": f"2023-09-25T07:{49 + minute}:00.000000000Z", "interval": 1,
        "timestamp": f"2023-09-25T07:{50 + minute}:00.000000Z",
    }  # fmt: skip
    return fields | changes


STATUS = {"version": "2.0.0", "system": "online", "api_version": "v2", "connection_id": 12834474472398463331}
BOOK = {"symbol": "BTC/USD", "bids": [{"price": 26_200.0, "qty": 1.5}], "asks": [], "checksum": 2439117997}
TIMES = {"time_in": "2023-09-25T09:04:31.742599Z", "time_out": "2023-09-25T09:04:31.742648Z"}
SUBSCRIBED = as_frame(
    {"method": "subscribe", "result": {"channel": "trade", "snapshot": True, "symbol": "BTC/USD"}, "success": True}
    | TIMES
)
REFUSED = as_frame({"error": "Currency pair not supported X/Y", "method": "subscribe", "success": False} | TIMES)
UNREADABLE = as_frame({"error": "Malformed request", "success": False} | TIMES)
PONG = as_frame({"method": "pong", "req_id": 101} | TIMES)
HEARTBEAT = b'{"channel":"heartbeat"}'

FRAMES = (
    message("trade", trade()),
    message("trade", trade(2), trade(1), kind="snapshot"),
    message("ticker", ticker(timestamp=STAMP)),
    message("ohlc", candle(), candle(1), kind="snapshot"),
    message("status", STATUS),
    message("book", BOOK),
    as_frame({"type": "update", "channel": "book", "data": [BOOK]}),
    as_frame({"channel": "instrument", "type": "snapshot", "data": {"assets": [], "pairs": []}}),
    SUBSCRIBED,
    REFUSED,
    UNREADABLE,
    PONG,
    HEARTBEAT,
)


def test_a_trade_is_read_to_the_microsecond_with_the_takers_side() -> None:
    found = told(KrakenCodec(), message("trade", trade(5, side="buy", symbol="ETH/USD"), trade()))

    assert found.given == [
        ("ETH/USD", STAMP_NS, RECEIVED_NS, 26_200.1, 0.25, 1, 5),
        ("BTC/USD", STAMP_NS, RECEIVED_NS, 26_200.1, 0.25, -1, 4665906),
    ]


def test_a_snapshot_leaves_oldest_first() -> None:
    newest = trade(7, timestamp="2023-09-25T07:49:38Z")

    found = told(KrakenCodec(), message("trade", newest, trade(6), trade(5), kind="snapshot"))

    assert [row[-1] for row in found.given] == [5, 6, 7]


def test_a_quote_bears_its_stamp_or_the_time_of_receipt() -> None:
    found = told(KrakenCodec(), message("ticker", ticker(), ticker(timestamp=STAMP)))

    assert found.given == [
        ("BTC/USD", RECEIVED_NS, RECEIVED_NS, 26_200.0, 1.5, 26_200.1, 2.5),
        ("BTC/USD", STAMP_NS, RECEIVED_NS, 26_200.0, 1.5, 26_200.1, 2.5),
    ]


def test_a_side_without_a_quote_has_the_others_price_and_no_size() -> None:
    found = told(KrakenCodec(), message("ticker", ticker(bid=0, bid_qty=0)))

    assert found.given == [("BTC/USD", RECEIVED_NS, RECEIVED_NS, 26_200.1, 0.0, 26_200.1, 2.5)]
    empty = told(KrakenCodec(), message("ticker", ticker(bid=None, bid_qty=None, ask=0, ask_qty=0)))
    assert dict(empty.counts) == {"empty_quote": 1}


def test_a_candle_is_a_bar_when_the_next_one_opens() -> None:
    codec = KrakenCodec()

    first = told(codec, message("ohlc", candle(close=10.5)))
    revised = told(codec, message("ohlc", candle()))
    following = told(codec, message("ohlc", candle(1)))
    late = told(codec, message("ohlc", candle(close=99.0)))

    assert first.given == revised.given == late.given == []
    assert following.given == [("BTC/USD", "1m", OPEN_NS, OPEN_NS + MINUTE, RECEIVED_NS, 10.0, 12.0, 9.0, 11.0, 5.5, 3)]
    assert dict(following.counts) == {"unfinished_bar": 1}
    assert dict(late.counts) == {"old_candle": 1}


def test_candles_off_the_engines_grid_are_passed() -> None:
    thursday = candle(interval=10080, interval_begin="2023-09-21T00:00:00Z")

    for other in (thursday, candle(interval=30)):
        assert dict(told(KrakenCodec(), message("ohlc", other)).counts) == {"other_interval": 1}


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (FRAMES[4], "status"),
        (FRAMES[5], "book"),
        (FRAMES[6], "book"),
        (FRAMES[7], "status"),
        (SUBSCRIBED, "acknowledgement"),
        (REFUSED, "refusal"),
        (UNREADABLE, "refusal"),
        (PONG, "heartbeat"),
        (HEARTBEAT, "heartbeat"),
        (message("trade"), "empty"),
    ],
)
def test_what_carries_no_row_is_passed_with_its_reason(frame: bytes, reason: str) -> None:
    assert dict(told(KrakenCodec(), frame).counts) == {reason: 1}


def test_other_channels_are_named() -> None:
    found = told(KrakenCodec(), message("executions", {}))

    assert found.verdict == "unknown"
    assert dict(found.unknown_kinds) == {"executions": 1}


@pytest.mark.parametrize("frame", [b'{"channel":"status"}', b'{"channel":"trade"}', FRAMES[5][:-3]])
def test_a_channel_without_its_data_is_malformed(frame: bytes) -> None:
    assert verdict(KrakenCodec(), frame) == "malformed"


@pytest.mark.parametrize("price", [*NOT_NUMBERS, -26_200.1, "-1", 0])
def test_a_trade_without_a_price_spoils_its_frame(price: object) -> None:
    assert verdict(KrakenCodec(), message("trade", trade(), trade(price=price))) == "malformed"


@pytest.mark.parametrize(
    "stamp", ["", "2023-09-25", "2023-09-25T07:49:37", "2023-13-25T07:49:37Z", "1969-12-31T23:59:59Z"]
)
def test_a_stamp_must_be_rfc_3339(stamp: str) -> None:
    assert verdict(KrakenCodec(), message("trade", trade(timestamp=stamp))) == "malformed"


def test_what_nobody_wants_is_not_read() -> None:
    rows = RowBuffer({"BTC/USD": 0}, 0, frozenset(("trades",)))

    for frame in (message("ticker", ticker(bid="?")), message("ohlc", candle()), message("trade", trade())):
        KrakenCodec().decode(frame, RECEIVED_NS, rows)

    assert rows.rows == 1
    assert dict(rows.counts) == {"unwanted_kind": 2}
