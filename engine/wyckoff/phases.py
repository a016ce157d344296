"""Phases A to E as a table: which event moves the state machine where, and how sure we are.

`TRANSITIONS` is the whole machine (rule book 4.4); the kernels name an edge and `move` looks its
target up. Each side of the mirror has its own machine per slot; what is shown is the side with
the higher confidence.
"""

from enum import IntEnum
from typing import NamedTuple

import numpy as np

from engine.kernels import hot, kernel
from engine.wyckoff import gates as g
from engine.wyckoff.features import close_of
from engine.wyckoff.layout import (
    AR_SCORE,
    B_BAR,
    CLIMAX_BAR,
    CONFIDENCE,
    DIRTY,
    DOWN_VR,
    DOWNS,
    EDGE,
    FIRST_SCORE,
    IS_WEAK,
    LAST_SCORE,
    LEG_BAR,
    LPS_BAR,
    LPS_SCORE,
    ON_HOLD,
    PHASE,
    QUALITY,
    REALS,
    SC_BAR,
    SC_SCORE,
    SOS_BAR,
    SOS_SCORE,
    SPRING_SCORE,
    ST_SCORE,
    ST_TRY_BAR,
    SUM_T_VR,
    SUM_VR,
    TRIAL_BAR,
    UP_VR,
    UPS,
    VOLUME_BARS,
    VR,
    WHOLES,
    Lane,
)  # fmt: skip

WARMUP, NONE, A, B, C, D, E = range(7)
"""Phase codes, as in the `phase` column of bars. A failed or completed range is NONE."""


class Edge(IntEnum):
    """Edges T1 to T15 of the rule book; T16 and T17 close what the table leaves open."""

    T1, T2, T3, T4, T5, T6, T7, T8, T9, T10, T11, T12, T13 = range(1, 14)
    T15, T16, T17 = 15, 16, 17


class Transition(NamedTuple):
    sources: tuple[int, ...]
    target: int
    trigger: str


TRANSITIONS = {
    Edge.T1: Transition((NONE, E), A, "selling climax confirmed"),
    Edge.T2: Transition((A,), A, "a lower climax confirmed before any secondary test"),
    Edge.T3: Transition((A,), B, "rally and first secondary test, or 20 closes inside the range"),
    Edge.T4: Transition((A,), NONE, "no rally, no test, no hold, width out of bounds, or a close far below on volume"),
    Edge.T5: Transition((B, C), C, "spring confirmed"),
    Edge.T6: Transition((B,), D, "sign of strength without a spring, strong enough"),
    Edge.T7: Transition((B,), NONE, "closed far below support, or the spring clock ran out"),
    Edge.T8: Transition((C,), D, "sign of strength after a spring"),
    Edge.T9: Transition((C,), B, "no strength for 60 bars, or the test met supply"),
    Edge.T10: Transition((C,), NONE, "closed below the spring's low"),
    Edge.T11: Transition((D,), E, "closed above the sign of strength after a last point of support"),
    Edge.T12: Transition((D,), B, "the breakout failed or a reaction cancelled it"),
    Edge.T13: Transition((E,), NONE, "the other side built a range, or a close below support"),
    Edge.T15: Transition((B, C), D, "weak breakout and three closes above resistance"),
    Edge.T16: Transition((D,), NONE, "60 bars without markup"),
    Edge.T17: Transition((D,), NONE, "closed below support"),
}

T1, T2, T3, T4, T5, T6, T7, T8, T9, T10, T11, T12, T13 = range(1, 14)
T15, T16, T17 = 15, 16, 17

TARGETS = tuple(TRANSITIONS[Edge(code)].target if code in list(Edge) else NONE for code in range(T17 + 1))


@kernel
def move(lane: Lane, edge: int) -> None:
    """Follow an edge of the table."""
    lane.wholes[PHASE] = TARGETS[edge]
    lane.wholes[EDGE] = edge
    lane.wholes[DIRTY] = 1


@kernel
def wipe(lane: Lane) -> None:
    """Forget the range, keep the phase."""
    phase, edge, dirty = lane.wholes[PHASE], lane.wholes[EDGE], lane.wholes[DIRTY]
    for index in range(REALS):
        lane.reals[index] = np.nan
    for index in range(WHOLES):
        lane.wholes[index] = 0
    lane.wholes[PHASE], lane.wholes[EDGE], lane.wholes[DIRTY] = phase, edge, dirty
    lane.wholes[SC_BAR] = lane.wholes[CLIMAX_BAR] = lane.wholes[ST_TRY_BAR] = -1
    lane.wholes[LEG_BAR] = lane.wholes[TRIAL_BAR] = lane.wholes[SOS_BAR] = lane.wholes[LPS_BAR] = -1
    lane.reals[CONFIDENCE] = 0.0


@kernel
def start_cause(lane: Lane) -> None:
    """Phase B begins: its bars and its volume are counted from here."""
    lane.wholes[B_BAR] = lane.bar
    lane.wholes[VOLUME_BARS] = lane.wholes[UPS] = lane.wholes[DOWNS] = 0
    lane.reals[SUM_VR] = lane.reals[SUM_T_VR] = lane.reals[UP_VR] = lane.reals[DOWN_VR] = 0.0


@hot
def fold_volume(lane: Lane) -> None:
    """Phases B and C: does volume contract, and is it heavier on up bars?"""
    vr = lane.window[VR, lane.at]
    lane.reals[SUM_VR] += vr
    lane.reals[SUM_T_VR] += lane.wholes[VOLUME_BARS] * vr
    lane.wholes[VOLUME_BARS] += 1
    change = close_of(lane, lane.bar) - close_of(lane, lane.bar - 1)
    if change > 0.0:
        lane.reals[UP_VR] += vr
        lane.wholes[UPS] += 1
    elif change < 0.0:
        lane.reals[DOWN_VR] += vr
        lane.wholes[DOWNS] += 1


@kernel
def volume_signature(lane: Lane) -> float:
    """0, 0.5 or 1: one half for a falling slope of vr in the range, one for heavier up bars."""
    count, ups, downs = lane.wholes[VOLUME_BARS], lane.wholes[UPS], lane.wholes[DOWNS]
    signature = 0.0
    if count >= 3 and lane.reals[SUM_T_VR] < (count - 1) / 2 * lane.reals[SUM_VR]:
        signature += 0.5
    if ups > 0 and downs > 0 and lane.reals[UP_VR] * downs > lane.reals[DOWN_VR] * ups:
        signature += 0.5
    return signature


@kernel
def completeness(lane: Lane) -> float:
    """Share of the events this phase requires that are there."""
    phase, reals = lane.wholes[PHASE], lane.reals
    present = int(not np.isnan(reals[SC_SCORE])) + int(not np.isnan(reals[AR_SCORE]))
    if phase == A:
        return present / 2
    present += int(not np.isnan(reals[ST_SCORE]))
    if phase == B:
        return present / 3
    if phase == C:
        return (present + int(not np.isnan(reals[SPRING_SCORE]))) / 4
    present += int(lane.wholes[IS_WEAK] == 0 and not np.isnan(reals[SOS_SCORE]))
    if phase == D:
        return present / 4
    return (present + int(not np.isnan(reals[LPS_SCORE]))) / 5


@kernel
def reckon(lane: Lane) -> None:
    """Confidence, 0..100 (rule book 4.2): 40 % mean event score, 25 % range quality, 20 %
    completeness, 15 % volume. What is absent adds nothing."""
    if lane.wholes[PHASE] < A:
        lane.reals[CONFIDENCE] = 0.0
        return
    total, count = 0.0, 0
    for index in range(FIRST_SCORE, LAST_SCORE + 1):
        if not np.isnan(lane.reals[index]):
            total += lane.reals[index]
            count += 1
    confidence = 0.40 * (total / count) + 20.0 * completeness(lane)
    if not np.isnan(lane.reals[QUALITY]):
        confidence += 0.25 * lane.reals[QUALITY] + 15.0 * volume_signature(lane)
    if lane.wholes[ON_HOLD] == 1 and np.isnan(lane.reals[ST_SCORE]):
        confidence -= lane.gates[g.HOLD_POINTS]
    if lane.wholes[PHASE] == D and lane.wholes[IS_WEAK] == 1:
        confidence -= lane.gates[g.WEAK_POINTS]
    lane.reals[CONFIDENCE] = max(0.0, confidence)
