"""The pipeline that every long entry passes: volume, phase, levels, risk, strategy.

Each stage is a list of checks in one table, each check one condition under which an entry is not
wanted (wyckoff.md 7.1), with its limit in the settings. The first that fails ends it and is told with
its stage, code, value and limit; what passes by little, and what speaks against an entry without
refusing it, is told too. Nothing is ever upgraded. Size, heat, campaign and trade risk are the
gate's: it asks after these, on the account as it is then.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import Final

import msgspec

from engine.campaigns import checks
from engine.campaigns.checks import Case, net_reward
from engine.campaigns.pipeline_settings import Blackout, PipelineSettings
from engine.campaigns.readings import Reading
from engine.ports import Decline


class Stage(StrEnum):
    VOLUME = "VOLUME"
    PHASE = "PHASE"
    LEVELS = "LEVELS"
    RISK = "RISK"
    STRATEGY = "STRATEGY"


Check = Callable[[PipelineSettings, Case], Reading | None]

PIPELINE: Final[dict[Stage, tuple[Check, ...]]] = {
    Stage.VOLUME: (
        checks.volume_missing, checks.volume_anomalous, checks.spring_loud, checks.test_loud, checks.spring_untested,
    ),
    Stage.PHASE: (checks.phase_wrong, checks.phase_doubtful, checks.alone),
    Stage.LEVELS: (
        checks.range_narrow, checks.range_young, checks.range_poor, checks.level_weak, checks.target_inside,
    ),
    Stage.RISK: (checks.stop_near, checks.stop_far, checks.reward_small),
    Stage.STRATEGY: (checks.score_low, checks.sos_off, checks.too_volatile, checks.blacked_out),
}  # fmt: skip
"""What refuses an entry."""

CAUTIONS: Final[dict[Stage, tuple[Check, ...]]] = {
    Stage.VOLUME: (checks.volume_unusual,),
    Stage.PHASE: (checks.strength_in_c,),
    Stage.LEVELS: (checks.other_level_weak, checks.target_beyond_cause, checks.target_short_of_cause),
}
"""What speaks against an entry and does not refuse it."""

STAGES: Final = {
    "VOL_MISSING": Stage.VOLUME, "VOL_ANOMALY": Stage.VOLUME, "VOL_SPRING": Stage.VOLUME, "VOL_TEST": Stage.VOLUME,
    "SPRING_UNTESTED": Stage.VOLUME, "PHASE_PATTERN": Stage.PHASE,
    "PHASE_CONFIDENCE": Stage.PHASE, "PHASE_PREREQUISITE": Stage.PHASE,
    "LEVEL_WIDTH": Stage.LEVELS, "LEVEL_DURATION": Stage.LEVELS, "LEVEL_QUALITY": Stage.LEVELS,
    "LEVEL_STRENGTH": Stage.LEVELS, "LEVEL_TARGET": Stage.LEVELS,
    "RISK_STOP_NEAR": Stage.RISK, "RISK_STOP_FAR": Stage.RISK, "RR_MIN": Stage.RISK,
    "STRAT_SCORE": Stage.STRATEGY, "STRAT_SOS_OFF": Stage.STRATEGY, "STRAT_VOLATILE": Stage.STRATEGY,
    "STRAT_BLACKOUT": Stage.STRATEGY,
}  # fmt: skip
"""Of every code that refuses."""


class Judgement(msgspec.Struct, frozen=True):
    """`failed` ended the pipeline, None where nothing did; `cautions` came up before that."""

    failed: Decline | None
    cautions: tuple[Decline, ...]


def judge(settings: PipelineSettings, case: Case) -> Judgement:
    cautions: list[Decline] = []
    for stage, wanted in PIPELINE.items():
        for check in wanted:
            reading = check(settings, case)
            if reading is None:
                continue
            if reading.failed:
                return Judgement(reading.decline(stage), tuple(cautions))
            if reading.is_near(settings.near_percent):
                cautions.append(reading.decline(stage))
        against = (check(settings, case) for check in CAUTIONS.get(stage, ()))
        cautions += [one.decline(stage) for one in against if one is not None and one.failed]
    return Judgement(None, tuple(cautions))


def stage_of(code: str) -> Stage:
    """The stage that a code belongs to. Raises KeyError for one that is not of this pipeline."""
    return STAGES[code]


__all__ = [
    "Blackout", "Case", "Judgement", "PIPELINE", "CAUTIONS", "PipelineSettings", "STAGES", "Stage", "judge",
    "net_reward", "stage_of",
]  # fmt: skip
