"""Merging feeds: by time, then feed number; nothing lost, nothing reordered within a feed."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.files import FileOptions, merge, open_feed
from engine.blocks import Bars, MarketBlock, Trades, equal
from engine.messages import EndOfFeed
from engine.ports import Feed, Item
from tests.adapters.file_makers import DAILY, PRINTS, write
from tests.makers import bars, heartbeat, trades


class Listed:
    """A feed that is a list of rows' times, cut into blocks as asked."""

    name = "listed"
    symbols: tuple[str, ...] = ("AAA",)
    counts: Mapping[str, int] = {}

    def __init__(self, times: Sequence[int], *, of_bars: bool = False, cut: int = 3) -> None:
        self.times = times
        self.of_bars = of_bars
        self.cut = cut

    def facts(self, numbers: Mapping[str, int], feed: int, chunk: int) -> Iterator[Item]:
        for start in range(0, len(self.times), self.cut):
            times = np.array(self.times[start : start + self.cut], np.int64)
            if self.of_bars:
                yield Bars.of(open_ns=times - 1, close_ns=times, feed=feed)
            else:
                yield Trades.of(time_ns=times, price=np.arange(start, start + len(times)) + 1.0, feed=feed)
        yield EndOfFeed(time_ns=max(self.times, default=-(2**63)), feed=feed)


def rows_of(facts: Sequence[Item]) -> list[tuple[int, int, str]]:
    """(time, feed, what) of every row and fact, in order."""
    found: list[tuple[int, int, str]] = []
    for fact in facts:
        if isinstance(fact, MarketBlock):
            feeds = fact.columns()["feed"].tolist()
            found += [(time, feed, type(fact).__name__) for time, feed in zip(fact.row_ns.tolist(), feeds, strict=True)]
        else:
            found.append((fact.time_ns, fact.feed, type(fact).__name__))  # type: ignore[attr-defined]
    return found


def test_rows_leave_by_time_then_feed_number() -> None:
    feeds = [Listed([1, 3, 3, 5]), Listed([2, 3, 5, 9])]

    found = rows_of(list(merge(feeds, {"AAA": 0}, 100)))

    assert found == [
        (1, 0, "Trades"), (2, 1, "Trades"), (3, 0, "Trades"), (3, 0, "Trades"), (3, 1, "Trades"), (5, 0, "Trades"),
        (5, 0, "EndOfFeed"), (5, 1, "Trades"), (9, 1, "Trades"), (9, 1, "EndOfFeed"),
    ]  # fmt: skip


@settings(deadline=None, max_examples=80)
@given(
    times=st.lists(st.tuples(st.lists(st.integers(0, 12), max_size=20), st.booleans(), st.integers(1, 5)), max_size=5),
    chunk=st.integers(1, 9),
)
def test_any_feeds_merge_as_a_stable_sort(times: list[tuple[list[int], bool, int]], chunk: int) -> None:
    feeds = [Listed(sorted(each), of_bars=of_bars, cut=cut) for each, of_bars, cut in times]
    everything = [row for number, feed in enumerate(feeds) for row in rows_of(list(feed.facts({}, number, 100)))]

    facts = list(merge(feeds, {"AAA": 0}, chunk))

    assert rows_of(facts) == sorted(everything, key=lambda row: row[:2])
    assert all(len(fact) <= chunk and fact.sequence == 0 for fact in facts if isinstance(fact, MarketBlock))


def test_one_feed_keeps_its_own_order() -> None:
    late = Listed([5, 3, 8, 7], cut=2)

    facts = list(merge([late, Listed([4, 6])], {"AAA": 0}, 100))

    assert [row[:2] for row in rows_of(facts)] == [(4, 1), (5, 0), (3, 0), (6, 1), (6, 1), (8, 0), (7, 0), (8, 0)]


def test_other_facts_keep_their_place_among_the_rows() -> None:
    class Beating(Listed):
        def facts(self, numbers: Mapping[str, int], feed: int, chunk: int) -> Iterator[Item]:
            yield trades(1, 1, start_ns=0, step_ns=10, feed=feed)
            yield heartbeat(20, feed)
            yield Trades.empty()
            yield trades(1, start_ns=30, feed=feed)
            yield EndOfFeed(time_ns=30, feed=feed)

    found = rows_of(list(merge([Beating([]), Listed([5, 25])], {"AAA": 0}, 100)))

    assert [row[0] for row in found] == [0, 5, 10, 20, 25, 25, 30, 30]
    assert found[3] == (20, 0, "Heartbeat")


def test_rows_of_two_kinds_are_never_in_one_block() -> None:
    facts = list(merge([Listed([1, 2, 3, 4]), Listed([2, 3], of_bars=True)], {"AAA": 0}, 100))

    assert [type(fact).__name__ for fact in facts] == [
        "Trades", "Bars", "Trades", "Bars", "EndOfFeed", "Trades", "EndOfFeed",
    ]  # fmt: skip


def test_no_feeds_give_no_facts() -> None:
    assert list(merge([], {}, 10)) == []


@pytest.mark.parametrize("chunk", [1, 7, 4096])
def test_files_keep_their_numbers_and_any_chunk_gives_the_same(tmp_path: Path, chunk: int) -> None:
    paths = [write(tmp_path, DAILY, "B.csv"), write(tmp_path, DAILY, "A.csv"), write(tmp_path, PRINTS, "T.csv")]
    feeds: list[Feed] = [open_feed(path, FileOptions()) for path in paths]
    numbers = {"A": 0, "B": 1, "T": 2}

    facts = list(merge(feeds, numbers, chunk))

    whole = list(merge(feeds, numbers, 1000))
    assert rows_of(facts) == rows_of(whole)
    blocks = [fact for fact in facts if isinstance(fact, Bars)]
    assert equal(Bars.join(blocks), Bars.join([fact for fact in whole if isinstance(fact, Bars)]))
    assert Bars.join(blocks).instrument.tolist() == [1, 0] * 3
    assert [row[1] for row in rows_of(facts) if row[2] == "EndOfFeed"] == [0, 1, 2]


def test_merging_leaves_the_columns_alone() -> None:
    class Whole(Listed):
        def facts(self, numbers: Mapping[str, int], feed: int, chunk: int) -> Iterator[Item]:
            yield bars((1, 2, 0.5, 1.5), (2, 3, 1.5, 2.5), feed=feed)

    (block,) = merge([Whole([])], {"AAA": 0}, 100)

    assert equal(block, bars((1, 2, 0.5, 1.5), (2, 3, 1.5, 2.5)))  # type: ignore[arg-type]
