"""Time stamps of every form, against Python's own calendar and time zones."""

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters import stamps
from adapters.texts import CellError, Texts, identities, numbers, words

SECOND_NS = 1_000_000_000


def utc(text: str, zone: str = "UTC") -> str:
    return stamps.iso(stamps.from_texts(Texts.of([text]), zone).utc_ns[0]).removesuffix(".000000000")


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2020-01-01", "2020-01-01T00:00:00"),
        ("2020-1-5", "2020-01-05T00:00:00"),
        ("2020/01/05 09:30", "2020-01-05T09:30:00"),
        ("20200105", "2020-01-05T00:00:00"),
        ("20200105 09:30", "2020-01-05T09:30:00"),
        ("202001050930", "2020-01-05T09:30:00"),
        ("20200105093015", "2020-01-05T09:30:15"),
        ("2020-01-05T09:30:00Z", "2020-01-05T09:30:00"),
        ("2020-01-05 09:30:00 UTC", "2020-01-05T09:30:00"),
        ("2022-03-14 04:00:00-04:00", "2022-03-14T08:00:00"),
        ("2022-03-14 04:00+0530", "2022-03-13T22:30:00"),
        ("2022-03-14T04:00:00+09", "2022-03-13T19:00:00"),
        ("2022-03-14 04:00:00.5", "2022-03-14T04:00:00.500000000"),
        ("2022-03-14 04:00:00.123456789", "2022-03-14T04:00:00.123456789"),
        ("1969-12-31 23:59", "1969-12-31T23:59:00"),
        ("2000-02-29", "2000-02-29T00:00:00"),
        ("1577836800", "2020-01-01T00:00:00"),
        ("1577836800.0", "2020-01-01T00:00:00"),
        ("1577836800.25", "2020-01-01T00:00:00.250000000"),
        ("1577836800000", "2020-01-01T00:00:00"),
        ("1577836800000.5", "2020-01-01T00:00:00.000500000"),
        ("1577836800000000", "2020-01-01T00:00:00"),
        ("1577836800000000001", "2020-01-01T00:00:00.000000001"),
        ("-1577836800", "1920-01-02T00:00:00"),
    ],
)
def test_every_form_is_read(text: str, moment: str) -> None:
    assert utc(text) == moment


@pytest.mark.parametrize(
    "text",
    [
        "", "0", "1", "12345678", "2020-02-30", "1900-02-29", "2020-13-01", "2020-00-01", "2020-01-00", "2020-01",
        "2020-01-01 24:00", "2020-01-01 10:60", "2020-01-01 10:0", "2020-01-01 10:00:", "2020-01-01 10:00:60",
        "2020-01-01T", "2020-01-01T1", "2020-01-01 10:00 EST", "2020-01-01 10:00:00+", "2020-01-01 10:00+1",
        "2020-01-01 10:00+01:0", "2020-01-01x10:00", "2020-01/01", "1/4/1999", "1.5e9", "--1577836800", "x",
        "9999999999", "9223372036854775807", "9999999999999999999", "99999999999999999999", "1500-01-01",
        "2300-01-01", "٢٠٢٠-٠١-٠١",
    ],
)  # fmt: skip
def test_everything_else_is_refused(text: str) -> None:
    with pytest.raises(CellError, match="must be an ISO 8601 date and time") as caught:
        stamps.from_texts(Texts.of(["2020-01-01", text]), "UTC")
    assert caught.value.index == 1


def test_units_are_counted_row_by_row() -> None:
    found = stamps.from_texts(Texts.of(["1577836800", "1577836800000", "2020-01-01"]), "UTC")

    assert found.unit.tolist() == [stamps.SECONDS, stamps.MILLISECONDS, stamps.TEXT]
    assert len(set(found.utc_ns.tolist())) == 1


def test_the_wall_clock_is_the_one_the_stamp_shows() -> None:
    found = stamps.from_texts(Texts.of(["2022-03-14 00:00:00+09:00"]), "UTC")

    assert stamps.iso(found.wall_ns[0]) == "2022-03-14T00:00:00.000000000"
    assert stamps.iso(found.utc_ns[0]) == "2022-03-13T15:00:00.000000000"


MOMENTS = st.datetimes(min_value=datetime(1973, 4, 1), max_value=datetime(2261, 1, 1))


@settings(deadline=None)
@given(moment=MOMENTS, minutes=st.integers(-14 * 60, 14 * 60))
def test_iso_stamps_agree_with_python(moment: datetime, minutes: int) -> None:
    aware = moment.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    expected = (aware - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 1_000

    for separator in ("T", " "):
        found = stamps.from_texts(Texts.of([aware.isoformat(separator)]), "UTC")
        assert found.utc_ns[0] == expected


@settings(deadline=None)
@given(moment=MOMENTS)
def test_epoch_numbers_of_every_unit_agree(moment: datetime) -> None:
    seconds = (moment - datetime(1970, 1, 1)) // timedelta(seconds=1)

    found = stamps.from_texts(Texts.of([str(seconds * scale) for scale in (1, 10**3, 10**6, 10**9)]), "UTC")

    assert found.utc_ns.tolist() == [seconds * SECOND_NS] * 4


@settings(deadline=None)
@given(moment=MOMENTS.map(lambda moment: moment.replace(microsecond=0)))
@pytest.mark.parametrize("zone", ["America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"])
def test_naive_stamps_agree_with_python_in_any_zone(zone: str, moment: datetime) -> None:
    aware = moment.replace(tzinfo=ZoneInfo(zone))

    found = stamps.from_texts(Texts.of([str(moment)]), zone)

    assert found.utc_ns[0] == round(aware.timestamp()) * SECOND_NS


def test_moments_need_no_reading() -> None:
    noon = np.array([1577880000 * SECOND_NS])

    aware = stamps.from_moments(noon, zone="Asia/Tokyo", naive=False)
    naive = stamps.from_moments(noon, zone="Asia/Tokyo", naive=True)

    assert (aware.wall_ns - noon == 9 * 3600 * SECOND_NS).all()
    assert (aware.utc_ns == noon).all()
    assert (noon - naive.utc_ns == 9 * 3600 * SECOND_NS).all()
    assert (naive.wall_ns == noon).all()


def test_numbers_as_stamps_keep_their_fractions() -> None:
    found = stamps.from_numbers(np.array([1577836800.5, 1577836800000.0]))

    assert found.utc_ns.tolist() == [1577836800_500_000_000, 1577836800_000_000_000]


@settings(deadline=None)
@given(
    st.lists(st.one_of(st.floats(allow_nan=False), st.integers(-(10**20), 10**20), st.decimals(-1000, 1000, places=7)))
)
def test_numbers_are_read_as_python_reads_them(values: list[object]) -> None:
    texts = [str(value) for value in values]

    assert numbers(Texts.of(texts)).tolist() == [float(text) for text in texts]


@settings(deadline=None)
@given(st.lists(st.from_regex(r"[+-]?[0-9]{0,20}\.?[0-9]{0,20}", fullmatch=True)))
def test_decimals_round_as_python_rounds_them(texts: list[str]) -> None:
    readable = [text for text in texts if any(digit in text for digit in "0123456789")]

    assert numbers(Texts.of(readable)).tolist() == [float(text) for text in readable]


def test_decimals_of_seventeen_digits_are_exact() -> None:
    values = np.random.default_rng(7).random(1_000) * 100

    assert numbers(Texts.of([repr(value) for value in values.tolist()])).tolist() == values.tolist()


def test_identities_keep_whole_numbers_and_tell_texts_apart() -> None:
    found = identities(Texts.of(["7", "9223372036854775807", "a", "b", "a", ""])).tolist()

    assert found[:2] == [7, 2**63 - 1]
    assert found[2] == found[4] != found[3]
    assert found[5] == 0
    assert min(found) >= 0


@settings(deadline=None)
@given(st.lists(st.sampled_from(["A", "B", "BB", "", "é"])))
def test_words_name_every_text(texts: list[str]) -> None:
    codes, names = words(Texts.of(texts))

    assert [names[code] for code in codes.tolist()] == texts
    assert names == list(dict.fromkeys(texts))
