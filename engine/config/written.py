"""A configuration as a file for people: every key with its explanation, what is set and what could be.

Explanations come from the model's fields (and `described` for keys declared elsewhere), so the
file, the schema and `config show` cannot disagree.
"""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import PurePath
from textwrap import wrap
from typing import Any, Final, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from engine.config import feeds as feed_tables
from engine.config.daemon_tables import (
    DailyLossProtection,
    DrawdownProtection,
)
from engine.config.described import DESCRIBED
from engine.config.keys import default_of, is_open, table_model
from engine.config.model import Config

WIDTH: Final = 110

SCHEMA_NAME: Final = "wyckoff.schema.json"

ARRAYS: Final[dict[str, dict[str, type[BaseModel]]]] = {
    "feeds": {
        "simulated": feed_tables.SimulatedFeed,
        "alpaca": feed_tables.AlpacaFeed,
        "ccxt": feed_tables.CcxtFeed,
        **dict.fromkeys(("binance", "coinbase", "kraken", "bybit"), feed_tables.DirectFeed),
    },
    "protections": {"daily_loss": DailyLossProtection, "drawdown": DrawdownProtection},
}

FIRST: Final = ("kind", "name", "symbols")
"""What a person looks for in an array's table."""

HIDDEN: Final = ("detector",)
"""Too many to list: the schema has them."""


def written(tables: Mapping[str, Any], head: Sequence[str]) -> str:
    """TOML of `tables`, which must make a Config, with `head` as comments above it."""
    lines = [f"#:schema ./{SCHEMA_NAME}", *(f"# {one}".rstrip() for one in head)]
    for name, field in Config.model_fields.items():
        lines += _section(name, field, tables.get(name))
    return "\n".join(lines).rstrip() + "\n"


def _section(name: str, field: FieldInfo, value: Any) -> Iterator[str]:
    if name in ARRAYS:
        yield from _array(name, field, value or ())
    elif (model := table_model(field)) is not None:
        yield from _table(name, field, model, value)
    elif is_open(field):
        yield from _open(name, field, value or {})
    else:
        yield ""
        yield from _key(name, field, {name: value})


def _table(name: str, field: FieldInfo, model: type[BaseModel], value: Mapping[str, Any] | None) -> Iterator[str]:
    """A table that is not set is shown as comments."""
    absent = value is None and field.default is None
    yield ""
    yield from _comment(explained(name, field, model))
    yield f"# [{name}]" if absent else f"[{name}]"
    inner = []
    for key, one in model.model_fields.items():
        if name in HIDDEN:
            continue
        if table_model(one) is not None and f"{name}.{key}" not in DESCRIBED:
            inner.append((f"{name}.{key}", one))
        elif not is_open(one) or f"{name}.{key}" in DESCRIBED:
            yield from _key(key, one, value or {}, name, absent=absent)
    for path, one in inner:
        found = table_model(one)
        assert found is not None
        yield from _table(path, one, found, (value or {}).get(path.rpartition(".")[2]))


def _array(name: str, field: FieldInfo, values: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for value in values:
        model = ARRAYS[name][value["kind"]]
        yield ""
        yield from _comment(field.description or "")
        yield from _comment((model.__doc__ or "").strip())
        yield f"[[{name}]]"
        for key in sorted(model.model_fields, key=lambda key: FIRST.index(key) if key in FIRST else len(FIRST)):
            yield from _key(key, model.model_fields[key], value, name)


def _open(name: str, field: FieldInfo, value: Mapping[str, Any]) -> Iterator[str]:
    """A table that a module checks: what is set, in tables of its own where it holds tables."""
    yield ""
    yield from _comment(field.description or "")
    plain = {key: one for key, one in value.items() if not isinstance(one, Mapping)}
    if plain:
        yield f"[{name}]"
    for key, one in plain.items():
        yield from _comment(DESCRIBED.get(f"{name}.{key}", ""))
        yield f"{key} = {literal(one)}"
    for key, one in value.items():
        if isinstance(one, Mapping):
            yield f"[{name}.{key}]"
            for inner, found in one.items():
                yield from _comment(DESCRIBED.get(f"{name}.{key}.{inner}", ""))
                yield f"{inner} = {literal(found)}"


def _key(
    key: str, field: FieldInfo, values: Mapping[str, Any], table: str = "", *, absent: bool = False
) -> Iterator[str]:
    """Set keys as they are; others as a comment with their default."""
    yield from _comment(explained(f"{table}.{key}" if table else key, field))
    if values.get(key) is not None:
        yield f"{key} = {literal(values[key])}"
        return
    default = default_of(field)
    shown = example(field) if default is PydanticUndefined or default is None else literal(default)
    yield f"# {key} = {shown}"
    assert absent or not field.is_required(), f"{table}.{key} must be set"


def explained(path: str, field: FieldInfo, model: type[BaseModel] | None = None) -> str:
    said = DESCRIBED.get(path) or field.description
    return said or ((model.__doc__ or "").split("\n\n")[0] if model else "")


def example(field: FieldInfo) -> str:
    """A value for a key that has no default."""
    options = [one for one in get_args(field.annotation) if isinstance(one, str)]
    if options:
        return literal(options[0])
    kind = next((one for one in (field.annotation, *get_args(field.annotation)) if isinstance(one, type)), str)
    if issubclass(kind, Decimal):
        return '"1000"'
    return "[]" if get_origin(field.annotation) is tuple else '""'


def literal(value: object) -> str:
    """TOML of one value. Raises TypeError on what a configuration does not hold."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return f"{value:_}" if abs(value) >= 100_000 else str(value)
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, str | Decimal | PurePath):
        return _quoted(str(value))
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_bare(key)} = {literal(one)}" for key, one in value.items()) + " }"
    if isinstance(value, BaseModel):
        return literal(value.model_dump())
    if isinstance(value, list | tuple):
        return f"[{', '.join(literal(one) for one in value)}]"
    raise TypeError(f"TOML has no {type(value).__name__}")


def _bare(key: str) -> str:
    return key if key.replace("_", "").replace("-", "").isalnum() and key.isascii() else _quoted(key)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(one if one.isprintable() else f"\\u{ord(one):04x}" for one in escaped) + '"'


def _comment(text: str) -> Iterator[str]:
    for line in wrap(" ".join(text.split()), WIDTH):
        yield f"# {line}"
