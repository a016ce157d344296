"""The one inbox of the line: two bounded lanes, control drained first.

Everything from outside enters here and nowhere else, so drain order is tape order. While the
line is busy, waiting market blocks become one block: under load batches grow and the cost of a
row falls; when quiet, a block is one row.
"""

from collections import deque
from collections.abc import Callable

import anyio
import msgspec

from engine.blocks import MarketBlock
from engine.ports import Item


class IngressClosedError(Exception):
    """A writer came after the ingress was closed."""


class Lane(msgspec.Struct, frozen=True):
    """How a lane does, in messages. `conflated` are blocks that went on as part of another one, with all their rows.

    `dropped` is 0: writers wait where a lane is full.
    """

    stage: str
    depth: int
    capacity: int
    high_water: int
    conflated: int
    dropped: int = 0


def _timeless() -> int:
    """Nobody asks when a fact came."""
    return 0


class Ingress:
    """Iterate it to drain it; iteration ends when it is closed and empty.

    Writers wait while their lane is full, and each writer's facts keep their order. Capacities
    are in messages; a joined block has at most `max_rows` rows. `since_ns` is when the first part of
    what was given last came in, by the clock `now_ns`.
    """

    def __init__(
        self,
        *,
        control_capacity: int,
        market_capacity: int,
        max_rows: int = 65_536,
        now_ns: Callable[[], int] = _timeless,
    ) -> None:
        assert control_capacity >= 1
        assert market_capacity >= 1
        self.since_ns = 0
        self._now_ns = now_ns
        self._control = _Lane(control_capacity)
        self._market = _Lane(market_capacity)
        self._max_rows = max_rows
        self._arrived = anyio.Event()
        self._closed = False

    async def control(self, fact: Item) -> None:
        """Reports, operator commands, timers: never behind market data."""
        await self._put(self._control, fact)

    async def market(self, fact: Item) -> None:
        """Market blocks, and what must keep its place between them (heartbeats, feed status)."""
        await self._put(self._market, fact)

    def close(self) -> None:
        """No further facts; what has arrived is still drained."""
        self._closed = True
        self._arrived.set()
        self._control.wake()
        self._market.wake()

    def __aiter__(self) -> "Ingress":
        return self

    async def __anext__(self) -> Item:
        while not (self._control.items or self._market.items):
            if self._closed:
                raise StopAsyncIteration
            self._arrived = anyio.Event()
            await self._arrived.wait()
        if self._control.items:
            fact, self.since_ns = self._control.take()
            return fact
        return self._coalesced()

    def statistics(self) -> dict[str, int]:
        """Messages waiting, by lane."""
        return {"control": len(self._control.items), "market": len(self._market.items)}

    def lanes(self) -> tuple[Lane, ...]:
        """Both lanes, with what has become of them since the beginning."""
        return self._control.told("inbox.control"), self._market.told("inbox.market")

    async def _put(self, lane: "_Lane", fact: Item) -> None:
        while lane.full and not self._closed:
            await lane.taken()
        if self._closed:
            raise IngressClosedError("the ingress takes no more facts: it was closed")
        lane.add(fact, self._now_ns())
        self._arrived.set()

    def _coalesced(self) -> Item:
        market = self._market
        first, self.since_ns = market.take()
        if not market.items or not isinstance(first, MarketBlock):
            return first
        blocks = [first]
        rows = len(first)
        while market.items:
            following = market.items[0][0]
            if not isinstance(following, type(first)) or rows + len(following) > self._max_rows:
                break
            market.take()
            blocks.append(following)
            rows += len(following)
        market.conflated += len(blocks) - 1
        return type(first).join(blocks)


class _Lane:
    """A bounded FIFO of facts, each with the time when it came."""

    def __init__(self, capacity: int) -> None:
        self.items: deque[tuple[Item, int]] = deque()
        self.conflated = 0
        self._capacity = capacity
        self._high_water = 0
        self._waiting = 0
        self._room = anyio.Event()

    @property
    def full(self) -> bool:
        return len(self.items) >= self._capacity

    def add(self, fact: Item, now_ns: int) -> None:
        self.items.append((fact, now_ns))
        if len(self.items) > self._high_water:
            self._high_water = len(self.items)

    def take(self) -> tuple[Item, int]:
        item = self.items.popleft()
        if self._waiting:
            self.wake()
        return item

    def wake(self) -> None:
        """Let every waiting writer look again."""
        self._room.set()
        self._room = anyio.Event()

    async def taken(self) -> None:
        self._waiting += 1
        try:
            await self._room.wait()
        finally:
            self._waiting -= 1

    def told(self, stage: str) -> Lane:
        return Lane(stage, len(self.items), self._capacity, self._high_water, self.conflated)
