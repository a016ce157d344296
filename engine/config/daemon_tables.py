"""The tables of a running engine: account, protections, monitor, store, log, messages out, limits."""

import re
from decimal import Decimal
from ipaddress import ip_address
from typing import Annotated, Literal, Self

from pydantic import Discriminator, Field, field_validator, model_validator

from engine.config.table import LIVE, Table

CREDENTIALS = r"^([a-z][a-z0-9]{0,39})?$"

HOST_NAME = re.compile(r"(?=.{1,253}\Z)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*")

Then = Literal["pause", "entries", "cancel", "flatten"]

Event = Literal["start", "stop", "kill", "pause", "refused", "feed_stale", "campaign", "fill", "stall"]


class AccountSettings(Table):
    """The one account of this engine."""

    broker: Literal["paper", "alpaca", "ccxt"] = Field(
        description="paper is the simulated venue; alpaca and ccxt are real and need run.mode = live."
    )
    expected_account: str = Field(
        default="", max_length=100, description="The account number the broker must report; required for live."
    )
    credentials: str = Field(
        default="", pattern=CREDENTIALS, description="Group of secrets for orders, apart from those of feeds."
    )
    max_order_notional: Decimal | None = Field(
        default=None, gt=0, description="Hard limit of one order by value, account currency; required for live."
    )


class _Protection(Table):
    limit_bp: int = Field(gt=0, le=10_000, description="Basis points of equity.")
    then: Then = Field(description="pause, or a level of the kill switch: entries, cancel, flatten.")


class DailyLossProtection(_Protection):
    """The account's loss since midnight UTC, open positions at their marks, costs included."""

    kind: Literal["daily_loss"] = Field(description="daily_loss: the loss since midnight UTC.")


class DrawdownProtection(_Protection):
    """The fall from the highest equity of this account that the tape knows."""

    kind: Literal["drawdown"] = Field(description="drawdown: the fall from the highest equity.")


Protection = Annotated[DailyLossProtection | DrawdownProtection, Discriminator("kind")]


class MonitorSettings(Table):
    """The page in the browser. It holds no keys and listens on this machine alone unless told."""

    listen: str = Field(default="127.0.0.1:8787", description="Address and port of the page.")
    token_file: str = Field(
        default="{config}/secrets/monitor_token", description="The token that a browser has to know; mode 0600."
    )
    allow_operate: bool = Field(
        default=True, description="Whether who knows the token may pause and kill, or only look."
    )
    expose: bool = Field(
        default=False, description="Whether listen may be an address that other machines reach; needs TLS and a token."
    )
    tls_cert_file: str = Field(default="", description="Certificate chain of the page in PEM; empty is no TLS.")
    tls_key_file: str = Field(default="", description="The certificate's key in PEM; mode 0600.")
    hosts: tuple[str, ...] = Field(
        default=(), max_length=16, description="Names by which browsers may call the page, beside this machine's own."
    )

    @field_validator("hosts")
    @classmethod
    def _names(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if not HOST_NAME.fullmatch(name):
                raise ValueError(f"must be names such as desk.example.org, was {name[:60]!r}")
        return names

    @field_validator("listen")
    @classmethod
    def _address(cls, text: str) -> str:
        host, sign, port = text.rpartition(":")
        if not sign or not port.isascii() or not port.isdigit() or not 1 <= int(port) <= 65_535:
            raise ValueError("must be ADDRESS:PORT, such as 127.0.0.1:8787")
        if host != "localhost":
            try:
                ip_address(host.removeprefix("[").removesuffix("]"))
            except ValueError:
                raise ValueError("must begin with an IP address or localhost") from None
        return text

    @model_validator(mode="after")
    def _guarded(self) -> Self:
        if bool(self.tls_cert_file) != bool(self.tls_key_file):
            raise ValueError("tls_cert_file and tls_key_file belong together: one of them is empty")
        if not self.is_public:
            return self
        if not self.token_file:
            raise ValueError("listen is a public address: token_file must name a token")
        if not self.tls_cert_file:
            raise ValueError("listen is a public address: tls_cert_file and tls_key_file must name a certificate")
        if not self.expose:
            raise ValueError("listen is a public address: expose must be true as well")
        return self

    @property
    def is_public(self) -> bool:
        host = self.listen.rpartition(":")[0].removeprefix("[").removesuffix("]")
        return host != "localhost" and not ip_address(host).is_loopback


class StoreSettings(Table):
    """The read model behind reports and the monitor; it can be rebuilt from the tapes."""

    sqlite: str = Field(default="{state}/wyckoff.sqlite", description="The store; empty keeps none.")


class LogSettings(Table):
    """What the process says of itself. Orders and decisions are on the tape, whatever is set here."""

    format: Literal["auto", "console", "json"] = Field(
        default="auto", description="auto: for people on a terminal, JSON lines otherwise."
    )
    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="debug, info, warning or error.", json_schema_extra=LIVE
    )
    to_file: bool = Field(default=True, description="Also write JSON lines to {logs}/wyckoff.jsonl.")
    file_mb: int = Field(default=20, ge=1, le=1_000, description="A log file is put aside at this size.")
    keep_files: int = Field(default=5, ge=1, le=100, description="How many files put aside are kept.")
    queue_lines: int = Field(
        default=10_000, ge=100, le=1_000_000, description="Lines waiting to be written; beyond it the oldest go."
    )
    lines_per_site_per_s: float = Field(
        default=1.0,
        gt=0,
        le=1_000,
        description="Most lines a second from one place in the code.",
        json_schema_extra=LIVE,
    )


class WebhookSettings(Table):
    """Messages to a person's phone or chat, as a JSON POST."""

    url_file: str = Field(
        description="A file of mode 0600 that holds the address: it is a secret.", json_schema_extra=LIVE
    )
    events: tuple[Event, ...] = Field(
        min_length=1,
        description="What is told: start stop kill pause refused feed_stale campaign fill stall.",
        json_schema_extra=LIVE,
    )


class TelegramSettings(Table):
    """Messages to one chat by a bot."""

    chat_id: str = Field(
        pattern=r"^-?\d{1,20}$", description="The chat that the bot writes to.", json_schema_extra=LIVE
    )
    token_file: str = Field(
        description="A file of mode 0600 that holds the bot's token: it is a secret.", json_schema_extra=LIVE
    )
    events: tuple[Event, ...] = Field(
        min_length=1,
        description="What is told: start stop kill pause refused feed_stale campaign fill stall.",
        json_schema_extra=LIVE,
    )


class NotifySettings(Table):
    """Whom to tell what."""

    webhook: WebhookSettings | None = Field(default=None, description="Messages to a webhook.")
    telegram: TelegramSettings | None = Field(default=None, description="Messages to a chat.")


class LiveSettings(Table):
    """Limits of a running engine, in paper and in live."""

    warmup_bars: int = Field(default=250, ge=50, le=100_000, description="Bars of history before entries.")
    drain_s: float = Field(
        default=20.0, ge=0, le=600, description="How long a stop waits for cancels and reports.", json_schema_extra=LIVE
    )
    snapshot_every_s: float = Field(default=300.0, ge=1, le=86_400, description="Seconds between snapshots.")
    control_queue: int = Field(default=1_000, ge=10, le=100_000, description="Facts waiting in the control lane.")
    market_queue: int = Field(default=1_000, ge=10, le=100_000, description="Blocks waiting in the market lane.")
    ingress_lag_ms: int = Field(
        default=2_000, ge=10, le=60_000, description="Age of waiting market data at which entries are refused."
    )
    durability_lag_ms: int = Field(
        default=1_000, ge=10, le=60_000, description="Age of facts not on disk at which entries are refused."
    )
    clock_skew_ms: int = Field(
        default=1_000, ge=10, le=60_000, description="Difference to the venue's clock at which entries are refused."
    )
    free_disk_mb: int = Field(
        default=256, ge=16, le=1_000_000, description="Free disk below which entries are refused."
    )
    loop_stall_ms: int = Field(
        default=250,
        ge=20,
        le=60_000,
        description="A loop silent for this long has its stacks written to the log.",
        json_schema_extra=LIVE,
    )
    loop_halt_ms: int = Field(
        default=2_000,
        ge=100,
        le=60_000,
        description="A loop silent for this long kills entries.",
        json_schema_extra=LIVE,
    )
    rss_limit_mb: int = Field(
        default=2_000, ge=100, le=1_000_000, description="Memory at 80 % of this stops entries.", json_schema_extra=LIVE
    )
    dead_man_url_file: str = Field(
        default="",
        description="A file of mode 0600 with an address that is asked while all is well; empty: none.",
        json_schema_extra=LIVE,
    )
    dead_man_every_s: float = Field(default=60.0, ge=5, le=3_600, description="Seconds between two such calls.")

    @model_validator(mode="after")
    def _limits_rise(self) -> Self:
        if self.loop_halt_ms <= self.loop_stall_ms:
            raise ValueError("loop_stall_ms must be less than loop_halt_ms")
        return self
