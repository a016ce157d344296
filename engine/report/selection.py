"""Which bars of a run are worth keeping for its page: charts with most to see, stretches with most to tell.

A chart is one (symbol, timeframe): all of it at a glance, and its campaigns bar by bar. Campaigns that
traded come first, then those that asked, then those that were only formed; a chart without campaigns
shows the ranges with most events.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from engine.report.candles import Candles

MOST_CHARTS = 24
MOST_STRETCHES = 72
MOST_STRETCHES_A_CHART = 9
RANGES_A_CHART = 3
"""Shown of a chart without campaigns."""

EVENTS_OF_A_RANGE = 3
"""Fewer make no picture."""

MOST_OVERVIEW = 720
MOST_CANDLES = 360
"""Of an overview and of a stretch: beyond, neighbours are put together."""

LEAST_BARS = 90
PAD_SHARE = 0.2
"""A stretch is at least so many bars, and has this share of it on each side."""

MOST_OF_LINES = 150
"""Bars before the first event of a campaign, at most: ranges may be much older."""


class Span(NamedTuple):
    """How far the bars of a chart go: open of the first, close of the last."""

    symbol: str
    timeframe: str
    bars: int
    first_ns: int
    last_ns: int


class Subject(NamedTuple):
    """What a stretch is about. `rank` 0 comes first; `name` is a campaign, or "" for a range."""

    symbol: str
    timeframe: str
    rank: int
    first_ns: int
    last_ns: int
    weight: int
    name: str = ""


class Kept(NamedTuple):
    """Candles of one part of a chart, part 0 being the overview."""

    symbol: str
    timeframe: str
    part: int
    subject: str
    candles: Candles


def spans(charts: Sequence[tuple[str, str, Candles]]) -> list[Span]:
    return [
        Span(symbol, name, len(bars), int(bars.open_ns[0]), int(bars.close_ns[-1])) for symbol, name, bars in charts
    ]


def kept(charts: Sequence[tuple[str, str, Candles]], subjects: Sequence[Subject]) -> Iterator[Kept]:
    """What goes into the store, most interesting chart first; `subjects` may be in any order."""
    of: dict[tuple[str, str], list[Subject]] = {}
    for one in sorted(subjects, key=_order):
        of.setdefault((one.symbol, one.timeframe), []).append(one)
    shown = sorted(charts, key=lambda chart: _interest(chart, of))[:MOST_CHARTS]
    chosen = _chosen([of.get((symbol, name), []) for symbol, name, _ in shown])
    for (symbol, name, bars), stretches in zip(shown, chosen, strict=True):
        yield Kept(symbol, name, 0, "", bars.thinned(MOST_OVERVIEW))
        for part, one in enumerate(sorted(stretches, key=lambda one: (one.first_ns, one.name)), 1):
            yield Kept(symbol, name, part, one.name, stretch(bars, one.first_ns, one.last_ns).thinned(MOST_CANDLES))


def stretch(bars: Candles, first_ns: int, last_ns: int) -> Candles:
    """The bars of a span with some on each side."""
    start, stop = bars.place(first_ns), bars.known_place(last_ns) + 1
    pad = max(round((stop - start) * PAD_SHARE), (LEAST_BARS - (stop - start)) // 2, 4)
    return bars.slice(max(0, start - pad), stop + pad)


def _chosen(of: Sequence[Sequence[Subject]]) -> list[list[Subject]]:
    """Of each chart its first subjects; the total is shared by rank first, so no chart starves another's trades."""
    ranked = sorted((one.rank, place, chart) for chart, found in enumerate(of) for place, one in enumerate(found))
    chosen: list[list[Subject]] = [[] for _ in of]
    left = MOST_STRETCHES
    for rank, place, chart in ranked:
        most = RANGES_A_CHART if rank == RANGE else MOST_STRETCHES_A_CHART
        if left and len(chosen[chart]) < most and not (rank == RANGE and _has_campaigns(chosen[chart])):
            chosen[chart].append(of[chart][place])
            left -= 1
    return chosen


TRADED, ASKED, FORMED, RANGE = range(4)
"""Ranks of subjects."""


def _has_campaigns(found: Sequence[Subject]) -> bool:
    return any(one.rank != RANGE for one in found)


def _order(one: Subject) -> tuple[int, int, int, str]:
    return one.rank, -one.weight, one.first_ns, one.name


def _interest(
    chart: tuple[str, str, Candles], of: Mapping[tuple[str, str], Sequence[Subject]]
) -> tuple[int, int, int, str, str]:
    symbol, name, _ = chart
    found = of.get((symbol, name), ())
    ranks = [sum(1 for one in found if one.rank == rank) for rank in (TRADED, ASKED)]
    return -ranks[0], -ranks[1], -len(found), symbol, name


__all__ = [
    "ASKED", "EVENTS_OF_A_RANGE", "FORMED", "MOST_CHARTS", "MOST_OF_LINES", "RANGE", "TRADED", "Kept", "Span",
    "Subject", "kept", "spans", "stretch",
]  # fmt: skip
