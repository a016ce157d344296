"""The engine as its user meets it: `init` and `trade` in an empty folder, operated from other processes."""

import json
import time
from pathlib import Path

import msgspec
import pytest

from engine.control.status import Status
from engine.live.decision_log import decisions_of
from tests.faults.processes import Engine, engine

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def begun(one: Engine) -> Status:
    home = one.home
    home.mkdir()
    made = one.run("init", str(home), cwd=home)
    assert made.returncode == 0, made.stderr
    settings = home / "wyckoff.toml"
    settings.write_text(settings.read_text().replace("speed = 60.0", "speed = 1200.0"))
    one.start()
    return one.running()


def test_an_engine_runs_is_operated_killed_and_ended(home: Path) -> None:
    with engine(home) as one:
        first = begun(one)

        assert first.mode == "paper"
        assert first.feed_is_simulated
        assert first.venue_is_simulated

        told = one.run("status", "--home", str(home), "--json")
        assert told.returncode == 0, told.stderr
        assert msgspec.json.decode(told.stdout, type=Status).pid == one.pid
        shown = one.run("status", "--home", str(home))
        assert "simulated" in shown.stdout.lower()

        paused = one.run("pause", "--home", str(home))
        assert paused.returncode == 0, paused.stderr
        killed = one.run("kill", "--home", str(home), "--reason", "a test")
        assert killed.returncode == 0, killed.stderr
        one.until(lambda seen: seen.day is not None and seen.tape is not None and seen.tape.rows > 50, "rows")
        one.kill()
        one.start()
        again = one.running()

        assert again.kill_level == "entries"
        assert again.paused_by
        assert {"HALTED"} <= {blocker.code for blocker in again.blockers}
        assert len(one.tapes()) == 1

        released = one.run("unkill", "--home", str(home), "--reason", "a test")
        assert released.returncode == 0, released.stderr
        assert one.order("resume").code == 0
        one.until(lambda seen: seen.state == "RUNNING", "running")
        began = time.monotonic()
        assert one.stop() == 0
        assert time.monotonic() - began < 20

        (tape,) = one.tapes()
        proof = one.run(
            "verify-tape", str(tape), "--against", str(decisions_of(tape)), "--config", str(home / "wyckoff.toml")
        )
        assert proof.returncode == 0, proof.stdout + proof.stderr


def test_it_needs_no_network_and_says_what_it_is(home: Path) -> None:
    with engine(home) as one:
        begun(one)
        feed = json.loads((home / "state/paper/lock").read_text())

        assert feed["mode"] == "paper"
