"""Trades of one file.

Equal prints are real (a fifth of a consolidated tape), so only a repeated trade id is a repeat.
"""

from adapters.file_rows import FileRows
from adapters.rows import Rows
from engine.blocks import Int32, Trades


class TradeRows(FileRows):
    """By time; prints of one moment as they stand in the file."""

    def block(self, rows: Rows, instruments: Int32, feed: int) -> Trades:
        return Trades.of(
            time_ns=rows["utc_ns"], received_ns=rows["utc_ns"], instrument=instruments[rows["symbol"]],
            price=rows["price"], size=rows["size"], side=rows["side"], trade_id=rows["trade_id"],
            conditions=rows["conditions"], feed=feed,
        )  # fmt: skip
