"""Bars of one file: given their intervals, rescaled where the file says so, by (close, symbol)."""

import numpy as np
import numpy.typing as npt

from adapters.columns import OHLC
from adapters.file_rows import FileRows
from adapters.ordering import Order
from adapters.rows import Rows
from adapters.sessions import session_bounds, session_close
from adapters.spacing import Spacing, spacing_of, timeframe_of
from adapters.tables import Page
from adapters.texts import CellError, Texts, numbers
from engine.blocks import OUTSIDE, Bars, BlockError, Float64, Int32, Int64
from engine.messages import NEVER_NS
from engine.timeframes import DAY_NS, LENGTH_NS, TIMEFRAMES

DAYS = ("1d", "1w")
"""Timeframes whose bars are named by a day, on the clock of the stamp."""


class BarRows(FileRows):
    """`timeframe` comes from the survey, too."""

    moments_together = True
    surveyed_columns = ("time", "clock", "symbol", "adj_close")

    def block(self, rows: Rows, instruments: Int32, feed: int) -> Bars:
        return Bars.of(
            open_ns=rows["open_ns"], close_ns=rows["close_ns"], received_ns=rows["close_ns"],
            instrument=instruments[rows["symbol"]], timeframe=TIMEFRAMES.index(self.timeframe),
            open=rows["open"], high=rows["high"], low=rows["low"], close=rows["close"], volume=rows["volume"],
            trades=rows["trades"], source=OUTSIDE, feed=feed,
        )  # fmt: skip

    def _begin(self) -> None:
        self._spacing = Spacing()
        self._days_ordered = True
        self._last_day_ns = NEVER_NS
        self._adjusted_codes: set[int] = set()

    def _note(self, page: Page, rows: Rows) -> None:
        self._spacing.add(rows["wall_ns"], rows["symbol"])
        day_ns = rows["wall_ns"] // DAY_NS
        self._days_ordered = (
            self._days_ordered and self._last_day_ns <= day_ns[0] and bool((np.diff(day_ns) >= 0).all())
        )
        self._last_day_ns = int(day_ns[-1])
        if "adj_close" in page.cells:
            present = ~np.isnan(plain_numbers(page, "adj_close"))
            self._adjusted_codes.update(np.unique(rows["symbol"][present]).tolist())

    def _settle(self, rows: Rows | None = None) -> None:
        if rows is not None or self.ordered:
            spacing = self._spacing if rows is None else spacing_of(rows)
            self.timeframe = timeframe_of(self._source, spacing, self._options.timeframe)
        # The days of a file that names its zone may step back where its moments do not.
        self.ordered = self.ordered and (self._days_ordered or self.timeframe not in DAYS)
        places = {symbol: place for place, symbol in enumerate(self.symbols)}
        self._is_adjusted = np.zeros(len(places), np.bool_)
        for symbol, code in self._surveyed_codes.items():
            self._is_adjusted[places[symbol]] = code in self._adjusted_codes

    def _key(self, rows: Rows) -> Int64:
        if "close_ns" in rows.columns:
            return rows["close_ns"]
        return rows["wall_ns"] // DAY_NS if self.timeframe in DAYS else rows["utc_ns"]

    def _prepared(self, rows: Rows) -> Rows:
        """With open_ns and close_ns, inside the range and on session days, rescaled."""
        open_ns, close_ns, held = self._intervals(rows)
        self._count("no_session", int((~held).sum()))
        rows = rows.given(open_ns=open_ns, close_ns=close_ns).take(held)
        return self._rescaled(self._inside(rows, rows["open_ns"]))

    def _placed(self, rows: Rows) -> Rows:
        return rows.take(np.lexsort((rows["lines"], rows["symbol"], rows["close_ns"])))

    def _sorted_by(self, order: Order, rows: Rows) -> Int64:
        return order.index_of

    def _intervals(self, rows: Rows) -> tuple[Int64, Int64, npt.NDArray[np.bool_]]:
        source, calendar = self._source, self._options.calendar
        day_ns = rows["wall_ns"] // DAY_NS * DAY_NS
        if self.timeframe == "1d":
            return session_bounds(source, calendar, day_ns)
        # A week is named by a day, like a day; shorter bars are named by the moment they open.
        open_ns = day_ns if self.timeframe == "1w" else rows["utc_ns"]
        close_ns = open_ns + LENGTH_NS[self.timeframe]
        if self.timeframe != "1w":
            close_ns = session_close(source, (calendar, self._options.hours), open_ns, close_ns)
        return open_ns, close_ns, np.ones(len(rows), np.bool_)

    def _rescaled(self, rows: Rows) -> Rows:
        if "adj_close" not in rows.columns or self._options.adjust == "none":
            return rows
        adjusted: Float64 = rows["adj_close"]
        # A symbol whose adjusted close is empty throughout was never adjusted.
        wrong = self._is_adjusted[rows["symbol"]] & ~((adjusted > 0) & np.isfinite(adjusted))
        if wrong.any():
            first = int(np.argmax(wrong))
            place = self._table.place(int(rows["lines"][first]))
            raise BlockError(
                f"{self._source}: {place}: adj_close must be > 0 (or adjust = none), was {adjusted[first]}"
            )
        # A close that is no price is judged later, as it stands.
        sound = ~np.isnan(adjusted) & (rows["close"] > 0) & np.isfinite(rows["close"])
        with np.errstate(all="ignore"):  # what becomes infinite is judged later, too
            factor = np.divide(adjusted, rows["close"], out=np.ones(len(rows)), where=sound)
            prices = {name: rows[name] * factor for name in OHLC}
            return rows.given(volume=rows["volume"] / factor, **prices)


def plain_numbers(page: Page, name: str) -> Float64:
    """A column that is read for the survey alone. Raises BlockError."""
    cells = page.cells[name]
    try:
        return numbers(cells) if isinstance(cells, Texts) else np.asarray(cells, np.float64)
    except CellError as error:
        raise page.refuse(name, error) from error
