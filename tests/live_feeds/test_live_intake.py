"""Rows between codec and cleaner: whatever order and repetition they come in, they leave in order and once."""

from hypothesis import given
from hypothesis import strategies as st

from adapters.live.intake import Intake
from engine.blocks import BUYER, MarketBlock

NUMBERS = {"A": 0, "B": 1}


def intake(*, consecutive: bool = True, holding: bool = False) -> Intake:
    made = Intake(NUMBERS, 0, frozenset(("trades", "bars", "quotes")), consecutive=consecutive)
    if not holding:
        made.release()
    return made


def trade(rows: Intake, number: int, symbol: str = "A", received_ns: int = 1) -> None:
    rows.trade(symbol, number * 10, received_ns, 10.0, 1.0, BUYER, number)


def bar(rows: Intake, minute: int) -> None:
    rows.bar("A", "1m", minute * 60, minute * 60 + 60, 1, 1.0, 2.0, 1.0, 2.0, 5.0)


def ids(blocks: list[MarketBlock]) -> list[int]:
    return [number for block in blocks for number in block.trade_id.tolist()]


def test_rows_in_order_pass_at_once() -> None:
    rows = intake()
    for number in (5, 6, 7):
        trade(rows, number)

    assert ids(rows.take()) == [5, 6, 7]
    assert rows.holes() == {}


def test_rows_after_a_hole_wait_until_it_is_filled() -> None:
    rows = intake()
    for number in (5, 8, 9):
        trade(rows, number, received_ns=number)

    hole = rows.holes()["A"]
    assert (hole.first, hole.last, hole.since_ns) == (6, 7, 8)
    assert ids(rows.take()) == [5]
    assert rows.breaks == 1

    for number in (6, 7):
        rows.fill_trade(("A", number * 10, 1, 10.0, 1.0, BUYER, number))
    rows.follow("A")
    assert ids(rows.take()) == [5, 6, 7, 8, 9][1:]
    assert (rows.holes(), rows.held) == ({}, 0)


def test_a_hole_is_told_at_the_row_that_reveals_it_and_once() -> None:
    rows, told = intake(), []
    rows.on_hole = lambda *hole: told.append((*hole, rows.rows))
    for number in (5, 6, 9, 10, 12):
        trade(rows, number)

    assert told == [("A", 7, 8, 2)]


def test_a_hole_in_one_symbol_does_not_hold_another() -> None:
    rows = intake()
    trade(rows, 5)
    trade(rows, 8)
    trade(rows, 100, "B")
    trade(rows, 101, "B")

    assert ids(rows.take()) == [5, 100, 101]


def test_a_hole_that_is_given_up_is_counted() -> None:
    rows = intake()
    for number in (5, 8, 9, 12):
        trade(rows, number)

    assert rows.give_up("A") == 4
    assert ids(rows.take()) == [5, 8, 9, 12]
    assert rows.held == 0


def test_numbers_that_begin_anew_are_no_repeats() -> None:
    rows = intake()
    trade(rows, 1_000)
    rows.trade("A", 10_000 + 61_000_000_000, 1, 10.0, 1.0, BUYER, 3)
    rows.trade("A", 10_000 + 61_000_000_001, 1, 10.0, 1.0, BUYER, 4)

    assert ids(rows.take()) == [1_000, 3, 4]
    assert rows.duplicates == 0


def test_what_waited_goes_after_what_was_asked_for() -> None:
    rows = intake(holding=True)
    for number in (8, 9):
        trade(rows, number)
    assert ids(rows.take()) == []

    for number in (5, 6, 7, 8):
        rows.fill_trade(("A", number * 10, 1, 10.0, 1.0, BUYER, number))
    rows.release()

    assert ids(rows.take()) == [5, 6, 7, 8, 9]
    assert rows.duplicates == 1


def test_bars_come_once_however_often_they_are_told() -> None:
    rows = intake()
    for minute in (1, 2, 2, 1, 3):
        bar(rows, minute)

    (block,) = rows.take()
    assert block.open_ns.tolist() == [60, 120, 180]
    assert rows.duplicates == 2


def test_a_corrected_bar_goes_its_own_way() -> None:
    rows = intake()
    bar(rows, 1)
    rows.revise("A", "1m", 60, 120, 1, 1.0, 9.0, 1.0, 2.0, 5.0)
    rows.revise("A", "1m", 120, 180, 1, 1.0, 3.0, 1.0, 2.0, 5.0)

    assert [block.high.tolist() for block in rows.take()] == [[2.0, 3.0]]
    assert [block.high.tolist() for block in rows.take_revisions()] == [[9.0]]


def test_of_quotes_that_pile_up_the_newest_of_each_symbol_stays() -> None:
    rows = intake()
    rows.is_crowded = True
    for price in (1.0, 2.0, 3.0):
        rows.quote("A", 1, 1, price, 1.0, price + 1, 1.0)
    rows.quote("B", 1, 1, 7.0, 1.0, 8.0, 1.0)

    (block,) = rows.take()
    assert block.bid.tolist() == [3.0, 7.0]
    assert (rows.received, rows.conflated) == (4, 2)


@given(
    st.lists(st.integers(1, 40), min_size=1, max_size=120),
    st.booleans(),
    st.lists(st.integers(1, 40), max_size=40),
)
def test_whatever_comes_leaves_in_order_and_once(stream: list[int], holding: bool, history: list[int]) -> None:
    rows = intake(holding=holding)
    for number in stream:
        trade(rows, number)
    if holding:
        for number in sorted(set(history)):
            rows.fill_trade(("A", number * 10, 1, 10.0, 1.0, BUYER, number))
        rows.release()
    rows.give_up("A")

    found = ids(rows.take())
    assert found == sorted(set(found))
    assert rows.held == 0
    assert rows.received == len(found) + rows.duplicates
