"""Times for people and files: ISO 8601, UTC, no more digits than the time has."""

from collections.abc import Iterable

import numpy as np

from engine.messages import FOREVER_NS, NEVER_NS


class TimeError(ValueError):
    """Not an ISO 8601 time."""


def iso(time_ns: int) -> str:
    """`2013-02-28T21:00:00Z`; "" for times before or after every stamp."""
    if time_ns in (NEVER_NS, FOREVER_NS):
        return ""
    seconds, fraction = divmod(time_ns, 1_000_000_000)
    stamp = str(np.datetime64(seconds, "s"))
    return f"{stamp}.{fraction:09d}".rstrip("0") + "Z" if fraction else f"{stamp}Z"


def iso_column(times_ns: Iterable[int] | np.ndarray) -> list[str]:
    """`iso` over a whole column."""
    column = np.asarray(times_ns, dtype=np.int64)
    if np.all(column % 1_000_000_000 == 0):
        return [f"{stamp}Z" for stamp in np.datetime_as_string(column.astype("datetime64[ns]"), unit="s")]
    return [iso(int(time_ns)) for time_ns in column]


def parse_iso(text: str) -> int:
    """Nanoseconds of a date (midnight UTC) or a time (`Z` or no zone). Raises TimeError."""
    try:
        stamp = np.datetime64(text.removesuffix("Z"), "ns")
    except ValueError as error:
        raise TimeError(f"time must be ISO 8601 like 2012-06-01 or 2012-06-01T14:30:00Z, was {text}") from error
    if np.isnat(stamp):
        raise TimeError(f"time must be ISO 8601 like 2012-06-01 or 2012-06-01T14:30:00Z, was {text!r}")
    return int(stamp.astype(np.int64))
