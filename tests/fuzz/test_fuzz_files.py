"""The file fuzzer in short, in a process of its own: libFuzzer ends it without coming back."""

import lzma
import os
import re
import struct
import subprocess
import sys
import zipfile
from collections import deque
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.cleaning import Cleaner
from adapters.file_rows import FileRows
from adapters.rows import RowReader
from engine.blocks import MarketBlock
from engine.ports import Item
from tests.adapters.table_makers import zipped

ROOT = Path(__file__).resolve().parents[2]
SOAK = bool(os.environ.get("WYCKOFF_SOAK"))
RUNS = 200_000 if SOAK else 3_000
BROKEN = 77
"""What libFuzzer exits with when the target raised."""

BAD = b"time,price,size\n1600000000,10,1\n1600000001,inf,1\n"

FUZZED_S = 3_600 if SOAK else 110
BOMB_BYTES = (1_024 if SOAK else 256) << 20
MOST_KILOBYTES = 200_000
"""Beside the libraries; the decoder of xz alone keeps a window of up to 64 MB."""


def fuzzed(folder: Path, *lines: str, runs: int = RUNS) -> subprocess.CompletedProcess[str]:
    """The fuzzer, started by a program that runs `lines` after it was loaded."""
    program = "\n".join(("import sys", "from tests.fuzz import fuzz_files", *lines, "fuzz_files.main(sys.argv)"))
    options = (f"-runs={runs}", "-seed=1", f"-artifact_prefix={folder}/", str(folder / "corpus"))
    command = (sys.executable, "-c", program, *options)
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=FUZZED_S, check=False)


@pytest.mark.timeout(FUZZED_S + 10)
def test_no_bytes_break_a_reader(tmp_path: Path) -> None:
    ended = fuzzed(tmp_path)

    assert ended.returncode == 0, ended.stderr[-4_000:] + ended.stdout[-4_000:]
    done = re.search(r"Done (\d+) runs", ended.stderr)
    assert done is not None
    assert int(done[1]) >= RUNS
    assert len(list((tmp_path / "corpus").iterdir())) > 300


def test_the_process_says_so_when_a_law_is_broken(tmp_path: Path) -> None:
    nameless = (
        "from adapters.feed_errors import FeedError",
        "def opened(path, which): raise FeedError('columns must be named')",
        "fuzz_files._opened = opened",
    )

    ended = fuzzed(tmp_path, *nameless)

    # A seed that breaks a law stops the program before libFuzzer begins, which would end it with BROKEN.
    assert ended.returncode in (1, BROKEN)
    assert "an error that does not name the file: columns must be named" in ended.stderr + ended.stdout


def raises(*_: object) -> None:
    raise KeyError("price")


def unjudged(self: Cleaner, block: MarketBlock, places: object) -> list[MarketBlock]:
    return [block]


def loses_rows(self: Cleaner, block: MarketBlock, places: Any) -> list[MarketBlock]:
    return [one.slice(1, len(one)) for one in JUDGED(self, block, places) if len(one) > 1]


def tells_chunks(self: FileRows, numbers: Mapping[str, int], feed: int, chunk: int) -> Iterator[Item]:
    return FACTS(self, numbers, feed + (chunk == 7), chunk)


def steps_back(self: FileRows, numbers: Mapping[str, int], feed: int, chunk: int) -> Iterator[Item]:
    *blocks, end = FACTS(self, numbers, feed, chunk)
    yield from blocks[::-1]
    yield end


FACTS = FileRows.facts
JUDGED = Cleaner._judged
BREAKS: dict[str, tuple[type, str, Any, str]] = {
    "another exception": (RowReader, "read", raises, "price"),
    "rows that nobody judged": (Cleaner, "_judged", unjudged, "must be"),
    "rows that nobody counted": (Cleaner, "_judged", loses_rows, "rows out"),
    "rows that depend on the chunk": (FileRows, "facts", tells_chunks, "chunks show"),
    "rows that step back": (FileRows, "facts", steps_back, "rows of a file step back"),
}


@pytest.mark.parametrize("broken", list(BREAKS))
def test_a_reader_that_breaks_a_law_is_found(broken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fuzz_files = pytest.importorskip("tests.fuzz.fuzz_files")
    of, name, instead, said = BREAKS[broken]
    monkeypatch.setattr(of, name, instead)

    with pytest.raises((AssertionError, KeyError), match=said):
        deque(map(fuzz_files.judge, (*fuzz_files.seeds(), bytes([0, 0, 0, 2]) + BAD)), 0)


def test_every_seed_is_read_or_refused_for_a_reason() -> None:
    fuzz_files = pytest.importorskip("tests.fuzz.fuzz_files")

    found = [fuzz_files.outcome(seed) for seed in fuzz_files.seeds()]

    refused = [one for one in found if one.startswith("refused")]
    assert set(found) - set(refused) == {"bars", "trades", "quotes"}
    assert len(refused) < len(found) / 20, refused


def nameless_member() -> bytes:
    """In the list at the end of the archive the one letter of the name counts as an extra field."""
    archive = bytearray(zipped({"A": BAD}))
    at = archive.index(b"PK\x01\x02") + 28
    archive[at : at + 4] = struct.pack("<HH", 0, 1)
    return bytes(archive)


HEADER = b'{"t":"header","format":2,"exchange":"BINANCE"}'
CONNECT = b'{"t":"connect","conn":"0","ts":1723161255.0}'
TICKS = "equity/usa/tick/spy/20131007_trade.zip"
FOUND = {
    "a record that is no UTF-8": ("recording.jsonl", b"\n".join((HEADER, CONNECT, b'"\xde"')), "must hold received"),
    "a header without a line end": ("recording.jsonl", HEADER, "must hold received messages"),
    "a volume beyond all numbers": (
        "AAA.csv",
        b"date,open,high,low,close,adj close,volume\n2020-01-01,2,2,2,2,1e-300,1e200\n2020-01-02,2,2,2,2,2,1\n",
        "bars",
    ),
    "a zip with a member without a name": ("AAA.csv", nameless_member(), "a member has no name"),
    "named rows in a lean file": (TICKS, b'[{"time":1,"price":2,"size":3}]', "was not so"),
    "numbers of JSON in a lean file": (TICKS, b'[[34200000,1674100,100,"P","0",0]]', "must hold CSV, was JSON rows"),
}
"""What the fuzzer has found: name, content, what is to come of it."""


@pytest.mark.parametrize("what", list(FOUND))
def test_what_was_found_once_stays_found(what: str) -> None:
    fuzz_files = pytest.importorskip("tests.fuzz.fuzz_files")
    name, content, outcome = FOUND[what]
    container = fuzz_files.ZIP if name == TICKS else 0

    assert outcome in fuzz_files.outcome(bytes([fuzz_files.NAMES.index(name), container, 0, 2]) + content)


# ------------------------------------------------------------------------------ hypothesis

CELLS = st.one_of(
    st.sampled_from(("", "0", "-1", "nan", "inf", "1e309", "5e-324", "buy", "2020-01-01", "1600000000000", '"', "1,5")),
    st.integers(-(2**70), 2**70).map(str),
    st.floats().map(str),
    st.text(max_size=5),
)
HEADERS = st.sampled_from(
    (
        "time,price,size",
        "date,open,high,low,close,volume",
        "ts;bid;ask;bid_size;ask_size",
        "symbol,time,price,size,side,id",
        "",
    )
)


@st.composite
def tables(draw: st.DrawFn) -> bytes:
    """A header and rows that may fit it; times are mostly times."""
    header = draw(HEADERS)
    between = ";" if ";" in header else ","
    width = header.count(between) + 1
    start, step = draw(st.integers(0, 2**33)), draw(st.sampled_from((1, 60, 3_600, 86_400)))
    rows = [header]
    for row in range(draw(st.integers(1, 8))):
        cells = [str(start + step * row), *draw(st.lists(CELLS, min_size=width - 1, max_size=width - 1))]
        rows.append(between.join(cells))
    return "\n".join(rows).encode(errors="surrogatepass")


@settings(max_examples=400 if SOAK else 150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(tables(), st.integers(0, 12), st.integers(0, 8), st.integers(0, 15), st.integers(0, 3))
def test_tables_of_odd_cells_are_read_or_refused(
    data: bytes, name: int, container: int, options: int, chunk: int
) -> None:
    fuzz_files = pytest.importorskip("tests.fuzz.fuzz_files")

    fuzz_files.judge(bytes([name, container, options, chunk]) + data)


# ----------------------------------------------------------------------------------- bombs

MEASURE = """
import resource, sys
from pathlib import Path
import pyarrow.feather, pyarrow.parquet
from adapters.feed_errors import FeedError
from adapters.files import open_feed
from adapters.raw import is_raw, open_raw
from engine.blocks import BlockError, MarketBlock
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
path, rows, told = Path(sys.argv[1]), 0, "read"
try:
    feed = open_raw(path) if is_raw(path) else open_feed(path)
    for fact in feed.facts({symbol: number for number, symbol in enumerate(feed.symbols)}, 0, 4096):
        rows += len(fact) if isinstance(fact, MarketBlock) else 0
except (FeedError, BlockError) as error:
    told = str(error)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, rows, told)
"""


def measured(path: Path) -> tuple[int, int, str]:
    """Kilobytes that reading took, rows that came out, what was told."""
    command = (sys.executable, "-W", "error", "-c", MEASURE, str(path))
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=True)
    kilobytes, rows, told = done.stdout.split(maxsplit=2)
    return int(kilobytes), int(rows), told.strip()


def pieces(piece: bytes) -> Iterator[bytes]:
    """BOMB_BYTES of it, behind a header of prints."""
    yield b"time,price,size\n"
    whole = piece * (-(-(1 << 20) // len(piece)))
    for _ in range(BOMB_BYTES // len(whole)):
        yield whole


def write_zst(path: Path, content: Iterator[bytes]) -> None:
    with path.open("wb") as file, zstandard.ZstdCompressor(level=1).stream_writer(file) as stream:
        for piece in content:
            stream.write(piece)


def write_xz(path: Path, content: Iterator[bytes]) -> None:
    with lzma.open(path, "wb", preset=0) as stream:
        for piece in content:
            stream.write(piece)


def write_zip(path: Path, content: Iterator[bytes]) -> None:
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("AAA.csv", "w", force_zip64=True) as stream,
    ):
        for piece in content:
            stream.write(piece)


BOMBS = {
    "zeros in a zip": (write_zip, b"\0"),
    "empty lines in a zip": (write_zip, b"\n"),
    "one number in xz": (write_xz, b"1"),
    "one line of cells in zstd": (write_zst, b"1600000000000,1,1"),
}
"""Larger than what may be taken; smaller ones of every container are in the tests of containers."""


@pytest.mark.parametrize("bomb", list(BOMBS))
def test_a_bomb_takes_no_memory(tmp_path: Path, bomb: str) -> None:
    write, piece = BOMBS[bomb]
    path = tmp_path / "AAA.bomb"
    write(path, pieces(piece))
    assert path.stat().st_size < BOMB_BYTES / 50

    kilobytes, rows, told = measured(path)

    assert kilobytes < MOST_KILOBYTES
    assert rows == 0
    assert path.name in told


def test_prints_of_one_moment_take_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "AAA.zst"
    write_zst(path, pieces(b"1600000000000,1,1\n"))

    kilobytes, rows, told = measured(path)

    assert kilobytes < MOST_KILOBYTES
    assert told == "read"
    assert rows > 10_000_000


@pytest.mark.parametrize("kind", ["parquet", "feather"])
def test_a_text_that_a_million_rows_have_is_not_copied(tmp_path: Path, kind: str) -> None:
    pa = pytest.importorskip("pyarrow")
    names = pa.DictionaryArray.from_arrays(pa.array(np.zeros(1_000_000, np.int32)), pa.array(["x" * 100_000]))
    times = pa.array(1_600_000_000_000 + np.arange(1_000_000))
    table = pa.table({"time": times, "symbol": names, "price": np.ones(1_000_000), "size": np.ones(1_000_000)})
    path = tmp_path / f"AAA.{kind}"
    write_columns(table.slice(0, 200_000) if kind == "parquet" else table, path)

    kilobytes, rows, told = measured(path)

    assert kilobytes < MOST_KILOBYTES
    assert (rows, told) == (0, f"{path}: texts must be at most 1024 bytes, was 100000")


def write_columns(table: object, path: Path) -> None:
    if path.suffix == ".parquet":
        import pyarrow.parquet

        pyarrow.parquet.write_table(table, path, compression="zstd", store_schema=False)
    else:
        import pyarrow.feather

        pyarrow.feather.write_feather(table, path, compression="zstd")
