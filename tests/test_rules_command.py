"""`list-rules`: every rule there is, every limit there is, and what a configuration makes of them."""

import json
from importlib import import_module
from pathlib import Path

import pytest

from engine.config import shipped
from engine.risk import rules
from engine.risk.settings import RiskSettings
from engine.rules_command import settings_read
from tests.test_cli import told, wyckoff
from tests.test_show_campaigns import found

NO_LIMITS = ("rules", "heat_warning_bp", "heat_critical_bp")
"""Settings of [risk] that refuse nothing: which rules are asked, and two borders that only tell."""


def listed(*arguments: object) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = found("list-rules", *arguments)["rules"]  # type: ignore[assignment]
    return rows


def keys(rows: list[dict[str, object]]) -> set[str]:
    return {limit["key"] for row in rows for limit in row["limits"]}  # type: ignore[attr-defined]


def test_every_rule_is_listed_with_its_code_and_what_it_blocks() -> None:
    rows = [one for one in listed() if one["kind"] == "rule"]

    assert sorted(str(one["name"]) for one in rows) == list(rules.names())
    for one in rows:
        assert one["code"]
        assert len(str(one["blocks"])) > 20
        assert not str(one["blocks"]).startswith(str(one["code"]))


def test_every_limit_of_the_risk_settings_is_some_rules() -> None:
    limits = {f"risk.{name}" for name in RiskSettings.model_fields if name not in NO_LIMITS}

    assert limits <= keys(listed())


def test_limits_are_read_from_the_code_of_a_rule() -> None:
    read = {name: settings_read(import_module(f"engine.risk.rules.{name}")) for name in rules.names()}

    assert read["heat"] == ["heat_limit_bp"]
    assert read["open_orders"] == ["max_symbol_entries", "max_entries"]
    assert read["halted"] == []


def test_limits_have_the_value_and_the_unit_of_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text("[risk]\nheat_limit_bp = 950\nheat_critical_bp = 800\n")

    limits = {one["name"]: one["limits"] for one in listed("-c", tmp_path / "mine.toml")}

    assert limits["heat"] == limits["reserve_heat"] == [
        {"key": "risk.heat_limit_bp", "value": "950", "unit": "bp of equity"}
    ]  # fmt: skip
    assert limits["budget_leg"] == [
        {"key": "campaigns.split_percent", "value": "40/30/30", "unit": "% of the cap, spring/SOS/LPS"}
    ]


def test_a_rule_that_is_not_configured_is_off(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text('[risk]\nrules = ["heat", "numeric"]\n')
    rows = listed("-c", tmp_path / "mine.toml")

    active = [(one["name"], one["order"]) for one in rows if one["kind"] == "rule" and one["active"]]
    assert active == [("heat", 1), ("numeric", 2)]
    assert all(one["active"] for one in rows if one["kind"] != "rule")
    text = wyckoff("list-rules", "-c", tmp_path / "mine.toml").stdout
    assert " off  risk_trade" in text


def test_the_shipped_configuration_has_every_rule_active() -> None:
    assert json.dumps([one for one in listed() if not one["active"]]) == "[]"
    assert shipped("replay").exists()


@pytest.mark.parametrize(("text", "part"), [('[risk]\nrules = ["luck"]\n', "luck"), ("[risk\n", "TOML")])
def test_a_configuration_mistake_is_told(text: str, part: str, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(text)

    told(wyckoff("list-rules", "-c", tmp_path / "mine.toml"), 78, part)
