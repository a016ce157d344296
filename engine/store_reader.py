"""Reading a store: its runs, and the rows of one of them as the messages they were.

Opened read-only, so that a store can be looked at while a run writes it, and one that is asked
about is never made.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from engine.exits import IO_FAILED, NOT_FOUND, ExitError
from engine.store_schema import migrations

BUSY_SECONDS = 5.0

S = TypeVar("S")


class RunRow(msgspec.Struct, frozen=True):
    """A run as the store knows it. `ended_ns` and `digest` are None while it runs or where it crashed;
    `dropped` counts messages that are missing in the store."""

    run: int
    name: str
    mode: str
    build_hash: str
    config_hash: str
    started_ns: int
    ended_ns: int | None
    digest: str | None
    dropped: int
    config: str | None


class StoreReader:
    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection

    def runs(self) -> list[RunRow]:
        """All of them, in the order in which they were first begun."""
        names = ", ".join(RunRow.__struct_fields__)
        return self.structs(RunRow, f"SELECT {names} FROM runs ORDER BY run")  # noqa: S608  names are ours

    def run(self, wanted: str | None) -> RunRow:
        """The run of this number or name, the last one for None. Raises ExitError."""
        known = self.runs()
        if not known:
            raise ExitError(NOT_FOUND, f"{self.path}: holds no run")
        found = [one for one in known if wanted is None or wanted in (str(one.run), one.name)]
        if not found:
            numbers = ", ".join(str(one.run) for one in known)
            raise ExitError(NOT_FOUND, f"{self.path}: --run must be one of {numbers} or a name, was {wanted}")
        return found[-1]

    def all(self, kind: type[S], table: str, run: int, condition: str = "", *values: object) -> list[S]:
        """Rows of a table as messages or records, in order of `item`; `condition` begins with AND."""
        names = ", ".join(f'"{name}"' for name in kind.__struct_fields__)  # type: ignore[attr-defined]
        sql = f"SELECT {names} FROM {table} WHERE run = ? {condition} ORDER BY item"  # noqa: S608  names are ours
        return self.structs(kind, sql, run, *values)

    def structs(self, kind: type[S], sql: str, *values: object) -> list[S]:
        """One struct a row, by the names of the columns; NULL where a number was NaN is NaN again."""
        return [msgspec.convert(row, kind, strict=False, str_keys=True) for row in self.rows(sql, *values)]

    def rows(self, sql: str, *values: object) -> list[dict[str, Any]]:
        with self._naming():
            cursor = self._connection.execute(sql, values)
            names = [column[0] for column in cursor.description]
            return [dict(zip(names, row, strict=True)) for row in cursor]

    @contextmanager
    def _naming(self) -> Iterator[None]:
        with naming(self.path):
            yield


@contextmanager
def naming(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise ExitError(IO_FAILED, f"{path}: must be a store that replay --store has written, was: {error}") from None


@contextmanager
def reading(path: Path) -> Iterator[StoreReader]:
    """A store at this build's schema. Raises ExitError on anything else."""
    if not path.exists():
        raise ExitError(NOT_FOUND, f"{path}: there is no such file")
    if not path.is_file():
        raise ExitError(IO_FAILED, f"{path}: must be a store, was a directory, device or pipe")
    with naming(path), closing(_connect(path)) as connection:
        _check(path, connection)
        yield StoreReader(path, connection)


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=BUSY_SECONDS)
    connection.execute("PRAGMA query_only = ON")
    return connection


def _check(path: Path, connection: sqlite3.Connection) -> None:
    names: Sequence[str] = [name for (name,) in connection.execute("SELECT name FROM sqlite_master")]
    if "schema_version" not in names or "runs" not in names:
        found = "a file without tables" if not names else f"a database with {min(names)}"
        raise ExitError(IO_FAILED, f"{path}: must be a store that replay --store has written, was {found}")
    (version,) = connection.execute("SELECT max(version) FROM schema_version").fetchone()
    newest = migrations()[-1].version
    if version != newest:
        wrote = "an older" if version < newest else "a newer"
        raise ExitError(
            IO_FAILED, f"{path}: schema must be {newest}, was {version}: {wrote} engine wrote it; replay into it again"
        )
