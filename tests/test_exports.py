"""Exports: whole or absent, and a reader gets back what was written."""

import csv
import os
from collections.abc import Iterable
from pathlib import Path

import msgspec
import numpy as np
import pytest

from engine.app import build_line
from engine.blocks import Bars
from engine.exports import DecisionsJsonl, EventsCsv, Export, ExportError, PhasesCsv
from engine.iso import parse_iso
from engine.messages import Accepted, Detections, Event, Phase
from engine.naming import event_name
from engine.ports import Item
from engine.timeframes import TIMEFRAMES
from tests.lines import lively
from tests.makers import bars, end_of_feed, heartbeat, session, table
from tests.markets import bar_market

NAN = float("nan")
SYMBOLS = ("A,B", 'say "C"')


class Gathered:
    """A sink that keeps everything."""

    def __init__(self) -> None:
        self.items: list[Item] = []

    def write(self, item: Item) -> None:
        self.items.append(item)


def written(export: Export, items: Iterable[Item]) -> list[dict[str, str]]:
    with export:
        for item in items:
            export.write(item)
    return list(csv.DictReader(export.path.read_text().splitlines()))


def closed(*phases: Phase, instrument: int = 0, timeframe: str = "1d", **columns: object) -> Bars:
    """An empty block that releases one bar for each phase."""
    found = bars(
        *((1.0, 1.0, 1.0, 1.0),) * len(phases), timeframe=timeframe, instrument=instrument,
        phase=[tuple(Phase).index(phase) for phase in phases], **({"source": 1} | columns),
    )  # fmt: skip
    block = found.slice(0, 0)
    block.closed = found
    return block


def phases_csv(path: Path, detect_on: tuple[str, ...] = ("1d",)) -> PhasesCsv:
    return PhasesCsv(path, SYMBOLS, TIMEFRAMES, detect_on)


def test_an_export_takes_its_name_only_at_its_end(tmp_path: Path) -> None:
    path = tmp_path / "e.csv"
    path.write_text("old")

    with EventsCsv(path):
        assert path.read_text() == "old"

    assert path.read_text().startswith("symbol,timeframe,")
    assert [one.name for one in tmp_path.iterdir()] == ["e.csv"]


def test_a_run_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "e.csv"
    path.write_text("old")

    with pytest.raises(KeyboardInterrupt), EventsCsv(path):
        raise KeyboardInterrupt

    assert path.read_text() == "old"
    assert [one.name for one in tmp_path.iterdir()] == ["e.csv"]


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real.csv").write_text("old")
    link = tmp_path / "e.csv"
    link.symlink_to("real.csv")

    with EventsCsv(link):
        pass

    assert link.is_symlink()
    assert (tmp_path / "real.csv").read_text().startswith("symbol,")


def test_what_is_no_plain_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    for path, part in ((tmp_path, "directory"), (tmp_path / "pipe", "pipe"), (tmp_path / "no" / "e.csv", "No such")):
        with pytest.raises(ExportError, match=part):
            EventsCsv(path)


def test_a_device_that_takes_nothing_is_an_error_that_names_the_export(tmp_path: Path) -> None:
    export = EventsCsv(tmp_path / "e.csv")
    export._file.close()
    export._file = Path("/dev/full").open("w")  # noqa: SIM115 - the disk is full from here on
    export.text("x")

    with pytest.raises(ExportError, match=r"e\.csv"):
        export.__exit__(None)

    assert list(tmp_path.iterdir()) == []


def test_phases_have_one_row_a_detected_bar(tmp_path: Path) -> None:
    blocks = [
        closed(Phase.A, Phase.B, direction=1, confidence=61.5),
        closed(Phase.C, timeframe="1w"),
        closed(Phase.D, instrument=1, direction=-1, confidence=NAN),
    ]

    rows = written(phases_csv(tmp_path / "p.csv"), blocks)

    assert [(row["symbol"], row["phase"], row["direction"], row["confidence"]) for row in rows] == [
        ("A,B", "A", "1", "61.5"), ("A,B", "B", "1", "61.5"), ('say "C"', "D", "-1", ""),
    ]  # fmt: skip
    assert rows[1]["time"] == "2020-01-02T00:00:00Z"


def test_phases_do_not_depend_on_how_many_are_gathered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = [closed(*np.random.default_rng(seed).choice(tuple(Phase), 5), confidence=seed / 3) for seed in range(40)]
    many = written(phases_csv(tmp_path / "many.csv"), blocks)
    monkeypatch.setattr(PhasesCsv, "GATHERED_BARS", 7)

    assert written(phases_csv(tmp_path / "few.csv"), blocks) == many
    assert len(many) == 200


def test_events_read_back_are_the_events_that_were_emitted(tmp_path: Path) -> None:
    events, rows = replayed(tmp_path)

    assert len(rows) == len(events) > 50
    for event, row in zip(events, rows, strict=True):
        assert row["event"] == event_name(event.kind, event.direction)
        assert (row["symbol"], int(row["direction"]), float(row["price"])) == (
            event.symbol, event.direction, event.price,
        )  # fmt: skip
        assert [parse_iso(row[name]) for name in ("event_time", "confirm_time", "known_time")] == [
            event.event_ns, event.confirm_ns, event.known_ns,
        ]  # fmt: skip
        for name, value in (("support", event.support), ("resistance", event.resistance)):
            assert row[name] == "" if np.isnan(value) else float(row[name]) == value


def test_an_event_is_known_only_after_the_bar_that_confirms_it(tmp_path: Path) -> None:
    _, rows = replayed(tmp_path)

    assert all(row["event_time"] <= row["confirm_time"] < row["known_time"] for row in rows)
    assert [row["known_time"] for row in rows] == sorted(row["known_time"] for row in rows)


def replayed(tmp_path: Path) -> tuple[list[Event], list[dict[str, str]]]:
    """The events of a small market, and the same as rows of a file."""
    start, instruments, market = session("A", "B", detect_on=("1d",)), table("A", "B"), bar_market(2, 900, 5)
    kept = Gathered()
    line = build_line(lively(), start, instruments, sinks=[kept])
    for fact in (start, *instruments.all, market, end_of_feed(int(market.row_ns[-1]))):
        line.chain.push(fact)
    found = [event for item in kept.items if isinstance(item, Detections) for event in item.events]
    return found, written(EventsCsv(tmp_path / "e.csv"), kept.items)


def test_decisions_are_one_object_a_line_and_nothing_else(tmp_path: Path) -> None:
    decided = [accepted(1), accepted(2)]
    export = DecisionsJsonl(tmp_path / "d.jsonl")

    with export:
        for item in (heartbeat(0), decided[0], bars((1.0, 1.0, 1.0, 1.0)), decided[1]):
            export.write(item)

    lines = export.path.read_text().splitlines()
    assert [msgspec.json.decode(line, type=Accepted) for line in lines] == decided


def accepted(sequence: int) -> Accepted:
    return Accepted(time_ns=1, order_id="a", symbol="A", venue_id="paper-1", sequence=sequence)
