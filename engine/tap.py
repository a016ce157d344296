"""Tap: the end of the line. Folds the digest, counts, and hands every item to the sinks.

Sinks are one-way: exports, the store, the monitor. Nothing they do comes back to the line. What
is counted does not depend on how the tape was chunked.
"""

from collections.abc import Iterable, Sequence
from typing import Protocol, runtime_checkable

import msgspec
import numpy as np

from engine.blocks import Backlog, Bars, Int8, Int16, Int64, MarketBlock
from engine.digest import Digest
from engine.kernels import kernel
from engine.messages import (
    NEVER_NS,
    Approved,
    CampaignChange,
    Declined,
    Detections,
    HeatChange,
    Message,
    Receipt,
    Refused,
    SessionStart,
)
from engine.naming import event_name
from engine.ports import Item
from engine.sightings import Sightings, interleaved
from engine.timeframes import TIMEFRAMES

MOST_TIMEFRAMES = 128
"""`Bars.timeframe` is an int8."""

LOOKED_INTO = frozenset((Detections, Approved, Refused, Declined, HeatChange, CampaignChange, SessionStart))
"""Of which more than the kind is counted."""

MOST_NAMES = 256
"""Names of events, with their mirrors."""


class Sink(Protocol):
    """Takes what leaves the line, in order. Must return soon: the line waits for it."""

    def write(self, item: Item) -> None: ...


@runtime_checkable
class Reader(Protocol):
    """A sink that says what it reads: kinds of messages and blocks, or `Message` and `MarketBlock` for all of them.

    Nothing else is written to it, and nothing is made for it that it does not read. A block comes to it
    whole, and behind it the Detections of what became known along it.
    """

    reads: tuple[type[Message] | type[MarketBlock], ...]

    def write(self, item: Item) -> None: ...


class Counts(msgspec.Struct, kw_only=True):
    """What has left the line so far.

    `messages` counts by kind of message, `rows` market rows by kind of block, `bars` released
    bars by timeframe, `events` by the name of their side, `refusals` by the gate and `declines` by strategies
    by code, `campaigns` changes by their kind.
    `heat_peak_bp` is the most that open, working and approved risk came to in any verdict or
    heat change, in basis points of equity, rounded up.
    """

    messages: dict[str, int] = {}
    rows: dict[str, int] = {}
    bars: dict[str, int] = {}
    events: dict[str, int] = {}
    refusals: dict[str, int] = {}
    declines: dict[str, int] = {}
    campaigns: dict[str, int] = {}
    heat_peak_bp: int = 0
    started_ns: int = NEVER_NS
    line_time_ns: int = NEVER_NS

    def of(self, kind: type[Message]) -> int:
        """How many messages of one kind: `counts.of(Fill)`."""
        return self.messages.get(kind.__name__, 0)

    @property
    def total_messages(self) -> int:
        return sum(self.messages.values())


class _State(msgspec.Struct):
    digest: bytes
    decisions: int
    timeframes: tuple[str, ...]
    counts: Counts


_encoder = msgspec.msgpack.Encoder(order="deterministic")


class Tap:
    """Last stage: passes everything on, so that a test can list what left the line."""

    def __init__(self, digest: Digest, sinks: Sequence[Sink] = ()) -> None:
        self.digest = digest
        self._counts = Counts()
        self._bars = np.zeros(MOST_TIMEFRAMES, np.int64)
        self._events = np.zeros(MOST_NAMES, np.int64)
        self._names: Sequence[str] = ()
        self._backlog = Backlog()
        self._known: Sightings | None = None
        self._readers = tuple(one for one in sinks if isinstance(one, Reader))
        self._others = tuple(one for one in sinks if not isinstance(one, Reader))
        self._readers_by_kind: dict[type, tuple[Reader, ...]] = {}
        self._timeframes: tuple[str, ...] = TIMEFRAMES

    @property
    def counts(self) -> Counts:
        """What has left the line so far."""
        self._count_bars(self._backlog.take())
        self._count_known(None)
        bars = zip(self._timeframes, self._bars.tolist(), strict=False)
        self._counts.bars = {name: number for name, number in bars if number}
        for name, number in zip(self._names, self._events.tolist(), strict=False):
            if number:
                _add(self._counts.events, name, number)
        self._events[:] = 0
        return self._counts

    def process(self, message: Item) -> Iterable[Item]:
        if isinstance(message, MarketBlock):
            self._count_block(message)
        else:
            if self.digest.covers(message):
                self.digest.add(message)
            self._count_message(message)
        if self._others or self._readers:
            self._tell(message)
        return (message,)

    def _tell(self, message: Item) -> None:
        if isinstance(message, MarketBlock) and message.known is not None:
            self._tell_known(message, message.known)
            return
        for sink in (*self._others, *self._readers_of(type(message))):
            sink.write(message)

    def _tell_known(self, block: MarketBlock, known: Sightings) -> None:
        """What became known along a block is written once for all sinks, and only where one reads it."""
        readers = self._readers_of(Detections)
        messages = tuple(known.messages()) if readers or self._others else ()
        if self._others:
            _write(self._others, interleaved(block, messages))
        _write(self._readers_of(type(block)), (block,))
        _write(readers, messages)

    def _readers_of(self, kind: type) -> tuple[Reader, ...]:
        found = self._readers_by_kind.get(kind)
        if found is None:
            found = self._readers_by_kind[kind] = tuple(one for one in self._readers if issubclass(kind, one.reads))
        return found

    def snapshot(self) -> bytes:
        return _encoder.encode(_State(self.digest.state, self.digest.count, self._timeframes, self.counts))

    def restore(self, data: bytes) -> None:
        state = msgspec.msgpack.decode(data, type=_State)
        self.digest.state = state.digest
        self.digest.count = state.decisions
        self._timeframes = state.timeframes
        self._counts = state.counts
        self._backlog.take()
        self._known = None
        self._events[:] = 0
        self._bars[:] = 0
        self._bars[: len(self._timeframes)] = [state.counts.bars.get(name, 0) for name in self._timeframes]

    def _count_block(self, block: MarketBlock) -> None:
        counts = self._counts
        rows = len(block)
        if rows:
            _add(counts.rows, type(block).__name__, rows)
        if block.line_time_ns > counts.line_time_ns and (rows == 0 or block.whole()[0].line_ns is not None):
            counts.line_time_ns = block.line_time_ns
        if block.closed is not None and len(block.closed):
            self._count_bars(self._backlog.add(block.closed))
        if block.known is not None:
            self._count_known(block.known)

    def _count_known(self, known: Sightings | None) -> None:
        """Points that follow those before wait to be counted together with them."""
        before, self._known = self._known, known
        if before is None:
            return
        if known is not None and known.columns is before.columns and known.start == before.stop:
            self._known = before.window(before.start, known.stop)
            return
        _add(self._counts.messages, Detections.__name__, len(before))
        self._names = before.columns.writer.names
        count_names(before.names, self._events)

    def _count_bars(self, bars: tuple[MarketBlock, int, int] | None) -> None:
        if bars is not None:
            whole, start, stop = bars
            assert isinstance(whole, Bars)
            count_timeframes(start, stop, whole.timeframe, self._bars)

    def _count_message(self, message: Message) -> None:
        counts, kind = self._counts, type(message)
        name = kind.__name__
        counts.messages[name] = counts.messages.get(name, 0) + 1
        if kind not in LOOKED_INTO:
            return
        match message:
            case CampaignChange():
                _add(counts.campaigns, message.kind, 1)
            case Detections():
                for event in message.events:
                    _add(counts.events, event_name(event.kind, event.direction), 1)
            case Approved(receipt=receipt):
                counts.heat_peak_bp = max(counts.heat_peak_bp, heat_bp(receipt, receipt.new_risk))
            case Refused(receipt=receipt):
                counts.heat_peak_bp = max(counts.heat_peak_bp, heat_bp(receipt, 0))
                _add(counts.refusals, receipt.code, 1)
            case Declined():
                _add(counts.declines, message.code, 1)
            case HeatChange():
                counts.heat_peak_bp = max(counts.heat_peak_bp, message.heat_bp)
            case SessionStart():
                counts.started_ns = message.time_ns
                self._timeframes = message.timeframes


@kernel
def count_timeframes(start: int, stop: int, timeframe: Int8, counts: Int64) -> None:
    for bar in range(start, stop):
        counts[timeframe[bar]] += 1


@kernel
def count_names(names: Int16, counts: Int64) -> None:
    """Less than 0 is no event."""
    for name in names:
        if name >= 0:
            counts[name] += 1


def heat_bp(receipt: Receipt, new_risk: int) -> int:
    """Heat with `new_risk` in it, in basis points rounded up; 0 where there is no equity."""
    risk = receipt.open_risk + receipt.working_risk + new_risk
    return -(-risk * 10_000 // receipt.equity) if receipt.equity > 0 else 0


def _write(sinks: Sequence[Sink], items: Iterable[Item]) -> None:
    for item in items:
        for sink in sinks:
            sink.write(item)


def _add(counts: dict[str, int], name: str, number: int) -> None:
    counts[str(name)] = counts.get(name, 0) + number
