"""Columns of text, numbers to the right; a sparkline; the short forms of numbers and times."""

import re
import sys
from collections.abc import Sequence
from decimal import Decimal

from engine.iso import iso

NOTHING = "-"
GAP = "  "
BLOCKS = "▁▂▃▄▅▆▇█"
PLAIN_BLOCKS = "_.-~=*#@"
"""Where the output cannot carry the others."""

_EVENT_ID = re.compile(r"(?:([A-Z_]+) )?\S+:[+-]1:([A-Z_]+):\d+:(\d+)")

Rows = Sequence[Sequence[str]]


def columns(head: Sequence[str], rows: Rows, *, left: Sequence[int] = (0,)) -> list[str]:
    """Lines of a table; columns named in `left` begin on the left, the others end on the right."""
    widths = [max(len(row[place]) for row in (head, *rows)) for place in range(len(head))]
    return [
        GAP.join(
            cell.ljust(width) if place in left else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in (head, *rows)
    ]


def sparkline(values: Sequence[Decimal], width: int) -> str:
    """The values in `width` characters or fewer, each the last of its part; lowest to highest."""
    if not values:
        return ""
    places = min(width, len(values))
    shown = [values[(place + 1) * len(values) // places - 1] for place in range(places)]
    low, high = min(shown), max(shown)
    blocks = BLOCKS if _carries(BLOCKS) else PLAIN_BLOCKS
    if low == high:
        return blocks[0] * places
    return "".join(blocks[min(7, int((value - low) * 8 / (high - low)))] for value in shown)


def day(time: str | None) -> str:
    """The date alone at midnight, else to the minute."""
    if not time:
        return NOTHING
    return time[:10] if time[10:].startswith("T00:00:00") else time[:16].replace("T", " ")


def amount(value: Decimal | None) -> str:
    return NOTHING if value is None else f"{value:,.2f}"


def multiple(value: Decimal | float | None) -> str:
    return NOTHING if value is None else f"{value:+.2f}"


def plain(value: Decimal | None) -> str:
    """Without zeros at the end and never with an exponent."""
    if value is None:
        return NOTHING
    text = f"{value:,.8f}".rstrip("0").rstrip(".")
    return text if text not in ("", "-0") else "0"


def price(value: Decimal | None) -> str:
    """To five places: a mean of prices may have any number."""
    return NOTHING if value is None else plain(round(value, 5))


def percent(fraction: Decimal | float | None, digits: int = 1) -> str:
    return NOTHING if fraction is None else f"{float(fraction) * 100:.{digits}f} %"


def shortened(cause: str) -> str:
    """Ids of events as what they are and the day of the bar that confirmed them: `SPRING 2020-03-04`."""
    return _EVENT_ID.sub(_named, cause)


def _named(found: "re.Match[str]") -> str:
    said, kind, confirm_ns = found.groups()
    return f"{f'{said} ' if said and said != kind else ''}{kind} {day(iso(int(confirm_ns)))}"


def _carries(text: str) -> bool:
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True
