"""`init`: everything that a first start needs, in one folder, offline, without a question.

Files are written only where there are none; what exists stays as it is and is told.
"""

import os
from pathlib import Path
from secrets import token_urlsafe  # noqa: TID251 - a token must be unguessable; nothing on the line reads it
from typing import Final

import msgspec

from engine import exits
from engine.config.examples import paper_example
from engine.config.written import SCHEMA_NAME
from engine.config_command import schema_path
from engine.exits import ExitError, emit
from engine.paths import CONFIG_NAME, PathError, check_socket_path, find_paths, private_directory

TOKEN_BYTES: Final = 32
"""256 bit."""

GITIGNORE: Final = "secrets/\nstate/\nlogs/\nrun/\ncache/\n"
"""Whoever keeps the settings in git keeps tokens and tapes out of it."""


class InitReport(msgspec.Struct, frozen=True):
    """What `init --json` prints: files by name."""

    directory: str
    written: list[str]
    kept: list[str]
    next: list[str]


def run_init(directory: Path, *, as_json: bool) -> None:
    report = initialised(directory.expanduser().absolute())
    emit(msgspec.json.format(msgspec.json.encode(report), indent=2).decode() if as_json else _text(report))


def initialised(directory: Path) -> InitReport:
    """Raises ExitError 73 where something cannot be written."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        secrets = private_directory(directory / "secrets")
        check_socket_path(find_paths(directory, {}, directory).socket)
        contents = {
            directory / CONFIG_NAME: (paper_example(), 0o644),
            directory / SCHEMA_NAME: (schema_path().read_text(encoding="utf-8"), 0o644),
            directory / ".gitignore": (GITIGNORE, 0o644),
            secrets / "monitor_token": (token_urlsafe(TOKEN_BYTES) + "\n", 0o600),
        }
        written = [path for path, (text, mode) in contents.items() if _made(path, text, mode)]
    except PathError as error:
        raise ExitError(exits.CANNOT_CREATE, str(error)) from None
    except OSError as error:
        raise ExitError(exits.CANNOT_CREATE, f"{error.filename}: cannot be written: {error.strerror}") from None
    return InitReport(
        directory=str(directory),
        written=[path.relative_to(directory).as_posix() for path in written],
        kept=[path.relative_to(directory).as_posix() for path in contents if path not in written],
        next=_next(directory),
    )


def _made(path: Path, text: str, mode: int) -> bool:
    """Whether it was made: False where something is there already, whatever it is."""
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, mode)
    except FileExistsError:
        return False
    with os.fdopen(file, "wb") as stream:
        os.fchmod(stream.fileno(), mode)
        stream.write(text.encode())
        stream.flush()
        os.fsync(stream.fileno())
    return True


def _next(directory: Path) -> list[str]:
    go = [] if directory == Path.cwd() else [f"cd {directory}"]
    return [
        *go,
        "wyckoff doctor           what this machine lacks",
        "wyckoff trade            paper trading on a generated market, offline",
        "wyckoff status           in another terminal: what it does, and why it does not trade",
        "wyckoff replay FILE      the same line on your own data",
    ]


def _text(report: InitReport) -> str:
    lines = [f"written   {name}" for name in report.written]
    lines += [f"kept      {name} (was there)" for name in report.kept]
    return "\n".join([f"{report.directory}:", *lines, "", "next:", *(f"  {one}" for one in report.next)])
