"""`/ws`: one browser or terminal that watches. It is checked before the upgrade, and may only ask for state.

Two tasks a viewer: one writes what its slot holds, one reads the little that a viewer may say. A watchman
looks twice a second for writes that hang, pings that stay unanswered and sessions that are over.
"""

import asyncio
import socket
from contextlib import suppress
from typing import Any, Final

import anyio
import msgspec
from aiohttp import WSCloseCode, WSMessage, WSMsgType, web

from engine.control.rate import Bucket
from engine.live.ports import Clock
from engine.monitor import gate
from engine.monitor.gate import Caller
from engine.monitor.guard import Guard
from engine.monitor.hub import MOST_BARS_SUBSCRIBED, SIGNED_OUT, TRY_AGAIN, Client
from engine.monitor.parts import MONITOR, Monitor
from engine.monitor.problems import ProblemError
from engine.monitor.views import MS_NS

MOST_MESSAGE_BYTES: Final = 4_096
MESSAGES_AT_ONCE: Final = 40
MESSAGES_PER_S: Final = 20.0
STALL_NS: Final = 2_000_000_000
"""A write, or the answer to a ping, may take this long."""

PING_NS: Final = 1_500_000_000
WATCH_S: Final = 0.5
CLOSE_S: Final = 1.0
SEND_BUFFER_BYTES: Final = 65_536
"""What the kernel holds for a viewer that does not read."""


class Asked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Anything that a viewer may say."""

    type: str
    bars: list[tuple[str, str]] = []


class _Wire:
    """A WebSocket as a client writes to it."""

    def __init__(self, answer: web.WebSocketResponse) -> None:
        self._answer = answer

    async def send(self, message: bytes) -> None:
        await self._answer.send_frame(message, WSMsgType.TEXT)


class _Pulse:
    """Whether the other end still answers."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.asked_ns: int | None = None
        self.last_ns = clock.monotonic_ns()

    def heard(self) -> None:
        self.asked_ns, self.last_ns = None, self._clock.monotonic_ns()

    @property
    def is_due(self) -> bool:
        return self.asked_ns is None and self._clock.monotonic_ns() - self.last_ns >= PING_NS

    @property
    def is_gone(self) -> bool:
        return self.asked_ns is not None and self._clock.monotonic_ns() - self.asked_ns >= STALL_NS


async def watch(request: web.Request) -> web.StreamResponse:
    monitor = request.app[MONITOR]
    # A browser always says where it comes from; whoever brings a token is no browser.
    gate.check_origin(request, required="Authorization" not in request.headers)
    caller = request[gate.CALLER]
    if monitor.hub.is_full:
        raise ProblemError(503, "full", "too many viewers", retry_s=5)
    answer = web.WebSocketResponse(
        autoping=False, autoclose=True, compress=False, max_msg_size=MOST_MESSAGE_BYTES, timeout=CLOSE_S
    )
    if not answer.can_prepare(request):
        raise ProblemError(426, "no_websocket", "this address speaks WebSocket")
    await answer.prepare(request)
    _limit_buffers(request)
    client = monitor.hub.join(caller.role)
    try:
        code = await _served(monitor, caller, client, answer)
    finally:
        monitor.hub.leave(client)
    await _closed(request, answer, code)
    return answer


async def _served(monitor: Monitor, caller: Caller, client: Client, answer: web.WebSocketResponse) -> int:
    """Until either end has enough; the close code."""
    pulse = _Pulse(monitor.clock)
    code = WSCloseCode.OK

    async def write() -> None:
        nonlocal code
        with suppress(ConnectionError):
            code = WSCloseCode(await _written(client, answer, monitor.clock))
        tasks.cancel_scope.cancel()

    async def read() -> None:
        await _read(monitor, client, answer, pulse)
        tasks.cancel_scope.cancel()

    async def guard() -> None:
        nonlocal code
        code = await _watched(monitor, caller, client, answer, pulse)
        tasks.cancel_scope.cancel()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(write)
        tasks.start_soon(read)
        tasks.start_soon(guard)
    return code


async def _written(client: Client, answer: web.WebSocketResponse, clock: Clock) -> Any:
    return await client.run(_Wire(answer), clock.monotonic_ns)


async def _watched(
    monitor: Monitor, caller: Caller, client: Client, answer: web.WebSocketResponse, pulse: _Pulse
) -> Any:
    """The code to close with, when there is a reason to."""
    clock = monitor.clock
    while True:
        await clock.sleep(WATCH_S)
        since_ns = client.writing_since_ns
        if pulse.is_gone or (since_ns is not None and clock.monotonic_ns() - since_ns >= STALL_NS):
            client.close(TRY_AGAIN)
            return TRY_AGAIN
        if _is_over(caller, monitor.guard):
            return SIGNED_OUT
        if pulse.is_due and since_ns is None:
            pulse.asked_ns = clock.monotonic_ns()
            with suppress(ConnectionError):
                await answer.ping()


async def _read(monitor: Monitor, client: Client, answer: web.WebSocketResponse, pulse: _Pulse) -> None:
    bucket = Bucket(monitor.clock.monotonic_ns, capacity=MESSAGES_AT_ONCE, per_s=MESSAGES_PER_S)
    async for message in answer:
        pulse.heard()
        if message.type is WSMsgType.PING:
            with suppress(ConnectionError):
                await answer.pong(message.data)
        elif message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
            if not bucket.take():
                client.close(TRY_AGAIN)
                return
            _obey(monitor, client, message)


def _obey(monitor: Monitor, client: Client, message: WSMessage) -> None:
    try:
        asked = msgspec.json.decode(message.data, type=Asked)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        client.answer(b'{"type":"error","code":"bad_message","text":"must be one known JSON object"}')
        return
    match asked.type:
        case "subscribe":
            if len(asked.bars) > MOST_BARS_SUBSCRIBED:
                client.answer(b'{"type":"error","code":"too_many","text":"at most 16 slots of bars"}')
            else:
                client.bars = frozenset(asked.bars)
        case "snapshot":
            client.resnap()
        case "ping":
            client.answer(b'{"type":"pong","server_ms":%d}' % (monitor.clock.now_ns() // MS_NS))
        case _:
            client.answer(b'{"type":"error","code":"bad_message","text":"type must be subscribe, snapshot or ping"}')


def _is_over(caller: Caller, guard: Guard) -> bool:
    return caller.session is not None and not guard.is_alive(caller.session)


def _limit_buffers(request: web.Request) -> None:
    transport = request.transport
    found = transport.get_extra_info("socket") if transport else None
    if found is not None and transport is not None:
        with suppress(OSError):
            found.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        transport.set_write_buffer_limits(high=SEND_BUFFER_BYTES)


async def _closed(request: web.Request, answer: web.WebSocketResponse, code: int) -> None:
    """Say why, and do not wait for who does not listen."""
    with suppress(TimeoutError, ConnectionError):
        async with asyncio.timeout(CLOSE_S):
            await answer.close(code=code, message=b"")
    if code == TRY_AGAIN and request.transport is not None:
        request.transport.abort()
