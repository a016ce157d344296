"""A log file that stays below a size: when it is full it is put aside, and the oldest goes."""

import os
from contextlib import suppress
from pathlib import Path


class CappedFile:
    """`path`, `path.1`, ... `path.keep`, each at most `most_bytes`; mode 0600.

    A disk that is full costs lines, never the process: `failed` counts them.
    """

    def __init__(self, path: Path, *, most_bytes: int, keep: int) -> None:
        self._path = path
        self._most_bytes = most_bytes
        self._keep = keep
        self._file = -1
        self._size = 0
        self.failed = 0

    def write(self, lines: list[bytes]) -> None:
        for line in lines:
            try:
                self._write(line)
            except OSError:
                self.failed += 1
                self.close()

    def close(self) -> None:
        if self._file >= 0:
            with suppress(OSError):
                os.close(self._file)
            self._file = -1

    def _write(self, line: bytes) -> None:
        line = line[: self._most_bytes]
        if self._file < 0:
            self._open()
        if self._size + len(line) > self._most_bytes:
            self._put_aside()
            self._open()
        self._size += os.write(self._file, line)

    def _open(self) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        self._file = os.open(self._path, flags, 0o600)
        self._size = os.fstat(self._file).st_size

    def _put_aside(self) -> None:
        self.close()
        for number in range(self._keep, 0, -1):
            older = self._path.with_name(f"{self._path.name}.{number}")
            newer = self._path if number == 1 else self._path.with_name(f"{self._path.name}.{number - 1}")
            with suppress(FileNotFoundError):
                newer.replace(older)
