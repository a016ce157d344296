"""Live feeds: pure codecs above, sessions below. `build` makes one from its table of the configuration."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any, Protocol

from adapters.live.settings import FeedSettings, Keys, Table, settings_of
from adapters.live.warming import warm
from engine.live.ports import Clock, LiveFeed

__all__ = ["KINDS", "adjust", "build", "warm"]

KINDS = {
    "binance": "adapters.direct_feed",
    "coinbase": "adapters.direct_feed",
    "kraken": "adapters.direct_feed",
    "bybit": "adapters.direct_feed",
    "alpaca": "adapters.alpaca_feed",
    "ccxt": "adapters.ccxt_feed",
    "simulated": "adapters.simulated_feed",
}
"""Kind -> the module that builds it, imported when it is asked for."""


class Secret(Protocol):
    def reveal(self) -> str: ...


class Secrets(Protocol):
    """`engine.config.credentials.Secrets` is one."""

    def get(self, name: str) -> Secret | None: ...


def build(
    table: Table | Mapping[str, Any], clock: Clock, mode: str = "paper", secrets: Secrets | None = None
) -> LiveFeed:
    """The feed of one `[[feeds]]` table, or of settings as they are. Raises ValueError."""
    chosen = FeedSettings.model_validate(dict(table)) if isinstance(table, Mapping) else settings_of(table)
    if chosen.kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}, was {chosen.kind}")
    module: Any = import_module(KINDS[chosen.kind])
    feed: LiveFeed = module.build(chosen, clock, mode, _keys(getattr(table, "credentials", ""), secrets))
    return feed


class Adjustable(Protocol):
    def change(self, settings: FeedSettings) -> None: ...


def adjust(feed: Adjustable, table: Table) -> None:
    """Give a running feed the limits of silence of its table. Raises ValueError, having changed nothing."""
    feed.change(settings_of(table))


def _keys(group: str, secrets: Secrets | None) -> Keys:
    """Both empty where the group has none: who needs them says so."""
    found = [secrets.get(f"{group}.{field}") if secrets and group else None for field in ("api_key", "secret_key")]
    return Keys(*("" if one is None else one.reveal() for one in found))
