"""BarAggregator: history comes first, warms up, and leaves each slot to whoever feeds it next."""

from engine.blocks import DERIVED, HISTORY, OUTSIDE
from engine.timeframes import MINUTE_NS
from tests.bars_rig import aggregator, at, closed, minute_bars, named, ohlcv, run
from tests.makers import START_NS, heartbeat

THEN = heartbeat(START_NS + 2 * MINUTE_NS)


def test_history_is_released_as_it_came_and_folded_into_nothing() -> None:
    given = minute_bars((0, 10), (1, 20), source=HISTORY)

    bars = closed(run(aggregator(build=("1m", "5m")), given, heartbeat(START_NS + 9 * MINUTE_NS)))

    assert named(bars) == ["1m", "1m"]
    assert bars.source.tolist() == [HISTORY, HISTORY]


def test_trades_take_over_after_history_without_a_seam() -> None:
    given = minute_bars((0, 10), (1, 20), source=HISTORY)

    bars = closed(
        run(aggregator(), given, THEN, at((120, 21.0), (150, 25.0), (180, 23.0)), heartbeat(THEN.time_ns * 2))
    )

    assert bars.source.tolist() == [HISTORY, HISTORY, DERIVED, DERIVED]
    assert ohlcv(bars.slice(2, 3)) == [(21, 25, 21, 25, 2)]


def test_outside_bars_take_over_after_history() -> None:
    given = minute_bars((0, 10), (1, 20), source=HISTORY)

    bars = closed(run(aggregator(), given, THEN, minute_bars((2, 30), (3, 31)), heartbeat(THEN.time_ns * 2)))

    assert bars.source.tolist() == [HISTORY, HISTORY, OUTSIDE, OUTSIDE]


def test_a_bar_that_history_told_is_not_told_again_by_the_stream() -> None:
    stage = aggregator()

    bars = closed(
        run(
            stage,
            minute_bars((0, 10), (1, 20), source=HISTORY),
            THEN,
            minute_bars((1, 20), (2, 30)),
            heartbeat(THEN.time_ns * 2),
        )
    )

    assert bars.close.tolist() == [10, 20, 30]
    assert stage.counts["duplicate_bars"] == 1


def test_history_that_comes_after_the_stream_changes_nothing() -> None:
    stage = aggregator()

    bars = closed(
        run(stage, at((0, 10.0), (70, 11.0)), minute_bars((1, 99), source=HISTORY), heartbeat(START_NS + 9 * MINUTE_NS))
    )

    assert bars.source.tolist() == [DERIVED, DERIVED]
    assert stage.counts["late_bars"] == 1


def test_a_trade_of_an_interval_that_history_told_is_late() -> None:
    stage = aggregator()

    bars = closed(
        run(
            stage,
            minute_bars((0, 10), (1, 20), source=HISTORY),
            THEN,
            at((110, 19.0), (130, 21.0)),
            heartbeat(THEN.time_ns * 2),
        )
    )

    assert bars.close.tolist() == [10, 20, 21]
    assert stage.counts["late_trades"] == 1
