"""The report on feeds' data as a person reads it: a head, a table of findings with rows to look at, a verdict."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from io import StringIO

from rich.console import Console
from rich.padding import Padding
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from engine.data_report import DataReport, Finding, Gaps, moment, share, span

WIDTH = 100
MOST_WIDTH = 140

EXAMPLES = 3
SYMBOLS = 5

STYLES = {"quarantined": "red", "dropped": "yellow", "repaired": "cyan", "kept": "magenta"}


def is_colored(*, asked: bool) -> bool:
    """As everywhere: NO_COLOR and terminals without colours are heeded."""
    return asked and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


@contextmanager
def progress_of(rows: int, *, quiet: bool, color: bool) -> Iterator[Callable[[int], None]]:
    """Gives what is to be told the rows done; shown on stderr, and only to a terminal."""
    if quiet or not sys.stderr.isatty():
        yield lambda done: None
        return
    columns = (TextColumn("verify"), BarColumn(), MofNCompleteColumn(), TextColumn("rows"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True, no_color=not color), transient=True) as bar:
        task = bar.add_task("verify", total=rows or None)
        yield lambda done: bar.update(task, completed=done)


def as_text(reports: Sequence[DataReport], last_line: str, *, color: bool) -> str:
    is_terminal = sys.stdout.isatty()
    width = min(shutil.get_terminal_size((WIDTH, 0)).columns, MOST_WIDTH) if is_terminal else WIDTH
    out = StringIO()
    console = Console(file=out, width=width, force_terminal=is_terminal and color, no_color=not color, highlight=False)
    for report in reports:
        _show(console, report)
    if last_line:
        console.print(Text(last_line, "bold"))
    return "\n".join(line.rstrip() for line in out.getvalue().rstrip("\n").split("\n"))


def _show(console: Console, report: DataReport) -> None:
    console.print(Text(report.name, "bold"))
    for line in _head(report):
        console.print(Text("  " + line, "dim"))
    if report.findings or any(gaps.missing for gaps in report.gaps):
        console.print(Padding(_table(report), (1, 0, 1, 1)))
    for note in _notes(report):
        console.print(Padding(Text("note: " + note, "dim"), (0, 0, 0, 2)))
    console.print(Padding(Text(report.verdict, "bold green" if report.is_clean else "bold yellow"), (0, 0, 1, 2)))


def _head(report: DataReport) -> Iterator[str]:
    what = " ".join(filter(None, (report.timeframe, report.kind)))
    symbols = f"{report.symbols:,} symbol" + ("s" if report.symbols != 1 else "")
    yield f"{what}, {symbols}, {report.rows:,} rows read, {report.rows_out:,} good (read as: {report.layout})"
    if report.rows_out:
        yield f"{moment(report.first_ns)} to {moment(report.last_ns)} UTC"


def _table(report: DataReport) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("found", no_wrap=True)
    table.add_column("rows", justify="right", no_wrap=True)
    table.add_column("share", justify="right", no_wrap=True)
    table.add_column("what it means, and where to look")
    for one in report.findings:
        style = "dim" if one.is_note else STYLES[one.effect]
        table.add_row(
            Text(one.reason, style), f"{one.rows:,}", share(one.rows, report.rows), _meaning(one, report.symbols)
        )
    for gaps in report.gaps:
        if gaps.missing:
            table.add_row(Text("gaps", "red"), f"{gaps.missing:,}", "", _gap(gaps))
    return table


def _meaning(one: Finding, symbols: int) -> Text:
    text = Text(f"{one.effect}: {one.meaning}")
    if symbols > 1 and one.symbols:
        named = ", ".join(f"{symbol} {rows:,}" for symbol, rows in list(one.symbols.items())[:SYMBOLS])
        more = f" and {len(one.symbols) - SYMBOLS:,} more symbols" if len(one.symbols) > SYMBOLS else ""
        text.append(f"\n{named}{more}", "dim")
    for row in one.examples[:EXAMPLES]:
        symbol = f"{row.symbol}  " if symbols > 1 else ""
        text.append(f"\nrow {row.row:,}  {moment(row.time_ns)}  {symbol}{row.what}", "dim")
    return text


def _gap(gaps: Gaps) -> Text:
    text = Text(f"missing bars in {gaps.count:,} gaps, judged by {gaps.judged_by}")
    if gaps.longest is not None:
        text.append(f"\nlongest {_where(gaps)}, {gaps.longest.missing:,} bars", "dim")
    return text


def _where(gaps: Gaps) -> str:
    assert gaps.longest is not None
    one = gaps.longest
    return f"{span(one.end_ns - one.start_ns)} from {moment(one.start_ns)} ({one.symbol} {one.timeframe})"


def _notes(report: DataReport) -> Iterator[str]:
    for gaps in report.gaps:
        if not gaps.judged_by:
            yield (f"{gaps.count:,} silences, the longest {_where(gaps)}; --calendar tells gaps from a closed market")
    yield from report.notes
