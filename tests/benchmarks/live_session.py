"""A paper session on a loopback Binance under load and faults: how long a verdict takes, and that nothing differs.

`python -m tests.benchmarks.live_session [--minutes 10]`: 50 symbols, 2,000 trades a second, something going wrong
every few seconds; the venue is a process of its own. Then the tape is replayed and must decide the same. At last
half a million trades are offered within a second.
"""

import argparse
import asyncio
import contextlib
import gc
import multiprocessing
import os
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from adapters.live import build
from adapters.loopback.binance import BinanceVenue
from adapters.loopback.chaos import TROUBLES
from engine.blocks import MarketBlock, Trades
from engine.config import Config
from engine.live.clock import SystemClock
from engine.live.decision_log import decisions_of
from engine.live.ports import Clock, LiveFeed
from engine.live.session import LiveParts, LiveSession
from engine.live.tapes import Tapes
from engine.messages import Approved, FeedStatus, Heartbeat, Refused
from engine.ports import Item
from engine.proving import prove
from engine.watchdog import rss_mb
from tests.faults.rig import BUILT, settings, warm_up
from tests.lines import lively
from tests.live.rig import ListedFeed, ToldClock

SYMBOLS = [f"S{number:02d}USDT" for number in range(50)]
RATE = 2_000.0
BURST_ROWS = 500_000
BURST_BLOCK = 50
"""Rows in one frame of a venue that sends everything at once."""

CALM_S, TROUBLE_S = (2.0, 5.0), (0.5, 2.0)
BAR = "tick:40"
LONG_LIVED = {
    name: dict.fromkeys(("1m", "5m", "15m", "1h", "4h", "1d", "1w", BAR), 500)
    for name in ("dormant_bars", "expire_bars", "time_stop_bars")
}
CONFIG = settings(
    run={
        "strategies": ["probing"], "detect_on": [BAR], "timeframes": [BAR, "1m"], "cash": "100000", "currency": "USDT",
    },
    campaigns={"cooldown_days": dict.fromkeys(("stock", "crypto", "fx", "future"), 0)} | LONG_LIVED,
    tape={"snapshot_every_rows": 250_000},
)  # fmt: skip


class Timed:
    """A sink: from the row or heartbeat that released a bar to the verdict on what was wished at it.

    What releases a bar leaves the line after the verdict, so verdicts wait here for it.
    """

    def __init__(self) -> None:
        self.beats: dict[tuple[int, int], int] = {}
        self.latencies_ns: list[int] = []
        self.recovering_ns: list[int] = []
        self.rows = 0
        self.states: list[str] = []
        self._waiting: list[int] = []

    def write(self, item: Item) -> None:
        if isinstance(item, Approved | Refused):
            self._waiting.append(time.time_ns())
        elif isinstance(item, MarketBlock):
            self.rows += len(item)
            if self._waiting and len(item):
                self._settle(int(item.received_ns[0]))
        elif isinstance(item, Heartbeat):
            received_ns = self.beats.pop((item.feed, item.time_ns), 0)
            if self._waiting and received_ns:
                self._settle(received_ns)
        elif isinstance(item, FeedStatus):
            self.states.append(item.status)

    def _settle(self, received_ns: int) -> None:
        live = self.states[-1:] == ["LIVE"]
        found = self.latencies_ns if live else self.recovering_ns
        found += [at_ns - received_ns for at_ns in self._waiting]
        self._waiting.clear()


def venue_process(ports: "multiprocessing.Queue[str]", rate: float, seed: int, *, calm: bool) -> None:
    async def serve() -> None:
        venue = BinanceVenue(SYMBOLS, rate=rate, history=10, seed=seed)
        async with venue.running():
            ports.put(venue.address)
            await (asyncio.sleep(86_400) if calm else _trouble(venue, random.Random(seed)))

    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve())


async def _trouble(venue: BinanceVenue, draw: random.Random) -> None:
    while True:
        await asyncio.sleep(draw.uniform(*CALM_S))
        name, options = draw.choice(TROUBLES)
        venue.faults.switch(name, **options)
        await asyncio.sleep(draw.uniform(*TROUBLE_S))
        venue.faults.clear()


def made(feed: LiveFeed, directory: Path, clock: Clock, timed: Timed, config: Config = CONFIG) -> LiveSession:
    return LiveSession(LiveParts(config, [feed], Tapes(directory / "tapes"), clock, (timed,)))


async def under_load(address: str, directory: Path, seconds: float) -> bool:
    """Runs, prints what was measured; whether the tape decides the same."""
    clock, timed = SystemClock(), Timed()
    feed = build(
        {
            "name": "load", "kind": "binance", "symbols": SYMBOLS, "stream_url": f"ws://{address}",
            "rest_url": f"http://{address}",
        },
        clock,
    )  # fmt: skip
    session = made(feed, directory, clock, timed)
    await session.begin()
    _note_heartbeats(session, timed)
    gc.collect()
    gc.freeze()
    lags: list[float] = []
    running = asyncio.create_task(session.run())
    lagging = asyncio.create_task(_lag(lags))
    while feed.report().state != "LIVE":  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    await asyncio.sleep(2)
    before, rss, began = timed.rows, rss_mb(), time.monotonic()
    timed.latencies_ns.clear()
    timed.recovering_ns.clear()
    lags.clear()
    await asyncio.wait({running}, timeout=seconds)
    took, rows, after = time.monotonic() - began, timed.rows - before, rss_mb()
    lagging.cancel()
    session.stop()
    await running
    report = feed.report()
    print(f"{rows:,} rows in {took:.0f} s: {rows / took:,.0f} rows/s, offered {RATE:,.0f}/s")
    live, kept_back = timed.latencies_ns, timed.recovering_ns
    print(f"frame received -> verdict {_percentiles(live, 1e6)} over {len(live):,} verdicts")
    print(f"rows kept back while a gap was filled {_percentiles(kept_back, 1e6)} over {len(kept_back):,}")
    print(f"loop lag {_percentiles(lags, 1e-3)}; RSS {rss} MB -> {after} MB")
    print(f"{report.reconnects} reconnects, {timed.states.count('LIVE')} times live, withheld {report.withheld}")
    return _same(session)


def _note_heartbeats(session: LiveSession, timed: Timed) -> None:
    put = session.inbox.market

    async def market(fact: Item) -> None:
        if isinstance(fact, Heartbeat):
            timed.beats[fact.feed, fact.time_ns] = time.time_ns()
        await put(fact)

    session.inbox.market = market  # type: ignore[method-assign]


async def _lag(lags: list[float]) -> None:
    while True:
        before = time.perf_counter()
        await asyncio.sleep(0.01)
        lags.append(time.perf_counter() - before - 0.01)


def _percentiles(values: Sequence[float], per_ms: float) -> str:
    if not values:
        return "not measured"
    found = np.percentile(np.array(values, np.float64) / per_ms, (50, 99, 100))
    return f"p50 {found[0]:.2f} ms, p99 {found[1]:.2f} ms, most {found[2]:.2f} ms"


def _same(session: LiveSession) -> bool:
    """The tape, replayed, against what was decided."""
    began = time.process_time()
    tape = session.opened.tape.path
    proof = prove(tape, decisions_of(tape), session.parts.config)
    same = proof.ok and proof.digest == session.opened.line.tap.digest.hex
    print(
        f"replay of {tape.stat().st_size / 1e6:.1f} MB in {time.process_time() - began:.1f} CPU s: "
        f"{proof.decisions:,} decisions, digest {proof.digest[:16]}, {'identical' if same else 'DIFFERENT'}"
    )
    return same


async def burst(directory: Path) -> bool:
    """Half a million trades of one second, in frames of 50: is each on the tape, and does it decide the same?"""
    blocks = _burst_blocks()
    clock, timed = ToldClock(int(blocks[0].time_ns[0]) - 1), Timed()
    feed = ListedFeed(blocks, tuple(SYMBOLS), clock)
    session = made(feed, directory, clock, timed, lively())
    await session.begin()
    began = time.monotonic()
    running = asyncio.create_task(session.run())
    most = 0
    while not feed.through.is_set():
        most = max(most, session.inbox.statistics()["market"])
        await asyncio.sleep(0)
    session.stop()
    await running
    took = time.monotonic() - began
    print(
        f"burst: {timed.rows:,} of {BURST_ROWS:,} trades through in {took:.2f} s ({timed.rows / took:,.0f}/s), "
        f"{len(blocks):,} frames, at most {most} of {CONFIG.live.market_queue} waiting"
    )
    return timed.rows == BURST_ROWS and most <= CONFIG.live.market_queue and _same(session)


def _burst_blocks() -> list[Trades]:
    draw = np.random.default_rng(5)
    start_ns = 1_700_000_000_000_000_000
    times = start_ns + np.arange(BURST_ROWS, dtype=np.int64) * (1_000_000_000 // BURST_ROWS)
    numbers = draw.integers(0, len(SYMBOLS), BURST_ROWS)
    prices = np.round(100 * np.exp(draw.normal(0, 0.001, BURST_ROWS)), 2)
    trades = Trades.of(
        time_ns=times, received_ns=times, instrument=numbers, price=prices,
        size=np.ones(BURST_ROWS), trade_id=np.arange(BURST_ROWS),
    )  # fmt: skip
    return [trades.slice(start, start + BURST_BLOCK) for start in range(0, BURST_ROWS, BURST_BLOCK)]


def main(words: Sequence[str]) -> int:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--minutes", type=float, default=1.0)
    asked.add_argument("--seed", type=int, default=1)
    asked.add_argument("--calm", action="store_true", help="no faults: what a verdict takes on an undisturbed line")
    chosen = asked.parse_args(words)
    warm_up()
    assert BUILT
    context = multiprocessing.get_context("spawn")
    ports: multiprocessing.Queue[str] = context.Queue()
    venue = context.Process(
        target=venue_process, args=(ports, RATE, chosen.seed), kwargs={"calm": chosen.calm}, daemon=True
    )
    venue.start()
    print(f"load of the machine before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    try:
        with tempfile.TemporaryDirectory() as directory:
            same = asyncio.run(under_load(ports.get(timeout=60), Path(directory), chosen.minutes * 60))
    finally:
        venue.terminate()
        venue.join()
    print(f"load of the machine after: {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as directory:
        absorbed = asyncio.run(burst(Path(directory)))
    return 0 if same and absorbed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
