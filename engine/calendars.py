"""Trading sessions by name, from calendars to plain arrays.

The line knows sessions only as sorted open and close times; this module, at its edge, is where they
come from. Exchange codes (XNYS, XETR, CMES) are those of exchange_calendars, which is optional and
slow to import. "FX" is the week of the interbank market, days from 17:00 to 17:00 New York. No name
("") is around the clock: UTC days, and no arrays. A tape keeps the arrays, so that it needs no package.
"""

import zlib
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from hashlib import blake2b
from importlib import import_module
from importlib.metadata import version
from typing import Any, NamedTuple, Self
from warnings import catch_warnings, simplefilter
from zoneinfo import ZoneInfo

import msgspec
import numpy as np

from engine.blocks import Int64
from engine.messages import Instrument
from engine.timeframes import DAY_NS

ALWAYS = ""
FX = "FX"
NEW_YORK = ZoneInfo("America/New_York")

FX_CLOSE = time(17)
"""The trading day of the interbank market turns here, in New York."""

US_EQUITIES = "XNYS"
"""What NYSE, Nasdaq, Arca and Cboe resolve to: they keep the same days."""
EXTENDED_OPEN, EXTENDED_CLOSE, EXTENDED_HALF_DAY = time(4), time(20), time(17)
"""US equities, New York; on half days (regular close 13:00) late trading ends at 17:00."""
REGULAR_CLOSE = time(16)

BEFORE_DAYS = 366
"""How far arrays reach back before the first row."""
HORIZON = date(2050, 1, 1)
"""How far they reach on: the same for all runs, because none knows its own last row."""
AFTER_DAYS = 731
"""How far they reach on at least."""

WEEK_NS = 7 * DAY_NS
MONDAY_NS = 4 * DAY_NS


class CalendarError(ValueError):
    """No such calendar, or no such hours of it. Names what is known."""


class CalendarPackageError(CalendarError):
    """The calendar needs an optional package that is not installed."""


class Schedule(NamedTuple):
    """Sessions of one calendar, sorted and disjoint, (n,) each; `days_ns` is the midnight UTC of the
    date that the market gives the session, `opens_ns` and `closes_ns` its span [open, close)."""

    days_ns: Int64
    opens_ns: Int64
    closes_ns: Int64


class Calendar(msgspec.Struct, frozen=True):
    """The sessions of one (calendar, hours) as a tape keeps them: packed, about 1 KB for 27 years.

    `maker` is the distribution and version that they came from, "" where nobody had to know them.
    """

    name: str
    hours: str
    maker: str
    opens: bytes
    closes: bytes

    @classmethod
    def of(cls, name: str, hours: str, opens_ns: Int64, closes_ns: Int64) -> Self:
        return cls(name, hours, version_of(name), _packed(opens_ns), _packed(closes_ns))

    @property
    def opens_ns(self) -> Int64:
        return _unpacked(self.opens)

    @property
    def closes_ns(self) -> Int64:
        return _unpacked(self.closes)

    @property
    def identity(self) -> str:
        """One line that two sets of sessions share only if they are the same."""
        digest = blake2b(self.opens_ns.tobytes() + self.closes_ns.tobytes(), digest_size=16).hexdigest()
        return f"{self.name} {self.hours} {digest}"


def calendars_of(instruments: Iterable[Instrument], first_ns: int) -> tuple[Calendar, ...]:
    """The calendars of a run whose first row is at `first_ns`, each once, by name. Raises CalendarError."""
    wanted = sorted({(one.calendar, one.hours) for one in instruments})
    found = [(name, hours, sessions_of(name, hours, *span_ns(first_ns))) for name, hours in wanted]
    return tuple(Calendar.of(name, hours, *arrays) for name, hours, arrays in found if arrays is not None)


def sessions_of(calendar: str, hours: str, first_ns: int, last_ns: int) -> tuple[Int64, Int64] | None:
    """Opens and closes of all sessions of the whole weeks that `first_ns` to `last_ns` touch, None
    for a market that never closes. Raises CalendarError."""
    found = schedule_of(calendar, hours, first_ns, last_ns)
    return None if found is None else (found.opens_ns, found.closes_ns)


def schedule_of(calendar: str, hours: str, first_ns: int, last_ns: int) -> Schedule | None:
    """As `sessions_of`, with the date of each session."""
    first, last = _date(monday(first_ns)), _date(monday(last_ns) + WEEK_NS - 1)
    if calendar == ALWAYS:
        _check_regular("a market without a calendar", hours)
        return None
    if calendar == FX:
        _check_regular(FX, hours)
        return _fx_week(first, last)
    return _exchange(calendar, hours, first, last)


def span_ns(first_ns: int) -> tuple[int, int]:
    """The times that the arrays of a run cover whose first row is at `first_ns`: a function of
    nothing else, so that every run that begins there has the same."""
    horizon_ns = (HORIZON - date(1970, 1, 1)).days * DAY_NS - 1
    return first_ns - BEFORE_DAYS * DAY_NS, max(horizon_ns, first_ns + AFTER_DAYS * DAY_NS)


def version_of(calendar: str) -> str:
    """Who made the sessions: distribution and version. Empty where nobody had to."""
    return "" if calendar in (ALWAYS, FX) else f"exchange_calendars {version('exchange_calendars')}"


def monday(time_ns: int) -> int:
    """The first moment of the week, UTC, that holds `time_ns`."""
    return (time_ns - MONDAY_NS) // WEEK_NS * WEEK_NS + MONDAY_NS


# ---------------------------------------------------------------------------------- FX week


def _fx_week(first: date, last: date) -> Schedule:
    """Monday's session begins on Sunday; Saturday and Sunday have none. Holidays are traded."""
    days = [day for day in _days(first, last) if day.weekday() < 5]
    opens = [_moment(day - timedelta(days=1), FX_CLOSE) for day in days]
    closes = [_moment(day, FX_CLOSE) for day in days]
    return Schedule(_midnights(days), np.array(opens, np.int64), np.array(closes, np.int64))


# -------------------------------------------------------------------------------- exchanges


def _exchange(calendar: str, hours: str, first: date, last: date) -> Schedule:
    package = _package(calendar)
    try:
        # The package uses pandas calls that pandas has deprecated; nothing here can change that.
        with catch_warnings():
            simplefilter("ignore", DeprecationWarning)
            found = _regular(package, calendar, first, last)
    except (package.errors.CalendarError, ValueError) as error:
        what = str(error).split("\n", maxsplit=1)[0]
        known = f'"", {FX} or a code of exchange_calendars such as XNYS, XLON, CMES'
        raise CalendarError(f"calendar must be {known}, was {calendar!r} for {first} to {last} ({what})") from error
    if not len(found.days_ns):
        raise CalendarError(f"calendar {calendar} has no session from {first} to {last}")
    if hours == "regular":
        return found
    if package.resolve_alias(calendar) != US_EQUITIES:
        raise CalendarError(f"hours of calendar {calendar} must be regular, was {hours}: only US equities have them")
    return _extended(found)


def _regular(package: Any, calendar: str, first: date, last: date) -> Schedule:
    """The span is cut to what the calendar covers; it is cut to whole weeks by the caller's dates."""
    start, end = _covered(package.get_calendar(calendar), first, last)
    schedule = package.get_calendar(calendar, start=start.isoformat(), end=end.isoformat()).schedule
    return Schedule(*(_nanoseconds(one) for one in (schedule.index, schedule["open"], schedule["close"])))


def _covered(known: Any, first: date, last: date) -> tuple[date, date]:
    """What the calendar has of this span, in whole weeks where it ends within. Its default span ends
    a year from today, so that only its bounds are read."""
    lowest, highest = known.bound_min(), known.bound_max()
    if lowest is not None and lowest.date() > first:
        first = lowest.date() + timedelta(days=-lowest.date().weekday() % 7)
    if highest is not None and highest.date() < last:
        last = highest.date() - timedelta(days=(highest.date().weekday() + 1) % 7)
    return first, last


def _extended(regular: Schedule) -> Schedule:
    days = [_date(int(day_ns)) for day_ns in regular.days_ns]
    opens = [_moment(day, EXTENDED_OPEN) for day in days]
    closes = [
        _moment(day, EXTENDED_CLOSE if close_ns == _moment(day, REGULAR_CLOSE) else EXTENDED_HALF_DAY)
        for day, close_ns in zip(days, regular.closes_ns.tolist(), strict=True)
    ]
    return Schedule(regular.days_ns, np.array(opens, np.int64), np.array(closes, np.int64))


def _package(calendar: str) -> Any:
    try:
        return import_module("exchange_calendars")
    except ImportError as error:
        raise CalendarPackageError(
            f"calendar {calendar!r} needs exchange_calendars, which is not installed: "
            "pip install 'wyckoff-engine[calendars]'"
        ) from error


def _check_regular(market: str, hours: str) -> None:
    if hours != "regular":
        raise CalendarError(f"hours of {market} must be regular, was {hours}: only US equities have them")


# ------------------------------------------------------------------------------------ times


def _days(first: date, last: date) -> list[date]:
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]


def _date(time_ns: int) -> date:
    return date(1970, 1, 1) + timedelta(days=time_ns // DAY_NS)


def _midnights(days: list[date]) -> Int64:
    return np.array([(day - date(1970, 1, 1)).days * DAY_NS for day in days], np.int64)


def _moment(day: date, clock: time) -> int:
    """Nanoseconds of a wall-clock time in New York; none of ours is skipped or doubled by daylight saving."""
    moment = datetime.combine(day, clock, NEW_YORK).astimezone(UTC)
    return int((moment - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(microseconds=1)) * 1_000


def _nanoseconds(moments: Any) -> Int64:
    return np.asarray(moments, "datetime64[ns]").astype(np.int64)


def _packed(times_ns: Int64) -> bytes:
    """Steps are few different numbers: a week looks like the one before."""
    return zlib.compress(np.diff(times_ns, prepend=0).astype("<i8").tobytes(), 9)


def _unpacked(packed: bytes) -> Int64:
    return np.cumsum(np.frombuffer(zlib.decompress(packed), "<i8"), dtype=np.int64)
