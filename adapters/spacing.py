"""How far apart the stamps of a file are: its timeframe, found while it is surveyed.

Each symbol's steps are counted page by page, so a file in order needs no memory for it. The rows of
a file out of order are counted when they are sorted.
"""

from collections import Counter

import numpy as np

from adapters.feed_errors import TimeframeError
from adapters.rows import Rows
from engine.blocks import Column, Int64
from engine.timeframes import DAY_NS, LENGTH_NS, TIMEFRAMES

MOST_LENGTHS = 10_000
"""Different steps that are counted; a file with more of them has no timeframe."""

_NAMED = {LENGTH_NS[name]: name for name in TIMEFRAMES}


class Spacing:
    """Steps between consecutive different stamps of one symbol, by length."""

    def __init__(self) -> None:
        self._often: Counter[int] = Counter()
        self._last_ns: dict[int, int] = {}
        self._names_days = True

    def add(self, wall_ns: Int64, symbol: Column) -> None:
        """A page of rows. Steps of a symbol whose stamps step back are not counted."""
        self._names_days = self._names_days and not (wall_ns % DAY_NS).any()
        index = np.argsort(symbol, kind="stable")
        times, codes = wall_ns[index], symbol[index]
        first = np.flatnonzero(np.diff(codes, prepend=-1))
        for start, stop in zip(first.tolist(), [*first[1:].tolist(), len(codes)], strict=True):
            code = int(codes[start])
            self._count(np.diff(times[start:stop], prepend=self._last_ns.get(code, times[start])))
            self._last_ns[code] = int(times[stop - 1])

    def _count(self, steps: Int64) -> None:
        lengths, often = np.unique(steps[steps > 0], return_counts=True)
        for length, number in zip(lengths.tolist(), often.tolist(), strict=True):
            if length in self._often or len(self._often) < MOST_LENGTHS:
                self._often[length] += number

    @property
    def most_common_ns(self) -> int:
        """The shorter of two equally common; 0 if there is none."""
        return min(self._often, key=lambda length: (-self._often[length], length), default=0)

    @property
    def timeframe(self) -> str:
        """Its name, "" if it has none. Stamps that name days, a few days apart, are daily ones around a holiday."""
        spacing_ns = self.most_common_ns
        if self._names_days and DAY_NS < spacing_ns < LENGTH_NS["1w"]:
            return "1d"
        return _NAMED.get(spacing_ns, "")


def spacing_of(rows: Rows) -> Spacing:
    """Of rows in any order."""
    found = Spacing()
    index = np.lexsort((rows["wall_ns"], rows["symbol"]))
    found.add(rows["wall_ns"][index], rows["symbol"][index])
    return found


def timeframe_of(source: str, spacing: Spacing, asked: str | None) -> str:
    """The timeframe asked for, checked against the stamps, else the one they show."""
    spacing_ns = spacing.most_common_ns
    if asked is not None:
        if 0 < spacing_ns < LENGTH_NS[asked]:
            raise TimeframeError(f"{source}: stamps must be {asked} apart, was {_seconds(spacing_ns)} most often")
        return asked
    if not spacing.timeframe:
        found = _seconds(spacing_ns) if spacing_ns else "without two different stamps"
        raise TimeframeError(f"{source}: spacing must be one of {', '.join(TIMEFRAMES)}, was {found}; name a timeframe")
    return spacing.timeframe


def _seconds(length_ns: int) -> str:
    return f"{length_ns / 1e9:g} s"
