"""Files as feeds: CSV (plain or gzip) and Parquet, of bars and of trades.

What a file says wins over its name; what it does not say is in `FileOptions`. Rows that had to be
dropped or moved are counted by reason, rows that cannot be market data stop the run with their
line. Order on the line does not depend on the order in the file.

Errors: `adapters.feed_errors` for the file as a whole, `engine.blocks.BlockError` for a row.
"""

from collections.abc import Iterator, Mapping
from hashlib import blake2b, file_digest
from pathlib import Path

import numpy as np

from adapters.bar_file import BarRows
from adapters.columns import BARS, Layout, recognise
from adapters.feed_errors import LayoutError
from adapters.file_options import FileOptions
from adapters.merging import merge, pieces
from adapters.tables import Table, open_table, reading
from adapters.trade_file import TradeRows
from engine.blocks import MarketBlock
from engine.messages import NEVER_NS, EndOfFeed
from engine.ports import Item

BATCH_ROWS = 65_536
"""Rows built at once; a smaller chunk is cut from a batch."""

DROPPED = ("duplicate", "duplicate_conflicting", "nan_row", "outside_range", "no_session")
"""Reasons for which a row does not come out; rows read = rows out + these."""

REPAIRED = ("reversed", "sorted", "mixed_units")
"""Rows that came out although their file was turned, out of order, or mixed its time units."""


class FileFeed:
    """One file. `facts` may be asked for again; every time it gives the same rows."""

    def __init__(self, path: Path, rows: BarRows | TradeRows, kind: str) -> None:
        self.name = path.name
        self.kind = kind
        self._path = path
        self._rows = rows

    @property
    def symbols(self) -> tuple[str, ...]:
        return self._rows.symbols

    @property
    def timeframe(self) -> str:
        """Of bars; "" for trades."""
        return self._rows.timeframe if isinstance(self._rows, BarRows) else ""

    @property
    def counts(self) -> Mapping[str, int]:
        """`rows` read, then what was dropped and repaired, by reason; final after `facts`."""
        return self._rows.counts

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
        """Blocks of at most `chunk` rows, then EndOfFeed at the last row (NEVER_NS without rows)."""
        last_ns = NEVER_NS
        for block in self._blocks(numbers, feed, max(chunk, BATCH_ROWS)):
            yield from pieces(block, chunk)
            last_ns = int(block.row_ns[-1])
        yield EndOfFeed(time_ns=last_ns, feed=feed)

    def _blocks(self, numbers: Mapping[str, int], feed: int, batch: int) -> Iterator[MarketBlock]:
        instruments = np.array([numbers[symbol] for symbol in self.symbols], np.int32)
        parts = [self._rows.rows] if isinstance(self._rows, BarRows) else self._rows.parts()
        for part in parts:
            for start in range(0, len(part), batch):
                yield self._rows.block(part.take(slice(start, start + batch)), instruments, feed)


def open_feed(path: Path, options: FileOptions | None = None) -> FileFeed:
    """Read what must be known before the first fact. Raises FeedError or BlockError."""
    chosen = options or FileOptions()
    table = open_table(path, chosen.columns)
    layout = recognise(str(path), table.names, chosen.mapping)
    chosen = chosen.model_copy(update={"symbol": _symbol(path, chosen, layout)})
    return FileFeed(path, _rows(path, table, layout, chosen), layout.kind)


def _rows(path: Path, table: Table, layout: Layout, options: FileOptions) -> BarRows | TradeRows:
    kind = BarRows if layout.kind == BARS else TradeRows
    return kind(str(path), table, layout, options)


def _symbol(path: Path, options: FileOptions, layout: Layout) -> str:
    symbol = options.symbol or path.name.split(".")[0]
    if not symbol and "symbol" not in layout.columns:
        raise LayoutError(f"{path}: symbol must be named, was neither a column, an option nor part of the file name")
    return symbol


__all__ = ["DROPPED", "REPAIRED", "FileFeed", "FileOptions", "merge", "open_feed"]
