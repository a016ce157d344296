"""Stamps in text, exact to the nanosecond."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.codecs.fields import NS_PER_MS, NS_PER_S
from adapters.codecs.times import decimal_ns, rfc3339_ns


@given(st.integers(0, 2**63 - 1))
def test_seconds_are_read_without_rounding(time_ns: int) -> None:
    seconds, fraction = divmod(time_ns, NS_PER_S)

    assert decimal_ns(f"{seconds}.{fraction:09}", NS_PER_S) == time_ns


@given(st.integers(0, 2**63 - 1))
def test_milliseconds_are_read_without_rounding(time_ns: int) -> None:
    whole, fraction = divmod(time_ns, NS_PER_MS)

    assert decimal_ns(f"{whole}.{fraction:06}", NS_PER_MS) == time_ns


def test_digits_beyond_the_nanosecond_are_cut() -> None:
    assert decimal_ns("1.0000000019", NS_PER_S) == 1_000_000_001
    assert decimal_ns("7", NS_PER_MS) == 7_000_000


@pytest.mark.parametrize(
    "text", ["", "-1", "+1", "1.", ".1", "1e3", "1_0", " 1", "nan", "9223372036854.775808", "\u0661"]
)
def test_other_texts_are_no_decimal_stamps(text: str) -> None:
    with pytest.raises(msgspec.ValidationError, match="time must be"):
        decimal_ns(text, NS_PER_MS * 1_000 if "." in text else NS_PER_MS)


@given(st.datetimes(datetime(1970, 1, 1), datetime(2262, 1, 1)), st.integers(-14 * 60, 14 * 60))
def test_rfc_3339_is_read_to_the_microsecond_in_any_zone(moment: datetime, minutes: int) -> None:
    since = moment - datetime(1970, 1, 1)
    local = moment + timedelta(minutes=minutes)
    sign = "-" if minutes < 0 else "+"
    zone = f"{sign}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"

    found = rfc3339_ns(local.isoformat(timespec="microseconds") + zone)

    assert found == (since.days * 86_400 + since.seconds) * NS_PER_S + since.microseconds * 1_000


def test_nine_decimals_are_kept() -> None:
    expected = int(datetime(2023, 10, 4, 16, 26, 1, tzinfo=UTC).timestamp()) * NS_PER_S + 806_315_597

    assert rfc3339_ns("2023-10-04T16:26:01.806315597Z") == expected


@pytest.mark.parametrize(
    "text",
    [
        "", "2023-10-04", "2023-10-04T16:26:01", "2023-10-04 16:26:01Z", "20231004T162601Z", "2023-02-30T00:00:00Z",
        "2023-10-04T24:00:01Z", "2023-10-04T16:26:01.1234567891Z", "1969-12-31T23:59:59Z", "2262-12-31T00:00:00Z",
    ],
)  # fmt: skip
def test_other_texts_are_no_rfc_3339(text: str) -> None:
    with pytest.raises(msgspec.ValidationError, match="time must be"):
        rfc3339_ns(text)


@pytest.mark.parametrize("end", ["", ".25", ".999999999"])
@pytest.mark.parametrize("zone", ["Z", "-05:00"])
def test_a_leap_second_is_the_second_after_it(end: str, zone: str) -> None:
    hour = "23" if zone == "Z" else "18"
    following = rfc3339_ns("2017-01-01T00:00:00Z" if not end else f"2017-01-01T00:00:00{end}Z")

    assert rfc3339_ns(f"2016-12-31T{hour}:59:60{end}{zone}") == following
