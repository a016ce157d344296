"""The `wyckoff` command: thin, imports what a command needs when it runs.

Exit codes stand in `engine.exits`. SIGTERM and SIGHUP end a command as Ctrl-C does: what is
half-written goes, a tape stays and can be resumed.
"""

import json
import signal
from importlib.metadata import version as installed
from pathlib import Path
from typing import Annotated

import typer

from engine import cli_control, cli_live, cli_look, cli_monitor, cli_setup, options
from engine.exits import emit, exits

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="A Wyckoff trading engine: one deterministic line for replay, paper and live.",
)


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


READING = options.Reading()


@app.command()
@options.reads
def replay(
    feeds: options.Feeds,
    config: options.Configs = None,
    chunk: options.Chunk = 4096,
    start: options.From = None,
    until: options.Until = None,
    symbol: options.Symbol = None,
    timeframe: options.Timeframe = None,
    reading: options.Reading = READING,
    instruments: options.Instruments = None,
    recorded_instruments: options.RecordedInstruments = False,
    tape: options.Tape = None,
    resume: options.Resume = False,
    speed: options.Speed = 0,
    stop_at: options.StopAt = None,
    store: options.Store = None,
    events: options.Events = None,
    phases: options.Phases = None,
    trades: options.Trades = None,
    decisions: options.Decisions = None,
    report: options.Report = None,
    monitor: options.Monitor = False,
    listen: options.Listen = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    color: options.Color = True,
) -> None:
    """Carry recorded market data through the whole line: decisions, fills, a digest.

    The same code runs live; the paper book stands in for the venue.
    Files are recognised by their content: columns by their names, recordings by their messages.
    """
    with exits():
        from engine.commands import run_replay
        from engine.replay_command import ReplayCommand

        run_replay(
            ReplayCommand(
                feeds=tuple(feeds), config=tuple(config or ()), chunk=chunk, start=start, until=until, symbol=symbol,
                timeframe=timeframe, instruments=tuple(instruments or ()), recorded_instruments=recorded_instruments,
                tape=tape, resume=resume, speed=speed, stop_at=stop_at, store=store, events=events, phases=phases,
                trades=trades, decisions=decisions, report=report, monitor=monitor, listen=listen, as_json=as_json,
                quiet=quiet, color=color, **reading.given,
            )
        )  # fmt: skip


@app.command("list-instruments")
def list_instruments(
    feeds: Annotated[list[Path], typer.Argument(metavar="FEED", help="Feeds, a tape, or what a venue answers.")],
    config: options.Configs = None,
    symbol: options.Symbol = None,
    calendar: options.Calendar = None,
    hours: options.Hours = None,
    instruments: options.Instruments = None,
    recorded_instruments: options.RecordedInstruments = False,
    as_json: options.Json = False,
) -> None:
    """Ticks, lots and sessions that would be used, and who says so. Exit 10 on a damaged entry."""
    with exits():
        from engine.commands import run_list_instruments
        from engine.replay_command import ReplayCommand

        run_list_instruments(
            ReplayCommand(
                feeds=tuple(feeds), config=tuple(config or ()), symbol=symbol, calendar=calendar, hours=hours,
                instruments=tuple(instruments or ()), recorded_instruments=recorded_instruments,
            ),
            as_json=as_json,
        )  # fmt: skip


@app.command("verify-data")
@options.reads
def verify_data(
    feeds: Annotated[list[Path], typer.Argument(metavar="FEED", help="Files, or recordings of a venue's messages.")],
    config: options.Configs = None,
    start: options.From = None,
    until: options.Until = None,
    symbol: options.Symbol = None,
    timeframe: options.Timeframe = None,
    reading: options.Reading = READING,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    color: options.Color = True,
) -> None:
    """What is wrong with feeds: gaps, repeats, bad rows, absurd prices, clocks. Exit 10 when something is."""
    with exits():
        from engine.replay_command import ReplayCommand
        from engine.verify_data_command import run_verify_data

        run_verify_data(
            ReplayCommand(
                feeds=tuple(feeds), config=tuple(config or ()), start=start, until=until, symbol=symbol,
                timeframe=timeframe, as_json=as_json, quiet=quiet, color=color, **reading.given,
            )
        )  # fmt: skip


@app.command()
@options.reads
def explain(
    feeds: options.Feeds,
    at: Annotated[str, typer.Option("--at", metavar="TIME", help="Line time to look from, ISO 8601, UTC.")],
    symbol: Annotated[
        str | None, typer.Option("--symbol", metavar="NAME", help="What to explain.", show_default="the only one")
    ] = None,
    timeframe: Annotated[
        str | None,
        typer.Option("--timeframe", metavar="NAME", help="On which bars: the feed's or longer ones.",
                     show_default="the feed's"),
    ] = None,
    picture: Annotated[
        Path | None, typer.Option("--picture", metavar="FILE", help="Draw it: .png or .svg. Needs the extra pictures.")
    ] = None,
    bars: Annotated[int, typer.Option("--bars", metavar="N", help="Bars in the picture, 20 to 2,000.")] = 160,
    config: options.Configs = None,
    reading: options.Reading = READING,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    color: options.Color = True,
) -> None:  # fmt: skip
    """Why the detector says what it says at a moment: phase, levels, events, every gate, what it waits for.

    Nothing later than the moment has any influence: it is what replay knew then.
    """
    with exits():
        from engine.explain_command import ExplainCommand, run_explain
        from engine.replay_command import ReplayCommand

        feed = ReplayCommand(
            feeds=tuple(feeds), config=tuple(config or ()), as_json=as_json, quiet=quiet, color=color, **reading.given
        )
        run_explain(ExplainCommand(feed=feed, at=at, symbol=symbol, timeframe=timeframe, picture=picture, bars=bars))


@app.command("verify-tape")
def verify_tape(
    tape: Annotated[Path, typer.Argument(metavar="TAPE", help="A tape that trade or replay --tape has written.")],
    against: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Decisions to compare a replay with, one JSON object a line.")
    ] = None,
    config: options.Configs = None,
    as_json: Annotated[bool, typer.Option("--json", metavar="", help="One JSON object.")] = False,
) -> None:
    """Walk a tape's hash chain, and compare its replay with what was decided. Exit 10 when either does not hold."""
    with exits():
        from engine.commands import run_verify_tape

        run_verify_tape(tape, against, config or (), as_json=as_json)


@app.command()
def version(as_json: Annotated[bool, typer.Option("--json", metavar="", help="One JSON object.")] = False) -> None:
    """The release and the hashes that a tape remembers."""
    with exits():
        from engine.identity import build_hash, lock_hash

        known = {"version": installed("wyckoff-engine"), "build": build_hash(), "lock": lock_hash()}
        emit(json.dumps(known) if as_json else "\n".join(f"{name:8} {value}" for name, value in known.items()))


Store = Annotated[Path, typer.Argument(metavar="STORE", help="A store that replay --store has written.")]
WantedRun = Annotated[
    str | None,
    typer.Option("--run", metavar="RUN", help="Number or name of a run: see list-runs.", show_default="last"),
]
AsJson = Annotated[bool, typer.Option("--json", metavar="", help="One JSON object.")]


@app.command("list-runs")
def list_runs(store: Store, as_json: AsJson = False) -> None:
    """The runs that a store holds."""
    with exits():
        from engine.campaigns_command import run_list_runs

        run_list_runs(store, as_json=as_json)


@app.command("show-campaigns")
def show_campaigns(store: Store, run: WantedRun = None, as_json: AsJson = False) -> None:
    """The campaigns of a run: legs planned and filled, profit, how each ended."""
    with exits():
        from engine.campaigns_command import run_show_campaigns

        run_show_campaigns(store, run, as_json=as_json)


@app.command("show-campaign")
def show_campaign(
    store: Store,
    campaign: Annotated[str, typer.Argument(metavar="CAMPAIGN", help="Its id: see show-campaigns.")],
    run: WantedRun = None,
    as_json: AsJson = False,
) -> None:
    """One campaign in full: progression, positions, exit plan, allocation, refusals."""
    with exits():
        from engine.campaigns_command import run_show_campaign

        run_show_campaign(store, campaign, run, as_json=as_json)


@app.command("show-trades")
def show_trades(store: Store, run: WantedRun = None, as_json: AsJson = False) -> None:
    """The closed legs of a run with MFE and MAE, and what they say by pattern and phase."""
    with exits():
        from engine.campaigns_command import run_show_trades

        run_show_trades(store, run, as_json=as_json)


@app.command()
def report(
    run: Annotated[str, typer.Argument(metavar="RUN", help="Number or name of a run, or a store, for its last one.")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE.html", help="The page; it replaces a file of that name.")],
    store: Annotated[
        Path | None, typer.Option("--store", metavar="FILE", help="The store that holds the run.", show_default="RUN")
    ] = None,
) -> None:
    """One page about a run of a store: charts, trades, refusals, the account. It needs no network."""
    with exits():
        from engine.commands import known_errors
        from engine.report_command import run_report

        with known_errors():
            run_report(run, store, out)


@app.command("list-rules")
def list_rules(config: options.Configs = None, as_json: AsJson = False) -> None:
    """Every risk rule: what it blocks, its limit and where that is set."""
    with exits():
        from engine.rules_command import run_list_rules

        run_list_rules(tuple(config or ()), as_json=as_json)


@app.command()
def schematics(
    out: Annotated[Path, typer.Option("--out", metavar="FILE.csv", help="The feed; FILE.labels.csv goes beside it.")],
    kind: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="accumulation, distribution, failed-spring, garch, ... Repeatable.",
                     show_default="all"),
    ] = None,
    count: Annotated[int, typer.Option(min=1, metavar="N", help="Series of each kind.")] = 1,
    seed: Annotated[int, typer.Option(min=0, metavar="N", help="The same seed gives the same bars.")] = 1,
    timeframe: Annotated[str, typer.Option(metavar="NAME", help="1m 5m 15m 1h 4h 1d 1w.")] = "1d",
    start: Annotated[str, typer.Option("--from", metavar="TIME", help="Open of the first bar.")] = "2000-01-01",
    signature: Annotated[
        float | None,
        typer.Option(min=0, max=3, metavar="X", help="How far volume follows the plan: 0 not at all, 1 as planned.",
                     show_default="drawn"),
    ] = None,
    noise: Annotated[
        float | None,
        typer.Option(min=0, max=3, metavar="X", help="How far closes stray, in mean bar ranges.", show_default="drawn"),
    ] = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Write generated markets with planted Wyckoff events, and decoys without, as a feed for replay."""
    with exits():
        from engine.commands import known_errors
        from engine.schematics_command import SchematicsCommand, run_schematics

        with known_errors():
            told = run_schematics(
                SchematicsCommand(out, tuple(kind or ()), count, seed, timeframe, start, signature, noise)
            )
        lines = (
            f"{name:10} {value:,}" if isinstance(value, int) else f"{name:10} {value}" for name, value in told.items()
        )
        emit(json.dumps(told) if as_json else "\n".join(lines))


cli_setup.register(app)
cli_control.register(app)
cli_live.register(app)
cli_look.register(app)
cli_monitor.register(app)


def main() -> None:
    for each in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(each) is not signal.SIG_IGN:  # under nohup a hang-up means nothing
            signal.signal(each, signal.default_int_handler)
    app()
