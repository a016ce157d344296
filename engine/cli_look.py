"""Commands that look at an engine's tapes: inspect, why."""

from typing import Annotated

import typer

from engine.cli_options_live import AsJson, Files, Home, Set
from engine.exits import exits

At = Annotated[
    str,
    typer.Option("--at", metavar="TIME", show_default="the end of the latest tape", help="The instant, ISO 8601, UTC."),
]


def register(app: typer.Typer) -> None:
    """Adds the commands of this module to the application."""
    app.command("inspect")(inspect)
    app.command("why")(why)


def inspect(at: At = "", home: Home = None, config: Files = None, sets: Set = None, as_json: AsJson = False) -> None:
    """The engine as it stood at an instant: account, heat, positions, campaigns, phases, decisions.

    Rebuilt from the tapes, whether an engine runs or not; nothing is changed.
    """
    with exits():
        from engine.inspect_command import run_inspect

        run_inspect(home, config or (), sets or (), at, as_json=as_json)


def why(
    symbol: Annotated[str, typer.Argument(metavar="SYMBOL", help="What it traded, or did not.")],
    at: At = "",
    timeframe: Annotated[
        str | None,
        typer.Option("--timeframe", metavar="NAME", help="On which bars.", show_default="the longest detected on"),
    ] = None,
    home: Home = None,
    config: Files = None,
    sets: Set = None,
    as_json: AsJson = False,
) -> None:
    """Why the engine traded a symbol or did not: what it sees, what it asked for, which limit refused it.

    Rebuilt from the tapes, whether an engine runs or not; nothing is changed.
    """
    with exits():
        from engine.why_command import run_why

        run_why(home, config or (), sets or (), (symbol, timeframe, at), as_json=as_json)
