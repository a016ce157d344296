"""Feeds of Alpaca's market data; `adapters.live` keeps them standing."""

from adapters.live.session import LiveSession
from adapters.live.settings import FeedSettings, Keys
from adapters.live.venues.alpaca import AlpacaFeedVenue
from engine.live.ports import Clock


def build(settings: FeedSettings, clock: Clock, mode: str, keys: Keys) -> LiveSession:
    """`exchange` names the source: iex, sip, delayed_sip or crypto. Raises ValueError."""
    venue = AlpacaFeedVenue(settings.exchange or "iex", keys, settings.stream_url, settings.rest_url)
    return LiveSession(venue, settings, clock, mode)
