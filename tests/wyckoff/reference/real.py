"""Real bars for the comparison: five stocks that come with a package, and files that may be absent."""

import csv
import gzip
import lzma
import tarfile
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from importlib.util import find_spec
from io import TextIOWrapper
from pathlib import Path

import numpy as np

from engine.blocks import Bars
from engine.timeframes import LENGTH_NS
from tests.wyckoff.series import closed

SHARED = Path(__file__).parents[4] / "shared/data"

FILES = {
    "GLD": ("daily-singles/GLD.csv.gz", "1d"),
    "S&P 500": ("daily-singles/^GSPC.csv.gz", "1d"),
    "Dow": ("daily-singles/^DJI.csv.gz", "1d"),
    "XOM": ("labels/XOM.csv.gz", "1d"),
    "GOOG labelled": ("labels/GOOG.csv.gz", "1d"),
    "BTC hours": ("crypto-bars/cryptodatadownload/Binance_BTCUSDT_1h.csv.gz", "1h"),
    "BTC minutes": ("crypto-bars/ftx-perp/btc-perp-20211231-20220201_1m.csv.gz", "1m"),
    "EURUSD hours": ("fx/backtesting_EURUSD_1h.csv.gz", "1h"),
}
UNIVERSE = SHARED / "daily-universe/yfinance-stock-data_150symbols.tar.xz"
VOLUME_NAMES = ("Volume", "volume", "Volume BTC")


def stocks() -> dict[str, Bars]:
    """Adjusted daily bars of AAPL, FB, GOOG, IBM and MSFT from bokeh_sampledata; empty where it is not installed."""
    spec = find_spec("bokeh_sampledata")
    if spec is None or not spec.submodule_search_locations:
        return {}
    with gzip.open(Path(spec.submodule_search_locations[0]) / "_data/stocks.csv.gz", "rt") as file:
        rows = list(csv.DictReader(file))
    names = sorted({row["Ticker"] for row in rows})
    return {name: bars_of((row for row in rows if row["Ticker"] == name), "1d") for name in names}


def from_file(name: str, limit: int) -> Bars | None:
    """The last `limit` bars of one of FILES, None where it is absent."""
    path, timeframe = SHARED / FILES[name][0], FILES[name][1]
    if not path.exists():
        return None
    with gzip.open(path, "rt") as file:
        return bars_of(csv.DictReader(file), timeframe, limit)


def universe(limit: int) -> Iterator[tuple[str, Bars]]:
    """150 US stocks, each its last `limit` days; nothing where the archive is absent."""
    if not UNIVERSE.exists():
        return
    with lzma.open(UNIVERSE) as packed, tarfile.open(fileobj=packed) as archive:
        for member in archive:
            content = archive.extractfile(member) if member.name.endswith(".csv") else None
            if content is not None:
                yield Path(member.name).stem, bars_of(csv.DictReader(TextIOWrapper(content)), "1d", limit)


def bars_of(rows: Iterable[dict[str, str]], timeframe: str, limit: int = 100_000) -> Bars:
    """Adjusted where the file says how, in order, one bar a time."""
    found: dict[int, tuple[float, ...]] = {}
    for row in rows:
        lower = {name.lower(): value for name, value in row.items()}
        prices = tuple(float(lower[name]) for name in ("open", "high", "low", "close"))
        volume = float(next(row[name] for name in VOLUME_NAMES if name in row))
        factor = float(lower["adj close"]) / prices[3] if lower.get("adj close") else 1.0
        if np.isfinite([*prices, volume, factor]).all():
            found[opened(row)] = (*(price * factor for price in prices), volume / factor)
    days = sorted(found)[-limit:]
    opens = np.array(days, np.int64)
    return closed([found[day] for day in days], timeframe, open_ns=opens, close_ns=opens + LENGTH_NS[timeframe])


def opened(row: dict[str, str]) -> int:
    """`unix` is in seconds or milliseconds, whichever it can be."""
    if "unix" in row:
        stamp = int(float(row["unix"]))
        return stamp * (10**6 if stamp > 10**11 else 10**9)
    text = next(row[name] for name in ("Date", "date", "timestamp", "") if name in row)
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 10**9
