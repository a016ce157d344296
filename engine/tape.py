"""The tape: every fact of a session in order, durable, chained by hash; one file a session.

`create_tape` and `continue_tape` give a `TapeWriter`, `TapeReader` reads what was written. The
line only queues facts; a thread commits everything that has gathered, so that groups grow under
load. A failed commit keeps its group: `retry` writes it once there is room again.

TapeError
└── TapeMismatch    the tape belongs to another build, lock file or configuration
"""

import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from engine.blocks import MarketBlock
from engine.chunks import after, count, rechunk, sequence_of
from engine.ports import Item
from engine.tape_codec import FORMAT_VERSION, Snapshot, TapeError, TapeHeader, TapeMismatch
from engine.tape_file import Entry, SnapshotRequest, TapeFile
from engine.tape_reader import TapeReader, Verification

QUEUE_ROWS = 262_144
"""Rows that may wait for the disk: some 15 MB of trades, 100 MB of single facts."""

GATHER_S = 0.01
"""How long facts gather for one commit. A thread that woke for each would keep the line from the interpreter."""


def create_tape(path: Path, header: TapeHeader, *, queue_rows: int = QUEUE_ROWS) -> "TapeWriter":
    """Begin a tape. Raises TapeError when `path` exists or cannot be written."""
    return TapeWriter(TapeFile.create(path, header), queue_rows=queue_rows)


def continue_tape(path: Path, header: TapeHeader, *, queue_rows: int = QUEUE_ROWS) -> tuple["TapeWriter", int]:
    """Go on with a tape after a crash; also gives the last sequence number on it.

    Reads the whole tape. Raises TapeError when any of it is damaged, TapeMismatch when `header`
    names another build, lock file or configuration than the tape's own.
    """
    with TapeReader(path) as reader:
        _check_same(path, reader.header, header)
        found = reader.verify()
    if not found.ok:
        raise TapeError(f"cannot continue a damaged tape: {found.reason}")
    writer = TapeWriter(TapeFile(path, reader.header, found.head), queue_rows=queue_rows)
    return writer, found.last_sequence


class TapeWriter:
    """Takes facts from one thread, writes them from its own.

    Facts are encoded later: whoever appends one must not change its columns any more. Once
    writing has failed every call raises TapeError and takes nothing, until `retry`.
    """

    def __init__(self, file: TapeFile, *, queue_rows: int = QUEUE_ROWS) -> None:
        assert queue_rows > 0
        self.path = file.path
        self.last_sequence = file.head.sequence
        self._file = file
        self._queue_rows = queue_rows
        self._queue: list[Entry] = []
        self._waiting_rows = 0
        self._group: list[Entry] = []
        # Counts of entries: a caller waits until all that it appended is on the disk.
        self._appended = 0
        self._committed = 0
        self._durable = 0
        self._durable_wanted = 0
        # Since when something waits to be committed, on the monotonic clock; None while nothing does.
        self._behind_since_ns: int | None = None
        self._closing = False
        # The writer's thread sleeps until it is told; otherwise it looks by itself, every GATHER_S.
        self._is_idle = False
        self._failure: TapeError | None = None
        self._lock = threading.Lock()
        self._work = threading.Condition(self._lock)
        self._done = threading.Condition(self._lock)
        self._thread = threading.Thread(target=self._run, name=f"tape {self.path.name}", daemon=True)
        self._thread.start()

    def append(self, fact: Item) -> None:
        """Queue one numbered fact; waits while the queue is full. A block without rows is no fact."""
        rows = count(fact)
        if rows:
            assert sequence_of(fact) == self.last_sequence + 1
            self._enqueue(fact, rows)
            self.last_sequence += rows

    def snapshot(self, sequence: int, payload: bytes) -> None:
        """Queue the line's state after the fact with `sequence`, which must be the last appended."""
        assert sequence == self.last_sequence
        self._enqueue(SnapshotRequest(payload), 1)

    def sync(self) -> None:
        """Return when all that was appended would survive a power cut."""
        with self._lock:
            self._check()
            wanted = self._appended
            self._durable_wanted = max(self._durable_wanted, wanted)
            self._work.notify()
            self._done.wait_for(lambda: self._failure or self._durable >= wanted)
            self._check()

    def lag_ns(self) -> int:
        """How long the oldest entry that is not committed has waited, to within one group; 0 when none does."""
        since_ns = self._behind_since_ns
        return 0 if since_ns is None else time.monotonic_ns() - since_ns

    def retry(self) -> None:
        """Write again what could not be written. Raises TapeError when it still cannot."""
        with self._lock:
            self._failure = None
        self.sync()

    def close(self, *, clean: bool = True) -> None:
        """Write what is queued, mark the end when `clean`; releases the file in any case."""
        if self._closing:
            return
        with closing(self._file):
            try:
                self.sync()
            finally:
                self._stop()
            if clean:
                self._file.end()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close(clean=error is None)

    def _enqueue(self, entry: Entry, rows: int) -> None:
        with self._lock:
            self._check()
            # A block larger than the queue goes in alone.
            self._done.wait_for(
                lambda: self._failure or not self._queue or self._waiting_rows + rows <= self._queue_rows
            )
            self._check()
            if self._behind_since_ns is None:
                self._behind_since_ns = time.monotonic_ns()
            self._queue.append(entry)
            self._waiting_rows += rows
            self._appended += 1
            if self._is_idle or self._is_crowded:
                self._work.notify()

    def _check(self) -> None:
        assert not self._closing
        if self._failure:
            raise TapeError(str(self._failure)) from self._failure

    def _stop(self) -> None:
        with self._lock:
            self._closing = True
            self._work.notify()
        self._thread.join()

    # ----------------------------------------------------------- the writer's thread

    def _run(self) -> None:
        try:
            while self._gather():
                self._commit()
        finally:
            # Whoever waits must not wait for a thread that a bug has ended.
            with self._lock:
                if not self._closing:
                    self._failure = TapeError(f"{self.path}: the writer thread has died")
                self._done.notify_all()

    def _gather(self) -> bool:
        """Wait for work and take all of it; False when there will be no more."""
        with self._lock:
            self._work.wait_for(self._is_urgent, GATHER_S)
            if not self._is_wanted():
                self._is_idle = True
                self._work.wait_for(self._is_wanted)
                self._is_idle = False
                self._work.wait_for(self._is_urgent, GATHER_S)
            if self._closing:
                return False
            self._group += self._queue
            self._queue = []
            self._waiting_rows = 0
            self._done.notify_all()
            return True

    def _is_wanted(self) -> bool:
        has_work = bool(self._queue) or self._durable_wanted > self._durable
        return self._closing or (has_work and not self._failure)

    def _is_urgent(self) -> bool:
        """Somebody waits, or soon would."""
        waited_for = self._durable_wanted > self._durable or self._is_crowded
        return self._closing or (waited_for and not self._failure)

    @property
    def _is_crowded(self) -> bool:
        return 2 * self._waiting_rows >= self._queue_rows

    def _commit(self) -> None:
        durable = self._durable_wanted > self._durable
        gathered_ns = time.monotonic_ns()
        try:
            self._file.write(self._group, durable=durable)
        except TapeError as error:
            with self._lock:
                self._failure = error
                self._done.notify_all()
            return
        with self._lock:
            self._committed += len(self._group)
            self._group = []
            self._behind_since_ns = gathered_ns if self._queue else None
            if durable:
                self._durable = self._committed
            self._done.notify_all()


class MemoryTape:
    """A tape that is a list: for tests of the line, and for runs that keep none."""

    def __init__(self, header: TapeHeader | None = None) -> None:
        self._header = header
        self._facts: list[Item] = []
        self._snapshots: list[Snapshot] = []
        self.last_sequence = 0

    @property
    def header(self) -> TapeHeader:
        assert self._header
        return self._header

    def append(self, fact: Item) -> None:
        rows = count(fact)
        if rows:
            assert sequence_of(fact) == self.last_sequence + 1
            self._facts.append(_fresh(fact))
            self.last_sequence += rows

    def snapshot(self, sequence: int, payload: bytes) -> None:
        assert sequence == self.last_sequence
        self._snapshots.append(Snapshot(len(self._facts), sequence, b"", "", "", "", payload))

    def sync(self) -> None:
        """Nothing to wait for."""

    def close(self, *, clean: bool = True) -> None:
        """Nothing to release; the facts stay readable."""

    def facts(self, chunk: int | None = None, after_sequence: int = 0) -> Iterator[Item]:
        return rechunk(after(map(_fresh, self._facts), after_sequence), chunk)

    def last_snapshot(self, up_to: int | None = None) -> Snapshot | None:
        fitting = (one for one in reversed(self._snapshots) if up_to is None or one.sequence <= up_to)
        return next(fitting, None)


def _fresh(fact: Item) -> Item:
    """The line writes line time and closed bars onto its blocks: keep and give out others."""
    return replace(fact, line_ns=None, line_time_ns=0, closed=None) if isinstance(fact, MarketBlock) else fact


def _check_same(path: Path, found: TapeHeader, expected: TapeHeader) -> None:
    for name in ("build_hash", "lock_hash", "config_hash"):
        was, wanted = getattr(found, name), getattr(expected, name)
        if was != wanted:
            raise TapeMismatch(f"{path}: {name} of the tape must be {wanted}, was {was}")


__all__ = [
    "FORMAT_VERSION", "QUEUE_ROWS", "MemoryTape", "Snapshot", "TapeError", "TapeHeader", "TapeMismatch", "TapeReader",
    "TapeWriter", "Verification", "continue_tape", "create_tape",
]  # fmt: skip
