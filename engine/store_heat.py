"""Heat over time for the read model: at most one point a minute of line time, and only where it has changed.

Crossings of the borders are messages of the line and are stored as such; these points lie between them, so that
a page can draw what led there. They decide nothing.
"""

from collections.abc import Callable
from typing import Final

import msgspec

from engine.messages import NEVER_NS, HeatState

MINUTE_NS: Final = 60 * 10**9
MOST_SAMPLES: Final = 20_000
"""Then the points lie twice as far apart from there on: a run of years has no more than some ten thousands."""

Heat = Callable[[], tuple[int | None, HeatState]]
"""Heat in basis points, None while it cannot be known."""


class HeatSample(msgspec.Struct, frozen=True):
    time_ns: int
    heat_bp: int


class HeatSampler:
    """`look` is told of line time as it moves; it asks for heat when another interval has begun."""

    def __init__(self, heat: Heat) -> None:
        self._heat = heat
        self._interval_ns = MINUTE_NS
        self._due_ns = NEVER_NS
        self._last_bp: int | None = None
        self._samples = 0

    def look(self, line_ns: int) -> HeatSample | None:
        """None where it is too early, or heat is what it was."""
        if line_ns < self._due_ns or line_ns <= 0:
            return None
        self._due_ns = (line_ns // self._interval_ns + 1) * self._interval_ns
        heat_bp, _ = self._heat()
        if heat_bp is None or heat_bp == self._last_bp:
            return None
        self._last_bp = heat_bp
        self._samples += 1
        if self._samples % MOST_SAMPLES == 0:
            self._interval_ns *= 2
        return HeatSample(line_ns, heat_bp)
