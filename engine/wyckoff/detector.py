"""PhaseDetector: the stage that recognises Wyckoff structure as bars close.

It runs one kernel over the closed bars of a block, puts the detector's columns on them, and where
something became known it cuts the block: the rows and bars up to that close, then one Detections
for it, then the rest. A block in which nothing became known passes whole.
"""

from collections.abc import Iterable, Iterator, Sequence

import msgspec
import numpy as np

from engine.blocks import PARTIAL, Bars, Column, MarketBlock
from engine.instruments import InstrumentTable
from engine.messages import FOREVER_NS, Detections, Event, PhaseChange, StrategyMark
from engine.ports import Item, Strategy
from engine.timeframes import TIMEFRAMES
from engine.wyckoff.gates import COUNT
from engine.wyckoff.layout import BARS, OUT_REALS, OUT_WHOLES, RECORDS, empty_state
from engine.wyckoff.scan import Decor, Feed, Output, scan
from engine.wyckoff.scribe import Record, Scribe, drained
from engine.wyckoff.settings import DetectorSettings

Known = Event | PhaseChange | StrategyMark


class SlotSnapshot(msgspec.Struct, frozen=True):
    """One slot that has seen bars: its number and the bytes of its arrays, in `State` order."""

    slot: int
    arrays: tuple[bytes, ...]


class DetectorSnapshot(msgspec.Struct, frozen=True):
    line_time_ns: int
    slots: tuple[SlotSnapshot, ...]


class PhaseDetector:
    """Detects on the timeframes `detect_on` of the session's `timeframes`; others pass undetected.

    `lateness_ns` separates a bar's close from the time decisions about it carry. Raises ValueError
    where `detect_on` names a timeframe the session does not have.
    """

    def __init__(
        self,
        settings: DetectorSettings,
        table: InstrumentTable,
        timeframes: tuple[str, ...],
        detect_on: tuple[str, ...],
        lateness_ns: int = 0,
        strategies: Sequence[Strategy] = (),
    ) -> None:
        for name in detect_on:
            if name not in timeframes:
                raise ValueError(f"detector: detect_on must be among {', '.join(timeframes)}, was {name}")
        self._places = np.array(
            [detect_on.index(name) if name in detect_on else -1 for name in timeframes], dtype=np.int16
        )
        self._gates = np.empty((len(detect_on), COUNT))
        for place, name in enumerate(detect_on):
            self._gates[place] = settings.gates(name)
        self._state = empty_state(len(table) * len(detect_on))
        self._output = Output(
            np.zeros((RECORDS, OUT_WHOLES), np.int64), np.zeros((RECORDS, OUT_REALS)), np.zeros(1, np.int64)
        )
        self._scribe = Scribe(table, timeframes, lateness_ns)
        self._lateness_ns = lateness_ns
        self._strategies = tuple(strategies)
        self._line_time_ns = 0

    def process(self, message: Item) -> Iterable[Item]:
        return self._block(message) if isinstance(message, MarketBlock) else (message,)

    def _block(self, message: MarketBlock) -> Iterator[Item]:
        if message.closed is None or len(message.closed) == 0:
            yield message
        else:
            closed, records = self._detect(message.closed)
            block = message.derive(closed=closed)
            known = self._known(records, closed)
            yield from self._cut(block, closed, known) if known else (block,)
        self._line_time_ns = message.line_time_ns

    def snapshot(self) -> bytes:
        live = np.flatnonzero(self._state.counts[:, BARS])
        slots = tuple(
            SlotSnapshot(slot=slot, arrays=tuple(array[slot].tobytes() for array in self._state))
            for slot in live.tolist()
        )
        return msgspec.msgpack.encode(DetectorSnapshot(line_time_ns=self._line_time_ns, slots=slots))

    def restore(self, data: bytes) -> None:
        snapshot = msgspec.msgpack.decode(data, type=DetectorSnapshot)
        self._line_time_ns = snapshot.line_time_ns
        arrays: tuple[Column, ...] = self._state
        for array in arrays:
            array[:] = 0
        for saved in snapshot.slots:
            for array, content in zip(arrays, saved.arrays, strict=True):
                array[saved.slot] = np.frombuffer(content, array.dtype).reshape(array.shape[1:])

    def _detect(self, bars: Bars) -> tuple[Bars, list[Record]]:
        """The bars with columns of their own, and all records in bar order."""
        rows = len(bars)
        feed = Feed(*(_read_only(getattr(bars, name)) for name in Feed._fields))
        decor = Decor(*(np.empty(rows, Bars.COLUMNS[name]) for name in Decor._fields))
        confirming = (
            bars.instrument, bars.timeframe, bars.open_ns, bars.close_ns, bars.high, bars.low, bars.close, decor.atr,
        )  # fmt: skip
        records: list[Record] = []
        row = 0
        while row < rows:
            row = scan(row, feed, decor, self._state, self._places, self._gates, self._output)
            records += drained(self._output.wholes, self._output.reals, int(self._output.used[0]), confirming)
            self._output.used[0] = 0
        return bars.derive(**decor._asdict()), records

    def _known(self, records: list[Record], bars: Bars) -> list[tuple[int, Known]]:
        """(bar row, what became known), in bar order; a bar's marks come after its events."""
        known: list[tuple[int, Known]] = [(record.row, self._scribe.write(record)) for record in records]
        for strategy in self._strategies:
            known += self._marked(strategy, bars)
        return sorted(known, key=lambda pair: pair[0]) if self._strategies else known

    def _marked(self, strategy: Strategy, bars: Bars) -> Iterator[tuple[int, Known]]:
        wanted = strategy.marks(bars) & (self._places[bars.timeframe] >= 0) & (bars.source != PARTIAL)
        for row in np.flatnonzero(wanted).tolist():
            yield (
                row,
                StrategyMark(
                    strategy=strategy.name,
                    symbol=self._scribe.symbol(bars, row),
                    timeframe=self._scribe.timeframe(bars, row),
                    open_ns=int(bars.open_ns[row]),
                    close=float(bars.close[row]),
                ),
            )

    def _cut(self, block: MarketBlock, bars: Bars, known: list[tuple[int, Known]]) -> Iterator[Item]:
        """Pieces of the block, each ending where the bars of one close are all out, and Detections.

        A piece without rows announces no line time that was not announced before it: the rows that
        prove it come later.
        """
        rows_done = bars_done = first = 0
        line_time_ns = self._line_time_ns
        for last, bars_to, rows_to in _borders(block, bars, known):
            piece = block.piece((rows_done, rows_to), (bars_done, bars_to))
            if rows_to == rows_done:
                piece.line_time_ns = line_time_ns
            yield piece
            line_time_ns = piece.line_time_ns
            members = [one for _, one in known[first : last + 1]]
            yield self._detections(int(bars.close_ns[bars_to - 1]), members)
            rows_done, bars_done, first = rows_to, bars_to, last + 1
        if len(block) == 0 or rows_done < len(block) or bars_done < len(bars):
            yield block.piece((rows_done, len(block)), (bars_done, len(bars)))

    def _detections(self, close_ns: int, members: Sequence[Known]) -> Detections:
        return Detections(
            time_ns=close_ns,
            decision_ns=close_ns + self._lateness_ns,
            events=tuple(one for one in members if isinstance(one, Event)),
            phases=tuple(one for one in members if isinstance(one, PhaseChange)),
            marks=tuple(one for one in members if isinstance(one, StrategyMark)),
        )


def _borders(block: MarketBlock, bars: Bars, known: list[tuple[int, Known]]) -> Iterator[tuple[int, int, int]]:
    """For each close at which something became known: the last of `known` that belongs to it, and
    the bars and rows that go before its Detections."""
    places = np.array([row for row, _ in known])
    lasts = np.flatnonzero(np.diff(bars.close_ns[places], append=FOREVER_NS))
    closes = np.flatnonzero(np.diff(bars.close_ns, append=FOREVER_NS)) + 1
    bars_to = closes[np.searchsorted(closes, places[lasts], side="right")]
    rows_to = np.minimum(len(block), bars.release[bars_to - 1] - block.sequence)
    return zip(lasts.tolist(), bars_to.tolist(), rows_to.tolist(), strict=True)


def _read_only(column: Column) -> Column:
    """A contiguous view that cannot be written: one type for the kernel, whoever made the column."""
    view = np.ascontiguousarray(column).view()
    view.flags.writeable = False
    return view


def warm() -> None:
    """Compile the kernels ahead of the first bar."""
    detector = PhaseDetector(DetectorSettings(), InstrumentTable(()), TIMEFRAMES, ())
    for _ in detector.process(Bars.empty().derive(closed=Bars.of(close=[1.0]))):
        pass
