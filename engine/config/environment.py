"""`WYCKOFF_SECTION__KEY` variables and `--set section.key=value`, decoded by the model's types.

pydantic-settings decodes them. Of its traps two are closed here: a variable that no key consumes is
an error that names the nearest key, and an array that is not JSON is told without its text.
"""

from collections.abc import Collection, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Final

from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsConfigDict, SettingsError

from engine.config.credentials import PLAIN_VARIABLES, is_secret_name, secret_variable
from engine.config.keys import field_at, is_flag, keys
from engine.config.merge import Layer
from engine.config.model import Config
from engine.config.problems import ConfigError, Problem

PREFIX: Final = "WYCKOFF_"
NESTED: Final = "__"

RESERVED: Final = ("WYCKOFF_HOME", "WYCKOFF_ARM_LIVE", "WYCKOFF_SOAK")
"""Read elsewhere: where things lie, the second signal that live needs, the length of the test suite."""

FLAGS: Final = {"true": True, "false": False}


def environment_layer(environ: Mapping[str, str]) -> Layer:
    """What the variables set. Raises ConfigError for each that sets nothing."""
    wanted = {
        name: tuple(name.removeprefix(PREFIX).lower().split(NESTED))
        for name in sorted(environ)
        if name.startswith(PREFIX) and name not in RESERVED and not secret_variable(name)
    }
    found = [_unknown(".".join(path), name) for name, path in wanted.items() if field_at(Config, path) is None]
    if found:
        raise ConfigError(found)
    return _layer("environment", {name: (path, environ[name]) for name, path in wanted.items()})


def set_layer(sets: Sequence[str]) -> Layer:
    """What `--set key=value` says, later over earlier. Raises ConfigError."""
    given, found = {}, []
    for text in sets:
        key, sign, value = text.partition("=")
        path = tuple(key.strip().split("."))
        if not sign or not key.strip():
            found.append(Problem("", "must be KEY=VALUE, such as risk.heat_limit_bp=900", "--set"))
        elif is_secret_name(path[-1]):
            found.append(Problem(key.strip(), "a secret may not stand on the command line", "--set"))
        elif field_at(Config, path) is None:
            found.append(_unknown(key.strip(), "--set"))
        else:
            given[f"--set {key.strip()}"] = (path, value)
    if found:
        raise ConfigError(found)
    return _layer("--set", given)


def _layer(name: str, given: Mapping[str, tuple[tuple[str, ...], str]]) -> Layer:
    source = _Source({NESTED.join(path): value for path, value in given.values()})
    tables: dict[str, Any] = {}
    found = []
    try:
        tables = source()
    except SettingsError:
        found = [
            Problem(".".join(path), "must be JSON: a list or a table", variable)
            for variable, (path, value) in given.items()
            if _is_undecodable(path, value)
        ]
    if found:
        raise ConfigError(found)
    _set_flags(tables, [path for path, _ in given.values()])
    return Layer(name, tables, {".".join(path): variable for variable, (path, _) in given.items()})


def _is_undecodable(path: tuple[str, ...], value: str) -> bool:
    try:
        _Source({NESTED.join(path): value})()
    except SettingsError:
        return True
    return False


class _Settings(Config, BaseSettings):
    """Never built: pydantic-settings asks a model of its own for its fields."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class _Source(EnvSettingsSource):
    """Reads what it is given instead of the process's own environment."""

    def __init__(self, given: Mapping[str, str]) -> None:
        self._given = given
        super().__init__(_Settings, case_sensitive=True, env_prefix="", env_nested_delimiter=NESTED)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return self._given


def _set_flags(tables: dict[str, Any], paths: Collection[tuple[str, ...]]) -> None:
    """Strict flags take no text; what is neither true nor false stays for the model to refuse."""
    for path in paths:
        field = field_at(Config, path)
        if field is None or not is_flag(field):
            continue
        table = tables
        for part in path[:-1]:
            table = table[part]
        table[path[-1]] = FLAGS.get(str(table[path[-1]]).lower(), table[path[-1]])


def _unknown(key: str, source: str) -> Problem:
    return Problem(key, f"unknown key{_nearest(key)}", source)


def _nearest(key: str) -> str:
    known = [name.removesuffix(".*") for name, _ in keys(Config)]
    if (group := secret_hint(key)) is not None:
        return group
    near = get_close_matches(key, [*known, *PLAIN_VARIABLES], n=1, cutoff=0.5)
    return f"; the nearest is {near[0]}" if near else ""


def secret_hint(key: str) -> str | None:
    """Why a variable that looks like a secret is none."""
    if not is_secret_name(key.rpartition(".")[2].removesuffix("_file")):
        return None
    return "; secrets are {group}.api_key, {group}.secret_key and {group}.password of a group named by `credentials`"
