"""Stops that move, structures that break, time that runs out, campaigns that end."""

from decimal import Decimal

import pytest

from engine.brackets import entry_order, stop_order, target_order, target_prices, target_quantities
from engine.campaigns.exits import breakeven_stop, has_earned_one_r, may_move, trailing_stop
from engine.campaigns.performance import Lot
from engine.messages import Action, CampaignChange, EventKind, Intent, Phase, StrategyMark, Unwatch, Watch, WatchKind
from tests.campaigns.campaign_makers import (
    CAMPAIGN,
    NAN,
    Line,
    accepted,
    cancelled,
    closed,
    day,
    detections,
    event,
    expired,
    fill,
    intents,
    kinds,
    of,
    only,
    phase,
    rejected,
    states,
)
from tests.makers import instrument
from tests.market_rig import Venue, row, told
from tests.risk.facts import enter

SPRING = f"{CAMPAIGN}/SPRING/1"
LPS = f"{CAMPAIGN}/LPS/1"


def in_spring(quantity: int = 100, costs: str = "0") -> Line:
    """Long 100 at 101 since day 22, stop 97, targets 110, 122, 134, spring low 97.5."""
    line = Line()
    line.send(detections(event(EventKind.SPRING, 20)), accepted(SPRING))
    line.send(fill(SPRING, quantity=quantity, costs=costs))
    return line


def in_lps() -> Line:
    """Long 100 at 111 since day 22, stop 108; the range ends at 110, ATR 1."""
    line = Line()
    line.enter(EventKind.LPS, at=20, price=111)
    return line


def test_breakeven_covers_the_costs_of_both_ways() -> None:
    lot = Lot(
        entered=Decimal(100),
        entry_value=Decimal(10_100),
        entry_costs=Decimal(2),
        exited=Decimal(50),
        exit_costs=Decimal("0.52"),
    )

    assert breakeven_stop(instrument(), lot) == Decimal("101.04")
    assert breakeven_stop(instrument(point_value=Decimal(10)), lot) == Decimal("101.01")


def test_trail_is_the_higher_of_swing_and_close() -> None:
    assert trailing_stop(instrument(), swing=120.0, close=125.0, atr=2.0) == Decimal("119.50")
    assert trailing_stop(instrument(), swing=110.0, close=125.0, atr=2.0) == Decimal("119.00")


def test_a_stop_moves_towards_profit_and_stays_below_the_market() -> None:
    assert may_move(Decimal(101), previous=Decimal(100), market=Decimal(102))
    assert not may_move(Decimal(100), previous=Decimal(100), market=Decimal(102))
    assert not may_move(Decimal(99), previous=Decimal(100), market=Decimal(102))
    assert not may_move(Decimal(102), previous=Decimal(100), market=Decimal(102))


def test_one_r_is_the_distance_to_the_first_stop() -> None:
    lot = Lot(entered=Decimal(100), entry_value=Decimal(10_100))

    assert has_earned_one_r(lot, Decimal(97), 105.0)
    assert not has_earned_one_r(lot, Decimal(97), 104.99)


def test_the_first_target_moves_the_stop_to_breakeven_once() -> None:
    line = in_spring(costs="1")

    first = line.send(fill(SPRING, "TARGET1", quantity=20, price=110, at=25, costs="0.2"))
    second = line.send(fill(SPRING, "TARGET1", quantity=30, price=110, at=26, costs="0.3"))

    move = only(Action.MOVE_STOP, first)
    assert (move.intent_id, move.group) == (f"{SPRING}/MOVE_STOP-2", SPRING)
    assert (move.stop_price, move.decision_ns) == (Decimal("101.02"), day(25))
    assert (move.entry_price, move.limit_price, move.target_1, move.risk_bp) == (0, 0, 0, 0)
    assert second == []


def test_breakeven_at_or_above_the_market_is_not_asked_for() -> None:
    line = in_spring(costs="900")

    assert line.send(fill(SPRING, "TARGET1", quantity=50, price=110, at=25)) == []


def test_a_small_position_without_a_first_target_still_gets_breakeven_and_trail() -> None:
    line = in_spring(quantity=2)

    added = line.send(fill(SPRING, "TARGET2", quantity=1, price=122, at=25))

    assert only(Action.MOVE_STOP, added).stop_price == 101
    assert [one.kind for one in of(Watch, added)] == [WatchKind.SWING_LOW]


def test_after_the_second_target_the_stop_trails_and_never_falls() -> None:
    line = in_spring()
    line.send(fill(SPRING, "TARGET1", quantity=50, price=110, at=25))
    trail = f"{SPRING}/watch/TRAIL"

    added = line.send(fill(SPRING, "TARGET2", quantity=30, price=122, at=30))
    watch = of(Watch, added)[0]
    up = line.fire(trail, at=33, price=120.0, close=123.0, atr=2.0)
    down = line.fire(trail, at=36, price=118.0, close=121.0, atr=2.0)
    above_market = line.fire(trail, at=39, price=125.0, close=121.0, atr=2.0)
    higher = line.fire(trail, at=42, price=121.0, close=128.0, atr=2.0)

    assert (watch.watch_id, watch.kind, watch.timeframe) == (trail, WatchKind.SWING_LOW, "1d")
    assert only(Action.MOVE_STOP, up).intent_id == f"{SPRING}/MOVE_STOP-3"
    assert only(Action.MOVE_STOP, up).stop_price == Decimal("119.5")
    assert intents(Action.MOVE_STOP, down + above_market) == []
    assert only(Action.MOVE_STOP, higher).stop_price == 122
    assert [len(of(Watch, one)) for one in (up, down, above_market, higher)] == [1, 1, 1, 1]


def test_a_close_below_the_spring_low_ends_a_spring_leg() -> None:
    line = in_spring()
    watch = next(one for one in of(Watch, line.out) if one.kind is WatchKind.CLOSE_BELOW)

    added = line.fire(watch.watch_id, at=25, price=97.2, close=97.2, atr=1.0)

    assert (watch.watch_id, watch.level) == (f"{SPRING}/watch/INVALID", 97.5)
    leave = only(Action.EXIT, added)
    assert (leave.intent_id, leave.reason) == (f"{SPRING}/EXIT-1", "close 97.2 below 97.5")
    assert not any((leave.entry_price, leave.limit_price, leave.stop_price, leave.target_1, leave.risk_bp))


def test_two_closes_below_the_range_top_end_an_lps_leg() -> None:
    line = in_lps()
    watch = next(one for one in of(Watch, line.out) if one.kind is WatchKind.CLOSE_BELOW)

    once = line.fire(watch.watch_id, at=25, price=108.9)
    twice = line.fire(watch.watch_id, at=27, price=108.8)

    assert watch.level == 109.0
    assert [one.watch_id for one in of(Watch, once)] == [watch.watch_id]
    assert not intents(Action.EXIT, once)
    assert only(Action.EXIT, twice).group == LPS


@pytest.mark.parametrize(("close", "leaves"), [(104.99, True), (105.0, False)])
def test_a_leg_that_has_not_earned_one_r_in_time_is_closed(close: float, leaves: bool) -> None:
    line = in_spring()
    watch = next(one for one in of(Watch, line.out) if one.watch_id.endswith("/TIME"))
    assert watch.time_ns == day(22 + 30)

    line.send(closed(22, *[101.0] * 29, close))
    added = line.fire(watch.watch_id, at=52)

    assert len(intents(Action.EXIT, added)) == leaves
    assert not [one for one in of(Watch, added) if one.watch_id == watch.watch_id]


def test_the_time_stop_counts_bars_not_days() -> None:
    line = in_spring()

    line.send(closed(22, *[101.0] * 20))
    added = line.fire(f"{SPRING}/watch/TIME", at=52)

    assert [one.time_ns for one in of(Watch, added)] == [day(62)]
    assert not intents(Action.EXIT, added)


def test_a_failed_spring_closes_the_leg_and_the_campaign_fails_when_flat() -> None:
    line = in_spring()

    asked = line.send(detections(event(EventKind.SPRING_FAILED, 25)))
    again = line.send(detections(event(EventKind.RANGE_FAILED, 26)))
    flat = line.send(fill(SPRING, "EXIT1", price=97, at=27))

    assert only(Action.EXIT, asked).intent_id == f"{SPRING}/EXIT-1"
    assert kinds(asked) == []
    assert again == []
    (change,) = of(CampaignChange, flat)
    assert (change.kind, change.state, change.cause) == (
        "CAMPAIGN_FAILED",
        "INVALIDATED",
        "SPRING_FAILED SPRING_FAILED@25",
    )


def test_a_failed_range_takes_back_what_waits_and_ends_when_that_is_gone() -> None:
    line = Line()
    line.send(detections(event(EventKind.SPRING, 20)), accepted(SPRING))

    added = line.send(detections(event(EventKind.RANGE_FAILED, 21)))
    gone = line.send(cancelled(SPRING))

    assert only(Action.CANCEL, added).group == SPRING
    assert kinds(added) == []
    assert states(gone) == ["INVALIDATED"]


def test_a_fill_after_the_structure_broke_is_closed_at_once() -> None:
    line = Line()
    line.send(detections(event(EventKind.SPRING, 20)), accepted(SPRING))
    line.send(detections(event(EventKind.RANGE_FAILED, 21)))

    added = line.send(fill(SPRING, at=22))

    assert only(Action.EXIT, added).group == SPRING


def test_an_exit_takes_the_rest_of_its_entry_back_first() -> None:
    line = Line()
    line.send(detections(event(EventKind.SPRING, 20)), accepted(SPRING))
    line.send(fill(SPRING, quantity=40, remaining=60))

    added = line.send(detections(event(EventKind.SPRING_FAILED, 25)))
    stopped = line.send(fill(SPRING, "STOP1", quantity=40, price=97, at=26))
    done = line.send(cancelled(SPRING, at=27))

    assert [one.action for one in added if hasattr(one, "action")] == [Action.CANCEL, Action.EXIT]  # type: ignore[attr-defined]
    assert stopped == []
    assert states(done) == ["INVALIDATED"]


def test_every_exit_takes_the_rest_of_its_entry_back_first() -> None:
    line = Line()
    line.send(detections(event(EventKind.SPRING, 20)), accepted(SPRING))
    line.send(fill(SPRING, quantity=40, remaining=60))

    added = line.fire(f"{SPRING}/watch/INVALID", at=25, price=97.0)

    assert [one.action for one in of(Intent, added)] == [Action.CANCEL, Action.EXIT]


def test_a_first_target_that_closes_everything_moves_no_stop() -> None:
    line = in_spring()

    assert of(Intent, line.send(fill(SPRING, "TARGET1", quantity=100, price=110, at=25))) == []


def test_a_leg_that_is_leaving_moves_no_stop() -> None:
    line = in_spring()
    line.send(fill(SPRING, "TARGET2", quantity=30, price=122, at=26))
    line.send(detections(event(EventKind.SPRING_FAILED, 28)))

    assert of(Intent, line.fire(f"{SPRING}/watch/TRAIL", at=30, price=120.0, close=123.0, atr=2.0)) == []


def test_a_swing_without_atr_moves_no_stop_and_is_watched_for_again() -> None:
    line = in_spring()
    line.send(fill(SPRING, "TARGET2", quantity=30, price=122, at=26))

    added = line.fire(f"{SPRING}/watch/TRAIL", at=30, price=120.0, close=123.0, atr=NAN)

    assert [type(one) for one in added] == [Watch]


def test_a_leg_entered_on_a_mark_has_no_structure_to_watch() -> None:
    line = Line()
    group = "AAA-2020-01-21/LPS/1"
    line.send(detections(StrategyMark("scripted", "AAA", "1d", day(20), 110.0), at=20), accepted(group))

    added = line.send(fill(group, price=111))

    assert [one.watch_id for one in of(Watch, added)] == [f"{group}/watch/TIME"]


def test_a_broken_campaign_enters_nothing_while_it_leaves() -> None:
    line = in_spring()
    line.send(detections(event(EventKind.SPRING_FAILED, 25)))

    added = line.send(detections(event(EventKind.LPS, 26, score=95.0)))

    assert of(Intent, added) == []
    assert of(CampaignChange, added)[-1].cause.startswith("LPS not entered: structure broken: SPRING_FAILED")


def test_a_range_that_fails_at_the_same_close_as_its_pattern_ends_without_an_entry() -> None:
    added = Line().send(detections(event(EventKind.SPRING, 20), event(EventKind.RANGE_FAILED, 20)))

    assert states(added)[-1] == "INVALIDATED"
    assert of(Intent, added) == []


def test_a_failed_sos_leaves_a_waiting_spring_alone() -> None:
    line = Line()
    line.send(detections(event(EventKind.SPRING, 20)))

    assert of(Intent, line.send(detections(event(EventKind.SOS_FAILED, 22)))) == []


def test_an_entry_that_fills_on_while_its_leg_closes_is_taken_back() -> None:
    line = Line()
    line.send(detections(event(EventKind.SPRING, 20)), accepted(SPRING))
    line.send(fill(SPRING, quantity=40, remaining=60))

    added = line.send(fill(SPRING, "TARGET1", quantity=20, price=110, at=25))

    assert only(Action.CANCEL, added).group == SPRING


def test_an_exit_that_is_not_accepted_within_a_bar_is_asked_again() -> None:
    line = in_spring()
    line.send(detections(event(EventKind.SPRING_FAILED, 25)))

    again = line.fire(f"{SPRING}/watch/LEAVE", at=27)
    heard = line.send(accepted(SPRING, "EXIT2", at=28))

    assert only(Action.EXIT, again).intent_id == f"{SPRING}/EXIT-2"
    assert of(Watch, again)[0].time_ns == day(28)
    assert heard == [Unwatch(f"{SPRING}/watch/LEAVE")]


def test_what_fills_while_leaving_is_left_too() -> None:
    line = Line()
    line.send(detections(event(EventKind.SPRING, 20)), accepted(SPRING))
    line.send(fill(SPRING, quantity=40, remaining=60))
    line.send(detections(event(EventKind.SPRING_FAILED, 25)), fill(SPRING, quantity=60, at=26))

    partial = line.send(fill(SPRING, "EXIT1", quantity=30, price=97, at=27, remaining=10))
    whole = line.send(fill(SPRING, "EXIT1", quantity=10, price=97, at=27))

    assert not intents(Action.EXIT, partial)
    assert only(Action.EXIT, whole).intent_id == f"{SPRING}/EXIT-2"


def test_a_refused_exit_is_asked_again_three_times_in_all() -> None:
    line = in_spring()
    line.send(detections(event(EventKind.SPRING_FAILED, 25)))

    asked = [only(Action.EXIT, line.send(rejected(SPRING, f"EXIT{n}"))).intent_id for n in (1, 2)]
    no_more = line.send(rejected(SPRING, "EXIT3"))

    assert asked == [f"{SPRING}/EXIT-2", f"{SPRING}/EXIT-3"]
    assert intents(Action.EXIT, no_more) == []


def test_a_position_whose_stop_is_rejected_is_closed() -> None:
    line = in_spring()

    assert line.send(expired(SPRING, "STOP1"), rejected(SPRING, "STOP9")) == []
    assert only(Action.EXIT, line.send(rejected(SPRING, "STOP1"))).reason == "protective stop rejected"


def test_an_upthrust_of_the_distribution_ends_a_markup() -> None:
    line = in_lps()
    upthrust = event(EventKind.SPRING, 40, direction=-1, score=70.0)

    before = line.send(detections(upthrust))
    line.send(detections(event(EventKind.LPS, 30)), detections(phase(Phase.E), at=31))
    weak = line.send(detections(event(EventKind.SPRING, 40, direction=-1, score=69.9)))
    elsewhere = line.send(detections(event(EventKind.SPRING, 40, direction=-1, timeframe="4h")))
    added = line.send(detections(upthrust))

    assert before == weak == elsewhere == []
    assert only(Action.EXIT, added).reason == "opposite SPRING SPRING@40"


def test_a_campaign_completes_when_flat_with_its_outcome_and_drops_its_watches() -> None:
    line = in_spring()

    added = line.send(fill(SPRING, "STOP1", price=97, at=25))

    (change,) = of(CampaignChange, added)
    assert (change.kind, change.state) == ("CAMPAIGN_COMPLETED", "COMPLETED")
    assert change.cause == "flat: pnl -400.00, -1.00 R"
    assert [one.watch_id for one in of(Unwatch, added)] == [
        f"{SPRING}/watch/INVALID",
        f"{SPRING}/watch/TIME",
        f"{CAMPAIGN}/watch/CLOCK",
    ]
    assert line.manager.campaigns == ()


def test_a_leg_that_closes_leaves_the_others_and_the_campaign_alone() -> None:
    line = in_spring()
    line.enter(EventKind.SOS, at=24, price=112)

    added = line.send(fill(SPRING, "TARGET3", price=134, at=30))

    assert kinds(added) == []
    assert all(one.watch_id.startswith(SPRING) for one in of(Unwatch, added))
    assert line.manager.campaigns[0].holds


def test_every_watch_that_is_set_fires_once_or_is_taken_back() -> None:
    line = in_spring()
    line.send(fill(SPRING, "TARGET1", quantity=50, price=110, at=25))
    line.send(fill(SPRING, "TARGET2", quantity=30, price=122, at=26))
    line.send(fill(SPRING, "TARGET3", quantity=20, price=134, at=27))

    out: list[str] = []
    for one in line.out:
        if isinstance(one, Watch):
            assert one.watch_id not in out
            out.append(one.watch_id)
        elif isinstance(one, Unwatch):
            out.remove(one.watch_id)
    assert out == []


def test_a_target_that_price_crosses_again_is_one_partial() -> None:
    """A bracket in the paper book: half, three tenths and the rest of the initial quantity, each once."""
    venue, intent = Venue(), enter(target_1=110, target_2=120, target_3=130)
    parts = target_quantities(instrument(), Decimal(15))
    venue.send(entry_order(intent, Decimal(15)), stop_order(intent, Decimal(15), 1))
    for n, (price, part) in enumerate(zip(target_prices(intent), parts, strict=True), start=1):
        venue.send(target_order(intent, part, f"TARGET{n}", price))
    venue.rows(row(100, 100, 100, 100, n=0, size=1_000))

    fills = venue.rows(*(row(105, 111, 104, 105, n=1 + n) for n in range(3)), row(119, 131, 119, 130, n=5))

    assert parts == (7, 4, 4)
    assert [(str(name).rpartition("/")[2], *rest) for name, *rest in told(fills)] == [
        ("TARGET1", 7.0, 110.0),
        ("TARGET2", 4.0, 120.0),
        ("TARGET3", 4.0, 130.0),
        ("STOP1", "flat"),
    ]
