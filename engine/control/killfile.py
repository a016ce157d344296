"""The kill switch as a plain file beside the tape: a second witness that outlives any crash.

It is written and durable before anything else is done about a kill. The tape says the same; where
they disagree, the stronger one holds.
"""

import contextlib
import os
from pathlib import Path
from typing import Final

import msgspec

from engine.control.status import KillLevel

KILL_NAME: Final = "KILL"
MOST_BYTES: Final = 8_192


class KillRecord(msgspec.Struct, frozen=True):
    level: KillLevel
    reason: str
    operator: str
    time_ns: int


def write(directory: Path, record: KillRecord) -> None:
    """Atomic and durable on return. Raises OSError."""
    path, fresh = directory / KILL_NAME, directory / f".{KILL_NAME}.new"
    file = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(file, "wb") as stream:
        stream.write(msgspec.json.encode(record) + b"\n")
        stream.flush()
        os.fsync(stream.fileno())
    fresh.replace(path)
    _sync(directory)


def read(directory: Path) -> KillRecord | None:
    """What stands; a file that cannot be understood is a kill of entries, never none."""
    try:
        with (directory / KILL_NAME).open("rb") as stream:
            data = stream.read(MOST_BYTES)
    except FileNotFoundError:
        return None
    except OSError as error:
        return KillRecord(KillLevel.ENTRIES, f"{KILL_NAME} cannot be read: {error.strerror}", "file", 0)
    try:
        record = msgspec.json.decode(data, type=KillRecord)
    except (msgspec.DecodeError, msgspec.ValidationError):
        return KillRecord(KillLevel.ENTRIES, f"{KILL_NAME} was put there by hand or is damaged", "file", 0)
    return record if record.level else None


def clear(directory: Path) -> None:
    """After an unkill has become durable on the tape. Raises OSError."""
    with contextlib.suppress(FileNotFoundError):
        (directory / KILL_NAME).unlink()
    _sync(directory)


def requested(runtime: Path) -> bool:
    """Whether somebody has put a file KILL beside the socket: a switch that needs no client."""
    return (runtime / KILL_NAME).exists()


def request(runtime: Path) -> None:
    """What an operator does by hand, `touch {runtime}/KILL`, done for them. Raises OSError."""
    (runtime / KILL_NAME).touch(mode=0o600)


def _sync(directory: Path) -> None:
    file = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)
