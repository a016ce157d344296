"""What cleaning has found: counts by reason and instrument, and the first examples of each.

Kernels write into plain arrays (`Notes`); `Findings` names them for people and messages.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from adapters.cleaning.reasons import DROPPED, NEGATIVE_LATENCY, QUARANTINED, REASONS, REPAIRED
from engine.blocks import Float64, Int32, Int64
from engine.kernels import kernel
from engine.messages import Quarantine

EXAMPLES = 5
"""Rows that are shown of each reason: the first."""

SKEW_BINS = 1_024
_BINS_AN_OCTAVE = 16  # so that a median read from the bins is within 5 % of the true one


class Notes(NamedTuple):
    """`counts` is (reasons, instruments); examples are (reasons, EXAMPLES). `skew_ns` holds the least and
    the largest, `skew_bins` how many of each size, in steps of 1/16 octave; `missing_ids` is (instruments,)."""

    counts: Int64
    shown: Int64
    place: Int64
    time_ns: Int64
    instrument: Int32
    found: Float64
    other: Float64
    skew_ns: Int64
    skew_bins: Int64
    missing_ids: Int64

    @classmethod
    def empty(cls, instruments: int) -> "Notes":
        wide = (len(REASONS), EXAMPLES)
        return cls(
            counts=np.zeros((len(REASONS), instruments), np.int64),
            shown=np.zeros(len(REASONS), np.int64),
            place=np.zeros(wide, np.int64),
            time_ns=np.zeros(wide, np.int64),
            instrument=np.zeros(wide, np.int32),
            found=np.zeros(wide),
            other=np.zeros(wide),
            skew_ns=np.array([2**63 - 1, 0], np.int64),
            skew_bins=np.zeros(SKEW_BINS, np.int64),
            missing_ids=np.zeros(instruments, np.int64),
        )


@kernel
def note(notes: Notes, reason: int, place: int, time_ns: int, instrument: int, found: float, other: float) -> None:
    """Count one row; keep it as an example while there are few."""
    counts, shown, places, times_ns, instruments, founds, others = notes[:7]
    counts[reason, instrument] += 1
    at = shown[reason]
    if at < EXAMPLES:
        shown[reason] = at + 1
        places[reason, at] = place
        times_ns[reason, at] = time_ns
        instruments[reason, at] = instrument
        founds[reason, at] = found
        others[reason, at] = other


@kernel
def note_skew(notes: Notes, skew_ns: int, place: int, time_ns: int, instrument: int) -> None:
    """A row that was received `skew_ns` > 0 before it happened."""
    note(notes, NEGATIVE_LATENCY, place, time_ns, instrument, float(skew_ns), 0.0)
    least_largest, bins = notes.skew_ns, notes.skew_bins
    least_largest[0] = min(least_largest[0], skew_ns)
    least_largest[1] = max(least_largest[1], skew_ns)
    bins[min(int(np.log2(float(skew_ns)) * _BINS_AN_OCTAVE), SKEW_BINS - 1)] += 1


class Example(NamedTuple):
    """One row. `place` is its line or its number in the feed; what `found` and `other` are depends on the reason."""

    symbol: str
    place: int
    time_ns: int
    found: float
    other: float


@dataclass(slots=True)
class Findings:
    """`symbols` names each instrument number. `rows` were read; `before` counts what a reader dropped or
    repaired before rows were cleaned, by reason."""

    symbols: Mapping[int, str]
    notes: Notes
    rows: int = 0
    before: dict[str, int] = field(default_factory=dict)

    def count(self, reason: str) -> int:
        return int(self.notes.counts[_CODES[reason]].sum())

    @property
    def counts(self) -> dict[str, int]:
        """`rows`, then the reasons for which rows were withheld or moved."""
        named = {name: self.count(name) for name in (*DROPPED, *REPAIRED)}
        return {"rows": self.rows} | {name: rows for name, rows in named.items() if rows}

    @property
    def all(self) -> dict[str, int]:
        """Every reason that was found, remarks included."""
        return {reason.name: self.count(reason.name) for reason in REASONS if self.count(reason.name)}

    def by_symbol(self, reason: str) -> dict[str, int]:
        row = self.notes.counts[_CODES[reason]]
        return {self.symbols[int(number)]: int(row[number]) for number in np.flatnonzero(row)}

    def examples(self, reason: str) -> list[Example]:
        """The first rows, in the order in which they were judged."""
        code, notes = _CODES[reason], self.notes
        return [
            Example(
                self.symbols[int(notes.instrument[code, at])], int(notes.place[code, at]),
                int(notes.time_ns[code, at]), float(notes.found[code, at]), float(notes.other[code, at]),
            )
            for at in range(int(notes.shown[code]))
        ]  # fmt: skip

    @property
    def skew_ns(self) -> tuple[int, int, int] | None:
        """Least, median (within 5 %) and largest time by which rows were received too early."""
        bins = self.notes.skew_bins
        if not bins.any():
            return None
        middle = int(np.searchsorted(np.cumsum(bins), (bins.sum() + 1) // 2))
        least, largest = self.notes.skew_ns.tolist()
        return least, min(max(round(2 ** ((middle + 0.5) / _BINS_AN_OCTAVE)), least), largest), largest

    def quarantines(self, feed: int, time_ns: int) -> Iterator[Quarantine]:
        """One fact for each (reason, symbol) with quarantined rows."""
        for reason in QUARANTINED:
            for symbol, rows in sorted(self.by_symbol(reason).items()):
                yield Quarantine(time_ns=time_ns, feed=feed, symbol=symbol, reason=reason, count=rows)


_CODES = {reason.name: code for code, reason in enumerate(REASONS)}
