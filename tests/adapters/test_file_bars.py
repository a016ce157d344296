"""Bars from CSV files: intervals, symbols, repairs, ranges, adjustment."""

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters import files
from adapters.files import open_feed
from engine import summary
from engine.blocks import Bars, BlockError, equal
from engine.messages import NEVER_NS
from engine.timeframes import DAY_NS, LENGTH_NS, MINUTE_NS, TIMEFRAMES
from tests.adapters.file_makers import DAILY, read, write

NEW_YEAR_NS = 18_262 * DAY_NS  # 2020-01-01


def test_daily_bars_span_their_utc_day(tmp_path: Path) -> None:
    found = read(write(tmp_path, DAILY))

    assert found.feed.kind == "bars"
    assert found.feed.timeframe == "1d"
    assert found.block.open_ns.tolist() == [NEW_YEAR_NS + day * DAY_NS for day in range(3)]
    assert found.block.close_ns.tolist() == [NEW_YEAR_NS + day * DAY_NS for day in (1, 2, 3)]
    assert found.block.received_ns.tolist() == found.block.close_ns.tolist()
    assert found.block.timeframe.tolist() == [TIMEFRAMES.index("1d")] * 3
    assert found.block.high.tolist() == [12, 13, 14]
    assert found.block.volume.tolist() == [100, 200, 300]
    assert found.block.trades.tolist() == [-1, -1, -1]


def test_a_file_ends_at_its_last_row(tmp_path: Path) -> None:
    found = read(write(tmp_path, DAILY))

    assert found.end.time_ns == found.block.close_ns[-1]


def test_the_symbol_is_the_file_name_up_to_its_first_point(tmp_path: Path) -> None:
    assert read(write(tmp_path, DAILY, "^GSPC.daily.csv.gz")).feed.symbols == ("^GSPC",)
    assert read(write(tmp_path, DAILY, "x.csv"), symbol="SPY").feed.symbols == ("SPY",)


def test_a_symbol_column_wins(tmp_path: Path) -> None:
    text = "Ticker,Date,O,H,L,C,V\nZZ,2020-01-01,1,1,1,1,1\nZZ,2020-01-02,1,1,1,1,1\n"

    assert read(write(tmp_path, text), symbol="SPY").feed.symbols == ("ZZ",)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("name", ["AAA.csv", "AAA.csv.gz"])
def test_delimiters_line_ends_and_compression_do_not_matter(
    tmp_path: Path, delimiter: str, newline: str, name: str
) -> None:
    plain = read(write(tmp_path, DAILY, "plain.csv"))

    other = read(write(tmp_path, DAILY.replace(",", delimiter).replace("\n", newline), name))

    assert equal(plain.block, other.block)


def test_byte_order_mark_blank_lines_spaces_quotes_and_a_missing_last_newline_do_not_matter(tmp_path: Path) -> None:
    plain = read(write(tmp_path, DAILY))
    spaced = DAILY.replace(",", " , ").replace("2020-01-02", "\n \n2020-01-02").rstrip("\n")
    quoted = '"' + DAILY.strip().replace(",", '","').replace("\n", '"\n"') + '"'

    assert equal(plain.block, read(write(tmp_path, "\ufeff" + spaced, "B.csv")).block)
    assert equal(plain.block, read(write(tmp_path, quoted, "C.csv")).block)


def test_an_unnamed_index_that_holds_dates_is_the_time(tmp_path: Path) -> None:
    found = read(write(tmp_path, DAILY.replace("Date", "")))

    assert equal(found.block, read(write(tmp_path, DAILY)).block)


def test_a_time_of_day_column_joins_the_date(tmp_path: Path) -> None:
    text = "Date,Time,Open,High,Low,Close,Volume\n" + "".join(
        f"20200101,{clock},1,1,1,1,1\n" for clock in ("09:30", "09:31:00", "0932")
    )

    found = read(write(tmp_path, text))

    assert found.feed.timeframe == "1m"
    assert (np.diff(found.block.open_ns) == MINUTE_NS).all()
    assert found.block.open_ns[0] == NEW_YEAR_NS + (9 * 60 + 30) * MINUTE_NS


def test_intraday_stamps_are_opens(tmp_path: Path) -> None:
    text = "ts,open,close,high,low,volume\n1577836800,1,2,3,0.5,7\n1577840400,2,2,2,2,7\n"

    found = read(write(tmp_path, text))

    assert found.feed.timeframe == "1h"
    assert found.block.open_ns[0] == NEW_YEAR_NS
    assert found.block.close_ns[0] == NEW_YEAR_NS + LENGTH_NS["1h"]
    assert (found.block.open[0], found.block.close[0], found.block.high[0], found.block.low[0]) == (1, 2, 3, 0.5)


def test_the_most_common_spacing_is_the_timeframe(tmp_path: Path) -> None:
    minutes = [0, 1, 2, 10, 11, 60]
    text = "ts,o,h,l,c,v\n" + "".join(f"{1577836800 + 60 * minute},1,1,1,1,1\n" for minute in minutes)

    assert read(write(tmp_path, text)).feed.timeframe == "1m"


def test_naive_stamps_are_read_in_their_zone_and_daily_bars_keep_their_date(tmp_path: Path) -> None:
    intraday = DAILY.replace("-02,", "-01 00:01,").replace("-03,", "-01 00:02,")

    new_york = read(write(tmp_path, intraday), zone="America/New_York")
    tokyo = read(write(tmp_path, DAILY), zone="Asia/Tokyo")
    offset = read(write(tmp_path, re.sub(r"(-0\d),", r"\1 00:00:00+09:00,", DAILY)), symbol="A")

    assert new_york.block.open_ns[0] == NEW_YEAR_NS + 5 * 60 * MINUTE_NS
    assert tokyo.block.open_ns[0] == NEW_YEAR_NS
    assert offset.block.open_ns[0] == NEW_YEAR_NS


def test_a_daily_bar_spans_its_session_and_other_days_are_dropped(tmp_path: Path) -> None:
    found = read(write(tmp_path, DAILY), calendar="XNYS")

    assert found.counts == {"rows": 3, "no_session": 1}
    assert found.block.open_ns[0] == NEW_YEAR_NS + DAY_NS + (14 * 60 + 30) * MINUTE_NS
    assert found.block.close_ns[0] == NEW_YEAR_NS + DAY_NS + 21 * 60 * MINUTE_NS


def test_weekly_bars_last_seven_days_from_the_day_that_names_them(tmp_path: Path) -> None:
    text = DAILY.replace("01-02", "01-08").replace("01-03", "01-15")

    found = read(write(tmp_path, text))

    assert found.feed.timeframe == "1w"
    assert (found.block.close_ns - found.block.open_ns == 7 * DAY_NS).all()


def test_newest_first_files_are_turned(tmp_path: Path) -> None:
    header, *rows = DAILY.splitlines()

    found = read(write(tmp_path, "\n".join([header, *reversed(rows)])))

    assert found.counts == {"rows": 3, "reversed": 3}
    assert equal(found.block, read(write(tmp_path, DAILY)).block)


def test_misplaced_rows_are_sorted_and_counted(tmp_path: Path) -> None:
    header, one, two, three = DAILY.splitlines()
    four = three.replace("-03", "-04")

    found = read(write(tmp_path, "\n".join([header, two, one, three, four])))

    assert found.counts == {"rows": 4, "sorted": 1}
    assert (np.diff(found.block.close_ns) > 0).all()


def test_stacked_symbols_are_merged_by_time_then_symbol_without_repair(tmp_path: Path) -> None:
    header, *rows = DAILY.splitlines()
    stacked = [f"symbol,{header}", *(f"{symbol},{row}" for symbol in ("B", "A") for row in rows)]

    found = read(write(tmp_path, "\n".join(stacked)), sort=False)

    assert found.counts == {"rows": 6, "stacked": 6}
    assert found.feed.symbols == ("A", "B")
    assert found.block.instrument.tolist() == [0, 1] * 3
    assert (np.diff(found.block.close_ns) >= 0).all()


def test_instrument_numbers_come_from_the_session(tmp_path: Path) -> None:
    feed = open_feed(write(tmp_path, DAILY))

    blocks = [fact for fact in feed.facts({"AAA": 7, "other": 1}, 3, 100) if isinstance(fact, Bars)]

    assert [set(block.instrument.tolist()) for block in blocks] == [{7}] * len(blocks)
    assert [set(block.feed.tolist()) for block in blocks] == [{3}] * len(blocks)
    assert sum(map(len, blocks)) == 3


def test_repeated_rows_are_dropped_and_conflicting_ones_counted_apart(tmp_path: Path) -> None:
    repeat, conflict = "2020-01-02,11,13,10,12,200\n", "2020-01-02,11,13,10,12,201\n"

    found = read(write(tmp_path, DAILY + "2020-01-04,1,1,1,1,1\n2020-01-05,1,1,1,1,1\n" + conflict + repeat))

    assert found.counts == {"rows": 7, "sorted": 1, "duplicate": 1, "duplicate_conflicting": 1}
    assert found.block.volume.tolist() == [100, 200, 300, 1, 1]


@pytest.mark.parametrize("nothing", ["", "NaN", "null"])
def test_rows_without_any_price_are_dropped(tmp_path: Path, nothing: str) -> None:
    empty = ",".join(["2020-01-02", *[nothing] * 5])

    found = read(write(tmp_path, DAILY + empty + "\n"))

    assert found.counts == {"rows": 4, "nan_row": 1}


def test_lines_are_right_behind_dropped_rows_and_blank_lines(tmp_path: Path) -> None:
    with pytest.raises(BlockError, match=r"AAA\.csv: row 7: volume must be >= 0, was -1\.0"):
        read(write(tmp_path, DAILY + "2020-01-04,,,,,\n\n2020-01-05,1,1,1,1,-1\n"))


def test_mixed_seconds_and_milliseconds_are_repaired(tmp_path: Path) -> None:
    text = "unix,o,h,l,c,v\n1577836800,1,1,1,1,1\n1577836860.0,1,1,1,1,1\n1577836920000,1,1,1,1,1\n"

    found = read(write(tmp_path, text))

    assert found.counts == {"rows": 3, "mixed_units": 1}
    assert (np.diff(found.block.open_ns) == MINUTE_NS).all()


def test_the_range_is_half_open_on_the_open_of_a_bar(tmp_path: Path) -> None:
    found = read(write(tmp_path, DAILY), start_ns=NEW_YEAR_NS + DAY_NS, end_ns=NEW_YEAR_NS + 2 * DAY_NS)

    assert found.counts == {"rows": 3, "outside_range": 2}
    assert found.block.open_ns.tolist() == [NEW_YEAR_NS + DAY_NS]


def test_a_range_without_rows_ends_the_feed_at_once(tmp_path: Path) -> None:
    found = read(write(tmp_path, DAILY), start_ns=NEW_YEAR_NS + 100 * DAY_NS)

    assert found.block is None
    assert found.end.time_ns == NEVER_NS


ADJUSTED = """Date,Open,High,Low,Close,Adj Close,Volume
2020-01-01,100,110,90,100,50,1000
2020-01-02,50,55,45,50,50,2000
"""


def test_an_adjusted_close_rescales_prices_and_volume(tmp_path: Path) -> None:
    found = read(write(tmp_path, ADJUSTED))

    assert found.block.open.tolist() == [50, 50]
    assert found.block.high.tolist() == [55, 55]
    assert found.block.close.tolist() == [50, 50]
    assert found.block.volume.tolist() == [2000, 2000]


def test_adjustment_can_be_refused_and_an_empty_adjusted_close_is_none(tmp_path: Path) -> None:
    refused = read(write(tmp_path, ADJUSTED), adjust="none")
    empty = read(write(tmp_path, ADJUSTED.replace(",50,1000", ",,1000").replace(",50,2000", ",,2000")))

    assert refused.block.close.tolist() == [100, 50]
    assert empty.block.close.tolist() == [100, 50]


def test_a_partly_adjusted_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BlockError, match="row 3: adj_close must be > 0"):
        read(write(tmp_path, ADJUSTED.replace(",50,2000", ",,2000")))


@pytest.mark.parametrize("names", ["Volume BTC,Volume USDT", "Volume USDT,Volume BTC"])
def test_the_volume_in_units_of_the_base_is_preferred(tmp_path: Path, names: str) -> None:
    values = names.replace("Volume BTC", "7").replace("Volume USDT", "7000")
    text = f"date,open,high,low,close,{names},tradecount\n" + "".join(
        f"2020-01-0{day},1,1,1,1,{values},{count}\n" for day, count in ((1, "NULL"), (2, 12))
    )

    found = read(write(tmp_path, text))

    assert found.block.volume.tolist() == [7, 7]
    assert found.block.trades.tolist() == [-1, 12]


def test_columns_can_be_named(tmp_path: Path) -> None:
    text = DAILY.replace("Volume", "Shares").replace("Date", "When")

    found = read(write(tmp_path, text), mapping={"time": "When", "volume": "Shares"})

    assert found.block.volume.tolist() == [100, 200, 300]


@pytest.mark.parametrize("chunk", [1, 7, 4096])
def test_any_chunk_gives_the_same_rows(tmp_path: Path, chunk: int) -> None:
    text = "ts,o,h,l,c,v\n" + "".join(f"{1577836800 + 60 * row},1,2,1,1,{row}\n" for row in range(20))
    path = write(tmp_path, text)

    found = read(path, chunk)

    assert equal(found.block, read(path).block)
    assert max(found.sizes) <= chunk


def test_facts_can_be_asked_for_again(tmp_path: Path) -> None:
    feed = open_feed(write(tmp_path, DAILY))

    first, second = (list(feed.facts({"AAA": 0}, 0, 10)) for _ in range(2))

    assert equal(first[0], second[0])  # type: ignore[arg-type]
    assert feed.counts == {"rows": 3}


def test_the_content_hash_follows_the_bytes(tmp_path: Path) -> None:
    one, same = open_feed(write(tmp_path, DAILY, "a.csv")), open_feed(write(tmp_path, DAILY, "b.csv"))
    other = open_feed(write(tmp_path, DAILY.replace("100", "101"), "c.csv"))

    assert one.content_hash == same.content_hash != other.content_hash
    assert len(one.content_hash) == 64


PRICE = st.floats(min_value=1e-6, max_value=1e6)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    bars=st.lists(st.tuples(PRICE, PRICE, PRICE, PRICE, st.floats(0, 1e12)), min_size=1, max_size=40),
    names=st.sampled_from(["%d", "%d000", "iso"]),
)
def test_written_bars_read_back_as_they_were(
    tmp_path: Path, bars: list[tuple[float, float, float, float, float]], names: str
) -> None:
    lines = ["time,open,high,low,close,volume"]
    for number, (one, two, three, four, volume) in enumerate(bars):
        second = 1577836800 + 60 * number
        stamp = str(np.datetime64(second, "s")) if names == "iso" else names % second
        low, *inner, high = sorted((one, two, three, four))
        lines.append(f"{stamp},{inner[0]!r},{high!r},{low!r},{inner[1]!r},{volume!r}")

    found = read(write(tmp_path, "\n".join(lines)), timeframe="1m")

    inner_sorted = [sorted(bar[:4]) for bar in bars]
    assert found.block.open.tolist() == [bar[1] for bar in inner_sorted]
    assert found.block.high.tolist() == [bar[3] for bar in inner_sorted]
    assert found.block.low.tolist() == [bar[0] for bar in inner_sorted]
    assert found.block.close.tolist() == [bar[2] for bar in inner_sorted]
    assert found.block.volume.tolist() == [bar[4] for bar in bars]
    assert found.block.open_ns.tolist() == [NEW_YEAR_NS + MINUTE_NS * row for row in range(len(bars))]


def test_a_file_of_many_blocks_keeps_every_row_and_line(tmp_path: Path) -> None:
    rows = [f"{1577836800 + 60 * row},1.5,2.5,0.5,1.25,{row}" for row in range(80_000)]
    path = write(tmp_path, "\n".join(["ts,o,h,l,c,v", *rows]))
    rows[70_000] = rows[70_000].replace(",1.5,", ",x,")
    broken = write(tmp_path, "\n".join(["ts,o,h,l,c,v", *rows]), "broken.csv")

    assert path.stat().st_size > 2 << 20
    assert read(path).block.volume.tolist() == list(range(80_000))
    with pytest.raises(BlockError, match="row 70002: open must be a number, was 'x'"):
        read(broken)


def test_a_quoted_line_end_may_lie_on_the_border_of_a_block(tmp_path: Path) -> None:
    rows = [f'{1577836800 + 60 * row},1,1,1,1,{row},"a\nb\nc"' for row in range(40_000)]
    path = write(tmp_path, "\n".join(["ts,o,h,l,c,v,note", *rows]))

    found = read(path)

    assert path.stat().st_size > 1 << 20
    assert found.block.volume.tolist() == list(range(40_000))


def test_a_line_number_counts_the_lines_inside_quotes(tmp_path: Path) -> None:
    text = 'ts,o,h,l,c,v,note\n1577836800,1,1,1,1,1,"a\nb"\n1577836860,1,1,1,1,-1,x\n'

    with pytest.raises(BlockError, match=r"row 4: volume must be >= 0"):
        read(write(tmp_path, text))


def test_a_run_and_its_feeds_mean_the_same_by_repaired() -> None:
    assert set(summary.REPAIRED) == set(files.REPAIRED)
    assert not set(files.REPAIRED) & {*files.DROPPED, *files.TOLD}
