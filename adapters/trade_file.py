"""Trades of one file: surveyed once, then streamed in bounded memory if they are in time order.

Equal prints are real (a fifth of a consolidated tape), so only a repeated trade id of the same
symbol and moment is a duplicate. A file out of order is read whole and sorted.
"""

from collections.abc import Iterator, Mapping

import numpy as np

from adapters.bar_file import out_of_order, ranks
from adapters.columns import Layout
from adapters.feed_errors import FileError, FormatError
from adapters.file_options import FileOptions
from adapters.ordering import order_of, repeats, turned
from adapters.rows import RowReader, Rows
from adapters.tables import Table
from engine.blocks import Int32, Trades
from engine.messages import NEVER_NS


class TradeRows:
    """`symbols` and `ordered` come from a first pass; `counts` is final after `parts`."""

    def __init__(self, source: str, table: Table, layout: Layout, options: FileOptions) -> None:
        """`options.symbol` is set. Raises FeedError or BlockError."""
        self._source = source
        self._table = table
        self._layout = layout
        self._options = options
        self.ordered = True
        self._survey()
        self.counts: dict[str, int] = {"rows": self._surveyed}
        self._sorted = None if self.ordered else self._read_whole()

    def __len__(self) -> int:
        return self._surveyed

    def parts(self) -> Iterator[Rows]:
        """Rows in time order, `symbol` ranked, in parts that end between two moments."""
        if self._sorted is not None:
            self.counts, rows = dict(self._sorted[0]), self._sorted[1]
            yield rows
            return
        reader = self._reader()
        self.counts = reader.counts
        held: list[Rows] = []
        last_ns = NEVER_NS
        for page in self._table.pages(self._layout.columns):
            rows = self._ranked(reader, reader.read(page))
            if not len(rows):
                continue
            self._check_order(rows, last_ns)
            last_ns = int(rows["utc_ns"][-1])
            cut = int(np.searchsorted(rows["utc_ns"], last_ns))
            if cut:
                yield self._wanted(Rows.join([*held, rows.take(slice(0, cut))]))
                held = []
            held.append(rows.take(slice(cut, None)))
        if held:
            yield self._wanted(Rows.join(held))
        if reader.counts["rows"] != self._surveyed:
            raise self._changed(f"{reader.counts['rows']} rows instead of {self._surveyed}")
        self._count("mixed_units", reader.mixed_units)

    def block(self, rows: Rows, instruments: Int32, feed: int) -> Trades:
        return Trades.of(
            time_ns=rows["utc_ns"], received_ns=rows["utc_ns"], instrument=instruments[rows["symbol"]],
            price=rows["price"], size=rows["size"], side=rows["side"], trade_id=rows["trade_id"], feed=feed,
        )  # fmt: skip

    def _reader(self) -> RowReader:
        return RowReader(self._layout.kind, self._options.zone, str(self._options.symbol))

    def _survey(self) -> None:
        """Symbols, row count, and whether time ever steps back."""
        keys = ("time", "clock", "symbol")
        columns = {name: at for name, at in self._layout.columns.items() if name in keys}
        reader = self._reader()
        last_ns = NEVER_NS
        for page in self._table.pages(columns):
            time_ns = reader.keys(page)["utc_ns"]
            self.ordered = self.ordered and last_ns <= time_ns[0] and bool((np.diff(time_ns) >= 0).all())
            last_ns = int(time_ns[-1])
        if not reader.counts["rows"]:
            raise FileError(f"{self._source}: must hold rows, was a header only")
        self._surveyed = reader.counts["rows"]
        self.symbols = tuple(sorted(reader.codes))

    def _ranked(self, reader: RowReader, rows: Rows) -> Rows:
        if not set(reader.codes) <= set(self.symbols):
            raise self._changed("another symbol")
        places: Mapping[str, int] = {symbol: place for place, symbol in enumerate(self.symbols)}
        rank = np.array([places[symbol] for symbol in reader.codes], np.int32)
        return rows.given(symbol=rank[rows["symbol"]])

    def _check_order(self, rows: Rows, last_ns: int) -> None:
        time_ns = rows["utc_ns"]
        if time_ns[0] < last_ns or (np.diff(time_ns) < 0).any():
            raise self._changed("rows out of order")

    def _changed(self, found: str) -> FormatError:
        return FormatError(f"{self._source}: must not change while it is read, was {found}")

    def _read_whole(self) -> tuple[dict[str, int], Rows]:
        reader = self._reader()
        rows = Rows.join([reader.read(page) for page in self._table.pages(self._layout.columns)])
        rows = rows.given(symbol=ranks(reader.codes)[rows["symbol"]])
        self.counts = reader.counts
        self._count("mixed_units", reader.mixed_units)
        order = order_of(rows, rows["utc_ns"], rows["symbol"])
        if order.first_back >= 0 and not self._options.sort:
            raise out_of_order(self._source, rows, order.first_back, newest_first=order.newest_first)
        self._count("reversed", len(rows) if order.newest_first else 0)
        self._count("sorted", order.misplaced)
        rows = self._wanted(rows.take(turned(order, rows, rows["utc_ns"], rows["symbol"])))
        return dict(self.counts), rows

    def _wanted(self, rows: Rows) -> Rows:
        """Without repeated trade ids and without what lies outside the range."""
        time_ns = rows["utc_ns"]
        inside = (time_ns >= self._options.start_ns) & (time_ns < self._options.end_ns)
        self._count("outside_range", int((~inside).sum()))
        rows = rows.take(inside)
        if "id" not in self._layout.columns:
            return rows
        index = np.lexsort((rows["lines"], rows["trade_id"], rows["symbol"], rows["utc_ns"]))
        grouped = rows.take(index)
        keys = tuple(grouped[name] for name in ("utc_ns", "symbol", "trade_id"))
        same, conflicting = repeats(keys, tuple(grouped[name] for name in ("price", "size", "side")))
        # 0 stands for "no id": such prints repeat nothing.
        same &= grouped["trade_id"] != 0
        conflicting &= grouped["trade_id"] != 0
        self._count("duplicate", int(same.sum()))
        self._count("duplicate_conflicting", int(conflicting.sum()))
        kept = np.ones(len(rows), np.bool_)
        kept[index[same | conflicting]] = False
        return rows.take(kept)

    def _count(self, reason: str, rows: int) -> None:
        if rows:
            self.counts[reason] = self.counts.get(reason, 0) + rows
