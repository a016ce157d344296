"""The whole configuration as one frozen model, for replay, paper and live alike.

Each part of the engine declares its own settings beside its code; this module names the tables
and the rules between them. Nothing that can lose money has a default.
"""

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from engine.campaigns.settings import CampaignSettings
from engine.config.daemon_tables import (
    AccountSettings,
    LiveSettings,
    LogSettings,
    MonitorSettings,
    NotifySettings,
    Protection,
    StoreSettings,
)
from engine.config.feeds import FeedSettings, SimulatedFeed
from engine.config.problems import ConfigError, Problem, problems
from engine.config.replay_tables import InstrumentsSettings, RunSettings, TapeSettings
from engine.config.table import Table
from engine.identity import config_hash
from engine.risk.settings import RiskSettings
from engine.wyckoff.settings import DetectorSettings

CONFIG_VERSION = 1

DECIDING: Any = {
    "config_version": True,
    "run": {"mode", "strategies", "cash", "currency", "timeframes", "detect_on", "lateness_ms"},
    "instruments": {"default", "from_recording", "symbols"},
    "detector": True,
    "campaigns": True,
    "risk": True,
    "paper": True,
    "strategies": True,
    "tape": {"snapshot_every_rows"},
}
"""What a run's decisions depend on. What feeds, the account and operators say is on the tape."""


class Config(Table):
    """The whole file. `strategies` and `paper` are checked by the module each table names."""

    config_version: Literal[1] = Field(description="The shape of this file.")
    run: RunSettings
    account: AccountSettings | None = None
    feeds: tuple[FeedSettings, ...] = Field(default=(), description="Sources of market data, for paper and live.")
    instruments: InstrumentsSettings
    detector: DetectorSettings = Field(description="Thresholds of the detector; all have the rule book's numbers.")
    strategies: dict[str, dict[str, Any]] = Field(description="One table for each strategy, checked by its module.")
    campaigns: CampaignSettings
    risk: RiskSettings
    protections: tuple[Protection, ...] = Field(
        default=(), description="What stops entries when an account does badly."
    )
    paper: dict[str, Any] = Field(description="The fill model of the simulated venue.")
    tape: TapeSettings
    store: StoreSettings = StoreSettings()
    monitor: MonitorSettings | None = None
    log: LogSettings = LogSettings()
    notify: NotifySettings = NotifySettings()
    live: LiveSettings = LiveSettings()

    @property
    def hash(self) -> str:
        """Of what decides. Where metadata lies does not: what it says is in the instruments."""
        return config_hash(self.model_dump(mode="json", include=DECIDING))

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        """Rules between tables, on what the merge gives."""
        found = [*_doubled(self), *(_mode_rules(self) if self.run.mode != "replay" else ())]
        if found:
            raise ValueError("; ".join(f"{key}: {problem}" for key, problem in found))
        return self


def parse(tables: Mapping[str, Any], source: str) -> Config:
    """Validate tables that are already merged. Raises ConfigError."""
    try:
        return Config.model_validate(tables)
    except ValidationError as error:
        found = [one for found in problems(error, "") for one in _unfolded(found)]
        raise ConfigError([Problem(one.key, one.problem, source) for one in found]) from None


def _doubled(config: Config) -> list[tuple[str, str]]:
    names = [feed.name for feed in config.feeds]
    kinds = [one.kind for one in config.protections]
    found = [
        (f"feeds.{place}.name", f"names {name} twice") for place, name in enumerate(names) if name in names[:place]
    ]
    return found + [
        (f"protections.{place}.kind", f"is there twice: {kind}")
        for place, kind in enumerate(kinds)
        if kind in kinds[:place]
    ]


def _mode_rules(config: Config) -> list[tuple[str, str]]:
    found = []
    if not config.feeds:
        found.append(("feeds", f"at least one is needed for run.mode = {config.run.mode}"))
    if config.run.mode == "paper" and config.account is not None and config.account.broker != "paper":
        found.append(("account.broker", "must be paper while run.mode is paper: a real account needs run.mode = live"))
    found += _shared(config)
    return found + (_live_rules(config) if config.run.mode == "live" else [])


def _shared(config: Config) -> list[tuple[str, str]]:
    """One source for each symbol: trades of two venues would be bars of neither, and one may be stale."""
    first: dict[str, str] = {}
    found = []
    for place, feed in enumerate(config.feeds):
        for symbol in feed.symbols:
            if symbol in first:
                found.append((f"feeds.{place}.symbols", f"{symbol} is in {first[symbol]} already: one feed a symbol"))
            first.setdefault(symbol, feed.name)
    return found


def _live_rules(config: Config) -> list[tuple[str, str]]:
    """Each of these has to be written down by the person whose money it is."""
    found = []
    account = config.account
    if account is None or account.broker == "paper":
        found.append(("account.broker", "must name a real broker while run.mode is live"))
    if account is None or not account.expected_account:
        found.append(("account.expected_account", "is missing: the account number that live must find"))
    if account is None or account.max_order_notional is None:
        found.append(("account.max_order_notional", "is missing: the hard limit of one order by value"))
    if account is None or not account.credentials:
        found.append(("account.credentials", "is missing: the group of secrets that may send orders"))
    if not any(one.kind == "daily_loss" for one in config.protections):
        found.append(("protections", 'one of kind = "daily_loss" is needed while run.mode is live'))
    return found + [
        (f"feeds.{place}.kind", "must not be simulated while run.mode is live")
        for place, feed in enumerate(config.feeds)
        if isinstance(feed, SimulatedFeed)
    ]


def _unfolded(problem: Problem) -> list[Problem]:
    """Rules between tables come as one message without a key: `key: problem; key: problem`."""
    if problem.key:
        return [problem]
    parts = (one.partition(": ") for one in problem.problem.split("; "))
    return [Problem(key, text, "") for key, _, text in parts]
