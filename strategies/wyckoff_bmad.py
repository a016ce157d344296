"""The campaign strategy: buy the spring or its test, and the last point of support; SOS optional.

Entries are stops or marketable limits with a worst price, stops lie under the structure that
gives the trade its reason, targets are range widths. What it plans goes through the pipeline; it
reads nothing but the moment it is given.
"""

from collections.abc import Iterable, Mapping
from math import isfinite

import msgspec
import numpy as np
import numpy.typing as npt
from pydantic import Field

from engine.blocks import Bars
from engine.campaigns.pipeline import Case, PipelineSettings, judge
from engine.messages import Event, EventKind, Leg, OrderKind
from engine.ports import Decline, Moment, Proposal

WORST_ATR = 0.5
"""How far beyond the planned entry a fill may be, in ATR."""

NEAREST_STOP_ATR = 0.8
"""How near a backup's stop may lie; nearer structure is given more room."""

CAUSE_BARS = 25
"""A range this old may be credited with two widths of travel from a spring."""

BOUGHT = (EventKind.SPRING, EventKind.TEST, EventKind.SOS, EventKind.LPS)

NO_TRIGGER = float("nan")

UNMEASURED = Decline("DATA_EVENT", 0.0, 1.0, "DATA")
"""Of an event that lacks a number which a plan is made of."""


class WyckoffBmadSettings(PipelineSettings):
    """The limits of the pipeline, and how many bars an entry may work."""

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
        if event is None or event.direction != 1 or event.kind not in BOUGHT:
            return
        if not _measured(event):
            yield UNMEASURED
            return
        proposal, entry, target = self._plan(moment, event)
        found = judge(self._settings, Case(event, moment, proposal, entry, target))
        yield found.failed or msgspec.structs.replace(proposal, cautions=found.cautions)

    def _plan(self, moment: Moment, event: Event) -> tuple[Proposal, float, float]:
        """A proposal, the price it plans to pay, and the target that has to pay for its risk."""
        if event.kind is EventKind.SOS:
            return self._breakout(Leg.SOS, event, event.resistance - event.atr)
        if event.kind is EventKind.LPS:
            under_low = event.price - 0.5 * event.atr
            return self._breakout(Leg.LPS, event, min(under_low, event.close - NEAREST_STOP_ATR * event.atr))
        return self._spring(moment, event)

    def _spring(self, moment: Moment, event: Event) -> tuple[Proposal, float, float]:
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
        return proposal, trigger, measured

    def _breakout(self, leg: Leg, event: Event, stop: float) -> tuple[Proposal, float, float]:
        """At the next row, no worse than half an ATR above the close that confirmed it."""
        width = event.resistance - event.support
        first, second, third = (event.resistance + count * width for count in (1, 2, 3))
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
        return proposal, event.close, first


def _measured(event: Event) -> bool:
    """Everything a plan is made of is there, and the range has a width."""
    numbers = (event.price, event.score, event.support, event.resistance, event.high, event.close, event.atr)
    return all(isfinite(number) for number in numbers) and event.atr > 0 and event.resistance > event.support
