"""Files a run leaves behind: events, phases, trades, decisions.

Each export is a sink of the Tap. It writes to a temporary file beside its target and takes the
target's name only when the run has ended, so nothing half-written looks whole.
"""

import csv
import io
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, Self

import numpy as np

from engine.blocks import PARTIAL, Column, MarketBlock
from engine.campaigns.performance import TradeLedger
from engine.decision_lines import TOLD, decision_line
from engine.iso import iso, iso_column
from engine.messages import Detections, Fill, Intent, Message, Phase, Refused
from engine.naming import event_name
from engine.ports import Item

PHASES = tuple(Phase)
"""`Bars.phase` indexes these."""

_PHASE_NAMES = tuple(phase.value for phase in PHASES)

Gathered = tuple[Column, ...]


class ExportError(OSError):
    """An export cannot be written. Names the file and what stood in the way."""


class Export:
    """A text file that appears whole or not at all. Use as a context manager."""

    reads: tuple[type[Message] | type[MarketBlock], ...] = ()
    """What `write` has to be given, for the Tap."""

    def __init__(self, path: Path) -> None:
        """Opens the temporary file at once: an unwritable target is known before the run.

        A link is followed; what is no plain file (a directory, a device) is refused.
        """
        self.path = path
        target = path.resolve()
        if target.exists():
            _check_plain(path, target)
        self._target = target
        self._part = target.with_name(f".{target.name}.part")
        with self._naming():
            self._file: IO[str] = self._part.open("w", encoding="utf-8", newline="")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        if kind is not None:
            self._abandon()
            return
        try:
            self.complete()
            with self._naming():
                self._part.replace(self._target)
        except ExportError:
            self._abandon()
            raise

    def write(self, item: Item) -> None:
        """Sink of the Tap."""
        raise NotImplementedError

    def complete(self) -> None:
        """Write what is left. Where there are several exports, complete all before any appears."""
        if not self._file.closed:
            self.finish()
            with self._naming():
                self._file.close()

    def finish(self) -> None:
        """What an export has to add at its end."""

    def _abandon(self) -> None:
        with suppress(OSError):  # closing flushes, and the disk may be full
            self._file.close()
        self._part.unlink(missing_ok=True)

    def text(self, data: str) -> None:
        with self._naming():
            self._file.write(data)

    @contextmanager
    def _naming(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise ExportError(f"{self.path}: cannot be written: {error.strerror}") from error


class CsvExport(Export):
    """Comma-separated, one header row, `\\n` line ends."""

    COLUMNS: Sequence[str] = ()

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._rows = csv.writer(self, lineterminator="\n")
        self._rows.writerow(self.COLUMNS)

    def write(self, item: Any) -> None:
        """Sink of the Tap, and what `csv.writer` writes its lines to."""
        if isinstance(item, str):
            self.text(item)
        else:
            self.take(item)

    def take(self, item: Item) -> None:
        raise NotImplementedError


class EventsCsv(CsvExport):
    """Every event when it was emitted; bars by their open label, and the time it was known."""

    reads = (Detections,)
    COLUMNS = (
        "symbol", "timeframe", "direction", "event", "event_time", "confirm_time", "known_time", "price", "score",
        "phase", "support", "resistance", "supersedes",
    )  # fmt: skip

    def take(self, item: Item) -> None:
        if isinstance(item, Detections):
            for one in item.events:
                self._rows.writerow((
                    one.symbol, one.timeframe, one.direction, event_name(one.kind, one.direction), iso(one.event_ns),
                    iso(one.confirm_ns), iso(one.known_ns), one.price, one.score, one.phase.value,
                    number(one.support), number(one.resistance), one.supersedes,
                ))  # fmt: skip


class PhasesCsv(CsvExport):
    """One row a detected bar: the phase shown at its close. Bars are gathered and written many at
    a time, for pieces of the line may hold only a few."""

    reads = (MarketBlock,)
    COLUMNS = ("symbol", "timeframe", "time", "phase", "direction", "confidence")
    GATHERED_BARS = 8_192

    def __init__(self, path: Path, symbols: Sequence[str], timeframes: Sequence[str], detect_on: Sequence[str]) -> None:
        super().__init__(path)
        self._detected = np.isin(timeframes, detect_on)
        self._names = [[_fields(symbol, name) for name in timeframes] for symbol in symbols]
        self._gathered: list[Gathered] = []
        self._bars = 0

    def take(self, item: Item) -> None:
        if not isinstance(item, MarketBlock) or item.closed is None or not len(item.closed):
            return
        bars = item.closed
        shown = self._detected[bars.timeframe] & (bars.source != PARTIAL)
        # Indexing copies: the columns of a block are windows on what is used again.
        columns = (bars.instrument, bars.timeframe, bars.open_ns, bars.phase, bars.direction, bars.confidence)
        self._gathered.append(tuple(column[shown] for column in columns))
        self._bars += len(bars)
        if self._bars >= self.GATHERED_BARS:
            self.finish()

    def finish(self) -> None:
        if not self._gathered:
            return
        joined = [np.concatenate(parts) for parts in zip(*self._gathered, strict=True)]
        self._gathered, self._bars = [], 0
        instrument, timeframe, open_ns, *shown = joined
        rows = zip(
            instrument.tolist(), timeframe.tolist(), iso_column(open_ns), *map(np.ndarray.tolist, shown), strict=True
        )
        self.text(
            "".join(
                [
                    f"{self._names[symbol][name]},{time},{_PHASE_NAMES[phase]},{direction},{number(confidence)}\n"
                    for symbol, name, time, phase, direction, confidence in rows
                ]
            )
        )


class TradesCsv(CsvExport):
    """One row a closed leg, folded from executions alone."""

    reads = (Fill, Intent, Refused)
    COLUMNS = (
        "symbol", "campaign", "leg", "side", "quantity", "entry_time", "entry_price", "exit_time", "exit_price",
        "pnl", "r",
    )  # fmt: skip

    def __init__(self, path: Path, ledger: TradeLedger) -> None:
        super().__init__(path)
        self._ledger = ledger

    def take(self, item: Item) -> None:
        if isinstance(item, Message):
            trade = self._ledger.add(item)
            if trade is not None:
                self._rows.writerow((
                    trade.symbol, trade.campaign, trade.leg.value, trade.side.value, trade.quantity,
                    iso(trade.entry_ns), trade.entry_price, iso(trade.exit_ns), trade.exit_price, trade.pnl, trade.r,
                ))  # fmt: skip


class DecisionsJsonl(Export):
    """Every intent, verdict with receipt, order and execution, one JSON object a line, in order."""

    reads = TOLD

    def write(self, item: Item) -> None:
        if line := decision_line(item):
            self.text(line.decode())


def _fields(*values: str) -> str:
    """The values as CSV has them, quoted where they must be."""
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(values)
    return line.getvalue()


def _check_plain(path: Path, target: Path) -> None:
    """A run ends by replacing the file, which must harm nothing that is not one."""
    found = target.stat()
    streams = [os.fstat(number) for number in (1, 2)]
    if any(os.path.samestat(found, stream) for stream in streams):
        raise ExportError(f"{path}: cannot be written: the output of the command itself goes there")
    if not target.is_file():
        kind = "a directory" if target.is_dir() else "a device or pipe"
        raise ExportError(f"{path}: cannot be written: must be a plain file, was {kind}")


def number(value: float) -> str | float:
    """NaN as an empty field."""
    return "" if value != value else value
