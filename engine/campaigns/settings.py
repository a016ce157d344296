"""What a campaign may risk and how long it may wait.

Everything that can lose money has no default. The bar counts are the recommended tables of the
field: no pattern for `dormant` bars, no event for `expire` bars, less than +1 R after `time_stop`.
"""

from decimal import Decimal
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from engine.messages import Leg
from engine.timeframes import TIMEFRAMES

HUNDRED = Decimal(100)

DORMANT_BARS = {"1m": 24, "5m": 24, "15m": 24, "1h": 12, "4h": 6, "1d": 5, "1w": 3}
EXPIRE_BARS = {"1m": 96, "5m": 96, "15m": 96, "1h": 72, "4h": 42, "1d": 30, "1w": 12}
TIME_STOP_BARS = {"1m": 20, "5m": 20, "15m": 20, "1h": 20, "4h": 20, "1d": 30, "1w": 12}


class LegPercents(BaseModel):
    """One percentage for each leg, >= 0."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    spring: Decimal = Field(ge=0, le=100)
    sos: Decimal = Field(ge=0, le=100)
    lps: Decimal = Field(ge=0, le=100)

    def of(self, leg: Leg) -> Decimal:
        return {Leg.SPRING: self.spring, Leg.SOS: self.sos, Leg.LPS: self.lps}[leg]


class CampaignSettings(BaseModel):
    """`cap_percent`, `trade_percent`, `pattern_percent` are percent of equity at risk;
    `split_percent` is how the cap is divided among the legs and sums to 100."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cap_percent: Decimal = Field(gt=0, le=5)
    trade_percent: Decimal = Field(gt=0, le=2)
    split_percent: LegPercents
    pattern_percent: LegPercents
    lps_alone_score: float = Field(ge=0, le=100)

    activate_score: float = 85.0
    opposite_score: float = 70.0
    dormant_bars: dict[str, int] = DORMANT_BARS
    expire_bars: dict[str, int] = EXPIRE_BARS
    time_stop_bars: dict[str, int] = TIME_STOP_BARS

    @model_validator(mode="after")
    def _complete(self) -> Self:
        total = self.split_percent.spring + self.split_percent.sos + self.split_percent.lps
        if total != HUNDRED:
            raise ValueError(f"split_percent must sum to 100, was {total}")
        for name in ("dormant_bars", "expire_bars", "time_stop_bars"):
            table: dict[str, int] = getattr(self, name)
            for timeframe in TIMEFRAMES:
                if table.get(timeframe, 0) < 1:
                    raise ValueError(f"{name}.{timeframe} must be >= 1, was {table.get(timeframe)}")
        return self
