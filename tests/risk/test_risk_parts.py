"""Marks, sizes, heat borders, settings and snapshots."""

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from engine.instruments import MONEY
from engine.messages import HeatState, Refused
from engine.risk.gate import RiskGate
from engine.risk.heat import heat_bp, heat_state
from engine.risk.marks import Holdings, Marks, mark_rows
from engine.risk.sizing import UNSIZED, size
from engine.risk.units import equity_units, risk_units
from tests.makers import START_NS, bars, instrument, table, trades
from tests.risk.facts import (
    ALL_RULES,
    accepted,
    enter,
    fill,
    gate,
    group_of,
    leave,
    marks,
    move_stop,
    settings,
    tell,
)

EQUITY = 100_000 * 10**8


# ---------------------------------------------------------------------------------- marks


def test_trades_mark_what_matches_on_trades_and_bars_the_rest() -> None:
    kept = Marks(table("AAA", "BBB", match_on="trades"))
    kept.fold(bars((1, 1, 1, 1)))
    assert kept.of(0) is None

    kept.fold(trades(5.25, 5.5))

    assert kept.of(0) == Decimal("5.5")
    assert kept.time_ns[0] == START_NS + 10**9
    assert kept.of(1) is None


def test_the_smallest_bar_from_outside_marks() -> None:
    kept = Marks(table())

    for timeframe, price in (("1d", 10.0), ("1m", 11.0), ("1d", 12.0), ("1m", 13.0), ("1d", 14.0)):
        kept.fold(bars((price,) * 4, timeframe=timeframe))

    assert kept.of(0) == Decimal("13.0")


def test_marks_do_not_depend_on_how_rows_are_cut() -> None:
    block = bars(*[(p,) * 4 for p in (1.0, 2.0, 3.0, 4.0)], instrument=[0, 1, 0, 1], timeframe="1m")
    whole, cut = Marks(table("AAA", "BBB")), Marks(table("AAA", "BBB"))

    whole.fold(block)
    for row in range(4):
        cut.fold(block.slice(row, row + 1))

    assert whole.save() == cut.save()


def test_closed_bars_are_not_rows_and_mark_nothing() -> None:
    kept = Marks(table("AAA", "BBB"))
    block = bars((5, 5, 5, 5), instrument=1)
    block.closed = bars((9, 9, 9, 9))

    kept.fold(block)

    assert (kept.of(0), kept.of(1)) == (None, 5)


@pytest.mark.parametrize("are_trades", [True, False])
def test_kernels_agree_with_their_python_form(are_trades: bool) -> None:
    columns = (
        np.array([0, 1, 0, 1], np.int32), np.array([1, 1, 2, 2], np.int8), np.array([1.0, 2.0, 3.0, 4.0]),
        np.array([5, 6, 4, 7]),
    )  # fmt: skip
    results = []
    for function in (mark_rows, mark_rows.py_func):  # type: ignore[attr-defined]
        price, at, smallest = np.full(2, np.nan), np.zeros(2, np.int64), np.full(2, 127, np.int8)
        function(0, 4, are_trades, *columns, np.array([True, False]), smallest, price, at)
        results.append((price.tobytes(), at.tobytes(), smallest.tobytes()))

    assert results[0] == results[1]
    assert np.array_equal(price, [3.0, np.nan] if are_trades else [np.nan, 2.0], equal_nan=True)


# ---------------------------------------------------------------------------------- sizes


@pytest.mark.parametrize("changes", [{"limit_price": "NaN"}, {"stop_price": "Infinity"}, {"risk_bp": "sNaN"},
                                     {"stop_price": 100}, {"risk_bp": 0}])  # fmt: skip
def test_what_cannot_be_sized_has_no_size(changes: dict[str, object]) -> None:
    assert size(enter(**changes), instrument(), EQUITY, 2000) == UNSIZED


def test_no_equity_gives_no_size() -> None:
    assert size(enter(), instrument(), 0, 2000) == UNSIZED
    assert size(enter(), instrument(), -1, 2000) == UNSIZED


def test_lots_and_point_value_scale_the_size() -> None:
    future = instrument(lot=Decimal("0.1"), point_value=Decimal(5))

    sized = size(enter(risk_bp="50.5"), future, EQUITY, 2000)

    assert (sized.quantity, sized.unit_risk, sized.new_risk) == (Decimal("10.1"), Decimal(50), 505 * 10**8)
    assert sized.notional == Decimal(5050)


def test_below_the_smallest_notional_there_is_no_size() -> None:
    assert size(enter(risk_bp=1), instrument(min_notional=Decimal(100)), EQUITY, 2000).quantity == 1
    assert size(enter(risk_bp=1), instrument(min_notional=Decimal("100.01")), EQUITY, 2000).quantity == 0


def test_below_the_smallest_quantity_there_is_no_size() -> None:
    least = size(enter(risk_bp=1), instrument(min_quantity=Decimal(1)), EQUITY, 2000)
    none = size(enter(risk_bp=1), instrument(min_quantity=Decimal("1.5")), EQUITY, 2000)

    assert (least.quantity, none.quantity, none.new_risk) == (1, 0, 0)


def test_the_cap_never_lets_a_lot_more_through() -> None:
    assert size(enter(limit_price="100.00", stop_price=99), instrument(), EQUITY, 2000).quantity == 200
    assert size(enter(limit_price="100.01", stop_price=99), instrument(), EQUITY, 2000).quantity == 199


def test_risk_rounds_up_and_equity_down() -> None:
    assert risk_units(Decimal("0.000000001")) == 1
    assert equity_units(Decimal("0.000000019")) == 1
    assert equity_units(Decimal("-0.000000001")) == -1
    assert equity_units(Decimal(10) ** 12) == 2**63 - 1


# ------------------------------------------------------------------------- heat, settings


@pytest.mark.parametrize(
    ("risk", "state"),
    [(6_999, "NORMAL"), (7_000, "WARNING"), (8_999, "WARNING"), (9_000, "CRITICAL"), (9_999, "CRITICAL"),
     (10_000, "EXCEEDED")],
)  # fmt: skip
def test_heat_states_begin_at_their_borders(risk: int, state: str) -> None:
    assert heat_state(risk * 10**8, EQUITY, settings()) is HeatState(state)


def test_a_hair_below_the_limit_is_not_rounded_into_it() -> None:
    assert heat_state(10_000 * 10**8 - 1, EQUITY, settings()) is HeatState.CRITICAL
    assert heat_bp(10_000 * 10**8 - 1, EQUITY) == 1000
    assert heat_bp(10_000 * 10**8 + 1, EQUITY) == 1001


@pytest.mark.parametrize(
    "change",
    [
        {"heat_limit_bp": 1001},
        {"trade_limit_bp": 201},
        {"campaign_limit_bp": 501},
        {"notional_cap_bp": 2001},
        {"max_symbol_entries": 3},
        {"max_entries": 51},
        {"heat_limit_bp": 900},
        {"heat_warning_bp": 900},
        {"rules": ("haet",)},
        {"unknown": 1},
    ],
)
def test_limits_may_be_lowered_and_never_raised(change: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        settings(**change)


def test_a_lower_limit_refuses_earlier() -> None:
    stage = gate(heat_warning_bp=50, heat_critical_bp=60, heat_limit_bp=100)

    outputs = tell(stage, enter(risk_bp="100"), enter(risk_bp="99"))

    assert isinstance(outputs[1], Refused)
    assert outputs[1].receipt.limit_bp == 100
    assert stage.heat is HeatState.CRITICAL


def test_no_limit_has_a_default() -> None:
    with pytest.raises(ValidationError) as caught:
        settings().__class__()  # type: ignore[call-arg]

    assert caught.value.error_count() == len(settings().model_dump())


# ------------------------------------------------------------------------------ snapshots


def test_a_restored_gate_goes_on_identically() -> None:
    first = [
        marks(101.0),
        enter(group_of(1)),
        accepted("STOP1", group_of(1)),
        fill(group=group_of(1), quantity=60, price="99.99", remaining=40, costs="0.35"),
        enter(group_of(2)),
        move_stop(95, group=group_of(1)),
        fill("TARGET1", 30, 110, group=group_of(1), execution_id="9"),
    ]
    then = [
        fill(group=group_of(1), quantity=60, price="99.99", remaining=40, costs="0.35"),
        enter(group_of(3)),
        accepted("STOP2", group_of(1)),
        marks(90.0),
        leave(1, group_of(1)),
        enter(group_of(3, "AAA-2020-02-02")),
        fill("EXIT1", 30, 90, group=group_of(1)),
    ]
    stage = gate()
    tell(stage, *first)
    restored = RiskGate(settings(), table())

    restored.restore(stage.snapshot())

    assert restored.snapshot() == stage.snapshot()
    for item in then:
        assert tell(restored, item) == tell(stage, item)
        assert restored.snapshot() == stage.snapshot()


def test_rules_are_those_the_tests_name() -> None:
    assert set(settings().rules) == set(ALL_RULES)


odd = st.one_of(
    st.integers(1, 10**7).map(lambda cents: cents / 100),
    st.floats(1e-9, 1e9, allow_nan=False),
    st.integers(1, 10**17).map(lambda units: units / 10**8),
)
amounts = st.decimals("-1e6", "1e6", allow_nan=False, places=18)


@given(held=st.lists(st.tuples(odd, amounts), min_size=1, max_size=5))
def test_worth_is_the_exact_sum_whatever_the_decimals(held: list[tuple[float, Decimal]]) -> None:
    marked, holdings = Marks(table(*"ABCDE")), Holdings()
    for number, (price, quantity) in enumerate(held):
        marked.fold(marks(price, instrument=number))
        holdings.add(number, quantity)

    exact = sum(Fraction(repr(price)) * Fraction(quantity) for price, quantity in held)
    worth = holdings.worth(marked)

    assert worth is not None
    assert worth == MONEY.divide(Decimal(exact.numerator), Decimal(exact.denominator))


def test_without_a_mark_there_is_no_worth() -> None:
    marked, holdings = Marks(table(*"AB")), Holdings()
    marked.fold(marks(100.0))
    holdings.add(0, Decimal(1))
    holdings.add(1, Decimal(1))

    assert holdings.worth(marked) is None
    assert holdings.unmarked(marked) == 1
