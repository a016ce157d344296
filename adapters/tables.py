"""A file as a table: its column names, and its rows as pages of cells.

Pages hold tens of thousands of rows, so memory is bounded whatever the file. What is known about
rows beside their cells (their member's symbol, what was dropped, corporate actions) travels in the
page, and `adapters.rows.RowReader` applies it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
import numpy.typing as npt

from adapters.texts import CellError, Texts
from engine.blocks import BlockError, Column, Int64


@dataclass(frozen=True, slots=True)
class Moments:
    """A column that is a time already. `naive` values are wall clocks; others UTC, of `zone`."""

    time_ns: Int64
    zone: str
    naive: bool


Cells = Texts | Moments | npt.NDArray[np.generic]
"""One column of a page: texts to be read, or times or numbers that already are."""


class Scaling(Protocol):
    """Corporate actions, as of one day."""

    def scaled(self, columns: Mapping[str, Column], names: Sequence[str]) -> dict[str, Column]:
        """Those of `columns` that change. `names` is the symbol of each code in `symbol`."""
        ...


@dataclass(frozen=True, slots=True)
class Page:
    """Consecutive rows, at least one.

    `lines` is (n,): each row's number in its table, increasing. `offset` is what a member's rows
    are counted from. `symbol` is for rows without a symbol column. `dates` is the order of dates
    that end in their year. `dropped` counts, by reason, rows that were read and are not here, and
    `told` rows that are here and in which something was made up.
    """

    source: str
    cells: Mapping[str, Cells]
    lines: Int64
    symbol: str = ""
    dates: str = ""
    offset: int = 0
    dropped: Mapping[str, int] = field(default_factory=dict)
    told: Mapping[str, int] = field(default_factory=dict)
    scaling: Scaling | None = None

    def refuse(self, name: str, error: CellError) -> BlockError:
        return BlockError(f"{self.source}: row {self.lines[error.index] - self.offset}: {name} {error}")


class Table(Protocol):
    """`layout` names what the columns were taken for, `counts` what else was seen in the last pass."""

    names: tuple[str, ...]
    layout: str

    @property
    def counts(self) -> Mapping[str, int]: ...

    def pages(self, columns: Mapping[str, int]) -> Iterator[Page]:
        """All rows, with the cells of the columns asked for (our name -> position)."""
        ...

    def place(self, line: int) -> str:
        """Where a row of the last pass stands, for an error: "row 17", "prices.csv: row 17"."""
        ...


class ToldTable:
    """A table whose pages are told the order of their dates and their corporate actions."""

    def __init__(self, table: Table, dates: str, scaling: Scaling | None) -> None:
        self.names = table.names
        self.layout = table.layout
        self._table = table
        self._dates = dates
        self._scaling = scaling

    @property
    def counts(self) -> Mapping[str, int]:
        return self._table.counts

    def pages(self, columns: Mapping[str, int]) -> Iterator[Page]:
        for page in self._table.pages(columns):
            yield replace(page, dates=self._dates, scaling=self._scaling)

    def place(self, line: int) -> str:
        return self._table.place(line)
