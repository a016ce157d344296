"""Frames a second of a live feed, and microseconds a frame costs: our own stream against ccxt.pro.

`python -m tests.benchmarks.live_feed`. CPU seconds of this process, so the venue that sends is another
one. Three figures each: the codec alone, frame to rows with numbers followed, and the whole feed with
socket, cleaner and inbox.
"""

import asyncio
import multiprocessing
import resource
import sys
import time
from collections.abc import Callable

from adapters.codecs.binance import BinanceCodec
from adapters.codecs.codec import RowBuffer
from adapters.live import build, warm
from adapters.live.ccxt_taps import Taps
from adapters.live.intake import Intake
from adapters.loopback.binance import BinanceVenue
from engine.blocks import MarketBlock
from engine.ingress import Ingress
from engine.live.clock import SystemClock

FRAMES = 100_000
SYMBOLS = [f"S{number:02d}USDT" for number in range(50)]
RATE = 4_000.0
SECONDS = 5.0


def frames(count: int) -> list[bytes]:
    """Aggregate trades of 50 symbols, as the combined stream writes them."""
    made = []
    for number in range(count):
        symbol = SYMBOLS[number % 50]
        made.append(
            f'{{"stream":"{symbol.lower()}@aggTrade","data":{{"e":"aggTrade","E":1700000000000,"s":"{symbol}",'
            f'"a":{1_000 + number // 50},"p":"101.{number % 100:02d}","q":"1.5","f":1,"l":1,'
            f'"T":{1_700_000_000_000 + number},"m":true,"M":true}}}}'.encode()
        )
    return made


def cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def timed(run: Callable[[], int]) -> float:
    """Microseconds of CPU for each of what `run` says it did."""
    before = cpu_s()
    done = run()
    return (cpu_s() - before) / done * 1e6


def decode_into(rows: RowBuffer) -> Callable[[], int]:
    sent, codec = frames(FRAMES), BinanceCodec()

    def run() -> int:
        for at, frame in enumerate(sent):
            codec.decode(frame, 1_700_000_000_000_000_000, rows)
            if at % 64 == 63:
                rows.take()
        return len(sent)

    return run


def ccxt_handlers() -> Callable[[], int] | None:
    """ccxt.pro's own decoding and handlers, into our taps."""
    try:
        import orjson
        from ccxt.pro import binance
    except ImportError:
        return None
    from adapters.live.ccxt_taps import install

    exchange = binance()
    numbers = {f"{symbol[:3]}/USDT": number for number, symbol in enumerate(SYMBOLS)}
    fixed = {"quote": "USDT", "type": "spot", "spot": True, "option": False, "contract": False, "active": True}
    markets = {
        unified: {**fixed, "id": unified.replace("/", ""), "symbol": unified, "base": unified[:3], "precision": {}}
        for unified in numbers
    }
    exchange.set_markets(markets)
    intake = Intake(numbers, 0, frozenset(("trades",)), consecutive=False)
    intake.release()
    install(exchange, Taps(intake, SystemClock()), tuple(numbers), "")
    sent = frames(FRAMES // 10)

    class Client:
        url = "wss://stream.binance.com:9443/stream"
        subscriptions: dict = {}  # noqa: RUF012

        def resolve(self, result: object, message_hash: object) -> object:
            return result

    client = Client()

    def run() -> int:
        for at, frame in enumerate(sent):
            exchange.handle_message(client, orjson.loads(frame)["data"])
            if at % 64 == 63:
                intake.take()
        assert intake.received == len(sent)
        asyncio.run(exchange.close())
        return len(sent)

    return run


def venue_process(ports: "multiprocessing.Queue[str]", rate: float) -> None:
    async def serve() -> None:
        venue = BinanceVenue(SYMBOLS, rate=rate, history=10)
        async with venue.running():
            ports.put(venue.address)
            await asyncio.sleep(120)

    asyncio.run(serve())


async def whole_feed(kind: str, address: str) -> tuple[int, float, float]:
    """Rows applied, their rate, and microseconds of CPU for each."""
    symbols = SYMBOLS if kind == "binance" else [f"{symbol[:3]}/USDT" for symbol in SYMBOLS]
    table = {
        "name": "bench", "kind": kind, "symbols": symbols, "stream_url": f"ws://{address}",
        "rest_url": f"http://{address}",
    } | ({"exchange": "binance"} if kind == "ccxt" else {})  # fmt: skip
    feed = build(table, SystemClock())
    inbox = Ingress(control_capacity=8, market_capacity=64)
    blocks = 0

    async def drain() -> None:
        nonlocal blocks
        async for fact in inbox:
            blocks += isinstance(fact, MarketBlock)

    draining = asyncio.create_task(drain())
    running = asyncio.create_task(feed.run(inbox, {symbol: number for number, symbol in enumerate(symbols)}, 0))
    while feed.report().state != "LIVE":  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    await asyncio.sleep(1.0)
    before, began, used = feed.report().applied, time.perf_counter(), cpu_s()
    await asyncio.sleep(SECONDS)
    rows, took = feed.report().applied - before, time.perf_counter() - began
    used = cpu_s() - used
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    inbox.close()
    await draining
    return rows, rows / took, used / max(rows, 1) * 1e6


def main() -> int:
    warm()
    numbers = {symbol: number for number, symbol in enumerate(SYMBOLS)}
    followed = Intake(numbers, 0, frozenset(("trades",)), consecutive=True)
    followed.release()
    print(f"codec alone                   {timed(decode_into(RowBuffer(numbers, 0))):6.2f} us a frame")
    print(f"frame to rows, numbers checked {timed(decode_into(followed)):5.2f} us a frame")
    handlers = ccxt_handlers()
    if handlers is not None:
        print(f"frame to rows through ccxt.pro {timed(handlers):5.2f} us a frame")
    context = multiprocessing.get_context("spawn")
    ports: multiprocessing.Queue[str] = context.Queue()
    venue = context.Process(target=venue_process, args=(ports, RATE), daemon=True)
    venue.start()
    try:
        address = ports.get(timeout=60)
        for kind in ("binance", "ccxt") if handlers is not None else ("binance",):
            rows, rate, cost_us = asyncio.run(whole_feed(kind, address))
            print(
                f"whole feed, {kind:8} {rows:7,} trades, {rate:7,.0f}/s offered {RATE:,.0f}/s, {cost_us:5.1f} us each"
            )
    finally:
        venue.terminate()
        venue.join()
    return 0


if __name__ == "__main__":
    sys.exit(main())
