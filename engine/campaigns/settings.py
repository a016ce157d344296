"""What a campaign may risk and how long it may wait.

Everything that can lose money has no default. The bar counts are the recommended tables of the
field: no pattern for `dormant` bars, no event for `expire` bars, less than +1 R after `time_stop`.
"""

from decimal import Decimal
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from engine.instruments import ASSET_CLASSES
from engine.messages import Leg
from engine.timeframes import TIMEFRAMES

HUNDRED = Decimal(100)
NS_PER_SECOND = 1_000_000_000

DORMANT_BARS = {"1m": 24, "5m": 24, "15m": 24, "1h": 12, "4h": 6, "1d": 5, "1w": 3}
EXPIRE_BARS = {"1m": 96, "5m": 96, "15m": 96, "1h": 72, "4h": 42, "1d": 30, "1w": 12}
COOLDOWN_DAYS = {"stock": 5, "crypto": 3, "fx": 3, "future": 5}
"""Trading days without an entry after a loss by stop or broken structure (wyckoff.md 6.6)."""

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
    cooldown_days: dict[str, int] = COOLDOWN_DAYS
    # Legs held at once (6.1).
    max_positions: int = Field(default=5, ge=1, le=5)
    # Below this much of equity the rest of a campaign's budget is called low (5.5).
    low_budget_percent: Decimal = Field(default=Decimal(1), ge=0)
    # How long a venue may take to say anything of an entry before it counts as refused.
    answer_seconds: int = Field(default=60, ge=1)

    @property
    def answer_ns(self) -> int:
        return self.answer_seconds * NS_PER_SECOND

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
        for name in ASSET_CLASSES:
            if not self.cooldown_days.get(name, -1) >= 0:
                raise ValueError(f"cooldown_days.{name} must be >= 0, was {self.cooldown_days.get(name)}")
        return self
