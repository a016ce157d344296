"""Metrics, and what is built on them: every name that a dashboard or an alert uses is one that is told."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from engine.config import shipped
from tests.control.makers import troubled
from tests.monitor.rig import OPERATE, running, until
from tests.test_tap import decisions

DEPLOY = shipped("replay").parent / "deploy"
DASHBOARD = DEPLOY / "grafana-dashboard.json"
RULES = DEPLOY / "prometheus-rules.yml"

FUNCTIONS = {
    "absent", "and", "by", "increase", "max", "on", "or", "rate", "sum", "unless", "without", "ignoring", "bool",
}  # fmt: skip
LABELS = re.compile(r"\{[^}]*\}|\[[^\]]*\]|\b(?:by|on|without|ignoring)\s*\([^)]*\)")


def names_in(expression: str) -> set[str]:
    """Metrics that an expression asks for."""
    return set(re.findall(r"[a-zA-Z_:][a-zA-Z0-9_:]*", LABELS.sub(" ", expression))) - FUNCTIONS


def expressions() -> Iterator[str]:
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        yield from (target["expr"] for target in panel["targets"])
    for group in yaml.safe_load(RULES.read_text())["groups"]:
        yield from (rule["expr"] for rule in group["rules"])


async def told(tmp_path: Path) -> dict[str, list[tuple[dict[str, str], float]]]:
    """All samples by name."""
    async with running(tmp_path) as rig:
        for one in decisions()[1:]:
            rig.stream.write(one)
        await until(lambda: rig.monitor.replica.counts)
        async with rig.http.get(f"{rig.base}/metrics", headers={"Authorization": f"Bearer {OPERATE}"}) as answer:
            text = await answer.text()
    found: dict[str, list[tuple[dict[str, str], float]]] = {}
    for family in text_string_to_metric_families(text):
        # Of reasons against entries there may be none.
        found.setdefault(family.name + "_total" * (family.type == "counter"), [])
        for sample in family.samples:
            found.setdefault(sample.name, []).append((sample.labels, sample.value))
    return found


@pytest.mark.asyncio
async def test_metrics_say_what_the_engine_says(tmp_path: Path) -> None:
    found = await told(tmp_path)

    assert found["wyckoff_up"] == [({"mode": "paper"}, 1.0)]
    assert ({"state": "RUNNING"}, 1.0) in found["wyckoff_state"]
    assert found["wyckoff_portfolio_heat_ratio"] == [({}, 0.0312)]
    assert found["wyckoff_equity"] == [({}, 101250.5)]
    assert ({"status": "refused", "reason": "heat_limit"}, 1.0) in found["wyckoff_orders_total"]
    assert ({"state": "ACTIVE"}, 1.0) in found["wyckoff_campaigns"]
    assert all(name.startswith("wyckoff_") for name in found)


@pytest.mark.asyncio
async def test_no_symbol_is_a_label(tmp_path: Path) -> None:
    found = await told(tmp_path)

    labels = {name for samples in found.values() for each, _ in samples for name in each}
    assert labels <= {"mode", "state", "border", "feed", "channel", "stage", "status", "reason", "code", "quantile"}


@pytest.mark.asyncio
async def test_what_is_not_known_has_no_sample(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        rig.engine.now = troubled()
        await until(lambda: rig.monitor.replica.status and rig.monitor.replica.status.mode == "live")
        text = rig.monitor.metrics.text().decode()

    assert "\nwyckoff_portfolio_heat_ratio " not in text
    assert "wyckoff_killed 3.0" in text
    assert 'wyckoff_blocked{code="feed_stale"} 1.0' in text


@pytest.mark.asyncio
async def test_dashboard_and_alerts_use_metrics_that_exist(tmp_path: Path) -> None:
    known = set(await told(tmp_path)) | {"up"}

    found = list(expressions())
    assert len(found) > 30
    for expression in found:
        names = names_in(expression)
        assert names, expression
        assert names <= known, f"{expression}: {sorted(names - known)}"


def test_the_check_of_names_can_fail() -> None:
    assert names_in('rate(wyckoff_nothing_total{a="b"}[5m]) * 60') == {"wyckoff_nothing_total"}
    assert names_in("max by (feed) (a) > on(feed, channel) 2 * b and on() c") == {"a", "b", "c"}


def test_the_dashboard_can_be_imported() -> None:
    dashboard = json.loads(DASHBOARD.read_text())

    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(ids) == len(set(ids))
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in dashboard["panels"])
    assert {"title", "uid", "schemaVersion", "templating", "panels"} <= set(dashboard)
    for panel in dashboard["panels"]:
        assert [target["refId"] for target in panel["targets"]] == [chr(65 + n) for n in range(len(panel["targets"]))]


def test_alerts_are_complete() -> None:
    (group,) = yaml.safe_load(RULES.read_text())["groups"]

    names = [rule["alert"] for rule in group["rules"]]
    assert len(names) == len(set(names)) >= 12
    for rule in group["rules"]:
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert rule["annotations"]["summary"]
        assert rule["expr"].count("(") == rule["expr"].count(")")
        assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
