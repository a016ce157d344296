"""Sinks that remember what left a line which is rebuilt: verdicts, and all that concerns one symbol."""

from collections import deque
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from engine.blocks import PARTIAL, Bars, MarketBlock
from engine.config import Config
from engine.instruments import ASSET_CLASSES, InstrumentTable
from engine.live.decision_log import decisions_of
from engine.messages import (
    FOREVER_NS,
    Accepted,
    Action,
    Approved,
    Cancelled,
    CancelRequest,
    Declined,
    Detections,
    Event,
    Expired,
    Fill,
    Intent,
    Order,
    Refused,
    Rejected,
    Warned,
)
from engine.ports import Item
from engine.replay import states_of
from engine.tape import TapeHeader
from engine.wyckoff.detector import PhaseDetector
from engine.wyckoff.edges import A
from engine.wyckoff.explained import Change
from engine.wyckoff.explained_lanes import SlotCopy, copied, lanes_of
from engine.wyckoff.layout import PHASE, SC_NS

Verdict = Approved | Refused
Candidate = Approved | Refused | Declined
Mask = npt.NDArray[np.bool_]

DETECTOR_STAGE = 2
"""The place of the PhaseDetector among the stages of an opening snapshot."""

LINES_EACH = 40
"""Decisions of which, at the least, one is a verdict: an entry has nine orders and their answers."""

MOST_EVENTS = 2_000
"""Events of a slot that are remembered: many more than a range has."""

_decisions = msgspec.json.Decoder(
    Intent | Approved | Refused | Order | CancelRequest | Accepted | Rejected | Fill | Cancelled | Expired
)


class VerdictWitness:
    """The last `most` verdicts of the gate."""

    reads = (Approved, Refused)

    def __init__(self, most: int) -> None:
        self.verdicts: deque[Verdict] = deque(maxlen=most)

    def write(self, item: Item) -> None:
        if isinstance(item, Approved | Refused):
            self.verdicts.append(item)


def verdicts_in(tape: Path, decisions: int | None, most: int) -> list[Verdict]:
    """The last `most` verdicts among the first `decisions` beside a tape, oldest first; none where no file is.

    Raises OSError, and msgspec.MsgspecError where a line is none of a decision.
    """
    path = decisions_of(tape)
    if not path.exists():
        return []
    with path.open("rb") as file:
        lines = deque(islice(file, decisions), maxlen=most * LINES_EACH)
    found = [_decisions.decode(line) for line in lines if line.endswith(b"\n")]
    return [one for one in found if isinstance(one, Approved | Refused)][-most:]


class SymbolWitness:
    """All that concerns one symbol: candidates for an entry, warnings, and one slot of the detector with the state
    before its newest bar.

    The slot is followed by a detector of its own, which sees the symbol's bars alone: no slot depends on another
    symbol's, and so the newest bar can come in a piece of its own.
    """

    reads = (MarketBlock, Detections, Declined, Warned, Approved, Refused)

    def __init__(self, config: Config, header: TapeHeader, slot: tuple[str, str], most: int) -> None:
        self._symbol, self._timeframe = slot
        start, table = header.session, InstrumentTable(header.instruments)
        self._detector = PhaseDetector(config.detector, table, start.timeframes, start.detect_on, start.lateness_ns)
        if header.opening_snapshot:
            self._detector.restore(states_of(header.opening_snapshot)[DETECTOR_STAGE])
        self._number = table.number(self._symbol)
        place = start.detect_on.index(self._timeframe)
        self._index = start.timeframes.index(self._timeframe)
        self._gates = self._detector.rules.gates[ASSET_CLASSES.index(table[self._number].asset_class), place]
        self._slot = self._number * len(start.detect_on) + place
        self.before: SlotCopy | None = None
        self.events: deque[Event] = deque(maxlen=MOST_EVENTS)
        self.changes: deque[Change] = deque(maxlen=MOST_EVENTS)
        self.scores: dict[str, float] = {}
        self.candidates: deque[Candidate] = deque(maxlen=most)
        self.warnings: deque[Warned] = deque(maxlen=4 * most)

    @property
    def now(self) -> SlotCopy:
        return copied(self._detector.state, self._slot, self._gates, self._timeframe)

    def follow(self, earlier: "SymbolWitness") -> None:
        """What another heard of the same slot, on the tape before, comes first."""
        self.events.extendleft(reversed(earlier.events))
        self.changes.extendleft(reversed(earlier.changes))
        self.warnings.extendleft(reversed(earlier.warnings))
        room = (self.candidates.maxlen or 0) - len(self.candidates)
        self.candidates.extendleft(list(reversed(earlier.candidates))[:room])
        self.scores = earlier.scores | self.scores

    @property
    def range_began_ns(self) -> int:
        """When the oldest live range of the slot did; FOREVER_NS where there is none."""
        lanes = lanes_of(self.now)
        return min((int(one.wholes[SC_NS]) for one in lanes if one.wholes[PHASE] >= A), default=FOREVER_NS)

    def write(self, item: Item) -> None:
        if isinstance(item, MarketBlock):
            if item.closed is not None and len(item.closed):
                self._detect(item.closed)
        elif isinstance(item, Detections):
            self._hear(item)
        elif isinstance(item, Declined):
            if item.symbol == self._symbol:
                self.candidates.append(item)
        elif isinstance(item, Warned):
            if item.symbol == self._symbol:
                self.warnings.append(item)
        elif isinstance(item, Approved | Refused) and self._is_entry(item):
            self.candidates.append(item)

    def _is_entry(self, said: Verdict) -> bool:
        return said.intent.symbol == self._symbol and said.intent.action is Action.ENTER

    def _hear(self, said: Detections) -> None:
        mine = (self._symbol, self._timeframe)
        self.scores |= {one.event_id: one.score for one in said.events if one.symbol == self._symbol}
        self.events += [one for one in said.events if (one.symbol, one.timeframe) == mine]
        self.changes += [Change(said.decision_ns, one) for one in said.phases if (one.symbol, one.timeframe) == mine]

    def _detect(self, closed: Bars) -> None:
        mine = _only(closed, closed.instrument == self._number)
        judged = (mine.timeframe == self._index) & (mine.source != PARTIAL) & (mine.volume > 0.0)
        places = np.flatnonzero(judged)
        if not len(places):
            self._process(mine)
            return
        last = int(places[-1])
        self._process(mine.slice(0, last))
        self.before = self.now
        self._process(mine.slice(last, len(mine)))

    def _process(self, closed: Bars) -> None:
        if len(closed):
            for _ in self._detector.process(Bars.empty().derive(closed=closed)):
                pass


def _only(bars: Bars, wanted: Mask) -> Bars:
    columns: dict[str, Any] = {name: column[wanted] for name, column in bars.columns().items()}
    return Bars(**columns)
