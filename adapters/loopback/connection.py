"""One client's connection to a loopback venue: what it asked for, and what faults do to what it gets."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress

from aiohttp import WSCloseCode, WSMessage, WSMsgType, web

from adapters.loopback.faults import Fault, Faults, damaged
from adapters.loopback.ledger import Ledger, Opened, Sent
from engine.live.ports import Clock

MOST_WAITING = 200_000
"""Messages a client may be behind before it is cut off as too slow."""


class Outgoing:
    """A message with a market row. `write(price)` gives its bytes with another price in it."""

    __slots__ = ("channel", "data", "id", "symbol", "write")

    def __init__(
        self, channel: str, symbol: str, number: int, data: str | bytes, write: Callable[[str], str | bytes]
    ) -> None:
        self.channel, self.symbol, self.id, self.data, self.write = channel, symbol, number, data, write


class Connection:
    """`streams` is the protocol's to fill. A writer of its own keeps slow clients from others."""

    def __init__(
        self, number: int, socket: web.WebSocketResponse, request: web.Request, opened: Opened,
        faults: Faults, ledger: Ledger, clock: Clock,
    ) -> None:  # fmt: skip
        self.number = number
        self.socket = socket
        self.streams: dict[str, str] = {}
        self.is_muted = False
        self.is_dead = False
        self._request = request
        self._opened = opened
        self._faults = faults
        self._ledger = ledger
        self._clock = clock
        self._waiting: deque[str | bytes] = deque()
        self._wake = asyncio.Event()
        self._kept: tuple[str | bytes, Sent] | None = None

    @property
    def is_open(self) -> bool:
        return not self.socket.closed and self._request.transport is not None

    def say(self, data: str | bytes) -> None:
        """A message that carries no row: answers, welcomes."""
        if not self.is_dead:
            self._put(data)

    def offer(self, message: Outgoing) -> None:
        """A message with a row, as the faults that are on will have it."""
        if self.is_muted or self.is_dead or (self._faults.has("stall") and self._strike("stall", message)):
            return
        if not self._faults:
            self._send(message, message.data)
            return
        if self._strike("gap", message):
            return
        fault = self._strike("strange", message)
        if fault is not None:
            self.say(fault.value)
        fault = self._strike("insert", message)
        if fault is not None:
            self._send(message, message.write(_price(message, fault)), genuine=False)
        fault = self._strike("mutate", message)
        if fault is not None:
            self._send(message, message.write(_price(message, fault)), genuine=False)
            return
        fault = self._strike("corrupt", message)
        if fault is not None:
            self._send(message, damaged(str(message.data), fault.how), genuine=False)
            return
        if self._kept is None and self._strike("reorder", message):
            self._kept = message.data, self._row(message, genuine=True)
            return
        self._send(message, message.data)
        if self._strike("dup", message):
            self._send(message, message.data)

    async def run(self, answer: Callable[["Connection", WSMessage], None]) -> None:
        """Until the client goes. Frames go to `answer`; pings are answered by hand, so that it can be left undone."""
        async with asyncio.TaskGroup() as tasks:
            writer = tasks.create_task(self._write())
            async for message in self.socket:
                if self.is_dead:
                    continue
                if message.type == WSMsgType.PING:
                    # Whoever asked may be gone by now.
                    with suppress(ConnectionError):
                        await self.socket.pong(message.data)
                elif message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                    answer(self, message)
            writer.cancel()
        self._opened.closed_ns = self._clock.now_ns()

    async def ping(self) -> None:
        if not self.is_dead and self.is_open:
            await self.socket.ping()

    async def end(self, how: str = "close", code: int = 1001) -> None:
        """Close with a code, cut with a FIN (no closing frame), or reset the connection."""
        transport = self._request.transport
        if transport is None:
            return
        if how == "close":
            await self.socket.close(code=code, message=b"")
        elif how == "fin":
            transport.close()
        else:
            transport.abort()

    async def _write(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting and self.is_open:
                data = self._waiting.popleft()
                try:
                    await (self.socket.send_str(data) if isinstance(data, str) else self.socket.send_bytes(data))
                except ConnectionError:
                    return

    def _send(self, message: Outgoing, data: str | bytes, *, genuine: bool = True) -> None:
        row = self._row(message, genuine=genuine)
        delay = self._strike("delay", message) if self._faults else None
        if delay is not None:
            asyncio.get_running_loop().call_later(delay.seconds, self._leave, data, row)
            return
        self._leave(data, row)
        if self._kept is not None:
            kept, self._kept = self._kept, None
            self._leave(*kept)

    def _leave(self, data: str | bytes, row: Sent) -> None:
        if self.is_open and not self.is_dead:
            self._ledger.send(row)
            self._opened.messages += 1
            self._put(data)

    def _put(self, data: str | bytes) -> None:
        if len(self._waiting) >= MOST_WAITING:
            self.is_dead = True
            return
        self._waiting.append(data)
        self._wake.set()

    def _row(self, message: Outgoing, *, genuine: bool) -> Sent:
        return Sent(self.number, message.channel, message.symbol, message.id, genuine)

    def _strike(self, action: str, message: Outgoing) -> Fault | None:
        return self._faults.strike(action, symbol=message.symbol, channel=message.channel)


def _price(message: Outgoing, fault: Fault) -> str:
    return fault.value or f"x{fault.factor}"


async def each_end(connections: Sequence[Connection], how: str, code: int = WSCloseCode.GOING_AWAY) -> int:
    """Ends all of them. Returns how many there were."""
    for one in connections:
        await one.end(how, code)
    return len(connections)
