"""What all loopback venues share: two ports on this host, a market that runs, faults, a ledger.

One port speaks the venue's protocol, the other takes orders from whoever tests: which fault is to
be on, and what was really done. Only ever bound to 127.0.0.1.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import msgspec
from aiohttp import WSMessage, web

from adapters.loopback.connection import Connection, Outgoing, each_end
from adapters.loopback.faults import Faults
from adapters.loopback.ledger import Ledger, Opened
from adapters.loopback.market import LoopbackMarket, Print
from engine.live.clock import SystemClock
from engine.live.ports import Clock

NS_PER_MS = 1_000_000
BEAT_S = 0.005
"""How often the market makes trades, in seconds of the host."""

HOST = "127.0.0.1"


class LoopbackVenue(ABC):
    """`rate` is in trades per second of the venue's clock; `skew_ms` is how far that is ahead of `clock`."""

    ping_every_s = 20.0

    def __init__(
        self, symbols: Sequence[str], *, seed: int = 0, rate: float = 100.0, clock: Clock | None = None,
        history: int = 1_500,
    ) -> None:  # fmt: skip
        self.clock = clock or SystemClock()
        self.rate = rate
        self.skew_ms = 0
        self.faults = Faults(seed)
        self.ledger = Ledger()
        self.market = LoopbackMarket(symbols, seed, self.now_ms, history)
        self.connections: list[Connection] = []
        self.port = self.control_port = 0
        self._halted = False
        self._closed_ms = self.now_ms

    @property
    def now_ms(self) -> int:
        return self.clock.now_ns() // NS_PER_MS + self.skew_ms

    @property
    def address(self) -> str:
        """Host and port of the venue's protocol."""
        return f"{HOST}:{self.port}"

    @property
    def stream_url(self) -> str:
        return f"ws://{self.address}"

    @property
    def rest_url(self) -> str:
        return f"http://{self.address}"

    @asynccontextmanager
    async def running(self) -> AsyncIterator["LoopbackVenue"]:
        """Open for business until left."""
        runners = [web.AppRunner(app, access_log=None, shutdown_timeout=0.2) for app in (self._app(), self._control())]
        ports = [await _served(runner) for runner in runners]
        self.port, self.control_port = ports
        try:
            async with asyncio.TaskGroup() as tasks:
                pumps = [tasks.create_task(self._pump()), tasks.create_task(self._pings())]
                yield self
                for pump in pumps:
                    pump.cancel()
        finally:
            self.faults.clear()
            await each_end(list(self.connections), "abort")
            for runner in runners:
                await runner.cleanup()

    async def kick(self, how: str = "close", code: int = 1001) -> int:
        """End every connection there is now. Returns how many there were."""
        return await each_end(list(self.connections), how, code)

    def mute(self) -> None:
        """The connections that are open now stay open, answer pings and carry nothing more."""
        for one in self.connections:
            one.is_muted = True

    def freeze(self) -> None:
        """The connections that are open now answer nothing more, without closing."""
        for one in self.connections:
            one.is_dead = True

    def halt(self, *, on: bool = True) -> None:
        """Nothing trades while on."""
        self._halted = on

    def suspend(self, symbol: str, *, on: bool = True) -> None:
        """One symbol does not trade while on."""
        (self.market.suspended.add if on else self.market.suspended.discard)(symbol)

    def trade(self, symbol: str, *, age_ms: int = 0) -> Print:
        """One trade now, or reported now that was made before."""
        made = self.market.listings[symbol].trade(self.now_ms - age_ms)
        self.publish(made)
        return made

    @abstractmethod
    def routes(self) -> list[web.RouteDef]:
        """What the protocol's port serves."""

    @abstractmethod
    def publish(self, made: Print) -> None:
        """Tell every connection that wants to know."""

    @abstractmethod
    def publish_closed(self, first_ms: int, last_ms: int) -> None:
        """Tell of the minutes that ended in [first_ms, last_ms)."""

    @abstractmethod
    def answer(self, connection: Connection, message: WSMessage) -> None:
        """A frame from a client."""

    def greet(self, connection: Connection) -> None:
        """What is said first: nothing, where the protocol waits for the client."""
        assert connection.is_open

    def offer(self, stream: str, message: Outgoing) -> None:
        for one in self.connections:
            if stream in one.streams:
                one.offer(message)

    async def connect(self, request: web.Request, streams: dict[str, str]) -> web.StreamResponse:
        """Serve one connection until it ends."""
        refusal = self.faults.strike("refuse")
        opened = Opened(self.clock.now_ns(), 101 if refusal is None else refusal.status)
        self.ledger.opened.append(opened)
        if refusal is not None:
            return _refused(refusal.status, refusal.retry_after_s)
        socket = web.WebSocketResponse(autoping=False, max_msg_size=0)
        await socket.prepare(request)
        number = len(self.ledger.opened) - 1
        one = Connection(number, socket, request, opened, self.faults, self.ledger, self.clock)
        one.streams.update(streams)
        one.is_dead = self.faults.strike("halfopen") is not None
        self.connections.append(one)
        try:
            self.greet(one)
            drop = self.faults.strike("drop") if self.faults else None
            if drop is not None and not drop.after:
                await one.end(drop.how or "close", drop.code)
            await one.run(self.answer)
        finally:
            self.connections.remove(one)
        return socket

    async def refused(self, request: web.Request) -> web.Response | None:
        """What a fault makes of a request for history; None where nothing does."""
        hang = self.faults.strike("http_hang", path=request.path)
        if hang is not None:
            await self.clock.sleep(hang.seconds)
        fault = self.faults.strike("http", path=request.path)
        status = 200 if fault is None else fault.status
        self.ledger.requests.append((self.clock.now_ns(), request.path, status))
        return None if fault is None else _refused(fault.status, fault.retry_after_s)

    async def _pump(self) -> None:
        before_ns, owed = self.clock.monotonic_ns(), 0.0
        while True:
            await asyncio.sleep(BEAT_S)
            now_ns = self.clock.monotonic_ns()
            owed += 0.0 if self._halted else (now_ns - before_ns) / 1e9 * self.rate
            before_ns, count = now_ns, int(owed)
            owed -= count
            now_ms = self.now_ms
            self._close_minutes(now_ms)
            for made in self.market.make(count, now_ms):
                self.publish(made)
            await self._drop_some()

    def _close_minutes(self, now_ms: int) -> None:
        if now_ms // 60_000 > self._closed_ms // 60_000:
            first_ms, self._closed_ms = self._closed_ms // 60_000 * 60_000, now_ms
            for listing in self.market.listings.values():
                listing.pass_time(now_ms)
            self.publish_closed(first_ms, now_ms // 60_000 * 60_000)

    async def _drop_some(self) -> None:
        for one in list(self.connections) if self.faults.has("drop") else ():
            fault = self.faults.strike("drop")
            if fault is not None:
                await one.end(fault.how or "close", fault.code)

    async def _pings(self) -> None:
        while True:
            await self.clock.sleep(self.ping_every_s)
            for one in list(self.connections):
                try:
                    await one.ping()
                except ConnectionError:
                    continue

    def _app(self) -> web.Application:
        app = web.Application()
        app.add_routes(self.routes())
        return app

    def _control(self) -> web.Application:
        app = web.Application()
        app.add_routes(
            [
                web.get("/_ctl/ledger", self._tell),
                web.post("/_ctl/fault", self._switch),
                web.post("/_ctl/clear", self._clear),
                web.post("/_ctl/kick", self._kick),
            ]
        )
        return app

    async def _tell(self, _: web.Request) -> web.Response:
        await asyncio.sleep(0)
        return web.json_response(self.ledger.summary())

    async def _switch(self, request: web.Request) -> web.Response:
        try:
            options = msgspec.json.decode(await request.read(), type=dict[str, object])
            self.faults.switch(str(options.pop("action", "")), **options)
        except (ValueError, msgspec.MsgspecError) as error:
            return web.json_response({"error": str(error)}, status=400)
        return web.json_response({})

    async def _clear(self, _: web.Request) -> web.Response:
        await asyncio.sleep(0)
        self.faults.clear()
        return web.json_response({})

    async def _kick(self, _: web.Request) -> web.Response:
        return web.json_response({"kicked": await self.kick()})


def _refused(status: int, retry_after_s: float) -> web.Response:
    headers = {"Retry-After": f"{retry_after_s:g}"} if retry_after_s else {}
    return web.Response(status=status, headers=headers, text='{"code":-1003,"msg":"refused by a fault"}')


async def _served(runner: web.AppRunner) -> int:
    await runner.setup()
    site = web.TCPSite(runner, HOST, 0)
    await site.start()
    return int(runner.addresses[0][1])
