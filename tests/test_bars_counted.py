"""BarAggregator: bars that close after so many trades, so much volume, or so much value."""

import numpy as np
import pytest

from engine.bars import BarAggregator
from engine.blocks import DERIVED, PARTIAL, Bars, BlockError
from engine.timeframes import (
    LENGTH_NS,
    MINUTE_NS,
    TIMEFRAMES,
    check_timeframe,
    is_counted,
    longest_first,
    settings_of,
    sorted_timeframes,
)
from tests.bars_rig import TABLE, aggregator, at, closed, ohlcv, run, spans, taints, trades_at, utc
from tests.makers import START_NS, end_of_feed, heartbeat, table

FAR_NS = START_NS + 600 * MINUTE_NS


def test_a_tick_bar_closes_a_nanosecond_after_its_last_trade() -> None:
    block = at((0, 10), (1, 13), (2, 9), (3, 11), (4, 12), (9, 14), (10, 1))

    out = closed(run(aggregator(build=("tick:3",)), block, heartbeat(FAR_NS)))

    assert ohlcv(out) == [(10, 13, 9, 9, 3), (11, 14, 11, 14, 3)]
    assert (out.open_ns - START_NS).tolist() == [0, 3_000_000_000]
    assert (out.close_ns - START_NS).tolist() == [2_000_000_001, 9_000_000_001]
    assert (out.trades.tolist(), out.gap_ms.tolist()) == ([3, 3], [1_000, 5_000])
    assert out.release.tolist() == [4, 7]
    assert out.source.tolist() == [DERIVED, DERIVED]


def test_a_volume_bar_takes_the_trade_that_fills_it_whole() -> None:
    block = at((0, 10), (1, 11), (2, 12), (3, 13), size=[60.0, 39.5, 70.0, 100.0])

    out = closed(run(aggregator(build=("volume:100",)), block, heartbeat(FAR_NS)))

    assert out.volume.tolist() == [169.5, 100]


def test_a_dollar_bar_counts_price_times_size_without_its_sign() -> None:
    block = at((0, 10), (1, -20), (2, 400), (3, 1), size=[50.0, 24.0, 1.0, 1.0])

    out = closed(run(aggregator(build=("dollar:1000",)), block, heartbeat(FAR_NS)))

    assert ohlcv(out) == [(10, 400, -20, 400, 75)]


def test_bars_of_one_nanosecond_close_one_after_the_other() -> None:
    block = at(*[(5, price) for price in range(1, 8)])

    out = closed(run(aggregator(build=("tick:3",)), block, heartbeat(FAR_NS), end_of_feed(FAR_NS)))

    moment_ns = START_NS + 5_000_000_000
    assert (out.open_ns[:2] - moment_ns).tolist() == [0, 1]
    assert (out.close_ns[:2] - moment_ns).tolist() == [1, 2]
    assert out.close[:2].tolist() == [3, 6]


def test_an_unfilled_bar_is_partial_at_the_end() -> None:
    out = closed(run(aggregator(build=("tick:3",)), at((0, 10), (1, 11)), end_of_feed(START_NS + 1_000_000_000)))

    assert (out.source.tolist(), out.trades.tolist()) == ([PARTIAL], [2])
    assert (out.open_ns[0], out.close_ns[0]) == (START_NS, START_NS + 1_000_000_001)


def test_what_is_partial_at_the_end_comes_in_order_too() -> None:
    out = closed(run(aggregator(build=("1m", "5m", "tick:3")), at((0, 10), (1, 11)), end_of_feed(START_NS + 2)))

    assert [TABLE[frame] for frame in out.timeframe] == ["tick:3", "1m", "5m"]
    assert out.close_ns.tolist() == sorted(out.close_ns)


def test_counted_bars_come_after_those_with_a_length() -> None:
    stage = aggregator("A", "B", build=(*TABLE[:1], *TABLE[7:]))
    block = at(*[(0, 400)] * 6, instrument=[1, 1, 1, 0, 0, 0], size=50.0)
    nanosecond = block.derive(time_ns=np.full(6, START_NS + MINUTE_NS - 1))

    out = closed(run(stage, nanosecond, heartbeat(FAR_NS)))

    first = out.slice(0, 8)
    assert [(TABLE[frame], int(number)) for frame, number in zip(first.timeframe, first.instrument, strict=True)] == [
        ("1m", 0), ("1m", 1), ("tick:3", 0), ("tick:3", 1), ("volume:100", 0), ("volume:100", 1),
        ("dollar:1000", 0), ("dollar:1000", 1),
    ]  # fmt: skip


def test_an_old_trade_joins_the_bar_that_gathers_when_it_arrives() -> None:
    stage = aggregator(build=("tick:3",))

    out = run(stage, at((0, 10), (90, 11), (30, 99), (91, 12)), heartbeat(FAR_NS))

    assert taints(out) == []
    assert ohlcv(closed(out)) == [(10, 99, 10, 11, 3)]
    assert (closed(out).late[0], closed(out).close_ns[0]) == (1, START_NS + 90_000_000_001)


def test_a_bar_never_closes_in_the_past_of_line_time() -> None:
    stage = aggregator(build=("tick:3",))
    old = at((1, 10), (2, 11), (3, 12))

    out = closed(run(stage, heartbeat(START_NS + MINUTE_NS), old, heartbeat(FAR_NS)))

    assert out.close_ns.tolist() == [START_NS + MINUTE_NS + 1]


def test_a_counted_bar_waits_for_lateness_like_any_other() -> None:
    stage = aggregator(build=("tick:3",), lateness_ns=1_000_000_000)
    block = at((0, 1), (0, 2), (0, 3), (1, 4), (1.1, 5))

    assert closed(run(stage, block)).release.tolist() == [5]


def test_no_bar_spans_two_sessions() -> None:
    days = (("2020-03-05 14:30", "2020-03-05 21:00"), ("2020-03-06 14:30", "2020-03-06 21:00"))
    stage = aggregator(build=("tick:3",), sessions=days)
    block = trades_at(
        ("2020-03-05 15:00", 1), ("2020-03-05 16:00", 2),
        ("2020-03-06 15:00", 3), ("2020-03-06 15:01", 4), ("2020-03-06 15:02", 5),
    )  # fmt: skip

    out = closed(run(stage, block, heartbeat(utc("2020-03-06 21:00"))))

    assert spans(out)[0] == ("tick:3", "2020-03-05 15:00", "2020-03-05 21:00")
    assert (out.trades.tolist(), out.release.tolist()) == ([2, 3], [3, 6])
    assert out.source.tolist() == [DERIVED, DERIVED]


def test_a_session_that_ends_with_a_full_bar_leaves_nothing_behind() -> None:
    stage = aggregator(build=("tick:3",), sessions=(("2020-03-05 14:30", "2020-03-05 21:00"),))
    block = trades_at(*[("2020-03-05 15:00", 1)] * 3)

    out = closed(run(stage, block, heartbeat(utc("2020-03-06 21:00")), end_of_feed(utc("2020-03-06 21:00"))))

    assert out.trades.tolist() == [3]


def test_trades_of_a_sessions_last_nanosecond_close_after_it_in_order() -> None:
    stage = aggregator(build=("1m", "tick:3"), sessions=(("2020-03-05 14:30", "2020-03-05 21:00"),))
    block = trades_at(*[("2020-03-05 20:59:59.999999999", price) for price in range(1, 9)])

    out = closed(run(stage, block, heartbeat(utc("2020-03-06 21:00"))))

    assert (out.close_ns - utc("2020-03-05 21:00")).tolist() == [0, 0, 1, 2]
    assert out.trades.tolist() == [8, 3, 3, 2]
    assert out.close.tolist() == [8, 3, 6, 8]


def test_a_trade_of_a_session_that_was_released_is_late() -> None:
    stage = aggregator(build=("tick:3",), sessions=(("2020-03-05 14:30", "2020-03-05 21:00"),))

    out = run(stage, heartbeat(utc("2020-03-05 21:00")), trades_at(("2020-03-05 15:00", 1)))

    assert [(taint.timeframe, taint.open_ns) for taint in taints(out)] == [("tick:3", utc("2020-03-05 14:30"))]
    assert stage.counts["late_trades"] == 1


def test_the_pool_grows_before_a_row_that_begins_and_fills_every_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.bars.PENDING_BARS", 1)
    frames = ("tick:1", "volume:1", "dollar:1")
    stage = BarAggregator(table("A", "B", "C"), frames, frames, 2)
    rows = at(*[(second, second + 1) for second in range(12)], instrument=[0, 0, 1, 1, 1, 0, 2, 2, 1, 1, 1, 1])

    out = closed(run(stage, rows, heartbeat(FAR_NS, 0), heartbeat(FAR_NS, 1)))

    assert out.close.tolist() == [price for price in range(1, 13) for _ in frames]
    assert out.timeframe.tolist() == [0, 1, 2] * 12


def test_an_outside_bar_of_a_counted_timeframe_is_refused() -> None:
    counted = Bars.of(open_ns=[START_NS], close_ns=[START_NS + 1], timeframe=TABLE.index("tick:3"))

    with pytest.raises(BlockError, match="sequence 1: timeframe must have a length, was tick:3"):
        run(aggregator(build=("tick:3",)), counted)


# --------------------------------------------------------------------------------- names


@pytest.mark.parametrize(
    "name", ["tick:1", "tick:1000", "volume:50000", "volume:0.5", "dollar:1000000", "dollar:10.25"]
)
def test_counted_names(name: str) -> None:
    assert is_counted(name)
    assert check_timeframe(name) == name
    assert LENGTH_NS[name] == MINUTE_NS
    assert settings_of(name) == "1m"


@pytest.mark.parametrize(
    "name", ["tick:0", "tick:01", "tick:1.5", "tick:", "tick", "volume:0", "volume:1.50", "volume:-1", "dollar:1e6",
             "dollar:0.0", "range:5", "2m", "tick:3 ", ""],
)  # fmt: skip
def test_other_names_are_refused(name: str) -> None:
    assert not is_counted(name)
    with pytest.raises(ValueError, match=r"timeframe must be one of 1m, .*, tick:n, volume:x or dollar:x, was"):
        check_timeframe(name)
    with pytest.raises(KeyError):
        LENGTH_NS[name]


def test_timeframes_are_sorted_for_a_table_and_for_release() -> None:
    names = ("dollar:5", "1d", "tick:200", "1m", "tick:30", "volume:1.5", "1d")

    assert sorted_timeframes(names) == ("1m", "1d", "tick:30", "tick:200", "volume:1.5", "dollar:5")
    assert longest_first(sorted_timeframes(names)) == ["1d", "1m", "tick:30", "tick:200", "volume:1.5", "dollar:5"]
    assert sorted_timeframes(reversed(TIMEFRAMES)) == TIMEFRAMES
