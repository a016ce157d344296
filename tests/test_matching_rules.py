"""The paper book's matching rules, each by name, on the smallest row that shows it."""

from decimal import Decimal

import pytest

from adapters.paper import PaperBook
from engine.messages import Fill, OrderKind, Role, Side
from tests.makers import START_NS
from tests.market_rig import FREE, MINUTE, Venue, cancel, entry, leave, order, print_, row, stop, target, told

LIMIT, STOP, STOP_LIMIT = OrderKind.LIMIT, OrderKind.STOP, OrderKind.STOP_LIMIT


def limited(share: str, **changes: object) -> Venue:
    return Venue(FREE.model_copy(update={"participation": Decimal(share)} | changes))


def sell(**changes: object) -> dict[str, object]:
    return {"side": Side.SELL} | changes


# ------------------------------------------------------------------------- when an order is there


def test_an_order_never_fills_on_the_bar_it_was_decided_on() -> None:
    venue = Venue()
    venue.send(entry(decision_ns=START_NS + MINUTE))

    decided_on = venue.rows(row(10, 11, 9, 10, n=0))
    next_bar = venue.rows(row(12, 13, 11, 12, n=1))

    assert decided_on == []
    assert told(next_bar) == [("ENTRY", 10, 12)]


def test_a_bar_that_opened_before_the_decision_cannot_fill_even_if_it_closes_after() -> None:
    venue = Venue()
    venue.send(entry(decision_ns=START_NS + 1))

    assert venue.rows(row(10, 11, 9, 10, n=0)) == []


def test_the_decision_bar_rule_is_what_keeps_look_ahead_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.paper_orders.sees", lambda *_: True)

    with pytest.raises(AssertionError):
        test_an_order_never_fills_on_the_bar_it_was_decided_on()


@pytest.mark.parametrize(("after_ns", "fills"), [(99, 0), (100, 0), (101, 1)])
def test_a_trade_fills_only_after_decision_time_plus_latency(after_ns: int, fills: int) -> None:
    venue = Venue(FREE.model_copy(update={"latency_ns": 100}))
    venue.send(entry())

    assert len(venue.rows(print_(10, n=after_ns))) == fills


def test_latency_does_not_delay_orders_on_bars() -> None:
    venue = Venue(FREE.model_copy(update={"latency_ns": 100}))
    venue.send(entry())

    assert told(venue.rows(row(10, 11, 9, 10))) == [("ENTRY", 10, 10)]


def test_a_late_trade_from_before_the_decision_cannot_fill() -> None:
    venue = Venue()
    venue.send(entry())

    assert venue.rows(print_(10, n=-5)) == []


# ----------------------------------------------------------------------------------- which price


def test_a_market_order_fills_at_the_open() -> None:
    venue = Venue()
    venue.send(entry())

    assert told(venue.rows(row(10, 12, 9, 11))) == [("ENTRY", 10, 10)]


def test_a_buy_stop_fills_at_its_trigger() -> None:
    venue = Venue()
    venue.send(entry(STOP, stop_price=11))

    assert told(venue.rows(row(10, 10.99, 9, 10), row(10, 12, 9, 11))) == [("ENTRY", 10, 11)]


def test_a_buy_stop_that_is_gapped_over_fills_at_the_open() -> None:
    venue = Venue()
    venue.send(entry(STOP, stop_price=11))

    assert told(venue.rows(row(13, 14, 12, 13))) == [("ENTRY", 10, 13)]


def test_a_buy_limit_fills_at_its_limit_or_at_a_better_open() -> None:
    touched, gapped = Venue(), Venue()
    touched.send(entry(LIMIT, limit_price=9))
    gapped.send(entry(LIMIT, limit_price=9))

    assert told(touched.rows(row(10, 11, 9.01, 10), row(10, 11, 9, 10))) == [("ENTRY", 10, 9)]
    assert told(gapped.rows(row(8, 11, 7, 10))) == [("ENTRY", 10, 8)]


def test_sells_mirror_buys() -> None:
    stopped, limited_ = Venue(), Venue()
    stopped.send(entry(STOP, **sell(stop_price=9)))
    limited_.send(entry(LIMIT, **sell(limit_price=11)))

    assert told(stopped.rows(row(8, 10, 7, 8))) == [("ENTRY", 10, 8)]
    assert told(limited_.rows(row(12, 13, 10, 11))) == [("ENTRY", 10, 12)]


def test_a_stop_limit_fills_at_its_trigger_within_its_limit() -> None:
    venue = Venue()
    venue.send(entry(STOP_LIMIT, stop_price=11, limit_price=11.5))

    assert told(venue.rows(row(10, 12, 9, 11))) == [("ENTRY", 10, 11)]


def test_a_stop_limit_gapped_beyond_its_limit_waits_for_the_limit_on_later_bars() -> None:
    venue = Venue()
    venue.send(entry(STOP_LIMIT, stop_price=11, limit_price=11.5))

    on_trigger_bar = venue.rows(row(12, 13, 11, 12, n=0))
    away = venue.rows(row(12, 13, 11.51, 12, n=1))
    back = venue.rows(row(12, 13, 11.2, 12, n=2))

    assert on_trigger_bar == []
    assert away == []
    assert told(back) == [("ENTRY", 10, 11.5)]


def test_a_triggered_stop_limit_rests_below_its_trigger_too() -> None:
    venue = Venue()
    venue.send(entry(STOP_LIMIT, stop_price=11, limit_price=11.5))
    venue.rows(row(12, 13, 12, 12, n=0))

    assert told(venue.rows(row(10, 10.5, 9, 10, n=1))) == [("ENTRY", 10, 10)]


def test_a_zero_volume_bar_neither_fills_nor_triggers() -> None:
    venue = Venue()
    venue.send(entry(STOP, stop_price=11))

    assert venue.rows(row(10, 12, 9, 11, n=0, size=0), row(10, 10, 9, 10, n=1)) == []


def test_a_stop_triggers_on_a_trade_and_fills_at_its_price() -> None:
    venue = Venue()
    venue.send(entry(STOP, stop_price=11))

    assert told(venue.rows(print_(10.99, n=1), print_(11.2, n=2))) == [("ENTRY", 10, 11.2)]


# --------------------------------------------------------------------------------- participation


def test_each_row_offers_whole_lots_of_its_share_and_the_remainder_waits() -> None:
    venue = limited("0.05")
    venue.send(entry(quantity=10))

    fills = venue.rows(print_(10, n=1, size=100), print_(11, n=2, size=79), print_(12, n=3, size=19), print_(13, n=4))

    assert told(fills) == [("ENTRY", 5, 10), ("ENTRY", 3, 11), ("ENTRY", 2, 13)]
    assert [fact.remaining for fact in fills if isinstance(fact, Fill)] == [5, 2, 0]
    assert [fact.execution_id for fact in fills if isinstance(fact, Fill)] == ["g/ENTRY#1", "g/ENTRY#2", "g/ENTRY#3"]


def test_orders_share_a_row_by_price_then_by_time() -> None:
    venue = limited("0.05")
    venue.send(
        entry(LIMIT, order_id="a/ENTRY", group="a", limit_price=9.5),
        entry(LIMIT, order_id="b/low", group="b", limit_price=9.4),
        entry(LIMIT, order_id="c/high", group="c", limit_price=9.8),
        entry(order_id="d/market", group="d", quantity=2),
    )

    fills = venue.rows(row(9.3, 10, 9, 9.5, size=250))

    assert told(fills) == [("market", 2, 9.3), ("high", 10, 9.3)]
    assert told(venue.rows(row(9.3, 10, 9, 9.5, n=1, size=250))) == [("ENTRY", 10, 9.3), ("low", 2, 9.3)]


def test_a_stop_triggers_on_a_row_too_small_to_fill_it_and_then_goes_at_the_market() -> None:
    venue = limited("0.05")
    venue.send(entry(STOP, stop_price=11))

    assert venue.rows(print_(11, n=1, size=10)) == []
    assert told(venue.rows(print_(10, n=2, size=1_000))) == [("ENTRY", 10, 10)]


def test_exits_share_the_row_too_unless_settings_free_them() -> None:
    bound, free = limited("0.05"), limited("0.05", exits_participate=False)
    for venue in (bound, free):
        venue.send(entry(), stop(9))
        venue.rows(row(10, 10, 10, 10, n=0))

    fall = row(8, 8, 8, 8, n=1, size=60)

    assert told(bound.rows(fall)) == [("STOP1", 3, 8)]
    assert told(free.rows(fall)) == [("STOP1", 10, 8)]


# -------------------------------------------------------------------------------------- brackets


def bracketed(venue: Venue | None = None, **changes: object) -> Venue:
    """An entry of 10 with its stop at 9 and one target of all at 12."""
    built = venue or Venue()
    built.send(entry(**changes), stop(9), target(12))  # type: ignore[arg-type]
    return built


def test_children_do_nothing_before_their_parent_fills() -> None:
    venue = Venue()
    venue.send(entry(STOP, stop_price=20), stop(9), target(12))

    assert venue.rows(row(10, 15, 5, 10)) == []


def test_the_entry_bar_may_stop_out() -> None:
    venue = bracketed()

    assert told(venue.rows(row(10, 11, 8, 9.5))) == [("ENTRY", 10, 10), ("STOP1", 10, 9), ("TARGET1", "flat")]


def test_the_entry_bar_never_reaches_a_target() -> None:
    venue = bracketed()

    assert told(venue.rows(row(10, 13, 9.5, 12.5, n=0))) == [("ENTRY", 10, 10)]
    assert told(venue.rows(row(12.5, 13, 12, 12.5, n=1)))[0] == ("TARGET1", 10, 12.5)


def test_a_stop_entry_is_stopped_at_its_stop_not_at_an_open_it_never_held() -> None:
    venue = Venue()
    venue.send(entry(STOP, stop_price=11), stop(9))

    assert told(venue.rows(row(8, 12, 7, 11)))[:2] == [("ENTRY", 10, 11), ("STOP1", 10, 9)]


def test_an_entry_filled_beyond_its_stop_leaves_at_its_own_price() -> None:
    venue = bracketed()

    assert told(venue.rows(row(8.5, 9, 8, 8)))[:2] == [("ENTRY", 10, 8.5), ("STOP1", 10, 8.5)]


def test_a_bar_that_spans_stop_and_target_stops() -> None:
    venue = bracketed()
    venue.rows(row(10, 10, 10, 10, n=0))

    assert told(venue.rows(row(10, 13, 8, 10, n=1))) == [("STOP1", 10, 9), ("TARGET1", "flat")]


def test_a_bar_that_spans_both_reaches_no_target_even_when_the_stop_finds_too_little_volume() -> None:
    venue = bracketed(limited("0.05"))
    venue.rows(row(10, 10, 10, 10, n=0))

    spans = venue.rows(row(10, 13, 8, 10, n=1, size=80))
    after = venue.rows(row(10, 13, 8, 10, n=2))

    assert told(spans) == [("STOP1", 4, 9)]
    assert told(after) == [("STOP1", 6, 10), ("TARGET1", "flat")]


def test_no_target_acts_where_a_stop_does_even_for_what_the_stop_does_not_cover() -> None:
    venue = Venue()
    venue.send(entry(), stop(9, quantity=4), target(12))
    venue.rows(row(10, 10, 10, 10, n=0))

    assert told(venue.rows(row(10, 13, 8, 10, n=1))) == [("STOP1", 4, 9)]
    assert told(venue.rows(row(10, 13, 8, 10, n=2))) == [("TARGET1", 6, 12), ("TARGET1", "flat")]


def test_no_target_acts_where_a_stop_limit_triggers_without_a_fill() -> None:
    venue = Venue()
    venue.send(entry(), order("STOP1", Role.STOP, kind=STOP_LIMIT, stop_price=9, limit_price=8.5), target(12))
    venue.rows(row(10, 10, 10, 10, n=0))

    assert venue.rows(row(8, 13, 7, 10, n=1)) == []


def test_on_bars_a_target_covers_only_what_was_open_before_the_bar() -> None:
    venue = limited("0.05")
    venue.send(entry(LIMIT, limit_price=10), stop(5), target(12))
    venue.rows(row(10, 10, 10, 10, n=0, size=120))

    both = venue.rows(row(11, 12, 10, 10.5, n=1))

    assert told(both) == [("ENTRY", 4, 10), ("TARGET1", 6, 12)]


def test_a_stop_exit_that_is_gapped_through_fills_at_the_open() -> None:
    venue = bracketed()
    venue.rows(row(10, 10, 10, 10, n=0))

    assert told(venue.rows(row(7, 8, 6, 7, n=1)))[0] == ("STOP1", 10, 7)


def test_on_trades_children_live_from_the_row_after_the_fill() -> None:
    venue = Venue()
    venue.send(entry(), stop(9))

    assert told(venue.rows(print_(8, n=1))) == [("ENTRY", 10, 8)]
    assert told(venue.rows(print_(8, n=2))) == [("STOP1", 10, 8)]


def test_on_trades_a_triggered_stop_leaves_what_this_row_entered_to_the_next_row() -> None:
    venue = limited("0.05")
    venue.send(entry(LIMIT, limit_price=10, quantity=10), stop(9))
    venue.rows(print_(10, n=1, size=60))

    first = venue.rows(print_(8, n=2, size=200))
    second = venue.rows(print_(8, n=3, size=200))

    assert told(first) == [("STOP1", 3, 8), ("ENTRY", 7, 8)]
    assert told(second) == [("STOP1", 7, 8)]


def test_targets_cover_what_is_filled_first_target_first() -> None:
    venue = limited("0.05")
    venue.send(entry(LIMIT, limit_price=10), stop(5), target(12, quantity=5), target(12, "TARGET2", quantity=3))
    venue.rows(row(10, 10, 10, 10, n=0, size=120))  # 6 of 10

    hits = venue.rows(row(13, 13, 13, 13, n=1))

    assert told(hits) == [("TARGET1", 5, 13), ("TARGET2", 1, 13)]


def test_a_target_is_hit_once() -> None:
    venue = Venue()
    venue.send(entry(), stop(5), target(12, quantity=5), target(14, "TARGET2", quantity=5))
    venue.rows(row(10, 10, 10, 10, n=0))

    assert told(venue.rows(row(12, 12, 12, 12, n=1), row(12, 12, 12, 12, n=2))) == [("TARGET1", 5, 12)]


def test_a_stop_covers_only_what_targets_have_left() -> None:
    venue = Venue()
    venue.send(entry(), stop(9), target(12, quantity=6))
    venue.rows(row(10, 10, 10, 10, n=0), row(12, 12, 12, 12, n=1))

    assert told(venue.rows(row(8, 8, 8, 8, n=2))) == [("STOP1", 4, 8), ("STOP1", "flat")]


def test_when_the_group_is_flat_its_other_exits_are_cancelled() -> None:
    venue = bracketed()
    venue.rows(row(10, 10, 10, 10, n=0))

    assert told(venue.rows(row(12, 12, 12, 12, n=1))) == [("TARGET1", 10, 12), ("STOP1", "flat")]


def test_a_flat_group_whose_entry_still_works_keeps_its_stop() -> None:
    venue = limited("0.05")
    venue.send(entry(LIMIT, limit_price=10), stop(9))
    venue.rows(row(10, 10, 10, 10, n=0, size=120))

    out = venue.rows(row(9, 9, 9, 9, n=1, size=120))
    ended = venue.send(cancel())

    assert told(out) == [("STOP1", 6, 9)]
    assert told(ended) == [("ENTRY", "asked"), ("STOP1", "flat")]


def test_an_exit_closes_what_is_open_and_ends_the_group() -> None:
    venue = bracketed()
    venue.rows(row(10, 10, 10, 10, n=0))
    venue.send(leave(decision_ns=START_NS + MINUTE))

    assert told(venue.rows(row(11, 13, 8, 11, n=1))) == [("EXIT1", 10, 11), ("STOP1", "flat"), ("TARGET1", "flat")]


def test_cancelling_an_unfilled_parent_cancels_its_children() -> None:
    venue = bracketed(kind=LIMIT, limit_price=5)

    assert told(venue.send(cancel())) == [("ENTRY", "asked"), ("STOP1", "parent"), ("TARGET1", "parent")]


def test_an_exit_at_the_open_comes_before_a_stop_that_triggers_later_in_the_bar() -> None:
    venue = bracketed()
    venue.rows(row(10, 10, 10, 10, n=0))
    venue.send(leave(quantity=4, decision_ns=START_NS + MINUTE))

    assert told(venue.rows(row(11, 11, 8, 9, n=1)))[:2] == [("EXIT1", 4, 11), ("STOP1", 6, 9)]


def test_cancelling_a_partly_filled_parent_keeps_its_children() -> None:
    venue = limited("0.05")
    venue.send(entry(LIMIT, limit_price=10), stop(9))
    venue.rows(row(10, 10, 10, 10, n=0, size=120))

    assert told(venue.send(cancel())) == [("ENTRY", "asked")]
    assert told(venue.rows(row(9, 9, 9, 9, n=1))) == [("STOP1", 6, 9), ("STOP1", "flat")]


def test_an_expired_parent_takes_its_children_along() -> None:
    venue = Venue()
    venue.send(entry(LIMIT, limit_price=5, expires_ns=START_NS + 7), stop(4))

    assert venue.book.due(START_NS + 6) == []
    assert venue.book.due_ns == START_NS + 7
    assert venue.book.due(START_NS + 7) == [(START_NS + 7, "g/ENTRY")]
    assert told(venue.book.expire("g/ENTRY")) == [("ENTRY", "Expired"), ("STOP1", "parent")]
    assert venue.book.expire("g/ENTRY") == []


# ----------------------------------------------------------------------------------- replacement


def test_a_new_stop_takes_the_place_of_the_old_one() -> None:
    venue = bracketed()
    venue.rows(row(10, 10, 10, 10, n=0))

    moved = venue.send(stop(9.5, "STOP2", replaces="g/STOP1", decision_ns=START_NS + MINUTE))

    assert told(moved) == [("STOP1", "replaced"), ("STOP2", "Accepted")]
    assert told(venue.rows(row(10, 10, 9.4, 10, n=1))) == [("STOP2", 10, 9.5), ("TARGET1", "flat")]


def test_until_a_moved_stop_is_there_the_old_trigger_holds() -> None:
    venue = bracketed()
    venue.rows(row(10, 10, 10, 10, n=0))
    venue.send(stop(9.5, "STOP2", replaces="g/STOP1", decision_ns=START_NS + MINUTE + 1))

    too_early = venue.rows(row(10, 10, 9.4, 10, n=1))
    old_trigger = venue.rows(row(10, 10, 8.9, 10, n=1))

    assert too_early == []
    assert told(old_trigger) == [("STOP2", 10, 9), ("TARGET1", "flat")]


def test_the_old_trigger_survives_two_moves_within_the_latency() -> None:
    venue = Venue(FREE.model_copy(update={"latency_ns": 100}))
    venue.send(entry(), stop(9))
    venue.rows(print_(10, n=200))
    venue.send(stop(9.5, "STOP2", replaces="g/STOP1", decision_ns=START_NS + 300))
    venue.send(stop(9.7, "STOP3", replaces="g/STOP2", decision_ns=START_NS + 350))

    assert told(venue.rows(print_(9.2, n=390), print_(9, n=391)))[0] == ("STOP3", 10, 9)


def test_replacing_what_is_not_working_is_rejected() -> None:
    venue = bracketed()
    venue.rows(row(10, 10, 10, 10, n=0))
    venue.send(cancel("STOP1"))

    assert told(venue.send(stop(9.5, "STOP2", replaces="g/STOP1"))) == [("STOP2", "NO_ORDER")]


def test_a_triggered_stop_cannot_be_replaced() -> None:
    venue = limited("0.05")
    venue.send(entry(), stop(9))
    venue.rows(row(10, 10, 10, 10, n=0), row(8, 8, 8, 8, n=1, size=60))

    assert told(venue.send(stop(5, "STOP2", replaces="g/STOP1"))) == [("STOP2", "NO_ORDER")]


def test_a_replaced_target_keeps_its_place_among_the_targets() -> None:
    venue = limited("0.05")
    venue.send(entry(LIMIT, limit_price=10), stop(5), target(14, quantity=5), target(12, "TARGET2", quantity=5))
    venue.rows(row(10, 10, 10, 10, n=0, size=120))
    venue.send(target(13, "TARGET1b", quantity=5, replaces="g/TARGET1", decision_ns=START_NS + MINUTE))

    assert told(venue.rows(row(13, 13, 13, 13, n=1))) == [("TARGET2", 1, 13), ("TARGET1b", 5, 13)]


def test_every_rule_leaves_a_book_that_starts_anew_from_its_snapshot() -> None:
    venue = bracketed(limited("0.05"))
    venue.rows(row(10, 10, 10, 10, n=0, size=120))
    copy = PaperBook(venue.book._table, venue.book._settings)

    copy.restore(venue.book.snapshot())

    assert copy.snapshot() == venue.book.snapshot()
    assert copy.triggers(0) == venue.book.triggers(0)
    assert copy.match(row(12, 12, 8, 12, n=1)) == venue.book.match(row(12, 12, 8, 12, n=1))
