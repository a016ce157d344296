"""What the commands on a store print: as tables, as JSON that its schema describes, or as one error.

`python -m tests.test_show_campaigns` writes the schemas anew.
"""

import json
import os
import re
import sqlite3
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from engine.campaign_views import CampaignsView, CampaignView, RunsView, TradesView, View
from engine.campaigns_command import held_ns
from engine.config import shipped
from engine.rules_command import RulesView
from engine.text_table import shortened, sparkline
from tests.test_cli import HEADER, lines, told, wyckoff

SCHEMAS: dict[str, type[View]] = {
    "list-runs": RunsView,
    "show-campaigns": CampaignsView,
    "show-campaign": CampaignView,
    "show-trades": TradesView,
    "list-rules": RulesView,
}
FOLDER = shipped("replay").parent / "schemas"
LIVELY = (
    "[strategies.wyckoff_bmad]\nmin_score = 35.0\nmin_confidence = 40.0\nspring_reward = 1.0\n"
    "sos_reward = 0.8\nlps_reward = 0.8\nshakeout_entry = true\n"
)
NO_SIZE = '[instruments.default]\nlot = "100000"\n'


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs: one that trades, one whose every entry is refused."""
    folder = tmp_path_factory.mktemp("store")
    feed = folder / "days.csv"
    feed.write_text("\n".join(lines(symbols=("AAA", "BRK-B"))) + "\n")
    for name, text in (("refused", LIVELY + NO_SIZE), ("trading", LIVELY)):
        (folder / f"{name}.toml").write_text(text)
        done = wyckoff("replay", feed, "-c", folder / f"{name}.toml", "--store", folder / "runs.sqlite", "--quiet")
        assert done.exit_code == 0, done.output
    return folder / "runs.sqlite"


def found(command: str, *arguments: object) -> dict[str, object]:
    """The JSON of a command, which must be exactly what its view says."""
    text = wyckoff(command, *arguments, "--json").stdout
    msgspec.json.decode(text, type=SCHEMAS[command], strict=True)
    plain: dict[str, object] = json.loads(text)
    check_complete(plain, msgspec.json.schema(SCHEMAS[command]))
    return plain


def check_complete(value: object, schema: dict[str, object]) -> None:
    """Every object has the properties that its schema names, and no others."""
    definitions: dict[str, dict[str, object]] = schema["$defs"]  # type: ignore[assignment]
    known = [set(one["properties"]) for one in definitions.values()]  # type: ignore[call-overload]

    def walk(part: object) -> None:
        if isinstance(part, dict):
            assert set(part) in known
        for inner in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
            walk(inner)

    walk(value)


@pytest.mark.parametrize("command", SCHEMAS)
def test_schemas_are_current(command: str) -> None:
    assert json.loads((FOLDER / f"{command}.schema.json").read_text()) == msgspec.json.schema(SCHEMAS[command])


def test_runs_are_listed(store: Path) -> None:
    runs = found("list-runs", store)["runs"]

    assert [one["run"] for one in runs] == [1, 2]  # type: ignore[attr-defined]
    assert [one["legs_closed"] > 0 for one in runs] == [False, True]  # type: ignore[attr-defined]
    text = wyckoff("list-runs", store).stdout
    assert text.splitlines()[0].split()[:3] == ["run", "from", "to"]
    assert all(one["digest"][:12] in text for one in runs)  # type: ignore[attr-defined]


def test_the_last_run_is_shown_unless_another_is_named(store: Path) -> None:
    first = found("show-trades", store, "--run", 1)
    last = found("show-trades", store)

    assert (first["run"], last["run"]) == (1, 2)
    assert found("show-trades", store, "--run", last["name"]) == last
    assert first["trades"] == []


def test_campaigns_are_shown_with_legs_planned_and_filled(store: Path) -> None:
    campaigns = found("show-campaigns", store)["campaigns"]
    text = wyckoff("show-campaigns", store).stdout

    assert len(campaigns) >= 3  # type: ignore[arg-type]
    assert any(one["r"] is not None for one in campaigns)  # type: ignore[attr-defined]
    for one in campaigns:  # type: ignore[attr-defined]
        assert [leg["planned_percent"] for leg in one["legs"]] == ["40", "30", "30"]
        assert one["campaign"].startswith(one["symbol"])
        assert (one["timeframe"], one["direction"]) == ("1d", 1)
        assert one["campaign"] in text
        assert re.search(rf"^{re.escape(one['campaign'])} .* {one['state']} .*40/30/30", text, re.MULTILINE)


def test_sums_of_the_commands_agree(store: Path) -> None:
    rows = found("show-campaigns", store)["campaigns"]
    trades = found("show-trades", store)
    ended = [one for one in rows if Decimal(one["open_quantity"]) == 0]  # type: ignore[attr-defined]

    for row in ended:
        legs = [one for one in trades["trades"] if one["campaign"] == row["campaign"]]  # type: ignore[attr-defined]
        assert sum(Decimal(one["pnl"]) for one in legs) == Decimal(row["pnl"])
        assert sum(Decimal(one["risk"]) for one in legs) == Decimal(row["risk"])
    every: dict[str, object] = trades["all"]  # type: ignore[assignment]
    assert Decimal(str(every["pnl"])) == sum(Decimal(one["pnl"]) for one in trades["trades"])  # type: ignore[attr-defined]
    by_leg = [one["statistics"]["legs"] for one in trades["by_leg"]]  # type: ignore[attr-defined]
    by_phase = [one["statistics"]["legs"] for one in trades["by_phase"]]  # type: ignore[attr-defined]
    assert sum(by_leg) == sum(by_phase) == every["legs"] == len(trades["trades"])  # type: ignore[arg-type]


def test_the_account_ends_where_its_curve_does(store: Path) -> None:
    trades = found("show-trades", store)
    account: dict[str, str] = trades["account"]  # type: ignore[assignment]
    curve: list[dict[str, str]] = trades["curve"]  # type: ignore[assignment]

    assert account["pnl"] == curve[-1]["pnl"]
    assert Decimal(account["max_drawdown_fraction"]) == max(Decimal(one["drawdown_fraction"]) for one in curve)
    assert [one["time"] for one in curve] == sorted(one["time"] for one in curve)
    assert 0 < float(account["exposure_fraction"]) < 1


def test_one_campaign_is_shown_in_full(store: Path) -> None:
    rows = found("show-campaigns", store)["campaigns"]
    name = next(one["campaign"] for one in rows if one["r"] is not None)  # type: ignore[attr-defined]

    view = msgspec.convert(found("show-campaign", store, name), CampaignView, strict=False)
    text = wyckoff("show-campaign", store, name).stdout

    assert [one.number for one in view.changes] == list(range(1, len(view.changes) + 1))
    assert view.campaign.pnl == sum(one.pnl for one in view.positions)
    for plan in view.exit_plans:
        held = next((one for one in view.positions if one.group == plan.group), None)
        assert all(one.hit == (one.filled > 0) == (one.time is not None) for one in plan.targets)
        assert held is None or sum(one.filled for one in plan.targets) <= held.entered_quantity
        assert plan.stops[0].reason == "entry"
    for one in view.allocation:
        assert one.asked_bp <= min(one.slice_bp or 0, one.pattern_bp or 0, one.trade_bp or 0)
        assert one.filled_quantity <= one.quantity
        assert one.filled_bp <= one.asked_bp
    for part in ("progression", "positions", "exit plan of", "allocation", "refusals", "curve"):
        assert f"\n{part}" in text


def test_refusals_say_by_how_much_they_missed(store: Path) -> None:
    rows = found("show-campaigns", store, "--run", 1)["campaigns"]
    views = [found("show-campaign", store, one["campaign"], "--run", 1) for one in rows]  # type: ignore[attr-defined]
    refused = [one for view in views for one in view["refusals"]]  # type: ignore[attr-defined]

    sizes = [one for one in refused if one["code"] == "SIZE_MIN"]
    assert sizes
    assert {(one["stage"], one["value"], one["limit"], one["missed_by"]) for one in sizes} == {
        ("SIZING", "0", "100000", 1.0)
    }
    declines = [one for one in refused if one["stage"] == "STRATEGY"]
    for one in declines:
        assert one["missed_by"] == pytest.approx(abs(float(one["value"]) / float(one["limit"]) - 1))


def test_every_leg_closed_is_shown(store: Path) -> None:
    trades = found("show-trades", store)["trades"]
    shown = wyckoff("show-trades", store).stdout

    for one in trades:  # type: ignore[attr-defined]
        assert one["mfe_r"] is not None
        assert re.search(rf"^{re.escape(one['campaign'])} +{one['leg']} ", shown, re.MULTILINE)
    assert "win rate" in shown
    assert "all " in shown


@pytest.mark.parametrize(
    ("arguments", "code", "part"),
    [
        (["show-trades", "nowhere.sqlite"], 4, "nowhere.sqlite"),
        (["list-runs", "nowhere.sqlite"], 4, "nowhere.sqlite"),
        (["show-trades", "{store}", "--run", "9"], 4, "1, 2"),
        (["show-campaign", "{store}", "ZZZ-2020-01-01"], 4, "ZZZ-2020-01-01"),
        (["show-campaigns", "{here}"], 74, "directory"),
        (["show-campaigns", "{here}/text.csv"], 74, "must be a store"),
        (["show-campaigns", "{here}/other.sqlite"], 74, "a database with mine"),
        (["show-campaigns", "{here}/empty"], 74, "a file without tables"),
        (["show-campaigns", "{here}/old.sqlite"], 74, "schema must be"),
        (["show-campaigns", "{here}/bare.sqlite"], 4, "holds no run"),
        (["list-rules", "-c", "nowhere.toml"], 78, "nowhere.toml"),
    ],
)
def test_a_mistake_is_told(arguments: list[str], code: int, part: str, store: Path, tmp_path: Path) -> None:
    (tmp_path / "text.csv").write_text(HEADER)
    (tmp_path / "empty").touch()
    for name, sql in (("other", "CREATE TABLE mine (x)"), ("bare", "SELECT 1"), ("old", "SELECT 1")):
        with closing(sqlite3.connect(tmp_path / f"{name}.sqlite")) as connection:
            if name != "other":
                with closing(sqlite3.connect(store)) as whole:
                    whole.backup(connection)
                connection.execute("DELETE FROM runs")
            connection.execute("UPDATE schema_version SET version = version + 100" if name == "old" else sql)
            connection.commit()
    places = {"{store}": store, "{here}": tmp_path}
    for name, place in places.items():
        arguments = [one.replace(name, str(place)) for one in arguments]

    told(wyckoff(*arguments), code, part)


def test_looking_changes_nothing(store: Path) -> None:
    before = {path.name: path.read_bytes() for path in store.parent.iterdir() if path.name.endswith(".sqlite")}

    for command in ("list-runs", "show-campaigns", "show-trades"):
        assert wyckoff(command, store).exit_code == 0

    assert {path.name: path.read_bytes() for path in store.parent.iterdir() if path.name.endswith(".sqlite")} == before


def test_a_store_is_read_while_it_is_written(store: Path) -> None:
    with closing(sqlite3.connect(store, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        other.execute("UPDATE runs SET dropped = 5")

        assert wyckoff("list-runs", store).exit_code == 0
        other.execute("ROLLBACK")


def test_a_sparkline_keeps_its_width_and_its_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    values = [Decimal(one) for one in range(100)]

    assert len(sparkline(values, 60)) == 60
    assert sparkline(values[:3], 60)[-1] != sparkline(values[:3], 60)[0]
    assert sparkline([], 60) == ""
    assert len(set(sparkline([Decimal(4)] * 5, 60))) == 1


def test_where_the_output_is_plain_so_is_the_sparkline(store: Path) -> None:
    import subprocess
    import sys

    done = subprocess.run(
        [sys.executable, "-m", "engine", "show-trades", str(store)], capture_output=True, check=False,
        env=os.environ | {"PYTHONIOENCODING": "ascii"},
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert b"curve" in done.stdout


def test_ids_of_events_become_days() -> None:
    day_ns = 1_577_836_800_000_000_000
    name = f"BRK-B:1d:+1:SPRING:{day_ns - 1}:{day_ns}"

    assert shortened(f"SPRING {name} score 71.0: none") == "SPRING 2020-01-01 score 71.0: none"
    assert shortened(f"opposite SPRING {name}") == "opposite SPRING 2020-01-01"
    assert shortened(name) == "SPRING 2020-01-01"
    assert shortened("no event for 5 bars") == "no event for 5 bars"


def test_time_held_counts_an_overlap_once() -> None:
    assert held_ns([]) == 0
    assert held_ns([(10, 20), (15, 30), (40, 50), (41, 45), (46, 52)]) == 32


if __name__ == "__main__":
    for command, view in SCHEMAS.items():
        schema = msgspec.json.format(msgspec.json.encode(msgspec.json.schema(view)), indent=2)
        (FOLDER / f"{command}.schema.json").write_bytes(schema + b"\n")
