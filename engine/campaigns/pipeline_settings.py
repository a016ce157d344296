"""The limits of the pipeline, each with the section of the rule book that its number comes from."""

from datetime import datetime
from typing import Final, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from engine.instruments import ASSET_CLASSES

NS_PER_SECOND: Final = 1_000_000_000

COST_BP: Final = {"stock": 7.0, "crypto": 27.0, "fx": 3.0, "future": 3.0}
"""Both ways, of the entry price: half spread, impact at a participation of 5 %, and commission of
the paper book's model (wyckoff.md 8.1)."""

LOW_VOLUME: Final = {"stock": 0.70, "crypto": 0.85, "fx": 0.85, "future": 0.70}
"""wyckoff.md 9.4: where volume is ticks or partly washed, less of a fall is asked for."""

VOLATILE_RANK: Final = {"stock": 95.0, "crypto": 95.0, "fx": 90.0, "future": 95.0}


class Blackout(BaseModel):
    """No entries in [begin, end): earnings (24 h before them), news (1 h around it). Symbol "" is every one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    symbol: str = ""
    begin: AwareDatetime
    end: AwareDatetime

    @model_validator(mode="after")
    def _has_length(self) -> Self:
        if not self.begin < self.end:
            raise ValueError(f"end must be after begin, was {self.end.isoformat()}")
        return self

    def covers(self, symbol: str, time_ns: int) -> bool:
        return self.symbol in ("", symbol) and _ns(self.begin) <= time_ns < _ns(self.end)


class PipelineSettings(BaseModel):
    """Scores, confidences, strengths and ranks are 0..100, distances in ATR or percent of price, rewards
    in R net of costs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    # What passes its limit by this much or less is recorded: limits are tuned on near misses (7.1).
    near_percent: float = Field(default=5.0, ge=0, le=100)
    # Volume: a ratio this high is the feed's mistake; strict mode wants every spring on low volume.
    anomalous_volume_ratio: float = Field(default=5.0, gt=0)
    strict_low_volume: bool = False
    low_volume_ratio: dict[str, float] = LOW_VOLUME
    shakeout_entry: bool = False
    # Phase.
    min_confidence: float = Field(default=70.0, ge=0, le=100)
    sos_confidence: float = Field(default=75.0, ge=0, le=100)
    sos_confidence_in_c: float = Field(default=85.0, ge=0, le=100)
    # Levels (2.2 to 2.4).
    min_width_percent: float = Field(default=3.0, ge=0)  # of a daily range; times MULTIPLIER of shorter ones
    min_range_bars: int = Field(default=15, ge=1)
    min_quality: float = Field(default=70.0, ge=0, le=100)
    min_strength: float = Field(default=60.0, ge=0, le=100)
    # Risk (6.4, 6.5).
    nearest_stop_atr: float = Field(default=0.8, gt=0)
    farthest_stop_atr: float = Field(default=4.0, gt=0)
    farthest_stop_percent: float = Field(default=10.0, gt=0, le=100)
    spring_reward: float = Field(default=3.0, gt=0)
    sos_reward: float = Field(default=2.0, gt=0)
    lps_reward: float = Field(default=2.5, gt=0)
    round_trip_cost_bp: dict[str, float] = COST_BP
    # Strategy (6.6, 7.1): a spring is no trade where both ATR and volume stand this high among 250 bars.
    min_score: float = Field(default=70.0, ge=0, le=100)
    sos_entry: bool = False
    volatile_atr_rank: dict[str, float] = VOLATILE_RANK
    volatile_volume_rank: float = Field(default=85.0, ge=0, le=100)
    blackouts: tuple[Blackout, ...] = ()

    @model_validator(mode="after")
    def _one_of_every_class(self) -> Self:
        for name in ("round_trip_cost_bp", "low_volume_ratio", "volatile_atr_rank"):
            found: dict[str, float] = getattr(self, name)
            for asset_class in ASSET_CLASSES:
                if not found.get(asset_class, -1.0) >= 0:
                    raise ValueError(f"{name}.{asset_class} must be >= 0, was {found.get(asset_class)}")
        return self


def _ns(moment: datetime) -> int:
    return round(moment.timestamp()) * NS_PER_SECOND
