"""Commands that show an engine: monitor (the page), watch (a terminal)."""

from pathlib import Path
from typing import Annotated

import typer

from engine.cli_options_live import Files, Home, Set
from engine.exits import exits


def register(app: typer.Typer) -> None:
    """Adds the commands of this module to the application."""
    app.command("monitor")(monitor)
    app.command("watch")(watch)


def monitor(
    home: Home = None,
    config: Files = None,
    sets: Set = None,
    listen: Annotated[
        str | None, typer.Option("--listen", metavar="ADDRESS:PORT", help="Instead of monitor.listen.")
    ] = None,
    store: Annotated[
        Path | None, typer.Option("--store", metavar="FILE", help="Show this store alone: a replay that has ended.")
    ] = None,
    expose: Annotated[
        bool, typer.Option("--expose", help="Listen where other machines reach it; needs TLS and a token.")
    ] = False,
    parent: Annotated[
        int | None, typer.Option("--with-parent", metavar="PID", hidden=True, help="End with this parent.")
    ] = None,
) -> None:
    """Serve the page, REST, WebSocket and metrics of the engine of this home."""
    with exits():
        from engine.monitor_command import run_monitor

        run_monitor(home, config or (), sets or (), listen=listen, store=store, expose=expose, parent=parent)


def watch(
    home: Home = None,
    config: Files = None,
    sets: Set = None,
    listen: Annotated[
        str | None, typer.Option("--listen", metavar="ADDRESS:PORT", help="Where the monitor listens.")
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="Show the first state and end.")] = False,
) -> None:
    """The engine in this terminal, live, through its monitor."""
    with exits():
        from engine.watch_command import run_watch

        run_watch(home, config or (), sets or (), listen=listen, once=once)
