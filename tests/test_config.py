"""Configuration: files merged key by key, every mistake one line, nothing unexplained shipped."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from engine.app import build_line
from engine.config import Config, ConfigError, load, shipped, told
from tests.makers import session
from tests.makers import table as instruments


@pytest.fixture
def overlay(tmp_path: Path) -> Path:
    return tmp_path / "mine.toml"


def loaded(overlay: Path, text: str) -> Config:
    overlay.write_text(text)
    return load([shipped("replay"), overlay])


def mistakes(overlay: Path, text: str) -> list[str]:
    with pytest.raises(ConfigError) as found:
        loaded(overlay, text)
    return [told(one) for one in found.value.problems]


def test_a_later_file_replaces_single_keys(overlay: Path) -> None:
    plain = load([shipped("replay")])

    found = loaded(overlay, "[risk]\nheat_limit_bp = 950\n[campaigns.pattern_percent]\nlps = '0.6'\n")

    assert found.risk.heat_limit_bp == 950
    assert found.risk.trade_limit_bp == plain.risk.trade_limit_bp
    assert str(found.campaigns.pattern_percent.lps) == "0.6"
    assert found.campaigns.pattern_percent.sos == plain.campaigns.pattern_percent.sos
    assert found.hash != plain.hash


def test_the_hash_is_of_what_is_set_not_of_how_it_is_written(overlay: Path) -> None:
    assert loaded(overlay, "# nothing\n").hash == load([shipped("replay")]).hash
    assert loaded(overlay, "[risk]\nheat_limit_bp = 1_000\n").hash == load([shipped("replay")]).hash


def test_all_mistakes_are_told_with_their_file(overlay: Path) -> None:
    found = mistakes(overlay, "[risk]\nheat = 5\n[tape]\nsnapshot_every_rows = 0\n[run]\nmode = 'alive'\n")

    assert len(found) == 3
    assert all(line.startswith(f"{overlay}: ") for line in found)
    assert any(line.endswith("risk.heat: unknown key") for line in found)


def test_a_mistake_is_laid_to_the_file_that_has_the_key(overlay: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.toml"
    wrong.write_text("[run]\ncash = '-1'\n")
    overlay.write_text("[risk]\nheat_limit_bp = 950\n")

    with pytest.raises(ConfigError) as found:
        load([shipped("replay"), wrong, overlay])

    assert [one.source for one in found.value.problems] == [str(wrong)]


def test_limits_are_checked_on_what_the_merge_gives(overlay: Path) -> None:
    assert "heat_warning_bp" in mistakes(overlay, "[risk]\nheat_limit_bp = 600\n")[0]


def test_no_value_is_repeated_in_an_error(overlay: Path) -> None:
    assert "topsecret" not in "".join(mistakes(overlay, "[run]\ncash = 'topsecret'\n"))


def test_where_metadata_lies_is_no_part_of_the_hash(overlay: Path) -> None:
    """What it says is in the instruments, which a tape holds; whether a recording is believed is a setting."""
    plain = load([shipped("replay")])

    assert loaded(overlay, "[instruments]\nfiles = ['somewhere.json']\n").hash == plain.hash
    assert loaded(overlay, "[instruments]\nfrom_recording = true\n").hash != plain.hash


@pytest.mark.parametrize("name", ["2m", "tick:0", "tick:1.5", "volume:", "dollar:1e6"])
@pytest.mark.parametrize("key", ["timeframes", "detect_on"])
def test_an_unknown_timeframe_is_refused(key: str, name: str, overlay: Path) -> None:
    assert f"was {name}" in mistakes(overlay, f"[run]\n{key} = ['{name}']\n")[0]


@pytest.mark.parametrize("lateness", ["-1", "3_600_001", "'late'", "1.5"])
def test_lateness_is_that_of_the_feeds_or_a_number(lateness: str, overlay: Path) -> None:
    assert loaded(overlay, "[run]\nlateness_ms = 250\n").run.lateness_ms == 250
    assert loaded(overlay, "[run]\nlateness_ms = 'feed'\n").run.lateness_ms == "feed"

    assert "run.lateness_ms" in mistakes(overlay, f"[run]\nlateness_ms = {lateness}\n")[0]


@pytest.mark.parametrize(("key", "value"), [("hours", "'nights'"), ("min_quantity", "'-1'"), ("tick", "'0'")])
def test_a_mistake_in_a_symbols_own_table_names_it(key: str, value: str, overlay: Path) -> None:
    config = loaded(overlay, f"[instruments.symbols.'XBT/USD']\n{key} = {value}\n")

    with pytest.raises(ConfigError, match=rf"instruments\.symbols\.XBT/USD\.{key}"):
        config.instruments.instrument("XBT/USD", "USD", "trades")


@pytest.mark.parametrize("text", ["[run\n", "mode = 'a'\nmode = 'b'\n"])
def test_a_file_that_is_not_toml_is_named(text: str, overlay: Path) -> None:
    assert mistakes(overlay, text)[0].startswith(f"{overlay}: is not TOML")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    for path in (tmp_path / "nowhere.toml", tmp_path):
        with pytest.raises(ConfigError, match=f"{path}: cannot be read"):
            load([shipped("replay"), path])


@pytest.mark.parametrize(
    "table", ["run", "instruments.default", "campaigns", "risk", "paper", "tape", "strategies.wyckoff_bmad"]
)
def test_an_unknown_key_is_refused_in_every_table(table: str, overlay: Path) -> None:
    def build() -> None:
        build_line(loaded(overlay, f"[{table}]\nno_such_key = 1\n"), session(), instruments())

    with pytest.raises(ConfigError) as found:
        build()

    assert [(one.key, one.problem) for one in found.value.problems] == [(f"{table}.no_such_key", "unknown key")]


def test_every_table_and_every_number_that_is_shipped_is_explained() -> None:
    """A key is explained by a comment at its line or at the head of its table, or by a unit in its name."""
    assert unexplained(shipped("replay").read_text()) == []


def test_a_key_without_a_word_is_noticed() -> None:
    assert unexplained("[risk]\nfactor = 3\n") == ["risk.factor"]


UNITS = re.compile(r"_(bp|ns|ms|percent|rows|minimum|per_share|entries|score|version)$")
PLAIN = {"mode", "strategies", "cash", "currency", "timeframes", "tick", "lot", "point_value", "min_notional",
         "min_quantity", "calendar", "allows_negative", "rules"}  # fmt: skip
"""Terms of the field, which need no comment."""


def unexplained(text: str) -> list[str]:
    tomllib.loads(text)
    found, table, is_explained, depth = [], "", False, 0
    for before, line in zip(["", *text.splitlines()], text.splitlines(), strict=False):
        if line.startswith("["):
            table, is_explained = line[1 : line.index("]")], "#" in line or before.startswith("#")
        elif not depth and (key := re.match(r"(\w+)\s*=", line)):
            named = UNITS.search(key[1]) or key[1] in PLAIN
            if not (is_explained or "#" in line or named):
                found.append(f"{table}.{key[1]}")
        depth += line.count("[") - line.count("]")
    return found


def test_every_setting_has_its_key_in_the_shipped_file() -> None:
    """A setting that is not in the file has a default: fine only where it cannot lose money."""
    tables = tomllib.loads(shipped("replay").read_text())

    assert absent(Config, tables) == ALLOWED


ALLOWED = {
    # Taken from the feed, from the account; empty unless a user fills it.
    "instruments.default.match_on", "instruments.default.currency", "instruments.symbols",
    # How long a campaign may wait and how clear a change must be: they open no position.
    "campaigns.activate_score", "campaigns.opposite_score", "campaigns.dormant_bars", "campaigns.expire_bars",
    "campaigns.time_stop_bars",
    # A replay has no use for them, and none can lose money: whatever can is demanded for live.
    "account", "feeds", "protections", "store", "monitor", "log", "notify", "live", "run.on_start", "tape.keep_days",
    # When a word is said, and when a venue's silence is taken for a refusal.
    "campaigns.low_budget_percent", "campaigns.answer_seconds",
}  # fmt: skip


def absent(model: Any, tables: dict[str, Any], above: str = "") -> set[str]:
    found = set()
    for name, field in model.model_fields.items():
        if name == "detector":  # documented beside its code
            continue
        if name not in tables:
            found.add(f"{above}{name}")
        elif hasattr(field.annotation, "model_fields"):
            found |= absent(field.annotation, tables[name], f"{above}{name}.")
    return found
