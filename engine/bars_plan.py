"""Where a bar's interval begins and ends: timeframes and sessions as the kernels read them.

Without a calendar an interval is a fixed stretch of UTC. With one, intraday intervals count from
the session's open and are cut at its close, a day is its session, a week the span of its
sessions. A listing remembers the session, or the gap between two, that its instrument was in
last, so the next row finds its own with two comparisons.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from engine.blocks import Int64
from engine.kernels import hot, kernel
from engine.messages import FOREVER_NS, NEVER_NS
from engine.sessions import ALWAYS_OPEN, Sessions
from engine.timeframes import (
    COUNTED,
    LENGTH_NS,
    ORIGIN_NS,
    check_timeframe,
    is_counted,
    longest_first,
    threshold,
)

Records = npt.NDArray[Any]

CLOCK = 0
DAY = 1
WEEK = 2
TICK = 3
VOLUME = 4
DOLLAR = 5
"""Kinds of timeframe; TICK and above are counted."""

FRAME = np.dtype(
    [
        ("length_ns", np.int64), ("origin_ns", np.int64), ("order", np.int64), ("kind", np.int64),
        ("threshold", np.float64),
    ]
)  # fmt: skip
"""One timeframe of the session; `order` plus the instrument number ranks bars of one close:
0 for the longest, then steps of the number of instruments. Counted ones have length 0."""

LISTING = np.dtype(
    [
        ("open_ns", np.int64), ("close_ns", np.int64), ("inside", np.int64), ("calendar", np.int64),
        ("week_open_ns", np.int64), ("week_close_ns", np.int64), ("feeder", np.int64),
        ("spread", np.float64), ("quarantined_ns", np.int64),
    ]
)  # fmt: skip
"""One instrument: the session it is `inside` of, or the gap; the shortest timeframe seen from
outside, or NONE; ask - bid of its last quote, NaN without one on both sides; the last time of a
row that a feed withheld."""

NONE = -1
"""No bar, no neighbour, no timeframe."""


class Plan(NamedTuple):
    """What never changes. `frames` (FRAME) is indexed by timeframe number. `built` lists the
    numbers of the timeframes to derive, longest first; the last `counted` of them are counted."""

    frames: Records
    built: Int64
    counted: int
    lateness_ns: int
    sessions: Sessions


def plan_of(timeframes: tuple[str, ...], build: tuple[str, ...], lateness_ns: int, sessions: Sessions) -> Plan:
    """Raises ValueError on an unknown timeframe, or one that is built but not in the table."""
    for name in timeframes:
        try:
            check_timeframe(name)
        except ValueError as error:
            raise ValueError(f"bars: {error}") from error
    for name in build:
        if name not in timeframes:
            raise ValueError(f"bars: built timeframe must be one of {', '.join(timeframes)}, was {name}")
    if lateness_ns < 0:
        raise ValueError(f"bars: lateness_ns must be >= 0, was {lateness_ns}")
    ranked = longest_first(timeframes)
    frames = np.zeros(len(timeframes), FRAME)
    for frame, name in zip(frames, timeframes, strict=True):
        frame["order"] = len(sessions.calendar) * ranked.index(name)
        frame["kind"] = _kind(name)
        if is_counted(name):
            frame["threshold"] = threshold(name)
        else:
            frame["length_ns"], frame["origin_ns"] = LENGTH_NS[name], ORIGIN_NS[name]
    built = np.array([timeframes.index(name) for name in ranked if name in build], np.int64)
    counted = int((frames["kind"][built] >= TICK).sum())
    return Plan(frames, built, counted, lateness_ns, sessions)


def _kind(timeframe: str) -> int:
    if is_counted(timeframe):
        return TICK + COUNTED.index(timeframe.partition(":")[0])
    return {"1d": DAY, "1w": WEEK}.get(timeframe, CLOCK)


def new_listings(sessions: Sessions) -> Records:
    """Of a calendar nothing is looked up yet: the empty session sends the first row to look."""
    listings = np.zeros(len(sessions.calendar), LISTING)
    always = sessions.calendar == ALWAYS_OPEN
    listings["calendar"] = sessions.calendar
    listings["open_ns"] = np.where(always, NEVER_NS, 0)
    listings["close_ns"] = np.where(always, FOREVER_NS, 0)
    listings["inside"] = always
    listings["feeder"] = NONE
    listings["spread"] = np.nan
    listings["quarantined_ns"] = NEVER_NS
    return listings


@hot
def is_inside(time_ns: int, listing: Any, sessions: Sessions) -> bool:
    """Whether a session of the instrument contains `time_ns`; the listing then holds it."""
    if time_ns < listing.open_ns or time_ns >= listing.close_ns:
        look_up(time_ns, listing, sessions)
    return bool(listing.inside != 0)


@kernel
def look_up(time_ns: int, listing: Any, sessions: Sessions) -> None:
    """Let the listing hold the session, or the gap, that contains `time_ns`."""
    if listing.calendar == ALWAYS_OPEN:
        return
    first, last = sessions.bounds[listing.calendar], sessions.bounds[listing.calendar + 1]
    opens_ns, closes_ns = sessions.opens_ns, sessions.closes_ns
    place = first + np.searchsorted(opens_ns[first:last], time_ns, side="right") - 1
    if place >= first and time_ns < closes_ns[place]:
        listing.inside, listing.open_ns, listing.close_ns = 1, opens_ns[place], closes_ns[place]
        listing.week_open_ns, listing.week_close_ns = sessions.week_opens_ns[place], sessions.week_closes_ns[place]
    else:
        listing.inside = 0
        listing.open_ns = closes_ns[place] if place >= first else NEVER_NS
        listing.close_ns = opens_ns[place + 1] if place + 1 < last else FOREVER_NS


@hot
def interval_of(time_ns: int, frame: Any, listing: Any) -> tuple[int, int]:
    """Open and close of the interval that contains `time_ns`, a time inside the listing's session.

    What is counted has the session itself, which it never spans.
    """
    always = listing.calendar == ALWAYS_OPEN
    if frame.kind >= TICK or (frame.kind == DAY and not always):
        return listing.open_ns, listing.close_ns
    if frame.kind == WEEK and not always:
        return listing.week_open_ns, listing.week_close_ns
    origin_ns = frame.origin_ns if always else listing.open_ns
    open_ns = (time_ns - origin_ns) // frame.length_ns * frame.length_ns + origin_ns
    return open_ns, min(open_ns + frame.length_ns, listing.close_ns)
