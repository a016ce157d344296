"""What keeps a campaign from entering whatever its strategy says, and facts that come late or twice."""

from collections.abc import Callable
from decimal import Decimal

import msgspec
import pytest

from engine.campaigns import book as book_module
from engine.campaigns import entries as entries_module
from engine.campaigns import positions as positions_module
from engine.campaigns.book import CampaignBook
from engine.executions import Executions
from engine.messages import (
    Action,
    BarTaint,
    CampaignChange,
    CampaignState,
    Cancelled,
    Declined,
    EventKind,
    Leg,
    Warned,
)
from engine.ports import Decline, Item
from tests.campaigns.campaign_makers import (
    CAMPAIGN,
    Line,
    Scripted,
    accepted,
    closed,
    day,
    detections,
    event,
    fill,
    intents,
    of,
    only,
    states,
)

SPRING, SOS, LPS = (f"{CAMPAIGN}/{leg}/1" for leg in ("SPRING", "SOS", "LPS"))
LATER = {"range_start_ns": day(30)}


def restored(line: Line) -> Line:
    copy = Line()
    copy.manager.restore(line.manager.snapshot())
    return copy


def taint(at: int, **changes: object) -> BarTaint:
    fields: dict[str, object] = {
        "time_ns": day(at + 1), "symbol": "AAA", "timeframe": "1d", "open_ns": day(at), "reason": "late",
    }  # fmt: skip
    return BarTaint(**(fields | changes))  # type: ignore[arg-type]


def declined(items: list[Item]) -> list[tuple[str, str]]:
    return [(one.stage, one.code) for one in of(Declined, items)]


@pytest.mark.parametrize("doubtful", [19, 20])
def test_nothing_is_bought_on_a_bar_in_doubt(doubtful: int) -> None:
    line = Line()
    line.send(taint(doubtful))

    found = restored(line).send(detections(event(EventKind.SPRING, 20)))

    assert not intents(Action.ENTER, found)
    assert declined(found) == [("DATA", "DATA_TAINT")]


@pytest.mark.parametrize(
    "other", [taint(18), taint(21), taint(20, symbol="BBB"), taint(20, timeframe="1h")],
    ids=("before", "after", "symbol", "frame"),
)  # fmt: skip
def test_a_doubt_about_another_bar_holds_nobody_back(other: BarTaint) -> None:
    line = Line()
    assert line.send(other) == []

    assert intents(Action.ENTER, line.send(detections(event(EventKind.SPRING, 20))))


def test_doubts_are_remembered_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(book_module, "TAINTS_KEPT", 3)
    line = Line()

    line.send(*(taint(number) for number in range(17, 21)))

    assert len(line.manager._book._tainted) == 3
    assert not line.manager._book.tainted("AAA", "1d", (day(17), day(17)))
    assert line.manager._book.tainted("AAA", "1d", (day(18), day(20))) == "late"


def stopped_out(**changes: object) -> Line:
    """A spring bought at 101 that its stop has sold at 97, on day 25."""
    line = Line(**changes)
    group = line.enter(EventKind.SPRING, at=20, price=101)
    line.send(fill(group, "STOP1", price=97, at=25))
    assert states(line.out)[-1] == "COMPLETED"
    return line


def test_after_a_stop_out_the_symbol_is_left_alone_for_five_trading_days() -> None:
    line = stopped_out()
    line.send(closed(25, *[97.0] * 4))

    early = line.send(detections(event(EventKind.SPRING, 31, **LATER)))
    line = restored(line)
    line.send(closed(29, 97.0))
    late = line.send(detections(event(EventKind.SPRING, 32, event_id="next", **LATER)))

    assert declined(early) == [("STRATEGY", "STRAT_COOLDOWN")]
    assert of(Declined, early)[0].value == 1.0
    assert intents(Action.ENTER, late)


def test_another_symbol_is_not_left_alone() -> None:
    line = stopped_out()

    found = line.send(detections(event(EventKind.SPRING, 31, symbol="BBB", **LATER)))

    assert intents(Action.ENTER, found)


def test_where_no_daily_bars_are_built_the_calendar_ends_a_cooldown() -> None:
    line = stopped_out()

    before = line.send(detections(event(EventKind.SPRING, 33, **LATER)))
    after = line.send(detections(event(EventKind.SPRING, 34, event_id="next", **LATER)))

    assert declined(before) == [("STRATEGY", "STRAT_COOLDOWN")]
    assert intents(Action.ENTER, after)


@pytest.mark.parametrize(
    ("price", "order", "days"), [(102, "STOP1", 5), (97, "TARGET1", 5), (97, "STOP1", 0)],
    ids=("profit", "no stop", "no days"),
)  # fmt: skip
def test_only_a_loss_by_stop_or_structure_is_followed_by_a_cooldown(price: int, order: str, days: int) -> None:
    line = Line(cooldown_days=dict.fromkeys(("stock", "crypto", "fx", "future"), days))
    group = line.enter(EventKind.SPRING, at=20, price=101)
    line.send(fill(group, order, price=price, at=25))

    assert intents(Action.ENTER, line.send(detections(event(EventKind.SPRING, 31, **LATER))))


def test_a_broken_structure_is_followed_by_a_cooldown_where_something_was_held() -> None:
    held, never = Line(), Line()
    group = held.enter(EventKind.SPRING, at=20, price=101)
    held.send(detections(event(EventKind.SPRING_FAILED, 23)), fill(group, "EXIT1", price=102, at=25))
    never.send(detections(event(EventKind.SPRING, 20)), detections(event(EventKind.RANGE_FAILED, 21)))
    never.send(Cancelled(day(22), f"{SPRING}/ENTRY", "AAA", Decimal(0), ""))

    assert declined(held.send(detections(event(EventKind.SPRING, 31, **LATER)))) == [("STRATEGY", "STRAT_COOLDOWN")]
    assert intents(Action.ENTER, never.send(detections(event(EventKind.SPRING, 31, **LATER))))


def test_a_refused_entry_frees_its_budget_before_the_next_decision() -> None:
    line = Line()
    line.send(detections(event(EventKind.SPRING, 20)))
    line.fire(f"{SPRING}/watch/LAPSE", at=21)

    sos = only(Action.ENTER, line.send(detections(event(EventKind.SOS, 22))))

    assert not intents(Action.CANCEL, line.out)
    assert sos.risk_bp == 80


def test_an_answer_after_the_lapse_is_asked_back() -> None:
    line = Line()
    line.send(detections(event(EventKind.SPRING, 20)))
    line.fire(f"{SPRING}/watch/LAPSE", at=21)

    late = line.send(accepted(SPRING, at=22))
    line.send(Cancelled(day(22), f"{SPRING}/ENTRY", "AAA", Decimal(0), ""))

    assert only(Action.CANCEL, late).reason == "answered too late"
    assert not line.manager.campaigns[0].is_live


def test_a_repeated_execution_counts_once() -> None:
    line = Line()
    line.send(detections(event(EventKind.SPRING, 20)), accepted(SPRING))
    partial = fill(SPRING, quantity=40, remaining=60)

    line.send(partial, partial)
    restored_line = restored(line)
    restored_line.send(partial)

    for one in (line, restored_line):
        assert one.manager.campaigns[0].brackets[0].lot.entered == 40


def test_an_exit_that_is_heard_before_its_entry_ends_the_leg_with_it() -> None:
    line = Line()
    line.send(detections(event(EventKind.SPRING, 20)), accepted(SPRING))

    line.send(fill(SPRING, "STOP1", price=97, at=23))
    assert line.manager.campaigns[0].is_live
    line.send(fill(SPRING, price=101, at=22))

    assert of(CampaignChange, line.out)[-1].state is CampaignState.COMPLETED
    assert "pnl -400.00" in of(CampaignChange, line.out)[-1].cause


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2), (2, 0, 1), (2, 1, 0), (1, 2, 0), (0, 2, 1)])
def test_a_leg_ends_when_all_that_its_venue_counts_has_been_heard(order: tuple[int, ...]) -> None:
    line = Line()
    line.send(detections(event(EventKind.SPRING, 20)), accepted(SPRING))
    facts = [
        fill(SPRING, quantity=40, at=22, remaining=60),
        Cancelled(day(23), f"{SPRING}/ENTRY", "AAA", Decimal(40), "taken back"),
        fill(SPRING, "STOP1", quantity=40, price=97, at=24),
    ]

    for number in order[:2]:
        line.send(facts[number])
    assert line.manager.campaigns[0].is_live
    line.send(facts[order[2]])

    assert not line.manager.campaigns
    assert "pnl -160.00" in of(CampaignChange, line.out)[-1].cause


def test_a_campaign_holds_no_more_legs_than_it_may() -> None:
    line = Line(max_positions=1)
    line.enter(EventKind.SPRING, at=20, price=101)

    found = line.send(detections(event(EventKind.SOS, 25)))

    assert not intents(Action.ENTER, found)
    assert "1 positions are held" in of(CampaignChange, found)[-1].cause


def test_little_budget_left_is_told() -> None:
    line = Line(pattern_percent={"spring": "2.0", "sos": "1.5", "lps": "1.5"}, trade_percent="2.0")
    line.enter(EventKind.SPRING, at=20, price=101)
    first = of(Warned, line.out)
    line.enter(EventKind.SOS, at=25, price=111)
    second = of(Warned, line.out)
    line.enter(EventKind.LPS, at=30, price=110)

    assert first == second == []
    assert [(one.code, one.value, one.limit) for one in of(Warned, line.out)] == [("BUDGET_LOW", 0.0, 100.0)]


def test_what_speaks_against_an_entry_is_told_beside_it() -> None:
    line = Line(Scripted(cautions=(Decline("LEVEL_OTHER", 55.0, 60.0, "LEVELS"),)))

    found = line.send(detections(event(EventKind.SPRING, 20)))

    (told,) = of(Warned, found)
    assert (told.stage, told.code, told.value, told.limit, told.margin) == ("LEVELS", "LEVEL_OTHER", 55.0, 60.0, 5.0)
    assert (told.campaign, told.subject, told.source) == (CAMPAIGN, "SPRING@20", "scripted")
    assert intents(Action.ENTER, found)


def _always(*_: object) -> bool:
    return True


GUARDS: dict[str, tuple[object, str, object, Callable[[], None]]] = {
    "taint": (CampaignBook, "tainted", lambda *_: "", lambda: test_nothing_is_bought_on_a_bar_in_doubt(20)),
    "cooldown": (
        CampaignBook, "cool_down", lambda *_: None,
        test_after_a_stop_out_the_symbol_is_left_alone_for_five_trading_days,
    ),
    "stop-out": (
        positions_module, "_was_stopped_out", lambda *_: False,
        test_after_a_stop_out_the_symbol_is_left_alone_for_five_trading_days,
    ),
    "repeated executions": (Executions, "first", _always, test_a_repeated_execution_counts_once),
    "positions": (
        entries_module, "_refusal", lambda *_: "", test_a_campaign_holds_no_more_legs_than_it_may,
    ),
    "low budget": (entries_module, "budget_left_bp", lambda *_: Decimal(500), test_little_budget_left_is_told),
    "late answers": (
        positions_module, "_cancel_late", lambda *_: iter(()), test_an_answer_after_the_lapse_is_asked_back,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", GUARDS)
def test_without_a_guard_its_test_fails(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    owner, attribute, value, noticing = GUARDS[name]
    monkeypatch.setattr(owner, attribute, value)

    with pytest.raises((AssertionError, ValueError)):
        noticing()


def test_a_snapshot_of_all_this_is_plain_msgpack() -> None:
    line = stopped_out()
    line.send(taint(20))

    assert msgspec.msgpack.decode(line.manager.snapshot())["cooldowns"]
    assert line.manager.campaigns == ()
    assert Leg.SPRING in Leg
