"""Answers that cost something to make, kept for a while: one maker at a time for each, the oldest go first."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

from engine.live.ports import Clock

MOST_KEPT: Final = 128
MINUTE_S: Final = 60

STATISTICS_S: Final = 5 * MINUTE_S
BY_LEG_S: Final = 15 * MINUTE_S
BY_PHASE_S: Final = 30 * MINUTE_S
CURVE_S: Final = 15 * MINUTE_S
CAMPAIGNS_S: Final = 5 * MINUTE_S
CAMPAIGN_S: Final = 15 * MINUTE_S

T = TypeVar("T")


class Kept:
    """One answer, of which version of what it is made from, and when it was made."""

    __slots__ = ("made_ns", "value", "version")

    def __init__(self, value: Any, version: str, made_ns: int) -> None:
        self.value = value
        self.version = version
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

    async def of(self, key: str, ttl_s: int, make: Callable[[], Awaitable[T]], *, version: str = "") -> tuple[T, int]:
        """The answer and its age in seconds. Of another version it is made anew, however young it is."""
        found = self._fresh(key, ttl_s, version)
        if found is None:
            lock = self._making.setdefault(key, asyncio.Lock())
            try:
                async with lock:
                    found = self._fresh(key, ttl_s, version) or await self._made(key, make, version)
            finally:
                self._making.pop(key, None)
        else:
            self.hits += 1
        return found.value, (self._clock.monotonic_ns() - found.made_ns) // 1_000_000_000

    async def _made(self, key: str, make: Callable[[], Awaitable[T]], version: str) -> Kept:
        self.misses += 1
        self._kept[key] = found = Kept(await make(), version, self._clock.monotonic_ns())
        self._kept.move_to_end(key)
        while len(self._kept) > self._most:
            self._kept.popitem(last=False)
        return found

    def _fresh(self, key: str, ttl_s: int, version: str) -> Kept | None:
        found = self._kept.get(key)
        if found is None or found.version != version:
            return None
        return found if self._clock.monotonic_ns() - found.made_ns < ttl_s * 1_000_000_000 else None
