"""One engine per state directory: an advisory lock that the kernel lets go when its holder dies.

The file says who holds it, so that the second start can tell, and at once. The lock is the
kernel's, never the file's existence: a crash leaves nothing to clean up.
"""

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import msgspec

from engine.iso import iso

LOCK_NAME: Final = "lock"
MOST_HOLDER_BYTES: Final = 4096


class Holder(msgspec.Struct, frozen=True):
    """Who holds a lock, as they said themselves."""

    pid: int
    started_ns: int
    mode: str


class LockedError(Exception):
    """Another process holds the state directory. `holder` is None where it has not said who."""

    def __init__(self, path: Path, holder: Holder | None) -> None:
        self.path = path
        self.holder = holder
        who = "another process"
        if holder is not None:
            who = f"pid {holder.pid} ({holder.mode}, since {iso(holder.started_ns)})"
        super().__init__(f"{path.parent}: one engine may run here, was already held by {who}")


class StateLock:
    """Held from construction to `release`, or until the process ends in whatever way."""

    def __init__(self, directory: Path, holder: Holder) -> None:
        """Raises LockedError at once where it is held, OSError where the file cannot be made."""
        self.path = directory / LOCK_NAME
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        self._file = os.open(self.path, flags, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            found = _said(os.pread(self._file, MOST_HOLDER_BYTES, 0))
            os.close(self._file)
            raise LockedError(self.path, found) from None
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, msgspec.json.encode(holder) + b"\n", 0)

    def release(self) -> None:
        """Idempotent. The file stays: to remove it would let two processes lock two files."""
        if self._file >= 0:
            os.ftruncate(self._file, 0)
            os.close(self._file)
            self._file = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def holder_of(directory: Path) -> Holder | None:
    """Who holds the directory now; None where nobody does.

    Only where a holder has written something is the lock tried, for an instant and shared: else
    two who ask and start at once could refuse each other.
    """
    try:
        file = os.open(directory / LOCK_NAME, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    try:
        said = os.pread(file, MOST_HOLDER_BYTES, 0)
        if said:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _said(said) or Holder(pid=0, started_ns=0, mode="unknown")
    finally:
        os.close(file)
    return None


def _said(data: bytes) -> Holder | None:
    try:
        return msgspec.json.decode(data, type=Holder)
    except (msgspec.DecodeError, msgspec.ValidationError):
        return None


def check_free(directory: Path) -> None:
    """Raises LockedError where an engine holds the directory now; takes nothing itself."""
    found = holder_of(directory)
    if found is not None:
        raise LockedError(directory / LOCK_NAME, found)
