"""A file as a table: its column names, and its rows as pages of cells.

`open_table` looks at the first bytes, never at the name, and picks the reader; a new format is
one more reader. Pages hold tens of thousands of rows, so memory is bounded whatever the file.
"""

import csv
import gzip
import io
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

import numpy as np
import numpy.typing as npt

from adapters.feed_errors import FileError, FormatError, LayoutError
from adapters.texts import CellError, Texts, numbers, split_lines
from engine.blocks import BlockError, Int64


@dataclass(frozen=True, slots=True)
class Moments:
    """A column that is a time already. `naive` values are wall clocks; others UTC, of `zone`."""

    time_ns: Int64
    zone: str
    naive: bool


Cells = Texts | Moments | npt.NDArray[np.generic]
"""One column of a page: texts to be read, or times or numbers that already are."""

BLOCK_BYTES = 1 << 20

LINE_BYTES = 1 << 20
"""Longest line, so that a file without line ends is refused instead of filling the memory."""

_GZIP = b"\x1f\x8b"
_PARQUET = b"PAR1"
_FOREIGN = {
    b"PK\x03\x04": "a zip archive",
    b"\x28\xb5\x2f\xfd": "zstd data",
    b"\xfd7zXZ\x00": "xz data",
    b"BZh": "bzip2 data",
    _GZIP: "gzip data inside gzip data",
    b"ARROW1": "a Feather file",
    b"\xff\xfe": "UTF-16 text",
    b"\xfe\xff": "UTF-16 text",
    b"<": "HTML or XML",
    b"{": "JSON",
    b"[": "JSON",
}
_DELIMITERS = ",;\t"


@dataclass(frozen=True, slots=True)
class Page:
    """Consecutive rows. `lines` is (n,): each row's number in its file, as errors name it."""

    source: str
    cells: Mapping[str, Cells]
    lines: Int64

    def refuse(self, field: str, error: CellError) -> BlockError:
        return BlockError(f"{self.source}: row {self.lines[error.index]}: {field} {error}")


class Table(Protocol):
    names: tuple[str, ...]

    def pages(self, columns: Mapping[str, int]) -> Iterator[Page]:
        """All rows, with the cells of the columns asked for (our name -> position)."""
        ...


def open_table(path: Path, columns: Sequence[str] = ()) -> Table:
    """`columns` names those of a CSV file without a header row. Raises FeedError."""
    source = str(path)
    with reading(source):
        if not path.exists():
            raise FileError(f"{source}: must be a file, was missing")
        if not path.is_file():
            raise FileError(f"{source}: must be a file, was {'a directory' if path.is_dir() else 'a device or pipe'}")
        with path.open("rb") as stream:
            head = stream.read(4)
    if head == _PARQUET:
        from adapters.parquet import ParquetTable

        return ParquetTable(path)
    if head.startswith(_GZIP):
        return CsvTable(source, lambda: gzip.open(path, "rb"), columns)
    return CsvTable(source, lambda: path.open("rb"), columns)


@contextmanager
def reading(source: str) -> Iterator[None]:
    """Errors of the operating system and of decompression, as one of ours."""
    try:
        yield
    except PermissionError as error:
        raise FileError(f"{source}: must be readable, was refused ({error.strerror})") from error
    except EOFError as error:
        raise FormatError(f"{source}: gzip data must be complete, was truncated") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise FormatError(f"{source}: gzip data must be sound, was damaged ({error})") from error
    except OSError as error:
        raise FileError(f"{source}: must be readable, was not ({error})") from error


class CsvTable:
    """Comma, semicolon or tab separated UTF-8 text, with a header row unless its columns are named."""

    def __init__(
        self, source: str, opened: Callable[[], BinaryIO | gzip.GzipFile], columns: Sequence[str] = ()
    ) -> None:
        """`opened` gives the decompressed bytes from the start, each time it is called. With
        `columns` there is no header row."""
        self._source = source
        self._opened = opened
        first = self._first_line()
        self._delimiter = max(_DELIMITERS, key=first.count)
        found = tuple(name.strip() for name in self._fields([first])[0][0])
        self.names = tuple(columns) or found
        self._header_rows = 0 if columns else 1
        self._check_names(first, found)

    def pages(self, columns: Mapping[str, int]) -> Iterator[Page]:
        line = 1
        for block in self._blocks():
            self._check_encoding(block, line)
            skip = block.index(b"\n") + 1 if line <= self._header_rows else 0
            line += skip > 0
            page, lines = self._page(block[skip:], line, columns)
            line += lines
            if len(page.lines):
                yield page

    def _check_names(self, first: str, found: Sequence[str]) -> None:
        if all(_is_value(name) for name in self.names):
            raise LayoutError(f"{self._source}: row 1 must be a header, was {first[:80]!r}; name the columns")
        if len(found) != len(self.names):
            raise LayoutError(f"{self._source}: columns must be named all {len(found)}, was {len(self.names)} names")
        if self._header_rows == 0 and not any(_is_value(name) for name in found):
            raise LayoutError(f"{self._source}: row 1 must hold values where columns are named, was {first[:80]!r}")

    def _page(self, block: bytes, line: int, columns: Mapping[str, int]) -> tuple[Page, int]:
        if b'"' in block:
            return self._quoted_page(block, line, columns)
        data = np.frombuffer(block, np.uint8)
        capacity = block.count(b"\n")
        starts, ends = np.empty((2, len(self.names), capacity), np.int64)
        lines = np.empty(capacity, np.int64)
        rows, seen, ragged, found = split_lines(data, ord(self._delimiter), starts, ends, lines)
        if ragged >= 0:
            raise self._ragged(line + ragged, found)
        cells = {ours: Texts(data, starts[at, :rows], ends[at, :rows]) for ours, at in columns.items()}
        return Page(self._source, cells, lines[:rows] + line), seen

    def _quoted_page(self, block: bytes, line: int, columns: Mapping[str, int]) -> tuple[Page, int]:
        rows, numbered = self._fields(io.StringIO(block.decode(), newline=""))
        kept = [at for at, row in enumerate(rows) if len(row) > 1 or "".join(row).strip()]
        for at in kept:
            if len(rows[at]) != len(self.names):
                raise self._ragged(line + numbered[at] - 1, len(rows[at]))
        lines = np.array([line + numbered[at] - 1 for at in kept], np.int64)
        cells = {ours: Texts.of([rows[at][position] for at in kept]) for ours, position in columns.items()}
        return Page(self._source, cells, lines), block.count(b"\n")

    def _fields(self, lines: "list[str] | io.StringIO") -> tuple[list[list[str]], list[int]]:
        """Rows of fields, and the line each row ends on, counted from 1."""
        reader = csv.reader(lines, delimiter=self._delimiter, strict=True)
        try:
            numbered = [(row, reader.line_num) for row in reader]
        except csv.Error as error:
            raise FormatError(f"{self._source}: quoting must be sound, was not ({error})") from error
        return [row for row, _ in numbered], [number for _, number in numbered]

    def _ragged(self, line: int, found: int) -> BlockError:
        return BlockError(f"{self._source}: row {line}: fields must be {len(self.names)} as in the header, was {found}")

    def _first_line(self) -> str:
        for block in self._blocks():
            self._check_encoding(block, 1)
            header = block[: block.index(b"\n")].decode().rstrip("\r")
            if "\r" in header:
                raise FormatError(f"{self._source}: lines must end in LF or CR LF, was CR")
            return header
        raise FileError(f"{self._source}: must hold a header and rows, was empty")

    def _check_encoding(self, block: bytes, line: int) -> None:
        try:
            block.decode()
        except UnicodeDecodeError as error:
            at = line + block.count(b"\n", 0, error.start)
            found = f"byte 0x{block[error.start]:02x} in row {at}"
            raise FormatError(f"{self._source}: text must be UTF-8, was {found}") from error

    def _blocks(self) -> Iterator[bytes]:
        """The text in pieces of whole lines, without its byte order mark."""
        rest = b""
        with reading(self._source), self._opened() as stream:
            start = stream.read(512)
            self._check_format(start)
            block = start.removeprefix(b"\xef\xbb\xbf") + stream.read(BLOCK_BYTES)
            while block:
                block = rest + block
                cut = self._whole(block)
                if cut:
                    yield block[:cut]
                rest = block[cut:]
                block = stream.read(BLOCK_BYTES)
        if rest:
            yield rest + b"\n"

    def _whole(self, block: bytes) -> int:
        """Where the last line ends that is not inside quotes."""
        cut = block.rfind(b"\n") + 1
        if b'"' in block and block.count(b'"', 0, cut) % 2:
            cut = 0
        if not cut and len(block) > LINE_BYTES + BLOCK_BYTES:
            raise FormatError(
                f"{self._source}: lines must be at most {LINE_BYTES} bytes, was a longer one or an open quote"
            )
        return cut

    def _check_format(self, start: bytes) -> None:
        text = start.removeprefix(b"\xef\xbb\xbf").lstrip()
        for sign, name in _FOREIGN.items():
            if start.startswith(sign) or text.startswith(sign):
                raise FormatError(f"{self._source}: must be CSV, gzip CSV or Parquet, was {name}")
        if start[257:262] == b"ustar":
            raise FormatError(f"{self._source}: must be CSV, gzip CSV or Parquet, was a tar archive")
        if b"\0" in start:
            raise FormatError(f"{self._source}: must be CSV, gzip CSV or Parquet, was binary data")


def _is_value(name: str) -> bool:
    try:
        numbers(Texts.of([name]))
    except CellError:
        return False
    return bool(name)
