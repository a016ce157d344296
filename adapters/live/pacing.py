"""How often a feed may try: waits between attempts, and a budget of connections for the whole process.

Venues ban addresses that reconnect in a loop (Binance: 300 connections in 5 minutes), and a herd of
clients that come back at once keeps a venue down. So waits are drawn from the whole interval.
"""

import random
from collections import deque
from weakref import WeakKeyDictionary

from engine.live.ports import Clock

NS_PER_S = 1_000_000_000

FIRST_WAIT_S = 2.0
LONGEST_WAIT_S = 30.0

SPACING_S = 1.0
WINDOW_S = 300.0
MOST_IN_WINDOW = 150
"""Half of what Binance allows: another program may use the same address."""


class Backoff:
    """Full jitter: anything from nothing to a bound that doubles with each failure (AWS, 2015)."""

    def __init__(self, seed: str, first_s: float = FIRST_WAIT_S, longest_s: float = LONGEST_WAIT_S) -> None:
        self.failures = 0
        self._first_s = first_s
        self._longest_s = longest_s
        self._draw = random.Random(seed)  # noqa: S311

    def wait_s(self, at_least_s: float = 0.0) -> float:
        """After one more failure. `at_least_s` is what the venue asked for."""
        bound_s = min(self._longest_s, self._first_s * 2 ** min(self.failures, 10))
        self.failures += 1
        return max(at_least_s, self._draw.uniform(0, bound_s))

    def succeeded(self) -> None:
        """To be called when data has flowed for a while, not when a connection was made."""
        self.failures = 0


class ConnectionBudget:
    """At most one connection a second and 150 in 5 minutes, whatever the feeds would like."""

    def __init__(self) -> None:
        self._opened_ns: deque[int] = deque()

    async def wait(self, clock: Clock) -> None:
        """Until another connection may be opened; counts it."""
        while (wait_ns := self.due_ns(clock.monotonic_ns())) > 0:
            await clock.sleep(wait_ns / NS_PER_S)
        self._opened_ns.append(clock.monotonic_ns())

    def due_ns(self, now_ns: int) -> int:
        """How long the next connection has to wait from now on."""
        opened = self._opened_ns
        while opened and now_ns - opened[0] >= WINDOW_S * NS_PER_S:
            opened.popleft()
        if len(opened) >= MOST_IN_WINDOW:
            return int(opened[0] + WINDOW_S * NS_PER_S) - now_ns
        return int(opened[-1] + SPACING_S * NS_PER_S) - now_ns if opened else 0


_BUDGETS: WeakKeyDictionary[Clock, ConnectionBudget] = WeakKeyDictionary()


def budget_by(clock: Clock) -> ConnectionBudget:
    """The one budget of all feeds that live by this clock: a process has one."""
    return _BUDGETS.setdefault(clock, ConnectionBudget())
