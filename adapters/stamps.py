"""Time stamps: epoch numbers of any unit, ISO 8601 and compact dates, to nanoseconds UTC.

Epoch units follow from the size of each number, row by row: up to 10 digits seconds, 13
milliseconds, 16 microseconds, 19 nanoseconds. Fewer than 9 digits are refused, since nothing
tells them from row numbers: moments between late 1966 and early 1973 need ISO stamps. A number
of 8, 12 or 14 digits that reads as a date between 1800 and 2199 is one.

Both clocks are kept: UTC orders rows, the wall clock of the stamp names the day of a daily bar.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from adapters.texts import Bytes, CellError, Texts, digit
from engine.blocks import Int8, Int64
from engine.kernels import kernel
from engine.timeframes import DAY_NS, MINUTE_NS

SECOND_NS = 1_000_000_000
TEXT, SECONDS, MILLISECONDS, MICROSECONDS, NANOSECONDS = range(5)
UNITS = 5
MONTH_FIRST, DAY_FIRST = "mdy", "dmy"
DATE_ORDERS = ("", MONTH_FIRST, DAY_FIRST)
"""Of dates that end in their year; without an order they are refused."""
EXPECTED = "an ISO 8601 date and time, YYYYMMDD, or epoch s, ms, us or ns between 1678 and 2261"

_QUARTER_NS = 15 * MINUTE_NS  # every UTC offset in force since 1972 is a multiple of it
_FIRST_YEAR, _LAST_YEAR = 1678, 2261  # what int64 nanoseconds hold
_SCALES = (1, SECOND_NS, 1_000_000, 1_000, 1)  # nanoseconds per unit, by unit code
_MINUS, _PLUS, _POINT, _COMMA, _SLASH, _COLON, _SPACE, _ZERO, _NINE = 45, 43, 46, 44, 47, 58, 32, 48, 57
_T, _Z, _U, _C = 84, 90, 85, 67
_BAD = -(2**63)
_BEFORE_LAST = (2**63 - 10) // 10  # up to here one more digit fits
_EXACT = 2**53  # up to here a float holds every whole number
_LIMIT = 2**63 - SECOND_NS  # room for a fraction of a second above a whole one


@dataclass(frozen=True, slots=True)
class Stamps:
    """All (n,): `wall_ns` is the clock the stamp shows, `utc_ns` the moment; `unit` its form."""

    wall_ns: Int64
    utc_ns: Int64
    unit: Int8


def iso(time_ns: int) -> str:
    return str(np.datetime64(int(time_ns), "ns"))


def from_texts(texts: Texts, zone: str, dates: str = "") -> Stamps:
    """`zone` holds for stamps that name none, `dates` is one of DATE_ORDERS. Raises CellError."""
    size = len(texts)
    wall_ns, offset_ns = np.empty(size, np.int64), np.empty(size, np.int64)
    unit, naive = np.empty(size, np.int8), np.empty(size, np.bool_)
    order = DATE_ORDERS.index(dates)
    bad = read_stamps(texts.data, texts.starts, texts.ends, order, wall_ns, offset_ns, unit, naive)
    if bad >= 0:
        raise CellError(bad, EXPECTED, texts[bad][:80])
    utc_ns = wall_ns - offset_ns
    if zone != "UTC" and naive.any():
        utc_ns[naive] = wall_ns[naive] - wall_offsets(wall_ns[naive], zone)
    return Stamps(wall_ns, utc_ns, unit)


def from_numbers(values: npt.NDArray[np.generic]) -> Stamps:
    """Epoch numbers, whole or fractional. Raises CellError."""
    whole = _whole(values)
    if whole is None:
        return from_texts(Texts.of([_plain(value) for value in values.tolist()]), "UTC")
    wall_ns, unit = np.empty(len(whole), np.int64), np.empty(len(whole), np.int8)
    bad = read_epochs(whole, wall_ns, unit)
    if bad >= 0:
        raise CellError(bad, EXPECTED, _plain(values[bad].item()))
    return Stamps(wall_ns, wall_ns, unit)


def _whole(values: npt.NDArray[np.generic]) -> Int64 | None:
    """The same numbers as int64, or None where some do not fit."""
    if values.dtype.kind in "iu":
        return None if values.dtype == np.uint64 and (values > 2**63 - 1).any() else values.astype(np.int64)  # type: ignore[operator]
    if values.dtype.kind != "f" or not (np.abs(values) < _EXACT).all():
        return None
    whole = values.astype(np.int64)
    return whole if bool((whole == values).all()) else None


def from_moments(time_ns: Int64, *, zone: str, naive: bool) -> Stamps:
    """Times that need no reading: wall clocks of `zone` where `naive`, else UTC to be shown in it."""
    missing = np.flatnonzero(time_ns == _BAD)
    if len(missing):
        raise CellError(int(missing[0]), EXPECTED, "")
    unit = np.zeros(len(time_ns), np.int8)
    if naive:
        return Stamps(time_ns, time_ns - wall_offsets(time_ns, zone), unit)
    return Stamps(time_ns + _utc_offsets(time_ns, zone), time_ns, unit)


def wall_offsets(wall_ns: Int64, zone: str) -> Int64:
    """Offsets from UTC of wall clocks in `zone`; the first pass of a repeated hour."""
    if zone == "UTC":
        return np.zeros(len(wall_ns), np.int64)
    info = ZoneInfo(zone)
    return _by_quarter(wall_ns, [moment.replace(tzinfo=info).utcoffset() for moment in _quarters(wall_ns)])


def _utc_offsets(utc_ns: Int64, zone: str) -> Int64:
    if zone == "UTC":
        return np.zeros(len(utc_ns), np.int64)
    info = ZoneInfo(zone)
    moments = [moment.replace(tzinfo=UTC).astimezone(info) for moment in _quarters(utc_ns)]
    return _by_quarter(utc_ns, [moment.utcoffset() for moment in moments])


def _quarters(time_ns: Int64) -> list[datetime]:
    epoch = datetime(1970, 1, 1)  # noqa: DTZ001 - a wall clock has no zone yet
    return [epoch + timedelta(minutes=15 * quarter) for quarter in _distinct(time_ns // _QUARTER_NS).tolist()]


def _distinct(quarters: Int64) -> Int64:
    """Sorted; only where neighbours differ is there anything to sort."""
    return np.unique(quarters[np.append(True, quarters[1:] != quarters[:-1])]) if len(quarters) else quarters


def _by_quarter(time_ns: Int64, offsets: list[timedelta | None]) -> Int64:
    seconds = np.array([0 if offset is None else round(offset.total_seconds()) for offset in offsets], np.int64)
    quarters = time_ns // _QUARTER_NS
    if len(seconds) <= 1:
        return np.full(len(time_ns), seconds[0] * SECOND_NS if len(seconds) else 0, np.int64)
    found: Int64 = seconds[np.searchsorted(_distinct(quarters), quarters)] * SECOND_NS
    return found


def _plain(value: object) -> str:
    """An epoch number as a plain decimal; nine places hold every float of this size."""
    return f"{value:.9f}" if isinstance(value, float) else str(value)


# ------------------------------------------------------------------------------ kernels


@kernel
def read_stamps(
    data: Bytes, starts: Int64, ends: Int64, order: int,
    wall_ns: Int64, offset_ns: Int64, unit: Int8, naive: npt.NDArray[np.bool_],
) -> int:  # fmt: skip
    """Fill the last four columns. Returns the first row that cannot be read, or -1."""
    for row in range(len(starts)):
        start, end = starts[row], ends[row]
        naive[row], offset_ns[row], unit[row] = False, 0, TEXT
        day_ns, rest = read_date(data, start, end, order)
        if day_ns != _BAD:
            clock_ns, offset_ns[row], naive[row] = read_clock(data, rest, end)
            if clock_ns == _BAD:
                return row
            wall_ns[row] = day_ns + clock_ns
        else:
            wall_ns[row], unit[row] = read_epoch(data, start, end)
            if wall_ns[row] == _BAD:
                return row
    return -1


@kernel
def read_digits(data: Bytes, start: int, end: int) -> tuple[int, int]:
    """The whole number at `start`, at most 19 digits, and where it ends; -1 beyond 63 bits."""
    value = 0
    i = start
    while i < end and i < start + 19 and _ZERO <= data[i] <= _NINE:
        value = value * 10 + digit(data[i]) if value <= _BEFORE_LAST else -1
        i += 1
    return value, i


@kernel
def read_date(data: Bytes, start: int, end: int, order: int) -> tuple[int, int]:
    """Nanoseconds of the day (with the clock, where digits run on) and where it ends; or _BAD."""
    year, i = read_digits(data, start, end)
    width = i - start
    if order > 0 and 1 <= width <= 2:
        return read_year_last(data, start, end, order)
    if width == 4 and i < end and (data[i] == _MINUS or data[i] == _SLASH):
        month, j = read_digits(data, i + 1, end)
        if not (1 <= j - i - 1 <= 2 and j < end and data[j] == data[i]):
            return _BAD, start
        day, k = read_digits(data, j + 1, end)
        return (day_start(year, month, day) if 1 <= k - j - 1 <= 2 else _BAD), k
    if width == 8 and (i == end or data[i] == _SPACE or data[i] == _T):
        return compact_date(year), i
    if width == 12 and i == end:
        return compact_moment(year * 100), i
    if width == 14 and i == end:
        return compact_moment(year), i
    return _BAD, start


@kernel
def read_year_last(data: Bytes, start: int, end: int, order: int) -> tuple[int, int]:
    """A date whose month comes first (order 1) or whose day does (order 2)."""
    month, i = read_digits(data, start, end)
    if i == end or not (data[i] == _SLASH or data[i] == _MINUS or data[i] == _POINT):
        return _BAD, start
    day, j = read_digits(data, i + 1, end)
    if not 1 <= j - i - 1 <= 2 or j == end or data[j] != data[i]:
        return _BAD, start
    year, k = read_digits(data, j + 1, end)
    if k - j - 1 != 4:
        return _BAD, start
    if order == 2:
        month, day = day, month
    return day_start(year, month, day), k


@kernel
def compact_date(number: int) -> int:
    year = number // 10_000
    if not 1800 <= year < 2200:
        return _BAD
    return day_start(year, number // 100 % 100, number % 100)


@kernel
def compact_moment(number: int) -> int:
    day_ns = compact_date(number // 1_000_000)
    clock_ns = clock_of(number // 10_000 % 100, number // 100 % 100, number % 100)
    return _BAD if day_ns == _BAD or clock_ns == _BAD else day_ns + clock_ns


@kernel
def day_start(year: int, month: int, day: int) -> int:
    """Midnight in nanoseconds, or _BAD: days from civil, counted from March (Hinnant)."""
    if not (_FIRST_YEAR <= year <= _LAST_YEAR and 1 <= month <= 12 and 1 <= day <= month_days(year, month)):
        return _BAD
    years = year - 1 if month <= 2 else year
    era_year = years % 400
    day_of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    day_of_era = era_year * 365 + era_year // 4 - era_year // 100 + day_of_year
    return (years // 400 * 146_097 + day_of_era - 719_468) * DAY_NS


@kernel
def month_days(year: int, month: int) -> int:
    if month == 2:
        return 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    return 30 if month == 4 or month == 6 or month == 9 or month == 11 else 31


@kernel
def clock_of(hour: int, minute: int, second: int) -> int:
    if hour > 23 or minute > 59 or second > 59:
        return _BAD
    return hour * 60 * MINUTE_NS + minute * MINUTE_NS + second * SECOND_NS


@kernel
def read_clock(data: Bytes, start: int, end: int) -> tuple[int, int, bool]:
    """Nanoseconds since midnight (or _BAD), offset from UTC, and whether no zone is named."""
    if start == end:
        return 0, 0, True
    if data[start] != _SPACE and data[start] != _T:
        return _BAD, 0, True
    first, i = read_digits(data, start + 1, end)
    width = i - start - 1
    if width == 4 or width == 6:
        number = first * 100 if width == 4 else first
        clock_ns = clock_of(number // 10_000, number // 100 % 100, number % 100)
    elif 1 <= width <= 2 and i < end and data[i] == _COLON:
        clock_ns, i = read_minutes(data, first, i + 1, end)
    else:
        clock_ns = _BAD
    if clock_ns == _BAD:
        return _BAD, 0, True
    fraction_ns, i = read_fraction(data, i, end)
    offset_ns, named = read_zone(data, i, end)
    return (_BAD if offset_ns == _BAD else clock_ns + fraction_ns), offset_ns, not named


@kernel
def read_minutes(data: Bytes, hour: int, start: int, end: int) -> tuple[int, int]:
    minute, i = read_digits(data, start, end)
    if i - start != 2:
        return _BAD, i
    if i == end or data[i] != _COLON:
        return clock_of(hour, minute, 0), i
    second, j = read_digits(data, i + 1, end)
    return (clock_of(hour, minute, second) if j - i == 3 else _BAD), j


@kernel
def read_fraction(data: Bytes, start: int, end: int) -> tuple[int, int]:
    """Nanoseconds behind a decimal point; digits beyond the ninth are cut."""
    if start == end or (data[start] != _POINT and data[start] != _COMMA):
        return 0, start
    i = start + 1
    value = 0
    scale = SECOND_NS
    while i < end and _ZERO <= data[i] <= _NINE:
        scale //= 10
        value += digit(data[i]) * scale
        i += 1
    return value, i


@kernel
def read_zone(data: Bytes, start: int, end: int) -> tuple[int, bool]:
    """Offset in nanoseconds (or _BAD) and whether one is named: Z, UTC, +HH, +HHMM, +HH:MM."""
    if start < end and data[start] == _SPACE:
        start += 1
    if start == end:
        return 0, False
    size = end - start
    if size == 1 and data[start] == _Z:
        return 0, True
    if size == 3 and data[start] == _U and data[start + 1] == _T and data[start + 2] == _C:
        return 0, True
    if data[start] != _PLUS and data[start] != _MINUS:
        return _BAD, True
    hours, i = read_digits(data, start + 1, end)
    width = i - start - 1
    minutes = 0
    if width == 4 and i == end:
        hours, minutes = hours // 100, hours % 100
    elif width == 2 and i < end and data[i] == _COLON:
        minutes, j = read_digits(data, i + 1, end)
        if j != end or j - i != 3:
            return _BAD, True
    elif width != 2 or i != end:
        return _BAD, True
    if hours > 15 or minutes > 59:
        return _BAD, True
    return (-1 if data[start] == _MINUS else 1) * (hours * 60 + minutes) * MINUTE_NS, True


@kernel
def read_epoch(data: Bytes, start: int, end: int) -> tuple[int, int]:
    """Nanoseconds (or _BAD) and the unit, by the number of digits before the point."""
    first = start + 1 if start < end and data[start] == _MINUS else start
    while first < end and data[first] == _ZERO:
        first += 1
    value, i = read_digits(data, first, end)
    fraction_ns, after = read_fraction(data, i, end)
    unit = unit_of(value)
    scale = _SCALES[unit]
    if after != end or unit == TEXT or value >= _LIMIT // scale:
        return _BAD, TEXT
    # A fraction of a second scaled to a fraction of the unit.
    total = value * scale + fraction_ns // (SECOND_NS // scale)
    return (-total if data[start] == _MINUS else total), unit


@kernel
def unit_of(value: int) -> int:
    """By the number of digits; TEXT below 9 of them, and for what is negative."""
    if value < 100_000_000:
        return TEXT
    if value < 10_000_000_000:
        return SECONDS
    if value < 10_000_000_000_000:
        return MILLISECONDS
    return MICROSECONDS if value < 10_000_000_000_000_000 else NANOSECONDS


@kernel
def read_epochs(values: Int64, wall_ns: Int64, unit: Int8) -> int:
    """Numbers as `read_stamps` reads their digits. Returns the first that cannot be read, or -1."""
    for row in range(len(values)):
        value = values[row]
        size = -value if value < 0 else value
        day_ns = _BAD
        if 10_000_000 <= value < 100_000_000:
            day_ns = compact_date(value)
        elif 100_000_000_000 <= value < 1_000_000_000_000:
            day_ns = compact_moment(value * 100)
        elif 10_000_000_000_000 <= value < 100_000_000_000_000:
            day_ns = compact_moment(value)
        unit[row] = TEXT if day_ns != _BAD else unit_of(size)
        if day_ns == _BAD:
            scale = _SCALES[unit[row]]
            if unit[row] == TEXT or size >= _LIMIT // scale:
                return row
            day_ns = -(size * scale) if value < 0 else size * scale
        wall_ns[row] = day_ns
    return -1
