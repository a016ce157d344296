"""Containers: whatever a table lies in, the same rows come out, and damage is told."""

import bz2
import io
import lzma
import tarfile
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.archives import members
from adapters.feed_errors import EmptyError, FeedError, FormatError, LayoutError
from adapters.files import open_feeds
from engine.blocks import BlockError
from tests.adapters.file_makers import DAILY, PRINTS, write
from tests.adapters.table_makers import COMPRESSIONS, found_in, tar, zipped

OTHER = DAILY.replace("2020-01", "2020-02")
CLOSES = [11, 12, 13]


def packings() -> dict[str, Callable[[bytes], bytes]]:
    named = dict(COMPRESSIONS)
    named |= {
        f"tar.{name}": lambda data, pack=pack: pack(tar({"d/AAA.csv": data})) for name, pack in COMPRESSIONS.items()
    }
    named["tar"] = lambda data: tar({"AAA.csv": data})
    named["gnu.tar"] = lambda data: tar({"d" * 120 + "/AAA.csv": data}, tarfile.GNU_FORMAT)
    named["pax.tar"] = lambda data: tar({"é" * 120 + "/AAA.csv": data}, tarfile.PAX_FORMAT)
    named["zip"] = lambda data: zipped({"AAA.csv": data})
    named["stored.zip"] = lambda data: zipped({"AAA.csv": data}, zipfile.ZIP_STORED)
    named["gz in tar"] = lambda data: tar({"AAA.csv.gz": COMPRESSIONS["gz"](data)})
    named["two streams.gz"] = lambda data: COMPRESSIONS["gz"](data[:50]) + COMPRESSIONS["gz"](data[50:])
    named["two streams.xz"] = lambda data: lzma.compress(data[:50]) + b"\0" * 8 + lzma.compress(data[50:])
    named["two streams.bz2"] = lambda data: bz2.compress(data[:50]) + bz2.compress(data[50:])
    named["two frames.zst"] = lambda data: COMPRESSIONS["zst"](data[:50]) + COMPRESSIONS["zst"](data[50:])
    return named


@pytest.mark.parametrize("kind", list(packings()))
def test_a_container_is_found_by_its_bytes(tmp_path: Path, kind: str) -> None:
    path = write(tmp_path, packings()[kind](DAILY.encode()), "AAA.csv")

    found = found_in(path)

    assert found.column("close") == CLOSES
    assert found.symbols == ["AAA"]
    assert found.counts == {"rows": 3}


@pytest.mark.parametrize("kind", ["gz", "zst", "xz", "bz2", "tar", "tar.zst", "tar.xz", "zip"])
def test_a_truncated_container_is_refused(tmp_path: Path, kind: str) -> None:
    # Long and incompressible enough that half of it is not the end of the rows.
    rows = "".join(f"{1_600_000_000 + n * 60},{n % 97 + 1}.{n * n % 89},1\n" for n in range(20_000))
    data = packings()[kind](f"time,price,size\n{rows}".encode())
    path = write(tmp_path, data[: len(data) // 2], "AAA.csv")

    with pytest.raises(FormatError, match=r"AAA\.csv: \w+ data must be (complete, was truncated|sound, was damaged)"):
        found_in(path)


@pytest.mark.parametrize("kind", ["gz", "xz", "bz2", "zip", "stored.zip"])
def test_a_changed_bit_is_noticed(tmp_path: Path, kind: str) -> None:
    data = bytearray(packings()[kind](DAILY.encode() * 1))
    data[len(data) // 2] ^= 1

    with pytest.raises((FeedError, BlockError), match=r"AAA\.csv: "):
        found_in(write(tmp_path, bytes(data), "AAA.csv"))


def test_members_are_one_stream_and_give_their_names(tmp_path: Path) -> None:
    path = write(tmp_path, COMPRESSIONS["xz"](tar({"data/BBB.csv": DAILY, "data/AAA.csv": OTHER})), "universe.tar.xz")

    found = found_in(path)

    assert found.symbols == ["BBB", "AAA"]
    assert found.column("close") == CLOSES * 2
    assert found.counts == {"rows": 6}
    # Running numbers break ties; a place says where a person finds the row.
    assert found.column("lines") == [2, 3, 4, 6, 7, 8]
    assert [found.table.place(line) for line in (2, 4, 6)] == [
        "data/BBB.csv: row 2", "data/BBB.csv: row 4", "data/AAA.csv: row 2",
    ]  # fmt: skip


def test_members_of_a_zip_come_by_name(tmp_path: Path) -> None:
    path = write(tmp_path, zipped({"BBB.csv": DAILY, "AAA.csv": OTHER}), "universe.zip")

    assert found_in(path).symbols == ["AAA", "BBB"]
    assert found_in(path, symbol="CCC").symbols == ["CCC"]


def test_a_name_without_letters_is_no_symbol(tmp_path: Path) -> None:
    path = write(tmp_path, tar({"2020-01.csv": DAILY, "2020-02.csv": OTHER}), "GOLD.tar")

    assert found_in(path).symbols == ["GOLD"]


def test_one_member_can_be_picked(tmp_path: Path) -> None:
    path = write(tmp_path, tar({"a/AAA.csv": DAILY, "b/BBB.csv": "x\n"}), "u.tar")

    assert found_in(path, member="AAA.csv").counts == {"rows": 3}
    assert found_in(path, member="a/*").symbols == ["AAA"]
    with pytest.raises(LayoutError, match=r"u\.tar: b/BBB\.csv: columns must hold open"):
        found_in(path, member="BBB.csv")
    with pytest.raises(EmptyError, match="must hold members named 'no', was without"):
        found_in(path, member="no")


def test_what_is_no_market_data_is_passed_over_and_counted(tmp_path: Path) -> None:
    inside = {
        "LICENSE": "MIT\n",
        "names.txt": "AAA\tApple\n",
        "e.csv": "",
        "logo.png": b"\x89PNG\0\0",
        "AAA.csv": DAILY,
    }

    found = found_in(write(tmp_path, tar(inside), "u.tar"))
    late = found_in(write(tmp_path, tar(dict(reversed(inside.items()))), "v.tar"))

    assert found.counts == late.counts == {"rows": 3, "other_member": 3, "empty_member": 1}
    assert found.symbols == late.symbols == ["AAA"]


def test_members_of_two_layouts_are_refused(tmp_path: Path) -> None:
    for first, second in ((DAILY, PRINTS), (DAILY, "1600000000,1,2,3,1,5\n"), ("1600000000,1,2,3,1,5\n", DAILY)):
        path = write(tmp_path, tar({"AAA.csv": first, "BBB.csv": second}), "u.tar")

        with pytest.raises(LayoutError, match=r"u\.tar: BBB\.csv: columns must be .* name the member"):
            found_in(path)


def test_a_bad_row_is_named_by_member_and_row(tmp_path: Path) -> None:
    path = write(
        tmp_path, tar({"AAA.csv": DAILY, "BBB.csv": DAILY.replace("2020-01-02,11", "2020-01-02,-11")}), "u.tar"
    )

    with pytest.raises(BlockError, match=r"u\.tar: BBB\.csv: row 3: open must be > 0, was -11"):
        found_in(path)
    path = write(tmp_path, tar({"AAA.csv": DAILY, "BBB.csv": DAILY.replace("2020-01-02", "x")}), "u.tar")
    with pytest.raises(BlockError, match=r"u\.tar: BBB\.csv: row 3: time must be an ISO"):
        found_in(path)


def test_an_archive_of_empty_members_is_empty(tmp_path: Path) -> None:
    path = write(tmp_path, COMPRESSIONS["gz"](tar({"symbols.txt": "", "prices.csv": ""})), "20161117.tar.gz.x")

    with pytest.raises(EmptyError, match=r"must hold rows, was empty \(symbols\.txt, prices\.csv\)"):
        found_in(path)


def test_among_several_files_an_empty_one_is_passed_over(tmp_path: Path) -> None:
    empty, full = write(tmp_path, tar({"prices.csv": ""}), "e.tar"), write(tmp_path, DAILY)

    opened = open_feeds([empty, full])

    assert [feed.name for feed in opened.feeds] == ["AAA.csv"]
    assert opened.empty == [f"{empty}: must hold rows, was empty (prices.csv)"]
    with pytest.raises(EmptyError, match="must hold rows"):
        open_feeds([empty, empty])


def test_containers_inside_containers_have_a_limit(tmp_path: Path) -> None:
    data = DAILY.encode()
    for _ in range(4):
        data = COMPRESSIONS["gz"](data)
    assert found_in(write(tmp_path, data, "AAA.csv")).counts == {"rows": 3}

    with pytest.raises(FormatError, match="containers must be at most 4 deep"):
        found_in(write(tmp_path, COMPRESSIONS["gz"](data), "AAA.csv"))


def test_a_zip_inside_another_container_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="members must be streams, was a zip archive inside another container"):
        found_in(write(tmp_path, tar({"a.zip": zipped({"AAA.csv": DAILY})}), "u.tar"))


def test_zips_that_cannot_be_streamed_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"AAA\.csv is neither stored nor deflated"):
        found_in(write(tmp_path, zipped({"AAA.csv": DAILY}, zipfile.ZIP_LZMA), "u.zip"))
    data = bytearray(zipped({"AAA.csv": DAILY}))
    for sign, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(sign) + at] |= 1
    with pytest.raises(FormatError, match=r"AAA\.csv needs a password"):
        found_in(write(tmp_path, bytes(data), "u.zip"))
    with pytest.raises(FormatError, match="must be CSV, JSON rows, Parquet or Feather, was a Parquet file inside"):
        found_in(write(tmp_path, zipped({"AAA.parquet": b"PAR1" + b"x" * 600}), "u.zip"))


def test_a_damaged_tar_header_does_not_end_the_archive_quietly(tmp_path: Path) -> None:
    data = bytearray(tar({"AAA.csv": DAILY, "BBB.csv": OTHER}))
    data[data.index(b"BBB.csv")] ^= 1

    with pytest.raises(FormatError, match=r"tar data must be sound, was damaged \(bad checksum\)"):
        found_in(write(tmp_path, bytes(data), "u.tar"))


def test_a_long_tar_header_is_refused(tmp_path: Path) -> None:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as archive:
        info = tarfile.TarInfo("AAA.csv")
        info.pax_headers = {"comment": "x" * (2 << 20)}
        archive.addfile(info)

    with pytest.raises(FormatError, match="an extended header of 20971"):
        found_in(write(tmp_path, stream.getvalue(), "u.tar"))


@pytest.mark.parametrize("kind", list(COMPRESSIONS))
def test_a_bomb_takes_no_memory(tmp_path: Path, kind: str) -> None:
    """200 MB of one line, from a few hundred kilobytes at most."""
    line = b"time,price,size\n"
    bombs = {
        "zst": lambda: COMPRESSIONS["zst"](line + b"1" * (200 << 20)),
        "gz": lambda: COMPRESSIONS["gz"](line + b"1" * (200 << 20)),
        "xz": lambda: lzma.compress(line + b"1" * (200 << 20), preset=0),
        "bz2": lambda: bz2.compress(line + b"1" * (200 << 20), 1),
    }
    path = write(tmp_path, bombs[kind](), "AAA.csv")
    assert path.stat().st_size < 1 << 20

    tracemalloc.start()
    with pytest.raises((FormatError, BlockError)):
        found_in(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < 40 << 20


def test_a_bomb_of_short_lines_takes_no_memory(tmp_path: Path) -> None:
    names = ",".join(f"x{at}" for at in range(100))
    path = write(tmp_path, COMPRESSIONS["zst"](f"time,price,size,{names}\n".encode() + b"\n" * (200 << 20)), "AAA.csv")

    tracemalloc.start()
    with pytest.raises(EmptyError, match="must hold rows"):
        found_in(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < 80 << 20


def test_a_large_member_streams(tmp_path: Path) -> None:
    rows = "".join(f"{1_600_000_000_000 + n},{n % 7 + 1},1\n" for n in range(400_000))
    path = write(tmp_path, COMPRESSIONS["zst"](tar({"AAA.csv": f"time,price,size\n{rows}"})), "u.tar.zst")

    pieces = [len(member.stream.read(1 << 20)) for member in members(path)]

    assert 0 < pieces[0] <= 1 << 20
    assert found_in(path).counts == {"rows": 400_000}


GARBAGE = st.one_of(
    st.binary(max_size=600),
    *(st.binary(max_size=300).map(pack) for pack in COMPRESSIONS.values()),
    st.binary(max_size=300).map(lambda data: tar({"AAA.csv": data})),
    st.binary(max_size=300).map(lambda data: zipped({"AAA.csv": data})),
)


@settings(max_examples=200, deadline=5_000, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(GARBAGE, st.integers(0, 5_000), st.integers(0, 255), st.booleans())
def test_garbage_in_containers_is_read_or_refused(tmp_path: Path, data: bytes, at: int, flip: int, cut: bool) -> None:
    broken = bytearray(data)
    if broken:
        broken[at % len(broken)] ^= flip
    path = tmp_path / "g.bin"
    path.write_bytes(broken[: at % len(broken)] if cut and broken else broken)

    assert complaint(path).startswith((f"{path}: ", "none"))


@settings(max_examples=300, deadline=5_000, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(list(packings())), st.integers(0, 100_000), st.integers(1, 255), st.booleans())
def test_damaged_containers_are_read_or_refused(tmp_path: Path, kind: str, at: int, flip: int, cut: bool) -> None:
    broken = bytearray(packings()[kind](DAILY.encode()))
    broken[at % len(broken)] ^= flip
    path = tmp_path / "g.bin"
    path.write_bytes(broken[: at % len(broken)] if cut else broken)

    assert complaint(path).startswith((f"{path}: ", "none"))


def complaint(path: Path) -> str:
    try:
        found_in(path)
    except (FeedError, BlockError) as error:
        return str(error)
    return "none"
