"""Missing sessions (rule book 4.4 T14, 9.5): whole days without a bar, counted as the market counts days."""

from engine.blocks import Float64
from engine.kernels import kernel
from engine.timeframes import DAY_NS
from engine.wyckoff import gates as g

EPOCH_WEEKDAY = 3
"""1970-01-01 was a Thursday."""


@kernel
def has_gap(gates: Float64, length_ns: int, before_ns: int, open_ns: int) -> bool:
    """Are more sessions missing between two bars' opens than `gap_max`? The cheap answer first."""
    return bool(open_ns - before_ns > 2 * max(length_ns, DAY_NS) and missing(gates, length_ns, before_ns, open_ns))


@kernel
def missing(gates: Float64, length_ns: int, before_ns: int, open_ns: int) -> bool:
    if length_ns > DAY_NS:
        return bool((open_ns - before_ns) // length_ns - 1 > gates[g.GAP_MAX])
    first, last = before_ns // DAY_NS, open_ns // DAY_NS
    days = last - first - 1
    if gates[g.GAP_WEEKENDS] > 0.0:
        days = weekdays_before(last) - weekdays_before(first + 1)
    return bool(days > gates[g.GAP_MAX])


@kernel
def weekdays_before(day: int) -> int:
    """Mondays to Fridays from the Monday before the epoch up to `day`, which is not counted."""
    weeks, rest = (day + EPOCH_WEEKDAY) // 7, (day + EPOCH_WEEKDAY) % 7
    return weeks * 5 + min(rest, 5)
