"""Who operated what through the monitor, one JSON line each: also what was refused, and where the engine was away.

The engine's own record is the command on its tape, which names the same caller in its reason.
"""

import os
from pathlib import Path
from typing import Final

import msgspec
import structlog

from engine.iso import iso

NAME: Final = "monitor-audit.jsonl"
MOST_BYTES: Final = 10_000_000
"""Then the file is put aside as `.1`, over the one before."""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    time: str
    caller: str
    name: str
    argument: str
    reason: str
    code: int
    message: str


class Audit:
    """Appends to a file of mode 0600. `failed` counts lines that could not be written: they are in the log."""

    def __init__(self, directory: Path | None) -> None:
        self.path = directory / NAME if directory else None
        self.failed = 0

    def keep(self, time_ns: int, entry: Entry) -> None:
        found = msgspec.structs.replace(entry, time=iso(time_ns))
        structlog.get_logger().warning("operated", **msgspec.structs.asdict(found))
        if self.path is None:
            return
        try:
            self._append(self.path, msgspec.json.encode(found) + b"\n")
        except OSError as error:
            self.failed += 1
            structlog.get_logger().error("audit_failed", reason=error.strerror)

    def _append(self, path: Path, line: bytes) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if path.exists() and path.stat().st_size > MOST_BYTES:
            path.replace(path.with_suffix(".jsonl.1"))
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(file, "wb") as stream:
            stream.write(line)
            stream.flush()
            os.fsync(stream.fileno())
