"""What rows are: layouts without a header, headers that forget a column, JSON, dates, quotes."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adapters.feed_errors import EmptyError, FeedError, FormatError, LayoutError, OrderError, TimeframeError
from adapters.files import open_feed
from adapters.layouts import LAYOUTS
from engine.blocks import BlockError
from engine.timeframes import DAY_NS, MINUTE_NS
from tests.adapters.file_makers import DAILY, read, write
from tests.adapters.table_makers import found_in

KLINE = "1600000000000,1,3,1,2,10,1600000059999,20,7,5,10,0\n1600000060000,2,4,1,3,11,1600000119999,20,8,5,10,0\n"
BITFINEX = "1600000000000,1,2,3,1,10\n1600000060000,2,3,4,1,11\n"
FREQTRADE = "1600000000000,1,3,1,2,10\n1600000060000,2,4,1,3,11\n"


@pytest.mark.parametrize(
    ("layout", "text"),
    [
        ("bitfinex", BITFINEX),
        ("freqtrade", FREQTRADE),
        ("binance-kline", KLINE),
        ("ohlc", "2020-01-01 00:00,1,3,1,2\n2020-01-01 00:01,2,4,1,3\n"),
        ("bitfinex", "[[1600000000000,1,2,3,1,10],\n [1600000060000,2,3,4,1,11]]"),
        ("freqtrade", ' [[1600000000000, 1.0, 3, "1", 2, 10] , [1600000060000,2,4,1,3,11]] \n'),
    ],
)
def test_bars_without_a_header_are_told_by_their_shape(tmp_path: Path, layout: str, text: str) -> None:
    found = found_in(write(tmp_path, text))

    assert (found.kind, found.table.layout) == ("bars", layout)
    assert [found.column(name) for name in ("open", "high", "low", "close")] == [[1, 2], [3, 4], [1, 1], [2, 3]]
    assert found.column("lines") == [1, 2]


@pytest.mark.parametrize(
    ("layout", "row", "side"),
    [
        ("binance-trades", "17,10.5,2,21,1600000000000,true,true", -1),
        ("binance-trades-usdm", "17,10.5,2,21,1600000000000,false", 1),
        ("binance-aggtrades", "17,10.5,2,5,9,1600000000000,True,True", -1),
        ("freqtrade-trades", "1600000000000,17,,sell,10.5,2,21", -1),
        ("freqtrade-trades", '[[1600000000000,"17",null,"sell",10.5,2.0,21.0]]', -1),
    ],
)
def test_trades_without_a_header_are_told_by_their_shape(tmp_path: Path, layout: str, row: str, side: int) -> None:
    found = found_in(write(tmp_path, row))

    assert (found.kind, found.table.layout) == ("trades", layout)
    values = [found.column(name) for name in ("utc_ns", "price", "size", "trade_id", "side")]
    assert values == [[1_600_000_000_000_000_000], [10.5], [2], [17], [side]]


def test_the_layout_taken_is_told_by_the_feed(tmp_path: Path) -> None:
    assert open_feed(write(tmp_path, BITFINEX)).layout == "bitfinex"
    assert open_feed(write(tmp_path, DAILY)).layout == "header"


def test_flat_bars_fit_two_layouts_until_one_is_named(tmp_path: Path) -> None:
    path = write(tmp_path, "1600000000000,1,1,1,1,10\n1600000060000,2,2,2,2,11\n")

    with pytest.raises(LayoutError, match="was rows of bitfinex and of freqtrade alike; name the layout"):
        found_in(path)

    assert found_in(path, layout="bitfinex").table.layout == "bitfinex"
    assert found_in(path, columns=("ts", "o", "h", "l", "c", "v")).counts == {"rows": 2}


def test_rows_of_no_layout_are_refused_with_the_list(tmp_path: Path) -> None:
    for text in (
        "1600000000000,1,5,1\n",
        "1600000000000,3,1,2,2,10\n",
        "[[1600000000000,3,1,2,2,10]]",
        "1,2,3,1,2,1\n",
    ):
        with pytest.raises(LayoutError, match=re.escape(f"a known layout ({', '.join(LAYOUTS)}, lean), was ")):
            found_in(write(tmp_path, text))


def test_a_named_layout_of_another_width_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LayoutError, match="columns must be named all 6, was 12 names"):
        found_in(write(tmp_path, BITFINEX), layout="binance-kline")
    with pytest.raises(LayoutError, match="row 1 must hold values where columns are named"):
        found_in(write(tmp_path, "a,b,c,d,e,f\n" + BITFINEX), layout="bitfinex")


def test_a_later_row_that_contradicts_the_layout_is_refused(tmp_path: Path) -> None:
    rows = "".join(f"{1_600_000_000 + 60 * n},1,2,3,1,10\n" for n in range(2_000))

    with pytest.raises(BlockError, match="row 2001: high must be"):
        found_in(write(tmp_path, f"{rows}1700000000,1,3,1,2,10\n"))
    with pytest.raises(BlockError, match="row 2001: fields must be 6 as in the layout bitfinex, was 5"):
        found_in(write(tmp_path, f"{rows}1700000000,1,3,1,2\n"))


def test_lines_above_the_header_are_passed_over(tmp_path: Path) -> None:
    header, rows = DAILY.split("\n", 1)
    for above in ("https://www.CryptoDataDownload.com\n", "# made by hand\n\n# for a test\n", "\r\n"):
        path = write(tmp_path, f"{above}{header}\n{rows}")

        assert found_in(path).column("lines")[0] == above.count("\n") + 2
    with pytest.raises(BlockError, match="row 3: open must be > 0"):
        found_in(write(tmp_path, f"# one\n{header}\n2020-01-01,-1,1,1,1,1\n"))


def test_a_header_that_forgets_the_time_of_day(tmp_path: Path) -> None:
    header = "Date,Open,High,Low,Close,Volume,OpenInterest\n"
    text = f"{header}2006-01-02,09:01:00,1,3,1,2,5699,0\n2006-01-02,09:02,2,2,2,2,7,0\n"

    found = found_in(write(tmp_path, text))

    assert found.table.layout == "date-time"
    assert np.diff(found.rows["utc_ns"]).tolist() == [MINUTE_NS]
    assert found.column("volume") == [5699, 7]
    named = text.replace("OpenInterest", "Time")  # a time of its own: nothing is forgotten
    for wrong in (text.replace("09:01:00", "0901"), text.replace("Open,", "Time,", 1), named):
        with pytest.raises(
            (BlockError, LayoutError), match=r"fields must be 7 as in the header|open, high, low, close"
        ):
            found_in(write(tmp_path, wrong))


def test_bars_without_a_volume_are_counted(tmp_path: Path) -> None:
    path = write(tmp_path, "timestamp,open,high,low,close\n2020-01-01 00:00,1,1,1,1\n2020-01-01 00:01,1,1,1,1\n")

    assert found_in(path).column("volume") == [0, 0]
    assert found_in(path).counts == {"rows": 2, "no_volume": 2}
    feed = read(path).feed
    assert dict(feed.told) == {"no_volume": 2}
    assert "no_volume" not in feed.counts


# -------------------------------------------------------------------------------- JSON


def test_objects_are_rows_too(tmp_path: Path) -> None:
    path = write(tmp_path, '[{"t":1,"ts":1600000000,"price":1.5,"size":2},{"ts":1600000001,"size":3,"price":2}]')

    found = found_in(path)

    assert found.column("price") == [1.5, 2]
    assert found.column("size") == [2, 3]


def test_json_of_many_pieces_on_one_line(tmp_path: Path) -> None:
    rows = ",".join(f'[{1_600_000_000_000 + n},"{n}",null,"buy",1.5,{n % 7 + 1},0]' for n in range(60_000))
    path = write(tmp_path, f"[{rows}]", "AAA.json.gz")

    found = found_in(path)

    assert found.counts == {"rows": 60_000}
    assert found.column("trade_id") == list(range(60_000))
    assert found.column("lines") == list(range(1, 60_001))
    broken = rows.replace("[1600000050000,", "[1600000050000,0,")
    with pytest.raises(BlockError, match="row 50001: fields must be 7, was 8"):
        found_in(write(tmp_path, f"[{broken}]", "AAA.json.gz"))


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("[]", EmptyError, "must hold rows, was an empty array"),
        ("[[1600000000,1,3,1,2,5]", FormatError, "JSON must be an array of flat rows, was not from row 1 on"),
        ("[[1600000000,1,3,1,2,5", FormatError, "JSON must be complete, was truncated"),
        ('["error",10020,"limit: invalid"]', FormatError, "JSON must be an array of flat rows"),
        ("[[1600000000,1,3,1,[2],5]]", FormatError, "JSON must be an array of flat rows"),
        ("[[1600000000,1,3,1,2,5]] x", FormatError, "JSON must be complete"),
        (
            '[{"ts":1600000000,"price":1,"size":1},{"ts":1,"prize":1}]',
            BlockError,
            "row 2: names must be those of row 1",
        ),
        ('{"bars":[]}', FormatError, "was JSON that is no array"),
        ("[[" + "1" * (3 << 20), FormatError, "rows must be at most 1048576 bytes"),
        ("[[" + "," * (3 << 20), FormatError, "rows must be at most 1048576 bytes"),
        ("[[1600000000,1,1e999,1,2,5]]", FeedError, "JSON|row 1 must be a header"),
    ],
)
def test_json_that_cannot_be_read(tmp_path: Path, text: str, error: type[ValueError], message: str) -> None:
    with pytest.raises(error, match=message):
        found_in(write(tmp_path, text))


# ------------------------------------------------------------------------------- dates


def dated(*dates: str) -> str:
    return "Date,Open,High,Low,Close,Volume\n" + "".join(f"{date},1,1,1,1,1\n" for date in dates)


@pytest.mark.parametrize(
    ("dates", "options", "days"),
    [
        (("1/4/1999", "1/5/1999", "1/13/1999"), {}, ["1999-01-04", "1999-01-05", "1999-01-13"]),
        (("04/01/1999", "13/01/1999"), {}, ["1999-01-04", "1999-01-13"]),
        (("04.01.1999", "13.01.1999"), {}, ["1999-01-04", "1999-01-13"]),
        (("1/4/1999", "1/5/1999"), {"dates": "mdy"}, ["1999-01-04", "1999-01-05"]),
        (("1/4/1999", "1/5/1999"), {"dates": "dmy"}, ["1999-04-01", "1999-05-01"]),
        (("1/4/1999 09:30:00.5", "1/13/1999"), {}, ["1999-01-04", "1999-01-13"]),
        (("12-31-1999 00:00", "01-01-2000 00:00"), {}, ["1999-12-31", "2000-01-01"]),
        (("19990104", "19990105"), {}, ["1999-01-04", "1999-01-05"]),
        (("19990104 00:00", "19990105 00:00"), {}, ["1999-01-04", "1999-01-05"]),
    ],
)
def test_dates_of_every_order(tmp_path: Path, dates: tuple[str, ...], options: dict[str, Any], days: list[str]) -> None:
    found = found_in(write(tmp_path, dated(*dates)), **options)

    assert [str(np.datetime64(int(ns), "ns"))[:10] for ns in found.rows["wall_ns"]] == days


def test_dates_that_show_no_order_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path, dated("1/4/1999", "2/4/1999", "12/12/1999"))

    with pytest.raises(
        LayoutError, match="dates must show which part is the month, was '1/4/1999' and no day above 12"
    ):
        found_in(path)


def test_a_date_that_contradicts_the_order_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BlockError, match=r"row 4: time must be an ISO .* was '13/1/1999'"):
        found_in(write(tmp_path, dated("1/4/1999", "1/13/1999", "13/1/1999")))
    with pytest.raises(BlockError, match=r"row 2: time must be an ISO .* was '1/4/99'"):
        found_in(write(tmp_path, dated("1/4/99", "1/13/99")), dates="mdy")
    with pytest.raises(BlockError, match=r"row 3: time must be an ISO .* was '1/13/001999'"):
        found_in(write(tmp_path, dated("1/4/1999", "1/13/001999")), dates="mdy")


def test_the_row_that_shows_the_order_may_come_late(tmp_path: Path) -> None:
    path = write(tmp_path, dated(*["1/4/1999"] * 90_000, "1/13/1999"))

    assert found_in(path).counts == {"rows": 90_001}


# ------------------------------------------------------------------------------ quotes


def test_quotes_and_their_absent_sides(tmp_path: Path) -> None:
    rows = "1600000000,1,10,2,20\n1600000001,0,0,3,5\n1600000002,1.5,7,,\n1600000003,0,0,0,0\n"
    text = f"time,bid,bid_size,ask,ask_size\n{rows}"

    found = found_in(write(tmp_path, text))

    assert found.kind == "quotes"
    assert found.counts == {"rows": 4, "nan_row": 1}
    assert found.column("bid") == [1, 3, 1.5]
    assert found.column("bid_size") == [10, 0, 7]
    assert found.column("ask") == [2, 3, 1.5]
    assert found.column("ask_size") == [20, 5, 0]


def test_quotes_without_sizes_are_counted(tmp_path: Path) -> None:
    found = found_in(write(tmp_path, "time,bid,ask\n1600000000,1,2\n1600000001,,3\n"))

    assert found.counts == {"rows": 2, "no_size": 2}
    assert found.column("bid_size") == [1, 0]
    assert found.column("ask_size") == [1, 1]


def test_a_quote_that_cannot_be_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BlockError, match=r"row 2: bid must be > 0, was -1\.0"):
        found_in(write(tmp_path, "time,bid,ask\n1600000000,-1,2\n"))
    with pytest.raises(BlockError, match="row 2: bid must be a number, was 'x'"):
        found_in(write(tmp_path, "time,bid,ask\n1600000000,x,2\n"))


def test_conditions_of_prints(tmp_path: Path) -> None:
    text = "time,price,size,conditions\n1600000000,1,1,5\n1600000001,1,1,\n1600000002,1,1,@ F T\n1600000003,1,1,@ F T\n"

    conditions = found_in(write(tmp_path, text)).column("conditions")

    assert conditions[:2] == [5, 0]
    assert conditions[2] == conditions[3] > 0


# ----------------------------------------------------------------------------- folding


HALF_HOURS = (
    "ts,o,h,l,c,v\n1600002000,1,3,1,2,10\n1600003800,2,9,1,4,11\n1600005600,4,4,3,3,12\n1600009200,5,6,5,6,13\n"
)


def test_half_hours_become_hours(tmp_path: Path) -> None:
    found = found_in(write(tmp_path, HALF_HOURS), fold="1h")

    assert (found.rows["utc_ns"] // 1_000_000_000).tolist() == [1_600_002_000, 1_600_005_600, 1_600_009_200]
    assert [found.column(name) for name in ("open", "high", "low", "close", "volume")] == [
        [1, 4, 5], [9, 4, 6], [1, 3, 5], [4, 3, 6], [21, 12, 13],
    ]  # fmt: skip
    assert found.counts == {"rows": 4, "folded": 1}
    assert found.column("lines") == [2, 4, 5]


def test_folding_does_not_depend_on_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = "".join(f"{1_600_000_020 + 30 * n},{n % 5 + 1},{n % 5 + 3},1,2,{n}\n" for n in range(500))
    path = write(tmp_path, f"ts,o,h,l,c,v\n{rows}")
    whole = found_in(path, fold="5m")
    monkeypatch.setattr("adapters.csv_rows.BLOCK_BYTES", 97)

    small = found_in(path, fold="5m")

    assert small.counts == whole.counts
    for name in ("lines", "utc_ns", "open", "high", "low", "close", "volume"):
        assert small.column(name) == whole.column(name)


@pytest.mark.parametrize("block_bytes", [61, 1_000_000])
def test_symbols_may_stand_between_each_other_where_bars_are_folded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block_bytes: int
) -> None:
    """AAA and BBB take turns; CCC has one row a minute, so that its interval outlasts pages."""
    symbols = [(n, name) for n in range(180) for name in ("BBB", "AAA", "CCC") if name != "CCC" or n % 60 == 7]
    rows = [f"{1_600_000_020 + n},{name},{n + 1},{n + 2},1,{n + 1},1" for n, name in symbols]
    mixed = write(tmp_path, "\n".join(["ts,symbol,o,h,l,c,v", *rows]), "mixed.csv")
    stacked = write(
        tmp_path, "\n".join(["ts,symbol,o,h,l,c,v", *sorted(rows, key=lambda row: row[11:14])]), "stacked.csv"
    )
    monkeypatch.setattr("adapters.csv_rows.BLOCK_BYTES", block_bytes)

    found, expected = read(mixed, fold="1m"), read(stacked, fold="1m")

    # By close and symbol: AAA, BBB, CCC of each minute.
    assert found.block.close.tolist() == [60, 60, 8, 120, 120, 68, 180, 180, 128]
    assert found.block.volume.tolist() == [60, 60, 1] * 3
    for name, column in found.block.columns().items():
        np.testing.assert_array_equal(column, expected.block.columns()[name])
    assert found.counts["folded"] == expected.counts["folded"] == len(rows) - 9


def test_what_cannot_be_folded_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TimeframeError, match="bars must be of a length that fits into 1h, was 86400 s"):
        found_in(write(tmp_path, DAILY), fold="1h")
    with pytest.raises(OrderError, match="row 3: time must be after that of the row above where bars are put together"):
        found_in(write(tmp_path, "ts,o,h,l,c,v\n1600003800,1,1,1,1,1\n1600002000,1,1,1,1,1\n"), fold="1h")
    with pytest.raises(LayoutError, match="bars only can be put together, was trades"):
        found_in(write(tmp_path, "ts,price,size\n1600003800,1,1\n"), fold="1h")


def test_days_fold_into_weeks(tmp_path: Path) -> None:
    found = found_in(write(tmp_path, DAILY), fold="1w")

    assert (found.rows["utc_ns"] // DAY_NS).tolist() == [18_260]
    assert found.column("volume") == [600]
