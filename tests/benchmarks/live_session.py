"""A paper session on a loopback Binance under load and faults: how long a verdict takes, and that nothing differs.

`python -m tests.benchmarks.live_session [--minutes 10]`: 50 symbols, 2,000 trades a second, something going wrong
every few seconds; the venue is a process of its own. Then the tape is replayed and must decide the same. Then the
same without a socket and queues: bytes of a frame, decoded, cleaned and taken through the line in one go. At last half
a million trades are offered within a second.
"""

import argparse
import asyncio
import contextlib
import multiprocessing
import os
import random
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType

import numpy as np
import numpy.typing as npt
import uvloop

from adapters.cleaning import Cleaner
from adapters.codecs.binance import BinanceCodec
from adapters.live import build
from adapters.live.intake import Intake
from adapters.loopback.binance import BinanceVenue
from adapters.loopback.chaos import TROUBLES
from engine.blocks import HISTORY, Bars, MarketBlock, Trades
from engine.collector import settle
from engine.config import Config
from engine.live import stage_times
from engine.live.clock import SystemClock
from engine.live.decision_log import decisions_of
from engine.live.ports import Clock, LiveFeed
from engine.live.session import LiveParts, LiveSession
from engine.live.stage_times import FEED, FIRST, INBOX, LAST, LINE, VERDICT, Histogram
from engine.live.tapes import Tapes
from engine.messages import FILLED, Approved, FeedStatus, Refused
from engine.ports import Item
from engine.proving import prove
from engine.watchdog import rss_mb
from tests.faults.probing import Probing
from tests.faults.rig import settings, warm_up
from tests.lines import lively
from tests.live.rig import ListedFeed, ToldClock

SYMBOLS = [f"S{number:02d}USDT" for number in range(50)]
RATE = 2_000.0
FUSED_FRAMES = 40_000
BURST_ROWS = 500_000
BURST_BLOCK = 50
"""Rows in one frame of a venue that sends everything at once."""

CALM_S, TROUBLE_S = (2.0, 5.0), (0.5, 2.0)
BAR = "tick:40"
BUYING = "buying"
LONG_LIVED = {
    name: dict.fromkeys(("1m", "5m", "15m", "1h", "4h", "1d", "1w", BAR), 500)
    for name in ("dormant_bars", "expire_bars", "time_stop_bars")
}
CONFIG = settings(
    run={
        "strategies": [BUYING], "detect_on": [BAR], "timeframes": [BAR, "1m"], "cash": "100000", "currency": "USDT",
    },
    campaigns={"cooldown_days": dict.fromkeys(("stock", "crypto", "fx", "future"), 0)} | LONG_LIVED,
    tape={"snapshot_every_rows": 250_000},
)  # fmt: skip


class Buying(Probing):
    """Wants to buy at every bar, without looking for oddities: what is measured is the engine."""

    def marks(self, bars: Bars) -> npt.NDArray[np.bool_]:
        return bars.source != HISTORY


class Kept(Histogram):
    """Keeps each duration as well, apart while a feed is not live: rows wait for what is missing then."""

    is_live = False

    def __init__(self) -> None:
        super().__init__()
        self.live_ns: list[int] = []
        self.held_ns: list[int] = []

    def add(self, ns: int) -> None:
        super().add(ns)
        (self.live_ns if Kept.is_live else self.held_ns).append(ns)


class Timed:
    """A sink: rows and states, and when verdicts came, by the clock and by what the thread had used."""

    def __init__(self) -> None:
        self.rows = 0
        self.states: list[str] = []
        self.verdict_ns: list[tuple[int, int]] = []

    def write(self, item: Item) -> None:
        if isinstance(item, MarketBlock):
            self.rows += len(item)
        elif isinstance(item, Approved | Refused):
            self.verdict_ns.append((time.perf_counter_ns(), time.thread_time_ns()))
        elif isinstance(item, FeedStatus):
            self.states.append(item.status)
            Kept.is_live = item.status == "LIVE"


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
    settle()
    lags: list[float] = []
    running = asyncio.create_task(session.run())
    lagging = asyncio.create_task(_lag(lags))
    while feed.report().state != "LIVE":  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    await asyncio.sleep(2)
    hops = {name: one for name, one in session.driver.times.hops.items() if isinstance(one, Kept)}
    for kept in hops.values():
        kept.live_ns.clear()
        kept.held_ns.clear()
    lags.clear()
    before, rss, began, used = timed.rows, rss_mb(), time.monotonic(), time.process_time()
    await asyncio.wait({running}, timeout=seconds)
    took, rows, used, after = time.monotonic() - began, timed.rows - before, time.process_time() - used, rss_mb()
    lagging.cancel()
    session.stop()
    await running
    report = feed.report()
    print(
        f"{rows:,} rows in {took:.0f} s: {rows / took:,.0f} rows/s, offered {RATE:,.0f}/s; "
        f"{used / took:.0%} of a core, load of the machine {os.getloadavg()[0]:.1f}"
    )
    _tell(hops, session)
    print(f"loop lag {_percentiles(lags, 1e-6)}; RSS {rss} MB -> {after} MB")
    print(f"{report.reconnects} reconnects, {timed.states.count('LIVE')} times live, withheld {report.withheld}")
    return _same(session)


def _tell(hops: Mapping[str, Kept], session: LiveSession) -> None:
    """Each decision that was released alone, then moments with several; then where the time goes."""
    print(f"frame received -> verdict, released alone     {_percentiles(hops[VERDICT].live_ns)}")
    print(f"verdicts of one moment, the first             {_percentiles(hops[FIRST].live_ns)}")
    print(f"verdicts of one moment, the last              {_percentiles(hops[LAST].live_ns)}")
    held = hops[VERDICT].held_ns + hops[LAST].held_ns
    print(f"while a gap was filled (rows are kept back)   {_percentiles(held)}")
    for name in (FEED, INBOX, LINE):
        print(f"  {name:9} {_percentiles(hops[name].live_ns)}")
    stages = [one for one in session.stage_times() if one.stage not in hops]
    print("  stages, us (p50, p99): " + ", ".join(f"{one.stage} {one.p50_us:.0f} {one.p99_us:.0f}" for one in stages))
    lanes = session.inbox.lanes()
    print("  " + ", ".join(f"{one.stage} at most {one.high_water}, joined {one.conflated:,}" for one in lanes))


async def _lag(lags: list[float]) -> None:
    while True:
        before = time.perf_counter()
        await asyncio.sleep(0.01)
        lags.append(time.perf_counter() - before - 0.01)


def _percentiles(values: Sequence[float], per_us: float = 1e3) -> str:
    if not values:
        return "not measured"
    found = np.percentile(np.array(values, np.float64) / per_us, (50, 99, 100))
    return f"p50 {found[0]:7,.0f} us, p99 {found[1]:8,.0f} us, most {found[2]:8,.0f} us ({len(values):,})"


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


async def fused(directory: Path) -> None:
    """One frame after the other, at the same rate."""
    clock, timed = ToldClock(time.time_ns()), Timed()
    session = made(ListedFeed((), tuple(SYMBOLS), clock), directory, clock, timed)
    await session.begin()
    for fact in (*session.opened.session.facts, FeedStatus(clock.time_ns, 0, "LIVE", FILLED)):
        await session.driver.push(fact)
    numbers = {symbol: session.planned.table.number(symbol) for symbol in SYMBOLS}
    codec, intake = BinanceCodec(), Intake(numbers, 0, frozenset(("trades",)), consecutive=True)
    intake.release()
    cleaner, push = Cleaner(numbers, source="fused"), session.opened.line.chain.push
    settle()
    alone: list[tuple[int, int]] = []
    every: list[int] = []
    began = time.perf_counter()
    for number, frame in enumerate(_frames(clock.time_ns)):
        await asyncio.sleep(max(0.0, began + number / RATE - time.perf_counter()))
        timed.verdict_ns.clear()
        began_ns, used_ns = time.perf_counter_ns(), time.thread_time_ns()
        codec.decode(frame, clock.time_ns, intake)
        for taken in intake.take():
            for block in cleaner.clean(taken):
                push(block)
        every.append(time.perf_counter_ns() - began_ns)
        if len(timed.verdict_ns) == 1:
            at_ns, at_used_ns = timed.verdict_ns[0]
            alone.append((at_ns - began_ns, at_used_ns - used_ns))
    session.opened.close(clean=True)
    # What is compiled or allocated at first is not what a verdict takes.
    steady = alone[len(alone) // 10 :]
    print(f"fused, bytes -> verdict, released alone       {_percentiles([one[0] for one in steady])}")
    print(f"  of it used by the thread                    {_percentiles([one[1] for one in steady])}")
    print(f"fused, bytes -> through, every frame          {_percentiles(every[len(every) // 10 :])}")


def _frames(begins_ns: int) -> list[bytes]:
    draw = np.random.default_rng(7)
    numbers, steps = draw.integers(0, len(SYMBOLS), FUSED_FRAMES), draw.normal(0, 0.0002, FUSED_FRAMES)
    logs, ids, made_frames = np.zeros(len(SYMBOLS)), np.zeros(len(SYMBOLS), np.int64), []
    for row, (number, step) in enumerate(zip(numbers.tolist(), steps.tolist(), strict=True)):
        logs[number] += step
        ids[number] += 1
        symbol, time_ms = SYMBOLS[number], begins_ns // 1_000_000 + int(row * 1_000 / RATE)
        made_frames.append(
            f'{{"stream":"{symbol.lower()}@aggTrade","data":{{"e":"aggTrade","E":{time_ms},"s":"{symbol}",'
            f'"a":{ids[number]},"p":"{100 * np.exp(logs[number]):.2f}","q":"1.5","f":1,"l":1,"T":{time_ms},'
            f'"m":true,"M":true}}}}'.encode()
        )
    return made_frames


async def burst(directory: Path) -> bool:
    """Half a million trades of one second, in frames of 50: is each on the tape, and does it decide the same?"""
    blocks = _burst_blocks()
    clock, timed = ToldClock(int(blocks[0].time_ns[0]) - 1), Timed()
    feed = ListedFeed(blocks, tuple(SYMBOLS), clock)
    session = made(feed, directory, clock, timed, lively())
    await session.begin()
    began, used = time.monotonic(), time.process_time()
    running = asyncio.create_task(session.run())
    most = 0
    while not feed.through.is_set():
        most = max(most, session.inbox.statistics()["market"])
        await asyncio.sleep(0)
    session.stop()
    await running
    took, used = time.monotonic() - began, time.process_time() - used
    print(
        f"burst: {timed.rows:,} of {BURST_ROWS:,} trades through in {took:.2f} s ({timed.rows / took:,.0f}/s, "
        f"{timed.rows / used:,.0f} a CPU second), "
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


def register() -> None:
    """Let a configuration name the strategy of this benchmark."""
    module = ModuleType(f"strategies.{BUYING}")
    module.__dict__["build"] = Buying
    sys.modules[module.__name__] = module


def main(words: Sequence[str]) -> int:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--minutes", type=float, default=1.0)
    asked.add_argument("--seed", type=int, default=1)
    asked.add_argument("--calm", action="store_true", help="no faults: what a verdict takes on an undisturbed line")
    chosen = asked.parse_args(words)
    register()
    warm_up()
    stage_times.Histogram = Kept  # type: ignore[misc]
    context = multiprocessing.get_context("spawn")
    ports: multiprocessing.Queue[str] = context.Queue()
    venue = context.Process(
        target=venue_process, args=(ports, RATE, chosen.seed), kwargs={"calm": chosen.calm}, daemon=True
    )
    venue.start()
    print(f"load of the machine before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    try:
        with tempfile.TemporaryDirectory() as directory:
            same = uvloop.run(under_load(ports.get(timeout=60), Path(directory), chosen.minutes * 60))
    finally:
        venue.terminate()
        venue.join()
    with tempfile.TemporaryDirectory() as directory:
        uvloop.run(fused(Path(directory)))
    with tempfile.TemporaryDirectory() as directory:
        absorbed = uvloop.run(burst(Path(directory)))
    print(f"load of the machine after: {os.getloadavg()[0]:.1f}")
    return 0 if same and absorbed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
