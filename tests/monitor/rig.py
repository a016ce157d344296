"""A monitor in front of an engine that does as it is told: real sockets, its own clock, nothing of the line."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import anyio
import msgspec

from engine.control.status import QueuesView
from engine.live.clock import SystemClock
from engine.live.stream import SOCKET_NAME, EngineStream
from engine.messages import SessionStart
from engine.monitor.guard import Tokens
from engine.monitor.parts import Monitor
from engine.monitor.replica import CONNECTED
from engine.monitor.server import Plan, monitor_of, serving
from tests.control.makers import Engine, server
from tests.makers import session, table

OPERATE = "operate-" + "aB3dE5gH7jK9" * 4
READ = "readonly-" + "zY8xW6vU4tS2" * 4
SYMBOLS = ("AAA", "BBB")


class MovedClock(SystemClock):
    """The machine's clock, moved ahead by `ahead_ns`."""

    ahead_ns = 0

    def now_ns(self) -> int:
        return super().now_ns() + self.ahead_ns

    def monotonic_ns(self) -> int:
        return super().monotonic_ns() + self.ahead_ns


@dataclass
class Rig:
    directory: Path
    clock: MovedClock
    engine: Engine
    stream: EngineStream
    monitor: Monitor
    port: int
    http: aiohttp.ClientSession

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def origin(self) -> dict[str, str]:
        return {"Origin": self.base}

    async def get(self, path: str, token: str = OPERATE, **headers: str) -> tuple[int, Any]:
        """Status and body of a GET with a bearer token."""
        sent = {"Authorization": f"Bearer {token}"} | headers
        async with self.http.get(f"{self.base}/api/v1/{path}", headers=sent) as answer:
            return answer.status, _decoded(await answer.read())

    async def post(self, body: object, token: str = OPERATE, path: str = "commands") -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        data = body if isinstance(body, bytes) else msgspec.json.encode(body)
        async with self.http.post(f"{self.base}/api/v1/{path}", data=data, headers=headers) as answer:
            return answer.status, _decoded(await answer.read())

    async def sign_in(self, token: str = OPERATE) -> str:
        """The CSRF value; the cookie is in the jar."""
        body = msgspec.json.encode({"token": token})
        headers = self.origin | {"Content-Type": "application/json"}
        async with self.http.post(f"{self.base}/api/v1/session", data=body, headers=headers) as answer:
            assert answer.status == 200, await answer.text()
            return str((await answer.json())["csrf"])

    def watch(self, token: str = OPERATE, **headers: str) -> Any:
        """A WebSocket, as a context manager."""
        sent = ({"Authorization": f"Bearer {token}"} if token else {}) | headers
        return self.http.ws_connect(f"{self.base}/ws", headers=sent, autoping=True)


def start() -> SessionStart:
    return session(*SYMBOLS, detect_on=("1m",), feeds=("sim",))


@asynccontextmanager
async def running(
    directory: Path,
    *,
    store: Path | None = None,
    with_engine: bool = True,
    allow_operate: bool = True,
    queues: Callable[[], QueuesView] | None = None,
    hosts: tuple[str, ...] = (),
    sessions: Path | None = None,
) -> AsyncIterator[Rig]:
    """Everything connected, unless there is no engine."""
    clock, engine = MovedClock(), Engine()
    (directory / "run").mkdir(mode=0o700, parents=True, exist_ok=True)
    stream = EngineStream(directory / "run" / SOCKET_NAME, clock)
    stream.begin(start(), table(*SYMBOLS).all, run="r1", status=engine.status, queues=queues)
    plan = Plan(
        mode="paper", tokens=Tokens(OPERATE, READ), allow_operate=allow_operate, store=store, hosts=hosts,
        stream=directory / "run" / SOCKET_NAME if with_engine else None,
        control=directory / "run" / "ctl.sock", logs=directory / "logs", sessions=sessions,
    )  # fmt: skip
    monitor = monitor_of(plan, clock)
    async with anyio.create_task_group() as tasks:
        if with_engine:
            tasks.start_soon(stream.run)
            await until((directory / "run" / SOCKET_NAME).exists)
        jar = aiohttp.CookieJar(unsafe=True)
        async with (
            server(directory, engine),
            serving(monitor, "127.0.0.1", 0) as port,
            aiohttp.ClientSession(cookie_jar=jar) as http,
        ):
            if with_engine:
                await until(lambda: monitor.replica.link_state == CONNECTED)
            yield Rig(directory, clock, engine, stream, monitor, port, http)
        tasks.cancel_scope.cancel()


async def until(condition: Callable[[], object], seconds: float = 10.0) -> None:
    """Waits for what another task does, which tells nobody."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def frames(socket: aiohttp.ClientWebSocketResponse, wanted: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    """The next frame that is wanted."""
    async with asyncio.timeout(10):
        while True:
            told: dict[str, Any] = msgspec.json.decode(await socket.receive_str())
            if wanted(told):
                return told


async def item(socket: aiohttp.ClientWebSocketResponse, topic: str) -> Any:
    """The data of the next delta of a topic."""
    told = await frames(socket, lambda one: any(each["topic"] == topic for each in one.get("items", ())))
    return next(each["data"] for each in told["items"] if each["topic"] == topic)


def _decoded(data: bytes) -> Any:
    return msgspec.json.decode(data) if data else None
