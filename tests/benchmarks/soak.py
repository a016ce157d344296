"""A day in 24 minutes: a whole session whose venues cut it off again and again, and what that leaves behind.

`python -m tests.benchmarks.soak [--minutes 24] [--reconnects 10000]`. Time runs sixty times as fast, for the venues,
a process of its own, as for the session. Memory, open files, tasks and threads at the end are compared with those at
the beginning; the tapes are replayed. Four venues are cut in turn: a feed that is cut before its connection has
stood for a while waits longer each time, as it must, and one alone comes back only 4,600 times a day.
"""

import argparse
import asyncio
import contextlib
import gc
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from statistics import median
from typing import NamedTuple

from adapters.live import build
from adapters.live.clock import FastClock
from adapters.loopback.binance import BinanceVenue
from engine.live.decision_log import decisions_of
from engine.live.ports import LiveFeed
from engine.live.session import LiveParts, LiveSession
from engine.live.tapes import Tapes
from engine.proving import prove
from tests.faults.rig import settings, warm_up

SPEED = 60.0
RATE = 2.5
SYMBOLS = (("BTCUSDT", "ETHUSDT"), ("SOLUSDT",), ("XRPUSDT",), ("ADAUSDT",))
"""Of each venue, which makes `RATE` trades a second of the market."""

ENDINGS = ("abort", "fin", "close")
LAST_CUT = 0.98
"""In this part of a run all cuts are made: the last one has to be come back from."""

MOST_FILES, MOST_TASKS, MOST_THREADS = 5, 3, 2
"""By how much the last quarter of a run may be above the first."""

MOST_MB_AN_HOUR = 60.0
"""Of the host's time; 1 MB in an hour of the market. A run too short for a slope is allowed `SLACK_MB`."""

SLACK_MB = 12.0


class SharedClock(FastClock):
    """The same moment in two processes: the monotonic clock is the machine's."""

    def __init__(self, began_ns: int, epoch_ns: int) -> None:
        super().__init__(SPEED)
        self._began_ns, self._epoch_ns = began_ns, epoch_ns


class Sample(NamedTuple):
    at: float
    rss_mb: float
    files: int
    tasks: int
    threads: int


@dataclass(frozen=True)
class Soaked:
    reconnects: int
    rows: int
    samples: list[Sample]
    failures: list[str]


class Plan(NamedTuple):
    """For so many seconds of the host, so many connections are to be cut and made again."""

    seconds: float
    reconnects: int
    began_ns: int
    epoch_ns: int

    @property
    def clock(self) -> SharedClock:
        return SharedClock(self.began_ns, self.epoch_ns)


def venue_process(addresses: "multiprocessing.Queue[list[str]]", plan: Plan) -> None:
    """Until terminated."""

    async def serve() -> None:
        clock = plan.clock
        venues = [BinanceVenue(symbols, rate=RATE, history=10, clock=clock) for symbols in SYMBOLS]
        async with contextlib.AsyncExitStack() as around:
            for venue in venues:
                await around.enter_async_context(venue.running())
            addresses.put([venue.address for venue in venues])
            await cut(venues, plan)
            await asyncio.Event().wait()

    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve())


async def cut(venues: Sequence[BinanceVenue], plan: Plan) -> None:
    """Spread over the run; what was not connected just then is made up for."""
    ends, left, endings = time.monotonic() + plan.seconds * LAST_CUT, plan.reconnects, cycle(ENDINGS)
    for venue in cycle(venues):
        if left <= 0:
            return
        await asyncio.sleep(max(0.0, ends - time.monotonic()) / left)
        left -= await venue.kick(next(endings))


async def soak(addresses: Sequence[str], plan: Plan, directory: Path) -> Soaked:
    clock, seconds = plan.clock, plan.seconds
    feeds = [build(_table(*named), clock) for named in zip(addresses, SYMBOLS, strict=True)]
    config = settings(tape={"snapshot_every_rows": 50_000})
    session = LiveSession(LiveParts(config, feeds, Tapes(directory / "tapes"), clock))
    await session.begin()
    running = asyncio.create_task(session.run())
    samples: list[Sample] = []
    ends = time.monotonic() + seconds
    while time.monotonic() < ends and not running.done():
        await asyncio.sleep(min(1.0, seconds / 40))
        samples.append(_sample())
    reports = [feed.report() for feed in feeds]
    session.stop()
    await running
    reconnects, rows = (sum(getattr(one, name) for one in reports) for name in ("reconnects", "applied"))
    failures = [*_grown(samples, seconds), *_unlike(session)]
    failures += [told for feed in feeds for told in _unaccounted(feed)]
    if reconnects < plan.reconnects:
        failures.append(f"there must be {plan.reconnects:,} reconnects, was {reconnects:,}")
    return Soaked(reconnects, rows, samples, failures)


def _table(address: str, symbols: Sequence[str]) -> dict:
    """Limits that stand sixty times the pace: what is a second here is a sixtieth of one to the host."""
    return {
        "name": symbols[0].lower(), "kind": "binance", "symbols": symbols, "stream_url": f"ws://{address}",
        "rest_url": f"http://{address}", "stale_floor_s": 60.0, "stale_ceiling_s": 300.0, "reorder_ms": 2_000,
        "heartbeat_s": 2.0, "tick_s": 1.0, "recover_s": 300.0, "skew_limit_s": 120.0,
    }  # fmt: skip


def _sample() -> Sample:
    gc.collect(0)
    status = Path("/proc/self/status").read_text().splitlines()
    told = {line.split(":")[0]: line.split()[1] for line in status if line.startswith(("VmRSS", "Threads"))}
    files = len(list(Path("/proc/self/fd").iterdir()))
    return Sample(time.monotonic(), int(told["VmRSS"]) / 1024, files, len(asyncio.all_tasks()), int(told["Threads"]))


def slope(samples: Sequence[Sample]) -> float:
    """Megabytes of memory an hour, without the first fifth of the run."""
    settled = samples[len(samples) // 5 :]
    mean_at = sum(one.at for one in settled) / len(settled)
    mean_mb = sum(one.rss_mb for one in settled) / len(settled)
    spread = sum((one.at - mean_at) ** 2 for one in settled)
    return sum((one.at - mean_at) * (one.rss_mb - mean_mb) for one in settled) / spread * 3_600


def _grown(samples: Sequence[Sample], seconds: float) -> list[str]:
    quarter = max(1, len(samples) // 4)
    first, last = samples[quarter // 2 : quarter + quarter // 2], samples[-quarter:]
    limits = {"files": MOST_FILES, "tasks": MOST_TASKS, "threads": MOST_THREADS}
    limits["rss_mb"] = SLACK_MB + MOST_MB_AN_HOUR * seconds / 3_600  # type: ignore[assignment]
    found = []
    for name, limit in limits.items():
        before, after = (median(getattr(one, name) for one in part) for part in (first, last))
        if after - before > limit:
            found.append(f"{name} grew from {before:g} to {after:g}, may grow by {limit:g}")
    return found


def _unlike(session: LiveSession) -> list[str]:
    """Each tape of the session, replayed."""
    config = session.parts.config
    proofs = [prove(tape, decisions_of(tape), config) for tape in session.parts.tapes.all()]
    return [f"{one.tape}: decision {one.number} differs" for one in proofs if not one.ok]


def _unaccounted(feed: LiveFeed) -> list[str]:
    told = feed.report()
    counted = told.applied + told.duplicates + told.conflated + sum(told.withheld.values())
    missing = told.received - counted
    return [f"{missing} of {told.received} rows are unaccounted for"] if not 0 <= missing <= 1_000 else []


def run(minutes: float, reconnects: int) -> Soaked:
    """Both processes, for so long."""
    plan = Plan(minutes * 60, reconnects, time.monotonic_ns(), time.time_ns())
    context = multiprocessing.get_context("spawn")
    addresses: multiprocessing.Queue[list[str]] = context.Queue()
    venues = context.Process(target=venue_process, args=(addresses, plan), daemon=True)
    venues.start()
    try:
        with tempfile.TemporaryDirectory() as directory:
            return asyncio.run(soak(addresses.get(timeout=60), plan, Path(directory)))
    finally:
        venues.terminate()
        venues.join()


def main(words: Sequence[str]) -> int:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--minutes", type=float, default=24.0)
    asked.add_argument("--reconnects", type=int, default=10_000, help="how often the venues cut in that time")
    chosen = asked.parse_args(words)
    warm_up()
    found = run(chosen.minutes, chosen.reconnects)
    first, last = found.samples[len(found.samples) // 5], found.samples[-1]
    print(f"{chosen.minutes:g} minutes at x{SPEED:g}: {found.reconnects:,} reconnects, {found.rows:,} rows")
    print(f"RSS {first.rss_mb:.0f} MB -> {last.rss_mb:.0f} MB, {slope(found.samples):+.1f} MB an hour")
    for name in ("files", "tasks", "threads"):
        seen = [getattr(one, name) for one in found.samples]
        print(f"{name} {getattr(first, name)} -> {getattr(last, name)}, at most {max(seen)}")
    print(f"load of the machine {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    print("\n".join(found.failures) or "nothing grew, every tape decides the same, every row is accounted for")
    return 1 if found.failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
