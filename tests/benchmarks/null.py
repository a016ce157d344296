"""How often structure is recognised in real daily bars, and in the same bars shuffled.

`python -m tests.benchmarks.null FEED [DRAWS]` detects on the feed and on DRAWS shuffles of it
(default 20, half of single bars, half of blocks of 20), and prints counts per event beside the
shuffles' mean and standard deviation. Shuffling keeps each bar's shape, volume and return and
destroys their order: whatever is found there is noise. Nothing is tuned on these figures.
"""

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from adapters.files import open_feed
from engine.blocks import Bars
from engine.chunks import rechunk
from engine.instruments import InstrumentTable
from engine.messages import Detections
from engine.naming import event_name
from engine.timeframes import TIMEFRAMES
from tests.lines import Recorded, config, line
from tests.makers import end_of_feed, instrument, session

BLOCK_BARS = 20
DAYS_A_YEAR = 365.25


def market_of(bars: Bars, symbols: Sequence[str]) -> Recorded:
    table = InstrumentTable(instrument(name) for name in symbols)
    frame = TIMEFRAMES[int(bars.timeframe[0])]
    return Recorded(session(*symbols, detect_on=(frame,)), table, (bars, end_of_feed(int(bars.close_ns[-1]))))


def shuffled(bars: Bars, random: np.random.Generator, block_bars: int) -> Bars:
    """The same dates with each instrument's bars in another order, chained by their returns."""
    columns = {name: getattr(bars, name).copy() for name in ("open", "high", "low", "close", "volume")}
    for number in np.unique(bars.instrument):
        rows = np.flatnonzero(bars.instrument == number)
        order = _order(len(rows), random, block_bars)
        prices = {name: columns[name][rows] for name in ("open", "high", "low", "close")}
        before = np.concatenate(([prices["open"][0]], prices["close"][:-1]))
        steps = {name: (prices[name] / before)[order] for name in prices}
        start = prices["open"][0] * np.concatenate(([1.0], np.cumprod(steps["close"])[:-1]))
        for name, step in steps.items():
            columns[name][rows] = start * step
        columns["volume"][rows] = columns["volume"][rows][order]
    return replace(bars, closed=None, **columns)


def _order(rows: int, random: np.random.Generator, block_bars: int) -> np.ndarray:
    starts = random.permutation(np.arange(0, rows, block_bars))
    return np.concatenate([np.arange(start, min(rows, start + block_bars)) for start in starts])


def counts(market: Recorded) -> dict[str, int]:
    """Events by the name of their direction."""
    found: dict[str, int] = {}

    class Counter:
        def write(self, item: object) -> None:
            if isinstance(item, Detections):
                for event in item.events:
                    name = f"{event_name(event.kind, event.direction)} {event.direction:+d}"
                    found[name] = found.get(name, 0) + 1

    built = line(market, config(), sinks=[Counter()])
    for fact in market.facts(65_536):
        built.chain.push(fact)
    return found


def main() -> None:
    feed = open_feed(Path(sys.argv[1]))
    draws = int(sys.argv[2]) if len(sys.argv) > 2 else 20
    numbers = {name: number for number, name in enumerate(feed.symbols)}
    bars = next(block for block in rechunk(feed.facts(numbers, 0, 1_000_000), 0) if isinstance(block, Bars))
    real = counts(market_of(bars, feed.symbols))
    random = np.random.default_rng(1)
    noise = [
        counts(market_of(shuffled(bars, random, 1 if draw % 2 else BLOCK_BARS), feed.symbols)) for draw in range(draws)
    ]
    show(real, noise, symbol_years(bars))


def symbol_years(bars: Bars) -> float:
    spans = [np.ptp(bars.open_ns[bars.instrument == number]) for number in np.unique(bars.instrument)]
    return float(sum(spans)) / 86_400e9 / DAYS_A_YEAR


def show(real: dict[str, int], noise: Sequence[dict[str, int]], years: float) -> None:
    table = Table(title=f"{years:.1f} symbol-years, {len(noise)} shuffles")
    for name in ("event", "real", "a year", "shuffled", "sd", "ratio", "z"):
        table.add_column(name, justify="left" if name == "event" else "right")
    for name in sorted({*real, *(key for one in noise for key in one)}):
        drawn = np.array([one.get(name, 0) for one in noise], dtype=float)
        found, mean, deviation = real.get(name, 0), float(drawn.mean()), float(drawn.std(ddof=1))
        table.add_row(
            name, str(found), f"{found / years:.2f}", f"{mean:.1f}", f"{deviation:.1f}",
            f"{found / mean:.2f}" if mean else "-", f"{(found - mean) / deviation:+.1f}" if deviation else "-",
        )  # fmt: skip
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
