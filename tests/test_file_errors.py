"""Bad files: each has one clear message, and none of them hangs or crashes."""

import builtins
import gzip
import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from adapters.feed_errors import (
    CalendarError,
    FeedError,
    FileError,
    FormatError,
    LayoutError,
    OrderError,
    PackageError,
    TimeframeError,
)
from adapters.files import FileOptions, open_feed
from engine.blocks import BlockError
from tests.adapters.file_makers import DAILY, PRINTS, read, write


def refused(error: type[ValueError], path: Path, text: str, **options: Any) -> None:
    """The file is refused with exactly this message behind its path."""
    with pytest.raises(error, match="^" + re.escape(f"{path}: {text}")):
        read(path, **options)


# ----------------------------------------------------------------------- the file itself


def test_missing_file(tmp_path: Path) -> None:
    refused(FileError, tmp_path / "no.csv", "must be a file, was missing")


def test_directory(tmp_path: Path) -> None:
    refused(FileError, tmp_path, "must be a file, was a directory")


def test_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    refused(FileError, tmp_path / "pipe", "must be a file, was a device or pipe")


def test_unreadable_permissions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, DAILY)

    def locked(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", locked)

    refused(FileError, path, "must be readable, was refused (Permission denied)")


@pytest.mark.parametrize("name", ["e.csv", "e.csv.gz"])
def test_empty_file(tmp_path: Path, name: str) -> None:
    refused(FileError, write(tmp_path, "", name), "must hold a header and rows, was empty")


@pytest.mark.parametrize("text", [DAILY.splitlines()[0], PRINTS.splitlines()[0] + "\n\n"])
def test_header_only(tmp_path: Path, text: str) -> None:
    refused(FileError, write(tmp_path, text), "must hold rows, was a header only")


def test_truncated_gzip(tmp_path: Path) -> None:
    path = tmp_path / "t.csv.gz"
    path.write_bytes(gzip.compress(DAILY.encode() * 50)[:-20])

    refused(FormatError, path, "gzip data must be complete, was truncated")


def test_damaged_gzip(tmp_path: Path) -> None:
    data = bytearray(gzip.compress(DAILY.encode()))
    data[-6] ^= 255
    path = tmp_path / "t.csv.gz"
    path.write_bytes(data)

    refused(FormatError, path, "gzip data must be sound, was damaged")


@pytest.mark.parametrize(
    ("start", "what"),
    [
        (b"<!DOCTYPE html><html>", "HTML or XML"),
        (b' \n{"bars": []}', "JSON that is no array"),
        ("Date,Open".encode("utf-16"), "UTF-16 text"),
        (b"Date,Open\x00,High\n", "binary data"),
    ],
)
@pytest.mark.parametrize("name", ["w.csv", "w.csv.gz"])
def test_wrong_format(tmp_path: Path, start: bytes, what: str, name: str) -> None:
    path = write(tmp_path, start, name)

    refused(FormatError, path, f"must be CSV, JSON rows, Parquet or Feather, was {what}")


@pytest.mark.parametrize(
    ("start", "text"),
    [
        (b"PK\x03\x04 rest", "zip data must be sound, was damaged (File is not a zip file)"),
        (b"\x28\xb5\x2f\xfd rest", "zstd data must be"),
        (b"\xfd7zXZ\x00 rest", "xz data must be"),
        (b"\x1f\x8b rest", "gzip data must be complete, was truncated"),
        (b"ARROW1\x00\x00", "Feather must be sound, was truncated or damaged"),
        (b"PAR1 rest", "Parquet must be sound, was truncated or damaged"),
        (b"a" * 257 + b"ustar\x0000", "tar data must be complete, was truncated"),
    ],
)
def test_a_container_of_nothing(tmp_path: Path, start: bytes, text: str) -> None:
    refused(FormatError, write(tmp_path, start), text)


def test_text_that_is_not_utf8(tmp_path: Path) -> None:
    path = write(tmp_path, DAILY.replace("12,200", "12,2é0").encode("latin-1"))

    refused(FormatError, path, "text must be UTF-8, was byte 0xe9 in row 3")


def test_a_line_without_end(tmp_path: Path) -> None:
    path = write(tmp_path, DAILY + "1" * (3 << 20))

    refused(FormatError, path, "lines must be at most 1048576 bytes")


def test_an_open_quote(tmp_path: Path) -> None:
    refused(FormatError, write(tmp_path, DAILY.replace("2020-01-02", '"2020-01-02')), "quoting must be sound")


def test_carriage_return_line_ends(tmp_path: Path) -> None:
    refused(FormatError, write(tmp_path, DAILY.replace("\n", "\r")), "lines must end in LF or CR LF, was CR")


# ------------------------------------------------------------------------------- columns


def test_no_header(tmp_path: Path) -> None:
    path = write(tmp_path, "1514764800000,13763,13753\n" * 3)

    refused(LayoutError, path, "row 1 must be a header, or a row of a known layout (bitfinex, freqtrade, ")


def test_unknown_columns(tmp_path: Path) -> None:
    refused(
        LayoutError, write(tmp_path, "a,b\n1,2\n"),
        "columns must hold open, high, low, close (bars), price, size (trades) or bid, ask (quotes), was 'a', 'b'",
    )  # fmt: skip


def test_no_time_column(tmp_path: Path) -> None:
    path = write(tmp_path, "o,h,l,c,v\n1,1,1,1,1\n")

    refused(
        LayoutError, path,
        "time must be one of unix, ms, timestamp, ts, opentime, datetime, gmttime, localtime, date, time, was 'o'",
    )  # fmt: skip


def test_two_columns_of_one_name(tmp_path: Path) -> None:
    path = write(tmp_path, "Date,Open,High,Low,Close,close,Volume\n")

    refused(LayoutError, path, "close must be one column, was 2 named 'close'")


def test_mapping_to_a_column_that_is_not_there(tmp_path: Path) -> None:
    refused(
        LayoutError, write(tmp_path, DAILY),
        "mapping.volume must be one of 'Date', 'Open', 'High', 'Low', 'Close', 'Volume', was 'Shares'",
        mapping={"volume": "Shares"},
    )  # fmt: skip


def test_no_symbol_anywhere(tmp_path: Path) -> None:
    refused(LayoutError, write(tmp_path, DAILY, ".csv"), "symbol must be named")


# ----------------------------------------------------------------------------- whole file


def test_unsorted_where_sorting_is_not_allowed(tmp_path: Path) -> None:
    text = DAILY + "2020-01-01,1,1,1,1,1\n2020-01-04,1,1,1,1,1\n"

    refused(
        OrderError, write(tmp_path, text),
        "row 5: time must not be before the row above where sort = false, was 2020-01-01T00:00:00.000000000",
        sort=False,
    )  # fmt: skip


@pytest.mark.parametrize("text", [DAILY, PRINTS])
def test_newest_first_where_sorting_is_not_allowed(tmp_path: Path, text: str) -> None:
    header, *rows = text.splitlines()
    path = write(tmp_path, "\n".join([header, *reversed(rows)]))

    with pytest.raises(OrderError, match=r"row 3: time must not be before .*\(the file is newest first\)"):
        read(path, sort=False)


def test_spacing_that_is_no_timeframe(tmp_path: Path) -> None:
    path = write(tmp_path, "ts,o,h,l,c,v\n1600000000,1,1,1,1,1\n1600001800,1,1,1,1,1\n")

    refused(TimeframeError, path, "spacing must be one of 1m, 5m, 15m, 1h, 4h, 1d, 1w, was 1800 s; name a timeframe")


def test_one_row_shows_no_spacing(tmp_path: Path) -> None:
    path = write(tmp_path, "ts,o,h,l,c,v\n1600000000,1,1,1,1,1\n")

    refused(TimeframeError, path, "spacing must be one of 1m, 5m, 15m, 1h, 4h, 1d, 1w, was without two different")
    assert read(path, timeframe="5m").feed.timeframe == "5m"


def test_a_timeframe_longer_than_the_spacing(tmp_path: Path) -> None:
    path = write(tmp_path, "ts,o,h,l,c,v\n1600000000,1,1,1,1,1\n1600000060,1,1,1,1,1\n")

    refused(TimeframeError, path, "stamps must be 1d apart, was 60 s most often", timeframe="1d")


def test_unknown_calendar(tmp_path: Path) -> None:
    refused(CalendarError, write(tmp_path, DAILY), 'calendar must be "", FX or a code', calendar="NOPE")


@pytest.mark.parametrize(
    ("package", "name", "options", "extra"),
    [
        ("pyarrow", "p.parquet", {}, "wyckoff-engine[parquet]"),
        ("exchange_calendars", "p.csv", {"calendar": "XNYS"}, "wyckoff-engine[calendars]"),
    ],
)
def test_a_missing_package_names_its_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str, name: str, options: dict[str, Any], extra: str
) -> None:
    path = write(tmp_path, b"PAR1" if name.endswith("parquet") else DAILY.encode(), name)
    monkeypatch.setitem(sys.modules, package, None)

    with pytest.raises(PackageError, match=re.escape(f"pip install '{extra}'")):
        read(path, **options)


def test_csv_needs_neither_pyarrow_nor_pandas(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def guarded(name: str, *rest: Any) -> Any:
        assert name.split(".")[0] not in ("pyarrow", "pandas", "exchange_calendars")
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", guarded)

    assert read(write(tmp_path, DAILY)).counts == {"rows": 3}


# ---------------------------------------------------------------------------------- rows


@pytest.mark.parametrize(
    ("row", "text"),
    [
        ("2020-01-04,x,1,1,1,1", "open must be a number, was 'x'"),
        ("2020-01-04,1,1_0,1,1,1", "high must be a number, was '1_0'"),
        ("2020-01-04,,1,1,1,1", "open must be a finite number, was nan"),
        ("2020-01-04,1,1,1,1,", "volume must be a finite number, was nan"),
        ("2020-01-04,1,inf,1,1,1", "high must be a finite number, was inf"),
        ("2020-01-04,1,1,0,1,1", "low must be > 0, was 0.0"),
        ("2020-01-04,1,1,-1,1,1", "low must be > 0, was -1.0"),
        ("2020-01-04,2,1,2,2,1", "high must be >= low, was 1.0"),
        ("2020-01-04,1,2,1,3,1", "high must be >= open and close, was 2.0"),
        ("2020-01-04,2,3,2,1,1", "low must be <= open and close, was 2.0"),
        ("2020-01-04,1,1,1,1,-1", "volume must be >= 0, was -1.0"),
        ("2020-02-30,1,1,1,1,1", "time must be an ISO 8601 date and time"),
        (",1,1,1,1,1", "time must be an ISO 8601 date and time"),
        ("0,1,1,1,1,1", "time must be an ISO 8601 date and time"),
        ("2020-01-04,1,1,1,1", "fields must be 6 as in the header, was 5"),
        ("2020-01-04,1,1,1,1,1,1", "fields must be 6 as in the header, was 7"),
        ('"2020-01-04",1,1,1,1', "fields must be 6 as in the header, was 5"),
    ],
)
def test_a_bar_that_cannot_be_market_data(tmp_path: Path, row: str, text: str) -> None:
    refused(BlockError, write(tmp_path, f"{DAILY}{row}\n"), f"row 5: {text}")


@pytest.mark.parametrize(
    ("row", "text"),
    [
        ("1600000000003,0,1,buy,9", "price must be > 0, was 0.0"),
        ("1600000000003,1,-1,buy,9", "size must be >= 0, was -1.0"),
        ("1600000000003,1,nan,buy,9", "size must be a finite number, was nan"),
        ("1600000000003,1,1,up,9", "side must be one of buy, b, bid, sell, s, ask"),
        ("yesterday,1,1,buy,9", "time must be an ISO 8601 date and time"),
    ],
)
def test_a_print_that_cannot_be_market_data(tmp_path: Path, row: str, text: str) -> None:
    refused(BlockError, write(tmp_path, f"{PRINTS}{row}\n"), f"row 6: {text}")


def test_a_row_without_symbol(tmp_path: Path) -> None:
    path = write(tmp_path, "symbol,time,price,size\nA,1600000000,1,1\n,1600000000,1,1\n")

    refused(BlockError, path, "row 3: symbol must be a name, was ''")


def test_a_trade_count_that_is_none(tmp_path: Path) -> None:
    path = write(tmp_path, DAILY.replace("Volume", "Volume,Trades").replace("00\n", "00,-5\n"))

    refused(BlockError, path, "row 2: trades must be between 0 and 2147483647, was '-5.0'")


# ------------------------------------------------------------------------------- options


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"timeframe": "2h"}, "timeframe must be one of 1m, 5m, 15m, 1h, 4h, 1d, 1w, was '2h'"),
        ({"mapping": {"prize": "x"}}, "mapping must map one of time, symbol"),
        ({"zone": "Mars/Olympus"}, "zone must be an IANA time zone, was 'Mars/Olympus'"),
        ({"zone": "../x"}, "zone must be an IANA time zone"),
        ({"start_ns": 5, "end_ns": 5}, "start_ns must be before end_ns 5, was 5"),
        ({"symbol": ""}, "at least 1 character"),
        ({"adjust": "maybe"}, "'auto', 'none', 'splits' or 'all'"),
        ({"tz": "UTC"}, "Extra inputs are not permitted"),
    ],
)
def test_options_that_make_no_sense(options: dict[str, Any], text: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(text)):
        FileOptions(**options)


# ------------------------------------------------------------------------------- garbage


GARBAGE = st.one_of(
    st.binary(max_size=400),
    st.binary(max_size=200).map(gzip.compress),
    st.binary(max_size=200).map(lambda data: b"PAR1" + data + b"PAR1"),
    st.binary(max_size=200).map(lambda data: DAILY.encode() + data),
    st.binary(max_size=200).map(lambda data: PRINTS.encode() + data),
    st.text('0123456789-: TZ.,;\n\r"ex+', max_size=300).map(lambda text: (DAILY + text).encode()),
    st.text('0123456789-: TZ.,;\n\r"ex+', max_size=300).map(lambda text: (PRINTS + text).encode()),
)  # fmt: skip


def complaint(path: Path) -> str:
    """What reading the file says, where it is one of the two errors it may raise."""
    try:
        read(path)
    except (FeedError, BlockError) as error:
        return str(error)
    return "none"


@settings(max_examples=300, deadline=2_000, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=GARBAGE)
@example(data=b"\n")
@example(data=b",,,\n,,,\n")
@example(data=b'"')
@example(data=b"\xef\xbb\xbf")
@example(data=b"\x1f\x8b")
@example(data=b"PAR1")
def test_garbage_is_refused_and_nothing_else_happens(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "AAA.csv"
    path.write_bytes(data)

    assert complaint(path).startswith((f"{path}: ", "none"))


@settings(max_examples=150, deadline=2_000, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(0, 10_000), bit=st.integers(1, 255), cut=st.booleans())
@pytest.mark.parametrize("text", [DAILY, PRINTS])
@pytest.mark.parametrize("name", ["AAA.csv", "AAA.csv.gz"])
def test_a_damaged_file_is_read_or_refused(tmp_path: Path, text: str, name: str, at: int, bit: int, cut: bool) -> None:
    path = write(tmp_path, text, name)
    data = bytearray(path.read_bytes())
    data[at % len(data)] ^= bit
    path.write_bytes(data[: at % len(data)] if cut else data)

    assert complaint(path).startswith((f"{path}: ", "none"))


def test_an_error_of_a_feed_is_a_value_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError):
        open_feed(tmp_path / "missing.csv")
