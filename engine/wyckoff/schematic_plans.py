"""Plans of Wyckoff schematics: where price goes, leg by leg, and what volume and spread say there.

Heights are in mean bar ranges (ATR) above support, so that a plan has no price and no direction: a
distribution is an accumulation turned upside down. Every number is drawn wide; what a plan promises
is only the order of its events (wyckoff.md 3.13) and the signs of its volume.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from engine.messages import EventKind

Draw = np.random.Generator


class Leg(NamedTuple):
    """Bars that lead to a height. `volume` and `spread` are multiples of the series' own means.

    With an `event` the last bar is its bar: it reaches `end` with its low (`at_low`) or its high,
    and closes at `close_position` of its range; `peak_volume` and `peak_spread` are its own.
    """

    end: float
    bars: int
    volume: float = 1.0
    spread: float = 1.0
    event: EventKind | None = None
    at_low: bool = True
    close_position: float = 0.5
    peak_volume: float = 1.0
    peak_spread: float = 1.0


class Plan(NamedTuple):
    """`width` is the height of resistance. `first` is the leg whose end opens the range."""

    legs: tuple[Leg, ...]
    width: float
    first: int


def accumulation(draw: Draw, bars: int) -> Plan:
    """Schematic #1: PS, SC, AR, STs, spring, test, SOS, LPS, markup. `bars` from SC to SOS."""
    width = draw.uniform(4.5, 10.5)
    legs = [*_stopping(draw), *_building(draw, width, bars), *_spring(draw, width), *_markup(draw, width)]
    return Plan(tuple(legs), width, 3)


def accumulation_without_spring(draw: Draw, bars: int) -> Plan:
    """Schematic #2: higher lows take the place of the spring."""
    width = draw.uniform(4.5, 10.5)
    higher = [
        _leg(draw, width * draw.uniform(0.7, 0.9), 4, 10, 0.9),
        _leg(draw, width * draw.uniform(0.3, 0.45), 4, 10, 0.55, 0.7),
    ]
    legs = [*_stopping(draw), *_building(draw, width, bars), *higher, *_markup(draw, width)]
    return Plan(tuple(legs), width, 3)


def reaccumulation(draw: Draw, bars: int) -> Plan:
    """A range inside an advance: no selling climax; a reaction sets support, the rest is alike."""
    width = draw.uniform(4.0, 8.0)
    rise = draw.uniform(8.0, 14.0)
    advance = [
        Leg(width - rise, 1),
        _leg(draw, width, 25, 60, 1.1),
        _leg(draw, 0.0, 4, 10, 1.1, 1.1),
    ]
    legs = [*advance, *_building(draw, width, bars, tests=False), *_spring(draw, width), *_markup(draw, width)]
    return Plan(tuple(legs), width, 1)


def failed_spring(draw: Draw, bars: int) -> Plan:
    """Schematic #1 up to the spring, which supply overwhelms: the range breaks down."""
    width = draw.uniform(4.5, 10.5)
    spring = [leg for leg in _spring(draw, width) if leg.event is not EventKind.TEST]
    fall = [_leg(draw, -draw.uniform(4.0, 9.0), 4, 10, 1.7, 1.4), _leg(draw, -draw.uniform(6.0, 14.0), 15, 40, 1.1)]
    legs = [*_stopping(draw), *_building(draw, width, bars), *spring, *fall]
    return Plan(tuple(legs), width, 3)


def failed_range(draw: Draw, bars: int) -> Plan:
    """A climax and a base that never gets a spring: it breaks down out of phase B."""
    width = draw.uniform(4.5, 10.5)
    fall = [_leg(draw, -draw.uniform(4.0, 9.0), 3, 8, 1.6, 1.4), _leg(draw, -draw.uniform(6.0, 14.0), 15, 40, 1.1)]
    legs = [*_stopping(draw), *_building(draw, width, bars), *fall]
    return Plan(tuple(legs), width, 3)


def failed_breakout(draw: Draw, bars: int) -> Plan:
    """Schematic #1 up to the sign of strength, which fails: price falls back into the range."""
    width = draw.uniform(4.5, 10.5)
    strength, *_ = _markup(draw, width)
    back = [
        _leg(draw, width - draw.uniform(1.2, 2.5), 2, 5, 1.4, 1.3),
        _leg(draw, width * draw.uniform(0.2, 0.6), 5, 15, 1.1),
        _leg(draw, -draw.uniform(2.0, 6.0), 10, 30, 1.2),
    ]
    legs = [*_stopping(draw), *_building(draw, width, bars), *_spring(draw, width), strength, *back]
    return Plan(tuple(legs), width, 3)


def _stopping(draw: Draw) -> Iterator[Leg]:
    """A decline, its preliminary support and its climax at height 0."""
    fall = draw.uniform(6.0, 13.0)
    support = fall * draw.uniform(0.3, 0.5)
    yield Leg(fall, 1)
    yield Leg(support, _bars(draw, 12, 40), 1.0, 1.0, EventKind.PS, True, 0.5, draw.uniform(1.6, 2.2), 1.4)
    yield _leg(draw, support + draw.uniform(1.2, 2.2), 3, 6, 1.1)
    yield Leg(
        0.0, _bars(draw, 6, 14), 1.4, 1.15, EventKind.SC, True,
        draw.uniform(0.35, 0.9), draw.uniform(2.4, 4.5), draw.uniform(1.7, 2.8),
    )  # fmt: skip


def _building(draw: Draw, width: float, bars: int, *, tests: bool = True) -> Iterator[Leg]:
    """The automatic rally, the secondary tests, and swings of falling volume for about `bars` bars."""
    if tests:
        rally = _bars(draw, 3, 8)
        yield Leg(width, rally, 1.25, 1.1, EventKind.AR, False, 0.6, 1.1, 1.0)
        yield _test(draw, width, _bars(draw, 6, 14), 0.75)
        bars -= rally + 10
    dry = 0.85
    while bars > 16:
        up, down = _bars(draw, 5, max(6, min(16, bars // 2))), _bars(draw, 5, max(6, min(16, bars // 2)))
        yield from _top(draw, width, up, dry)
        yield _test(draw, width, down, dry) if tests else _leg(draw, width * draw.uniform(0.05, 0.3), down, down, dry)
        bars -= up + down
        dry = max(0.55, dry - 0.05)


def _top(draw: Draw, width: float, bars: int, volume: float) -> Iterator[Leg]:
    """A swing towards resistance; one in five goes through it and comes back (an upthrust)."""
    if draw.random() < 0.2:
        over = width + draw.uniform(0.3, 1.2)
        yield Leg(over, bars, volume, 0.9, EventKind.UT, False, draw.uniform(0.05, 0.3), 1.2, 1.2)
    else:
        yield _leg(draw, width * draw.uniform(0.65, 0.97), bars, bars, volume, 0.9)


def _test(draw: Draw, width: float, bars: int, volume: float) -> Leg:
    low = width * draw.uniform(0.04, 0.3)
    return Leg(low, bars, volume, 0.8, EventKind.ST, True, draw.uniform(0.4, 0.9), draw.uniform(0.5, 0.8), 0.7)


SPRINGS = {1: (1.7, 2.6, 1.4, 2.2), 2: (0.9, 1.35, 1.0, 1.15), 3: (0.4, 0.75, 0.55, 0.85)}
"""Type of spring -> bounds of its volume and spread (wyckoff.md 3.6)."""


def _spring(draw: Draw, width: float) -> Iterator[Leg]:
    least, most, narrow, wide = SPRINGS[int(draw.choice((1, 2, 2, 3)))]
    depth = draw.uniform(0.15, 1.2)
    yield Leg(
        -depth, _bars(draw, 5, 10), 0.75, 0.85, EventKind.SPRING, True,
        draw.uniform(0.4, 0.95), draw.uniform(least, most), draw.uniform(narrow, wide),
    )  # fmt: skip
    yield _leg(draw, width * draw.uniform(0.15, 0.3), 2, 3, 1.1)
    test = draw.uniform(0.05, 0.5)
    yield Leg(test, _bars(draw, 2, 5), 0.5, 0.65, EventKind.TEST, True, draw.uniform(0.5, 0.9), 0.4, 0.6)


def _markup(draw: Draw, width: float) -> Iterator[Leg]:
    """The sign of strength through resistance, its backup, and the advance."""
    top = width + draw.uniform(0.8, 2.0)
    yield Leg(
        top, _bars(draw, 5, 9), 1.4, 1.2, EventKind.SOS, False,
        draw.uniform(0.7, 0.98), draw.uniform(1.7, 2.8), draw.uniform(1.4, 2.0),
    )  # fmt: skip
    low = width + draw.uniform(-0.3, 0.5)
    yield Leg(low, _bars(draw, 3, 6), 0.55, 0.65, EventKind.LPS, True, draw.uniform(0.4, 0.8), 0.45, 0.6)
    yield _leg(draw, top + draw.uniform(4.0, 10.0), 15, 50, 1.05)


def _leg(draw: Draw, end: float, least: int, most: int, volume: float, spread: float = 1.0) -> Leg:
    return Leg(end, _bars(draw, least, most), volume, spread)


def _bars(draw: Draw, least: int, most: int) -> int:
    return int(draw.integers(least, most + 1))


def spans(legs: Iterable[Leg]) -> list[int]:
    """The bar on which each leg ends, counted from the first bar of the plan."""
    ends: list[int] = []
    for leg in legs:
        ends.append((ends[-1] if ends else -1) + leg.bars)
    return ends
