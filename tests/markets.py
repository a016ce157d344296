"""Seeded markets for tests and benchmarks: random walks with planted accumulations.

A cycle is decline, selling climax, automatic rally, secondary test, a range, a spring and its
test, a sign of strength, a last point of support, markup. Noise is wide enough that no two
cycles are alike and that many of them fail, so that every branch of the line gets traffic.
"""

import numpy as np

from engine.blocks import BUYER, SELLER, Bars, Trades
from engine.timeframes import LENGTH_NS, TIMEFRAMES
from tests.makers import START_NS

# (bars, move in daily ranges, volume multiple, range multiple) of each leg of a cycle.
CYCLE = (
    (40, -14.0, 1.0, 1.0),  # decline
    (1, -3.0, 3.6, 2.6),  # selling climax
    (6, 8.0, 1.2, 1.1),  # automatic rally
    (8, -6.5, 0.8, 0.8),  # secondary test
    (6, 6.0, 0.8, 0.9),
    (8, -5.5, 0.7, 0.8),
    (7, 5.0, 0.7, 0.8),
    (9, -6.0, 0.6, 0.7),
    (1, -1.2, 0.5, 0.7),  # spring
    (2, 2.2, 0.8, 0.9),
    (3, -1.0, 0.4, 0.5),  # its test
    (6, 5.5, 1.1, 1.0),
    (2, 3.5, 2.4, 1.7),  # sign of strength
    (4, -1.6, 0.5, 0.6),  # last point of support
    (30, 16.0, 1.0, 1.0),  # markup
    (20, 0.0, 0.9, 1.0),
)


def walk(rows: int, seed: int, *, daily_range: float = 0.012, noise: float = 0.45) -> dict[str, np.ndarray]:
    """OHLCV columns of `rows` bars. `daily_range` is the mean bar range as a share of price."""
    random = np.random.default_rng(seed)
    plan = np.array([leg for leg in CYCLE for _ in range(leg[0])])
    step = np.array([leg[1] / leg[0] for leg in CYCLE for _ in range(leg[0])])
    offset = int(random.integers(len(plan)))
    place = (np.arange(rows) + offset) % len(plan)
    trend = step[place] * random.uniform(0.7, 1.3, rows)
    wander = random.normal(0, noise, rows)
    close = 100 * np.exp(np.cumsum((trend + wander) * daily_range * 0.6) + rows * 0.0)
    close *= np.exp(-np.linspace(0, np.log(close[-1] / 100), rows))
    opened = np.concatenate(([100.0], close[:-1]))
    spread = close * daily_range * plan[place, 3] * random.uniform(0.6, 1.4, rows)
    upper = random.uniform(0, 1, rows)
    high = np.maximum(opened, close) + spread * 0.5 * upper
    low = np.minimum(opened, close) - spread * 0.5 * (1 - upper)
    volume = np.round(10_000 * plan[place, 2] * random.lognormal(0, 0.25, rows))
    columns = {"open": opened, "high": high, "low": low, "close": close}
    rounded = {name: np.round(np.maximum(column, 0.05), 2) for name, column in columns.items()}
    rounded["high"] = np.maximum.reduce([rounded["high"], rounded["open"], rounded["close"]])
    rounded["low"] = np.minimum.reduce([rounded["low"], rounded["open"], rounded["close"]])
    return rounded | {"volume": volume}


def bar_market(symbols: int, rows: int, seed: int, timeframe: str = "1d", **options: float) -> Bars:
    """`rows` bars each of `symbols` instruments, all closing together, in tape order."""
    series = [walk(rows, seed * 1_000 + number, **options) for number in range(symbols)]
    length = LENGTH_NS[timeframe]
    open_ns = np.repeat(START_NS + length * np.arange(rows, dtype=np.int64), symbols)
    columns: dict[str, object] = {
        name: np.stack([one[name] for one in series], axis=1).reshape(-1) for name in series[0]
    }
    return Bars.of(
        open_ns=open_ns,
        close_ns=open_ns + length,
        received_ns=open_ns + length,
        instrument=np.tile(np.arange(symbols), rows),
        timeframe=TIMEFRAMES.index(timeframe),
        trades=-1,
        **columns,
    )


def trade_market(symbols: int, minutes: int, per_minute: int, seed: int, *, late: float = 0.0) -> Trades:
    """Trades whose minutes follow `walk`; a share `late` of the rows steps back in time."""
    random = np.random.default_rng(seed)
    bars = bar_market(symbols, minutes, seed, "1m", daily_range=0.004)
    rows = len(bars)
    along = np.sort(random.uniform(0, 1, (rows, per_minute)), axis=1)
    path = np.stack([bars.open, bars.low, bars.high, bars.close], axis=1)
    position = np.clip(along * 3, 0, 2.999)
    leg = position.astype(int)
    row = np.arange(rows)[:, None]
    price = path[row, leg] + (path[row, leg + 1] - path[row, leg]) * (position - leg)
    time_ns = bars.open_ns[:, None] + (along * 59_999_000_000).astype(np.int64)
    size = np.maximum(1, np.round(bars.volume[:, None] / per_minute * random.uniform(0.2, 1.8, (rows, per_minute))))
    order = np.argsort(time_ns.reshape(-1), kind="stable")
    if late:
        shifted = np.arange(len(order)) + np.where(random.uniform(size=len(order)) < late, 3 * per_minute, 0)
        order = order[np.argsort(shifted, kind="stable")]
    times = time_ns.reshape(-1)[order]
    return Trades.of(
        time_ns=times,
        received_ns=times,
        instrument=np.repeat(bars.instrument, per_minute)[order],
        price=np.round(price.reshape(-1)[order], 2),
        size=size.reshape(-1)[order],
        side=np.where(random.uniform(size=len(order)) < 0.5, BUYER, SELLER),
        trade_id=np.arange(len(order)),
    )
