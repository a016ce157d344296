"""`wyckoff report`, and what `wyckoff replay --report` adds to a run: a page made of a store.

A run that keeps no store gets one in a temporary folder, so that both ways lead through the same rows.
"""

import shlex
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from engine import exits
from engine.exits import ExitError, emit
from engine.exports import Export
from engine.ports import Item
from engine.replay_command import ReplayCommand
from engine.report.candles import BarKeeper
from engine.report.material import Material
from engine.report.page import page
from engine.session import Session
from engine.store import StoreWriter
from engine.store_book import StoreBook
from engine.store_reader import StoreReader, reading
from engine.store_report import Ended, ended_of, keep_report, parts_of, spans_of
from engine.summary import RunSummary


class Page(Export):
    """A page that appears whole or not at all."""

    def write(self, item: Item) -> None:
        """Nothing of a page is known before its run has ended."""


class Kept:
    """The store of a run, while it goes on: `path` may be a temporary one."""

    def __init__(self, path: Path, session: Session) -> None:
        self.path = path
        self.keeper = BarKeeper(session.start)

    def end(self, command: ReplayCommand, store: StoreWriter, summary: RunSummary) -> None:
        """Keep what a page needs, once the messages are in. Raises StoreError or ExitError."""
        if store.status.reason:
            raise ExitError(exits.IO_FAILED, f"{store.status.reason}; the run ended with digest {summary.digest}")
        keep_report(self.path, store.name, Ended(reproduced(command), summary, self.keeper.left_out), self.keeper)


@contextmanager
def keeping(command: ReplayCommand, session: Session) -> Iterator[Kept | None]:
    """Where the run is kept: its --store, a temporary one for --report alone, or nowhere."""
    if command.store is not None:
        yield Kept(command.store, session)
    elif command.report is None:
        yield None
    else:
        with TemporaryDirectory(prefix="wyckoff-") as folder:
            yield Kept(Path(folder) / "run.sqlite", session)


def told_of(store: Path, name: str) -> str:
    """The page of a run. Raises ExitError."""
    with reading(store) as reader:
        return page(material(reader, name))


def run_report(run: str, store: Path | None, out: Path) -> None:
    """`run` is a number or a name; without `store` it may be a store, for its last run. Raises ExitError."""
    wanted: str | None = run
    if store is None:
        if not Path(run).is_file():
            raise ExitError(exits.USAGE, f"--store must name the store that holds run {run}: replay --store writes one")
        store, wanted = Path(run), None
    if out.resolve() == store.resolve():
        raise ExitError(exits.USAGE, f"--out must name a file of its own, was {out}, which is the store")
    with reading(store) as reader, Page(out) as made:
        made.text(page(material(reader, reader.run(wanted).name)))
    emit(str(out))


def material(reader: StoreReader, name: str | None) -> Material:
    """Raises ExitError where the store misses what a page is made of."""
    run = reader.run(name)
    ended = ended_of(reader, run.run)
    again = "replay it into the store again"
    if ended is None or run.ended_ns is None:
        raise ExitError(exits.NOT_FOUND, f"{reader.path}: run {run.run} has not come to its end: {again}")
    if run.dropped:
        raise ExitError(exits.NOT_FOUND, f"{reader.path}: run {run.run} misses {run.dropped:,} messages: {again}")
    try:
        parts = parts_of(reader, run.run)
    except (ValueError, zlib.error) as error:
        raise ExitError(exits.IO_FAILED, f"{reader.path}: bars of run {run.run} are damaged: {error}") from None
    book = StoreBook(reader, run)
    return Material(
        reader, book, command=ended.command, summary=ended.summary, reach=spans_of(reader, run.run), parts=parts,
        bars_left_out=ended.bars_left_out,
    )  # fmt: skip


def reproduced(command: ReplayCommand) -> str:
    """The command that reads the same feeds the same way, without what it writes or how it looks."""
    plain = ReplayCommand(feeds=command.feeds)
    words = ["wyckoff", "replay", *map(str, command.feeds)]
    for name, option in OPTIONS.items():
        value = getattr(command, name)
        if value == getattr(plain, name):
            continue
        for one in value if isinstance(value, tuple) else (value,):
            words += [option] if one is True else [option, str(one)]
    return shlex.join(words)


OPTIONS = {
    "config": "--config", "start": "--from", "until": "--to", "symbol": "--symbol", "timeframe": "--timeframe",
    "layout": "--layout", "mapping": "--map", "columns": "--columns", "member": "--member", "dates": "--dates",
    "zone": "--zone", "fold": "--fold", "is_sorted": "--sorted", "strict": "--strict", "protocol": "--protocol",
    "adjust": "--adjust", "adjustments": "--adjustments", "adjust_as_of": "--adjust-as-of", "calendar": "--calendar",
    "stop_at": "--until", "hours": "--hours",
    "instruments": "--instruments", "recorded_instruments": "--recorded-instruments",
}  # fmt: skip
"""Fields of a ReplayCommand that change what a run decides."""
