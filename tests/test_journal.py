"""Journal: every fact gets its place, is recorded, and then passed on."""

import pytest

from engine.blocks import Trades, equal
from engine.journal import Journal
from engine.messages import Detections, EndOfFeed
from engine.ports import Item
from tests.makers import START_NS, end_of_feed, heartbeat, session, trades


class ListRecorder:
    def __init__(self) -> None:
        self.facts: list[Item] = []

    def append(self, fact: Item) -> None:
        self.facts.append(fact)


def run(journal: Journal, *facts: Item) -> list[Item]:
    return [out for fact in facts for out in journal.process(fact)]


def sequences(items: list[Item]) -> list[int]:
    return [item.sequence for item in items]  # type: ignore[union-attr]


def test_facts_are_numbered_from_one_and_a_block_counts_its_rows() -> None:
    out = run(Journal(None), session(), trades(1, 2, 3), heartbeat(START_NS), trades(4), end_of_feed(START_NS))

    assert sequences(out) == [1, 2, 5, 6, 7]


def test_numbering_starts_where_the_tape_left_off() -> None:
    assert sequences(run(Journal(None, first_sequence=41), trades(1, 2), heartbeat(START_NS))) == [41, 43]


def test_chunking_does_not_change_a_rows_number() -> None:
    block = trades(*range(1, 8))

    out = run(Journal(None), block.slice(0, 3), block.slice(3, 4), block.slice(4, 7))

    assert sequences(out) == [1, 4, 5]
    assert all(isinstance(item, Trades) for item in out)
    assert equal(Trades.join([item for item in out if isinstance(item, Trades)]), block)


def test_a_fact_is_recorded_before_it_is_passed_on() -> None:
    recorder = ListRecorder()

    out = iter(Journal(recorder).process(heartbeat(START_NS)))

    first = next(out)
    assert recorder.facts == [first]
    assert recorder.facts[0] is first


def test_what_is_recorded_is_what_is_passed_on() -> None:
    recorder = ListRecorder()

    out = run(Journal(recorder), session(), trades(1, 2), end_of_feed(START_NS))

    assert all(kept is passed for kept, passed in zip(recorder.facts, out, strict=True))


def test_the_callers_block_is_not_changed() -> None:
    block = trades(1, 2)

    run(Journal(None, first_sequence=9), block)

    assert block.sequence == 0


def test_a_block_without_rows_says_nothing() -> None:
    recorder = ListRecorder()

    out = run(Journal(recorder), Trades.empty(), heartbeat(START_NS))

    assert sequences(out) == [1]
    assert len(recorder.facts) == 1


def test_a_derived_message_has_no_place_on_the_tape() -> None:
    derived = Detections(time_ns=0, decision_ns=0, events=(), phases=(), marks=())

    with pytest.raises(TypeError):
        run(Journal(None), derived)


def test_a_restored_journal_goes_on_with_the_next_number() -> None:
    journal = Journal(None)
    run(journal, trades(1, 2, 3))

    fresh = Journal(None)
    fresh.restore(journal.snapshot())

    assert run(fresh, end_of_feed(START_NS)) == [EndOfFeed(time_ns=START_NS, feed=0, sequence=4)]
    assert fresh.snapshot() != journal.snapshot()
