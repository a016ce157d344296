"""From prices and times to places on a page: round ticks, linear or logarithmic, calendar borders."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, floor, isfinite, log, log10

import numpy as np

from engine.blocks import Int64

LOG_FROM, LOG_TO = 2.5, 1e6
"""A span of prices whose top is so many times its bottom is drawn on a logarithmic scale."""

MOST_TIME_TICKS = 9
MOST_DECIMALS = 8

UNITS = ("Y", "M", "D", "h", "m", "s")
"""Of NumPy, longest first."""

STEPS = {"Y": (1, 2, 5, 10, 25), "M": (1, 3, 6), "D": (1, 2, 7, 14), "h": (1, 2, 6, 12), "m": (1, 5, 15, 30), "s": (1,)}

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True, slots=True)
class Scale:
    """Values [low, high] on the way from `bottom` to `top`, in units of the page (y grows downward)."""

    low: float
    high: float
    bottom: float
    top: float
    is_log: bool = False

    def __call__(self, value: float) -> float:
        low, high = (log(self.low), log(self.high)) if self.is_log else (self.low, self.high)
        at = log(max(value, self.low * 1e-6)) if self.is_log else value
        return self.bottom + (at - low) / (high - low) * (self.top - self.bottom)

    def holds(self, value: float) -> bool:
        return self.low <= value <= self.high


def scale(values: Sequence[float], bottom: float, top: float, *, may_log: bool = True, pad: float = 0.06) -> Scale:
    """One that holds all finite `values` with some room on both sides."""
    finite = [one for one in values if isfinite(one)] or [0.0, 1.0]
    low, high = min(finite), max(finite)
    if may_log and low > 0 and LOG_FROM < high / low < LOG_TO:
        room = (high / low) ** pad
        return Scale(low / room, high * room, bottom, top, is_log=True)
    room = (high - low) * pad if high > low else abs(high) * 0.01 or 1.0
    return Scale(low - room, high + room, bottom, top)


def ticks(axis: Scale, most: int = 7) -> list[float]:
    """Round values inside, nearest first to the bottom."""
    return _log_ticks(axis, most) if axis.is_log else _linear_ticks(axis, most)


def decimals(values: Sequence[float]) -> int:
    """As many as each tick has, at least as many as tell neighbours apart."""
    steps = [abs(b - a) for a, b in pairwise(values) if b != a]
    if not steps:
        return 2
    least = max(0, -floor(log10(min(steps)) + 1e-9))
    exact = (
        places
        for places in range(least, MOST_DECIMALS)
        if all(abs(value - round(value, places)) < min(steps) * 1e-6 for value in values)
    )
    return next(exact, MOST_DECIMALS)


def _linear_ticks(axis: Scale, most: int) -> list[float]:
    step = _round_step((axis.high - axis.low) / most)
    first = ceil(axis.low / step - 1e-9)
    last = floor(axis.high / step + 1e-9)
    return [round(place * step, 10) for place in range(first, last + 1)]


def _log_ticks(axis: Scale, most: int) -> list[float]:
    for leads in ((1, 1.5, 2, 3, 4, 5, 7), (1, 2, 3, 5), (1, 2, 5), (1, 3), (1,)):
        found = [
            lead * 10.0**power
            for power in range(floor(log10(axis.low)) - 1, ceil(log10(axis.high)) + 1)
            for lead in leads
        ]
        inside = sorted(value for value in found if axis.holds(value))
        if len(inside) <= most:
            return inside if len(inside) > 1 else _linear_ticks(Scale(axis.low, axis.high, 0, 1), most)
    return [value for place, value in enumerate(inside) if place % (len(inside) // most + 1) == 0]


def _round_step(step: float) -> float:
    power = 10.0 ** floor(log10(step))
    return next(lead * power for lead in (1, 2, 2.5, 5, 10) if lead * power >= step * (1 - 1e-9))


def time_ticks(open_ns: Int64, most: int = MOST_TIME_TICKS) -> list[tuple[int, str]]:
    """(place, label) of the bars that begin a new calendar interval; UTC."""
    if not len(open_ns):
        return []
    stamps = open_ns.astype("datetime64[ns]")
    found: list[tuple[int, str]] = [(0, _label(stamps[0], "D"))]
    for unit in UNITS:
        whole = stamps.astype(f"datetime64[{unit}]").astype(np.int64)
        for step in reversed(STEPS[unit]):
            borders = np.flatnonzero(np.diff(whole // step)) + 1
            if len(borders) > most:
                return found
            if len(borders) >= 2:
                found = [(int(place), _label(stamps[place], unit)) for place in borders]
    return found


def _label(stamp: np.datetime64, unit: str) -> str:
    text = str(stamp.astype("datetime64[s]"))
    year, month, day, clock = text[:4], MONTHS[int(text[5:7]) - 1], text[8:10], text[11:]
    return {
        "Y": year, "M": month if text[5:7] != "01" else year, "D": f"{int(day)} {month}",
        "h": f"{int(day)} {month} {clock[:5]}", "m": clock[:5], "s": clock,
    }[unit]  # fmt: skip
