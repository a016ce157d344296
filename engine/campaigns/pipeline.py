"""The pipeline that every long entry passes: volume, phase, levels, risk, strategy.

Each stage is a list of checks in one table, each check one condition under which an entry is not
wanted (wyckoff.md 7.1), with its limit in the settings. The first that fails ends it and is told with
its stage, code, value and limit; nothing is ever upgraded. Size, heat, campaign and trade risk are the
gate's: it asks after these, on the account as it is then.
"""

from collections.abc import Callable
from enum import StrEnum
from math import isfinite
from typing import Final, Self

import msgspec
from pydantic import BaseModel, ConfigDict, Field, model_validator

from engine.instruments import ASSET_CLASSES
from engine.messages import Event, EventKind, Instrument, Leg, Phase
from engine.ports import Decline, Proposal
from engine.timeframes import MULTIPLIER, settings_of

ROUNDING: Final = 1e-9
"""Of a limit: prices are floats, and a stop put exactly at the limit must pass it."""

BREAKOUT_PHASES: Final = (Phase.D, Phase.E)
SPRINGS: Final = (EventKind.SPRING, EventKind.TEST)
BP: Final = 10_000

COST_BP: Final = {"stock": 7.0, "crypto": 27.0, "fx": 3.0, "future": 3.0}
"""Both ways, of the entry price: half spread, impact at a participation of 5 %, and commission of
the paper book's model (wyckoff.md 8.1)."""


class Stage(StrEnum):
    VOLUME = "VOLUME"
    PHASE = "PHASE"
    LEVELS = "LEVELS"
    RISK = "RISK"
    STRATEGY = "STRATEGY"


class PipelineSettings(BaseModel):
    """Scores and confidences are 0..100, distances in ATR or percent of price, rewards in R net of costs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    # Volume: a ratio this high is the feed's mistake; strict mode wants every spring on low volume.
    anomalous_volume_ratio: float = Field(default=5.0, gt=0)
    strict_low_volume: bool = False
    low_volume_ratio: float = Field(default=0.70, gt=0)
    shakeout_entry: bool = False
    # Phase.
    min_confidence: float = Field(default=70.0, ge=0, le=100)
    sos_confidence: float = Field(default=75.0, ge=0, le=100)
    sos_confidence_in_c: float = Field(default=85.0, ge=0, le=100)
    # Levels.
    min_width_percent: float = Field(default=3.0, ge=0)  # of a daily range; times MULTIPLIER of shorter ones
    min_range_bars: int = Field(default=15, ge=1)
    # Risk.
    nearest_stop_atr: float = Field(default=0.8, gt=0)
    farthest_stop_atr: float = Field(default=4.0, gt=0)
    farthest_stop_percent: float = Field(default=10.0, gt=0, le=100)
    spring_reward: float = Field(default=3.0, gt=0)
    sos_reward: float = Field(default=2.0, gt=0)
    lps_reward: float = Field(default=2.5, gt=0)
    round_trip_cost_bp: dict[str, float] = COST_BP
    # Strategy.
    min_score: float = Field(default=70.0, ge=0, le=100)
    sos_entry: bool = False

    @model_validator(mode="after")
    def _costs_of_every_class(self) -> Self:
        for name in ASSET_CLASSES:
            if not self.round_trip_cost_bp.get(name, -1.0) >= 0:
                raise ValueError(f"round_trip_cost_bp.{name} must be >= 0, was {self.round_trip_cost_bp.get(name)}")
        return self


class Case(msgspec.Struct, frozen=True):
    """An entry in question: what was seen, and the plan made of it. `entry` is the planned price,
    `target` the one that reward is measured to; a plan is only looked at once the event will do."""

    event: Event
    instrument: Instrument
    confidence: float
    proposal: Proposal
    entry: float
    target: float

    @property
    def is_spring(self) -> bool:
        return self.event.kind in SPRINGS

    @property
    def distance(self) -> float:
        return self.entry - self.proposal.stop


Check = Callable[[PipelineSettings, Case], Decline | None]


def judge(settings: PipelineSettings, case: Case) -> Decline | None:
    """The first check that fails, None where none does."""
    answers = (check(settings, case) for checks in PIPELINE.values() for check in checks)
    return next((one for one in answers if one is not None), None)


def stage_of(code: str) -> Stage:
    """The stage that a code belongs to. Raises KeyError for one that is not of this pipeline."""
    return STAGES[code]


# ------------------------------------------------------------------------------------------ volume


def _volume_missing(settings: PipelineSettings, case: Case) -> Decline | None:
    ratio = case.event.volume_ratio
    return None if isfinite(ratio) else Decline("VOL_MISSING", ratio, settings.anomalous_volume_ratio)


def _volume_anomalous(settings: PipelineSettings, case: Case) -> Decline | None:
    ratio, limit = case.event.volume_ratio, settings.anomalous_volume_ratio
    return Decline("VOL_ANOMALY", ratio, limit) if ratio >= limit else None


def _spring_loud(settings: PipelineSettings, case: Case) -> Decline | None:
    ratio, limit = case.event.volume_ratio, settings.low_volume_ratio
    strict = settings.strict_low_volume and case.event.kind is EventKind.SPRING
    return Decline("VOL_SPRING", ratio, limit) if strict and ratio >= limit else None


def _spring_untested(settings: PipelineSettings, case: Case) -> Decline | None:
    """Type 3 at once or on its test, type 2 on its test only, type 1 (a shakeout) by choice."""
    variant, tested = case.event.variant, case.event.kind is EventKind.TEST
    if not case.is_spring or variant == 3 or (tested and (variant == 2 or settings.shakeout_entry)):
        return None
    return Decline("SPRING_UNTESTED", float(variant), 3.0)


# ------------------------------------------------------------------------------------------- phase


def _phase_wrong(settings: PipelineSettings, case: Case) -> Decline | None:
    """Springs belong to C, what follows to D and E; a sign of strength may come in late C."""
    phase, kind = case.event.phase, case.event.kind
    if case.is_spring:
        return None if phase is Phase.C else Decline("PHASE_PATTERN", _ordinal(phase), _ordinal(Phase.C))
    in_time = phase in BREAKOUT_PHASES or (kind is EventKind.SOS and phase is Phase.C)
    return None if in_time else Decline("PHASE_PATTERN", _ordinal(phase), _ordinal(Phase.D))


def _phase_doubtful(settings: PipelineSettings, case: Case) -> Decline | None:
    needed = settings.min_confidence
    if case.event.kind is EventKind.SOS:
        needed = settings.sos_confidence_in_c if case.event.phase is Phase.C else settings.sos_confidence
    return Decline("PHASE_CONFIDENCE", case.confidence, needed) if case.confidence < needed else None


# ------------------------------------------------------------------------------------------ levels


def _range_narrow(settings: PipelineSettings, case: Case) -> Decline | None:
    event = case.event
    percent = 100.0 * (event.resistance - event.support) / abs(event.support) if event.support else 0.0
    least = settings.min_width_percent * MULTIPLIER[settings_of(event.timeframe)]
    return Decline("LEVEL_WIDTH", percent, least) if percent < least * (1.0 - ROUNDING) else None


def _range_young(settings: PipelineSettings, case: Case) -> Decline | None:
    bars, least = case.event.range_bars, settings.min_range_bars
    return Decline("LEVEL_DURATION", float(bars), float(least)) if bars < least else None


def _target_inside(settings: PipelineSettings, case: Case) -> Decline | None:
    target, top = case.target, case.event.resistance
    return Decline("LEVEL_TARGET", target, top) if target <= top else None


# -------------------------------------------------------------------------------------------- risk


def _stop_near(settings: PipelineSettings, case: Case) -> Decline | None:
    nearest = settings.nearest_stop_atr * case.event.atr * (1.0 - ROUNDING)
    return Decline("RISK_STOP_NEAR", case.distance, nearest) if case.distance < nearest else None


def _stop_far(settings: PipelineSettings, case: Case) -> Decline | None:
    of_price = settings.farthest_stop_percent / 100.0 * abs(case.entry)
    farthest = min(of_price, settings.farthest_stop_atr * case.event.atr) * (1.0 + ROUNDING)
    return Decline("RISK_STOP_FAR", case.distance, farthest) if case.distance > farthest else None


def _reward_small(settings: PipelineSettings, case: Case) -> Decline | None:
    """Net of costs: they come off the reward and onto the risk."""
    rewards = {Leg.SPRING: settings.spring_reward, Leg.SOS: settings.sos_reward, Leg.LPS: settings.lps_reward}
    least = rewards[case.proposal.leg]
    costs = abs(case.entry) * settings.round_trip_cost_bp[case.instrument.asset_class] / BP
    multiple = net_reward(case.target - case.entry, case.distance, costs)
    return Decline("RR_MIN", multiple, least) if multiple < least * (1.0 - ROUNDING) else None


def net_reward(reward: float, risk: float, costs: float) -> float:
    """R net of costs, all three in price. `risk + costs` must be > 0."""
    return (reward - costs) / (risk + costs)


# ---------------------------------------------------------------------------------------- strategy


def _score_low(settings: PipelineSettings, case: Case) -> Decline | None:
    score, least = case.event.score, settings.min_score
    return Decline("STRAT_SCORE", score, least) if score < least else None


def _sos_off(settings: PipelineSettings, case: Case) -> Decline | None:
    off = case.event.kind is EventKind.SOS and not settings.sos_entry
    return Decline("STRAT_SOS_OFF", 0.0, 1.0) if off else None


def _ordinal(phase: Phase) -> float:
    return float(tuple(Phase).index(phase))


PIPELINE: Final[dict[Stage, tuple[Check, ...]]] = {
    Stage.VOLUME: (_volume_missing, _volume_anomalous, _spring_loud, _spring_untested),
    Stage.PHASE: (_phase_wrong, _phase_doubtful),
    Stage.LEVELS: (_range_narrow, _range_young, _target_inside),
    Stage.RISK: (_stop_near, _stop_far, _reward_small),
    Stage.STRATEGY: (_score_low, _sos_off),
}

STAGES: Final = {
    "VOL_MISSING": Stage.VOLUME, "VOL_ANOMALY": Stage.VOLUME, "VOL_SPRING": Stage.VOLUME,
    "SPRING_UNTESTED": Stage.VOLUME, "PHASE_PATTERN": Stage.PHASE, "PHASE_CONFIDENCE": Stage.PHASE,
    "LEVEL_WIDTH": Stage.LEVELS, "LEVEL_DURATION": Stage.LEVELS, "LEVEL_TARGET": Stage.LEVELS,
    "RISK_STOP_NEAR": Stage.RISK, "RISK_STOP_FAR": Stage.RISK, "RR_MIN": Stage.RISK,
    "STRAT_SCORE": Stage.STRATEGY, "STRAT_SOS_OFF": Stage.STRATEGY,
}  # fmt: skip
