"""Containers: what lies inside a file, found by first bytes and never by names, as streams.

gzip, zstd, xz and bzip2 hold one stream; tar and zip hold members. They may be nested (a tar in
xz, a gzip CSV in a tar). Everything is read forward in small pieces: memory does not depend on
how far a file expands. Members come as they are stored in a tar, and by name in a zip.
"""

import bz2
import gzip
import io
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol, cast

import zstandard

from adapters.feed_errors import FileError, FormatError
from adapters.tar_members import Stream, tar_members

GZIP = b"\x1f\x8b"
ZSTD = b"\x28\xb5\x2f\xfd"
XZ = b"\xfd7zXZ\x00"
BZIP2 = b"BZh"
ZIP = (b"PK\x03\x04", b"PK\x05\x06")

HEAD_BYTES = 512
MOST_LAYERS = 4
"""Containers inside each other; more is a file made to waste time."""
DECODER_BYTES = 256 << 20
"""Memory a decoder may take for its window."""
_ZSTD_INPUT = 512  # a block of zstd is 4 bytes at least and 128 KiB at most, so this gives 16 MiB at most
_INPUT = 1 << 16
_PLAIN_ZIP = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # zipfile expands the others without a bound


class DamagedError(ValueError):
    """Compressed data that cannot be expanded; `reading` adds the file."""

    def __init__(self, kind: str, found: str) -> None:
        super().__init__(f"{kind} data must be sound, was damaged ({found})")


@dataclass(frozen=True, slots=True)
class Member:
    """`name` is "" outside of archives. `head` are the first bytes; `stream` gives all from the
    start, once, until the next member is asked for."""

    name: str
    head: bytes
    stream: Stream


@contextmanager
def reading(source: str) -> Iterator[None]:
    """Errors of the operating system and of decompression, as one of ours."""
    try:
        yield
    except PermissionError as error:
        raise FileError(f"{source}: must be readable, was refused ({error.strerror})") from error
    except EOFError as error:
        kind = str(error) if str(error) in ("tar", "xz", "bzip2", "zstd") else "gzip"
        raise FormatError(f"{source}: {kind} data must be complete, was truncated") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise FormatError(f"{source}: {DamagedError('gzip', str(error))}") from error
    except zstandard.ZstdError as error:
        raise FormatError(f"{source}: {DamagedError('zstd', str(error))}") from error
    except tarfile.TarError as error:
        raise FormatError(f"{source}: {DamagedError('tar', str(error))}") from error
    except DamagedError as error:
        raise FormatError(f"{source}: {error}") from error
    except OSError as error:
        raise FileError(f"{source}: must be readable, was not ({error})") from error


def members(path: Path) -> Generator[Member, None, None]:
    """To be read inside `reading`. Raises FormatError for containers that cannot be streamed."""
    with path.open("rb") as file:
        if file.read(4) in ZIP:
            yield from _zip_members(path)
            return
        file.seek(0)
        yield from _unpacked(str(path), "", file, 0)


def _unpacked(source: str, name: str, stream: Stream, layer: int) -> Iterator[Member]:
    """The members behind as many containers as there are."""
    peeked = Peeked(stream)
    decoder = _decoder(peeked.head)
    is_tar = peeked.head[257:262] == b"ustar"
    if layer == MOST_LAYERS and (decoder is not None or is_tar):
        raise FormatError(f"{source}: containers must be at most {MOST_LAYERS} deep, was deeper")
    if decoder is not None:
        yield from _unpacked(source, name, decoder(peeked), layer + 1)
    elif is_tar:
        for inner, content in tar_members(peeked):
            yield from _unpacked(source, f"{name}/{inner}".lstrip("/"), content, layer + 1)
    elif peeked.head[:4] in ZIP:
        raise FormatError(f"{source}: members must be streams, was a zip archive inside another container")
    else:
        yield Member(name, peeked.head, peeked)


def _decoder(head: bytes) -> Callable[[Stream], Stream] | None:
    if head.startswith(GZIP):
        return lambda stream: cast(Stream, gzip.GzipFile(fileobj=cast(BinaryIO, stream)))
    if head.startswith(ZSTD):
        return Unzstd
    if head.startswith(XZ):
        return lambda stream: Expanded(stream, "xz", lambda: lzma.LZMADecompressor(memlimit=DECODER_BYTES))
    if head[:3] == BZIP2 and head[4:10] in (b"1AY&SY", b"\x17rE8P\x90"):  # the digits of pi or of its root
        return lambda stream: Expanded(stream, "bzip2", bz2.BZ2Decompressor)
    return None


def _zip_members(path: Path) -> Iterator[Member]:
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, struct.error, ValueError, NotImplementedError) as error:
        raise DamagedError("zip", str(error)) from error
    with archive:
        for info in sorted(archive.infolist(), key=lambda one: one.filename):
            if not info.filename:
                raise DamagedError("zip", "a member has no name")
            if not info.is_dir():
                with closing(_ZipContent(archive, info)) as content:
                    yield from _unpacked(str(path), info.filename, content, 1)


class _ZipContent:
    """One member of a zip archive, checked by its sum at the end."""

    def __init__(self, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> None:
        if info.flag_bits & 1:
            raise DamagedError("zip", f"{info.filename} needs a password")
        if info.compress_type not in _PLAIN_ZIP:
            raise DamagedError("zip", f"{info.filename} is neither stored nor deflated")
        try:
            self._content = archive.open(info)
        except (zipfile.BadZipFile, NotImplementedError, ValueError, struct.error) as error:
            raise DamagedError("zip", str(error)) from error

    def close(self) -> None:
        self._content.close()

    def read(self, size: int, /) -> bytes:
        try:
            return self._content.read(size)
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise DamagedError("zip", str(error)) from error


class Peeked:
    """A stream whose first bytes were looked at."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        head = bytearray()
        while len(head) < HEAD_BYTES and (more := stream.read(HEAD_BYTES - len(head))):
            head += more
        self.head = bytes(head)
        self._rest = self.head

    def read(self, size: int, /) -> bytes:
        if not self._rest:
            return self._stream.read(size)
        found, self._rest = self._rest[:size], self._rest[size:]
        return found


class _Decoder(Protocol):
    """What bz2 and lzma have in common."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


class Expanded:
    """xz or bzip2, one stream after the other."""

    def __init__(self, stream: Stream, kind: str, fresh: Callable[[], _Decoder]) -> None:
        self._stream = stream
        self._kind = kind
        self._fresh = fresh
        self._decoder = fresh()

    def read(self, size: int, /) -> bytes:
        while True:
            data = b""
            if self._decoder.eof:
                # Between streams there may be padding of zeros.
                data = self._decoder.unused_data.lstrip(b"\0") or self._stream.read(_INPUT).lstrip(b"\0")
                if not data:
                    return b""
                self._decoder = self._fresh()
            elif self._decoder.needs_input:
                data = self._stream.read(_INPUT)
                if not data:
                    raise EOFError(self._kind)
            try:
                found = self._decoder.decompress(data, size)
            except (OSError, lzma.LZMAError) as error:
                raise DamagedError(self._kind, str(error)) from error
            if found:
                return found


class Unzstd:
    """zstd, frame after frame. The library's own reader takes a truncated frame for the end."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._context = zstandard.ZstdDecompressor(max_window_size=DECODER_BYTES)
        self._decoder = self._context.decompressobj()
        self._inside = False
        self._input = b""
        self._ready = io.BytesIO()

    def read(self, size: int, /) -> bytes:
        while not (found := self._ready.read(size)):
            self._input = self._input or self._stream.read(_INPUT)
            if not self._input:
                if self._inside:
                    raise EOFError("zstd")
                return b""
            piece, self._input = self._input[:_ZSTD_INPUT], self._input[_ZSTD_INPUT:]
            self._ready = io.BytesIO(self._decoder.decompress(piece))
            self._inside = not self._decoder.eof
            if self._decoder.eof:
                self._input = self._decoder.unused_data + self._input
                self._decoder = self._context.decompressobj()
        return found
