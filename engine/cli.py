"""The `wyckoff` command: thin, imports what a command needs when it runs.

Exit codes stand in `engine.exits`. SIGTERM and SIGHUP end a command as Ctrl-C does: what is
half-written goes, a tape stays and can be resumed.
"""

import json
import signal
from importlib.metadata import version as installed
from pathlib import Path
from typing import Annotated, Any

import typer

from engine.exits import emit, exits

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
    list[Path], typer.Argument(metavar="FEED", help="CSV or Parquet files of bars or trades, or one tape.")
]
Configs = Annotated[
    list[Path] | None,
    typer.Option("-c", "--config", metavar="FILE", help="TOML over the shipped settings; repeatable, the last wins."),
]
Chunk = Annotated[int, typer.Option(min=1, metavar="N", help="Rows a block; any number gives the same digest.")]
From = Annotated[
    str | None, typer.Option("--from", metavar="TIME", help="First time, ISO 8601, UTC.", show_default="all")
]
Until = Annotated[str | None, typer.Option("--to", metavar="TIME", help="End time, not included.", show_default="all")]


def _feed(name: str, metavar: str, text: str, default: bool | str = True) -> Any:
    return typer.Option(name, metavar=metavar, help=text, show_default=default, rich_help_panel=FEEDS)


def _output(name: str, metavar: str, text: str) -> Any:
    return typer.Option(*name.split(), metavar=metavar, help=text, rich_help_panel=OUTPUT)


def _tell_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"wyckoff {installed('wyckoff-engine')}")
        raise typer.Exit


@app.callback()
def root(
    _: Annotated[
        bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="Show the release and exit.")
    ] = False,
) -> None:
    """A Wyckoff trading engine: one deterministic line for replay, paper and live."""


@app.command()
def replay(
    feeds: Feeds,
    config: Configs = None,
    chunk: Chunk = 4096,
    start: From = None,
    until: Until = None,
    symbol: Annotated[
        str | None, _feed("--symbol", "NAME", "Symbol where no column says it.", "file name to its first dot")
    ] = None,
    timeframe: Annotated[
        str | None, _feed("--timeframe", "NAME", "1m 5m 15m 1h 4h 1d 1w.", "the spacing of the stamps")
    ] = None,
    columns: Annotated[
        str, _feed("--columns", "A,B,...", "Column names of a CSV file without a header.", "row 1")
    ] = "",
    mapping: Annotated[
        list[str] | None, _feed("--map", "OURS=THEIRS", "Name a column that is not recognised: volume=Qty. Repeatable.")
    ] = None,
    zone: Annotated[str, _feed("--zone", "ZONE", "Time zone of stamps that name none.")] = "UTC",
    calendar: Annotated[
        str, _feed("--calendar", "NAME", "Exchange whose session closes daily bars: XNYS.", "00:00 UTC")
    ] = "",
    adjust: Annotated[
        bool, _feed("--adjust/--no-adjust", "", "Rescale prices and volume to an adjusted close.")
    ] = True,
    is_sorted: Annotated[bool, _feed("--sorted", "", "Refuse a file that is out of time order.", "sort it")] = False,
    tape: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Record the session on a new tape.", rich_help_panel=TAPE)
    ] = None,
    resume: Annotated[
        bool,
        typer.Option("--resume", metavar="", help="Go on with the --tape that was cut off.", rich_help_panel=TAPE),
    ] = False,
    store: Annotated[Path | None, _output("--store", "FILE", "Keep the run in an SQLite store.")] = None,
    events: Annotated[Path | None, _output("--events", "FILE.csv", "Wyckoff events as they became known.")] = None,
    phases: Annotated[Path | None, _output("--phases", "FILE.csv", "Phase and confidence, one row a bar.")] = None,
    trades: Annotated[Path | None, _output("--trades", "FILE.csv", "Closed legs with profit and R.")] = None,
    decisions: Annotated[
        Path | None, _output("--decisions", "FILE.jsonl", "Intents, verdicts, orders, executions, in order.")
    ] = None,
    as_json: Annotated[bool, _output("--json", "", "One JSON object instead of the table.")] = False,
    quiet: Annotated[bool, _output("-q --quiet", "", "No progress bar, no notes while it runs.")] = False,
    color: Annotated[bool, _output("--color/--no-color", "", "Colour on a terminal; NO_COLOR is heeded.")] = True,
) -> None:
    """Carry recorded market data through the whole line: decisions, fills, a digest.

    The same code runs live; the paper book stands in for the venue.
    Bars and trades are recognised by their column names.
    """
    with exits():
        from engine.commands import run_replay
        from engine.replay_command import ReplayCommand

        run_replay(
            ReplayCommand(
                feeds=tuple(feeds), config=tuple(config or ()), chunk=chunk, start=start, until=until, symbol=symbol,
                timeframe=timeframe, mapping=tuple(mapping or ()), columns=columns, zone=zone, calendar=calendar,
                adjust=adjust, is_sorted=is_sorted, tape=tape, resume=resume, store=store, events=events,
                phases=phases, trades=trades, decisions=decisions, as_json=as_json, quiet=quiet, color=color,
            )
        )  # fmt: skip


@app.command("verify-tape")
def verify_tape(
    tape: Annotated[Path, typer.Argument(metavar="TAPE", help="A tape that replay --tape has written.")],
    as_json: Annotated[bool, typer.Option("--json", metavar="", help="One JSON object.")] = False,
) -> None:
    """Walk a tape's hash chain. Exit 10 when it does not hold."""
    with exits():
        from engine.commands import run_verify_tape

        run_verify_tape(tape, as_json=as_json)


@app.command()
def version(as_json: Annotated[bool, typer.Option("--json", metavar="", help="One JSON object.")] = False) -> None:
    """The release and the hashes that a tape remembers."""
    with exits():
        from engine.identity import build_hash, lock_hash

        known = {"version": installed("wyckoff-engine"), "build": build_hash(), "lock": lock_hash()}
        emit(json.dumps(known) if as_json else "\n".join(f"{name:8} {value}" for name, value in known.items()))


def main() -> None:
    for each in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(each) is not signal.SIG_IGN:  # under nohup a hang-up means nothing
            signal.signal(each, signal.default_int_handler)
    app()
