"""Judges every module in `engine/risk/rules`: its shape, its purity, its border, its mutant.

A new rule is one new file there and one pair of assessments here: the last that passes and the
first that does not.
"""

from collections.abc import Mapping
from decimal import Decimal
from importlib import import_module
from pathlib import Path

import msgspec
import pytest

from engine.messages import OrderKind
from engine.ports import Assessment, Exposure, Finding, RiskRule
from engine.risk import rules
from engine.risk.rules import class_name, load
from tests.makers import instrument
from tests.risk.facts import code, enter, gate, mirrored, settings, tell

NAMES = rules.names()
UNIT = 10**8


def assessment(**changes: object) -> Assessment:
    """An entry that every rule passes. Names of intent and exposure fields reach into those."""
    intent = {name: changes.pop(name) for name in list(changes) if name in _INTENT}
    exposure = {name: changes.pop(name) for name in list(changes) if name in Exposure.__struct_fields__}
    fields: dict[str, object] = {
        "intent": enter(**intent),
        "instrument": instrument(),
        "quantity": Decimal(100),
        "unit_risk": Decimal(10),
        "new_risk": 1000 * UNIT,
        "notional": Decimal(10_000),
        "mark": Decimal(100),
        "exposure": Exposure(**(_EXPOSURE | exposure)),  # type: ignore[arg-type]
    }
    return Assessment(**(fields | changes))  # type: ignore[arg-type]


_INTENT = (
    "direction", "limit_price", "stop_price", "entry_price", "entry_kind", "target_1", "target_2", "target_3",
    "risk_bp",
)  # fmt: skip
_EXPOSURE: dict[str, object] = {
    "equity": 100_000 * UNIT,
    "open_risk": 0,
    "working_risk": 0,
    "campaign_risk": 0,
    "halted": "",
    "stale": False,
    "currency": "USD",
}

STOP_ENTRY = {"entry_kind": OrderKind.STOP_LIMIT, "entry_price": 99}

BORDERS: Mapping[str, list[tuple[Assessment, Assessment]]] = {
    "numeric": [
        (assessment(stop_price="99.99"), assessment(stop_price="100.00")),
        (assessment(target_1="100.01"), assessment(target_1="100.00")),
        (assessment(target_2="100.01"), assessment(target_2="99.99")),
        (assessment(target_3="100.01"), assessment(target_3="100.00")),
        (assessment(limit_price="100.01"), assessment(limit_price="100.005")),
        (assessment(stop_price="90.01"), assessment(stop_price="90.001")),
        (assessment(stop_price="0.01"), assessment(stop_price="0")),
        (assessment(target_3="1e12"), assessment(target_3="1000000000000.01")),
        (assessment(risk_bp="0.01"), assessment(risk_bp="0")),
        (assessment(), assessment(risk_bp="NaN")),
        (assessment(), assessment(limit_price="NaN")),
        (assessment(), assessment(stop_price="-Infinity")),
        (assessment(), assessment(target_1="sNaN")),
        (assessment(), assessment(direction=0)),
        (assessment(**STOP_ENTRY), assessment(**(STOP_ENTRY | {"entry_price": "NaN"}))),
        (assessment(**(STOP_ENTRY | {"entry_price": 100})), assessment(**(STOP_ENTRY | {"entry_price": "100.01"}))),
        (assessment(**mirrored(enter(stop_price="99.99"))), assessment(**mirrored(enter(stop_price="100.00")))),
        (assessment(**mirrored(enter(target_1="100.01"))), assessment(**mirrored(enter(target_1="100.00")))),
    ],
    "currency": [(assessment(), assessment(currency="EUR"))],
    "data_mark": [(assessment(), assessment(unmarked="AAA"))],
    "data_stale": [(assessment(), assessment(stale=True))],
    "health": [(assessment(), assessment(unhealthy="clock_skew", health_value=1.5, health_limit=1.0))],
    "daily_loss": [
        (
            assessment(equity=97_001 * UNIT, day_start=100_000 * UNIT),
            assessment(equity=97_000 * UNIT, day_start=100_000 * UNIT),
        ),
        (assessment(stopped=("DRAWDOWN",)), assessment(stopped=("DAILY_LOSS",))),
    ],
    "drawdown": [
        (assessment(equity=85_001 * UNIT, peak=100_000 * UNIT), assessment(equity=85_000 * UNIT, peak=100_000 * UNIT)),
        (assessment(stopped=("DAILY_LOSS",)), assessment(stopped=("DRAWDOWN",))),
    ],
    "halted": [(assessment(), assessment(halted="kill"))],
    "duplicate": [(assessment(), assessment(group_live=True))],
    "open_orders": [
        (assessment(symbol_entries=1), assessment(symbol_entries=2)),
        (assessment(entries=49), assessment(entries=50)),
    ],
    "risk_trade": [
        (assessment(new_risk=2000 * UNIT), assessment(new_risk=2000 * UNIT + 1)),
        (assessment(), assessment(equity=-1, new_risk=0)),
    ],
    "risk_campaign": [
        (assessment(campaign_risk=4000 * UNIT), assessment(campaign_risk=4000 * UNIT + 1)),
        (assessment(), assessment(equity=0)),
    ],
    "heat": [
        (assessment(open_risk=9000 * UNIT - 1), assessment(open_risk=9000 * UNIT)),
        (assessment(working_risk=9000 * UNIT - 1), assessment(working_risk=9000 * UNIT)),
        (assessment(new_risk=10_000 * UNIT - 1), assessment(new_risk=10_000 * UNIT)),
        (assessment(), assessment(equity=0, new_risk=0)),
        (assessment(), assessment(equity=-1, new_risk=0)),
    ],
}

PAIRS = [(name, *pair) for name, pairs in BORDERS.items() for pair in pairs]


def built(name: str) -> RiskRule:
    return load(settings(rules=(name,)))[0]


def test_every_rule_has_its_border_here() -> None:
    assert set(BORDERS) == set(NAMES)
    assert len(NAMES) == len(list((Path(rules.__file__).parent).glob("[a-z]*.py")))


@pytest.mark.parametrize("name", NAMES)
def test_a_rule_is_one_documented_class_with_code_and_stage(name: str) -> None:
    module = import_module(f"engine.risk.rules.{name}")
    classes = [one for one in vars(module).values() if isinstance(one, type) and one.__module__ == module.__name__]

    assert [one.__name__ for one in classes] == [class_name(name)]
    assert module.__doc__
    assert module.__doc__.startswith(f"{built(name).code}: ")
    assert built(name).stage.isupper()


def test_codes_are_unique() -> None:
    codes = [built(name).code for name in NAMES]

    assert len(set(codes)) == len(codes)


@pytest.mark.parametrize("name", NAMES)
def test_a_rule_passes_an_ordinary_entry(name: str) -> None:
    assert built(name).judge(assessment()) is None
    assert built(name).judge(assessment(**mirrored(enter()))) is None


@pytest.mark.parametrize(("name", "last", "first"), PAIRS)
def test_a_rule_refuses_from_its_border_on(name: str, last: Assessment, first: Assessment) -> None:
    rule = built(name)

    finding = rule.judge(first)

    assert rule.judge(last) is None
    assert isinstance(finding, Finding)
    assert finding.code.removesuffix("_CLOCK_SKEW") == rule.code


@pytest.mark.parametrize(("name", "last", "first"), PAIRS)
def test_a_rule_is_pure(name: str, last: Assessment, first: Assessment) -> None:
    rule = built(name)
    before = msgspec.msgpack.encode(first)

    answers = [rule.judge(first) is None, rule.judge(last) is None, rule.judge(first) is None]

    assert answers == [False, True, False]
    assert msgspec.msgpack.encode(first) == before


@pytest.mark.parametrize(
    ("name", "limit"),
    [
        ("risk_trade", {"trade_limit_bp": 99}),
        ("risk_campaign", {"campaign_limit_bp": 99}),
        ("daily_loss", {"daily_loss_bp": 199}),
        ("drawdown", {"drawdown_bp": 199}),
        ("heat", {"heat_limit_bp": 100, "heat_critical_bp": 90, "heat_warning_bp": 80}),
        ("open_orders", {"max_symbol_entries": 1, "max_entries": 1}),
    ],
)
def test_a_lowered_limit_is_the_limit(name: str, limit: dict[str, object]) -> None:
    rule = load(settings(rules=(name,), **limit))[0]

    lost = {"day_start": 102_041 * UNIT, "peak": 102_041 * UNIT}
    assert rule.judge(assessment(symbol_entries=1, **lost)) is not None


@pytest.mark.parametrize("name", NAMES)
def test_rules_are_asked_in_the_order_of_the_settings(name: str) -> None:
    others = tuple(one for one in NAMES if one != name)

    assert load(settings(rules=(name, *others)))[0].code == built(name).code


@pytest.mark.parametrize(
    ("name", "stage", "reached"),
    [("heat", "RESERVE", "HEAT_LIMIT"), ("duplicate", "RESERVE", "DUPLICATE"), ("risk_trade", "", "")],
)
def test_a_gate_without_a_rule_decides_otherwise(name: str, stage: str, reached: str) -> None:
    """The mutant of each stateful guard: with the rule taken out, its own refusal is gone."""
    mutant = gate(*"ABCDEFGH", rules=[built(one) for one in settings().rules if one != name])
    intents = {
        "heat": [enter(f"{symbol}-2020-01-01/SPRING/1", risk_bp=200) for symbol in "ABCDE"],
        "duplicate": [enter("A-2020-01-01/SPRING/1")] * 2,
        "risk_trade": [enter("A-2020-01-01/SPRING/1", risk_bp=201, stop_price=1)],
    }[name]

    outputs = [tell(mutant, one)[1] for one in intents]

    assert code(gate(*"ABCDEFGH"), enter("A-2020-01-01/SPRING/1")) == ""
    assert getattr(outputs[-1], "stage", "") == stage
    assert outputs[-1].receipt.code == reached  # type: ignore[union-attr]


@pytest.mark.parametrize(("name", "last", "first"), PAIRS)
def test_without_its_judgement_the_border_of_a_rule_is_gone(
    name: str, last: Assessment, first: Assessment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(built(name)), "judge", lambda *_: None)

    with pytest.raises(AssertionError):
        test_a_rule_refuses_from_its_border_on(name, last, first)
