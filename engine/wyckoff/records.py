"""What the kernels write and the stage reads: one record per event or phase change.

A record is a row of integers and a row of floats in arrays made once. Prices in a record are in
its own view; the stage turns them into real prices.
"""

import numpy as np

from engine.kernels import kernel
from engine.messages import EventKind, Phase
from engine.wyckoff.features import place_of
from engine.wyckoff.layout import (
    CONFIDENCE,
    CP,
    DIRTY,
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
    PHASE,
    RESISTANCE,
    SC_BAR,
    SC_NS,
    SR,
    SUPPORT,
    VR,
    Lane,
)  # fmt: skip

PHASE_CHANGE, PS, SC, AR, ST, SPRING, TEST, SOS, LPS = range(9)
BREAKOUT_WEAK, SOS_FAILED, SPRING_FAILED, RANGE_FAILED = range(9, 13)

KINDS = (
    None, EventKind.PS, EventKind.SC, EventKind.AR, EventKind.ST, EventKind.SPRING, EventKind.TEST, EventKind.SOS,
    EventKind.LPS, EventKind.BREAKOUT_WEAK, EventKind.SOS_FAILED, EventKind.SPRING_FAILED, EventKind.RANGE_FAILED,
)  # fmt: skip
"""Record codes to event kinds; code 0 is a phase change."""

PHASES = tuple(Phase)
"""Phase codes to phases: WARMUP, NONE, A to E."""


@kernel
def emit(lane: Lane, kind: int, bar: int, price: float, score: float) -> int:
    """Record an event that points at `bar`, known at the newest one. Returns the record's row."""
    row = lane.used[0]
    lane.used[0] = row + 1
    place = place_of(lane, bar)
    wholes, reals = lane.out_wholes[row], lane.out_reals[row]
    wholes[OUT_ROW] = lane.row
    wholes[OUT_SIDE] = 1 if lane.offset == 0 else -1
    wholes[OUT_KIND] = kind
    wholes[OUT_PHASE] = lane.wholes[PHASE]
    wholes[OUT_EVENT_NS] = lane.opens[place]
    wholes[OUT_START_NS] = lane.wholes[SC_NS]
    wholes[OUT_RANGE_BARS] = lane.bar - lane.wholes[SC_BAR] + 1
    wholes[OUT_VARIANT] = 0
    wholes[OUT_OLD_KIND] = 0
    reals[OUT_PRICE], reals[OUT_SCORE] = price, score
    reals[OUT_SUPPORT], reals[OUT_RESISTANCE] = lane.reals[SUPPORT], lane.reals[RESISTANCE]
    reals[OUT_VR], reals[OUT_SR] = lane.window[VR, place], lane.window[SR, place]
    reals[OUT_CP] = lane.window[CP, place]
    lane.wholes[DIRTY] = 1
    return int(row)


@kernel
def relabel(lane: Lane, row: int, kind: int, event_ns: int, known_ns: int) -> None:
    """Say that record `row` takes the place of an earlier event."""
    wholes = lane.out_wholes[row]
    wholes[OUT_OLD_KIND], wholes[OUT_OLD_NS], wholes[OUT_OLD_KNOWN_NS] = kind, event_ns, known_ns


@kernel
def emit_change(lane: Lane, side: int, before: int, after: int) -> None:
    """Record that what is shown for the slot changed; `lane` is the side shown, if any."""
    row = lane.used[0]
    lane.used[0] = row + 1
    wholes, reals = lane.out_wholes[row], lane.out_reals[row]
    wholes[OUT_ROW], wholes[OUT_SIDE], wholes[OUT_KIND] = lane.row, side, PHASE_CHANGE
    wholes[OUT_VARIANT], wholes[OUT_PHASE] = before, after
    reals[OUT_SCORE] = lane.reals[CONFIDENCE] if side != 0 else 0.0
    wholes[OUT_START_NS] = lane.wholes[SC_NS] if side != 0 else 0
    reals[OUT_SUPPORT] = lane.reals[SUPPORT] if side != 0 else np.nan
    reals[OUT_RESISTANCE] = lane.reals[RESISTANCE] if side != 0 else np.nan
