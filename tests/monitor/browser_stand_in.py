"""A server that speaks as the monitor's does and does what a test tells it: falls silent, drops, skips, lies.

`python -m tests.monitor.browser_stand_in [busy|live|replay|killed|hostile]` serves one scene to look at.
"""

import asyncio
import contextlib
import json
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from aiohttp import WSMsgType, web

from tests.monitor import browser_scene as scene

STATIC = Path(__file__).parents[2] / "engine" / "monitor" / "static"
TOKEN = "a-token-of-the-stand-in"
POLICY = (
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'self'; object-src 'none'"
)
COOKIE = "wyckoff_session"


class StandIn:
    """One scene and everybody who looks at it. Its methods may be called from any thread."""

    def __init__(self, kind: str = "busy", *, count: int = 900, signed: bool = False, vendor: bool = True) -> None:
        self.kind, self.count, self.signed, self.vendor = kind, count, signed, vendor
        self.muted = False
        self.refusing = False
        self.commands: list[dict[str, Any]] = []
        self.asked: list[str] = []
        self.heard: list[dict[str, Any]] = []
        self.snapshots = 0
        self._sockets: dict[web.WebSocketResponse, int] = {}
        self._ready = threading.Event()
        self._scene()

    def _scene(self) -> None:
        names = [scene.HOSTILE] if self.kind == "hostile" else ["BTC-USD", "ETH-USD", "SOL-USD"]
        self.charts = {
            name: scene.chart(name, base=64_000 / 19**at, width=1_900 / 19**at, count=self.count)
            for at, name in enumerate(names)
        }
        self.now_ms = self.charts[names[0]].rows[-1][1]
        more: dict[str, Any] = {}
        if self.kind == "live":
            more = {"mode": "live", "venue": "alpaca", "venue_is_simulated": False, "blockers": []}
        if self.kind == "killed":
            more = {
                "state": "HALTED",
                "kill_level": "flatten",
                "kill_reason": "spreads are absurd",
                "blockers": [{"code": "killed", "text": "killed (flatten): spreads are absurd"}],
            }
        self.mode = {"live": "live", "replay": "replay"}.get(self.kind, "paper")
        self.status: dict[str, Any] | None = None if self.kind == "replay" else scene.status(self.now_ms, **more)
        self.campaigns = scene.campaigns()
        self.decisions = scene.decisions(self.now_ms)
        if self.kind == "hostile":
            name = scene.HOSTILE
            self.campaigns = [
                one | {"campaign": f"{name}-2026-11-01", "symbol": name, "next_event": name, "cause": name}
                for one in self.campaigns[:1]
            ]
            self.decisions = [
                one | {"symbol": name, "campaign": name, "text": name, "reason": name} for one in self.decisions
            ]
            assert self.status is not None
            self.status |= {
                "account": name,
                "kill_reason": name,
                "kill_level": "entries",
                "blockers": [{"code": "x", "text": name}],
            }

    # --- what a test does -----------------------------------------------------------------------

    def push(self, *items: tuple[str, Any], skip: int = 0) -> None:
        """One delta to everybody; `skip` leaves that many numbers out."""
        frame = [{"topic": topic, "data": data} for topic, data in items]
        self._do(self._push(frame, skip))

    def tell(self, **changed: Any) -> None:
        assert self.status is not None
        self.status |= changed
        self.push(("status", self.status))

    def cut(self) -> None:
        """Closes every connection."""
        self._do(self._cut())

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @contextlib.contextmanager
    def running(self) -> Iterator["StandIn"]:
        thread = threading.Thread(target=self._serve, daemon=True)
        thread.start()
        assert self._ready.wait(10)
        try:
            yield self
        finally:
            self._loop.call_soon_threadsafe(self._stop.set)
            thread.join(10)

    def _do(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    # --- the server ------------------------------------------------------------------------------

    def _serve(self) -> None:
        asyncio.run(self._main())

    async def _main(self, port: int = 0) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        runner = web.AppRunner(self._app(), handle_signals=False, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", port)
        await site.start()
        self.port = runner.addresses[0][1]
        self._ready.set()
        await self._stop.wait()
        await self._cut()
        await runner.cleanup()

    def _app(self) -> web.Application:
        app = web.Application(middlewares=[self._guard])
        app.router.add_get("/", self._page)
        app.router.add_get("/static/{path:.+}", self._static)
        app.router.add_get("/ws", self._socket)
        app.router.add_route("*", "/api/v1/{path:.+}", self._api)
        return app

    @web.middleware
    async def _guard(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.asked.append(request.path_qs)
        if self.refusing and request.path != "/":
            raise web.HTTPServiceUnavailable
        answer: web.StreamResponse = await handler(request)
        if not answer.prepared:
            answer.headers["Content-Security-Policy"] = POLICY
            answer.headers["Cache-Control"] = "no-cache"
        return answer

    async def _page(self, _: web.Request) -> web.StreamResponse:
        return web.FileResponse(STATIC / "index.html")

    async def _static(self, request: web.Request) -> web.StreamResponse:
        path = (STATIC / request.match_info["path"]).resolve()
        if not path.is_file() or STATIC not in path.parents or (not self.vendor and "vendor" in path.parts):
            raise web.HTTPNotFound
        return web.FileResponse(
            path, headers={"Content-Type": "text/javascript"} if path.suffix in (".js", ".mjs") else None
        )

    def _may(self, request: web.Request) -> bool:
        return self.signed or request.cookies.get(COOKIE) == "yes"

    async def _api(self, request: web.Request) -> web.StreamResponse:
        path, query = request.match_info["path"], request.query
        if path == "session":
            return await self._session(request)
        if not self._may(request):
            return _problem(401, "Not signed in")
        if request.method == "POST":
            return await self._command(request)
        symbol = query.get("symbol", "")
        chart = self.charts.get(symbol)
        answers: dict[str, Any] = {
            "queues": scene.queues(),
            "campaigns": _items(self.campaigns),
            "fills": _items(self._fills(symbol)),
            "heat": {
                "heat": self.status and self.status["heat"],
                "zone_since_ms": self.now_ms - 18 * scene.MINUTE_MS,
                "campaigns": [one for one in self.campaigns if one["heat_bp"]],
                "groups": scene.groups(),
                "candidates": scene.candidates(),
            },
            "heat/series": _items(scene.heat_series(self.now_ms)),
            "logs": _items(scene.lines(self.now_ms)),
            "events": _items(chart.events if chart else []),
            "ranges": _items(chart.ranges if chart else []),
            "commands/preview": self._preview(query.get("argument", "")),
        }
        if path == "bars":
            return web.json_response(self._bars(symbol, query))
        if path.startswith("campaigns/"):
            return web.json_response(self._plan(path.removeprefix("campaigns/")))
        return web.json_response(answers[path]) if path in answers else _problem(404, f"no {path}")

    def _bars(self, symbol: str, query: Any) -> dict[str, Any]:
        before = int(query.get("before_ms") or 2**62)
        rows = [row for row in self.charts[symbol].rows if row[0] < before]
        limit = min(2000, int(query.get("limit", 600)))
        return {
            "symbol": symbol,
            "timeframe": "5m",
            "columns": scene.COLUMNS,
            "rows": rows[-limit:],
            "older": len(rows) > limit,
        }

    def _fills(self, symbol: str) -> list[dict[str, Any]]:
        chart = self.charts.get(symbol)
        if chart is None:
            return []
        named = {one["name"]: one for one in chart.events}
        told = (("SPRING", "ENTRY", "BUY", 1.004), ("SOS", "ENTRY", "BUY", 0.994), ("LPS", "TARGET", "SELL", 1.013))
        return [
            {
                "item": n,
                "report": "Fill",
                "time_ms": named[at]["known_ms"] + scene.MINUTE_MS,
                "order_id": f"o{n}",
                "execution_id": f"e{n}",
                "campaign": f"{symbol}-2026-11-01",
                "symbol": symbol,
                "side": side,
                "role": role,
                "group": f"{at}/1",
                "quantity": "0.21",
                "price": str(round(named[at]["price"] * factor, 2)),
                "costs": "0.4",
                "remaining": "0",
                "simulated": True,
            }
            for n, (at, role, side, factor) in enumerate(told)
        ]

    def _plan(self, name: str) -> dict[str, Any]:
        row = next((one for one in self.campaigns if one["campaign"] == name), self.campaigns[0])
        chart = self.charts.get(row["symbol"], next(iter(self.charts.values())))
        named = {one["name"]: one for one in chart.events}
        spring, sos = named["SPRING"], named["SOS"]
        stops = [
            {
                "time": scene.iso(spring["known_ms"]),
                "price": str(spring["price"] * 0.996),
                "reason": "entry",
                "verdict": "Approved",
            },
            {
                "time": scene.iso(sos["known_ms"]),
                "price": str(spring["price"] * 1.006),
                "reason": "breakeven",
                "verdict": "Approved",
            },
        ]
        targets = [
            {
                "number": 1,
                "price": str(spring["resistance"] * 1.014),
                "quantity": "0.3",
                "filled": "0",
                "hit": False,
                "time": None,
            }
        ]
        plan = {
            "group": "SPRING/1",
            "targets": targets,
            "stops": stops,
            "at_breakeven": True,
            "trailing": False,
            "stopped": False,
            "exits": [],
        }
        return {
            "store": "x",
            "run": 1,
            "currency": "USD",
            "campaign": row,
            "changes": [],
            "positions": [],
            "exit_plans": [plan],
        }

    def _preview(self, argument: str) -> dict[str, Any]:
        text = {
            "entries": "cancels nothing, closes nothing",
            "cancel": "cancels 1 working entry",
            "flatten": "cancels 1 working entry, closes 4 positions",
        }
        return {"orders": 1, "positions": 4, "text": text.get(argument, "")}

    async def _session(self, request: web.Request) -> web.StreamResponse:
        given = {"role": "operate", "csrf": "c" * 32, "expires_ms": self.now_ms + 10**9}
        if request.method == "POST":
            if (await request.json()).get("token") != TOKEN:
                return _problem(401, "wrong token")
            answer = web.json_response(given)
            answer.set_cookie(COOKIE, "yes", httponly=True, samesite="Strict")
            return answer
        if request.method == "DELETE":
            self.signed = False
            answer = web.Response(status=204)
            answer.del_cookie(COOKIE)
            return answer
        return web.json_response(given) if self._may(request) else _problem(401, "Not signed in")

    async def _command(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("X-CSRF-Token") != "c" * 32:
            return _problem(403, "no csrf value")
        given = await request.json()
        self.commands.append(given)
        if self.mode == "live" and given["name"] == "kill" and given["confirm"] != "1KQ7"[-4:]:
            return _problem(409, "confirm was not the last 4 characters of the account")
        asyncio.get_running_loop().call_later(0.1, lambda: self._loop.create_task(self._obey(given)))
        return web.json_response(
            {"code": 0, "message": f"{given['name']} {given['argument']}".strip() + " stands", "sequence": 4711}
        )

    async def _obey(self, given: dict[str, Any]) -> None:
        assert self.status is not None
        name, items = given["name"], []
        if name == "pause":
            self.status |= {
                "state": "PAUSED",
                "paused_by": "monitor",
                "blockers": [{"code": "paused", "text": "paused by monitor"}],
            }
        if name == "resume":
            self.status |= {"state": "RUNNING", "paused_by": "", "blockers": []}
        if name == "kill":
            gone = [one for one in self.status["orders"] if one["role"] == "ENTRY" and given["argument"] != "entries"]
            items = [
                {"topic": "execution", "data": {"report": "Cancelled", "time_ms": self.now_ms} | one} for one in gone
            ]
            kept = [one for one in self.status["orders"] if one not in gone]
            reason = given["reason"]
            self.status |= {
                "state": "HALTED",
                "kill_level": given["argument"],
                "kill_reason": reason,
                "orders": kept,
                "order_count": len(kept),
                "position_count": 0 if given["argument"] == "flatten" else 4,
                "blockers": [{"code": "killed", "text": f"killed: {reason}"}],
            }
        if name == "unkill":
            self.status |= {"state": "RUNNING", "kill_level": "", "kill_reason": "", "blockers": []}
        told = {"time_ms": self.now_ms, "operator": "monitor"} | {k: given[k] for k in ("name", "argument", "reason")}
        await self._push([{"topic": "command", "data": told}, *items, {"topic": "status", "data": self.status}], 0)

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        if not self._may(request):
            await socket.close(code=4401)
            return socket
        names = list(self.charts)
        await socket.send_json(
            {
                "type": "hello",
                "schema": 1,
                "run": "paper-7",
                "mode": self.mode,
                "simulated": False,
                "role": "operate",
                "release": "0.1.0",
                "symbols": names,
                "timeframes": ["1m", "5m", "1h"],
                "detect_on": ["5m", "1h"],
                "server_ms": self.now_ms,
            }
        )
        await self._whole(socket)
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    await self._answer(socket, json.loads(message.data))
        finally:
            self._sockets.pop(socket, None)
        return socket

    async def _answer(self, socket: web.WebSocketResponse, said: dict[str, Any]) -> None:
        self.heard.append(said)
        if self.muted:
            return
        if said["type"] == "ping":
            await socket.send_json({"type": "pong", "server_ms": self.now_ms})
        if said["type"] == "snapshot":
            await self._whole(socket)

    async def _whole(self, socket: web.WebSocketResponse) -> None:
        self.snapshots += 1
        self._sockets[socket] = self._sockets.get(socket, 0) + 1
        prices = [
            {"symbol": name, "time_ms": self.now_ms, "price": one.rows[-1][5]} for name, one in self.charts.items()
        ]
        events = [one for chart in self.charts.values() for one in chart.events]
        state = {
            "link": {"state": "CONNECTED", "age_s": 0.1, "reason": ""},
            "status": self.status,
            "heat": None,
            "prices": prices,
            "campaigns": [],
            "decisions": self.decisions,
            "orders": [],
            "executions": self._fills(next(iter(self.charts))),
            "events": events,
            "phases": scene.phases(self.charts.values()),
            "feed": [],
            "commands": [],
            "alerts": scene.alerts(self.now_ms),
        }
        if self.status is None:
            state["link"] = {"state": "ABSENT", "age_s": None, "reason": ""}
        await socket.send_json({"type": "snapshot", "seq": self._sockets[socket], "state": state})

    async def _push(self, items: list[dict[str, Any]], skip: int) -> None:
        for socket in list(self._sockets):
            self._sockets[socket] += 1 + skip
            if not self.muted and not socket.closed:
                await socket.send_json({"type": "delta", "seq": self._sockets[socket], "items": items})

    async def _cut(self) -> None:
        for socket in list(self._sockets):
            await socket.close(code=1001)


def _items(found: list[Any]) -> dict[str, Any]:
    return {"items": found, "next": None}


def _problem(status: int, detail: str) -> web.Response:
    return web.json_response(
        {"type": "about:blank", "title": "refused", "status": status, "detail": detail, "code": "x"}, status=status
    )


if __name__ == "__main__":
    with StandIn(*sys.argv[1:2], signed=True).running() as served:
        print(served.address, flush=True)
        while True:
            time.sleep(1)
            served.push(("price", {"symbol": "BTC-USD", "time_ms": served.now_ms, "price": 67_412.5}))
