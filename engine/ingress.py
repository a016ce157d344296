"""The one inbox of the line: two bounded lanes, control drained first.

Everything from outside enters here and nowhere else, so drain order is tape order. While the
line is busy, waiting market blocks become one block: under load batches grow and the cost of a
row falls; when quiet, a block is one row.
"""

from collections import deque

import anyio

from engine.blocks import MarketBlock
from engine.ports import Item


class IngressClosedError(Exception):
    """A writer came after the ingress was closed."""


class Ingress:
    """Iterate it to drain it; iteration ends when it is closed and empty.

    Writers wait while their lane is full, and each writer's facts keep their order. Capacities
    are in messages; a joined block has at most `max_rows` rows.
    """

    def __init__(self, *, control_capacity: int, market_capacity: int, max_rows: int = 65_536) -> None:
        assert control_capacity >= 1
        assert market_capacity >= 1
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
            return self._control.take()
        return self._coalesced()

    def statistics(self) -> dict[str, int]:
        """Messages waiting, by lane."""
        return {"control": len(self._control.items), "market": len(self._market.items)}

    async def _put(self, lane: "_Lane", fact: Item) -> None:
        while lane.full and not self._closed:
            await lane.taken()
        if self._closed:
            raise IngressClosedError("the ingress takes no more facts: it was closed")
        lane.items.append(fact)
        self._arrived.set()

    def _coalesced(self) -> Item:
        first = self._market.take()
        if not isinstance(first, MarketBlock):
            return first
        blocks = [first]
        rows = len(first)
        while self._market.items:
            following = self._market.items[0]
            if not isinstance(following, type(first)) or rows + len(following) > self._max_rows:
                break
            self._market.take()
            blocks.append(following)
            rows += len(following)
        return type(first).join(blocks)


class _Lane:
    """A bounded FIFO of facts."""

    def __init__(self, capacity: int) -> None:
        self.items: deque[Item] = deque()
        self._capacity = capacity
        self._room = anyio.Event()

    @property
    def full(self) -> bool:
        return len(self.items) >= self._capacity

    def take(self) -> Item:
        item = self.items.popleft()
        self.wake()
        return item

    def wake(self) -> None:
        """Let every waiting writer look again."""
        self._room.set()
        self._room = anyio.Event()

    async def taken(self) -> None:
        await self._room.wait()
