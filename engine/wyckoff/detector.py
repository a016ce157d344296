"""PhaseDetector: the stage that recognises Wyckoff structure as bars close.

It runs one kernel over the closed bars of a block and puts the detector's columns on them, and what
became known on the block. As messages that is: the rows and bars up to a close, then one Detections
for it, then the rest.
"""

from collections.abc import Iterable, Iterator, Sequence

import msgspec
import numpy as np

from engine.blocks import PARTIAL, Bars, Column, MarketBlock
from engine.instruments import ASSET_CLASSES, InstrumentTable
from engine.messages import StrategyMark
from engine.ports import Item, Strategy
from engine.sightings import Concern, Concerns, spread
from engine.timeframes import TIMEFRAMES
from engine.wyckoff.clusters import SCRATCH
from engine.wyckoff.gates import COUNT
from engine.wyckoff.known import Found, Teller
from engine.wyckoff.layout import BARS, OUT_REALS, OUT_WHOLES, RECORDS, State, empty_state
from engine.wyckoff.scan import Decor, Feed, Output, Rules, scan
from engine.wyckoff.scribe import Scribe
from engine.wyckoff.settings import DetectorSettings
from engine.wyckoff.timeofday import clock_of, entries_of

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

    `lateness_ns` separates a bar's close from the time decisions about it carry. `folded` leaves what
    became known on the blocks, for a line that cuts them only where `concerns` says so. Raises
    ValueError where `detect_on` names a timeframe the session does not have.
    """

    def __init__(
        self,
        settings: DetectorSettings,
        table: InstrumentTable,
        timeframes: tuple[str, ...],
        detect_on: tuple[str, ...],
        lateness_ns: int = 0,
        strategies: Sequence[Strategy] = (),
        *,
        folded: bool = False,
        concerns: Concerns = lambda seen, direction: Concern.ALWAYS,
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
        self._scribe = Scribe(table, timeframes, lateness_ns, settings.hash)
        self._teller = Teller(self._scribe, lateness_ns, settings.hash, concerns)
        self._folded = folded
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
            found = self._detect(message.closed)
            block = message.derive(closed=found.bars)
            block.known = self._teller.tell(block, found, self._line_time_ns)
            yield from (block,) if self._folded else spread(block)
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

    def _detect(self, bars: Bars) -> Found:
        rows = len(bars)
        feed = Feed(*(_read_only(getattr(bars, name)) for name in Feed._fields))
        decor = Decor(*(np.empty(rows, Bars.COLUMNS[name]) for name in Decor._fields))
        wholes, reals = [], []
        row = 0
        while row < rows:
            row = scan(row, feed, decor, self._state, self._rules, self._clock, self._output)
            used = int(self._output.used[0])
            wholes.append(self._output.wholes[:used].copy())
            reals.append(self._output.reals[:used].copy())
            self._output.used[:] = 0
        detected = bars.derive(**decor._asdict())
        if len(wholes) == 1:
            return Found(detected, wholes[0], reals[0], self._marks(detected))
        return Found(detected, np.concatenate(wholes), np.concatenate(reals), self._marks(detected))

    def _marks(self, bars: Bars) -> list[tuple[int, StrategyMark]]:
        """With the rows of their bars, strategy by strategy."""
        return [mark for strategy in self._strategies for mark in self._marked(strategy, bars)]

    def _marked(self, strategy: Strategy, bars: Bars) -> Iterator[tuple[int, StrategyMark]]:
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


def _read_only(column: Column) -> Column:
    """A contiguous view that cannot be written: one type for the kernel, whoever made the column."""
    flags = column.flags
    if flags.c_contiguous and not flags.writeable:
        return column
    view = np.ascontiguousarray(column).view()
    view.flags.writeable = False
    return view


def warm() -> None:
    """Compile the kernels ahead of the first bar."""
    detector = PhaseDetector(DetectorSettings(), InstrumentTable(()), TIMEFRAMES, ())
    for _ in detector.process(Bars.empty().derive(closed=Bars.of(close=[1.0]))):
        pass
