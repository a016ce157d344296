"""Commands that set an engine up and look at it from outside: init, config, doctor."""

from pathlib import Path
from typing import Annotated

import typer

from engine.cli_options_live import AsJson, Files, Home, Set
from engine.exits import exits

config_app = typer.Typer(no_args_is_help=True, help="What holds, where it comes from, what is wrong with it.")


def register(app: typer.Typer) -> None:
    """Adds the commands of this module to the application."""
    app.command("init")(init)
    app.command("doctor")(doctor)
    app.add_typer(config_app, name="config")


def init(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Made where it is missing.")] = Path(),
    as_json: AsJson = False,
) -> None:
    """Write a commented wyckoff.toml, a schema for editors and a token. Nothing is ever overwritten."""
    with exits():
        from engine.init_command import run_init

        run_init(directory, as_json=as_json)


def doctor(
    home: Home = None,
    config: Files = None,
    sets: Set = None,
    online: Annotated[bool, typer.Option("--online", help="Also ask whether feeds and clocks can be reached.")] = False,
    as_json: AsJson = False,
) -> None:
    """Look for what would keep an engine from running well here. Exit 10 when something is found."""
    with exits():
        from engine.doctor import run_doctor

        run_doctor(home, tuple(config or ()), tuple(sets or ()), online=online, as_json=as_json)


@config_app.command("check")
def config_check(home: Home = None, config: Files = None, sets: Set = None, as_json: AsJson = False) -> None:
    """Say everything that is wrong: key, problem, source. Exit 78 when something is."""
    with exits():
        from engine.config_command import run_config_check

        run_config_check(home, tuple(config or ()), tuple(sets or ()), as_json=as_json)


@config_app.command("show")
def config_show(
    home: Home = None,
    config: Files = None,
    sets: Set = None,
    origins: Annotated[bool, typer.Option("--origin", help="Also the file or variable each value comes from.")] = False,
    as_json: AsJson = False,
) -> None:
    """Every key with the value that holds; secrets as set or unset."""
    with exits():
        from engine.config_command import run_config_show

        run_config_show(home, tuple(config or ()), tuple(sets or ()), origins=origins, as_json=as_json)


@config_app.command("schema")
def config_schema() -> None:
    """The JSON schema of wyckoff.toml, for completion in editors."""
    with exits():
        from engine.config_command import run_config_schema

        run_config_schema()
