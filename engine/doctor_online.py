"""The doctor's look at the network: whether feeds can be reached, and what clock they show."""

import http.client
import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from importlib import import_module
from typing import Any, Final
from urllib.parse import urlsplit

from engine.config import Config
from engine.config.feeds import AlpacaFeed, CcxtFeed, DirectFeed, SimulatedFeed
from engine.doctor_finding import Finding, bad, good, note

DEADLINE_S: Final = 5.0
ALPACA_HOST: Final = "https://data.alpaca.markets"
DIRECT_HOSTS: Final = {
    "binance": "https://data-api.binance.vision",
    "coinbase": "https://api.exchange.coinbase.com",
    "kraken": "https://api.kraken.com",
    "bybit": "https://api.bybit.com",
}

MOST_SKEW_S: Final = 2.0
"""A Date header has whole seconds, and took a while to come."""


def reachable(config: Config) -> Iterator[Finding]:
    for feed in config.feeds:
        if isinstance(feed, SimulatedFeed):
            yield good(f"feed {feed.name}", "simulated: needs no network")
        else:
            yield asked(f"feed {feed.name}", _address(feed))


def asked(name: str, address: str) -> Finding:
    """One HEAD request; any answer at all is an answer."""
    parts = urlsplit(address)
    if not parts.hostname:
        return bad(name, "has no address", "check its exchange and url")
    secure = parts.scheme in ("https", "wss")
    kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
    connection = kind(parts.hostname, parts.port, timeout=DEADLINE_S)
    begun_ns = time.monotonic_ns()
    try:
        connection.request("HEAD", "/")
        response = connection.getresponse()
    except (OSError, http.client.HTTPException) as error:
        return bad(name, f"{parts.hostname} cannot be reached: {error or type(error).__name__}", "check the network")
    finally:
        connection.close()
    took_ms = (time.monotonic_ns() - begun_ns) / 1e6
    skew_s = _skew_s(response.getheader("Date"))
    said = f"{parts.hostname} answers in {took_ms:.0f} ms"
    if skew_s is not None and abs(skew_s) > MOST_SKEW_S:
        return note(name, f"{said}; its clock differs by {skew_s:+.0f} s", "timedatectl set-ntp true")
    return good(name, said)


def _address(feed: AlpacaFeed | CcxtFeed | DirectFeed) -> str:
    if feed.rest_url or feed.url:
        return feed.rest_url or feed.url
    if isinstance(feed, AlpacaFeed):
        return ALPACA_HOST
    if isinstance(feed, DirectFeed):
        return DIRECT_HOSTS[feed.kind]
    library: Any = import_module("ccxt")
    exchange = getattr(library, feed.exchange, None)
    return _first_https(exchange().urls.get("api")) if exchange else ""


def _first_https(found: Any) -> str:
    if isinstance(found, str):
        return found if found.startswith("https://") else ""
    values = found.values() if isinstance(found, dict) else ()
    return next((one for value in values if (one := _first_https(value))), "")


def _skew_s(date: str | None) -> float | None:
    try:
        return parsedate_to_datetime(date or "").timestamp() - time.time()  # noqa: TID251 - the clock is what is examined
    except (ValueError, TypeError):
        return None
