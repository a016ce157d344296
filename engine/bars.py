"""BarAggregator: proves line time and closes bars by it, over all instruments at once.

Trades become bars of several timeframes; bars from outside are taken as they are and folded
into longer ones. Every block passes on with `line_ns` and `closed`, the bars that its rows
released. Each (instrument, timeframe) has one source. Between trades and shorter bars the first
seen rules; an outside bar of the timeframe itself overrules both, from its arrival: what was
being derived there is dropped, and nothing is derived there again. An outside bar that comes
after its interval was released overrules nothing and is only compared.
"""

from collections.abc import Iterator, Mapping
from operator import attrgetter
from typing import Any

import msgspec
import numpy as np

from engine.bars_kernel import TradeRows, fold_trades, pass_end, pass_rows
from engine.bars_outside import BarRows, fold_bars
from engine.bars_pending import (
    BAR,
    DIFFERING_BARS,
    DUE,
    DUPLICATE_BARS,
    FRAME,
    HEAPED,
    LATE_BARS,
    LATE_TRADES,
    MISPLACED,
    RELEASED,
    REVISED_BARS,
    SIZES,
    SLOT,
    TAINTED,
    USED,
    Plan,
    no_bars,
    with_capacity,
)
from engine.bars_release import CLOSED, REASONS, TAINT, Outlet
from engine.blocks import NAN_COLUMNS, Bars, BlockError, Int64, Quotes, Trades
from engine.instruments import InstrumentTable
from engine.line_time import LineTime, LineTimeState, Rows, TimeFact
from engine.messages import BarTaint, EndOfFeed, FeedStatus, Heartbeat
from engine.ports import Item
from engine.timeframes import LENGTH_NS, ORIGIN_NS

OUTLET_BARS = 1024
"""Released bars that leave the kernel at once: small enough to stay in a core's cache."""

PENDING_BARS = 256
"""First capacity for pending bars; doubled on need."""

PENDING_LIMIT = 1 << 21
"""Pending bars at most, 0.4 GB. Reached only when a feed holds line time back and never moves."""


_trade_columns = attrgetter(*TradeRows._fields)
_bar_columns = attrgetter(*BarRows._fields)


class AggregatorState(msgspec.Struct, frozen=True):
    """What a snapshot holds: line time and the arrays of `Pending` as bytes."""

    line: LineTimeState
    bars: bytes
    heap: bytes
    slots: bytes
    feeder: bytes
    sizes: bytes


class BarAggregator:
    """The first stage that knows time.

    `timeframes` is the session's table that `Bars.timeframe` indexes, `build` those to derive,
    `feeds` the number of declared feeds. Raises ValueError on a timeframe without a length.
    """

    def __init__(
        self,
        table: InstrumentTable,
        timeframes: tuple[str, ...],
        build: tuple[str, ...],
        feeds: int,
        lateness_ns: int = 0,
    ) -> None:
        self._symbols = table.symbols
        self._timeframes = timeframes
        self._plan = plan_of(len(table), timeframes, build, lateness_ns)
        self._line = LineTime(feeds)
        self._pending = no_bars(len(table), len(timeframes), max(PENDING_BARS, 4 * len(timeframes)))
        self._outlet = Outlet(_blank_bars(OUTLET_BARS), np.zeros(max(OUTLET_BARS, 4 * len(timeframes)), TAINT))
        self._views = {name: self._outlet.closed[name] for name in Bars.COLUMNS}
        self._released: list[Bars] = []
        self._taints: list[tuple[int, BarTaint]] = []
        self._nothing = Bars.empty()

    def process(self, message: Item) -> Iterator[Item]:
        if isinstance(message, Trades | Quotes | Bars):
            if len(message):
                yield from self._rows(message)
        elif isinstance(message, Heartbeat | EndOfFeed | FeedStatus):
            yield self._announce(message)
            yield message
        else:
            yield message

    @property
    def counts(self) -> Mapping[str, int]:
        """Rows that closed bars could not take, since the first fact."""
        places = {
            "late_trades": LATE_TRADES,
            "late_bars": LATE_BARS,
            "duplicate_bars": DUPLICATE_BARS,
            "revised_bars": REVISED_BARS,
            "differing_bars": DIFFERING_BARS,
        }
        return {name: int(self._pending.sizes[place]) for name, place in places.items()}

    def snapshot(self) -> bytes:
        pending, sizes = self._pending, self._pending.sizes
        state = AggregatorState(
            line=self._line.state(),
            bars=pending.bars[: sizes[USED]].tobytes(),
            heap=pending.heap[: sizes[HEAPED]].tobytes(),
            slots=pending.slots.tobytes(),
            feeder=pending.feeder.tobytes(),
            sizes=sizes.tobytes(),
        )
        return msgspec.msgpack.encode(state)

    def restore(self, data: bytes) -> None:
        """Raises ValueError when the snapshot is of another table, timeframes or feeds."""
        state = msgspec.msgpack.decode(data, type=AggregatorState)
        slots = np.frombuffer(state.slots, SLOT).copy()
        feeder = np.frombuffer(state.feeder, np.int64).copy()
        if (len(slots), len(feeder)) != (len(self._pending.slots), len(self._pending.feeder)):
            expected = f"{len(self._pending.feeder)} instruments in {len(self._pending.slots)} slots"
            raise ValueError(f"bars: snapshot must hold {expected}, was {len(feeder)} in {len(slots)}")
        self._line.resume(state.line)
        sizes = np.frombuffer(state.sizes, np.int64).copy()
        assert len(sizes) == SIZES
        bars, heap = np.frombuffer(state.bars, BAR), np.frombuffer(state.heap, DUE)
        fresh = no_bars(len(feeder), len(self._timeframes), max(2 * len(bars), len(self._pending.bars)))
        fresh.bars[: len(bars)] = bars
        fresh.heap[: len(heap)] = heap
        self._pending = fresh._replace(slots=slots, feeder=feeder, sizes=sizes)

    # --------------------------------------------------------------------------- rows

    def _rows(self, block: Rows) -> Iterator[Item]:
        """The block with its line time and released bars, cut where a row taints: taint first."""
        line_ns = self._line.prove(block)
        row = self._fold(block, line_ns, 0)
        while row < len(line_ns):
            self._empty_outlet()
            self._make_room(block, row)
            row = self._fold(block, line_ns, row)
        done = block.derive(line_ns=line_ns, line_time_ns=self._line.now_ns, closed=self._take_released())
        if self._taints:
            yield from self._cut(done, line_ns)
        else:
            yield done

    def _cut(self, done: Rows, line_ns: Int64) -> Iterator[Item]:
        taints, self._taints = self._taints, []
        start = 0
        for row, taint in taints:
            if row > start:
                yield done.slice(start, row)
                start = row
            yield msgspec.structs.replace(taint, time_ns=int(line_ns[row]))
        yield done.slice(start, len(done))

    def _fold(self, block: Rows, line_ns: Int64, start: int) -> int:
        """Runs the kernel from row `start` until it is through or its buffers are full."""
        plan, pending, outlet = self._plan, self._pending, self._outlet
        if isinstance(block, Trades):
            trades = TradeRows._make(_trade_columns(block))
            return fold_trades(start, block.sequence, line_ns, trades, plan, pending, outlet)
        if isinstance(block, Bars):
            bars = BarRows._make(_bar_columns(block))
            return fold_bars(start, block.sequence, line_ns, bars, plan, pending, outlet)
        return pass_rows(start, block.sequence, line_ns, plan, pending, outlet)

    def _announce(self, fact: TimeFact) -> Bars:
        """No rows: the line time that the fact proved, and what it released."""
        self._line.hear(fact)
        now_ns = self._line.now_ns
        line_ns = np.array([now_ns], np.int64)
        while pass_rows(0, fact.sequence, line_ns, self._plan, self._pending, self._outlet) == 0:
            self._empty_outlet()
        if isinstance(fact, EndOfFeed) and self._line.ended:
            while not pass_end(fact.sequence, now_ns, self._plan, self._pending, self._outlet):
                self._empty_outlet()
        closed = self._take_released()
        return self._nothing.derive(sequence=fact.sequence, line_time_ns=now_ns, closed=closed)

    def _make_room(self, block: Rows, row: int) -> None:
        """Let the kernel go on at `row`. Raises BlockError on a row outside the tables."""
        sizes, capacity = self._pending.sizes, len(self._pending.bars)
        if sizes[MISPLACED]:
            raise self._misplaced(block, row)
        if capacity - sizes[HEAPED] >= len(self._timeframes):
            return
        if capacity >= PENDING_LIMIT:
            found = f"was {sizes[HEAPED]} and more: a feed holds line time at {self._line.now_ns}"
            raise BlockError(f"sequence {block.sequence + row}: pending bars must be at most {PENDING_LIMIT}, {found}")
        self._pending = with_capacity(self._pending, 2 * capacity)

    def _misplaced(self, block: Rows, row: int) -> BlockError:
        name, bound, found = "instrument", len(self._symbols), int(block.instrument[row])
        if isinstance(block, Bars) and 0 <= found < bound:
            name, bound, found = "timeframe", len(self._timeframes), int(block.timeframe[row])
        return BlockError(f"sequence {block.sequence + row}: {name} must be between 0 and {bound - 1}, was {found}")

    # ------------------------------------------------------------------------- outlet

    def _take_released(self) -> Bars:
        self._empty_outlet()
        if not self._released:
            return self._nothing
        released, self._released = self._released, []
        return Bars.join(released)

    def _empty_outlet(self) -> None:
        sizes = self._pending.sizes
        if sizes[RELEASED]:
            columns: dict[str, Any] = {name: view[: sizes[RELEASED]].copy() for name, view in self._views.items()}
            self._released.append(Bars(**columns))
            sizes[RELEASED] = 0
        if sizes[TAINTED]:
            self._taints += [self._taint(record) for record in self._outlet.taints[: sizes[TAINTED]]]
            sizes[TAINTED] = 0

    def _taint(self, record: np.void) -> tuple[int, BarTaint]:
        """The row that tainted and its message, which still lacks its time."""
        instrument, timeframe = divmod(int(record["slot"]), len(self._timeframes))
        taint = BarTaint(
            time_ns=0,
            symbol=self._symbols[instrument],
            timeframe=self._timeframes[timeframe],
            open_ns=int(record["open_ns"]),
            reason=REASONS[record["reason"]],
        )
        return int(record["row"]), taint


def plan_of(instruments: int, timeframes: tuple[str, ...], build: tuple[str, ...], lateness_ns: int) -> Plan:
    """Raises ValueError on a timeframe that has no length, or is built but not in the table."""
    for name in timeframes:
        if name not in LENGTH_NS:
            raise ValueError(f"bars: timeframe must be one of {', '.join(LENGTH_NS)}, was {name}")
    for name in build:
        if name not in timeframes:
            raise ValueError(f"bars: built timeframe must be one of {', '.join(timeframes)}, was {name}")
    if lateness_ns < 0:
        raise ValueError(f"bars: lateness_ns must be >= 0, was {lateness_ns}")
    longest_first = sorted(timeframes, key=lambda name: -LENGTH_NS[name])
    frames = np.zeros(len(timeframes), FRAME)
    frames["length_ns"] = [LENGTH_NS[name] for name in timeframes]
    frames["origin_ns"] = [ORIGIN_NS[name] for name in timeframes]
    frames["order"] = [instruments * longest_first.index(name) for name in timeframes]
    built = [timeframes.index(name) for name in longest_first if name in build]
    return Plan(frames, np.array(built, np.int64), lateness_ns)


def _blank_bars(capacity: int) -> np.ndarray[tuple[int], np.dtype[np.void]]:
    """Records of CLOSED as the kernel leaves them: what only the detector knows is not computed."""
    blank = np.zeros(capacity, CLOSED)
    for name in NAN_COLUMNS:
        blank[name] = np.nan
    return blank
