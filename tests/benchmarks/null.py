"""How often structure is recognised in real daily bars, and in the same bars shuffled.

`python -m tests.benchmarks.null FEED [DRAWS]` runs the detector on the feed and on DRAWS shuffles of
it (default 20, half of single bars, half of blocks of 20), and prints counts per event beside the
shuffles' mean and standard deviation. Shuffling keeps each bar's shape, volume and return and
destroys their order: whatever is found there is noise. Nothing is tuned on these figures.
`universe` for FEED stands for the archive of 150 US stocks that the tests compare on, all its years.
"""

import sys
from collections import Counter
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
from engine.wyckoff.detector import PhaseDetector
from engine.wyckoff.settings import DetectorSettings
from tests.makers import instrument
from tests.wyckoff.reference.real import universe
from tests.wyckoff.series import block

BLOCK_BARS = 20
DAYS_A_YEAR = 365.25


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


def counts(markets: Sequence[Bars]) -> Counter[str]:
    """Events by the name of their direction, in all markets."""
    found: Counter[str] = Counter()
    for bars in markets:
        table = InstrumentTable(instrument(f"S{number}") for number in range(int(bars.instrument.max()) + 1))
        stage = PhaseDetector(DetectorSettings(), table, TIMEFRAMES, (TIMEFRAMES[int(bars.timeframe[0])],))
        for item in stage.process(block(bars)):
            if isinstance(item, Detections):
                found.update(f"{event_name(event.kind, event.direction)} {event.direction:+d}" for event in item.events)
    return found


def markets_of(name: str) -> list[Bars]:
    """A feed's bars as one market, the universe as one a stock."""
    if name == "universe":
        return [bars for _, bars in universe(limit=100_000) if len(bars) > BLOCK_BARS]
    feed = open_feed(Path(name))
    numbers = {symbol: number for number, symbol in enumerate(feed.symbols)}
    return [next(each for each in rechunk(feed.facts(numbers, 0, 1_000_000), 0) if isinstance(each, Bars))]


def main() -> None:
    markets = markets_of(sys.argv[1])
    draws = int(sys.argv[2]) if len(sys.argv) > 2 else 20
    random = np.random.default_rng(1)
    noise = [
        counts([shuffled(bars, random, 1 if draw % 2 else BLOCK_BARS) for bars in markets]) for draw in range(draws)
    ]
    show(counts(markets), noise, sum(map(symbol_years, markets)))


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
