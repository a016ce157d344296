"""The tables that every mode needs: what runs, how instruments are traded, what the tape keeps."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, ValidationError, field_validator, model_validator

from engine.config.problems import ConfigError, problems
from engine.config.table import LIVE, Table
from engine.definitions import Defined, VenueMetadata, define
from engine.timeframes import check_timeframe

MOST_LATENESS_MS = 3_600_000
"""An hour: whoever waits longer for late rows means another unit."""


class RunSettings(Table):
    """What runs, and on which bars."""

    mode: Literal["replay", "paper", "live"] = Field(
        description="replay: recorded feeds. paper: live feeds, simulated venue. live: real orders; also needs --live."
    )
    strategies: tuple[str, ...] = Field(description="Modules of strategies/, each with a table [strategies.NAME].")
    cash: Decimal = Field(gt=0, description="What a simulated account begins with. Live takes the venue's word.")
    currency: str = Field(min_length=1, description="Currency of the account.")
    timeframes: tuple[str, ...] = Field(
        description="Bars that are kept: 1m 5m 15m 1h 4h 1d 1w, and tick:1000, volume:50000, dollar:1000000."
    )
    detect_on: Literal["feed"] | tuple[str, ...] = Field(
        description='Where structure is looked for: "feed" is the feed\'s own timeframe (1m for trades); or a list.'
    )
    lateness_ms: Literal["feed"] | int = Field(
        description='How long bars wait for late rows: "feed" is what the feeds need; or milliseconds.'
    )
    on_start: Literal["resume", "paused"] = Field(
        default="resume",
        description="resume: as it was before, never more permissive. paused: no entries until `wyckoff resume`.",
    )

    @field_validator("lateness_ms", mode="before")
    @classmethod
    def _known_lateness(cls, value: object) -> object:
        # A variable of the environment is text.
        number = int(value) if isinstance(value, str) and value.isascii() and value.isdigit() else value
        if value == "feed" or (type(number) is int and 0 <= number <= MOST_LATENESS_MS):
            return number
        raise ValueError(f'must be "feed" or whole milliseconds from 0 to {MOST_LATENESS_MS}')

    @model_validator(mode="after")
    def _known_timeframes(self) -> Self:
        for name in self.timeframes + (() if self.detect_on == "feed" else tuple(self.detect_on)):
            check_timeframe(name)
        return self


class InstrumentSettings(Table):
    """How an instrument is traded. `match_on` is taken from the feed when it is absent, `currency`
    (of its quotes) from the venue's metadata, else from the account."""

    asset_class: Literal["stock", "crypto", "fx", "future"] = Field(description="stock, crypto, fx or future.")
    tick: Decimal = Field(gt=0, description="Smallest step of a price.")
    lot: Decimal = Field(gt=0, description="Smallest step of a quantity.")
    point_value: Decimal = Field(gt=0, description="Money per point and unit: 1 for stocks, 50 for an ES future.")
    min_notional: Decimal = Field(ge=0, description="Smallest order by value, in its currency.")
    min_quantity: Decimal = Field(ge=0, description="Smallest order by quantity.")
    calendar: str = Field(description='Whose sessions: XNYS, XLON, CMES, FX; "" never closes and counts UTC days.')
    hours: Literal["regular", "extended"] = Field(
        description="regular, or extended (US equities only: 04:00 to 20:00 New York)."
    )
    allows_negative: bool = Field(description="Whether prices of 0 and less are prices.")
    match_on: Literal["trades", "bars"] | None = Field(
        default=None, description="What orders are filled on: trades or bars; taken from the feed when absent."
    )
    currency: str | None = Field(
        default=None, min_length=1, description="Currency of its prices; the venue's word, else the account's."
    )


class InstrumentsSettings(Table):
    """`files` hold what venues say of their instruments; with `from_recording` a recorded session
    says it itself. Both rank between a symbol's own table and the default."""

    default: InstrumentSettings = Field(description="How an instrument is traded that nobody else describes.")
    files: tuple[Path, ...] = Field(
        description="What venues say of their instruments, as they answer; paths relative to where the command runs."
    )
    from_recording: bool = Field(description="Believe what a recorded session was told by its venue.")
    symbols: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description="Keys under [instruments.symbols.NAME] replace single keys of the default."
    )

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

    def check(self) -> None:
        """Every symbol's own table. Raises ConfigError."""
        for symbol, fields in self.symbols.items():
            self._checked(f"instruments.symbols.{symbol}", fields)

    def _checked(self, table: str, fields: Mapping[str, Any]) -> InstrumentSettings:
        try:
            return InstrumentSettings.model_validate({**self.default.model_dump(), **fields})
        except ValidationError as error:
            raise ConfigError(problems(error, table)) from None


class TapeSettings(Table):
    """`snapshot_every_rows` bounds how much of a tape a recovery has to replay."""

    snapshot_every_rows: int = Field(gt=0, description="Rows between snapshots: bounds what a recovery replays.")
    keep_days: int = Field(
        default=90,
        ge=2,
        le=36_500,
        description="Tapes older than this are removed, never the current one nor one without a snapshot after it.",
        json_schema_extra=LIVE,
    )
