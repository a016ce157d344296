"""Bars of one file: read whole, put in order, given their intervals, rescaled, cut into blocks."""

from collections.abc import Mapping

import numpy as np

from adapters.columns import OHLC, Layout
from adapters.feed_errors import FileError, OrderError, TimeframeError
from adapters.file_options import FileOptions
from adapters.ordering import order_of, repeats
from adapters.rows import RowReader, Rows
from adapters.sessions import session_bounds
from adapters.stamps import iso
from adapters.tables import Table
from engine.blocks import OUTSIDE, Bars, BlockError, Column, Float64, Int32, Int64
from engine.timeframes import DAY_NS, LENGTH_NS, TIMEFRAMES

_NAMED = {length_ns: name for name, length_ns in LENGTH_NS.items()}


class BarRows:
    """All bars of a file, by (close, symbol). `counts` is final from the start."""

    def __init__(self, source: str, table: Table, layout: Layout, options: FileOptions) -> None:
        """`options.symbol` is set. Raises FeedError or BlockError."""
        self._source = source
        self._options = options
        reader = RowReader(layout.kind, options.zone, str(options.symbol))
        parts = [reader.read(page) for page in table.pages(layout.columns)]
        self.counts = reader.counts
        if not self.counts["rows"]:
            raise FileError(f"{source}: must hold rows, was a header only")
        self._count("mixed_units", reader.mixed_units)
        self.symbols = tuple(sorted(reader.codes))
        rows = Rows.join(parts)
        rows = rows.given(symbol=ranks(reader.codes)[rows["symbol"]])
        self.timeframe = timeframe_of(source, rows, options.timeframe)
        self.rows = self._adjusted(self._distinct(self._ordered(self._bounded(rows))))

    def __len__(self) -> int:
        return len(self.rows)

    def block(self, rows: Rows, instruments: Int32, feed: int) -> Bars:
        """`instruments` is the session's number of each of `symbols`."""
        return Bars.of(
            open_ns=rows["open_ns"], close_ns=rows["close_ns"], received_ns=rows["close_ns"],
            instrument=instruments[rows["symbol"]], timeframe=TIMEFRAMES.index(self.timeframe),
            open=rows["open"], high=rows["high"], low=rows["low"], close=rows["close"], volume=rows["volume"],
            trades=rows["trades"], source=OUTSIDE, feed=feed,
        )  # fmt: skip

    def _count(self, reason: str, rows: int) -> None:
        if rows:
            self.counts[reason] = self.counts.get(reason, 0) + rows

    def _bounded(self, rows: Rows) -> Rows:
        """With open_ns and close_ns, inside the range and on session days."""
        if self.timeframe == "1d":
            day_ns = rows["wall_ns"] // DAY_NS * DAY_NS
            open_ns, close_ns, held = session_bounds(self._source, self._options.calendar, day_ns)
        else:
            # A week is named by a day, like a day; shorter bars are named by the moment they open.
            open_ns = rows["wall_ns"] // DAY_NS * DAY_NS if self.timeframe == "1w" else rows["utc_ns"]
            close_ns, held = open_ns + LENGTH_NS[self.timeframe], np.ones(len(rows), np.bool_)
        inside = (open_ns >= self._options.start_ns) & (open_ns < self._options.end_ns)
        self._count("no_session", int((~held).sum()))
        self._count("outside_range", int((held & ~inside).sum()))
        return rows.given(open_ns=open_ns, close_ns=close_ns).take(held & inside)

    def _ordered(self, rows: Rows) -> Rows:
        order = order_of(rows, rows["close_ns"], rows["symbol"])
        if order.first_back >= 0 and not self._options.sort:
            raise out_of_order(self._source, rows, order.first_back, newest_first=order.newest_first)
        self._count("reversed", len(rows) if order.newest_first else 0)
        self._count("sorted", order.misplaced)
        return rows.take(order.index_of)

    def _distinct(self, rows: Rows) -> Rows:
        values = tuple(rows[name] for name in (*OHLC, "volume"))
        same, conflicting = repeats((rows["close_ns"], rows["symbol"]), values)
        self._count("duplicate", int(same.sum()))
        self._count("duplicate_conflicting", int(conflicting.sum()))
        return rows.take(~(same | conflicting))

    def _adjusted(self, rows: Rows) -> Rows:
        if "adj_close" not in rows.columns or self._options.adjust == "none":
            return rows
        adjusted: Float64 = rows["adj_close"]
        # A symbol whose adjusted close is empty throughout was never adjusted.
        with_any = np.bincount(rows["symbol"], ~np.isnan(adjusted), len(self.symbols)) > 0
        wrong = with_any[rows["symbol"]] & ~((adjusted > 0) & np.isfinite(adjusted))
        if wrong.any():
            first = int(np.argmax(wrong))
            raise BlockError(
                f"{self._source}: row {rows['lines'][first]}: adj_close must be > 0 (or adjust = none), "
                f"was {adjusted[first]}"
            )
        factor = np.where(np.isnan(adjusted), 1.0, adjusted / rows["close"])
        prices = {name: rows[name] * factor for name in OHLC}
        return rows.given(volume=rows["volume"] / factor, **prices)


def ranks(codes: Mapping[str, int]) -> Int32:
    """Code of a symbol -> its place in the sorted table."""
    found = np.empty(len(codes), np.int32)
    for rank, symbol in enumerate(sorted(codes)):
        found[codes[symbol]] = rank
    return found


def out_of_order(source: str, rows: Rows, index: int, *, newest_first: bool) -> OrderError:
    """`index` is the first row earlier than the row of its symbol above it."""
    style = " (the file is newest first)" if newest_first else ""
    return OrderError(
        f"{source}: row {rows['lines'][index]}: time must not be before the row above where sort = false, "
        f"was {iso(rows['utc_ns'][index])}{style}"
    )


def timeframe_of(source: str, rows: Rows, asked: str | None) -> str:
    """The timeframe asked for, checked against the stamps, else the one they show."""
    spacing_ns = _most_common_spacing(rows["wall_ns"], rows["symbol"])
    if asked is not None:
        if 0 < spacing_ns < LENGTH_NS[asked]:
            raise TimeframeError(f"{source}: stamps must be {asked} apart, was {_seconds(spacing_ns)} most often")
        return asked
    if spacing_ns not in _NAMED:
        found = _seconds(spacing_ns) if spacing_ns else "without two different stamps"
        raise TimeframeError(f"{source}: spacing must be one of {', '.join(TIMEFRAMES)}, was {found}; name a timeframe")
    return _NAMED[spacing_ns]


def _most_common_spacing(wall_ns: Int64, symbol: Column) -> int:
    """Of consecutive different stamps of one symbol; the shorter of two equally common; 0 if none."""
    index = np.lexsort((wall_ns, symbol))
    steps = np.diff(wall_ns[index])[np.diff(symbol[index]) == 0]
    lengths, often = np.unique(steps[steps > 0], return_counts=True)
    return int(lengths[np.argmax(often)]) if len(lengths) else 0


def _seconds(length_ns: int) -> str:
    return f"{length_ns / 1e9:g} s"
