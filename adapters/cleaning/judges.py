"""The state of the three kernels, one object a kind: a block goes in, the rows that go on come out.

Rows that wait for company are carried in front of the next block, so what a kernel sees never depends
on where a block ends.
"""

from typing import NamedTuple, TypeVar

import numpy as np

from adapters.cleaning.candles import FRAMES, CandleRows, CandleState, QuoteRows, judge_candles, judge_quotes
from adapters.cleaning.findings import Notes
from adapters.cleaning.identities import Identities
from adapters.cleaning.levels import Flags, Judged, Levels, Limits, give_up
from adapters.cleaning.prints import PrintRows, PrintState, judge_prints
from engine.blocks import Bars, Int64, MarketBlock, Quotes, Trades
from engine.messages import NEVER_NS
from engine.timeframes import LENGTH_NS, TIMEFRAMES

B = TypeVar("B", bound=MarketBlock)


class Frame(NamedTuple):
    """What the judges of one feed share. `negative` is (instruments,): prices may be; `clock` holds the feed's
    latest time; `bands` are the ratios for bars, by timeframe."""

    limits: Limits
    bands: tuple[float, ...]
    negative: Flags
    clock: Int64
    notes: Notes


class PrintJudge:
    """There is room from the start for the trade ids of so many instruments as `tables` says."""

    def __init__(self, frame: Frame, tables: int) -> None:
        self._limits, self._notes = frame.limits, frame.notes
        instruments = len(frame.negative)
        self._state = PrintState(
            levels=Levels.empty(instruments, frame.limits.confirmed_by),
            known=Identities.empty(instruments, tables, frame.limits.remembered_ids),
            last_id=np.zeros(instruments, np.int64),
            negative=frame.negative,
            clock=frame.clock,
        )
        self._waiting: Trades = Trades.empty()
        self._places = np.empty(0, np.int64)

    def judge(self, block: Trades, places: Int64) -> Trades:
        start = len(self._waiting)
        if start:
            block, places = type(block).join([self._waiting, block]), np.concatenate([self._places, places])
        rows = PrintRows(
            block.time_ns,
            block.received_ns,
            block.instrument,
            block.price,
            block.size,
            block.side,
            block.trade_id,
            places,
        )
        out, sizes = np.empty(len(block), np.int64), np.zeros(1, np.int64)
        stop = judge_prints(start, rows, self._state, self._limits, self._notes, out, sizes)
        while stop < len(block):
            known = self._state.known.with_table_for(int(block.instrument[stop]))
            self._state = self._state._replace(known=known)
            stop = judge_prints(stop, rows, self._state, self._limits, self._notes, out, sizes)
        if start or len(block) > sizes[0]:
            waiting = self._state.levels.carry()
            self._waiting, self._places = _copied(block, waiting), places[waiting]
        return _picked(block, out[: sizes[0]])

    def finish(self) -> None:
        """What still waits is withheld."""
        rows = self._waiting
        _give_up(self._state.levels, Judged(rows.time_ns, rows.instrument, rows.price, self._places), self._notes)


class CandleJudge:
    def __init__(self, frame: Frame) -> None:
        self._limits, self._notes = frame.limits, frame.notes
        slots = len(frame.negative) * FRAMES
        self._state = CandleState(
            levels=Levels.empty(slots, frame.limits.confirmed_by),
            seen_ns=np.full(slots, NEVER_NS, np.int64),
            seen=np.zeros((slots, 5)),
            seen_out=np.zeros(slots, np.bool_),
            bands=np.array([*frame.bands, max(frame.bands)]),
            lengths_ns=np.array([*(LENGTH_NS[name] for name in TIMEFRAMES), LENGTH_NS["1d"]], np.int64),
            negative=frame.negative,
            clock=frame.clock,
        )
        self._waiting: Bars = Bars.empty()
        self._places = np.empty(0, np.int64)

    def judge(self, block: Bars, places: Int64) -> Bars:
        start = len(self._waiting)
        if start:
            block, places = type(block).join([self._waiting, block]), np.concatenate([self._places, places])
        rows = CandleRows(
            block.open_ns, block.close_ns, block.received_ns, block.instrument, block.timeframe,
            block.open, block.high, block.low, block.close, block.volume, places,
        )  # fmt: skip
        out, sizes = np.empty(len(block), np.int64), np.zeros(1, np.int64)
        judge_candles(start, rows, self._state, self._limits, self._notes, out, sizes)
        if start or len(block) > sizes[0]:
            waiting = self._state.levels.carry()
            self._waiting, self._places = _copied(block, waiting), places[waiting]
        return _picked(block, out[: sizes[0]])

    def finish(self) -> None:
        rows = self._waiting
        _give_up(self._state.levels, Judged(rows.close_ns, rows.instrument, rows.close, self._places), self._notes)


class QuoteJudge:
    def __init__(self, frame: Frame) -> None:
        self._frame = frame

    def judge(self, block: Quotes, places: Int64) -> Quotes:
        rows = QuoteRows(
            block.time_ns,
            block.received_ns,
            block.instrument,
            block.bid,
            block.bid_size,
            block.ask,
            block.ask_size,
            places,
        )
        limits, _, negative, clock, notes = self._frame
        out, sizes = np.empty(len(block), np.int64), np.zeros(1, np.int64)
        judge_quotes(rows, negative, clock, limits, notes, out, sizes)
        return _picked(block, out[: sizes[0]])


def _give_up(levels: Levels, judged: Judged, notes: Notes) -> None:
    """In the order in which the rows came."""
    slots = np.flatnonzero(levels.holding)
    for slot in slots[np.argsort(levels.held[slots, 0])].tolist():
        give_up(slot, judged, levels, notes)


def _picked(block: B, rows: Int64) -> B:
    """The block itself where all rows go on in order; a window where they are neighbours."""
    if not len(rows):
        return block.slice(0, 0)
    first, last = int(rows[0]), int(rows[-1])
    if last - first == len(rows) - 1 and bool((rows[1:] > rows[:-1]).all()):
        return block if len(rows) == len(block) else block.slice(first, last + 1)
    return _copied(block, rows)


def _copied(block: B, rows: Int64) -> B:
    if not len(rows):
        return type(block).empty()
    return type(block).of(**{name: column[rows] for name, column in block.columns().items()})
