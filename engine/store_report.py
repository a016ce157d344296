"""What a run leaves in its store for a page about it: the command, the summary, bars worth a look.

Written once, when the run has ended and its messages are in; a run that is replaced loses them first.
"""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import msgspec

from engine.report.candles import BarKeeper, Candles
from engine.report.material import subjects
from engine.report.selection import Kept, Span, kept, spans
from engine.store_book import StoreBook
from engine.store_reader import StoreReader, reading
from engine.store_schema import BUSY_SECONDS, StoreError
from engine.summary import RunSummary

TABLES = ("outcomes", "bar_spans", "candles")
"""What belongs to a run and is no message of it."""


class Ended(msgspec.Struct, frozen=True):
    """`command` is what reproduces the run; `bars_left_out` were too many to keep."""

    command: str
    summary: RunSummary
    bars_left_out: int = 0


def keep_report(path: Path, name: str, ended: Ended, keeper: BarKeeper) -> int:
    """Keep these beside the messages of the run that is called `name`; its number. Raises StoreError."""
    charts = list(keeper.charts())
    with reading(path) as reader:
        run = reader.run(name)
        parts = list(kept(charts, subjects(reader, StoreBook(reader, run))))
    try:
        with closing(sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)) as connection:
            _write(connection, run.run, ended, spans(charts), parts)
    except sqlite3.Error as error:
        raise StoreError(f"{path}: cannot keep the bars of run {name}: {error}") from error
    return run.run


def _write(
    connection: sqlite3.Connection, run: int, ended: Ended, reach: Sequence[Span], parts: Sequence[Kept]
) -> None:
    connection.execute("BEGIN IMMEDIATE")
    for table in TABLES:
        connection.execute(f"DELETE FROM {table} WHERE run = ?", (run,))  # noqa: S608  names are ours
    connection.executemany("INSERT INTO bar_spans VALUES (?, ?, ?, ?, ?, ?)", ((run, *one) for one in reach))
    connection.executemany(
        "INSERT INTO candles VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            (run, one.symbol, one.timeframe, one.part, one.subject, one.candles.per_candle, one.candles.pack())
            for one in parts
        ),
    )
    told = (run, ended.command, msgspec.json.encode(ended.summary).decode(), ended.bars_left_out)
    connection.execute("INSERT INTO outcomes VALUES (?, ?, ?, ?)", told)
    connection.execute("COMMIT")


def ended_of(reader: StoreReader, run: int) -> Ended | None:
    """None where the run did not come to its end."""
    rows = reader.rows("SELECT command, summary, bars_left_out FROM outcomes WHERE run = ?", run)
    if not rows:
        return None
    summary = msgspec.json.decode(rows[0]["summary"], type=RunSummary)
    return Ended(rows[0]["command"], summary, rows[0]["bars_left_out"])


def spans_of(reader: StoreReader, run: int) -> list[Span]:
    rows = reader.rows("SELECT * FROM bar_spans WHERE run = ? ORDER BY symbol, timeframe", run)
    return [Span(*(row[name] for name in Span._fields)) for row in rows]


def parts_of(reader: StoreReader, run: int) -> list[Kept]:
    """By symbol, timeframe and part. Raises ExitError on damaged bars."""
    rows = reader.rows("SELECT * FROM candles WHERE run = ? ORDER BY symbol, timeframe, part", run)
    return [
        Kept(
            row["symbol"], row["timeframe"], row["part"], row["subject"],
            Candles.unpack(row["candles"], row["per_candle"]),
        )
        for row in rows
    ]  # fmt: skip
