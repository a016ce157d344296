"""Bars a second through the detector's kernel alone, with its state in the cache and out of it.

`python -m tests.benchmarks.detector` prints, for 1 instrument and for 5,000, on daily and minute bars,
the CPU time per bar of the kernel over ready blocks, how much slower than the first each is, and the
share of bars in each phase, because a bar inside a range costs more than one outside. The market is the
seeded one of the line's benchmark; blocks hold 65,536 bars. Best of several runs, each on fresh state.
User CPU seconds of one machine; compare runs of one machine only.
"""

import resource
import sys
from dataclasses import replace
from time import perf_counter
from typing import NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table

from engine.blocks import Bars
from engine.instruments import InstrumentTable
from engine.messages import Phase
from engine.timeframes import TIMEFRAMES
from engine.wyckoff import detector
from engine.wyckoff.detector import PhaseDetector, warm
from engine.wyckoff.layout import slot_bytes
from engine.wyckoff.settings import DetectorSettings
from tests.makers import instrument
from tests.markets import bar_market

RUNS = 5
CHUNK = 65_536

SHAPES = {
    "1 x 500,000": lambda: bar_market(1, 500_000, 1, "1m", daily_range=0.002),
    "1 x 20,000, 1d": lambda: bar_market(1, 20_000, 2),
    "5,000 x 200": lambda: bar_market(5_000, 200, 3),
    "5,000 x 200, 1m": lambda: bar_market(5_000, 200, 4, "1m", daily_range=0.002),
}
"""Those of one instrument fit the cache, the others hold 5,000 slots and go round them bar by bar."""


class Measured(NamedTuple):
    """CPU seconds of the kernel in the best run, records it wrote, and the share of bars in each phase."""

    seconds: float
    records: int
    phases: tuple[float, ...]


def blocks_of(bars: Bars) -> list[Bars]:
    """Empty carriers of CHUNK closed bars each."""
    out = []
    for start in range(0, len(bars), CHUNK):
        closed = bars.slice(start, min(start + CHUNK, len(bars)))
        carrier = replace(Bars.empty(), sequence=start + 1, closed=closed, line_ns=np.empty(0, np.int64))
        carrier.line_time_ns = int(closed.close_ns[-1])
        out.append(carrier)
    return out


def cpu_seconds() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_utime


def once(stage: PhaseDetector, blocks: list[Bars]) -> tuple[float, int, np.ndarray]:
    """Kernel seconds, records, bars by phase; what Python does around the kernel is not counted."""
    seconds, records, phases, scan = 0.0, 0, np.zeros(len(Phase), np.int64), detector.scan

    def timed(*arguments: object) -> int:
        nonlocal seconds
        begins = cpu_seconds()
        row = scan(*arguments)  # type: ignore[arg-type]
        seconds += cpu_seconds() - begins
        return row

    detector.scan = timed
    try:
        for block in blocks:
            assert block.closed is not None
            closed, found = stage._detect(block.closed)
            records += len(found)
            phases += np.bincount(closed.phase, minlength=len(Phase))
    finally:
        detector.scan = scan
    return seconds, records, phases


def measure(bars: Bars, runs: int = RUNS) -> Measured:
    table = InstrumentTable(instrument(f"S{number:04d}") for number in range(int(bars.instrument.max()) + 1))
    frame, blocks = TIMEFRAMES[int(bars.timeframe[0])], blocks_of(bars)
    seconds = []
    for _ in range(runs):
        taken, records, phases = once(PhaseDetector(DetectorSettings(), table, TIMEFRAMES, (frame,)), blocks)
        seconds.append(taken)
    return Measured(min(seconds), records, tuple((phases / len(bars)).tolist()))


def main() -> None:
    begins, spent = perf_counter(), cpu_seconds()
    warm()
    ready = f"kernels ready after {perf_counter() - begins:.1f} s, {cpu_seconds() - spent:.1f} CPU s"
    table = Table(title=f"The detector's kernel, best of {RUNS}; {ready}; {slot_bytes():,} bytes a slot")
    names = [phase.name for phase in Phase]
    for name in ("market", "ns/bar", "bars/s", "ratio", "records/1,000", *names):
        table.add_column(name, justify="left" if name == "market" else "right")
    first = 0.0
    for name in sys.argv[1:] or SHAPES:
        bars = SHAPES[name]()
        found, rows = measure(bars), len(bars)
        first = first or found.seconds / rows
        table.add_row(
            name, f"{found.seconds / rows * 1e9:.0f}", f"{rows / found.seconds:,.0f}",
            f"{found.seconds / rows / first:.2f}", f"{found.records / rows * 1e3:.0f}",
            *(f"{share:.0%}" for share in found.phases),
        )  # fmt: skip
    Console(width=130).print(table)


if __name__ == "__main__":
    main()
