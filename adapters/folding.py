"""Finer bars put together into a timeframe of the line: seconds into minutes, half hours into hours.

Bars of one symbol must stand oldest first, with those of other symbols between them or not. The
last interval of each symbol waits for the next page, so files stream.
"""

from collections.abc import Iterator, Mapping

import numpy as np

from adapters.columns import BARS, OHLC, Layout
from adapters.feed_errors import LayoutError, OrderError, TimeframeError
from adapters.file_options import FileOptions
from adapters.rows import RowReader, Rows
from adapters.stamps import iso
from adapters.tables import Cells, Moments, Page, Table
from adapters.texts import Texts
from engine.blocks import Int64
from engine.timeframes import LENGTH_NS, ORIGIN_NS

_COLUMNS = ("time", "symbol", *OHLC, "volume", "trades", "adj_close")


def folded_layout(source: str, layout: Layout) -> Layout:
    """What the columns of a FoldedTable are."""
    if layout.kind != BARS:
        raise LayoutError(f"{source}: bars only can be put together, was {layout.kind}; leave out fold")
    absent = [name for name in ("volume", "adj_close") if name not in layout.columns]
    return Layout(BARS, {name: at for at, name in enumerate(_COLUMNS) if name not in absent})


class FoldedTable:
    """A table of bars of `timeframe`, each named by the moment it opens."""

    names: tuple[str, ...] = _COLUMNS

    def __init__(self, table: Table, layout: Layout, timeframe: str, options: FileOptions) -> None:
        """`options.symbol` is set."""
        self.layout = table.layout
        self._table = table
        self._inner = layout
        self._timeframe = timeframe
        self._options = options
        self._source = ""

    @property
    def counts(self) -> Mapping[str, int]:
        return self._table.counts

    def place(self, line: int) -> str:
        return self._table.place(line)

    def pages(self, columns: Mapping[str, int]) -> Iterator[Page]:
        reader = RowReader(self._inner.kind, self._options.zone, str(self._options.symbol))
        held: Rows | None = None
        seen: dict[str, int] = {}
        for page in self._table.pages(self._inner.columns):
            self._source = page.source
            rows = reader.read(page)
            if not len(rows):
                continue
            if not seen and self._options.fold:
                self._check_length(rows)
            rows = rows.given(start_ns=self._starts(rows))
            done, held = self._done(Rows.join([held, rows]) if held is not None else rows)
            if len(done):
                yield self._page(done, reader, seen, columns)
        if held is not None:
            yield self._page(held, reader, seen, columns)

    def _done(self, rows: Rows) -> tuple[Rows, Rows]:
        """The intervals that are complete and the last one of each symbol, both symbol by symbol."""
        if (np.diff(rows["symbol"]) < 0).any():
            rows = rows.take(np.argsort(rows["symbol"], kind="stable"))
        self._check_order(rows)
        last = np.append(np.flatnonzero(np.diff(rows["symbol"])), len(rows) - 1)
        held_from_ns = np.repeat(rows["start_ns"][last], np.diff(last, prepend=-1))
        is_held = rows["start_ns"] == held_from_ns
        return rows.take(~is_held), rows.take(is_held)

    def _starts(self, rows: Rows) -> Int64:
        """Days and weeks are those of the wall clock that the stamps show."""
        length_ns, origin_ns = LENGTH_NS[self._timeframe], ORIGIN_NS[self._timeframe]
        time_ns = rows["wall_ns"] if self._timeframe in ("1d", "1w") else rows["utc_ns"]
        starts: Int64 = (time_ns - origin_ns) // length_ns * length_ns + origin_ns
        return starts

    def _check_length(self, rows: Rows) -> None:
        steps = np.diff(rows["utc_ns"])[np.diff(rows["symbol"]) == 0]
        step_ns = int(np.gcd.reduce(steps)) if len(steps) else 0
        if step_ns and LENGTH_NS[self._timeframe] % step_ns:
            raise TimeframeError(
                f"{self._source}: bars must be of a length that fits into {self._timeframe}, was {step_ns / 1e9:g} s"
            )

    def _check_order(self, rows: Rows) -> None:
        same = rows["symbol"][1:] == rows["symbol"][:-1]
        back = same & (rows["utc_ns"][1:] <= rows["utc_ns"][:-1])
        if back.any():
            at = int(np.argmax(back)) + 1
            raise OrderError(
                f"{self._source}: {self.place(int(rows['lines'][at]))}: time must be after that of the row above "
                f"where bars are put together, was {iso(rows['utc_ns'][at])}"
            )

    def _page(self, rows: Rows, reader: RowReader, seen: dict[str, int], columns: Mapping[str, int]) -> Page:
        """One row an interval, in the order of their first lines."""
        fresh_row = (np.diff(rows["symbol"]) != 0) | (np.diff(rows["start_ns"]) != 0)
        borders = np.append(0, np.flatnonzero(fresh_row) + 1).astype(np.int64)
        last = np.append(borders[1:], len(rows)) - 1
        known = np.logical_and.reduceat(rows["trades"] >= 0, borders)
        summed = {name: np.add.reduceat(rows[name], borders) for name in ("volume", "trades")}
        high, low = np.maximum.reduceat(rows["high"], borders), np.minimum.reduceat(rows["low"], borders)
        order = np.argsort(rows["lines"][borders])
        borders, last = borders[order], last[order]
        names = list(reader.codes)
        cells: dict[str, Cells] = {
            "time": Moments(rows["start_ns"][borders], "UTC", naive=False),
            "symbol": Texts.of([names[code] for code in rows["symbol"][borders].tolist()]),
            "open": rows["open"][borders],
            "high": high[order],
            "low": low[order],
            "close": rows["close"][last],
            "volume": summed["volume"][order],
            "trades": np.where(known, summed["trades"], -1)[order].astype(np.int64),
        }
        if "adj_close" in rows.columns:
            cells["adj_close"] = rows["adj_close"][last]
        fresh = {name: n - seen.get(name, 0) for name, n in reader.counts.items()}
        seen.update(reader.counts)
        fresh.pop("no_volume", 0)  # counted again, with the bars that come out
        dropped = {"nan_row": fresh.pop("nan_row", 0)}
        dropped["folded"] = fresh.pop("rows") - dropped["nan_row"] - len(borders)
        asked = {ours: cells[_COLUMNS[at]] for ours, at in columns.items()}
        return Page(self._source, asked, rows["lines"][borders], dropped=dropped, told=fresh)
