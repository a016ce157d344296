"""Quotes of one file: best bid and ask. Equal quotes are no repeats: they say that nothing changed."""

from adapters.file_rows import FileRows
from adapters.rows import Rows
from engine.blocks import Int32, Quotes


class QuoteRows(FileRows):
    """By time; quotes of one moment as they stand in the file, so that the last of them stays in force."""

    def block(self, rows: Rows, instruments: Int32, feed: int) -> Quotes:
        return Quotes.of(
            time_ns=rows["utc_ns"], received_ns=rows["utc_ns"], instrument=instruments[rows["symbol"]],
            bid=rows["bid"], bid_size=rows["bid_size"], ask=rows["ask"], ask_size=rows["ask_size"], feed=feed,
        )  # fmt: skip
