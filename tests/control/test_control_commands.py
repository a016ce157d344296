"""The control commands as a user meets them: tables, JSON that its schema describes, exit codes.

`python -m tests.control.test_control_commands` writes the schemas anew.
"""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
import structlog
from typer.testing import CliRunner, Result

from engine import exits, log
from engine.cli import app
from engine.config import shipped
from engine.config_command import CheckedConfig, ShownConfig
from engine.control.protocol import Answer
from engine.control.status import Status
from engine.control.target import Outcome
from engine.control_commands import LOG_NAME, log_text
from engine.doctor import DoctorReport
from engine.init_command import InitReport
from engine.locks import Holder, StateLock
from engine.status_text import status_text
from tests.control.makers import Engine, server, status, troubled

SCHEMAS: dict[str, Any] = {
    "status": Status, "control-answer": Answer, "config-check": CheckedConfig, "config-show": ShownConfig,
    "doctor": DoctorReport, "init": InitReport,
}  # fmt: skip
FOLDER = shipped("replay").parent / "schemas"


def wyckoff(home: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, [*arguments, "--home", str(home)])


@contextmanager
def running(home: Path, engine: Engine | None = None) -> Iterator[Engine]:
    """An engine on a loop of its own thread, as another process would be."""
    found = engine or Engine()
    started, ended = threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        async with server(home, found):
            started.set()
            await ended.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    assert started.wait(5)
    try:
        # Unconfigured, structlog would print into the output of the command that is tested.
        with structlog.testing.capture_logs():
            yield found
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join(5)
        loop.close()


@pytest.mark.parametrize("name", SCHEMAS)
def test_schemas_are_current(name: str) -> None:
    assert json.loads((FOLDER / f"{name}.schema.json").read_text()) == json.loads(
        msgspec.json.encode(msgspec.json.schema(SCHEMAS[name]))
    )


def test_status_exits_3_when_nothing_runs(tmp_path: Path) -> None:
    for command in (["status"], ["pause"], ["logs"], ["stop"], ["kill", "--reason", "x"]):
        result = wyckoff(tmp_path, *command)

        assert result.exit_code == exits.NOT_RUNNING, command
        assert "no engine runs here" in result.stderr


def test_an_engine_without_a_socket_is_told(tmp_path: Path) -> None:
    (tmp_path / "state" / "paper").mkdir(parents=True)
    with StateLock(tmp_path / "state" / "paper", Holder(4242, 0, "paper")):
        result = wyckoff(tmp_path, "status")

    assert result.exit_code == exits.NOT_RUNNING
    assert "paper: pid 4242" in result.stderr


def test_status_prints_json_of_its_schema(tmp_path: Path) -> None:
    with running(tmp_path):
        result = wyckoff(tmp_path, "status", "--json")

    assert msgspec.json.decode(result.stdout, type=Status, strict=True) == status()
    assert json.loads(result.stdout)["positions"][0]["quantity"] == "100"


def test_status_tells_a_person_what_matters_first(tmp_path: Path) -> None:
    with running(tmp_path):
        result = wyckoff(tmp_path, "status")

    first, second = result.stdout.split("\n\n")[:2]
    assert first == "[PAPER]  RUNNING  SIMULATED FEED, simulated venue"
    assert second == "Trading: entries are possible."
    for part in ("3.12 %", "7.00 % / 9.00 % / 10.00 %", "-120.25", "101,250.50", "0.4 s", "15 s bars", "12,345",
                 "ACME-2026-11-20/SPRING/1/STOP", "fact 4,711", "pid 4242", "digest dddddddddddddddd"):  # fmt: skip
        assert part in result.stdout, part


def test_status_says_why_nothing_is_traded() -> None:
    text = status_text(troubled())

    assert text.startswith("[LIVE]  HALTED  real feed, REAL VENUE alpaca, account PA123\nKILLED (flatten): too much ")
    assert "NOT TRADING:\n  killed      kill flatten by alice" in text
    assert "feed iex: no trades for 64 s, limit 15 s" in text
    assert "heat      unknown" in text
    assert "SPY 1h  120/250 bars" in text
    assert "\x1b" not in text


def test_lists_that_were_cut_say_so() -> None:
    assert "and 7 more" in status_text(status(position_count=8))


@pytest.mark.parametrize(
    ("arguments", "name", "argument"),
    [
        (["pause"], "pause", ""),
        (["resume"], "resume", ""),
        (["cancel", "X/SPRING/1"], "cancel", "X/SPRING/1"),
        (["cancel", "--all"], "cancel", "all"),
        (["force-exit", "X-1"], "force-exit", "X-1"),
        (["kill", "--reason", "why"], "kill", "entries"),
        (["kill", "--level", "flatten", "--reason", "why"], "kill", "flatten"),
        (["unkill", "--reason", "why"], "unkill", ""),
        (["note", "why"], "note", ""),
        (["reload"], "reload", ""),
        (["stop", "--timeout", "3"], "stop", "3"),
    ],
)
def test_each_command_asks_for_what_it_says(arguments: list[str], name: str, argument: str, tmp_path: Path) -> None:
    with running(tmp_path) as engine:
        result = wyckoff(tmp_path, *arguments)

    assert result.exit_code == 0, result.output
    assert [(one.name, one.argument) for one in engine.commands] == [(name, argument)]
    assert engine.commands[0].reason == ("why" if "why" in arguments else "")


@pytest.mark.parametrize(
    "arguments",
    [["cancel"], ["cancel", "X", "--all"], ["force-exit"], ["kill"], ["unkill"], ["stop", "--timeout", "601"],
     ["kill", "--level", "sever", "--reason", "x"], ["kill", "--reason", " "], ["pause", "--reason", "two\nlines"]],
)  # fmt: skip
def test_what_cannot_be_meant_is_usage(arguments: list[str], tmp_path: Path) -> None:
    with running(tmp_path) as engine:
        result = wyckoff(tmp_path, *arguments)

    assert result.exit_code == exits.USAGE, result.output
    assert engine.commands == []


@pytest.mark.parametrize("code", [exits.NOT_FOUND, exits.REFUSED, exits.TIMED_OUT])
def test_the_engines_code_is_the_commands(code: int, tmp_path: Path) -> None:
    engine = Engine()
    engine.acts = lambda _: Outcome(code, "no such order")

    with running(tmp_path, engine):
        plain = wyckoff(tmp_path, "cancel", "X")
        machine = wyckoff(tmp_path, "cancel", "X", "--json")

    assert (plain.exit_code, machine.exit_code) == (code, code)
    assert plain.stderr == "wyckoff: no such order\n"
    assert json.loads(machine.stdout)["code"] == code


def test_stop_waits_until_the_state_is_let_go(tmp_path: Path) -> None:
    (tmp_path / "state" / "paper").mkdir(parents=True)
    lock = StateLock(tmp_path / "state" / "paper", Holder(1, 0, "paper"))
    engine = Engine()

    def draining(_: object) -> Outcome:
        threading.Timer(0.2, lock.release).start()
        return Outcome(0, "draining")

    engine.acts = draining
    with running(tmp_path, engine):
        result = wyckoff(tmp_path, "stop", "--timeout", "5")

    assert (result.exit_code, result.stdout) == (0, "stopped\n")


def test_a_stop_that_does_not_end_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.control_commands.STOP_GRACE_S", 0.1)
    (tmp_path / "state" / "paper").mkdir(parents=True)

    with StateLock(tmp_path / "state" / "paper", Holder(1, 0, "paper")), running(tmp_path):
        result = wyckoff(tmp_path, "stop", "--timeout", "0")

    assert result.exit_code == exits.TIMED_OUT


def test_logs_are_for_people_or_for_programs(tmp_path: Path) -> None:
    with running(tmp_path):
        plain = wyckoff(tmp_path, "logs", "-n", "1")
        machine = wyckoff(tmp_path, "logs", "-n", "2", "--follow", "--json")

    assert plain.stdout.split() == ["two"]
    assert [json.loads(line)["event"] for line in machine.stdout.splitlines()] == ["one", "two", "later"]


def test_what_an_engine_said_can_be_read_when_it_has_gone(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / LOG_NAME).write_text('{"event":"one"}\n{"event":"last words"}\n')

    found = wyckoff(tmp_path, "logs", "-n", "1", "--json")

    assert (found.exit_code, found.stdout) == (0, '{"event":"last words"}\n')
    assert "no engine runs here" in found.stderr
    assert wyckoff(tmp_path, "logs", "--follow").exit_code == exits.NOT_RUNNING
    assert log.LOG_NAME == LOG_NAME


def test_a_line_of_the_log_drives_no_terminal() -> None:
    line = json.dumps({"time": "2026-11-21T09:00:00Z", "level": "info", "event": "x\x1b[2J", "feed": "a", "n": 1})

    assert log_text(line) == "2026-11-21T09:00:00 info    x?[2J  feed=a n=1"
    assert log_text("no json") == "no json"


if __name__ == "__main__":
    for name, view in SCHEMAS.items():
        schema = msgspec.json.format(msgspec.json.encode(msgspec.json.schema(view)), indent=2)
        (FOLDER / f"{name}.schema.json").write_bytes(schema + b"\n")
