"""Commands that are an engine: trade, record."""

import os
from pathlib import Path
from typing import Annotated

import typer

from engine.cli_options_live import Files, Home, Set
from engine.exits import REFUSED, ExitError, exits


def register(app: typer.Typer) -> None:
    """Adds the commands of this module to the application."""
    app.command("trade")(trade)
    app.command("record")(record)


def trade(
    home: Home = None,
    config: Files = None,
    sets: Set = None,
    live: Annotated[bool, typer.Option("--live", help="Real orders; run.mode must say live as well.")] = False,
    adopt: Annotated[
        bool,
        typer.Option("--adopt", help="Take over the state of a tape of another release or configuration."),
    ] = False,
    chaos: Annotated[
        int | None,
        typer.Option(
            "--chaos", metavar="SEED", min=0,
            help="Paper against a venue of this host on which much goes wrong.",
        ),
    ] = None,
) -> None:  # fmt: skip
    """Trade on live feeds, on paper unless armed, until a signal or `wyckoff stop`."""
    with exits():
        _refuse_a_second(home, chaos)
        from engine.trade_command import run_chaos, run_trade

        if chaos is None:
            run_trade(home, config or (), sets or (), live=live, adopt=adopt)
        elif live or adopt:
            raise typer.BadParameter("--chaos goes with neither --live nor --adopt: it is paper, on tapes of its own")
        else:
            run_chaos(home, config or (), sets or (), chaos)


def _refuse_a_second(home: Path | None, chaos: int | None) -> None:
    """At once, before anything that takes a second to load: the engine itself takes the lock later."""
    from engine.locks import LockedError, check_free
    from engine.paths import find_paths

    if chaos is not None:
        return
    try:
        check_free(find_paths(home, os.environ, Path.cwd()).state_of("paper"))
    except LockedError as error:
        raise ExitError(REFUSED, str(error)) from None


def record(home: Home = None, config: Files = None, sets: Set = None) -> None:
    """Put what the feeds bring onto a tape; no strategy runs, no order is made."""
    with exits():
        from engine.trade_command import run_record

        run_record(home, config or (), sets or ())
