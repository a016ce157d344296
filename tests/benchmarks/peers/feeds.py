"""The markets of the comparison: seeded, with volatility that clusters, fat tails and tick prices.

`python -m tests.benchmarks.peers.feeds KIND ROWS FILE.npz` writes one; every engine loads the same file.
Columns are int64: prices in ticks, sizes in units, times in nanoseconds. Times are close times of bars.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np

from tests.benchmarks.peers.strategy import MINUTE_NS, TICKS_PER_UNIT, Plan

START_NS = 1_704_067_200 * 1_000_000_000
"""2024-01-01, UTC."""
SEED = 20_240_101
FIRST_PRICE = 100.0
MINUTE_SIGMA = 0.0006
"""A liquid share moves by about this much of its price in a minute."""
TRADES_A_MINUTE = 100

PLANS = {"bars": Plan(lookback=240, trail=20), "busy": Plan(lookback=20, trail=5), "trades": Plan(60, trail=10)}
"""Four hours and 2 %; twenty minutes and 0.5 %, which keeps an engine busy; on trades one hour and 1 %."""

ROWS = {"bars": 500_000, "busy": 500_000, "trades": 1_000_000}


def bars(rows: int, seed: int = SEED) -> dict[str, np.ndarray]:
    """Minutes: each a path of 12 steps, opening a little away from the close before."""
    random = np.random.default_rng(seed)
    sigma = _sigma(random, rows)
    gaps = sigma * 0.15 * random.standard_t(4, rows)
    steps = sigma[:, None] * random.standard_t(4, (rows, 12)) / np.sqrt(12 * 2)
    path = np.cumsum(np.concatenate((gaps[:, None], steps), axis=1).reshape(-1)).reshape(rows, 13)
    ticks = np.rint(FIRST_PRICE * TICKS_PER_UNIT * np.exp(_held(path))).astype(np.int64)
    volume = 10 * np.rint(500 * random.lognormal(0, 0.6, rows)).astype(np.int64) + 100
    return {
        "close_ns": START_NS + MINUTE_NS * np.arange(1, rows + 1), "open": ticks[:, 0], "high": ticks.max(axis=1),
        "low": ticks.min(axis=1), "close": ticks[:, -1], "volume": volume,
    }  # fmt: skip


def trades(rows: int, seed: int = SEED) -> dict[str, np.ndarray]:
    """Trades at random times on both sides of a spread of one or two ticks."""
    random = np.random.default_rng(seed + 1)
    sigma = np.repeat(_sigma(random, rows // TRADES_A_MINUTE + 1), TRADES_A_MINUTE)[:rows]
    path = np.cumsum(sigma * random.standard_t(4, rows) / np.sqrt(2 * TRADES_A_MINUTE))
    side = random.integers(0, 2, rows)
    mid = FIRST_PRICE * TICKS_PER_UNIT * np.exp(_held(path))
    apart = random.exponential(1.0, rows) * (MINUTE_NS / TRADES_A_MINUTE)
    times = START_NS + 1 + np.cumsum(apart.astype(np.int64) + 1)
    size = 10 * (1 + np.rint(8 * random.lognormal(0, 0.8, rows)).astype(np.int64))
    return {"time_ns": times, "price": np.floor(mid).astype(np.int64) + side, "size": size, "side": side}


def _sigma(random: np.random.Generator, rows: int) -> np.ndarray:
    """Volatility a minute: its logarithm wanders around a mean with a half-life of some hours."""
    shocks = random.normal(0, 0.06, rows)
    level = np.empty(rows)
    held = 0.0
    for row, shock in enumerate(shocks.tolist()):
        held = 0.995 * held + shock
        level[row] = held
    return MINUTE_SIGMA * np.exp(level - 0.18)


def _held(path: np.ndarray) -> np.ndarray:
    """The path without the drift that chance gave it as a whole: the last price is near the first."""
    flat = path.reshape(-1)
    return (flat - np.linspace(0, flat[-1], len(flat))).reshape(path.shape)


def make(kind: str, rows: int) -> dict[str, np.ndarray]:
    return trades(rows) if kind == "trades" else bars(rows)


def load(path: Path) -> dict[str, Any]:
    with np.load(path) as stored:
        return {name: stored[name] for name in stored.files}


def main() -> None:
    kind, rows, path = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    np.savez(path, **make(kind, rows))


if __name__ == "__main__":
    main()
