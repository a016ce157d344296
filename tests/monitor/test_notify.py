"""Telegram and retries: what is sent, what is never shown, when it is left alone."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from aiohttp import web

from engine.config.credentials import Secret
from engine.notify import BUDGET, Redacted, Retrying, Telegram

pytestmark = pytest.mark.asyncio

TOKEN = Secret("notify.telegram_token", "123456:AAbbCCddEEffGGhhIIjjKK-LL_mm", "test")
BODY = msgspec.json.encode({"event": "kill", "text": "[live] kill flatten by alice", "mode": "live", "time": "x"})


class Told:
    """A channel that fails so many times, and a clock that notes who waited for how long."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.bodies: list[bytes] = []
        self.waits: list[float] = []
        self.ns = 0

    async def post(self, body: bytes) -> bool:
        self.bodies.append(body)
        return len(self.bodies) > self.failures

    def now_ns(self) -> int:
        return self.ns

    def monotonic_ns(self) -> int:
        return self.ns

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.ns += int(seconds * 1e9)


@asynccontextmanager
async def bot(status: int = 200) -> AsyncIterator[tuple[str, list[tuple[str, Any]]]]:
    seen: list[tuple[str, Any]] = []

    async def send(request: web.Request) -> web.Response:
        seen.append((request.path, await request.json()))
        return web.json_response({"ok": status == 200}, status=status)

    app = web.Application()
    app.router.add_post("/{path:.*}", send)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}", seen
    finally:
        await runner.cleanup()


async def test_an_alert_becomes_a_message_in_the_chat() -> None:
    async with bot() as (base, seen):
        telegram = Telegram(TOKEN, "-100", base=base)
        assert await telegram.post(BODY)

    (path, message) = seen[0]
    assert path == f"/bot{TOKEN.reveal()}/sendMessage"
    assert message == {"chat_id": "-100", "text": "[live] kill flatten by alice", "disable_notification": False}
    assert (telegram.sent, telegram.failed) == (1, 0)


async def test_the_token_is_in_no_log(capsys: pytest.CaptureFixture[str]) -> None:
    async with bot(status=403) as (base, _):
        assert not await Telegram(TOKEN, "1", base=base).post(BODY)
    assert not await Telegram(TOKEN, "1", base="http://127.0.0.1:1").post(BODY)
    with pytest.raises(ValueError, match=r"notify\.telegram_token: must be a bot's token") as found:
        Telegram(Secret("notify.telegram_token", "sesame", "test"), "1")

    said = capsys.readouterr()
    assert "AAbbCC" not in said.out + said.err
    assert "sesame" not in str(found.value)


async def test_what_fails_is_tried_again_further_and_further_apart() -> None:
    channel = Told(failures=2)

    assert await Retrying(channel, channel).post(BODY)

    assert channel.waits == [2.0, 8.0]
    assert channel.bodies == [BODY] * 3


async def test_a_dead_address_is_left_in_peace_when_the_budget_is_used_up() -> None:
    channel = Told(failures=10_000)
    retrying = Retrying(channel, channel)

    for _ in range(20):
        assert not await retrying.post(BODY)

    assert len(channel.bodies) == 20 + BUDGET
    assert retrying.given_up == 20
    channel.ns += 700_000_000_000
    await retrying.post(BODY)
    assert len(channel.bodies) == 20 + BUDGET + 4


async def test_secrets_are_taken_out_before_a_text_leaves() -> None:
    channel = Told()

    await Redacted(channel, ["hunter2-hunter2"]).post(b'{"text":"key hunter2-hunter2 refused"}')

    assert b"hunter2" not in channel.bodies[0]
