"""Every file of the shared data folder: how it is opened, and what comes out of it as numbers.

`READINGS` names each file with the options it needs, `NOT_FEEDS` the rest with a reason. `measure`
gives what `tests/recordings.toml` keeps of a reading: counts, times and a digest of all facts, never
a row. `DIFFERENCES` explains where that is not what the folder's own list (MANIFEST.csv) says.
"""

import csv
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec
import numpy as np

from adapters.files import DROPPED, FileFeed, FileOptions, open_feed
from adapters.raw import UNREAD, RawFeed, RawOptions, is_raw, open_raw
from engine.blocks import NAN_COLUMNS, Bars, MarketBlock
from engine.messages import EndOfFeed
from engine.timeframes import MINUTE_NS

SHARED: Final = Path(__file__).resolve().parents[2] / "shared" / "data"
TABLE: Final = Path(__file__).with_name("recordings.toml")
KNOWN: Final[dict[str, dict[str, Any]]] = tomllib.loads(TABLE.read_text()) if TABLE.exists() else {}
"""The table: reading -> what `measure` gave."""

SMALL_CHUNK: Final = 977
LARGE_CHUNK: Final = 65_536
MOST_NAMES: Final = 8
"""Symbols that the table names; of more it has the number only."""

SPOT: Final = "feeds/hftbacktest/spot/btcusdt_2024080?.gz"
QUOTES: Final = " with quotes"
EVERY_KIND: Final = frozenset(("trades", "quotes", "bars"))

NOT_FEEDS: Final = {
    "README.md": "about the data",
    "*/README.md": "about the data",
    "*/readme.md": "about the data",
    "*LICENSE": "about the data",
    "MANIFEST.csv": "the list that the numbers are compared with",
    "SHA256SUMS": "checks the copy of the folder",
    "lean/Data/equity/usa/factor_files/*.csv": "splits and dividends: read with the files they belong to",
    "lean/Data/equity/usa/map_files/*.csv": "former names of a symbol; none of these files bears one",
    "daily-universe/yfinance-stock-data_150symbols.txt": "the names of the symbols in the archive beside it",
    "labels/hand_labelled_AAPL_GOOG_XOM.csv": "labels of events, no prices",
}
"""Pattern -> why it is no feed."""

OPTIONS: Final[Mapping[str, dict[str, Any]]] = {
    # 30 minutes are no timeframe of the line.
    "crypto-bars/freqtrade-testdata/UNITTEST_BTC-30m.feather": {"fold": "1h"},
}
"""What a file does not say itself."""

REFUSED: Final = {
    "daily-universe/pystock-data/2016/20161117.tar.gz": "its prices.csv is empty; among other files it is skipped",
    "feeds/hftbacktest/hyperliquid/btcusd_20250126.gz": "no codec speaks Hyperliquid",
}
"""Files that cannot be a feed, and why."""

_WITHOUT = "rows withheld had no volume either"
_DAYS = "a day is named by its date, at midnight UTC; the list's wall clock is New York's"
_FIRST = "the first row is a bad print and withheld"
DIFFERENCES: Final[Mapping[tuple[str, str], str]] = {
    ("bars-minute/yahoo-intraday/SPY.csv.gz", "dup_t"): "one of the rows that repeat a stamp is the row without prices",
    ("bars-minute/yahoo-intraday/SPY.csv.gz", "zero_vol"): "rows that repeat a stamp are counted once",
    ("bars-minute/yahoo-intraday/FB.csv.gz", "zero_vol"): _WITHOUT,
    ("daily-singles/GC=F.csv.gz", "zero_vol"): _WITHOUT,
    ("daily-universe/pystock-data/201?/*.tar.gz", "zero_vol"): _WITHOUT,
    ("crypto-bars/cryptodatadownload/Binance_???USDT_1h.csv.gz", "first"): _FIRST,
    ("crypto-bars/freqtrade-testdata/UNITTEST_BTC-30m.feather", "last"): "its last half hour closes the hour before",
    ("feeds/cryptofeed/*.jsonl.zst", "first"): "the list begins with the first HTTP record, not with a connection",
    ("lean/Data/equity/usa/daily/*.zip", "first"): _DAYS,
    ("lean/Data/equity/usa/daily/*.zip", "last"): _DAYS,
    ("lean/Data/equity/usa/minute/aapl/2014060?_*.zip", "first"): _FIRST,
}
"""(pattern, column of the list) -> why what comes out is not what the list counts in the file."""


@dataclass(slots=True)
class Reading:
    """What came out of one file, or of several that are one recording. `blocks` only where asked for."""

    feed: FileFeed | RawFeed
    out: int = 0
    same_time: int = 0
    no_volume: int = 0
    first_ns: int = 2**63 - 1
    last_ns: int = -(2**63)
    blocks: list[MarketBlock] = field(default_factory=list)
    _hashes: dict[str, Any] = field(default_factory=dict)
    _last_ns: dict[str, int] = field(default_factory=dict)

    def take(self, fact: object) -> None:
        if not isinstance(fact, MarketBlock):
            self._hash("facts").update(msgspec.msgpack.encode(fact))
            return
        kind = type(fact).__name__
        # Columns by kind, and the kind of each row: so the digest cannot see where blocks end.
        self._hash("order").update(kind[:1].encode() * len(fact))
        for name, column in fact.columns().items():
            if name not in NAN_COLUMNS:
                self._hash(f"{kind}.{name}").update(np.ascontiguousarray(column).data)
        self._count(kind, fact)

    def _count(self, kind: str, block: MarketBlock) -> None:
        times_ns = block.open_ns if isinstance(block, Bars) else block.row_ns
        self.out += len(block)
        self.first_ns, self.last_ns = min(self.first_ns, int(times_ns.min())), max(self.last_ns, int(times_ns.max()))
        if isinstance(block, Bars):
            self.no_volume += int((block.volume == 0).sum())
        elif len(self.feed.symbols) == 1:
            self.same_time += int((np.diff(times_ns, prepend=self._last_ns.get(kind, times_ns[0] - 1)) == 0).sum())
        self._last_ns[kind] = int(times_ns[-1])

    def _hash(self, name: str) -> Any:
        if name not in self._hashes:
            self._hashes[name] = blake2b(digest_size=16)
        return self._hashes[name]

    @property
    def digest(self) -> str:
        whole = blake2b(digest_size=8)
        for name, part in sorted(self._hashes.items()):
            whole.update(name.encode() + part.digest())
        return whole.hexdigest()


def listed() -> dict[str, dict[str, str]]:
    """The folder's own list, by path; empty where the folder is absent."""
    path = SHARED / "MANIFEST.csv"
    if not path.exists():
        return {}
    with path.open() as stream:
        return {row["path"]: row for row in csv.DictReader(stream)}


def present() -> list[str]:
    return sorted(path.relative_to(SHARED).as_posix() for path in SHARED.rglob("*") if path.is_file())


def reason_against(name: str) -> str:
    """Why a file is no feed; "" for one that should be."""
    return next((reason for pattern, reason in NOT_FEEDS.items() if fnmatchcase(name, pattern)), "")


def readings() -> list[str]:
    """The names of all readings: files, recordings once more with their quotes, and files that are one recording."""
    names = [name for name in present() if not reason_against(name)]
    raw = [name for name in names if name.startswith("feeds/") and name not in REFUSED]
    return [*names, *(name + QUOTES for name in raw), SPOT]


def opened(name: str) -> FileFeed | RawFeed:
    """Raises FeedError."""
    plain = name.removesuffix(QUOTES)
    paths = sorted(SHARED.glob(plain)) if "?" in plain else [SHARED / plain]
    if is_raw(paths[0]):
        return open_raw(paths, RawOptions(kinds=EVERY_KIND) if name != plain else RawOptions())
    return open_feed(paths[0], FileOptions(**OPTIONS.get(name, {})))


def read(name: str, chunk: int = LARGE_CHUNK, *, keep: bool = False, feed: FileFeed | RawFeed | None = None) -> Reading:
    reading = Reading(feed or opened(name))
    numbers = {symbol: number for number, symbol in enumerate(reading.feed.symbols)}
    fact: object = None
    for fact in reading.feed.facts(numbers, 0, chunk):
        assert not isinstance(fact, MarketBlock) or 0 < len(fact) <= chunk
        reading.take(fact)
        if keep and isinstance(fact, MarketBlock):
            reading.blocks.append(fact)
    assert isinstance(fact, EndOfFeed)
    return reading


def measure(reading: Reading) -> dict[str, Any]:
    """The numbers of the table, without what is 0 or empty."""
    feed = reading.feed
    assert feed.findings is not None
    counts = dict(feed.counts)
    rows = counts.pop("rows")
    names = feed.symbols
    found = {
        "kind": feed.kind,
        "timeframe": feed.timeframe,
        "read_as": feed.protocol if isinstance(feed, RawFeed) else feed.layout,
        "symbols": list(names) if len(names) <= MOST_NAMES else len(names),
        "rows": rows,
        "out": reading.out,
        "counts": counts,
        "told": dict(feed.messages if isinstance(feed, RawFeed) else feed.told),
        "remarks": {reason: rows for reason, rows in feed.findings.all.items() if reason not in counts},
        "same_time": reading.same_time,
        "no_volume": reading.no_volume,
        "first": shown(reading.first_ns),
        "last": shown(reading.last_ns),
        "digest": reading.digest,
    }
    if isinstance(feed, RawFeed):
        found["received"] = [shown(feed.recording.first_ns), shown(feed.recording.last_ns)]
    return {name: value for name, value in found.items() if value}


def withheld(counts: Mapping[str, int]) -> int:
    """Of the counts of a reading: rows that did not come out."""
    return sum(rows for reason, rows in counts.items() if reason in (*DROPPED, *UNREAD))


def shown(time_ns: int) -> str:
    return str(np.datetime64(time_ns, "ns"))


def differences(name: str, entry: Mapping[str, Any], row: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Column of the list -> what it says and what the table says, where these differ. Empty cells say nothing."""
    ours = _as_listed(name, entry)
    theirs = {column: _plain(name, column, value) for column, value in row.items() if column in ours and value}
    return {column: (value, ours[column]) for column, value in theirs.items() if value != ours[column]}


def explained(name: str, column: str) -> str:
    """Why a reading differs from the list; "" where nobody knows."""
    return next((why for (pattern, of), why in DIFFERENCES.items() if of == column and fnmatchcase(name, pattern)), "")


def _as_listed(name: str, entry: Mapping[str, Any]) -> dict[str, str]:
    """What the list would say of a reading, going by the table."""
    counts: Mapping[str, int] = entry.get("counts", {})
    told: Mapping[str, int] = entry.get("told", {})
    if "received" in entry:
        first, last = entry["received"]
        return {"rows": str(told["messages"]), "first": first, "last": last}
    repeats = counts.get("duplicate", 0) + counts.get("duplicate_conflicting", 0) + entry.get("same_time", 0)
    turned = counts.get("reversed") == entry["rows"]
    moved = counts.get("sorted", 0) + counts.get("stacked", 0)
    return {
        "rows": str(entry["rows"]),
        "first": entry["first"],
        "last": entry["last"],
        "order": "desc" if turned else "unordered" if moved else "asc",
        "dup_t": str(repeats),
        "bad_ohlc": str(counts.get("bad_ohlc", 0)),
        "nan": str(counts.get("nan_row", 0)),
        "nonpos": str(counts.get("bad_price", 0)),
        "zero_vol": str(entry.get("no_volume", 0)),
    }


def _plain(name: str, column: str, value: str) -> str:
    """A cell of the list in our form. LEAN's times are milliseconds of the day that the file's name says."""
    if column in ("first", "last"):
        return shown(_moment(name, value))
    return value.removesuffix(".0")


def _moment(name: str, value: str) -> int:
    if not name.startswith("lean/"):
        moment_ns = int(np.datetime64(value.removesuffix("+00:00"), "ns").astype(np.int64))
        # Stamps of cryptofeed are floats of seconds: no better than a microsecond.
        return round(moment_ns / 1_000) * 1_000 if "cryptofeed" in name else moment_ns
    zone = ZoneInfo("America/New_York" if "/equity/" in name else "UTC")
    if ":" in value:
        return _utc_ns(np.datetime64(f"{value[:4]}-{value[4:6]}-{value[6:8]}T{value[9:]}", "ns"), zone)
    day = Path(name).name[:8]
    wall = np.datetime64(f"{day[:4]}-{day[4:6]}-{day[6:]}", "ns") + np.timedelta64(int(value), "ms")
    moment_ns = _utc_ns(wall, zone)
    return moment_ns // MINUTE_NS * MINUTE_NS if "/second/" in name else moment_ns


def _utc_ns(wall: np.datetime64, zone: ZoneInfo) -> int:
    seconds = int(wall.astype("datetime64[s]").astype(np.int64))
    clock = np.datetime64(seconds, "s").astype(object).replace(tzinfo=zone)
    return int(wall.astype(np.int64)) - int(clock.utcoffset().total_seconds()) * 1_000_000_000


def lines_of(table: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """TOML, a table a reading, with the reasons of what is odd about it."""
    rows = listed()
    for name, entry in table.items():
        yield f'["{name}"]'
        if name in REFUSED:
            yield f"# {REFUSED[name]}"
        elif name in rows:
            for column, (theirs, ours) in differences(name, entry, rows[name]).items():
                yield f"# {column}: the list says {theirs}, not {ours}: {explained(name, column) or 'UNEXPLAINED'}"
        for key, value in entry.items():
            yield f"{key} = {_toml(value)}"
        yield ""


def _toml(value: object) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(one)}" for key, one in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return str(value) if isinstance(value, int) else msgspec.json.encode(value).decode()
