"""What a reload would change: which keys take effect at once and which need a restart.

A pure comparison of two configurations. A key is live when its field says so (`table.LIVE`);
whatever decides on money needs a restart, because a tape has one configuration. What holds after a
reload is always a configuration that could have been written: rules between keys hold in it too.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec
from pydantic import BaseModel

from engine.config.credentials import Secrets
from engine.config.feeds import FeedSettings, SimulatedFeed
from engine.config.keys import field_at, table_model
from engine.config.model import Config
from engine.config.table import LIVE

ABSENT: Final = "(absent)"

LIVE_SECRETS: Final = ("notify.webhook_url", "notify.telegram_token", "live.dead_man_url")
"""Secrets that a reload reads again; feeds have shown theirs to a venue already."""


class Change(msgspec.Struct, frozen=True):
    """One key with both values as text, for people."""

    key: str
    before: str
    after: str


class Changes(msgspec.Struct, frozen=True):
    """`live` takes effect at a reload; `restart` does not, and is told."""

    live: tuple[Change, ...]
    restart: tuple[Change, ...]

    @property
    def live_keys(self) -> tuple[str, ...]:
        return tuple(one.key for one in self.live)

    @property
    def restart_keys(self) -> tuple[str, ...]:
        return tuple(one.key for one in self.restart)


def compare(before: Config, after: Config) -> Changes:
    """Keys in the order of the model; feeds by their place. A feed of which anything else changes keeps
    its limits of silence until the restart: they are of what it listens to."""
    found = list(_differences(before.model_dump(mode="json"), after.model_dump(mode="json"), ()))
    changes = [(_may_change(path, before.feeds, after.feeds), _change(path, old, new)) for path, old, new in found]
    return Changes(
        live=tuple(change for is_now, change in changes if is_now),
        restart=tuple(change for is_now, change in changes if not is_now),
    )


def changed_secrets(before: Secrets, after: Secrets) -> list[str]:
    """Names of secrets that are new, gone or other ones; their settings may be the same files."""
    names = dict.fromkeys((*before.wanted, *after.wanted))
    return [name for name in names if _revealed(before, name) != _revealed(after, name)]


def is_live(path: tuple[str, ...]) -> bool:
    """Whether a reload may change this key in a running engine."""
    if path[0] == "feeds" and len(path) > 2:
        return _says_live(SimulatedFeed, path[2:3])
    return any(_says_live(Config, path[:length]) for length in range(1, len(path) + 1))


def with_live(before: Config, after: Config) -> Config:
    """`before` with the live keys of `after`: what holds after a reload."""
    tables = before.model_dump()
    for change in compare(before, after).live:
        _copy(tables, after.model_dump(), tuple(change.key.split(".")))
    return Config.model_validate(tables)


def _may_change(path: tuple[str, ...], before: Sequence[FeedSettings], after: Sequence[FeedSettings]) -> bool:
    if not is_live(path):
        return False
    if path[0] != "feeds":
        return True
    place = int(path[1])
    kept, wanted = (feeds[place].model_dump(exclude={"stale_after"}) for feeds in (before, after))
    return kept == wanted


def _change(path: tuple[str, ...], old: str, new: str) -> Change:
    return Change(".".join(path), old, new)


def _revealed(secrets: Secrets, name: str) -> str | None:
    found = secrets.get(name)
    return found.reveal() if found else None


def _copy(into: Any, source: Any, path: tuple[str, ...]) -> None:
    for part in path[:-1]:
        place: Any = int(part) if isinstance(source, list | tuple) else part
        into, source = into[place], source[place]
    if path[-1] in source:
        into[path[-1]] = source[path[-1]]
    else:
        into.pop(path[-1], None)


def _says_live(model: type[BaseModel], path: tuple[str, ...]) -> bool:
    """A table that comes or goes is live where all its keys are."""
    field = field_at(model, path)
    if field is None:
        return False
    inner = table_model(field)
    if inner is not None:
        return all(_says_live(inner, (name,)) for name in inner.model_fields)
    return isinstance(field.json_schema_extra, dict) and LIVE.items() <= field.json_schema_extra.items()


def _differences(before: Any, after: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str, str]]:
    if before == after:
        return
    tables = isinstance(before, Mapping) and isinstance(after, Mapping)
    arrays = path == ("feeds",) and isinstance(before, list) and isinstance(after, list) and len(before) == len(after)
    if tables:
        for key in dict.fromkeys((*before, *after)):
            yield from _differences(before.get(key, ABSENT), after.get(key, ABSENT), (*path, key))
    elif arrays:
        for place, (old, new) in enumerate(zip(before, after, strict=True)):
            yield from _differences(old, new, (*path, str(place)))
    else:
        yield path, _text(before), _text(after)


def _text(value: object) -> str:
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return text if len(text) <= 200 else text[:200] + "..."
