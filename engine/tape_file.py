"""The tape as an SQLite file, seen by its one writer: create, reopen, append a group, end.

One transaction a group, so a group is on the tape as a whole or not at all; every row chains
the hash of the one before, and the first chains the header's. The file is created with rollback
journal, so that it never lacks its header, then switched to WAL. A tape that ends clean is
switched back: one plain file, readable where nothing may be written.
"""

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from engine.chunks import count, sequence_of
from engine.ports import Item
from engine.tape_codec import (
    FORMAT_VERSION,
    Snapshot,
    TapeError,
    TapeHeader,
    encode_fact,
    encode_header,
    link,
    seal,
    seal_snapshot,
)

APPLICATION_ID = 0x57_54_41_50  # "WTAP", in the SQLite header of every tape
BUSY_SECONDS = 2.0
"""How long a statement waits for another process's lock before it fails."""

SCHEMA = """
BEGIN IMMEDIATE;
CREATE TABLE header (payload BLOB NOT NULL, hash BLOB NOT NULL);
CREATE TABLE facts (
    position INTEGER PRIMARY KEY, sequence INTEGER NOT NULL, kind TEXT NOT NULL, rows INTEGER NOT NULL,
    payload BLOB NOT NULL, hash BLOB NOT NULL
);
CREATE TABLE snapshots (
    position INTEGER NOT NULL, sequence INTEGER NOT NULL, hash BLOB NOT NULL, build TEXT NOT NULL,
    lock TEXT NOT NULL, config TEXT NOT NULL, payload BLOB NOT NULL, seal BLOB NOT NULL
);
-- the last sequence number that a caller was told is on the disk
CREATE TABLE durable (sequence INTEGER NOT NULL);
INSERT INTO durable VALUES (0);
-- one row when the tape was ended on purpose
CREATE TABLE clean (position INTEGER NOT NULL, hash BLOB NOT NULL, snapshots INTEGER NOT NULL, seal BLOB NOT NULL);
"""

Row = tuple[int, int, str, int, bytes, bytes]
"""Position, sequence, kind, rows, payload, hash."""


@dataclass(frozen=True, slots=True)
class Head:
    """Where the tape ends: the last row's position, hash and last sequence number."""

    position: int
    sequence: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class SnapshotRequest:
    """A snapshot on its way through the queue: it belongs behind the facts before it."""

    payload: bytes


Entry = Item | SnapshotRequest


@contextmanager
def naming(path: Path, doing: str) -> Iterator[None]:
    """Turn SQLite's and the system's errors into TapeError with file and deed."""
    try:
        yield
    # sqlite3 raises UnicodeError where a damaged schema is no text, MemoryError where a damaged
    # length is absurd.
    except (sqlite3.Error, OSError, UnicodeError, MemoryError) as error:
        raise TapeError(f"{path}: cannot {doing}: {error}") from error


class TapeFile:
    """Append side. Not thread-safe; one thread at a time, any thread."""

    def __init__(self, path: Path, header: TapeHeader, head: Head) -> None:
        """Open an existing tape whose header and head the caller knows."""
        self.path = path
        self.head = head
        self._header = header
        with naming(path, "open for writing"):
            self._connection = sqlite3.connect(
                path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            try:
                (mode,) = self._connection.execute("PRAGMA journal_mode = WAL").fetchone()
                self._connection.execute("DELETE FROM clean")
            except sqlite3.Error:
                self._connection.close()
                raise
        if mode != "wal":
            self._connection.close()
            raise TapeError(f"{path}: journal mode must be wal, was {mode}: the file system cannot hold a tape")

    @classmethod
    def create(cls, path: Path, header: TapeHeader) -> "TapeFile":
        """Raises TapeError when there is a file already, or none can be made."""
        payload = encode_header(header)
        with naming(path, "create"):
            _create_private(path)
            try:
                _write_header(path, payload)
                return cls(path, header, Head(0, 0, seal(payload)))
            except (sqlite3.Error, TapeError):
                path.unlink()
                raise

    def write(self, entries: Sequence[Entry], *, durable: bool) -> None:
        """Commit all entries or none. Raises TapeError; the tape then is as before."""
        with naming(self.path, f"write {len(entries)} facts after sequence {self.head.sequence}"):
            # FULL makes this commit, and with it all commits before, survive a power cut.
            self._connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                head = self._insert(entries)
                if durable:
                    self._connection.execute("UPDATE durable SET sequence = ?", (head.sequence,))
                self._connection.execute("COMMIT")
            except BaseException:
                self._roll_back()
                raise
        self.head = head

    def end(self) -> None:
        """Mark the tape clean and make it one plain file."""
        with naming(self.path, "end the tape"):
            self._connection.execute("PRAGMA synchronous = FULL")
            (snapshots,) = self._connection.execute("SELECT count(*) FROM snapshots").fetchone()
            fields = (self.head.position, self.head.hash, snapshots)
            self._connection.execute("INSERT INTO clean VALUES (?, ?, ?, ?)", (*fields, seal(*fields)))
        # A reader that is at work keeps the WAL in use; the tape is whole either way.
        with suppress(sqlite3.OperationalError):
            self._connection.execute("PRAGMA journal_mode = DELETE")

    def close(self) -> None:
        self._connection.close()

    def _insert(self, entries: Sequence[Entry]) -> Head:
        head = self.head
        rows: list[Row] = []
        for entry in entries:
            if isinstance(entry, SnapshotRequest):
                self._insert_snapshot(head, entry.payload)
                continue
            kind, size, payload = encode_fact(entry)
            sequence = sequence_of(entry)
            hash_ = link(head.hash, head.position + 1, sequence, kind, size, payload)
            head = Head(head.position + 1, sequence + count(entry) - 1, hash_)
            rows.append((head.position, sequence, kind, size, payload, hash_))
        self._connection.executemany("INSERT INTO facts VALUES (?, ?, ?, ?, ?, ?)", rows)
        return head

    def _insert_snapshot(self, head: Head, payload: bytes) -> None:
        header = self._header
        snapshot = Snapshot(
            head.position, head.sequence, head.hash, header.build_hash, header.lock_hash, header.config_hash, payload
        )
        fields = (*_fields(snapshot), seal_snapshot(snapshot))
        self._connection.execute("INSERT INTO snapshots VALUES (?, ?, ?, ?, ?, ?, ?, ?)", fields)

    def _roll_back(self) -> None:
        # SQLite has rolled back by itself after some errors, a full disk among them.
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")


def _fields(snapshot: Snapshot) -> tuple[int | bytes | str, ...]:
    return tuple(getattr(snapshot, name) for name in snapshot.__struct_fields__)


def _create_private(path: Path) -> None:
    """An empty file that only its owner may read; refuses to replace one."""
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def _write_header(path: Path, payload: bytes) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.executescript(SCHEMA)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {FORMAT_VERSION}")
        connection.execute("INSERT INTO header VALUES (?, ?)", (payload, seal(payload)))
        connection.execute("COMMIT")
    finally:
        connection.close()
