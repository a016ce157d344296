"""Times as text: what is written is read back, and nothing but a time is read."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.iso import TimeError, iso, iso_column, parse_iso
from engine.messages import FOREVER_NS, NEVER_NS

TIMES = st.integers(-(2**63) + 10**9, 2**63 - 1 - 10**9)


@given(TIMES)
def test_a_time_written_is_the_time_read(time_ns: int) -> None:
    assert parse_iso(iso(time_ns)) == time_ns


@given(
    st.lists(st.one_of(TIMES, st.sampled_from((NEVER_NS, FOREVER_NS)), st.integers(0, 10**9).map(lambda s: s * 10**9)))
)
def test_a_column_is_written_as_its_times_are(times_ns: list[int]) -> None:
    assert iso_column(np.array(times_ns, np.int64)) == [iso(time_ns) for time_ns in times_ns]


@given(TIMES, TIMES)
def test_whole_seconds_sort_as_text_as_they_do_as_numbers(one_ns: int, other_ns: int) -> None:
    one, other = one_ns // 10**9 * 10**9, other_ns // 10**9 * 10**9

    assert (iso(one) < iso(other)) == (one < other)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1970-01-02", 86_400 * 10**9),
        ("1970-01-01T00:00:01Z", 10**9),
        ("1970-01-01 00:00", 0),
        ("1970-01-01T02:00:00+02:00", 0),
        ("1970-01-01T00:00:00.123456789Z", 123_456_789),
        ("1969-12-31T23:59:59.5Z", -500_000_000),
        ("1970-01-01T02:00:00,5+02:00", 500_000_000),
    ],
)
def test_forms_that_are_read(text: str, expected: int) -> None:
    assert parse_iso(text) == expected


@pytest.mark.parametrize(
    "text", ["", "now", "today", "NaT", "yesterday", "2012-13-01", "2012-06-31", "12/06/2012", "1"]
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(TimeError, match="ISO 8601"):
        parse_iso(text)


@pytest.mark.parametrize("text", ["1500-01-01", "9999-01-01"])
def test_what_nanoseconds_cannot_hold_is_refused(text: str) -> None:
    with pytest.raises(TimeError, match="between"):
        parse_iso(text)


def test_times_before_and_after_every_stamp_are_empty() -> None:
    assert (iso(NEVER_NS), iso(FOREVER_NS)) == ("", "")
