"""Bitfinex: channels by number, trades told twice, snapshots newest first."""

import pytest

from adapters.codecs.bitfinex import MOST_CHANNELS, BitfinexCodec
from adapters.codecs.codec import RowBuffer
from engine.blocks import Trades
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
TRADES, TICKER, CANDLES, BOOK, FUNDING, HOURS, STATUS = 11, 12, 13, 14, 15, 16, 17


def subscribed(number: int, channel: str, **fields: object) -> bytes:
    return as_frame({"event": "subscribed", "channel": channel, "chanId": number} | fields)


ANNOUNCED = (
    subscribed(TRADES, "trades", symbol="tBTCUSD", pair="BTCUSD"),
    subscribed(TICKER, "ticker", symbol="tBTCUSD", pair="BTCUSD"),
    subscribed(CANDLES, "candles", key="trade:1m:tBTCUSD"),
    subscribed(BOOK, "book", symbol="tBTCUSD", prec="P0", freq="F0", len="25", pair="BTCUSD"),
    subscribed(FUNDING, "trades", symbol="fUSD", currency="USD"),
    subscribed(HOURS, "candles", key="trade:3h:tBTCUSD"),
    subscribed(STATUS, "status", key="deriv:tBTCF0:USTF0"),
)


def announced() -> BitfinexCodec:
    codec = BitfinexCodec()
    for frame in ANNOUNCED:
        assert verdict(codec, frame) == "passed"
    return codec


def trade(number: int, amount: float = 0.25, time_ms: int = STAMP_MS) -> list[object]:
    return [number, time_ms, amount, 36_500.1]


def candle(minute: int = 0, close: float = 11.0) -> list[object]:
    return [OPEN_MS + minute * MINUTE_MS, 10, close, 12, 9, 5.5]


EXECUTED = as_frame([TRADES, "te", trade(401597395)])
BOOKED = as_frame([TRADES, "tu", trade(401597395)])
BEST = [36_500.0, 31.5, 36_500.1, 43.25, -550.8, -0.0674, 36_500.1, 8314.7, 37_000, 36_000]

FRAMES = (
    *ANNOUNCED,
    EXECUTED,
    BOOKED,
    as_frame([TRADES, [trade(3), trade(2, -0.5)]]),
    as_frame([TICKER, BEST]),
    as_frame([CANDLES, [candle(1), candle()]]),
    as_frame([CANDLES, candle(2)]),
    as_frame([BOOK, [36_500, 2, -0.5]]),
    as_frame([BOOK, [[36_500, 2, 0.5]]]),
    as_frame([BOOK, "cs", -1_234_567]),
    as_frame([FUNDING, "fte", [133323072, STAMP_MS, -258.7, 0.0002587, 2]]),
    as_frame([STATUS, [STAMP_MS]]),
    as_frame([TRADES, "hb"]),
    as_frame({"event": "info", "version": 2, "serverId": "a-b", "platform": {"status": 1}}),
    as_frame({"event": "conf", "status": "OK", "flags": 65536}),
    as_frame({"event": "pong", "ts": STAMP_MS, "cid": 1234}),
    as_frame({"event": "error", "msg": "symbol: invalid", "code": 10300, "channel": "trades"}),
    as_frame({"event": "unsubscribed", "status": "OK", "chanId": FUNDING}),
)


def test_a_trade_is_the_execution_and_its_booking_only_repeats_it() -> None:
    codec = announced()

    executed, booked = told(codec, EXECUTED), told(codec, BOOKED)

    assert executed.given == [("tBTCUSD", STAMP_MS * MS, RECEIVED_NS, 36_500.1, 0.25, 1, 401597395)]
    assert dict(booked.counts) == {"repeated_trade": 1}


def test_a_negative_amount_was_sold_by_the_aggressor() -> None:
    found = told(announced(), as_frame([TRADES, "te", trade(1, -0.5)]))

    assert found.given == [("tBTCUSD", STAMP_MS * MS, RECEIVED_NS, 36_500.1, 0.5, -1, 1)]


def test_a_snapshot_leaves_oldest_first() -> None:
    newest_first = [trade(9, time_ms=STAMP_MS + 5), trade(8), trade(7)]

    assert [row[-1] for row in told(announced(), as_frame([TRADES, newest_first])).given] == [7, 8, 9]


def test_sequence_numbers_at_the_end_change_nothing() -> None:
    codec = announced()

    assert told(codec, as_frame([TRADES, "te", trade(1), 18])).verdict == "rows"
    assert told(codec, as_frame([TICKER, BEST, 19])).verdict == "rows"
    assert dict(told(codec, as_frame([BOOK, "hb", 20])).counts) == {"heartbeat": 1}
    assert dict(told(codec, as_frame([BOOK, [36_500, 2, -0.5], 21])).counts) == {"book": 1}


def test_a_ticker_is_a_quote_at_the_time_of_receipt() -> None:
    found = told(announced(), as_frame([TICKER, BEST]))

    assert found.given == [("tBTCUSD", RECEIVED_NS, RECEIVED_NS, 36_500.0, 31.5, 36_500.1, 43.25)]


def test_candles_are_open_close_high_low_and_final_when_the_next_one_opens() -> None:
    codec = announced()

    history = told(codec, as_frame([CANDLES, [candle(1, 10.5), candle(0)]]))
    running = told(codec, as_frame([CANDLES, candle(1, 10.75)]))
    following = told(codec, as_frame([CANDLES, candle(2)]))

    open_ns = OPEN_MS * MS
    length = MINUTE_MS * MS
    assert history.given == [("tBTCUSD", "1m", open_ns, open_ns + length, RECEIVED_NS, 10.0, 12.0, 9.0, 11.0, 5.5, -1)]
    assert running.given == []
    assert following.given == [
        ("tBTCUSD", "1m", open_ns + length, open_ns + 2 * length, RECEIVED_NS, 10.0, 12.0, 9.0, 10.75, 5.5, -1)
    ]


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (as_frame([BOOK, [36_500, 2, -0.5]]), "book"),
        (as_frame([BOOK, [[36_500, 2, 0.5]]]), "book"),
        (as_frame([BOOK, "cs", -1_234_567]), "book"),
        (as_frame([FUNDING, "fte", [1, STAMP_MS, -258.7, 0.0002587, 2]]), "funding"),
        (as_frame([HOURS, candle()]), "other_interval"),
        (as_frame([STATUS, [STAMP_MS]]), "status"),
        (as_frame([TRADES, "hb"]), "heartbeat"),
        (as_frame([99, "hb"]), "heartbeat"),
        (as_frame([TRADES, []]), "empty"),
        (FRAMES[-5], "status"),
        (FRAMES[-4], "acknowledgement"),
        (FRAMES[-3], "heartbeat"),
        (FRAMES[-2], "refusal"),
        (FRAMES[-1], "acknowledgement"),
    ],
)
def test_what_carries_no_row_is_passed_with_its_reason(frame: bytes, reason: str) -> None:
    assert dict(told(announced(), frame).counts) == {reason: 1}


def test_numbers_mean_nothing_before_they_are_announced_and_after_they_are_given_up() -> None:
    codec = announced()

    assert verdict(BitfinexCodec(), EXECUTED) == "unknown"
    assert verdict(codec, {"event": "unsubscribed", "status": "OK", "chanId": TRADES}) == "passed"
    assert verdict(codec, EXECUTED) == "unknown"


def test_a_number_given_anew_means_the_new_channel() -> None:
    codec = announced()

    told(codec, subscribed(BOOK, "trades", symbol="tETHUSD"))

    assert told(codec, as_frame([BOOK, "te", trade(1)])).given[0][0] == "tETHUSD"
    assert verdict(codec, as_frame([BOOK, [trade(1)]])) == "rows"


def test_channels_beyond_the_limit_are_not_remembered() -> None:
    codec = BitfinexCodec()
    for number in range(MOST_CHANNELS + 1):
        told(codec, subscribed(number, "trades", symbol="tBTCUSD"))

    assert verdict(codec, as_frame([MOST_CHANNELS - 1, "te", trade(1)])) == "rows"
    assert verdict(codec, as_frame([MOST_CHANNELS, "te", trade(1)])) == "unknown"


def test_other_channels_words_and_events_are_named() -> None:
    codec = announced()

    assert dict(told(codec, subscribed(20, "liquidations", symbol="x")).unknown_kinds) == {"liquidations": 1}
    assert dict(told(codec, as_frame([TRADES, "on", []])).unknown_kinds) == {'"on"': 1}
    assert dict(told(codec, b'{"event":"subscriptionStatus"}').unknown_kinds) == {"subscriptionStatus": 1}


@pytest.mark.parametrize("price", [*NOT_NUMBERS, -36_500.1, "-1", 0])
def test_a_trade_without_a_price_spoils_its_frame(price: object) -> None:
    assert verdict(announced(), as_frame([TRADES, [trade(1), [2, STAMP_MS, 0.5, price]]])) == "malformed"


@pytest.mark.parametrize("fields", [{"channel": "trades"}, {"channel": "candles", "key": "trade:1m:"}])
def test_a_channel_of_no_symbol_is_malformed(fields: dict[str, str]) -> None:
    assert verdict(BitfinexCodec(), as_frame({"event": "subscribed", "chanId": 1} | fields)) == "malformed"


def test_a_trade_of_nothing_is_malformed() -> None:
    assert verdict(announced(), as_frame([TRADES, "te", trade(1, 0)])) == "malformed"


def test_what_nobody_wants_is_not_read() -> None:
    codec = announced()
    rows = RowBuffer({"tBTCUSD": 0}, 0, frozenset())

    for frame in (EXECUTED, as_frame([TICKER, BEST]), as_frame([CANDLES, candle()])):
        codec.decode(frame, RECEIVED_NS, rows)

    assert dict(rows.counts) == {"unwanted_kind": 3}


def test_a_real_session_is_understood_to_the_last_frame() -> None:
    found = replayed("BITFINEX", BitfinexCodec)

    assert found.kinds == {"Trades": 210, "Quotes": 21}
    assert found.counts == {"status": 1, "acknowledgement": 22, "book": 1_600, "heartbeat": 42}
    for block in found.blocks:
        if isinstance(block, Trades):
            for symbol in range(len(found.symbols)):
                times = block.time_ns[block.instrument == symbol].tolist()
                assert times == sorted(times)
