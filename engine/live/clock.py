"""The clock of this machine, for everything outside the line; tests give another in its place."""

import time

import anyio


class SystemClock:
    """Satisfies `engine.live.ports.Clock`."""

    def now_ns(self) -> int:
        return time.time_ns()  # noqa: TID251 - the shell's own clock; nothing on the line reads it

    def monotonic_ns(self) -> int:
        return time.monotonic_ns()

    async def sleep(self, seconds: float) -> None:
        await anyio.sleep(seconds)  # noqa: TID251 - housekeeping waits for the clock and for nothing else
