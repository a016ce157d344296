"""JSON as pages: an array of rows, each an array of values or an object of named values.

The text may be one line of any length, so rows are cut out of it piece by piece; a piece is
decoded as an array of its own.
"""

from collections.abc import Iterator, Mapping, Sequence

import msgspec
import numpy as np

from adapters.csv_rows import BLOCK_BYTES, LINE_BYTES, Shape
from adapters.feed_errors import EmptyError, FormatError, LayoutError
from adapters.file_options import FileOptions
from adapters.layouts import LAYOUTS, NAMED, SAMPLE_ROWS, fitting, known
from adapters.tables import Cells, Page
from adapters.tar_members import Stream
from adapters.texts import Texts
from engine.blocks import BlockError

_BLANKS = 64  # between a row and its comma
_Value = str | int | float | bool | None
_Row = list[_Value]
_ARRAYS = msgspec.json.Decoder(list[_Row])
_OBJECTS = msgspec.json.Decoder(list[dict[str, _Value]])


class JsonText:
    """One text, read forward once. Rows count from 1."""

    def __init__(self, source: str, stream: Stream) -> None:
        self._source = source
        self._stream = stream
        self._names: tuple[str, ...] = ()
        self._row = 1
        self._pieces = self._decoded()
        self._first = next(self._pieces, [])

    def shape(self, options: FileOptions) -> Shape:
        """Raises LayoutError, EmptyError or FormatError."""
        if not self._first:
            raise EmptyError(f"{self._source}: must hold rows, was an empty array")
        if self._names:
            if options.columns or options.layout:
                raise LayoutError(f"{self._source}: columns must not be named where rows name their own, was so")
            return Shape(self._names, NAMED)
        width = len(self._first[0])
        if options.columns or options.layout:
            names = options.columns or LAYOUTS[str(options.layout)]
            if len(names) != width:
                raise LayoutError(f"{self._source}: columns must be named all {width}, was {len(names)} names")
            return Shape(names, options.layout or NAMED)
        rows = [[_text(value) for value in row] for row in self._first[:SAMPLE_ROWS]]
        fits = fitting(rows) if len(set(map(len, rows))) == 1 else ()
        layout = known(self._source, ",".join(rows[0]), fits)
        return Shape(LAYOUTS[layout], layout)

    def pages(self, shape: Shape, columns: Mapping[str, int]) -> Iterator[Page]:
        line = 1
        rows = self._first
        self._first = []
        while rows:
            for at, row in enumerate(rows):
                if len(row) != len(shape.names):
                    raise BlockError(
                        f"{self._source}: row {line + at}: fields must be {len(shape.names)}, was {len(row)}"
                    )
            cells = {ours: _cells([row[position] for row in rows]) for ours, position in columns.items()}
            yield Page(self._source, cells, np.arange(line, line + len(rows), dtype=np.int64))
            line += len(rows)
            rows = next(self._pieces, [])

    def _decoded(self) -> Iterator[list[_Row]]:
        for piece in self._cut():
            rows = self._rows(piece)
            self._row += len(rows)
            if rows:
                yield rows

    def _rows(self, piece: bytes) -> list[_Row]:
        """`piece` is rows with commas between them."""
        try:
            if piece.lstrip()[:1] != b"{":
                return _ARRAYS.decode(b"[" + piece + b"]")
            named = _OBJECTS.decode(b"[" + piece + b"]")
        except msgspec.DecodeError as error:
            raise FormatError(
                f"{self._source}: JSON must be an array of flat rows, was not from row {self._row} on ({error})"
            ) from error
        except UnicodeDecodeError as error:
            raise FormatError(f"{self._source}: text must be UTF-8, was not from row {self._row} on") from error
        self._names = self._names or tuple(named[0])
        return [self._values(row, self._row + at) for at, row in enumerate(named)]

    def _values(self, row: Mapping[str, _Value], number: int) -> _Row:
        unknown = next((name for name in row if name not in self._names), None)
        if unknown is not None:
            raise BlockError(f"{self._source}: row {number}: names must be those of row 1, was {unknown[:40]!r}")
        return [row.get(name) for name in self._names]

    def _cut(self) -> Iterator[bytes]:
        """The text between the outer brackets, cut between two rows."""
        text = self._stream.read(BLOCK_BYTES).removeprefix(b"\xef\xbb\xbf").lstrip()[1:]
        while more := self._stream.read(BLOCK_BYTES):
            cut = _border(text)
            if cut:
                yield text[:cut]
                text = text[cut + 1 :]
            if len(text) > LINE_BYTES + BLOCK_BYTES:
                raise FormatError(f"{self._source}: rows must be at most {LINE_BYTES} bytes, was a longer one")
            text += more
        text = text.rstrip()
        if not text.endswith(b"]"):
            raise FormatError(f"{self._source}: JSON must be complete, was truncated")
        yield text[:-1]


def _border(text: bytes) -> int:
    """Where the last comma stands that follows a closing bracket; 0 if there is none."""
    at = len(text)
    while (at := text.rfind(b",", 0, at)) > 0:
        if text[max(0, at - _BLANKS) : at].rstrip()[-1:] in (b"]", b"}"):
            return at
    return 0


def _cells(values: Sequence[_Value]) -> Cells:
    kinds = set(map(type, values))
    if kinds <= {int, float} and all(abs(value) < 2**63 for value in values):  # type: ignore[arg-type]
        return np.array(values, np.int64 if kinds == {int} else np.float64)
    return Texts.of([_text(value) for value in values])


def _text(value: _Value) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)
