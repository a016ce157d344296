"""Bars and quotes of files in order are streamed: the same rows as when read whole, in bounded memory."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from adapters.feed_errors import FormatError
from adapters.files import open_feed
from engine.blocks import MarketBlock, equal
from tests.adapters.file_makers import collect, read, write

SYMBOLS = [f"S{number:02}" for number in reversed(range(60))]


def bar_lines(rows: int, step_s: int = 60) -> list[str]:
    """Sixty symbols a moment, last name first, so that the border of a page lies within a moment."""
    return [
        f"{1577836800 + step_s * (row // 60)},{SYMBOLS[row % 60]},{10 + row % 3},{11 + row % 3},{9 + row % 3},"
        f"{10 + row % 3}.5,{row}"
        for row in range(rows)
    ]


HEADER = "time,symbol,open,high,low,close,volume"


def text(lines: list[str]) -> str:
    return "\n".join([HEADER, *lines]) + "\n"


@pytest.mark.parametrize("step_s", [60, 86_400], ids=["minutes", "days"])
def test_a_streamed_file_gives_what_the_same_file_read_whole_gives(tmp_path: Path, step_s: int) -> None:
    lines = bar_lines(60_000, step_s)
    moved = [lines[60], *lines[:60], *lines[61:]]  # one row out of order: the file is read whole

    streamed, whole = read(write(tmp_path, text(lines), "S.csv")), read(write(tmp_path, text(moved), "W.csv"))

    assert streamed.counts == {"rows": 60_000}
    assert whole.counts == {"rows": 60_000, "sorted": 1}
    assert equal(streamed.block, whole.block)
    assert streamed.block.instrument[:3].tolist() == [0, 1, 2]


def test_a_file_of_bars_in_order_is_streamed_in_bounded_memory(tmp_path: Path) -> None:
    large = open_feed(write(tmp_path, text(bar_lines(400_000)), "L.csv"))
    numbers = {symbol: number for number, symbol in enumerate(large.symbols)}
    list(open_feed(write(tmp_path, text(bar_lines(300)), "s.csv")).facts(numbers, 0, 1000))

    tracemalloc.start()
    rows = sum(len(block) for block in large.facts(numbers, 0, 1000) if isinstance(block, MarketBlock))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert rows == 400_000
    assert peak < 40_000_000  # read whole, its columns alone are larger than this


@pytest.mark.parametrize("chunk", [1, 7, 4096])
def test_any_chunk_of_a_streamed_file_gives_the_same_bars(tmp_path: Path, chunk: int) -> None:
    path = write(tmp_path, text(bar_lines(300)))

    found = read(path, chunk)

    assert equal(found.block, read(path, 100_000).block)
    assert max(found.sizes) <= chunk


def test_a_repeat_is_the_same_repeat_wherever_the_file_is_cut(tmp_path: Path) -> None:
    lines = bar_lines(60_000)
    doubled = [line for row, line in enumerate(lines) for line in ([line] * (2 if row % 1_000 == 0 else 1))]

    assert read(write(tmp_path, text(doubled))).counts == {"rows": 60_060, "duplicate": 60}


@pytest.mark.parametrize(
    ("change", "what"),
    [(lambda lines: [*lines, bar_lines(303)[300]], "301 rows"), (lambda lines: lines[::-1], "rows out of order")],
)
def test_a_file_that_changes_after_it_was_opened_is_refused(tmp_path: Path, change: object, what: str) -> None:
    lines = bar_lines(300)
    feed = open_feed(write(tmp_path, text(lines)))
    write(tmp_path, text(change(lines)))  # type: ignore[operator]

    with pytest.raises(FormatError, match=f"must not change while it is read, was {what}"):
        collect(feed)


def test_days_of_stamps_with_different_offsets_go_by_their_own_date(tmp_path: Path) -> None:
    # The moments ascend, the days they name do not.
    lines = [
        "2020-01-02T01:00:00+09:00,A,1,1,1,1,1",
        "2020-01-01T20:00:00+00:00,A,1,1,1,1,2",
        *(f"2020-01-0{day}T20:00:00+00:00,A,1,1,1,1,{day}" for day in (3, 4, 5)),
    ]

    found = read(write(tmp_path, text(lines)), timeframe="1d")

    assert found.block.volume.tolist() == [2, 1, 3, 4, 5]
    assert (np.diff(found.block.close_ns) > 0).all()


def test_dates_around_a_holiday_are_days(tmp_path: Path) -> None:
    lines = ["2017-01-13,A,1,1,1,1,1", "2017-01-17,A,1,1,1,1,2"]

    assert read(write(tmp_path, text(lines))).feed.timeframe == "1d"


QUOTES = """time,bid,bidsize,ask,asksize
1600000000000,10,1,10.1,2
1600000000001,10.2,1,10.1,2
1600000000001,10,1,10,2
1600000000002,0,0,10.1,2
"""


def test_quotes_are_read_cleaned_and_end_their_feed(tmp_path: Path) -> None:
    feed = open_feed(write(tmp_path, QUOTES))
    *facts, quarantine, end = feed.facts({"AAA": 4}, 1, 2)

    blocks = [fact for fact in facts if isinstance(fact, MarketBlock)]
    assert feed.kind == "quotes"
    assert feed.counts == {"rows": 4, "crossed_quote": 1}
    assert feed.findings.all == {"crossed_quote": 1, "locked_quote": 1}
    assert [len(block) for block in blocks] == [2, 1]
    assert [block.columns()["bid"].tolist() for block in blocks] == [[10, 10], [10.1]]
    assert blocks[1].columns()["bid_size"].tolist() == [0]
    assert blocks[0].columns()["instrument"].tolist() == [4, 4]
    assert (quarantine.reason, quarantine.feed, end.feed) == ("crossed_quote", 1, 1)  # type: ignore[union-attr]


def test_newest_first_quotes_are_turned_within_a_moment_too(tmp_path: Path) -> None:
    header, *rows = QUOTES.replace("10.2", "10.05").splitlines()
    straight = read(write(tmp_path, "\n".join([header, *rows]), "A.csv"))

    turned = read(write(tmp_path, "\n".join([header, *reversed(rows)]), "B.csv"))

    assert turned.counts == {"rows": 4, "reversed": 4}
    assert equal(turned.block, straight.block)
