"""A run that dies anywhere and goes on from its tape decides what an unbroken run decides."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from engine import replay
from engine.config import parse
from engine.digest import DECISIONS, EXECUTIONS
from engine.ports import Item
from engine.session import Session
from engine.tape import TapeMismatch, TapeReader
from tests.lines import Recorded, decide, lively, recorded
from tests.markets import bar_market

SOAK = bool(os.environ.get("WYCKOFF_SOAK"))
MARKET = recorded(bar_market(3, 900, 5), symbols=3)
CONFIG = parse(lively().model_dump() | {"tape": {"snapshot_every_rows": 300}}, "test")


class DiedError(Exception):
    """Stands for the end of the process."""


def session(market: Recorded, chunk: int = 50, dies_after: int | None = None) -> Session:
    def facts() -> Iterator[Item]:
        for number, fact in enumerate(market.facts(chunk)):
            if number == dies_after:
                raise DiedError
            yield fact

    return Session(market.start, market.table, facts())


def finish(run: replay.Run) -> str:
    run.finish(lambda rows: None)
    return run.line.tap.digest.hex


def killed(tape: Path, dies_after: int) -> None:
    run = replay.begin(CONFIG, session(MARKET, dies_after=dies_after), [], tape, "epoch")
    with pytest.raises(DiedError):
        finish(run)
    run.abandon()


@pytest.mark.parametrize("seed", range(40 if SOAK else 6))
def test_killed_anywhere_and_resumed_decides_the_same(seed: int, tmp_path: Path) -> None:
    draw = random.Random(seed)
    tape = tmp_path / "day.tape"
    facts = len(list(MARKET.facts(50)))
    killed(tape, draw.randrange(facts))

    # Twice killed is still the same session; the second try reads the feed in other chunks.
    again = replay.resume(CONFIG, session(MARKET, 7, draw.randrange(400)), [], tape)
    try:
        finish(again)
    except DiedError:
        again.abandon()
        again = replay.resume(CONFIG, session(MARKET, 64), [], tape)
        finish(again)

    assert again.line.tap.digest.hex == decide(MARKET).digest
    with TapeReader(tape) as reader:
        assert reader.verify().ok
        assert reader.verify().clean


def test_resuming_restores_a_snapshot_and_replays_only_what_is_beyond(tmp_path: Path) -> None:
    tape = tmp_path / "day.tape"
    killed(tape, 45)
    with TapeReader(tape) as reader:
        snapshot = reader.last_snapshot()
        last = reader.verify().last_sequence
    assert snapshot is not None
    assert last - snapshot.sequence < 400

    run = replay.resume(CONFIG, session(MARKET), [], tape)
    before = run.line.tap.counts.total_messages

    assert before > 0
    assert finish(run) == decide(MARKET).digest


def test_a_resumed_run_with_a_sink_misses_no_decision(tmp_path: Path) -> None:
    class Listed:
        def __init__(self) -> None:
            self.items: list[Item] = []

        def write(self, item: Item) -> None:
            if isinstance(item, DECISIONS + EXECUTIONS):
                self.items.append(item)

    tape = tmp_path / "day.tape"
    killed(tape, 45)
    listed = Listed()

    finish(replay.resume(CONFIG, session(MARKET), [listed], tape))

    assert tuple(listed.items) == decide(MARKET).decisions


def test_a_tape_replays_on_its_own(tmp_path: Path) -> None:
    tape = tmp_path / "day.tape"
    digest = finish(replay.begin(CONFIG, session(MARKET), [], tape, "epoch"))

    for chunk in (1, 7, 4096):
        run = replay.begin(CONFIG, replay.from_tape(tape, chunk), [], None, "epoch")
        assert finish(run) == digest


@pytest.mark.parametrize("changed", ["build", "lock", "config"])
def test_recovery_under_another_build_lock_or_configuration_is_refused(
    changed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tape = tmp_path / "day.tape"
    killed(tape, 20)
    known = replay.identity(CONFIG)
    monkeypatch.setattr(replay, "identity", lambda _: msgspec.structs.replace(known, **{changed: "0" * 32}))

    with pytest.raises(TapeMismatch, match=f"{changed}_hash"):
        replay.resume(CONFIG, session(MARKET), [], tape)


def test_recovery_with_other_feeds_is_refused(tmp_path: Path) -> None:
    tape = tmp_path / "day.tape"
    killed(tape, 20)
    other = replace(MARKET, start=msgspec.structs.replace(MARKET.start, feeds=("other",)))

    with pytest.raises(TapeMismatch, match="feeds"):
        replay.resume(CONFIG, session(other), [], tape)


def write_csv(path: Path, rows: int) -> Path:
    block = bar_market(1, rows, 3, "1m", daily_range=0.003)
    lines = ["time,open,high,low,close,volume"]
    columns = (block.open_ns, block.open, block.high, block.low, block.close, block.volume)
    lines += [",".join(map(str, row)) for row in zip(*(column.tolist() for column in columns), strict=True)]
    path.write_text("\n".join(lines) + "\n")
    return path


def wyckoff(*arguments: str) -> dict[str, object]:
    command = [sys.executable, "-m", "engine", "replay", "--json", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    result: dict[str, object] = json.loads(done.stdout)
    return result


@pytest.mark.timeout(300)
def test_sigkill_in_the_middle_of_a_replay_loses_nothing(tmp_path: Path) -> None:
    feed = write_csv(tmp_path / "S.csv", 60_000)
    tape = tmp_path / "day.tape"
    whole = wyckoff(str(feed))
    command = [sys.executable, "-m", "engine", "replay", str(feed), "--chunk", "64", "--tape", str(tape)]
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 200
    while running.poll() is None and time.monotonic() < deadline:
        if tape.exists() and Path(f"{tape}-wal").exists() and Path(f"{tape}-wal").stat().st_size > 500_000:
            break
        time.sleep(0.005)
    running.send_signal(signal.SIGKILL)
    running.wait()

    resumed = wyckoff(str(feed), "--tape", str(tape), "--resume")

    assert resumed["digest"] == whole["digest"]
    assert resumed["trades"] == whole["trades"]
