"""BarAggregator: proves line time and closes bars by it, over all instruments at once.

Trades become bars of several timeframes, by the clock, by the sessions of the instrument's
calendar, or by what they count; bars from outside are taken as they are and folded into longer
ones. A trade outside every session makes no bar. Every block passes on with `line_ns` and
`closed`, the bars that its rows released.

Each (instrument, timeframe) has one source. Between trades and shorter bars the first seen
rules; an outside bar of the timeframe itself overrules both, from its arrival: what was being
derived there is dropped, and nothing is derived there again. An outside bar that comes after its
interval was released overrules nothing and is only compared.
"""

from collections.abc import Iterator, Mapping
from operator import attrgetter
from typing import Any

import msgspec
import numpy as np

from engine.bars_kernel import TradeRows, fold_trades
from engine.bars_outside import BarRows, fold_bars
from engine.bars_passing import QuoteRows, keep_gap, pass_end, pass_fact, pass_quotes, withhold
from engine.bars_pending import (
    BAR,
    DIFFERING_BARS,
    DUE,
    DUPLICATE_BARS,
    GAP,
    GAPS,
    HEAPED,
    LATE_BARS,
    LATE_TRADES,
    MISPLACED,
    OUTSIDE_SESSION,
    RELEASED,
    REVISED_BARS,
    SIZES,
    SLOT,
    TAINTED,
    USED,
    no_bars,
    with_capacity,
)
from engine.bars_plan import LISTING, plan_of
from engine.bars_release import CLOSED, DETECTED, REASONS, TAINT, Outlet
from engine.blocks import NAN_COLUMNS, Bars, BlockError, Column, Int64, Quotes, Trades
from engine.instruments import InstrumentTable
from engine.line_time import LineTime, LineTimeState, Rows, TimeFact
from engine.messages import FILLED, FOREVER_NS, NEVER_NS, BarTaint, EndOfFeed, FeedStatus, Heartbeat, Quarantine
from engine.ports import Item
from engine.sessions import Sessions, always_open
from engine.timeframes import is_counted

OUTLET_BARS = 1024
"""Released bars that leave the kernel at once: small enough to stay in a core's cache."""

PENDING_BARS = 256
"""First capacity for pending bars; doubled on need."""

PENDING_LIMIT = 1 << 21
"""Pending bars at most, 0.4 GB. Reached only when a feed holds line time back and never moves."""


_UNKNOWN = {name: np.full(OUTLET_BARS, np.nan if name in NAN_COLUMNS else 0, Bars.COLUMNS[name]) for name in DETECTED}
"""What the detector's columns say before it has seen the bars. Windows of these are shared by all blocks."""

_trade_columns = attrgetter(*TradeRows._fields)
_bar_columns = attrgetter(*BarRows._fields)
_quote_columns = attrgetter(*QuoteRows._fields)


class AggregatorState(msgspec.Struct, frozen=True):
    """What a snapshot holds: line time and the arrays of `Pending` as bytes."""

    line: LineTimeState
    bars: bytes
    heap: bytes
    slots: bytes
    listings: bytes
    gaps: bytes
    carried: bytes
    sizes: bytes


class BarAggregator:
    """The first stage that knows time.

    `timeframes` is the session's table that `Bars.timeframe` indexes, `build` those to derive,
    `feeds` the number of declared feeds, `sessions` when each instrument trades: around the clock
    where nothing is said. Raises ValueError on an unknown timeframe.
    """

    def __init__(
        self,
        table: InstrumentTable,
        timeframes: tuple[str, ...],
        build: tuple[str, ...],
        feeds: int,
        lateness_ns: int = 0,
        sessions: Sessions | None = None,
    ) -> None:
        self._table = table
        self._timeframes = timeframes
        self._plan = plan_of(timeframes, build, lateness_ns, sessions or always_open(len(table)))
        if len(self._plan.sessions.calendar) != len(table):
            found = len(self._plan.sessions.calendar)
            raise ValueError(f"bars: sessions must be of {len(table)} instruments, was {found}")
        self._line = LineTime(feeds)
        self._pending = no_bars(self._plan, feeds, max(PENDING_BARS, 4 * len(timeframes)))
        self._outlet = Outlet(np.zeros(OUTLET_BARS, CLOSED), np.zeros(max(OUTLET_BARS, 4 * len(timeframes)), TAINT))
        self._views = {name: self._outlet.closed[name] for name in CLOSED.names or ()}
        self._released: list[dict[str, Column]] = []
        self._taints: list[tuple[int, BarTaint]] = []
        self._nothing = Bars.empty()

    def process(self, message: Item) -> Iterator[Item]:
        if isinstance(message, Trades | Quotes | Bars):
            if len(message):
                yield from self._rows(message)
        elif isinstance(message, Heartbeat | EndOfFeed | FeedStatus):
            yield from self._announce(message)
            yield message
        elif isinstance(message, Quarantine):
            yield message
            yield from self._doubt(message)
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
            "outside_session": OUTSIDE_SESSION,
        }
        return {name: int(self._pending.sizes[place]) for name, place in places.items()}

    @property
    def line_time_ns(self) -> int:
        """Proven by all feeds so far, NEVER_NS before that."""
        return self._line.now_ns

    def snapshot(self) -> bytes:
        pending, sizes = self._pending, self._pending.sizes
        state = AggregatorState(
            line=self._line.state(),
            bars=pending.bars[: sizes[USED]].tobytes(),
            heap=pending.heap[: sizes[HEAPED]].tobytes(),
            slots=pending.slots.tobytes(),
            listings=pending.listings.tobytes(),
            gaps=pending.gaps.tobytes(),
            carried=pending.carried.tobytes(),
            sizes=sizes.tobytes(),
        )
        return msgspec.msgpack.encode(state)

    def restore(self, data: bytes) -> None:
        """Raises ValueError when the snapshot is of another table, timeframes or feeds."""
        state = msgspec.msgpack.decode(data, type=AggregatorState)
        pending, sizes = self._pending, np.frombuffer(state.sizes, np.int64).copy()
        slots, listings = np.frombuffer(state.slots, SLOT).copy(), np.frombuffer(state.listings, LISTING).copy()
        if (len(slots), len(listings)) != (len(pending.slots), len(pending.listings)):
            expected = f"{len(pending.listings)} instruments in {len(pending.slots)} slots"
            raise ValueError(f"bars: snapshot must hold {expected}, was {len(listings)} in {len(slots)}")
        if (bad := listings["calendar"] != pending.listings["calendar"]).any():
            symbol, found = self._table.symbols[int(bad.argmax())], listings["calendar"][bad][0]
            raise ValueError(f"bars: {symbol}: snapshot must be of its calendar, was of calendar {found}")
        self._line.resume(state.line)
        assert len(sizes) == SIZES
        bars, heap = np.frombuffer(state.bars, BAR), np.frombuffer(state.heap, DUE)
        fresh = no_bars(self._plan, len(pending.gaps), max(2 * len(bars), len(pending.bars)))
        fresh.bars[: len(bars)] = bars
        fresh.heap[: len(heap)] = heap
        carried = np.frombuffer(state.carried, np.int8).reshape(pending.carried.shape).copy()
        gaps = np.frombuffer(state.gaps, GAP).copy()
        self._pending = fresh._replace(slots=slots, listings=listings, gaps=gaps, carried=carried, sizes=sizes)

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
        quotes = QuoteRows._make(_quote_columns(block))
        return pass_quotes(start, block.sequence, line_ns, quotes, plan, pending, outlet)

    def _announce(self, fact: TimeFact) -> Iterator[Item]:
        """No rows: the line time that the fact proved, and what it released. Doubts of that come first."""
        self._note_gap(fact)
        self._line.hear(fact)
        now_ns = self._line.now_ns
        while not pass_fact(fact.sequence, now_ns, self._plan, self._pending, self._outlet):
            self._empty_outlet()
        if isinstance(fact, EndOfFeed) and self._line.ended:
            while not pass_end(fact.sequence, now_ns, self._plan, self._pending, self._outlet):
                self._empty_outlet()
        closed = self._take_released()
        yield from self._take_taints()
        yield self._nothing.derive(sequence=fact.sequence, line_time_ns=now_ns, closed=closed)

    def _note_gap(self, fact: TimeFact) -> None:
        """A gap begins where the feed's proof ends and lasts until it says that it is live, or ends."""
        if isinstance(fact, Heartbeat) or not 0 <= fact.feed < len(self._pending.gaps):
            return
        live = isinstance(fact, FeedStatus) and fact.status == "LIVE"
        if self._line.is_live(fact.feed) and not live and isinstance(fact, FeedStatus):
            proven_ns = self._line.proven_ns(fact.feed)
            keep_gap(fact.feed, self._pending)
            self._pending.gaps[fact.feed] = (fact.time_ns if proven_ns == NEVER_NS else proven_ns + 1, FOREVER_NS)
            self._pending.sizes[GAPS] = 1
        elif self._pending.gaps["until_ns"][fact.feed] == FOREVER_NS and (live or isinstance(fact, EndOfFeed)):
            filled = isinstance(fact, FeedStatus) and fact.reason == FILLED
            self._pending.gaps["until_ns"][fact.feed] = NEVER_NS if filled else fact.time_ns

    def _doubt(self, fact: Quarantine) -> Iterator[Item]:
        if fact.symbol in self._table.symbols:
            now_ns = self._line.now_ns
            withhold(fact.time_ns, self._table.number(fact.symbol), now_ns, self._plan, self._pending, self._outlet)
            self._empty_outlet()
            yield from self._take_taints()

    def _make_room(self, block: Rows, row: int) -> None:
        """Let the kernel go on at `row`. Raises BlockError on a row outside the tables."""
        sizes, capacity = self._pending.sizes, len(self._pending.bars)
        if sizes[MISPLACED]:
            raise self._misplaced(block, row)
        if capacity - sizes[HEAPED] >= 2 * len(self._timeframes):
            return
        if capacity >= PENDING_LIMIT:
            found = f"was {sizes[HEAPED]} and more: a feed holds line time at {self._line.now_ns}"
            raise BlockError(f"sequence {block.sequence + row}: pending bars must be at most {PENDING_LIMIT}, {found}")
        self._pending = with_capacity(self._pending, 2 * capacity)

    def _misplaced(self, block: Rows, row: int) -> BlockError:
        where, found = f"sequence {block.sequence + row}", int(block.instrument[row])
        if not isinstance(block, Bars) or not 0 <= found < len(self._table):
            return BlockError(f"{where}: instrument must be between 0 and {len(self._table) - 1}, was {found}")
        frame = int(block.timeframe[row])
        if 0 <= frame < len(self._timeframes) and is_counted(self._timeframes[frame]):
            return BlockError(f"{where}: timeframe must have a length, was {self._timeframes[frame]}")
        return BlockError(f"{where}: timeframe must be between 0 and {len(self._timeframes) - 1}, was {frame}")

    # ------------------------------------------------------------------------- outlet

    def _take_released(self) -> Bars:
        self._empty_outlet()
        if not self._released:
            return self._nothing
        parts, self._released = self._released, []
        columns: dict[str, Any] = parts[0]
        if len(parts) > 1:
            columns = {name: np.concatenate([part[name] for part in parts]) for name in self._views}
        rows = len(columns["release"])
        for name in DETECTED:
            unknown = _UNKNOWN[name]
            columns[name] = unknown[:rows] if rows <= len(unknown) else np.resize(unknown, rows)
        return Bars(**columns)

    def _take_taints(self) -> Iterator[BarTaint]:
        """Those of a fact, which take effect at the line time it arrives with."""
        taints, self._taints = self._taints, []
        for _, taint in taints:
            yield msgspec.structs.replace(taint, time_ns=self._line.now_ns)

    def _empty_outlet(self) -> None:
        sizes = self._pending.sizes
        if sizes[RELEASED]:
            self._released.append({name: view[: sizes[RELEASED]].copy() for name, view in self._views.items()})
            sizes[RELEASED] = 0
        if sizes[TAINTED]:
            self._taints += [self._taint(record) for record in self._outlet.taints[: sizes[TAINTED]]]
            sizes[TAINTED] = 0

    def _taint(self, record: np.void) -> tuple[int, BarTaint]:
        """The row that tainted and its message, which still lacks its time."""
        instrument, timeframe = divmod(int(record["slot"]), len(self._timeframes))
        taint = BarTaint(
            time_ns=0,
            symbol=self._table.symbols[instrument],
            timeframe=self._timeframes[timeframe],
            open_ns=int(record["open_ns"]),
            reason=REASONS[record["reason"]],
        )
        return int(record["row"]), taint
