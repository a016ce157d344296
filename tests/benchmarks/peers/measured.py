"""What one run of one engine cost, and the trades it made: one JSON object on stdout.

Each program is `python -m tests.benchmarks.peers.run_NAME KIND FILE.npz [empty]` in a process of its own.
It loads the market and builds the engine before the clock starts; CPU seconds are user and system time
of the process while it runs, all threads of it; peak memory is the process's, loading included.
"""

import gc
import json
import platform
import resource
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any, Protocol

from tests.benchmarks.peers.feeds import PLANS, load
from tests.benchmarks.peers.strategy import Plan, Trade


class Prepared(Protocol):
    """An engine with its market loaded: `run` does all the work, `trades` is asked afterwards."""

    def run(self) -> None: ...

    def trades(self) -> Sequence[Trade]: ...


Prepare = Callable[[str, dict[str, Any], Plan, bool], Prepared]
"""(kind of market, columns, plan, without a strategy) -> an engine that is ready to run."""


def cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main(version: str, prepare: Prepare) -> None:
    kind, path = sys.argv[1], Path(sys.argv[2])
    begins = perf_counter()
    columns = load(path)
    prepared = prepare(kind, columns, PLANS[kind], "empty" in sys.argv[3:])
    gc.collect()
    loaded, cpu = perf_counter(), cpu_seconds()
    prepared.run()
    cpu, wall = cpu_seconds() - cpu, perf_counter() - loaded
    told = {
        "version": version,
        "python": platform.python_version(),
        "rows": len(next(iter(columns.values()))),
        "load_seconds": loaded - begins,
        "cpu_seconds": cpu,
        "wall_seconds": wall,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "trades": [list(map(int, one)) for one in prepared.trades()],
    }
    print(json.dumps(told))
