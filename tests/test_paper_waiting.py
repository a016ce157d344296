"""What the paper book keeps about its working orders is what the orders themselves say, at any time."""

from decimal import Decimal

import numpy as np
import pytest

from adapters.paper import PaperBook
from adapters.paper_orders import NEVER, Group, Resting, coverable, is_covered
from engine.messages import OrderKind
from tests.makers import table
from tests.market_rig import FREE, MINUTE, START_NS, Venue, cancel, entry, leave, row, stop, target


def agrees(book: PaperBook) -> bool:
    """Each order is kept with its own group and bounds, and `is_covered` is a short form of `coverable`."""
    working = {id(one): one for group in book._groups.values() for one in group.orders if one.working}
    kept = [one for waiting in book._by_instrument.values() for one in waiting.values()]
    return {id(one.resting) for one in kept} == set(working) and all(
        one.group is book._groups[one.resting.order.group]
        and (one.above, one.below) == one.resting.triggers()
        and is_covered(one.resting, one.group) == (coverable(one.resting, one.group, one.group.entered) > 0)
        for one in kept
    )


def nearest(book: PaperBook) -> tuple[float, float]:
    """What `triggers` means, from every order that may fill anything."""
    above, below = NEVER
    for group in book._groups.values():
        for one in group.orders:
            if one.working and coverable(one, group, group.entered) > 0:
                above, below = min(above, one.triggers()[0]), max(below, one.triggers()[1])
    return above, below


def driven(seed: int) -> Venue:
    """A bracket that is entered in parts, whose stop moves and whose targets fill, on random rows."""
    random = np.random.default_rng(seed)
    venue = Venue(FREE.model_copy(update={"participation": Decimal("0.5")}))
    kind = OrderKind.STOP_LIMIT if seed % 2 else OrderKind.LIMIT
    venue.send(entry(kind, stop_price=101, limit_price=102), stop(95), target(104), target(106, "TARGET2"))
    name = "STOP1"
    for n in range(1, 40):
        price = 101 + float(np.sum(random.integers(-2, 3, 3)))
        venue.rows(row(price, price + 1, price - 1, price, n, size=float(random.integers(2, 9))))
        assert agrees(venue.book)
        assert venue.book.triggers(0) == nearest(venue.book)
        if random.random() < 0.3 and f"g/{name}" in venue.book._orders:
            moved = f"STOP{n + 1}"
            venue.send(stop(95 + n / 100, moved, replaces=f"g/{name}", decision_ns=START_NS + n * MINUTE))
            name = moved
        if random.random() < 0.05:
            venue.send(cancel("TARGET1"), leave(f"EXIT{n}", decision_ns=START_NS + n * MINUTE))
        assert agrees(venue.book)
        assert venue.book.triggers(0) == nearest(venue.book)
    return venue


@pytest.mark.parametrize("seed", range(12))
def test_what_is_kept_of_working_orders_is_what_they_say(seed: int) -> None:
    driven(seed)


def test_after_a_restart_too() -> None:
    venue = Venue()
    venue.send(entry(OrderKind.STOP_LIMIT, stop_price=101, limit_price=102), stop(95), target(104))
    venue.rows(row(100, 101, 100, 101, 1, size=4))

    copy = PaperBook(table("AAA"), FREE)
    copy.restore(venue.book.snapshot())

    assert agrees(copy)
    assert copy.triggers(0) == venue.book.triggers(0) == nearest(copy)


def test_bounds_that_are_not_renewed_when_an_order_triggers_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    first = PaperBook._wait

    def only_once(book: PaperBook, resting: Resting) -> None:
        if not resting.triggered:
            first(book, resting)

    monkeypatch.setattr(PaperBook, "_wait", only_once)

    with pytest.raises(AssertionError):
        [driven(seed) for seed in range(12)]


def test_an_order_that_is_taken_for_covered_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.paper.is_covered", lambda resting, group: True)

    with pytest.raises(AssertionError):
        driven(0)


def test_a_group_of_another_time_is_noticed() -> None:
    venue = Venue()
    venue.send(entry(OrderKind.LIMIT, limit_price=90), stop(85))
    book = venue.book

    book._groups["g"] = Group(symbol="AAA", side=entry().side, orders=book._groups["g"].orders)

    assert not agrees(book)
