"""Parquet files as tables. pyarrow is optional and imported only here, only when asked for."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

from adapters.feed_errors import FormatError, LayoutError, PackageError
from adapters.tables import Cells, Moments, Page, reading
from adapters.texts import Texts
from engine.messages import NEVER_NS

if TYPE_CHECKING:
    import pyarrow as pa

PAGE_ROWS = 65_536


def _pyarrow(source: str) -> ModuleType:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise PackageError(
            f"{source}: Parquet files need pyarrow, which is not installed: pip install 'wyckoff-engine[parquet]'"
        ) from error
    module: ModuleType = pyarrow
    return module


class ParquetTable:
    """Rows count from 1: a Parquet file has no header row."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._source = str(path)
        self._pa = _pyarrow(self._source)
        with self._sound():
            self.names = tuple(self._pa.parquet.read_schema(path).names)
        if len(set(self.names)) < len(self.names):
            raise LayoutError(f"{self._source}: column names must differ, was {', '.join(self.names)[:200]}")

    def pages(self, columns: Mapping[str, int]) -> Iterator[Page]:
        row = 1
        names = [self.names[position] for position in columns.values()]
        with self._sound(), self._pa.parquet.ParquetFile(self._path) as file:
            for batch in file.iter_batches(PAGE_ROWS, columns=names, use_threads=False):
                cells = {ours: self._cells(batch.column(self.names[at])) for ours, at in columns.items()}
                lines = np.arange(row, row + batch.num_rows, dtype=np.int64)
                row += batch.num_rows
                if batch.num_rows:
                    yield Page(self._source, cells, lines)

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
                    f"{self._source}: Parquet must be sound, was truncated or damaged ({what})"
                ) from error

    def _cells(self, array: "pa.Array") -> Cells:
        types = self._pa.types
        if types.is_dictionary(array.type):
            array = array.dictionary_decode()
        if types.is_timestamp(array.type) or types.is_date(array.type):
            return self._moments(array)
        if types.is_integer(array.type) and not array.null_count:
            return np.asarray(array.to_numpy())
        if types.is_floating(array.type) or types.is_integer(array.type):
            return np.asarray(array.to_numpy(zero_copy_only=False), np.float64)
        return Texts.of(["" if value is None else str(value) for value in array.to_pylist()])

    def _moments(self, array: "pa.Array") -> Moments:
        zone = getattr(array.type, "tz", None)
        try:
            ZoneInfo(zone or "UTC")
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise FormatError(f"{self._source}: time zone must be an IANA name, was {zone!r}") from error
        whole = array.cast(self._pa.timestamp("ns", tz=zone)).cast(self._pa.int64())
        time_ns = whole.fill_null(NEVER_NS).to_numpy(zero_copy_only=False)
        return Moments(np.asarray(time_ns, np.int64), zone or "UTC", naive=zone is None)
