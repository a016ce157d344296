"""Sightings: what became known along a block, as columns.

At every tenth bar something becomes known, and hardly any of it moves a campaign. So the detector
hangs it on the block, where it costs little more than a column; Market cuts the block only at points
that may lead to a wish. The messages are written when somebody reads them: `spread` gives the
pieces and Detections that such a block means, in their order.

A point is a close at which something became known: what one Detections tells.
"""

from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple, Protocol

import numpy as np

from engine.blocks import Int8, Int16, Int32, Int64, MarketBlock
from engine.kernels import kernel
from engine.messages import Detections, Event, EventKind, Phase, PhaseChange, StrategyMark
from engine.ports import Item


class Concern(IntEnum):
    """Whether something may lead to a wish: never, where a campaign lives at its symbol, or anywhere."""

    NEVER = 0
    CAMPAIGN = 1
    ALWAYS = 2


ALWAYS = Concern.ALWAYS.value
CAMPAIGN = Concern.CAMPAIGN.value

Concerns = Callable[[EventKind | Phase, int], Concern]
"""Of an event of this kind, or of a change to this phase, in a direction."""

PHASE_CHANGE = -1
STRATEGY_MARK = -2
"""In the place of an event's number."""

KnownMessage = Event | PhaseChange | StrategyMark


class Shown(NamedTuple):
    """What a phase change says of one (symbol, timeframe, direction)."""

    symbol: str
    timeframe: str
    direction: int
    phase: Phase
    confidence: float


class Writer(Protocol):
    """Makes messages of records, by their numbers."""

    names: Sequence[str]
    """Of events, by their number."""

    def write(self, records: Int64) -> list[KnownMessage]: ...

    def write_one(self, record: int) -> KnownMessage: ...


@dataclass(slots=True, frozen=True)
class Columns:
    """Of all points of one block, and of all that was known at them.

    `rows` and `bars` count what of the block goes before each point; `first` and `first_phase` are
    one longer than there are points: the things of point p are [first[p], first[p + 1]). `record`
    is what `writer` knows each thing by, `name` the number of its event's name or what it is
    instead. `before_ns` is line time before the block.
    """

    close_ns: Int64
    decision_ns: Int64
    rows: Int64
    bars: Int64
    first: Int64
    first_phase: Int64
    concern: Int8
    instrument: Int32
    name: Int16
    record: Int64
    phases: Sequence[Shown]
    symbols: Sequence[str]
    before_ns: int
    settings: str
    writer: Writer


class Sightings:
    """Points [start, stop) of a block."""

    __slots__ = ("columns", "start", "stop")

    def __init__(self, columns: Columns, start: int, stop: int) -> None:
        self.columns = columns
        self.start = start
        self.stop = stop

    def __len__(self) -> int:
        return self.stop - self.start

    def window(self, start: int, stop: int) -> "Sightings | None":
        """Points [start, stop) as the columns number them; None for none."""
        return Sightings(self.columns, start, stop) if start < stop else None

    @property
    def decision_ns(self) -> int:
        """Of the last point."""
        return int(self.columns.decision_ns[self.stop - 1])

    @property
    def phases(self) -> Sequence[Shown]:
        """What phase changes said, in order."""
        first = self.columns.first_phase
        return self.columns.phases[first[self.start] : first[self.stop]]

    @property
    def names(self) -> Int16:
        """The number of each event's name; less than 0 for what is no event."""
        first = self.columns.first
        return self.columns.name[first[self.start] : first[self.stop]]

    def before(self, row: int) -> int:
        """How many of them come before a row, counted as the columns do."""
        return int(np.searchsorted(self.columns.rows[self.start : self.stop], row, side="right"))

    def concerning(self, living: Container[str]) -> Detections | None:
        """Of the last point, what may lead to a wish while campaigns live at these symbols."""
        known, point = self.columns, self.stop - 1
        first, last = known.first[point : point + 2].tolist()
        found = [
            known.writer.write_one(int(known.record[first + place]))
            for place, concern in enumerate(known.concern[first:last].tolist())
            if concern == ALWAYS or (concern == CAMPAIGN and known.symbols[known.instrument[first + place]] in living)
        ]
        return self._message(point, found) if found else None

    def messages(self) -> Iterator[Detections]:
        """All that was known, point by point."""
        known = self.columns
        first = known.first[self.start : self.stop + 1].tolist()
        written = known.writer.write(known.record[first[0] : first[-1]])
        for number, point in enumerate(range(self.start, self.stop)):
            yield self._message(point, written[first[number] - first[0] : first[number + 1] - first[0]])

    def _message(self, point: int, members: Sequence[KnownMessage]) -> Detections:
        known = self.columns
        return Detections(
            int(known.close_ns[point]),
            int(known.decision_ns[point]),
            tuple([one for one in members if type(one) is Event]),
            tuple([one for one in members if type(one) is PhaseChange]),
            tuple([one for one in members if type(one) is StrategyMark]),
            known.settings,
        )


def spread(item: Item) -> Iterator[Item]:
    """What an item means, in pieces and messages: itself where nothing became known along it."""
    if not isinstance(item, MarketBlock) or item.known is None:
        yield item
    else:
        yield from interleaved(item, item.known.messages())


def interleaved(block: MarketBlock, messages: Iterable[Detections]) -> Iterator[Item]:
    """The pieces of a block, and what became known behind each."""
    found = iter(messages)
    for part in by_point(block):
        bars = 0 if part.closed is None else len(part.closed)
        if part.known is None:
            yield part
        elif len(part) or bars:
            bare = part.piece((0, len(part)), (0, bars))
            bare.line_time_ns = part.line_time_ns
            yield bare
        if part.known is not None:
            yield next(found)


def by_point(block: MarketBlock) -> Iterator[MarketBlock]:
    """The block in pieces with at most one point each, at the piece's end."""
    assert block.known is not None
    cuts = Cuts(block)
    for point in range(block.known.start, block.known.stop):
        yield cuts.behind(point)
    yield from cuts.rest()


class Cuts:
    """Cuts a block behind some of its points: pieces that follow each other and are the block.

    A piece without rows announces no line time that was not announced before it: the rows that
    prove it come later.
    """

    def __init__(self, block: MarketBlock) -> None:
        assert block.known is not None
        self._block = block
        self._known = block.known
        self._point = block.known.start
        self._whole, self._first_row, _ = block.whole()
        self._first_bar = self._bars_all = 0
        if block.closed is not None:
            _, self._first_bar, last_bar = block.closed.whole()
            self._bars_all = last_bar - self._first_bar
        self._rows = self._bars = 0
        self._line_time_ns: int | None = None

    def behind(self, point: int) -> MarketBlock:
        """The piece that ends with `point`, as the columns number them."""
        columns, stop = self._known.columns, point + 1
        rows = min(max(int(columns.rows[point]) - self._first_row, self._rows), len(self._block))
        bars = min(max(int(columns.bars[point]) - self._first_bar, self._bars), self._bars_all)
        if self._is_untouched and stop == self._known.stop and self._is_all(rows, bars) and len(self._whole):
            piece = self._block
        else:
            piece = self._block.piece((self._rows, rows), (self._bars, bars))
            if rows == self._rows:
                piece.line_time_ns = self._before_ns
            piece.known = self._known.window(self._point, stop)
        self._line_time_ns = piece.line_time_ns
        self._point, self._rows, self._bars = stop, rows, bars
        return piece

    def rest(self) -> tuple[MarketBlock, ...]:
        """What is left; the block itself where it was never cut. A block without rows is left for what it announces."""
        if self._is_untouched:
            return (self._block,)
        if self._is_all(self._rows, self._bars) and self._point == self._known.stop and len(self._whole):
            return ()
        piece = self._block.piece((self._rows, len(self._block)), (self._bars, self._bars_all))
        piece.known = self._known.window(self._point, self._known.stop)
        return (piece,)

    @property
    def _is_untouched(self) -> bool:
        return self._point == self._known.start

    def _is_all(self, rows: int, bars: int) -> bool:
        return rows == len(self._block) and bars == self._bars_all

    @property
    def _before_ns(self) -> int:
        """Line time before what is not yet cut off."""
        if self._line_time_ns is not None:
            return self._line_time_ns
        if not self._first_row:
            return self._known.columns.before_ns
        assert self._whole.line_ns is not None
        return int(self._whole.line_ns[self._first_row - 1])


@kernel
def next_point(
    point: int,
    stop: int,
    due_ns: int,
    living: Int32,
    decision_ns: Int64,
    first: Int64,
    concern: Int8,
    instrument: Int32,
) -> int:
    """The first of points [point, stop) that may lead to a wish, or at which what waits for `due_ns` is due.

    `living` counts campaigns by instrument.
    """
    while point < stop:
        if decision_ns[point] >= due_ns:
            return point
        for place in range(first[point], first[point + 1]):
            if concern[place] == ALWAYS or (concern[place] == CAMPAIGN and living[instrument[place]] > 0):
                return point
        point += 1
    return stop
