"""The one place where the monitor looks at a clock or waits for it; tests give it another."""

import time
from collections.abc import Awaitable
from typing import Protocol

import anyio


class Clock(Protocol):
    def now_ns(self) -> int: ...

    def monotonic_ns(self) -> int: ...

    def sleep(self, seconds: float) -> Awaitable[None]: ...


class SystemClock:
    """That of this machine."""

    def now_ns(self) -> int:
        return time.time_ns()  # noqa: TID251 - the shell's own clock; nothing on the line reads it

    def monotonic_ns(self) -> int:
        return time.monotonic_ns()

    async def sleep(self, seconds: float) -> None:
        await anyio.sleep(seconds)  # noqa: TID251 - housekeeping waits for the clock and for nothing else
