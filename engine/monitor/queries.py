"""What may be asked: query parameters as strict structs, so that a typing mistake is answered with 400."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, TypeVar

import msgspec

from engine.messages import FOREVER_NS
from engine.monitor.views import MS_NS

MOST_ITEMS: Final = 1_000
MOST_BARS: Final = 2_000
MOST_MS: Final = 9_000_000_000_000
MOST_ITEM: Final = 2**62

_CURSOR: Final = re.compile(r"(\d{1,18})-(\d{1,9})")

Name = Annotated[str, msgspec.Meta(max_length=200)]
Time = Annotated[int, msgspec.Meta(ge=0, le=MOST_MS)]


class QueryError(ValueError):
    """A parameter that cannot be used: names it, what was expected, what was found."""


class RunQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`run` is a number or a name of the store; the newest one where it is absent."""

    run: Name | None = None


class BarsQuery(RunQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    symbol: Name
    timeframe: Name
    limit: Annotated[int, msgspec.Meta(ge=1, le=MOST_BARS)] = 600
    before_ms: Time | None = None

    @property
    def before_ns(self) -> int:
        return FOREVER_NS if self.before_ms is None else self.before_ms * MS_NS


class ListQuery(RunQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Filters that a route does not know have no effect on it."""

    symbol: Name = ""
    timeframe: Name = ""
    campaign: Name = ""
    kind: Name = ""
    state: Name = ""
    verdict: Literal["", "Approved", "Refused"] = ""
    report: Name = ""
    working: bool = False
    from_ms: Time | None = None
    to_ms: Time | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=MOST_ITEMS)] = 100
    cursor: Annotated[str, msgspec.Meta(pattern=r"^\d{1,18}-\d{1,9}$")] | None = None

    @property
    def position(self) -> tuple[int, int]:
        """Rows come before this (item, part)."""
        found = _CURSOR.fullmatch(self.cursor) if self.cursor else None
        return (int(found[1]), int(found[2])) if found else (MOST_ITEM, 0)


class RingQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    limit: Annotated[int, msgspec.Meta(ge=1, le=MOST_ITEMS)] = MOST_ITEMS


class LogQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    last: Annotated[int, msgspec.Meta(ge=1, le=2_000)] = 200


class PreviewQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: Name
    argument: Name = ""


Q = TypeVar("Q")


def parsed(kind: type[Q], given: Mapping[str, str]) -> Q:
    """Raises QueryError. A parameter that stands twice counts once, the first."""
    try:
        table: dict[str, Any] = dict(given)
        return msgspec.convert(table, kind, strict=False)
    except msgspec.ValidationError as error:
        raise QueryError(str(error).replace("`", "").replace("$.", "")) from None
