"""Layers of settings, later over earlier, key by key, each value with where it came from.

A layer is one file, the environment or the command line. Lists and arrays of tables are replaced
whole: half a list of feeds has no meaning.
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from engine.config.problems import ConfigError, Problem

MOST_FILE_BYTES = 4_000_000


@dataclass(frozen=True, slots=True)
class Layer:
    """`sources` names, for single keys, where within the layer they come from (a variable)."""

    name: str
    tables: Mapping[str, Any]
    sources: Mapping[str, str] = field(default_factory=dict)

    def source(self, key: str) -> str:
        """The file or variable that sets `key` or the table it lies in."""
        within = [one for one in self.sources if key == one or key.startswith(f"{one}.") or one.startswith(f"{key}.")]
        return self.sources[max(within, key=len)] if within else self.name


def read_layer(path: Path) -> Layer:
    """Raises ConfigError: a file that was named must be there."""
    try:
        with path.open("rb") as stream:
            data = stream.read(MOST_FILE_BYTES + 1)
    except OSError as error:
        raise ConfigError([Problem("", f"cannot be read: {error.strerror}", str(path))]) from None
    if len(data) > MOST_FILE_BYTES:
        raise ConfigError([Problem("", f"is too long: more than {MOST_FILE_BYTES:,} bytes", str(path))])
    try:
        return Layer(str(path), tomllib.loads(data.decode("utf-8")))
    except UnicodeDecodeError:
        raise ConfigError([Problem("", "is not TOML: is not UTF-8", str(path))]) from None
    except (ValueError, RecursionError) as error:
        # Not only TOMLDecodeError: a number of 5,000 digits and brackets without end have errors of their own.
        raise ConfigError([Problem("", f"is not TOML: {error}", str(path))]) from None


def merged(layers: Sequence[Layer]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for layer in layers:
        found = over(found, layer.tables)
    return found


def over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    found = dict(below)
    for key, value in above.items():
        old = found.get(key)
        found[key] = over(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return found


def sourced(problems: Sequence[Problem], layers: Sequence[Layer]) -> list[Problem]:
    """Each problem with the layer that has the most of its key, of two the later."""
    return [one if one.source or not one.key else _sourced(one, layers) for one in problems]


def origin(key: str, layers: Sequence[Layer]) -> str:
    """Which layer sets `key` last; "default" where none does."""
    parts = key.split(".")
    for layer in reversed(layers):
        if depth(layer.tables, parts) == len(parts):
            return layer.source(key)
        if _replaces(layer.tables, parts):
            break
    return "default"


def depth(table: object, key: Sequence[str]) -> int:
    """How many parts of `key` lead into `table`; the place in an array is a part."""
    for count, part in enumerate(key):
        if isinstance(table, list | tuple) and part.isdigit() and int(part) < len(table):
            table = table[int(part)]
        elif isinstance(table, dict) and part in table:
            table = table[part]
        else:
            return count
    return len(key)


def _replaces(table: object, key: Sequence[str]) -> bool:
    """Whether a layer has an array on the way to `key`: then what lies below has no say."""
    for part in key:
        if isinstance(table, list | tuple):
            return True
        if not isinstance(table, dict) or part not in table:
            return False
        table = table[part]
    return False


def _sourced(problem: Problem, layers: Sequence[Layer]) -> Problem:
    files = [layer.name for layer in layers if not layer.sources]
    source, deepest = files[-1] if files else "", 1
    parts = problem.key.split(".")
    for layer in layers:
        found = depth(layer.tables, parts)
        if found >= deepest or _replaces(layer.tables, parts):
            source, deepest = layer.source(problem.key), found
    return msgspec.structs.replace(problem, source=source)
