"""The store of a live session: opened when the line stands in the state in which it goes on.

Until then nothing may reach it, for a recovery replays what an earlier process has perhaps stored already: the
numbering of messages begins where the snapshot ends, and what the store holds from there on is replaced.
"""

from pathlib import Path

import anyio
import msgspec
from anyio.abc import TaskStatus

from engine.app import Line
from engine.config import Config
from engine.live.ports import Clock
from engine.live.tapes import epoch
from engine.ports import Item
from engine.replay import identity
from engine.session import Session
from engine.store import Outcome, StoreStatus, StoreWriter
from engine.store import Run as StoreRun
from engine.store_rows import Storable

FLUSH_S = 5.0
"""Bars wait for company no longer than this."""


class ReadModel:
    """A sink of the Tap and of the Ledger that forwards to the store."""

    reads = StoreWriter.reads

    def __init__(self, path: Path, config: Config, clock: Clock) -> None:
        self._path = path
        self._config = config
        self._clock = clock
        self._store: StoreWriter | None = None
        self.name = ""
        self.ended = anyio.Event()

    def open(self, line: Line, session: Session) -> None:
        """The same run over restarts and days: it is named by the moment its first tape began."""
        known, start = identity(self._config), session.start
        self.name = f"{start.mode}-{epoch(start.time_ns)}"
        run = StoreRun(
            name=self.name,
            mode=start.mode,
            build_hash=known.build,
            config_hash=known.config,
            started_ns=start.time_ns,
            config=self._config.model_dump_json(),
        )
        self._store = StoreWriter(self._path, run, first_item=line.tap.counts.total_messages + 1, session=start)
        self._store.follow_heat(line.gate.heat_now)

    @property
    def status(self) -> StoreStatus | None:
        return None if self._store is None else self._store.status

    def write(self, item: Item) -> None:
        if self._store is not None:
            self._store.write(item)

    def record(self, item: int, record: Storable) -> None:
        if self._store is not None:
            self._store.record(item, record)

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Until `close`. Raises StoreError only before it has started."""
        assert self._store is not None
        async with anyio.create_task_group() as tasks:
            await tasks.start(self._drain, tasks.cancel_scope)
            task_status.started()
            tasks.start_soon(self._flush)

    async def _drain(self, scope: anyio.CancelScope, *, task_status: TaskStatus[None]) -> None:
        assert self._store is not None
        await self._store.run(task_status=task_status)
        self.ended.set()
        scope.cancel()

    async def _flush(self) -> None:
        assert self._store is not None
        while True:
            await self._clock.sleep(FLUSH_S)
            self._store.flush_bars()
            self._store.retry()

    def close(self, line: Line) -> None:
        """What is left is written, with what the run came to."""
        if self._store is not None:
            counts = line.tap.counts
            told = msgspec.json.encode(counts).decode()
            self._store.close(Outcome(digest=line.tap.digest.hex, ended_ns=counts.line_time_ns, counts=told))
