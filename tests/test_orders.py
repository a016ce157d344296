"""Approvals become brackets, exits and moves; every order lives by the table."""

from decimal import Decimal

import pytest

from engine.blocks import MarketBlock
from engine.messages import (
    Action,
    Approved,
    CancelRequest,
    Intent,
    Message,
    NoAnswer,
    NotSent,
    Order,
    OrderKind,
    Receipt,
    Role,
    Sent,
    Side,
    TimeInForce,
    Unwatch,
    Watch,
    WatchKind,
)
from engine.orders import LIFE_CYCLE, OrderRouter, OrderState
from engine.ports import Item
from tests.makers import START_NS, session, table, trades
from tests.risk.facts import (
    accepted,
    cancel,
    cancelled,
    enter,
    expired,
    fill,
    leave,
    mirrored,
    move_stop,
    rejected,
)

GROUP = "AAA-2020-01-01/SPRING/1"


class Sheet:
    """A desk that keeps what it is given."""

    def __init__(self) -> None:
        self.requests: list[object] = []

    def submit(self, request: object) -> None:
        self.requests.append(request)


def router(*, mode: str = "replay", **instrument: object) -> tuple[OrderRouter, Sheet]:
    sheet = Sheet()
    built = OrderRouter(sheet, table("AAA", **instrument))
    tell(built, session("AAA", mode=mode))
    return built, sheet


def tell(stage: OrderRouter, *items: Item) -> list[Item]:
    return [output for item in items for output in stage.process(item)]


def approved(intent: Intent, quantity: object = 100) -> Approved:
    zero = Decimal(0)
    receipt = Receipt("", zero, zero, zero, 0, 0, 0, 0, 0, 1000, zero, zero, zero)
    return Approved(intent=intent, quantity=Decimal(str(quantity)), receipt=receipt)


def orders(outputs: list[Item]) -> list[Order]:
    return [one for one in outputs if isinstance(one, Order)]


def entered(quantity: int = 100, remaining: int = 0, mode: str = "replay") -> tuple[OrderRouter, Sheet]:
    built, sheet = router(mode=mode)
    tell(built, approved(enter()))
    names = ("ENTRY", "STOP1", "TARGET1", "TARGET2", "TARGET3")
    tell(built, *[accepted(name) for name in names], fill(quantity=quantity, remaining=remaining))
    sheet.requests.clear()
    return built, sheet


def test_an_approved_entry_leaves_with_its_whole_bracket() -> None:
    stage, sheet = router()
    approval = approved(enter(entry_kind=OrderKind.STOP_LIMIT, entry_price="99.50"))

    outputs = tell(stage, approval)

    entry, stop, *targets = orders(outputs)
    assert outputs[0] is approval
    assert outputs[1:] == sheet.requests
    assert (entry.order_id, entry.role, entry.side, entry.kind) == (
        f"{GROUP}/ENTRY", Role.ENTRY, Side.BUY, OrderKind.STOP_LIMIT,
    )  # fmt: skip
    assert (entry.quantity, entry.limit_price, entry.stop_price) == (100, 100, Decimal("99.50"))
    assert (entry.time_in_force, entry.expires_ns) == (TimeInForce.GTD, START_NS + 10**15)
    assert (stop.order_id, stop.kind, stop.side, stop.stop_price, stop.quantity) == (
        f"{GROUP}/STOP1", OrderKind.STOP, Side.SELL, 90, 100,
    )  # fmt: skip
    assert [(one.order_id[-7:], one.limit_price, one.quantity) for one in targets] == [
        ("TARGET1", 110, 50),
        ("TARGET2", 120, 30),
        ("TARGET3", 130, 20),
    ]
    assert {one.parent for one in (stop, *targets)} == {entry.order_id}
    assert {one.time_in_force for one in (stop, *targets)} == {TimeInForce.GTC}


def test_a_limit_entry_has_no_trigger_and_a_short_one_the_other_sides() -> None:
    stage, _ = router()

    entry, *exits = orders(tell(stage, approved(enter(**mirrored(enter())))))

    assert (entry.side, entry.stop_price) == (Side.SELL, 0)
    assert {one.side for one in exits} == {Side.BUY}


@pytest.mark.parametrize(
    ("lot", "quantity", "parts"),
    [
        ("1", 1, {"TARGET3": "1"}),
        ("1", 2, {"TARGET1": "1", "TARGET3": "1"}),
        ("1", 3, {"TARGET1": "1", "TARGET3": "2"}),
        ("1", 7, {"TARGET1": "3", "TARGET2": "2", "TARGET3": "2"}),
        ("0.1", "0.7", {"TARGET1": "0.3", "TARGET2": "0.2", "TARGET3": "0.2"}),
    ],
)
def test_targets_take_whole_lots_and_the_last_the_remainder(lot: str, quantity: object, parts: dict[str, str]) -> None:
    stage, _ = router(lot=Decimal(lot))

    made = orders(tell(stage, approved(enter(), quantity)))

    targets = {one.order_id.rpartition("/")[2]: one.quantity for one in made if one.role is Role.TARGET}
    assert targets == {name: Decimal(part) for name, part in parts.items()}
    assert sum(targets.values()) == made[0].quantity


def test_a_stop_move_replaces_the_stop_that_lives() -> None:
    stage, sheet = entered(60, 40)

    (second,) = orders(tell(stage, approved(move_stop(95, 2))))
    tell(stage, cancelled("STOP1", reason="replaced"), accepted("STOP2"))
    (third,) = orders(tell(stage, approved(move_stop(96, 3))))

    assert (second.order_id, second.replaces) == (f"{GROUP}/STOP2", f"{GROUP}/STOP1")
    assert (second.quantity, second.stop_price, second.parent) == (100, 95, f"{GROUP}/ENTRY")
    assert (third.order_id, third.replaces) == (f"{GROUP}/STOP3", f"{GROUP}/STOP2")
    assert sheet.requests == [second, third]


def test_a_stop_move_replaces_the_newest_that_may_live_while_the_venue_is_silent() -> None:
    stage, _ = entered()
    tell(stage, approved(move_stop(95, 2)))

    (third,) = orders(tell(stage, approved(move_stop(96, 3))))

    assert third.replaces == f"{GROUP}/STOP2"


def test_a_stop_move_after_a_refused_one_replaces_the_one_before() -> None:
    stage, _ = entered()
    tell(stage, approved(move_stop(95, 2)), rejected("STOP2"))

    (third,) = orders(tell(stage, approved(move_stop(96, 3))))

    assert third.replaces == f"{GROUP}/STOP1"


def test_a_stop_move_without_any_stop_replaces_nothing() -> None:
    stage, _ = entered()
    tell(stage, cancelled("STOP1", reason="venue"))

    (second,) = orders(tell(stage, approved(move_stop(95, 2))))

    assert second.replaces == ""


def test_an_exit_takes_back_what_still_works_and_sells_what_is_open() -> None:
    stage, sheet = entered(60, 40)

    outputs = tell(stage, approved(leave(), 60))

    assert outputs[1:] == sheet.requests
    back, out = outputs[1:]
    assert isinstance(back, CancelRequest)
    assert back.order_id == f"{GROUP}/ENTRY"
    assert isinstance(out, Order)
    assert (out.order_id, out.role, out.kind, out.side) == (f"{GROUP}/EXIT1", Role.EXIT, OrderKind.MARKET, Side.SELL)
    assert (out.quantity, out.parent) == (60, "")


def test_an_exit_of_a_filled_entry_only_sells() -> None:
    stage, sheet = entered()

    tell(stage, approved(leave(), 100))

    assert [type(one) for one in sheet.requests] == [Order]


def test_an_exit_of_nothing_open_only_takes_back() -> None:
    stage, sheet = router()
    tell(stage, approved(enter()))
    sheet.requests.clear()

    tell(stage, approved(leave(), 0))

    assert [type(one) for one in sheet.requests] == [CancelRequest]


def test_an_entry_is_asked_back_once_by_cancel_and_exit_together() -> None:
    stage, sheet = entered(60, 40)

    tell(stage, approved(cancel(), 0), approved(leave(), 60))

    assert [type(one) for one in sheet.requests] == [CancelRequest, Order]


def test_cancelling_what_no_longer_works_asks_nothing() -> None:
    stage, sheet = entered()

    outputs = tell(stage, approved(cancel(), 0))

    assert len(outputs) == 1
    assert sheet.requests == []


def test_an_exit_never_sells_more_than_is_open() -> None:
    stage, _ = entered(60, 40)

    with pytest.raises(AssertionError):
        tell(stage, approved(leave(), 61))


def test_a_stop_never_covers_more_than_the_entry() -> None:
    stage, _ = entered()

    with pytest.raises(AssertionError):
        tell(stage, approved(move_stop(95), 101))


def test_an_order_id_is_never_used_twice() -> None:
    stage, _ = entered(60, 40)
    tell(stage, approved(move_stop(95)))

    with pytest.raises(AssertionError):
        tell(stage, approved(move_stop(96)))


def test_watches_stop_at_the_desk() -> None:
    stage, sheet = router()
    watch = Watch("w", "me", WatchKind.LINE_TIME, "", "", float("nan"), START_NS, START_NS)

    assert tell(stage, watch, Unwatch("w")) == []
    assert sheet.requests == [watch, Unwatch("w")]


def test_rows_and_other_facts_pass() -> None:
    stage, sheet = router()
    block: MarketBlock = trades(1.0)

    assert tell(stage, block, accepted(), enter()) == [block, accepted(), enter()]
    assert sheet.requests == []


# ------------------------------------------------------------------------------ life cycle


TERMINAL = (OrderState.FILLED, OrderState.CANCELLED, OrderState.REJECTED, OrderState.EXPIRED, OrderState.ABANDONED)


def test_the_table_is_complete_and_terminal_states_are_never_left() -> None:
    assert set(LIFE_CYCLE) == set(OrderState)
    assert {state for state, follow in LIFE_CYCLE.items() if not follow} == set(TERMINAL)
    assert all(OrderState.NEW not in follow for follow in LIFE_CYCLE.values())


def test_a_venues_order_goes_from_new_to_filled() -> None:
    stage, _ = router(mode="live")
    tell(stage, approved(enter()))
    entry = f"{GROUP}/ENTRY"
    states = [stage.state(entry)]

    for fact in (
        Sent(START_NS, entry, "v1"),
        NoAnswer(START_NS, entry, "timeout"),
        accepted("ENTRY"),
        fill(quantity=40, remaining=60),
        fill(quantity=60, execution_id="2"),
    ):
        tell(stage, fact)
        states.append(stage.state(entry))

    assert states == ["NEW", "SENT", "UNKNOWN", "ACCEPTED", "PARTIAL", "FILLED"]


def test_late_news_from_a_venue_changes_nothing() -> None:
    stage, _ = entered(60, 40, mode="live")

    tell(stage, accepted("ENTRY"), Sent(START_NS, f"{GROUP}/ENTRY", "v1"))
    assert stage.state(f"{GROUP}/ENTRY") is OrderState.PARTIAL

    tell(stage, cancelled("ENTRY", filled=60), fill(quantity=40, execution_id="2"), accepted("ENTRY"))
    assert stage.state(f"{GROUP}/ENTRY") is OrderState.CANCELLED


@pytest.mark.parametrize(
    "late",
    [accepted("ENTRY"), rejected("ENTRY"), Sent(START_NS, f"{GROUP}/ENTRY", "v1")],
    ids=lambda one: type(one).__name__,
)
def test_an_illegal_step_of_the_paper_book_is_a_bug(late: Message) -> None:
    stage, _ = entered(60, 40)

    with pytest.raises(AssertionError, match="cannot follow PARTIAL"):
        tell(stage, late)


def test_an_execution_repeated_is_counted_once() -> None:
    stage, _ = entered(60, 40)

    tell(stage, fill(quantity=60, remaining=40), fill("STOP1", 60, 90, execution_id="2", remaining=40))

    assert stage.groups == (GROUP,)
    tell(stage, cancelled("ENTRY", filled=60))
    assert stage.groups == ()


@pytest.mark.parametrize("end", [cancelled(), expired(), rejected(), NotSent(START_NS, f"{GROUP}/ENTRY", "halted")],
                         ids=lambda one: type(one).__name__)  # fmt: skip
def test_a_bracket_whose_entry_never_filled_is_forgotten(end: Message) -> None:
    stage, _ = router()
    tell(stage, approved(enter()))

    tell(stage, end, cancelled("STOP1"), cancelled("TARGET1"))

    assert stage.groups == ()
    assert stage.state(f"{GROUP}/ENTRY") is None


def test_a_bracket_is_kept_until_it_is_flat() -> None:
    stage, _ = entered()

    tell(stage, fill("TARGET1", 50, 110))
    assert stage.groups == (GROUP,)

    tell(stage, fill("STOP1", 50, 95, execution_id="2"), cancelled("TARGET2"), cancelled("TARGET3"))
    assert stage.groups == ()


def test_a_position_without_a_bracket_can_be_closed_and_is_forgotten_after() -> None:
    stage, _ = router(mode="live")

    tell(stage, approved(leave(), 30))
    assert stage.groups == (GROUP,)

    tell(stage, fill("EXIT1", 30, 99))
    assert stage.groups == ()


def test_a_restored_router_goes_on_identically() -> None:
    stage, sheet = entered(60, 40)
    copy_sheet = Sheet()
    copy = OrderRouter(copy_sheet, table("AAA"))

    copy.restore(stage.snapshot())

    then = [approved(move_stop(95)), accepted("STOP2"), approved(leave(), 60), fill("EXIT1", 60, 99, execution_id="3")]
    for item in then:
        assert tell(copy, item) == tell(stage, item)
    assert copy_sheet.requests == sheet.requests
    assert copy.snapshot() == stage.snapshot()
    assert copy.groups == (GROUP,)


def test_every_action_is_routed() -> None:
    assert {Action.ENTER, Action.EXIT, Action.MOVE_STOP, Action.CANCEL} == set(Action)
