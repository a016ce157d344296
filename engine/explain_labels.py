"""Where labels of a picture go: beside what they name, and never on each other or on the bars."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from engine.blocks import Bars

STEP_PIXELS, MOST_STEPS = 7.0, 40
SMALL_STEPS = 14
"""A small label that finds no place this near is left out: its mark stays."""
CLEAR_PIXELS = 2.0
NEAR_PIXELS = 12.0
"""A label this near to its mark needs no line to it."""


class Box(NamedTuple):
    left: float
    bottom: float
    right: float
    top: float

    def meets(self, other: "Box") -> bool:
        return (
            self.left < other.right and other.left < self.right and self.bottom < other.top and other.bottom < self.top
        )


def spread_out(levels: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Heights for labels of sorted levels, at least `gap` apart and within the bounds as far as they fit."""
    heights = list(levels)
    for _ in range(200):
        moved = False
        for place in range(len(heights) - 1):
            lack = gap - (heights[place + 1] - heights[place])
            if lack > 1e-12 * max(1.0, abs(gap)):
                heights[place] -= lack / 2
                heights[place + 1] += lack / 2
                moved = True
        if not moved:
            break
    if heights and heights[0] < low:
        heights = [height + low - heights[0] for height in heights]
    if heights and heights[-1] > high:
        heights = [height - (heights[-1] - high) for height in heights]
    return heights


class Labels:
    """Places labels one by one, in pixels of the drawn picture. `prices` are level lines, to be kept free."""

    def __init__(self, axes: Any, bars: Bars, prices: Sequence[float]) -> None:
        self._axes = axes
        self._to_pixels = axes.transData
        lows = self._to_pixels.transform(np.column_stack([np.arange(len(bars)), bars.low]))
        highs = self._to_pixels.transform(np.column_stack([np.arange(len(bars)), bars.high]))
        half = (lows[1, 0] - lows[0, 0]) / 2 if len(bars) > 1 else 3.0
        self._bars = np.column_stack([lows[:, 0] - half, lows[:, 1], lows[:, 0] + half, highs[:, 1]])
        area = axes.get_window_extent()
        self._area = Box(area.x0 + 4.0, area.y0, area.x1, area.y1 - 22.0)
        self._taken: list[Box] = []
        heights = [float(self._to_pixels.transform((0.0, price))[1]) for price in prices]
        self._lines = [Box(area.x0, height - 1.0, area.x1, height + 1.0) for height in heights]

    def put(self, text: str, x: float, price: float, *, above: bool, color: str, small: bool) -> None:
        """The nearest free place on the wanted side, else on the other."""
        size = 7.0 if small else 8.5
        width, height = self._extent(text, size)
        px, py = self._to_pixels.transform((x, price))
        most = SMALL_STEPS if small else MOST_STEPS
        box = self._free((px, py), (width, height), above=above, steps=most) or self._free(
            (px, py), (width, height), above=not above, steps=most
        )
        if box is None:
            return
        self._taken.append(box)
        middle = ((box.left + box.right) / 2, (box.bottom + box.top) / 2)
        near = (px, box.bottom if box.bottom > py else box.top)
        if abs(near[1] - py) > NEAR_PIXELS or abs(middle[0] - px) > width / 2:
            self._line((px, py), (middle[0], near[1]), color)

        from matplotlib.patheffects import withStroke

        place = self._to_pixels.inverted().transform(middle)
        self._axes.text(place[0], place[1], text, fontsize=size, color=color, ha="center", va="center",
                        fontweight="normal" if small else "bold", zorder=8,
                        path_effects=[withStroke(linewidth=2.5, foreground="white", alpha=0.8)])  # fmt: skip

    def _line(self, start: tuple[float, float], end: tuple[float, float], color: str) -> None:
        back = self._to_pixels.inverted()
        (x0, y0), (x1, y1) = back.transform(start), back.transform(end)
        self._axes.plot([x0, x1], [y0, y1], color=color, linewidth=0.6, alpha=0.6, linestyle=":", zorder=5)

    def _extent(self, text: str, size: float) -> tuple[float, float]:
        """In pixels: DejaVu's capitals are about 0.68 em wide."""
        pixels = size / 72.0 * self._axes.figure.dpi
        return 0.66 * pixels * len(text) + 2 * CLEAR_PIXELS, 1.15 * pixels + 2 * CLEAR_PIXELS

    def _free(self, mark: tuple[float, float], size: tuple[float, float], *, above: bool, steps: int) -> Box | None:
        (px, py), (width, height) = mark, size
        for step in range(steps):
            away = 7.0 + step * STEP_PIXELS
            bottom = py + away if above else py - away - height
            for aside in (0.0, 0.35 * width, -0.35 * width):
                left = px - width / 2 + aside
                left = min(max(left, self._area.left), self._area.right - width)
                box = Box(left, bottom, left + width, bottom + height)
                if self._fits(box):
                    return box
        return None

    def _fits(self, box: Box) -> bool:
        if box.bottom < self._area.bottom or box.top > self._area.top:
            return False
        if any(box.meets(other) for other in (*self._taken, *self._lines)):
            return False
        bars = self._bars
        hit = (bars[:, 0] < box.right) & (bars[:, 2] > box.left) & (bars[:, 1] < box.top) & (bars[:, 3] > box.bottom)
        return not bool(hit.any())
