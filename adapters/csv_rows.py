"""CSV text as pages: comma, semicolon or tab separated UTF-8, with a header row or a known layout.

A block of whole lines is split in place; only a block with quotes goes through `csv`.
"""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from adapters.columns import is_known
from adapters.feed_errors import EmptyError, FormatError, LayoutError
from adapters.file_options import FileOptions
from adapters.layouts import LAYOUTS, NAMED, SAMPLE_ROWS, fitting, known
from adapters.tables import Page
from adapters.tar_members import Stream
from adapters.texts import CellError, Texts, numbers, split_lines
from engine.blocks import BlockError

BLOCK_BYTES = 1 << 20

LINE_BYTES = 1 << 20
"""Longest line, so that a file without line ends is refused instead of filling the memory."""

PREAMBLE_ROWS = 20
"""Lines above the header that are comments (#) or the address of the publisher."""

DATE_TIME = "date-time"
"""The layout whose header forgets the time of day that stands behind each date."""

_DELIMITERS = ",;\t"
_PREAMBLES = ("#", "http://", "https://")


@dataclass(frozen=True, slots=True)
class Shape:
    """What the rows of a text are: `skipped` rows stand above the first."""

    names: tuple[str, ...]
    layout: str
    skipped: int = 0
    delimiter: str = ","


class CsvText:
    """One text, read forward once. `source` names it in errors."""

    def __init__(self, source: str, stream: Stream) -> None:
        self._source = source
        self._stream = stream
        self._blocks = self._cut()
        self._first = next(self._blocks, b"")

    def shape(self, options: FileOptions) -> Shape:
        """Raises LayoutError, EmptyError or FormatError."""
        self._check_encoding(self._first, 1)
        top = self._top()
        skipped = 0
        while skipped < min(PREAMBLE_ROWS, len(top)) and (not top[skipped] or top[skipped].startswith(_PREAMBLES)):
            skipped += 1
        if skipped >= len(top):
            raise EmptyError(f"{self._source}: must hold a header and rows, was empty")
        if "\r" in top[skipped]:
            raise FormatError(f"{self._source}: lines must end in LF or CR LF, was CR")
        return self._shape(top[skipped:], skipped, options)

    def pages(self, shape: Shape, columns: Mapping[str, int]) -> Iterator[Page]:
        line = 1
        block = self._first
        self._first = b""
        while block:
            self._check_encoding(block, line)
            while line <= shape.skipped:
                block = block[block.index(b"\n") + 1 :]
                line += 1
            page, lines = self._page(block, line, shape, columns)
            line += lines
            if len(page.lines):
                yield page
            block = next(self._blocks, b"")

    # ------------------------------------------------------------------------- the shape

    def _top(self) -> list[str]:
        """The first lines, without an unfinished one."""
        text = self._first[: LINE_BYTES * 2].decode("utf-8", "replace")
        return [line.rstrip("\r") for line in text.split("\n")[: SAMPLE_ROWS + PREAMBLE_ROWS]]

    def _shape(self, top: Sequence[str], skipped: int, options: FileOptions) -> Shape:
        first = top[0]
        delimiter = max(_DELIMITERS, key=first.count)
        found = tuple(name.strip() for name in self._fields([first], delimiter)[0][0])
        if options.columns or options.layout:
            names = options.columns or LAYOUTS[str(options.layout)]
            self._check_names(names, found, first)
            return Shape(names, options.layout or NAMED, skipped, delimiter)
        if is_known(found, options.mapping) or not any(map(_is_value, found)):
            return self._named(Shape(found, NAMED, skipped + 1, delimiter), top[1:])
        rows = self._fields([line for line in top[:SAMPLE_ROWS] if line.strip()], delimiter)[0]
        stripped = [[cell.strip() for cell in row] for row in rows]
        fits = fitting(stripped) if len(set(map(len, rows))) == 1 else ()
        layout = known(self._source, first, fits)
        return Shape(LAYOUTS[layout], layout, skipped, delimiter)

    def _named(self, shape: Shape, rows: Sequence[str]) -> Shape:
        """With the column that the header forgets: a date of 7 names, a date and a time of 8 cells."""
        first = next((row for row in rows if row.strip()), "").split(shape.delimiter)
        plain = [name.lower() for name in shape.names]
        if len(first) != len(plain) + 1 or plain[0] != "date" or "time" in plain or not _is_clock(first[1]):
            return shape
        return Shape((shape.names[0], "Time", *shape.names[1:]), DATE_TIME, shape.skipped, shape.delimiter)

    def _check_names(self, names: Sequence[str], found: Sequence[str], first: str) -> None:
        if len(found) != len(names):
            raise LayoutError(f"{self._source}: columns must be named all {len(found)}, was {len(names)} names")
        if not any(_is_value(name) for name in found):
            raise LayoutError(f"{self._source}: row 1 must hold values where columns are named, was {first[:80]!r}")

    # --------------------------------------------------------------------------- the rows

    def _page(self, block: bytes, line: int, shape: Shape, columns: Mapping[str, int]) -> tuple[Page, int]:
        if b'"' in block:
            return self._quoted_page(block, line, shape, columns)
        data = np.frombuffer(block, np.uint8)
        # A row has a byte for each of its columns at least; blank lines are none.
        capacity = min(block.count(b"\n"), len(block) // len(shape.names) + 1)
        starts, ends = np.empty((2, len(shape.names), capacity), np.int64)
        lines = np.empty(capacity, np.int64)
        rows, seen, ragged, found = split_lines(data, ord(shape.delimiter), starts, ends, lines)
        if ragged >= 0:
            raise self._ragged(line + ragged, shape, found)
        cells = {ours: Texts(data, starts[at, :rows], ends[at, :rows]) for ours, at in columns.items()}
        return Page(self._source, cells, lines[:rows] + line), seen

    def _quoted_page(self, block: bytes, line: int, shape: Shape, columns: Mapping[str, int]) -> tuple[Page, int]:
        rows, numbered = self._fields(io.StringIO(block.decode(), newline=""), shape.delimiter)
        kept = [at for at, row in enumerate(rows) if len(row) > 1 or "".join(row).strip()]
        for at in kept:
            if len(rows[at]) != len(shape.names):
                raise self._ragged(line + numbered[at] - 1, shape, len(rows[at]))
        lines = np.array([line + numbered[at] - 1 for at in kept], np.int64)
        cells = {ours: Texts.of([rows[at][position] for at in kept]) for ours, position in columns.items()}
        return Page(self._source, cells, lines), block.count(b"\n")

    def _fields(self, lines: "Sequence[str] | io.StringIO", delimiter: str) -> tuple[list[list[str]], list[int]]:
        """Rows of fields, and the line each row ends on, counted from 1."""
        reader = csv.reader(lines, delimiter=delimiter, strict=True)
        try:
            numbered = [(row, reader.line_num) for row in reader]
        except csv.Error as error:
            raise FormatError(f"{self._source}: quoting must be sound, was not ({error})") from error
        return [row for row, _ in numbered], [number for _, number in numbered]

    def _ragged(self, line: int, shape: Shape, found: int) -> BlockError:
        wanted = f"{len(shape.names)} as in the {'header' if shape.layout == NAMED else f'layout {shape.layout}'}"
        return BlockError(f"{self._source}: row {line}: fields must be {wanted}, was {found}")

    # ------------------------------------------------------------------------- the blocks

    def _check_encoding(self, block: bytes, line: int) -> None:
        try:
            block.decode()
        except UnicodeDecodeError as error:
            at = line + block.count(b"\n", 0, error.start)
            found = f"byte 0x{block[error.start]:02x} in row {at}"
            raise FormatError(f"{self._source}: text must be UTF-8, was {found}") from error

    def _cut(self) -> Iterator[bytes]:
        """The text from here in pieces of whole lines, without its byte order mark."""
        block = self._filled().removeprefix(b"\xef\xbb\xbf")
        rest = b""
        while block:
            block = rest + block
            cut = self._whole(block)
            rest = block[cut:]
            if cut:
                yield block[:cut]
            block = self._filled()
        if rest:
            yield rest + b"\n"

    def _filled(self) -> bytes:
        """The next BLOCK_BYTES, in however small pieces they come; fewer at the end."""
        pieces: list[bytes] = []
        wanted = BLOCK_BYTES
        while wanted > 0 and (piece := self._stream.read(wanted)):
            pieces.append(piece)
            wanted -= len(piece)
        return b"".join(pieces)

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


def _is_value(name: str) -> bool:
    try:
        numbers(Texts.of([name]))
    except CellError:
        return False
    return bool(name)


def _is_clock(cell: str) -> bool:
    parts = cell.strip().split(":")
    return len(parts) in (2, 3) and all(part.isdecimal() and len(part) == 2 for part in parts)
