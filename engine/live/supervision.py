"""Keeps a process beside the engine running: the monitor, which must never take the engine with it.

It is started again with growing pauses; what ends by a mistake of configuration is left alone and told.
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from typing import Final

import anyio
import structlog
from anyio.abc import Process

from engine import exits
from engine.live.ports import Clock

FIRST_WAIT_S: Final = 1.0
MOST_WAIT_S: Final = 60.0
LIVED_S: Final = 60.0
"""After so long a life the next pause is the first one again."""

END_S: Final = 5.0
HOPELESS: Final = (exits.USAGE, exits.BAD_CONFIG)
"""Trying again would end the same way."""


async def keep_running(name: str, command: Sequence[str], clock: Clock) -> None:
    """Until cancelled, or until the process ends by a mistake that stays."""
    log, wait_s = structlog.get_logger(), FIRST_WAIT_S
    while True:
        began_ns = clock.monotonic_ns()
        code = await _run(command)
        if code in HOPELESS:
            log.error("process_gave_up", process=name, code=code)
            return
        lived_s = (clock.monotonic_ns() - began_ns) / 1e9
        wait_s = FIRST_WAIT_S if lived_s >= LIVED_S else min(MOST_WAIT_S, wait_s * 2)
        log.warning("process_ended", process=name, code=code, again_in_s=wait_s)
        await clock.sleep(wait_s)


async def _run(command: Sequence[str]) -> int:
    process = await anyio.open_process(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=None)
    try:
        return await process.wait()
    finally:
        with anyio.CancelScope(shield=True):
            await _end(process)


async def _end(process: Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    with anyio.move_on_after(END_S):
        await process.wait()
    if process.returncode is None:
        process.kill()
        await process.wait()


def monitor_beside(*options: str) -> list[str]:
    """The command of a monitor's process that ends with this one."""
    return [sys.executable, "-m", "engine", "monitor", "--with-parent", str(os.getpid()), *options]
