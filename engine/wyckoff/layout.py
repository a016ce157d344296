"""Where things lie in the detector's state: fixed arrays per slot, a slot per (instrument, timeframe).

A slot keeps a sliding window of its last bars, in both views of the mirror (x = price, x = -price),
so that a kernel written for accumulation reads distribution by moving its row offset. Each view
has one state machine: a row of floats and a row of integers. Bar numbers count the bars with
volume of the slot; windows are contiguous, so no index wraps.
"""

from typing import NamedTuple

import numpy as np

from engine.blocks import Float64, Int64

CAPACITY = 512
"""Bars a window can hold before it is moved down to its last KEPT."""
KEPT = 260
"""Bars that are always there: the longest look-back is 250."""

# Rows of a window. Each view has HIGH, LOW, CLOSE and CP; the mirrored view begins at MIRRORED.
HIGH, LOW, CLOSE, CP, MIRRORED = range(5)
VOLUME, VR, SR, ROWS = 8, 9, 10, 11

# Floats and integers of a slot that both views share.
ATR, ATR_BEFORE, TR_SUM, LEVELS = range(4)
BARS, NEXT, SHOWN_PHASE, SHOWN_SIDE, COUNTS = range(5)

# Floats of one state machine. Scores of events lie together: NaN means not there.
(
    CONFIDENCE, SUPPORT, RESISTANCE, QUALITY, SUPPORT_STRENGTH, RESISTANCE_STRENGTH, RANGE_ATR,
    SC_SCORE, AR_SCORE, ST_SCORE, SPRING_SCORE, TEST_SCORE, SOS_SCORE, LPS_SCORE,
    SC_LOW, SC_VR, SC_SR, SC_ATR, SC_PRIOR,
    CLIMAX_LOW, CLIMAX_MIDDLE, CLIMAX_VR, CLIMAX_SR, CLIMAX_ATR, CLIMAX_PRIOR, CLIMAX_POINTS, CLIMAX_LEAST,
    AR_HIGH,
    ST_LOW, ST_HIGH, ST_ATR, ST_FIRST_VR, ST_LAST_VR,
    LEG_LOW, LEG_VR, LEG_SR, LEG_ATR,
    SPRING_LOW, SPRING_VR, SPRING_SR, SPRING_BASE,
    TRIAL_LOW, TRIAL_HIGH, TRIAL_ATR,
    SOS_HIGH, SOS_LEG_VR,
    SUM_VR, SUM_T_VR, UP_VR, DOWN_VR,
    REALS,
) = range(51)  # fmt: skip
FIRST_SCORE, LAST_SCORE = SC_SCORE, LPS_SCORE

# Integers of one state machine. `_BAR` are bar numbers (-1: none), `_NS` open times.
(
    PHASE, EDGE, DIRTY,
    SC_BAR, SC_NS, SC_KNOWN_NS,
    CLIMAX_BAR, CLIMAX_NS, OLD_SC_BAR, OLD_SC_NS, OLD_SC_KNOWN_NS,
    AR_BAR, HELD_CLOSES, ON_HOLD,
    B_BAR, ST_COUNT, ST_BAR, ST_TRY_BAR, ST_WAITS,
    LEG_BAR, LEG_LOW_BAR, LEG_CLOSES, LEG_CLOSE_BAR,
    SPRINGS, SPRING_BAR, SPRING_NS, SPRING_KNOWN_NS, SPRING_TYPE, RECLAIM_BAR,
    TRIAL_BAR, TESTS,
    SOS_BAR, SOS_NS, SOS_KNOWN_NS, SOS_KIND, SOS_CLOSES_BELOW, IS_WEAK, WEAK_ABOVE,
    LPS_BAR, LPS_COUNT,
    VOLUME_BARS, UPS, DOWNS,
    WHOLES,
) = range(44)  # fmt: skip

# Columns of an output record: integers, then floats.
(
    OUT_ROW, OUT_SIDE, OUT_KIND, OUT_PHASE, OUT_EVENT_NS, OUT_START_NS, OUT_RANGE_BARS, OUT_VARIANT,
    OUT_OLD_KIND, OUT_OLD_NS, OUT_OLD_KNOWN_NS, OUT_WHOLES,
) = range(12)  # fmt: skip
OUT_PRICE, OUT_SCORE, OUT_SUPPORT, OUT_RESISTANCE, OUT_VR, OUT_SR, OUT_CP, OUT_REALS = range(8)

MOST_RECORDS_PER_BAR = 16
"""Each view yields at most six events a bar, the slot one phase change."""
RECORDS = 4_096
"""Records the output holds before it is drained."""


class Lane(NamedTuple):
    """One view of one slot at its newest bar: what every event kernel reads and writes.

    `at` is the newest bar's place in the window, `bar` its number; `offset` is 0 or MIRRORED, where
    the rows of the view begin. `levels` are the slot's ATRs, `gates` the timeframe's row. `used`
    holds one number, how many records of `out_wholes` and `out_reals` are taken. `row` is the bar's row in its block.
    """

    window: Float64
    opens: Int64
    levels: Float64
    gates: Float64
    reals: Float64
    wholes: Int64
    offset: int
    at: int
    bar: int
    row: int
    out_wholes: Int64
    out_reals: Float64
    used: Int64


class State(NamedTuple):
    """All slots: (slots, ...) arrays. Never grows, never moves."""

    windows: Float64
    opens: Int64
    levels: Float64
    counts: Int64
    reals: Float64
    wholes: Int64


def empty_state(slots: int) -> State:
    """State of slots that have seen nothing; memory is taken as slots come alive."""
    return State(
        windows=np.zeros((slots, ROWS, CAPACITY)),
        opens=np.zeros((slots, CAPACITY), np.int64),
        levels=np.zeros((slots, LEVELS)),
        counts=np.zeros((slots, COUNTS), np.int64),
        reals=np.zeros((slots, 2, REALS)),
        wholes=np.zeros((slots, 2, WHOLES), np.int64),
    )


def slot_bytes() -> int:
    return sum(array[0].nbytes for array in empty_state(1))
