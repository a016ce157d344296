"""Trading sessions as arrays: all that bars need to know of a calendar.

A session is [open, close) in UTC nanoseconds. Half days, holidays and daylight saving are in
the arrays already, so whoever reads them needs no calendar, no time zone and no clock.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from engine.timeframes import DAY_NS, ORIGIN_NS

Int64 = npt.NDArray[np.int64]

ALWAYS_OPEN = -1
"""The calendar of an instrument that trades around the clock: its bars count in UTC."""


class SessionError(ValueError):
    """The arrays are no sessions. Names the calendar, the session and what was found."""


class Sessions(NamedTuple):
    """The sessions of all calendars, one calendar after the other.

    `calendar` is (instruments,): the number of the instrument's calendar, or ALWAYS_OPEN.
    `bounds` is (calendars + 1,): calendar c owns sessions [bounds[c], bounds[c + 1]).
    The rest is (sessions,): the session itself, and the span from the open of the first to the
    close of the last session of its week.
    """

    calendar: Int64
    bounds: Int64
    opens_ns: Int64
    closes_ns: Int64
    week_opens_ns: Int64
    week_closes_ns: Int64


def sessions_of(calendars: Sequence[tuple[Int64, Int64]], calendar: Sequence[int]) -> Sessions:
    """`calendars` holds (opens_ns, closes_ns) of each, ascending; `calendar` one number an instrument.

    Sessions may touch and never overlap. One belongs to the ISO week, in UTC, of its last
    nanosecond: so Sunday evening in New York opens the week of Monday's FX day. The arrays
    should begin and end with whole weeks, and whatever lies beyond them is outside every session.
    Raises SessionError.
    """
    of = np.array(calendar, np.int64).reshape(-1)
    unknown = (of < ALWAYS_OPEN) | (of >= len(calendars))
    if unknown.any():
        raise SessionError(f"calendar must be between -1 and {len(calendars) - 1}, was {of[unknown][0]}")
    for number, (opens_ns, closes_ns) in enumerate(calendars):
        _check(number, np.asarray(opens_ns, np.int64), np.asarray(closes_ns, np.int64))
    bounds = np.cumsum([0, *(len(opens) for opens, _ in calendars)], dtype=np.int64)
    opens = _joined([opens for opens, _ in calendars])
    closes = _joined([closes for _, closes in calendars])
    weeks = [_weeks(opens[a:b], closes[a:b]) for a, b in pairwise(bounds)]
    return Sessions(of, bounds, opens, closes, _joined([a for a, _ in weeks]), _joined([b for _, b in weeks]))


def always_open(instruments: int) -> Sessions:
    """No calendar for anybody."""
    return sessions_of((), [ALWAYS_OPEN] * instruments)


def _check(number: int, opens_ns: Int64, closes_ns: Int64) -> None:
    if opens_ns.shape != closes_ns.shape or opens_ns.ndim != 1:
        raise SessionError(f"calendar {number}: closes must be {opens_ns.shape}, was {closes_ns.shape}")
    if (bad := closes_ns <= opens_ns).any():
        place = int(np.argmax(bad))
        raise SessionError(
            f"calendar {number}: session {place}: close must be > {opens_ns[place]}, was {closes_ns[place]}"
        )
    if (bad := opens_ns[1:] < closes_ns[:-1]).any():
        place = int(np.argmax(bad))
        found = f"must be >= {closes_ns[place]}, was {opens_ns[place + 1]}"
        raise SessionError(f"calendar {number}: session {place + 1}: open {found}")


def _weeks(opens_ns: Int64, closes_ns: Int64) -> tuple[Int64, Int64]:
    """For each session the open of the first and the close of the last of its week."""
    week = (closes_ns - 1 - ORIGIN_NS["1w"]) // (7 * DAY_NS)
    return opens_ns[np.searchsorted(week, week, "left")], closes_ns[np.searchsorted(week, week, "right") - 1]


def _joined(parts: Sequence[Int64]) -> Int64:
    return np.concatenate([np.empty(0, np.int64), *parts]).astype(np.int64)
