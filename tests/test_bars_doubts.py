"""BarAggregator: spreads of quotes, and taints for what a bar may be missing."""

import numpy as np
import pytest

from engine.blocks import BlockError, Quotes
from engine.messages import BarTaint, FeedStatus, Quarantine
from engine.ports import Item
from engine.timeframes import MINUTE_NS
from tests.bars_rig import SECOND_NS, aggregator, at, closed, minute_bars, run, taints
from tests.makers import START_NS, end_of_feed, heartbeat


def quote(second: float, bid: float, ask: float, bid_size: float = 1, ask_size: float = 1, **columns: object) -> Quotes:
    time_ns = START_NS + int(second * SECOND_NS)
    return Quotes.of(time_ns=[time_ns], bid=bid, ask=ask, bid_size=bid_size, ask_size=ask_size, **columns)


def status(word: str, second: float, feed: int = 0) -> FeedStatus:
    return FeedStatus(time_ns=START_NS + int(second * SECOND_NS), feed=feed, status=word, reason="silent")


def withheld(second: float, symbol: str = "AAA") -> Quarantine:
    time_ns = START_NS + int(second * SECOND_NS)
    return Quarantine(time_ns=time_ns, feed=0, symbol=symbol, reason="price", count=1)


def told(outputs: list[Item]) -> list[tuple[str, str, float]]:
    """Timeframe, reason and second in which the tainted bar opens."""
    return [(one.timeframe, one.reason, (one.open_ns - START_NS) / SECOND_NS) for one in taints(outputs)]


# ------------------------------------------------------------------------------- spreads


def test_the_spread_is_the_mean_of_what_each_trade_met() -> None:
    facts = (quote(0, 10, 10.5), at((1, 10), (2, 10)), quote(3, 10, 12), at((4, 10)), heartbeat(START_NS + MINUTE_NS))

    bar = closed(run(aggregator(build=("1m",)), *facts))

    assert bar.spread.tolist() == [(0.5 + 0.5 + 2) / 3]


def test_no_chunk_shows_in_the_spread() -> None:
    block = at(*[(second, 10) for second in range(1, 11)])
    pieces = [block.slice(0, 3), block.slice(3, 4), block.slice(4, 10)]

    one = closed(run(aggregator(), quote(0, 0.1, 0.4), block, heartbeat(START_NS + MINUTE_NS)))
    several = closed(run(aggregator(), quote(0, 0.1, 0.4), *pieces, heartbeat(START_NS + MINUTE_NS)))

    assert one.spread.tolist() == several.spread.tolist() == [sum([0.4 - 0.1] * 10) / 10]
    assert sum([0.4 - 0.1] * 10) != (0.4 - 0.1) * 10


def test_a_bar_without_quotes_knows_no_spread() -> None:
    assert np.isnan(closed(run(aggregator(), at((0, 10)), heartbeat(START_NS + MINUTE_NS))).spread[0])


@pytest.mark.parametrize("broken", [quote(2, 10, 10, ask_size=0), quote(2, 10, 10, bid_size=0), quote(2, 10, 9)])
def test_one_side_or_a_crossed_quote_is_no_spread(broken: Quotes) -> None:
    facts = (quote(0, 10, 11), at((1, 10)), broken, at((3, 10)), heartbeat(START_NS + MINUTE_NS))

    assert closed(run(aggregator(), *facts)).spread.tolist() == [1]


def test_a_quote_stays_in_force_into_the_next_bar_and_belongs_to_its_instrument() -> None:
    facts = (quote(0, 10, 11, instrument=1), at((61, 10), (62, 10), instrument=[1, 0]))

    bars = closed(run(aggregator("A", "B"), *facts, heartbeat(START_NS + 2 * MINUTE_NS)))

    assert bars.instrument.tolist() == [0, 1]
    assert bars.spread[1] == 1
    assert np.isnan(bars.spread[0])


@pytest.mark.parametrize("number", [-1, 1])
def test_a_quote_of_an_instrument_outside_the_table_is_refused(number: int) -> None:
    with pytest.raises(BlockError, match=f"sequence 1: instrument must be between 0 and 0, was {number}"):
        run(aggregator(), quote(0, 10, 11, instrument=number))


def test_an_outside_bar_brings_its_spread_or_takes_what_is_in_force() -> None:
    facts = (quote(0, 10, 14), minute_bars((0, 10), (1, 11), spread=[0.5, np.nan]))

    bars = closed(run(aggregator(build=("5m",)), *facts, heartbeat(START_NS + 5 * MINUTE_NS)))

    assert bars.spread.tolist() == [0.5, 4, 2.25]


# ----------------------------------------------------------------------------- quarantine


def test_withheld_rows_taint_pending_bars_just_before_they_are_released() -> None:
    stage = aggregator(build=("1m", "5m"))

    first = run(stage, at((0, 10)), withheld(30))
    later = run(stage, at((61, 11), (62, 12)), heartbeat(START_NS + 5 * MINUTE_NS))

    assert taints(first) == []
    assert told(later) == [("1m", "quarantine", 0), ("5m", "quarantine", 0)]
    assert later[0] == BarTaint(
        time_ns=START_NS + 61 * SECOND_NS - 1, symbol="AAA", timeframe="1m", open_ns=START_NS, reason="quarantine"
    )


def test_withheld_rows_of_a_closed_bar_taint_it_at_once() -> None:
    stage = aggregator(build=("1m", "5m"))

    out = run(stage, at((0, 10), (61, 11)), withheld(30))

    assert isinstance(out[-2], Quarantine)
    assert told(out) == [("1m", "quarantine", 0)]
    assert taints(out)[0].time_ns == START_NS + 61 * SECOND_NS - 1


def test_a_bar_that_begins_after_its_row_was_withheld_is_tainted() -> None:
    out = run(aggregator(), withheld(30), at((31, 10), (70, 11)), heartbeat(START_NS + 2 * MINUTE_NS))

    assert told(out) == [("1m", "quarantine", 0)]


def test_withheld_rows_of_an_outside_bar_and_of_a_counted_one_taint_them() -> None:
    stage = aggregator(build=("tick:3",))
    block = at((0, 10), (1, 10))

    out = run(
        stage, block, minute_bars((0, 10)), withheld(2), at((70, 10), (71, 10)), heartbeat(START_NS + MINUTE_NS * 9)
    )

    assert told(out) == [("1m", "quarantine", 0), ("tick:3", "quarantine", 0)]


def test_the_next_counted_bar_is_not_tainted() -> None:
    block = at((0, 10), (1, 10), (2, 10), (3, 10), (4, 10))

    out = run(aggregator(build=("tick:3",)), at((0, 10)), withheld(0), block, heartbeat(START_NS + MINUTE_NS))

    assert told(out) == [("tick:3", "quarantine", 0)]
    assert len(closed(out)) == 2


def test_rows_withheld_where_only_outside_bars_count_taint_no_bar_that_never_was() -> None:
    out = run(aggregator(), minute_bars((0, 10)), heartbeat(START_NS + 5 * MINUTE_NS), withheld(130))

    assert taints(out) == []


def test_rows_withheld_of_an_unknown_symbol_pass() -> None:
    out = run(aggregator(), at((0, 10)), withheld(1, "ZZZ"), heartbeat(START_NS + MINUTE_NS))

    assert taints(out) == []


# ------------------------------------------------------------------------------------ gap


def test_a_silent_feed_taints_the_bars_it_may_have_missed_rows_of() -> None:
    stage = aggregator(build=("1m",), feeds=2)
    both = at((0, 10), (1, 10), feed=[0, 1])

    out = run(
        stage, both, at((50, 10), feed=0), status("STALE", 70), status("RECOVERING", 80),
        at((61, 1), (121, 2), (190, 3), (250, 4), feed=1), status("LIVE", 195),
        at((260, 5), feed=0), at((310, 6), feed=1), at((311, 6), feed=0), heartbeat(START_NS + 6 * MINUTE_NS, feed=0),
    )  # fmt: skip

    assert told(out) == [("1m", "gap", 0), ("1m", "gap", 60), ("1m", "gap", 120), ("1m", "gap", 180)]


def test_the_taint_comes_before_its_bar() -> None:
    stage = aggregator(feeds=2)

    out = run(stage, at((0, 10), feed=1), status("STALE", 20, feed=1), heartbeat(START_NS + MINUTE_NS, feed=0))

    assert told(out) == [("1m", "gap", 0)]
    assert isinstance(out[-3], BarTaint)
    assert closed(out[-2:]).open_ns.tolist() == [START_NS]


def test_more_taints_than_the_outlet_holds_are_all_told() -> None:
    symbols = [f"S{number:03}" for number in range(600)]
    stage = aggregator(*symbols, feeds=2)
    rows = at(*[(0, 10)] * 600, instrument=np.arange(600), feed=1)
    doubts = [withheld(0, symbol) for symbol in symbols]

    out = run(stage, rows, *doubts, status("STALE", 1, feed=1), heartbeat(START_NS + MINUTE_NS, feed=0))

    assert [(one.symbol, one.reason) for one in taints(out)] == [
        (symbol, reason) for symbol in symbols for reason in ("gap", "quarantine")
    ]
    assert len(closed(out)) == 600


def test_a_feed_that_never_carried_the_instrument_taints_nothing() -> None:
    stage = aggregator("A", "B", feeds=2)
    rows = at((0, 10), (1, 10), instrument=[0, 1], feed=[0, 1])

    out = run(stage, rows, status("STALE", 2, feed=1), heartbeat(START_NS + MINUTE_NS, feed=0))

    assert [taint.symbol for taint in taints(out)] == ["B"]


def test_a_bar_remembers_a_gap_when_the_feed_has_another() -> None:
    stage = aggregator(build=("5m", "tick:3"), feeds=2)
    facts = (
        at((0, 10), (1, 10), feed=1), status("STALE", 20, feed=1), status("LIVE", 30, feed=1),
        heartbeat(START_NS + 400 * SECOND_NS, feed=1), status("STALE", 401, feed=1), at((402, 10), feed=0),
    )  # fmt: skip

    out = run(stage, *facts, heartbeat(START_NS + 20 * MINUTE_NS, feed=0))

    assert told(out) == [("5m", "gap", 0), ("tick:3", "gap", 0), ("5m", "gap", 300)]


def test_a_gap_ends_with_its_feed() -> None:
    stage = aggregator(feeds=2)
    facts = (at((0, 10), feed=1), status("STALE", 20, feed=1), end_of_feed(START_NS + 30 * SECOND_NS, feed=1))

    out = run(stage, *facts, at((61, 10), feed=0), heartbeat(START_NS + 2 * MINUTE_NS, feed=0))

    assert told(out) == [("1m", "gap", 0)]
