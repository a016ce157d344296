"""Kernels compiled in a process of their own, so that the compiler's memory, some hundred megabytes, ends with it.

`python -m engine.compiling` replays a small made-up file and leaves the cache; what a run needs beyond that it
compiles by itself.
"""

import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from engine.iso import iso
from engine.kernels import cache_directory
from engine.wyckoff.schematics import as_bars, generate

HEADER = "Ticker,Date,Open,High,Low,Close,Volume,Adj Close"
START_NS = 946_857_600_000_000_000
"""2000-01-03, UTC."""
LONGEST = "engine.wyckoff.scan"


def is_cold() -> bool:
    """Whether the detector's scan, which takes most of a compile, was never compiled on this machine."""
    return not any(cache_directory(LONGEST).rglob("*.nbi"))


def compile_apart(module: str = "engine.compiling") -> None:
    """Runs `module`. Whether it succeeds does not matter: what is missing is compiled where it is needed."""
    command = [sys.executable, "-m", module]
    subprocess.run(command, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603 - our own


def lines() -> Iterator[str]:
    """Daily bars of two shares below each other, adjusted, as exports have them."""
    yield HEADER
    for seed, ticker in enumerate(("AAA", "BBB")):
        bars = as_bars(generate("accumulation", seed), "1d", START_NS, 0)
        for row in range(len(bars)):
            day = iso(int(bars.open_ns[row])).partition("T")[0]
            prices = [f"{column[row]:.2f}" for column in (bars.open, bars.high, bars.low, bars.close)]
            yield ",".join((ticker, day, *prices, f"{bars.volume[row]:.0f}", f"{bars.close[row] / 2:.4f}"))


def main() -> None:
    with TemporaryDirectory() as directory:
        path = Path(directory) / "bars.csv"
        path.write_text("\n".join(lines()) + "\n")
        # The entry stands above the commands, and these above this.
        api: Any = import_module("engine.api")
        api.replay(path)


if __name__ == "__main__":
    main()
