"""The viewers: one bounded slot and one writer each, so that none of them can slow another or the monitor.

What only its newest value counts of is conflated by key; orders, decisions and alerts are never left out. A
viewer that takes nothing for two seconds, or lets its slot run over, is closed with 1013 and may come again.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Final, Protocol

import msgspec

from engine.monitor.bars_shown import BarsReload
from engine.monitor.replica import Delta, Replica

SCHEMA: Final = 1
"""Of the WebSocket protocol. Rises when a field changes its meaning or goes."""

MOST_CLIENTS: Final = 1_100
MOST_SLOT_ITEMS: Final = 5_000
MOST_SLOT_BYTES: Final = 1_000_000
MOST_BARS_SUBSCRIBED: Final = 16

TRY_AGAIN = 1013
GOING_AWAY = 1001
SIGNED_OUT = 4401


class Wire(Protocol):
    """What a client is written to. `send` returns when the message has left for the network."""

    def send(self, message: bytes) -> Awaitable[None]: ...


class HelloView(msgspec.Struct, frozen=True, kw_only=True):
    """First frame on /ws."""

    type: str = "hello"
    schema: int = SCHEMA
    run: str
    mode: str
    simulated: bool
    role: str
    release: str
    symbols: tuple[str, ...]
    timeframes: tuple[str, ...]
    detect_on: tuple[str, ...]
    server_ms: int


class Client:
    """One viewer. `offer` never waits; `run` writes until the slot runs over or `close` is called."""

    def __init__(self, role: str, greet: Callable[[], bytes], snapshot: Callable[[int], bytes]) -> None:
        self.role = role
        self.bars: frozenset[tuple[str, str]] = frozenset()
        self.closing = 0
        self.sent = 0
        self.writing_since_ns: int | None = None
        self._greet = greet
        self._snapshot = snapshot
        self._seq = 0
        self._items: dict[str, bytes] = {}
        self._bytes = 0
        self._number = 0
        self._wants_hello = self._wants_snapshot = True
        self._answers: list[bytes] = []
        self._wake = asyncio.Event()
        self._wake.set()

    def offer(self, deltas: Iterable[Delta]) -> None:
        if self.closing:
            return
        for delta in deltas:
            if delta.bars is None:
                self._put(delta.key, delta.item)
            elif delta.bars in self.bars:
                self._put_bars(delta)
        if self._bytes > MOST_SLOT_BYTES or len(self._items) > MOST_SLOT_ITEMS:
            self.close(TRY_AGAIN)
        self._wake.set()

    def resnap(self, *, hello: bool = False) -> None:
        """Begin anew with the state as a whole; what waits is part of it."""
        self._wants_snapshot = True
        self._wants_hello = self._wants_hello or hello
        self._wake.set()

    def answer(self, message: bytes) -> None:
        """Something for this viewer alone."""
        if not self.closing and len(self._answers) < MOST_SLOT_ITEMS:
            self._answers.append(message)
        self._wake.set()

    def close(self, code: int) -> None:
        """What waits is dropped at once: a write that hangs may keep the viewer for seconds yet."""
        self.closing = self.closing or code
        self._items, self._bytes, self._answers = {}, 0, []
        self._wake.set()

    async def run(self, wire: Wire, monotonic_ns: Callable[[], int]) -> int:
        """The close code. `writing_since_ns` tells a watchman since when a write is under way."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            if self.closing:
                return self.closing
            for message in self._messages():
                self.writing_since_ns = monotonic_ns()
                await wire.send(message)
                self.writing_since_ns = None
                self.sent += 1
                if self.closing:
                    return self.closing

    def _messages(self) -> Iterable[bytes]:
        if self._wants_hello:
            self._wants_hello = False
            yield self._greet()
        answers, self._answers = self._answers, []
        yield from answers
        if self._wants_snapshot:
            self._wants_snapshot = False
            self._items, self._bytes = {}, 0
            self._seq += 1
            yield self._snapshot(self._seq)
        if self._items:
            items, self._items, self._bytes = self._items, {}, 0
            self._seq += 1
            yield b'{"type":"delta","seq":%d,"items":[%s]}' % (self._seq, b",".join(items.values()))

    def _put(self, key: str, item: bytes) -> None:
        if not key:
            self._number += 1
            key = f"#{self._number}"
        earlier = self._items.pop(key, b"")
        self._items[key] = item
        self._bytes += len(item) - len(earlier)

    def _put_bars(self, delta: Delta) -> None:
        """Closed bars are not replaced by later ones: a reader that missed some fetches all again."""
        assert delta.bars is not None
        if delta.key in self._items:
            delta = Delta("bars", delta.key, msgspec.json.encode(BarsReload(*delta.bars)), delta.bars)
        self._put(delta.key, delta.item)


class Hub:
    """All viewers of one replica."""

    def __init__(self, replica: Replica, greet: Callable[[str], bytes]) -> None:
        self._replica = replica
        self._greet = greet
        self._state = b""
        self._version = -1
        self.clients: set[Client] = set()
        self.cut = 0
        self.published = 0

    @property
    def is_full(self) -> bool:
        return len(self.clients) >= MOST_CLIENTS

    def join(self, role: str) -> Client:
        client = Client(role, lambda: self._greet(role), self._snapshot)
        self.clients.add(client)
        return client

    def leave(self, client: Client) -> None:
        self.clients.discard(client)
        if client.closing == TRY_AGAIN:
            self.cut += 1

    def publish(self, deltas: list[Delta]) -> None:
        if not deltas:
            return
        self.published += len(deltas)
        for client in self.clients:
            client.offer(deltas)

    def begin_again(self) -> None:
        """Another session: whatever viewers know is of the one before."""
        for client in self.clients:
            client.resnap(hello=True)

    def close_all(self, code: int = GOING_AWAY) -> None:
        for client in self.clients:
            client.close(code)

    def _snapshot(self, seq: int) -> bytes:
        """The state is encoded once for all who ask for it at the same moment."""
        if self._version != self._replica.version:
            self._state, self._version = self._replica.state_json(), self._replica.version
        return b'{"type":"snapshot","seq":%d,"state":%s}' % (seq, self._state)


__all__ = [
    "GOING_AWAY", "MOST_BARS_SUBSCRIBED", "MOST_CLIENTS", "MOST_SLOT_BYTES", "MOST_SLOT_ITEMS", "SCHEMA", "SIGNED_OUT",
    "TRY_AGAIN", "Client", "HelloView", "Hub", "Wire",
]  # fmt: skip
