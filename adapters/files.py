"""Files as feeds: text tables in any container, Parquet, Feather and LEAN folders; bars, trades, quotes.

What a file says wins over its name; what it does not say is in `FileOptions`. Rows that had to be
dropped or moved are counted by reason, rows that cannot be market data stop the run with their
line. Order on the line does not depend on the order in the file.

Errors: `adapters.feed_errors` for the file as a whole, `engine.blocks.BlockError` for a row.
"""

from collections.abc import Iterator, Mapping, Sequence
from hashlib import blake2b, file_digest
from pathlib import Path
from typing import NamedTuple

from adapters.archives import reading
from adapters.bar_file import BarRows
from adapters.cleaning import DROPPED as WITHHELD
from adapters.cleaning import Findings
from adapters.columns import BARS, QUOTES, TRADES
from adapters.feed_errors import EmptyError
from adapters.file_options import FileOptions
from adapters.merging import merge
from adapters.opening import Opened, open_table
from adapters.quote_file import QuoteRows
from adapters.trade_file import TradeRows
from engine.ports import Item

DROPPED = ("nan_row", "outside_range", "no_session", "folded", *WITHHELD)
"""Reasons for which a row does not come out; rows read = rows out + these."""

REPAIRED = ("reversed", "sorted", "stacked", "reordered", "mixed_units")
"""Rows that came out although their file was turned, out of order, stacked symbol on symbol, or mixed its
time units."""

TOLD = ("no_volume", "no_size", "suspicious")
"""Rows that came out with something made up, or marked by their publisher."""


_ROWS: dict[str, type[BarRows] | type[TradeRows] | type[QuoteRows]] = {
    BARS: BarRows,
    TRADES: TradeRows,
    QUOTES: QuoteRows,
}


class FileFeed:
    """One file. `facts` may be asked for again; every time it gives the same rows."""

    lateness_ns = 0

    def __init__(self, path: Path, opened: Opened) -> None:
        self.name = path.name
        self.kind = opened.layout.kind
        self._path = path
        self._table = opened.table
        self._rows = _ROWS[self.kind](str(path), opened.table, opened.layout, opened.options)

    @property
    def layout(self) -> str:
        """What the columns were taken for: "header", or a name of `adapters.layouts`."""
        return self._table.layout

    @property
    def path(self) -> Path:
        return self._path

    @property
    def symbols(self) -> tuple[str, ...]:
        return self._rows.symbols

    @property
    def timeframe(self) -> str:
        """Of bars; "" for trades and quotes."""
        return self._rows.timeframe

    def allow_negative(self, symbols: frozenset[str]) -> None:
        """Prices of these may be 0 or less; others that are so are withheld."""
        self._rows.negative = symbols

    @property
    def findings(self) -> Findings:
        """What was found about the rows, with examples; final after `facts`."""
        return self._rows.findings

    @property
    def counts(self) -> Mapping[str, int]:
        """`rows` read, then what was dropped and repaired, by reason; final after `facts`."""
        return {reason: rows for reason, rows in self._rows.counts.items() if reason not in TOLD}

    @property
    def told(self) -> Mapping[str, int]:
        """Rows by reason of TOLD, and members of an archive that were passed over; final after `facts`."""
        told = {reason: rows for reason, rows in self._rows.counts.items() if reason in TOLD}
        return {**told, **self._table.counts}

    @property
    def rows_estimate(self) -> int:
        """Rows that will come out, or a few more."""
        return len(self._rows)

    @property
    def content_hash(self) -> str:
        """BLAKE2b of the file's bytes, as they lie on the disk."""
        with reading(str(self._path)), self._path.open("rb") as stream:
            return file_digest(stream, lambda: blake2b(digest_size=32)).hexdigest()

    def facts(self, numbers: Mapping[str, int], feed: int, chunk: int) -> Iterator[Item]:
        """Blocks of at most `chunk` rows, what was found about them, then EndOfFeed at the last row
        (NEVER_NS without rows)."""
        yield from self._rows.facts(numbers, feed, chunk)


def open_feed(path: Path, options: FileOptions | None = None) -> FileFeed:
    """Read what must be known before the first fact. Raises FeedError or BlockError."""
    return FileFeed(path, open_table(path, options or FileOptions()))


class OpenedFeeds(NamedTuple):
    """`empty` says of each file that was passed over why it has no rows."""

    feeds: list[FileFeed]
    empty: list[str]


def open_feeds(paths: Sequence[Path], options: FileOptions | None = None) -> OpenedFeeds:
    """Several files at once: one without rows is passed over, unless all are. Raises as `open_feed`."""
    feeds: list[FileFeed] = []
    empty: list[EmptyError] = []
    for path in paths:
        try:
            feeds.append(open_feed(path, options))
        except EmptyError as error:
            empty.append(error)
    if empty and not feeds:
        raise empty[0]
    return OpenedFeeds(feeds, [str(error) for error in empty])


__all__ = ["DROPPED", "REPAIRED", "TOLD", "FileFeed", "FileOptions", "OpenedFeeds", "merge", "open_feed", "open_feeds"]
