"""When bars from outside open and close: by their UTC day, or by the sessions of a calendar."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt

from adapters.feed_errors import CalendarError, PackageError
from adapters.stamps import iso
from engine import calendars
from engine.blocks import Int64
from engine.timeframes import DAY_NS

_MARGIN_NS = 10 * DAY_NS  # around the file's days, so that no asked range is without a session


def session_bounds(source: str, calendar: str, day_ns: Int64) -> tuple[Int64, Int64, npt.NDArray[np.bool_]]:
    """Open and close of each day (UTC midnights, (n,)), and whether the day is a session at all."""
    found = _schedule(source, calendar, "regular", day_ns)
    if found is None:
        return day_ns, day_ns + DAY_NS, np.ones(len(day_ns), np.bool_)
    at = np.minimum(np.searchsorted(found.days_ns, day_ns), len(found.days_ns) - 1)
    return found.opens_ns[at], found.closes_ns[at], found.days_ns[at] == day_ns


def session_close(source: str, calendar: tuple[str, str], open_ns: Int64, close_ns: Int64) -> Int64:
    """Closes of bars that are shorter than a day, none beyond the session in which its bar opens;
    `calendar` is a name and its hours, regular or extended.

    Vendors name the last bar by its full length: an hour that opens at 15:30 ends at 16:00.
    """
    found = _schedule(source, *calendar, open_ns)
    if found is None:
        return close_ns
    at = np.maximum(np.searchsorted(found.opens_ns, open_ns, "right") - 1, 0)
    is_inside = (found.opens_ns[at] <= open_ns) & (open_ns < found.closes_ns[at])
    return np.where(is_inside, np.minimum(close_ns, found.closes_ns[at]), close_ns)


def _schedule(source: str, calendar: str, hours: str, times_ns: Int64) -> calendars.Schedule | None:
    """Sessions around these times; None without a calendar or without times."""
    if not calendar or not len(times_ns):
        return None
    first_ns, last_ns = int(times_ns.min()), int(times_ns.max())
    with _named(source):
        found = calendars.schedule_of(calendar, hours, first_ns - _MARGIN_NS, last_ns + _MARGIN_NS)
    if found is not None and not (found.opens_ns[0] <= first_ns and last_ns <= found.closes_ns[-1]):
        covered = f"{iso(int(found.opens_ns[0]))[:10]} to {iso(int(found.closes_ns[-1]))[:10]}"
        wanted = f"{iso(first_ns)[:10]} to {iso(last_ns)[:10]}"
        raise CalendarError(f"{source}: calendar must cover {wanted}, was {calendar}, which covers {covered}")
    return found


@contextmanager
def _named(source: str) -> Iterator[None]:
    """Errors of calendars, with the file that asked for one."""
    try:
        yield
    except calendars.CalendarPackageError as error:
        raise PackageError(f"{source}: {error}") from error
    except calendars.CalendarError as error:
        raise CalendarError(f"{source}: {error}") from error
