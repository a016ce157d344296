"""Market: the stage that walks over the rows and stops where something is waited for.

In every mode it holds the watches; in replay, backtest and paper it also asks the book, a simulated
venue. Before each row come the bars it released and the line time it proved, and between these bars
what waits for a time that a later bar lies beyond; then resting orders match, touch watches fire, the
mark moves, the equity watch fires. A row is handled as a whole, and only then told: the piece up to
it, its executions, its watches. After each telling the desk is read, so what the rest of the line
wished in answer is in force before the next row.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from decimal import Decimal

import msgspec
import numpy as np

from engine.blocks import MarketBlock
from engine.executions import Executions
from engine.holdings import Holdings
from engine.instruments import MATCH_ON_BARS, InstrumentTable
from engine.living import Living
from engine.market_kernel import (
    ABOVE,
    BAR,
    BELOW,
    DUE,
    END,
    EQUITY,
    FLOOR,
    KNOWN,
    MARK,
    NO_TIMEFRAME,
    ON_BARS,
    ROW,
    SMALLEST,
    TIME,
    mark,
    new_lanes,
    new_levels,
)
from engine.market_walk import Columns, Walk
from engine.messages import (
    NEVER_NS,
    AccountState,
    CampaignChange,
    CancelRequest,
    Detections,
    EndOfFeed,
    ExecutionFact,
    FeedStatus,
    Fill,
    Heartbeat,
    Message,
    Order,
    Request,
    SessionStart,
    Unwatch,
    Watch,
    WatchKind,
)
from engine.ports import Book, Item, MarketRow
from engine.watches import CLOSES, EQUITIES, LANES, TIMES, TOUCHES, ClosedBar, Entry, Fired, Slot, Watches

VERSION = 2


class MarketState(msgspec.Struct, frozen=True):
    """A snapshot. What can be computed from watches and book is not in it."""

    version: int
    registrations: int
    watches: list[Entry]
    cash: Decimal
    quantities: dict[int, Decimal]
    marks: bytes
    smallest: bytes
    equity: float
    clock_ns: int
    line_ns: int
    announced: tuple[int, int] | None
    campaigns: dict[str, int]
    book: bytes | None
    executions: list[str] = []


class Market:
    """A Stage and the Desk. `book` None: the venue is real, its executions arrive as facts."""

    def __init__(
        self, table: InstrumentTable, timeframes: tuple[str, ...], book: Book | None, lateness_ns: int = 0
    ) -> None:
        self._table = table
        self._timeframes = timeframes
        self._book = book
        self._lateness_ns = lateness_ns
        self._numbers = {symbol: number for number, symbol in enumerate(table.symbols)}
        self._desk: deque[Order | CancelRequest | Request | CampaignChange] = deque()
        self._living = Living(table)
        self._watches = Watches()
        self._lanes = new_lanes(len(table))
        self._levels = new_levels(len(table), len(timeframes))
        self._kinds = np.full((len(table), 2), NO_TIMEFRAME, np.int8)
        self._kinds[:, ON_BARS] = [one.match_on == MATCH_ON_BARS for one in table.all]
        self._account = np.array([0.0, -np.inf, -np.inf])
        self._holdings = Holdings(table, self._lanes, self._account)
        self._clock_ns = NEVER_NS
        self._line_ns = NEVER_NS
        self._announced: tuple[int, int] | None = None
        self._columns = Columns(self._lanes, self._kinds, self._account, self._levels)

    def submit(self, request: Order | CancelRequest | Request | CampaignChange) -> None:
        self._desk.append(request)

    @property
    def equity(self) -> float:
        """Cash and positions at marks, in account currency."""
        return self._holdings.equity

    def process(self, message: Item) -> Iterator[Item]:
        return self._block(message) if isinstance(message, MarketBlock) else self._fact(message)

    # ------------------------------------------------------------------------------- facts

    def _fact(self, fact: Message) -> Iterator[Item]:
        if isinstance(fact, Detections):
            # Whatever has waited for this time or an earlier one goes before what is decided at it.
            if self._due_ns <= fact.decision_ns:
                yield from self._due(fact.decision_ns)
            yield fact
            if self._desk:
                yield from self._drain()
            return
        fired = self._learn(fact)
        yield from self._tell((fact,), fired)
        if isinstance(fact, Heartbeat | EndOfFeed | FeedStatus) and self._announced is not None:
            sequence, line_ns = self._announced
            if sequence == fact.sequence:
                yield from self._reach(line_ns)

    def _learn(self, fact: Message) -> list[Fired]:
        """Cash and positions from outside; the equity watches that this fires."""
        match fact:
            case SessionStart():
                self._holdings.cash = fact.cash
                self._clock_ns = fact.time_ns
            case Fill():
                self._holdings.fill(fact)
            case AccountState():
                self._holdings.trust(fact)
            case _:
                return []
        self._holdings.revalue()
        if isinstance(fact, SessionStart):
            return []
        self._holdings.hear()
        return self._ruined(fact.time_ns)

    def _ruined(self, time_ns: int) -> list[Fired]:
        if self._account[EQUITY] > self._account[FLOOR]:
            return []
        return self._watches.ruined(self.equity, time_ns)

    # ------------------------------------------------------------------------------ blocks

    def _block(self, block: MarketBlock) -> Iterator[Item]:
        walk = Walk(block, self._line_ns, self._columns)
        while True:
            why = self._scan(walk)
            if why == END:
                break
            self._clock_ns, self._line_ns = walk.clock_ns(self._clock_ns), walk.line_ns
            if why == TIME:
                yield from self._tell(walk.cut(), ())
                yield from self._reach(walk.next_line_ns)
                continue
            if why == KNOWN:
                yield from self._decide(walk)
                continue
            if why == DUE:
                yield from self._tell(walk.cut(), ())
                yield from self._due(walk.next_close_ns + self._lateness_ns - 1)
                continue
            facts, fired = self._stop(why, walk)
            if facts or fired:
                yield from self._tell((*walk.cut(), *facts), fired)
        self._clock_ns, self._line_ns = walk.clock_ns(self._clock_ns), walk.line_ns
        if len(block) == 0:
            self._announced = (block.sequence, block.line_time_ns)
        yield from self._tell(walk.rest(), ())

    def _scan(self, walk: Walk) -> int:
        due_ns = self._due_ns
        return walk.scan(
            self._living.counts,
            due_ns=due_ns,
            known_ns=due_ns - self._lateness_ns,
            watched=self._watches.bars > 0,
            every=self._holdings.is_at_high(),
        )

    def _decide(self, walk: Walk) -> Iterator[Item]:
        """As for a Detections: whatever has waited for its time goes before it."""
        decision_ns = walk.next_decision_ns
        if self._due_ns <= decision_ns:
            yield from self._tell(walk.cut(), ())
            yield from self._due(decision_ns)
        yield from self._tell(walk.cut_with_point(), ())
        self._holdings.high_was_told()

    @property
    def _due_ns(self) -> int:
        """When the next line-time watch or expiry is due."""
        due_ns = self._watches.due_ns
        return due_ns if self._book is None else min(due_ns, self._book.due_ns)

    def _stop(self, why: int, walk: Walk) -> tuple[list[ExecutionFact], list[Fired]]:
        """What the bar or row before the walk's position does. Nothing is told yet."""
        if why == BAR:
            return [], self._bar(walk)
        if why == ROW:
            return self._row(walk.market_row())
        return [], self._ruined(walk.clock_ns(0))

    def _bar(self, walk: Walk) -> list[Fired]:
        bars, j = walk.bars, walk.bar - 1
        slot = (int(bars.instrument[j]), int(bars.timeframe[j]))
        bar = ClosedBar(
            close=float(bars.close[j]),
            atr=float(bars.atr[j]),
            swing_low=float(bars.swing_low[j]),
            swing_high=float(bars.swing_high[j]),
        )
        return self._watches.closed(slot, int(bars.close_ns[j]) + self._lateness_ns, bar)

    def _row(self, row: MarketRow) -> tuple[list[ExecutionFact], list[Fired]]:
        number = row.instrument
        facts = self._book.match(row) if self._book is not None else []
        self._refresh(number)
        fired = self._watches.touched(number, row.time_ns, (row.open, row.high, row.low))
        held = mark(self._lanes, self._account, number, row.close)
        fills = [fact for fact in facts if isinstance(fact, Fill)]
        for fill in fills:
            self._holdings.fill(fill)
        if fills:
            self._holdings.revalue()
        if held or fills:
            fired += self._ruined(row.time_ns)
        return facts, fired

    # ------------------------------------------------------------------------ telling, desk

    def _tell(self, items: Iterable[Item], fired: Iterable[Fired]) -> Iterator[Item]:
        """Hand items down, then each watch that is still wanted; read the desk after each."""
        yield from items
        if self._desk:
            yield from self._drain()
        for one in fired:
            if self._watches.take(one):
                self._watch_changed(one.entry)
                yield one.watched
                yield from self._drain()

    def _reach(self, line_ns: int) -> Iterator[Item]:
        self._line_ns = line_ns
        yield from self._due(line_ns)

    def _due(self, line_ns: int) -> Iterator[Item]:
        """Everything that waited for line time, in order of time, expiries first.

        What is registered meanwhile waits for the next row, control fact or Detections, even if it is due.
        """
        expiries = self._book.due(line_ns) if self._book is not None else []
        for fired in self._watches.due(line_ns):
            while expiries and expiries[0][0] <= fired.entry.watch.time_ns:
                yield from self._expire(expiries.pop(0)[1])
            yield from self._tell((), (fired,))
        for _, order_id in expiries:
            yield from self._expire(order_id)

    def _expire(self, order_id: str) -> Iterator[Item]:
        assert self._book is not None
        facts = self._book.expire(order_id)
        self._book_changed(facts)
        yield from self._tell(facts, ())

    def _drain(self) -> Iterator[Item]:
        while self._desk:
            request = self._desk.popleft()
            if isinstance(request, Order | CancelRequest):
                yield from self._ask(request)
            elif isinstance(request, Watch):
                self._forget(request.watch_id)
                self._watch_changed(self._watches.add(request, self._slot(request)))
            elif isinstance(request, Unwatch):
                self._forget(request.watch_id)
            else:
                self._living.follow(request)

    def _ask(self, request: Order | CancelRequest) -> list[ExecutionFact]:
        if self._book is None:
            return []
        now_ns = max(self._clock_ns, request.decision_ns)
        if isinstance(request, Order):
            number = self._numbers.get(request.symbol)
            price = float("nan") if number is None else float(self._lanes[number, MARK])
            facts = self._book.submit(request, now_ns=now_ns, mark=price)
        else:
            facts = self._book.cancel(request, now_ns=now_ns)
        self._book_changed(facts)
        return facts

    def _forget(self, watch_id: str) -> None:
        entry = self._watches.remove(watch_id)
        if entry is not None:
            self._watch_changed(entry)

    def _slot(self, watch: Watch) -> Slot:
        if watch.kind is WatchKind.LINE_TIME:
            return -1, TIMES
        if watch.kind is WatchKind.EQUITY_BELOW:
            return -1, EQUITIES
        number = self._numbers[watch.symbol]
        return number, self._timeframes.index(watch.timeframe) if watch.kind in CLOSES else TOUCHES

    # -------------------------------------------------------------- what the kernel looks at

    def _book_changed(self, facts: list[ExecutionFact]) -> None:
        symbol = ""
        for fact in facts:
            if fact.symbol != symbol:
                symbol = fact.symbol
                if symbol in self._numbers:
                    self._refresh(self._numbers[symbol])

    def _watch_changed(self, entry: Entry) -> None:
        """Others of its kind wait beside it, or nothing does."""
        (number, code), kind = entry.slot, entry.watch.kind
        if code >= 0:
            self._levels[number, code, LANES[kind]] = self._watches.nearest(entry.slot, kind)
        elif code == TOUCHES:
            self._refresh(number)
        elif code == EQUITIES:
            self._account[FLOOR] = self._watches.nearest(entry.slot, kind)
            self._holdings.forget_high()

    def _refresh(self, number: int) -> None:
        above, below = self._book.triggers(number) if self._book is not None else (np.inf, -np.inf)
        slot, lane = (number, TOUCHES), self._lanes[number]
        lane[ABOVE] = min(above, self._watches.nearest(slot, WatchKind.TOUCH_ABOVE))
        lane[BELOW] = max(below, self._watches.nearest(slot, WatchKind.TOUCH_BELOW))

    # --------------------------------------------------------------------------- snapshots

    def snapshot(self) -> bytes:
        """Only between messages: a desk with requests on it is a bug."""
        assert not self._desk
        state = MarketState(
            version=VERSION,
            registrations=self._watches.number,
            watches=self._watches.snapshot(),
            cash=self._holdings.cash,
            quantities=self._holdings.quantities,
            marks=self._lanes[:, MARK].tobytes(),
            smallest=self._kinds[:, SMALLEST].tobytes(),
            equity=self.equity,
            clock_ns=self._clock_ns,
            line_ns=self._line_ns,
            announced=self._announced,
            campaigns=self._living.save(),
            book=None if self._book is None else self._book.snapshot(),
            executions=self._holdings.executions.save(),
        )
        return msgspec.msgpack.encode(state)

    def restore(self, data: bytes) -> None:
        state = msgspec.msgpack.decode(data, type=MarketState)
        assert state.version == VERSION
        assert (state.book is None) == (self._book is None)
        self._watches = Watches.restored(state.registrations, state.watches)
        self._clock_ns, self._line_ns, self._announced = state.clock_ns, state.line_ns, state.announced
        if self._book is not None and state.book is not None:
            self._book.restore(state.book)
        self._lanes[:, MARK] = np.frombuffer(state.marks)
        self._kinds[:, SMALLEST] = np.frombuffer(state.smallest, np.int8)
        self._holdings.restore(state.cash, state.quantities, state.equity)
        self._holdings.executions = Executions(state.executions)
        self._living.load(state.campaigns)
        for number in range(len(self._table)):
            self._refresh(number)
        for entry in state.watches:
            self._watch_changed(entry)
