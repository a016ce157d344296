"""PhaseDetector: the stage that recognises Wyckoff structure as bars close.

It runs one kernel over the closed bars of a block, puts the detector's columns on them, and where
something became known it cuts the block: the rows and bars up to that close, then one Detections
for it, then the rest. A block in which nothing became known passes whole.
"""

from collections.abc import Iterable, Iterator, Sequence

import msgspec
import numpy as np

from engine.blocks import PARTIAL, Bars, Column, MarketBlock
from engine.instruments import ASSET_CLASSES, InstrumentTable
from engine.messages import FOREVER_NS, Detections, Event, PhaseChange, StrategyMark
from engine.ports import Item, Strategy
from engine.timeframes import TIMEFRAMES
from engine.wyckoff.clusters import SCRATCH
from engine.wyckoff.gates import COUNT
from engine.wyckoff.layout import BARS, OUT_REALS, OUT_WHOLES, RECORDS, State, empty_state
from engine.wyckoff.scan import Decor, Feed, Output, Rules, scan
from engine.wyckoff.scribe import Record, Scribe, drained
from engine.wyckoff.settings import DetectorSettings
from engine.wyckoff.timeofday import clock_of, entries_of

Known = Event | PhaseChange | StrategyMark


SIDES = (1, -1)

HIGHER = {"1m": ("5m", "15m"), "5m": ("15m", "1h"), "15m": ("1h", "4h"), "1h": ("4h", "1d"), "4h": ("1d", "1w"),
          "1d": ("1w",)}  # fmt: skip
"""The timeframes that give a timeframe its context (rule book 3.14), nearest first."""


class SlotSnapshot(msgspec.Struct, frozen=True):
    """One slot that has seen bars: its number, the bytes of its arrays in `State` order, and of its
    table of volumes by time of day."""

    slot: int
    arrays: tuple[bytes, ...]
    volumes: bytes
    ages: bytes


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
        self._rules = rules_of(settings, table, timeframes, detect_on)
        self._clock = clock_of(table, detect_on)
        self._state = empty_state(len(table) * len(detect_on))
        self._output = Output(
            np.zeros((RECORDS, OUT_WHOLES), np.int64), np.zeros((RECORDS, OUT_REALS)), np.zeros(2, np.int64),
            np.zeros(SCRATCH),
        )  # fmt: skip
        self._settings = settings.hash
        self._scribe = Scribe(table, timeframes, lateness_ns, settings.hash)
        self._lateness_ns = lateness_ns
        self._strategies = tuple(strategies)
        self._line_time_ns = 0

    @property
    def state(self) -> State:
        """What a view of it may copy, between facts."""
        return self._state

    @property
    def rules(self) -> Rules:
        return self._rules

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
            SlotSnapshot(
                slot=slot,
                arrays=tuple(array[slot].tobytes() for array in self._state),
                volumes=self._clock.values[entries_of(self._clock, slot)].tobytes(),
                ages=self._clock.ages[entries_of(self._clock, slot)].tobytes(),
            )
            for slot in live.tolist()
        )
        return msgspec.msgpack.encode(DetectorSnapshot(line_time_ns=self._line_time_ns, slots=slots))

    def restore(self, data: bytes) -> None:
        snapshot = msgspec.msgpack.decode(data, type=DetectorSnapshot)
        self._line_time_ns = snapshot.line_time_ns
        arrays: tuple[Column, ...] = self._state
        for array in arrays:
            array[:] = 0
        values, ages = self._clock.values, self._clock.ages
        values[:] = 0
        ages[:] = 0
        for saved in snapshot.slots:
            entries = entries_of(self._clock, saved.slot)
            values[entries] = np.frombuffer(saved.volumes, values.dtype).reshape(-1, values.shape[1])
            ages[entries] = np.frombuffer(saved.ages, ages.dtype).reshape(-1, ages.shape[1])
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
            row = scan(row, feed, decor, self._state, self._rules, self._clock, self._output)
            records += drained(self._output.wholes, self._output.reals, int(self._output.used[0]), confirming)
            self._output.used[:] = 0
        return bars.derive(**decor._asdict()), records

    def _known(self, records: list[Record], bars: Bars) -> list[tuple[int, Known]]:
        """(bar row, what became known), in bar order; a bar's marks come after its events."""
        known: list[tuple[int, Known]] = [(record.row, self._scribe.write(record)) for record in records]
        for strategy in self._strategies:
            known += self._marked(strategy, bars)
        return sorted(known, key=lambda pair: pair[0]) if self._strategies else known

    def _marked(self, strategy: Strategy, bars: Bars) -> Iterator[tuple[int, Known]]:
        wanted = strategy.marks(bars) & (self._rules.places[bars.timeframe] >= 0) & (bars.source != PARTIAL)
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
            settings=self._settings,
        )


def rules_of(
    settings: DetectorSettings, table: InstrumentTable, timeframes: tuple[str, ...], detect_on: tuple[str, ...]
) -> Rules:
    """What the kernels read besides bars and state."""
    places = {name: place for place, name in enumerate(detect_on)}
    gates = np.empty((len(ASSET_CLASSES), len(detect_on), len(SIDES), COUNT))
    for row, asset_class in enumerate(ASSET_CLASSES):
        for place, name in enumerate(detect_on):
            for column, side in enumerate(SIDES):
                gates[row, place, column] = settings.gates(name, side, asset_class)
    higher = np.full((len(detect_on), 2), -1, np.int16)
    for place, name in enumerate(detect_on):
        known = [places[above] for above in HIGHER.get(name, ()) if above in places]
        higher[place, : len(known)] = known
    return Rules(
        places=np.array([places.get(name, -1) for name in timeframes], np.int16),
        gates=gates,
        classes=np.array([ASSET_CLASSES.index(one.asset_class) for one in table.all], np.int8),
        ticks=np.array([float(one.tick) for one in table.all]),
        higher=higher,
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
