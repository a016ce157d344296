"""When a daily bar opens and closes: its UTC day, or its session in an exchange calendar.

exchange_calendars is optional and slow to import, so it is imported only when a name is given.
"""

from importlib import import_module
from warnings import catch_warnings, simplefilter

import numpy as np
import numpy.typing as npt

from adapters.feed_errors import CalendarError, PackageError
from adapters.stamps import iso
from engine.blocks import Int64
from engine.timeframes import DAY_NS

_MARGIN_NS = 10 * DAY_NS  # around the file's days, so that no asked range is without a session


def session_bounds(source: str, calendar: str, day_ns: Int64) -> tuple[Int64, Int64, npt.NDArray[np.bool_]]:
    """Open and close of each day (UTC midnights, (n,)), and whether the day is a session at all."""
    if not calendar or not len(day_ns):
        return day_ns, day_ns + DAY_NS, np.ones(len(day_ns), np.bool_)
    sessions, opens, closes = _schedule(source, calendar, int(day_ns.min()), int(day_ns.max()))
    at = np.minimum(np.searchsorted(sessions, day_ns), len(sessions) - 1)
    return opens[at], closes[at], sessions[at] == day_ns


def _schedule(source: str, calendar: str, first_ns: int, last_ns: int) -> tuple[Int64, Int64, Int64]:
    try:
        package = import_module("exchange_calendars")
    except ImportError as error:
        raise PackageError(
            f"{source}: calendar {calendar!r} needs exchange_calendars, which is not installed: "
            "pip install 'wyckoff-engine[calendars]'"
        ) from error
    start, end = iso(first_ns - _MARGIN_NS)[:10], iso(last_ns + _MARGIN_NS)[:10]
    try:
        # The package uses pandas calls that pandas has deprecated; nothing here can change that.
        with catch_warnings():
            simplefilter("ignore", DeprecationWarning)
            schedule = package.get_calendar(calendar, start=start, end=end).schedule
    except (package.errors.CalendarError, ValueError) as error:
        what = str(error).split("\n", maxsplit=1)[0]
        raise CalendarError(f"{source}: calendar must cover {start} to {end}, was {calendar!r} ({what})") from error
    return _nanoseconds(schedule.index), _nanoseconds(schedule["open"]), _nanoseconds(schedule["close"])


def _nanoseconds(moments: npt.ArrayLike) -> Int64:
    return np.asarray(moments, "datetime64[ns]").astype(np.int64)
