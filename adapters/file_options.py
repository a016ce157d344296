"""How a file is to be read: what the file itself does not say, and which repairs are allowed."""

from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from adapters.columns import NAMES
from engine.messages import FOREVER_NS, NEVER_NS
from engine.timeframes import TIMEFRAMES


class FileOptions(BaseModel):
    """Every field is safe to leave out.

    symbol      of a file without a symbol column; default: the file name up to its first "."
    timeframe   of bars; default: the most common spacing of the stamps
    columns     names of the columns of a CSV file without a header row; they are recognised like others
    mapping     our column -> the name it has in the file, where it is not recognised
    adjust      auto: where there is an adjusted close, prices and volumes are rescaled to it
    sort        order may be repaired by sorting; it is counted
    calendar    whose session closes a daily bar (exchange_calendars); "" = the next midnight UTC
    zone        of stamps that name none
    start_ns    first moment wanted, of a bar's open or a trade; `end_ns` is the first not wanted
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    symbol: str | None = Field(default=None, min_length=1)
    timeframe: str | None = None
    columns: tuple[str, ...] = ()
    mapping: dict[str, str] = Field(default_factory=dict)
    adjust: Literal["auto", "none"] = "auto"
    sort: bool = True
    calendar: str = ""
    zone: str = "UTC"
    start_ns: int = NEVER_NS
    end_ns: int = FOREVER_NS

    @field_validator("timeframe")
    @classmethod
    def _known_timeframe(cls, value: str | None) -> str | None:
        if value is not None and value not in TIMEFRAMES:
            raise ValueError(f"timeframe must be one of {', '.join(TIMEFRAMES)}, was {value!r}")
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
    def _forward(self) -> "FileOptions":
        if self.start_ns >= self.end_ns:
            raise ValueError(f"start_ns must be before end_ns {self.end_ns}, was {self.start_ns}")
        return self
