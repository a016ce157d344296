"""A run as its page needs it: what the store holds, grouped by chart and by campaign."""

from collections.abc import Iterator
from functools import cached_property
from typing import NamedTuple

import msgspec

from engine.campaigns.curve import CurvePoint
from engine.messages import Action, EventKind, HeatState, Intent, Phase
from engine.report.selection import (
    ASKED,
    EVENTS_OF_A_RANGE,
    FORMED,
    MOST_OF_LINES,
    RANGE,
    TRADED,
    Kept,
    Span,
    Subject,
)
from engine.store_book import StoreBook
from engine.store_reader import StoreReader
from engine.summary import RunSummary
from engine.timeframes import usual_length_ns

Chart = tuple[str, str]
"""(symbol, timeframe)."""


class EventRow(msgspec.Struct, frozen=True):
    """An event as the store has it; None where a number was NaN."""

    event_id: str
    symbol: str
    timeframe: str
    direction: int
    kind: EventKind
    event_ns: int
    confirm_ns: int
    known_ns: int
    price: float | None
    score: float | None
    phase: Phase
    support: float | None
    resistance: float | None
    range_start_ns: int
    supersedes: str
    confidence: float | None
    volume_ratio: float | None
    spread_ratio: float | None

    @property
    def range(self) -> tuple[int, int]:
        return self.direction, self.range_start_ns


class HeatRow(msgspec.Struct, frozen=True):
    time_ns: int
    state: HeatState
    heat_bp: int


class RiskRow(msgspec.Struct, frozen=True):
    """What a verdict knew; in 1e-8 account units."""

    decision_ns: int
    verdict: str
    equity: int
    open_risk: int
    working_risk: int
    new_risk: int


class Bracket(NamedTuple):
    """One leg and attempt: what was asked for, and where its stop stood from when on."""

    group: str
    entry: Intent
    is_approved: bool
    stops: list[tuple[int, float]]


class Material:
    """`command` reproduces the run, `reach` says how far the bars of every chart go, `parts` are
    the candles that were kept, by symbol, timeframe and part."""

    def __init__(
        self,
        reader: StoreReader,
        book: StoreBook,
        *,
        command: str,
        summary: RunSummary,
        reach: list[Span],
        parts: list[Kept],
        bars_left_out: int = 0,
    ) -> None:
        self._reader = reader
        self.book = book
        self.command = command
        self.summary = summary
        self.reach = reach
        self.parts = parts
        self.bars_left_out = bars_left_out

    @cached_property
    def settings(self) -> dict[str, msgspec.Raw]:
        """Tables of the run's configuration."""
        return msgspec.json.decode(self.book.run.config or "{}", type=dict[str, msgspec.Raw])

    @cached_property
    def lateness_ns(self) -> int:
        return self.book.session.lateness_ns if self.book.session else 0

    @cached_property
    def events(self) -> dict[Chart, list[EventRow]]:
        return events_of(self._reader, self.book.run.run)

    @cached_property
    def brackets(self) -> dict[str, list[Bracket]]:
        """By symbol, in the order in which they were asked for."""
        moves: dict[str, list[tuple[int, float]]] = {}
        for one in self.book.intents:
            if one.action is Action.MOVE_STOP and self._is_approved(one):
                moves.setdefault(one.group, []).append((one.decision_ns, float(one.stop_price)))
        found: dict[str, list[Bracket]] = {}
        for group, entry in self.book.entries.items():
            stops = [(entry.decision_ns, float(entry.stop_price)), *moves.get(group, ())]
            found.setdefault(entry.symbol, []).append(Bracket(group, entry, self._is_approved(entry), stops))
        return found

    @cached_property
    def curve(self) -> list[CurvePoint]:
        return self.book.curve()

    @cached_property
    def heat(self) -> list[tuple[int, float]]:
        """(time, basis points of equity) wherever the gate told it, in order."""
        names = ", ".join(RiskRow.__struct_fields__)
        sql = f"SELECT {names} FROM verdicts WHERE run = ? ORDER BY item"  # noqa: S608  names are ours
        found = [
            (one.decision_ns, _heat_bp(one))
            for one in self._reader.structs(RiskRow, sql, self.book.run.run)
            if one.equity > 0
        ]
        changes = self._reader.all(HeatRow, "heat", self.book.run.run)
        found += [(one.time_ns, float(one.heat_bp)) for one in changes]
        found += [(time_ns, 0.0) for time_ns in self._flat_from]
        return sorted(found, key=lambda one: one[0])

    @property
    def _flat_from(self) -> Iterator[int]:
        """Moments after which nothing is held."""
        spans = sorted((lot.entry_ns, lot.exit_ns if not lot.open else None) for lot in self.book.lots.values())
        until: int | None = None
        for begin, end in spans:
            if until is not None and begin > until:
                yield until
            if end is None:
                return
            until = max(until or end, end)
        if until is not None:
            yield until

    def _is_approved(self, intent: Intent) -> bool:
        verdict = self.book.verdicts.get(intent.intent_id)
        return verdict is not None and verdict.verdict == "Approved"


def _heat_bp(row: RiskRow) -> float:
    added = row.new_risk if row.verdict == "Approved" else 0
    return (row.open_risk + row.working_risk + added) * 10_000 / row.equity


def events_of(reader: StoreReader, run: int) -> dict[Chart, list[EventRow]]:
    found: dict[Chart, list[EventRow]] = {}
    for one in reader.all(EventRow, "events", run):
        found.setdefault((one.symbol, one.timeframe), []).append(one)
    return found


def subjects(reader: StoreReader, book: StoreBook) -> list[Subject]:
    """What a page could show bar by bar: campaigns, and ranges with events."""
    events = events_of(reader, book.run.run)
    return [*_campaigns(book, events), *_ranges(events)]


def _campaigns(book: StoreBook, events: dict[Chart, list[EventRow]]) -> Iterator[Subject]:
    begins = {one.event_id: one.range_start_ns for found in events.values() for one in found}
    for campaign, changes in book.changes.items():
        origin = book.origins.get(campaign)
        if origin is None:
            continue
        groups = book.groups_of(campaign)
        formed_ns, last_ns = changes[0].time_ns, changes[-1].time_ns
        last_ns = max([last_ns, *(fill.time_ns for group in groups for fill in book.groups[group])])
        start_ns = begins.get(changes[0].cause.partition(" ")[2], formed_ns)
        start_ns = max(start_ns, formed_ns - MOST_OF_LINES * usual_length_ns(origin.timeframe))
        rank = TRADED if groups else ASKED if book.entries_of(campaign) else FORMED
        yield Subject(origin.symbol, origin.timeframe, rank, start_ns, last_ns, len(changes), campaign)


def _ranges(events: dict[Chart, list[EventRow]]) -> Iterator[Subject]:
    for (symbol, timeframe), found in events.items():
        ranges: dict[tuple[int, int], list[EventRow]] = {}
        for one in found:
            ranges.setdefault(one.range, []).append(one)
        for (_, start_ns), inside in ranges.items():
            if len(inside) >= EVENTS_OF_A_RANGE:
                first_ns = max(start_ns, inside[0].event_ns - MOST_OF_LINES * usual_length_ns(timeframe))
                yield Subject(symbol, timeframe, RANGE, first_ns, inside[-1].confirm_ns, len(inside))
