"""Answers that cost something to make, kept for a while: one maker at a time for each, the oldest go first."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Final

from engine.live.ports import Clock

MOST_KEPT: Final = 256
MINUTE_S: Final = 60

STATISTICS_S: Final = 5 * MINUTE_S
BY_LEG_S: Final = 15 * MINUTE_S
BY_PHASE_S: Final = 30 * MINUTE_S
CURVE_S: Final = 15 * MINUTE_S


class Kept:
    """One answer and when it was made."""

    __slots__ = ("data", "made_ns")

    def __init__(self, data: bytes, made_ns: int) -> None:
        self.data = data
        self.made_ns = made_ns


class Cache:
    """`hits` and `misses` count."""

    def __init__(self, clock: Clock, most: int = MOST_KEPT) -> None:
        self._clock = clock
        self._most = most
        self._kept: OrderedDict[str, Kept] = OrderedDict()
        self._making: dict[str, asyncio.Lock] = {}
        self.hits = 0
        self.misses = 0

    async def of(self, key: str, ttl_s: int, make: Callable[[], Awaitable[bytes]]) -> tuple[bytes, int]:
        """The answer and its age in seconds."""
        found = self._fresh(key, ttl_s)
        if found is None:
            lock = self._making.setdefault(key, asyncio.Lock())
            try:
                async with lock:
                    found = self._fresh(key, ttl_s) or await self._made(key, make)
            finally:
                self._making.pop(key, None)
        else:
            self.hits += 1
        return found.data, (self._clock.monotonic_ns() - found.made_ns) // 1_000_000_000

    async def _made(self, key: str, make: Callable[[], Awaitable[bytes]]) -> Kept:
        self.misses += 1
        self._kept[key] = Kept(await make(), self._clock.monotonic_ns())
        while len(self._kept) > self._most:
            self._kept.popitem(last=False)
        return self._kept[key]

    def _fresh(self, key: str, ttl_s: int) -> Kept | None:
        found = self._kept.get(key)
        is_fresh = found is not None and self._clock.monotonic_ns() - found.made_ns < ttl_s * 1_000_000_000
        return found if is_fresh else None
