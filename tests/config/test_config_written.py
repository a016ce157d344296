"""The written file, the schema and the model say the same; every key is explained; shipped files are current.

`python -m tests.config.test_config_written` writes the shipped files anew.
"""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from adapters.paper import PaperSettings
from engine.campaigns.settings import CampaignSettings
from engine.config import Config, ConfigError, load, shipped
from engine.config.described import DESCRIBED
from engine.config.examples import live_example, paper_example
from engine.config.keys import keys
from engine.config.schema import config_schema, schema_text
from engine.config.written import literal, written
from engine.config_command import schema_path
from engine.risk.settings import RiskSettings
from strategies.wyckoff_bmad import WyckoffBmadSettings
from tests.config.makers import home, settled

SHIPPED = {shipped("paper"): paper_example, shipped("live"): live_example, schema_path(): schema_text}


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_what_is_shipped_is_current(path: Path) -> None:
    assert path.read_text() == SHIPPED[path]()


def test_the_written_file_gives_back_what_was_written(tmp_path: Path) -> None:
    tables = tomllib.loads(paper_example())

    assert tomllib.loads(written(tables, ["again"])) == tables


def test_paper_can_start_as_it_stands_and_live_cannot() -> None:
    assert load([shipped("paper")], {}).run.mode == "paper"
    with pytest.raises(ConfigError) as found:
        load([shipped("live")], {})

    assert {one.key for one in found.value.problems} == {"account.expected_account", "account.max_order_notional"}


def test_a_live_file_is_complete_once_its_owner_has_filled_it_in(tmp_path: Path) -> None:
    paths = home(tmp_path, '[account]\nexpected_account = "PA1"\nmax_order_notional = "500"\n', live_example())

    assert settled(paths).config.run.mode == "live"


def test_numbers_that_can_lose_money_are_those_of_the_replay() -> None:
    replay, paper = load([shipped("replay")], {}), load([shipped("paper")], {})

    for table in ("risk", "campaigns", "paper", "strategies", "detector"):
        assert getattr(paper, table) == getattr(replay, table)


def test_every_key_in_the_file_is_explained_above_it() -> None:
    assert bare_keys(paper_example()) == []
    assert bare_keys(live_example()) == []


def test_a_key_without_a_word_is_noticed() -> None:
    assert bare_keys("# what runs\n[run]\nmode = 'paper'\n") == ["mode"]


def bare_keys(text: str) -> list[str]:
    """Keys, set or shown as comments, without a comment above."""
    found, before = [], ""
    for line in text.splitlines():
        key = re.match(r"(?:# )?(\w+) = ", line)
        if key and not (before.startswith("# ") and not re.match(r"# (\w+ = |\[)", before)):
            found.append(key[1])
        before = line
    return found


@pytest.mark.parametrize("text", [paper_example(), live_example()], ids=["paper", "live"])
def test_every_key_of_the_model_stands_in_the_file(text: str) -> None:
    """But those of the detector, which the schema lists, and those of other kinds of feeds."""
    plain = [name for name, _ in keys(Config) if "*" not in name and not name.startswith("detector")]
    lines = [name.rpartition(".")[2] for name in plain if "_percent." not in name]

    assert [name for name in lines if not re.search(rf"^(# )?(\[+)?{name}( = |\]|$)", text, re.MULTILINE)] == []


OTHERS: dict[str, Any] = {
    "campaigns": CampaignSettings, "risk": RiskSettings, "paper": PaperSettings,
    "strategies.wyckoff_bmad": WyckoffBmadSettings,
}  # fmt: skip


def test_keys_declared_elsewhere_are_explained_and_none_is_stale() -> None:
    explained = {tuple(path.rpartition(".")[::2]) for path in DESCRIBED}

    assert [path for path in explained if path[1] not in OTHERS[path[0]].model_fields] == []
    for table in ("campaigns", "risk"):
        assert [name for name in OTHERS[table].model_fields if (table, name) not in explained] == []
    shown = tomllib.loads(shipped("replay").read_text())
    assert [name for name in shown["paper"] if ("paper", name) not in explained] == []


def test_every_field_of_our_own_tables_has_a_description() -> None:
    bare = [
        name
        for name, field in keys(Config)
        if not field.description and not name.startswith("detector.") and name not in DESCRIBED
        and name.partition(".")[0] not in ("campaigns", "risk")
    ]  # fmt: skip

    assert bare == []


def test_the_schema_refuses_unknown_keys_and_explains_known_ones() -> None:
    schema = config_schema()

    assert schema["additionalProperties"] is False
    assert schema["$defs"]["RunSettings"]["properties"]["mode"]["description"]
    assert schema["$defs"]["RiskSettings"]["properties"]["heat_limit_bp"]["description"]
    assert json.loads(schema_text())["title"] == "wyckoff.toml"


@pytest.mark.parametrize(
    "value", [True, 7, 250_000, -1, 0.5, 1e300, 'a "b" \\ c', "line\nbreak", ["a", 1], {"a b": {"c": [1]}}, [], {}]
)  # fmt: skip
def test_a_literal_is_read_back_as_it_was(value: object) -> None:
    assert tomllib.loads(f"key = {literal(value)}")["key"] == value


if __name__ == "__main__":
    for path, text in SHIPPED.items():
        path.write_text(text())
