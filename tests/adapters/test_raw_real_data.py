"""Recorded sessions of the shared data folder: every message accounted for, and the venue's own
candles as oracle for the trades.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest

from adapters.feed_errors import LayoutError
from adapters.raw import RawOptions, is_raw, open_raw, open_recordings
from adapters.raw_lines import lines
from tests.adapters.file_makers import SHARED
from tests.adapters.raw_makers import Replayed, replayed

pytestmark = pytest.mark.skipif(not SHARED.is_dir(), reason=f"no real data at {SHARED}")

SPOT = ("feeds/hftbacktest/spot/btcusdt_20240808.gz", "feeds/hftbacktest/spot/btcusdt_20240809.gz")
FUTURES = "feeds/hftbacktest/usdm/btcusdt_20240808.gz"
HYPERLIQUID = "feeds/hftbacktest/hyperliquid/btcusd_20250126.gz"
CANDLES = "feeds/cryptofeed/BINANCE_FUTURES.jsonl.zst"
EVERY_KIND = RawOptions(kinds=frozenset(("trades", "quotes", "bars")))
MESSAGES = {
    "BINANCE": 265, "BINANCE_FUTURES": 1_535, "BITFINEX": 1_693, "BYBIT": 3_227, "COINBASE": 1_030, "GATEIO": 239,
    "KRAKEN": 4_430, "KUCOIN": 4_721,
}  # fmt: skip
"""As the folder's own description counts them."""


def real(name: str) -> Path:
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"no {path}")
    return path


def moment(text: str) -> int:
    return int(np.datetime64(text, "ns").astype(np.int64))


def payloads(name: str) -> Iterator[dict[str, object]]:
    """The messages of a recording of cryptofeed, read without any of our codecs."""
    for batch in lines(real(name)):
        for line in filter(None, batch):
            record = msgspec.json.decode(line)
            if record["t"] == "recv":
                yield json.loads(record["data"])


@pytest.mark.parametrize("exchange", sorted(MESSAGES))
def test_every_message_is_accounted_for(exchange: str) -> None:
    path = real(f"feeds/cryptofeed/{exchange}.jsonl.zst")
    assert is_raw(path)

    found = replayed(open_raw(path, EVERY_KIND))

    messages = dict(found.feed.messages)
    assert messages["messages"] == MESSAGES[exchange]
    assert messages.get("reconnections", 0) == 0
    assert found.feed.unknown_kinds == {}
    assert {"malformed_frame", "malformed_record", "unknown_message"}.isdisjoint(found.feed.counts)
    counts = dict(found.feed.counts)
    assert counts.pop("rows") == len(found.rows) + sum(counts.values())


@pytest.mark.parametrize("exchange", ["KRAKEN", "BYBIT", "COINBASE"])
def test_receipts_are_in_order_whatever_the_file_s_order(exchange: str) -> None:
    feed = open_raw(real(f"feeds/cryptofeed/{exchange}.jsonl.zst"))

    received = [received_ns for received_ns, _, _ in feed.recording.frames()]

    assert len(received) == MESSAGES[exchange]
    assert received == sorted(received)
    assert feed.messages["connections"] == {"KRAKEN": 3, "BYBIT": 2, "COINBASE": 1}[exchange]


@pytest.mark.parametrize("name", [SPOT[0], CANDLES, "feeds/cryptofeed/KRAKEN.jsonl.zst"])
def test_chunks_do_not_show(name: str) -> None:
    feed = open_raw(real(name))

    whole = replayed(feed).rows

    assert all(replayed(feed, chunk).rows == whole for chunk in ((7, 1_000_000) if "hft" in name else (1, 7)))


# ----------------------------------------------------------------------- Binance, raw trades


def test_trade_numbers_run_through_the_border_of_two_days() -> None:
    (feed,) = open_recordings([real(SPOT[1]), real(SPOT[0])])
    found = replayed(feed)

    assert feed.symbols == ("BTCUSDT",)
    assert len(found.trades) == 9_757 + 10_147
    assert (np.diff(found.trades.trade_id) == 1).all()
    assert feed.findings is not None
    assert "id_gap" not in feed.findings.all
    assert feed.messages["messages"] == 41_249 + 58_325
    assert feed.counts == {"rows": 93_078, "unwanted_kind": 73_174}


def test_the_exchange_s_clock_is_ahead_of_the_recorder_s() -> None:
    found = replayed(open_raw(real(SPOT[0])))

    latency_ns = found.trades.received_ns - found.trades.time_ns
    assert latency_ns.max() < -1_000_000_000
    assert found.feed.findings is not None
    assert found.feed.findings.all["negative_latency"] == len(found.trades)
    # Received before midnight, traded after it: the row's time is the exchange's.
    assert found.trades.time_ns[-1] > moment("2024-08-09T00:00:01")
    assert found.trades.received_ns[-1] < moment("2024-08-09")


def test_a_quote_takes_the_time_of_receipt_where_the_venue_sends_none() -> None:
    spot = open_raw(real(SPOT[0]), EVERY_KIND)
    futures = open_raw(real(FUTURES), EVERY_KIND)

    assert spot.found.rows["quotes"] == {"BTCUSDT": 28_040}
    assert futures.found.rows["quotes"] == {"BTCUSDT": 66_089}
    stamped = [(block.time_ns == block.received_ns).all() for block in replayed(spot).blocks if hasattr(block, "bid")]
    assert all(stamped)


def test_futures_have_every_trade_of_their_span() -> None:
    found = replayed(open_raw(real(FUTURES)))

    assert len(found.trades) == 21_313
    assert (np.diff(found.trades.trade_id) == 1).all()
    assert 60_000 < found.trades.price.min() < found.trades.price.max() < 63_000
    assert (found.trades.size > 0).all()


def test_aggressors_trade_at_their_side_of_the_book() -> None:
    found = replayed(open_raw(real(FUTURES), EVERY_KIND))

    right = wrong = 0
    bid, ask = np.nan, np.nan
    for block in found.blocks:
        if hasattr(block, "bid"):
            bid, ask = block.bid[-1], block.ask[-1]
            continue
        at_ask, at_bid = block.price >= ask, block.price <= bid
        right += int((at_ask & (block.side == 1)).sum() + (at_bid & (block.side == -1)).sum())
        wrong += int((at_ask & (block.side == -1)).sum() + (at_bid & (block.side == 1)).sum())

    assert right + wrong > 10_000
    # Trades and quotes are sent side by side, so that some quotes come a moment late.
    assert right > 0.8 * (right + wrong)


def test_a_venue_nobody_knows_is_refused() -> None:
    with pytest.raises(LayoutError, match=r"btcusd_20250126\.gz: messages must be of one of binance"):
        open_raw(real(HYPERLIQUID))


# ------------------------------------------------------------- the venue's own candles


class Candle(dict[str, object]):
    """A kline as sent, with its numbers as numbers."""

    def __init__(self, raw: dict[str, object]) -> None:
        super().__init__(raw)
        for name in "ohlcv":
            self[name] = float(str(raw[name]))


def klines() -> dict[str, list[Candle]]:
    """Symbol -> its klines in order of receipt."""
    found = defaultdict(list)
    for message in payloads(CANDLES):
        data = message["data"]
        assert isinstance(data, dict)
        if data["e"] == "kline":
            found[str(data["s"])].append(Candle(data["k"]))
    return found


def last_of_aggregate() -> dict[tuple[str, int], int]:
    """(symbol, number of the aggregate trade) -> number of the last trade in it."""
    sent = [message["data"] for message in payloads(CANDLES)]
    return {(data["s"], data["a"]): data["l"] for data in sent if isinstance(data, dict) and data["e"] == "aggTrade"}


@pytest.fixture(scope="module")
def session() -> Replayed:
    return replayed(open_raw(real(CANDLES)))


def prints_of(session: Replayed, symbol: str, after: int, until: int) -> tuple[np.ndarray, np.ndarray]:
    """Price and size of the trades numbered (after, until]."""
    trades, lasts = session.trades, last_of_aggregate()
    mine = np.flatnonzero(trades.instrument == session.feed.symbols.index(symbol))
    chosen = [row for row in mine if after < lasts[symbol, int(trades.trade_id[row])] <= until]
    return trades.price[chosen], trades.size[chosen]


def whole(symbol: str, candles: list[Candle], minute: object) -> list[Candle]:
    """The klines of a minute that do not end inside an aggregate trade."""
    ends = {last for (of, _), last in last_of_aggregate().items() if of == symbol}
    return [candle for candle in candles if candle["t"] == minute and candle["L"] in ends]


def test_closed_klines_are_bars_and_open_ones_are_not(session: Replayed) -> None:
    sent = [candle for candles in klines().values() for candle in candles]
    closed = [candle for candle in sent if candle["x"]]

    assert (len(sent), len(closed)) == (67, 4)
    assert session.feed.counts["unfinished_bar"] == 63
    assert sorted(session.feed.symbols[at] for at in session.bars.instrument) == sorted(
        str(each["s"]) for each in closed
    )
    for row, symbol in enumerate(session.feed.symbols[at] for at in session.bars.instrument.tolist()):
        (candle,) = (each for each in closed if each["s"] == symbol)
        bar = {"o": "open", "h": "high", "l": "low", "c": "close", "v": "volume", "n": "trades"}
        assert {name: getattr(session.bars, column)[row] for name, column in bar.items()} == {
            name: candle[name] for name in bar
        }
        assert session.bars.close_ns[row] - session.bars.open_ns[row] == 60_000_000_000


def test_trades_lead_from_the_first_kline_to_the_closed_one(session: Replayed) -> None:
    """The session begins inside the minute, so its closed klines are folded from the first one sent."""
    compared: Counter[str] = Counter()
    for symbol, candles in klines().items():
        minute = next(candle["t"] for candle in candles if candle["x"])
        sent = whole(symbol, candles, minute)
        if len(sent) < 2 or not sent[-1]["x"]:
            continue
        start, end = sent[0], sent[-1]
        price, size = prints_of(session, symbol, int(str(start["L"])), int(str(end["L"])))

        assert float(str(start["v"])) + size.sum() == pytest.approx(end["v"], rel=1e-12)
        assert max(float(str(start["h"])), *price) == end["h"]
        assert min(float(str(start["l"])), *price) == end["l"]
        assert price[-1] == end["c"]
        compared[symbol] += len(price)

    assert len(compared) >= 3
    assert compared.total() >= 35


def test_trades_of_a_minute_from_its_beginning_are_its_kline(session: Replayed) -> None:
    """The second minute is in the session from its first trade on."""
    compared: Counter[str] = Counter()
    for symbol, candles in klines().items():
        minute = next(candle["t"] for candle in candles if candle["x"])
        sent = whole(symbol, candles, int(str(minute)) + 60_000)
        if not sent:
            continue
        latest = sent[-1]
        price, size = prints_of(session, symbol, int(str(latest["f"])) - 1, int(str(latest["L"])))

        assert (price[0], price.max(), price.min(), price[-1]) == tuple(latest[name] for name in "ohlc")
        assert size.sum() == pytest.approx(latest["v"], rel=1e-12)
        compared[symbol] += len(price)

    assert len(compared) >= 2
    assert compared.total() >= 15


# ----------------------------------------------------------------------------- Coinbase


def test_a_snapshot_of_trades_is_older_than_its_connection_and_oldest_first() -> None:
    found = replayed(open_raw(real("feeds/cryptofeed/COINBASE.jsonl.zst")))
    trades = found.trades

    assert len(trades) == 279
    assert trades.time_ns[0] < found.feed.recording.first_ns
    for number in range(2):
        mine = trades.trade_id[trades.instrument == number]
        assert (np.diff(mine) == 1).all()
    assert (trades.side == 1).sum() + (trades.side == -1).sum() == 279


def test_history_of_candles_is_finished_bars_of_five_minutes() -> None:
    found = replayed(open_raw(real("feeds/cryptofeed/COINBASE.jsonl.zst")))

    assert len(found.bars) == 198
    assert found.feed.counts["unfinished_bar"] == 6
    assert (found.bars.close_ns - found.bars.open_ns == 300_000_000_000).all()
    assert found.bars.close_ns.max() <= found.bars.received_ns.min()
