"""The campaign strategy: buy the spring or its test, and the last point of support; SOS optional.

Entries are stops or marketable limits with a worst price, stops lie under the structure that
gives the trade its reason, targets are range widths. It proposes only where reward pays for
risk, and reads nothing but the moment it is given.
"""

from collections.abc import Iterable, Mapping
from math import isfinite

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from engine.blocks import Bars
from engine.messages import Event, EventKind, Leg, OrderKind, Phase
from engine.ports import Decline, Moment, Proposal

WORST_ATR = 0.5
"""How far beyond the planned entry a fill may be, in ATR."""

NEAREST_STOP_ATR = 0.8
FARTHEST_STOP_ATR = 4.0
FARTHEST_STOP_FRACTION = 0.10

CAUSE_BARS = 25
"""A range this old may be credited with two widths of travel from a spring."""

BREAKOUT_PHASES = (Phase.D, Phase.E)
BOUGHT = (EventKind.SPRING, EventKind.TEST, EventKind.SOS, EventKind.LPS)

ROUNDING = 1e-9
"""Of a limit: prices are floats, and a stop put exactly at the limit must pass it."""

NO_TRIGGER = float("nan")


class WyckoffBmadSettings(BaseModel):
    """Scores and confidences are 0..100; `*_valid_bars` bound how long an entry may work."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    min_score: float = Field(default=70.0, ge=0, le=100)
    min_confidence: float = Field(default=70.0, ge=0, le=100)
    sos_confidence: float = Field(default=75.0, ge=0, le=100)
    sos_confidence_in_c: float = Field(default=85.0, ge=0, le=100)
    sos_entry: bool = False
    shakeout_entry: bool = False
    spring_reward: float = Field(default=3.0, gt=0)
    sos_reward: float = Field(default=2.0, gt=0)
    lps_reward: float = Field(default=2.5, gt=0)
    spring_valid_bars: int = Field(default=3, ge=1)
    breakout_valid_bars: int = Field(default=2, ge=1)


def build(settings: Mapping[str, object]) -> "WyckoffBmad":
    """From its TOML table. Raises pydantic's ValidationError on an unknown key."""
    return WyckoffBmad(WyckoffBmadSettings.model_validate(settings))


class WyckoffBmad:
    name = "wyckoff_bmad"

    def __init__(self, settings: WyckoffBmadSettings) -> None:
        self._settings = settings

    def marks(self, bars: Bars) -> npt.NDArray[np.bool_]:
        return np.zeros(len(bars), np.bool_)

    def propose(self, moment: Moment) -> Iterable[Proposal | Decline]:
        event = moment.event
        if event is None or event.direction != 1 or event.kind not in BOUGHT or not _measured(event):
            return
        failed = self._failed(moment, event)
        if failed is not None:
            yield failed
        elif event.kind is EventKind.SOS:
            yield self._breakout(Leg.SOS, event, event.resistance - event.atr)
        elif event.kind is EventKind.LPS:
            under_low = event.price - 0.5 * event.atr
            yield self._breakout(Leg.LPS, event, min(under_low, event.close - NEAREST_STOP_ATR * event.atr))
        else:
            yield self._spring(moment, event)

    def _failed(self, moment: Moment, event: Event) -> Decline | None:
        """The first gate that the event does not pass, cheapest and most telling first."""
        wanted = self._settings
        if event.score < wanted.min_score:
            return Decline("SCORE", event.score, wanted.min_score)
        needed = self._confidence_needed(event)
        if moment.confidence < needed:
            return Decline("CONFIDENCE", moment.confidence, needed)
        if event.kind is EventKind.SOS and not wanted.sos_entry:
            return Decline("SOS_ENTRY_OFF", 0.0, 1.0)
        if event.kind in (EventKind.SPRING, EventKind.TEST):
            return self._spring_failed(event)
        in_time = event.phase in BREAKOUT_PHASES or (event.kind is EventKind.SOS and event.phase is Phase.C)
        return None if in_time else Decline("PHASE", _ordinal(event.phase), _ordinal(Phase.D))

    def _spring_failed(self, event: Event) -> Decline | None:
        if event.phase is not Phase.C:
            return Decline("PHASE", _ordinal(event.phase), _ordinal(Phase.C))
        return None if self._may_buy_spring(event) else Decline("SPRING_UNTESTED", float(event.variant), 3.0)

    def _confidence_needed(self, event: Event) -> float:
        if event.kind is not EventKind.SOS:
            return self._settings.min_confidence
        return self._settings.sos_confidence_in_c if event.phase is Phase.C else self._settings.sos_confidence

    def _may_buy_spring(self, event: Event) -> bool:
        """Type 3 at once or on its test, type 2 on its test only, type 1 (a shakeout) by choice."""
        tested = event.kind is EventKind.TEST
        return event.variant == 3 or (tested and (event.variant == 2 or self._settings.shakeout_entry))

    def _spring(self, moment: Moment, event: Event) -> Proposal | Decline:
        """Above the high of the bar that confirmed it, stopped out under the low of the spring."""
        trigger = event.high + float(moment.instrument.tick)
        width = event.resistance - event.support
        targets = (event.resistance, event.resistance + width, event.resistance + 2 * width)
        if event.kind is EventKind.SPRING:
            stop = event.price - max(0.25 * event.atr, 0.002 * abs(event.price))
        else:
            low = moment.spring_low if isfinite(moment.spring_low) else event.support
            stop = min(low, event.price) - 0.25 * event.atr
        measured = targets[2] if event.range_bars >= CAUSE_BARS else targets[1]
        proposal = Proposal(
            leg=Leg.SPRING,
            kind=OrderKind.STOP_LIMIT,
            trigger=trigger,
            worst=trigger + WORST_ATR * event.atr,
            stop=stop,
            targets=targets,
            score=event.score,
            valid_bars=self._settings.spring_valid_bars,
            reason=f"{event.kind} of a type {event.variant} spring at {event.price:.10g}",
        )
        return _paying(proposal, trigger, measured, (self._settings.spring_reward, event.atr))

    def _breakout(self, leg: Leg, event: Event, stop: float) -> Proposal | Decline:
        """At the next row, no worse than half an ATR above the close that confirmed it."""
        width = event.resistance - event.support
        first, second, third = (event.resistance + count * width for count in (1, 2, 3))
        least = self._settings.sos_reward if leg is Leg.SOS else self._settings.lps_reward
        proposal = Proposal(
            leg=leg,
            kind=OrderKind.LIMIT,
            trigger=NO_TRIGGER,
            worst=event.close + WORST_ATR * event.atr,
            stop=stop,
            targets=(first, second, third),
            score=event.score,
            valid_bars=self._settings.breakout_valid_bars,
            reason=f"{event.kind} at {event.price:.10g}",
        )
        return _paying(proposal, event.close, first, (least, event.atr))


def _measured(event: Event) -> bool:
    """Everything a plan is made of is there, and the range has a width."""
    numbers = (event.price, event.score, event.support, event.resistance, event.high, event.close, event.atr)
    return all(isfinite(number) for number in numbers) and event.atr > 0 and event.resistance > event.support


def _paying(proposal: Proposal, entry: float, target: float, needed: tuple[float, float]) -> Proposal | Decline:
    """The proposal, or why its geometry does not do. `needed` is (reward over risk, ATR).

    Reward over risk is taken at the planned entry; the stop may be neither in the noise nor so
    far away that the size comes to nothing.
    """
    least, atr = needed
    distance = entry - proposal.stop
    nearest = NEAREST_STOP_ATR * atr * (1.0 - ROUNDING)
    farthest = min(FARTHEST_STOP_FRACTION * abs(entry), FARTHEST_STOP_ATR * atr) * (1.0 + ROUNDING)
    if distance < nearest:
        return Decline("STOP_NEAR", distance, nearest)
    if distance > farthest:
        return Decline("STOP_FAR", distance, farthest)
    if target - entry < least * distance:
        return Decline("REWARD", (target - entry) / distance, least)
    return proposal


def _ordinal(phase: Phase) -> float:
    return float(tuple(Phase).index(phase))
