"""Mistakes in a configuration: key, problem, source. Never the value: it may be a secret."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec
from pydantic import ValidationError

from engine.text_table import columns

KINDS: Final = "those in the schema: see `wyckoff config schema`"


class Problem(msgspec.Struct, frozen=True):
    """One mistake: the key ("" for the file as a whole), what is wrong, and the file or variable it
    came from ("" where none says)."""

    key: str
    problem: str
    source: str


class ConfigError(ValueError):
    """The configuration cannot be used; `problems` lists every mistake found."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(told(one) for one in self.problems))


def told(problem: Problem) -> str:
    """One line for a person: `mine.toml: risk.heat: unknown key`."""
    return ": ".join(filter(None, (problem.source, problem.key, problem.problem)))


def problem_table(problems: Sequence[Problem]) -> str:
    """Key, problem and source in columns."""
    rows = [(one.key or "-", one.problem, one.source or "-") for one in problems]
    return "\n".join(columns(("key", "problem", "source"), rows, left=(0, 1, 2)))


def problems(error: ValidationError, table: str) -> list[Problem]:
    """What pydantic found, as our own lines; `table` goes before each key."""
    found = error.errors(include_input=False, include_url=False)
    above = tuple(table.split(".")) if table else ()
    told_once = {Problem(".".join(map(str, (*above, *_key(one["loc"])))), _plain(one), ""): None for one in found}
    return list(told_once)


def _key(loc: tuple[int | str, ...]) -> Iterator[int | str]:
    """Without what pydantic adds: the type of a union it tried, the `kind` of an array's table."""
    for place, part in enumerate(loc):
        is_type = isinstance(part, str) and ("[" in part or part.startswith("function-"))
        is_kind = place == 2 and loc[0] in ("feeds", "protections")
        if not is_type and not is_kind:
            yield part


def _plain(found: Mapping[str, Any]) -> str:
    """pydantic's words for its commonest findings, as we say them; never with the value."""
    kind = found["type"]
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        return f"kind must be one of {found.get('ctx', {}).get('expected_tags', KINDS)}"
    known = {"extra_forbidden": "unknown key", "missing": "is missing"}
    message: str = found["msg"]
    return known.get(kind, message.removeprefix("Value error, "))
