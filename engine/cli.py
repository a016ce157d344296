"""The `wyckoff` command: thin, imports what a command needs when it runs.

Exit codes: 0 done, 1 unexpected, 2 usage, 4 not found, 6 refused by a safety gate, 10 a check
found something, 65 a feed holds no usable market data, 73 an output cannot be written, 78
configuration invalid, 130 interrupted.
"""

from pathlib import Path
from typing import Annotated

import typer

from engine.exits import exits

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="A Wyckoff trading engine: one deterministic line for replay, paper and live.",
)

FEEDS = "Feeds"
OUTPUT = "Output"
TAPE = "Tape"

Feeds = Annotated[
    list[Path], typer.Argument(metavar="FEED...", help="CSV or Parquet files of bars or trades, or one tape.")
]
Configs = Annotated[
    list[Path] | None,
    typer.Option("-c", "--config", metavar="FILE", help="TOML; repeatable, later files win. Default: the shipped one."),
]


def _tell_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version as installed

        typer.echo(f"wyckoff {installed('wyckoff-engine')}")
        raise typer.Exit


@app.callback()
def root(
    _: Annotated[bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="The release.")] = False,
) -> None:
    """A Wyckoff trading engine: one deterministic line for replay, paper and live."""


@app.command()
def replay(
    feeds: Feeds,
    config: Configs = None,
    chunk: Annotated[int, typer.Option(min=1, help="Rows a block; any number gives the same digest.")] = 4096,
    start: Annotated[str | None, typer.Option("--from", metavar="TIME", help="First time, ISO 8601, UTC.")] = None,
    until: Annotated[str | None, typer.Option("--to", metavar="TIME", help="End time, not included.")] = None,
    symbol: Annotated[
        str | None, typer.Option(help="Symbol of a file that does not say.", rich_help_panel=FEEDS)
    ] = None,
    timeframe: Annotated[
        str | None, typer.Option(help="Timeframe of the bars; else inferred.", rich_help_panel=FEEDS)
    ] = None,
    mapping: Annotated[
        list[str] | None,
        typer.Option("--map", metavar="OURS=THEIRS", help="Name a column, e.g. volume=Qty.", rich_help_panel=FEEDS),
    ] = None,
    zone: Annotated[str, typer.Option(help="Zone of stamps that name none.", rich_help_panel=FEEDS)] = "UTC",
    calendar: Annotated[
        str, typer.Option(help="Exchange calendar that closes daily bars, e.g. XNYS.", rich_help_panel=FEEDS)
    ] = "",
    adjust: Annotated[
        bool, typer.Option(help="Adjust prices and volume by an adjusted close.", rich_help_panel=FEEDS)
    ] = True,
    is_sorted: Annotated[
        bool, typer.Option("--sorted", help="Claim the file is in time order; else an error.", rich_help_panel=FEEDS)
    ] = False,
    tape: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Record the session on a tape.", rich_help_panel=TAPE)
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a tape that was cut off.", rich_help_panel=TAPE)
    ] = False,
    store: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the read model (SQLite).", rich_help_panel=OUTPUT)
    ] = None,
    events: Annotated[Path | None, typer.Option(metavar="FILE.csv", rich_help_panel=OUTPUT)] = None,
    phases: Annotated[Path | None, typer.Option(metavar="FILE.csv", rich_help_panel=OUTPUT)] = None,
    trades: Annotated[Path | None, typer.Option(metavar="FILE.csv", rich_help_panel=OUTPUT)] = None,
    decisions: Annotated[Path | None, typer.Option(metavar="FILE.jsonl", rich_help_panel=OUTPUT)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.", rich_help_panel=OUTPUT)] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="No progress.", rich_help_panel=OUTPUT)] = False,
    color: Annotated[bool, typer.Option(help="Colour on a terminal.", rich_help_panel=OUTPUT)] = True,
) -> None:
    """Carry recorded market data through the whole line: decisions, fills, a digest.

    The same code runs live; the paper book stands in for the venue. Bars and trades are
    recognised by their column names.
    """
    with exits():
        from engine.commands import ReplayCommand, run_replay

        run_replay(
            ReplayCommand(
                feeds=tuple(feeds), config=tuple(config or ()), chunk=chunk, start=start, until=until, symbol=symbol,
                timeframe=timeframe, mapping=tuple(mapping or ()), zone=zone, calendar=calendar, adjust=adjust,
                is_sorted=is_sorted, tape=tape, resume=resume, store=store, events=events, phases=phases,
                trades=trades, decisions=decisions, as_json=as_json, quiet=quiet, color=color,
            )
        )  # fmt: skip


@app.command("verify-tape")
def verify_tape(
    tape: Annotated[Path, typer.Argument(metavar="TAPE")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Walk a tape's hash chain. Exit 10 when it does not hold."""
    with exits():
        from engine.commands import run_verify_tape

        run_verify_tape(tape, as_json=as_json)


@app.command()
def version(as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False) -> None:
    """The release and the hashes that a tape remembers."""
    with exits():
        from engine.commands import run_version

        run_version(as_json=as_json)


def main() -> None:
    app()
