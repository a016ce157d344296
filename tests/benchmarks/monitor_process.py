"""The monitor as a process of its own: it imports what `wyckoff monitor` does and nothing else.

`python -m tests.benchmarks.monitor_process DIRECTORY` prints its port and ends with its standard input.
"""

import sys
from pathlib import Path
from typing import Final

import anyio

from engine.live.clock import SystemClock
from engine.live.stream import SOCKET_NAME
from engine.monitor import guard
from engine.monitor.guard import Tokens
from engine.monitor.server import Plan, monitor_of, serving

TOKEN: Final = "benchmark-" + "aB3dE5gH7jK9" * 4


async def serve(directory: Path) -> None:
    plan = Plan(mode="paper", tokens=Tokens(TOKEN), stream=directory / "run" / SOCKET_NAME)
    async with serving(monitor_of(plan, SystemClock()), "127.0.0.1", 0) as port:
        print(port, flush=True)
        await anyio.to_thread.run_sync(sys.stdin.read)


if __name__ == "__main__":
    # All viewers come from one address here.
    guard.REQUESTS_AT_ONCE = 100_000  # type: ignore[misc]
    anyio.run(serve, Path(sys.argv[1]), backend_options={"use_uvloop": True})
