"""Market: where it stops, what it says there and in which order, and that chunking cannot matter."""

from collections.abc import Iterator
from decimal import Decimal
from math import isnan, nan

import numpy as np
import pytest

from adapters.paper import PaperBook
from engine.blocks import DERIVED, OUTSIDE, PARTIAL, Bars, MarketBlock, Quotes, equal
from engine.market import Market
from engine.market_kernel import mark, new_lanes, new_levels, scan
from engine.market_walk import Columns
from engine.messages import (
    Accepted,
    AccountState,
    Cancelled,
    EndOfFeed,
    Expired,
    Fill,
    Heartbeat,
    Message,
    OrderKind,
    Rejected,
    Role,
    Side,
    Unwatch,
    Watched,
    WatchKind,
)
from engine.ports import Item
from engine.timeframes import TIMEFRAMES
from engine.watches import CLOSES
from tests.makers import START_NS, bars, session, table, trades
from tests.market_rig import (
    FREE,
    MINUTE,
    Reaction,
    announcement,
    cancel,
    detections,
    entry,
    lined,
    market_of,
    run,
    stop,
    target,
    told,
    watch,
)

SECOND = 1_000_000_000


def minute_bars(*ohlc: tuple[float, float, float, float], **columns: object) -> Bars:
    return bars(*ohlc, timeframe="1m", **columns)


def flat(*prices: float, **columns: object) -> Bars:
    return minute_bars(*((price, price, price, price) for price in prices), **columns)


def closed_at(release: list[int], close: list[float], **columns: object) -> Bars:
    """Closed one-minute bars, the nth released before the row with sequence release[n]."""
    minutes = np.arange(len(release), dtype=np.int64) * MINUTE + START_NS
    given = {"open_ns": minutes, "close_ns": minutes + MINUTE, "release": release, "close": close}
    return Bars.of(**(given | columns))


def process(market: Market, *items: Item) -> list[Item]:
    return [out for item in items for out in market.process(item)]


def reacting(market: Market, item: Item, react: Reaction) -> Iterator[Item]:
    for out in market.process(item):
        react(market, out)
        yield out


def watching(market: Market, *requests: object) -> Market:
    """`market` with requests made at a decision point before the first row."""
    run(market, [(detections(START_NS), requests)])
    return market


def shape(items: list[Item]) -> list[object]:
    """Row counts of pieces, names of messages."""
    return [len(item) if isinstance(item, MarketBlock) else type(item).__name__ for item in items]


# -------------------------------------------------------------------------------------- passing


def test_a_block_with_nothing_to_look_for_passes_as_it_is() -> None:
    block = lined(flat(10, 11, 12))

    assert process(market_of(), block) == [block]


def test_a_fact_passes_before_anything_it_causes() -> None:
    market = watching(market_of(), watch(WatchKind.LINE_TIME, time_ns=START_NS + 5))
    beat = Heartbeat(time_ns=START_NS + 5, feed=0, sequence=9)

    assert shape(process(market, *announcement(beat, START_NS + 5))) == [0, "Heartbeat", "Watched"]


def test_a_block_without_line_time_is_a_bug() -> None:
    with pytest.raises(AssertionError):
        process(market_of(), flat(10))


# --------------------------------------------------------------------------------- touch watches


def test_a_touch_stops_after_the_row_and_fires_once() -> None:
    market = watching(market_of(), watch(WatchKind.TOUCH_ABOVE, 11))
    block = lined(minute_bars((10, 10.5, 9, 10), (10, 12, 9, 10), (10, 12, 9, 10)))

    out = process(market, block)

    assert shape(out) == [2, "Watched", 1]
    assert isinstance(out[1], Watched)
    assert (out[1].price, out[1].time_ns, isnan(out[1].close)) == (11, START_NS + 2 * MINUTE, True)
    assert isinstance(out[0], Bars)
    assert equal(Bars.join([piece for piece in out if isinstance(piece, Bars)]), block)


def test_a_gap_touches_at_the_open() -> None:
    market = watching(market_of(), watch(WatchKind.TOUCH_BELOW, 9), watch(WatchKind.TOUCH_ABOVE, 11, "up"))

    fired = [one for one in process(market, lined(flat(8, 12))) if isinstance(one, Watched)]

    assert [(one.watch_id, one.price) for one in fired] == [("w", 8), ("up", 12)]


def test_a_late_trade_may_touch_but_not_before_the_watch_was_wanted() -> None:
    market = watching(market_of(match_on="trades"), watch(WatchKind.TOUCH_BELOW, 9, decision_ns=START_NS + 50))

    fired = [one for one in process(market, lined(trades(8, start_ns=START_NS - 7))) if isinstance(one, Watched)]

    assert [one.time_ns for one in fired] == [START_NS + 50]


def test_a_watch_that_has_fired_leaves_nothing_to_stop_at() -> None:
    kinds = (*CLOSES, WatchKind.TOUCH_ABOVE, WatchKind.TOUCH_BELOW)
    market = watching(market_of(), *(watch(kind, 10, kind.value) for kind in kinds))
    swings: dict[str, object] = {"swing_low": 9.0, "swing_high": 11.0}

    process(market, lined(flat(10), closed=closed_at([1, 1], [9.5, 10.5], **swings)))

    assert np.array_equal(market._levels, new_levels(1, len(TIMEFRAMES)))
    assert np.array_equal(market._lanes[:, :2], new_lanes(1)[:, :2])
    assert market._watches.bars == 0


def test_a_trade_touches_at_its_price() -> None:
    market = watching(market_of(match_on="trades"), watch(WatchKind.TOUCH_BELOW, 9))

    fired = process(market, lined(trades(10, 8.5, 8)))

    assert shape(fired) == [2, "Watched", 1]
    assert isinstance(fired[1], Watched)
    assert (fired[1].price, fired[1].time_ns) == (8.5, START_NS + SECOND)


def test_several_touches_of_one_row_fire_in_order_of_registration() -> None:
    names = ["c", "a", "b"]
    market = watching(market_of(), *(watch(WatchKind.TOUCH_ABOVE, 11 - n, name) for n, name in enumerate(names)))

    out = process(market, lined(flat(12)))

    assert [one.watch_id for one in out if isinstance(one, Watched)] == names


def test_a_watch_taken_back_by_an_earlier_one_of_the_same_row_does_not_fire() -> None:
    market = watching(market_of(), watch(WatchKind.TOUCH_ABOVE, 11, "a"), watch(WatchKind.TOUCH_ABOVE, 11, "b"))

    def react(desk: Market, item: Item) -> None:
        if isinstance(item, Watched):
            desk.submit(Unwatch(watch_id="b"))

    assert [getattr(one, "watch_id", "") for one in run(market, [(lined(flat(12, 12)), ())], react)] == ["a"]


def test_a_watch_replaced_by_an_earlier_one_of_the_same_row_waits_for_the_next() -> None:
    market = watching(market_of(), watch(WatchKind.TOUCH_ABOVE, 11, "a"), watch(WatchKind.TOUCH_ABOVE, 11, "b"))

    def react(desk: Market, item: Item) -> None:
        if isinstance(item, Watched) and item.watch_id == "a":
            desk.submit(watch(WatchKind.TOUCH_ABOVE, 12.5, "b"))

    fired = run(market, [(lined(flat(12, 13)), ())], react)

    assert [(getattr(one, "watch_id", ""), getattr(one, "price", 0)) for one in fired] == [("a", 12), ("b", 13)]


def test_a_watch_that_is_registered_again_has_a_new_level() -> None:
    market = watching(market_of(), watch(WatchKind.TOUCH_ABOVE, 11), watch(WatchKind.TOUCH_ABOVE, 13))

    assert shape(process(market, lined(flat(12, 13)))) == [2, "Watched"]


def test_a_watch_that_is_true_when_registered_waits_for_the_next_row() -> None:
    market = watching(market_of(), watch(WatchKind.TOUCH_ABOVE, 11, "first"))

    def react(desk: Market, item: Item) -> None:
        if isinstance(item, Watched) and item.watch_id == "first":
            desk.submit(watch(WatchKind.TOUCH_ABOVE, 10, "second", decision_ns=item.time_ns))

    fired = run(market, [(lined(flat(12, 12)), ())], react)

    assert [getattr(one, "time_ns", 0) for one in fired] == [START_NS + MINUTE, START_NS + 2 * MINUTE]


def test_only_the_rows_that_an_instrument_matches_on_touch() -> None:
    on_trades = watching(market_of(match_on="trades"), watch(WatchKind.TOUCH_ABOVE, 11))
    on_bars = watching(market_of(match_on="bars"), watch(WatchKind.TOUCH_ABOVE, 11))
    quotes = Quotes.of(time_ns=[START_NS], instrument=0, bid=12.0, ask=13.0)

    assert shape(process(on_trades, lined(flat(12)), lined(quotes))) == [1, 1]
    assert shape(process(on_bars, lined(trades(12)), lined(quotes))) == [1, 1]
    assert shape(process(on_bars, lined(flat(12, source=DERIVED)))) == [1]


def test_only_the_smallest_outside_timeframe_matches() -> None:
    market = watching(market_of(), watch(WatchKind.TOUCH_ABOVE, 11))

    seen = process(market, lined(flat(10)), lined(bars((10, 12, 9, 10), timeframe="1h")), lined(flat(12)))

    assert shape(seen) == [1, 1, 1, "Watched"]


def test_released_bars_never_touch() -> None:
    market = watching(market_of(), watch(WatchKind.TOUCH_ABOVE, 11))

    assert shape(process(market, lined(flat(10), closed=closed_at([1], [15.0], high=15.0)))) == [1]


# ----------------------------------------------------------------------------------- bar watches


def test_a_close_beyond_a_level_fires_before_the_row_that_released_the_bar() -> None:
    market = watching(market_of(), watch(WatchKind.CLOSE_ABOVE, 11))
    closed = closed_at([2, 3], [11.0, 11.5], atr=0.7)

    out = process(market, lined(flat(10, 10, 10, 10), closed=closed))

    assert shape(out) == [2, "Watched", 2]
    assert isinstance(out[0], Bars)
    assert out[0].closed is not None
    assert len(out[0].closed) == 2
    assert isinstance(out[1], Watched)
    assert (out[1].price, out[1].close, out[1].atr, out[1].time_ns) == (11.5, 11.5, 0.7, START_NS + 2 * MINUTE)


def test_lateness_is_part_of_the_time_at_which_a_bar_is_known() -> None:
    market = Market(table("AAA"), TIMEFRAMES, None, lateness_ns=250)
    watching(market, watch(WatchKind.CLOSE_BELOW, 11))

    out = process(market, lined(flat(10), closed=closed_at([1], [10.0])))

    assert [one.time_ns for one in out if isinstance(one, Watched)] == [START_NS + MINUTE + 250]


def test_bars_behind_the_last_row_are_looked_at_after_it() -> None:
    market = watching(market_of(), watch(WatchKind.CLOSE_BELOW, 11), watch(WatchKind.TOUCH_ABOVE, 10, "t"))

    out = process(market, lined(flat(10), closed=closed_at([2], [10.0])))

    assert shape(out) == [1, "Watched", 0, "Watched"]


def test_bars_of_another_timeframe_or_unfinished_ones_fire_nothing() -> None:
    market = watching(market_of(), watch(WatchKind.CLOSE_ABOVE, 11), watch(WatchKind.SWING_LOW, name="s"))
    other = closed_at([1], [12.0], timeframe=1, swing_low=9.0)
    partial = closed_at([2], [12.0], source=PARTIAL, swing_low=9.0)

    assert shape(process(market, lined(flat(10), closed=other), lined(flat(10), sequence=2, closed=partial))) == [1, 1]


def test_a_confirmed_swing_fires_with_its_price() -> None:
    market = watching(market_of(), watch(WatchKind.SWING_LOW, name="low"), watch(WatchKind.SWING_HIGH, name="high"))
    closed = closed_at([1, 2], [10.0, 11.0], swing_low=[9.0, nan], swing_high=[nan, 12.0])

    fired = [one for one in process(market, lined(flat(10, 10), closed=closed)) if isinstance(one, Watched)]

    assert [(one.watch_id, one.price, one.close) for one in fired] == [("low", 9, 10), ("high", 12, 11)]


def test_a_bar_fires_all_its_watches_in_order_of_registration() -> None:
    kinds = {"x": WatchKind.SWING_LOW, "a": WatchKind.CLOSE_BELOW, "m": WatchKind.CLOSE_ABOVE}
    market = watching(market_of(), *(watch(kind, 10, name) for name, kind in kinds.items()))

    out = process(market, lined(flat(10), closed=closed_at([1], [11.0], swing_low=9.0)))

    assert [one.watch_id for one in out if isinstance(one, Watched)] == ["x", "m"]


# ------------------------------------------------------------------------------------- line time


def test_a_line_time_watch_fires_before_the_first_row_that_proves_it() -> None:
    market = watching(market_of(), watch(WatchKind.LINE_TIME, time_ns=START_NS + 2 * MINUTE))

    out = process(market, lined(flat(10, 10, 10, 10)))

    assert shape(out) == [2, "Watched", 2]
    assert isinstance(out[1], Watched)
    assert out[1].time_ns == START_NS + 2 * MINUTE


def test_line_time_watches_fire_after_the_bars_and_by_time() -> None:
    market = watching(
        market_of(),
        watch(WatchKind.LINE_TIME, time_ns=START_NS + MINUTE + 9, name="late"),
        watch(WatchKind.LINE_TIME, time_ns=START_NS + MINUTE, name="early"),
        watch(WatchKind.LINE_TIME, time_ns=START_NS + MINUTE, name="early too"),
        watch(WatchKind.CLOSE_ABOVE, 5, name="bar"),
    )

    out = process(market, lined(flat(10, start_ns=START_NS + MINUTE), closed=closed_at([1], [10.0])))

    assert [one.watch_id for one in out if isinstance(one, Watched)] == ["bar", "early", "early too", "late"]


@pytest.mark.parametrize("is_watched", [True, False])
@pytest.mark.parametrize("rows", [1, 0])
def test_a_line_time_watch_fires_between_the_bars_of_one_row(rows: int, is_watched: bool) -> None:
    """One row releases three minutes; what waits for the second sees two of them, not three."""
    bar = (watch(WatchKind.CLOSE_ABOVE, 12, "bar"),) if is_watched else ()
    market = watching(market_of(), watch(WatchKind.LINE_TIME, time_ns=START_NS + 2 * MINUTE), *bar)
    block = lined(flat(10, start_ns=START_NS + 9 * MINUTE), closed=closed_at([1, 1, 1], [10.0, 10.0, 13.0]))

    out = process(market, block if rows else block.piece((0, 0), (0, 3)))

    names = [getattr(one, "watch_id", len(getattr(one, "closed", None) or ())) for one in out]
    assert names == ([2, "w", 1, "bar", 0][: 4 + rows] if is_watched else [2, "w", 1])


def test_a_watch_before_the_first_bar_of_a_row_fires_before_it() -> None:
    market = watching(market_of(), watch(WatchKind.LINE_TIME, time_ns=START_NS + 5))
    whole = lined(flat(10), closed=closed_at([1], [10.0]))

    assert shape(process(market, whole)) == ["Watched", 1]


def test_lateness_lets_a_bar_that_closed_before_a_watch_wait_behind_it() -> None:
    instruments = table("AAA", match_on="bars")
    market = Market(instruments, TIMEFRAMES, PaperBook(instruments, FREE), lateness_ns=7)
    watching(market, watch(WatchKind.LINE_TIME, time_ns=START_NS + MINUTE + 6), watch(WatchKind.CLOSE_ABOVE, 5, "bar"))

    out = process(market, lined(flat(10, start_ns=START_NS + MINUTE), closed=closed_at([1], [10.0])))

    assert [one.watch_id for one in out if isinstance(one, Watched)] == ["w", "bar"]


def test_an_order_expires_between_the_bars_of_one_row() -> None:
    """Before a bar that closes after its time, so that what a close beyond a level asks for finds it gone."""
    market = watching(
        market_of(),
        entry(OrderKind.LIMIT, limit_price=5, expires_ns=START_NS + MINUTE),
        watch(WatchKind.CLOSE_ABOVE, 12, "bar"),
    )
    block = lined(flat(10, start_ns=START_NS + 9 * MINUTE), closed=closed_at([1, 1], [13.0, 13.0]))

    assert shape(process(market, block)) == [0, "Watched", "Expired", 1]


def test_an_unfinished_bar_proves_nothing() -> None:
    """It is told when its feed ends, before the time at which it would have closed."""
    market = watching(market_of(), watch(WatchKind.LINE_TIME, time_ns=START_NS + 5))
    unfinished = closed_at([1], [10.0], source=PARTIAL)

    out = process(market, *announcement(EndOfFeed(time_ns=START_NS, feed=0, sequence=1), START_NS + 4, unfinished))

    assert shape(out) == [0, "EndOfFeed"]


def test_a_watch_for_a_time_already_reached_waits_for_the_next_bar() -> None:
    market = watching(market_of(), watch(WatchKind.LINE_TIME, time_ns=START_NS, name="0"))

    def react(desk: Market, item: Item) -> None:
        if isinstance(item, Watched):
            desk.submit(watch(WatchKind.LINE_TIME, time_ns=START_NS, name=str(int(item.watch_id) + 1)))

    block = lined(flat(10, start_ns=START_NS + 9 * MINUTE), closed=closed_at([1, 1], [10.0, 10.0]))
    left = list(reacting(market, block, react))

    assert shape(left) == ["Watched", 0, "Watched", 0, "Watched", 1]


def test_bars_alone_prove_only_their_own_close() -> None:
    """A piece of bars cut from before a row announces nothing: its row has not come yet."""
    market = watching(market_of(), watch(WatchKind.LINE_TIME, time_ns=START_NS + MINUTE + 5))
    whole = lined(flat(10, start_ns=START_NS + MINUTE), closed=closed_at([1], [10.0]))

    out = process(market, whole.piece((0, 0), (0, 1)), detections(START_NS), whole.piece((0, 1), (1, 1)))

    assert shape(out) == [0, "Detections", "Watched", 1]


def test_a_control_fact_without_its_own_announcement_reaches_nothing() -> None:
    market = watching(market_of(), watch(WatchKind.LINE_TIME, time_ns=START_NS + MINUTE))
    bars_only = lined(flat(10), closed=closed_at([1], [10.0])).piece((0, 0), (0, 1))

    assert shape(process(market, bars_only, Heartbeat(time_ns=START_NS, feed=0, sequence=9))) == [0, "Heartbeat"]


def test_a_piece_of_bars_alone_tells_the_line_time_of_the_last_row() -> None:
    market = watching(market_of(), watch(WatchKind.CLOSE_ABOVE, 5), watch(WatchKind.TOUCH_ABOVE, 10, "t"))
    block = lined(flat(10, 10), closed=closed_at([2], [10.0]))

    out = [item for item in process(market, block) if isinstance(item, MarketBlock)]

    assert [len(piece) for piece in out] == [1, 0, 1]
    assert [piece.line_time_ns - START_NS + 1 for piece in out] == [MINUTE, MINUTE, 2 * MINUTE]


def test_a_control_fact_reaches_line_time_once() -> None:
    market = watching(market_of(), watch(WatchKind.LINE_TIME, time_ns=START_NS + 5))
    early, late = (Heartbeat(time_ns=START_NS + n, feed=0, sequence=n) for n in (4, 5))
    other = EndOfFeed(time_ns=START_NS + 9, feed=0, sequence=9)

    out = process(market, *announcement(early, START_NS + 4), other, *announcement(late, START_NS + 5))

    assert shape(out) == [0, "Heartbeat", "EndOfFeed", 0, "Heartbeat", "Watched"]


def test_a_watch_for_a_time_already_reached_waits_for_the_next_row() -> None:
    market = watching(market_of(), watch(WatchKind.LINE_TIME, time_ns=START_NS, name="0"))

    def react(desk: Market, item: Item) -> None:
        if isinstance(item, Watched):
            desk.submit(watch(WatchKind.LINE_TIME, time_ns=START_NS, name=str(int(item.watch_id) + 1)))

    fired = run(market, [(lined(flat(10, 10, 10)), ())], react)

    assert [getattr(one, "watch_id", "") for one in fired] == ["0", "1", "2"]


def test_quotes_prove_line_time_too() -> None:
    market = watching(market_of(), watch(WatchKind.LINE_TIME, time_ns=START_NS + 5))
    quotes = Quotes.of(time_ns=[START_NS, START_NS + 6], instrument=0, bid=1.0, ask=1.1)

    assert shape(process(market, lined(quotes))) == [1, "Watched", 1]


# ------------------------------------------------------------------------------- desk and orders


def test_an_order_is_accepted_at_once_and_its_answer_too() -> None:
    market = market_of()

    def react(desk: Market, item: Item) -> None:
        if isinstance(item, Accepted) and item.order_id == "g/ENTRY":
            desk.submit(cancel(decision_ns=START_NS + 3))

    facts = run(market, [(detections(START_NS), [entry(OrderKind.LIMIT, limit_price=5), stop(4)])], react)

    assert told(facts) == [
        ("ENTRY", "Accepted"), ("STOP1", "Accepted"), ("ENTRY", "asked"), ("STOP1", "parent"),
    ]  # fmt: skip
    assert [getattr(fact, "time_ns", 0) - START_NS for fact in facts] == [0, 0, 3, 3]


def test_a_fill_follows_the_piece_with_its_row() -> None:
    market = watching(market_of(), entry())

    out = process(market, lined(flat(10, 11)))

    assert shape(out) == [1, "Fill", 1]
    assert isinstance(out[1], Fill)
    assert (out[1].time_ns, out[1].simulated) == (START_NS + MINUTE, True)


def test_what_is_ordered_in_answer_to_a_fill_is_in_force_on_the_next_row_of_the_block() -> None:
    market = watching(market_of(), entry())

    def react(desk: Market, item: Item) -> None:
        if isinstance(item, Fill) and item.role is Role.ENTRY:
            desk.submit(stop(9, decision_ns=item.time_ns))

    market_facts = run(market, [(lined(minute_bars((10, 10, 8, 10), (10, 10, 8, 10))), ())], react)

    assert told(market_facts) == [("ENTRY", 10, 10), ("STOP1", "Accepted"), ("STOP1", 10, 9)]


def test_an_order_in_answer_to_a_bar_never_fills_on_that_bar() -> None:
    """The outside bar of minute 0 is released by the row of minute 1; its order fills on minute 1."""
    market = watching(market_of(), watch(WatchKind.CLOSE_ABOVE, 5))
    block = lined(flat(10, 11, 12), closed=closed_at([2], [10.0]))

    def react(desk: Market, item: Item) -> None:
        if isinstance(item, Watched):
            desk.submit(entry(decision_ns=item.time_ns))

    facts = run(market, [(block, ())], react)

    assert told(facts[1:]) == [("ENTRY", "Accepted"), ("ENTRY", 10, 11)]


def test_orders_fill_before_touches_fire_on_the_same_row() -> None:
    market = watching(market_of(), watch(WatchKind.TOUCH_ABOVE, 5), entry())

    assert shape(process(market, lined(flat(10)))) == [1, "Fill", "Watched"]


def test_an_order_expires_before_the_row_that_proves_its_time_and_before_a_watch_of_that_time() -> None:
    market = watching(
        market_of(),
        watch(WatchKind.LINE_TIME, time_ns=START_NS + MINUTE, name="same"),
        watch(WatchKind.LINE_TIME, time_ns=START_NS + MINUTE - 1, name="before"),
        entry(OrderKind.STOP, stop_price=11, expires_ns=START_NS + MINUTE),
        stop(9),
    )

    out = process(market, lined(flat(10, 11, 11)))

    assert shape(out) == ["Watched", 1, "Expired", "Cancelled", "Watched", 2]
    assert [one.time_ns for one in out if isinstance(one, Expired | Cancelled)] == [START_NS + MINUTE] * 2


def test_an_order_expires_at_a_heartbeat() -> None:
    market = watching(market_of(), entry(OrderKind.STOP, stop_price=11, expires_ns=START_NS + 7))
    beat = Heartbeat(time_ns=START_NS + 7, feed=0, sequence=3)

    assert shape(process(market, *announcement(beat, START_NS + 7))) == [0, "Heartbeat", "Expired"]


def test_an_unknown_symbol_is_rejected_not_a_crash() -> None:
    facts = run(market_of(), [(detections(START_NS), [entry(symbol="ZZZ")])])

    assert [(type(fact), getattr(fact, "code", "")) for fact in facts] == [(Rejected, "UNKNOWN_SYMBOL")]


def test_a_fact_made_on_the_desk_is_not_older_than_the_last_row() -> None:
    market = market_of()
    stream = [(lined(flat(10, 10)), ()), (detections(START_NS), [entry()])]

    assert [getattr(fact, "time_ns", 0) for fact in run(market, stream)] == [START_NS + 2 * MINUTE]


# ---------------------------------------------------------------------------------------- equity


def test_equity_is_cash_and_positions_at_marks() -> None:
    market = watching(market_of(), entry(quantity=100))

    process(market, lined(minute_bars((10, 12, 9, 11), (11, 15, 11, 14))))

    assert market.equity == 100_000 + 100 * (14 - 10)


def test_costs_lower_equity() -> None:
    market = watching(market_of(settings=FREE.model_copy(update={"stock_minimum": Decimal("0.35")})), entry())

    process(market, lined(flat(10)))

    assert market.equity == 100_000 - 0.35


def test_an_equity_watch_fires_on_the_row_whose_mark_breaks_it() -> None:
    market = watching(market_of(), entry(quantity=100), watch(WatchKind.EQUITY_BELOW, 99_900))

    out = process(market, lined(flat(10, 9.5, 9, 8)))

    assert shape(out) == [1, "Fill", 2, "Watched", 1]
    assert isinstance(out[3], Watched)
    assert (out[3].price, out[3].time_ns) == (99_900, START_NS + 3 * MINUTE)


def test_an_equity_watch_sees_a_loss_that_a_fill_makes_final() -> None:
    market = watching(market_of(), entry(quantity=100), stop(9, quantity=100), watch(WatchKind.EQUITY_BELOW, 99_900))

    out = process(market, lined(minute_bars((10, 10, 9, 10))))

    assert shape(out) == [1, "Fill", "Fill", "Watched"]


def test_an_equity_watch_needs_a_position() -> None:
    market = watching(market_of(), watch(WatchKind.EQUITY_BELOW, 200_000))

    assert shape(process(market, lined(flat(10, 5)))) == [2]


# ------------------------------------------------------------------------------------------ live


def live_fill(side: Side, quantity: int, price: int) -> Fill:
    return Fill(
        time_ns=START_NS, order_id="g/ENTRY", execution_id="x", symbol="AAA", side=side, role=Role.ENTRY,
        group="g", quantity=Decimal(quantity), price=Decimal(price), costs=Decimal(1), remaining=Decimal(0),
        simulated=False,
    )  # fmt: skip


def live() -> Market:
    market = Market(table("AAA", match_on="trades"), TIMEFRAMES, None)
    process(market, session("AAA"))
    return market


def test_a_live_market_ignores_orders_and_follows_fills_from_the_venue() -> None:
    market = live()

    facts = run(market, [(detections(START_NS), [entry()]), (live_fill(Side.BUY, 10, 100), ())])
    process(market, lined(trades(103)))

    assert facts == []
    assert market.equity == 100_000 - 1 + 30


def test_the_venues_word_on_equity_is_taken() -> None:
    market = live()
    process(market, live_fill(Side.BUY, 10, 100), lined(trades(100)))

    process(market, AccountState(time_ns=0, cash=Decimal(5), equity=Decimal(50_000), currency="USD"))
    process(market, lined(trades(99), sequence=2))

    assert market.equity == 49_990


def test_a_live_fact_can_break_an_equity_watch() -> None:
    market = live()
    watching(market, watch(WatchKind.EQUITY_BELOW, 99_000))

    out = process(market, AccountState(time_ns=START_NS, cash=Decimal(0), equity=Decimal(99_000), currency="USD"))

    assert shape(out) == ["AccountState", "Watched"]


# ---------------------------------------------------------------------------------------- kernel


def test_the_scan_kernel_and_its_python_form_stop_at_the_same_places() -> None:
    random = np.random.default_rng(7)
    for _ in range(60):
        block = lined(flat(*random.integers(8, 13, 20).astype(float), instrument=random.integers(0, 3, 20)))
        block.closed = closed_at(sorted(random.integers(1, 23, 6).tolist()), random.uniform(8, 13, 6).tolist())
        arguments = scan_arguments(Columns().of(block, block.closed), random)
        copies = [value.copy() if isinstance(value, np.ndarray) else value for value in arguments]

        compiled = scan(*arguments)  # type: ignore[arg-type]
        plain = scan.py_func(*copies)  # type: ignore[attr-defined]

        assert compiled == plain
        for one, other in zip(arguments, copies, strict=True):
            assert np.array_equal(one, other, equal_nan=isinstance(one, np.ndarray) and one.dtype.kind == "f")


def scan_arguments(columns: tuple[np.ndarray, ...], random: np.random.Generator) -> list[object]:
    lanes, levels = new_lanes(3), new_levels(3, 2)
    lanes[:, :2] = np.sort(random.choice([9.0, 12.0, np.inf, -np.inf], (3, 2)))[:, ::-1]
    lanes[:, 2:] = random.uniform(1, 10, (3, 2))
    levels[:, :, 0] = random.choice([11.0, np.inf], (3, 2))
    kinds = np.full((3, 2), 127, np.int8)
    kinds[:, 0] = random.integers(0, 2, 3)
    due_ns = START_NS + int(random.integers(0, 40)) * MINUTE
    account = np.array([100.0, float(random.choice([-np.inf, 90.0])), float(random.choice([np.inf, 101.0]))])
    watched = bool(random.integers(0, 2))
    return [2, 0, 20, 0, 6, -1, -1, 1, due_ns - 5, due_ns, watched, lanes, kinds, account, levels, *columns]


def test_a_mark_moves_equity_by_what_is_held() -> None:
    lanes, account = new_lanes(2), np.array([100.0, 90.0, 100.0])
    lanes[1] = np.inf, -np.inf, 10.0, 5.0

    assert not mark(lanes, account, 1, 8.5)
    assert mark(lanes, account, 1, 10.5)
    assert not mark(lanes, account, 1, 8.5)
    assert mark(lanes, account, 1, 8.0)
    assert account[0] == 90.0
    assert not mark(lanes, account, 0, 1.0)


# ------------------------------------------------------------------------------------- snapshots


def test_a_snapshot_with_requests_on_the_desk_is_a_bug() -> None:
    market = market_of()
    market.submit(entry())

    with pytest.raises(AssertionError):
        market.snapshot()


def test_a_restored_market_goes_on_as_the_old_one() -> None:
    old = watching(
        market_of(),
        entry(quantity=100), stop(9, quantity=100), target(12, quantity=50),
        watch(WatchKind.CLOSE_ABOVE, 11, "bar"), watch(WatchKind.TOUCH_ABOVE, 11.5, "touch"),
        watch(WatchKind.LINE_TIME, name="time", time_ns=START_NS + 4 * MINUTE),
        watch(WatchKind.EQUITY_BELOW, 99_950, "equity"),
        entry(OrderKind.LIMIT, limit_price=5, group="h", order_id="h/ENTRY", expires_ns=START_NS + 3 * MINUTE),
    )  # fmt: skip
    process(old, lined(flat(10, 10.5)))
    new = market_of()

    new.restore(old.snapshot())
    rest = [(10.5, 12, 10, 12), (12, 12, 11, 11), (11, 11, 9.2, 9.4), (9, 9, 8, 8)]
    block = minute_bars(*rest, start_ns=START_NS + 2 * MINUTE, source=OUTSIDE)
    closed = closed_at([4], [11.5])
    messages: list[list[Message]] = []
    for market in (old, new):
        out = process(market, lined(block.slice(0, 4), sequence=3, closed=closed))
        messages.append([one for one in out if not isinstance(one, MarketBlock)])

    assert len(messages[0]) == 7
    assert repr(messages[0]) == repr(messages[1])
    assert new.snapshot() == old.snapshot()
