"""`[[feeds]]`: one table a source of market data; `kind` names what is built."""

import re
from typing import Annotated, Literal, Self

from pydantic import Discriminator, Field, field_validator, model_validator

from engine.config.table import LIVE, Table
from engine.timeframes import TIMEFRAMES, check_timeframe

MOST_SYMBOLS = 2_000
LEAST_STALE_S = 0.001
MOST_STALE_S = 86_400.0 * 7
"""A week: a limit beyond it is a unit gone wrong; `off` says never."""

_SPAN = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}

Channel = Literal["trades", "quotes", "bars", "daily"]


def span_s(text: str) -> float | None:
    """Seconds of `250ms`, `15s`, `2m`, `1h`; None of `off`. Raises ValueError."""
    if text == "off":
        return None
    found = _SPAN.fullmatch(text)
    if found is None:
        raise ValueError('must be a time such as "15s", "2m", "1h", or "off"')
    seconds = float(found[1]) * _SECONDS[found[2]]
    if not LEAST_STALE_S <= seconds <= MOST_STALE_S:
        raise ValueError(f"must be 1 ms to {MOST_STALE_S / 86_400:.0f} days")
    return seconds


class _Feed(Table):
    name: str = Field(
        pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$",
        description="How status, logs and the tape name this feed: a to z, 0 to 9, - and _.",
    )
    symbols: tuple[str, ...] = Field(
        min_length=1, max_length=MOST_SYMBOLS, description="What to subscribe to, as the venue writes it."
    )
    stale_after: dict[Channel, str] = Field(
        description=(
            'Silence on a channel while its market is open that makes the feed stale and blocks entries: "15s"; '
            '"off" never does.'
        ),
        json_schema_extra=LIVE,
    )
    lateness_ms: int = Field(
        default=250, ge=0, le=3_600_000, description="How long a closed bar waits for rows that come late."
    )

    @field_validator("symbols")
    @classmethod
    def _symbols_once(cls, symbols: tuple[str, ...]) -> tuple[str, ...]:
        for symbol in symbols:
            if not symbol or symbol != symbol.strip() or not symbol.isprintable():
                raise ValueError("symbols must not be empty or have spaces around them")
        if len(dict.fromkeys(symbols)) < len(symbols):
            raise ValueError("names a symbol twice")
        return symbols

    @field_validator("stale_after")
    @classmethod
    def _spans(cls, spans: dict[Channel, str]) -> dict[Channel, str]:
        for channel, span in spans.items():
            try:
                span_s(span)
            except ValueError as error:
                raise ValueError(f"{channel} {error}") from None
        return spans

    def stale_after_s(self, channel: Channel) -> float | None:
        """The limit of a channel in seconds; None where silence means nothing."""
        return span_s(self.stale_after.get(channel, "off"))


class _RealFeed(_Feed):
    channels: tuple[Literal["trades", "quotes", "bars"], ...] = Field(
        min_length=1, description="What is subscribed to: trades, quotes, bars."
    )
    credentials: str = Field(
        default="",
        pattern=r"^([a-z][a-z0-9]{0,39})?$",
        description='Group of secrets for this feed, such as "alpaca": {group}.api_key and {group}.secret_key.',
    )

    @model_validator(mode="after")
    def _watched(self) -> Self:
        """A feed that can fall silent unnoticed is what costs most: each channel needs a limit."""
        for channel in self.channels:
            if channel not in self.stale_after:
                raise ValueError(f'stale_after.{channel} is missing: a time such as "15s", or "off"')
        return self


class SimulatedFeed(_Feed):
    """Generated markets with planted structure, paced; offline and without keys."""

    kind: Literal["simulated"] = Field(description="simulated: generated markets, no network, no keys.")
    seed: int = Field(ge=0, lt=2**31, description="The same seed gives the same market.")
    timeframe: str = Field(default="1m", description="Length of the generated bars: 1m 5m 15m 1h 4h 1d 1w.")
    speed: float = Field(
        default=60.0,
        gt=0,
        le=1_000_000,
        allow_inf_nan=False,
        description="Seconds of the market in one real second: 1 is real time, 60 a bar of a minute each second.",
    )
    history_bars: int = Field(
        default=600, ge=0, le=100_000, description="Bars before the first one, for the warm-up of the detector."
    )

    @field_validator("timeframe")
    @classmethod
    def _known_timeframe(cls, name: str) -> str:
        check_timeframe(name)
        if name not in TIMEFRAMES:
            raise ValueError(f"must be one of {', '.join(TIMEFRAMES)}")
        return name


class AlpacaFeed(_RealFeed):
    """US stocks or crypto by Alpaca's streams."""

    kind: Literal["alpaca"] = Field(description="alpaca: US stocks or crypto by Alpaca.")
    source: Literal["iex", "sip", "delayed_sip", "crypto"] = Field(
        description='"iex" is free, "sip" needs a subscription, "crypto" is Alpaca\'s own venue.'
    )
    url: str = Field(default="", description="Another address of the stream, for a test server; empty is Alpaca's own.")
    rest_url: str = Field(default="", description="Another address of history; empty is Alpaca's own.")


class CcxtFeed(_RealFeed):
    """Any exchange that ccxt.pro streams; public data needs no keys."""

    kind: Literal["ccxt"] = Field(description="ccxt: an exchange by the ccxt library.")
    exchange: str = Field(pattern=r"^[a-z0-9]{2,40}$", description="ccxt's id of the exchange: binance, kraken...")
    url: str = Field(default="", description="Another address of the stream, for a test server; empty is its own.")
    rest_url: str = Field(default="", description="Another address of history; empty is the exchange's own.")


class DirectFeed(_RealFeed):
    """An exchange by its own public websocket: the shortest way from the wire to the line."""

    kind: Literal["binance", "coinbase", "kraken", "bybit"] = Field(
        description="binance, coinbase, kraken or bybit: the exchange's own public stream, without a library between."
    )
    timeframe: str = Field(
        default="", description="With bars among the channels: which bars. Empty builds them from trades."
    )
    heartbeat_symbol: str = Field(
        default="", description="A symbol that always trades: its silence is an alarm at once. Empty is the first one."
    )
    rotate_h: float = Field(
        default=23.0, gt=0, le=168, description="A new connection is opened before the exchange ends the old one."
    )
    url: str = Field(default="", description="Another address of the stream, for a test server; empty is its own.")
    rest_url: str = Field(default="", description="Another address of history; empty is the exchange's own.")


FeedSettings = Annotated[SimulatedFeed | AlpacaFeed | CcxtFeed | DirectFeed, Discriminator("kind")]
