"""Options that commands of a running engine share."""

from pathlib import Path
from typing import Annotated

import typer

Home = Annotated[
    Path | None,
    typer.Option(
        "--home", metavar="DIR", show_default="WYCKOFF_HOME, systemd's, ./wyckoff.toml, XDG",
        help="Where configuration, state, logs and the control socket lie.",
    ),
]  # fmt: skip
Files = Annotated[
    list[Path] | None,
    typer.Option(
        "-c", "--config", metavar="FILE", show_default="wyckoff.toml",
        help="Settings; a later file goes over an earlier one. Repeatable.",
    ),
]  # fmt: skip
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="One setting over files and variables. Repeatable."),
]
AsJson = Annotated[bool, typer.Option("--json", metavar="", help="One JSON object.")]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why: it is kept on the tape.")]
