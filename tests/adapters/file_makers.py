"""Makers of files, and a reader that gives a whole file as one block."""

import gzip
from math import inf
from pathlib import Path
from typing import Any, NamedTuple

from adapters.cleaning import CleaningSettings
from adapters.files import DROPPED, FileFeed, FileOptions, open_feed
from engine.blocks import MarketBlock
from engine.messages import EndOfFeed, Quarantine
from engine.timeframes import TIMEFRAMES

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"

DAILY = """Date,Open,High,Low,Close,Volume
2020-01-01,10,12,9,11,100
2020-01-02,11,13,10,12,200
2020-01-03,12,14,11,13,300
"""

PRINTS = """time,price,size,side,id
1600000000000,10.5,1,buy,1
1600000000001,10.6,2,sell,2
1600000000001,10.6,2,sell,3
1600000000002,10.4,3,b,4
"""


BELIEVING = CleaningSettings(
    bad_rows="refuse", trade_band=inf, bar_bands=(inf,) * len(TIMEFRAMES), hole_band=inf, reuse_ratio=inf
)


class Read(NamedTuple):
    feed: FileFeed
    block: Any
    end: EndOfFeed
    sizes: list[int]

    @property
    def counts(self) -> dict[str, int]:
        return dict(self.feed.counts)


def write(folder: Path, text: str | bytes, name: str = "AAA.csv") -> Path:
    """A file; compressed where its name ends in .gz."""
    data = text.encode() if isinstance(text, str) else text
    path = folder / name
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return path


def collect(feed: FileFeed, chunk: int = 4096) -> Read:
    numbers = {symbol: number for number, symbol in enumerate(feed.symbols)}
    *blocks, end = feed.facts(numbers, 0, chunk)
    assert isinstance(end, EndOfFeed)
    rows = [block for block in blocks if isinstance(block, MarketBlock)]
    assert all(isinstance(fact, Quarantine) for fact in blocks if not isinstance(fact, MarketBlock))
    joined = type(rows[0]).join(rows) if rows else None
    assert feed.counts["rows"] == sum(map(len, rows)) + sum(feed.counts.get(reason, 0) for reason in DROPPED)
    return Read(feed, joined, end, [len(block) for block in rows])


def read(path: Path, chunk: int = 4096, **options: Any) -> Read:
    """As a reader sees the file: rows that cannot be market data are refused, any price is believed."""
    options.setdefault("cleaning", BELIEVING)
    return collect(open_feed(path, FileOptions(**options)), chunk)
