"""Ledger: folds executions and marks into closed trades and the P&L curve at the end of the line, so
that a run's profit is part of its state and survives a snapshot.

Rows wait until an execution or another block asks for them, or a point of the curve is due: then they are
one kernel call. Each record carries how many messages had left the line by its rows, which does not
depend on when they were asked for.
"""

from collections.abc import Iterable, Sequence
from typing import Protocol, runtime_checkable

import msgspec

from engine.blocks import Backlog, MarketBlock
from engine.campaigns.curve import ACCOUNT, Curve, CurvePoint, CurveState
from engine.campaigns.excursion import SKIP, Excursions, ExcursionsState
from engine.campaigns.performance import ENDED, Extremes, LedgerState, Trade, TradeLedger, is_grouped
from engine.executions import Executions
from engine.instruments import InstrumentTable
from engine.messages import (
    FOREVER_NS,
    NEVER_NS,
    CampaignChange,
    Detections,
    EndOfFeed,
    Fill,
    Intent,
    Message,
    Refused,
    Role,
    SessionStart,
    Side,
)
from engine.ports import Item
from engine.sightings import Sightings

Record = Trade | CurvePoint

ASKING = frozenset((SessionStart, Fill, CampaignChange, EndOfFeed))
"""Messages before which all rows must have been folded."""

FOLDED = ASKING | {Intent, Refused, Detections}


@runtime_checkable
class RecordSink(Protocol):
    """Takes closed trades and points of the curve, in order. Must return soon."""

    def record(self, item: int, record: Record) -> None:
        """`item` is how many messages had left the line."""
        ...


class _State(msgspec.Struct, frozen=True):
    messages: int
    line_ns: int
    border_ns: int
    trades: LedgerState
    excursions: ExcursionsState
    curve: CurveState
    executions: list[str]


_encoder = msgspec.msgpack.Encoder(decimal_format="string")
_decoder = msgspec.msgpack.Decoder(_State)


class Ledger:
    """A stage behind the Tap: passes everything on. Of `sinks` those that take records get them."""

    def __init__(self, table: InstrumentTable, sinks: Sequence[object] = ()) -> None:
        self.trades = TradeLedger(table, self._closed)
        self.curve = Curve()
        self._table = table
        self._sinks = tuple(sink for sink in sinks if isinstance(sink, RecordSink))
        self._excursions = Excursions(table)
        self._executions = Executions()
        self._backlog = Backlog()
        self._messages = 0
        self._line_ns = NEVER_NS
        self._border_ns = FOREVER_NS

    def process(self, message: Item) -> Iterable[Item]:
        if isinstance(message, MarketBlock):
            self._block(message)
            return (message,)
        if type(message) in ASKING:
            self._walk(self._backlog.take())
        self._messages += 1
        if type(message) in FOLDED:
            self._fold(message)
        return (message,)

    def snapshot(self) -> bytes:
        self._walk(self._backlog.take())
        parts = (self.trades.save(), self._excursions.save(), self.curve.save())
        seen = self._executions.save()
        return _encoder.encode(_State(self._messages, self._line_ns, self._border_ns, *parts, seen))

    def restore(self, data: bytes) -> None:
        state = _decoder.decode(data)
        self._backlog.take()
        self._messages, self._line_ns, self._border_ns = state.messages, state.line_ns, state.border_ns
        self.trades.load(state.trades)
        self._excursions.load(state.excursions)
        self.curve.load(state.curve)
        self._executions = Executions(state.executions)

    def _block(self, block: MarketBlock) -> None:
        """Its rows wait, unless a point of the curve is to be taken at one of them."""
        known = block.known
        if len(block):
            self._walk(self._backlog.add(block))
            if self._passes_border(block):
                self._walk(self._backlog.take(), known)
        if known is not None:
            self._messages += len(known)
            self.trades.learn(known.phases)

    def _passes_border(self, block: MarketBlock) -> bool:
        """Line time never steps back; where it is not known, any row may be the one."""
        if self._border_ns == FOREVER_NS:
            return False
        return block.line_time_ns >= self._border_ns or block.whole()[0].line_ns is None

    def _fold(self, message: Message) -> None:
        match message:
            case Intent() | Refused() | Detections():
                self.trades.add(message)
            case SessionStart():
                self._record(self.curve.start(message, self._excursions.marks))
            case Fill() if message.symbol in self._table.symbols and self._executions.first(message):
                self._fill(message)
            case CampaignChange():
                self.trades.add(message)
                if message.state in ENDED:
                    self.curve.end(message.campaign)
            case EndOfFeed() if self.curve.is_holding:
                self._record(self.curve.sample(message.time_ns, self._excursions.marks))

    def _walk(self, rows: tuple[MarketBlock, int, int] | None, known: Sightings | None = None) -> None:
        """Fold rows, stopping where line time passes the border of a sampling interval. What became known along
        them counts as messages, each behind the rows before it."""
        if rows is None:
            return
        block, row, stop = rows
        line_ns = block.row_ns if block.line_ns is None else block.line_ns
        while (row := self._excursions.walk(block, row, stop, self._border_ns)) < stop:
            left = 0 if known is None else known.before(row)
            self._record(self.curve.sample(self._border_ns, self._excursions.marks), left)
            self._border_ns = self.curve.border_after(int(line_ns[row]))
        self._line_ns = max(self._line_ns, int(line_ns[stop - 1]))

    def _fill(self, fill: Fill) -> None:
        number = self._table.number(fill.symbol)
        was_holding = self.curve.is_holding
        self._excursions.trust(number, float(fill.price))
        if is_grouped(fill):
            self._follow(fill, number)
        trade = self.trades.add(fill)
        campaign = fill.group.rsplit("/", 2)[0] if is_grouped(fill) else ACCOUNT
        instrument = (number, self._table[number].point_value)
        self._record(self.curve.fill(fill, instrument, campaign, self._excursions.marks))
        if trade is not None:
            self._record((trade,))
        if not self.curve.is_holding:
            self._border_ns = FOREVER_NS
        elif not was_holding:
            self._border_ns = self.curve.border_after(max(self._line_ns, fill.time_ns))

    def _follow(self, fill: Fill, number: int) -> None:
        """The price of an execution is one that its group has seen."""
        price = float(fill.price)
        if fill.group in self._excursions.groups:
            self._excursions.fill(fill.group, price)
        elif fill.role is Role.ENTRY:
            entered = (1.0 if fill.side is Side.BUY else -1.0) if fill.simulated else SKIP
            self._excursions.open(fill.group, number, price=price, entered=entered)

    def _closed(self, fill: Fill) -> Extremes:
        return self._excursions.close(fill.group, last_row=not fill.simulated)

    def _record(self, records: Iterable[Record], left: int = 0) -> None:
        """`left` is how many messages have left besides those that are counted."""
        for record in records:
            for sink in self._sinks:
                sink.record(self._messages + left, record)
