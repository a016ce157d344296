"""The page and its files, out of the package; and what supervisors ask: is the process alive, is all well."""

import re
from importlib.resources import files
from pathlib import Path
from typing import Final

import msgspec
from aiohttp import web

from engine.monitor.metrics import CONTENT_TYPE
from engine.monitor.page_files import TYPES, PageFiles
from engine.monitor.parts import MONITOR, Monitor
from engine.monitor.replica import CONNECTED
from engine.monitor.shapes import MonitorView

WITHOUT_PAGE: Final = (
    "<!doctype html><meta charset=utf-8><title>wyckoff</title><p>The page is not installed. REST is below /api/v1."
)

_FILES: Final = PageFiles()
_NAME: Final = re.compile(r"(?:[A-Za-z0-9][\w.-]*/){0,4}[A-Za-z0-9][\w.-]*")


class Reason(MonitorView, frozen=True, kw_only=True):
    code: str
    text: str


class Readiness(MonitorView, frozen=True, kw_only=True):
    ready: bool
    reasons: list[Reason]


def routes() -> list[web.RouteDef]:
    return [
        web.get("/", index),
        web.get("/static/{name:.+}", static),
        web.get("/healthz", alive),
        web.get("/readyz", ready),
        web.get("/metrics", metrics),
    ]


def static_directory() -> Path:
    return Path(str(files("engine") / "monitor" / "static"))


async def index(request: web.Request) -> web.StreamResponse:
    page = static_directory() / "index.html"
    if not page.is_file():
        return web.Response(text=WITHOUT_PAGE, content_type="text/html")
    return _FILES.answer(request, page)


async def static(request: web.Request) -> web.StreamResponse:
    """Only names that are plainly below the folder, and only types that a page is made of."""
    name = request.match_info["name"]
    path = static_directory() / name
    if not _NAME.fullmatch(name) or ".." in name or path.suffix not in TYPES or not path.is_file():
        raise web.HTTPNotFound
    if not path.resolve().is_relative_to(static_directory().resolve()):
        raise web.HTTPNotFound
    return _FILES.answer(request, path)


async def alive(request: web.Request) -> web.Response:
    """The loop answers."""
    return web.Response(body=b'{"ok":true}', content_type="application/json")


async def ready(request: web.Request) -> web.Response:
    reasons = reasons_against(request.app[MONITOR])
    view = Readiness(ready=not reasons, reasons=reasons)
    return web.Response(body=msgspec.json.encode(view), status=503 if reasons else 200, content_type="application/json")


async def metrics(request: web.Request) -> web.Response:
    return web.Response(body=request.app[MONITOR].metrics.text(), headers={"Content-Type": CONTENT_TYPE})


def reasons_against(monitor: Monitor) -> list[Reason]:
    """Why a person should look: no engine, an engine that hangs, or whatever stands against entries."""
    if monitor.link is None:
        return []
    replica = monitor.replica
    if replica.link_state != CONNECTED:
        return [Reason(code="no_engine", text=replica.link_reason)]
    if monitor.link.is_silent:
        return [Reason(code="engine_silent", text=f"nothing heard for {replica.link.age_s or 0:.0f} s")]
    if replica.status is None:
        return [Reason(code="starting", text="no status heard yet")]
    return [Reason(code=one.code, text=one.text) for one in replica.status.blockers]
