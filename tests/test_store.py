"""The store holds what left the line, and never stands in the line's way."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

import aiosqlite
import anyio
import msgspec
import pytest

from engine import store as store_module
from engine.messages import Accepted, Cancelled, Expired, Fill, Receipt, Rejected
from engine.ports import Item
from engine.store import Outcome, Run, StoreError, StoreState, StoreWriter, open_store
from engine.store_rows import COLUMNS
from engine.store_schema import migrate, migrations
from engine.tap import Tap
from tests.makers import heartbeat, trades
from tests.test_tap import decisions, detections, event, fill, intent, receipt, tap
from tests.test_tap import run as run_stage

RUN = Run(name="r1", mode="replay", build_hash="b", config_hash="c", started_ns=5)
OUTCOME = Outcome(digest="d1", ended_ns=9, counts='{"messages":{}}')


def writer(path: Path, run: Run = RUN, **changes: int) -> StoreWriter:
    return StoreWriter(path / "store.sqlite", run, **changes)


def fetch(path: Path, sql: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path / "store.sqlite")) as connection:
        return connection.execute(sql).fetchall()


def dump(path: Path) -> list[str]:
    with closing(sqlite3.connect(path / "store.sqlite")) as connection:
        return list(connection.iterdump())


async def stored(store: StoreWriter, items: list[Item]) -> StoreWriter:
    for item in items:
        store.write(item)
    store.close(OUTCOME)
    await store.run()
    return store


async def failing(store: StoreWriter, body: Callable[[], Awaitable[None]]) -> None:
    """Run `body` while the store runs, then close it."""
    async with anyio.create_task_group() as group:
        await group.start(store.run)
        await body()
        store.close(OUTCOME)


# ------------------------------------------------------------------------- content


@pytest.mark.asyncio
async def test_a_run_and_all_it_left_are_found_again(tmp_path: Path) -> None:
    store = await stored(writer(tmp_path), [*decisions(), trades(1, 2)])

    assert fetch(tmp_path, "SELECT * FROM runs") == [(1, "r1", "replay", "b", "c", 5, 9, "d1", OUTCOME.counts, 0, "")]
    assert fetch(tmp_path, "SELECT item, part, kind, score, support, resistance FROM events") == [
        (2, 0, "SPRING", 71.25, 10.0, None),
        (2, 1, "TEST", 71.25, 10.0, None),
    ]
    assert fetch(tmp_path, "SELECT time_ns, previous, phase, confidence FROM phase_changes") == [(3, "B", "C", 62.5)]
    assert fetch(tmp_path, "SELECT campaign, number, kind, state FROM campaign_changes") == [
        ("c1", 1, "CAMPAIGN_FORMED", "FORMING"),
        ("c1", 2, "CAMPAIGN_ACTIVATED", "ACTIVE"),
    ]
    assert fetch(tmp_path, "SELECT intent_id, action, entry_price, score FROM intents") == [
        ("c1/SPRING/1/ENTER", "ENTER", "10.50", 71.25),
        ("c1/SPRING/2/ENTER", "ENTER", "10.50", 71.25),
    ]
    assert fetch(tmp_path, "SELECT intent_id, verdict, stage, code, new_risk, quantity FROM verdicts") == [
        ("c1/SPRING/1/ENTER", "Approved", "", "", "15000000000", "100"),
        ("c1/SPRING/2/ENTER", "Refused", "portfolio", "HEAT_LIMIT", "90000000000", "100"),
    ]
    assert fetch(tmp_path, 'SELECT order_id, "group", side, stop_price, expires_ns FROM orders') == [
        ("c1/SPRING/1/ENTRY", "c1/SPRING/1", "BUY", "10.50", 9)
    ]
    assert fetch(tmp_path, "SELECT order_id, reason FROM cancel_requests") == [("c1/SPRING/1/ENTRY", "spring failed")]
    assert fetch(tmp_path, "SELECT item, report, time_ns, price, costs, filled, reason, simulated FROM executions") == [
        (7, "Fill", 1, "10.51", "1.00", None, None, 1),
        (13, "Cancelled", 5, None, None, "0", "asked", None),
        (14, "Expired", 6, None, None, "0", None, None),
    ]
    assert fetch(tmp_path, "SELECT previous, state, heat_bp FROM heat") == [("NORMAL", "WARNING", 701)]
    assert store.status.written == len(decisions()) - 1
    assert store.status.state is StoreState.OK


@pytest.mark.asyncio
async def test_every_kind_of_report_is_stored(tmp_path: Path) -> None:
    reports: list[Item] = [
        Accepted(1, "o", "AAA", "v7"), Rejected(2, "o", "AAA", "E1", "no"), fill(3),
        Cancelled(4, "o", "AAA", fill().price, "r"), Expired(5, "o", "AAA", fill().price),
    ]  # fmt: skip

    await stored(writer(tmp_path), reports)

    assert fetch(tmp_path, "SELECT report, venue_id, code, reason, filled, execution_id FROM executions") == [
        ("Accepted", "v7", None, None, None, None),
        ("Rejected", None, "E1", "no", None, None),
        ("Fill", None, None, None, None, "x3"),
        ("Cancelled", None, None, "r", "10.51", None),
        ("Expired", None, None, None, "10.51", None),
    ]


@pytest.mark.asyncio
async def test_sums_beyond_64_bits_are_exact(tmp_path: Path) -> None:
    large = msgspec.structs.replace(receipt("HEAT_LIMIT"), equity=2**70)

    await stored(writer(tmp_path), [msgspec.structs.replace(decisions()[10], receipt=large)])  # type: ignore[type-var]

    assert fetch(tmp_path, "SELECT equity FROM verdicts") == [(str(2**70),)]


@pytest.mark.asyncio
async def test_tables_have_a_column_for_every_field(tmp_path: Path) -> None:
    await stored(writer(tmp_path), [])

    for table, names in COLUMNS.items():
        found = {name for (name,) in fetch(tmp_path, f"SELECT name FROM pragma_table_info('{table}')")}
        assert found == {"run", "item", *names}
    for kind in (Accepted, Rejected, Fill, Cancelled, Expired):
        assert set(kind.__struct_fields__) <= set(COLUMNS["executions"])
    assert set(Receipt.__struct_fields__) <= set(COLUMNS["verdicts"])


@pytest.mark.asyncio
async def test_more_messages_than_a_batch_are_all_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "BATCH_MESSAGES", 7)

    await stored(writer(tmp_path), [fill(number) for number in range(100)])

    assert fetch(tmp_path, "SELECT count(*), max(item) FROM executions") == [(100, 100)]


@pytest.mark.asyncio
async def test_messages_are_written_while_the_line_runs(tmp_path: Path) -> None:
    store = writer(tmp_path)

    async def body() -> None:
        for number in range(3):
            store.write(fill(number))
            await store.drained()
            assert fetch(tmp_path, "SELECT count(*) FROM executions") == [(number + 1,)]

    await failing(store, body)


@pytest.mark.asyncio
async def test_two_runs_share_a_store(tmp_path: Path) -> None:
    await stored(writer(tmp_path), decisions())
    await stored(writer(tmp_path, msgspec.structs.replace(RUN, name="r2")), [fill(1)])

    counted = "SELECT runs.name, count(*) FROM executions JOIN runs USING (run) GROUP BY run ORDER BY run"
    assert fetch(tmp_path, counted) == [("r1", 3), ("r2", 1)]


# -------------------------------------------------------------------------- rebuild


@pytest.mark.asyncio
async def test_a_rebuilt_store_equals_the_original(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    original, rebuilt = writer(tmp_path / "a"), writer(tmp_path / "b", buffer_messages=1000)
    for store in (original, rebuilt):
        run_stage(Tap(tap().digest, [store]), decisions())
        store.close(OUTCOME)
        await store.run()

    assert dump(tmp_path / "a") == dump(tmp_path / "b")


@pytest.mark.asyncio
async def test_a_run_rebuilt_in_place_is_replaced(tmp_path: Path) -> None:
    await stored(writer(tmp_path), [*decisions(), fill(2), fill(3)])

    await stored(writer(tmp_path), decisions())

    (tmp_path / "fresh").mkdir()
    await stored(writer(tmp_path / "fresh"), decisions())
    assert dump(tmp_path) == dump(tmp_path / "fresh")


@pytest.mark.asyncio
async def test_recovery_goes_on_from_the_snapshots_message_number(tmp_path: Path) -> None:
    (tmp_path / "whole").mkdir()
    await stored(writer(tmp_path / "whole"), decisions())
    await stored(writer(tmp_path), [*decisions()[:9], fill(8), fill(9)])  # two that the snapshot does not know

    before = tap()
    run_stage(before, decisions()[:9])
    resumed = writer(tmp_path, first_item=before.counts.total_messages + 1)
    await stored(resumed, decisions()[9:])

    assert dump(tmp_path) == dump(tmp_path / "whole")


# ----------------------------------------------------------------- lag, failing disk


@pytest.mark.asyncio
async def test_a_store_that_falls_behind_drops_and_says_so(tmp_path: Path) -> None:
    store = writer(tmp_path, buffer_messages=10)
    for number in range(6):
        store.write(fill(number))
    assert store.status.state is StoreState.LAGGING
    assert "6 messages wait for the disk" in store.status.reason

    for number in range(6, 25):
        store.write(fill(number))
    store.close(OUTCOME)
    await store.run()

    status = store.status
    assert (status.state, status.written, status.pending, status.dropped) == (StoreState.LAGGING, 10, 0, 15)
    assert "store.sqlite: 15 messages are missing" in status.reason
    assert fetch(tmp_path, "SELECT dropped FROM runs") == [(15,)]
    assert fetch(tmp_path, "SELECT max(item) FROM executions") == [(10,)]


class FullDisk:
    """No store may grow until `room` is set; `tried` counts the attempts."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.room = False
        self.tried = 0
        execute = aiosqlite.Connection.executemany

        async def executemany(connection: aiosqlite.Connection, sql: str, values: object) -> object:
            self.tried += 1
            await connection.execute(f"PRAGMA max_page_count = {10**6 if self.room else 1}")
            if not self.room:
                await connection.execute("CREATE TABLE ballast AS SELECT zeroblob(1000000)")
            return await execute(connection, sql, values)  # type: ignore[arg-type]

        monkeypatch.setattr(aiosqlite.Connection, "executemany", executemany)


@pytest.mark.asyncio
async def test_a_full_disk_is_told_and_the_line_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = FullDisk(monkeypatch)
    store = writer(tmp_path)
    stage = Tap(tap().digest, [store])

    async def body() -> None:
        run_stage(stage, [fill(1)])
        await store.drained()
        status = store.status
        assert (status.state, status.pending, status.dropped) == (StoreState.FAILED, 1, 0)
        assert "store.sqlite: cannot write 1 messages: database or disk is full" in status.reason

        assert run_stage(stage, [fill(2), intent()]) == [fill(2), intent()]

        disk.room = True
        store.retry()
        while store.status.state is not StoreState.OK:
            await store._progress.wait()
        assert store.status.pending == 0

    await failing(store, body)

    assert fetch(tmp_path, "SELECT item FROM executions") == [(1,), (2,)]
    assert fetch(tmp_path, "SELECT dropped FROM runs") == [(0,)]


@pytest.mark.asyncio
async def test_a_full_disk_is_tried_again_after_more_messages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "RETRY_MESSAGES", 5)
    disk = FullDisk(monkeypatch)
    store = writer(tmp_path, buffer_messages=3)

    async def body() -> None:
        store.write(fill(1))
        await store.drained()
        assert disk.tried == 1
        for number in range(4):
            store.write(fill(number))
        disk.room = True
        await anyio.wait_all_tasks_blocked()
        assert disk.tried == 1
        store.write(fill(9))
        while store.status.pending:
            await store._progress.wait()

    await failing(store, body)
    assert (store.status.written, store.status.dropped) == (3, 3)


@pytest.mark.asyncio
async def test_a_store_closed_on_a_full_disk_counts_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    FullDisk(monkeypatch)
    store = writer(tmp_path)

    await stored(store, [fill(1), fill(2), heartbeat(3)])

    status = store.status
    assert (status.state, status.pending, status.dropped) == (StoreState.FAILED, 0, 2)
    assert fetch(tmp_path, "SELECT count(*) FROM executions") == [(0,)]


@pytest.mark.asyncio
async def test_a_batch_is_stored_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    execute = aiosqlite.Connection.executemany

    async def executemany(connection: aiosqlite.Connection, sql: str, values: object) -> object:
        if "INTO heat" in sql:
            raise sqlite3.OperationalError("disk I/O error")
        return await execute(connection, sql, values)  # type: ignore[arg-type]

    monkeypatch.setattr(aiosqlite.Connection, "executemany", executemany)

    await stored(writer(tmp_path), decisions())

    assert fetch(tmp_path, "SELECT count(*) FROM executions") == [(0,)]


@pytest.mark.asyncio
async def test_a_locked_store_does_not_end_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.store_schema.BUSY_SECONDS", 0.05)
    store = writer(tmp_path)

    async def body() -> None:
        with closing(sqlite3.connect(tmp_path / "store.sqlite", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            store.write(fill(1))
            await store.drained()
            assert "database is locked" in store.status.reason

    await failing(store, body)
    assert fetch(tmp_path, "SELECT count(*) FROM executions") == [(1,)]


@pytest.mark.asyncio
async def test_nobody_waits_for_a_store_that_does_not_run(tmp_path: Path) -> None:
    store = writer(tmp_path)
    store.write(fill(1))

    await asyncio.wait_for(store.drained(), 1)


@pytest.mark.asyncio
async def test_a_cancelled_store_leaves_whole_batches(tmp_path: Path) -> None:
    store = writer(tmp_path)
    async with anyio.create_task_group() as group:
        await group.start(store.run)
        store.write(detections(event(), event(number=2)))
        await anyio.wait_all_tasks_blocked()
        group.cancel_scope.cancel()

    assert fetch(tmp_path, "SELECT count(*) FROM events") in ([(0,)], [(2,)])
    assert fetch(tmp_path, "SELECT ended_ns FROM runs") == [(None,)]


# --------------------------------------------------------------------------- schema


async def at_version(path: Path, version: int) -> None:
    async with aiosqlite.connect(path / "store.sqlite", isolation_level=None) as connection:
        await migrate(connection, path, migrations()[:version])


def schema(path: Path) -> list[tuple[object, ...]]:
    return fetch(path, "SELECT type, name, sql FROM sqlite_master ORDER BY name")


@pytest.mark.asyncio
@pytest.mark.parametrize("version", range(len(migrations()) + 1))
async def test_a_store_of_any_version_becomes_the_newest(tmp_path: Path, version: int) -> None:
    (tmp_path / "new").mkdir()
    async with open_store(tmp_path / "new" / "store.sqlite"):
        pass
    await at_version(tmp_path, version)

    await stored(writer(tmp_path), decisions())

    assert schema(tmp_path) == schema(tmp_path / "new")
    assert fetch(tmp_path, "SELECT version, name FROM schema_version") == [
        (one.version, one.name) for one in migrations()
    ]


@pytest.mark.asyncio
async def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    async with open_store(tmp_path / "store.sqlite") as connection:
        await connection.execute("INSERT INTO schema_version VALUES (99, 'later')")

    with pytest.raises(StoreError, match=r"store\.sqlite: schema must be at most \d, was 99: a newer engine"):
        await writer(tmp_path).run()


@pytest.mark.asyncio
async def test_a_migration_that_fails_changes_nothing(tmp_path: Path) -> None:
    await at_version(tmp_path, 1)
    before = schema(tmp_path)
    broken = [migrations()[0], migrations()[1]._replace(script="CREATE TABLE half (x); CREATE TABLE half (x);")]

    async with aiosqlite.connect(tmp_path / "store.sqlite", isolation_level=None) as connection:
        with pytest.raises(StoreError, match=r"migration 0002_lookups\.sql failed: table half already exists"):
            await migrate(connection, tmp_path, broken)

    assert schema(tmp_path) == before
    assert fetch(tmp_path, "SELECT max(version) FROM schema_version") == [(1,)]


@pytest.mark.asyncio
async def test_somebody_elses_database_is_refused(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "store.sqlite")) as connection:
        connection.execute("CREATE TABLE facts (position INTEGER)")

    with pytest.raises(StoreError, match="not a store: a table schema_version was expected, found facts"):
        await writer(tmp_path).run()


@pytest.mark.asyncio
async def test_what_cannot_be_opened_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"missing/store\.sqlite: cannot open the store: .*No such file"):
        await writer(tmp_path / "missing").run()

    (tmp_path / "store.sqlite").write_text("time,price\n" * 100)
    with pytest.raises(StoreError, match=r"store\.sqlite: cannot open the store: file is not a database"):
        await writer(tmp_path).run()


@pytest.mark.asyncio
async def test_a_new_store_belongs_to_its_owner(tmp_path: Path) -> None:
    await stored(writer(tmp_path), [])

    assert (tmp_path / "store.sqlite").stat().st_mode & 0o777 == 0o600
