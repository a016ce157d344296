"""The file fuzzer in short, in a process of its own: libFuzzer ends it without coming back."""

import lzma
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

ROOT = Path(__file__).resolve().parents[2]
SOAK = bool(os.environ.get("WYCKOFF_SOAK"))
RUNS = 200_000 if SOAK else 3_000
BROKEN = 77
"""What libFuzzer exits with when the target raised."""

FUZZED_S = 1_500 if SOAK else 110
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


BROKEN_READERS = {
    "another exception": (
        "def numbers(cells): raise KeyError('price')",
        "import adapters.rows",
        "adapters.rows.numbers = numbers",
    ),
    "a price that is not finite": (
        "from adapters.cleaning.cleaner import Cleaner",
        "Cleaner._judged = lambda self, block, places: [block]",
    ),
    "a row that nobody counts": (
        "from adapters.cleaning.cleaner import Cleaner",
        "inner = Cleaner._judged",
        "lost = lambda blocks: [block.slice(1, len(block)) for block in blocks if len(block) > 1]",
        "Cleaner._judged = lambda self, block, places: lost(inner(self, block, places))",
    ),
    "an error without the file's name": (
        "from adapters.feed_errors import FeedError",
        "def opened(path, which): raise FeedError('columns must be named')",
        "fuzz_files._opened = opened",
    ),
}

SAID = {
    "another exception": "KeyError: 'price'",
    "a price that is not finite": "must be",
    "a row that nobody counts": "rows out",
    "an error without the file's name": "does not name the file",
}


@pytest.mark.parametrize("broken", list(BROKEN_READERS))
def test_the_process_says_so_when_a_law_is_broken(tmp_path: Path, broken: str) -> None:
    ended = fuzzed(tmp_path, *BROKEN_READERS[broken], runs=2_000)

    # A seed that breaks a law stops the program before libFuzzer begins.
    assert ended.returncode in (1, BROKEN), ended.stderr[-2_000:]
    assert SAID[broken] in ended.stderr + ended.stdout


def test_every_seed_is_read_or_refused_for_a_reason() -> None:
    fuzz_files = pytest.importorskip("tests.fuzz.fuzz_files")

    found = [fuzz_files.outcome(seed) for seed in fuzz_files.seeds()]

    refused = [one for one in found if one.startswith("refused")]
    assert set(found) - set(refused) == {"bars", "trades", "quotes"}
    assert len(refused) < len(found) / 20, refused


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
