"""Price series for detector tests: a hand-written accumulation, seeded walks, real days, and their mirrors."""

import csv
import gzip
from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import numpy as np

from engine.blocks import Bars
from engine.instruments import InstrumentTable
from engine.messages import Detections, Event, PhaseChange
from engine.ports import Item
from engine.timeframes import LENGTH_NS, TIMEFRAMES
from engine.wyckoff.detector import PhaseDetector
from engine.wyckoff.settings import DetectorSettings
from tests.makers import START_NS, table
from tests.markets import walk

REAL = Path(__file__).parents[3] / "shared/data/daily-singles/bokeh_sampledata_stocks.csv.gz"

QUIET = [(150.0, 151.0, 149.0, 150.0, 1_000.0)] * 50
DECLINE = [(152.0 - 2 * n, 152.5 - 2 * n, 149.5 - 2 * n, 150.0 - 2 * n, 1_000.0) for n in range(1, 21)]
CLIMAX = [(110.0, 110.5, 98.0, 105.0, 4_000.0)]
RALLY = [
    (105.0, 110.0, 104.5, 109.5, 1_500.0), (109.5, 114.0, 109.0, 113.5, 1_200.0), (113.5, 118.0, 113.0, 117.0, 1_100.0),
    (117.0, 121.0, 116.5, 119.0, 1_000.0),
]  # fmt: skip
TEST_OF_CLIMAX = [
    (119.0, 119.5, 115.0, 115.5, 900.0), (115.5, 116.0, 111.0, 111.5, 900.0), (111.5, 112.0, 106.5, 107.0, 900.0),
    (107.0, 107.5, 102.5, 103.0, 900.0), (103.0, 104.5, 100.5, 103.5, 900.0), (103.5, 107.5, 103.0, 107.0, 900.0),
]  # fmt: skip
CAUSE = [
    (price - 1.0, price + 1.5, price - 1.5, price, 800.0)
    for price in (109, 111, 113, 115, 113, 111, 109, 108, 110, 112, 110, 108, 106, 104, 102, 100.5)
]
SPRING = [(100.5, 101.0, 97.0, 99.0, 600.0), (99.0, 102.5, 98.8, 102.0, 900.0)]
TEST_OF_SPRING = [(102.0, 102.2, 99.5, 100.0, 350.0), (100.0, 103.5, 99.8, 103.0, 800.0)]
STRENGTH = [
    (103.0, 107.0, 102.8, 106.8, 1_200.0), (106.8, 111.0, 106.5, 110.8, 1_300.0), (110.8, 115.0, 110.5, 114.8, 1_400.0),
    (114.8, 119.0, 114.5, 118.8, 1_600.0), (118.8, 125.5, 118.5, 125.0, 2_800.0),
]  # fmt: skip
BACKUP = [
    (125.0, 125.2, 123.5, 123.8, 700.0), (123.8, 124.0, 122.2, 122.5, 600.0), (122.5, 122.8, 121.0, 121.8, 500.0),
    (121.8, 124.5, 121.6, 124.2, 900.0),
]  # fmt: skip
MARKUP = [(124.0 + 2 * n, 126.5 + 2 * n, 123.5 + 2 * n, 126.0 + 2 * n, 1_000.0) for n in range(6)]

ACCUMULATION = (
    QUIET + DECLINE + CLIMAX + RALLY + TEST_OF_CLIMAX + CAUSE + SPRING + TEST_OF_SPRING + STRENGTH + BACKUP + MARKUP
)


def closed(rows: object, timeframe: str = "1d", **columns: object) -> Bars:
    """Closed bars of instrument 0 from (open, high, low, close, volume) rows, one released per tape row."""
    values = np.asarray(rows, dtype=float).reshape(-1, 5)
    opens = START_NS + LENGTH_NS[timeframe] * np.arange(len(values), dtype=np.int64)
    given: dict[str, object] = {
        "open_ns": opens,
        "close_ns": opens + LENGTH_NS[timeframe],
        "timeframe": TIMEFRAMES.index(timeframe),
        "open": values[:, 0],
        "high": values[:, 1],
        "low": values[:, 2],
        "close": values[:, 3],
        "volume": values[:, 4],
        "release": np.arange(len(values)) + 1,
        "trades": -1,
    }
    return Bars.of(**(given | columns))


def mirrored(bars: Bars) -> Bars:
    """The same market seen upside down: prices negated, high and low swapped."""
    return replace(bars, open=-bars.open, high=-bars.low, low=-bars.high, close=-bars.close)


def scaled(bars: Bars, factor: float) -> Bars:
    return replace(
        bars, open=bars.open * factor, high=bars.high * factor, low=bars.low * factor, close=bars.close * factor
    )


def planted(rows: int, seed: int) -> Bars:
    """A seeded walk with planted accumulations."""
    columns = walk(rows, seed)
    return closed(np.stack([columns[name] for name in ("open", "high", "low", "close", "volume")], axis=1))


def clustered(rows: int, seed: int) -> Bars:
    """A walk whose volatility clusters and drives volume, as in a GARCH(1,1)."""
    random = np.random.default_rng(seed)
    variance, close, before = 1e-4, 100.0, 0.0
    out = []
    for _ in range(rows):
        variance = 4e-6 + 0.12 * before**2 + 0.85 * variance
        before = float(random.normal(0, np.sqrt(variance)))
        opened, close = close, close * float(np.exp(before))
        reach = close * np.sqrt(variance) * random.uniform(0.1, 0.9, 2)
        volume = 1_000 * np.sqrt(variance) / 0.01 * random.lognormal(0, 0.35)
        out.append(
            (opened, max(opened, close) + reach[0], min(opened, close) - reach[1], close, float(np.round(volume)))
        )
    return closed(out)


@cache
def real_days() -> dict[str, Bars]:
    """Adjusted daily bars by ticker; empty where the data folder is absent."""
    if not REAL.exists():
        return {}
    rows = defaultdict(list)
    with gzip.open(REAL, "rt") as file:
        for row in csv.DictReader(file):
            factor = float(row["Adj Close"]) / float(row["Close"])
            prices = tuple(float(row[name]) * factor for name in ("Open", "High", "Low", "Close"))
            day = datetime.fromisoformat(row["Date"]).replace(tzinfo=UTC)
            rows[row["Ticker"]].append((int(day.timestamp()) * 10**9, *prices, float(row["Volume"]) / factor))
    return {ticker: _days(np.array(sorted(days))) for ticker, days in rows.items()}


def _days(days: np.ndarray) -> Bars:
    opens = days[:, 0].astype(np.int64)
    return closed(days[:, 1:], open_ns=opens, close_ns=opens + LENGTH_NS["1d"])


def detector(instruments: InstrumentTable | None = None, **options: object) -> PhaseDetector:
    given: dict[str, object] = {"timeframes": TIMEFRAMES, "detect_on": ("1d",)}
    return PhaseDetector(DetectorSettings(), instruments or table(), **(given | options))  # type: ignore[arg-type]


def swapped(stage: PhaseDetector) -> PhaseDetector:
    """A detector whose sides have changed their gates: with it the mirror is exact, exceptions and all."""
    stage._rules.gates[:] = stage._rules.gates[:, :, ::-1].copy()
    return stage


def block(bars: Bars, sequence: int = 1, rows: int = 0) -> Bars:
    """A block of `rows` rows that released `bars`."""
    carrier = Bars.of(close=np.ones(rows)) if rows else Bars.empty()
    line_ns = np.full(rows, START_NS, np.int64)
    return replace(carrier, sequence=sequence, closed=bars, line_ns=line_ns, line_time_ns=START_NS)


def run(stage: PhaseDetector, *blocks: Item) -> list[Item]:
    return [item for each in blocks for item in stage.process(each)]


def detections(items: list[Item]) -> list[Detections]:
    return [item for item in items if isinstance(item, Detections)]


def events(bars: Bars, stage: PhaseDetector | None = None) -> list[Event]:
    return [event for one in detections(run(stage or detector(), block(bars))) for event in one.events]


def changes(bars: Bars, stage: PhaseDetector | None = None) -> list[PhaseChange]:
    return [change for one in detections(run(stage or detector(), block(bars))) for change in one.phases]


def decorated(items: list[Item]) -> Bars:
    """All closed bars of the blocks among `items`, in order."""
    return Bars.join([item.closed for item in items if isinstance(item, Bars) and item.closed is not None])
