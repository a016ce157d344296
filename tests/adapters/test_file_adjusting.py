"""Splits and dividends from a file: rescaled backward, by the day of the exchange, in any pages."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from adapters.adjusting import read_factors
from adapters.feed_errors import FeedError, FileError, FormatError, LayoutError
from adapters.file_options import FileOptions
from tests.adapters.file_makers import DAILY, write
from tests.adapters.table_makers import found_in

SPLIT = "date,split,dividend,close\n2020-01-03,2,,\n2020-01-02,,1,10\n"


def actions(folder: Path, text: str) -> Path:
    return write(folder, text, "actions.csv")


def test_prices_take_splits_and_dividends_and_sizes_splits(tmp_path: Path) -> None:
    path, given = write(tmp_path, DAILY), actions(tmp_path, SPLIT)

    every = found_in(path, adjustments=given)
    splits = found_in(path, adjustments=given, adjust="splits")

    assert every.column("close") == pytest.approx([11 * 0.9 / 2, 12 / 2, 13])
    assert every.column("volume") == splits.column("volume") == [200, 400, 300]
    assert splits.column("close") == [5.5, 6, 13]


def test_any_day_may_stay_as_it_is(tmp_path: Path) -> None:
    found = found_in(write(tmp_path, DAILY), adjustments=actions(tmp_path, SPLIT), adjust_as_of="2020-01-01")

    assert found.column("close") == pytest.approx([11, 12 / 0.9, 13 * 2 / 0.9])
    assert found.column("volume") == [100, 200, 150]


def test_actions_are_those_of_their_symbol(tmp_path: Path) -> None:
    text = "ticker,date,o,h,l,c,v\nA,2020-01-01,4,4,4,4,1\nB,2020-01-01,4,4,4,4,1\nA,2020-01-02,2,2,2,2,1\n"
    given = actions(tmp_path, "Symbol,Date,Split\nA,2020-01-02,2\n")

    assert found_in(write(tmp_path, text), adjustments=given).column("close") == [2, 4, 2]


def test_several_actions_of_one_day(tmp_path: Path) -> None:
    given = actions(tmp_path, "date,split,dividend,close\n2020-01-03,2,,\n2020-01-03,,1,10\n2020-01-03,3,,\n")

    assert found_in(write(tmp_path, DAILY), adjustments=given).column("close") == pytest.approx([9.9 / 6, 10.8 / 6, 13])


def test_a_moment_counts_for_the_day_of_its_exchange(tmp_path: Path) -> None:
    """20:30 in New York is the next day in UTC; a day that stands alone is that day anywhere."""
    text = "ts,price,size\n1577925000,10,1\n1577975400,10,1\n"
    given = actions(tmp_path, "date,split\n2020-01-02,2\n")

    assert found_in(write(tmp_path, text), adjustments=given).column("price") == [10, 10]
    assert found_in(write(tmp_path, text), adjustments=given, zone="America/New_York").column("price") == [5, 10]
    assert found_in(write(tmp_path, DAILY), adjustments=given, zone="America/New_York").column("close") == [5.5, 12, 13]
    epochs = "ts,o,h,l,c,v\n1577836800,4,4,4,4,1\n1577923200,2,2,2,2,1\n"
    assert found_in(write(tmp_path, epochs), adjustments=given, zone="America/New_York").column("close") == [2, 2]


def test_a_factor_file_may_be_named(tmp_path: Path) -> None:
    given = actions(tmp_path, "20200102,0.9,0.5,1\n20501231,1,1,0\n")

    assert found_in(write(tmp_path, DAILY), adjustments=given).column("close") == pytest.approx([4.95, 5.4, 13])


def test_named_adjustments_win_over_an_adjusted_close(tmp_path: Path) -> None:
    text = DAILY.replace("Volume", "Volume,Adj Close").replace("00\n", "00,5\n")
    given = actions(tmp_path, "date,split\n2020-01-03,2\n")

    found = found_in(write(tmp_path, text), adjustments=given)

    assert found.column("close") == [5.5, 6, 13]
    assert "adj_close" not in found.rows.columns
    assert "adj_close" not in found_in(write(tmp_path, text), adjust="none").rows.columns
    assert "adj_close" in found_in(write(tmp_path, text), adjust="all").rows.columns


def test_streaming_does_not_change_what_comes_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = "".join(f"{1_577_836_800 + 3_600 * n},10,1\n" for n in range(100))
    path, given = write(tmp_path, f"ts,price,size\n{rows}"), actions(tmp_path, "date,split\n2020-01-03,2\n")
    whole = found_in(path, adjustments=given)
    monkeypatch.setattr("adapters.csv_rows.BLOCK_BYTES", 50)

    small = found_in(path, adjustments=given)

    assert whole.column("price") == small.column("price") == [5] * 48 + [10] * 52


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("", FileError, "must hold adjustments, was empty"),
        ("date,split\n", FileError, "must hold adjustments, was a header only"),
        ("day,ratio\n1,2\n", LayoutError, "columns must be date, split, dividend, close"),
        ("date,split\n2020-01-02,0\n", LayoutError, "row 2: factors must be > 0, was '0'"),
        ("date,split\n2020-01-02,7:1\n", LayoutError, "row 2: factors must be numbers, was '7:1'"),
        ("date,split\n2020-01-02,nan\n", LayoutError, "row 2: factors must be > 0, was 'nan'"),
        ("date,split\nJan 2,2\n", LayoutError, "row 2: day must be an ISO"),
        ("date,dividend\n2020-01-02,1\n", LayoutError, "row 2: a dividend needs the close of the day before"),
        ("date,dividend,close\n2020-01-02,11,10\n", LayoutError, "a dividend needs the close of the day before"),
        ("date,dividend,close\n2020-01-02,-1,10\n", LayoutError, "a dividend needs the close of the day before"),
        ("date,split\n2020-01-02\n2020-01-0é,2\n", FormatError, "text must be UTF-8"),
    ],
)
def test_adjustments_that_cannot_be_read(tmp_path: Path, text: str, error: type[FeedError], message: str) -> None:
    path = tmp_path / "actions.csv"
    path.write_bytes(text.encode("latin-1"))

    with pytest.raises(error, match=message):
        read_factors(path)


def test_an_adjustment_that_is_not_offered(tmp_path: Path) -> None:
    path = write(tmp_path, DAILY)
    adjusted = write(tmp_path, DAILY.replace("Volume", "Volume,Adj Close").replace("00\n", "00,5\n"), "B.csv")

    for asked in ("splits", "all"):
        with pytest.raises(LayoutError, match=f"adjust = {asked} needs adjustments, was nothing to adjust by"):
            found_in(path, adjust=asked)
    with pytest.raises(LayoutError, match="adjust = splits needs adjustments, was an adjusted close only"):
        found_in(adjusted, adjust="splits")
    with pytest.raises(FileError, match="must be readable, was not"):
        found_in(path, adjustments=tmp_path / "no.csv")


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"adjust": "none", "adjustments": Path("x")}, "adjust must not be none where adjustments are named"),
        ({"adjust_as_of": "1.1.2020"}, "adjust_as_of must be a day"),
        ({"adjust_as_of": "2020-02-30"}, "adjust_as_of must be a day"),
        ({"adjust_as_of": "20200101"}, "adjust_as_of must be a day"),
        ({"layout": "mine"}, "layout must be one of bitfinex, "),
        ({"layout": "bitfinex", "columns": ("a",)}, "layout must be left out where columns are named"),
        ({"fold": "30m"}, "timeframe must be one of"),
        ({"dates": "ymd"}, "'auto', 'mdy' or 'dmy'"),
    ],
)
def test_options_that_make_no_sense(options: dict[str, Any], text: str) -> None:
    with pytest.raises(ValidationError, match=text):
        FileOptions(**options)
