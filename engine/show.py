"""What a terminal shows: a progress bar while a run goes, a table and the digest at its end.

Results go to stdout, everything else to stderr, so that a pipe carries results only.
"""

import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import msgspec

from engine.exits import emit
from engine.summary import RunSummary

STEP_ROWS = 20_000
"""The bar moves at most once in this many rows."""

WIDTH = 80
"""Columns where the output is no terminal; tables on a terminal take up to `MOST_WIDTH`."""
MOST_WIDTH = 120

_BOLD, _DIM, _PLAIN = "\x1b[1m", "\x1b[2m", "\x1b[0m"
_GAP = "  "
SENTENCES = ("intents", "closed legs", "note")
"""Rows whose parts are words, one space apart."""


class Screen:
    """Progress goes to stderr and only to a terminal; results go to stdout."""

    def __init__(self, *, as_json: bool, quiet: bool, color: bool) -> None:
        self._as_json = as_json
        self._quiet = quiet
        self._color = color and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"

    def tell(self, line: str) -> None:
        """One line about what takes long."""
        if not self._quiet:
            sys.stderr.write(self._styled(line, _DIM, sys.stderr.isatty()) + "\n")

    @contextmanager
    def progress(self, rows: int) -> Iterator[Callable[[int], None]]:
        """Gives what is to be told the rows done; `rows` is an estimate, 0 when unknown."""
        if self._quiet or not sys.stderr.isatty():
            yield lambda done: None
            return
        # Half of what a command imports for the terminal; a pipe does without.
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (TextColumn("replay"), BarColumn(), MofNCompleteColumn(), TextColumn("rows"), TimeElapsedColumn())
        console = Console(stderr=True, no_color=not self._color)
        with Progress(*columns, console=console, transient=True) as bar:
            task = bar.add_task("replay", total=rows or None)
            shown = 0

            def move(done: int) -> None:
                nonlocal shown
                if done - shown >= STEP_ROWS:
                    shown = done
                    bar.update(task, completed=done)

            yield move

    def show(self, summary: RunSummary) -> None:
        emit(_json(summary) if self._as_json else self._table(summary))

    def _table(self, summary: RunSummary) -> str:
        width = min(shutil.get_terminal_size((WIDTH, 0)).columns, MOST_WIDTH) if sys.stdout.isatty() else WIDTH
        rows = list(_rows(summary))
        names = max(len(name) for name, _ in rows)
        lines = []
        for name, parts in rows:
            gap = " " if name in SENTENCES else _GAP
            head, *rest = wrapped(parts, gap, width - names - len(_GAP))
            lines.append(self._styled(name.ljust(names), _BOLD, sys.stdout.isatty()) + _GAP + head)
            lines += [" " * names + _GAP + line for line in rest]
        return "\n".join(lines)

    def _styled(self, text: str, style: str, is_terminal: bool) -> str:
        return f"{style}{text}{_PLAIN}" if is_terminal and self._color else text


def wrapped(parts: list[str], gap: str, width: int) -> list[str]:
    """The parts in lines of at most `width`, none broken within: a name stays with its number."""
    lines = [parts[0]]
    for part in parts[1:]:
        if len(lines[-1]) + len(gap) + len(part) <= width:
            lines[-1] += gap + part
        else:
            lines.append(part)
    return lines


def _json(summary: RunSummary) -> str:
    return msgspec.json.format(msgspec.json.encode(summary), indent=2).decode()


def _rows(summary: RunSummary) -> Iterator[tuple[str, list[str]]]:
    yield "feeds", list(summary.feeds)
    yield "symbols", [f"{summary.symbols:,}"]
    if summary.instruments:
        yield "defined by", _counts(summary.instruments)
    if summary.sessions:
        yield "sessions", list(summary.sessions)
    if summary.lateness_ms:
        yield "lateness", [f"{summary.lateness_ms:,} ms"]
    yield "rows read", [f"{summary.rows_read:,}"]
    yield "rows dropped", _counts(summary.rows_dropped)
    if summary.rows_repaired:
        yield "rows repaired", _counts(summary.rows_repaired)
    if summary.rows_noted:
        yield "rows noted", _counts(summary.rows_noted)
    if summary.rows_unbarred:
        yield "in no bar", _counts(summary.rows_unbarred)
    if summary.unknown_messages:
        yield "unknown", _counts(summary.unknown_messages)
    yield "bars", _counts(summary.bars)
    yield "events", _counts(summary.events)
    yield "campaigns", _counts({_short(name): number for name, number in summary.campaigns.items()})
    yield "declined", _counts(summary.declined)
    yield "intents", _sum(summary.intents, f"{summary.approved:,} approved")
    yield "refused", _counts(summary.refused)
    yield "orders", [f"{summary.orders:,}"]
    yield "executions", [f"{summary.executions:,}"]
    yield "closed legs", _trades(summary)
    yield "P&L", [f"{summary.pnl:,.2f} {summary.currency}"]
    yield "heat peak", [f"{summary.heat_peak_bp / 100:.2f} %"]
    if summary.note:
        yield "note", summary.note.split()
    yield "digest", [summary.digest]


def _trades(summary: RunSummary) -> list[str]:
    if not summary.trades:
        return ["none"]
    expectancy = "unknown" if summary.expectancy_r is None else f"{summary.expectancy_r:+.2f} R"
    factor = "no losses" if summary.profit_factor is None else f"{summary.profit_factor:.2f}"
    return [f"{summary.trades:,},", f"{summary.wins:,} won,", f"expectancy {expectancy},", f"profit factor {factor}"]


def _short(change: str) -> str:
    return change.removeprefix("CAMPAIGN_")


def _sum(number: int, part: str) -> list[str]:
    return [f"{number:,},", part] if number else ["none"]


def _counts(counts: Mapping[str, int]) -> list[str]:
    return [f"{name} {number:,}" for name, number in counts.items()] or ["none"]
