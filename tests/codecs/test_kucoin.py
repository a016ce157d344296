"""KuCoin: nanoseconds as text, hexadecimal ids, candles that are added and updated."""

import pytest

from adapters.codecs.codec import RowBuffer
from adapters.codecs.kucoin import KucoinCodec
from engine.blocks import Bars
from tests.codecs.codec_laws import (
    NOT_NUMBERS,
    RECEIVED_NS,
    as_frame,
    told,
    verdict,
)
from tests.codecs.recordings import replayed

STAMP_NS = 1_729_843_222_921_000_123
STAMP_MS = 1_729_843_222_921
MINUTE = 60_000_000_000
OPEN_S = 1_729_843_200
OPEN_NS = OPEN_S * 1_000_000_000


def message(topic: str, subject: str, data: object) -> bytes:
    return as_frame({"topic": topic, "type": "message", "subject": subject, "data": data})


def match(**changes: object) -> bytes:
    fields: dict[str, object] = {
        "makerOrderId": "671b5007389355000701b1d3", "price": "67523.1", "sequence": "11067996711960577",
        "side": "buy", "size": "0.003", "symbol": "BTC-USDT", "takerOrderId": "671b50161777ff00074c168d",
        "time": str(STAMP_NS), "tradeId": "11067996711960577", "type": "match",
    }  # fmt: skip
    return message("/market/match:BTC-USDT", "trade.l3match", fields | changes)


def candle(minute: int = 0, close: str = "11", subject: str = "update", interval: str = "1min") -> bytes:
    values = [str(OPEN_S + 60 * minute), "10", close, "12", "9", "5.5", "60.5"]
    data = {"symbol": "BTC-USDT", "candles": values, "time": STAMP_NS}
    return message(f"/market/candles:BTC-USDT_{interval}", f"trade.candles.{subject}", data)


BEST = {
    "bestAsk": "67523.2", "bestAskSize": "2.5", "bestBid": "67523.1", "bestBidSize": "1.5", "price": "67523.1",
    "sequence": "1", "size": "0.1", "time": STAMP_MS,
}  # fmt: skip
LEVEL1 = {"asks": ["67523.2", "2.5"], "bids": ["67523.1", "1.5"], "timestamp": STAMP_MS}
DELTA = {"changes": {"asks": [["0", "0", "1"]], "bids": []}, "sequenceEnd": 1, "sequenceStart": 1, "symbol": "BTC-USDT"}

FRAMES = (
    match(),
    message("/market/ticker:BTC-USDT", "trade.ticker", BEST),
    message("/market/ticker:all", "BTC-USDT", BEST),
    message("/spotMarket/level1:BTC-USDT", "level1", LEVEL1),
    candle(),
    candle(1, subject="add"),
    message("/market/level2:BTC-USDT", "trade.l2update", DELTA),
    as_frame({"data": DELTA, "subject": "trade.l2update", "topic": "/market/level2:BTC-USDT", "type": "message"}),
    message("/spotMarket/level2Depth5:BTC-USDT", "level2", {"asks": [], "bids": [], "timestamp": STAMP_MS}),
    message("/market/snapshot:BTC-USDT", "trade.snapshot", {"sequence": "1", "data": {}}),
    as_frame({"id": "hQvf8jkno", "type": "welcome"}),
    as_frame({"id": "1545910660739", "type": "ack"}),
    as_frame({"id": "1545910590801", "type": "pong"}),
    as_frame({"id": "1545910660740", "type": "error", "code": 404, "data": "topic /market/x is not found"}),
)
QUOTE = ("BTC-USDT", STAMP_MS * 1_000_000, RECEIVED_NS, 67_523.1, 1.5, 67_523.2, 2.5)


def test_a_match_is_read_to_the_nanosecond_with_the_takers_side() -> None:
    found = told(KucoinCodec(), match())

    assert found.given == [("BTC-USDT", STAMP_NS, RECEIVED_NS, 67_523.1, 0.003, 1, 11_067_996_711_960_577)]
    assert told(KucoinCodec(), match(side="sell")).given[0][5] == -1


def test_hexadecimal_ids_stay_apart_and_stay_the_same() -> None:
    one, other = "6085c09769bc506996295e36", "6085c09769bc506996295e37"

    ids = [told(KucoinCodec(), match(tradeId=each)).given[0][-1] for each in (one, other, one)]

    assert ids[0] == ids[2] != ids[1]


@pytest.mark.parametrize("frame", FRAMES[1:4])
def test_tickers_and_the_first_level_are_quotes(frame: bytes) -> None:
    assert told(KucoinCodec(), frame).given == [QUOTE]


def test_an_empty_side_has_the_others_price_and_no_size() -> None:
    frame = message("/spotMarket/level1:BTC-USDT", "level1", LEVEL1 | {"asks": None})

    assert told(KucoinCodec(), frame).given == [(*QUOTE[:5], 67_523.1, 0.0)]


def test_candles_are_open_close_high_low_and_final_when_the_next_one_opens() -> None:
    codec = KucoinCodec()

    running = [told(codec, candle(close="10.5", subject="add")), told(codec, candle())]
    following = told(codec, candle(1, subject="add"))

    assert [found.given for found in running] == [[], []]
    assert following.given == [
        ("BTC-USDT", "1m", OPEN_NS, OPEN_NS + MINUTE, RECEIVED_NS, 10.0, 12.0, 9.0, 11.0, 5.5, -1)
    ]


def test_timeframes_of_one_symbol_are_kept_apart() -> None:
    codec = KucoinCodec()
    told(codec, candle())
    told(codec, candle(interval="5min"))

    assert [row[1] for row in told(codec, candle(1)).given] == ["1m"]


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (FRAMES[6], "book"),
        (FRAMES[7], "book"),
        (FRAMES[8], "book"),
        (FRAMES[9], "ticker"),
        (FRAMES[10], "status"),
        (FRAMES[11], "acknowledgement"),
        (FRAMES[12], "heartbeat"),
        (FRAMES[13], "refusal"),
        (candle(interval="3min"), "other_interval"),
        (message("/indicator/index:BTC-USDT", "tick", {}), "index"),
    ],
)
def test_what_carries_no_row_is_passed_with_its_reason(frame: bytes, reason: str) -> None:
    assert dict(told(KucoinCodec(), frame).counts) == {reason: 1}


def test_other_topics_and_types_are_named() -> None:
    order = message("/spotMarket/tradeOrdersV2", "orderChange", {})

    assert dict(told(KucoinCodec(), order).unknown_kinds) == {"/spotMarket/tradeOrdersV2": 1}
    assert dict(told(KucoinCodec(), b'{"type":"update"}').unknown_kinds) == {"update": 1}
    assert dict(told(KucoinCodec(), b'{"type":"error"}').unknown_kinds) == {"error": 1}


@pytest.mark.parametrize("price", [*NOT_NUMBERS, "-1.0", "0"])
def test_a_match_without_a_price_is_malformed(price: object) -> None:
    assert verdict(KucoinCodec(), match(price=price)) == "malformed"


def test_a_cut_book_is_malformed() -> None:
    assert verdict(KucoinCodec(), FRAMES[6][:-3]) == "malformed"


def test_what_nobody_wants_is_not_read() -> None:
    rows = RowBuffer({"BTC-USDT": 0}, 0, frozenset())

    for frame in FRAMES[:6]:
        KucoinCodec().decode(frame, RECEIVED_NS, rows)

    assert dict(rows.counts) == {"unwanted_kind": 6}


def test_a_real_session_is_understood_to_the_last_frame() -> None:
    found = replayed("KUCOIN", KucoinCodec)

    assert found.kinds == {"Trades": 18, "Quotes": 830, "Bars": 2}
    assert found.counts == {"status": 1, "acknowledgement": 13, "book": 3_853, "unfinished_bar": 6}
    bars = [block for block in found.blocks if isinstance(block, Bars)]
    # One symbol's minute without trades was announced flat, and closed by the next.
    assert [(float(bar.volume[0]), float(bar.close[0])) for bar in bars] == [(0.0, 1.116e-07), (0.14324938, 242.781)]
