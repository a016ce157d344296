"""Trades and bars a second through the BarAggregator alone, from memory, on one core.

`python -m tests.benchmarks.bars` prints a table, one row a market, each in a process of its own.
All seven timeframes are built at once unless the row says otherwise, blocks hold 65,536 rows,
kernels are compiled and the market is made before the clock starts, and a first run is thrown
away. Real ticks are used where the shared test data is present. Absolute figures belong to one
machine; compare runs of one machine only.
"""

import json
import resource
import subprocess
import sys
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table

from engine.bars import BarAggregator
from engine.blocks import Bars, MarketBlock, Trades
from engine.sessions import Sessions
from engine.timeframes import DAY_NS, MINUTE_NS, TIMEFRAMES
from tests import lean
from tests.makers import START_NS, table

RUNS = 5
CHUNK = 65_536
ROWS = 3_000_000
DAYS = ("20131007", "20131008", "20131009")
COUNTED = ("tick:1000", "volume:50000", "dollar:1000000")


class Market(NamedTuple):
    """What is aggregated. `blocks` follow each other in time."""

    blocks: list[MarketBlock]
    symbols: int = 1
    build: tuple[str, ...] = TIMEFRAMES
    sessions: Sessions | None = None


def walk(rows: int, symbols: int, run: int) -> Market:
    """Random trades, some 20 ms apart; each instrument keeps the tape for `run` rows."""
    random = np.random.default_rng(1)
    times_ns = START_NS + np.cumsum(random.integers(0, 40, rows)) * 1_000_000
    prices = 150 + np.cumsum(random.integers(-1, 2, rows)) / 100 % 10
    instruments = np.repeat(random.integers(0, symbols, -(-rows // run)), run)[:rows]
    trades = Trades.of(
        time_ns=times_ns, received_ns=times_ns, instrument=instruments, price=prices,
        size=random.integers(1, 500, rows),
    )  # fmt: skip
    return Market(cut(trades), symbols)


def spy(build: tuple[str, ...] = TIMEFRAMES) -> Market:
    """Three days of the consolidated tape, extended hours, then the same again a week later."""
    days = [lean.ticks("spy", day) for day in DAYS]
    week = Trades.join(days)
    later = [week.derive(time_ns=week.time_ns + 7 * DAY_NS * number) for number in range(3)]
    opens = np.array([lean.midnight_ns(day) + 4 * 60 * MINUTE_NS for day in DAYS])
    sessions = lean.sessions_from(np.concatenate([opens + 7 * DAY_NS * number for number in range(3)]), 16 * 60)
    return Market([block for one in later for block in cut(one)], 1, build, sessions)


def minutes(symbols: int, rows: int) -> Market:
    """Outside one-minute bars of all symbols at once, folded up to weeks."""
    number = np.arange(rows)
    opens_ns = START_NS + number // symbols * MINUTE_NS
    price = 100 + number % 97 / 100
    bars = Bars.of(
        open_ns=opens_ns, close_ns=opens_ns + MINUTE_NS, received_ns=opens_ns, instrument=number % symbols,
        open=price, high=price + 1, low=price - 1, close=price, volume=1_000, trades=-1,
    )  # fmt: skip
    return Market(cut(bars), symbols)


def cut(block: MarketBlock) -> list[MarketBlock]:
    """Blocks of their own, as a feed makes them."""
    columns = block.columns()
    return [
        type(block)(**{name: column[at : at + CHUNK].copy() for name, column in columns.items()})  # type: ignore[arg-type]
        for at in range(0, len(block), CHUNK)
    ]


MARKETS: dict[str, tuple[str, Callable[[], Market]]] = {
    "spy": ("SPY, 3.4 M real trades", spy),
    "counted": ("SPY, and 3 counted timeframes", lambda: spy((*TIMEFRAMES, *COUNTED))),
    "one": ("1 instrument, 3 M trades", lambda: walk(ROWS, 1, 1)),
    "many": ("500 instruments, 3 M trades in random order", lambda: walk(ROWS, 500, 1)),
    "runs": ("500 instruments, 3 M trades in runs of 5", lambda: walk(ROWS, 500, 5)),
    "minutes": ("1 instrument, 1 M outside 1m bars", lambda: minutes(1, 1_000_000)),
    "universe": ("500 instruments, 1 M outside 1m bars", lambda: minutes(500, 1_000_000)),
}


def measure(name: str) -> dict[str, Any]:
    """Best of RUNS runs over one market."""
    market = MARKETS[name][1]()
    rows = sum(map(len, market.blocks))
    seconds = []
    closed = 0
    for _ in range(1 + RUNS):
        symbols = table(*(f"S{number:03}" for number in range(market.symbols)))
        frames = tuple(dict.fromkeys((*TIMEFRAMES, *market.build)))
        stage = BarAggregator(symbols, frames, market.build, 1, sessions=market.sessions)
        closed = 0
        begins = perf_counter()
        for block in market.blocks:
            for out in stage.process(block):
                assert isinstance(out, MarketBlock)
                closed += len(out.closed or ())
        seconds.append(perf_counter() - begins)
    best = min(seconds[1:])
    return {
        "market": MARKETS[name][0],
        "seconds": best,
        "rows_per_second": rows / best,
        "closed": closed,
        "bars_per_second": closed / best,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def show(results: Sequence[dict[str, Any]]) -> None:
    sheet = Table(title=f"BarAggregator alone, one core, best of {RUNS}")
    for name in ("market", "seconds", "rows in/s", "bars closed", "bars closed/s", "peak MB"):
        sheet.add_column(name, justify="left" if name == "market" else "right")
    for one in results:
        sheet.add_row(
            one["market"], f"{one['seconds']:.3f}", f"{one['rows_per_second']:,.0f}", f"{one['closed']:,}",
            f"{one['bars_per_second']:,.0f}", f"{one['peak_mb']:.0f}",
        )  # fmt: skip
    Console(width=120).print(sheet)


def main() -> None:
    if len(sys.argv) > 1:
        print(json.dumps(measure(sys.argv[1])))
        return
    results = []
    for name in MARKETS:
        if name in ("spy", "counted") and not lean.EQUITIES.is_dir():
            print(f"{MARKETS[name][0]}: skipped, {lean.EQUITIES} is absent")
            continue
        command = [sys.executable, "-m", "tests.benchmarks.bars", name]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(done.stderr)
        results.append(json.loads(done.stdout))
    show(results)


if __name__ == "__main__":
    main()
