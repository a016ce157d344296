"""REST of what the engine is doing now: status, feeds, queues, instruments, alerts, commands, log, sign-in."""

import json
from collections import deque
from collections.abc import Iterable, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, Final

import anyio
import msgspec
from aiohttp import web

from engine.control.status import FeedView, LaneView, StageTime, Status
from engine.messages import Instrument
from engine.monitor import gate, operate, shelf
from engine.monitor.answers import answered, answered_json, asked, found
from engine.monitor.guard import COOKIE, SESSION_S, Session
from engine.monitor.parts import MONITOR
from engine.monitor.problems import ProblemError
from engine.monitor.queries import LogQuery, PreviewQuery, RingQuery, RunQuery
from engine.monitor.shapes import LinkView, MonitorView
from engine.monitor.views import MS_NS

LOG_NAME: Final = "wyckoff.jsonl"
TAIL_BYTES: Final = 1_000_000


class SignIn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    token: str


class SessionView(MonitorView, frozen=True, kw_only=True):
    role: str
    csrf: str
    expires_ms: int


class StatusView(MonitorView, frozen=True, kw_only=True):
    """`status` is null where no engine runs."""

    mode: str
    link: LinkView
    status: Status | None
    run: str


class QueuesShown(MonitorView, frozen=True, kw_only=True):
    """`items` are queues with what waits in them, `stages` of the line with how long they hold an item."""

    items: list[LaneView]
    loop_lag_s: float | None
    stages: tuple[StageTime, ...] = ()


class InstrumentsView(MonitorView, frozen=True, kw_only=True):
    items: list[Instrument]
    timeframes: tuple[str, ...]
    detect_on: tuple[str, ...]


class Items(msgspec.Struct, frozen=True):
    """A list that needs no pages."""

    items: list[Any]
    next: None = None


def routes() -> list[web.RouteDef]:
    api = "/api/v1"
    return [
        web.post(f"{api}/session", sign_in),
        web.get(f"{api}/session", who),
        web.delete(f"{api}/session", sign_out),
        web.get(f"{api}/status", status),
        web.get(f"{api}/feeds", feeds),
        web.get(f"{api}/queues", queues),
        web.get(f"{api}/instruments", instruments),
        web.get(f"{api}/alerts", alerts),
        web.get(f"{api}/commands", commands),
        web.get(f"{api}/commands/preview", preview),
        web.post(f"{api}/commands", command),
        web.get(f"{api}/logs", logs),
    ]


# ------------------------------------------------------------------------------------- sign-in


async def sign_in(request: web.Request) -> web.Response:
    """A token for a cookie. Wrong ones are counted against the address."""
    monitor = request.app[MONITOR]
    try:
        wanted = msgspec.json.decode(await gate.body_of(request), type=SignIn)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise ProblemError(400, "bad_request", 'the body must be {"token": "..."}') from None
    if not monitor.guard.tries.take(request.remote or ""):
        raise ProblemError(429, "too_many_tries", "too many tries: wait a minute", retry_s=60)
    role = monitor.guard.role_of_token(wanted.token)
    if role is None:
        raise ProblemError(401, "wrong_token", "the token is not known here")
    value, session = monitor.guard.open(role)
    answer = answered(request, _session(session))
    answer.set_cookie(
        COOKIE, value, max_age=SESSION_S, path="/", httponly=True, samesite="Strict", secure=monitor.tls is not None
    )
    return answer


async def who(request: web.Request) -> web.Response:
    session = request.app[MONITOR].guard.session(request.cookies.get(COOKIE, ""))
    if session is None:
        raise ProblemError(401, "not_signed_in", "sign in with the token of this monitor")
    return answered(request, _session(session))


async def sign_out(request: web.Request) -> web.Response:
    request.app[MONITOR].guard.close(request.cookies.get(COOKIE, ""))
    answer = web.Response(status=204)
    answer.del_cookie(COOKIE, path="/")
    return answer


def _session(session: Session) -> SessionView:
    return SessionView(role=session.role, csrf=session.csrf, expires_ms=session.expires_ns // MS_NS)


# ------------------------------------------------------------------------------------ the engine


async def status(request: web.Request) -> web.Response:
    monitor = request.app[MONITOR]
    replica = monitor.replica
    run = replica.hello.run if replica.hello else ""
    mode = replica.session.mode if replica.session else monitor.mode
    return answered(request, StatusView(mode=mode, link=replica.link, status=replica.status, run=run))


async def feeds(request: web.Request) -> web.Response:
    now = request.app[MONITOR].replica.status
    found_feeds: list[FeedView] = list(now.feeds) if now else []
    return answered(request, Items(found_feeds))


async def queues(request: web.Request) -> web.Response:
    monitor = request.app[MONITOR]
    status, told = monitor.replica.status, monitor.replica.queues
    return answered(
        request,
        QueuesShown(
            items=monitor.lanes.now(),
            loop_lag_s=status.loop.lag_s if status else None,
            stages=told.stages if told else (),
        ),
    )


async def instruments(request: web.Request) -> web.Response:
    monitor = request.app[MONITOR]
    query = asked(request, RunQuery)
    replica = monitor.replica
    if replica.session is not None and query.run is None:
        session = replica.session
        view = InstrumentsView(
            items=list(replica.instruments), timeframes=session.timeframes, detect_on=session.detect_on
        )
        return answered(request, view)
    items = await found(lambda: monitor.shelf.read(shelf.instruments, query.run))
    timeframes, detect_on = await found(lambda: monitor.shelf.read(shelf.session_names, query.run))
    return answered(request, InstrumentsView(items=items, timeframes=timeframes, detect_on=detect_on))


async def alerts(request: web.Request) -> web.Response:
    return _ring(request, "alert")


async def commands(request: web.Request) -> web.Response:
    return _ring(request, "command")


def _ring(request: web.Request, name: str) -> web.Response:
    """Newest first."""
    query = asked(request, RingQuery)
    newest = islice(reversed(request.app[MONITOR].replica.rings[name]), query.limit)
    return answered_json(request, b'{"items":[%s],"next":null}' % b",".join(newest))


# -------------------------------------------------------------------------------------- operate


async def preview(request: web.Request) -> web.Response:
    query = asked(request, PreviewQuery)
    return answered(request, operate.preview(query.name, query.argument, request.app[MONITOR].replica.status))


async def command(request: web.Request) -> web.Response:
    monitor = request.app[MONITOR]
    wanted = operate.decode_wanted(await gate.body_of(request))
    try:
        caller = gate.operator_of(request)
        operate.check_new(wanted, monitor.nonces)
    except ProblemError as error:
        monitor.operator.refused(wanted, request[gate.CALLER], str(error))
        raise
    answer = await monitor.operator.carry_out(wanted, caller, monitor.replica.status)
    return web.Response(body=msgspec.json.encode(answer), content_type="application/json")


# ------------------------------------------------------------------------------------------ log


async def logs(request: web.Request) -> web.Response:
    """The newest lines of the engine's log, newest last; secrets were cut out when they were written."""
    query = asked(request, LogQuery)
    directory = request.app[MONITOR].logs
    lines = [] if directory is None else await anyio.to_thread.run_sync(log_tail, directory / LOG_NAME, query.last)
    return answered(request, Items(lines))


def log_tail(path: Path, most: int) -> list[Mapping[str, Any]]:
    """Whole lines that are JSON objects."""
    try:
        with path.open("rb") as stream:
            size = stream.seek(0, 2)
            stream.seek(max(0, size - TAIL_BYTES))
            data = stream.read(TAIL_BYTES)
    except OSError:
        return []
    return list(deque(_objects(data.splitlines()), maxlen=most))


def _objects(lines: Iterable[bytes]) -> Iterable[Mapping[str, Any]]:
    for line in lines:
        try:
            found_line = json.loads(line)
        except ValueError:
            continue
        if isinstance(found_line, dict):
            yield found_line
