"""What a terminal shows: a progress bar while a run goes, a table and the digest at its end."""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import msgspec
from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from engine.summary import RunSummary

STEP_ROWS = 20_000
"""The bar moves at most once in this many rows."""


class Screen:
    """Progress goes to stderr and only to a terminal; results go to stdout."""

    def __init__(self, *, as_json: bool, quiet: bool, color: bool) -> None:
        self._as_json = as_json
        self._out = Console(no_color=not color, highlight=False)
        self._err = Console(stderr=True, no_color=not color)
        self._quiet = quiet
        self._moves = self._err.is_terminal and not quiet and not as_json

    def tell(self, line: str) -> None:
        """One line about what takes long."""
        if not self._quiet:
            self._err.print(line, style="dim")

    @contextmanager
    def progress(self, rows: int) -> Iterator[Callable[[int], None]]:
        """Gives what is to be told the rows done; `rows` is an estimate, 0 when unknown."""
        if not self._moves:
            yield lambda done: None
            return
        columns = (TextColumn("replay"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
        with Progress(*columns, console=self._err, transient=True) as bar:
            task = bar.add_task("replay", total=rows or None)
            shown = 0

            def move(done: int) -> None:
                nonlocal shown
                if done - shown >= STEP_ROWS:
                    shown = done
                    bar.update(task, completed=done)

            yield move

    def show(self, summary: RunSummary) -> None:
        if self._as_json:
            sys.stdout.write(msgspec.json.format(msgspec.json.encode(summary), indent=2).decode() + "\n")
            return
        self._out.print(_table(summary))
        if summary.note:
            self._out.print(summary.note)
        self._out.print(f"digest  {summary.digest}", soft_wrap=True)


def _table(summary: RunSummary) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_header=False, pad_edge=False)
    table.add_column(style="bold")
    table.add_column()
    for name, value in _lines(summary):
        table.add_row(name, value)
    return table


def _lines(summary: RunSummary) -> Iterator[tuple[str, str]]:
    yield "feeds", ", ".join(summary.feeds)
    yield "symbols", f"{summary.symbols:,}"
    yield "rows read", f"{summary.rows_read:,}"
    yield "rows dropped", _counts(summary.rows_dropped) or "none"
    if summary.rows_repaired:
        yield "rows repaired", _counts(summary.rows_repaired)
    yield "bars", _counts(summary.bars) or "none"
    yield "events", _counts(summary.events) or "none"
    yield "campaigns", _counts(summary.campaigns) or "none"
    yield "declined", _counts(summary.declined) or "none"
    yield "intents", f"{summary.intents:,}, approved {summary.approved:,}"
    yield "refused", _counts(summary.refused) or "none"
    yield "orders", f"{summary.orders:,}, executions {summary.executions:,}"
    yield "trades", _trades(summary)
    yield "P&L", f"{summary.pnl:,.2f}"
    yield "heat peak", f"{summary.heat_peak_bp / 100:.2f} %"


def _trades(summary: RunSummary) -> str:
    if not summary.trades:
        return "none"
    expectancy = "unknown" if summary.expectancy_r is None else f"{summary.expectancy_r:+.2f} R"
    factor = "no losses" if summary.profit_factor is None else f"{summary.profit_factor:.2f}"
    return f"{summary.trades:,} legs, {summary.wins:,} won, expectancy {expectancy}, profit factor {factor}"


def _counts(counts: Mapping[str, int]) -> str:
    return "  ".join(f"{name} {number:,}" for name, number in counts.items())
