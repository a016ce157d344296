"""Measured moves of a range (rule book 2.6): what a breakout aims at, widths and the figure count.

A spring's first target is the level it must cross; each further one is a width beyond. The farthest
is capped by the point-and-figure count, but never nearer than two widths.
"""

from math import isnan
from typing import NamedTuple

from engine.messages import Event, EventKind

CAUSE_BARS = 25
"""A range this old may be credited with two widths of travel from a spring."""
BEFORE_BREAKOUT = (EventKind.SPRING, EventKind.TEST)


class Targets(NamedTuple):
    """Prices in the direction of the event: the crossed level, one, two and up to three widths beyond it."""

    level: float
    first: float
    second: float
    stretch: float


def targets(event: Event) -> Targets:
    """NaN throughout where the event's range has no levels yet."""
    side, width = event.direction, event.resistance - event.support
    level = event.resistance if side > 0 else event.support
    second = level + side * 2 * width
    third = level + side * 3 * width
    if not isnan(event.objective):
        third = side * max(side * second, min(side * third, side * event.objective))
    return Targets(level, level + side * width, second, third)


def measured_target(event: Event) -> float:
    """The target that reward is weighed by: two widths for a spring out of a range of 25 bars, else one."""
    found = targets(event)
    has_cause = event.kind in BEFORE_BREAKOUT and event.range_bars >= CAUSE_BARS
    return found.second if has_cause else found.first
