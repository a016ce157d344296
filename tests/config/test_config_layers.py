"""Layers: files, variables and --set, in this order; who said what; what each mistake of merging would cost."""

import json
import os
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from engine.cli import app
from engine.config import Config, ConfigError, load, shipped
from engine.config.environment import environment_layer
from engine.config.merge import origin
from engine.config_command import CheckedConfig, ShownConfig, shown_config
from engine.paths import find_paths
from tests.config.makers import CANARY, home, mistakes, secret, settled

FEED = '[[feeds]]\nname = "other"\nkind = "simulated"\nsymbols = ["A"]\nseed = 2\nstale_after = { bars = "5s" }\n'


def test_command_line_goes_over_environment_over_files(tmp_path: Path) -> None:
    paths = home(tmp_path, "[live]\ndrain_s = 1\nwarmup_bars = 300\nsnapshot_every_s = 10\n")

    found = settled(paths, {"WYCKOFF_LIVE__DRAIN_S": "2", "WYCKOFF_LIVE__WARMUP_BARS": "400"}, ("live.drain_s=3",))

    assert (found.config.live.drain_s, found.config.live.warmup_bars, found.config.live.snapshot_every_s) == (
        3,
        400,
        10,
    )
    assert origin("live.drain_s", found.layers) == "--set live.drain_s"
    assert origin("live.warmup_bars", found.layers) == "WYCKOFF_LIVE__WARMUP_BARS"
    assert origin("live.snapshot_every_s", found.layers) == str(tmp_path / "overlay.toml")
    assert origin("run.cash", found.layers) == str(tmp_path / "wyckoff.toml")
    assert origin("live.rss_limit_mb", found.layers) == "default"


@pytest.mark.parametrize(
    ("variable", "text", "key", "value"),
    [
        ("WYCKOFF_RUN__STRATEGIES", "[]", "run.strategies", ()),
        ("WYCKOFF_RUN__LATENESS_MS", "250", "run.lateness_ms", 250),
        ("WYCKOFF_RUN__LATENESS_MS", "feed", "run.lateness_ms", "feed"),
        ("WYCKOFF_RUN__DETECT_ON", '["1h"]', "run.detect_on", ("1h",)),
        ("WYCKOFF_RUN__DETECT_ON", "feed", "run.detect_on", "feed"),
        ("WYCKOFF_DETECTOR__SPRING_STRICT", "true", "detector.spring_strict", True),
        ("WYCKOFF_DETECTOR__SPRING_STRICT", "False", "detector.spring_strict", False),
        ("WYCKOFF_LOG__TO_FILE", "0", "log.to_file", False),
        ("WYCKOFF_ACCOUNT__EXPECTED_ACCOUNT", "123456", "account.expected_account", "123456"),
        ("WYCKOFF_RISK__HEAT_LIMIT_BP", "950", "risk.heat_limit_bp", 950),
    ],
)
def test_a_variable_has_the_type_of_its_key(variable: str, text: str, key: str, value: object, tmp_path: Path) -> None:
    found: object = settled(home(tmp_path), {variable: text}).config
    for part in key.split("."):
        found = getattr(found, part)

    assert found == value
    assert type(found) is type(value)


def test_feeds_can_come_from_a_variable(tmp_path: Path) -> None:
    feed = {"name": "x", "kind": "simulated", "symbols": ["A"], "seed": 3, "stale_after": {"bars": "5s"}}

    found = settled(home(tmp_path), {"WYCKOFF_FEEDS": json.dumps([feed])})

    assert [one.name for one in found.config.feeds] == ["x"]
    assert origin("feeds.0.seed", found.layers) == "WYCKOFF_FEEDS"


def test_an_array_is_replaced_whole(tmp_path: Path) -> None:
    """Half a feed of one file and half of another would be a third that nobody wrote."""
    found = settled(home(tmp_path, FEED))

    assert [one.name for one in found.config.feeds] == ["other"]
    assert origin("feeds.0.seed", found.layers) == str(tmp_path / "overlay.toml")
    assert origin("feeds.0.speed", found.layers) == "default"


def test_tables_are_merged_deeply(tmp_path: Path) -> None:
    """A shallow merge would lose the borders below the limit, and the rule between them with it."""
    found = settled(home(tmp_path, "[risk]\nheat_limit_bp = 950\n"))

    assert (found.config.risk.heat_warning_bp, found.config.risk.heat_limit_bp) == (700, 950)


def test_rules_between_keys_see_the_merge_not_the_file(tmp_path: Path) -> None:
    (found,) = mistakes(home(tmp_path), {"WYCKOFF_RISK__HEAT_LIMIT_BP": "900"})

    assert found.key == "risk"
    assert found.source == "WYCKOFF_RISK__HEAT_LIMIT_BP"


@pytest.mark.parametrize("name", ["WYCKOFF_HOME", "WYCKOFF_ARM_LIVE"])
def test_variables_that_are_read_elsewhere_are_no_keys(name: str) -> None:
    assert environment_layer({name: "/x", "PATH": "/bin"}).tables == {}


def test_a_replay_hears_variables_and_is_always_one(tmp_path: Path) -> None:
    paths = home(tmp_path)

    found = load([shipped("replay"), paths.config_file], {"WYCKOFF_RISK__HEAT_LIMIT_BP": "950"}, run={"mode": "replay"})

    assert (found.run.mode, found.risk.heat_limit_bp) == ("replay", 950)
    with pytest.raises(ConfigError, match=r"WYCKOFF_RUN__MODE: run\.mode"):
        load([shipped("replay")], {"WYCKOFF_RUN__MODE": "alive"}, run={"mode": "replay"})
    with pytest.raises(ConfigError, match=r"WYCKOFF_RSK__X: rsk\.x: unknown key"):
        load([shipped("replay")], {"WYCKOFF_RSK__X": "1"})


def test_what_does_not_decide_is_not_in_the_hash(tmp_path: Path) -> None:
    plain = settled(home(tmp_path)).config.hash

    for key, value in (("log.level", "debug"), ("live.drain_s", "1"), ("monitor.listen", "127.0.0.1:1"),
                       ("tape.keep_days", "9"), ("run.on_start", "paused")):  # fmt: skip
        assert settled(home(tmp_path), sets=(f"{key}={value}",)).config.hash == plain, key
    for key, value in (("run.cash", "1"), ("risk.heat_limit_bp", "950"), ("detector.atr_bars", "15"),
                       ("tape.snapshot_every_rows", "9")):  # fmt: skip
        assert settled(home(tmp_path), sets=(f"{key}={value}",)).config.hash != plain, key


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith("WYCKOFF_")]:
        monkeypatch.delenv(name)
    home(tmp_path)
    return tmp_path


def test_show_says_where_each_value_comes_from_and_no_secret(installed: Path) -> None:
    secret(installed, "monitor_token", CANARY * 2)
    variables = {"WYCKOFF_RISK__HEAT_LIMIT_BP": "950", "WYCKOFF_LIVE__DEAD_MAN_URL": f"https://x.test/{CANARY}"}

    table = CliRunner(env=variables).invoke(app, ["config", "show", "--home", str(installed), "--origin"])
    machine = CliRunner(env=variables).invoke(app, ["config", "show", "--home", str(installed), "--json"])

    assert table.exit_code == 0, table.output
    assert "WYCKOFF_RISK__HEAT_LIMIT_BP" in table.stdout
    assert CANARY not in table.output + machine.output
    found = msgspec.json.decode(machine.stdout, type=ShownConfig)
    assert {one.name: one.is_set for one in found.secrets} == {
        "monitor.token": True, "notify.webhook_url": False, "notify.telegram_token": False, "live.dead_man_url": True,
    }  # fmt: skip
    assert found.directories["state"] == str(installed / "state" / "paper")
    assert {one.key: one.origin for one in found.keys}["risk.heat_limit_bp"] == "WYCKOFF_RISK__HEAT_LIMIT_BP"


def test_a_secret_under_another_key_is_not_shown_either(installed: Path) -> None:
    """Somebody pastes a token as the account number: the value is known as a secret."""
    secret(installed, "monitor_token", CANARY * 2)
    found = settled(find_paths(installed, {}, installed), {"WYCKOFF_ACCOUNT__EXPECTED_ACCOUNT": CANARY * 2})

    assert CANARY not in msgspec.json.encode(shown_config(find_paths(installed, {}, installed), found)).decode()


def test_check_prints_json_of_its_shape(installed: Path) -> None:
    result = CliRunner().invoke(app, ["config", "check", "--home", str(installed), "--json"])

    found = msgspec.json.decode(result.stdout, type=CheckedConfig)
    assert found.ok
    assert found.config_hash == settled(find_paths(installed, {}, installed)).config.hash


def test_the_model_takes_what_it_dumps(tmp_path: Path) -> None:
    config = settled(home(tmp_path, FEED)).config

    assert Config.model_validate(config.model_dump()) == config
