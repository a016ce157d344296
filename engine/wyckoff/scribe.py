"""From records to messages: real prices, names, ids.

A record's levels are in its own view, x = direction * price; here they become real again, and
support is below resistance on both sides.
"""

from typing import NamedTuple

import numpy as np

from engine.blocks import Bars, Column, Float64, Int64
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
    """One row of the kernels' output as Python numbers, and what it needs of the bar it stands at."""

    wholes: list[int]
    reals: list[float]
    bar: "Bar"

    @property
    def row(self) -> int:
        return self.wholes[OUT_ROW]


class Bar(NamedTuple):
    """Values of the confirming bar."""

    instrument: int
    timeframe: int
    open_ns: int
    close_ns: int
    high: float
    low: float
    close: float
    atr: float


def drained(wholes: Int64, reals: Float64, used: int, columns: tuple[Column, ...]) -> list[Record]:
    """The first `used` records, in order. `columns` are those of `Bar`, for all bars."""
    rows = wholes[:used, OUT_ROW]
    bars = map(Bar._make, zip(*(column[rows].tolist() for column in columns), strict=True))
    return list(map(Record, wholes[:used].tolist(), reals[:used].tolist(), bars))


class Scribe:
    """Writes messages for one session's instruments and timeframes."""

    def __init__(self, table: InstrumentTable, timeframes: tuple[str, ...], lateness_ns: int) -> None:
        self._symbols = table.symbols
        self._timeframes = timeframes
        self._lateness_ns = lateness_ns

    def write(self, record: Record) -> Event | PhaseChange:
        return self._event(record) if record.wholes[OUT_KIND] else self._change(record)

    def _event(self, record: Record) -> Event:
        wholes, reals, bar = record
        kind, side, open_ns = KINDS[wholes[OUT_KIND]], wholes[OUT_SIDE], bar.open_ns
        assert kind is not None
        symbol, timeframe = self._symbols[bar.instrument], self._timeframes[bar.timeframe]
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
            known_ns=bar.close_ns + self._lateness_ns,
            price=side * reals[OUT_PRICE],
            score=reals[OUT_SCORE],
            phase=PHASES[wholes[OUT_PHASE]],
            support=support,
            resistance=resistance,
            range_start_ns=wholes[OUT_START_NS],
            range_bars=wholes[OUT_RANGE_BARS],
            variant=wholes[OUT_VARIANT],
            high=bar.high,
            low=bar.low,
            close=bar.close,
            atr=bar.atr,
            volume_ratio=reals[OUT_VR],
            spread_ratio=reals[OUT_SR],
            close_position=reals[OUT_CP],
            supersedes=""
            if old is None
            else event_id(symbol, timeframe, side, old, (wholes[OUT_OLD_NS], wholes[OUT_OLD_KNOWN_NS])),
        )

    def _change(self, record: Record) -> PhaseChange:
        wholes, reals, bar = record
        support, resistance = real_levels(wholes[OUT_SIDE], reals)
        return PhaseChange(
            symbol=self._symbols[bar.instrument],
            timeframe=self._timeframes[bar.timeframe],
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
