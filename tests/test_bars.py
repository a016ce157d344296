"""BarAggregator: which bars close, when, in what order, and what a late row does."""

import msgspec
import numpy as np
import pytest

from engine.bars import BarAggregator
from engine.blocks import DERIVED, OUTSIDE, PARTIAL, Bars, BlockError, Quotes, Trades, equal
from engine.messages import NEVER_NS, BarTaint, FeedStatus, Heartbeat
from engine.timeframes import DAY_NS, MINUTE_NS, TIMEFRAMES
from tests.bars_rig import SECOND_NS, aggregator, at, closed, minute_bars, named, ohlcv, run, taints
from tests.makers import START_NS, end_of_feed, heartbeat, session, table, trades

# ------------------------------------------------------------------------------- closing


def test_a_bar_holds_the_trades_of_its_interval() -> None:
    facts = at((0, 10), (1.5, 12), (31, 9), (59.999, 11), (61, 50), received_ns=[7, 8, 9, 5, 6])

    bar = closed(run(aggregator(), facts))

    assert ohlcv(bar) == [(10, 12, 9, 11, 4)]
    assert (bar.open_ns[0], bar.close_ns[0]) == (START_NS, START_NS + MINUTE_NS)
    assert (bar.first_ns[0], bar.last_ns[0]) == (START_NS, START_NS + 59_999_000_000)
    assert (bar.trades[0], bar.late[0], bar.gap_ms[0], bar.received_ns[0]) == (4, 0, 29_500, 5)
    assert (bar.source[0], bar.instrument[0], bar.feed[0]) == (DERIVED, 0, 0)
    assert np.isnan(bar.vr[0])
    assert np.isnan(bar.swing_high[0])
    assert (bar.phase[0], bar.direction[0]) == (0, 0)


def test_the_longest_silence_may_lie_between_two_blocks() -> None:
    bar = closed(run(aggregator(), at((0, 10), (1, 11)), at((31, 12), (32, 13)), heartbeat(START_NS + MINUTE_NS)))

    assert bar.gap_ms.tolist() == [30_000]


def test_a_row_at_the_close_does_not_close_the_bar_and_one_nanosecond_later_does() -> None:
    at_close = trades(10, start_ns=START_NS + MINUTE_NS)
    just_after = trades(10, start_ns=START_NS + MINUTE_NS + 1)
    stage = aggregator()

    assert len(closed(run(stage, trades(1), at_close))) == 0
    assert closed(run(stage, just_after)).close_ns.tolist() == [START_NS + MINUTE_NS]


def test_a_bar_is_released_by_the_row_that_proved_it() -> None:
    block = at((0, 1), (59, 2), (60, 3), (61, 4), (200, 5))

    [out] = run(aggregator(), session(), block)[1:]

    assert isinstance(out, Trades)
    assert out.closed is not None
    assert (out.sequence, out.closed.release.tolist()) == (2, [5, 6])
    assert out.line_ns is not None
    assert out.line_ns.tolist() == [START_NS + second * SECOND_NS - 1 for second in (0, 59, 60, 61, 200)]
    assert out.line_time_ns == out.line_ns[-1]


def test_the_incoming_block_is_not_changed() -> None:
    block = at((0, 1), (61, 2))

    run(aggregator(), block)

    assert block.line_ns is None
    assert block.closed is None


def test_an_empty_interval_makes_no_bar() -> None:
    bars_ = closed(run(aggregator(), at((0, 1), (600, 2), (661, 3))))

    assert bars_.open_ns.tolist() == [START_NS, START_NS + 10 * MINUTE_NS]


@pytest.mark.parametrize("build", [("1m",), ("1m", "5m"), TIMEFRAMES])
def test_a_heartbeat_closes_the_same_bars_as_a_trade(build: tuple[str, ...]) -> None:
    facts = at((0, 10), (30, 12), (70, 11))
    later_ns = START_NS + 14 * DAY_NS

    by_heartbeat = run(aggregator(build=build), facts, heartbeat(later_ns))
    by_trade = run(aggregator(build=build), facts, trades(9, start_ns=later_ns + 1))

    assert len(closed(by_heartbeat)) == len(build) + 1
    assert equal(closed(by_heartbeat), closed(by_trade))


def test_a_heartbeat_is_announced_by_an_empty_block_of_bars() -> None:
    out = run(aggregator(), at((0, 10)), heartbeat(START_NS + MINUTE_NS))

    announced, fact = out[1:]
    assert isinstance(announced, Bars)
    assert announced.closed is not None
    assert (len(announced), announced.sequence, announced.line_time_ns) == (0, 2, START_NS + MINUTE_NS)
    assert announced.closed.release.tolist() == [2]
    assert fact == Heartbeat(time_ns=START_NS + MINUTE_NS, feed=0, sequence=2)


def test_other_facts_pass_untouched() -> None:
    assert run(aggregator(), session()) == [msgspec.structs.replace(session(), sequence=1)]


def test_quotes_move_line_time_and_make_no_bars() -> None:
    quotes = Quotes.of(time_ns=[START_NS + MINUTE_NS, START_NS + MINUTE_NS + 1], bid=1.0, ask=2.0)

    out = run(aggregator(), at((0, 10)), quotes)

    assert closed(out).release.tolist() == [3]
    assert ohlcv(closed(out)) == [(10, 10, 10, 10, 1)]


def test_end_of_feed_closes_what_is_complete_and_shows_the_rest_as_partial() -> None:
    out = run(aggregator(build=("1m", "5m")), at((0, 10), (70, 12)), end_of_feed(START_NS + 2 * MINUTE_NS))

    bars_ = closed(out)
    assert named(bars_) == ["1m", "1m", "5m"]
    assert bars_.source.tolist() == [DERIVED, DERIVED, PARTIAL]
    assert ohlcv(bars_)[2] == (10, 12, 10, 12, 2)
    assert bars_.release.tolist() == [2, 3, 3]


def test_an_unfinished_bar_waits_for_the_last_feed() -> None:
    stage = aggregator(feeds=2)

    first = run(stage, at((0, 10)), end_of_feed(START_NS + SECOND_NS, feed=1))
    last = run(stage, end_of_feed(START_NS + SECOND_NS, feed=0))

    assert len(closed(first)) == 0
    assert closed(last).source.tolist() == [PARTIAL]


def test_a_complete_bar_is_not_partial_for_want_of_lateness_at_the_end() -> None:
    stage = aggregator(lateness_ns=250_000_000)

    out = run(stage, minute_bars((0, 10)), end_of_feed(START_NS + MINUTE_NS))

    assert closed(out).source.tolist() == [OUTSIDE]


# --------------------------------------------------------------------------------- order


def test_bars_of_one_close_come_longest_first_then_by_symbol() -> None:
    four_minutes = at((245, 1), (246, 2), (247, 3), instrument=[2, 0, 1])

    bars_ = closed(
        run(aggregator("A", "B", "C", build=("5m", "1m")), four_minutes, heartbeat(START_NS + 5 * MINUTE_NS))
    )

    assert named(bars_) == ["5m"] * 3 + ["1m"] * 3
    assert bars_.instrument.tolist() == [0, 1, 2, 0, 1, 2]


def test_an_earlier_close_comes_before_a_longer_timeframe() -> None:
    bars_ = closed(run(aggregator(build=("5m", "1m")), at((0, 1), (245, 2)), heartbeat(START_NS + DAY_NS)))

    assert named(bars_) == ["1m", "5m", "1m"]


def test_weeks_begin_on_monday_and_days_at_midnight_utc() -> None:
    bars_ = closed(run(aggregator(build=("1d", "1w")), at((3, 1)), heartbeat(START_NS + 7 * DAY_NS)))

    assert named(bars_) == ["1d", "1w"]
    assert bars_.open_ns.tolist() == [START_NS, START_NS - 2 * DAY_NS]
    assert bars_.close_ns.tolist() == [START_NS + DAY_NS, START_NS + 5 * DAY_NS]


def test_five_hundred_instruments_close_together_in_order() -> None:
    symbols = [f"S{number:03}" for number in range(500)]
    shuffled = np.random.default_rng(1).permutation(500)
    rows = trades(*(100.0 + shuffled), step_ns=1, instrument=shuffled)

    bars_ = closed(run(aggregator(*symbols, build=("1m", "5m")), rows, heartbeat(START_NS + MINUTE_NS)))

    assert bars_.instrument.tolist() == list(range(500))
    assert bars_.close.tolist() == [100.0 + number for number in range(500)]


# ----------------------------------------------------------------------------- lateness


def test_a_late_trade_taints_its_closed_bar_and_changes_nothing() -> None:
    stage = aggregator()

    out = run(stage, at((0, 10), (61, 11), (30, 99), (62, 12)), heartbeat(START_NS + 2 * MINUTE_NS))

    before, taint, after, *_ = out
    assert taint == BarTaint(
        time_ns=START_NS + 61 * SECOND_NS - 1, symbol="AAA", timeframe="1m", open_ns=START_NS, reason="late"
    )
    assert isinstance(before, Trades)
    assert isinstance(after, Trades)
    assert (before.price.tolist(), after.price.tolist(), after.sequence) == ([10, 11], [99, 12], 3)
    assert before.line_time_ns == START_NS + 61 * SECOND_NS - 1
    assert ohlcv(closed(out)) == [(10, 10, 10, 10, 1), (11, 12, 11, 12, 2)]
    assert stage.counts["late_trades"] == 1


def test_a_trade_late_for_its_minute_still_belongs_to_its_open_hour() -> None:
    stage = aggregator(build=("1m", "1h"))

    out = run(stage, at((0, 10), (61, 11), (30, 99)), heartbeat(START_NS + 60 * MINUTE_NS))

    hour = closed(out).slice(2, 3)
    assert [taint.timeframe for taint in taints(out)] == ["1m"]
    assert (ohlcv(hour), hour.late.tolist()) == ([(10, 99, 10, 11, 3)], [1])


def test_a_late_trade_taints_every_closed_bar_it_misses_longest_first() -> None:
    stage = aggregator(build=("1m", "5m"))

    out = run(stage, at((0, 10), (301, 11), (30, 99)))

    assert [taint.timeframe for taint in taints(out)] == ["5m", "1m"]
    assert stage.counts["late_trades"] == 1


def test_each_of_several_late_trades_taints() -> None:
    stage = aggregator()

    out = run(stage, at((0, 10), (61, 11), (30, 99), (31, 98), (31, 97)))

    assert [taint.reason for taint in taints(out)] == ["late"] * 3
    assert stage.counts["late_trades"] == 3


def test_a_late_trade_of_a_passed_empty_interval_makes_no_bar() -> None:
    out = run(aggregator(), at((0, 10), (301, 11), (130, 99)), heartbeat(START_NS + 6 * MINUTE_NS))

    assert taints(out)[0].open_ns == START_NS + 2 * MINUTE_NS
    assert closed(out).open_ns.tolist() == [START_NS, START_NS + 5 * MINUTE_NS]


def test_open_and_close_follow_trade_time_and_among_equal_times_tape_order() -> None:
    block = at((20, 1), (20, 2), (10, 3), (10, 4), (20, 5), (15, 6))

    bar = closed(run(aggregator(), block, heartbeat(START_NS + MINUTE_NS)))

    assert ohlcv(bar) == [(3, 6, 1, 5, 6)]
    assert bar.late.tolist() == [3]
    assert (bar.first_ns[0], bar.last_ns[0]) == (START_NS + 10 * SECOND_NS, START_NS + 20 * SECOND_NS)


def test_lateness_keeps_a_bar_open_for_late_trades() -> None:
    stage = aggregator(lateness_ns=250_000_000)

    out = run(stage, at((0, 10), (60.1, 11), (59.9, 12), (60.25, 13), (60.251, 14), (59.9, 15)))

    bars_ = closed(out)
    assert (ohlcv(bars_), bars_.release.tolist()) == ([(10, 12, 10, 12, 2)], [5])
    assert len(taints(out)) == 1


def test_a_heartbeat_closes_a_bar_in_a_quiet_market_once_lateness_has_passed() -> None:
    stage = aggregator(build=("1m", "5m"), lateness_ns=250_000_000)
    due_ns = START_NS + 5 * MINUTE_NS + 250_000_000

    early = closed(run(stage, at((299, 10)), heartbeat(due_ns - 1)))
    due = closed(run(stage, heartbeat(due_ns)))

    assert len(early) == 0
    assert named(due) == ["5m", "1m"]


def test_lateness_before_anything_is_proven_releases_nothing() -> None:
    out = run(aggregator(feeds=2, lateness_ns=250_000_000), at((0, 10), (90, 11)))

    assert len(closed(out)) == 0
    assert isinstance(out[0], Trades)
    assert out[0].line_time_ns == NEVER_NS


def test_the_slower_feed_holds_bars_back() -> None:
    stage = aggregator(feeds=2)

    fast = run(stage, at((0, 10), (61, 11), (200, 12), feed=0))
    slow = run(stage, at((30, 20), (61, 21), feed=1))

    assert len(closed(fast)) == 0
    assert ohlcv(closed(slow)) == [(10, 20, 10, 20, 2)]
    assert taints(slow) == []


def test_a_stale_feed_does_not_hold_bars_back() -> None:
    stage = aggregator(feeds=2)

    held = run(stage, at((0, 10), (61, 11)))
    freed = run(stage, FeedStatus(time_ns=START_NS, feed=1, status="STALE", reason="silent"))

    assert len(closed(held)) == 0
    assert closed(freed).open_ns.tolist() == [START_NS]
    assert isinstance(freed[-1], FeedStatus)


def test_a_row_of_an_interval_that_was_released_at_this_very_line_time_is_late() -> None:
    stage = aggregator("A", "B")
    closing = heartbeat(START_NS + MINUTE_NS)

    out = run(stage, at((0, 10)), closing, at((30, 99)), minute_bars((0, 99), instrument=1))

    assert [(taint.symbol, taint.reason) for taint in taints(out)] == [("A", "late"), ("B", "late")]
    assert (stage.counts["late_trades"], stage.counts["late_bars"]) == (1, 1)


# -------------------------------------------------------------------------------- bounds


def test_rows_outside_the_tables_are_refused_by_name() -> None:
    with pytest.raises(BlockError, match="sequence 2: instrument must be between 0 and 0, was 1"):
        run(aggregator(), at((0, 1), (1, 1), instrument=[0, 1]))
    with pytest.raises(BlockError, match="sequence 1: timeframe must be between 0 and 6, was 7"):
        run(aggregator(), Bars.of(open_ns=[START_NS], close_ns=[START_NS + 1], timeframe=7))
    with pytest.raises(BlockError, match="instrument must be between 0 and 0, was -1"):
        run(aggregator(), minute_bars((0, 1), instrument=-1))


def test_timeframes_without_a_length_and_negative_lateness_are_refused() -> None:
    with pytest.raises(ValueError, match=r"timeframe must be one of 1m, .*, was 2m"):
        BarAggregator(table(), ("2m",), (), 1)
    with pytest.raises(ValueError, match="built timeframe must be one of 1m, was 5m"):
        BarAggregator(table(), ("1m",), ("5m",), 1)
    with pytest.raises(ValueError, match="lateness_ns must be >= 0, was -1"):
        BarAggregator(table(), ("1m",), (), 1, lateness_ns=-1)


def test_pending_bars_have_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.bars.PENDING_LIMIT", 256)
    held_back = trades(*range(1, 400), step_ns=MINUTE_NS)

    with pytest.raises(
        BlockError, match=r"pending bars must be at most 256, was 2\d\d and more: a feed holds line time"
    ):
        run(aggregator(feeds=2), held_back)


def test_a_snapshot_of_other_instruments_is_refused() -> None:
    snapshot = aggregator("A", "B").snapshot()

    with pytest.raises(ValueError, match="must hold 3 instruments in 21 slots, was 2 in 14"):
        aggregator("A", "B", "C").restore(snapshot)
