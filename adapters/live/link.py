"""One connection to a venue's stream: opened with deadlines, read until it ends, pinged, told why it ended."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Protocol

import aiohttp

from adapters.live import hosts
from adapters.live.intake import Intake
from adapters.live.lost import FAILURES, LostError, classified
from adapters.live.venue import Socket, Venue, Wanted
from engine.live.ports import Clock

DIAL_S = 10.0
GREET_S = 10.0
CLOSE_S = 1.0
PONG_S = 10.0
MOST_FRAME_BYTES = 16 << 20

TURN_FRAMES = 256
"""Frames read in a row before others get their turn: what has arrived is read without waiting."""


class AnyLink(Protocol):
    """What a keeper wants of a connection, whoever makes it."""

    frames: int
    heard_ns: int
    opened_ns: int
    is_open: bool

    def __init__(self, venue: Any, wanted: Wanted, mode: str, intake: Intake, clock: Clock) -> None: ...

    def run(
        self, http: aiohttp.ClientSession, opened: Callable[[Any], None], flow: Callable[[], Awaitable[None]]
    ) -> Coroutine[Any, Any, None]: ...

    def end(self, lost: LostError) -> None: ...

    def ping(self) -> Awaitable[None]: ...


class Link:
    """`frames` counts what came; `heard_ns` is when the last frame did, by the monotonic clock."""

    def __init__(self, venue: Venue, wanted: Wanted, mode: str, intake: Intake, clock: Clock) -> None:
        self.frames = 0
        self.heard_ns = self.opened_ns = clock.monotonic_ns()
        self.is_open = False
        self._venue = venue
        self._wanted = wanted
        self._mode = mode
        self._intake = intake
        self._clock = clock
        self._codec = venue.codec()
        self._ponged_ns = self.opened_ns
        self._ended: LostError | None = None
        self._socket: Socket | None = None
        self._deadline: asyncio.Timeout | None = None

    async def run(
        self, http: aiohttp.ClientSession, opened: Callable[["Link"], None], flow: Callable[[], Awaitable[None]]
    ) -> None:
        """Until the connection ends. `opened` is told when it stands, `flow` is awaited while rows pile up.

        Always raises: LostError, FeedRefusedError or ForbiddenHostError.
        """
        url = hosts.check(self._venue.url(self._wanted), self._venue.name, self._mode)
        try:
            async with asyncio.timeout(DIAL_S):
                self._socket = socket = await http.ws_connect(
                    url, headers=self._venue.headers(), autoping=False, max_msg_size=MOST_FRAME_BYTES,
                    timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_S), decode_text=False,
                )  # fmt: skip
            async with asyncio.timeout(GREET_S):
                await self._venue.greet(socket, self._wanted)
            self.is_open = True
            self.opened_ns = self.heard_ns = self._ponged_ns = self._clock.monotonic_ns()
            opened(self)
            if self._ended is not None:
                raise self._ended
            async with asyncio.timeout(None) as self._deadline:
                await self._read(socket, flow)
        except FAILURES as error:
            raise self._ended or classified(error) from None
        finally:
            self.is_open, self._deadline = False, None
            await self._hang_up()

    def end(self, lost: LostError) -> None:
        """Cut the connection from outside; `run` raises `lost`."""
        if self._ended is not None:
            return
        self._ended = lost
        if self._deadline is not None:
            self._deadline.reschedule(0)

    async def ping(self) -> None:
        """Sends one, and ends the connection where the last ones were not answered."""
        socket, now_ns = self._socket, self._clock.monotonic_ns()
        if socket is None or not self.is_open:
            return
        if now_ns - max(self._ponged_ns, self.heard_ns) > (self._venue.ping_s + PONG_S) * 1e9:
            self.end(LostError("mute", f"pings were not answered for {self._venue.ping_s + PONG_S:g} s"))
            return
        try:
            if self._venue.ping:
                await socket.send_str(self._venue.ping)
            await socket.ping()
        except FAILURES as error:
            self.end(classified(error))

    async def _read(self, socket: Socket, flow: Callable[[], Awaitable[None]]) -> None:
        decode, intake, now_ns = self._codec.decode, self._intake, self._clock.now_ns
        while True:
            message = await socket.receive()
            if message.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
                decode(message.data, now_ns(), intake)
                self.frames += 1
                self.heard_ns = self._clock.monotonic_ns()
                if intake.rows:
                    await flow()
                elif self.frames % TURN_FRAMES == 0:
                    await asyncio.sleep(0)
            elif message.type is aiohttp.WSMsgType.PING:
                await socket.pong(message.data)
            elif message.type is aiohttp.WSMsgType.PONG:
                self._ponged_ns = self._clock.monotonic_ns()
            else:
                raise self._ended or _closed(socket, message.type, message.data)

    async def _hang_up(self) -> None:
        if self._socket is not None and not self._socket.closed:
            try:
                async with asyncio.timeout(CLOSE_S):
                    await self._socket.close()
            except FAILURES:
                return


def _closed(socket: Socket, kind: aiohttp.WSMsgType, data: object) -> LostError:
    if kind is aiohttp.WSMsgType.ERROR:
        return LostError("protocol", f"{type(data).__name__}: {str(data)[:120]}")
    return LostError("closed", f"code {socket.close_code or 1006}")
