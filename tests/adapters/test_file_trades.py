"""Trades from CSV files: streamed in order, sorted where they are not, equal prints kept."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from adapters.feed_errors import FormatError
from adapters.files import FileOptions, open_feed
from engine.blocks import BlockError, MarketBlock, equal
from engine.messages import EndOfFeed, Quarantine
from tests.adapters.file_makers import PRINTS, collect, read, write


def test_prints_come_out_as_they_stand(tmp_path: Path) -> None:
    found = read(write(tmp_path, PRINTS))

    assert found.feed.kind == "trades"
    assert found.feed.timeframe == ""
    assert found.counts == {"rows": 4}
    assert (found.block.time_ns // 1_000_000).tolist() == [1600000000000 + ms for ms in (0, 1, 1, 2)]
    assert found.block.received_ns.tolist() == found.block.time_ns.tolist()
    assert found.block.price.tolist() == [10.5, 10.6, 10.6, 10.4]
    assert found.block.size.tolist() == [1, 2, 2, 3]
    assert found.block.side.tolist() == [1, -1, -1, 1]
    assert found.block.trade_id.tolist() == [1, 2, 3, 4]
    assert found.end.time_ns == found.block.time_ns[-1]


def test_the_maker_flag_gives_the_aggressor(tmp_path: Path) -> None:
    text = "id,price,qty,quote_qty,time,is_buyer_maker,is_best_match\n"
    text += "5,1.5,2,3,1600000000000,True,True\n6,1.5,2,3,1600000000000,False,True\n"

    assert read(write(tmp_path, text)).block.side.tolist() == [-1, 1]


def test_equal_prints_without_an_id_are_all_real(tmp_path: Path) -> None:
    text = "time,price,size\n" + "1600000000,1,1\n" * 5

    assert read(write(tmp_path, text)).counts == {"rows": 5}


def test_a_repeated_trade_id_is_dropped(tmp_path: Path) -> None:
    text = PRINTS + "1600000000002,10.4,3,b,4\n1600000000002,10.4,9,b,4\n1600000000003,10.4,3,b,4\n"

    found = read(write(tmp_path, text))

    assert found.counts == {"rows": 7, "duplicate": 1, "duplicate_conflicting": 2}
    assert found.block.trade_id.tolist() == [1, 2, 3, 4]


def test_an_absent_id_repeats_nothing_and_a_text_id_is_one(tmp_path: Path) -> None:
    text = "time,price,size,id\n" + "1600000000,1,1,\n" * 2 + "1600000000,1,1,a-b\n" * 2

    assert read(write(tmp_path, text)).counts == {"rows": 4, "duplicate": 1}


def test_misplaced_prints_are_sorted_and_counted(tmp_path: Path) -> None:
    header, one, two, three, four = PRINTS.splitlines()

    found = read(write(tmp_path, "\n".join([header, one, four, two, three])))

    assert found.counts == {"rows": 4, "sorted": 1}
    assert equal(found.block, read(write(tmp_path, PRINTS)).block)


def test_newest_first_prints_are_turned_within_a_moment_too(tmp_path: Path) -> None:
    header, *rows = PRINTS.splitlines()

    found = read(write(tmp_path, "\n".join([header, *reversed(rows)])))

    assert found.counts == {"rows": 4, "reversed": 4}
    assert found.block.trade_id.tolist() == [1, 2, 3, 4]


def test_stacked_symbols_are_merged_by_time_then_symbol(tmp_path: Path) -> None:
    rows = [f"{symbol},{1600000000 + second},1,1" for symbol in ("B", "A") for second in range(3)]

    found = read(write(tmp_path, "\n".join(["symbol,time,price,size", *rows])), sort=False)

    assert found.counts == {"rows": 6, "stacked": 6}
    assert found.block.instrument.tolist() == [0, 1] * 3


def test_rows_without_price_and_size_are_dropped_but_not_half_rows(tmp_path: Path) -> None:
    assert read(write(tmp_path, PRINTS + "1600000000003,,,,\n")).counts == {"rows": 5, "nan_row": 1}
    with pytest.raises(BlockError, match="row 6: price must be a finite number, was nan"):
        read(write(tmp_path, PRINTS + "1600000000003,,5,buy,9\n"))


def test_the_range_is_half_open(tmp_path: Path) -> None:
    start_ns = 1600000000001 * 1_000_000

    found = read(write(tmp_path, PRINTS), start_ns=start_ns, end_ns=start_ns + 1_000_000)

    assert found.counts == {"rows": 4, "outside_range": 2}
    assert found.block.trade_id.tolist() == [2, 3]


def many(rows: int, step: int = 7) -> str:
    """Runs of equal stamps that cross every border of a block."""
    lines = (f"{1600000000000 + row // step},{100 + row % 13}.25,{row % 5 + 1},buy,{row + 1}" for row in range(rows))
    return "time,price,size,side,id\n" + "\n".join(lines) + "\n"


@pytest.mark.parametrize("chunk", [1, 7, 4096])
def test_any_chunk_gives_the_same_rows(tmp_path: Path, chunk: int) -> None:
    path = write(tmp_path, many(300))

    found = read(path, chunk)

    assert equal(found.block, read(path, 100_000).block)
    assert max(found.sizes) <= chunk


def test_a_repeat_across_two_blocks_of_the_file_is_seen(tmp_path: Path) -> None:
    lines = many(40_000, step=40_000).splitlines()

    found = read(write(tmp_path, "\n".join([*lines, lines[-4_000], lines[-1]])))

    assert found.counts == {"rows": 40_002, "duplicate": 2}
    assert found.block.trade_id.tolist() == list(range(1, 40_001))


def test_rows_that_are_no_trades_are_withheld_told_and_come_before_the_end(tmp_path: Path) -> None:
    path = write(tmp_path, PRINTS + "1600000000003,0,5,buy,9\n1600000000004,99,5,buy,10\n")

    *_, first, second, end = open_feed(path).facts({"AAA": 0}, 2, 100)

    assert [first, second] == [
        Quarantine(time_ns=1600000000002 * 1_000_000, feed=2, symbol="AAA", reason=reason, count=1)
        for reason in ("bad_price", "absurd_price")
    ]
    assert end == EndOfFeed(time_ns=1600000000002 * 1_000_000, feed=2)
    with pytest.raises(BlockError, match=r"AAA\.csv: row 6: price must be > 0, was 0\.0"):
        read(path)


def test_a_file_in_order_is_streamed_in_bounded_memory(tmp_path: Path) -> None:
    feed = open_feed(write(tmp_path, many(20_000)))
    list(feed.facts({"AAA": 0}, 0, 1000))
    large = open_feed(write(tmp_path, many(400_000), "L.csv"))

    tracemalloc.start()
    rows = sum(len(block) for block in large.facts({"L": 0}, 0, 1000) if isinstance(block, MarketBlock))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert rows == large.rows_estimate == 400_000
    assert peak < 30_000_000  # read whole, its columns alone are larger than this


def test_a_file_out_of_order_gives_the_same_rows_as_one_in_order(tmp_path: Path) -> None:
    header, *rows = many(30_000).splitlines()
    order = np.random.default_rng(1).permutation(len(rows))
    shuffled = write(tmp_path, "\n".join([header, *(rows[at] for at in order)]))

    found, straight = read(shuffled), read(write(tmp_path, many(30_000), "S.csv"))

    assert found.counts["sorted"] > 10_000
    assert found.block.time_ns.tolist() == straight.block.time_ns.tolist()
    assert sorted(found.block.trade_id.tolist()) == straight.block.trade_id.tolist()


def test_mixed_units_are_counted_once_the_file_is_read(tmp_path: Path) -> None:
    found = read(write(tmp_path, "time,price,size\n1600000000,1,1\n1600000001,1,1\n1600000002000,1,1\n"))

    assert found.counts == {"rows": 3, "mixed_units": 1}


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (PRINTS + "1600000000009,1,1,buy,9\n", "5 rows instead of 4"),
        (PRINTS.replace("1600000000002", "1500000000002"), "rows out of order"),
    ],
)
def test_a_file_that_changes_after_it_was_opened_is_refused(tmp_path: Path, text: str, what: str) -> None:
    feed = open_feed(write(tmp_path, PRINTS), FileOptions())
    write(tmp_path, text)

    with pytest.raises(FormatError, match=f"must not change while it is read, was {what}"):
        collect(feed)


def test_a_symbol_that_appears_after_the_file_was_opened_is_refused(tmp_path: Path) -> None:
    text = "symbol,time,price,size\nA,1600000000,1,1\n"
    feed = open_feed(write(tmp_path, text))
    write(tmp_path, text.replace("A,", "B,"))

    with pytest.raises(FormatError, match="must not change while it is read, was another symbol"):
        collect(feed)
