"""Chunking changes where blocks begin, and nothing else."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.blocks import Bars, MarketBlock, Quotes, Trades, equal
from engine.chunks import MAX_ROWS, after, count, rechunk, sequence_of
from engine.ports import Item
from tests.makers import bars, heartbeat, trades


def numbered(*facts: Item) -> list[Item]:
    """The facts with consecutive sequence numbers from 1."""
    sequence = 1
    done: list[Item] = []
    for fact in facts:
        if isinstance(fact, MarketBlock):
            fact.sequence = sequence
            done.append(fact)
        else:
            done.append(
                type(fact)(**{name: getattr(fact, name) for name in fact.__struct_fields__} | {"sequence": sequence})
            )
        sequence += count(fact)
    return done


def rows(facts: list[Item]) -> list[tuple[int, str, tuple[object, ...]]]:
    """Every fact as (sequence, kind, values): what a chunking must not change."""
    found: list[tuple[int, str, tuple[object, ...]]] = []
    for fact in facts:
        if isinstance(fact, MarketBlock):
            columns = [getattr(fact, name).tolist() for name in fact.COLUMNS]
            found += [
                (fact.sequence + number, type(fact).__name__, tuple(map(repr, values)))
                for number, values in enumerate(zip(*columns, strict=True))
            ]
        else:
            found.append((sequence_of(fact), type(fact).__name__, (fact,)))
    return found


def shape(facts: list[Item]) -> list[object]:
    return [len(fact) if isinstance(fact, MarketBlock) else type(fact).__name__ for fact in facts]


def mixed() -> list[Item]:
    quotes = Quotes.of(time_ns=[1, 2, 3], bid=[1.0, 2.0, 3.0], ask=[2.0, 3.0, 4.0])
    bar = (1.0, 2.0, 0.5, 1.5)
    return numbered(
        trades(1, 2, 3), trades(4), trades(5, 6), heartbeat(5), trades(7, 8), quotes, trades(9), bars(bar, bar)
    )


def test_blocks_stay_as_they_are_without_a_chunk() -> None:
    facts = mixed()

    assert list(rechunk(facts, None)) == facts


@pytest.mark.parametrize(
    ("chunk", "expected"),
    [
        (1, [1, 1, 1, 1, 1, 1, "Heartbeat", 1, 1, 1, 1, 1, 1, 1, 1]),
        (2, [2, 2, 2, "Heartbeat", 2, 2, 1, 1, 2]),
        (4, [4, 2, "Heartbeat", 2, 3, 1, 2]),
        (0, [6, "Heartbeat", 2, 3, 1, 2]),
    ],
)
def test_a_block_ends_at_the_chunk_or_where_another_kind_follows(chunk: int, expected: list[object]) -> None:
    assert shape(list(rechunk(mixed(), chunk))) == expected


@given(cuts=st.lists(st.integers(0, 6), max_size=12), chunk=st.integers(0, 9), beats=st.integers(0, 3))
def test_no_chunking_changes_a_row_or_its_number(cuts: list[int], chunk: int, beats: int) -> None:
    parts: list[Item] = [trades(*np.arange(1.0, size + 1)) if size else Trades.empty() for size in cuts]
    facts = numbered(*parts, *[heartbeat(9)] * beats, *[trades(1, 2) for _ in range(beats)])

    assert rows(list(rechunk(facts, chunk))) == rows(facts)


@given(sequence=st.integers(0, 20), chunk=st.sampled_from([None, 0, 1, 2, 3]))
def test_going_on_after_a_number_gives_the_rest(sequence: int, chunk: int | None) -> None:
    facts = mixed()

    rest = list(after(rechunk(facts, chunk), sequence))

    assert rows(rest) == [row for row in rows(facts) if row[0] > sequence]


def test_joining_stops_at_the_largest_block() -> None:
    half = np.ones(MAX_ROWS // 2 + 1)

    facts = rechunk([Trades.of(price=half), Trades.of(price=half)], 0)

    assert shape(list(facts)) == [MAX_ROWS, 2]


def test_parts_of_an_unnumbered_block_are_unnumbered() -> None:
    facts = list(rechunk([trades(1, 2, 3), trades(4)], 2))

    assert [fact.sequence for fact in facts] == [0, 0]


def test_blocks_without_rows_vanish() -> None:
    assert shape(list(rechunk([Trades.empty(), heartbeat(1), Bars.empty()], 0))) == ["Heartbeat"]


def test_a_gap_between_numbered_blocks_is_a_bug() -> None:
    first, second = trades(1, 2), trades(3)
    first.sequence, second.sequence = 1, 4

    with pytest.raises(AssertionError):
        list(rechunk([first, second], 0))


def test_rechunking_is_lazy() -> None:
    facts = iter([trades(1, 2, 3)])

    first = next(rechunk(facts, 2))

    assert isinstance(first, Trades)
    assert equal(first, trades(1, 2))
