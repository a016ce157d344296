"""Which part of a date like 1/4/1999 is the month: shown by a part above 12, never guessed."""

from adapters.columns import Layout
from adapters.feed_errors import LayoutError
from adapters.stamps import DAY_FIRST, MONTH_FIRST
from adapters.tables import Table
from adapters.texts import Bytes, Texts, digit
from engine.blocks import Int64
from engine.kernels import kernel

_OTHER, _UNDECIDED, _MONTH_FIRST, _DAY_FIRST = range(4)


def date_order(source: str, table: Table, layout: Layout, asked: str) -> str:
    """ "" where dates begin with their year. Reads on until a row decides. Raises LayoutError."""
    if asked != "auto":
        return asked
    first = ""
    for page in table.pages({"time": layout.columns["time"]}):
        cells = page.cells["time"]
        if not isinstance(cells, Texts):
            return ""
        found = find_order(cells.data, cells.starts, cells.ends)
        if found != _UNDECIDED:
            return ("", "", MONTH_FIRST, DAY_FIRST)[found]
        first = first or cells[0]
    if not first:
        return ""
    raise LayoutError(
        f"{source}: dates must show which part is the month, was {first[:40]!r} and no day above 12; name their order"
    )


@kernel
def find_order(data: Bytes, starts: Int64, ends: Int64) -> int:
    """By the first text that decides; the first text says whether dates end in their year at all."""
    for row in range(len(starts)):
        one, i = number_at(data, starts[row], ends[row])
        two, j = number_at(data, i + 1, ends[row])
        width = j - i - 1
        parts = i - starts[row] <= 2 and i > starts[row] and 1 <= width <= 2 and j < ends[row] and data[i] == data[j]
        if not parts or not (data[i] == 47 or data[i] == 45 or data[i] == 46):
            if row == 0:
                return _OTHER
            continue
        if one > 12 and two <= 12:
            return _DAY_FIRST
        if two > 12 and one <= 12:
            return _MONTH_FIRST
    return _UNDECIDED if len(starts) else _OTHER


@kernel
def number_at(data: Bytes, start: int, end: int) -> tuple[int, int]:
    """At most three digits."""
    value = 0
    i = start
    while i < end and i < start + 3 and 48 <= data[i] <= 57:
        value = value * 10 + digit(data[i])
        i += 1
    return value, i
