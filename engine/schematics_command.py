"""`wyckoff schematics`: generated markets as a feed that replay reads, and what was planted in them.

Two CSV files: the bars, one symbol a series, by (time, symbol); and beside them the labels.
"""

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path

import msgspec

from engine import exits
from engine.exits import ExitError
from engine.exports import CsvExport
from engine.iso import TimeError, iso, iso_column, parse_iso
from engine.naming import event_name
from engine.timeframes import LENGTH_NS
from engine.wyckoff.schematics import KINDS, Series, generate

MOST_SERIES = 10_000


class SchematicsCommand(msgspec.Struct, frozen=True):
    """What the command line asked for. Empty `kinds` is all; `count` series of each."""

    out: Path
    kinds: tuple[str, ...]
    count: int
    seed: int
    timeframe: str
    start: str
    signature: float | None
    noise: float | None


class _Table(CsvExport):
    def add(self, rows: Iterable[Sequence[object]]) -> None:
        self._rows.writerows(rows)


class BarsCsv(_Table):
    COLUMNS = ("time", "symbol", "open", "high", "low", "close", "volume")


class LabelsCsv(_Table):
    COLUMNS = ("symbol", "kind", "event", "direction", "time", "price", "support", "resistance")


def run_schematics(command: SchematicsCommand) -> dict[str, object]:
    """Write both files; what was written, for a person or as JSON. Raises ExitError or ExportError."""
    start_ns = _check(command)
    kinds = command.kinds or KINDS
    labels = labels_path(command.out)
    series = {
        f"{kind.upper().replace('-', '_')}.{command.seed + number}": generate(
            kind, command.seed + number, signature=command.signature, noise=command.noise
        )
        for kind in kinds
        for number in range(command.count)
    }
    length_ns = LENGTH_NS[command.timeframe]
    bars = 0
    with ExitStack() as stack:
        feed, planted = stack.enter_context(BarsCsv(command.out)), stack.enter_context(LabelsCsv(labels))
        for rows in _by_time(series, start_ns, length_ns):
            feed.add(rows)
            bars += len(rows)
        for symbol, one in series.items():
            planted.add(_labels(symbol, one, start_ns, length_ns))
    return {
        "feed": str(command.out), "labels": str(labels), "series": len(series), "bars": bars,
        "events": sum(len(one.planted) for one in series.values()), "timeframe": command.timeframe,
    }  # fmt: skip


def labels_path(out: Path) -> Path:
    """`x.csv` -> `x.labels.csv`."""
    return out.with_name(f"{out.name.removesuffix('.csv')}.labels.csv")


def _check(command: SchematicsCommand) -> int:
    for kind in command.kinds:
        if kind not in KINDS:
            raise ExitError(exits.USAGE, f"--kind must be one of {', '.join(KINDS)}, was {kind!r}")
    if command.timeframe not in LENGTH_NS:
        raise ExitError(exits.USAGE, f"--timeframe must be one of {', '.join(LENGTH_NS)}, was {command.timeframe!r}")
    wanted = command.count * len(command.kinds or KINDS)
    if wanted > MOST_SERIES:
        raise ExitError(exits.USAGE, f"series must be at most {MOST_SERIES:,}, was {wanted:,}")
    try:
        return parse_iso(command.start)
    except TimeError as error:
        raise ExitError(exits.USAGE, f"--from: {error}") from None


def _by_time(series: dict[str, Series], start_ns: int, length_ns: int) -> Iterable[list[tuple[object, ...]]]:
    """Rows of all series, one list a moment, symbols in order."""
    symbols = sorted(series)
    for row in range(max(len(one) for one in series.values())):
        stamp = iso(start_ns + row * length_ns)
        yield [_row(stamp, symbol, series[symbol], row) for symbol in symbols if row < len(series[symbol])]


def _row(stamp: str, symbol: str, one: Series, row: int) -> tuple[object, ...]:
    prices = (float(column[row]) for column in (one.open, one.high, one.low, one.close))
    return (stamp, symbol, *map(repr, prices), int(one.volume[row]))


def _labels(symbol: str, one: Series, start_ns: int, length_ns: int) -> Iterable[tuple[object, ...]]:
    stamps = iso_column([start_ns + length_ns * planted.row for planted in one.planted])
    levels = (f"{one.support:.4f}", f"{one.resistance:.4f}")
    for stamp, planted in zip(stamps, one.planted, strict=True):
        name = event_name(planted.kind, planted.direction)
        yield (symbol, one.kind, name, planted.direction, stamp, repr(planted.price), *levels)
