"""The sessions of the page on disk: digests of their cookies, so that the file signs nobody in.

It is ours alone, bounded, replaced as a whole and durable before a sign-in or sign-out is answered. What is not
certainly good counts as no session: then people sign in again.
"""

import os
import stat
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
import structlog

Role = Literal["read", "operate"]

SCHEMA: Final = 1
MOST_BYTES: Final = 1_000_000
_OPEN: Final = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


class Kept(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`digest` is that of the cookie, in hexadecimal."""

    digest: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
    role: Role
    expires_ns: int


class _Content(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    schema: int
    mark: str
    sessions: list[Kept]


class SessionFile:
    """`mark` stands for the tokens: sessions that others opened are none."""

    def __init__(self, path: Path, mark: str) -> None:
        self._path = path
        self._mark = mark

    def read(self) -> list[Kept]:
        """None where the file is absent, damaged, open to others, or of other tokens."""
        try:
            found = msgspec.json.decode(self._data(), type=_Content)
        except FileNotFoundError:
            return []
        except (OSError, ValueError) as error:
            structlog.get_logger().warning("monitor_sessions_unreadable", path=str(self._path), problem=str(error))
            return []
        return found.sessions if (found.schema, found.mark) == (SCHEMA, self._mark) else []

    def write(self, sessions: Sequence[Kept]) -> None:
        """What cannot be written is removed: a session that was signed out must not come back."""
        try:
            self._replace(msgspec.json.encode(_Content(SCHEMA, self._mark, list(sessions))))
        except OSError as error:
            structlog.get_logger().warning("monitor_sessions_unwritable", path=str(self._path), problem=str(error))
            with suppress(OSError):
                self._path.unlink()

    def _data(self) -> bytes:
        """Raises OSError, ValueError."""
        with os.fdopen(os.open(self._path, os.O_RDONLY | _OPEN), "rb") as stream:
            about = os.fstat(stream.fileno())
            is_ours = stat.S_ISREG(about.st_mode) and about.st_uid == os.geteuid()
            if not is_ours or about.st_mode & 0o077 or about.st_size > MOST_BYTES:
                raise ValueError(f"must be a file of ours with mode 0600 and at most {MOST_BYTES:,} bytes")
            return stream.read(MOST_BYTES)

    def _replace(self, data: bytes) -> None:
        directory = self._path.parent
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = self._path.with_name(f".{self._path.name}.new")
        with suppress(FileNotFoundError):
            fresh.unlink()
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _OPEN, 0o600), "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        fresh.replace(self._path)
        _sync(directory)


def _sync(directory: Path) -> None:
    file = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)
