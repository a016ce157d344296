"""What a feed is told: what to listen to, and how long to wait for what; and how that follows from its table."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, model_validator

from adapters.cleaning import CleaningSettings
from engine.config.feeds import AlpacaFeed, CcxtFeed, DirectFeed, SimulatedFeed
from engine.timeframes import TIMEFRAMES

BARS_LATENESS_MS = 2_500
"""Venues send a bar up to some seconds after its end; it must be there before its time is proven."""

NEVER_STALE_S = 30 * 86_400.0
STALE_FLOOR_S = 5.0

KINDS_OF_DATA = ("trades", "bars")


class FeedSettings(BaseModel):
    """Every field but `name`, `kind` and `symbols` is safe to leave out.

    kind             which adapter: see `adapters.live.build`; `exchange` is the one that ccxt is to speak to
    symbols          as the venue's market stream writes them
    data             trades, or bars of `timeframe`; with `quotes` the best bid and ask as well
    stream_url       of another host than the venue's own; `rest_url` likewise. Only hosts of market data are allowed
    patience         a stream is stale after so many of its mean gaps of silence, but not before `stale_floor_s`
                     and surely after `stale_ceiling_s`; a probe by REST decides for single symbols
    heartbeat_symbol one that always trades: its silence is an alarm at once. Default: the first one
    reorder_ms       how long rows after a missing number wait for it before history is asked
    lateness_ms      how long a bar waits for rows; heartbeats lag the venue's clock as much
    rotate_h         a new connection is opened before the venue ends the old one
    recover_s        how long history may take before a gap is given up
    refresh_s        how often the venue is asked whether its instruments are still what they were
    skew_limit_s     beyond it the venue's clock and ours disagree too much to trade
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    name: str = Field(min_length=1)
    kind: str
    symbols: tuple[str, ...] = Field(min_length=1)
    exchange: str = ""
    data: str = "trades"
    timeframe: str = ""
    quotes: bool = False
    stream_url: str = ""
    rest_url: str = ""
    patience: float = Field(default=25.0, gt=1)
    stale_floor_s: float = Field(default=5.0, gt=0)
    stale_ceiling_s: float = Field(default=300.0, gt=0)
    heartbeat_symbol: str = ""
    reorder_ms: int = Field(default=250, ge=0, le=5_000)
    lateness_ms: int = Field(default=250, ge=0, le=3_600_000)
    heartbeat_s: float = Field(default=0.25, gt=0)
    tick_s: float = Field(default=0.1, gt=0)
    rotate_h: float = Field(default=23.0, gt=0)
    recover_s: float = Field(default=30.0, gt=0)
    skew_s: float = Field(default=300.0, gt=0)
    skew_limit_s: float = Field(default=5.0, gt=0)
    refresh_s: float = Field(default=3_600.0, gt=0)
    calendar: str = ""
    history_bars: int = Field(default=3_000, ge=0, le=100_000)
    seed: int = 0
    speed: float = Field(default=1.0, gt=0)
    cleaning: CleaningSettings = Field(default_factory=lambda: CleaningSettings(remembered_ids=10_000))

    @model_validator(mode="after")
    def _sound(self) -> "FeedSettings":
        if self.data not in KINDS_OF_DATA:
            raise ValueError(f"data must be {' or '.join(KINDS_OF_DATA)}, was {self.data}")
        if self.data == "bars" and self.timeframe not in TIMEFRAMES:
            raise ValueError(f"timeframe must be one of {', '.join(TIMEFRAMES)} for bars, was {self.timeframe!r}")
        if self.data == "trades" and self.timeframe:
            raise ValueError(f"timeframe is for bars, data was {self.data}")
        if self.stale_floor_s > self.stale_ceiling_s:
            raise ValueError(f"stale_floor_s must be at most {self.stale_ceiling_s:g}, was {self.stale_floor_s:g}")
        if len(set(self.symbols)) < len(self.symbols):
            raise ValueError("symbols must be named once")
        if self.heartbeat_symbol and self.heartbeat_symbol not in self.symbols:
            raise ValueError(f"heartbeat_symbol must be one of the symbols, was {self.heartbeat_symbol}")
        return self


class Keys(NamedTuple):
    """Credentials for data. Never shown."""

    key: str
    secret: str

    def __repr__(self) -> str:
        return "<keys>"


Table = SimulatedFeed | AlpacaFeed | CcxtFeed | DirectFeed


def settings_of(table: Table) -> FeedSettings:
    """From the `[[feeds]]` table that a person wrote; what it does not say has the defaults above."""
    if isinstance(table, SimulatedFeed):
        return FeedSettings(
            name=table.name, kind=table.kind, symbols=table.symbols, data="bars", timeframe=table.timeframe,
            seed=table.seed, speed=table.speed, lateness_ms=table.lateness_ms, history_bars=table.history_bars,
            **_bounds(table.stale_after_s("bars")),
        )  # fmt: skip
    data = "trades" if "trades" in table.channels else "bars"
    if data not in table.channels:
        raise ValueError(f"feeds.{table.name}: channels must have trades or bars, was {', '.join(table.channels)}")
    limit_s = table.stale_after_s("trades" if data == "trades" else "bars")
    given: dict[str, Any] = {
        "name": table.name, "kind": table.kind, "symbols": table.symbols, "data": data,
        "timeframe": (_timeframe(table) if data == "bars" else ""), "quotes": "quotes" in table.channels,
        "stream_url": table.url, "rest_url": table.rest_url,
        "lateness_ms": max(table.lateness_ms, BARS_LATENESS_MS) if data == "bars" else table.lateness_ms,
    }  # fmt: skip
    return FeedSettings(**given, **_bounds(limit_s), **_own(table))


def _bounds(limit_s: float | None) -> dict[str, Any]:
    """Of a silence: a busy symbol is late sooner than the limit says, none later."""
    if limit_s is None:
        return {"stale_floor_s": NEVER_STALE_S, "stale_ceiling_s": NEVER_STALE_S}
    return {"stale_floor_s": min(STALE_FLOOR_S, limit_s), "stale_ceiling_s": limit_s}


def _timeframe(table: AlpacaFeed | CcxtFeed | DirectFeed) -> str:
    return (table.timeframe if isinstance(table, DirectFeed) else "") or "1m"


def _own(table: AlpacaFeed | CcxtFeed | DirectFeed) -> Mapping[str, Any]:
    if isinstance(table, DirectFeed):
        return {"heartbeat_symbol": table.heartbeat_symbol, "rotate_h": table.rotate_h}
    if isinstance(table, CcxtFeed):
        return {"exchange": table.exchange}
    return {"exchange": table.source, "calendar": "" if table.source == "crypto" else "XNYS"}
