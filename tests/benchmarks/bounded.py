"""Whether memory stays bounded: a feed larger than what the process may hold goes through the line.

`python -m tests.benchmarks.bounded` writes a file of trades larger than 1 GB and replays it, by the
command a user would give, in a process whose data may not grow beyond 1 GB. With a number of rows it
is itself that process: it generates trades block by block and pushes them through a line. The
limit is RLIMIT_DATA, which counts what a process can write to: heap, arrays, stacks.
"""

import json
import resource
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from engine.blocks import MarketBlock, Trades
from engine.ports import Item
from tests.lines import line, recorded
from tests.makers import end_of_feed
from tests.markets import trade_market

FILE_BYTES = 1_200_000_000
FILE_LIMIT_MB = 1_024
MINUTES, TRADES_A_MINUTE = 600, 100
TEXT_ROWS = 60_000
BYTES_A_ROW = sum(dtype().itemsize for dtype in Trades.COLUMNS.values())


def limited(limit_mb: int) -> None:
    resource.setrlimit(resource.RLIMIT_DATA, (limit_mb << 20, limit_mb << 20))


STATUS = Path("/proc/self/status")


def peak_mb(who: int) -> float:
    return resource.getrusage(who).ru_maxrss / 1024


def own_peak_mb() -> float:
    """Of this program: what getrusage says begins with the process that it was started from."""
    if not STATUS.exists():
        return peak_mb(resource.RUSAGE_SELF)
    lines = dict(one.split(":", 1) for one in STATUS.read_text().splitlines())
    return int(lines["VmHWM"].split()[0]) / 1024


def later(block: Trades, times: int) -> Trades:
    """The same prints again, as many spans later."""
    shift = times * (int(block.time_ns[-1] - block.time_ns[0]) // 60_000_000_000 + 1) * 60_000_000_000
    return replace(block, time_ns=block.time_ns + shift, received_ns=block.received_ns + shift)


def facts(rows: int) -> Iterator[Item]:
    """A session of `rows` trades of which only one block exists at a time."""
    market = recorded(trade_market(1, MINUTES, TRADES_A_MINUTE, 7))
    block = market.rows[0]
    assert isinstance(block, Trades)
    yield from (market.start, *market.table.all)
    for number in range(-(-rows // len(block))):
        last = later(block, number)
        yield last
    yield end_of_feed(int(last.time_ns[-1]))


def push(rows: int) -> dict[str, Any]:
    """Through a line of this process."""
    market = recorded(trade_market(1, MINUTES, TRADES_A_MINUTE, 7))
    built = line(market)
    pushed = 0
    for fact in facts(rows):
        built.chain.push(fact)
        pushed += len(fact) if isinstance(fact, MarketBlock) else 0
    return {
        "rows": pushed,
        "feed_mb": pushed * BYTES_A_ROW / 2**20,
        "bars": built.tap.counts.bars.get("1m", 0),
        "decisions": built.tap.digest.count,
        "peak_mb": own_peak_mb(),
    }


def alone(rows: int, limit_mb: int) -> dict[str, Any]:
    """`push` in a process of its own, under a limit. Raises RuntimeError with what it said when it fails."""
    command = [sys.executable, "-m", "tests.benchmarks.bounded", str(rows), str(limit_mb)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def write_file(path: Path, size: int) -> int:
    """Trades as text until the file has `size` bytes; the number of rows."""
    block = trade_market(1, TEXT_ROWS // TRADES_A_MINUTE, TRADES_A_MINUTE, 7)
    rows = 0
    with path.open("w") as file:
        file.write("time,symbol,price,size,trade_id,venue\n")
        while file.tell() < size:
            part = later(block, rows // len(block))
            values = zip(part.time_ns.tolist(), part.price.tolist(), part.size.tolist(), strict=True)
            file.writelines(
                f"{time_ns},BTCUSDT,{price:.2f},{size:.0f},{rows + number},recorded by a generator\n"
                for number, (time_ns, price, size) in enumerate(values)
            )
            rows += len(part)
    return rows


def replay_file() -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "trades.csv"
        rows = write_file(path, FILE_BYTES)
        command = [sys.executable, "-m", "engine", "replay", str(path), "--quiet"]
        done = subprocess.run(command, check=False, preexec_fn=lambda: limited(FILE_LIMIT_MB))
        size_mb = path.stat().st_size / 2**20
    peak = peak_mb(resource.RUSAGE_CHILDREN)
    print(f"{rows:,} trades, {size_mb:,.0f} MB of text, under {FILE_LIMIT_MB:,} MB: peak {peak:,.0f} MB")
    sys.exit(done.returncode)


def main() -> None:
    if len(sys.argv) > 2:
        limited(int(sys.argv[2]))
        print(json.dumps(push(int(sys.argv[1]))))
        return
    replay_file()


if __name__ == "__main__":
    main()
