"""Every file of the shared data folder opens, and has the rows that its list of files says."""

import csv
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adapters.feed_errors import EmptyError, FeedError, LayoutError
from adapters.files import FileOptions, open_feed, open_feeds
from engine.messages import EndOfFeed
from tests.adapters.table_makers import SHARED, Found, found_in

pytestmark = pytest.mark.skipif(not SHARED.is_dir(), reason=f"no real data at {SHARED}")

EMPTY = "daily-universe/pystock-data/2016/20161117.tar.gz"
UNIVERSE = "daily-universe/yfinance-stock-data_150symbols.tar.xz"
LEAN = "lean/Data/equity/usa"
OPTIONS: dict[str, dict[str, Any]] = {"crypto-bars/freqtrade-testdata/UNITTEST_BTC-30m.feather": {"fold": "1h"}}
"""What a file does not say itself."""


def listed() -> list[tuple[str, int]]:
    path = SHARED / "MANIFEST.csv"
    if not path.exists():
        return []
    with path.open() as stream:
        rows = [(row["path"], int(row["rows"])) for row in csv.DictReader(stream)]
    return [(name, rows) for name, rows in rows if not name.startswith("feeds/")]


def real(name: str) -> Path:
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"no {path}")
    return path


def days(found: Found) -> list[str]:
    return [str(np.datetime64(int(ns), "ns"))[:10] for ns in found.rows["wall_ns"]]


@pytest.mark.parametrize(("name", "rows"), listed(), ids=[name for name, _ in listed()])
def test_every_file_is_a_feed(name: str, rows: int) -> None:
    path = real(name)
    if name == EMPTY:
        with pytest.raises(
            EmptyError, match=r"20161117\.tar\.gz: must hold rows, was empty \(symbols\.txt, prices\.csv"
        ):
            open_feed(path)
        return

    feed = open_feed(path, FileOptions(**OPTIONS.get(name, {})))
    numbers = {symbol: number for number, symbol in enumerate(feed.symbols)}
    facts = list(feed.facts(numbers, 0, 65_536))

    assert feed.counts["rows"] == rows
    assert isinstance(facts[-1], EndOfFeed)
    assert len(feed.symbols) >= 1


def test_the_empty_day_is_passed_over_among_others() -> None:
    folder = real(EMPTY).parent

    opened = open_feeds(sorted(folder.glob("*.tar.gz")))

    assert len(opened.feeds) == 3
    assert opened.empty == [
        f"{folder}/20161117.tar.gz: must hold rows, was empty (symbols.txt, prices.csv, reports.csv)"
    ]


def test_the_universe_has_a_symbol_a_member() -> None:
    names = (SHARED / UNIVERSE.replace(".tar.xz", ".txt")).read_text().split()

    feed = open_feed(real(UNIVERSE), FileOptions(member="A*.csv"))

    assert list(feed.symbols) == sorted(name for name in names if name.startswith("A"))


def test_prints_of_the_consolidated_tape_are_all_there() -> None:
    total = {
        name: len(found_in(real(f"{LEAN}/tick/spy/{name}_trade.zip")).rows)
        for name in ("20131007", "20131008", "20131009")
    }
    found = found_in(real(f"{LEAN}/tick/spy/20131007_trade.zip"))

    assert sum(total.values()) == 1_141_823
    assert (found.column("price")[0], found.column("size")[0], found.column("conditions")[0]) == (
        167.41,
        100,
        0x2000_2000,
    )
    assert np.datetime64(int(found.rows["utc_ns"][0]), "ns") == np.datetime64("2013-10-07T08:00:00.464")
    rows = np.stack([found.rows[name] for name in ("utc_ns", "price", "size", "conditions")], axis=1)
    assert len(np.unique(rows, axis=0)) < 0.9 * len(rows)


def test_prints_and_bars_of_a_day_agree() -> None:
    prints = found_in(real(f"{LEAN}/tick/spy/20131007_trade.zip"))
    minutes = found_in(real(f"{LEAN}/minute/spy/20131007_trade.zip"))
    seconds = found_in(real(f"{LEAN}/second/spy/20131007_trade.zip"))

    assert (
        np.unique(prints.rows["utc_ns"] // 60_000_000_000).tolist()
        == (minutes.rows["utc_ns"] // 60_000_000_000).tolist()
    )
    assert seconds.rows["utc_ns"].tolist() == minutes.rows["utc_ns"].tolist()
    volumes = np.bincount(
        np.searchsorted(minutes.rows["utc_ns"], prints.rows["utc_ns"], "right") - 1, prints.rows["size"]
    )
    assert (volumes == minutes.rows["volume"]).mean() > 0.98
    assert (seconds.rows["high"] == minutes.rows["high"]).mean() > 0.9


def test_folded_seconds_are_what_plain_python_makes_of_them() -> None:
    path = real(f"{LEAN}/second/spy/20131007_trade.zip")
    with zipfile.ZipFile(path) as archive:
        rows = [[int(cell) for cell in line.split(b",")] for line in archive.read(archive.namelist()[0]).split()]
    expected: dict[int, list[int]] = {}
    for ms, open_, high, low, close, volume in rows:
        bar = expected.setdefault(ms // 60_000, [open_, high, low, close, 0])
        bar[1:] = [max(bar[1], high), min(bar[2], low), close, bar[4] + volume]

    found = found_in(path)

    for at, name in enumerate(("open", "high", "low", "close")):
        assert found.column(name) == [bar[at] / 10_000 for bar in expected.values()]
    assert found.column("volume") == [bar[4] for bar in expected.values()]
    assert found.counts == {"rows": len(rows), "folded": len(rows) - len(expected)}


def test_hours_of_a_session_add_up_to_its_day() -> None:
    daily, hours = (found_in(real(f"{LEAN}/{name}/spy.zip")) for name in ("daily", "hour"))

    day = daily.column("volume")[days(daily).index("2013-10-07")]
    of_hours = sum(
        volume for volume, name in zip(hours.column("volume"), days(hours), strict=True) if name == "2013-10-07"
    )

    assert day == of_hours == 81_489_219


def test_apple_did_not_crash_on_the_day_of_its_split() -> None:
    files = [real(f"{LEAN}/minute/aapl/{day}_trade.zip") for day in ("20140605", "20140606", "20140609")]

    raw = [found_in(path, adjust="none") for path in files]
    adjusted = [found_in(path) for path in files]
    of_that_day = [found_in(path, adjust_as_of="2014-06-09") for path in files]

    assert raw[1].column("close")[-1] / raw[2].column("close")[-1] == pytest.approx(7, rel=0.05)
    assert adjusted[1].column("close")[-1] / adjusted[2].column("close")[-1] == pytest.approx(1, rel=0.05)
    assert adjusted[1].column("volume")[0] == pytest.approx(raw[1].column("volume")[0] * 28)
    # As of the day itself its own prices stay, also those of the one bar that mixes both worlds.
    assert of_that_day[2].column("close") == pytest.approx(raw[2].column("close"))
    assert of_that_day[1].column("close") == pytest.approx([close / 7 for close in raw[1].column("close")])


def test_no_split_is_left_in_twenty_years_of_days() -> None:
    raw, adjusted = (found_in(real(f"{LEAN}/daily/aapl.zip"), adjust=adjust) for adjust in ("none", "auto"))

    def falls(found: Found) -> list[str]:
        close = found.rows["close"]
        return [days(found)[at + 1] for at in np.flatnonzero(close[1:] / close[:-1] < 0.6).tolist()]

    assert falls(raw) == ["2000-06-21", "2000-09-29", "2005-02-28", "2014-06-09", "2020-08-31"]
    assert falls(adjusted) == ["2000-09-29"]


def test_dividends_are_taken_out_when_asked_for() -> None:
    splits, every = (found_in(real(f"{LEAN}/daily/spy.zip"), adjust=adjust) for adjust in ("auto", "all"))

    assert splits.column("close")[0] == 97.36
    assert every.column("close")[0] == pytest.approx(97.36 * 0.6566606)
    assert every.column("volume") == splits.column("volume")


def test_quotes_of_a_day_have_one_side_each() -> None:
    found = found_in(real(f"{LEAN}/tick/ibm/20131007_quote.zip"))

    bids, asks = found.rows["bid_size"] > 0, found.rows["ask_size"] > 0
    assert found.kind == "quotes"
    assert (bids ^ asks).mean() > 0.99
    assert (found.rows["bid"] == found.rows["ask"]).mean() > 0.99


def test_oanda_is_utc_and_opens_on_sunday_evening() -> None:
    found = found_in(real("lean/Data/forex/oanda/tick/eurusd/20140504_quote.zip"))

    assert np.datetime64(int(found.rows["utc_ns"][0]), "ns") == np.datetime64("2014-05-04T21:00:00.462")
    assert found.column("bid")[0] == 1.38817


def test_json_and_parquet_of_one_market_give_the_same_trades() -> None:
    folder = "crypto-bars/freqtrade-testdata"

    parquet, json = (found_in(real(f"{folder}/XRP_ETH-trades.{kind}")) for kind in ("parquet", "json.gz"))

    for name in ("utc_ns", "price", "size", "side", "trade_id"):
        assert json.column(name) == parquet.column(name)


def test_raw_answers_and_the_file_derived_from_them_agree() -> None:
    raw = found_in(real("crypto-bars/bitfinex/BTCUSD_1m_2018-11_raw_rest_responses.tar.gz"))
    derived = found_in(real("crypto-bars/bitfinex/BTCUSD_1m_2018.derived.csv.gz"))

    assert raw.table.layout == derived.table.layout == "bitfinex"
    of_raw = dict(zip(raw.column("utc_ns"), raw.column("close"), strict=True))
    of_derived = dict(zip(derived.column("utc_ns"), derived.column("close"), strict=True))
    assert len(of_raw) > 40_000
    assert all(of_derived[when] == close for when, close in of_raw.items())


def test_american_dates_of_the_index() -> None:
    arch, yahoo = found_in(real("daily-singles/arch_sp500.csv.gz")), found_in(real("daily-singles/^GSPC.csv.gz"))

    closes = dict(zip(days(yahoo), yahoo.column("close"), strict=True))
    both = [(close, closes[day]) for day, close in zip(days(arch), arch.column("close"), strict=True) if day in closes]
    assert len(both) > 4_700
    assert all(one == pytest.approx(other, abs=0.01) for one, other in both)


def test_a_layout_that_is_wrong_for_a_real_file_is_refused() -> None:
    with pytest.raises(LayoutError, match="columns must be named all 6"):
        found_in(real("crypto-bars/bitfinex/BTCUSD_1m_2018.derived.csv.gz"), layout="binance-kline")
    with pytest.raises(FeedError, match="lean file must be"):
        found_in(real("crypto-bars/bitfinex/BTCUSD_1m_2018.derived.csv.gz"), layout="lean")


MEMORY = """
import resource, sys
from pathlib import Path
from tests.adapters.table_makers import *
from adapters.file_options import FileOptions
from adapters.opening import open_table
from adapters.rows import RowReader
import pyarrow, zstandard
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
opened = open_table(Path(sys.argv[1]), FileOptions())
reader = RowReader(opened.layout.kind, "UTC", "X", refuse_bad=False)
rows = sum(len(reader.read(page)) for page in opened.table.pages(opened.layout.columns))
print(rows, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.parametrize(("name", "rows"), [(UNIVERSE, 902_774), (f"{LEAN}/tick/spy/20131008_trade.zip", 451_545)])
def test_memory_stays_bounded(name: str, rows: int) -> None:
    command = [sys.executable, "-c", MEMORY, str(real(name))]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])

    read, kilobytes = map(int, done.stdout.split())

    # The universe expands to 60 MB; the decoder of xz alone keeps a window of 8 to 64 MB.
    assert read == rows
    assert kilobytes < 200_000
