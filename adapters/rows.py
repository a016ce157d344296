"""Pages of cells to checked rows: numbers, times, symbols, sides, each with its line.

A row is refused as `engine.blocks` refuses it, in file order, before anything is sorted or
rescaled, so that the error names the line a person finds in the file. What a page says about its
rows beside their cells is applied here.
"""

from collections.abc import Iterable, Mapping
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from adapters import stamps
from adapters.columns import BARS, OHLC, QUOTE_COLUMNS, QUOTES, TRADES
from adapters.stamps import Stamps
from adapters.tables import Cells, Moments, Page
from adapters.texts import CellError, Texts, identities, identity, joined, numbers, words
from engine.blocks import Bars, BlockError, Column, Float64, Int32, Int64, MarketBlock, Quotes, Trades

SIDES = {
    "buy": 1, "b": 1, "bid": 1, "sell": -1, "s": -1, "ask": -1,
    "": 0, "none": 0, "null": 0, "nan": 0, "unknown": 0,
}  # fmt: skip
MAKER_SIDES = {"true": -1, "1": -1, "t": -1, "false": 1, "0": 1, "f": 1, "": 0}
"""Whether the buyer was the maker -> the aggressor's side."""

NEGATIVE_REFUSED = np.zeros(1, np.bool_)
_MOST_TRADES = 2**31 - 1


class Rows:
    """Aligned columns by name. `lines`, `symbol`, `wall_ns` and `utc_ns` are always there."""

    def __init__(self, columns: Mapping[str, Column]) -> None:
        self.columns = columns

    def __len__(self) -> int:
        return len(self.columns["lines"])

    def __getitem__(self, name: str) -> Column:
        return self.columns[name]

    def take(self, which: "npt.NDArray[np.bool_] | Int64 | slice") -> "Rows":
        return Rows({name: column[which] for name, column in self.columns.items()})

    def given(self, **columns: Column) -> "Rows":
        return Rows({**self.columns, **columns})

    @classmethod
    def join(cls, parts: Iterable["Rows"]) -> "Rows":
        """At least one part, all with the same columns."""
        kept = list(parts)
        return cls({name: np.concatenate([part[name] for part in kept]) for name in kept[0].columns})


class RowReader:
    """Reads pages one after the other; keeps what must agree between them."""

    def __init__(self, kind: str, zone: str, symbol: str, *, refuse_bad: bool = True) -> None:
        """`symbol` is for files without a symbol column, `zone` for stamps without a zone. Without
        `refuse_bad` values pass that cannot be market data: somebody else judges them."""
        self._refuse_bad = refuse_bad
        self._kind = kind
        self._zone = zone
        self.codes: dict[str, int] = {}
        self._symbol = symbol
        self.counts: dict[str, int] = {"rows": 0}
        self._units = np.zeros(stamps.UNITS, np.int64)

    @property
    def mixed_units(self) -> int:
        """Rows whose stamps are not in the unit that most rows have."""
        return int(self._units.sum() - self._units.max())

    def keys(self, page: Page) -> Rows:
        """Times and symbols only."""
        times = self._times(page)
        self._units += np.bincount(times.unit, minlength=stamps.UNITS)
        self._count("rows", len(page.lines) + sum(page.dropped.values()))
        for reason, rows in (*page.dropped.items(), *page.told.items()):
            self._count(reason, rows)
        symbol = self._symbols(page)
        return Rows({"lines": page.lines, "wall_ns": times.wall_ns, "utc_ns": times.utc_ns, "symbol": symbol})

    def read(self, page: Page) -> Rows:
        """All columns, without the rows in which every price is absent. Raises BlockError."""
        rows = self.keys(page)
        rows = rows.given(**_COLUMNS[self._kind](page))
        for reason, needed in MADE_UP.get(self._kind, {}).items():
            if needed not in page.cells:
                self._count(reason, len(rows))
        empty = np.logical_and.reduce([np.isnan(rows[name]) for name in _PRICES[self._kind]])
        if empty.any():
            self._count("nan_row", int(empty.sum()))
            rows = rows.take(~empty)
        if self._refuse_bad:
            _check(page, rows, self._kind)
        if page.scaling is not None:
            rows = rows.given(**page.scaling.scaled(rows.columns, list(self.codes)))
        return rows

    def _count(self, reason: str, rows: int) -> None:
        if rows:
            self.counts[reason] = self.counts.get(reason, 0) + rows

    def _times(self, page: Page) -> Stamps:
        cells = page.cells["time"]
        try:
            if isinstance(cells, Moments):
                return stamps.from_moments(
                    cells.time_ns, zone=self._zone if cells.naive else cells.zone, naive=cells.naive
                )
            if isinstance(cells, Texts):
                return stamps.from_texts(_with_clock(cells, page.cells.get("clock")), self._zone, page.dates)
            return stamps.from_numbers(cells)
        except CellError as error:
            raise page.refuse("time", error) from error

    def _symbols(self, page: Page) -> Int32:
        if "symbol" not in page.cells:
            code = self.codes.setdefault(page.symbol or self._symbol, len(self.codes))
            return np.full(len(page.lines), code, np.int32)
        found, names = words(_texts(page.cells["symbol"]))
        if "" in names:
            first = int(np.argmax(found == names.index("")))
            raise page.refuse("symbol", CellError(first, "a name", ""))
        codes = [self.codes.setdefault(name, len(self.codes)) for name in names]
        return np.array(codes, np.int32)[found]


MADE_UP = {BARS: {"no_volume": "volume"}, QUOTES: {"no_size": "bid_size"}}
"""By kind: what is counted where a column is absent and something stands in for it."""

_PRINT = ("price", "size")
_PRICES = {BARS: OHLC, TRADES: _PRINT, QUOTES: ("bid", "ask")}
_UNKNOWN_SIZE = 1.0  # of a quote whose file has no sizes; 0 would say that there is no quote


def _bar_columns(page: Page) -> dict[str, Column]:
    columns: dict[str, Column] = {name: _numbers(page, name) for name in OHLC}
    columns["volume"] = _numbers(page, "volume") if "volume" in page.cells else np.zeros(len(page.lines))
    if "adj_close" in page.cells:
        columns["adj_close"] = _numbers(page, "adj_close")
    columns["trades"] = np.full(len(page.lines), -1, np.int32)
    if "trades" in page.cells:
        counted = _numbers(page, "trades")
        _refuse(page, "trades", ~(np.isnan(counted) | (counted >= -1) & (counted <= _MOST_TRADES)), counted)
        columns["trades"] = np.where(np.isnan(counted), -1, counted).astype(np.int32)
    return columns


def _quote_columns(page: Page) -> dict[str, Column]:
    """A side that is absent, empty or 0, has size 0 and the other side's price."""
    columns: dict[str, Column] = {}
    for side in ("bid", "ask"):
        price, name = _numbers(page, side), f"{side}_size"
        price = np.where(price == 0, np.nan, price)
        size = _numbers(page, name) if name in page.cells else np.full(len(page.lines), _UNKNOWN_SIZE)
        columns[side], columns[name] = price, np.where(np.isnan(price), 0.0, size)
    bid, ask = columns["bid"], columns["ask"]
    columns["bid"], columns["ask"] = np.where(np.isnan(bid), ask, bid), np.where(np.isnan(ask), bid, ask)
    return columns


def _trade_columns(page: Page) -> dict[str, Column]:
    size = len(page.lines)
    columns: dict[str, Column] = {name: _numbers(page, name) for name in _PRINT}
    columns["side"] = np.zeros(size, np.int8)
    if "side" in page.cells:
        columns["side"] = _sides(page, "side", SIDES)
    elif "is_buyer_maker" in page.cells:
        columns["side"] = _sides(page, "is_buyer_maker", MAKER_SIDES)
    columns["trade_id"] = np.zeros(size, np.int64)
    if "id" in page.cells:
        cells = page.cells["id"]
        whole = isinstance(cells, np.ndarray) and cells.dtype.kind in "iu"
        columns["trade_id"] = cells.astype(np.int64) if whole else identities(_texts(cells))  # type: ignore[union-attr]
    columns["conditions"] = np.zeros(size, np.int32)
    if "conditions" in page.cells:
        columns["conditions"] = _conditions(page)
    return columns


_COLUMNS = {BARS: _bar_columns, TRADES: _trade_columns, QUOTES: _quote_columns}


def _conditions(page: Page) -> Int32:
    """A bit mask as it is, or as 31 bits that are the same for the same text."""
    cells = page.cells["conditions"]
    if isinstance(cells, np.ndarray) and cells.dtype == np.int32:
        return np.asarray(cells, np.int32)
    codes, names = words(_texts(cells))
    masks = [identity(name) & _MOST_TRADES for name in names]
    return np.array(masks, np.int32)[codes]


def _numbers(page: Page, name: str) -> Float64:
    cells = page.cells[name]
    try:
        if isinstance(cells, Texts):
            return numbers(cells)
        if isinstance(cells, Moments):
            raise CellError(0, "a number", stamps.iso(int(cells.time_ns[0])))
        return cells.astype(np.float64)
    except CellError as error:
        raise page.refuse(name, error) from error


def _sides(page: Page, name: str, known: Mapping[str, int]) -> npt.NDArray[np.int8]:
    codes, names = words(_texts(page.cells[name]))
    for code, word in enumerate(names):
        if word.lower() not in known:
            first = int(np.argmax(codes == code))
            raise page.refuse(name, CellError(first, f"one of {', '.join(filter(None, known))}", word[:40]))
    return np.array([known[word.lower()] for word in names], np.int8)[codes]


def _texts(cells: Cells) -> Texts:
    if isinstance(cells, Texts):
        return cells
    values = cells.time_ns if isinstance(cells, Moments) else cells
    return Texts.of([str(value) for value in values.tolist()])


def _with_clock(dates: Texts, clocks: Cells | None) -> Texts:
    """Dates joined with the time of day, where that stands in a column of its own."""
    if clocks is None or not len(dates) or ":" in dates[0]:
        return dates
    return joined(dates, _texts(clocks))


def _refuse(page: Page, name: str, bad: npt.NDArray[np.bool_], values: Float64) -> None:
    if bad.any():
        first = int(np.argmax(bad))
        raise page.refuse(name, CellError(first, f"between 0 and {_MOST_TRADES}", str(values[first])))


def _check(page: Page, rows: Rows, kind: str) -> None:
    """The block's own check; on failure piece by piece, so that the line it names is right."""
    lines = rows["lines"] - page.offset if page.offset else rows["lines"]
    block = _block(rows, kind)
    try:
        block.check(page.source, 0, NEGATIVE_REFUSED)
    except BlockError:
        starts = [0, *(np.flatnonzero(np.diff(lines) != 1) + 1).tolist(), len(lines)]
        for start, stop in pairwise(starts):
            block.slice(start, stop).check(page.source, int(lines[start]), NEGATIVE_REFUSED)
        raise


def _block(rows: Rows, kind: str) -> MarketBlock:
    if kind == BARS:
        prices = {name: rows[name] for name in (*OHLC, "volume")}
        return Bars.of(close_ns=np.ones(len(rows), np.int64), **prices)
    if kind == QUOTES:
        return Quotes.of(**{name: rows[name] for name in QUOTE_COLUMNS})
    return Trades.of(price=rows["price"], size=rows["size"])
