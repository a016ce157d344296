"""The store as REST needs it: pages of one run's rows as views, newest first, read in worker threads.

A cursor is where the page before ended, as `item-part`; rows never change their number, so pages do not
overlap while a run writes on.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

import anyio
import msgspec

from engine.campaign_views import RunView
from engine.campaigns_command import runs_view
from engine.exits import NOT_FOUND, ExitError
from engine.messages import (
    FOREVER_NS,
    Accepted,
    Cancelled,
    Declined,
    Event,
    Expired,
    Fill,
    HeatChange,
    Instrument,
    Intent,
    Order,
    PhaseChange,
    Receipt,
    Refused,
    Rejected,
)
from engine.monitor import shapes, views
from engine.monitor.bars_shown import merged
from engine.monitor.queries import BarsQuery, ListQuery
from engine.store_bars import Columns, unpacked
from engine.store_book import StoreBook
from engine.store_reader import RunRow, StoreReader, reading

READERS: Final = 2
"""Threads that read the store at the same time."""

MOST_PACKS: Final = 4_000

WORKING: Final = (
    "NOT EXISTS (SELECT 1 FROM executions AS e WHERE e.run = orders.run AND e.order_id = orders.order_id"
    " AND (e.report IN ('Cancelled', 'Rejected', 'Expired') OR (e.report = 'Fill' AND CAST(e.remaining AS REAL) = 0)))"
)
"""An order that no report has ended."""

REPORTS: Final[dict[str, type[Any]]] = {one.__name__: one for one in (Accepted, Rejected, Fill, Cancelled, Expired)}

TOLD: Final = ("campaign_changes", "intents", "verdicts", "orders", "executions", "declines", "warnings")
"""Tables whose newest rows tell whether campaigns are what they were."""

T = TypeVar("T")
V = TypeVar("V", bound=msgspec.Struct)


class Page(msgspec.Struct, Generic[V], frozen=True):
    """`next` continues where `items` end; None at the end."""

    items: list[V]
    next: str | None = None


class NoStoreError(Exception):
    """There is no store, or none that can be read."""


class Missing(Exception):  # noqa: N818 - a finding, not a fault
    """The store is there; what was asked for is not."""


class Shelf:
    """Opens the store for one reading at a time, read-only."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._limiter = anyio.CapacityLimiter(READERS)

    async def read(self, work: Callable[[StoreReader, RunRow], T], run: str | None) -> T:
        """Raises NoStoreError, Missing."""
        return await anyio.to_thread.run_sync(self._read, work, run, limiter=self._limiter)

    async def runs(self) -> list[RunView]:
        """Newest first. Raises NoStoreError."""
        return await anyio.to_thread.run_sync(self._runs, limiter=self._limiter)

    def _read(self, work: Callable[[StoreReader, RunRow], T], run: str | None) -> T:
        if self.path is None:
            raise NoStoreError("no store is kept: store.sqlite is empty")
        try:
            with reading(self.path) as reader:
                return work(reader, self._run(reader, run))
        except ExitError as error:
            if error.code == NOT_FOUND and self.path.exists():
                raise Missing(_unlocated(error, self.path)) from None
            raise NoStoreError(_unlocated(error, self.path)) from None

    def _run(self, reader: StoreReader, run: str | None) -> RunRow:
        return reader.run(run)

    def _runs(self) -> list[RunView]:
        if self.path is None:
            raise NoStoreError("no store is kept: store.sqlite is empty")
        try:
            with reading(self.path) as reader:
                return runs_view(reader).runs[::-1]
        except ExitError as error:
            raise NoStoreError(_unlocated(error, self.path)) from None


# ------------------------------------------------------------------------------------ market


def bars(reader: StoreReader, run: RunRow, query: BarsQuery) -> list[Columns]:
    """Packs that together hold at least `limit + 1` bars before `before_ms`, oldest first."""
    before_ns = query.before_ns
    sql = (
        "SELECT first_open_ns, count, data FROM bars WHERE run = ? AND symbol = ? AND timeframe = ?"
        " AND first_open_ns < ? ORDER BY first_open_ns DESC LIMIT ?"
    )
    rows = reader.rows(sql, run.run, query.symbol, query.timeframe, before_ns, MOST_PACKS)
    found, count = [], 0
    for row in rows:
        columns = unpacked(row["data"])
        found.append({name: column[columns["open_ns"] < before_ns] for name, column in columns.items()})
        count += len(found[-1]["open_ns"])
        if count > query.limit + len(columns["open_ns"]):
            break
    return found[::-1]


def joined(parts: Sequence[Columns], query: BarsQuery) -> tuple[Columns | None, bool]:
    """The last `limit` bars before `before_ms`, and whether there are older ones."""
    within = [{name: column[part["open_ns"] < query.before_ns] for name, column in part.items()} for part in parts]
    within = [part for part in within if len(part["open_ns"])]
    if not within:
        return None, False
    whole = merged(within, query.limit + 1)
    older = len(whole["open_ns"]) > query.limit
    return {name: column[-query.limit :] for name, column in whole.items()}, older


def instruments(reader: StoreReader, run: RunRow) -> list[Instrument]:
    return reader.all(Instrument, "instruments", run.run)


def session_names(reader: StoreReader, run: RunRow) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Timeframes, and those that are detected on."""
    session = StoreBook(reader, run).session
    return (session.timeframes, session.detect_on) if session else ((), ())


def events(reader: StoreReader, run: RunRow, query: ListQuery) -> Page[shapes.EventView]:
    found = _page(reader, run, "events", query, ("symbol", "timeframe", "kind"), parts=True, time="known_ns")
    return _paged(found, query, lambda row: views.event_view(_message(Event, row)))


def phases(reader: StoreReader, run: RunRow, query: ListQuery) -> Page[shapes.PhaseView]:
    found = _page(reader, run, "phase_changes", query, ("symbol", "timeframe"), parts=True, time="decision_ns")
    return _paged(
        found, query, lambda row: views.phase_view(_message(PhaseChange, row), row["time_ns"], row["decision_ns"])
    )


# --------------------------------------------------------------------------------- decisions


def signals(reader: StoreReader, run: RunRow, query: ListQuery) -> Page[shapes.SignalView]:
    """Intents with what the gate said of them."""
    found = _page(reader, run, "verdicts", query, ("campaign", "symbol", "verdict"), time="decision_ns")
    return _paged(found, query, _signals(reader, run, found))


def refusals(reader: StoreReader, run: RunRow, query: ListQuery) -> Page[shapes.RefusalView]:
    """Of the gate and of strategies, in the order in which they left the line."""
    refused = msgspec.structs.replace(query, verdict=Refused.__name__)
    wanted = ("campaign", "symbol")
    gate = _page(reader, run, "verdicts", refused, (*wanted, "verdict"), time="decision_ns")
    strategy = _page(reader, run, "declines", query, wanted, time="time_ns")
    both = sorted([*gate, *strategy], key=lambda row: row["item"], reverse=True)[: query.limit + 1]
    signal = _signals(reader, run, gate)

    def view(row: dict[str, Any]) -> shapes.RefusalView:
        if "intent_id" in row:
            return views.refusal_view(signal(row))
        return views.declined_view(_message(Declined, row), row["item"])

    return _paged(both, query, view)


def orders(reader: StoreReader, run: RunRow, query: ListQuery) -> Page[shapes.OrderView]:
    """With the state that their reports leave them in."""
    only = WORKING if query.working else ""
    found = _page(reader, run, "orders", query, ("campaign", "symbol"), time="decision_ns", only=only)
    reports = _reports(reader, run, [row["order_id"] for row in found])

    def view(row: dict[str, Any]) -> shapes.OrderView:
        state, filled = _state_of(reports.get(row["order_id"], []))
        return views.order_view(_message(Order, row), state, filled, row["item"])

    return _paged(found, query, view)


def fills(reader: StoreReader, run: RunRow, query: ListQuery) -> Page[shapes.ExecutionView]:
    only = msgspec.structs.replace(query, report=Fill.__name__)
    found = _page(reader, run, "executions", only, ("symbol", "report"), time="time_ns", group=query.campaign)
    return _paged(found, query, lambda row: views.execution_view(_report(row), row["item"]))


def heat_history(reader: StoreReader, run: RunRow, query: ListQuery) -> Page[shapes.HeatChangeView]:
    found = _page(reader, run, "heat", query, (), time="time_ns")
    return _paged(found, query, lambda row: views.heat_change_view(_message(HeatChange, row), row["item"]))


def tip(reader: StoreReader, run: RunRow) -> str:
    """Changes whenever something has been added to what campaigns are told from."""
    newest = (f"(SELECT max(item) FROM {table} WHERE run = :run)" for table in TOLD)  # noqa: S608  ours
    (row,) = reader.rows(f"SELECT {', '.join(f'{one} AS n{place}' for place, one in enumerate(newest))}", run.run)
    return f"{run.run} {list(row.values())}"


def heat_series(reader: StoreReader, run: RunRow, query: ListQuery) -> list[tuple[int, int]]:
    """(milliseconds, basis points), oldest first."""
    from_ns = (query.from_ms or 0) * views.MS_NS
    to_ns = FOREVER_NS if query.to_ms is None else query.to_ms * views.MS_NS
    sql = "SELECT time_ns, heat_bp FROM heat_samples WHERE run = ? AND time_ns BETWEEN ? AND ? ORDER BY time_ns"
    return [(row["time_ns"] // views.MS_NS, row["heat_bp"]) for row in reader.rows(sql, run.run, from_ns, to_ns)]


def curve(reader: StoreReader, run: RunRow) -> list[shapes.PointView]:
    """The account's, oldest first."""
    return [views.point_view(one) for one in StoreBook(reader, run).curve()]


# ------------------------------------------------------------------------------------- parts


def _page(
    reader: StoreReader,
    run: RunRow,
    table: str,
    query: ListQuery,
    wanted: Iterable[str],
    *,
    time: str,
    parts: bool = False,
    group: str = "",
    only: str = "",
) -> list[dict[str, Any]]:
    """One row more than asked for, so that one knows whether there is a next page."""
    part = "part" if parts else "0"
    conditions = [f"(item, {part}) < (?, ?)", *([only] if only else [])]
    values: list[int | str] = list(query.position)
    for name in wanted:
        if value := getattr(query, name):
            conditions.append(f'"{name}" = ?')
            values.append(value)
    for edge, sign in ((query.from_ms, ">="), (query.to_ms, "<=")):
        if edge is not None:
            conditions.append(f"{time} {sign} ?")
            values.append(edge * views.MS_NS)
    if group:
        conditions.append('"group" >= ? AND "group" < ?')
        values += [f"{group}/", f"{group}0"]
    sql = (
        f"SELECT *, {part} AS part_of FROM {table} WHERE run = ? AND {' AND '.join(conditions)}"  # noqa: S608  ours
        " ORDER BY item DESC, part_of DESC LIMIT ?"
    )
    return reader.rows(sql, run.run, *values, query.limit + 1)


def _paged(found: list[dict[str, Any]], query: ListQuery, view: Callable[[dict[str, Any]], V]) -> Page[V]:
    shown = found[: query.limit]
    last = shown[-1] if len(found) > query.limit else None
    return Page([view(row) for row in shown], f"{last['item']}-{last.get('part_of', 0)}" if last else None)


def _message(kind: type[T], row: dict[str, Any]) -> T:
    """A row as the message it was; NULL where a number was NaN is NaN again."""
    names = kind.__struct_fields__  # type: ignore[attr-defined]
    types = {field.name: field.type for field in msgspec.structs.fields(kind)}  # type: ignore[arg-type]
    values = {name: math.nan if row[name] is None and types[name] is float else row[name] for name in names}
    return msgspec.convert({name: value for name, value in values.items() if value is not None}, kind, strict=False)


def _signals(
    reader: StoreReader, run: RunRow, verdicts: list[dict[str, Any]]
) -> Callable[[dict[str, Any]], shapes.SignalView]:
    asked = {row["intent_id"]: row for row in _by(reader, run, "intents", "intent_id", verdicts)}

    def view(row: dict[str, Any]) -> shapes.SignalView:
        intent = _message(Intent, asked[row["intent_id"]])
        return views.signal_of(intent, _message(Receipt, row), row["verdict"], row["stage"], row["item"])

    return view


def _by(
    reader: StoreReader, run: RunRow, table: str, column: str, rows: list[dict[str, Any]]
) -> Iterator[dict[str, Any]]:
    wanted = list(dict.fromkeys(row[column] for row in rows))
    marks = ", ".join("?" * len(wanted))
    sql = f'SELECT * FROM {table} WHERE run = ? AND "{column}" IN ({marks}) ORDER BY item'  # noqa: S608  ours
    yield from reader.rows(sql, run.run, *wanted)


def _reports(reader: StoreReader, run: RunRow, order_ids: list[str]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for row in _by(reader, run, "executions", "order_id", [{"order_id": one} for one in order_ids]):
        found.setdefault(row["order_id"], []).append(row)
    return found


def _state_of(reports: list[dict[str, Any]]) -> tuple[str, Decimal]:
    """Where an order stands after its reports, and how much of it has filled."""
    state, filled = "PENDING", Decimal(0)
    for row in reports:
        if row["report"] == Fill.__name__:
            filled += Decimal(row["quantity"])
            state = "FILLED" if not Decimal(row["remaining"]) else "WORKING"
        else:
            state = "WORKING" if row["report"] == Accepted.__name__ else row["report"].upper()
    return state, filled


def _report(row: dict[str, Any]) -> views.Execution:
    found: views.Execution = _message(REPORTS[row["report"]], row)
    return found


def _unlocated(error: ExitError, path: Path) -> str:
    """Without the directory: it is nobody's business on the network."""
    return str(error).replace(str(path.parent) + "/", "")


__all__ = [
    "Missing", "NoStoreError", "Page", "Shelf", "bars", "curve", "events", "fills", "heat_history", "heat_series",
    "instruments", "joined", "orders", "phases", "refusals", "session_names", "signals", "tip",
]  # fmt: skip
