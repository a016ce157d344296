"""A connection that ccxt.pro makes, behind the same face as our own: rows by taps, deadlines and waits by us."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp

from adapters.live.ccxt_taps import Exchange, Taps, install, tapped
from adapters.live.intake import Intake
from adapters.live.lost import LostError
from adapters.live.venue import Wanted
from engine.live.ports import Clock, FeedRefusedError

FIRST_FRAME_S = 20.0
MOST_ROWS = 100_000
"""Rows that may pile up while the line is busy: ccxt reads on whatever we do."""

KEEP_ALIVE_MS = 10_000


class CcxtLink:
    """As `adapters.live.link.Link`. Each has an exchange object of its own: nothing outlives a connection."""

    def __init__(self, venue: Any, wanted: Wanted, mode: str, intake: Intake, clock: Clock) -> None:
        self.frames = 0
        self.heard_ns = self.opened_ns = clock.monotonic_ns()
        self.is_open = False
        self._venue = venue
        self._wanted = wanted
        self._mode = mode
        self._intake = intake
        self._clock = clock
        self._lost: LostError | None = None
        self._changed = asyncio.Event()
        self.readers: list[asyncio.Task[None]] = []

    async def run(
        self, http: aiohttp.ClientSession, opened: Callable[["CcxtLink"], None], flow: Callable[[], Awaitable[None]]
    ) -> None:
        """Until the connection ends. Always raises: LostError, FeedRefusedError or ForbiddenHostError."""
        exchange = await self._venue.fresh(lambda base: tapped(base, self))
        exchange.streaming["keepAlive"] = KEEP_ALIVE_MS
        install(exchange, Taps(self._intake, self._clock), self._wanted.symbols, self._wanted.timeframe)
        asked = [asyncio.create_task(one) for one in _subscriptions(exchange, self._wanted)]
        try:
            await self._first_frame(asked)
            self.is_open = True
            self.opened_ns = self._clock.monotonic_ns()
            opened(self)
            while self._lost is None:
                await self._changed.wait()
                self._changed.clear()
                self._raise_refusals(asked)
                if self._intake.rows:
                    await flow()
                if self._intake.rows > MOST_ROWS:
                    raise LostError("busy", f"{self._intake.rows:,} rows wait for the line")
            raise self._lost
        finally:
            self.is_open = False
            await _ended(*asked, *self.readers)
            await exchange.close()

    def end(self, lost: LostError) -> None:
        if self._lost is None:
            self._lost = lost
        self._changed.set()

    async def ping(self) -> None:
        """ccxt pings by itself, every KEEP_ALIVE_MS; what it misses ends the connection."""
        await asyncio.sleep(0)

    def broken(self) -> None:
        self._intake.malformed()

    def heard(self) -> None:
        self.frames += 1
        self.heard_ns = self._clock.monotonic_ns()
        self._changed.set()

    async def _first_frame(self, asked: list["asyncio.Task[Any]"]) -> None:
        try:
            async with asyncio.timeout(FIRST_FRAME_S):
                while not self.frames and self._lost is None:
                    waiting = asyncio.ensure_future(self._changed.wait())
                    await asyncio.wait(
                        {waiting, *(one for one in asked if not one.done())}, return_when=asyncio.FIRST_COMPLETED
                    )
                    waiting.cancel()
                    self._changed.clear()
                    self._raise_refusals(asked)
        except TimeoutError:
            raise LostError("timeout", f"no frame in {FIRST_FRAME_S:g} s") from None
        if self._lost is not None:
            raise self._lost

    def _raise_refusals(self, asked: list["asyncio.Task[Any]"]) -> None:
        """A subscription that failed; one that returned has done its work."""
        for one in asked:
            error = one.exception() if one.done() and not one.cancelled() else None
            if error is not None:
                raise self._venue.classified(error) from None


def _subscriptions(exchange: Exchange, wanted: Wanted) -> list[Any]:
    """Calls that subscribe; what they return is not looked at. Raises FeedRefusedError."""
    symbols, has = list(wanted.symbols), exchange.has
    if wanted.kind == "bars":
        if not has.get("watchOHLCV"):
            raise FeedRefusedError(f"ccxt: {exchange.id} must stream bars, does not")
        asked = [exchange.watch_ohlcv(symbol, wanted.timeframe) for symbol in symbols]
    elif has.get("watchTradesForSymbols"):
        asked = [exchange.watch_trades_for_symbols(symbols)]
    elif has.get("watchTrades"):
        asked = [exchange.watch_trades(symbol) for symbol in symbols]
    else:
        raise FeedRefusedError(f"ccxt: {exchange.id} must stream trades, does not")
    if wanted.quotes and has.get("watchBidsAsks"):
        asked.append(exchange.watch_bids_asks(symbols))
    return asked


async def _ended(*tasks: "asyncio.Task[Any]") -> None:
    for one in tasks:
        one.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
