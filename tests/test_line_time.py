"""Line time: what each row and fact proves, and which feeds hold it back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.blocks import BlockError, Quotes, Trades
from engine.line_time import LineTime, TimeFact
from engine.messages import NEVER_NS, EndOfFeed, FeedStatus, Heartbeat
from tests.makers import end_of_feed, heartbeat


def rows(*times_and_feeds: tuple[int, int]) -> Trades:
    times, feeds = zip(*times_and_feeds, strict=True)
    return Trades.of(time_ns=times, feed=feeds, price=1.0)


def of_one_feed(*times: int) -> Trades:
    return rows(*((time, 0) for time in times))


def status(word: str, feed: int = 0) -> FeedStatus:
    return FeedStatus(time_ns=0, feed=feed, status=word, reason="")


def proven(line: LineTime, block: Trades) -> list[int]:
    return [int(time_ns) for time_ns in line.prove(block)]


def after(line: LineTime, *facts: TimeFact) -> int:
    for fact in facts:
        line.hear(fact)
    return line.now_ns


def test_nothing_is_proven_before_the_first_row() -> None:
    assert LineTime(feeds=1).now_ns == NEVER_NS


def test_a_row_proves_its_feed_complete_to_the_nanosecond_before() -> None:
    assert proven(LineTime(feeds=1), of_one_feed(10, 10, 12)) == [9, 9, 11]


def test_an_older_row_does_not_take_line_time_back() -> None:
    assert proven(LineTime(feeds=1), of_one_feed(10, 5, 9, 11)) == [9, 9, 9, 10]


def test_a_heartbeat_proves_its_own_nanosecond() -> None:
    line = LineTime(feeds=1)

    assert after(line, heartbeat(10)) == 10
    assert after(line, heartbeat(7)) == 10
    assert proven(line, of_one_feed(11, 12)) == [10, 11]


def test_quotes_prove_as_trades_do() -> None:
    quotes = Quotes.of(time_ns=[10, 20], bid=1.0, ask=1.0)

    assert LineTime(feeds=1).prove(quotes).tolist() == [9, 19]


def test_the_slowest_feed_holds_line_time() -> None:
    line = LineTime(feeds=2)

    assert proven(line, rows((100, 0), (50, 1), (60, 1), (200, 1))) == [NEVER_NS, 49, 59, 99]


def test_a_feed_that_has_proven_nothing_holds_line_time_at_never() -> None:
    line = LineTime(feeds=3)

    assert proven(line, rows((100, 0), (50, 1))) == [NEVER_NS, NEVER_NS]
    assert after(line, heartbeat(10, feed=2)) == 10


@pytest.mark.parametrize("word", ["STALE", "RECOVERING"])
def test_a_feed_that_is_not_live_does_not_hold_line_time(word: str) -> None:
    line = LineTime(feeds=2)
    proven(line, rows((100, 0), (50, 1)))

    assert after(line, status(word, feed=1)) == 99
    assert proven(line, rows((60, 1), (120, 0))) == [99, 119]


def test_a_feed_that_comes_back_waits_until_it_has_caught_up() -> None:
    line = LineTime(feeds=2)
    proven(line, rows((100, 0), (50, 1)))
    after(line, status("STALE", feed=1))

    assert after(line, status("LIVE", feed=1)) == 99
    assert proven(line, rows((200, 0), (90, 1), (150, 1))) == [99, 99, 149]


def test_line_time_stands_still_while_every_feed_is_stale() -> None:
    line = LineTime(feeds=1)
    after(line, heartbeat(10), status("STALE"))

    assert proven(line, of_one_feed(50)) == [10]
    assert after(line, status("LIVE")) == 49


def test_a_closed_feed_does_not_hold_line_time_even_when_called_live() -> None:
    line = LineTime(feeds=2)
    after(line, heartbeat(100, feed=0), heartbeat(50, feed=1))

    assert after(line, end_of_feed(50, feed=1)) == 100
    assert not line.ended
    assert after(line, status("LIVE", feed=1), heartbeat(120, feed=0)) == 120


def test_once_all_feeds_are_closed_the_largest_closing_time_holds() -> None:
    line = LineTime(feeds=2)

    assert after(line, end_of_feed(80, feed=0), end_of_feed(50, feed=1)) == 80
    assert line.ended


def test_an_early_closing_time_does_not_take_line_time_back() -> None:
    line = LineTime(feeds=1)

    assert after(line, heartbeat(100), end_of_feed(50)) == 100


def test_an_undeclared_feed_is_refused_by_name() -> None:
    line = LineTime(feeds=2)

    with pytest.raises(BlockError, match="sequence 1: feed must be between 0 and 1, was 2"):
        line.prove(rows((10, 0), (11, 2)))
    with pytest.raises(BlockError, match="was -1"):
        line.prove(rows((10, -1)))
    with pytest.raises(BlockError, match="was -1"):
        line.hear(heartbeat(10, feed=-1))
    with pytest.raises(ValueError, match="feeds must be at least 1, was 0"):
        LineTime(feeds=0)


def test_a_snapshot_of_another_number_of_feeds_is_refused() -> None:
    with pytest.raises(ValueError, match="must hold 3 feeds, was 2"):
        LineTime(feeds=3).resume(LineTime(feeds=2).state())


times = st.integers(0, 40)
steps = st.one_of(
    st.tuples(st.just("row"), times, st.integers(0, 2)),
    st.tuples(st.sampled_from(["heartbeat", "end", "STALE", "LIVE"]), times, st.integers(0, 2)),
)


def told(kind: str, time_ns: int, feed: int) -> TimeFact:
    if kind == "heartbeat":
        return Heartbeat(time_ns=time_ns, feed=feed)
    return EndOfFeed(time_ns=time_ns, feed=feed) if kind == "end" else status(kind, feed)


def by_definition(history: list[tuple[str, int, int]], before: int) -> int:
    """Line time from the whole history, as its definition says it."""
    feeds = {0: NEVER_NS, 1: NEVER_NS, 2: NEVER_NS}
    words = dict.fromkeys(feeds, "LIVE")
    ends = [time for kind, time, _ in history if kind == "end"]
    for kind, time, feed in history:
        if kind in ("row", "heartbeat"):
            feeds[feed] = max(feeds[feed], time - (kind == "row"))
        elif words[feed] != "end":
            words[feed] = kind
    live = [feeds[feed] for feed, word in words.items() if word == "LIVE"]
    if live:
        return max(before, min(live))
    return max(before, *ends) if set(words.values()) == {"end"} else before


@given(st.lists(steps, max_size=40), st.integers(0, 40))
def test_line_time_is_what_its_definition_says_and_survives_a_restart(
    history: list[tuple[str, int, int]], restart: int
) -> None:
    line, expected = LineTime(feeds=3), NEVER_NS
    for number, (kind, time, feed) in enumerate(history):
        if number == restart:
            fresh = LineTime(feeds=3)
            fresh.resume(line.state())
            line = fresh
        expected = by_definition(history[: number + 1], expected)

        if kind == "row":
            assert proven(line, rows((time, feed))) == [expected]
        else:
            line.hear(told(kind, time, feed))

        assert line.now_ns == expected


@given(st.lists(st.tuples(times, st.integers(0, 1)), min_size=1, max_size=40), st.integers(1, 7))
def test_chunks_of_rows_prove_the_same_as_all_at_once(given_rows: list[tuple[int, int]], size: int) -> None:
    block = rows(*given_rows)

    whole = LineTime(feeds=2).prove(block)
    line = LineTime(feeds=2)
    chunks = [line.prove(block.slice(start, min(start + size, len(block)))) for start in range(0, len(block), size)]

    assert np.array_equal(np.concatenate(chunks), whole)
