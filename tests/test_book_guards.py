"""Each guard of the paper book with the test that fails without it."""

from collections.abc import Callable

import pytest

from adapters import paper, paper_costs, paper_orders
from adapters.paper import PaperBook
from adapters.paper_account import Account
from adapters.paper_orders import Group, Resting
from adapters.paper_share import Share
from tests import test_matching_rules as matching
from tests import test_paper as books

Guard = tuple[object, str, object, Callable[[], None]]


def _anything(*_: object) -> bool:
    return True


def _first_order() -> None:
    """Refusals of tick, lot, notional and expiry, each with its code."""
    for mark in books.test_an_order_is_refused_by_the_first_rule_it_breaks.pytestmark:  # type: ignore[attr-defined]
        for parameters in mark.args[1]:
            books.test_an_order_is_refused_by_the_first_rule_it_breaks(*parameters)


def _too_dear() -> None:
    for mark in matching.test_an_entry_costs_no_more_than_the_account_has.pytestmark:  # type: ignore[attr-defined]
        for parameters in mark.args[1]:
            matching.test_an_entry_costs_no_more_than_the_account_has(*parameters)


GUARDS: dict[str, Guard] = {
    "decision bar": (
        paper_orders, "sees", _anything, matching.test_an_order_never_fills_on_the_bar_it_was_decided_on,
    ),
    "latency": (paper_orders, "sees", _anything, matching.test_a_late_trade_from_before_the_decision_cannot_fill),
    "numbers of an order": (paper, "flaw", lambda *_: ("", ""), _first_order),
    "used ids": (
        paper, "_names", lambda *_: False, matching.test_children_do_nothing_before_their_parent_fills,
    ),
    "exits belong": (paper, "_belongs", _anything, books.test_an_exit_of_a_group_that_is_over_is_refused),
    "replaceable": (PaperBook, "_replaceable", _anything, matching.test_a_triggered_stop_cannot_be_replaced),
    "buying power": (PaperBook, "_unpaid", lambda *_: ("", ""), _too_dear),
    "reserved by entries": (
        PaperBook, "_reserved", property(lambda _: books.Decimal(0)),
        matching.test_entries_that_work_tie_up_what_they_may_cost,
    ),
    "costs of a loss": (
        Account, "leave", lambda *_, **__: None, matching.test_a_loss_and_its_costs_lower_what_can_be_spent,
    ),
    "halted": (PaperBook, "_objection", lambda *_: ("", ""), matching.test_what_is_not_traded_is_rejected),
    "time in force": (
        Resting, "_is_past", lambda *_: False, matching.test_a_day_order_does_not_fill_on_a_row_of_the_next_day,
    ),
    "participation": (
        Share, "take", lambda self, resting, wanted, *, limited: wanted,
        matching.test_each_row_offers_whole_lots_of_its_share_and_the_remainder_waits,
    ),
    "stop on the entry bar": (
        PaperBook, "_stop_out", lambda *_: [], matching.test_the_entry_bar_may_stop_out,
    ),
    "one partial a target": (
        paper, "coverable", lambda resting, group, entered: group.open or resting.remaining,
        matching.test_a_target_is_hit_once,
    ),
    "what targets have left": (
        paper, "coverable", lambda resting, group, entered: resting.remaining,
        matching.test_a_stop_covers_only_what_targets_have_left,
    ),
    "one cancels the other": (
        PaperBook, "_settle", lambda *_: [], matching.test_when_the_group_is_flat_its_other_exits_are_cancelled,
    ),
    "shares of the targets": (
        paper_orders, "_planned_before", lambda *_: books.Decimal(0),
        matching.test_a_replaced_target_keeps_its_place_among_the_targets,
    ),
    "old trigger while moving": (
        Resting, "inherit", lambda *_: None, matching.test_until_a_moved_stop_is_there_the_old_trigger_holds,
    ),
    "place of a replaced target": (
        Group, "add", lambda self, resting: self.orders.append(resting),
        matching.test_a_replaced_target_keeps_its_place_among_the_targets,
    ),
    "costs of a taker": (
        paper, "execution_price", lambda settings, instrument, order, *, raw_price, taker, share: books.Decimal(100),
        books.test_a_taker_pays_half_the_spread_and_its_impact_on_the_worse_tick,
    ),
    "never worse than a limit": (
        paper_costs, "LIMITED", (), books.test_costs_never_push_a_stop_limit_beyond_its_limit,
    ),
    "commission": (
        paper, "commission", lambda *_: books.Decimal(0),
        books.test_a_stock_pays_by_the_share_and_at_least_the_minimum_an_order,
    ),
}  # fmt: skip

NOT_BY_ITSELF = ("used ids",)
"""Needs a test of its own, below: forgotten ids are what it is about."""


@pytest.mark.parametrize("name", [one for one in GUARDS if one not in NOT_BY_ITSELF])
def test_without_a_guard_its_test_fails(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    owner, attribute, value, noticing = GUARDS[name]
    noticing()
    monkeypatch.setattr(owner, attribute, value)

    with pytest.raises((AssertionError, ValueError, KeyError, IndexError, ArithmeticError, AttributeError)):
        noticing()


def test_without_the_names_of_a_group_an_id_is_used_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    owner, attribute, value, _ = GUARDS["used ids"]
    monkeypatch.setattr(owner, attribute, value)

    with pytest.raises((AssertionError, ValueError)):
        books.test_an_id_that_its_group_still_holds_is_never_forgotten(monkeypatch)
