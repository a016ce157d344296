"""BarAggregator: bars from outside, taken as they are, folded upward, compared when they repeat."""

import numpy as np
import pytest

from engine.blocks import DERIVED, OUTSIDE
from engine.ports import Item
from engine.timeframes import DAY_NS, MINUTE_NS, TIMEFRAMES
from tests.bars_rig import aggregator, at, closed, minute_bars, named, ohlcv, run, taints
from tests.makers import START_NS, bars, end_of_feed, heartbeat


def test_sessions_that_overlap_are_each_released_at_their_own_close() -> None:
    long = minute_bars((0, 10), close_ns=START_NS + 10 * MINUTE_NS)
    stage = aggregator(feeds=2)

    out = run(stage, long, minute_bars((1, 20), feed=1), heartbeat(START_NS + 3 * MINUTE_NS, feed=1))
    out += run(stage, minute_bars((4, 30), feed=1), long, *(heartbeat(START_NS + DAY_NS, feed) for feed in (0, 1)))

    assert closed(out).close.tolist() == [20, 30, 10]
    assert stage.counts["duplicate_bars"] == 1


def test_an_outside_bar_is_released_as_it_came_and_folded_into_longer_ones() -> None:
    given = minute_bars((0, 10), (1, 20), (4, 15), trades=[3, 4, 5], gap_ms=[1, 900, 2], late=[0, 1, 0])

    bars_ = closed(run(aggregator(build=("5m",)), given, heartbeat(START_NS + 5 * MINUTE_NS)))

    assert named(bars_) == ["1m", "1m", "5m", "1m"]
    assert bars_.source.tolist() == [OUTSIDE, OUTSIDE, DERIVED, OUTSIDE]
    assert ohlcv(bars_.slice(0, 1)) == [(9, 12, 8, 10, 1_000)]
    assert ohlcv(bars_.slice(2, 3)) == [(9, 22, 8, 15, 3_000)]
    assert (bars_.trades.tolist(), bars_.late.tolist()) == ([3, 4, 12, 5], [0, 1, 0, 0])
    assert bars_.gap_ms[2] == 120_000
    assert bars_.last_ns[2] == START_NS + 5 * MINUTE_NS


def test_trades_of_a_longer_bar_are_unknown_when_one_of_its_bars_does_not_know() -> None:
    given = minute_bars((0, 10), (1, 20), (2, 30), trades=[3, -1, 5])

    bars_ = closed(run(aggregator(build=("5m",)), given, heartbeat(START_NS + 5 * MINUTE_NS)))

    assert bars_.trades[-1] == -1


def test_an_outside_bar_is_closed_by_the_first_later_row() -> None:
    two_symbols = minute_bars((0, 10), (0, 20), (1, 30), instrument=[1, 0, 0])

    bars_ = closed(run(aggregator("A", "B", build=()), two_symbols))

    assert (bars_.instrument.tolist(), bars_.release.tolist()) == ([0, 1], [3, 3])


def test_a_daily_bar_keeps_its_own_session_and_makes_weeks() -> None:
    hours_ns = 60 * MINUTE_NS
    opens = START_NS + DAY_NS * np.arange(5) + 14 * hours_ns
    given = bars(*[(c, c, c, c) for c in range(1, 6)], open_ns=opens, close_ns=opens + 7 * hours_ns)

    bars_ = closed(run(aggregator(build=TIMEFRAMES), given, end_of_feed(START_NS + 5 * DAY_NS)))

    assert named(bars_) == ["1d"] * 5 + ["1w"]
    assert bars_.open_ns.tolist() == [*opens.tolist(), START_NS - 2 * DAY_NS]
    assert bars_.close_ns[:5].tolist() == (opens + 7 * hours_ns).tolist()
    assert ohlcv(bars_)[5] == (1, 5, 1, 5, 5_000)
    assert (bars_.first_ns[5], bars_.last_ns[5]) == (opens[0], opens[4] + 7 * hours_ns)


def test_a_day_that_straddles_midnight_belongs_to_the_week_it_ends_in() -> None:
    sunday_ns = START_NS + 4 * DAY_NS + 22 * 60 * MINUTE_NS

    bars_ = closed(
        run(aggregator(build=("1w",)), bars((1, 1, 1, 1), start_ns=sunday_ns), heartbeat(START_NS + 20 * DAY_NS))
    )

    assert bars_.open_ns.tolist() == [sunday_ns, START_NS + 5 * DAY_NS]


def test_an_outside_bar_overrules_the_bar_derived_from_trades() -> None:
    stage = aggregator(build=("1m", "5m"))

    out = run(
        stage, at((0, 10), (30, 11)), minute_bars((0, 50)), at((61, 12), (130, 13)), heartbeat(START_NS + 5 * MINUTE_NS)
    )

    bars_ = closed(out)
    assert (named(bars_), bars_.source.tolist()) == (["1m", "5m"], [OUTSIDE, DERIVED])
    assert ohlcv(bars_) == [(49, 52, 48, 50, 1_000), (10, 13, 10, 13, 4)]


def test_the_first_source_of_a_longer_bar_rules() -> None:
    stage = aggregator(build=("5m",))

    out = run(stage, minute_bars((0, 50)), at((61, 12)), heartbeat(START_NS + 5 * MINUTE_NS))

    assert ohlcv(closed(out))[-1] == (49, 52, 48, 50, 1_000)


def test_a_longer_bar_is_fed_by_one_timeframe_only() -> None:
    five = minute_bars((0, 10), timeframe="5m", close_ns=START_NS + 5 * MINUTE_NS)
    ones = minute_bars((5, 20), (6, 30), (15, 40))
    next_five = minute_bars((15, 70), timeframe="5m", close_ns=START_NS + 20 * MINUTE_NS)

    out = run(aggregator(build=("15m",)), five, ones, next_five, heartbeat(START_NS + 30 * MINUTE_NS))

    bars_ = closed(out)
    quarters = [bar for bar, name in zip(ohlcv(bars_), named(bars_), strict=True) if name == "15m"]
    assert quarters == [(9, 12, 8, 10, 1_000), (39, 42, 38, 40, 1_000)]


@pytest.mark.parametrize("between", [(), (heartbeat(START_NS + MINUTE_NS),)])
def test_a_repeated_bar_is_counted_and_not_folded_again(between: tuple[Item, ...]) -> None:
    stage = aggregator(build=("5m",))

    out = run(stage, minute_bars((0, 10)), *between, minute_bars((0, 10)), heartbeat(START_NS + 5 * MINUTE_NS))

    assert ohlcv(closed(out)) == [(9, 12, 8, 10, 1_000)] * 2
    assert taints(out) == []
    assert stage.counts["duplicate_bars"] == 1


@pytest.mark.parametrize("between", [(), (heartbeat(START_NS + MINUTE_NS),)])
@pytest.mark.parametrize("column", ["open", "high", "low", "close", "volume"])
def test_a_revised_bar_taints_and_changes_nothing(between: tuple[Item, ...], column: str) -> None:
    stage = aggregator(build=("5m",))
    revised = minute_bars((0, 10), **{column: 11.5})

    out = run(stage, minute_bars((0, 10)), *between, revised, heartbeat(START_NS + 5 * MINUTE_NS))

    assert ohlcv(closed(out)) == [(9, 12, 8, 10, 1_000)] * 2
    assert [(taint.reason, taint.timeframe, taint.open_ns) for taint in taints(out)] == [("revised", "1m", START_NS)]
    assert stage.counts["revised_bars"] == 1


@pytest.mark.parametrize(("error", "differing"), [(1e-10, 0), (1e-8, 1)])
def test_volumes_of_derived_bars_agree_within_rounding(error: float, differing: int) -> None:
    stage = aggregator()
    venue = minute_bars((0, 10), open=10.0, high=10.0, low=10.0, volume=1 + error)

    out = run(stage, at((0, 10), (61, 11)), venue)

    assert len(taints(out)) == stage.counts["differing_bars"] == differing
    assert stage.counts["duplicate_bars"] == 1 - differing


def test_an_outside_bar_that_comes_too_late_taints_and_is_not_folded() -> None:
    stage = aggregator(build=("5m",))

    out = run(stage, minute_bars((0, 10), (2, 30), (1, 20)), heartbeat(START_NS + 5 * MINUTE_NS))

    assert [(taint.reason, taint.open_ns) for taint in taints(out)] == [("late", START_NS + MINUTE_NS)]
    assert named(closed(out)) == ["1m", "1m", "5m"]
    assert closed(out).volume.tolist() == [1_000, 1_000, 2_000]
    assert stage.counts["late_bars"] == 1


def test_the_venues_own_bar_after_the_close_is_only_compared() -> None:
    stage = aggregator()
    agrees = minute_bars((0, 10), open=10.0, high=10.0, low=10.0, volume=1.0)

    out = run(stage, at((0, 10), (61, 11)), agrees, minute_bars((0, 99)), heartbeat(START_NS + 2 * MINUTE_NS))

    assert closed(out).source.tolist() == [DERIVED, DERIVED]
    assert [taint.reason for taint in taints(out)] == ["differs"]
    assert (stage.counts["duplicate_bars"], stage.counts["differing_bars"]) == (1, 1)
