"""Secrets: never in a file of settings, an argument, an error or a log; found when they are needed.

Each has a name, `alpaca.secret_key`, and is looked for in this order: systemd's credentials
(`$CREDENTIALS_DIRECTORY/alpaca.secret_key`), the variable WYCKOFF_ALPACA__SECRET_KEY, the file that
WYCKOFF_ALPACA__SECRET_KEY_FILE names, the file that a setting names, `{config}/secrets/alpaca_secret_key`.
Files must belong to us and be readable by nobody else.
"""

import os
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from engine.config.merge import Layer
from engine.config.model import Config
from engine.config.problems import Problem
from engine.paths import PathError, Paths

FIELDS: Final = ("api_key", "secret_key", "password")
"""What a group of credentials may hold."""

PLAIN_VARIABLES: Final = ("monitor.token", "notify.webhook_url", "notify.telegram_token", "live.dead_man_url")
"""Secrets that belong to no group."""

FILE_KEYS: Final = {
    "monitor.token": "monitor.token_file",
    "notify.webhook_url": "notify.webhook.url_file",
    "notify.telegram_token": "notify.telegram.token_file",
    "live.dead_man_url": "live.dead_man_url_file",
}
"""The setting that names a secret's file."""

MOST_SECRET_BYTES: Final = 8_192
LEAST_TOKEN_CHARACTERS: Final = 43
"""256 bit in base 64: fewer can be guessed."""

_SECRET_NAME = re.compile(r"(.*_)?(secret|token|key|password|passphrase|apikey)")
_VARIABLE = re.compile(r"WYCKOFF_([A-Z][A-Z0-9]*)__(API_KEY|SECRET_KEY|PASSWORD)(_FILE)?")


class Secret:
    """A value that shows itself to nobody who does not ask."""

    __slots__ = ("_value", "name", "origin")

    def __init__(self, name: str, value: str, origin: str) -> None:
        self.name = name
        self.origin = origin
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return "<secret>"

    def __reduce__(self) -> Any:
        raise TypeError(f"{self.name}: a secret is not copied to other processes or files")


class Secrets:
    """Those that were found, by name."""

    def __init__(self, found: Mapping[str, Secret], wanted: Sequence[str]) -> None:
        self._found = dict(found)
        self.wanted = tuple(wanted)

    def get(self, name: str) -> Secret | None:
        return self._found.get(name)

    def __iter__(self) -> Iterator[Secret]:
        return iter(self._found.values())

    def __repr__(self) -> str:
        return f"<{len(self._found)} secrets>"


def is_secret_name(name: str) -> bool:
    """Whether a key of this name would hold a secret: `secret_key`, `token`, but not `token_file`."""
    return _SECRET_NAME.fullmatch(name.lower()) is not None


def secret_variable(variable: str) -> str:
    """The secret that a variable of the environment is for; "" where it is none."""
    found = _VARIABLE.fullmatch(variable)
    if found is not None:
        return f"{found[1].lower()}.{found[2].lower()}"
    plain = {_variable(name): name for name in PLAIN_VARIABLES}
    return plain.get(variable, "") or plain.get(variable.removesuffix("_FILE"), "") * (
        variable not in _settings_files()
    )


def literals(layer: Layer) -> list[Problem]:
    """Keys of a file that hold a secret; every one is refused."""
    where = "use a WYCKOFF_ variable, its _FILE form or {config}/secrets"
    return [
        Problem(key, f"a secret may not stand in a file: {where}", layer.source(key))
        for key in _named(layer.tables, "")
    ]


def wanted(config: Config) -> list[str]:
    """Names of the secrets that this configuration has a use for."""
    groups = [feed.credentials for feed in config.feeds if feed.kind != "simulated"]
    groups += [config.account.credentials] if config.account else []
    return [f"{group}.{field}" for group in dict.fromkeys(groups) if group for field in FIELDS] + list(PLAIN_VARIABLES)


def find_secrets(config: Config, paths: Paths, environ: Mapping[str, str]) -> tuple[Secrets, list[Problem]]:
    """Looks each one up. A file with the wrong mode is a problem; that a secret is missing is not,
    until somebody needs it."""
    names = wanted(config)
    found, problems = {}, _strays(environ, names)
    for name in names:
        try:
            secret = _found(name, config, paths, environ)
        except PathError as error:
            problems.append(Problem(FILE_KEYS.get(name, name), str(error), _blamed(name, config, paths, environ)))
            continue
        if secret is not None:
            found[name] = secret
    return Secrets(found, names), problems


def read_private(path: Path) -> str:
    """The text of a file that only we can read. Raises PathError."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise PathError(f"{path}: cannot be read: {error.strerror}") from None
    with os.fdopen(file, "rb") as stream:
        about = os.fstat(stream.fileno())
        mode = stat.S_IMODE(about.st_mode)
        if not stat.S_ISREG(about.st_mode):
            raise PathError(f"{path}: must be a file")
        if about.st_uid not in (os.geteuid(), 0):
            raise PathError(f"{path}: must belong to the user that runs this, was uid {about.st_uid}")
        if mode & 0o077:
            raise PathError(f"{path}: must have mode 0600, was {mode:04o}: others could read the secret")
        data = stream.read(MOST_SECRET_BYTES + 1)
    text = _text(path, data)
    if not text:
        raise PathError(f"{path}: is empty")
    return text


def _text(path: Path, data: bytes) -> str:
    try:
        text = data.decode("ascii").strip()
    except UnicodeDecodeError:
        raise PathError(f"{path}: must be one line of ASCII") from None
    if len(data) > MOST_SECRET_BYTES or not text.isprintable():
        raise PathError(f"{path}: must be one line of at most {MOST_SECRET_BYTES:,} bytes")
    return text


def _found(name: str, config: Config, paths: Paths, environ: Mapping[str, str]) -> Secret | None:
    """The first place that has it."""
    by_systemd = environ.get("CREDENTIALS_DIRECTORY", "")
    if by_systemd and (file := Path(by_systemd) / name).is_file():
        return Secret(name, _credential(file), "systemd credential")
    variable = _variable(name)
    if environ.get(variable):
        return Secret(name, environ[variable].strip(), variable)
    if environ.get(f"{variable}_FILE"):
        return Secret(name, read_private(Path(environ[f"{variable}_FILE"])), f"{variable}_FILE")
    named = _file_setting(name, config)
    if named:
        file = paths.resolved(named, config.run.mode)
        wanted_later = name == "monitor.token" and not _is_there(file, otherwise=True)
        return None if wanted_later else Secret(name, read_private(file), str(file))
    file = _own_file(name, paths)
    return Secret(name, read_private(file), str(file)) if _is_there(file, otherwise=False) else None


def _is_there(path: Path, *, otherwise: bool) -> bool:
    """`otherwise` where we may not even look: a folder of secrets that only root can open."""
    try:
        return path.exists()
    except PermissionError:
        return otherwise


def _blamed(name: str, config: Config, paths: Paths, environ: Mapping[str, str]) -> str:
    """Who named the file that is not right: a variable, a setting (""), or nobody: it lies where it is sought."""
    variable = f"{_variable(name)}_FILE"
    if environ.get(variable):
        return variable
    return "" if _file_setting(name, config) else str(_own_file(name, paths))


def _own_file(name: str, paths: Paths) -> Path:
    return paths.secrets / name.replace(".", "_")


def _credential(path: Path) -> str:
    """systemd guards these itself, with modes of its own."""
    try:
        return _text(path, path.read_bytes())
    except OSError as error:
        raise PathError(f"{path}: cannot be read: {error.strerror}") from None


def _file_setting(name: str, config: Config) -> str:
    if name == "monitor.token":
        return config.monitor.token_file if config.monitor else ""
    if name == "notify.webhook_url":
        return config.notify.webhook.url_file if config.notify.webhook else ""
    if name == "notify.telegram_token":
        return config.notify.telegram.token_file if config.notify.telegram else ""
    return config.live.dead_man_url_file if name == "live.dead_man_url" else ""


def _strays(environ: Mapping[str, str], names: Sequence[str]) -> list[Problem]:
    """Variables for secrets of a group that nothing names: ignored keys would be a surprise."""
    found = [(variable, name) for variable in sorted(environ) if (name := secret_variable(variable))]
    return [
        Problem(name, f'sets nothing: no feed or account has credentials = "{name.partition(".")[0]}"', variable)
        for variable, name in found
        if name not in names
    ]


def _variable(name: str) -> str:
    return f"WYCKOFF_{name.upper().replace('.', '__')}"


def _settings_files() -> list[str]:
    """Variables that are settings although they look like a secret's file: WYCKOFF_MONITOR__TOKEN_FILE."""
    return [_variable(key) for key in FILE_KEYS.values()]


def _named(table: object, above: str) -> Iterator[str]:
    if isinstance(table, dict):
        for key, value in table.items():
            if is_secret_name(str(key)) and isinstance(value, str) and value:
                yield f"{above}{key}"
            yield from _named(value, f"{above}{key}.")
    elif isinstance(table, list):
        for place, value in enumerate(table):
            yield from _named(value, f"{above}{place}.")
