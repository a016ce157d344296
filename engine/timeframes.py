"""The timeframes of the line: names, lengths, and where a bar's interval begins.

Intervals are [open, close). Fixed lengths count from the epoch in UTC, or from the open of a
session where the instrument has a calendar; weeks begin on Monday. A counted timeframe has no
length: its bars close after so many trades (`tick:1000`), so much volume (`volume:50000`) or so
much price times size (`dollar:1000000`).
"""

import re
from collections.abc import Iterable

MINUTE_NS = 60_000_000_000
DAY_NS = 1440 * MINUTE_NS

TIMEFRAMES = ("1m", "5m", "15m", "1h", "4h", "1d", "1w")
"""Those with a length, shortest first; `Bars.timeframe` indexes the session's own table."""

COUNTED = ("tick", "volume", "dollar")
"""What a counted timeframe counts, the part before its colon."""

_COUNTED_NAME = re.compile(r"tick:[1-9]\d{0,8}|(volume|dollar):(?=.*[1-9])(0|[1-9]\d{0,14})(\.\d{0,7}[1-9])?")


class _Lengths(dict[str, int]):
    """A counted bar is taken for a minute where only a length will do: how long an order lives."""

    def __missing__(self, timeframe: str) -> int:
        if not is_counted(timeframe):
            raise KeyError(timeframe)
        return MINUTE_NS


LENGTH_NS: dict[str, int] = _Lengths(
    {
        "1m": MINUTE_NS,
        "5m": 5 * MINUTE_NS,
        "15m": 15 * MINUTE_NS,
        "1h": 60 * MINUTE_NS,
        "4h": 240 * MINUTE_NS,
        "1d": DAY_NS,
        "1w": 7 * DAY_NS,
    }
)

MULTIPLIER = {"1m": 0.15, "5m": 0.20, "15m": 0.30, "1h": 0.70, "4h": 0.85, "1d": 1.0, "1w": 1.4}
"""How much of a daily bar's range in percent one of this length has: scales percentages of price (wyckoff.md 9.1)."""

ORIGIN_NS = {name: 4 * DAY_NS if name == "1w" else 0 for name in TIMEFRAMES}
"""A moment at which an interval of the timeframe begins: 1970-01-05 was a Monday."""


def interval_start(timeframe: str, time_ns: int) -> int:
    """Open time of the UTC interval that contains `time_ns`. Raises KeyError on a name without a length."""
    origin = ORIGIN_NS[timeframe]
    length = LENGTH_NS[timeframe]
    return (time_ns - origin) // length * length + origin


def is_counted(timeframe: str) -> bool:
    """Whether the name is, in its one spelling, that of a counted timeframe."""
    return _COUNTED_NAME.fullmatch(timeframe) is not None


def threshold(timeframe: str) -> float:
    """The count at which a bar of a counted timeframe is complete, > 0."""
    return float(timeframe.partition(":")[2])


def check_timeframe(timeframe: str) -> str:
    """Returns its argument. Raises ValueError on anything that bars cannot be built of."""
    if timeframe not in TIMEFRAMES and not is_counted(timeframe):
        known = f"one of {', '.join(TIMEFRAMES)}, tick:n, volume:x or dollar:x"
        raise ValueError(f"timeframe must be {known}, was {timeframe}")
    return timeframe


def sorted_timeframes(timeframes: Iterable[str]) -> tuple[str, ...]:
    """Each name once, in a table's order: by length, shortest first, then the counted ones."""
    return tuple(sorted(dict.fromkeys(timeframes), key=_place))


def longest_first(timeframes: Iterable[str]) -> list[str]:
    """The order in which bars of one close are released: by length, then the counted ones."""
    return sorted(timeframes, key=lambda name: (is_counted(name), -LENGTH_NS[name], _place(name)))


def usual_length_ns(name: str) -> int:
    """How long a bar lasts; of one that closes by a count, what its settings are made for."""
    return LENGTH_NS[settings_of(name)]


def settings_of(timeframe: str) -> str:
    """Whose settings apply where a table has a row for each length: a counted bar's are those of 1m."""
    return "1m" if is_counted(timeframe) else timeframe


def _place(timeframe: str) -> tuple[int, float, str]:
    if is_counted(timeframe):
        kind = timeframe.partition(":")[0]
        return len(TIMEFRAMES) + COUNTED.index(kind), threshold(timeframe), timeframe
    return TIMEFRAMES.index(timeframe), 0.0, timeframe
