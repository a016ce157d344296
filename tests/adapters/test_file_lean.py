"""Files of a LEAN folder: what the path says, units, clocks, one-sided quotes, corporate actions."""

from pathlib import Path

import numpy as np
import pytest

from adapters.feed_errors import FeedError, FormatError, LayoutError
from adapters.lean import lean_file
from engine.blocks import BlockError
from tests.adapters.table_makers import Found, found_in, zipped

TRADES = "14400000,1500000,100,P,20002000,0\n14400000,1500000,100,P,80000001,1\n34200001,1500100,200,Q,1,0\n"
QUOTES = "14400054,0,0,1836300,100,Q,1,0\n14400241,1800100,300,0,0,P,1,0\n14400242,1800100,300,1800200,200,P,1,0\n"
MINUTES = "34200000,1500000,1510000,1490000,1505000,1000\n34260000,1505000,1505000,1505000,1505000,50\n"
SECONDS = "34200000,10,20,10,20,5\n34259000,20,30,5,25,6\n34260000,25,25,25,25,7\n"
QUOTE_BARS = "0,1.0,3.0,1.0,2.0,0,1.2,3.2,1.2,2.2,0\n60000,,,,,,1.2,3.2,1.2,2.2,0\n120000,1,1,1,1,5,0,0,0,0,0\n"
DAYS = "20200828 00:00,5000000,5040000,4980000,4992300,700\n20200831 00:00,1275800,1310000,1260000,1290400,2000\n"


def lean(root: Path, name: str, text: str) -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(zipped({path.name.replace(".zip", ".csv"): text}))
    return path


def utc(found: Found) -> list[str]:
    return [str(np.datetime64(int(ns), "ns"))[:23] for ns in found.rows["utc_ns"]]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("equity/usa/minute/aapl/20140605_trade.zip", ("equity", "minute", "AAPL", "trade", "20140605")),
        ("equity/usa/tick/spy/20131007_quote.zip", ("equity", "tick", "SPY", "quote", "20131007")),
        ("equity/usa/daily/aapl.zip", ("equity", "daily", "AAPL", "trade", "")),
        ("forex/oanda/hour/eurusd.zip", ("forex", "hour", "EURUSD", "quote", "")),
        ("crypto/coinbase/daily/btcusd_trade.zip", ("crypto", "daily", "BTCUSD", "trade", "")),
        ("crypto/coinbase/daily/btcusd_quote.zip", ("crypto", "daily", "BTCUSD", "quote", "")),
    ],
)
def test_a_path_says_what_is_inside(name: str, expected: tuple[str, ...]) -> None:
    found = lean_file(Path("/data/Data") / name)

    assert found is not None
    assert (found.asset, found.resolution, found.ticker, found.kind, found.date) == expected
    assert found.root == Path("/data/Data").joinpath(*name.split("/")[:2])


@pytest.mark.parametrize(
    "name",
    [
        "aapl.zip", "equity/usa/daily/aapl.csv", "equity/usa/yearly/aapl.zip", "wine/usa/daily/aapl.zip",
        "equity/usa/daily/20140605_trade.zip", "equity/usa/minute/aapl.zip",
        "equity/usa/minute/aapl/20141305_trade.zip",
        "equity/usa/minute/aapl/20140605_openinterest.zip",
    ],
)  # fmt: skip
def test_other_paths_are_no_lean_files(name: str) -> None:
    assert lean_file(Path("/") / name) is None


def test_prints_of_an_equity(tmp_path: Path) -> None:
    found = found_in(lean(tmp_path, "equity/usa/tick/spy/20131007_trade.zip", TRADES))

    assert (found.kind, found.symbols, found.table.layout) == ("trades", ["SPY"], "lean")
    # 04:00 and 09:30 in New York, in summer. Two equal prints stay two.
    assert utc(found) == ["2013-10-07T08:00:00.000", "2013-10-07T08:00:00.000", "2013-10-07T13:30:00.001"]
    assert found.column("price") == [150.0, 150.0, 150.01]
    assert found.column("conditions") == [0x2000_2000, 0x8000_0001 - 2**32, 1]
    assert found.column("trade_id") == [0, 0, 0]
    assert found.counts == {"rows": 3, "suspicious": 1}


def test_winter_is_an_hour_later(tmp_path: Path) -> None:
    found = found_in(lean(tmp_path, "equity/usa/tick/spy/20131204_trade.zip", TRADES))

    assert utc(found)[2] == "2013-12-04T14:30:00.001"


def test_quotes_of_an_equity_have_one_side_each(tmp_path: Path) -> None:
    found = found_in(lean(tmp_path, "equity/usa/tick/ibm/20131007_quote.zip", QUOTES))

    assert found.kind == "quotes"
    assert found.column("bid") == [183.63, 180.01, 180.01]
    assert found.column("bid_size") == [0, 300, 300]
    assert found.column("ask") == [183.63, 180.01, 180.02]
    assert found.column("ask_size") == [100, 0, 200]


def test_quotes_without_sizes(tmp_path: Path) -> None:
    found = found_in(lean(tmp_path, "forex/oanda/tick/eurusd/20140501_quote.zip", "292,1.38676,1.38686\n"))
    sized = found_in(lean(tmp_path, "crypto/x/tick/btcusd/20140501_quote.zip", "292,1.5,2,1.6,3\n"))

    assert utc(found) == ["2014-05-01T00:00:00.292"]
    assert (found.column("bid"), found.column("ask"), found.counts["no_size"]) == ([1.38676], [1.38686], 1)
    assert (sized.column("bid_size"), sized.column("ask_size")) == ([2], [3])


def test_minutes_of_an_equity(tmp_path: Path) -> None:
    found = found_in(lean(tmp_path, "equity/usa/minute/aapl/20140605_trade.zip", MINUTES))

    assert (found.kind, found.column("high"), found.column("volume")) == ("bars", [151.0, 150.5], [1000, 50])
    assert utc(found) == ["2014-06-05T13:30:00.000", "2014-06-05T13:31:00.000"]


def test_crypto_prices_are_money_and_its_clock_is_utc(tmp_path: Path) -> None:
    found = found_in(
        lean(tmp_path, "crypto/x/minute/btcusd/20140605_trade.zip", MINUTES.replace("1500000", "1490000.5"))
    )

    assert found.column("open")[0] == 1_490_000.5
    assert utc(found)[0] == "2014-06-05T09:30:00.000"


def test_quote_bars_are_bars_of_the_mid(tmp_path: Path) -> None:
    found = found_in(lean(tmp_path, "forex/oanda/minute/eurusd/20140501_quote.zip", QUOTE_BARS))

    assert found.column("open") == [1.1, 1.2, 1.0]
    assert found.column("high") == [3.1, 3.2, 1.0]
    assert found.column("close") == [2.1, 2.2, 1.0]
    assert found.counts == {"rows": 3, "no_volume": 3}


def test_seconds_become_minutes(tmp_path: Path) -> None:
    found = found_in(lean(tmp_path, "crypto/x/second/btcusd/20140605_trade.zip", SECONDS))

    assert [found.column(name) for name in ("open", "high", "low", "close", "volume")] == [
        [10, 25], [30, 25], [5, 25], [25, 25], [11, 7],
    ]  # fmt: skip
    assert found.counts == {"rows": 3, "folded": 1}


def test_days_keep_the_date_of_new_york(tmp_path: Path) -> None:
    found = found_in(lean(tmp_path, "equity/usa/daily/aapl.zip", DAYS))

    assert [str(np.datetime64(int(ns), "ns"))[:10] for ns in found.rows["wall_ns"]] == ["2020-08-28", "2020-08-31"]
    assert utc(found)[0] == "2020-08-28T04:00:00.000"


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("86400000,1,1,1,1,1\n", r"20140605_trade\.csv: row 3: time must be milliseconds of one day, was '86400000'"),
        ("-1,1,1,1,1,1\n", "row 3: time must be milliseconds of one day, was '-1'"),
        (",1,1,1,1,1\n", "row 3: time must be milliseconds of one day, was ''"),
        ("34320000,0,1,1,1,1\n", "row 3: open must be > 0"),
        ("34320000,x,1,1,1,1\n", "row 3: open must be a number, was 'x'"),
        ("34320000,1,1,1,1\n", "row 3: fields must be 6 as in the header, was 5"),
    ],
)
def test_a_bad_row_is_named(tmp_path: Path, row: str, message: str) -> None:
    with pytest.raises(BlockError, match=message):
        found_in(lean(tmp_path, "equity/usa/minute/aapl/20140605_trade.zip", MINUTES + row))


def test_masks_that_are_none(tmp_path: Path) -> None:
    for mask in ("xyz", "123456789", "-1", ""):
        path = lean(tmp_path, "equity/usa/tick/spy/20131007_trade.zip", f"{TRADES}34200002,1,1,Q,{mask},0\n")
        with pytest.raises(BlockError, match=f"row 4: conditions must be 32 bits in base 16, was '{mask}'"):
            found_in(path)


def test_rows_of_another_width_are_refused(tmp_path: Path) -> None:
    path = lean(tmp_path, "equity/usa/minute/aapl/20140605_quote.zip", MINUTES)

    with pytest.raises(LayoutError, match="equity minute quote rows must have 11 fields, was not so"):
        found_in(path)


def test_the_layout_needs_the_path(tmp_path: Path) -> None:
    with pytest.raises(LayoutError, match="a lean file must be <asset>/<market>/<resolution>"):
        found_in(lean(tmp_path, "aapl.zip", MINUTES), layout="lean")


# ------------------------------------------------------------------ corporate actions

FACTORS = (
    "19980102,0.8,0.0357142857142857,1\n20140606,0.9,0.0357142857142857,645\n20200828,0.95,0.25,499\n20501231,1,1,0\n"
)


def with_actions(root: Path) -> Path:
    (root / "equity/usa/factor_files").mkdir(parents=True)
    (root / "equity/usa/factor_files/aapl.csv").write_text(FACTORS)
    return lean(root, "equity/usa/daily/aapl.zip", DAYS)


def test_splits_are_applied_by_the_day_and_dividends_when_asked_for(tmp_path: Path) -> None:
    path = with_actions(tmp_path)

    plain = found_in(path, adjust="none")
    splits = found_in(path)
    every = found_in(path, adjust="all")
    old = found_in(path, adjust="splits", adjust_as_of="2020-08-28")

    assert plain.column("close") == [499.23, 129.04]
    assert splits.column("close") == pytest.approx([499.23 / 4, 129.04])
    assert splits.column("volume") == [2800, 2000]
    assert every.column("close") == pytest.approx([499.23 / 4 * 0.95, 129.04])
    assert every.column("volume") == [2800, 2000]
    assert old.column("close") == pytest.approx([499.23, 129.04 * 4])


def test_prints_and_quotes_are_adjusted_too(tmp_path: Path) -> None:
    with_actions(tmp_path)

    trades = found_in(lean(tmp_path, "equity/usa/tick/aapl/20140605_trade.zip", TRADES))
    quotes = found_in(lean(tmp_path, "equity/usa/tick/aapl/20200828_quote.zip", QUOTES))

    assert trades.column("price") == pytest.approx([150 / 28, 150 / 28, 150.01 / 28])
    assert trades.column("size") == pytest.approx([2800, 2800, 5600])
    assert quotes.column("bid_size") == [0, 1200, 1200]


def test_a_file_under_an_old_ticker_goes_by_the_last_one(tmp_path: Path) -> None:
    maps = tmp_path / "equity/usa/map_files"
    maps.mkdir(parents=True)
    (maps / "meta.csv").write_text("20120518,fb,Q\n20220608,fb,Q\n20501231,meta,Q\n")
    (maps / "fb.csv").write_text("20230601,xx,Q\n20501231,fb,Q\n")
    (maps / "zzz.csv").write_text("20230101,fb,Q\n20501231,zzz,Q\n")
    (tmp_path / "equity/usa/factor_files").mkdir()
    (tmp_path / "equity/usa/factor_files/meta.csv").write_text("20180101,1,0.5,1\n20501231,1,1,0\n")

    before = found_in(lean(tmp_path, "equity/usa/minute/fb/20220608_trade.zip", MINUTES))
    split = found_in(lean(tmp_path, "equity/usa/minute/fb/20130608_trade.zip", MINUTES))
    after = found_in(lean(tmp_path, "equity/usa/minute/fb/20220609_trade.zip", MINUTES))
    daily = found_in(lean(tmp_path, "equity/usa/daily/meta.zip", DAYS))
    named = found_in(lean(tmp_path, "equity/usa/minute/fb/20220608_trade.zip", MINUTES), symbol="X")

    assert [one.symbols for one in (before, after, daily, named)] == [["META"], ["ZZZ"], ["META"], ["X"]]
    assert split.column("open")[0] == 75


def test_damaged_maps_and_factors_are_refused(tmp_path: Path) -> None:
    path = with_actions(tmp_path)
    factors = tmp_path / "equity/usa/factor_files/aapl.csv"
    for text, message in (
        ("", "must hold adjustments, was empty"),
        ("20200101,1\n", "row 1: fields must be day, price factor, split factor"),
        ("20200101,1,0\n", "row 1: factors must be > 0, was '0'"),
        ("20200101,x,1\n", "row 1: factors must be numbers, was 'x'"),
        ("20200101,1,1\n20200101,1,1\n", "days must ascend"),
        ("20201301,1,1\n", "row 1: day must be an ISO"),
    ):
        factors.write_text(text)
        with pytest.raises(FeedError, match=message):
            found_in(path)
        assert found_in(path, adjust="none").counts == {"rows": 2}
    (tmp_path / "equity/usa/map_files").mkdir()
    (tmp_path / "equity/usa/map_files/aapl.csv").write_text("yesterday,aapl\n")
    with pytest.raises(FormatError, match="rows must be YYYYMMDD,ticker, was"):
        found_in(path)
