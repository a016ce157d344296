"""What is odd in the files of the shared data folder, each trap by its name: seen, counted, or kept on purpose."""

import csv
import gzip
from collections import Counter
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adapters.cleaning import CleaningSettings
from adapters.files import FileOptions, open_feed, open_feeds
from engine.blocks import Bars, MarketBlock, Trades
from engine.timeframes import DAY_NS, MINUTE_NS
from tests.recordings import KNOWN, LARGE_CHUNK, QUOTES, SHARED, SPOT, Reading, opened, read, shown

pytestmark = pytest.mark.skipif(not SHARED.is_dir(), reason=f"no real data at {SHARED}")

HOUR_NS = 60 * MINUTE_NS
SPY = "bars-minute/yahoo-intraday/SPY.csv.gz"
FB = "bars-minute/yahoo-intraday/FB.csv.gz"
HOURLY = "crypto-bars/cryptodatadownload/Binance_BTCUSDT_1h.csv.gz"
DAILY = "crypto-bars/cryptodatadownload/Binance_BTCUSDT_d.csv.gz"
MINUTES = "crypto-bars/bitfinex/BTCUSD_1m_2018.derived.csv.gz"
PYSTOCK = "daily-universe/pystock-data"
LEAN = "lean/Data/equity/usa"
CRYPTOFEED = "feeds/cryptofeed"


@cache
def kept(name: str) -> Reading:
    return read(name, keep=True)


@cache
def bars(name: str) -> Bars:
    return Bars.join([block for block in kept(name).blocks if isinstance(block, Bars)])


@cache
def trades(name: str) -> Trades:
    return Trades.join([block for block in kept(name).blocks if isinstance(block, Trades)])


def moment(text: str) -> int:
    return int(np.datetime64(text, "ns").astype(np.int64))


def lines(name: str) -> list[dict[str, str]]:
    with gzip.open(SHARED / name, "rt", newline="") as stream:
        return list(csv.DictReader(stream))


def gaps(times_ns: np.ndarray, length_ns: int) -> list[int]:
    """How many bars are missing in each gap."""
    steps = np.diff(times_ns) // length_ns
    return [int(step) - 1 for step in steps[steps > 1]]


# ----------------------------------------------------------- what is odd in the files: minutes


def test_eighteen_steps_back_in_the_minutes_of_spy() -> None:
    stamps = [line["Datetime"] for line in lines(SPY)]
    back = [at for at in range(1, len(stamps)) if stamps[at] < stamps[at - 1]]
    without_prices = [at for at in back if not lines(SPY)[at]["Open"]]

    counts = kept(SPY).feed.counts

    # One of them is the row without prices, which does not come out.
    assert (len(back), len(without_prices)) == (18, 1)
    assert counts["sorted"] == len(back) - len(without_prices)
    assert (np.diff(bars(SPY).open_ns) >= MINUTE_NS).all()


def test_a_stamp_that_comes_again_5_075_times() -> None:
    counts = kept(SPY).feed.counts

    assert counts["duplicate"] + counts["duplicate_conflicting"] + counts["nan_row"] == 5_075
    assert counts["duplicate"] / (counts["duplicate"] + counts["duplicate_conflicting"]) == pytest.approx(
        0.997, abs=0.001
    )


def test_the_row_of_a_dividend_has_no_prices() -> None:
    assert kept(SPY).feed.counts["nan_row"] == 1
    # The row with prices at that stamp is there.
    assert moment("2019-12-20T14:30") in bars(SPY).open_ns


def test_winter_and_summer_offsets() -> None:
    days = bars(SPY).open_ns // DAY_NS
    opens = bars(SPY).open_ns[np.flatnonzero(np.diff(days, prepend=0))] % DAY_NS

    # 09:30 in New York, behind -05:00 in one file and -04:00 in the others.
    assert Counter(opens[1:].tolist()).most_common(1)[0][0] == 14 * HOUR_NS + 30 * MINUTE_NS
    assert set((bars("bars-minute/yahoo-intraday/^GSPC.csv.gz").open_ns % DAY_NS).tolist()) >= {
        13 * HOUR_NS + 30 * MINUTE_NS
    }


def test_bad_prints_of_fb_do_not_come_out() -> None:
    found = kept(FB).feed.findings
    assert found is not None

    # Closing times; the widest says that it traded at 334 in a market at 222.
    times = [shown(example.time_ns)[:16] for example in found.examples("absurd_price")]
    assert times == [f"2022-04-07T{clock}" for clock in ("20:56", "20:59", "21:00", "21:01", "21:04")]
    on_that_day = bars(FB).open_ns // DAY_NS == moment("2022-04-07") // DAY_NS
    assert bars(FB).high[on_that_day].max() < 240


def test_minutes_outside_the_session_have_no_volume() -> None:
    for name, rows in (("AAPL", 12_214), (FB.split("/")[-1][:2], 11_557)):
        found = bars(f"bars-minute/yahoo-intraday/{name}.csv.gz")
        clock = found.open_ns % DAY_NS
        regular = (clock >= 13 * HOUR_NS + 30 * MINUTE_NS) & (clock < 20 * HOUR_NS)

        assert int((found.volume == 0).sum()) == rows
        assert (found.volume[~regular] == 0).mean() > 0.99


def test_a_header_that_forgets_the_time() -> None:
    name = "bars-minute/eurostoxx50-future/2006-01-02-volume-min-001.txt.gz"

    assert KNOWN[name]["read_as"] == "date-time"
    assert shown(int(bars(name).open_ns[0])) == "2006-01-02T09:01:00.000000000"
    assert (bars(name).volume > 0).all()


# ---------------------------------------------------------------------------- crypto bars


@pytest.mark.parametrize("coin", ["BTC", "ETH"])
def test_newest_first(coin: str) -> None:
    name = HOURLY.replace("BTC", coin)

    assert kept(name).feed.counts["reversed"] == 36_062
    assert (np.diff(bars(name).close_ns) > 0).all()


@pytest.mark.parametrize("coin", ["BTC", "ETH"])
def test_two_units_of_time_in_one_column(coin: str) -> None:
    assert kept(HOURLY.replace("BTC", coin)).feed.counts["mixed_units"] == 7_478


@pytest.mark.parametrize("coin", ["BTC", "ETH"])
def test_2_649_hours_come_twice(coin: str) -> None:
    counts = kept(HOURLY.replace("BTC", coin)).feed.counts

    assert counts.get("duplicate", 0) + counts["duplicate_conflicting"] == 2_649


def test_the_first_hour_is_absurd() -> None:
    found = kept(HOURLY).feed.findings
    assert found is not None

    (example,) = found.examples("absurd_price")
    assert (example.found, example.place) == (16_199.91, 36_063)
    assert bars(HOURLY).high[:24].max() < 5_000


def test_hours_of_outage_are_flat_and_stay() -> None:
    found = bars(HOURLY)
    empty = found.volume == 0

    assert int(empty.sum()) == 117
    assert (found.high == found.low)[empty].all()
    assert len(gaps(found.open_ns, HOUR_NS)) == 8
    assert max(gaps(found.open_ns, HOUR_NS)) == 4


def test_the_newest_bar_is_unfinished() -> None:
    whole = bars(HOURLY)
    made_ns = int(whole.close_ns[-1]) - 1

    feed = open_feed(SHARED / HOURLY, FileOptions(made_ns=made_ns))
    out = sum(len(fact) for fact in feed.facts({feed.symbols[0]: 0}, 0, LARGE_CHUNK) if isinstance(fact, MarketBlock))

    assert feed.counts["unfinished_bar"] == 1
    assert out == len(whole) - 1


def test_trades_that_nobody_counted() -> None:
    assert bars(HOURLY).trades[0] == -1
    assert bars(HOURLY).trades[-1] > 0


def test_a_day_that_comes_twice() -> None:
    assert kept(DAILY).feed.counts["duplicate_conflicting"] == 1


def test_the_first_day_s_wrong_open_is_within_what_days_do() -> None:
    """16,199 against a close of 4,285: a band wide enough for real days lets it pass."""
    assert "absurd_price" not in kept(DAILY).feed.counts
    assert bars(DAILY).open[0] / bars(DAILY).close[0] < CleaningSettings().bar_bands[5] + 1


def test_prices_in_the_order_open_close_high_low() -> None:
    assert KNOWN[MINUTES]["read_as"] == "bitfinex"
    assert "bad_ohlc" not in kept(MINUTES).feed.counts


def test_minutes_without_a_trade_are_absent() -> None:
    missing = gaps(bars(MINUTES).open_ns, MINUTE_NS)

    assert (len(missing), max(missing)) == (3_992, 67)


def test_raw_answers_overlap_at_their_borders_only() -> None:
    counts = kept("crypto-bars/bitfinex/BTCUSD_1m_2018-11_raw_rest_responses.tar.gz").feed.counts

    assert counts == {"rows": 41_699, "sorted": 176}


def test_a_perpetual_without_a_gap() -> None:
    assert gaps(bars("crypto-bars/ftx-perp/btc-perp-20211231-20220201_1m.csv.gz").open_ns, MINUTE_NS) == []


def test_676_gaps_where_nobody_traded() -> None:
    assert len(gaps(bars("crypto-bars/freqtrade-testdata/XRP_ETH-1m.feather").open_ns, MINUTE_NS)) == 676


def test_a_print_at_6_cents_in_a_market_at_1_173() -> None:
    found = kept("lean/Data/crypto/coinbase/daily/btcusd_trade.zip")
    assert found.feed.findings is not None

    (example,) = found.feed.findings.examples("absurd_price")
    assert (example.found, example.other) == (0.06, 1_173.66)
    missing = gaps(
        np.append(bars("lean/Data/crypto/coinbase/daily/btcusd_trade.zip").open_ns, example.time_ns - DAY_NS), DAY_NS
    )
    assert max(missing) + 1 in (21, 22)


def test_a_day_that_ends_in_the_afternoon() -> None:
    assert (
        KNOWN["lean/Data/crypto/coinbase/minute/btcusd/20180404_trade.zip"]["last"] == "2018-04-04T16:47:00.000000000"
    )


# ------------------------------------------------------------------------------------ days


def test_441_days_of_gold_contradict_themselves() -> None:
    found = kept("daily-singles/GC=F.csv.gz").feed

    assert found.counts == {"rows": 5_888, "bad_ohlc": 441}
    held = bars("daily-singles/GC=F.csv.gz")
    assert (held.high >= np.maximum(held.open, held.close)).all()
    assert (held.low <= np.minimum(held.open, held.close)).all()
    assert sum(float(line["Volume"]) == 0 for line in lines("daily-singles/GC=F.csv.gz")) == 413


def test_stacked_tickers() -> None:
    feed = kept("daily-singles/bokeh_sampledata_stocks.csv.gz").feed

    assert feed.symbols == ("AAPL", "FB", "GOOG", "IBM", "MSFT")
    assert feed.counts["stacked"] == 12_154


def test_150_symbols_with_five_bad_days() -> None:
    found = KNOWN["daily-universe/yfinance-stock-data_150symbols.tar.xz"]

    assert (found["symbols"], found["counts"]["bad_ohlc"], found["no_volume"]) == (150, 5, 170)


def test_an_empty_day_is_refused_alone_and_skipped_among_others() -> None:
    name = f"{PYSTOCK}/2016/20161117.tar.gz"

    assert KNOWN[name] == {"refused": "EmptyError"}
    assert len(open_feeds([SHARED / name, SHARED / f"{PYSTOCK}/2016/20161116.tar.gz"]).feeds) == 1


def test_each_day_brings_the_day_before_again_with_revisions() -> None:
    days = [values_by_day(path) for path in sorted((SHARED / PYSTOCK / "2017").glob("*.tar.gz"))[1:]]

    both = [(one[key], other[key]) for one, other in pairwise(days) for key in one.keys() & other.keys()]

    assert len(both) == 113_739
    assert sum(one != other for one, other in both) / len(both) == pytest.approx(0.0268, abs=0.0001)


def values_by_day(path: Path) -> dict[tuple[str, int], tuple[float, ...]]:
    """As published: a rescaling by a later dividend is no revision."""
    feed = open_feed(path, FileOptions(adjust="none"))
    numbers = {symbol: number for number, symbol in enumerate(feed.symbols)}
    found = Bars.join([block for block in feed.facts(numbers, 0, LARGE_CHUNK) if isinstance(block, Bars)])
    names = [feed.symbols[number] for number in found.instrument.tolist()]
    values = np.stack([found.open, found.high, found.low, found.close, found.volume], axis=1).tolist()
    return {
        (name, open_ns): tuple(row) for name, open_ns, row in zip(names, found.open_ns.tolist(), values, strict=True)
    }


def test_prices_on_a_holiday() -> None:
    days = bars(f"{PYSTOCK}/2017/20170102.tar.gz").open_ns

    assert set(days.tolist()) == {moment("2016-12-30"), moment("2017-01-02")}


def test_rows_that_come_twice_within_a_day_s_file() -> None:
    repeats = {
        name: entry["counts"]["duplicate"] for name, entry in KNOWN.items() if PYSTOCK in name and "counts" in entry
    }

    assert len(repeats) == 24
    assert set(repeats.values()) == {5, 6, 9, 10}


def test_labelled_stocks_are_feeds_like_others() -> None:
    assert {name for name in KNOWN if name.startswith("labels/")} == {
        f"labels/{one}.csv.gz" for one in ("AAPL", "GOOG", "XOM")
    }


# ------------------------------------------------------------------------------------ LEAN


def test_prints_that_equal_each_other_stay() -> None:
    names = [f"{LEAN}/tick/spy/201310{day}_trade.zip" for day in ("07", "08", "09")]

    assert sum(KNOWN[name]["out"] for name in names) == 1_141_823
    for name in names:
        assert KNOWN[name]["same_time"] / KNOWN[name]["rows"] > 0.5
        assert "counts" not in KNOWN[name]


def test_the_first_minute_after_the_split_mixes_both_worlds() -> None:
    feed = kept(f"{LEAN}/minute/aapl/20140609_trade.zip").feed
    assert feed.findings is not None

    (example,) = feed.findings.examples("absurd_price")
    assert example.place == 1
    # As traded: 645.57 against 92; four for one in 2020 divides both.
    assert example.found * 4 == 645.57


def test_lows_of_apple_a_tenth_of_its_price() -> None:
    feed = kept(f"{LEAN}/daily/aapl.zip").feed
    assert feed.findings is not None

    days = [shown(one.time_ns - DAY_NS)[:10] for one in feed.findings.examples("absurd_price")]
    assert days == ["2009-09-21", "2010-08-31", "2011-01-03"]
    assert all(one.found < 0.2 * one.other for one in feed.findings.examples("absurd_price"))


def test_currencies_have_no_volume_and_open_on_sunday() -> None:
    assert KNOWN["lean/Data/forex/oanda/tick/eurusd/20140504_quote.zip"]["first"].startswith("2014-05-04T21:00:00")
    assert sum(entry["rows"] for name, entry in KNOWN.items() if "oanda/tick" in name) == 532_903
    for side in ("bid", "ask"):
        assert KNOWN[f"fx/usdjpy-m1-{side}-2013.csv.gz"]["told"] == {"no_volume": 28_761}


# -------------------------------------------------------------------------- raw recordings


def test_kraken_of_2021_speaks_its_first_protocol() -> None:
    assert KNOWN[f"{CRYPTOFEED}/KRAKEN.jsonl.zst"]["read_as"] == "kraken_v1"


@pytest.mark.parametrize(("exchange", "lanes"), [("KRAKEN", 3), ("BYBIT", 2), ("BITFINEX", 1), ("COINBASE", 1)])
def test_connections_that_lie_one_after_the_other(exchange: str, lanes: int) -> None:
    recording: Any = opened(f"{CRYPTOFEED}/{exchange}.jsonl.zst")

    assert len(recording.recording._lanes) == lanes
    received = [received_ns for received_ns, _, _ in recording.recording.frames()]
    assert received == sorted(received)


def test_a_clock_that_is_late() -> None:
    for name, rows in ((SPOT, 9_757 + 10_147), ("feeds/hftbacktest/usdm/btcusdt_20240808.gz", 21_313)):
        found = kept(name).feed.findings
        assert found is not None
        assert found.skew_ns is not None

        least, median, most = found.skew_ns
        assert found.all["negative_latency"] == rows
        # Of trades; the list speaks of whole messages.
        assert 1_000_000_000 < least <= median <= most < 1_300_000_000
        assert median == pytest.approx(1_250_000_000, rel=0.05)


def test_trade_numbers_run_through_midnight() -> None:
    assert (np.diff(trades(SPOT).trade_id) == 1).all()
    assert "id_gap" not in KNOWN[SPOT]["remarks"]
    # Received before midnight, traded after it.
    crossed = (trades(SPOT).time_ns >= moment("2024-08-09")) & (trades(SPOT).received_ns < moment("2024-08-09"))
    assert crossed.any()


def test_a_snapshot_of_trades_that_is_newest_first() -> None:
    name = f"{CRYPTOFEED}/COINBASE.jsonl.zst"
    found = trades(name)
    connected_ns = moment(KNOWN[name]["received"][0])

    old = found.time_ns < connected_ns
    assert int(old.sum()) > 100
    for instrument in np.unique(found.instrument):
        assert (np.diff(found.time_ns[found.instrument == instrument]) >= 0).all()


def test_quotes_are_on_request() -> None:
    asked = [name for name in KNOWN if name.endswith(QUOTES)]

    assert len(asked) == 11
    for name in asked:
        without = KNOWN[name.removesuffix(QUOTES)]
        # A ticker that is unwanted is not read as far as to see whether it holds a quote.
        unread = without.get("counts", {}).get("unwanted_kind", 0) - KNOWN[name]["told"].get("ticker", 0)
        unread += without["told"].get("ticker", 0)
        assert KNOWN[name]["out"] == without["out"] + unread
        assert "unwanted_kind" not in KNOWN[name].get("counts", {})


def test_two_markets_under_one_name() -> None:
    """Bybit's perpetuals and its spot market both say BTCUSDT: candles of one minute contradict each other."""
    assert KNOWN[f"{CRYPTOFEED}/BYBIT.jsonl.zst"]["counts"]["duplicate_conflicting"] == 2
