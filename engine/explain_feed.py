"""A feed up to a moment through Journal, BarAggregator and PhaseDetector, for one instrument and timeframe.

The line runs as in a replay; what it released later than the moment is never shown to the detector, so the
view is that of somebody who asked at that line time. Other instruments' bars are left out: no slot of one
instrument depends on another's.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.actor import Chain
from engine.app import sessions_by
from engine.bars import BarAggregator
from engine.blocks import PARTIAL, Bars, MarketBlock
from engine.config import Config
from engine.instruments import ASSET_CLASSES
from engine.journal import Journal
from engine.messages import NEVER_NS, Detections, Event
from engine.ports import Item
from engine.session import Session
from engine.timeframes import sorted_timeframes
from engine.wyckoff.detector import PhaseDetector
from engine.wyckoff.explained import Change
from engine.wyckoff.explained_lanes import SlotCopy, copied

Mask = npt.NDArray[np.bool_]


@dataclass(slots=True)
class Seen:
    """All that an explanation and its picture need. `bars` are the slot's last ones with the detector's columns,
    oldest first; `first_ns` the close from which its first bar is known, also where that is later than asked."""

    now: SlotCopy
    before: SlotCopy | None = None
    events: list[Event] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    bars: Bars = field(default_factory=Bars.empty)
    first_ns: int = NEVER_NS


class Watcher:
    """One slot on its way to a moment. `most_bars` are kept for a picture."""

    def __init__(self, config: Config, session: Session, symbol: str, timeframe: str, most_bars: int) -> None:
        start = session.start
        detect_on = sorted_timeframes({*start.detect_on, timeframe})
        build = sorted_timeframes({*config.run.timeframes, *detect_on})
        self._lateness_ns = start.lateness_ns
        aggregator = BarAggregator(
            session.table, start.timeframes, build, len(start.feeds), start.lateness_ns,
            sessions_by(session.table, session.calendars),
        )  # fmt: skip
        self._line = Chain([Journal(None), aggregator], pause_after=0)
        self._detector = PhaseDetector(config.detector, session.table, start.timeframes, detect_on, start.lateness_ns)
        self._number = session.table.number(symbol)
        self._symbol, self._timeframe = symbol, timeframe
        self._index = start.timeframes.index(timeframe)
        place = detect_on.index(timeframe)
        asset = ASSET_CLASSES.index(session.table[self._number].asset_class)
        self._gates = self._detector.rules.gates[asset, place]
        self._slot = self._number * len(detect_on) + place
        self._most_bars = most_bars
        self._blocks: list[Bars] = []
        self._facts = session.facts
        self.seen = Seen(self._copy())

    def run(self, at_ns: int) -> Iterator[int]:
        """Up to line time `at_ns`; tells the rows done after each fact. Goes on to the first bar, to name its time."""
        rows = 0
        for fact in self._facts:
            rows += len(fact) if isinstance(fact, MarketBlock) else 0
            passed = [self._take(item, at_ns) for item in self._line.run(fact)]
            yield rows
            if any(passed) and self.seen.first_ns != NEVER_NS:
                break
        self.seen.now = self._copy()
        self.seen.bars = Bars.join(self._blocks) if self._blocks else Bars.empty()

    def _take(self, item: Item, at_ns: int) -> bool:
        """Whether line time is beyond the moment."""
        if not isinstance(item, MarketBlock):
            return False
        closed = item.closed
        if closed is not None and len(closed):
            mine = closed.instrument == self._number
            self._note_first(closed, mine)
            self._detect(_only(closed, mine & (closed.close_ns + self._lateness_ns <= at_ns)))
        return item.line_time_ns > at_ns

    def _note_first(self, closed: Bars, mine: Mask) -> None:
        if self.seen.first_ns == NEVER_NS:
            found = closed.close_ns[mine & self._judges(closed)]
            if len(found):
                self.seen.first_ns = int(found[0]) + self._lateness_ns

    def _judges(self, closed: Bars) -> Mask:
        """Bars that this slot takes into its window."""
        wanted: Mask = (closed.timeframe == self._index) & (closed.source != PARTIAL) & (closed.volume > 0.0)
        return wanted

    def _detect(self, closed: Bars) -> None:
        """The newest bar of the slot in a piece of its own, so that the state before it is known."""
        places = np.flatnonzero(self._judges(closed))
        if len(places):
            last = int(places[-1])
            self._process(closed.slice(0, last))
            self.seen.before = self._copy()
            self._process(closed.slice(last, len(closed)))
        else:
            self._process(closed)

    def _process(self, closed: Bars) -> None:
        if len(closed) == 0:
            return
        for item in self._detector.process(Bars.empty().derive(closed=closed)):
            if isinstance(item, Detections):
                self._hear(item)
            elif isinstance(item, Bars) and item.closed is not None:
                self._keep(item.closed)

    def _hear(self, said: Detections) -> None:
        mine = (self._symbol, self._timeframe)
        self.seen.events += [one for one in said.events if (one.symbol, one.timeframe) == mine]
        self.seen.changes += [
            Change(said.decision_ns, one) for one in said.phases if (one.symbol, one.timeframe) == mine
        ]

    def _keep(self, closed: Bars) -> None:
        shown = _only(closed, (closed.timeframe == self._index) & (closed.source != PARTIAL))
        if len(shown):
            self._blocks.append(shown)
        if sum(map(len, self._blocks)) > 4 * self._most_bars:
            joined = Bars.join(self._blocks)
            self._blocks = [joined.slice(max(0, len(joined) - self._most_bars), len(joined))]

    def _copy(self) -> SlotCopy:
        return copied(self._detector.state, self._slot, self._gates, self._timeframe)


def _only(bars: Bars, wanted: Mask) -> Bars:
    columns: dict[str, Any] = {name: column[wanted] for name, column in bars.columns().items()}
    return Bars(**columns)
