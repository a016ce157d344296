"""`wyckoff schematics`: a feed that replay reads, labels beside it, mistakes named."""

import csv
from pathlib import Path

import msgspec
import pytest

from adapters.files import open_feed
from engine.exits import USAGE, ExitError
from engine.schematics_command import SchematicsCommand, labels_path, run_schematics
from engine.wyckoff.schematics import KINDS, generate

ASKED = SchematicsCommand(Path(), ("accumulation", "garch"), 2, 7, "1d", "2020-01-01", None, None)


def asked(tmp_path: Path, **changes: object) -> SchematicsCommand:
    return msgspec.structs.replace(ASKED, out=tmp_path / "market.csv", **changes)


def test_the_file_opens_as_a_feed_with_the_same_bars(tmp_path: Path) -> None:
    told = run_schematics(asked(tmp_path))

    feed = open_feed(tmp_path / "market.csv")

    assert feed.symbols == ("ACCUMULATION.7", "ACCUMULATION.8", "GARCH.7", "GARCH.8")
    assert feed.timeframe == "1d"
    numbers = {symbol: number for number, symbol in enumerate(feed.symbols)}
    blocks = list(feed.facts(numbers, 0, 100_000))[:-1]
    first = [close for block in blocks for close in block.close[block.instrument == 0].tolist()]
    assert first == generate("accumulation", 7).close.tolist()
    assert told["bars"] == sum(len(block) for block in blocks)


def test_labels_name_the_event_as_the_field_does(tmp_path: Path) -> None:
    run_schematics(asked(tmp_path, kinds=("distribution",), count=1))

    with labels_path(tmp_path / "market.csv").open() as file:
        rows = list(csv.DictReader(file))

    assert {"BC", "UTAD", "SOW", "LPSY"} <= {row["event"] for row in rows}
    assert {row["direction"] for row in rows} == {"-1"}


def test_the_same_command_writes_the_same_bytes(tmp_path: Path) -> None:
    run_schematics(asked(tmp_path))
    first = (tmp_path / "market.csv").read_bytes()

    run_schematics(asked(tmp_path))

    assert (tmp_path / "market.csv").read_bytes() == first


def test_all_kinds_where_none_is_named(tmp_path: Path) -> None:
    assert run_schematics(asked(tmp_path, kinds=(), count=1))["series"] == len(KINDS)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"kinds": ("wedge",)}, "--kind must be one of .*, was 'wedge'"),
        ({"timeframe": "2d"}, "--timeframe must be one of .*, was '2d'"),
        ({"start": "yesterday"}, "--from: time must be ISO 8601"),
        ({"count": 6_000}, "series must be at most 10,000, was 12,000"),
    ],
)
def test_a_mistake_is_named_and_nothing_is_written(tmp_path: Path, changes: dict, named: str) -> None:
    with pytest.raises(ExitError, match=named) as caught:
        run_schematics(asked(tmp_path, **changes))

    assert caught.value.code == USAGE
    assert list(tmp_path.iterdir()) == []
