"""The one port of the monitor: page, REST, WebSocket and metrics, behind the gate.

`serving` puts the parts together and runs them until it is left. Connections that do not finish a request's
head in five seconds are closed, and there are never more than a fixed number of them.
"""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import anyio
import msgspec
from aiohttp import web, web_response
from aiohttp.http_exceptions import HttpProcessingError

from engine.live.ports import Clock
from engine.monitor import openapi, pages, rest_engine, rest_heat, rest_store
from engine.monitor.audit import Audit
from engine.monitor.cache import Cache
from engine.monitor.gate import MOST_BODY_BYTES, NAME, add_headers, gate
from engine.monitor.guard import Guard, Tokens
from engine.monitor.hub import GOING_AWAY, HelloView, Hub
from engine.monitor.lanes import Lanes
from engine.monitor.link import EngineLink
from engine.monitor.metrics import EngineMetrics
from engine.monitor.nonces import Nonces
from engine.monitor.operate import Operator
from engine.monitor.parts import MONITOR, Monitor
from engine.monitor.replica import Replica
from engine.monitor.shelf import Shelf
from engine.monitor.views import MS_NS
from engine.monitor.watching import watch

# What the library answers before any handler is asked, such as to nonsense, would name its release.
vars(web_response)["SERVER_SOFTWARE"] = NAME

HEAD_S: Final = 5.0
SWEEP_S: Final = 1.0
MOST_CONNECTIONS: Final = 1_400
BACKLOG: Final = 1_024
DRAIN_S: Final = 3.0
MOST_LINE_BYTES: Final = 8_190


class _OurMistakes(logging.Filter):
    """Nonsense from strangers is answered, not logged: it would fill the disk."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        return not isinstance(error, HttpProcessingError)


class Plan:
    """What a monitor is told: where the engine is, where the store is, who may do what."""

    def __init__(
        self,
        *,
        mode: str,
        tokens: Tokens,
        allow_operate: bool = True,
        stream: Path | None = None,
        control: Path | None = None,
        store: Path | None = None,
        logs: Path | None = None,
        capacities: dict[str, int] | None = None,
        hosts: tuple[str, ...] = (),
        tls: ssl.SSLContext | None = None,
        sessions: Path | None = None,
    ) -> None:
        self.mode = mode
        self.tokens = tokens
        self.allow_operate = allow_operate
        self.stream = stream
        self.control = control
        self.store = store
        self.logs = logs
        self.capacities = capacities or {}
        self.hosts = hosts
        self.tls = tls
        self.sessions = sessions


def monitor_of(plan: Plan, clock: Clock) -> Monitor:
    replica = Replica(clock.monotonic_ns)
    lanes = Lanes(replica, plan.capacities)
    hub = Hub(replica, lambda role: _hello(replica, plan.mode, role, clock))
    guard = Guard(
        plan.tokens, clock, allow_operate=plan.allow_operate and plan.control is not None, hosts=plan.hosts,
        sessions=plan.sessions,
    )  # fmt: skip
    return Monitor(
        mode=plan.mode,
        clock=clock,
        replica=replica,
        hub=hub,
        guard=guard,
        shelf=Shelf(plan.store),
        operator=Operator(plan.control, Audit(plan.logs), clock),
        metrics=EngineMetrics(replica, hub, guard, lanes),
        cache=Cache(clock),
        lanes=lanes,
        nonces=Nonces(clock),
        link=EngineLink(plan.stream, replica, hub, clock) if plan.stream else None,
        logs=plan.logs,
        tls=plan.tls,
    )


def application(monitor: Monitor, busy: set[object]) -> web.Application:
    app = web.Application(
        middlewares=[gate(monitor.guard, monitor.clock, busy)], client_max_size=MOST_BODY_BYTES
    )  # fmt: skip
    app[MONITOR] = monitor
    for module in (pages, rest_engine, rest_heat, rest_store, openapi):
        app.add_routes(module.routes())
    app.router.add_get("/ws", watch)
    app.on_response_prepare.append(add_headers)
    return app


@asynccontextmanager
async def serving(monitor: Monitor, host: str, port: int) -> AsyncIterator[int]:
    """Serves inside; gives the port. Raises OSError where it cannot listen."""
    busy: set[object] = set()
    logger = logging.getLogger("engine.monitor.http")
    if not logger.filters:
        logger.addFilter(_OurMistakes())
    runner = web.AppRunner(
        application(monitor, busy), handle_signals=False, access_log=None, logger=logger, shutdown_timeout=DRAIN_S,
        keepalive_timeout=HEAD_S, max_line_size=MOST_LINE_BYTES, max_field_size=MOST_LINE_BYTES,
    )  # fmt: skip
    await runner.setup()
    assert runner.server is not None
    # Not a TCPSite: that would leave a minute to whoever begins TLS and says no more.
    listening = await asyncio.get_running_loop().create_server(
        runner.server, host, port, ssl=monitor.tls, backlog=BACKLOG,
        ssl_handshake_timeout=HEAD_S if monitor.tls else None, ssl_shutdown_timeout=DRAIN_S if monitor.tls else None,
    )  # fmt: skip
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_sweep, runner, monitor.clock, busy)
            if monitor.link is not None:
                tasks.start_soon(monitor.link.run)
            yield listening.sockets[0].getsockname()[1]
            tasks.cancel_scope.cancel()
    finally:
        listening.close()
        monitor.hub.close_all(GOING_AWAY)
        await runner.cleanup()


async def _sweep(runner: web.AppRunner, clock: Clock, busy: set[object]) -> None:
    """Close connections that ask for nothing: slow heads, idle ones, and the oldest idle ones of too many."""
    idle: dict[Any, int] = {}
    while True:
        await clock.sleep(SWEEP_S)
        now_ns = clock.monotonic_ns()
        server = runner.server
        found = list(server.connections) if server is not None else []
        waiting = [one for one in found if one not in busy]
        idle = {one: idle.get(one, now_ns) for one in waiting}
        too_many = max(0, len(found) - MOST_CONNECTIONS)
        for place, (one, since_ns) in enumerate(idle.items()):
            if place < too_many or now_ns - since_ns >= HEAD_S * 1e9:
                one.force_close()
                if one.transport is not None:
                    one.transport.abort()


def _hello(replica: Replica, mode: str, role: str, clock: Clock) -> bytes:
    session, hello, status = replica.session, replica.hello, replica.status
    view = HelloView(
        run=hello.run if hello else "",
        mode=session.mode if session else mode,
        simulated=status.feed_is_simulated if status else False,
        role=role,
        release=hello.release if hello else "",
        symbols=session.symbols if session else (),
        timeframes=session.timeframes if session else (),
        detect_on=session.detect_on if session else (),
        server_ms=clock.now_ns() // MS_NS,
    )
    return msgspec.json.encode(view)
