"""What the kernels write and the stage reads: one record per event or phase change.

A record is a row of integers and a row of floats in arrays made once. Prices in a record are in
its own view; the stage turns them into real prices.
"""

import numpy as np

from engine.kernels import kernel
from engine.wyckoff import gates as g
from engine.wyckoff import kinds as k
from engine.wyckoff.bare import shifted
from engine.wyckoff.effort import effort_at, median_ratio, vsa_at
from engine.wyckoff.features import close_position, place_of
from engine.wyckoff.layout import (
    BIAS,
    CLOSE,
    COMPLETENESS,
    CONFIDENCE,
    DIRTY,
    HIGH,
    LAST_EVENT_NS,
    LAST_KIND,
    LAST_KNOWN_NS,
    LOW,
    MEAN_SCORE,
    MOST_PARTS,
    OBJECTIVE,
    ORIGIN,
    OUT_BIAS,
    OUT_COMPLETENESS,
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
    OUT_START_NS,
    OUT_SUPPORT,
    OUT_SUPPORT_STRENGTH,
    OUT_VARIANT,
    OUT_VR,
    OUT_VR_MEDIAN,
    OUT_VSA,
    OUT_WHOLES,
    PHASE,
    QUALITY,
    RESISTANCE,
    RESISTANCE_STRENGTH,
    SC_BAR,
    SC_NS,
    SIGNATURE,
    SR,
    SUPPORT,
    SUPPORT_STRENGTH,
    VR,
    Lane,
)  # fmt: skip


@kernel
def put_part(lane: Lane, points: float) -> float:
    """The next part of the score of the event to be emitted next. Returns it."""
    row, taken = shifted(lane.out_reals, lane.used[0] * OUT_REALS), lane.used[1]
    if taken == 0:
        clear_parts(lane)
    row[OUT_PART + taken] = points
    lane.used[1] = taken + 1
    return points


@kernel
def part(lane: Lane, weights: int, share: float) -> float:
    """The next part as its weight times `share`, 0..1. `weights` is where those of the score begin."""
    return put_part(lane, lane.gates[weights + lane.used[1]] * share)


@kernel
def clear_parts(lane: Lane) -> None:
    row = shifted(lane.out_reals, lane.used[0] * OUT_REALS)
    for index in range(OUT_PART, OUT_PART + MOST_PARTS):
        row[index] = np.nan


@kernel
def discard_parts(lane: Lane) -> None:
    """The event whose parts were worked out is not emitted."""
    lane.used[1] = 0


@kernel
def emit(lane: Lane, kind: int, bar: int, price: float, score: float) -> int:
    """Record an event that points at `bar`, known at the newest one. Returns the record's row."""
    row = lane.used[0]
    wholes, reals = shifted(lane.out_wholes, row * OUT_WHOLES), shifted(lane.out_reals, row * OUT_REALS)
    if lane.used[1] == 0:
        clear_parts(lane)
    lane.used[0], lane.used[1] = row + 1, 0
    wholes[OUT_ROW] = lane.row
    wholes[OUT_SIDE] = 1 if lane.sign > 0.0 else -1
    wholes[OUT_KIND], wholes[OUT_LANE], wholes[OUT_ORIGIN] = kind, lane.number, lane.wholes[ORIGIN]
    wholes[OUT_PHASE] = lane.wholes[PHASE]
    wholes[OUT_START_NS] = lane.wholes[SC_NS]
    wholes[OUT_RANGE_BARS] = lane.bar - lane.wholes[SC_BAR] + 1
    wholes[OUT_VARIANT] = 0
    wholes[OUT_OLD_KIND] = 0
    reals[OUT_PRICE], reals[OUT_SCORE] = price, min(score, lane.gates[g.SCORE_CAP])
    reals[OUT_SUPPORT], reals[OUT_RESISTANCE] = lane.reals[SUPPORT], lane.reals[RESISTANCE]
    reals[OUT_QUALITY], reals[OUT_OBJECTIVE] = lane.reals[QUALITY], lane.reals[OBJECTIVE]
    reals[OUT_SUPPORT_STRENGTH] = lane.reals[SUPPORT_STRENGTH]
    reals[OUT_RESISTANCE_STRENGTH] = lane.reals[RESISTANCE_STRENGTH]
    describe_bar(lane, row, place_of(lane, bar))
    chain(lane, row, kind)
    lane.wholes[DIRTY] = 1
    return int(row)


@kernel
def describe_bar(lane: Lane, row: int, place: int) -> None:
    """What the bar that an event points at was like, as the real market shows it."""
    wholes, reals = shifted(lane.out_wholes, row * OUT_WHOLES), shifted(lane.out_reals, row * OUT_REALS)
    window = lane.window
    wholes[OUT_EVENT_NS] = lane.opens[place]
    wholes[OUT_EFFORT], wholes[OUT_VSA] = effort_at(window, place), vsa_at(window, place, lane.at)
    reals[OUT_VR], reals[OUT_SR] = window[VR + place], window[SR + place]
    reals[OUT_CP] = close_position(window[HIGH + place], window[LOW + place], window[CLOSE + place])
    reals[OUT_VR_MEDIAN] = median_ratio(window, place, int(lane.gates[g.VR_LOOKBACK_BARS]))


@kernel
def chain(lane: Lane, row: int, kind: int) -> None:
    """Each event names the one before it in its range."""
    wholes, out = lane.wholes, shifted(lane.out_wholes, row * OUT_WHOLES)
    out[OUT_LAST_KIND], out[OUT_LAST_NS] = wholes[LAST_KIND], wholes[LAST_EVENT_NS]
    out[OUT_LAST_KNOWN_NS] = wholes[LAST_KNOWN_NS]
    wholes[LAST_KIND], wholes[LAST_EVENT_NS], wholes[LAST_KNOWN_NS] = kind, out[OUT_EVENT_NS], lane.opens[lane.at]


@kernel
def set_variant(lane: Lane, row: int, variant: int) -> None:
    lane.out_wholes[row * OUT_WHOLES + OUT_VARIANT] = variant


@kernel
def relabel(lane: Lane, row: int, kind: int, event_ns: int, known_ns: int) -> None:
    """Say that record `row` takes the place of an earlier event."""
    wholes = shifted(lane.out_wholes, row * OUT_WHOLES)
    wholes[OUT_OLD_KIND], wholes[OUT_OLD_NS], wholes[OUT_OLD_KNOWN_NS] = kind, event_ns, known_ns


@kernel
def emit_change(lane: Lane, side: int, before: int, after: int) -> int:
    """Record that what is shown for the slot changed; `lane` is the lane shown, if any."""
    row = lane.used[0]
    lane.used[0] = row + 1
    wholes, reals = shifted(lane.out_wholes, row * OUT_WHOLES), shifted(lane.out_reals, row * OUT_REALS)
    wholes[OUT_ROW], wholes[OUT_SIDE], wholes[OUT_KIND] = lane.row, side, k.PHASE_CHANGE
    wholes[OUT_LANE], wholes[OUT_ORIGIN] = lane.number, lane.wholes[ORIGIN] if side != 0 else 0
    wholes[OUT_VARIANT], wholes[OUT_PHASE] = before, after
    reals[OUT_SCORE] = lane.reals[CONFIDENCE] if side != 0 else 0.0
    wholes[OUT_START_NS] = lane.wholes[SC_NS] if side != 0 else 0
    reals[OUT_SUPPORT] = lane.reals[SUPPORT] if side != 0 else np.nan
    reals[OUT_RESISTANCE] = lane.reals[RESISTANCE] if side != 0 else np.nan
    explain(lane, int(row), side != 0)
    return int(row)


@kernel
def explain(lane: Lane, row: int, is_known: bool) -> None:
    """The parts of a phase's confidence."""
    reals = shifted(lane.out_reals, row * OUT_REALS)
    reals[OUT_MEAN_SCORE] = lane.reals[MEAN_SCORE] if is_known else np.nan
    reals[OUT_QUALITY] = lane.reals[QUALITY] if is_known else np.nan
    reals[OUT_COMPLETENESS] = lane.reals[COMPLETENESS] if is_known else np.nan
    reals[OUT_SIGNATURE] = lane.reals[SIGNATURE] if is_known else np.nan
    reals[OUT_BIAS] = lane.reals[BIAS] if is_known else np.nan
