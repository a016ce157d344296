"""Feeds over a venue's own public stream: the codec of recorded sessions on top, `adapters.live` below."""

from collections.abc import Callable, Mapping

from adapters.live.session import LiveSession
from adapters.live.settings import FeedSettings, Keys
from adapters.live.venue import Venue
from adapters.live.venues.binance import BinanceFeedVenue
from adapters.live.venues.bybit import BybitFeedVenue
from adapters.live.venues.coinbase import CoinbaseFeedVenue
from adapters.live.venues.kraken import KrakenFeedVenue
from engine.live.ports import Clock

VENUES: Mapping[str, Callable[[str, str], Venue]] = {
    "binance": BinanceFeedVenue,
    "bybit": BybitFeedVenue,
    "coinbase": CoinbaseFeedVenue,
    "kraken": KrakenFeedVenue,
}


def build(settings: FeedSettings, clock: Clock, mode: str, _: Keys) -> LiveSession:
    """`kind` names the venue. What these streams carry is public."""
    return LiveSession(VENUES[settings.kind](settings.stream_url, settings.rest_url), settings, clock, mode)
