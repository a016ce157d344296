"""Paths without structure, and the strokes that all generated paths are drawn with.

Heights are in mean bar ranges (ATR) on a logarithmic scale, volumes in multiples of the mean.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from engine.blocks import Float64

Draw = np.random.Generator

STEP = 0.55
"""Standard deviation of a close-to-close step whose bars have a mean range of 1, as in daily stocks."""


class Heights(NamedTuple):
    """Columns (n,): heights of open, high, low, close, and volume."""

    open: Float64
    high: Float64
    low: Float64
    close: Float64
    volume: Float64


def wander(draw: Draw, rows: int) -> Heights:
    """A random walk whose volume follows the size of its bars, as real volume does."""
    return walked(draw, draw.normal(0, STEP, rows), np.ones(rows))


def trend(draw: Draw, rows: int) -> Heights:
    """A walk with a drift of 0.1 to 0.3 ranges a bar, up or down."""
    drift = draw.uniform(0.1, 0.3) * draw.choice((-1.0, 1.0))
    return walked(draw, drift + draw.normal(0, STEP, rows), np.ones(rows))


def garch(draw: Draw, rows: int) -> Heights:
    """A walk with clustering volatility, GARCH(1,1) with daily-stock parameters (0.05, 0.10, 0.85)."""
    steps, spreads = np.empty(rows), np.empty(rows)
    variance, before = 1.0, 0.0
    for row in range(rows):
        variance = 0.05 + 0.10 * before * before + 0.85 * variance
        spreads[row] = np.sqrt(variance)
        before = float(draw.normal(0, 1)) * spreads[row]
        steps[row] = STEP * before
    return walked(draw, steps, spreads)


def with_spikes(draw: Draw, rows: int) -> Heights:
    """A random walk in which one bar in thirty has three to five times the volume, for no reason."""
    path = wander(draw, rows)
    spiked = draw.random(rows) < 1 / 30
    return path._replace(volume=np.where(spiked, path.volume * draw.uniform(3.0, 5.0, rows), path.volume))


DECOYS: dict[str, Callable[[Draw, int], Heights]] = {
    "random-walk": wander, "garch": garch, "trend": trend, "volume-spikes": with_spikes,
}  # fmt: skip


def with_flat_volume(path: Heights, draw: Draw) -> Heights:
    """The same path with volume that follows only the size of each bar."""
    ranges = path.high - path.low
    return path._replace(volume=_volume(draw, ranges / ranges.mean()))


def shuffled(path: Heights, draw: Draw) -> Heights:
    """The same bars in another order, each still opening where the one before it closed."""
    order = draw.permutation(len(path.close))
    body = (path.close - path.open)[order]
    opens = path.open[0] + np.concatenate(([0.0], np.cumsum(body)[:-1]))
    above, below = (path.high - path.open)[order], (path.low - path.open)[order]
    return Heights(opens, opens + above, opens + below, opens + body, path.volume[order])


def walked(draw: Draw, steps: Float64, spreads: Float64) -> Heights:
    """Bars that close step by step from 0; `spreads` is each bar's mean range."""
    closes = np.cumsum(steps)
    opens = np.concatenate(([0.0], closes[:-1]))
    rows = [
        (*bar(draw, opens[row], closes[row], spreads[row] * float(draw.lognormal(0, 0.25))), 1.0)
        for row in range(len(steps))
    ]
    path = heights(rows)
    return path._replace(volume=_volume(draw, path.high - path.low))


def bar(draw: Draw, opening: float, close: float, spread: float) -> tuple[float, float, float, float]:
    """A bar of about `spread`, which grows where its body is longer; wicks share what is left."""
    body = abs(close - opening)
    wicks = max(spread - body, 0.1 * spread)
    above = draw.uniform(0.15, 0.85) * wicks
    return opening, max(opening, close) + above, min(opening, close) - (wicks - above), close


def bridge(draw: Draw, start: float, end: float, bars: int, noise: float) -> Float64:
    """`bars` closes from `start` (not included) to `end`, straying by `noise` on the way."""
    steps = np.arange(1, bars + 1) / bars
    stray = np.cumsum(draw.normal(0, noise, bars))
    path: Float64 = start + (end - start) * steps + stray - steps * stray[-1]
    return path


def heights(rows: Sequence[tuple[float, float, float, float, float]]) -> Heights:
    """Columns of (open, high, low, close, volume) rows, at least one."""
    return Heights._make(np.array(rows).T.copy())


def shifted(path: Heights, by: float) -> Heights:
    return Heights(path.open + by, path.high + by, path.low + by, path.close + by, path.volume)


def _volume(draw: Draw, ranges: Float64) -> Float64:
    """Volume to the square root of the bar's range: measured correlation of logs 0.65 (wyckoff.md 0.6)."""
    volume: Float64 = np.sqrt(np.maximum(ranges, 1e-3)) * draw.lognormal(0, 0.3, len(ranges))
    return volume
