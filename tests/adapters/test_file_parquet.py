"""Parquet files: the same rows as the same content in CSV."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.feed_errors import FeedError, FileError, FormatError, LayoutError
from adapters.files import open_feed
from engine.blocks import BlockError, equal
from engine.timeframes import DAY_NS
from tests.adapters.file_makers import DAILY, PRINTS, read, write
from tests.adapters.table_makers import found_in

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")
feather = pytest.importorskip("pyarrow.feather")

PRICES: dict[str, Any] = {"Open": [10.0, 11.0, 12.0], "High": [12, 13, 14], "Low": [9, 10, 11], "Close": [11, 12, 13]}
DAYS = [date(2020, 1, day) for day in (1, 2, 3)]


def save(folder: Path, columns: Mapping[str, Any], name: str = "AAA.parquet") -> Path:
    path = folder / name
    pq.write_table(pa.table(dict(columns)), path)
    return path


def daily(**changes: Any) -> dict[str, Any]:
    return {"Date": DAYS, **PRICES, "Volume": [100, 200, 300], **changes}


MIDNIGHTS = [datetime(2020, 1, day) for day in (1, 2, 3)]


@pytest.mark.parametrize(
    "dates",
    [
        DAYS,
        MIDNIGHTS,
        pa.array(MIDNIGHTS, pa.timestamp("ns")),
        pa.array(MIDNIGHTS, pa.timestamp("s")),
        pa.array([moment.replace(tzinfo=UTC) for moment in MIDNIGHTS], pa.timestamp("us", tz="UTC")),
        pa.array(
            [moment.replace(tzinfo=ZoneInfo("Asia/Tokyo")) for moment in MIDNIGHTS], pa.timestamp("ms", tz="Asia/Tokyo")
        ),
        [str(day) for day in DAYS],
        [1577836800, 1577923200, 1578009600],
        [1577836800000.0, 1577923200000.0, 1578009600000.0],
    ],
)
def test_times_of_every_type_give_the_bars_of_the_csv(tmp_path: Path, dates: Any) -> None:
    found = read(save(tmp_path, daily(Date=dates)))

    assert equal(found.block, read(write(tmp_path, DAILY)).block)


@pytest.mark.parametrize(
    "volume",
    [pa.array([Decimal(100), Decimal(200), Decimal(300)]), ["100", "200", "300"], pa.array([100, 200, 300], "float32")],
)
def test_numbers_of_every_type_give_the_bars_of_the_csv(tmp_path: Path, volume: Any) -> None:
    found = read(save(tmp_path, daily(Volume=volume)))

    assert equal(found.block, read(write(tmp_path, DAILY)).block)


def test_dictionary_encoded_symbols_are_read(tmp_path: Path) -> None:
    found = read(save(tmp_path, daily(symbol=pa.array(["B", "A", "B"]).dictionary_encode())), timeframe="1d")

    assert found.feed.symbols == ("A", "B")
    assert found.block.instrument.tolist() == [1, 0, 1]


def test_a_pandas_index_without_name_is_the_time(tmp_path: Path) -> None:
    columns = daily()
    columns["__index_level_0__"] = columns.pop("Date")

    assert read(save(tmp_path, columns)).block.open_ns[0] == 18_262 * DAY_NS


def test_prints_give_the_rows_of_the_csv(tmp_path: Path) -> None:
    header, *rows = [line.split(",") for line in PRINTS.splitlines()]
    columns: dict[str, Any] = {name: [row[at] for row in rows] for at, name in enumerate(header)}
    typed: dict[str, Any] = {
        **columns,
        "time": [int(ms) for ms in columns["time"]],
        "id": [int(one) for one in columns["id"]],
    }

    for version in (columns, typed):
        assert equal(read(save(tmp_path, version)).block, read(write(tmp_path, PRINTS)).block)


def test_rows_without_prices_are_dropped(tmp_path: Path) -> None:
    absent: dict[str, Any] = {name: [*values[:2], None] for name, values in PRICES.items()}

    found = read(save(tmp_path, daily(**absent, Volume=[100, 200, None])))

    assert found.counts == {"rows": 3, "nan_row": 1}


@pytest.mark.parametrize("compression", ["uncompressed", "lz4", "zstd"])
def test_feather_gives_the_rows_of_the_csv(tmp_path: Path, compression: str) -> None:
    path = tmp_path / "AAA.feather"
    feather.write_feather(pa.table(daily(symbol=["AAA", None, "AAA"], Date=MIDNIGHTS)), path, compression=compression)
    with pytest.raises(BlockError, match=r"AAA\.feather: row 2: symbol must be a name, was ''"):
        read(path)
    feather.write_feather(pa.table(daily(symbol=["AAA", " AAA ", "AAA"])), path, compression=compression, chunksize=2)

    assert equal(read(path).block, read(write(tmp_path, DAILY)).block)


def test_texts_of_a_slice_and_of_large_strings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.parquet.PAGE_ROWS", 2)
    names = ["AAA", "BBB", "C", "C", "AAA"]
    path = tmp_path / "x.feather"
    for kind in (pa.string(), pa.large_string(), pa.dictionary(pa.int8(), pa.string())):
        columns = {
            "time": [1577836800] * 5,
            "price": [1.0] * 5,
            "size": [1.0] * 5,
            "symbol": pa.array(names).cast(kind),
        }
        feather.write_feather(pa.table(columns), path)

        found = found_in(path)

        assert [found.symbols[code] for code in found.column("symbol")] == names


def test_a_text_behind_a_null_is_nothing(tmp_path: Path) -> None:
    _, offsets, data = pa.array(["AAA", "BBB", "AAA"]).buffers()
    symbols = pa.StringArray.from_buffers(3, offsets, data, pa.py_buffer(b"\x05"))
    path = tmp_path / "AAA.feather"
    feather.write_feather(pa.table(daily(symbol=symbols)), path)

    with pytest.raises(BlockError, match="row 2: symbol must be a name, was ''"):
        found_in(path)


def test_offsets_that_leave_the_file_are_refused(tmp_path: Path) -> None:
    _, _, data = pa.array(["AAA", "BBB", "AAA"]).buffers()
    offsets = pa.py_buffer(np.array([0, 3, 1_000_000, 9], np.int32).tobytes())
    path = tmp_path / "AAA.feather"
    columns = daily(symbol=pa.StringArray.from_buffers(3, offsets, data))
    feather.write_feather(pa.table(columns), path, compression="uncompressed")

    with pytest.raises(FormatError, match="Feather must be sound, was truncated or damaged"):
        found_in(path)


def test_old_and_truncated_feather(tmp_path: Path) -> None:
    path = tmp_path / "AAA.feather"
    path.write_bytes(b"FEA1" + bytes(600))
    with pytest.raises(FormatError, match=r"AAA\.feather: Feather must be of version 2, was version 1"):
        open_feed(path)
    feather.write_feather(pa.table(daily()), path)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(FormatError, match="Feather must be sound, was truncated or damaged"):
        open_feed(path)


def test_a_file_of_many_pages_counts_its_rows_from_one(tmp_path: Path) -> None:
    size = 150_000
    start = datetime(2020, 1, 1)
    columns: dict[str, Any] = {
        "time": [start + timedelta(seconds=row) for row in range(size)],
        "price": [1.0] * size,
        "size": [1.0] * size,
    }
    whole = read(save(tmp_path, columns))
    columns["price"][140_000] = -1.0

    assert whole.counts == {"rows": size}
    with pytest.raises(BlockError, match=r"AAA\.parquet: row 140001: price must be > 0, was -1\.0"):
        found_in(save(tmp_path, columns))


def test_an_absent_time_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BlockError, match="row 2: time must be an ISO 8601 date and time"):
        read(save(tmp_path, daily(Date=[DAYS[0], None, DAYS[2]])))


def test_a_step_back_between_two_pages_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.parquet.PAGE_ROWS", 2)
    seconds = [1577836803, 1577836804, 1577836801, 1577836802]

    found = read(save(tmp_path, {"time": seconds, "price": [1.0] * 4, "size": [1.0] * 4}))

    assert found.counts == {"rows": 4, "sorted": 1}
    assert (found.block.time_ns // 1_000_000_000).tolist() == sorted(seconds)


def test_names_that_are_not_utf8(tmp_path: Path) -> None:
    path = save(tmp_path, daily())
    path.write_bytes(path.read_bytes().replace(b"Volume", b"V\xfflume"))

    with pytest.raises(FormatError, match="Parquet must be sound, was truncated or damaged"):
        open_feed(path)


def test_truncated_parquet(tmp_path: Path) -> None:
    path = save(tmp_path, daily())
    path.write_bytes(path.read_bytes()[:-10])

    with pytest.raises(FormatError, match="Parquet must be sound, was truncated or damaged"):
        open_feed(path)


def test_parquet_without_rows(tmp_path: Path) -> None:
    columns = {name: pa.array([], "float64") for name in ("time", "price", "size")}

    with pytest.raises(FileError, match="must hold rows, was a header only"):
        open_feed(save(tmp_path, columns))


def test_parquet_with_a_zone_that_nobody_knows(tmp_path: Path) -> None:
    dates = pa.array([0, 1, 2], pa.timestamp("s", tz="Mars/Olympus"))

    with pytest.raises(FormatError, match="time zone must be an IANA name, was 'Mars/Olympus'"):
        open_feed(save(tmp_path, daily(Date=dates)))


def test_parquet_with_two_columns_of_one_name(tmp_path: Path) -> None:
    path = tmp_path / "AAA.parquet"
    pq.write_table(pa.Table.from_arrays([pa.array([1])] * 2, names=["time", "time"]), path)

    with pytest.raises(LayoutError, match="column names must differ, was time, time"):
        open_feed(path)


@settings(max_examples=150, deadline=5_000, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(0, 100_000), bit=st.integers(1, 255), cut=st.booleans(), is_feather=st.booleans())
def test_a_damaged_file_is_read_or_refused(tmp_path: Path, at: int, bit: int, cut: bool, is_feather: bool) -> None:
    path = save(tmp_path, daily())
    if is_feather:
        feather.write_feather(pa.table(daily(symbol=["A", "B", "A"])), path)
    data = bytearray(path.read_bytes())
    data[at % len(data)] ^= bit
    path.write_bytes(data[: at % len(data)] if cut else data)

    assert complaint(path).startswith((f"{path}: ", "none"))


def complaint(path: Path) -> str:
    try:
        read(path)
    except (FeedError, BlockError) as error:
        return str(error)
    return "none"
