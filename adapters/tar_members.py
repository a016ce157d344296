"""The members of a tar archive, read forward.

`tarfile` parses the headers; the walk is ours, because `tarfile` ends quietly at a damaged header
or a missing end, and reads extended headers of any size into memory.
"""

import tarfile
from collections.abc import Iterator
from typing import Protocol

BLOCK = 512
EXTENDED_BYTES = 1 << 20
"""Longest extended header (a long name, attributes)."""
_SKIPPED = 1 << 16
_WITHOUT_DATA = (
    tarfile.LNKTYPE, tarfile.SYMTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE,
)  # fmt: skip


class Stream(Protocol):
    def read(self, size: int, /) -> bytes: ...


class TarContent:
    """The bytes of one member; short when the archive is."""

    def __init__(self, stream: Stream, size: int) -> None:
        self._stream = stream
        self._left = size

    def read(self, size: int = -1, /) -> bytes:
        wanted = self._left if size < 0 else min(size, self._left)
        found = self._stream.read(wanted) if wanted else b""
        if wanted and not found:
            raise EOFError("tar")
        self._left -= len(found)
        return found


def tar_members(stream: Stream) -> Iterator[tuple[str, TarContent]]:
    """Files by name, as stored. Each must be read before the next is asked for; what is left is
    skipped. Raises EOFError("tar") when the archive is cut, tarfile.TarError when it is damaged."""
    name, size = "", -1
    while (header := _exactly(stream, BLOCK)).strip(b"\0"):
        info = tarfile.TarInfo.frombuf(header, "utf-8", "replace")
        if info.type in (tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE):
            if info.size > EXTENDED_BYTES:
                raise tarfile.ReadError(f"an extended header of {info.size} bytes")
            data = _exactly(stream, info.size)
            _skip(stream, -info.size % BLOCK)
            if info.type == tarfile.GNUTYPE_LONGNAME:
                name = data.rstrip(b"\0").decode("utf-8", "replace")
            else:
                name, size = _attributes(data, name)
            continue
        length = 0 if info.type in _WITHOUT_DATA else info.size if size < 0 else size
        if info.type == tarfile.GNUTYPE_SPARSE or length < 0:
            raise tarfile.ReadError(f"{info.name} is stored sparsely")
        content = TarContent(stream, length)
        if info.type in (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE) and not info.name.endswith("/"):
            yield name or info.name, content
        while content.read(_SKIPPED):
            pass
        _skip(stream, -length % BLOCK)
        name, size = "", -1


def _attributes(data: bytes, name: str) -> tuple[str, int]:
    """Path and size of the next member from a pax header: records of `<length> <key>=<value>\\n`."""
    size = -1
    while data.strip(b"\0"):
        length, space, _ = data.partition(b" ")
        if not space or not length.isdigit() or not len(length) + 1 < int(length[:9]) <= len(data):
            raise tarfile.ReadError("a pax header without lengths")
        key, _, value = data[len(length) + 1 : int(length) - 1].partition(b"=")
        data = data[int(length) :]
        if key == b"path":
            name = value.decode("utf-8", "replace")
        elif key == b"size":
            if not value.isdigit() or len(value) > 18:
                raise tarfile.ReadError("a pax header with a size that is no number")
            size = int(value)
    return name, size


def _exactly(stream: Stream, size: int) -> bytes:
    found = bytearray()
    while len(found) < size:
        more = stream.read(size - len(found))
        if not more:
            raise EOFError("tar")
        found += more
    return bytes(found)


def _skip(stream: Stream, size: int) -> None:
    _exactly(stream, size)
