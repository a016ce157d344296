"""From records to messages: real prices, names, ids.

A record's levels are in its own view, x = direction * price; here they become real again, and
support is below resistance on both sides.
"""

from typing import NamedTuple

import numpy as np

from engine.blocks import Bars, Column, Float64, Int64
from engine.instruments import InstrumentTable
from engine.messages import Event, PhaseChange
from engine.wyckoff.effort import EFFORTS, VSA_BARS
from engine.wyckoff.kinds import KINDS, ORIGINS, PHASES
from engine.wyckoff.layout import (
    CLUSTER_UP,
    OUT_BIAS,
    OUT_COMPLETENESS,
    OUT_CONFIDENCE,
    OUT_CONTEXT,
    OUT_CP,
    OUT_EFFORT,
    OUT_EVENT_NS,
    OUT_KIND,
    OUT_LANE,
    OUT_LAST_KIND,
    OUT_LAST_KNOWN_NS,
    OUT_LAST_NS,
    OUT_MEAN_SCORE,
    OUT_OBJECTIVE,
    OUT_OLD_KIND,
    OUT_OLD_KNOWN_NS,
    OUT_OLD_NS,
    OUT_ORIGIN,
    OUT_PART,
    OUT_PHASE,
    OUT_PHASE_CONFIDENCE,
    OUT_PRICE,
    OUT_QUALITY,
    OUT_RANGE_BARS,
    OUT_REALS,
    OUT_RESISTANCE,
    OUT_RESISTANCE_STRENGTH,
    OUT_ROW,
    OUT_SCORE,
    OUT_SIDE,
    OUT_SIGNATURE,
    OUT_SR,
    OUT_STAGE,
    OUT_START_NS,
    OUT_SUPPORT,
    OUT_SUPPORT_STRENGTH,
    OUT_TESTS_PASSED,
    OUT_THIN,
    OUT_VARIANT,
    OUT_VR,
    OUT_VR_MEDIAN,
    OUT_VSA,
)  # fmt: skip
from engine.wyckoff.verdicts import STAGES

CLUSTER_ENDING = ":cluster"
"""Two ranges of one side may see the same thing at the same bar; their events' ids differ."""


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

    def __init__(self, table: InstrumentTable, timeframes: tuple[str, ...], lateness_ns: int, settings: str) -> None:
        self._settings = settings
        self.symbols = table.symbols
        self.timeframes = timeframes
        self._lateness_ns = lateness_ns

    def write(self, record: Record) -> Event | PhaseChange:
        return self._event(record) if record.wholes[OUT_KIND] else self._change(record)

    def _event(self, record: Record) -> Event:
        """Positional, in the order of Event's fields: names would cost as much as the rest."""
        wholes, reals, bar = record
        kind, side, open_ns = KINDS[wholes[OUT_KIND]], wholes[OUT_SIDE], bar.open_ns
        assert kind is not None
        symbol, timeframe = self.symbols[bar.instrument], self.timeframes[bar.timeframe]
        support, resistance = real_levels(side, reals)
        low_strength, top_strength = reals[OUT_SUPPORT_STRENGTH], reals[OUT_RESISTANCE_STRENGTH]
        stem = f"{symbol}:{timeframe}:{side:+d}:"
        ending = CLUSTER_ENDING if wholes[OUT_LANE] >= CLUSTER_UP else ""
        old, last = KINDS[wholes[OUT_OLD_KIND]], KINDS[wholes[OUT_LAST_KIND]]
        return Event(
            f"{stem}{kind}:{wholes[OUT_EVENT_NS]}:{open_ns}{ending}",
            symbol,
            timeframe,
            side,
            kind,
            wholes[OUT_EVENT_NS],
            open_ns,
            bar.close_ns + self._lateness_ns,
            side * reals[OUT_PRICE],
            reals[OUT_SCORE],
            PHASES[wholes[OUT_PHASE]],
            support,
            resistance,
            wholes[OUT_START_NS],
            wholes[OUT_RANGE_BARS],
            wholes[OUT_VARIANT],
            bar.high,
            bar.low,
            bar.close,
            bar.atr,
            reals[OUT_VR],
            reals[OUT_SR],
            reals[OUT_CP],
            "" if old is None else f"{stem}{old}:{wholes[OUT_OLD_NS]}:{wholes[OUT_OLD_KNOWN_NS]}{ending}",
            self._settings,
            ORIGINS[wholes[OUT_ORIGIN]],
            "" if last is None else f"{stem}{last}:{wholes[OUT_LAST_NS]}:{wholes[OUT_LAST_KNOWN_NS]}{ending}",
            reals[OUT_CONFIDENCE],
            reals[OUT_PHASE_CONFIDENCE],
            reals[OUT_QUALITY],
            low_strength if side > 0 else top_strength,
            top_strength if side > 0 else low_strength,
            reals[OUT_CONTEXT],
            side * reals[OUT_OBJECTIVE],
            reals[OUT_VR_MEDIAN],
            wholes[OUT_THIN] == 1,
            EFFORTS[wholes[OUT_EFFORT]],
            VSA_BARS[wholes[OUT_VSA]],
            STAGES[wholes[OUT_STAGE]],
            wholes[OUT_TESTS_PASSED],
            *reals[OUT_PART:OUT_REALS],
        )

    def _change(self, record: Record) -> PhaseChange:
        wholes, reals, bar = record
        support, resistance = real_levels(wholes[OUT_SIDE], reals)
        return PhaseChange(
            symbol=self.symbols[bar.instrument],
            timeframe=self.timeframes[bar.timeframe],
            direction=wholes[OUT_SIDE],
            previous=PHASES[wholes[OUT_VARIANT]],
            phase=PHASES[wholes[OUT_PHASE]],
            confidence=reals[OUT_SCORE],
            support=support,
            resistance=resistance,
            range_start_ns=wholes[OUT_START_NS],
            origin=ORIGINS[wholes[OUT_ORIGIN]],
            mean_score=reals[OUT_MEAN_SCORE],
            quality=reals[OUT_QUALITY],
            completeness=reals[OUT_COMPLETENESS],
            volume_signature=reals[OUT_SIGNATURE],
            bias_points=reals[OUT_BIAS],
        )

    def symbol(self, bars: Bars, row: int) -> str:
        return self.symbols[int(bars.instrument[row])]

    def timeframe(self, bars: Bars, row: int) -> str:
        return self.timeframes[int(bars.timeframe[row])]


def real_levels(side: int, reals: list[float]) -> tuple[float, float]:
    """Support and resistance as prices; NaN where not known yet."""
    if side == 0:
        return np.nan, np.nan
    support, resistance = reals[OUT_SUPPORT], reals[OUT_RESISTANCE]
    return (support, resistance) if side > 0 else (-resistance, -support)
