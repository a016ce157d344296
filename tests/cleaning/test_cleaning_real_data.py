"""The traps that real files hold, by name and with their counts; every row of them is accounted for."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adapters.files import DROPPED, FileFeed, FileOptions, open_feed
from adapters.raw import open_recordings
from engine.blocks import MarketBlock
from engine.messages import Quarantine
from tests.adapters.file_makers import SHARED

pytestmark = pytest.mark.skipif(not SHARED.is_dir(), reason=f"no real data at {SHARED}")

CRYPTO = "crypto-bars/cryptodatadownload"
LEAN = "lean/Data/equity/usa"


def real(name: str) -> Path:
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"no {path}")
    return path


def read(name: str, **options: Any) -> tuple[FileFeed, list[MarketBlock], list[Quarantine]]:
    """The feed after all its facts, its blocks, and what it quarantined."""
    feed = open_feed(real(name), FileOptions(**options))
    facts = list(feed.facts({symbol: number for number, symbol in enumerate(feed.symbols)}, 0, 65_536))
    blocks = [fact for fact in facts if isinstance(fact, MarketBlock)]
    withheld = sum(feed.counts.get(reason, 0) for reason in DROPPED)
    assert feed.counts["rows"] == sum(map(len, blocks)) + withheld
    return feed, blocks, [fact for fact in facts if isinstance(fact, Quarantine)]


def first(feed: FileFeed, reason: str) -> tuple[str, float, float]:
    """Day and minute, and the two numbers, of the first example."""
    one = feed.findings.examples(reason)[0]
    return str(np.datetime64(one.time_ns, "ns"))[:16], one.found, one.other


def test_facebook_minutes_with_prints_at_310_while_trading_at_222() -> None:
    feed, blocks, quarantined = read("bars-minute/yahoo-intraday/FB.csv.gz")

    assert feed.counts == {"rows": 20_153, "absurd_price": 5}
    assert [(one.symbol, one.reason, one.count) for one in quarantined] == [("FB", "absurd_price", 5)]
    assert first(feed, "absurd_price") == ("2022-04-07T20:56", 283.3067, 222.71)
    assert max(float(block.columns()["high"].max()) for block in blocks) < 237
    # 57 to 59 % of the rows have no volume: before and after the session.
    assert feed.findings.all == {"absurd_price": 5, "zero_volume": 1_425, "moved_without_volume": 10_137}


def test_the_dirty_spy_minutes() -> None:
    feed, _, quarantined = read("bars-minute/yahoo-intraday/SPY.csv.gz")

    assert feed.counts == {
        "rows": 13_435, "nan_row": 1, "sorted": 17, "duplicate": 5_057, "duplicate_conflicting": 17,
    }  # fmt: skip
    assert quarantined == []


@pytest.mark.parametrize(
    ("symbol", "counts", "bad"),
    [
        (
            "BTC",
            {"absurd_price": 1, "duplicate_conflicting": 2_649, "zero_volume": 117},
            ("2017-08-17T05:00", 16_199.91, 4_308.83),
        ),
        (
            "ETH",
            {"absurd_price": 2, "duplicate": 1, "duplicate_conflicting": 2_648, "zero_volume": 119},
            ("2017-08-17T05:00", 652.74, 300.79),
        ),
    ],
)
def test_newest_first_hours_of_two_units_with_a_wrong_first_open(
    symbol: str, counts: dict[str, int], bad: tuple[str, float, float]
) -> None:
    feed, _, _ = read(f"{CRYPTO}/Binance_{symbol}USDT_1h.csv.gz")

    assert feed.findings.all == counts
    assert feed.counts["reversed"] == 36_062
    assert feed.counts["mixed_units"] == 7_478
    assert first(feed, "absurd_price") == bad


def test_the_unfinished_newest_hour_goes_once_somebody_says_when_the_file_was_made() -> None:
    made_ns = int(np.datetime64("2021-06-10T00:12", "ns").astype(np.int64))

    feed, blocks, _ = read(f"{CRYPTO}/Binance_BTCUSDT_1h.csv.gz", made_ns=made_ns)

    assert feed.counts["unfinished_bar"] == 1
    assert str(np.datetime64(int(blocks[-1].row_ns[-1]), "ns"))[:16] == "2021-06-10T00:00"


def test_gold_futures_that_contradict_themselves() -> None:
    feed, _, quarantined = read("daily-singles/GC=F.csv.gz")

    assert feed.counts == {"rows": 5_888, "bad_ohlc": 441}
    assert [one.count for one in quarantined] == [441]


def test_apple_on_the_day_of_its_split_begins_in_two_worlds() -> None:
    feed, blocks, _ = read(f"{LEAN}/minute/aapl/20140609_trade.zip", adjust="none")

    assert feed.counts == {"rows": 834, "absurd_price": 1}
    assert first(feed, "absurd_price")[1:] == (645.57, 92.42)
    assert min(float(block.columns()["low"].min()) for block in blocks) > 91


def test_a_real_crash_passes() -> None:
    feed, blocks, _ = read("daily-singles/bokeh_sampledata_stocks.csv.gz")

    assert feed.counts == {"rows": 12_154, "stacked": 12_154}
    assert sum(map(len, blocks)) == 12_154


@pytest.mark.parametrize("day", ["20131007", "20131008", "20131009"])
def test_equal_prints_of_a_consolidated_tape_are_all_real(day: str) -> None:
    feed, blocks, _ = read(f"{LEAN}/tick/spy/{day}_trade.zip")

    assert feed.findings.all == {}
    assert sum(map(len, blocks)) == feed.counts["rows"] > 250_000


def test_five_bad_days_among_150_stocks_in_an_archive() -> None:
    feed, _, quarantined = read("daily-universe/yfinance-stock-data_150symbols.tar.xz")

    assert len(feed.symbols) == 150
    assert feed.findings.all == {"bad_ohlc": 5, "zero_volume": 169, "moved_without_volume": 1}
    assert [(one.symbol, one.count) for one in quarantined] == [("HUBB", 1), ("SHEL", 4)]


def test_a_daily_feed_repeats_rows_within_a_file() -> None:
    feed, _, _ = read("daily-universe/pystock-data/2017/20170117.tar.gz")

    assert feed.timeframe == "1d"  # though its two days lie around a holiday
    assert feed.counts["duplicate"] == 10


def test_a_clock_that_runs_behind_the_exchange_is_measured_and_ids_run_through_the_file_border() -> None:
    paths = [real(f"feeds/hftbacktest/spot/btcusdt_2024080{day}.gz") for day in (8, 9)]
    (feed,) = open_recordings(paths)

    list(feed.facts({symbol: number for number, symbol in enumerate(feed.symbols)}, 0, 65_536))

    assert feed.findings is not None
    assert feed.findings.all == {"negative_latency": 19_904}
    least, middle, largest = (skew / 1e6 for skew in feed.findings.skew_ns or ())
    assert (least, largest) == pytest.approx((1_058.1, 1_276.1), abs=0.1)
    assert 1_200 < middle < 1_280


def test_snapshots_older_than_the_connection_are_late() -> None:
    (feed,) = open_recordings([real("feeds/cryptofeed/COINBASE.jsonl.zst")])

    list(feed.facts({symbol: number for number, symbol in enumerate(feed.symbols)}, 0, 65_536))

    assert feed.findings is not None
    assert feed.findings.all["late_row"] == 287
