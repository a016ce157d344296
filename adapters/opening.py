"""From a path to a table whose columns are known: which reader, whose symbol, which adjustments.

What is recognised is found by first bytes, except that a file of a LEAN folder is told by where it
lies, because it says nothing itself.
"""

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from adapters.adjusting import Adjustments, day_of, read_factors
from adapters.archives import HEAD_BYTES, ZIP, reading
from adapters.columns import Layout, recognise
from adapters.dates import date_order
from adapters.feed_errors import FileError, LayoutError
from adapters.file_options import FileOptions
from adapters.folding import FoldedTable, folded_layout
from adapters.layouts import LEAN
from adapters.lean import LeanFile, LeanTable, lean_file
from adapters.lean_actions import lean_symbol
from adapters.member_table import MemberTable
from adapters.parquet import FEATHER, OLD_FEATHER, PARQUET, ArrowTable
from adapters.tables import Scaling, Table, ToldTable


class Opened(NamedTuple):
    """`options.symbol` is set."""

    table: Table
    layout: Layout
    options: FileOptions


def open_table(path: Path, options: FileOptions) -> Opened:
    """Raises FeedError."""
    source = str(path)
    head = _head(path)
    lean = _lean(path, head, options)
    symbol, factors = lean_symbol(lean) if lean else (path.name.split(".")[0], None)
    table = _table(path, head, options, lean)
    layout = recognise(source, table.names, options.mapping)
    if not (options.symbol or symbol or "symbol" in layout.columns):
        raise LayoutError(f"{path}: symbol must be named, was neither a column, an option nor part of the file name")
    scaling = _scaling(source, layout, options, factors)
    if scaling is not None or options.adjust == "none":
        layout = replace(layout, columns={name: at for name, at in layout.columns.items() if name != "adj_close"})
    dates = date_order(source, table, layout, options.dates)
    if dates or scaling is not None:
        table = ToldTable(table, dates, scaling)
    options = options.model_copy(update={"symbol": options.symbol or symbol})
    fold = options.fold or ("1m" if lean and lean.resolution == "second" else None)
    if fold is None:
        return Opened(table, layout, options)
    folded = FoldedTable(table, layout, fold, options)
    return Opened(folded, folded_layout(source, layout), options.model_copy(update={"timeframe": fold}))


def _head(path: Path) -> bytes:
    source = str(path)
    with reading(source):
        if not path.exists():
            raise FileError(f"{source}: must be a file, was missing")
        if not path.is_file():
            raise FileError(f"{source}: must be a file, was {'a directory' if path.is_dir() else 'a device or pipe'}")
        with path.open("rb") as stream:
            return stream.read(HEAD_BYTES)


def _lean(path: Path, head: bytes, options: FileOptions) -> LeanFile | None:
    if options.layout not in (None, LEAN) or options.columns:
        return None
    found = lean_file(path) if head[:4] in ZIP else None
    if found is None and options.layout == LEAN:
        raise LayoutError(
            f"{path}: a lean file must be <asset>/<market>/<resolution>/<symbol>/<date>_<trade|quote>.zip "
            f"or <asset>/<market>/<resolution>/<symbol>.zip, was neither"
        )
    return found


def _table(path: Path, head: bytes, options: FileOptions, lean: LeanFile | None) -> Table:
    if lean:
        return LeanTable(path, options, lean)
    if head.startswith((PARQUET, FEATHER, OLD_FEATHER)):
        return ArrowTable(path, head)
    return MemberTable(path, options)


def _scaling(source: str, layout: Layout, options: FileOptions, lean_factors: Path | None) -> Scaling | None:
    """None where nothing is to be adjusted, or where the adjusted close of the file does it."""
    path = options.adjustments or lean_factors
    if options.adjust == "none":
        return None
    if path is None:
        if options.adjust == "splits" or (options.adjust == "all" and "adj_close" not in layout.columns):
            offered = "an adjusted close only" if "adj_close" in layout.columns else "nothing to adjust by"
            raise LayoutError(f"{source}: adjust = {options.adjust} needs adjustments, was {offered}")
        return None
    # Dividends move prices off the grid on which they were traded, so a LEAN folder's are asked for by name.
    splits = options.adjust == "splits" or (options.adjust == "auto" and options.adjustments is None)
    as_of_ns = day_of(options.adjust_as_of) if options.adjust_as_of else None
    factors = {
        symbol: (found.without_dividends() if splits else found).as_of(as_of_ns)
        for symbol, found in read_factors(path).items()
    }
    # The stamps of LEAN tables show the clock of the exchange.
    return Adjustments(factors, "UTC" if lean_factors else options.zone)
