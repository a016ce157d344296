"""From a block's records and marks to `Sightings`: which point each belongs to, whom it concerns.

Nothing is written here that nobody may ask for: ids and messages are made of a record when it is
read, by `Records`.
"""

from collections.abc import Iterator, Sequence
from operator import itemgetter
from typing import Final, NamedTuple

import numpy as np

from engine.blocks import Bars, Column, Float64, Int8, Int16, Int64, MarketBlock
from engine.messages import FOREVER_NS, EventKind, StrategyMark
from engine.naming import event_name
from engine.sightings import (
    ALWAYS,
    PHASE_CHANGE,
    STRATEGY_MARK,
    Columns,
    Concern,
    Concerns,
    KnownMessage,
    Shown,
    Sightings,
)
from engine.wyckoff.kinds import KINDS, PHASES
from engine.wyckoff.layout import OUT_KIND, OUT_PHASE, OUT_ROW, OUT_SCORE, OUT_SIDE
from engine.wyckoff.scribe import Bar, Record, Scribe, drained

SIDES: Final = (0, 1, -1)
"""In the order in which -1, as an index, finds its own."""

NAMES: Final = tuple(event_name(kind or EventKind.SC, side) for kind in KINDS for side in SIDES)
_NUMBERS: Final = np.arange(len(NAMES), dtype=np.int16).reshape(len(KINDS), len(SIDES))
_NUMBERS[0] = PHASE_CHANGE
_NUMBERED: Final[list[list[int]]] = _NUMBERS.tolist()

FEW: Final = 16
"""So many things, or bars, are put in order one by one: live, a block has hardly more, and arrays cost more there."""


class Found(NamedTuple):
    """All that a block's bars made known: records (n, OUT_WHOLES) and (n, OUT_REALS) in bar order,
    and marks with their bars. `bars` has the detector's columns."""

    bars: Bars
    wholes: Int64
    reals: Float64
    marks: Sequence[tuple[int, StrategyMark]]


class Records:
    """Writes the messages of one block: those of records, and behind them the marks."""

    names: Sequence[str] = NAMES

    def __init__(self, scribe: Scribe, found: Found) -> None:
        self._scribe = scribe
        self._found = found

    def write_one(self, record: int) -> KnownMessage:
        bars, wholes, reals, marks = self._found
        if record >= len(wholes):
            return marks[record - len(wholes)][1]
        row = int(wholes[record, OUT_ROW])
        confirming = Bar(
            int(bars.instrument[row]), int(bars.timeframe[row]), int(bars.open_ns[row]), int(bars.close_ns[row]),
            float(bars.high[row]), float(bars.low[row]), float(bars.close[row]), float(bars.atr[row]),
        )  # fmt: skip
        return self._scribe.write(Record(wholes[record].tolist(), reals[record].tolist(), confirming))

    def write(self, records: Int64) -> list[KnownMessage]:
        wholes, reals, marks = self._found.wholes, self._found.reals, self._found.marks
        kept = records[records < len(wholes)] if marks else records
        bars = self._found.bars
        confirming: tuple[Column, ...] = (
            bars.instrument, bars.timeframe, bars.open_ns, bars.close_ns, bars.high, bars.low, bars.close, bars.atr,
        )  # fmt: skip
        written = iter([self._scribe.write(one) for one in drained(wholes[kept], reals[kept], len(kept), confirming)])
        if not marks:
            return list(written)
        return [next(written) if one < len(wholes) else marks[one - len(wholes)][1] for one in records.tolist()]


class Teller:
    """Makes `Sightings` for one session; `concerns` says what may lead to a wish."""

    def __init__(self, scribe: Scribe, lateness_ns: int, settings: str, concerns: Concerns) -> None:
        self._scribe = scribe
        self._lateness_ns = lateness_ns
        self._settings = settings
        kinds = [kind or EventKind.SC for kind in KINDS]
        self._of_events = np.array([[concerns(kind, side) for side in SIDES] for kind in kinds], np.int8)
        self._of_phases = np.array([[concerns(phase, side) for side in SIDES] for phase in PHASES], np.int8)

    def tell(self, block: MarketBlock, found: Found, before_ns: int) -> Sightings | None:
        """`block` has released `found.bars`; line time before it was `before_ns`."""
        if not len(found.wholes) and not found.marks:
            return None
        bars = found.bars
        if len(bars) <= FEW and len(found.wholes) + len(found.marks) <= FEW:
            return self._tell_few(block, found, before_ns)
        rows = np.concatenate((found.wholes[:, OUT_ROW], np.array([row for row, _ in found.marks], np.int64)))
        order = np.argsort(rows, kind="stable")
        rows = rows[order]
        lasts = np.flatnonzero(np.diff(bars.close_ns[rows], append=FOREVER_NS))
        first = np.concatenate(([0], lasts + 1))
        close_ns = bars.close_ns[rows[lasts]]
        names, concern = self._kinds(found)
        names, concern = names[order], concern[order]
        before = _before(block, bars, rows[lasts])
        columns = Columns(
            close_ns=close_ns,
            decision_ns=close_ns + self._lateness_ns,
            rows=before[0],
            bars=before[1],
            first=first,
            first_phase=np.concatenate(([0], np.cumsum(names == PHASE_CHANGE)))[first],
            concern=concern,
            instrument=bars.instrument[rows],
            name=names,
            record=order,
            phases=self._shown(found),
            symbols=self._scribe.symbols,
            before_ns=before_ns,
            settings=self._settings,
            writer=Records(self._scribe, found),
        )
        return Sightings(columns, 0, len(lasts))

    def _tell_few(self, block: MarketBlock, found: Found, before_ns: int) -> Sightings:
        """The same, thing by thing."""
        bars = found.bars
        things = sorted(self._things(found), key=itemgetter(0))
        closes_ns, instruments, releases = bars.close_ns.tolist(), bars.instrument.tolist(), bars.release.tolist()
        first, first_phase, close_ns, rows, bars_to = [0], [0], [], [], []
        for place, (row, _, name, _) in enumerate(things):
            now_ns = closes_ns[row]
            if name == PHASE_CHANGE:
                first_phase[-1] += 1
            if place + 1 < len(things) and closes_ns[things[place + 1][0]] == now_ns:
                continue
            behind = row + 1
            while behind < len(closes_ns) and closes_ns[behind] == now_ns:
                behind += 1
            first.append(place + 1)
            first_phase.append(first_phase[-1])
            close_ns.append(now_ns)
            rows.append(min(len(block), releases[behind - 1] - block.sequence))
            bars_to.append(behind)
        columns = Columns(
            close_ns=np.array(close_ns, np.int64),
            decision_ns=np.array([one + self._lateness_ns for one in close_ns], np.int64),
            rows=np.array(rows, np.int64),
            bars=np.array(bars_to, np.int64),
            first=np.array(first, np.int64),
            first_phase=np.array([0, *first_phase[:-1]], np.int64),
            concern=np.array([one[3] for one in things], np.int8),
            instrument=np.array([instruments[one[0]] for one in things], np.int32),
            name=np.array([one[2] for one in things], np.int16),
            record=np.array([one[1] for one in things], np.int64),
            phases=self._shown(found),
            symbols=self._scribe.symbols,
            before_ns=before_ns,
            settings=self._settings,
            writer=Records(self._scribe, found),
        )
        return Sightings(columns, 0, len(close_ns))

    def _things(self, found: Found) -> Iterator[tuple[int, int, int, int]]:
        """Bar, number, name and concern of each record, then of each mark."""
        for record, whole in enumerate(found.wholes.tolist()):
            kind, side, phase = whole[OUT_KIND], whole[OUT_SIDE], whole[OUT_PHASE]
            concern = self._of_events[kind, side] if kind else self._of_phases[phase, side]
            yield whole[OUT_ROW], record, _NUMBERED[kind][side], int(concern)
        for mark, (row, _) in enumerate(found.marks, len(found.wholes)):
            yield row, mark, STRATEGY_MARK, ALWAYS

    def _kinds(self, found: Found) -> tuple[Int16, Int8]:
        """Numbers of names and concerns, of records and then of marks."""
        kind, side = found.wholes[:, OUT_KIND], found.wholes[:, OUT_SIDE]
        marks = len(found.marks)
        names = np.concatenate((_NUMBERS[kind, side], np.full(marks, STRATEGY_MARK, np.int16)))
        phase = found.wholes[:, OUT_PHASE]
        of_records = np.where(kind == 0, self._of_phases[phase, side], self._of_events[kind, side])
        concern = np.concatenate((of_records, np.full(marks, Concern.ALWAYS, np.int8)))
        return names, concern

    def _shown(self, found: Found) -> list[Shown]:
        """What the phase changes among the records say."""
        places = np.flatnonzero(found.wholes[:, OUT_KIND] == 0)
        if not len(places):
            return []
        wholes, bars = found.wholes[places], found.bars
        rows = wholes[:, OUT_ROW]
        symbols, timeframes = self._scribe.symbols, self._scribe.timeframes
        return [
            Shown(symbols[instrument], timeframes[timeframe], side, PHASES[phase], confidence)
            for instrument, timeframe, side, phase, confidence in zip(
                bars.instrument[rows].tolist(), bars.timeframe[rows].tolist(), wholes[:, OUT_SIDE].tolist(),
                wholes[:, OUT_PHASE].tolist(), found.reals[places, OUT_SCORE].tolist(), strict=True,
            )
        ]  # fmt: skip


def _before(block: MarketBlock, bars: Bars, places: Int64) -> tuple[Int64, Int64]:
    """How many rows and bars go before the Detections of the closes of these bars: all bars of the
    close, and the rows before the one that released the last of them."""
    closes = np.flatnonzero(np.diff(bars.close_ns, append=FOREVER_NS)) + 1
    bars_to = closes[np.searchsorted(closes, places, side="right")]
    return np.minimum(len(block), bars.release[bars_to - 1] - block.sequence), bars_to
