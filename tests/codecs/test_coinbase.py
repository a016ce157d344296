"""Coinbase frames as recorded: newest-first trades, candles without an end, quotes with one stamp."""

import json

import pytest

from adapters.codecs.codec import RowBuffer
from adapters.codecs.coinbase import CoinbaseCodec
from tests.codecs.codec_laws import (
    NOT_NUMBERS,
    RECEIVED_NS,
    as_frame,
    told,
    verdict,
)

SECOND = 1_000_000_000
STAMP = "2026-08-09T21:05:48.228568804Z"
STAMP_NS = 1_786_309_548_228_568_804


def trade(number: int, time: str, **changes: object) -> dict[str, object]:
    fields: dict[str, object] = {
        "product_id": "BTC-USD", "trade_id": str(number), "price": "65083.67", "size": "0.002186", "time": time,
        "side": "SELL",
    }  # fmt: skip
    return fields | changes


def candle(start: int, **changes: object) -> dict[str, object]:
    fields: dict[str, object] = {
        "start": str(start), "high": "1916.6", "low": "1915.91", "open": "1916.11", "close": "1916.02",
        "volume": "13.9044026", "product_id": "ETH-USD",
    }  # fmt: skip
    return fields | changes


def message(channel: str, *events: object, **changes: object) -> bytes:
    return as_frame({"channel": channel, "timestamp": STAMP, "sequence_num": 0, "events": list(events)} | changes)


def trades(*rows: object, kind: str = "update") -> bytes:
    return message("market_trades", {"type": kind, "trades": list(rows)})


def candles(*rows: object, stamp: str = STAMP) -> bytes:
    return message("candles", {"type": "update", "candles": list(rows)}, timestamp=stamp)


TICKER = {
    "type": "ticker", "product_id": "BTC-USD", "price": "65086.18", "volume_24_h": "2867.5", "best_bid": "65083.66",
    "best_ask": "65083.67", "best_bid_quantity": "0.20371215", "best_ask_quantity": "0.24290402",
}  # fmt: skip
LEVEL = {"side": "bid", "event_time": STAMP, "price_level": "65083.66", "new_quantity": "0.2"}

FRAMES = (
    trades(trade(2, "2026-08-09T21:05:42.514318Z"), trade(1, "2026-08-09T21:05:41.13992Z"), kind="snapshot"),
    candles(candle(1786279500), candle(1786309500)),
    message("ticker", {"type": "update", "tickers": [TICKER]}),
    message("l2_data", {"type": "update", "product_id": "BTC-USD", "updates": [LEVEL]}),
    message("heartbeats", {"current_time": "2026-08-09 21:05:48.85 +0000 UTC", "heartbeat_counter": 41691}),
    message("subscriptions", {"subscriptions": {"market_trades": ["BTC-USD"]}}),
    as_frame({"type": "error", "message": "rate limit exceeded"}),
)


def test_a_snapshot_leaves_oldest_first_and_names_the_aggressor() -> None:
    rows = told(CoinbaseCodec(), FRAMES[0])

    assert rows.given == [
        ("BTC-USD", 1_786_309_541_139_920_000, RECEIVED_NS, 65083.67, 0.002186, 1, 1),
        ("BTC-USD", 1_786_309_542_514_318_000, RECEIVED_NS, 65083.67, 0.002186, 1, 2),
    ]


def test_trades_of_one_moment_leave_by_their_number() -> None:
    same = [trade(number, STAMP) for number in (7, 6, 5)]

    assert [row[-1] for row in told(CoinbaseCodec(), trades(*same)).given] == [5, 6, 7]
    assert [row[-1] for row in told(CoinbaseCodec(), trades(*reversed(same))).given] == [5, 6, 7]


@pytest.mark.parametrize(("side", "aggressor"), [("BUY", -1), ("SELL", 1), ("UNKNOWN_ORDER_SIDE", 0)])
def test_the_side_sent_is_the_maker_s(side: str, aggressor: int) -> None:
    assert told(CoinbaseCodec(), trades(trade(1, STAMP, side=side))).given[0][5] == aggressor


def test_stamps_keep_their_nanoseconds() -> None:
    assert told(CoinbaseCodec(), trades(trade(1, STAMP))).given[0][1] == STAMP_NS
    assert told(CoinbaseCodec(), trades(trade(1, "2026-08-09T21:05:48Z"))).given[0][1] == STAMP_NS // SECOND * SECOND


def test_a_candle_is_a_bar_once_its_frame_is_stamped_after_its_end() -> None:
    rows = told(CoinbaseCodec(), candles(candle(1786309500), candle(1786309200)))

    assert rows.given == [
        ("ETH-USD", "5m", 1786309200 * SECOND, 1786309500 * SECOND, RECEIVED_NS,
         1916.11, 1916.6, 1915.91, 1916.02, 13.9044026),
    ]  # fmt: skip
    assert rows.counts == {"unfinished_bar": 1}
    assert told(CoinbaseCodec(), candles(candle(1786309500), stamp="2026-08-09T21:10:00Z")).given
    assert not told(CoinbaseCodec(), candles(candle(1786309500), stamp="2026-08-09T21:09:59.999999999Z")).given


def test_a_ticker_is_a_quote_at_its_frame_s_stamp() -> None:
    rows = told(CoinbaseCodec(), FRAMES[2])

    assert rows.given == [("BTC-USD", STAMP_NS, RECEIVED_NS, 65083.66, 0.20371215, 65083.67, 0.24290402)]


@pytest.mark.parametrize(
    ("frame", "counted"),
    [
        (FRAMES[3], "book"),
        (FRAMES[4], "heartbeat"),
        (FRAMES[5], "acknowledgement"),
        (FRAMES[6], "refusal"),
        (message("ticker_batch", {"type": "update", "tickers": []}), "ticker"),
        (message("market_trades"), "empty"),
        (candles(), "empty"),
    ],
)
def test_a_frame_without_rows_is_named(frame: bytes, counted: str) -> None:
    assert told(CoinbaseCodec(), frame).counts == {counted: 1}


@pytest.mark.parametrize(("frame", "kind"), [
    (message("l2Book"), "l2Book"),
    (as_frame({"type": "news"}), "news"),
    (as_frame({"data": []}), "no channel"),
])  # fmt: skip
def test_an_unknown_kind_is_named_and_never_guessed(frame: bytes, kind: str) -> None:
    assert told(CoinbaseCodec(), frame).unknown_kinds == {kind: 1}


def test_order_and_spacing_of_keys_do_not_matter() -> None:
    for frame in FRAMES[:3]:
        turned = json.dumps(dict(reversed(json.loads(frame).items()))).encode()

        assert told(CoinbaseCodec(), turned).given == told(CoinbaseCodec(), frame).given


@pytest.mark.parametrize("value", NOT_NUMBERS)
@pytest.mark.parametrize("field", ["price", "size"])
def test_one_bad_trade_withholds_its_whole_frame(field: str, value: object) -> None:
    frame = trades(trade(2, STAMP), trade(1, STAMP, **{field: value}))

    assert verdict(CoinbaseCodec(), frame) == "malformed"


@pytest.mark.parametrize("changes", [
    {"time": "yesterday"}, {"time": "2026-13-01T00:00:00Z"}, {"time": "9999-01-01T00:00:00Z"}, {"time": 1},
    {"time": ""}, {"side": "B"}, {"trade_id": "x"}, {"trade_id": -1}, {"trade_id": 2**63},
    {"product_id": ""}, {"product_id": None},
])  # fmt: skip
def test_a_wrong_field_makes_the_frame_malformed(changes: dict[str, object]) -> None:
    assert verdict(CoinbaseCodec(), trades(trade(1, STAMP) | changes)) == "malformed"


@pytest.mark.parametrize("frame", [b"", b"{", b"[]", b"\xff", FRAMES[3][:-1], b'{"channel":"\xff"}', b'{"a":' * 5_000])
def test_broken_json_is_malformed(frame: bytes) -> None:
    assert verdict(CoinbaseCodec(), frame) == "malformed"


def test_rows_nobody_wants_are_not_read() -> None:
    rows = RowBuffer({}, 0, frozenset())

    for channel in (b"market_trades", b"candles", b"ticker"):
        CoinbaseCodec().decode(b'{"channel":"' + channel + b'",not read}', RECEIVED_NS, rows)

    assert rows.counts == {"unwanted_kind": 3}
