"""Times for people and files: ISO 8601, UTC, no more digits than the time has."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime

import numpy as np

from engine.messages import FOREVER_NS, NEVER_NS

SECOND_NS = 1_000_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FRACTION = re.compile(r"(?<=\d)[.,](\d{1,9})(?=$|[Z+-])")


class TimeError(ValueError):
    """Not an ISO 8601 time."""


def iso(time_ns: int) -> str:
    """`2013-02-28T21:00:00Z`; "" for times before or after every stamp."""
    if time_ns in (NEVER_NS, FOREVER_NS):
        return ""
    seconds, fraction = divmod(time_ns, SECOND_NS)
    stamp = str(np.datetime64(seconds, "s"))
    return f"{stamp}.{fraction:09d}".rstrip("0") + "Z" if fraction else f"{stamp}Z"


def iso_column(times_ns: Iterable[int] | np.ndarray) -> list[str]:
    """`iso` over a whole column."""
    column = np.asarray(times_ns, dtype=np.int64)
    whole = not np.any(column % SECOND_NS) and not np.any((column == NEVER_NS) | (column == FOREVER_NS))
    if not whole:
        return [iso(time_ns) for time_ns in column.tolist()]
    stamps: list[str] = np.datetime_as_string(column.astype("datetime64[ns]"), unit="s", timezone="UTC").tolist()
    return stamps


def parse_iso(text: str) -> int:
    """Nanoseconds of a date (midnight UTC) or a time (of the zone it names, else UTC).

    Raises TimeError.
    """
    fraction = _FRACTION.search(text)
    plain = text if fraction is None else text[: fraction.start()] + text[fraction.end() :]
    try:
        stamp = datetime.fromisoformat(plain)
    except ValueError:
        raise TimeError(f"time must be ISO 8601 like 2012-06-01 or 2012-06-01T14:30:00Z, was {text!r}") from None
    since = (stamp if stamp.tzinfo else stamp.replace(tzinfo=UTC)) - _EPOCH
    time_ns = (since.days * 86_400 + since.seconds) * SECOND_NS
    if fraction is not None:
        time_ns += int(fraction[1].ljust(9, "0"))
    if not NEVER_NS < time_ns < FOREVER_NS:
        raise TimeError(f"time must be between 1678 and 2261, was {text!r}")
    return time_ns
