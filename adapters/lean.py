"""Files of a LEAN data folder: zips of one CSV without a header, told apart by where they lie.

`<asset>/<market>/<resolution>/<symbol>/<date>_<trade|quote>.zip`, or for hours and days
`<asset>/<market>/<resolution>/<symbol>[_<trade|quote>].zip`. Times are milliseconds since midnight,
or `YYYYMMDD HH:MM`, of New York for equities and UTC for the rest; equity prices count 1/10,000.
Quote bars become bars of the mid, and seconds become minutes, the shortest bar of the line.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from adapters.columns import OHLC
from adapters.feed_errors import FormatError, LayoutError
from adapters.file_options import FileOptions
from adapters.layouts import LEAN
from adapters.member_table import MemberTable
from adapters.stamps import from_texts, wall_offsets
from adapters.tables import Cells, Moments, Page
from adapters.texts import CellError, Texts, numbers, words
from engine.blocks import Column, Float64, Int32, Int64

ZONES = {"equity": "America/New_York", "crypto": "UTC", "cryptofuture": "UTC", "forex": "UTC", "cfd": "UTC"}
"""Asset class -> where its midnights are. Oanda's forex files are UTC, as their Sunday openings show."""

_DATED = ("tick", "second", "minute")
_WHOLE = ("hour", "daily")
_EQUITY_UNIT = 10_000.0  # an equity price is dollars x 10,000
_MILLISECOND_NS = 1_000_000
_LAST_MS = 86_400_000  # a daylight saving day of 25 hours is still written in wall clock

_MASK = re.compile(r"[0-9a-fA-F]{1,8}")
_DATED_NAME = re.compile(r"(\d{8})_(trade|quote)\.zip")
_NAME = re.compile(r"([^_]+?)(?:_(trade|quote))?\.zip")

_TRADE_TICK = ("time", "price", "size", "exchange", "conditions", "suspicious")
_QUOTE_TICK = ("time", "bid", "bid_size", "ask", "ask_size", "exchange", "conditions", "suspicious")
_QUOTE_BAR = tuple(f"{side} {name}" for side in ("bid", "ask") for name in (*OHLC, "size"))
_FIELDS: Mapping[tuple[str, bool], tuple[tuple[str, ...], ...]] = {
    ("trade", True): (_TRADE_TICK, _TRADE_TICK[:3]),
    ("quote", True): (_QUOTE_TICK, _QUOTE_TICK[:5], ("time", "bid", "ask")),
    ("trade", False): (("time", *OHLC, "volume"),),
    ("quote", False): (("time", *_QUOTE_BAR),),
}
_UNNAMED = ("exchange", "suspicious")
"""Fields that are no column of ours."""


@dataclass(frozen=True, slots=True)
class LeanFile:
    """What a path says. `root` is the market's folder. `date` is YYYYMMDD and `day_ns` its midnight
    as a wall clock; "" and 0 for files of many days."""

    root: Path
    asset: str
    resolution: str
    ticker: str
    kind: str
    date: str
    day_ns: int

    @property
    def zone(self) -> str:
        return ZONES[self.asset]


def lean_file(path: Path) -> LeanFile | None:
    """What the path says, or None where it is no LEAN path."""
    parts = path.absolute().parts
    dated, named = _DATED_NAME.fullmatch(path.name), _NAME.fullmatch(path.name)
    depth = 3 if dated else 2  # the resolution's place from the end
    if not (dated or named) or len(parts) <= depth + 2 or parts[-depth - 2] not in ZONES:
        return None
    asset, resolution = parts[-depth - 2], parts[-depth]
    root = path.absolute().parents[depth - 1]
    if dated and resolution in _DATED:
        date, kind = dated.groups()
        day_ns = _midnight(date)
        return LeanFile(root, asset, resolution, parts[-2].upper(), kind, date, day_ns) if day_ns is not None else None
    if named and not dated and resolution in _WHOLE:
        # Without a word in the name forex has quotes, and the rest trades.
        kind = named.group(2) or ("quote" if asset in ("forex", "cfd") else "trade")
        return LeanFile(root, asset, resolution, named.group(1).upper(), kind, "", 0)
    return None


def _midnight(date: str) -> int | None:
    try:
        return int(from_texts(Texts.of([date]), "UTC").wall_ns[0])
    except CellError:
        return None


class LeanTable:
    """Columns as `adapters.columns` names them, prices in money, times as moments."""

    layout = LEAN

    def __init__(self, path: Path, options: FileOptions, file: LeanFile) -> None:
        self._source = str(path)
        self._file = file
        self._fields, self._table = self._opened(path, options)
        self.names = _names(self._fields)

    @property
    def counts(self) -> Mapping[str, int]:
        return self._table.counts

    def place(self, line: int) -> str:
        return self._table.place(line)

    def pages(self, columns: Mapping[str, int]) -> Iterator[Page]:
        wanted = {self.names[at]: ours for ours, at in columns.items()}
        for page in self._table.pages({name: at for at, name in enumerate(self._fields)}):
            told: dict[str, int] = {}
            cells: dict[str, Cells] = {}
            for name, ours in wanted.items():
                cells[ours] = self._times(page) if name == "time" else self._values(page, name)
            if "suspicious" in page.cells and len(wanted) > 1:
                marked = int((_numbers(page, "suspicious") != 0).sum())
                told = {"suspicious": marked} if marked else {}
            yield replace(page, cells=cells, told=told, symbol="")

    def _opened(self, path: Path, options: FileOptions) -> tuple[tuple[str, ...], MemberTable]:
        """By the first width that fits: only equities have exchanges and conditions."""
        choices = _FIELDS[self._file.kind, self._file.resolution == "tick"]
        for fields in choices:
            given = FileOptions(columns=fields, member=options.member)
            try:
                return fields, MemberTable(path, given)
            except LayoutError as error:
                refused = error
        widths = " or ".join(str(len(fields)) for fields in choices)
        what = f"{self._file.asset} {self._file.resolution} {self._file.kind} rows"
        raise LayoutError(f"{self._source}: {what} must have {widths} fields, was not so ({refused})") from refused

    def _times(self, page: Page) -> Moments:
        """UTC, to be shown in the zone of the exchange."""
        if not self._file.date:
            wall_ns = _wall(page)
        else:
            elapsed = _numbers(page, "time")
            wrong = ~((elapsed >= 0) & (elapsed < _LAST_MS))
            if wrong.any():
                first = int(np.argmax(wrong))
                raise page.refuse("time", CellError(first, "milliseconds of one day", _texts(page, "time")[first]))
            wall_ns = self._file.day_ns + np.round(elapsed * _MILLISECOND_NS).astype(np.int64)
        utc_ns = wall_ns - wall_offsets(wall_ns, self._file.zone)
        return Moments(utc_ns, self._file.zone, naive=False)

    def _values(self, page: Page, name: str) -> Column:
        if name == "conditions":
            return _masks(page, _texts(page, name))
        if name in OHLC and self._fields[1:] == _QUOTE_BAR:
            return self._mid(page, name)
        values = _numbers(page, name)
        return self._money(values) if name in ("price", "bid", "ask", *OHLC) else values

    def _money(self, values: Float64) -> Float64:
        return values / _EQUITY_UNIT if self._file.asset == "equity" else values

    def _mid(self, page: Page, name: str) -> Float64:
        """Of both sides; of the one that is there where the other is absent (empty or 0)."""
        bid, ask = (_numbers(page, f"{side} {name}") for side in ("bid", "ask"))
        bid, ask = np.where(bid == 0, np.nan, bid), np.where(ask == 0, np.nan, ask)
        bid, ask = np.where(np.isnan(bid), ask, bid), np.where(np.isnan(ask), bid, ask)
        return self._money((bid + ask) / 2)


def _names(fields: Sequence[str]) -> tuple[str, ...]:
    """The columns that come out: quote bars give those of the mid, quotes no conditions."""
    if fields[1:] == _QUOTE_BAR:
        return "time", *OHLC
    unnamed = (*_UNNAMED, "conditions") if "bid" in fields else _UNNAMED
    return tuple(name for name in fields if name not in unnamed)


def _masks(page: Page, texts: Texts) -> Int32:
    """Masks of at most 32 bits in base 16. They repeat, so each is read once. Raises BlockError."""
    codes, found = words(texts)
    values: list[int] = []
    for code, text in enumerate(found):
        value = int(text, 16) if _MASK.fullmatch(text) else -1
        if value < 0:
            raise page.refuse("conditions", CellError(int(np.argmax(codes == code)), "32 bits in base 16", text[:40]))
        values.append(value)
    return np.array(values, np.uint32).view(np.int32)[codes]


def _numbers(page: Page, name: str) -> Float64:
    try:
        return numbers(_texts(page, name))
    except CellError as error:
        raise page.refuse(name, error) from error


def _wall(page: Page) -> Int64:
    try:
        return from_texts(_texts(page, "time"), "UTC").wall_ns
    except CellError as error:
        raise page.refuse("time", error) from error


def _texts(page: Page, name: str) -> Texts:
    cells = page.cells[name]
    if not isinstance(cells, Texts):
        raise FormatError(f"{page.source}: a lean file must hold CSV, was JSON rows")
    return cells
