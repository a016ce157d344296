"""A live feed over a venue's own stream: connected, watched, made whole again after every break.

It begins RECOVERING, is LIVE when nothing is missing, STALE when it hears too little or has lost its
connection, and DOWN when its venue refuses it for good. The wall's clock is read here and becomes
data: heartbeats, receipt times, the times of what is told.
"""

from collections.abc import Mapping

import aiohttp
import numpy as np

from adapters.cleaning import Cleaner
from adapters.live.hosts import is_loopback
from adapters.live.intake import Intake
from adapters.live.keeper import Keeper
from adapters.live.link import AnyLink, Link
from adapters.live.lost import LostError
from adapters.live.outlet import Outlet
from adapters.live.recovery import Recovery
from adapters.live.rest import Rest
from adapters.live.running import Running
from adapters.live.settings import FeedSettings
from adapters.live.symbol_watch import SymbolWatch
from adapters.live.venue import Venue, Wanted
from adapters.live.watch import Watch
from adapters.venue_metadata import MetadataError, recognised
from engine.blocks import OUTSIDE, Bars
from engine.definitions import VenueMetadata
from engine.feed_health import State, Status
from engine.live.ports import Clock, FeedReport, FeedUnreachableError, Inbox, Seen
from engine.messages import NEVER_NS
from engine.timeframes import LENGTH_NS, TIMEFRAMES, interval_start


class LiveSession:
    """Satisfies `engine.live.ports.LiveFeed`."""

    def __init__(
        self, venue: Venue, settings: FeedSettings, clock: Clock, mode: str, link: type[AnyLink] = Link
    ) -> None:
        self.name = settings.name
        self.kind = settings.data
        self.timeframe = settings.timeframe
        self.symbols = settings.symbols
        self.lateness_ns = settings.lateness_ms * 1_000_000
        self.simulated = is_loopback(settings.stream_url) or is_loopback(settings.rest_url)
        self._venue = venue
        self._settings = settings
        self._clock = clock
        self._mode = mode
        self._link = link
        self._seen: dict[str, Seen] = {}
        self._seams: dict[str, list[int]] = {}
        self._running: Running | None = None
        self._known: VenueMetadata | None = None

    async def open(self) -> VenueMetadata | None:
        async with aiohttp.ClientSession() as http:
            rest = self._rest(http)
            try:
                if self._venue.time_ns is None:
                    await self._venue.latest(rest, self.symbols[0], self._clock.now_ns())
                else:
                    await self._venue.time_ns(rest)
                told = b"" if self._venue.metadata is None else await self._venue.metadata(rest, self.symbols)
            except LostError as lost:
                raise FeedUnreachableError(f"{self.name}: {lost}") from None
        try:
            self._known = recognised(self._venue.name, told) if told else None
            return self._known
        except MetadataError as error:
            raise FeedUnreachableError(f"{self.name}: {error}") from None

    async def history(self, symbol: str, timeframe: str, bars: int, until_ns: int) -> Bars:
        """Where it ends, `run` begins: trades since then are asked for before it is live."""
        length_ns = LENGTH_NS[timeframe]
        first_ns = interval_start(timeframe, until_ns) - bars * length_ns
        found: list[tuple[float, ...]] = []
        async with aiohttp.ClientSession() as http:
            rest = self._rest(http)
            while first_ns < until_ns:
                try:
                    page = await self._venue.bars(rest, symbol, timeframe, first_ns, until_ns, until_ns)
                except LostError as lost:
                    raise FeedUnreachableError(f"{self.name}: {lost}") from None
                found += [candle[2:] for candle in page]
                if len(page) < self._venue.page:
                    break
                first_ns = page[-1][2] + length_ns
        if found:
            self._seams.setdefault(symbol, []).append(int(found[-1][1]))
            self._seams[symbol].sort()
        return _clean(_bars(found, timeframe), self._settings)

    def resume_after(self, seen: Mapping[str, Seen]) -> None:
        self._seen = {symbol: one for symbol, one in seen.items() if symbol in self.symbols}

    async def run(self, inbox: Inbox, numbers: Mapping[str, int], feed: int) -> None:
        wanted = {symbol: numbers[symbol] for symbol in self.symbols}
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ttl_dns_cache=300)) as http:
            self._running = self._assembled(http, inbox, wanted, feed)
            await self._running.run()

    def change(self, settings: FeedSettings) -> None:
        """How long it may be silent; of the rest only a new session takes notice."""
        self._settings = settings
        if self._running is not None:
            self._running.watch.change(settings)

    def report(self) -> FeedReport:
        if self._running is None:
            return FeedReport(name=self.name, state=State.RECOVERING.value, reason="not started", since_ns=NEVER_NS)
        return self._running.report(self.name)

    def _assembled(self, http: aiohttp.ClientSession, inbox: Inbox, numbers: Mapping[str, int], feed: int) -> Running:
        venue, settings, clock, rest = self._venue, self._settings, self._clock, self._rest(http)
        wanted = Wanted(self.symbols, self.kind, self.timeframe, quotes=settings.quotes)
        consecutive = venue.consecutive and self.kind == "trades"
        intake = Intake(numbers, feed, wanted.kinds, consecutive=consecutive)
        cleaner = Cleaner(numbers, settings.cleaning, source=self.name, tables=len(numbers))
        outlet, status = Outlet(inbox, intake, cleaner), Status(feed)
        recovery = Recovery(
            venue, rest, intake, outlet, settings, clock, feed=feed, seen=self._seen, seams=self._seams
        )  # fmt: skip
        keeper = Keeper(
            lambda: self._link(venue, wanted, self._mode, intake, clock),
            venue, settings, clock, intake, outlet, status, recovery,
        )  # fmt: skip
        watch = Watch(venue, rest, settings, clock, keeper, cleaner, feed)
        symbols = SymbolWatch(venue, rest, settings, clock, intake, outlet, self._known)
        return Running(http, clock, cleaner, recovery, keeper, watch, symbols)

    def _rest(self, http: aiohttp.ClientSession) -> Rest:
        return Rest(http, self._venue.rest_url, self._venue.name, self._mode, self._clock)


def _bars(rows: list[tuple[float, ...]], timeframe: str) -> Bars:
    names = ("open_ns", "close_ns", "received_ns", "open", "high", "low", "close", "volume", "trades")
    if not rows:
        return Bars.empty()
    columns = {
        name: np.array(values, Bars.COLUMNS[name]) for name, values in zip(names, zip(*rows, strict=True), strict=True)
    }
    return Bars.of(**columns, timeframe=TIMEFRAMES.index(timeframe), source=OUTSIDE)


def _clean(bars: Bars, settings: FeedSettings) -> Bars:
    """History by the same rules as what comes live."""
    cleaner = Cleaner({"": 0}, settings.cleaning, source=settings.name)
    kept = [block for block in (*cleaner.clean(bars), *cleaner.finish()) if isinstance(block, Bars)]
    return Bars.join(kept) if kept else Bars.empty()
