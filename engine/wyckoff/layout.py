"""Where things lie in the detector's state: fixed arrays per slot, a slot per (instrument, timeframe).

A slot keeps a sliding window of its last bars and rings of its confirmed swings. A kernel written
for accumulation reads distribution by the sign of its lane (x = price, x = -price). Four lanes,
each a row of floats and a row of integers, follow up to three ranges. Bar numbers count the bars
with volume of the slot; windows are contiguous, so no index wraps.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from engine.blocks import Float64, Int64

Float32 = npt.NDArray[np.float32]
UInt8 = npt.NDArray[np.uint8]

CAPACITY = 520
"""Bars a window can hold before it is moved down to its last KEPT. No power of two: rows a multiple of
4,096 bytes apart would share the few places that a cache has for such addresses."""
KEPT = 260
"""Bars that are always there: the longest look-back is 250."""

ROWS = 7
HIGH, LOW, CLOSE, VOLUME, VR, SR, ATR_ROW = range(0, ROWS * CAPACITY, CAPACITY)
"""Where the rows of a window begin. ATR_ROW is the ATR of the bar before: what tests at a bar use."""

PIVOTS = 32
"""Confirmed swings that a ring keeps, per view; more than fit into any range that is looked at."""
PIVOT_FIELDS = 5
PIVOT_BAR, PIVOT_LOW, PIVOT_VR, PIVOT_CP, PIVOT_VOLUME = range(0, PIVOT_FIELDS * PIVOTS, PIVOTS)
"""Where the fields of swings begin in a ring; each swing is in its own view."""
RING = PIVOT_FIELDS * PIVOTS

LANES = 4
EVENT_UP, EVENT_DOWN, CLUSTER_UP, CLUSTER_DOWN = range(LANES)
"""Lanes of a slot: the event range of each side, and the cluster range seen from each side."""

# Floats and integers of a slot that all lanes share.
ATR, ATR_BEFORE, TR_SUM, TICK, EDGE_VOLUME, LEVELS = range(6)
(
    BARS, NEXT, SHOWN_PHASE, SHOWN_SIDE, SHOWN_LANE, LIVE, PIVOTS_UP, PIVOTS_DOWN, ZONE_PLACE, THIN_REFERENCE,
    COUNTS,
) = range(11)  # fmt: skip
"""LIVE has a bit for each lane that must be stepped; EDGE_VOLUME is the volume that a bar at the
edge of regular hours must reach to be a climax, 0 elsewhere; THIN_REFERENCE is 1 where an intraday
bar's volume was compared with the bars before it for want of sessions."""

# Floats of one lane, those first that every bar of it reads. Scores of events lie together: NaN means not there.
(
    SUPPORT, RESISTANCE, CONFIDENCE, ST_LOW, ST_HIGH, SC_LOW, SUM_VR, SUM_T_VR,
    UP_VR, DOWN_VR, CLIMAX_MIDDLE, CLIMAX_CLOSE, SOFT_LOW, SOFT_HIGH, RANGE_ATR, QUALITY,
    SUPPORT_STRENGTH, RESISTANCE_STRENGTH,
    SC_SCORE, AR_SCORE, ST_SCORE, SPRING_SCORE, TEST_SCORE, SOS_SCORE, LPS_SCORE, PS_SCORE,
    SC_VR, SC_SR, SC_ATR, SC_PRIOR,
    CLIMAX_LOW, CLIMAX_VR, CLIMAX_SR, CLIMAX_ATR, CLIMAX_PRIOR, CLIMAX_DOWN,
    SOFT_ATR, SOFT_PRIOR,
    AR_HIGH,
    ST_ATR, ST_FIRST_VR, ST_LAST_VR,
    LEG_LOW, LEG_VR, LEG_SR, LEG_ATR,
    SPRING_LOW, SPRING_VR, SPRING_SR, SPRING_BASE,
    TRIAL_LOW, TRIAL_HIGH, TRIAL_ATR, TEST_LOW,
    THRUST_HIGH, THRUST_ATR,
    SOS_HIGH, SOS_LEG_VR,
    FROZEN_SUPPORT, OBJECTIVE, BIAS, MEAN_SCORE, COMPLETENESS, SIGNATURE,
    REALS,
) = range(65)  # fmt: skip
FIRST_SCORE, LAST_SCORE = SC_SCORE, LPS_SCORE

# Integers of one lane, in the same manner. `_BAR` are bar numbers (-1: none), `_NS` open times.
(
    PHASE, EDGE, DIRTY, ORIGIN, IS_ACTIVE, CLIMAX_BAR, SOFT_BAR, AR_BAR,
    SC_BAR, LEG_BAR, THRUST_BAR, IS_WEAK, MINOR_DONE, ST_WAITS, ST_TRY_BAR, ST_COUNT,
    VOLUME_BARS, UPS, DOWNS, HELD_CLOSES, SOS_BAR, LPS_BAR, LPS_COUNT, B_BAR,
    TREND, SC_NS, SC_KNOWN_NS,
    CLIMAX_NS,
    ON_HOLD,
    ST_BAR,
    LEG_LOW_BAR, LEG_CLOSES, LEG_CLOSE_BAR,
    SPRINGS, SPRING_BAR, SPRING_NS, SPRING_KNOWN_NS, SPRING_TYPE, RECLAIM_BAR,
    TRIAL_BAR, TESTS, TEST_BAR, INSIDE_BAR,
    THRUST_HIGH_BAR, THRUSTS, SIGNS,
    SOS_NS, SOS_KNOWN_NS, SOS_KIND, SOS_CLOSES_BELOW, WEAK_ABOVE,
    LAST_KIND, LAST_EVENT_NS, LAST_KNOWN_NS,
    WHOLES,
) = range(55)  # fmt: skip

NO_ORIGIN, CLIMAX, SOFT, CLUSTER = range(4)
"""What a range was found by: a climax, a soft stop, levels touched more than once."""

# Columns of an output record: integers, then floats.
(
    OUT_ROW, OUT_SIDE, OUT_KIND, OUT_PHASE, OUT_EVENT_NS, OUT_START_NS, OUT_RANGE_BARS, OUT_VARIANT,
    OUT_OLD_KIND, OUT_OLD_NS, OUT_OLD_KNOWN_NS, OUT_LANE, OUT_ORIGIN, OUT_LAST_KIND, OUT_LAST_NS, OUT_LAST_KNOWN_NS,
    OUT_EFFORT, OUT_VSA, OUT_THIN, OUT_STAGE, OUT_TESTS_PASSED,
    OUT_WHOLES,
) = range(22)  # fmt: skip
MOST_PARTS = 7
(
    OUT_PRICE, OUT_SCORE, OUT_SUPPORT, OUT_RESISTANCE, OUT_VR, OUT_SR, OUT_CP, OUT_VR_MEDIAN,
    OUT_QUALITY, OUT_SUPPORT_STRENGTH, OUT_RESISTANCE_STRENGTH, OUT_OBJECTIVE,
    OUT_CONFIDENCE, OUT_PHASE_CONFIDENCE, OUT_CONTEXT, OUT_MEAN_SCORE, OUT_COMPLETENESS, OUT_SIGNATURE, OUT_BIAS,
    OUT_PART,
) = range(20)  # fmt: skip
OUT_REALS = OUT_PART + MOST_PARTS
"""A record ends with the parts of the event's score, NaN beyond those its kind has."""

MOST_RECORDS_PER_BAR = 40
"""Each lane yields at most nine events a bar, the slot one phase change."""
RECORDS = 4_096
"""Records the output holds before it is drained."""


class Lane(NamedTuple):
    """One lane of one slot at its newest bar: what every event kernel reads and writes. Arrays are bare.

    `at` is the newest bar's place in the window, `bar` its number; `sign` is the side, +1 or -1.
    `pivots` are the swings of this view, `tops` those of the other, where resistance is support;
    `seen` and `topped` count how many there ever were. `levels` are the slot's shared numbers,
    `gates` the row of the asset class, the timeframe and the side. `used` holds one number, how
    many records of `out_wholes` and `out_reals` are taken. `row` is the bar's row in its block.
    """

    window: Float64
    opens: Int64
    levels: Float64
    gates: Float64
    reals: Float64
    wholes: Int64
    pivots: Float64
    tops: Float64
    seen: int
    topped: int
    number: int
    sign: float
    at: int
    bar: int
    row: int
    out_wholes: Int64
    out_reals: Float64
    used: Int64


class State(NamedTuple):
    """All slots: (slots, ...) arrays. Never grows, never moves. `swings` is (slots, 2, fields, ring)."""

    windows: Float64
    opens: Int64
    levels: Float64
    counts: Int64
    reals: Float64
    wholes: Int64
    swings: Float64


def empty_state(slots: int) -> State:
    """State of slots that have seen nothing; memory is taken as slots come alive."""
    return State(
        windows=np.zeros((slots, ROWS, CAPACITY)),
        opens=np.zeros((slots, CAPACITY), np.int64),
        levels=np.zeros((slots, LEVELS)),
        counts=np.zeros((slots, COUNTS), np.int64),
        reals=np.zeros((slots, LANES, REALS)),
        wholes=np.zeros((slots, LANES, WHOLES), np.int64),
        swings=np.zeros((slots, 2, PIVOT_FIELDS, PIVOTS)),
    )


def slot_bytes() -> int:
    """Without the table of volumes by time of day."""
    return sum(array[0].nbytes for array in empty_state(1))
