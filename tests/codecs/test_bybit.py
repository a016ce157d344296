"""Bybit v5: tickers as deltas, candles that say when they are confirmed, ids of two kinds."""

import pytest

from adapters.codecs.bybit import MOST_QUOTED, BybitCodec
from adapters.codecs.codec import RowBuffer
from engine.blocks import Bars
from tests.codecs.codec_laws import (
    NOT_NUMBERS,
    RECEIVED_NS,
    as_frame,
    told,
    verdict,
)
from tests.codecs.recordings import replayed

MS = 1_000_000
MINUTE_MS = 60_000
STAMP_MS = 1_700_000_000_123
OPEN_MS = 1_699_999_980_000


def message(topic: str, data: object, kind: str = "snapshot") -> bytes:
    return as_frame({"topic": topic, "type": kind, "ts": STAMP_MS, "data": data})


def trade(**changes: object) -> dict[str, object]:
    fields: dict[str, object] = {
        "T": STAMP_MS - 1, "s": "BTCUSDT", "S": "Buy", "v": "0.001", "p": "36500.10", "L": "PlusTick",
        "i": "20f43950-d8dd-5b31-9112-a178eb6023af", "BT": False, "RPI": False, "seq": 1783284617,
    }  # fmt: skip
    return fields | changes


def trades(*rows: object) -> bytes:
    return message("publicTrade.BTCUSDT", list(rows))


def ticker(kind: str = "delta", symbol: str = "BTCUSDT", **fields: object) -> bytes:
    return message(f"tickers.{symbol}", {"symbol": symbol} | fields, kind)


def candle(minute: int = 0, **changes: object) -> dict[str, object]:
    start = OPEN_MS + minute * MINUTE_MS
    fields: dict[str, object] = {
        "start": start, "end": start + MINUTE_MS - 1, "interval": "1", "open": "10.0", "close": "11.0",
        "high": "12.0", "low": "9.0", "volume": "5.5", "turnover": "60.5", "confirm": False, "timestamp": STAMP_MS,
    }  # fmt: skip
    return fields | changes


def candles(*rows: object, interval: str = "1") -> bytes:
    return message(f"kline.{interval}.BTCUSDT", list(rows))


BOTH = {"bid1Price": "36500.00", "bid1Size": "1.5", "ask1Price": "36500.10", "ask1Size": "2.5"}
BOOK = {"s": "BTCUSDT", "b": [["36500.00", "1.5"]], "a": [], "u": 1, "seq": 2}
SPOT_TICKER = {"symbol": "BTCUSDT", "lastPrice": "36500.1", "volume24h": "1.0", "usdIndexPrice": "36500.0"}
SUBSCRIBED = {"success": True, "ret_msg": "", "conn_id": "d0e1-x", "req_id": "", "op": "subscribe"}

FRAMES = (
    trades(trade(), trade(S="Sell", i="2280000001739247417")),
    ticker("snapshot", lastPrice="36500.1", **BOTH),
    ticker(bid1Price="36499.90", bid1Size="3.5"),
    candles(candle(confirm=True), candle(1)),
    message("orderbook.50.BTCUSDT", BOOK),
    as_frame({"type": "delta", "topic": "orderbook.1.BTCUSDT", "ts": STAMP_MS, "data": BOOK}),
    message("tickers.BTCUSDT", SPOT_TICKER),
    message("allLiquidation.BTCUSDT", [{"T": STAMP_MS, "s": "BTCUSDT", "S": "Sell", "v": "1", "p": "36500"}]),
    as_frame(SUBSCRIBED),
    as_frame(SUBSCRIBED | {"success": False, "ret_msg": "error:handler not found"}),
    as_frame({"success": True, "ret_msg": "pong", "conn_id": "d0e1-x", "req_id": "", "op": "ping"}),
    as_frame({"req_id": "", "op": "pong", "args": ["1700000000123"], "conn_id": "d0e1-x"}),
    as_frame({"success": True, "conn_id": "d0e1-x", "type": "COMMAND_RESP", "data": {"successTopics": ["a"]}}),
)


def test_trades_bear_the_takers_side_and_ids_of_both_kinds() -> None:
    found = told(BybitCodec(), FRAMES[0])

    uuid = found.given[0][-1]
    assert found.given == [
        ("BTCUSDT", (STAMP_MS - 1) * MS, RECEIVED_NS, 36_500.1, 0.001, 1, uuid),
        ("BTCUSDT", (STAMP_MS - 1) * MS, RECEIVED_NS, 36_500.1, 0.001, -1, 2_280_000_001_739_247_417),
    ]
    assert uuid == told(BybitCodec(), trades(trade())).given[0][-1]
    assert uuid != told(BybitCodec(), trades(trade(i="20f43950-d8dd-5b31-9112-a178eb6023a0"))).given[0][-1]


def test_a_delta_keeps_the_side_that_has_not_changed() -> None:
    codec = BybitCodec()

    first = told(codec, ticker("snapshot", **BOTH))
    second = told(codec, ticker(bid1Price="36499.90", bid1Size="3.5"))
    third = told(codec, ticker(ask1Size="9.5"))

    at = ("BTCUSDT", STAMP_MS * MS, RECEIVED_NS)
    assert first.given == [(*at, 36_500.0, 1.5, 36_500.1, 2.5)]
    assert second.given == [(*at, 36_499.9, 3.5, 36_500.1, 2.5)]
    assert third.given == [(*at, 36_499.9, 3.5, 36_500.1, 9.5)]


def test_there_is_no_quote_before_both_sides_are_known() -> None:
    codec = BybitCodec()

    assert dict(told(codec, ticker(bid1Price="36499.90", bid1Size="3.5")).counts) == {"ticker": 1}
    assert told(codec, ticker(ask1Price="36500.10", ask1Size="2.5")).verdict == "rows"


def test_a_delta_without_prices_is_no_quote_and_a_snapshot_forgets() -> None:
    codec = BybitCodec()
    told(codec, ticker("snapshot", **BOTH))

    assert dict(told(codec, ticker(markPrice="36500.05")).counts) == {"ticker": 1}
    assert dict(told(codec, ticker("snapshot", lastPrice="36500.1")).counts) == {"ticker": 1}
    assert dict(told(codec, ticker(bid1Price="1", bid1Size="1")).counts) == {"ticker": 1}


def test_a_malformed_delta_changes_nothing() -> None:
    codec = BybitCodec()
    told(codec, ticker("snapshot", **BOTH))

    assert verdict(codec, ticker(bid1Price="NaN", bid1Size="7")) == "malformed"
    assert told(codec, ticker(ask1Size="9.5")).given[0][3:] == (36_500.0, 1.5, 36_500.1, 9.5)


def test_an_empty_side_has_the_others_price_and_no_size() -> None:
    found = told(BybitCodec(), ticker("snapshot", **(BOTH | {"bid1Price": "", "bid1Size": ""})))

    assert found.given == [("BTCUSDT", STAMP_MS * MS, RECEIVED_NS, 36_500.1, 0.0, 36_500.1, 2.5)]


def test_symbols_beyond_the_limit_are_forgotten_first_come_first() -> None:
    codec = BybitCodec()
    for number in range(MOST_QUOTED + 1):
        told(codec, ticker("snapshot", f"S{number}", **BOTH))

    assert told(codec, ticker("delta", "S0", ask1Size="1")).verdict == "passed"
    assert told(codec, ticker("delta", f"S{MOST_QUOTED}", ask1Size="1")).verdict == "rows"


def test_one_frame_closes_a_candle_and_opens_the_next() -> None:
    found = told(BybitCodec(), FRAMES[3])

    open_ns = OPEN_MS * MS
    assert found.given == [
        ("BTCUSDT", "1m", open_ns, open_ns + MINUTE_MS * MS, RECEIVED_NS, 10.0, 12.0, 9.0, 11.0, 5.5, -1)
    ]
    assert dict(found.counts) == {"unfinished_bar": 1}


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (FRAMES[4], "book"),
        (FRAMES[5], "book"),
        (FRAMES[6], "ticker"),
        (FRAMES[7], "liquidation"),
        (FRAMES[8], "acknowledgement"),
        (FRAMES[9], "refusal"),
        (FRAMES[10], "heartbeat"),
        (FRAMES[11], "heartbeat"),
        (FRAMES[12], "acknowledgement"),
        (candles(candle(interval="3"), interval="3"), "other_interval"),
        (candles(candle(start=OPEN_MS + 1)), "other_interval"),
        (trades(), "empty"),
    ],
)
def test_what_carries_no_row_is_passed_with_its_reason(frame: bytes, reason: str) -> None:
    assert dict(told(BybitCodec(), frame).counts) == {reason: 1}


def test_other_topics_and_answers_are_named() -> None:
    assert dict(told(BybitCodec(), message("execution", [])).unknown_kinds) == {"execution": 1}
    assert dict(told(BybitCodec(), b'{"op":"order.create","conn_id":"x"}').unknown_kinds) == {"order.create": 1}
    assert dict(told(BybitCodec(), b'{"op":"subscribe","success":true}').unknown_kinds) == {"subscribe": 1}
    assert dict(told(BybitCodec(), b'{"op":"ping","success":true}').unknown_kinds) == {"ping": 1}


def test_a_candle_of_no_symbol_is_malformed() -> None:
    assert verdict(BybitCodec(), message("kline.1", [candle(confirm=True)])) == "malformed"


@pytest.mark.parametrize("price", [*NOT_NUMBERS, "-1.0", "0"])
def test_a_trade_without_a_price_spoils_its_frame(price: object) -> None:
    assert verdict(BybitCodec(), trades(trade(), trade(p=price))) == "malformed"


def test_what_nobody_wants_is_not_read() -> None:
    rows = RowBuffer({"BTCUSDT": 0}, 0, frozenset())

    for frame in FRAMES[:4]:
        BybitCodec().decode(frame, RECEIVED_NS, rows)

    assert dict(rows.counts) == {"unwanted_kind": 4}


def test_a_real_session_is_understood_to_the_last_frame() -> None:
    found = replayed("BYBIT", BybitCodec)

    assert found.kinds == {"Trades": 347, "Quotes": 638, "Bars": 6}
    assert found.counts == {"acknowledgement": 24, "book": 2_148, "unfinished_bar": 94, "ticker": 201}
    for block in found.blocks:
        if isinstance(block, Bars):
            assert (block.close_ns == 1_786_310_820_000_000_000).all()
