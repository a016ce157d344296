"""Seeded series for the comparison, one function a kind; together they reach every event on both sides."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from engine.blocks import Bars
from tests.wyckoff.series import ACCUMULATION, closed, clustered, mirrored, planted

Rows = list[tuple[float, float, float, float, float]]


def bars_of(closes: np.ndarray, random: np.random.Generator, timeframe: str = "1d") -> Bars:
    """Bars around given closes: wicks of a fraction of the move scale, volume that grows with the range."""
    opened = np.concatenate((closes[:1], closes[:-1]))
    reach = np.abs(np.diff(np.log(closes), prepend=np.log(closes[0]))).mean() * closes
    high = np.maximum(opened, closes) + reach * random.uniform(0, 1, len(closes))
    low = np.minimum(opened, closes) - reach * random.uniform(0, 1, len(closes))
    effort = (high - low) / (high - low).mean()
    volume = np.round(1_000 * effort ** random.uniform(0.3, 1.2) * random.lognormal(0, 0.4, len(closes)))
    return closed(np.stack([opened, high, low, closes, np.maximum(volume, 1)], axis=1), timeframe)


def random_walk(rows: int, seed: int) -> Bars:
    random = np.random.default_rng(seed)
    return bars_of(100 * np.exp(np.cumsum(random.standard_t(4, rows) * 0.012)), random)


def trend(rows: int, seed: int) -> Bars:
    """Drift that changes sign every 80 to 200 bars."""
    random = np.random.default_rng(seed)
    lengths = random.integers(80, 200, rows // 80 + 1)
    drift = np.repeat(random.choice([-0.004, 0.004], len(lengths)), lengths)[:rows]
    return bars_of(100 * np.exp(np.cumsum(drift + random.normal(0, 0.011, rows))), random)


def ranging(rows: int, seed: int) -> Bars:
    """Falls and rises between sideways stretches that pull price back to their middle."""
    random = np.random.default_rng(seed)
    price, middle, closes = 0.0, 0.0, []
    for row in range(rows):
        place = row % 150
        if place < 30:
            price += random.normal(-0.012 if (row // 150) % 2 else 0.012, 0.012)
            middle = price
        else:
            price += 0.12 * (middle - price) + random.normal(0, 0.013)
        closes.append(price)
    return bars_of(100 * np.exp(np.array(closes)), random)


def coarse(rows: int, seed: int) -> Bars:
    """Prices on a wide grid and volumes in hundreds: equal highs, lows and closes, flat bars, bars without volume."""
    bars = planted(rows, seed)
    random = np.random.default_rng(seed)
    columns = {name: np.round(getattr(bars, name) * 2) / 2 for name in ("open", "high", "low", "close")}
    volume = np.round(bars.volume / 2_000) * 2_000
    volume[random.uniform(size=rows) < 0.02] = 0.0
    return replace(bars, **columns, volume=volume)


def schematic(rows: int, seed: int) -> Bars:
    """The hand-written accumulation again and again, each time with other noise, legs and speeds."""
    random = np.random.default_rng(seed)
    out: Rows = []
    level = 150.0
    while len(out) < rows:
        size = random.uniform(0.05, 0.6)
        for opened, high, low, close, volume in ACCUMULATION:
            if random.uniform() < 0.03:
                continue
            moved = np.array([opened, high, low, close]) + level - 150.0 + random.normal(0, size, 4)
            factor = random.lognormal(0, 0.25)
            out.append((moved[0], moved.max(), moved.min(), moved[3], round(volume * factor)))
        level = out[-1][3]
    return closed(out[:rows])


def distribution(rows: int, seed: int) -> Bars:
    return mirrored(schematic(rows, seed))


KINDS: dict[str, Callable[[int, int], Bars]] = {
    "walk": random_walk,
    "trend": trend,
    "range": ranging,
    "clustered": clustered,
    "planted": planted,
    "upside_down": lambda rows, seed: mirrored(planted(rows, seed + 500)),
    "coarse": coarse,
    "schematic": schematic,
    "distribution": distribution,
}


def series(kind: str, seeds: range, rows: int) -> Iterator[tuple[str, Bars]]:
    """(name, bars) of one kind."""
    for seed in seeds:
        yield f"{kind}-{seed}", KINDS[kind](rows, seed)
