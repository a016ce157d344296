"""A reload: on the tape as a Command and a ConfigChange, in the running parts at once, and nowhere after a mistake."""

import json
import os
import signal
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import anyio
import pytest

from engine import exits
from engine.beside import Beside
from engine.blocks import Trades
from engine.config import ConfigError, Settled, settle
from engine.config.examples import SIMULATED
from engine.config.reload import compare
from engine.config.written import written
from engine.control.status import LoopView
from engine.control.target import OperatorCommand, Outcome
from engine.exits import ExitError
from engine.live.reloading import Reloading
from engine.live.session import LiveParts, LiveSession
from engine.live.tapes import Tapes
from engine.live.target import EngineTarget
from engine.messages import Command, ConfigChange
from engine.paths import find_paths
from engine.tape import TapeReader
from tests.config.makers import CANARY, secret
from tests.faults.processes import Engine, engine
from tests.lines import lively
from tests.live.rig import ListedFeed, ToldClock
from tests.markets import trade_market

ASKED = OperatorCommand("reload", "", "alice (uid 1000)", "")


def base() -> str:
    tables = lively().model_dump(exclude_none=True)
    tables["run"] |= {"mode": "paper"}
    tables["feeds"] = [SIMULATED]
    return written(tables, ())


class Shell:
    """A session whose feed has ended, a file of settings, whom to tell, and a part that notes what it is given."""

    def __init__(self, directory: Path) -> None:
        self.home = directory
        self.file = directory / "wyckoff.toml"
        self.file.write_text(base())
        self.fails: Exception | None = None
        self.running = self.read()
        self.taken: list[Settled] = []
        trades: Trades = trade_market(1, 5, 1, 7)
        feed = ListedFeed([trades], ("S000",), ToldClock(int(trades.time_ns[0]) - 1))
        self.session = LiveSession(LiveParts(self.running.config, [feed], Tapes(directory / "tapes"), feed.clock))
        paths = find_paths(directory, {}, directory)
        target = EngineTarget(self.session, self.running.config, paths, lambda _: self.reloading.obey(ASKED), loop)
        around = Beside(self.running, target, feed.clock, directory)
        self.reloading = Reloading(self.session, lambda: self.running, self.read, [around.prepared, self.part])

    def read(self) -> Settled:
        if self.fails is not None:
            raise self.fails
        try:
            return settle([self.file], find_paths(self.home, {}, self.home), {})
        except ConfigError as error:
            raise ExitError(exits.BAD_CONFIG, str(error)) from None

    def part(self, held: Settled) -> Callable[[], None]:
        def switch() -> None:
            self.taken.append(held)
            self.running = held

        return switch

    async def after(self, *edits: tuple[str, str]) -> Outcome:
        """What a reload answers once the file has these edits."""
        text = self.file.read_text()
        for old, new in edits:
            assert old in text
            text = text.replace(old, new)
        self.file.write_text(text)
        return await self.reloading.obey(ASKED)

    def facts(self) -> list[Command | ConfigChange]:
        (tape,) = self.session.parts.tapes.all()
        with TapeReader(tape) as reader:
            return [fact for fact in reader.facts() if isinstance(fact, Command | ConfigChange)]


def loop() -> LoopView:
    raise AssertionError("nobody looks")


async def played(shell: Shell, *edits: tuple[str, str]) -> Outcome:
    """The answer to a reload in a running session, which then ends."""
    await shell.session.begin()
    async with anyio.create_task_group() as group:
        group.start_soon(shell.session.run)
        await shell.session.warm.wait()
        outcome = await shell.after(*edits)
        shell.session.stop()
    return outcome


LEVEL = ('level = "info"', 'level = "debug"')
DRAIN = ("drain_s = 20.0", "drain_s = 3.0")
HEAT = ("heat_limit_bp = 1000", "heat_limit_bp = 950")


def test_what_is_live_and_what_needs_a_restart_is_one_fact_behind_its_command(tmp_path: Path) -> None:
    shell = Shell(tmp_path)

    outcome = anyio.run(played, shell, LEVEL, DRAIN, HEAT)

    command, change = shell.facts()[:2]
    assert isinstance(command, Command)
    assert isinstance(change, ConfigChange)
    assert (command.name, command.operator) == ("reload", "alice (uid 1000)")
    assert (change.keys, change.restart) == (("log.level", "live.drain_s"), ("risk.heat_limit_bp",))
    assert change.config_hash == shell.read().config.model_copy(update={"risk": shell.running.config.risk}).hash
    assert outcome.code == 0
    assert outcome.message.splitlines() == [
        "log.level is now debug, was info",
        "live.drain_s is now 3.0, was 20.0",
        "risk.heat_limit_bp needs a restart: it stays 1000 instead of 950",
        "what decides is among these: restart with `wyckoff trade --adopt`",
    ]
    (held,) = shell.taken
    assert (held.config.log.level, held.config.live.drain_s, held.config.risk.heat_limit_bp) == ("debug", 3.0, 1000)


def test_a_file_that_has_not_changed_changes_nothing(tmp_path: Path) -> None:
    shell = Shell(tmp_path)

    outcome = anyio.run(played, shell)

    assert (outcome.code, outcome.message) == (0, "nothing has changed")
    assert [type(one) for one in shell.facts()] == [Command, Command]
    assert compare(shell.running.config, shell.read().config).live == ()


def test_a_mistake_changes_nothing(tmp_path: Path) -> None:
    shell = Shell(tmp_path)

    outcome = anyio.run(played, shell, LEVEL, ("heat_limit_bp = 1000", "heat_limit = 1000"))

    assert outcome.code == exits.BAD_CONFIG
    assert "nothing changed" in outcome.message
    assert "risk.heat_limit" in outcome.message
    assert shell.taken == []
    assert [type(one) for one in shell.facts()] == [Command, Command]


WEBHOOK = ("[notify]", '[notify.webhook]\nurl_file = "{config}/secrets/hook"\nevents = ["pause"]\n[notify]')
CHAT = (
    "[notify]",
    '[notify.telegram]\nchat_id = "1"\ntoken_file = "{config}/secrets/hook"\nevents = ["kill"]\n[notify]',
)
DEAD_MAN = ('dead_man_url_file = ""', 'dead_man_url_file = "{config}/secrets/hook"')

MISTYPED = {
    "notify.webhook_url": (WEBHOOK, "must be an https address"),
    "notify.telegram_token": (CHAT, "must be a bot's token"),
    "live.dead_man_url": (DEAD_MAN, "must be an https address"),
}


@pytest.mark.parametrize("key", MISTYPED)
def test_an_address_that_cannot_be_called_changes_nothing_either(key: str, tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    file = secret(tmp_path, "hook", f"htps://{CANARY}")
    edit, problem = MISTYPED[key]

    outcome = anyio.run(played, shell, LEVEL, edit)

    assert outcome.code == exits.BAD_CONFIG
    for part in ("nothing changed", key, problem, str(file)):
        assert part in outcome.message, part
    assert CANARY not in outcome.message
    assert shell.taken == []
    assert [type(one) for one in shell.facts()] == [Command, Command]


@pytest.mark.parametrize("error", [RuntimeError(CANARY), OSError(5, CANARY), KeyError(CANARY)], ids=repr)
def test_whatever_goes_wrong_in_reading_changes_nothing(error: Exception, tmp_path: Path) -> None:
    """A strategy's module is anybody's, and reading it runs it."""
    shell = Shell(tmp_path)
    shell.fails = error

    outcome = anyio.run(played, shell, LEVEL)

    assert outcome.code == exits.BAD_CONFIG
    assert f"nothing changed: {type(error).__name__} in {__file__}, line " in outcome.message
    assert CANARY not in outcome.message
    assert shell.taken == []
    assert [type(one) for one in shell.facts()] == [Command, Command]


# --------------------------------------------------------------------------------------- a real process


class Hook:
    """A web address on this host, and what was posted to it."""

    def __init__(self) -> None:
        self.events: list[str] = []
        events = self.events

        class Answers(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                events.append(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["event"])
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Nothing."""

        self._server = HTTPServer(("127.0.0.1", 0), Answers)
        self.address = f"http://127.0.0.1:{self._server.server_port}/"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def __enter__(self) -> "Hook":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def edited(one: Engine, *edits: tuple[str, str]) -> None:
    file = one.home / "wyckoff.toml"
    text = file.read_text()
    for old, new in edits:
        assert old in text, old
        text = text.replace(old, new, 1)
    file.write_text(text)


def begun(one: Engine, speed: str = "1200.0") -> None:
    one.home.mkdir()
    assert one.run("init", str(one.home), cwd=one.home).returncode == 0
    edited(one, ("speed = 60.0", f"speed = {speed}"), ('listen = "127.0.0.1:8787"', 'listen = "127.0.0.1:1"'))
    one.start()
    one.running()


def changes(one: Engine) -> list[ConfigChange]:
    (tape,) = one.tapes()
    with TapeReader(tape) as reader:
        return [fact for fact in reader.facts() if isinstance(fact, ConfigChange)]


@pytest.mark.timeout(300)
def test_an_engine_that_runs_obeys(tmp_path: Path) -> None:
    with Hook() as hook, engine(tmp_path / "home") as one:
        begun(one)
        before = one.status()
        secret(one.home, "hook", hook.address)
        edited(
            one,
            ('stale_after = { bars = "15s" }', 'stale_after = { bars = "40s" }'),
            ("# rss_limit_mb = 2000", "rss_limit_mb = 1500"),
            ('# level = "info"', 'level = "error"'),
            ("[notify]", '[notify.webhook]\nurl_file = "{config}/secrets/hook"\nevents = ["pause"]\n[notify]'),
            HEAT,
        )

        told = one.run("reload", "--home", str(one.home))

        assert told.returncode == 0, told.stderr
        assert "live.rss_limit_mb is now 1500, was 2000" in told.stdout
        assert "risk.heat_limit_bp needs a restart: it stays 1000 instead of 950" in told.stdout
        after = one.status()
        assert (before.loop.rss_limit_mb, after.loop.rss_limit_mb) == (2_000, 1_500)
        assert (before.feeds[0].limit_s, after.feeds[0].limit_s) == (15, 40)
        assert after.heat.limit_bp == 1_000
        assert after.config_hash == before.config_hash
        assert one.order("pause").code == 0
        one.until(lambda _: hook.events == ["pause"], "the new webhook is told")

        edited(one, ("rss_limit_mb = 1500", "rss_limit_mb = 1"))
        refused = one.run("reload", "--home", str(one.home))
        assert refused.returncode == exits.BAD_CONFIG
        assert "live.rss_limit_mb" in refused.stderr
        assert one.status().loop.rss_limit_mb == 1_500

        secret(one.home, "hook", "htps://nowhere")
        edited(one, ("rss_limit_mb = 1", "rss_limit_mb = 1400"))
        assert one.child is not None
        one.child.send_signal(signal.SIGHUP)
        one.until(lambda _: "notify.webhook_url  must be an https address" in logged(one), "SIGHUP is answered")
        assert one.status().loop.rss_limit_mb == 1_500

        secret(one.home, "hook", hook.address)
        one.child.send_signal(signal.SIGHUP)
        one.until(lambda seen: seen.loop.rss_limit_mb == 1_400, "SIGHUP is obeyed")

        assert one.stop() == 0
        assert [one.keys for one in changes(one)] == [
            ("feeds.0.stale_after.bars", "log.level", "notify.webhook", "live.rss_limit_mb", "notify.webhook_url"),
            ("live.rss_limit_mb",),
        ]
        assert {one.restart for one in changes(one)} == {("risk.heat_limit_bp",)}
        log = logged(one)
        assert "session_begins" in log
        assert "session_ended" not in log


@pytest.mark.timeout(300)
def test_tapes_that_are_kept_no_longer_go_after_the_next_day(tmp_path: Path) -> None:
    with engine(tmp_path / "home") as one:
        begun(one, speed="20000.0")
        old = one.state / "tapes" / "20200101T000000Z-q3b5c0.tape"
        old.write_bytes(b"kept for ten days")
        ten_days_ago = time.time() - 10 * 86_400
        os.utime(old, (ten_days_ago, ten_days_ago))
        one.until(lambda _: len(one.tapes()) > 3 and checks(one) > 1, "two days have been checked")
        assert old.exists()

        edited(one, ("# keep_days = 90", "keep_days = 9"))
        assert one.order("reload").message == "tape.keep_days is now 9, was 90"

        one.until(lambda _: not old.exists(), "the old tape is removed")
        assert one.stop() == 0


def checks(one: Engine) -> int:
    return logged(one).count('"event":"self_check"')


def logged(one: Engine) -> str:
    return (one.home / "logs" / "wyckoff.jsonl").read_text()
