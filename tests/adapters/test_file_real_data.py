"""Real files of the shared data folder: what goes in comes out, and every trap is counted."""

import csv
import gzip
from pathlib import Path

import numpy as np
import pytest

from adapters.files import merge, open_feed
from engine.blocks import BlockError, equal
from engine.timeframes import DAY_NS, MINUTE_NS
from tests.adapters.file_makers import SHARED, Read, read

pytestmark = pytest.mark.skipif(not SHARED.is_dir(), reason=f"no real data at {SHARED}")

BOKEH = "daily-singles/bokeh_sampledata_stocks.csv.gz"
HOURLY = "crypto-bars/cryptodatadownload/Binance_BTCUSDT_1h.csv.gz"
YAHOO = "bars-minute/yahoo-intraday"
TRADES = "crypto-bars/freqtrade-testdata/XRP_ETH-trades.parquet"


def real(name: str) -> Path:
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"no {path}")
    return path


def day(text: str) -> int:
    return int(np.datetime64(text, "ns").astype(np.int64))


def returns_of(found: Read, symbol: str) -> dict[int, float]:
    """Open time -> close over the close before."""
    mine = found.block.instrument == found.feed.symbols.index(symbol)
    close, opens = found.block.close[mine], found.block.open_ns[mine]
    return dict(zip(opens[1:].tolist(), (close[1:] / close[:-1] - 1).tolist(), strict=True))


def test_stacked_tickers_are_merged_and_splits_are_no_crashes() -> None:
    adjusted, raw = read(real(BOKEH)), read(real(BOKEH), adjust="none")

    assert adjusted.counts == {"rows": 12_154, "stacked": 12_154}
    assert adjusted.feed.symbols == ("AAPL", "FB", "GOOG", "IBM", "MSFT")
    assert (np.diff(adjusted.block.close_ns) >= 0).all()
    for split in (day("2000-06-21"), day("2005-02-28")):
        assert returns_of(raw, "AAPL")[split] < -0.4
        assert abs(returns_of(adjusted, "AAPL")[split]) < 0.1
    # The one day beyond 50 % is the real crash of 2000-09-29.
    large = [when for when, change in returns_of(adjusted, "AAPL").items() if abs(change) > 0.5]
    assert large == [day("2000-09-29")]


def test_newest_first_hours_of_two_units_with_repeats() -> None:
    found = read(real(HOURLY))

    assert found.counts == {"rows": 36_062, "mixed_units": 7_478, "reversed": 36_062, "duplicate_conflicting": 2_649}
    assert found.feed.symbols == ("BTC/USDT",)
    assert found.feed.timeframe == "1h"
    assert found.block.open_ns[0] == day("2017-08-17T04")
    assert found.block.open[0] == 16_199.91
    assert found.block.volume[0] == 44.51
    assert found.block.close.max() < 65_000
    assert found.block.trades[0] == -1
    assert found.block.trades[-1] == 10_796


def test_daily_google_has_its_dates_in_a_column_without_name() -> None:
    found = read(real("daily-singles/backtesting_GOOG.csv"))

    assert found.counts == {"rows": 2_148}
    assert found.block.open_ns[0] == day("2004-08-19")
    assert found.block.close_ns[0] == day("2004-08-20")
    assert (found.block.open[0], found.block.volume[0]) == (100, 22_351_900)


def test_sessions_of_the_exchange_hold_every_real_day() -> None:
    found = read(real("daily-singles/backtesting_GOOG.csv"), calendar="XNYS")

    assert found.counts == {"rows": 2_148}
    assert found.block.close_ns[0] == day("2004-08-19T20:00")


def test_minutes_with_an_offset_and_volumes_of_zero() -> None:
    found = read(real(f"{YAHOO}/AAPL.csv.gz"))

    assert found.counts == {"rows": 20_804}
    assert found.feed.timeframe == "1m"
    assert found.block.open_ns[0] == day("2022-03-14T08:00")
    assert int((found.block.volume == 0).sum()) == 12_214


def test_the_dirty_minutes_are_repaired_and_every_repair_is_counted() -> None:
    found = read(real(f"{YAHOO}/SPY.csv.gz"))

    # 5,075 rows repeat a stamp: one of them is the row without prices.
    assert found.counts == {
        "rows": 13_435, "nan_row": 1, "sorted": 17, "duplicate": 5_057, "duplicate_conflicting": 17,
    }  # fmt: skip
    assert (np.diff(found.block.open_ns) >= MINUTE_NS).all()


def test_a_minute_file_without_header_is_told_by_its_shape() -> None:
    found = read(real("crypto-bars/bitfinex/BTCUSD_1m_2018.derived.csv.gz"), 65_536, symbol="BTCUSD")

    assert found.counts == {"rows": 520_499}
    first = [getattr(found.block, name)[0] for name in ("open", "close", "high", "low", "volume")]
    assert first == [13_763, 13_753, 13_788, 13_752.18233851, 5.13326771]
    assert found.block.open_ns[0] == day("2018-01-01")


@pytest.mark.parametrize("chunk", [1, 7, 4096])
def test_real_trades_come_out_one_for_one(chunk: int) -> None:
    found = read(real(TRADES), chunk)

    assert found.counts == {"rows": 12_477}
    assert len(found.block) == 12_477
    assert found.block.time_ns[0] == day("2019-10-11T00:00:11.620")
    assert found.block.trade_id[0] == 13_519_807
    assert found.block.side[:4].tolist() == [-1, -1, -1, 1]
    assert equal(found.block, read(real(TRADES)).block)


def test_real_trades_build_the_bars_of_their_exchange() -> None:
    feather = pytest.importorskip("pyarrow.feather")
    bars = feather.read_table(real(TRADES.replace("-trades.parquet", "-1m.feather")))
    found = read(real(TRADES)).block

    minutes, first = np.unique(found.time_ns // MINUTE_NS, return_index=True)

    last = np.append(first[1:], len(found)) - 1
    built = {
        "open": found.price[first],
        "high": np.maximum.reduceat(found.price, first),
        "low": np.minimum.reduceat(found.price, first),
        "close": found.price[last],
        "volume": np.add.reduceat(found.size, first),
    }
    assert len(minutes) == bars.num_rows == 2_469
    for name, values in built.items():
        np.testing.assert_allclose(values, bars.column(name).to_numpy(), rtol=1e-12)


def test_bars_outside_their_own_range_stop_the_run_where_bad_rows_are_refused() -> None:
    path = real("daily-singles/GC=F.csv.gz")

    with pytest.raises(BlockError, match=r"GC=F\.csv\.gz: row (\d+): high must be") as caught:
        read(path, cleaning={"bad_rows": "refuse"})

    row = int(str(caught.value).split("row ")[1].split(":")[0])
    with gzip.open(path, "rt") as stream:
        line = list(csv.DictReader(stream))[row - 2]
    assert float(line["High"]) < max(float(line["Open"]), float(line["Close"]))


def test_a_header_that_forgets_the_time_of_day_is_understood() -> None:
    found = read(real("bars-minute/eurostoxx50-future/2006-01-02-volume-min-001.txt.gz"))

    assert found.feed.layout == "date-time"
    assert found.counts["rows"] == 30_889
    assert found.block.open_ns[0] == day("2006-01-02T09:01")
    assert (found.block.open[0], found.block.volume[0]) == (3602, 5699)


def test_real_files_merge_by_time() -> None:
    feeds = [open_feed(real(f"daily-singles/{name}.csv.gz")) for name in ("GLD", "^GSPC", "^DJI")]
    numbers = {"GLD": 0, "^DJI": 1, "^GSPC": 2}

    facts = list(merge(feeds, numbers, 4096))

    times = np.concatenate([fact.row_ns for fact in facts if hasattr(fact, "row_ns")])
    assert len(times) == sum(feed.counts["rows"] for feed in feeds)
    assert (np.diff(times) >= 0).all()
    assert times[-1] == day("2024-02-16") + DAY_NS
