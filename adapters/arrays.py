"""Columns in memory as a feed: read, cleaned and put in order like those of a file.

Anything that gives a column by its name will do: a dict of arrays, a structured array, a data frame.
Columns go by the names that files may have; `time` holds datetime64 or epochs in any unit, of a bar's open.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from adapters.columns import recognise
from adapters.feed_errors import EmptyError, LayoutError
from adapters.file_options import FileOptions
from adapters.files import FileFeed
from adapters.layouts import NAMED
from adapters.opening import Opened
from adapters.tables import Cells, Moments, Page
from adapters.texts import Texts
from engine.blocks import Column

PAGE_ROWS = 65_536


class ArrayTable:
    """Rows count from 1. `source` is what errors call the arrays."""

    layout = NAMED

    def __init__(self, source: str, columns: Mapping[str, Column]) -> None:
        """Raises LayoutError where the columns differ in length or shape."""
        self.names = tuple(columns)
        self.counts: Mapping[str, int] = {}
        self._source = source
        self._columns = list(columns.values())
        for name, column in columns.items():
            if column.ndim != 1 or len(column) != len(self._columns[0]):
                raise LayoutError(f"{source}: {name} must be of shape ({len(self._columns[0])},), was {column.shape}")

    def __len__(self) -> int:
        return len(self._columns[0]) if self._columns else 0

    def place(self, line: int) -> str:
        return f"row {line}"

    def pages(self, columns: Mapping[str, int]) -> Iterator[Page]:
        for start in range(0, len(self), PAGE_ROWS):
            stop = min(start + PAGE_ROWS, len(self))
            cells = {ours: _cells(self._columns[at][start:stop]) for ours, at in columns.items()}
            yield Page(self._source, cells, np.arange(start + 1, stop + 1, dtype=np.int64))


def open_arrays(name: str, table: Any, options: FileOptions) -> FileFeed:
    """`name` is the feed's, and the symbol of rows without one unless `options` name it. Raises FeedError."""
    columns = {str(column): np.asarray(table[column]) for column in _names(name, table)}
    arrays = ArrayTable(name, columns)
    if not len(arrays):
        raise EmptyError(f"{name}: must hold rows, was empty")
    layout = recognise(name, arrays.names, options.mapping)
    return FileFeed(Path(name), Opened(arrays, layout, options.model_copy(update={"symbol": options.symbol or name})))


def _names(source: str, table: Any) -> list[Any]:
    if isinstance(table, np.ndarray):
        if table.dtype.names is None:
            raise LayoutError(f"{source}: must be a structured array, was of {table.dtype}")
        return list(table.dtype.names)
    return list(table.keys())


def _cells(column: Column) -> Cells:
    if column.dtype.kind == "M":
        return Moments(column.astype("datetime64[ns]").astype(np.int64), "UTC", naive=True)
    if column.dtype.kind in "iuf":
        return column
    return Texts.of([str(value) for value in column.tolist()])
