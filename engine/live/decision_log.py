"""Every decision of a tape as one JSON line beside it: what a later replay is compared with.

The line of decision n is line n of the file. A crash may leave lines behind the snapshot that recovery begins
at, or half a line; they are cut off, and recovery writes them again.
"""

import os
import threading
from contextlib import closing
from errno import ENOSPC
from pathlib import Path
from typing import IO

from engine.decision_lines import TOLD, decision_line
from engine.ports import Item
from engine.tape_file import naming

SUFFIX = ".decisions.jsonl"


def decisions_of(tape: Path) -> Path:
    """Where the decisions of a tape are."""
    return tape.with_suffix(SUFFIX)


class DecisionLog:
    """A sink of the Tap. `count` numbers the decisions of the tape so far. Only `sync` may be called by a thread
    beside the one that writes."""

    reads = TOLD

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._file: IO[bytes] | None = None
        self._waiting: list[bytes] = []
        self._good_bytes = 0
        self.count = 0

    def open(self, path: Path, keep: int) -> None:
        """Go on behind the first `keep` lines of `path`; what stands behind them is cut off.

        `count` tells how many there were, where they were fewer.
        """
        self.close()
        with path.open("ab+") as file:
            file.seek(0)
            for number in range(keep):
                if not file.readline().endswith(b"\n"):
                    keep = number
                    break
            file.truncate(_end_of(file, keep))
        path.chmod(0o600)
        self._file = path.open("ab", buffering=0)
        self._good_bytes = path.stat().st_size
        self.count = keep

    def write(self, item: Item) -> None:
        """Never touches the disk: the line does not wait for it, and does not fail with it."""
        if self._file is not None and (line := decision_line(item)):
            self._waiting.append(line)
            self.count += 1

    def sync(self) -> None:
        """All lines are on the disk: recovery begins at a snapshot and writes none of those before it.

        Raises TapeError when the disk takes nothing; what waits is written the next time, and no line twice.
        """
        with self._lock:
            self._sync()

    def close(self) -> None:
        """Raises TapeError as `sync`; the file is released in any case."""
        with self._lock:
            if self._file is None:
                return
            with closing(self._file):
                try:
                    self._sync()
                finally:
                    self._file = None
                    self._waiting.clear()

    def _sync(self) -> None:
        # What is written meanwhile waits for the next time.
        waiting = self._waiting[:]
        if self._file is None or not waiting:
            return
        data = b"".join(waiting)
        with naming(Path(self._file.name), "write decisions"):
            try:
                written = self._file.write(data)
                if written != len(data):
                    raise OSError(ENOSPC, os.strerror(ENOSPC))
                os.fsync(self._file.fileno())
            except OSError:
                self._file.truncate(self._good_bytes)
                raise
        self._good_bytes += len(data)
        del self._waiting[: len(waiting)]


def _end_of(file: IO[bytes], lines: int) -> int:
    file.seek(0)
    for _ in range(lines):
        file.readline()
    return file.tell()
