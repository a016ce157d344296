"""Makers of containers, and a reader of tables that stops before rows are ordered and cleaned."""

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import zstandard

from adapters.feed_errors import EmptyError
from adapters.file_options import FileOptions
from adapters.opening import open_table
from adapters.rows import RowReader, Rows
from adapters.tables import Table
from tests.adapters.file_makers import SHARED

__all__ = ["COMPRESSIONS", "SHARED", "Found", "found_in", "tar", "zipped"]

COMPRESSIONS: Mapping[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "zst": lambda data: zstandard.ZstdCompressor().compress(data),
    "xz": lzma.compress,
    "bz2": bz2.compress,
}


class Found(NamedTuple):
    rows: Rows
    counts: Mapping[str, int]
    symbols: list[str]
    table: Table
    kind: str

    def column(self, name: str) -> list[Any]:
        values: list[Any] = self.rows[name].tolist()
        return values


def found_in(path: Path, **options: Any) -> Found:
    """All rows of a file as they are read, with what was counted."""
    opened = open_table(path, FileOptions(**options))
    reader = RowReader(opened.layout.kind, opened.options.zone, str(opened.options.symbol))
    parts = [reader.read(page) for page in opened.table.pages(opened.layout.columns)]
    if not parts:
        raise EmptyError(f"{path}: must hold rows, was a header only")
    counts = {**reader.counts, **opened.table.counts}
    return Found(Rows.join(parts), counts, list(reader.codes), opened.table, opened.layout.kind)


def tar(members: Mapping[str, bytes | str], kind: int = tarfile.PAX_FORMAT) -> bytes:
    """In the order given."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=kind) as archive:
        for name, content in members.items():
            data = content.encode() if isinstance(content, str) else content
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return stream.getvalue()


def zipped(members: Mapping[str, bytes | str], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()
