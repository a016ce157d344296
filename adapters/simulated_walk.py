"""One symbol of a made-up market: episodes of `engine.wyckoff.schematics` that follow each other in price."""

import random
from typing import NamedTuple

import numpy as np

from engine.blocks import BUYER, SELLER
from engine.wyckoff.schematics import DECOYS, SCHEMATICS, generate

STEPS = 12
"""Trades that one bar is made of."""

EXTREMES = [4, 8]
"""Steps at which a bar's trades stand at its extremes."""

LEAST_PRICE, MOST_PRICE = 1.0, 5_000.0
"""An episode that would begin outside is drawn in its own price instead, as after a split."""

KEPT_BARS = 200_000
"""Bars remembered: the past that is history, and what the stream has not given yet."""

STRUCTURED = 3
"""Episodes with structure for each one without."""

Row = tuple[float, float, float, float, float]
"""Open, high, low, close, volume."""


class Print(NamedTuple):
    price: float
    size: float
    side: int


class Walk:
    """`bars` and `prints` are functions of the seed and the number asked for; numbers may not go back far."""

    def __init__(self, seed: str) -> None:
        self._seed = seed
        self._draw = random.Random(seed)  # noqa: S311
        self._rows: list[Row] = []
        self._first = 0

    def bars(self, start: int, stop: int) -> list[Row]:
        """Bars [start, stop)."""
        while self._first + len(self._rows) < stop:
            self._episode()
        found = self._rows[start - self._first : stop - self._first]
        surplus = len(self._rows) - KEPT_BARS
        if surplus > 0 and start - self._first > surplus:
            del self._rows[:surplus]
            self._first += surplus
        return found

    def prints(self, start: int, count: int) -> list[Print]:
        """Trades [start, start + count), of which each bar has STEPS."""
        if not count:
            return []
        first, last = start // STEPS, (start + count - 1) // STEPS
        made = [
            one
            for number, row in enumerate(self.bars(first, last + 1), first)
            for one in _prints(row, f"{self._seed}/{number}")
        ]
        return made[start - first * STEPS : start - first * STEPS + count]

    def _episode(self) -> None:
        structured = self._draw.randrange(STRUCTURED + 1) > 0
        kind = self._draw.choice(list(SCHEMATICS) if structured else list(DECOYS))
        series = generate(kind, self._draw.randrange(2**31))
        factor = self._rows[-1][3] / float(series.open[0]) if self._rows else 1.0
        end = float(series.close[-1]) * factor
        if not LEAST_PRICE <= end <= MOST_PRICE:
            factor = 1.0
        prices = [np.round(column * factor, 4) for column in (series.open, series.high, series.low, series.close)]
        self._rows += zip(*(column.tolist() for column in (*prices, series.volume)), strict=True)


def _prints(row: Row, seed: str) -> list[Print]:
    """A path through the bar's four prices; their sizes add up to its volume but for rounding."""
    draw = random.Random(seed)  # noqa: S311
    opening, high, low, close, volume = row
    turns = [opening, low, high, close] if close >= opening else [opening, high, low, close]
    prices = np.interp(np.linspace(0, 3, STEPS), range(4), turns)
    prices[EXTREMES] = turns[1:3]
    before, made = opening, []
    for price in prices.tolist():
        size = max(1.0, round(volume / STEPS * draw.uniform(0.5, 1.5)))
        made.append(Print(round(price, 4), size, BUYER if price >= before else SELLER))
        before = price
    return made


def scaled(rows: list[Row], price: float) -> list[Row]:
    """The same bars, in prices such that the last of them closes at `price`."""
    factor = price / rows[-1][3] if rows else 1.0
    return [(o * factor, h * factor, low * factor, c * factor, volume) for o, h, low, c, volume in rows]
