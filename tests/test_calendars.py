"""Trading sessions by name, against two references that know nothing of each other or of us."""

import sys
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from engine.calendars import (
    Calendar,
    CalendarError,
    CalendarPackageError,
    calendars_of,
    schedule_of,
    sessions_of,
    span_ns,
    version_of,
)
from engine.sessions import sessions_of as sessions_by
from engine.timeframes import DAY_NS, MINUTE_NS
from tests.makers import instrument

NEW_YORK = ZoneInfo("America/New_York")


def ns(text: str) -> int:
    return int(np.datetime64(text, "ns").astype(np.int64))


FIRST, LAST = ns("2024-01-01"), ns("2028-01-03") - 1
MINUTES = np.arange(FIRST, LAST, MINUTE_NS)


def inside(calendar: str, hours: str = "regular", minutes: np.ndarray = MINUTES) -> np.ndarray:
    """Whether each of the minutes lies in a session."""
    # Sunday evening belongs to the week that begins with Monday's session.
    found = sessions_of(calendar, hours, FIRST, LAST + 7 * DAY_NS)
    assert found is not None
    opens_ns, closes_ns = found
    at = np.searchsorted(opens_ns, minutes, "right") - 1
    return (at >= 0) & (minutes < closes_ns[np.maximum(at, 0)])


def session(calendar: str, day: str, hours: str = "regular") -> tuple[str, str] | None:
    """Open and close of the session of `day`, on the clocks of New York."""
    found = schedule_of(calendar, hours, ns(day), ns(day))
    assert found is not None
    places = np.flatnonzero(found.days_ns == ns(day))
    return None if not len(places) else (clock(int(found.opens_ns[places[0]])), clock(int(found.closes_ns[places[0]])))


def clock(time_ns: int) -> str:
    return f"{datetime.fromtimestamp(time_ns // 10**9, UTC).astimezone(NEW_YORK):%m-%d %H:%M}"


# --------------------------------------------------------------------------------- exchanges


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("calendar", ["XNYS", "XLON", "XETR", "CMES", "XTKS"])
def test_every_minute_of_four_years_is_where_the_package_says(calendar: str) -> None:
    package = pytest.importorskip("exchange_calendars")
    known = package.get_calendar(calendar, start="2023-12-25", end="2028-01-09")
    open_ns = np.asarray(known.minutes, "datetime64[ns]").astype(np.int64)
    expected = np.isin(MINUTES, open_ns)
    if known.break_starts.notna().any():  # a lunch break is inside its session
        breaks = zip(known.break_starts, known.break_ends, strict=True)
        for start, end in ((one.value, other.value) for one, other in breaks if one.year >= 2024):
            expected[(start - FIRST) // MINUTE_NS : (end - FIRST) // MINUTE_NS] = True

    found = inside(calendar)

    assert np.array_equal(found, expected)
    for minute in MINUTES[np.flatnonzero(np.diff(found))][::97].tolist():
        for one in (minute, minute + MINUTE_NS):
            is_open = known.is_open_on_minute(np.datetime64(one, "ns"), ignore_breaks=True)
            assert is_open == found[(one - FIRST) // MINUTE_NS]


@pytest.mark.parametrize(
    ("day", "regular", "extended"),
    [
        ("2026-03-06", ("03-06 09:30", "03-06 16:00"), ("03-06 04:00", "03-06 20:00")),
        ("2026-03-09", ("03-09 09:30", "03-09 16:00"), ("03-09 04:00", "03-09 20:00")),
        ("2026-11-02", ("11-02 09:30", "11-02 16:00"), ("11-02 04:00", "11-02 20:00")),
        ("2024-02-29", ("02-29 09:30", "02-29 16:00"), ("02-29 04:00", "02-29 20:00")),
        ("2024-11-29", ("11-29 09:30", "11-29 13:00"), ("11-29 04:00", "11-29 17:00")),
        ("2024-12-24", ("12-24 09:30", "12-24 13:00"), ("12-24 04:00", "12-24 17:00")),
        ("2024-12-31", ("12-31 09:30", "12-31 16:00"), ("12-31 04:00", "12-31 20:00")),
        ("2025-01-01", None, None),
        ("2026-03-08", None, None),
    ],
)
def test_special_days_of_new_york(day: str, regular: tuple[str, str] | None, extended: tuple[str, str] | None) -> None:
    pytest.importorskip("exchange_calendars")

    assert session("XNYS", day) == regular
    assert session("XNYS", day, "extended") == extended
    assert session("NASDAQ", day, "extended") == extended


def test_extended_hours_hold_the_regular_ones() -> None:
    pytest.importorskip("exchange_calendars")

    assert (inside("XNYS", "extended") >= inside("XNYS")).all()


@pytest.mark.parametrize(("calendar", "hours"), [("XLON", "extended"), ("CMES", "extended"), ("FX", "extended")])
def test_unknown_extended_hours_are_refused(calendar: str, hours: str) -> None:
    with pytest.raises(CalendarError, match=f"hours of .*{calendar} must be regular, was extended"):
        sessions_of(calendar, hours, FIRST, LAST)


def test_an_unknown_calendar_names_what_is_known() -> None:
    pytest.importorskip("exchange_calendars")

    with pytest.raises(CalendarError, match=r"FX or a code of exchange_calendars such as XNYS.*was 'NOPE'"):
        sessions_of("NOPE", "regular", FIRST, LAST)


def test_years_without_a_session_are_refused() -> None:
    pytest.importorskip("exchange_calendars")

    with pytest.raises(CalendarError, match="XSHG"):
        sessions_of("XSHG", "regular", ns("1970-01-05"), ns("1971-01-05"))


def test_a_missing_package_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "exchange_calendars", None)

    with pytest.raises(CalendarPackageError, match=r"pip install 'wyckoff-engine\[calendars\]'"):
        sessions_of("XNYS", "regular", FIRST, LAST)


def test_what_needs_no_package_imports_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "exchange_calendars", None)

    assert sessions_of("", "regular", FIRST, LAST) is None
    assert sessions_of("FX", "regular", FIRST, LAST) is not None
    assert (version_of(""), version_of("FX")) == ("", "")


# ---------------------------------------------------------------------------------------- FX


def test_every_minute_of_four_years_of_fx_is_where_the_clocks_of_new_york_say() -> None:
    """Sunday 17:00 to Friday 17:00, asked of each minute by itself."""
    hours = np.arange(FIRST, LAST, 60 * MINUTE_NS)
    local = [datetime.fromtimestamp(hour // 10**9, UTC).astimezone(NEW_YORK) for hour in hours.tolist()]
    # Monday 0: closed from Friday 17:00 to Sunday 17:00. All borders are at whole hours.
    since_monday = np.array([one.weekday() * 24 + one.hour for one in local])
    expected = np.repeat((since_monday < 4 * 24 + 17) | (since_monday >= 6 * 24 + 17), 60)

    assert np.array_equal(inside("FX"), expected)


def test_fx_days_turn_at_five_in_new_york_all_year() -> None:
    assert session("FX", "2026-03-06") == ("03-05 17:00", "03-06 17:00")
    assert session("FX", "2026-03-09") == ("03-08 17:00", "03-09 17:00")
    assert session("FX", "2026-11-02") == ("11-01 17:00", "11-02 17:00")
    assert session("FX", "2024-02-29") == ("02-28 17:00", "02-29 17:00")
    assert session("FX", "2025-01-01") == ("12-31 17:00", "01-01 17:00")
    assert session("FX", "2026-03-08") is None
    found = schedule_of("FX", "regular", FIRST, LAST)
    assert found is not None
    weekdays = (found.days_ns // DAY_NS + 3) % 7
    assert (found.opens_ns[1:][weekdays[1:] > 0] == found.closes_ns[:-1][weekdays[1:] > 0]).all()
    assert sorted(set(((found.closes_ns - found.opens_ns) // (60 * MINUTE_NS)).tolist())) == [24]


# ------------------------------------------------------------------------- arrays, and on tape


@pytest.mark.parametrize("calendar", ["FX", "XNYS", "CMES"])
def test_arrays_are_whole_weeks_of_sessions_that_follow_each_other(calendar: str) -> None:
    if calendar != "FX":
        pytest.importorskip("exchange_calendars")
    first_ns = ns("2024-06-12T15:00")

    opens_ns, closes_ns = sessions_of(calendar, "regular", *span_ns(first_ns)) or (MINUTES, MINUTES)

    assert (opens_ns[1:] >= closes_ns[:-1]).all()
    assert opens_ns[0] < first_ns - 365 * DAY_NS
    assert closes_ns[-1] > ns("2049-12-30")
    last_days = [date(1970, 1, 1) + timedelta(days=int(one) // DAY_NS) for one in (closes_ns[0] - 1, closes_ns[-1] - 1)]
    assert [one.weekday() for one in last_days] == [0, 4]
    sessions_by([(opens_ns, closes_ns)], [0])


def test_the_span_is_a_function_of_the_first_row() -> None:
    assert span_ns(FIRST)[1] == span_ns(FIRST + 7 * DAY_NS)[1] == ns("2050-01-01") - 1
    assert span_ns(ns("2049-06-01"))[1] > ns("2051-05-31")


def test_a_calendar_on_a_tape_is_the_calendar() -> None:
    opens_ns, closes_ns = sessions_of("FX", "regular", *span_ns(FIRST)) or (MINUTES, MINUTES)

    kept = Calendar.of("FX", "regular", opens_ns, closes_ns)

    assert np.array_equal(kept.opens_ns, opens_ns)
    assert np.array_equal(kept.closes_ns, closes_ns)
    assert len(kept.opens) + len(kept.closes) < 2_000


def test_one_moved_close_is_another_identity() -> None:
    opens_ns, closes_ns = sessions_of("FX", "regular", *span_ns(FIRST)) or (MINUTES, MINUTES)
    moved = closes_ns.copy()
    moved[700] -= 1

    plain = Calendar.of("FX", "regular", opens_ns, closes_ns).identity

    assert plain.startswith("FX regular ")
    assert Calendar.of("FX", "regular", opens_ns, moved).identity != plain


def test_a_run_has_each_calendar_once() -> None:
    pytest.importorskip("exchange_calendars")
    instruments = [
        instrument("A", calendar="XNYS"), instrument("B", calendar="XNYS", hours="extended"),
        instrument("C", calendar="FX"), instrument("D"), instrument("E", calendar="XNYS"),
    ]  # fmt: skip

    found = calendars_of(instruments, FIRST)

    assert [(one.name, one.hours) for one in found] == [("FX", "regular"), ("XNYS", "extended"), ("XNYS", "regular")]
    assert [one.maker.split()[:1] for one in found] == [[], ["exchange_calendars"], ["exchange_calendars"]]
