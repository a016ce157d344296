"""The timeframes of the line: names, lengths, and where a bar's interval begins.

Intervals are [open, close). Fixed lengths count from the epoch in UTC; weeks begin on Monday.
"""

MINUTE_NS = 60_000_000_000
DAY_NS = 1440 * MINUTE_NS

TIMEFRAMES = ("1m", "5m", "15m", "1h", "4h", "1d", "1w")
"""Shortest first; `Bars.timeframe` indexes the session's copy of this tuple."""

LENGTH_NS = {
    "1m": MINUTE_NS,
    "5m": 5 * MINUTE_NS,
    "15m": 15 * MINUTE_NS,
    "1h": 60 * MINUTE_NS,
    "4h": 240 * MINUTE_NS,
    "1d": DAY_NS,
    "1w": 7 * DAY_NS,
}

ORIGIN_NS = {name: 4 * DAY_NS if name == "1w" else 0 for name in TIMEFRAMES}
"""A moment at which an interval of the timeframe begins: 1970-01-05 was a Monday."""


def interval_start(timeframe: str, time_ns: int) -> int:
    """Open time of the interval that contains `time_ns`. Raises KeyError on an unknown name."""
    origin = ORIGIN_NS[timeframe]
    length = LENGTH_NS[timeframe]
    return (time_ns - origin) // length * length + origin
