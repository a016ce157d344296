"""Calls out: an address is a secret, nothing waits for them, and there is a budget."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from engine.config.credentials import Secret
from engine.outbound import ALERTS_AT_ONCE, AddressError, Alert, Alerts, DeadMan, Poster, checked_address
from tests.control.makers import until

pytestmark = pytest.mark.asyncio

MINUTE = 60_000_000_000


class Listener:
    """A web address on this machine: notes what it hears, answers `status`, or nothing while it `hangs`."""

    def __init__(self, status: int = 200, *, hangs: bool = False) -> None:
        self.heard: list[tuple[str, bytes]] = []
        self.status = status
        self.hangs = hangs

    async def answer(self, request: web.Request) -> web.Response:
        self.heard.append((request.method, await request.read()))
        if self.hangs:
            await asyncio.sleep(60)
        return web.Response(status=self.status, headers={"Location": "/elsewhere"})


@asynccontextmanager
async def listening(listener: Listener) -> AsyncIterator[Secret]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", listener.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    try:
        yield Secret("live.dead_man_url", f"http://127.0.0.1:{port}/ping/CANARY", "test")
    finally:
        await runner.cleanup()


def alert(event: str = "kill") -> Alert:
    return Alert(event, "heat 9.9 %", "paper", "2026-11-21T09:00:00Z")


async def test_the_watchman_is_called_in_his_rhythm_and_only_while_all_is_well() -> None:
    listener, now_ns = Listener(), 0

    async with listening(listener) as secret:
        one = DeadMan(Poster(secret), lambda: now_ns, every_s=60)
        called = [await one.beat(healthy=True), await one.beat(healthy=True)]
        now_ns = MINUTE
        called += [await one.beat(healthy=False), await one.beat(healthy=True)]

    assert called == [True, False, False, True]
    assert [method for method, _ in listener.heard] == ["GET", "GET"]


@pytest.mark.parametrize("status", [302, 404, 500])
async def test_an_answer_that_is_none_is_counted(status: int) -> None:
    listener = Listener(status)

    async with listening(listener) as secret:
        poster = Poster(secret)
        assert not await poster.get()

    assert (poster.sent, poster.failed, len(listener.heard)) == (0, 1, 1)


async def test_an_address_that_hangs_or_is_gone_is_given_up() -> None:
    async with listening(Listener(hangs=True)) as secret:
        poster = Poster(secret, deadline_s=0.1)
        assert not await poster.get()
    assert not await poster.get()

    assert poster.failed == 2


async def test_alerts_are_sent_in_order_as_chat_programs_want_them() -> None:
    listener = Listener()

    async with listening(listener) as secret:
        alerts = Alerts(Poster(secret), ("kill", "fill"), lambda: 0)
        sending = asyncio.ensure_future(alerts.run())
        assert alerts.tell(alert("fill"))
        assert alerts.tell(alert("kill"))
        assert not alerts.tell(alert("stop"))
        await until(lambda: len(listener.heard) == 2)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending

    bodies = [json.loads(body) for _, body in listener.heard]
    assert [one["event"] for one in bodies] == ["fill", "kill"]
    assert bodies[0]["text"] == bodies[0]["content"] == "heat 9.9 %"


async def test_a_flood_of_alerts_is_cut_but_never_a_kill() -> None:
    now_ns = 0
    async with listening(Listener()) as secret:
        alerts = Alerts(Poster(secret), ("kill", "fill"), lambda: now_ns)

        told = [alerts.tell(alert("fill")) for _ in range(ALERTS_AT_ONCE + 5)]
        now_ns = MINUTE

        assert told == [True] * ALERTS_AT_ONCE + [False] * 5
        assert alerts.left_out == 5
        assert alerts.tell(alert("fill"))
        assert alerts.tell(alert("kill"))


@pytest.mark.parametrize(
    "address",
    ["http://x.test/CANARY", "ftp://x.test/CANARY", "CANARY", "https://", "https://[CANARY", "file:///CANARY"],
)
async def test_other_addresses_are_refused_without_being_told(address: str) -> None:
    with pytest.raises(AddressError) as found:
        checked_address(Secret("notify.webhook_url", address, "test"))

    assert "notify.webhook_url" in str(found.value)
    assert "CANARY" not in str(found.value)
