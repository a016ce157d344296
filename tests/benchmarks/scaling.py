"""Whether the line's cost is linear: time per row over 1, 10, 100 and 1,000 symbols, of 1m bars.

`python -m tests.benchmarks.scaling` prints two tables: a fixed number of rows shared by all symbols,
and a fixed number of rows a symbol. Each run has a process of its own and prints user CPU seconds,
which a busy machine stretches least; every row is proven, closed, detected on and matched. The
first line of each table is what the others are compared with.
"""

import json
import resource
import subprocess
import sys
from typing import Any

from rich.console import Console
from rich.table import Table

from engine.collector import settle
from tests.lines import config, line, recorded
from tests.markets import bar_market

SYMBOLS = (1, 10, 100, 1_000)
TOTAL_ROWS = 400_000
ROWS_A_SYMBOL = 500
CHUNK = 65_536
RUNS = 2


def user_seconds() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_utime


def measure(symbols: int, rows: int) -> dict[str, Any]:
    """Best of RUNS runs over `rows` 1m bars of each symbol; one more run before, for the kernels."""
    market = recorded(bar_market(symbols, rows, 4, "1m", daily_range=0.002), symbols=symbols)
    settings = config()
    settle()
    seconds = []
    for _ in range(1 + RUNS):
        built = line(market, settings)
        facts = list(market.facts(CHUNK))
        begins = user_seconds()
        for fact in facts:
            built.chain.push(fact)
        seconds.append(user_seconds() - begins)
    best = min(seconds[1:])
    return {
        "symbols": symbols,
        "rows": symbols * rows,
        "seconds": best,
        "micros_a_row": best / (symbols * rows) * 1e6,
        "decisions": built.tap.digest.count,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def alone(symbols: int, rows: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.benchmarks.scaling", str(symbols), str(rows)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def show(title: str, results: list[dict[str, Any]]) -> None:
    table = Table(title=title)
    for name in ("symbols", "rows", "user s", "µs a row", "to the first", "decisions", "peak MB"):
        table.add_column(name, justify="right")
    for one in results:
        table.add_row(
            f"{one['symbols']:,}", f"{one['rows']:,}", f"{one['seconds']:.2f}", f"{one['micros_a_row']:.2f}",
            f"{one['micros_a_row'] / results[0]['micros_a_row']:.2f}", f"{one['decisions']:,}", f"{one['peak_mb']:.0f}",
        )  # fmt: skip
    Console(width=100).print(table)


def main() -> None:
    if len(sys.argv) > 1:
        print(json.dumps(measure(int(sys.argv[1]), int(sys.argv[2]))))
        return
    show(f"{TOTAL_ROWS:,} 1m bars in all", [alone(symbols, TOTAL_ROWS // symbols) for symbols in SYMBOLS])
    show(f"{ROWS_A_SYMBOL} 1m bars a symbol", [alone(symbols, ROWS_A_SYMBOL) for symbols in SYMBOLS])


if __name__ == "__main__":
    main()
