"""Splits and dividends: prices and sizes of earlier days, rescaled to those of one day.

Two files are read. A LEAN factor file has no header and rows `YYYYMMDD,price factor,split factor,
close`, each holding up to and including its day. Another has the columns `date` (the first day
that trades without the right), `split` (7 for 7:1), `dividend` (cash), `close` (of the day before,
needed for a dividend) and perhaps `symbol`. A row's day is that of its exchange.

Prices take both factors, sizes only that of splits. Nothing depends on other rows, so files stream.
"""

from collections.abc import Mapping, Sequence
from csv import DictReader, reader
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from adapters.archives import reading
from adapters.columns import OHLC
from adapters.feed_errors import FileError, FormatError, LayoutError
from adapters.stamps import from_texts, wall_offsets
from adapters.texts import CellError, Texts
from engine.blocks import Column, Float64, Int64
from engine.timeframes import DAY_NS

PRICES = (*OHLC, "price", "bid", "ask")
SIZES = ("volume", "size", "bid_size", "ask_size")
EVERY = ""
"""The symbol of actions that name none: they are those of the file, whatever its symbol."""

MOST_BYTES = 16 << 20
_LAST_NS = 2**62


@dataclass(frozen=True, slots=True)
class Factors:
    """Rows of day <= until_ns[i], and after until_ns[i - 1], take factor i. All (n,), ascending."""

    until_ns: Int64
    prices: Float64
    splits: Float64

    def as_of(self, day_ns: int | None) -> "Factors":
        """So that this day's prices, or those after the last action, stay as they are."""
        at = self._at(np.array([_LAST_NS if day_ns is None else day_ns]))
        return Factors(self.until_ns, self.prices / self.prices[at], self.splits / self.splits[at])

    def of(self, day_ns: Int64) -> tuple[Float64, Float64]:
        """Price and split factor of each day."""
        at = self._at(day_ns)
        return self.prices[at], self.splits[at]

    def without_dividends(self) -> "Factors":
        return Factors(self.until_ns, self.splits, self.splits)

    def _at(self, day_ns: Int64) -> Int64:
        return np.minimum(np.searchsorted(self.until_ns, day_ns), len(self.until_ns) - 1)


class Adjustments:
    """Factors by symbol, applied to rows. `zone` is the exchange's, for stamps that do not show it."""

    def __init__(self, factors: Mapping[str, Factors], zone: str) -> None:
        self._factors = factors
        self._zone = zone

    def scaled(self, columns: Mapping[str, Column], names: Sequence[str]) -> dict[str, Column]:
        prices, splits = np.ones((2, len(columns["lines"])))
        day_ns = self._days(columns)
        for code, name in enumerate(names):
            factors = self._factors.get(name, self._factors.get(EVERY))
            if factors is not None:
                mine = columns["symbol"] == code
                prices[mine], splits[mine] = factors.of(day_ns[mine])
        changed: dict[str, Column] = {name: columns[name] * prices for name in PRICES if name in columns}
        changed |= {name: columns[name] / splits for name in SIZES if name in columns}
        return changed

    def _days(self, columns: Mapping[str, Column]) -> Int64:
        """What names a day alone is that day; a moment is shown in the exchange's zone."""
        wall_ns: Int64 = columns["wall_ns"]
        days = wall_ns // DAY_NS * DAY_NS
        if self._zone == "UTC":
            return days
        utc_ns: Int64 = columns["utc_ns"]
        local = utc_ns + wall_offsets(utc_ns, self._zone)
        return np.where(wall_ns == days, days, local // DAY_NS * DAY_NS)


def read_factors(path: Path) -> dict[str, Factors]:
    """By symbol; EVERY where the file names none. Raises FeedError."""
    source = str(path)
    with reading(source):
        if path.stat().st_size > MOST_BYTES:
            raise FileError(f"{source}: adjustments must be at most {MOST_BYTES} bytes, was {path.stat().st_size}")
        text = path.read_bytes()
    try:
        lines = [line for line in text.decode("utf-8-sig").splitlines() if line.strip()]
    except UnicodeDecodeError as error:
        raise FormatError(f"{source}: text must be UTF-8, was byte 0x{text[error.start]:02x}") from error
    if not lines:
        raise FileError(f"{source}: must hold adjustments, was empty")
    return _actions(source, lines) if not lines[0][:8].isdecimal() else {EVERY: _factor_file(source, lines)}


def _factor_file(source: str, lines: Sequence[str]) -> Factors:
    rows = list(reader(lines))
    for number, row in enumerate(rows, 1):
        if len(row) < 3:
            raise LayoutError(f"{source}: row {number}: fields must be day, price factor, split factor, was {row!r}")
    until_ns = np.array([_day(source, number, row[0]) for number, row in enumerate(rows, 1)], np.int64)
    if any(after <= before for before, after in pairwise(until_ns.tolist())):
        raise LayoutError(f"{source}: days must ascend, was not so")
    dividends = np.array([_factor(source, number, row[1]) for number, row in enumerate(rows, 1)])
    splits = np.array([_factor(source, number, row[2]) for number, row in enumerate(rows, 1)])
    return Factors(until_ns, dividends * splits, splits)


def _actions(source: str, lines: Sequence[str]) -> dict[str, Factors]:
    table = DictReader([lines[0].lower().replace(" ", ""), *lines[1:]])
    names = table.fieldnames or ()
    if "date" not in names or not {"split", "dividend"} & set(names):
        raise LayoutError(f"{source}: columns must be date, split, dividend, close[, symbol], was {lines[0][:80]!r}")
    found: dict[str, list[tuple[int, float, float]]] = {}
    for number, row in enumerate(table, 2):
        cells = {name: (row[name] or "").strip() for name in names}
        day_ns = _day(source, number, cells["date"])
        split = _factor(source, number, cells.get("split") or "1")
        found.setdefault(cells.get("symbol", EVERY), []).append((day_ns, split, _dividend(source, number, cells)))
    if not found:
        raise FileError(f"{source}: must hold adjustments, was a header only")
    return {symbol: _chained(actions) for symbol, actions in found.items()}


def _dividend(source: str, number: int, cells: Mapping[str, str]) -> float:
    """The part of the price that stays."""
    cash = float(_number(source, number, cells.get("dividend") or "0"))
    if cash == 0:
        return 1.0
    close = _number(source, number, cells.get("close") or "nan")
    if not 0 < cash < close:
        raise LayoutError(
            f"{source}: row {number}: a dividend needs the close of the day before, above it, "
            f"was a dividend of {cash} and a close of {close}"
        )
    return 1 - cash / close


def _chained(actions: Sequence[tuple[int, float, float]]) -> Factors:
    """Each day's actions change all days before it."""
    ordered = sorted(actions)
    until_ns = np.array([*(day_ns - DAY_NS for day_ns, _, _ in ordered), _LAST_NS], np.int64)
    splits = np.array([*(1 / split for _, split, _ in ordered), 1.0])
    stays = np.array([*(part for _, _, part in ordered), 1.0])
    chained = np.cumprod(splits[::-1])[::-1]
    return Factors(until_ns, chained * np.cumprod(stays[::-1])[::-1], chained)


def _day(source: str, number: int, text: str) -> int:
    try:
        return int(from_texts(Texts.of([text]), "UTC").wall_ns[0])
    except CellError as error:
        raise LayoutError(f"{source}: row {number}: day {error}") from error


def _factor(source: str, number: int, text: str) -> float:
    value = _number(source, number, text)
    if not 0 < value < float("inf"):
        raise LayoutError(f"{source}: row {number}: factors must be > 0, was {text[:40]!r}")
    return value


def _number(source: str, number: int, text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise LayoutError(f"{source}: row {number}: factors must be numbers, was {text[:40]!r}") from error


def day_of(text: str) -> int:
    """Midnight of an ISO day, in nanoseconds. Raises CellError."""
    return int(from_texts(Texts.of([text]), "UTC").wall_ns[0])
