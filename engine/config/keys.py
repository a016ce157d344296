"""Every key of a model by its dotted name, and which tables take any key."""

from collections.abc import Iterator
from typing import Any, Final, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

OPEN: Final = "*"
"""Stands for any key: a table that a module named in it checks."""


def keys(model: type[BaseModel], above: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Dotted name and field of each key that is no table; open tables end in `.*`."""
    for name, field in model.model_fields.items():
        inner = table_model(field)
        if inner is not None:
            yield from keys(inner, f"{above}{name}.")
        elif is_open(field):
            yield f"{above}{name}.{OPEN}", field
        else:
            yield f"{above}{name}", field


def field_at(model: type[BaseModel], path: tuple[str, ...]) -> FieldInfo | None:
    """The field that `path` leads to, or the open table that it leads into."""
    found: FieldInfo | None = None
    inner: type[BaseModel] | None = model
    for part in path:
        if found is not None and is_open(found):
            return found
        if inner is None or part not in inner.model_fields:
            return None
        found = inner.model_fields[part]
        inner = table_model(found)
    return found


def table_model(field: FieldInfo) -> type[BaseModel] | None:
    """The model of a key that is a table, also of one that may be absent."""
    options = [field.annotation, *get_args(field.annotation)] if _is_optional(field) else [field.annotation]
    return next((one for one in options if isinstance(one, type) and issubclass(one, BaseModel)), None)


def is_open(field: FieldInfo) -> bool:
    return get_origin(field.annotation) is dict


def _is_optional(field: FieldInfo) -> bool:
    return any(one is type(None) for one in get_args(field.annotation))


def is_flag(field: FieldInfo) -> bool:
    return field.annotation is bool


def default_of(field: FieldInfo) -> Any:
    return field.get_default(call_default_factory=True)
