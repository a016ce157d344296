"""Rows a second out of files: opening them (the survey), all their facts, and both together.

`python -m tests.benchmarks.feeds` prints a table, one row a kind of file, each in a process of its
own. The rows are SPY's three days of the consolidated tape five times over, a week apart, where the
shared test data is present, else random trades; the files are written into a temporary folder
first. Kernels are compiled by a run that is thrown away. Compare runs of one machine only.
"""

import gzip
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
from rich.console import Console
from rich.table import Table

from adapters.files import open_feed
from engine.bars import BarAggregator
from engine.blocks import MarketBlock, Trades
from engine.timeframes import DAY_NS, TIMEFRAMES
from tests import lean
from tests.benchmarks.bars import DAYS, walk
from tests.makers import table

RUNS = 5
CHUNK = 65_536
WEEKS = 5
SYMBOLS = ("SPY", "IVV", "VOO", "QQQ")


def tape() -> Trades:
    if not lean.EQUITIES.is_dir():
        return Trades.join([block for block in walk(1_000_000 * WEEKS, 1, 1).blocks if isinstance(block, Trades)])
    week = Trades.join([lean.ticks("spy", day) for day in DAYS])
    return Trades.join([week.derive(time_ns=week.time_ns + 7 * DAY_NS * number) for number in range(WEEKS)])


def columns_of(trades: Trades) -> "pa.Table":
    times = pa.array(trades.time_ns, pa.timestamp("ns", tz="UTC"))
    return pa.table({"time": times, "price": trades.price, "size": trades.size})


def parquet(path: Path) -> None:
    pyarrow.parquet.write_table(columns_of(tape()), path)


def parquet_of_symbols(path: Path) -> None:
    found = columns_of(tape())
    names = pa.array(np.array(SYMBOLS)[np.arange(len(found)) % len(SYMBOLS)])
    pyarrow.parquet.write_table(found.append_column("symbol", names), path)


def parquet_with_ids(path: Path) -> None:
    found = columns_of(tape())
    numbers = pa.array(np.arange(1, len(found) + 1))
    sides = pa.array(np.array(["buy", "sell"])[np.arange(len(found)) % 2])
    pyarrow.parquet.write_table(found.append_column("id", numbers).append_column("side", sides), path)


def feather(path: Path) -> None:
    pyarrow.feather.write_feather(columns_of(tape()), path)


def csv(path: Path) -> None:
    path.write_bytes(lines_of(tape()))


def csv_gz(path: Path) -> None:
    with gzip.open(path, "wb", compresslevel=1) as stream:
        stream.write(lines_of(tape()))


def lines_of(trades: Trades) -> bytes:
    rows = zip((trades.time_ns // 1_000_000).tolist(), trades.price.tolist(), trades.size.tolist(), strict=True)
    return ("time,price,size\n" + "".join(f"{time},{price},{size:g}\n" for time, price, size in rows)).encode()


FILES: dict[str, tuple[str, Callable[[Path], None]]] = {
    "parquet": ("trades.parquet", parquet),
    "parquet, 4 symbols": ("trades.parquet", parquet_of_symbols),
    "parquet, ids and sides": ("trades.parquet", parquet_with_ids),
    "feather": ("trades.feather", feather),
    "csv": ("trades.csv", csv),
    "csv.gz": ("trades.csv.gz", csv_gz),
}


def measure(name: str) -> dict[str, Any]:
    """Best of RUNS runs over one file; "line" goes on into a BarAggregator of all timeframes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / FILES[name][0]
        FILES[name][1](path)
        opening, reading, folding = (_best(work, path) for work in (_open, _read, _fold))
        rows, size = _read(path)[1], path.stat().st_size
    return {
        "file": name,
        "rows": rows,
        "mb": size / 1e6,
        "open": rows / opening,
        "facts": rows / reading,
        "both": rows / (opening + reading),
        "line": rows / (opening + folding),
    }


def _best(work: Callable[[Path], tuple[float, int]], path: Path) -> float:
    return min([work(path)[0] for _ in range(1 + RUNS)][1:])


def _open(path: Path) -> tuple[float, int]:
    begins = perf_counter()
    feed = open_feed(path)
    return perf_counter() - begins, feed.rows_estimate


def _read(path: Path) -> tuple[float, int]:
    """Facts only; the file is open already."""
    feed = open_feed(path)
    numbers = {symbol: number for number, symbol in enumerate(feed.symbols)}
    begins = perf_counter()
    rows = sum(len(fact) for fact in feed.facts(numbers, 0, CHUNK) if isinstance(fact, MarketBlock))
    return perf_counter() - begins, rows


def _fold(path: Path) -> tuple[float, int]:
    feed = open_feed(path)
    numbers = {symbol: number for number, symbol in enumerate(feed.symbols)}
    stage = BarAggregator(table(*feed.symbols), TIMEFRAMES, TIMEFRAMES, 1)
    begins = perf_counter()
    bars = 0
    for fact in feed.facts(numbers, 0, CHUNK):
        for out in stage.process(fact):
            bars += len(out.closed or ()) if isinstance(out, MarketBlock) else 0
    return perf_counter() - begins, bars


def show(results: Sequence[dict[str, Any]]) -> None:
    sheet = Table(title=f"files to facts, rows/s, one core, best of {RUNS}")
    for name in ("file", "rows", "MB", "open", "facts", "open + facts", "open + facts + bars"):
        sheet.add_column(name, justify="left" if name == "file" else "right")
    for one in results:
        rates = (f"{one[name]:,.0f}" for name in ("open", "facts", "both", "line"))
        sheet.add_row(one["file"], f"{one['rows']:,}", f"{one['mb']:.1f}", *rates)
    Console(width=130).print(sheet)


def main() -> None:
    if len(sys.argv) > 1:
        print(json.dumps(measure(sys.argv[1])))
        return
    if not lean.EQUITIES.is_dir():
        print(f"random trades: {lean.EQUITIES} is absent")
    results = []
    for name in FILES:
        command = [sys.executable, "-m", "tests.benchmarks.feeds", name]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(done.stderr)
        results.append(json.loads(done.stdout))
    show(results)


if __name__ == "__main__":
    main()
