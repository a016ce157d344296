"""Which hosts a feed may reach, by mode: market data only. An order host on the list would be a defect.

Every connection and every request of a feed goes through `check`. Loopback addresses are allowed
in paper mode only, where no order can leave; live market data never comes from this host.
"""

from typing import Final
from urllib.parse import urlsplit

DATA_HOSTS: Final = {
    "binance": ("data-stream.binance.vision", "data-api.binance.vision"),
    "coinbase": ("advanced-trade-ws.coinbase.com", "api.coinbase.com"),
    "kraken": ("ws.kraken.com", "api.kraken.com"),
    "bybit": ("stream.bybit.com", "api.bybit.com"),
    "alpaca": ("stream.data.alpaca.markets", "data.alpaca.markets"),
}
"""Venue -> hosts that serve market data and nothing that needs order credentials."""

PUBLIC_PATHS: Final = {
    "api.coinbase.com": ("/api/v3/brokerage/market/", "/api/v3/brokerage/time"),
    "api.kraken.com": ("/0/public/",),
    "api.bybit.com": ("/v5/market/",),
}
"""Hosts that take orders too, and the only paths on them that a feed may ask for."""

LOOPBACK: Final = frozenset(("127.0.0.1", "localhost", "::1"))
TESTS_ONLY: Final = "paper"


class ForbiddenHostError(Exception):
    """A feed was about to reach a host, or a path on one, that serves no market data. A bug or a bad setting."""


def is_loopback(url: str) -> bool:
    """Whether an address is on this host: what comes from there is no market."""
    return urlsplit(url).hostname in LOOPBACK


def check(url: str, venue: str, mode: str) -> str:
    """Returns its argument. Raises ForbiddenHostError."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if host in LOOPBACK:
        if mode != TESTS_ONLY:
            raise ForbiddenHostError(f"{venue}: {host} is for paper mode, the mode was {mode}")
        return url
    allowed = DATA_HOSTS.get(venue, ())
    if host not in allowed:
        raise ForbiddenHostError(f"{venue}: a feed may reach {', '.join(allowed) or 'no host'}, was {host or 'none'}")
    if parts.scheme not in ("https", "wss"):
        raise ForbiddenHostError(f"{venue}: {host} must be reached encrypted, was {parts.scheme}")
    paths = PUBLIC_PATHS.get(host)
    if paths is not None and not parts.path.startswith(paths):
        raise ForbiddenHostError(f"{venue}: on {host} a feed may ask for {', '.join(paths)}, was {parts.path}")
    return url
