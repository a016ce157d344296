"""The paper book's matching rules, each by name, on the smallest row that shows it."""

from decimal import Decimal

import msgspec
import pytest

from adapters.paper import PaperBook
from adapters.paper_orders import Resting
from adapters.paper_share import Share
from engine.messages import FOREVER_NS, Expired, Fill, OrderKind, Role, Side, TimeInForce
from engine.timeframes import DAY_NS
from tests.makers import START_NS, instrument, table
from tests.market_rig import FREE, MINUTE, Venue, cancel, entry, leave, order, print_, row, stop, target, told

HOUR = 60 * MINUTE
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

    fills = venue.rows(print_(10, n=1, size=100), print_(11, n=2, size=79), print_(12, n=3, size=0), print_(13, n=4))

    assert told(fills) == [("ENTRY", 5, 10), ("ENTRY", 3, 11), ("ENTRY", 2, 13)]
    assert [fact.remaining for fact in fills if isinstance(fact, Fill)] == [5, 2, 0]
    assert [fact.execution_id for fact in fills if isinstance(fact, Fill)] == ["g/ENTRY#1", "g/ENTRY#2", "g/ENTRY#3"]


def test_rows_too_small_for_a_lot_add_up_to_one() -> None:
    venue = limited("0.05")
    venue.send(entry(quantity=3))

    small = [print_(10, n=1 + n, size=8) for n in range(8)]

    # 8 shares offer 0.4 of a share: 0.4, 0.8, 1.2, then 0.6, 1.0, then 0.4, 0.8, 1.2.
    assert [len(venue.rows(one)) for one in small] == [0, 0, 1, 0, 1, 0, 0, 1]


def test_a_protective_stop_fills_on_rows_too_small_for_a_lot() -> None:
    venue = limited("0.05")
    venue.send(entry(quantity=2), stop(9, quantity=2))
    venue.rows(row(10, 10, 10, 10, n=0))

    fills = venue.rows(*(row(8.9 - n / 10, 9, 8, 8, n=1 + n, size=10) for n in range(4)))

    assert told(fills) == [("STOP1", 1, 8.8), ("STOP1", 1, 8.6)]


def test_an_order_keeps_only_what_rows_that_reached_it_offered() -> None:
    venue = limited("0.05")
    venue.send(entry(LIMIT, limit_price=9, quantity=1))

    above = venue.rows(*(print_(10, n=1 + n, size=19) for n in range(5)))
    reached = venue.rows(print_(9, n=8, size=19), print_(9, n=9, size=19))

    assert above == []
    assert told(reached) == [("ENTRY", 1, 9)]


def test_what_an_order_does_not_need_goes_to_the_next() -> None:
    venue = limited("0.05")
    venue.send(entry(quantity=1), entry(order_id="h/NEXT", group="h", quantity=5))

    assert venue.rows(print_(10, n=1, size=15)) == []
    assert told(venue.rows(print_(10, n=2, size=15))) == [("ENTRY", 1, 10)]
    # 0.75 kept by the first order; of the second row it took 0.25, and 0.5 went on.
    assert told(venue.rows(print_(10, n=3, size=10))) == [("NEXT", 1, 10)]


def offered_before(quantity: int, unused: str) -> Resting:
    """An order that earlier rows have offered `unused` of a lot."""
    return Resting(order=entry(quantity=quantity), number=1, unused=Decimal(unused))


def half_of(size: int) -> Share:
    return Share(print_(10, size=size), instrument("AAA"), FREE.model_copy(update={"participation": Decimal("0.5")}))


def test_all_executions_of_a_row_are_no_larger_than_the_row() -> None:
    first, second, share = offered_before(1, "0.99"), offered_before(1, "0.99"), half_of(1)

    assert [share.take(one, Decimal(1), limited=True) for one in (first, second)] == [1, 0]
    assert [first.unused, second.unused] == [0, 1]


def test_an_order_that_has_what_it_wants_has_used_its_offers_first() -> None:
    one, share = offered_before(10, "0.9"), half_of(8)

    assert share.take(one, Decimal(1), limited=True) == 1
    assert one.unused == 0
    assert share.take(offered_before(10, "0"), Decimal(10), limited=True) == 3


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
    # The half share that was left of the first row is the next order's, so three are left for the last.
    assert told(venue.rows(row(9.3, 10, 9, 9.5, n=1, size=250))) == [("ENTRY", 10, 9.3), ("low", 3, 9.3)]


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


# ------------------------------------------------------------------------------------ how long

NOON = START_NS // DAY_NS * DAY_NS + DAY_NS // 2
MIDNIGHT = NOON + DAY_NS // 2


@pytest.mark.parametrize(("decision_ns", "ends_ns"), [(NOON, MIDNIGHT), (MIDNIGHT, MIDNIGHT + DAY_NS)])
def test_a_day_order_ends_at_the_next_midnight_utc(decision_ns: int, ends_ns: int) -> None:
    venue = Venue()
    venue.send(entry(LIMIT, limit_price=9, time_in_force=TimeInForce.DAY, decision_ns=decision_ns))

    assert venue.book.due_ns == ends_ns
    assert venue.book.due(ends_ns - 1) == []
    (expired,) = venue.book.expire("g/ENTRY")
    assert (type(expired), expired.time_ns) == (Expired, ends_ns)


def test_a_day_order_ends_at_the_close_of_the_session_where_that_is_known() -> None:
    venue = Venue()
    one = entry(LIMIT, limit_price=9, decision_ns=NOON, expires_ns=NOON + 4 * HOUR)
    venue.send(msgspec.structs.replace(one, time_in_force=TimeInForce.DAY))

    assert venue.book.due_ns == NOON + 4 * HOUR


def test_a_day_order_does_not_fill_on_a_row_of_the_next_day() -> None:
    venue = Venue()
    venue.send(entry(time_in_force=TimeInForce.DAY, decision_ns=NOON))
    n = (MIDNIGHT - START_NS) // MINUTE

    assert venue.rows(row(10, 10, 10, 10, n=n)) == []
    assert told(venue.rows(row(10, 10, 10, 10, n=n - 1))) == [("ENTRY", 10, 10)]


def test_a_good_till_date_order_says_its_date() -> None:
    assert told(Venue().send(entry(time_in_force=TimeInForce.GTD))) == [("ENTRY", "EXPIRY")]


def test_a_good_till_cancelled_order_is_never_due() -> None:
    venue = Venue()
    venue.send(entry(LIMIT, limit_price=9))

    assert (venue.book.due_ns, venue.book.due(FOREVER_NS - 1)) == (FOREVER_NS, [])


# ------------------------------------------------------------------------------ buying power, halts


def paid(cash: int, **changes: object) -> Venue:
    """A venue that lends nothing beyond `cash`."""
    venue = Venue(FREE.model_copy(update=changes))
    venue.book = PaperBook(table("AAA", "BBB"), FREE.model_copy(update=changes), Decimal(cash))
    return venue


@pytest.mark.parametrize(("price", "word"), [(10, "Accepted"), (10.01, "BUYING_POWER")])
def test_an_entry_costs_no_more_than_the_account_has(price: float, word: str) -> None:
    assert told(paid(100).send(entry(LIMIT, limit_price=price))) == [("ENTRY", word)]


def test_entries_that_work_tie_up_what_they_may_cost() -> None:
    venue = paid(150)
    venue.send(entry(LIMIT, limit_price=10))
    second = entry(LIMIT, limit_price=6, order_id="h/ENTRY", group="h")

    assert told(venue.send(second)) == [("ENTRY", "BUYING_POWER")]
    venue.send(cancel())
    assert told(venue.send(msgspec.structs.replace(second, order_id="h/AGAIN"))) == [("AGAIN", "Accepted")]


def test_what_is_sold_can_be_spent_again_with_its_profit() -> None:
    venue = paid(100)
    venue.send(entry(), stop(9), target(12))
    venue.rows(row(10, 10, 10, 10))
    more = {"group": "h", "limit_price": 12}

    assert told(venue.send(entry(LIMIT, order_id="h/1", **more))) == [("1", "BUYING_POWER")]
    venue.rows(row(12, 12, 12, 12, n=1))
    assert told(venue.send(entry(LIMIT, order_id="h/2", **more))) == [("2", "Accepted")]


def test_a_loss_and_its_costs_lower_what_can_be_spent() -> None:
    venue = paid(101, stock_minimum=Decimal(1))
    venue.send(entry(), stop(9))
    venue.rows(row(10, 10, 9, 9))
    more = {"group": "h", "kind": LIMIT, "quantity": 8}

    # 101 - 10 lost - 2 in commissions; the next entry costs a commission too.
    assert told(venue.send(order("1", order_id="h/1", limit_price=11.01, **more))) == [("1", "BUYING_POWER")]
    assert told(venue.send(order("2", order_id="h/2", limit_price=11, **more))) == [("2", "Accepted")]


def test_a_short_ties_up_its_worth_and_frees_it_with_its_profit() -> None:
    venue = paid(100)
    venue.send(entry(**sell()), target(8, side=Side.BUY))
    venue.rows(row(10, 10, 10, 10))
    more = {"group": "h", "limit_price": 12}

    assert told(venue.send(entry(LIMIT, order_id="h/1", **more))) == [("1", "BUYING_POWER")]
    venue.rows(row(8, 8, 8, 8, n=1))
    assert told(venue.send(entry(LIMIT, order_id="h/2", **more))) == [("2", "Accepted")]


def test_leverage_multiplies_what_can_be_spent() -> None:
    venue = paid(100, leverage=Decimal(2))
    venue.send(entry())
    venue.rows(row(10, 10, 10, 10))

    assert told(venue.send(entry(LIMIT, order_id="h/1", group="h", limit_price=10.01))) == [("1", "BUYING_POWER")]
    assert told(venue.send(entry(LIMIT, order_id="h/2", group="h", limit_price=10))) == [("2", "Accepted")]


def test_an_exit_needs_no_buying_power() -> None:
    venue = paid(100)
    venue.send(entry())
    venue.rows(row(10, 10, 10, 10))

    assert told(venue.send(stop(9), target(12), leave())) == [
        ("STOP1", "Accepted"),
        ("TARGET1", "Accepted"),
        ("EXIT1", "Accepted"),
    ]


def test_what_is_not_traded_is_rejected() -> None:
    venue = Venue(FREE.model_copy(update={"halted": ("AAA",)}), table("AAA", "BBB"))

    assert told(venue.send(entry())) == [("ENTRY", "HALTED")]
    assert told(venue.send(entry(order_id="h/ENTRY", group="h", symbol="BBB"))) == [("ENTRY", "Accepted")]


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
