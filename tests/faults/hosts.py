"""Where an engine of the process scenarios lives: its settings, and a loopback venue beside the thread that tests."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

from adapters.loopback.binance import BinanceVenue

SYMBOLS = ("BTCUSDT", "ETHUSDT", "SOLUSDT")
RATE = 90.0

SETTINGS = """
config_version = 1
[run]
mode = "paper"
strategies = ["probing"]
detect_on = ["tick:12"]
timeframes = ["tick:12", "1m"]
cash = "2000"
currency = "USDT"
[strategies.probing]
stall_file = "{home}/stall"
raise_file = "{home}/raise"
[campaigns]
cooldown_days = {{ stock = 0, crypto = 0, fx = 0, future = 0 }}
answer_seconds = 1
{lived}
[risk]
rules = [
  "numeric", "currency", "halted", "data_stale", "data_mark", "health", "duplicate", "open_orders", "risk_trade",
  "risk_campaign", "heat",
]
[paper]
participation = "0.5"
half_spread_bp = "0"
impact_bp = "0"
crypto_taker_bp = "0"
latency_ns = 1_000_000
[tape]
snapshot_every_rows = 500
[[feeds]]
kind = "binance"
name = "loop"
symbols = ["BTCUSDT", "ETHUSDT", "SOLUSDT"]
channels = ["trades"]
stale_after = {{ trades = "15s" }}
url = "{stream}"
rest_url = "{rest}"
"""
LIVED = "{ 1m = 500, 5m = 500, 15m = 500, 1h = 500, 4h = 500, 1d = 500, 1w = 500, 'tick:12' = 500 }"


class Host:
    """A loopback venue on a loop of its own, beside the thread that tests."""

    def __init__(self, rate: float = RATE, symbols: tuple[str, ...] = SYMBOLS) -> None:
        self.venue = BinanceVenue(symbols, rate=rate, history=10)
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._end = asyncio.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Host":
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(10)

    def do(self, act: Callable[[BinanceVenue], Awaitable[object] | None]) -> None:
        """On the venue's own loop."""

        async def run() -> None:
            found = act(self.venue)
            if found is not None:
                await found

        asyncio.run_coroutine_threadsafe(run(), self._loop).result(10)

    def _run(self) -> None:
        async def serve() -> None:
            async with self.venue.running():
                self._ready.set()
                await self._end.wait()

        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(serve())


def write_settings(home: Path, host: Host) -> None:
    home.mkdir(mode=0o700, exist_ok=True)
    lived = "\n".join(f"{name} = {LIVED}" for name in ("dormant_bars", "expire_bars", "time_stop_bars"))
    text = SETTINGS.format(home=home, stream=host.venue.stream_url, rest=host.venue.rest_url, lived=lived)
    (home / "wyckoff.toml").write_text(text)
