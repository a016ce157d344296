"""Parquet and Feather files as tables. pyarrow is optional and imported only here, only when asked for.

Texts stay in Arrow's own buffers, which are what `Texts` is: bytes and where each text lies in them.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

from adapters.archives import reading
from adapters.feed_errors import FormatError, LayoutError, PackageError
from adapters.layouts import NAMED
from adapters.tables import Cells, Moments, Page
from adapters.texts import Texts, strip_spans
from engine.messages import NEVER_NS

if TYPE_CHECKING:
    import pyarrow as pa

PAGE_ROWS = 65_536
LONGEST_TEXT = 1_024
"""Of those that a file holds once and many rows have; they are names, sides, times."""

PARQUET = b"PAR1"
FEATHER = b"ARROW1"
OLD_FEATHER = b"FEA1"


def _pyarrow(source: str, kind: str) -> ModuleType:
    try:
        import pyarrow
        import pyarrow.ipc
        import pyarrow.parquet
    except ImportError as error:
        raise PackageError(
            f"{source}: {kind} files need pyarrow, which is not installed: pip install 'wyckoff-engine[parquet]'"
        ) from error
    module: ModuleType = pyarrow
    return module


class ArrowTable:
    """Rows count from 1: these files have no header row."""

    layout = NAMED

    def __init__(self, path: Path, head: bytes) -> None:
        self._path = path
        self._source = str(path)
        self._kind = "Parquet" if head.startswith(PARQUET) else "Feather"
        if head.startswith(OLD_FEATHER):
            raise FormatError(f"{self._source}: Feather must be of version 2, was version 1")
        self._pa = _pyarrow(self._source, self._kind)
        self.counts: Mapping[str, int] = {}
        with self._sound():
            self.names = self._names()
        if len(set(self.names)) < len(self.names):
            raise LayoutError(f"{self._source}: column names must differ, was {', '.join(self.names)[:200]}")

    def place(self, line: int) -> str:
        return f"row {line}"

    def pages(self, columns: Mapping[str, int]) -> Iterator[Page]:
        row = 1
        names = [self.names[position] for position in columns.values()]
        batches = self._parquet_batches if self._kind == "Parquet" else self._feather_batches
        with self._sound():
            for batch in batches(names):
                cells = {ours: self._cells(batch.column(self.names[at])) for ours, at in columns.items()}
                lines = np.arange(row, row + batch.num_rows, dtype=np.int64)
                row += batch.num_rows
                if batch.num_rows:
                    yield Page(self._source, cells, lines)

    def _names(self) -> tuple[str, ...]:
        if self._kind == "Parquet":
            return tuple(self._pa.parquet.read_schema(self._path).names)
        with self._pa.memory_map(str(self._path)) as stream, self._pa.ipc.open_file(stream) as file:
            return tuple(file.schema.names)

    def _parquet_batches(self, names: list[str]) -> "Iterator[pa.RecordBatch]":
        metadata = self._pa.parquet.read_metadata(self._path)
        repeated = sorted(_looked_up_columns(metadata).intersection(names))
        with self._pa.parquet.ParquetFile(self._path, metadata=metadata, read_dictionary=repeated) as file:
            yield from file.iter_batches(PAGE_ROWS, columns=names, use_threads=False)

    def _feather_batches(self, names: list[str]) -> "Iterator[pa.RecordBatch]":
        fields = sorted(map(self.names.index, names))
        options = self._pa.ipc.IpcReadOptions(included_fields=fields, use_threads=False)
        with self._pa.memory_map(str(self._path)) as stream, self._pa.ipc.open_file(stream, options=options) as file:
            for number in range(file.num_record_batches):
                batch = file.get_batch(number)
                # Unlike Parquet, which is decoded, these bytes are used as they lie in the file.
                batch.validate(full=True)
                for start in range(0, batch.num_rows, PAGE_ROWS):
                    yield batch.slice(start, PAGE_ROWS)

    @contextmanager
    def _sound(self) -> Iterator[None]:
        with reading(self._source):
            try:
                yield
            except (self._pa.ArrowException, OSError, UnicodeDecodeError) as error:
                if isinstance(error, PermissionError):
                    raise
                what = str(error).split("\n", maxsplit=1)[0]
                raise FormatError(
                    f"{self._source}: {self._kind} must be sound, was truncated or damaged ({what})"
                ) from error

    def _cells(self, array: "pa.Array") -> Cells:
        types = self._pa.types
        if types.is_dictionary(array.type):
            if types.is_string(array.type.value_type) or types.is_large_string(array.type.value_type):
                return self._looked_up(array)
            array = array.dictionary_decode()
        if types.is_timestamp(array.type) or types.is_date(array.type):
            return self._moments(array)
        if types.is_integer(array.type) and not array.null_count:
            return np.asarray(array.to_numpy())
        if types.is_floating(array.type) or types.is_integer(array.type):
            return np.asarray(array.to_numpy(zero_copy_only=False), np.float64)
        if types.is_string(array.type) or types.is_large_string(array.type):
            return self._texts(array)
        return Texts.of(["" if value is None else str(value) for value in array.to_pylist()])

    def _looked_up(self, array: "pa.Array") -> Texts:
        """Each text once, however many rows have it: a few bytes may stand for gigabytes."""
        known = self._texts(array.dictionary)
        longest = int((known.ends - known.starts).max(initial=0))
        if longest > LONGEST_TEXT:
            raise FormatError(f"{self._source}: texts must be at most {LONGEST_TEXT} bytes, was {longest}")
        index = array.indices.cast(self._pa.int64()).fill_null(len(known)).to_numpy()
        return Texts(known.data, np.append(known.starts, 0)[index], np.append(known.ends, 0)[index])

    def _texts(self, array: "pa.Array") -> Texts:
        if array.null_count:
            array = array.fill_null("")
        _, offsets, data = array.buffers()
        width = np.int64 if self._pa.types.is_large_string(array.type) else np.int32
        at = np.frombuffer(offsets, width)[array.offset : array.offset + len(array) + 1].astype(np.int64)
        starts, ends = at[:-1].copy(), at[1:].copy()
        text = np.frombuffer(data, np.uint8) if data is not None and data.size else np.zeros(0, np.uint8)
        strip_spans(text, starts, ends)
        return Texts(text, starts, ends)

    def _moments(self, array: "pa.Array") -> Moments:
        zone = getattr(array.type, "tz", None)
        try:
            ZoneInfo(zone or "UTC")
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise FormatError(f"{self._source}: time zone must be an IANA name, was {zone!r}") from error
        whole = array.cast(self._pa.timestamp("ns", tz=zone)).cast(self._pa.int64())
        time_ns = whole.fill_null(NEVER_NS).to_numpy(zero_copy_only=False)
        return Moments(np.asarray(time_ns, np.int64), zone or "UTC", naive=zone is None)


def _looked_up_columns(metadata: "pa.parquet.FileMetaData") -> set[str]:
    """Texts that the file holds once, with numbers that stand for them."""
    groups = (metadata.row_group(number) for number in range(metadata.num_row_groups))
    columns = (group.column(at) for group in groups for at in range(group.num_columns))
    return {
        column.path_in_schema
        for column in columns
        if column.physical_type == "BYTE_ARRAY" and any("DICTIONARY" in name for name in column.encodings)
    }
