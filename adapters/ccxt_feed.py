"""Feeds of any exchange that ccxt.pro streams; `adapters.live` keeps them standing."""

from collections.abc import Mapping

from adapters.live.ccxt_link import CcxtLink
from adapters.live.ccxt_taps import CcxtMetadata
from adapters.live.lost import LostError
from adapters.live.session import LiveSession
from adapters.live.settings import FeedSettings, Keys
from adapters.live.venues.ccxt import CcxtFeedVenue
from engine.blocks import Bars
from engine.definitions import VenueMetadata
from engine.live.ports import Clock, FeedUnreachableError, Inbox


class CcxtSession(LiveSession):
    """Closes what ccxt opens, after every call that opened something."""

    def __init__(self, venue: CcxtFeedVenue, settings: FeedSettings, clock: Clock, mode: str) -> None:
        super().__init__(venue, settings, clock, mode, CcxtLink)
        self._ccxt = venue

    async def open(self) -> VenueMetadata | None:
        try:
            return CcxtMetadata(self._settings.exchange, await self._ccxt.markets())
        except LostError as lost:
            raise FeedUnreachableError(f"{self.name}: {lost}") from None
        finally:
            await self._ccxt.close()

    async def history(self, symbol: str, timeframe: str, bars: int, until_ns: int) -> Bars:
        try:
            return await super().history(symbol, timeframe, bars, until_ns)
        finally:
            await self._ccxt.close()

    async def run(self, inbox: Inbox, numbers: Mapping[str, int], feed: int) -> None:
        try:
            await super().run(inbox, numbers, feed)
        finally:
            await self._ccxt.close()


def build(settings: FeedSettings, clock: Clock, mode: str, _: Keys) -> CcxtSession:
    """Raises ValueError on an unknown exchange, FeedRefusedError where ccxt is not installed."""
    venue = CcxtFeedVenue(settings.exchange, mode, settings.stream_url, settings.rest_url)
    return CcxtSession(venue, settings, clock, mode)
