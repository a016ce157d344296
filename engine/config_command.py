"""`config check`, `config show`, `config schema`: what holds, where it comes from, what is wrong.

`settled` is the one way from a command's options to a configuration and its directories; every
mistake leaves as the same table with exit code 78.
"""

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import msgspec
from pydantic import ValidationError

from engine import exits
from engine.config import Config, ConfigError, Problem, Settled, problem_table, problems, settle, shipped
from engine.config.merge import Layer, origin, sourced
from engine.exits import ExitError, emit
from engine.paths import Paths, find_paths
from engine.redaction import Redactor
from engine.text_table import columns

SCHEMA: Final = "config"

MOST_SHOWN: Final = 60
"""Characters of a value in the table; JSON has all."""


class ShownKey(msgspec.Struct, frozen=True):
    """One key: its value as JSON has it, and the file or variable it came from."""

    key: str
    value: Any
    origin: str


class ShownSecret(msgspec.Struct, frozen=True):
    """Whether a secret is there and from where; never what it is."""

    name: str
    is_set: bool
    origin: str


class ShownConfig(msgspec.Struct, frozen=True):
    """What `config show --json` prints."""

    mode: str
    config_hash: str
    directories: dict[str, str]
    keys: list[ShownKey]
    secrets: list[ShownSecret]


class CheckedConfig(msgspec.Struct, frozen=True):
    """What `config check --json` prints."""

    ok: bool
    files: list[str]
    mode: str
    config_hash: str
    problems: list[Problem]


def settled(home: Path | None, files: Sequence[Path], sets: Sequence[str]) -> tuple[Paths, Settled]:
    """Directories and configuration of a command. Raises ExitError 78 with the table of mistakes."""
    paths = find_paths(home, os.environ, Path.cwd())
    with config_errors():
        return paths, settle(files, paths, os.environ, sets)


@contextmanager
def config_errors() -> Iterator[None]:
    """Mistakes in a configuration become exit code 78."""
    try:
        yield
    except ConfigError as error:
        raise ExitError(
            exits.BAD_CONFIG, f"the configuration cannot be used\n{problem_table(error.problems)}"
        ) from None


def run_config_check(home: Path | None, files: Sequence[Path], sets: Sequence[str], *, as_json: bool) -> None:
    """Everything that can be known without a network: the model, the secrets' files, what modules say of their
    tables."""
    paths = find_paths(home, os.environ, Path.cwd())
    named = [str(one) for one in files or [paths.config_file]]
    try:
        found = settle(files, paths, os.environ, sets)
        check_modules(found.config, found.layers)
    except ConfigError as error:
        checked = CheckedConfig(False, named, "", "", list(error.problems))
    else:
        checked = CheckedConfig(True, named, found.config.run.mode, found.config.hash, [])
    if as_json:
        emit(_json(checked))
    elif checked.ok:
        emit(f"{', '.join(named)}: good; mode {checked.mode}, hash {checked.config_hash}")
    else:
        sys.stderr.write(f"wyckoff: the configuration cannot be used\n{problem_table(checked.problems)}\n")
    if not checked.ok:
        raise SystemExit(exits.BAD_CONFIG)


def run_config_show(
    home: Path | None, files: Sequence[Path], sets: Sequence[str], *, origins: bool, as_json: bool
) -> None:
    paths, found = settled(home, files, sets)
    shown = shown_config(paths, found)
    emit(_json(shown) if as_json else _text(shown, origins=origins))


def run_config_schema() -> None:
    from engine.config.schema import schema_text

    emit(schema_text().rstrip())


def shown_config(paths: Paths, found: Settled) -> ShownConfig:
    tables = found.config.model_dump(mode="json")
    redactor = Redactor(one.reveal() for one in found.secrets)
    return ShownConfig(
        mode=found.config.run.mode,
        config_hash=found.config.hash,
        directories={
            "config": str(paths.config), "state": str(paths.state_of(found.config.run.mode)),
            "cache": str(paths.cache), "logs": str(paths.logs), "runtime": str(paths.runtime), "by": paths.source,
        },
        keys=[
            ShownKey(key, _redacted(value, redactor), origin(key, found.layers))
            for key, value in leaves(tables)
        ],
        secrets=[
            ShownSecret(name, secret is not None, secret.origin if secret else "")
            for name in found.secrets.wanted
            for secret in (found.secrets.get(name),)
        ],
    )  # fmt: skip


def leaves(table: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted keys and their values; arrays of tables by place."""
    for key, value in table.items():
        name = f"{above}{key}"
        if isinstance(value, Mapping) and value:
            yield from leaves(value, f"{name}.")
        elif isinstance(value, list) and value and all(isinstance(one, Mapping) for one in value):
            for place, one in enumerate(value):
                yield from leaves(one, f"{name}.{place}.")
        else:
            yield name, value


def check_modules(config: Config, layers: Sequence[Layer]) -> None:
    """What strategies, the fill model and single instruments say of their tables. Raises ConfigError."""
    from engine.app import strategy

    checks: list[Callable[[], object]] = [config.instruments.check, partial(_check_paper, config.paper)]
    checks += [partial(_check_feed, place, feed) for place, feed in enumerate(config.feeds)]
    checks += [partial(strategy, name, config.strategies.get(name, {})) for name in config.run.strategies]
    found: list[Problem] = []
    for check in checks:
        try:
            check()
        except ConfigError as error:
            found += error.problems
    if found:
        raise ConfigError(sourced(found, layers))


def _check_paper(settings: Mapping[str, Any]) -> None:
    book: Any = import_module("adapters.paper")
    try:
        book.PaperSettings.model_validate(settings)
    except ValidationError as error:
        raise ConfigError(problems(error, "paper")) from None


def _check_feed(place: int, feed: object) -> None:
    """What the adapter says of its table, without reaching for the venue."""
    adapters: Any = import_module("adapters.live.settings")
    try:
        adapters.settings_of(feed)
    except ValidationError as error:
        raise ConfigError(problems(error, f"feeds.{place}")) from None
    except ValueError as error:
        raise ConfigError([Problem(f"feeds.{place}", str(error), "")]) from None


def _redacted(value: Any, redactor: Redactor) -> Any:
    """A secret that was put under another key by mistake is not shown either."""
    if isinstance(value, str):
        return redactor.text(value)
    return [_redacted(one, redactor) for one in value] if isinstance(value, list) else value


def _text(shown: ShownConfig, *, origins: bool) -> str:
    head = ("key", "value", "from") if origins else ("key", "value")
    rows = [
        (one.key, _short(msgspec.json.encode(one.value).decode()), one.origin)[: len(head)]
        for one in shown.keys
        if origins or one.origin != "default" or not one.key.startswith("detector.")
    ]
    secrets = [(one.name, "set" if one.is_set else "unset", one.origin or "-")[: len(head)] for one in shown.secrets]
    places = [f"{name:10}{where}" for name, where in shown.directories.items()]
    left = tuple(range(len(head)))
    return "\n".join(
        [*columns(head, rows, left=left), "", *columns(("secret", *head[1:]), secrets, left=left), "", *places,
         f"{'hash':10}{shown.config_hash}"]
    )  # fmt: skip


def _short(text: str) -> str:
    return text if len(text) <= MOST_SHOWN else f"{text[: MOST_SHOWN - 3]}..."


def _json(view: object) -> str:
    return msgspec.json.format(msgspec.json.encode(view), indent=2).decode()


def schema_path() -> Path:
    return shipped("replay").parent / "schemas" / f"{SCHEMA}.schema.json"
