"""The store: a read model of runs in SQLite, written behind the line and never in its way.

`StoreWriter.write` only puts messages into a bounded buffer; `run` drains it in transactions. If
the disk fails or the store falls behind, messages are dropped and counted and `status` says so:
trading goes on, and the run is rebuilt by running its tape into a `StoreWriter` again.
"""

import asyncio
import sqlite3
from collections import deque
from enum import StrEnum
from itertools import islice
from pathlib import Path

import aiosqlite
import anyio
import msgspec
from anyio.abc import TaskStatus

from engine.blocks import MarketBlock
from engine.messages import Message, SessionStart
from engine.ports import Item
from engine.store_bars import BarKeeper
from engine.store_heat import Heat, HeatSampler
from engine.store_rows import COLUMNS, STORED, Storable, Value, insertion, rows
from engine.store_schema import StoreError, open_store

BUFFER_MESSAGES = 65_536
"""Messages that may wait for the disk; beyond, the newest are dropped."""

BATCH_MESSAGES = 4_096
"""Most messages in one transaction."""

BARS_ITEM = 0
"""Bars belong to no message; going on with a run keeps them, beginning it again does not."""

RETRY_MESSAGES = 256
"""A failed transaction is tried again when this many more messages have come."""


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """What a run is known by; `name` is unique in a store. `config` is JSON, "" where not kept."""

    name: str
    mode: str
    build_hash: str
    config_hash: str
    started_ns: int
    config: str = ""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How a run ended, at which line time. `counts` is JSON."""

    digest: str
    ended_ns: int
    counts: str


class StoreState(StrEnum):
    OK = "OK"
    LAGGING = "LAGGING"  # the buffer is more than half full, or messages have been dropped
    FAILED = "FAILED"  # the last transaction failed


class StoreStatus(msgspec.Struct, frozen=True):
    """`written`, `pending` and `dropped` count messages that belong in the store, `high_water` the most that have
    waited at once."""

    state: StoreState
    reason: str
    written: int
    pending: int
    dropped: int
    high_water: int = 0


class StoreWriter:
    """A sink of the Tap. `write` and `close` belong on the thread of the loop that does `run`."""

    reads = (Message, MarketBlock)

    def __init__(
        self,
        path: Path,
        run: Run,
        *,
        first_item: int = 1,
        buffer_messages: int = BUFFER_MESSAGES,
        session: SessionStart | None = None,
    ) -> None:
        """`first_item` numbers the next message: after recovery, the Tap's `total_messages` + 1.

        What the store holds of this run from there on is replaced. `session` is the one that goes on, where
        its SessionStart does not come through `write` again.
        """
        self._bars = BarKeeper(session)
        self._heat: HeatSampler | None = None
        self._path = path
        self._run = run
        self._first_item = first_item
        self._next_item = first_item
        self._limit = buffer_messages
        self._buffer: deque[tuple[int, Storable]] = deque()
        self._written = 0
        self._dropped = 0
        self._high_water = 0
        self._failure = ""
        self._since_failure = 0
        self._running = False
        self._closing = False
        self._outcome: Outcome | None = None
        self._wake = asyncio.Event()
        self._progress = asyncio.Event()

    def follow_heat(self, heat: Heat) -> None:
        """Keep heat over time as well, as `heat` tells it."""
        self._heat = HeatSampler(heat)

    def write(self, item: Item) -> None:
        """Never waits and never fails."""
        if isinstance(item, MarketBlock):
            if item.closed is not None and self._bars.add(item.closed):
                self.flush_bars()
            if self._heat is not None and (sample := self._heat.look(item.line_time_ns)) is not None:
                self.record(self._next_item, sample)
            return
        number = self._next_item
        self._next_item += 1
        if isinstance(item, SessionStart):
            self._bars.begin(item)
        if isinstance(item, STORED):
            self.record(number, item)

    def flush_bars(self) -> None:
        """Let readers see the bars that have closed: they wait here for company. Never waits."""
        for pack in self._bars.packs():
            self.record(BARS_ITEM, pack)

    def record(self, item: int, record: Storable) -> None:
        """Keep what is no message of its own: a closed trade, a point of the curve. Never waits.

        `item` is the number of the message that it belongs to.
        """
        self._since_failure += 1
        if len(self._buffer) < self._limit:
            self._buffer.append((item, record))
            self._high_water = max(self._high_water, len(self._buffer))
        else:
            self._dropped += 1
        self._wake.set()

    def close(self, outcome: Outcome | None = None) -> None:
        """No more messages: `run` writes what is left and returns."""
        self.flush_bars()
        self._outcome = outcome
        self._closing = True
        self._wake.set()

    def retry(self) -> None:
        """Try a failed transaction again now, not only when more messages have come."""
        self._since_failure = RETRY_MESSAGES
        self._wake.set()

    @property
    def name(self) -> str:
        """Of the run."""
        return self._run.name

    @property
    def status(self) -> StoreStatus:
        pending = len(self._buffer)
        state, reason = StoreState.OK, ""
        if self._failure:
            state, reason = StoreState.FAILED, self._failure
        elif self._dropped:
            state, reason = StoreState.LAGGING, f"{self._path}: {self._dropped} messages are missing: rebuild the run"
        elif pending * 2 > self._limit:
            state, reason = StoreState.LAGGING, f"{self._path}: {pending} messages wait for the disk"
        return StoreStatus(state, reason, self._written, pending, self._dropped, self._high_water)

    async def drained(self) -> None:
        """Wait until nothing is pending or nothing can be written: how a fast replay keeps pace."""
        while self._running and self._buffer and not self._failure:
            await self._progress.wait()

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Drain until `close`. Raises StoreError only before it has started."""
        async with open_store(self._path) as connection:
            try:
                run = await self._register(connection)
            except sqlite3.Error as error:
                raise StoreError(f"{self._path}: cannot begin run {self._run.name}: {error}") from error
            self._running = True
            task_status.started()
            try:
                while await self._has_work():
                    with anyio.CancelScope(shield=True):
                        await self._drain(connection, run)
                await self._finish(connection, run)
            finally:
                self._running = False
                self._progress.set()

    async def _register(self, connection: aiosqlite.Connection) -> int:
        """The run's number; what is to be replaced is deleted."""
        await connection.execute("BEGIN IMMEDIATE")
        await connection.execute(
            "INSERT INTO runs (name, mode, build_hash, config_hash, started_ns, config) VALUES (?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (name) DO UPDATE SET mode = excluded.mode, build_hash = excluded.build_hash,"
            " config_hash = excluded.config_hash, started_ns = excluded.started_ns, config = excluded.config,"
            " ended_ns = NULL, digest = NULL, counts = NULL, dropped = 0",
            msgspec.structs.astuple(self._run),
        )
        found = await connection.execute_fetchall("SELECT run FROM runs WHERE name = ?", (self._run.name,))
        run = int(next(iter(found))[0])
        for table in COLUMNS:
            sql = f"DELETE FROM {table} WHERE run = ? AND item >= ?"  # noqa: S608  names are ours
            await connection.execute(sql, (run, self._first_item if self._first_item > 1 else BARS_ITEM))
        await connection.execute("COMMIT")
        return run

    async def _has_work(self) -> bool:
        while not self._closing and not self._is_due():
            self._wake.clear()
            await self._wake.wait()
        return bool(self._buffer)

    def _is_due(self) -> bool:
        return bool(self._buffer) and (not self._failure or self._since_failure >= RETRY_MESSAGES)

    async def _drain(self, connection: aiosqlite.Connection, run: int) -> None:
        batch = list(islice(self._buffer, BATCH_MESSAGES))
        self._since_failure = 0
        try:
            await _insert(connection, run, batch)
        except sqlite3.Error as error:
            self._failure = f"{self._path}: cannot write {len(batch)} messages: {error}"
            if self._closing:
                self._dropped += len(self._buffer)
                self._buffer.clear()
        else:
            for _ in batch:
                self._buffer.popleft()
            self._written += len(batch)
            self._failure = ""
        self._progress.set()
        self._progress = asyncio.Event()

    async def _finish(self, connection: aiosqlite.Connection, run: int) -> None:
        outcome = self._outcome
        ended = (outcome.ended_ns, outcome.digest, outcome.counts) if outcome else (None, None, None)
        sql = "UPDATE runs SET ended_ns = ?, digest = ?, counts = ?, dropped = ? WHERE run = ?"
        try:
            await connection.execute(sql, (*ended, self._dropped, run))
        except sqlite3.Error as error:
            self._failure = f"{self._path}: cannot end run {self._run.name}: {error}"


async def _insert(connection: aiosqlite.Connection, run: int, batch: list[tuple[int, Storable]]) -> None:
    """All rows of these messages in one transaction, or none."""
    tables: dict[str, list[tuple[Value, ...]]] = {}
    for item, message in batch:
        for table, values in rows(message):
            tables.setdefault(table, []).append((run, item, *values))
    await connection.execute("BEGIN IMMEDIATE")
    try:
        for table, found in tables.items():
            await connection.executemany(insertion(table), found)
        await connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            await connection.rollback()


__all__ = [
    "BATCH_MESSAGES", "BUFFER_MESSAGES", "RETRY_MESSAGES", "Outcome", "Run", "StoreError", "StoreState", "StoreStatus",
    "StoreWriter", "open_store",
]  # fmt: skip
