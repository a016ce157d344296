"""Configuration: TOML files merged in order into one frozen model.

Each part of the engine declares its own settings beside its code; this module names the tables,
reads the files and turns every mistake into one line: key, problem, source. Unknown keys are
refused, and nothing that can lose money has a default.
"""

import tomllib
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, Self

import msgspec
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from engine.campaigns.settings import CampaignSettings
from engine.definitions import Defined, VenueMetadata, define
from engine.identity import config_hash
from engine.risk.settings import RiskSettings
from engine.timeframes import check_timeframe
from engine.wyckoff.settings import DetectorSettings

CONFIG_VERSION = 1

MOST_LATENESS_MS = 3_600_000
"""An hour: whoever waits longer for late rows means another unit."""


class Problem(msgspec.Struct, frozen=True):
    """One mistake: the key ("" for the file as a whole), what is wrong, and the file it came from
    ("" where no file says)."""

    key: str
    problem: str
    source: str


class ConfigError(ValueError):
    """The configuration cannot be used; `problems` lists every mistake found."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(told(one) for one in self.problems))


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class RunSettings(_Table):
    """What runs. `detect_on` is "feed" or a list of timeframes; `timeframes` are the bars kept.

    `lateness_ms` is how long a closed bar waits for late rows: "feed" is what the feeds need.
    """

    mode: Literal["replay"]
    strategies: tuple[str, ...]
    cash: Decimal = Field(gt=0)
    currency: str = Field(min_length=1)
    timeframes: tuple[str, ...]
    detect_on: Literal["feed"] | tuple[str, ...]
    lateness_ms: Literal["feed"] | int

    @field_validator("lateness_ms", mode="before")
    @classmethod
    def _known_lateness(cls, value: object) -> object:
        if value == "feed" or (type(value) is int and 0 <= value <= MOST_LATENESS_MS):
            return value
        raise ValueError(f'must be "feed" or whole milliseconds from 0 to {MOST_LATENESS_MS}')

    @model_validator(mode="after")
    def _known_timeframes(self) -> Self:
        for name in self.timeframes + (() if self.detect_on == "feed" else tuple(self.detect_on)):
            check_timeframe(name)
        return self


class InstrumentSettings(_Table):
    """How an instrument is traded. `match_on` is taken from the feed when it is absent, `currency`
    (of its quotes) from the venue's metadata, else from the account."""

    asset_class: Literal["stock", "crypto", "fx", "future"]
    tick: Decimal = Field(gt=0)
    lot: Decimal = Field(gt=0)
    point_value: Decimal = Field(gt=0)
    min_notional: Decimal = Field(ge=0)
    min_quantity: Decimal = Field(ge=0)
    calendar: str
    hours: Literal["regular", "extended"]
    allows_negative: bool
    match_on: Literal["trades", "bars"] | None = None
    currency: str | None = Field(default=None, min_length=1)


class InstrumentsSettings(_Table):
    """`files` hold what venues say of their instruments; with `from_recording` a recorded session
    says it itself. Both rank between a symbol's own table and the default."""

    default: InstrumentSettings
    files: tuple[Path, ...]
    from_recording: bool
    symbols: dict[str, dict[str, Any]] = Field(default_factory=dict)

    def instrument(self, symbol: str, currency: str, match_on: str, known: Sequence[VenueMetadata] = ()) -> Defined:
        """The definition of `symbol` by its own table, by its venue's metadata, by the default table.

        Raises ConfigError, and InstrumentError where metadata is damaged, at odds or silent.
        """
        own = f"instruments.symbols.{symbol}"
        chosen = self._checked(own, self.symbols.get(symbol, {}))
        given = {name: value for name, value in chosen.model_dump().items() if name in chosen.model_fields_set}
        tables = {
            own: {name: given[name] for name in self.symbols.get(symbol, {})},
            "instruments.default": self.default.model_dump(exclude_unset=True),
            "the feed": {"match_on": match_on},
            "run.currency": {"currency": currency},
        }
        return define(symbol, tables, known)

    def _checked(self, table: str, fields: Mapping[str, Any]) -> InstrumentSettings:
        try:
            return InstrumentSettings.model_validate({**self.default.model_dump(), **fields})
        except ValidationError as error:
            raise ConfigError(problems(error, table)) from None


class TapeSettings(_Table):
    """`snapshot_every_rows` bounds how much of a tape a recovery has to replay."""

    snapshot_every_rows: int = Field(gt=0)


class Config(_Table):
    """The whole file. `strategies` and `paper` are checked by the module each table names."""

    config_version: Literal[1]
    run: RunSettings
    instruments: InstrumentsSettings
    detector: DetectorSettings
    campaigns: CampaignSettings
    risk: RiskSettings
    paper: dict[str, Any]
    strategies: dict[str, dict[str, Any]]
    tape: TapeSettings

    @property
    def hash(self) -> str:
        """Of what is set. Where metadata lies is not: what it says is in the instruments."""
        return config_hash(self.model_dump(mode="json", exclude={"instruments": {"files"}}))


def load(paths: Sequence[Path]) -> Config:
    """Merge the files, later ones over earlier ones, key by key. Raises ConfigError."""
    merged: dict[str, Any] = {}
    for path in paths:
        merged = _over(merged, _read(path))
    try:
        return parse(merged, "")
    except ConfigError as error:
        raise ConfigError(located(error.problems, paths)) from None


def overlaid(config: Config, tables: Mapping[str, Any]) -> Config:
    """The configuration with these tables over it, key by key. Raises ConfigError."""
    return parse(_over(config.model_dump(), tables), "")


def parse(tables: Mapping[str, Any], source: str) -> Config:
    """Validate tables that are already merged. Raises ConfigError."""
    try:
        return Config.model_validate(tables)
    except ValidationError as error:
        raise ConfigError([Problem(one.key, one.problem, source) for one in problems(error, "")]) from None


def located(found: Sequence[Problem], paths: Sequence[Path]) -> list[Problem]:
    """Each problem with the file that has the most of its key, of two the later."""
    if not any(one.key for one in found):
        return list(found)
    tables = [(str(path), _read(path)) for path in paths]
    return [_located(one, tables) if one.key else one for one in found]


def told(problem: Problem) -> str:
    """One line for a person: `mine.toml: risk.heat: unknown key`."""
    return ": ".join(filter(None, (problem.source, problem.key, problem.problem)))


def problems(error: ValidationError, table: str) -> list[Problem]:
    """What pydantic found, as our own lines; `table` goes before each key."""
    found = error.errors(include_input=False, include_url=False)
    above = tuple(table.split(".")) if table else ()
    return [Problem(".".join(map(str, (*above, *one["loc"]))), _plain(one["type"], one["msg"]), "") for one in found]


def shipped(name: str) -> Path:
    """A configuration that comes with the engine, such as `replay`."""
    return Path(__file__).resolve().parent.parent / "configs" / f"{name}.toml"


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError([Problem("", f"cannot be read: {error.strerror}", str(path))]) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError([Problem("", f"is not TOML: {error}", str(path))]) from None


def _over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        merged[key] = _over(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


def _located(problem: Problem, tables: Sequence[tuple[str, Mapping[str, Any]]]) -> Problem:
    source, deepest = "", 0
    for name, table in tables:
        depth = _depth(table, problem.key.split("."))
        if depth >= deepest:
            source, deepest = name, depth
    return msgspec.structs.replace(problem, source=source)


def _depth(table: object, key: Sequence[str]) -> int:
    """How many parts of `key` lead into `table`."""
    for depth, part in enumerate(key):
        if not isinstance(table, dict) or part not in table:
            return depth
        table = table[part]
    return len(key)


def _plain(kind: str, message: str) -> str:
    """pydantic's words for its commonest findings, as we say them."""
    known = {"extra_forbidden": "unknown key", "missing": "is missing"}
    return known.get(kind, message.removeprefix("Value error, "))
