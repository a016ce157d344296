"""Rows a second through the whole line, in three shapes, each in a process of its own.

`python -m tests.benchmarks.line` prints a table: rows, seconds and user CPU seconds (best of the runs), rows/s, the
share of bars during which a position was open, decisions, and peak memory. Kernels are compiled
before the clock starts, the market is made before it starts, and a first run is thrown away.
Absolute figures belong to one machine; compare runs of one machine only.
"""

import json
import resource
import subprocess
import sys
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any

from rich.console import Console
from rich.table import Table

from engine.blocks import MarketBlock
from engine.campaigns.performance import Trade
from engine.collector import settle
from tests.lines import Recorded, config, line, recorded
from tests.markets import bar_market, trade_market

RUNS = 3
CHUNK = 65_536

SHAPES: dict[str, tuple[str, Callable[[], Recorded]]] = {
    "minutes": ("1 symbol x 500,000 1m bars", lambda: recorded(bar_market(1, 500_000, 1, "1m", daily_range=0.002))),
    "daily": ("500 symbols x 2,000 1d bars", lambda: recorded(bar_market(500, 2_000, 2), symbols=500)),
    "trades": ("1 symbol x 1,000,000 trades", lambda: recorded(trade_market(1, 10_000, 100, 3))),
}


def exposure(trades: Sequence[Trade], span_ns: int, symbols: int) -> float:
    """Share of all (symbol, time) during which a position was open. Legs of one symbol that overlap count once."""
    held = 0
    until: dict[str, int] = {}
    for trade in sorted(trades, key=lambda one: one.entry_ns):
        begins = max(trade.entry_ns, until.get(trade.symbol, 0))
        held += max(0, trade.exit_ns - begins)
        until[trade.symbol] = max(until.get(trade.symbol, 0), trade.exit_ns)
    return held / (span_ns * symbols)


def measure(shape: str) -> dict[str, Any]:
    """Best of RUNS runs of one shape."""
    market = SHAPES[shape][1]()
    blocks = [row for row in market.rows if isinstance(row, MarketBlock)]
    rows = sum(map(len, blocks))
    span_ns = int(blocks[-1].row_ns.max() - blocks[0].row_ns.min())
    seconds, user_seconds = [], []
    settle()
    settings = config()
    for _ in range(1 + RUNS):
        built = line(market, settings)
        facts = list(market.facts(CHUNK))
        begins, user_begins = perf_counter(), resource.getrusage(resource.RUSAGE_SELF).ru_utime
        for fact in facts:
            built.chain.push(fact)
        seconds.append(perf_counter() - begins)
        user_seconds.append(resource.getrusage(resource.RUSAGE_SELF).ru_utime - user_begins)
    best, user = min(seconds[1:]), min(user_seconds[1:])
    closed = built.ledger.trades.closed
    return {
        "shape": SHAPES[shape][0],
        "rows": rows,
        "seconds": best,
        "user_seconds": user,
        "rows_per_second": rows / best,
        "in_market": exposure(closed, span_ns, len(market.table)),
        "trades": len(closed),
        "decisions": built.tap.digest.count,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "digest": built.tap.digest.hex[:16],
    }


def show(results: Sequence[dict[str, Any]]) -> None:
    table = Table(title=f"The whole line, fused, best of {RUNS}")
    for name in (
        "shape",
        "seconds",
        "user s",
        "rows/s",
        "rows/user s",
        "in the market",
        "trades",
        "decisions",
        "peak MB",
        "digest",
    ):
        table.add_column(name, justify="left" if name in ("shape", "digest") else "right")
    for one in results:
        table.add_row(
            one["shape"], f"{one['seconds']:.2f}", f"{one['user_seconds']:.2f}", f"{one['rows_per_second']:,.0f}",
            f"{one['rows'] / one['user_seconds']:,.0f}",
            f"{one['in_market']:.1%}", f"{one['trades']:,}", f"{one['decisions']:,}", f"{one['peak_mb']:.0f}",
            one["digest"],
        )  # fmt: skip
    Console(width=150).print(table)


def main() -> None:
    if len(sys.argv) > 1:
        print(json.dumps(measure(sys.argv[1])))
        return
    results = []
    for shape in SHAPES:
        command = [sys.executable, "-m", "tests.benchmarks.line", shape]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(done.stderr)
        results.append(json.loads(done.stdout))
    show(results)


if __name__ == "__main__":
    main()
