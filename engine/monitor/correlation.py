"""Which positions move together: correlation of their last returns, with the sign of what is held.

A long and a short in two markets that rise and fall together are no group: they lose at different times. Groups
are what links of at least `LEAST` join; one market alone is none.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np

from engine.blocks import Float64, Int64
from engine.store_bars import Columns

LEAST: Final = 0.7
LEAST_BARS: Final = 60
"""Of both markets at the same times; of fewer, nothing is said."""

MOST_BARS: Final = 500


class Moves(NamedTuple):
    """Returns from close to close, and the opens of the bars that they end with."""

    open_ns: Int64
    change: Float64


class Group(NamedTuple):
    """Symbols in the order given. `correlation` is that of its weakest link."""

    symbols: tuple[str, ...]
    correlation: float


def moves(columns: Columns) -> Moves:
    """Of the last bars; closes that are 0 or less make no return."""
    close, open_ns = columns["close"][-MOST_BARS - 1 :], columns["open_ns"][-MOST_BARS - 1 :]
    before = close[:-1]
    usable = before > 0
    return Moves(open_ns[1:][usable], close[1:][usable] / before[usable] - 1.0)


def correlation(one: Moves, other: Moves) -> float:
    """-1..1; NaN where there are too few common bars or one of them does not move."""
    _, left, right = np.intersect1d(one.open_ns, other.open_ns, assume_unique=True, return_indices=True)
    if len(left) < LEAST_BARS:
        return float("nan")
    x, y = one.change[left], other.change[right]
    x, y = x - x.mean(), y - y.mean()
    scale = float(np.sqrt((x * x).sum() * (y * y).sum()))
    return float((x * y).sum() / scale) if scale > 0 else float("nan")


def groups(held: Mapping[str, int], moved: Mapping[str, Moves]) -> list[Group]:
    """`held` is the direction by symbol."""
    links = [
        (one, other, found)
        for place, one in enumerate(held)
        for other in list(held)[place + 1 :]
        if one in moved and other in moved
        and (found := correlation(moved[one], moved[other]) * held[one] * held[other]) >= LEAST
    ]  # fmt: skip
    return [Group(tuple(joined), _weakest(joined, links)) for joined in _joined(held, links) if len(joined) > 1]


def _joined(symbols: Iterable[str], links: Sequence[tuple[str, str, float]]) -> list[list[str]]:
    found = [[symbol] for symbol in symbols]
    for one, other, _ in links:
        first = next(group for group in found if one in group)
        second = next(group for group in found if other in group)
        if first is not second:
            first += second
            found.remove(second)
    return found


def _weakest(symbols: Sequence[str], links: Sequence[tuple[str, str, float]]) -> float:
    return min(found for one, other, found in links if one in symbols and other in symbols)
