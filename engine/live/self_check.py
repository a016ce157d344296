"""After each day: does the tape of that day, replayed, decide what was decided?

A process of its own at the lowest priority does it, so that the engine that trades is not slowed. Where a decision
differs entries are paused, and the first one that differs is told: whatever the cause, the promise is broken.
"""

import os
import sys
from pathlib import Path

import anyio
import msgspec

from engine.config import Config, parse
from engine.live.decision_log import decisions_of
from engine.proving import Proof, prove

LOWEST_PRIORITY = 19


class SelfCheckError(Exception):
    """The check itself could not be carried out; names the tape and what was said."""


async def checked(tape: Path, config: Config) -> Proof:
    """Raises SelfCheckError."""
    command = [sys.executable, "-m", "engine.live.self_check", str(tape)]
    settings = config.model_dump_json().encode()
    done = await anyio.run_process(command, input=settings, check=False)
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise SelfCheckError(f"{tape}: exit code {done.returncode}: {said[-1] if said else 'nothing was said'}")
    return msgspec.json.decode(done.stdout, type=Proof)


def main(tape: Path) -> None:
    """Settings as JSON on stdin, the proof as JSON on stdout."""
    os.nice(LOWEST_PRIORITY)
    config = parse(msgspec.json.decode(sys.stdin.buffer.read()), "the running engine")
    sys.stdout.buffer.write(msgspec.json.encode(prove(tape, decisions_of(tape), config)))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
