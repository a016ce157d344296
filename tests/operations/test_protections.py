"""Protections act once a breach, remember over a restart, and what runs beside a session tells and acts."""

import asyncio
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from engine.beside import Beside, events
from engine.config.daemon_tables import DailyLossProtection, DrawdownProtection, Protection
from engine.control.status import KillLevel, SessionState
from engine.protections import Protections, read_memory, write_memory
from tests.config.makers import home, settled
from tests.control.makers import Engine, status, troubled, until

D = Decimal
DAILY = DailyLossProtection(kind="daily_loss", limit_bp=300, then="entries")
DRAWDOWN = DrawdownProtection(kind="drawdown", limit_bp=1_000, then="flatten")
MONDAY, TUESDAY = "2026-11-23", "2026-11-24"


def judged(protections: Protections, *looks: tuple[str, str]) -> list[str]:
    return [
        f"{command.name} {command.argument}".strip()
        for day, equity in looks
        for command in protections.judge(day, D(equity))
    ]


def test_the_days_loss_counts_from_its_first_look() -> None:
    looks = ((MONDAY, "100000"), (MONDAY, "105000"), (MONDAY, "97000.01"))

    assert judged(Protections([DAILY]), *looks) == []
    assert judged(Protections([DAILY]), *looks, (MONDAY, "97000")) == ["kill entries"]


def test_a_breach_has_its_command_once_and_another_day_another() -> None:
    one = Protections([DAILY])

    assert judged(one, (MONDAY, "100000"), (MONDAY, "96000"), (MONDAY, "98000"), (MONDAY, "95000")) == ["kill entries"]
    assert judged(one, (TUESDAY, "95000"), (TUESDAY, "92500")) == []
    assert judged(one, (TUESDAY, "92000")) == ["kill entries"]


def test_the_drawdown_counts_from_the_peak_over_days() -> None:
    one = Protections([DRAWDOWN])

    assert judged(one, (MONDAY, "100000"), (MONDAY, "120000"), (TUESDAY, "108001")) == []
    assert judged(one, (TUESDAY, "108000"), (TUESDAY, "100000")) == ["kill flatten"]
    assert judged(one, (TUESDAY, "120001"), (TUESDAY, "108000")) == ["kill flatten"]


def test_several_are_asked_in_order_and_pause_is_no_kill() -> None:
    pausing = DailyLossProtection(kind="daily_loss", limit_bp=100, then="pause")
    one = Protections([pausing, DRAWDOWN])

    assert judged(one, (MONDAY, "100000"), (MONDAY, "90000")) == ["pause", "kill flatten"]


def test_a_day_does_not_go_back() -> None:
    one = Protections([DAILY])

    assert judged(one, (TUESDAY, "100000"), (MONDAY, "97000")) == ["kill entries"]


@pytest.mark.parametrize("equity", ["0", "-5"])
def test_an_account_that_is_gone_is_a_breach(equity: str) -> None:
    assert judged(Protections([DAILY]), (MONDAY, "100000"), (MONDAY, equity)) == ["kill entries"]


def test_a_restart_forgets_neither_the_days_first_look_nor_what_was_given(tmp_path: Path) -> None:
    one = Protections([DAILY])
    judged(one, (MONDAY, "100000"))
    assert one.memory is not None
    write_memory(tmp_path, one.memory)

    restarted = Protections([DAILY], read_memory(tmp_path))
    assert judged(restarted, (MONDAY, "97000")) == ["kill entries"]
    assert restarted.memory is not None
    write_memory(tmp_path, restarted.memory)
    assert judged(Protections([DAILY], read_memory(tmp_path)), (MONDAY, "96000")) == []


@pytest.mark.parametrize("content", [b"", b"{", b'{"day":7}'])
def test_a_memory_that_cannot_be_understood_is_none(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "protections.json").write_bytes(content)

    assert read_memory(tmp_path) is None


def test_what_changes_between_two_looks_is_told() -> None:
    plain = status()
    later = msgspec.structs.replace(
        plain, kill_level=KillLevel.CANCEL, kill_reason="smoke", paused_by="alice", state=SessionState.STOPPING,
        campaigns=4, day=msgspec.structs.replace(plain.day, entries=3, refused=5),
        feeds=(msgspec.structs.replace(plain.feeds[0], status="STALE", reason="no bars"),),
        loop=msgspec.structs.replace(plain.loop, stalls=1),
    )  # fmt: skip

    assert [one.event for one in events(None, plain)] == ["start"]
    assert list(events(plain, plain)) == []
    assert list(events(later, later)) == []
    assert {one.event: one.text for one in events(plain, later)} == {
        "kill": "[paper] kill cancel: smoke", "pause": "[paper] paused by alice", "stop": "[paper] stopping",
        "feed_stale": "[paper] feed simulated: STALE no bars", "fill": "[paper] 4 fills today",
        "refused": "[paper] 5 entries refused today", "campaign": "[paper] 4 campaigns",
        "stall": "[paper] 1 stalls of the loop",
    }  # fmt: skip


class Ticks:
    """A clock whose seconds pass when a test lets them."""

    def __init__(self) -> None:
        self.turn = asyncio.Event()
        self.looks = 0

    def now_ns(self) -> int:
        return 0

    def monotonic_ns(self) -> int:
        return 0

    async def sleep(self, seconds: float) -> None:
        self.looks += 1
        await self.turn.wait()
        self.turn.clear()


@pytest.mark.asyncio
async def test_beside_a_session_a_breach_becomes_a_command_and_is_remembered(tmp_path: Path) -> None:
    engine, ticks = Engine(), Ticks()
    found = settled(home(tmp_path))
    engine.now = status(equity=D("100000"))
    beside = asyncio.ensure_future(Beside(found, engine, ticks, tmp_path).run())
    await until(lambda: ticks.looks == 2)
    assert engine.commands == []

    engine.now = status(equity=D("96000"))
    ticks.turn.set()
    await until(lambda: ticks.looks == 4)
    engine.now = troubled()
    ticks.turn.set()
    await until(lambda: ticks.looks == 6)
    beside.cancel()
    with pytest.raises(asyncio.CancelledError):
        await beside

    (command,) = engine.commands
    assert (command.name, command.argument, command.operator) == ("kill", "entries", "protection daily_loss")
    assert command.reason == "equity 96000.00 is 400 bp below 100000.00, limit 300 bp"
    memory = read_memory(tmp_path)
    assert memory is not None
    assert memory.given == ("daily_loss 2026-11-21",)


def test_settings_are_those_of_the_configuration(tmp_path: Path) -> None:
    found: tuple[Protection, ...] = settled(home(tmp_path)).config.protections

    assert found == (DAILY,)
