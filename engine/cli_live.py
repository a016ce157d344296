"""Commands that are an engine, trade and record, and what arms one for real orders: arm, disarm."""

import os
from pathlib import Path
from typing import Annotated

import typer

from engine.cli_options_live import AsJson, Files, Home, Set
from engine.exits import REFUSED, ExitError, exits


def register(app: typer.Typer) -> None:
    """Adds the commands of this module to the application."""
    app.command("trade")(trade)
    app.command("record")(record)
    app.command("arm")(arm)
    app.command("disarm")(disarm)


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
        if chaos is None:
            _refuse_a_second(home)
        from engine.trade_command import run_chaos, run_trade

        if chaos is None:
            run_trade(home, config or (), sets or (), live=live, adopt=adopt)
        elif live or adopt:
            raise typer.BadParameter("--chaos goes with neither --live nor --adopt: it is paper, on tapes of its own")
        else:
            run_chaos(home, config or (), sets or (), chaos)


def _refuse_a_second(home: Path | None) -> None:
    """At once, before anything that takes a second to load: the engine itself takes the lock later."""
    from engine.locks import LockedError, check_free
    from engine.paths import find_paths

    try:
        for place in find_paths(home, os.environ, Path.cwd()).holdable.values():
            check_free(place)
    except LockedError as error:
        raise ExitError(REFUSED, str(error)) from None


def record(home: Home = None, config: Files = None, sets: Set = None) -> None:
    """Put what the feeds bring onto a tape of its own; no strategy runs, no order is made.

    It goes on with its latest tape, and begins a new one under another release, configuration or feeds.
    """
    with exits():
        _refuse_a_second(home)
        from engine.record_command import run_record

        run_record(home, config or (), sets or ())


def arm(
    account: Annotated[
        str, typer.Option("--account", metavar="NUMBER", help="The account that real orders may go to.")
    ],
    expires: Annotated[
        str, typer.Option("--expires", metavar="TIME", help='For how long, such as "24h"; off: as long as it fits.')
    ] = "off",
    home: Home = None,
    config: Files = None,
    sets: Set = None,
    as_json: AsJson = False,
) -> None:
    """Name the account that run.mode = live may trade, once for each release and configuration. Starts nothing."""
    with exits():
        from engine.arm_command import run_arm

        run_arm(home, config or (), sets or (), account, expires, as_json=as_json)


def disarm(home: Home = None, config: Files = None, sets: Set = None) -> None:
    """Take an arming back: no later start is live."""
    with exits():
        from engine.arm_command import run_disarm

        run_disarm(home, config or (), sets or ())
