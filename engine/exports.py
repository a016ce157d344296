"""Files a run leaves behind: events, phases, trades, decisions.

Each export is a sink of the Tap. It writes to a temporary file beside its target and takes the
target's name only when the run has ended, so nothing half-written looks whole.
"""

import csv
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any, Self

import msgspec
import numpy as np

from engine.blocks import PARTIAL, MarketBlock
from engine.campaigns.performance import TradeLedger
from engine.digest import DECISIONS, EXECUTIONS
from engine.iso import iso, iso_column
from engine.messages import Detections, Message, Phase
from engine.ports import Item
from engine.wyckoff.naming import event_name

PHASES = tuple(Phase)
"""`Bars.phase` indexes these."""


class ExportError(OSError):
    """An export cannot be written. Names the file and what stood in the way."""


class Export:
    """A text file that appears whole or not at all. Use as a context manager."""

    def __init__(self, path: Path) -> None:
        """Opens the temporary file at once: an unwritable target is known before the run."""
        self.path = path
        self._part = path.with_name(f".{path.name}.part")
        try:
            self._file: IO[str] = self._part.open("w", encoding="utf-8", newline="")
        except OSError as error:
            raise ExportError(f"{path}: cannot be written: {error.strerror}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        if kind is not None:
            self._file.close()
            self._part.unlink(missing_ok=True)
            return
        try:
            self._file.close()
            self._part.replace(self.path)
        except OSError as error:
            self._part.unlink(missing_ok=True)
            raise ExportError(f"{self.path}: cannot be written: {error.strerror}") from error

    def text(self, data: str) -> None:
        try:
            self._file.write(data)
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
    """One row a detected bar: the phase shown at its close."""

    COLUMNS = ("symbol", "timeframe", "time", "phase", "direction", "confidence")

    def __init__(self, path: Path, symbols: Sequence[str], timeframes: Sequence[str], detect_on: Sequence[str]) -> None:
        super().__init__(path)
        self._symbols = symbols
        self._timeframes = timeframes
        self._detected = [timeframes.index(name) for name in detect_on]

    def take(self, item: Item) -> None:
        if not isinstance(item, MarketBlock) or item.closed is None or not len(item.closed):
            return
        bars = item.closed
        shown = np.flatnonzero(np.isin(bars.timeframe, self._detected) & (bars.source != PARTIAL))
        times = iso_column(bars.open_ns[shown])
        for time, bar in zip(times, shown.tolist(), strict=True):
            self._rows.writerow((
                self._symbols[bars.instrument[bar]], self._timeframes[bars.timeframe[bar]], time,
                PHASES[bars.phase[bar]].value, int(bars.direction[bar]), number(float(bars.confidence[bar])),
            ))  # fmt: skip


class TradesCsv(CsvExport):
    """One row a closed leg, folded from executions alone."""

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

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._encode: Callable[[object], bytes] = msgspec.json.Encoder(decimal_format="string").encode

    def write(self, item: Item) -> None:
        if isinstance(item, DECISIONS + EXECUTIONS):
            self.text(self._encode(item).decode() + "\n")


def number(value: float) -> str | float:
    """NaN as an empty field."""
    return "" if value != value else value
