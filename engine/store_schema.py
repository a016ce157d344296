"""Opening a store: the schema is what the numbered files in `migrations/` make of an empty file.

Each migration runs once, in its own transaction with its entry in `schema_version`, so a store
is always exactly at some version.
"""

import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

import aiosqlite
import anyio

BUSY_SECONDS = 2.0
"""How long a statement waits for another process's lock before it fails."""


class StoreError(Exception):
    """The store cannot be opened. Names the file, what was expected and what was found."""


class Migration(NamedTuple):
    version: int
    name: str
    script: str


def migrations() -> list[Migration]:
    """All that this build knows, in order: versions 1, 2, 3, ... without a gap."""
    found = sorted(
        (file.name, file.read_text(encoding="utf-8"))
        for file in (files("engine") / "migrations").iterdir()
        if file.name.endswith(".sql")
    )
    known = [Migration(int(name.split("_")[0]), name, script) for name, script in found]
    assert [one.version for one in known] == list(range(1, len(known) + 1))
    return known


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise StoreError(f"{path}: cannot open the store: {error}") from error


def _make_private(path: Path) -> None:
    path.touch(mode=0o600)


@asynccontextmanager
async def open_store(path: Path) -> AsyncIterator[aiosqlite.Connection]:
    """A connection to a store at the newest schema, made or migrated if need be.

    A new file is readable by its owner only. Raises StoreError when there can be no store.
    """
    with _naming(path):
        _make_private(path)
        connection = await aiosqlite.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
    try:
        with _naming(path):
            await connection.execute("PRAGMA journal_mode = WAL")
            await connection.execute("PRAGMA synchronous = NORMAL")
            await migrate(connection, path, migrations())
        yield connection
    finally:
        with anyio.CancelScope(shield=True):
            await connection.close()


async def migrate(connection: aiosqlite.Connection, path: Path, known: list[Migration]) -> None:
    """Apply what is missing. Raises StoreError on a newer schema or somebody else's database."""
    version = await _version(connection, path)
    if version > len(known):
        raise StoreError(f"{path}: schema must be at most {len(known)}, was {version}: a newer engine wrote this store")
    for migration in known[version:]:
        entry = f"INSERT INTO schema_version VALUES ({migration.version}, '{migration.name}');"  # noqa: S608  ours
        try:
            await connection.executescript(f"BEGIN IMMEDIATE;\n{migration.script}\n{entry}\nCOMMIT;")
        except sqlite3.Error as error:
            if connection.in_transaction:
                await connection.rollback()
            raise StoreError(f"{path}: migration {migration.name} failed: {error}") from error


async def _version(connection: aiosqlite.Connection, path: Path) -> int:
    names = {name for (name,) in await connection.execute_fetchall("SELECT name FROM sqlite_master")}
    if names and "schema_version" not in names:
        raise StoreError(f"{path}: not a store: a table schema_version was expected, found {min(names)}")
    await connection.execute(
        "CREATE TABLE IF NOT EXISTS schema_version (version INTEGER PRIMARY KEY, name TEXT NOT NULL)"
    )
    rows = await connection.execute_fetchall("SELECT coalesce(max(version), 0) FROM schema_version")
    return int(next(iter(rows))[0])
