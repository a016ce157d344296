"""From records to messages: real prices, names, ids.

A record's levels are in its own view, x = direction * price; here they become real again, and
support is below resistance on both sides.
"""

from typing import NamedTuple

import numpy as np

from engine.blocks import Bars, Float64, Int64
from engine.instruments import InstrumentTable
from engine.messages import Event, EventKind, PhaseChange
from engine.wyckoff.layout import (
    OUT_CP,
    OUT_EVENT_NS,
    OUT_KIND,
    OUT_OLD_KIND,
    OUT_OLD_KNOWN_NS,
    OUT_OLD_NS,
    OUT_PHASE,
    OUT_PRICE,
    OUT_RANGE_BARS,
    OUT_RESISTANCE,
    OUT_ROW,
    OUT_SCORE,
    OUT_SIDE,
    OUT_SR,
    OUT_START_NS,
    OUT_SUPPORT,
    OUT_VARIANT,
    OUT_VR,
)  # fmt: skip
from engine.wyckoff.records import KINDS, PHASES


class Record(NamedTuple):
    """One row of the kernels' output as Python numbers."""

    wholes: list[int]
    reals: list[float]

    @property
    def row(self) -> int:
        return self.wholes[OUT_ROW]


def drained(wholes: Int64, reals: Float64, used: int) -> list[Record]:
    """The first `used` records, in order."""
    return [Record(*pair) for pair in zip(wholes[:used].tolist(), reals[:used].tolist(), strict=True)]


class Scribe:
    """Writes messages for one session's instruments and timeframes."""

    def __init__(self, table: InstrumentTable, timeframes: tuple[str, ...], lateness_ns: int) -> None:
        self._symbols = table.symbols
        self._timeframes = timeframes
        self._lateness_ns = lateness_ns

    def write(self, record: Record, bars: Bars) -> Event | PhaseChange:
        return self._event(record, bars) if record.wholes[OUT_KIND] else self._change(record, bars)

    def _event(self, record: Record, bars: Bars) -> Event:
        wholes, reals, row = record.wholes, record.reals, record.row
        kind, side, open_ns = KINDS[wholes[OUT_KIND]], wholes[OUT_SIDE], int(bars.open_ns[row])
        assert kind is not None
        symbol, timeframe = self.symbol(bars, row), self.timeframe(bars, row)
        support, resistance = real_levels(side, reals)
        old = KINDS[wholes[OUT_OLD_KIND]]
        return Event(
            event_id=event_id(symbol, timeframe, side, kind, (wholes[OUT_EVENT_NS], open_ns)),
            symbol=symbol,
            timeframe=timeframe,
            direction=side,
            kind=kind,
            event_ns=wholes[OUT_EVENT_NS],
            confirm_ns=open_ns,
            known_ns=int(bars.close_ns[row]) + self._lateness_ns,
            price=side * reals[OUT_PRICE],
            score=reals[OUT_SCORE],
            phase=PHASES[wholes[OUT_PHASE]],
            support=support,
            resistance=resistance,
            range_start_ns=wholes[OUT_START_NS],
            range_bars=wholes[OUT_RANGE_BARS],
            variant=wholes[OUT_VARIANT],
            high=float(bars.high[row]),
            low=float(bars.low[row]),
            close=float(bars.close[row]),
            atr=float(bars.atr[row]),
            volume_ratio=reals[OUT_VR],
            spread_ratio=reals[OUT_SR],
            close_position=reals[OUT_CP],
            supersedes=""
            if old is None
            else event_id(symbol, timeframe, side, old, (wholes[OUT_OLD_NS], wholes[OUT_OLD_KNOWN_NS])),
        )

    def _change(self, record: Record, bars: Bars) -> PhaseChange:
        wholes, reals, row = record.wholes, record.reals, record.row
        support, resistance = real_levels(wholes[OUT_SIDE], reals)
        return PhaseChange(
            symbol=self.symbol(bars, row),
            timeframe=self.timeframe(bars, row),
            direction=wholes[OUT_SIDE],
            previous=PHASES[wholes[OUT_VARIANT]],
            phase=PHASES[wholes[OUT_PHASE]],
            confidence=reals[OUT_SCORE],
            support=support,
            resistance=resistance,
            range_start_ns=wholes[OUT_START_NS],
        )

    def symbol(self, bars: Bars, row: int) -> str:
        return self._symbols[int(bars.instrument[row])]

    def timeframe(self, bars: Bars, row: int) -> str:
        return self._timeframes[int(bars.timeframe[row])]


def real_levels(side: int, reals: list[float]) -> tuple[float, float]:
    """Support and resistance as prices; NaN where not known yet."""
    if side == 0:
        return np.nan, np.nan
    support, resistance = reals[OUT_SUPPORT], reals[OUT_RESISTANCE]
    return (support, resistance) if side > 0 else (-resistance, -support)


def event_id(symbol: str, timeframe: str, side: int, kind: EventKind, opens: tuple[int, int]) -> str:
    """`opens`: open times of the bar the event points at and of the bar that confirmed it."""
    return f"{symbol}:{timeframe}:{side:+d}:{kind}:{opens[0]}:{opens[1]}"
