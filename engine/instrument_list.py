"""`wyckoff list-instruments`: what would be traded by, and who said so, as a table or as JSON.

Each value carries a letter, and the letters are explained below the table: a tick that nobody looked
at is how an order comes to be refused, or a stop to stand a hundred ticks off.
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from string import ascii_lowercase

import msgspec

from engine.definitions import Defined

COLUMNS = (
    "asset_class", "tick", "lot", "min_quantity", "min_notional", "point_value", "currency", "calendar", "hours",
    "match_on",
)  # fmt: skip
HEADS = ("class", "tick", "lot", "least lot", "least value", "point", "quoted in", "calendar", "hours", "matches on")
NUMBERS = ("tick", "lot", "min_quantity", "min_notional", "point_value")


class Listed(msgspec.Struct, frozen=True):
    """One instrument for a program: field -> (value, who said it)."""

    symbol: str
    fields: dict[str, tuple[str, str]]


def as_json(defined: Iterable[Defined]) -> str:
    found = [
        Listed(one.instrument.symbol, {name: (_text(one, name), one.origins.get(name, "")) for name in COLUMNS})
        for one in defined
    ]
    return msgspec.json.format(msgspec.json.encode(found), indent=2).decode()


def as_table(defined: Sequence[Defined]) -> str:
    """Aligned columns, then one line for each letter."""
    letters = _letters(defined)
    rows = [("symbol", *HEADS), *(_row(one, letters) for one in defined)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([*lines, "", *(f"{letter}  {origin}" for origin, letter in letters.items())])


def _letters(defined: Iterable[Defined]) -> dict[str, str]:
    """Origin -> letter, in order of appearance; beyond z they are two."""
    origins = dict.fromkeys(one.origins[name] for one in defined for name in COLUMNS if name in one.origins)
    return {origin: _letter(number) for number, origin in enumerate(origins)}


def _letter(number: int) -> str:
    above, place = divmod(number, len(ascii_lowercase))
    return (_letter(above - 1) if above else "") + ascii_lowercase[place]


def _row(one: Defined, letters: dict[str, str]) -> tuple[str, ...]:
    cells = (f"{_text(one, name)} {letters.get(one.origins.get(name, ''), '')}".rstrip() for name in COLUMNS)
    return one.instrument.symbol, *cells


def _text(one: Defined, name: str) -> str:
    value = getattr(one.instrument, name)
    return format(value, "f") if isinstance(value, Decimal) else str(value) or "none"
