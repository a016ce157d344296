"""A thousand viewers: what they cost the engine, what the monitor needs for them, how soon stuck ones are gone.

Engine, monitor and viewers are three processes. The engine ticks every 10 ms and streams prices of 20 symbols and a
fill now and then; its ticks are timed without and with viewers. One viewer in twenty never reads.

`python -m tests.benchmarks.monitor [VIEWERS [SECONDS]]`
"""

import asyncio
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final
from urllib.request import Request, urlopen

import anyio
import numpy as np

from engine.live.clock import SystemClock
from engine.live.stream import SOCKET_NAME, EngineStream
from tests.benchmarks.monitor_process import TOKEN
from tests.control.makers import status
from tests.makers import session, table, trades
from tests.test_tap import fill

VIEWERS: Final = 1_000
SECONDS: Final = 15.0
STUCK_SHARE: Final = 0.05
SYMBOLS: Final = tuple(f"S{number:02}" for number in range(20))
TICK_S: Final = 0.01
MOST_CUT_S: Final = 30.0

SPAWN = multiprocessing.get_context("spawn")


# ------------------------------------------------------------------------------------------- engine


def run_engine(directory: Path, pipe: Connection) -> None:
    anyio.run(_engine, directory, pipe)


async def _engine(directory: Path, pipe: Connection) -> None:
    stream = EngineStream(directory / "run" / SOCKET_NAME, SystemClock())
    stream.begin(session(*SYMBOLS, detect_on=("1m",)), table(*SYMBOLS).all, run="bench", status=status)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(stream.run)
        await _ticks(stream, pipe)
        tasks.cancel_scope.cancel()


async def _ticks(stream: EngineStream, pipe: Connection) -> None:
    """Until told to stop; each question is answered with the ticks since the last one."""
    late, work, number = [], [], 0
    cpu, began = time.process_time(), time.perf_counter()
    while True:
        due = time.perf_counter() + TICK_S
        await asyncio.sleep(TICK_S)
        woke = time.perf_counter()
        number += 1
        stream.write(trades(*[100.0 + number % 7] * 20, instrument=np.arange(20), start_ns=number * 10_000_000))
        if number % 100 == 0:
            stream.write(fill(number))
        late.append(woke - due)
        work.append(time.perf_counter() - woke)
        if pipe.poll():
            if pipe.recv() == "stop":
                return
            seconds = time.perf_counter() - began
            pipe.send({"late": late, "work": work, "core": (time.process_time() - cpu) / seconds})
            late, work = [], []
            cpu, began = time.process_time(), time.perf_counter()


# ------------------------------------------------------------------------------------------ viewers


class Viewer(asyncio.Protocol):
    """As little of a WebSocket as a viewer needs: it counts frames and answers pings. A stuck one stops reading."""

    def __init__(self, *, is_stuck: bool) -> None:
        self.is_stuck = is_stuck
        self.frames = 0
        self.is_open = False
        self.is_lost = False
        self._data = bytearray()

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        transport.write(
            f"GET /ws HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
        )

    def connection_lost(self, error: Exception | None) -> None:
        self.is_lost = True

    def data_received(self, data: bytes) -> None:
        self._data += data
        if not self.is_open:
            head, separator, rest = bytes(self._data).partition(b"\r\n\r\n")
            if not separator:
                return
            assert b" 101 " in head, head
            self.is_open, self._data = True, bytearray(rest)
            if self.is_stuck:
                self._transport.pause_reading()
                return
        while self._frame():
            pass

    def _frame(self) -> bool:
        data = self._data
        if len(data) < 2:
            return False
        kind, length, start = data[0] & 15, data[1] & 127, 2
        if length > 125:
            size = 2 if length == 126 else 8
            start += size
            if len(data) < start:
                return False
            length = int.from_bytes(data[2:start], "big")
        if len(data) < start + length:
            return False
        if kind == 9:
            masked = bytes(data[start : start + length])  # a mask of zeros
            self._transport.write(bytes((0x8A, 0x80 | length)) + b"\0\0\0\0" + masked)
        self.frames += kind == 1
        del data[: start + length]
        return True


def run_viewers(port: int, count: int, seconds: float, pipe: Connection) -> None:
    anyio.run(_viewers, port, count, seconds, pipe, backend_options={"use_uvloop": True})


async def _viewers(port: int, count: int, seconds: float, pipe: Connection) -> None:
    loop = asyncio.get_running_loop()
    stuck = round(count * STUCK_SHARE)

    async def viewer(*, is_stuck: bool) -> Viewer:
        return (await loop.create_connection(lambda: Viewer(is_stuck=is_stuck), "127.0.0.1", port))[1]

    reading = [await viewer(is_stuck=False) for _ in range(count - stuck)]
    await _until(lambda: all(one.is_open for one in reading))
    held = [await viewer(is_stuck=True) for _ in range(stuck)]
    await _until(lambda: all(one.is_open for one in held))
    pipe.send("connected")
    before = [one.frames for one in reading]
    began = time.perf_counter()
    await asyncio.sleep(seconds)
    took = time.perf_counter() - began
    rates = sorted((one.frames - old) / took for one, old in zip(reading, before, strict=True))
    pipe.send({"mean": sum(rates) / len(rates), "least": rates[0], "lost": sum(one.is_lost for one in reading)})
    await anyio.to_thread.run_sync(pipe.recv)


async def _until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110
        await asyncio.sleep(0.05)


# ------------------------------------------------------------------------------------- measurement


def measure(viewers: int, seconds: float) -> dict[str, Any]:
    """All figures of one run."""
    with tempfile.TemporaryDirectory(prefix="wm") as name:
        directory = Path(name)
        (directory / "run").mkdir(mode=0o700)
        engine, engine_pipe = _started(run_engine, directory)
        try:
            with _monitor(directory) as (port, pid):
                return _measured(viewers, seconds, engine_pipe, port, pid)
        finally:
            engine_pipe.send("stop")
            _ended(engine)


@contextmanager
def _monitor(directory: Path) -> Iterator[tuple[int, int]]:
    """Port and process, which is no child that imports this module: it shall be as small as it is."""
    command = [sys.executable, "-m", "tests.benchmarks.monitor_process", str(directory)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline()), process.pid
        finally:
            process.stdin.close()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def _measured(viewers: int, seconds: float, engine: Connection, port: int, pid: int) -> dict[str, Any]:
    time.sleep(2)
    _asked(engine)
    time.sleep(seconds)
    without, rss_without = _asked(engine), _rss_mb(pid)
    process, pipe = _started(run_viewers, port, viewers, seconds)
    try:
        assert pipe.recv() == "connected"
        connected = time.perf_counter()
        _asked(engine)
        cut_s = _cut_after(port, round(viewers * STUCK_SHARE), connected)
        rates = pipe.recv()
        with_viewers, rss_mb = _asked(engine), _rss_mb(pid)
        pipe.send("stop")
    finally:
        _ended(process)
    return {
        "viewers": viewers, "frames_per_s": round(rates["mean"], 2), "least_frames_per_s": round(rates["least"], 2),
        "lost": rates["lost"], "cut_s": cut_s, "monitor_mb": rss_mb, "monitor_peak_mb": _rss_mb(pid, "VmHWM"),
        "monitor_mb_without": rss_without, "without": without, "with": with_viewers,
    }  # fmt: skip


def _asked(engine: Connection) -> dict[str, float]:
    """Milliseconds, and the share of a core."""
    engine.send("tell")
    found = engine.recv()
    late, work = np.array(found["late"]) * 1e3, np.array(found["work"]) * 1e3
    return {
        "ticks": len(late), "late_p50_ms": _percentile(late, 50), "late_p99_ms": _percentile(late, 99),
        "work_p99_ms": _percentile(work, 99), "core": round(found["core"], 3),
    }  # fmt: skip


def _percentile(values: Any, which: int) -> float:
    return round(float(np.percentile(values, which)), 3) if len(values) else 0.0


def _cut_after(port: int, stuck: int, since: float) -> float:
    """Seconds until all stuck viewers are gone; the monitor's own word."""
    while time.perf_counter() - since < MOST_CUT_S:
        request = Request(f"http://127.0.0.1:{port}/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
        with urlopen(request, timeout=10) as answer:
            text = answer.read().decode()
        if f"\nwyckoff_monitor_clients_cut_total {float(stuck)}" in text:
            return round(time.perf_counter() - since, 2)
        time.sleep(0.1)
    return float("inf")


def _started(target: Callable[..., None], *arguments: Any) -> tuple[Any, Connection]:
    ours, theirs = SPAWN.Pipe()
    process = SPAWN.Process(target=target, args=(*arguments, theirs), daemon=True)
    process.start()
    return process, ours


def _ended(process: Any) -> None:
    process.join(10)
    if process.is_alive():
        process.kill()


def _rss_mb(pid: int, which: str = "VmRSS") -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(which)).split()[1]) // 1_000


def main() -> None:
    viewers = int(sys.argv[1]) if len(sys.argv) > 1 else VIEWERS
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else SECONDS
    found = measure(viewers, seconds) | {"load": [round(one, 1) for one in os.getloadavg()]}
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
