"""What makes a feed stale, what is missing in it, and what is told of it: without any clock."""

from hypothesis import given
from hypothesis import strategies as st

from engine.feed_health import Freshness, Place, Sequence, Skew, State, Status
from engine.messages import FeedStatus

S = 1_000_000_000


def always(_: str) -> bool:
    return True


def freshness() -> Freshness:
    return Freshness(patience=10, floor_ns=5 * S, ceiling_ns=300 * S)


def heard_each(watched: Freshness, key: str, gap_ns: int, times: int = 200) -> int:
    for number in range(times):
        watched.heard(key, number * gap_ns)
    return (times - 1) * gap_ns


def test_a_busy_symbol_has_the_shortest_deadline() -> None:
    watched = freshness()
    last_ns = heard_each(watched, "BTC", S // 100)

    assert watched.limit_ns("BTC") == 5 * S
    assert watched.overdue(last_ns + 5 * S, always) == []
    assert watched.overdue(last_ns + 5 * S + 1, always) == ["BTC"]


def test_a_quiet_symbol_earns_a_long_one() -> None:
    watched = freshness()
    last_ns = heard_each(watched, "SMALL", 20 * S)

    assert watched.limit_ns("SMALL") == 200 * S
    assert watched.overdue(last_ns + 100 * S, always) == []
    assert watched.overdue(last_ns + 201 * S, always) == ["SMALL"]


def test_no_symbol_may_be_silent_for_longer_than_the_bound() -> None:
    watched = freshness()
    heard_each(watched, "DEAD", 3_600 * S, times=10)

    assert watched.limit_ns("DEAD") == 300 * S


def test_a_symbol_that_was_never_heard_is_overdue_in_the_end() -> None:
    watched = freshness()
    watched.watch("FORGOTTEN", 0)

    assert watched.overdue(300 * S, always) == []
    assert watched.overdue(300 * S + 1, always) == ["FORGOTTEN"]


def test_the_time_in_which_a_market_is_closed_does_not_count() -> None:
    watched = freshness()
    last_ns = heard_each(watched, "AAPL", S)

    assert watched.overdue(last_ns + 3_600 * S, lambda _: False) == []
    assert watched.overdue(last_ns + 3_601 * S, always) == []
    assert watched.overdue(last_ns + 3_700 * S, always) == ["AAPL"]


@given(st.lists(st.integers(1, 50), min_size=1, max_size=40))
def test_rows_that_come_together_count_as_many(batches: list[int]) -> None:
    watched = freshness()
    now_ns = 0
    for rows in batches:
        watched.heard("BTC", now_ns, rows)
        now_ns += S

    assert 5 * S <= watched.limit_ns("BTC") <= 300 * S


def test_numbers_tell_what_follows_what_repeats_and_what_is_missing() -> None:
    sequence = Sequence()
    sequence.take(10)

    assert sequence.place(11) is Place.NEXT
    assert sequence.place(10) is Place.REPEAT
    assert sequence.place(13) is Place.AHEAD
    sequence.take(13)
    assert (sequence.missing, sequence.next_id) == (2, 14)


@given(st.lists(st.integers(1, 200), min_size=1, unique=True))
def test_what_is_taken_and_what_is_missing_make_up_the_whole(numbers: list[int]) -> None:
    sequence = Sequence()
    taken = 0
    for number in numbers:
        if sequence.place(number) is not Place.REPEAT:
            sequence.take(number)
            taken += 1

    assert taken + sequence.missing == sequence.next_id - numbers[0]


def test_only_changes_of_state_are_told() -> None:
    status = Status(3)

    assert status.begin(5) == FeedStatus(time_ns=5, feed=3, status="RECOVERING", reason="starting")
    assert list(status.move(State.LIVE, "filled", 7)) == [FeedStatus(time_ns=7, feed=3, status="LIVE", reason="filled")]
    assert list(status.move(State.LIVE, "again", 8)) == []
    assert (status.is_live, status.reason, status.since_ns) == (True, "again", 7)


def test_a_feed_that_is_down_stays_so() -> None:
    status = Status(0)
    list(status.move(State.DOWN, "refused", 1))

    assert list(status.move(State.LIVE, "filled", 2)) == []
    assert status.state is State.DOWN


def test_one_slow_answer_does_not_move_the_clock() -> None:
    skew = Skew()
    assert skew.offset_ns == 0

    for number in range(4):
        skew.measured(number * S, number * S + 50, number * S + 100)
    skew.measured(10 * S, 10 * S + 100, 20 * S)

    assert skew.offset_ns == 0
    for number in range(5):
        skew.measured(number * S, (number + 7) * S + 50, number * S + 100)
    assert skew.offset_ns == 7 * S
