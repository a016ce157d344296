"""What bars, trades and quotes of files share: surveyed once, then streamed in bounded memory.

A first pass reads times and symbols only. A file in order is then read page by page as often as its
rows are asked for; one that is out of order, or that stacks symbol on symbol, is read whole and
sorted, which is counted. Either way the same rows come out. What they are worth is then judged by
the `Cleaner`, as for every feed.
"""

from collections.abc import Iterator, Mapping

import numpy as np

from adapters.cleaning import Cleaner, cleaned
from adapters.columns import Layout
from adapters.feed_errors import EmptyError, FormatError, OrderError
from adapters.file_options import FileOptions
from adapters.ordering import Order, order_of, turned
from adapters.rows import RowReader, Rows
from adapters.stamps import iso
from adapters.tables import Page, Table
from engine.blocks import Int32, Int64, MarketBlock
from engine.messages import NEVER_NS
from engine.ports import Item

BATCH_ROWS = 65_536
"""Rows cleaned at once; a smaller chunk is cut from what comes out."""


class FileRows:
    """`symbols` and `ordered` come from the survey; `counts` and `findings` are final after `facts`."""

    timeframe = ""
    moments_together = False
    """Whether all rows of a moment must be there before the first of them goes on."""
    negative: frozenset[str] = frozenset()
    """Symbols whose prices may be 0 or less; set before `facts`."""
    surveyed_columns: tuple[str, ...] = ("time", "clock", "symbol")

    def __init__(self, source: str, table: Table, layout: Layout, options: FileOptions) -> None:
        """`options.symbol` is set. Raises FeedError or BlockError."""
        self._source = source
        self._table = table
        self._layout = layout
        self._options = options
        self._counts: dict[str, int] = {}
        self.ordered = True
        self._begin()
        self._survey()
        self.findings = self._cleaner({}).findings
        self._sorted = None if self.ordered else self._read_whole()

    def __len__(self) -> int:
        return self._surveyed

    @property
    def counts(self) -> Mapping[str, int]:
        """`rows` read, then what was dropped, repaired and made up, by reason."""
        found = {"rows": self._surveyed} | self._counts
        for reason, rows in self.findings.counts.items():
            if reason != "rows":
                found[reason] = found.get(reason, 0) + rows
        return found

    def facts(self, numbers: Mapping[str, int], feed: int, chunk: int) -> Iterator[Item]:
        """Blocks of at most `chunk` rows, what was quarantined, then EndOfFeed (NEVER_NS without rows)."""
        cleaner = self._cleaner({symbol: numbers[symbol] for symbol in self.symbols})
        self.findings = cleaner.findings
        instruments = np.array([numbers[symbol] for symbol in self.symbols], np.int32)
        yield from cleaned(self._blocks(instruments, feed), cleaner, feed, chunk)

    def parts(self) -> Iterator[Rows]:
        """All rows in order, `symbol` ranked, before they are cleaned."""
        if self._sorted is not None:
            self._counts, rows = dict(self._sorted[0]), self._sorted[1]
            yield rows
            return
        reader, self._counts = self._reader(), {}
        for rows in self._streamed(reader):
            yield self._placed(self._prepared(rows))
        if reader.counts["rows"] != self._surveyed:
            raise self._changed(f"{reader.counts['rows']} rows instead of {self._surveyed}")
        self._take_counts(reader)

    def block(self, rows: Rows, instruments: Int32, feed: int) -> MarketBlock:
        """`instruments` is the session's number of each of `symbols`."""
        raise NotImplementedError

    def _begin(self) -> None:
        """Before the survey."""

    def _note(self, page: Page, rows: Rows) -> None:
        """A page of the survey: what else must be known before the first row."""

    def _settle(self, rows: Rows | None = None) -> None:
        """After the survey, and again with all rows of a file that is read whole."""

    def _key(self, rows: Rows) -> Int64:
        """What orders the rows; parts end where it changes."""
        return rows["utc_ns"]

    def _prepared(self, rows: Rows) -> Rows:
        """Without the rows that nobody asked for."""
        return self._inside(rows, rows["utc_ns"])

    def _placed(self, rows: Rows) -> Rows:
        """A part of a file in order, as it goes on."""
        return rows

    def _sorted_by(self, order: Order, rows: Rows) -> Int64:
        """The order in which the rows of a file go on that is read whole."""
        return turned(order, rows, self._key(rows), rows["symbol"])

    def _inside(self, rows: Rows, time_ns: Int64) -> Rows:
        inside = (time_ns >= self._options.start_ns) & (time_ns < self._options.end_ns)
        self._count("outside_range", int((~inside).sum()))
        return rows if inside.all() else rows.take(inside)

    def _cleaner(self, numbers: Mapping[str, int]) -> Cleaner:
        return Cleaner(
            numbers, self._options.cleaning, source=self._source, made_ns=self._options.made_ns,
            allows_negative=self.negative,
        )  # fmt: skip

    def _blocks(self, instruments: Int32, feed: int) -> Iterator[tuple[MarketBlock, Int64]]:
        for part in self.parts():
            for start in range(0, len(part), BATCH_ROWS):
                rows = part.take(slice(start, start + BATCH_ROWS))
                yield self.block(rows, instruments, feed), rows["lines"]

    def _survey(self) -> None:
        columns = {name: at for name, at in self._layout.columns.items() if name in self.surveyed_columns}
        reader = self._reader()
        last_ns = NEVER_NS
        for page in self._table.pages(columns):
            rows = reader.keys(page)
            if not len(rows):
                continue
            time_ns = rows["utc_ns"]
            self.ordered = self.ordered and last_ns <= time_ns[0] and bool((np.diff(time_ns) >= 0).all())
            last_ns = int(time_ns[-1])
            self._note(page, rows)
        if not reader.counts["rows"]:
            raise EmptyError(f"{self._source}: must hold rows, was a header only")
        self._surveyed = reader.counts["rows"]
        self.symbols = tuple(sorted(reader.codes))
        self._surveyed_codes = dict(reader.codes)
        self._settle()

    def _streamed(self, reader: RowReader) -> Iterator[Rows]:
        """Parts that end between two moments, where rows of one moment change places. Only the rows of
        the last moment wait for the next page, so that pages are not copied."""
        held: list[Rows] = []
        last_ns = NEVER_NS
        for page in self._table.pages(self._layout.columns):
            rows = self._ranked(reader, reader.read(page))
            if not len(rows):
                continue
            key_ns = self._key(rows)
            if key_ns[0] < last_ns or (np.diff(key_ns) < 0).any():
                raise self._changed("rows out of order")
            same = int(np.searchsorted(key_ns, last_ns, "right"))
            last_ns = int(key_ns[-1])
            if not self.moments_together:
                yield rows
            elif same == len(rows):
                held.append(rows)
            else:
                if held:
                    yield Rows.join([*held, rows.take(slice(0, same))])
                cut = int(np.searchsorted(key_ns, last_ns))
                if cut > same:
                    yield rows.take(slice(same, cut))
                held = [rows.take(slice(cut, None))]
        if held:
            yield Rows.join(held)

    def _read_whole(self) -> tuple[dict[str, int], Rows]:
        reader = self._reader()
        pages = (reader.read(page) for page in self._table.pages(self._layout.columns))
        rows = Rows.join([self._ranked(reader, part) for part in pages])
        self._take_counts(reader)
        self._settle(rows)
        rows = self._prepared(rows)
        order = order_of(rows, self._key(rows), rows["symbol"])
        if order.first_back >= 0 and not self._options.sort:
            raise self._out_of_order(rows, order.first_back, newest_first=order.newest_first)
        self._count("reversed", len(rows) if order.newest_first else 0)
        self._count("sorted", order.misplaced)
        self._count("stacked", len(rows) if len(self.symbols) > 1 and order.first_back < 0 else 0)
        return dict(self._counts), rows.take(self._sorted_by(order, rows))

    def _ranked(self, reader: RowReader, rows: Rows) -> Rows:
        """`symbol` as its place in the sorted names."""
        places = {symbol: place for place, symbol in enumerate(self.symbols)}
        if not reader.codes.keys() <= places.keys():
            raise self._changed("another symbol")
        rank = np.array([places[symbol] for symbol in reader.codes], np.int32)
        return rows.given(symbol=rank[rows["symbol"]])

    def _reader(self) -> RowReader:
        refuse_bad = self._options.cleaning.bad_rows == "refuse"
        return RowReader(self._layout.kind, self._options.zone, str(self._options.symbol), refuse_bad=refuse_bad)

    def _take_counts(self, reader: RowReader) -> None:
        for reason, rows in reader.counts.items():
            if reason != "rows":
                self._count(reason, rows)
        self._count("mixed_units", reader.mixed_units)

    def _count(self, reason: str, rows: int) -> None:
        if rows:
            self._counts[reason] = self._counts.get(reason, 0) + rows

    def _changed(self, found: str) -> FormatError:
        return FormatError(f"{self._source}: must not change while it is read, was {found}")

    def _out_of_order(self, rows: Rows, index: int, *, newest_first: bool) -> OrderError:
        """`index` is the first row earlier than the row of its symbol above it."""
        style = " (the file is newest first)" if newest_first else ""
        return OrderError(
            f"{self._source}: {self._table.place(int(rows['lines'][index]))}: time must not be before the row above "
            f"where sort = false, was {iso(rows['utc_ns'][index])}{style}"
        )
