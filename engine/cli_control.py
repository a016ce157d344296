"""Commands that talk to a running engine over its control socket."""

from collections.abc import Callable
from typing import Annotated

import typer

from engine.cli_options_live import AsJson, Home, Reason
from engine.exits import exits


def register(app: typer.Typer) -> None:
    """Adds the commands of this module to the application."""
    for name, function in COMMANDS.items():
        app.command(name)(function)


def status(home: Home = None, as_json: AsJson = False) -> None:
    """What the engine does, and why it does not trade. Exit 3 when none is running."""
    with exits():
        from engine.control_commands import run_status

        run_status(home, as_json=as_json)


def pause(home: Home = None, reason: Reason = "", as_json: AsJson = False) -> None:
    """No new entries until resume; exits and protective stops go on."""
    _ask(home, "pause", "", reason, as_json=as_json)


def resume(home: Home = None, reason: Reason = "", as_json: AsJson = False) -> None:
    """Take back a pause. A kill stands until unkill."""
    _ask(home, "resume", "", reason, as_json=as_json)


def cancel(
    order: Annotated[str | None, typer.Argument(metavar="ORDER", help="Its id: see status.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Every working entry.")] = False,
    home: Home = None,
    reason: Reason = "",
    as_json: AsJson = False,
) -> None:
    """Cancel working entries; protective stops stay."""
    _ask(home, "cancel", _one_or_all("cancel", order, every=every), reason, as_json=as_json)


def force_exit(
    campaign: Annotated[str | None, typer.Argument(metavar="CAMPAIGN", help="Its id: see status.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Every campaign.")] = False,
    home: Home = None,
    reason: Reason = "",
    as_json: AsJson = False,
) -> None:
    """Close a campaign's positions at market."""
    _ask(home, "force-exit", _one_or_all("force-exit", campaign, every=every), reason, as_json=as_json)


def kill(
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why: it is kept on the tape.")],
    level: Annotated[
        str,
        typer.Option(
            "--level", metavar="LEVEL", help="entries: no new ones; cancel: working ones too; flatten: all out."
        ),
    ] = "entries",
    home: Home = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """The kill switch. It survives a restart; only unkill releases it."""
    _ask(home, "kill", level, reason, as_json=as_json)


def unkill(
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why: it is kept on the tape.")],
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Release the kill switch."""
    _ask(home, "unkill", "", reason, as_json=as_json)


def note(
    text: Annotated[str, typer.Argument(metavar="TEXT", help="One line.")], home: Home = None, as_json: AsJson = False
) -> None:
    """Put a remark on the tape, where it stands beside what happened."""
    _ask(home, "note", "", text, as_json=as_json)


def reload(home: Home = None, as_json: AsJson = False) -> None:
    """Read the configuration again; says which keys took effect and which need a restart."""
    _ask(home, "reload", "", "", as_json=as_json)


def stop(
    timeout: Annotated[float, typer.Option("--timeout", min=0, max=600, metavar="S", help="Seconds to drain.")] = 20.0,
    home: Home = None,
    reason: Reason = "",
    as_json: AsJson = False,
) -> None:
    """Drain, write everything down, end. Exit 5 when the engine still runs after the time."""
    with exits():
        from engine.control_commands import run_stop

        run_stop(home, timeout, reason, as_json=as_json)


def logs(
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on until Ctrl-C.")] = False,
    last: Annotated[
        int, typer.Option("-n", "--last", min=0, max=10_000, metavar="N", help="Lines to begin with.")
    ] = 50,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """What the engine has said of itself."""
    with exits():
        from engine.control_commands import run_logs

        run_logs(home, last=last, follow=follow, as_json=as_json)


def _ask(home: Home, name: str, argument: str, reason: str, *, as_json: bool) -> None:
    with exits():
        from engine.control_commands import run_command

        run_command(home, name, argument, reason, as_json=as_json)


def _one_or_all(command: str, one: str | None, *, every: bool) -> str:
    if every == (one is not None):
        raise typer.BadParameter(f"{command} needs either an id or --all")
    return one if one is not None else "all"


COMMANDS: dict[str, Callable[..., None]] = {
    "status": status, "pause": pause, "resume": resume, "cancel": cancel, "force-exit": force_exit, "kill": kill,
    "unkill": unkill, "note": note, "reload": reload, "stop": stop, "logs": logs,
}  # fmt: skip
