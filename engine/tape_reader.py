"""Reading a tape: every row is checked against the chain before anything is made of it.

Rows are fetched in pages, each in its own short transaction, so that a reader of a tape that is
still being written never holds the writer's log back. What cannot be trusted raises TapeError;
nothing is skipped.
"""

import sqlite3
import zlib
from bisect import bisect_left
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import msgspec

from engine.chunks import after, rechunk
from engine.ports import Item
from engine.tape_codec import (
    BLOCKS,
    FORMAT_VERSION,
    Snapshot,
    TapeError,
    TapeHeader,
    decode_fact,
    decode_header,
    link,
    seal,
    seal_snapshot,
)
from engine.tape_file import APPLICATION_ID, BUSY_SECONDS, Head, Row, naming

PAGE_FACTS = 256
"""Facts fetched at a time: with blocks of 4,096 trades some 20 MB decoded."""

_TYPES = (int, int, str, int, bytes, bytes)


class Verification(msgspec.Struct, frozen=True):
    """What a whole reading found.

    `facts` and `rows` (of market data) count what is sound, up to the first damage. `reason` is
    "" for a sound tape; else it says what is wrong, and `bad_position` where (0: not in a fact).
    `clean` says that the tape was ended on purpose; `durable` is the last sequence number that
    was promised to be on the disk.
    """

    facts: int
    rows: int
    last_sequence: int
    last_hash: bytes
    snapshots: int
    durable: int
    clean: bool
    bad_position: int
    reason: str

    @property
    def ok(self) -> bool:
        return not self.reason

    @property
    def head(self) -> Head:
        return Head(self.facts, self.last_sequence, self.last_hash)


class TapeReader:
    """Reads a finished, a crashed or a growing tape; changes nothing."""

    def __init__(self, path: Path) -> None:
        """Raises TapeError unless the file is a tape of a known format with a sound header."""
        self.path = path
        _check_is_file(path)
        with naming(path, "open"):
            self._connection = sqlite3.connect(
                f"file:{quote(str(path))}?mode=ro",
                uri=True,
                timeout=BUSY_SECONDS,
                isolation_level=None,
                check_same_thread=False,
            )
        try:
            self._check_format()
            self.header, self._header_hash = self._read_header()
        except TapeError:
            self._connection.close()
            raise

    def facts(self, chunk: int | None = None, after_sequence: int = 0) -> Iterator[Item]:
        """Facts in order, blocks cut and joined as `rechunk` does; first those after the given number.

        Raises TapeError at the first row that cannot be trusted.
        """
        head = self._head_before(after_sequence)
        facts = (self._fact(row) for row in self._rows(head))
        return rechunk(after(facts, after_sequence), chunk)

    def last_snapshot(self, up_to: int | None = None) -> Snapshot | None:
        """The latest snapshot, or the latest taken at or before sequence `up_to`."""
        rows = self._fetch(
            "SELECT position, sequence, hash, build, lock, config, payload, seal FROM snapshots"
            " WHERE sequence <= ? ORDER BY rowid DESC LIMIT 1",
            2**63 - 1 if up_to is None else up_to,
        )
        for row in rows:
            return self._snapshot(row)
        return None

    def verify(self) -> Verification:
        """Read everything, report the first damage. Does not raise for what is on the tape."""
        facts = rows = 0
        head = Head(0, 0, self._header_hash)
        reason = ""
        try:
            for row in self._rows(head):
                facts += 1
                rows += row[3] if row[2] in BLOCKS else 0
                head = Head(row[0], row[1] + row[3] - 1, row[5])
        except TapeError as error:
            reason = str(error)
        broken = facts + 1 if reason else 0
        try:
            snapshots, durable, clean = self._check_sides(head)
        except TapeError as error:
            snapshots, durable, clean = 0, 0, False
            reason = reason or str(error)
        return Verification(facts, rows, head.sequence, head.hash, snapshots, durable, clean, broken, reason)

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # ------------------------------------------------------------------ opening

    def _check_format(self) -> None:
        application = self._one("PRAGMA application_id")
        if application != APPLICATION_ID:
            raise TapeError(f"{self.path}: not a tape: application id must be {APPLICATION_ID}, was {application}")
        version = self._one("PRAGMA user_version")
        if version != FORMAT_VERSION:
            raise TapeError(f"{self.path}: tape format must be {FORMAT_VERSION}, was {version}")

    def _read_header(self) -> tuple[TapeHeader, bytes]:
        rows = self._fetch("SELECT payload, hash FROM header")
        if len(rows) != 1:
            raise TapeError(f"{self.path}: header must be one row, was {len(rows)}")
        payload, hash_ = rows[0]
        if not isinstance(payload, bytes) or seal(payload) != hash_:
            raise TapeError(f"{self.path}: header is damaged: its hash does not match")
        try:
            return decode_header(payload), seal(payload)
        except msgspec.MsgspecError as error:
            raise TapeError(f"{self.path}: header cannot be read: {error}") from error

    # -------------------------------------------------------------------- facts

    def _head_before(self, sequence: int) -> Head:
        """The head as it was before the fact that holds `sequence + 1`."""
        last = self._one("SELECT max(position) FROM facts") or 0
        position = bisect_left(range(1, last + 1), sequence + 1, key=self._last_sequence)
        if position == 0:
            return Head(0, 0, self._header_hash)
        rows = self._fetch("SELECT sequence, rows, hash FROM facts WHERE position = ?", position)
        if not rows or tuple(map(type, rows[0])) != (int, int, bytes):
            raise TapeError(f"{self.path}: fact {position} is damaged")
        return Head(position, rows[0][0] + rows[0][1] - 1, rows[0][2])

    def _last_sequence(self, position: int) -> int:
        found = self._one("SELECT sequence + rows - 1 FROM facts WHERE position = ?", position)
        if not isinstance(found, int):
            raise TapeError(f"{self.path}: fact {position} is missing or damaged")
        return found

    def _rows(self, head: Head) -> Iterator[Row]:
        """Rows after `head`, each checked: types, position, sequence, chain."""
        while page := self._page(head.position):
            for row in page:
                head = self._check_row(head, row)
                yield row

    def _page(self, position: int) -> list[Any]:
        return self._fetch(
            "SELECT position, sequence, kind, rows, payload, hash FROM facts"
            " WHERE position > ? ORDER BY position LIMIT ?",
            position,
            PAGE_FACTS,
        )

    def _check_row(self, head: Head, row: Row) -> Head:
        if tuple(map(type, row)) != _TYPES:
            raise TapeError(f"{self.path}: fact {head.position + 1} is damaged: a value has the wrong type")
        position, sequence, kind, rows, payload, hash_ = row
        if position != head.position + 1:
            raise TapeError(f"{self.path}: fact {head.position + 1} is missing: the next is {position}")
        if sequence != head.sequence + 1 or rows < 1:
            raise TapeError(
                f"{self.path}: fact {position}: sequence must be {head.sequence + 1}, was {sequence} with {rows} rows"
            )
        if link(head.hash, position, sequence, kind, rows, payload) != hash_:
            raise TapeError(
                f"{self.path}: fact {position} (sequence {sequence}, {kind}) is damaged: the chain is broken"
            )
        return Head(position, sequence + rows - 1, hash_)

    def _fact(self, row: Row) -> Item:
        position, sequence, kind, rows, payload, _ = row
        try:
            return decode_fact(kind, sequence, rows, payload)
        except (ValueError, zlib.error) as error:
            raise TapeError(f"{self.path}: fact {position} ({kind}) cannot be read: {error}") from error

    # -------------------------------------------------------- beside the chain

    def _snapshot(self, row: tuple[Any, ...]) -> Snapshot:
        snapshot = Snapshot(*row[:-1])
        if seal_snapshot(snapshot) != row[-1]:
            raise TapeError(
                f"{self.path}: snapshot at sequence {snapshot.sequence} is damaged: its hash does not match"
            )
        at = self._one("SELECT hash FROM facts WHERE position = ?", snapshot.position)
        if (at if snapshot.position else self._header_hash) != snapshot.hash:
            raise TapeError(f"{self.path}: snapshot at sequence {snapshot.sequence} does not belong to this chain")
        return snapshot

    def _check_sides(self, head: Head) -> tuple[int, int, bool]:
        """Number of snapshots, durable sequence, clean or not."""
        self._check_pages()
        snapshots = 0
        for (number,) in self._fetch("SELECT rowid FROM snapshots ORDER BY rowid"):
            self._snapshot(self._fetch(
                "SELECT position, sequence, hash, build, lock, config, payload, seal FROM snapshots WHERE rowid = ?",
                number,
            )[0])  # fmt: skip
            snapshots += 1
        durable = self._one("SELECT sequence FROM durable")
        if not isinstance(durable, int) or durable > head.sequence:
            raise TapeError(f"{self.path}: facts to sequence {durable} were kept, the last found was {head.sequence}")
        return snapshots, durable, self._is_clean(head, snapshots)

    def _is_clean(self, head: Head, snapshots: int) -> bool:
        ends = self._fetch("SELECT position, hash, snapshots, seal FROM clean")
        for *fields, mark in ends:
            if fields != [head.position, head.hash, snapshots] or seal(*fields) != mark:
                raise TapeError(f"{self.path}: the end mark does not match the {head.position} facts before it")
        return bool(ends)

    def _check_pages(self) -> None:
        """Structure of the file itself: finds rows that vanished without a trace."""
        found = self._one("PRAGMA quick_check(1)")
        if found != "ok":
            raise TapeError(f"{self.path}: the file is damaged: {found}")

    # ----------------------------------------------------------------------- SQL

    def _one(self, sql: str, *values: object) -> Any:
        rows = self._fetch(sql, *values)
        return rows[0][0] if rows else None

    def _fetch(self, sql: str, *values: object) -> list[Any]:
        with naming(self.path, "read"):
            return self._connection.execute(sql, values).fetchall()


def _check_is_file(path: Path) -> None:
    """Cases of which SQLite would say nothing.

    Only looks at the size: opening and closing a file that this process has in SQLite elsewhere
    would drop SQLite's locks on it.
    """
    with naming(path, "open"):
        size = path.stat().st_size
    if size == 0:
        raise TapeError(f"{path}: not a tape: the file is empty")


__all__ = ["PAGE_FACTS", "TapeReader", "Verification"]
