"""What a reload exchanges in running parts: limits of silence, of the machine, and whom an event is told."""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
import structlog

from adapters.live import adjust
from adapters.loopback.binance import BinanceVenue
from engine.config import Settled
from engine.config.credentials import Secret
from engine.config.daemon_tables import LiveSettings, LogSettings
from engine.config.feeds import DirectFeed
from engine.feed_health import Freshness
from engine.live.clock import SystemClock
from engine.live.machine import MS_NS, Machine
from engine.log import logging_to
from engine.outbound import AddressError, Alert
from engine.telling import Telling
from engine.watchdog import LoopWatch, StallReport
from tests.config.makers import CANARY, home, secret, settled
from tests.live_feeds.rig import fast, scene

S = 1_000_000_000


def test_a_silence_that_has_begun_is_judged_by_the_new_limit() -> None:
    freshness = Freshness(patience=25.0, floor_ns=5 * S, ceiling_ns=60 * S)
    freshness.watch("A", 0)
    assert freshness.overdue(20 * S, lambda _: True) == []

    freshness.change(floor_ns=5 * S, ceiling_ns=10 * S)

    assert freshness.overdue(20 * S, lambda _: True) == ["A"]


@pytest.mark.asyncio
@pytest.mark.timeout(30)
async def test_a_feed_that_runs_takes_its_new_limit() -> None:
    venue = BinanceVenue(("BTCUSDT",), clock=fast(), rate=20.0)
    table = {"name": "loop", "kind": "binance", "symbols": ["BTCUSDT"], "stale_ceiling_s": 200.0,
             "stale_floor_s": 150.0, "tick_s": 0.2}  # fmt: skip
    async with scene(venue, table) as run:
        await run.live()
        await run.rows(20)
        assert run.report.stale_after_ns == 150 * S

        written = DirectFeed(name="loop", kind="binance", symbols=("BTCUSDT",), channels=("trades",),
                             stale_after={"trades": "3s"})  # fmt: skip
        adjust(run.feed, written)  # type: ignore[arg-type]

        assert run.report.stale_after_ns <= 3 * S
        run.venue.mute()
        await run.until(lambda: "STALE" in run.heard.states, "stale by the new limit")


def test_the_machine_is_measured_against_its_new_limits(tmp_path: Path) -> None:
    clock, told = SystemClock(), list[StallReport]()
    before = LiveSettings()
    watch = LoopWatch(clock.monotonic_ns, told.append, limit_ns=250 * MS_NS, halt_ns=2_000 * MS_NS)
    machine = Machine(before, tmp_path, clock, watch, 0)

    machine.change(LiveSettings(loop_stall_ms=20, loop_halt_ms=30_000, rss_limit_mb=100))

    time.sleep(0.03)
    report = watch.look()
    assert report is not None
    assert not report.halts
    assert machine.view().rss_limit_mb == 100
    assert machine.view().rss_mb > 0


def test_a_log_takes_another_rate_and_keeps_new_secrets_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with logging_to(LogSettings(to_file=False), tmp_path, [Secret("a", "the-first-secret", "test")]) as book:
        settings = LogSettings(to_file=False, level="debug", lines_per_site_per_s=1_000)
        book.change(settings, [Secret("b", CANARY, "test")])
        for number in range(40):
            structlog.get_logger().debug("said", number=number, one=f"<{CANARY}>", other="<the-first-secret>")
            time.sleep(0.002)

    said = capsys.readouterr().err
    assert said.count('"event":"said"') > 20
    assert CANARY not in said
    assert "the-first-secret" not in said


class Web:
    """A web address that is told things, on this host."""

    def __init__(self) -> None:
        self.events: list[str] = []

    async def __aenter__(self) -> "Web":
        self._server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self._server.wait_closed()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/"

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        size = next(
            int(line.split(b":")[1]) for line in head.splitlines() if line.lower().startswith(b"content-length")
        )
        body = await reader.readexactly(size)
        self.events.append(body.decode().split('"event":"')[1].split('"')[0])
        writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()


def hooked(directory: Path, address: str, events: str) -> Settled:
    path = secret(directory, "hook", address)
    return settled(home(directory, f'[notify.webhook]\nurl_file = "{path}"\nevents = [{events}]\n'))


async def said(web: Web, *events: str) -> None:
    async with asyncio.timeout(10):
        while web.events != list(events):  # noqa: ASYNC110 - nothing would tell
            await asyncio.sleep(0.01)


@pytest.mark.asyncio
async def test_events_go_to_the_new_address_those_that_wait_included(tmp_path: Path) -> None:
    async with Web() as first, Web() as second:
        telling = Telling(hooked(tmp_path, first.address, '"kill"'), SystemClock())
        telling.tell(_alert("kill"))
        telling.tell(_alert("pause"))

        telling.prepared(hooked(tmp_path, second.address, '"kill", "pause"'))()
        telling.tell(_alert("pause"))
        running = asyncio.ensure_future(telling.run(_running))
        await said(second, "kill", "pause")

        telling.prepared(settled(home(tmp_path)))()
        telling.tell(_alert("kill"))
        await asyncio.sleep(0.05)
        running.cancel()
        assert (first.events, second.events) == ([], ["kill", "pause"])


def test_an_address_that_cannot_be_called_changes_nothing(tmp_path: Path) -> None:
    telling = Telling(settled(home(tmp_path)), SystemClock())

    with pytest.raises(AddressError, match=r"notify\.webhook_url: must be an https address"):
        telling.prepared(hooked(tmp_path, f"ftp://{CANARY}", '"kill"'))


def _running() -> Any:
    return "RUNNING"


def _alert(event: str) -> Alert:
    return Alert(event, event, "paper", "")
