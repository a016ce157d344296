"""Every check of the pipeline: one condition each, from the numbers of an event and the plan made of it.

A check gives what it measured and its limit, or None where it has nothing to say about the entry.
The rule book's sections 4.7, 6.4, 6.5 and 7.1 are where they come from.
"""

from math import isfinite, isnan
from typing import Final

import msgspec

from engine.campaigns.pipeline_settings import PipelineSettings
from engine.campaigns.readings import Reading, at_least, at_most, below, unless
from engine.messages import Event, EventKind, Instrument, Leg, Phase
from engine.ports import Moment, Proposal
from engine.timeframes import DAY_NS, LENGTH_NS, MULTIPLIER, settings_of

BREAKOUT_PHASES: Final = (Phase.D, Phase.E)
SPRINGS: Final = (EventKind.SPRING, EventKind.TEST)
BP: Final = 10_000
ORDINALS: Final = {phase: float(number) for number, phase in enumerate(Phase)}

CAUSE_NEAR, CAUSE_FAR = 0.8, 2.0
"""A target should lie between these shares of the way that the point-and-figure count gives."""


class Case(msgspec.Struct, frozen=True):
    """An entry in question: what was seen, and the plan made of it. `entry` is the planned price,
    `target` the one that reward is measured to; a plan is only looked at once the event will do."""

    event: Event
    moment: Moment
    proposal: Proposal
    entry: float
    target: float

    @property
    def instrument(self) -> Instrument:
        return self.moment.instrument

    @property
    def is_spring(self) -> bool:
        return self.event.kind in SPRINGS

    @property
    def confidence(self) -> float:
        """That of the phase of the event's own range, where the detector gives one."""
        own = self.event.phase_confidence
        return self.moment.confidence if isnan(own) else own

    @property
    def distance(self) -> float:
        return self.entry - self.proposal.stop


def net_reward(reward: float, risk: float, costs: float) -> float:
    """R net of costs, all three in price. `risk + costs` must be > 0."""
    return (reward - costs) / (risk + costs)


# ------------------------------------------------------------------------------------------ volume


def volume_missing(settings: PipelineSettings, case: Case) -> Reading:
    ratio = case.event.volume_ratio
    return unless("VOL_MISSING", not isfinite(ratio), ratio, settings.anomalous_volume_ratio)


def volume_anomalous(settings: PipelineSettings, case: Case) -> Reading | None:
    """A stock's day may be like that after earnings: there it is only said (1.7)."""
    return None if _is_day_of_stock(case) else _anomaly(settings, case)


def volume_unusual(settings: PipelineSettings, case: Case) -> Reading | None:
    return _anomaly(settings, case) if _is_day_of_stock(case) else None


def _anomaly(settings: PipelineSettings, case: Case) -> Reading:
    return below("VOL_ANOMALY", case.event.volume_ratio, settings.anomalous_volume_ratio)


def _is_day_of_stock(case: Case) -> bool:
    return case.instrument.asset_class == "stock" and LENGTH_NS[settings_of(case.event.timeframe)] >= DAY_NS


def spring_loud(settings: PipelineSettings, case: Case) -> Reading | None:
    if not settings.strict_low_volume or case.event.kind is not EventKind.SPRING:
        return None
    return below("VOL_SPRING", case.event.volume_ratio, settings.low_volume_ratio[case.instrument.asset_class])


def test_loud(settings: PipelineSettings, case: Case) -> Reading | None:
    """A test on the volume of its spring meets supply."""
    of_spring = case.moment.spring_volume_ratio
    if case.event.kind is not EventKind.TEST or isnan(of_spring):
        return None
    return below("VOL_TEST", case.event.volume_ratio, of_spring)


def spring_untested(settings: PipelineSettings, case: Case) -> Reading | None:
    """Type 3 at once or on its test, type 2 on its test only, type 1 (a shakeout) by choice."""
    variant, tested = case.event.variant, case.event.kind is EventKind.TEST
    if not case.is_spring:
        return None
    passes = variant == 3 or (tested and (variant == 2 or settings.shakeout_entry))
    return unless("SPRING_UNTESTED", not passes, float(variant), 3.0)


# ------------------------------------------------------------------------------------------- phase


def phase_wrong(settings: PipelineSettings, case: Case) -> Reading:
    """Springs belong to C, what follows to D and E; a sign of strength may come in late C. Nothing is
    bought in A, or in B: how long B must last before C or D is the detector's to say."""
    phase, kind = case.event.phase, case.event.kind
    if case.is_spring:
        return unless("PHASE_PATTERN", phase is not Phase.C, _ordinal(phase), _ordinal(Phase.C))
    in_time = phase in BREAKOUT_PHASES or (kind is EventKind.SOS and phase is Phase.C)
    return unless("PHASE_PATTERN", not in_time, _ordinal(phase), _ordinal(Phase.D))


def phase_doubtful(settings: PipelineSettings, case: Case) -> Reading:
    needed = settings.min_confidence
    if case.event.kind is EventKind.SOS:
        needed = settings.sos_confidence_in_c if case.event.phase is Phase.C else settings.sos_confidence
    return at_least("PHASE_CONFIDENCE", case.confidence, needed)


def alone(settings: PipelineSettings, case: Case) -> Reading:
    """Every event that is traded follows another of its range."""
    return unless("PHASE_PREREQUISITE", not case.event.follows, float(bool(case.event.follows)), 1.0)


def strength_in_c(settings: PipelineSettings, case: Case) -> Reading | None:
    if case.event.kind is not EventKind.SOS:
        return None
    return unless("PHASE_LATE_C", case.event.phase is Phase.C, _ordinal(case.event.phase), _ordinal(Phase.D))


# ------------------------------------------------------------------------------------------ levels


def range_narrow(settings: PipelineSettings, case: Case) -> Reading:
    event = case.event
    percent = 100.0 * (event.resistance - event.support) / abs(event.support) if event.support else 0.0
    return at_least("LEVEL_WIDTH", percent, settings.min_width_percent * MULTIPLIER[settings_of(event.timeframe)])


def range_young(settings: PipelineSettings, case: Case) -> Reading:
    return at_least("LEVEL_DURATION", float(case.event.range_bars), float(settings.min_range_bars))


def range_poor(settings: PipelineSettings, case: Case) -> Reading:
    return at_least("LEVEL_QUALITY", case.event.quality, settings.min_quality)


def level_weak(settings: PipelineSettings, case: Case) -> Reading:
    """The level that the entry leans on: support under a spring, the old resistance under the rest."""
    event = case.event
    strength = event.support_strength if case.is_spring else event.resistance_strength
    return at_least("LEVEL_STRENGTH", strength, settings.min_strength)


def other_level_weak(settings: PipelineSettings, case: Case) -> Reading:
    event = case.event
    strength = event.resistance_strength if case.is_spring else event.support_strength
    return at_least("LEVEL_OTHER", strength, settings.min_strength)


def target_inside(settings: PipelineSettings, case: Case) -> Reading:
    target, top = case.target, case.event.resistance
    return unless("LEVEL_TARGET", not target > top, target, top)


def target_beyond_cause(settings: PipelineSettings, case: Case) -> Reading | None:
    move, cause = _way(case)
    return at_most("LEVEL_CAUSE_FAR", move, CAUSE_FAR * cause) if cause > 0 else None


def target_short_of_cause(settings: PipelineSettings, case: Case) -> Reading | None:
    move, cause = _way(case)
    return at_least("LEVEL_CAUSE_NEAR", move, CAUSE_NEAR * cause) if cause > 0 else None


def _way(case: Case) -> tuple[float, float]:
    """How far the target, and how far the count says, lies above the range. NaN where there is none."""
    top = case.event.resistance
    return case.target - top, case.event.objective - top


# -------------------------------------------------------------------------------------------- risk


def stop_near(settings: PipelineSettings, case: Case) -> Reading:
    return at_least("RISK_STOP_NEAR", case.distance, settings.nearest_stop_atr * case.event.atr)


def stop_far(settings: PipelineSettings, case: Case) -> Reading:
    of_price = settings.farthest_stop_percent / 100.0 * abs(case.entry)
    return at_most("RISK_STOP_FAR", case.distance, min(of_price, settings.farthest_stop_atr * case.event.atr))


def reward_small(settings: PipelineSettings, case: Case) -> Reading:
    """Net of costs: they come off the reward and onto the risk."""
    rewards = {Leg.SPRING: settings.spring_reward, Leg.SOS: settings.sos_reward, Leg.LPS: settings.lps_reward}
    costs = abs(case.entry) * settings.round_trip_cost_bp[case.instrument.asset_class] / BP
    multiple = net_reward(case.target - case.entry, case.distance, costs)
    return at_least("RR_MIN", multiple, rewards[case.proposal.leg])


# ---------------------------------------------------------------------------------------- strategy


def score_low(settings: PipelineSettings, case: Case) -> Reading:
    return at_least("STRAT_SCORE", case.event.score, settings.min_score)


def sos_off(settings: PipelineSettings, case: Case) -> Reading | None:
    if case.event.kind is not EventKind.SOS:
        return None
    return unless("STRAT_SOS_OFF", not settings.sos_entry, float(settings.sos_entry), 1.0)


def too_volatile(settings: PipelineSettings, case: Case) -> Reading | None:
    """A spring in extreme volatility is a fall that has not ended. Unknown before 250 bars."""
    moment, limit = case.moment, settings.volatile_atr_rank[case.instrument.asset_class]
    if not case.is_spring or not moment.volume_rank >= settings.volatile_volume_rank or isnan(moment.atr_rank):
        return None
    return below("STRAT_VOLATILE", moment.atr_rank, limit)


def blacked_out(settings: PipelineSettings, case: Case) -> Reading | None:
    if not settings.blackouts:
        return None
    moment = case.moment
    found = any(one.covers(moment.instrument.symbol, moment.decision_ns) for one in settings.blackouts)
    return unless("STRAT_BLACKOUT", found, float(found), 0.0)


def _ordinal(phase: Phase) -> float:
    return ORDINALS[phase]
