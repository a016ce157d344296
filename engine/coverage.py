"""What a feed covers: spans, silences, missing bars, and whether its newest bar looks finished.

Gaps are judged at the end, when it is known on which days the market trades: by the sessions of the
instrument's calendar, else around the clock where bars lie on Saturdays; without either a silence
may be a closed market, so it is told and not called a gap.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from engine.blocks import Bars, Float64, Int64, MarketBlock
from engine.calendars import sessions_of
from engine.data_report import Gap, Gaps, moment
from engine.messages import NEVER_NS
from engine.timeframes import DAY_NS, LENGTH_NS

MOST_GAPS = 100_000
"""Gaps whose place is remembered; more are only counted, as silences."""

VOLUMES = 20
"""Bars before the newest, to whose median its volume is compared."""

UNFINISHED_SHARE = 0.25
"""A newest bar with less than this share of the usual volume had perhaps not ended."""

ROUND_THE_CLOCK = "24/7"
_SATURDAY = 2  # days since the epoch, a Thursday, modulo 7

Hours = tuple[str, str]
"""Calendar and hours of an instrument."""


class Coverage:
    """Rows of one feed, block by block; memory grows with instruments and gaps, not with rows."""

    def __init__(self, symbols: Sequence[str], timeframes: Sequence[str]) -> None:
        """`symbols` and `timeframes` are the session's tables."""
        self._symbols = symbols
        self._timeframes = timeframes
        self.rows = 0
        self.first_ns, self.last_ns = 2**63 - 1, NEVER_NS
        self._last_ns = np.full(len(symbols) * max(len(timeframes), 1), NEVER_NS, np.int64)
        self._on_saturday = np.zeros(len(self._last_ns), np.bool_)
        self._gaps: list[tuple[Int64, Int64, Int64]] = []
        self._known_gaps = self._unknown_gaps = 0
        self._volumes: dict[int, Float64] = {}

    def add(self, block: MarketBlock) -> None:
        if not len(block):
            return
        self.rows += len(block)
        times = block.open_ns if isinstance(block, Bars) else block.row_ns
        self.first_ns = min(self.first_ns, int(times.min()))
        self.last_ns = max(self.last_ns, int(block.row_ns.max()))
        if isinstance(block, Bars):
            self._add_bars(block)

    def gaps(self, hours: Mapping[str, Hours]) -> list[Gaps]:
        """By what they were judged by; `hours` is the calendar of each symbol, ("", ...) for none."""
        if not self._gaps:
            return []
        slots, starts, ends = (np.concatenate([each[column] for each in self._gaps]) for column in range(3))
        by: dict[Hours | None, list[int]] = {}
        for slot in np.unique(slots).tolist():
            by.setdefault(self._judge(slot, hours), []).append(slot)
        found = []
        for judge, theirs in by.items():
            mine = np.isin(slots, theirs)
            found.append(self._judged(judge, slots[mine], starts[mine], ends[mine]))
        return [one for one in found if one.count]

    def notes(self) -> list[str]:
        """What a reader should know of the newest bars, and what was too much to remember."""
        found = [f"{self._unknown_gaps:,} more silences were not looked at"] if self._unknown_gaps else []
        newest = [slot for slot in self._volumes if self._last_ns[slot] == self.last_ns]
        if newest:
            found.append(self._unproven(newest))
        return found

    def _add_bars(self, block: Bars) -> None:
        slot = block.instrument.astype(np.int64) * len(self._timeframes) + block.timeframe
        order = np.lexsort((block.close_ns, slot))
        slots, opens, closes = slot[order], block.open_ns[order], block.close_ns[order]
        fresh = np.flatnonzero(np.diff(slots, prepend=-1))
        before = np.empty(len(slots), np.int64)
        before[1:] = closes[:-1]
        before[fresh] = self._last_ns[slots[fresh]]
        silent = (opens > before) & (before != NEVER_NS)
        self._remember(slots[silent], before[silent], opens[silent])
        stops = [*fresh[1:].tolist(), len(slots)]
        volumes = block.volume[order]
        for start, stop in zip(fresh.tolist(), stops, strict=True):
            last = int(slots[start])
            self._last_ns[last] = max(self._last_ns[last], closes[stop - 1])
            kept = volumes[max(start, stop - VOLUMES - 1) : stop]
            self._volumes[last] = np.concatenate([self._volumes.get(last, kept[:0]), kept])[-VOLUMES - 1 :]
        self._on_saturday[slots[opens // DAY_NS % 7 == _SATURDAY]] = True

    def _remember(self, slots: Int64, starts: Int64, ends: Int64) -> None:
        room = max(MOST_GAPS - self._known_gaps, 0)
        self._known_gaps += len(slots[:room])
        self._unknown_gaps += len(slots[room:])
        if len(slots[:room]):
            self._gaps.append((slots[:room], starts[:room], ends[:room]))

    def _judge(self, slot: int, hours: Mapping[str, Hours]) -> Hours | None:
        """None where nobody knows when the market is open."""
        calendar = hours.get(self._named(slot)[0], ("", ""))
        if calendar[0]:
            return calendar
        return (ROUND_THE_CLOCK, "") if self._on_saturday[slot] else None

    def _judged(self, judge: Hours | None, slots: Int64, starts: Int64, ends: Int64) -> Gaps:
        missing = self._missing(judge, slots, starts, ends)
        real = missing > 0 if judge else np.ones(len(slots), np.bool_)
        if not real.any():
            return Gaps(judged_by="", count=0, missing=0)
        worst = int(np.argmax(np.where(real, ends - starts, -1)))
        symbol, timeframe = self._named(int(slots[worst]))
        longest = Gap(symbol, timeframe, int(starts[worst]), int(ends[worst]), int(missing[worst]))
        name = " ".join(filter(None, judge)) if judge else ""
        return Gaps(judged_by=name, count=int(real.sum()), missing=int(missing.sum()), longest=longest)

    def _missing(self, judge: Hours | None, slots: Int64, starts: Int64, ends: Int64) -> Int64:
        """Bars that should be in each gap; none where nobody knows when the market is open."""
        if judge is None:
            return np.zeros(len(slots), np.int64)
        lengths = np.array([LENGTH_NS[name] for name in self._timeframes], np.int64)[slots % len(self._timeframes)]
        found = None if judge[0] == ROUND_THE_CLOCK else sessions_of(*judge, int(starts.min()), int(ends.max()))
        if found is None:
            return (ends - starts) // lengths
        opens, closes = found
        sessions = np.searchsorted(opens, ends) - np.searchsorted(opens, starts)
        return np.where(
            lengths >= DAY_NS, sessions, (_elapsed(ends, opens, closes) - _elapsed(starts, opens, closes)) // lengths
        )

    def _named(self, slot: int) -> tuple[str, str]:
        symbol, timeframe = divmod(slot, len(self._timeframes))
        return self._symbols[symbol], self._timeframes[timeframe]

    def _unproven(self, newest: Sequence[int]) -> str:
        """The file does not say when it was made, so nothing proves that its newest bar had ended."""
        text = f"the newest bar, to {moment(self.last_ns)}, is not proven to be finished"
        small = []
        for slot in newest:
            *before, last = self._volumes[slot].tolist()
            usual = float(np.median(before)) if len(before) == VOLUMES else 0.0
            if last < UNFINISHED_SHARE * usual:
                small.append((slot, last / usual))
        if not small:
            return text
        named = ", ".join(f"{self._named(slot)[0]} {part:.0%}" for slot, part in small[:3])
        return f"{text}; its volume is small against the usual: {named}"


def _elapsed(times: Int64, opens: Int64, closes: Int64) -> Int64:
    """Time in session before each of `times`."""
    whole = np.concatenate([[0], np.cumsum(closes - opens)])
    session = np.searchsorted(opens, times, side="right") - 1
    inside = np.minimum(times, closes[np.maximum(session, 0)]) - opens[np.maximum(session, 0)]
    return np.where(session < 0, 0, whole[np.maximum(session, 0)] + inside)
