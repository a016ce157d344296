"""Cleaner: the rows of one feed in the order in which they came, and what of them goes on.

Every row is accounted for: rows read = rows out + rows withheld, by reason. Which rows go on, in
which order, and every count depend on the rows alone, never on how they were cut into blocks.
Rows of the tape come out as they are: nothing is corrected, filled in or invented.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping

import numpy as np

from adapters.cleaning.findings import Findings, Notes
from adapters.cleaning.judges import CandleJudge, Frame, PrintJudge, QuoteJudge
from adapters.cleaning.levels import Limits
from adapters.cleaning.reorder import Reorder
from adapters.cleaning.settings import CleaningSettings
from engine.blocks import Bars, Int64, MarketBlock, Quotes, Trades
from engine.messages import FOREVER_NS, NEVER_NS, EndOfFeed
from engine.ports import Item


class Cleaner:
    """Blocks of trades, quotes and bars of one feed go in, mixed as they come."""

    def __init__(
        self,
        symbols: Mapping[str, int],
        settings: CleaningSettings | None = None,
        *,
        source: str = "feed",
        allows_negative: Collection[str] = (),
        made_ns: int | None = None,
        tables: int = 1,
    ) -> None:
        """`symbols` are the session's instrument numbers; prices of the symbols in `allows_negative` may be
        0 or less. Bars that end after `made_ns`, when the source was written, are unfinished. `tables` is of how many
        symbols trade ids are expected: there is room for more when they come, which takes its time."""
        chosen = settings or CleaningSettings()
        self._refuses = chosen.bad_rows == "refuse"
        self._source = source
        self._negative = np.zeros(max(symbols.values(), default=0) + 1, np.bool_)
        self._negative[[symbols[symbol] for symbol in allows_negative if symbol in symbols]] = True
        notes = Notes.empty(len(self._negative))
        self.findings = Findings({number: symbol for symbol, number in symbols.items()}, notes)
        frame = Frame(
            limits=Limits.of(chosen, FOREVER_NS if made_ns is None else made_ns),
            bands=chosen.bar_bands,
            negative=self._negative,
            clock=np.array([NEVER_NS], np.int64),
            notes=notes,
        )
        self._prints, self._candles, self._quotes = PrintJudge(frame, tables), CandleJudge(frame), QuoteJudge(frame)
        self._reorder = Reorder(chosen.reorder_ns, notes) if chosen.reorder_ns else None

    @property
    def counts(self) -> dict[str, int]:
        """`rows` read, then what was withheld or moved, by reason."""
        return self.findings.counts

    def clean(self, block: MarketBlock, places: Int64 | None = None) -> list[MarketBlock]:
        """The rows that go on now. `places` are the rows' lines or record numbers, for people; without them rows
        are numbered from 1. Raises BlockError where bad rows are to be refused."""
        size = len(block)
        if places is None:
            places = np.arange(self.findings.rows + 1, self.findings.rows + size + 1, dtype=np.int64)
        if self._refuses:
            self._refuse(block, places)
        self.findings.rows += size
        if not size:
            return []
        ready = [(block, places)] if self._reorder is None else self._reorder.add(block, places)
        return [out for rows, at in ready for out in self._judged(rows, at)]

    def finish(self) -> list[MarketBlock]:
        """The rows that still waited and go on now that nothing follows. To be called once."""
        ready = () if self._reorder is None else self._reorder.finish()
        found = [out for rows, at in ready for out in self._judged(rows, at)]
        self._prints.finish()
        self._candles.finish()
        return found

    def _judged(self, block: MarketBlock, places: Int64) -> Iterator[MarketBlock]:
        if isinstance(block, Trades):
            out: MarketBlock = self._prints.judge(block, places)
        elif isinstance(block, Bars):
            out = self._candles.judge(block, places)
        else:
            assert isinstance(block, Quotes)
            out = self._quotes.judge(block, places)
        if len(out):
            out.sequence = 0
            yield out

    def _refuse(self, block: MarketBlock, places: Int64) -> None:
        """As the block itself does, but naming the row's own place."""
        names = [name for name in block.COLUMNS if block.COLUMNS[name] is np.float64]
        sums = np.add.reduce([getattr(block, name) for name in names if name in _JUDGED])
        odd = ~np.isfinite(sums)
        for name in _JUDGED & set(names):
            odd |= getattr(block, name) <= 0
        if isinstance(block, Bars):
            odd |= (block.high < np.maximum(block.open, block.close)) | (block.high < block.low)
            odd |= (block.low > np.minimum(block.open, block.close)) | (block.close_ns <= block.open_ns)
        for row in np.flatnonzero(odd).tolist():
            block.slice(row, row + 1).check(self._source, int(places[row]), self._negative)


def cleaned(
    blocks: Iterable[tuple[MarketBlock, Int64 | None]], cleaner: Cleaner, feed: int, chunk: int
) -> Iterator[Item]:
    """All facts of a feed: blocks of at most `chunk` rows, what was quarantined, then its end."""
    last_ns = NEVER_NS
    for block in _all(blocks, cleaner):
        last_ns = max(last_ns, int(block.row_ns.max()))
        for start in range(0, len(block), chunk):
            piece = block.slice(start, min(start + chunk, len(block)))
            piece.sequence = 0
            yield piece
    yield from cleaner.findings.quarantines(feed, last_ns)
    yield EndOfFeed(time_ns=last_ns, feed=feed)


def _all(blocks: Iterable[tuple[MarketBlock, Int64 | None]], cleaner: Cleaner) -> Iterator[MarketBlock]:
    for block, places in blocks:
        yield from cleaner.clean(block, places)
    yield from cleaner.finish()


_JUDGED = {"price", "size", "bid", "bid_size", "ask", "ask_size", "open", "high", "low", "close", "volume"}
