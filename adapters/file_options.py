"""How a file is to be read: what the file itself does not say, and which repairs are allowed."""

from datetime import date
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from adapters.cleaning.settings import CleaningSettings
from adapters.columns import NAMES
from adapters.layouts import LAYOUTS, LEAN
from engine.messages import FOREVER_NS, NEVER_NS
from engine.timeframes import TIMEFRAMES


class FileOptions(BaseModel):
    """Every field is safe to leave out.

    symbol      of rows without a symbol column; default: the member's name in an archive, else the
                file's, up to its first "."
    timeframe   of bars; default: the most common spacing of the stamps
    layout      of a file without a header row: one of `adapters.layouts.LAYOUTS`, or "lean"; default:
                the only one that fits its rows
    columns     names of the columns of a file without a header row; they are recognised like others
    mapping     our column -> the name it has in the file, where it is not recognised
    member      of an archive, by name or pattern (`*_trade.csv`); default: all that are market data
    dates       order of dates that end in their year; auto: as soon as a day above 12 shows it
    adjust      auto: prices and volumes are rescaled to an adjusted close, by `adjustments`, or by
                the splits in the factor files of a LEAN folder. splits: without dividends. all: with
    adjustments file of splits and dividends (`adapters.adjusting`), or a LEAN factor file
    adjust_as_of  day (YYYY-MM-DD) whose prices stay as they are; default: the last one known
    fold        timeframe into which finer bars are put together, such as 30 minutes into "1h"
    cleaning    how rows are judged that are no market data
    made_ns     when the file was written, where known: bars that end later are unfinished
    sort        order may be repaired by sorting; it is counted
    calendar    whose session closes a daily bar (exchange_calendars); "" = the next midnight UTC
    hours       of that calendar, beyond whose end no bar within a day lasts; a day closes at its regular end
    zone        of stamps that name none
    start_ns    first moment wanted, of a bar's open or a trade; `end_ns` is the first not wanted
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    symbol: str | None = Field(default=None, min_length=1)
    timeframe: str | None = None
    layout: str | None = None
    columns: tuple[str, ...] = ()
    mapping: dict[str, str] = Field(default_factory=dict)
    member: str | None = Field(default=None, min_length=1)
    dates: Literal["auto", "mdy", "dmy"] = "auto"
    adjust: Literal["auto", "none", "splits", "all"] = "auto"
    adjustments: Path | None = None
    adjust_as_of: str | None = None
    fold: str | None = None
    cleaning: CleaningSettings = Field(default_factory=CleaningSettings)
    made_ns: int | None = None
    sort: bool = True
    calendar: str = ""
    hours: Literal["regular", "extended"] = "regular"
    zone: str = "UTC"
    start_ns: int = NEVER_NS
    end_ns: int = FOREVER_NS

    @field_validator("timeframe", "fold")
    @classmethod
    def _known_timeframe(cls, value: str | None) -> str | None:
        if value is not None and value not in TIMEFRAMES:
            raise ValueError(f"timeframe must be one of {', '.join(TIMEFRAMES)}, was {value!r}")
        return value

    @field_validator("adjust_as_of")
    @classmethod
    def _a_day(cls, value: str | None) -> str | None:
        try:
            if value is None or date.fromisoformat(value).isoformat() == value:
                return value
        except ValueError:
            pass
        raise ValueError(f"adjust_as_of must be a day (YYYY-MM-DD), was {value!r}")

    @field_validator("layout")
    @classmethod
    def _known_layout(cls, value: str | None) -> str | None:
        if value is not None and value not in (*LAYOUTS, LEAN):
            raise ValueError(f"layout must be one of {', '.join((*LAYOUTS, LEAN))}, was {value!r}")
        return value

    @field_validator("mapping")
    @classmethod
    def _known_columns(cls, value: dict[str, str]) -> dict[str, str]:
        for ours in value:
            if ours not in NAMES:
                raise ValueError(f"mapping must map one of {', '.join(NAMES)}, was {ours!r}")
        return value

    @field_validator("zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError(f"zone must be an IANA time zone, was {value!r}") from error
        return value

    @model_validator(mode="after")
    def _consistent(self) -> "FileOptions":
        if self.start_ns >= self.end_ns:
            raise ValueError(f"start_ns must be before end_ns {self.end_ns}, was {self.start_ns}")
        if self.layout and self.columns:
            raise ValueError(f"layout must be left out where columns are named, was {self.layout!r}")
        if self.adjustments and self.adjust == "none":
            raise ValueError("adjust must not be none where adjustments are named")
        return self
