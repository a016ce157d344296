"""One bar of one slot: features, swings, its lanes, what it shows, and what its records still lack.

Work is done where something is live: a lane without a range is stepped only on a loud bar or a new
swing, levels are measured when a swing confirms, cluster ranges sought only then.
"""

from typing import NamedTuple

import numpy as np

from engine.blocks import Float64, Int16, Int64
from engine.kernels import hot, kernel
from engine.wyckoff import edges as t
from engine.wyckoff import gates as g
from engine.wyckoff.bare import lent, shifted
from engine.wyckoff.clusters import better, nothing, open_cluster, overlaps, seek_cluster, seen_from_above
from engine.wyckoff.edges import NONE, WARMUP, A, B, E
from engine.wyckoff.features import keep_swing
from engine.wyckoff.layout import (
    BARS,
    CLIMAX_BAR,
    CLUSTER_DOWN,
    CLUSTER_UP,
    DIRTY,
    EVENT_DOWN,
    EVENT_UP,
    LANES,
    LIVE,
    OUT_LANE,
    OUT_WHOLES,
    PHASE,
    PIVOTS_DOWN,
    PIVOTS_UP,
    REALS,
    RESISTANCE,
    RING,
    SHOWN_LANE,
    SHOWN_PHASE,
    SHOWN_SIDE,
    SOFT_BAR,
    SR,
    SUPPORT,
    THIN_REFERENCE,
    VR,
    WHOLES,
    Lane,
)  # fmt: skip
from engine.wyckoff.machine import step
from engine.wyckoff.phases import clear, move, reckon, wipe
from engine.wyckoff.ranges import measure
from engine.wyckoff.records import emit_change
from engine.wyckoff.shown import NOBODY, has_changed, side_of, surest
from engine.wyckoff.verdicts import complete, context_of


class Slot(NamedTuple):
    """A slot at its newest bar, all arrays bare: its own memory, and the gates of both sides.

    `all_counts` are those of every slot and `higher` the places of the next higher detected
    timeframes among the slots of the instrument, which begin at `first_slot`. `at` is the bar's place in
    the window, `row` in the block.
    """

    window: Float64
    opens: Int64
    levels: Float64
    counts: Int64
    reals: Float64
    wholes: Int64
    swings: Float64
    gates: Float64
    out_wholes: Int64
    out_reals: Float64
    used: Int64
    scratch: Float64
    all_counts: Int64
    higher: Int16
    first_slot: int
    at: int
    row: int


@hot
def lane_of(slot: Slot, number: int) -> Lane:
    """Even lanes are accumulation, odd ones its mirror."""
    side, counts = number % 2, slot.counts
    return Lane(
        slot.window, slot.opens, slot.levels, shifted(slot.gates, side * g.COUNT), shifted(slot.reals, number * REALS),
        shifted(slot.wholes, number * WHOLES), shifted(slot.swings, side * RING),
        shifted(slot.swings, (1 - side) * RING), counts[PIVOTS_UP + side], counts[PIVOTS_DOWN - side], number,
        1.0 - 2.0 * side, slot.at, counts[BARS] - 1, slot.row, slot.out_wholes, slot.out_reals, slot.used,
    )  # fmt: skip


@hot
def phase_of(slot: Slot, number: int) -> int:
    return int(slot.wholes[number * WHOLES + PHASE])


@kernel
def keep_swings(slot: Slot, swing_low: float, swing_high: float) -> None:
    """Put what was confirmed into the rings; before warm-up is over, too."""
    counts, side = slot.counts, int(slot.gates[g.PIVOT_BARS])
    place, bar = slot.at - side, counts[BARS] - 1 - side
    if not np.isnan(swing_low):
        keep_swing(slot.window, slot.swings, counts[PIVOTS_UP], place, bar, 1.0)
        counts[PIVOTS_UP] += 1
    if not np.isnan(swing_high):
        keep_swing(slot.window, shifted(slot.swings, RING), counts[PIVOTS_DOWN], place, bar, -1.0)
        counts[PIVOTS_DOWN] += 1


@kernel
def is_warm(counts: Int64, gates: Float64) -> bool:
    bar = counts[BARS] - 1
    return bool(bar + 1 >= gates[g.PRIOR_MOVE_BARS] and bar > gates[g.VR_LOOKBACK_BARS] and bar > gates[g.ATR_BARS])


@kernel
def start_lanes(slot: Slot) -> None:
    """The first bar after warm-up."""
    for number in range(LANES):
        clear(lent(lane_of(slot, number)))


@kernel
def freeze_lanes(slot: Slot) -> None:
    """T14: what was not seen is not judged; all ranges are forgotten without having failed."""
    for number in range(LANES):
        lane = lent(lane_of(slot, number))
        if lane.wholes[PHASE] != NONE:
            move(lane, t.T14)
        lane.wholes[CLIMAX_BAR] = -1
        wipe(lane)


@hot
def wakes(slot: Slot, side: int, has_swing: bool) -> int:
    """The bit of the event lane of `side` where this bar may begin something in it."""
    gates, window = shifted(slot.gates, side * g.COUNT), slot.window
    loud = window[SR + slot.at] >= gates[g.SC_SR] and window[VR + slot.at] >= gates[g.SC_VR_FLOOR]
    return 1 << side if has_swing or loud else 0


@kernel
def follow(slot: Slot, swings: tuple[bool, bool], has_gap: bool) -> None:
    """The lanes' part of a bar with volume, once its features are there."""
    counts = slot.counts
    first_record, is_first = slot.used[0], counts[SHOWN_PHASE] == WARMUP
    if is_first:
        start_lanes(slot)
    elif has_gap:
        freeze_lanes(slot)
    before_up, before_down = phase_of(slot, EVENT_UP), phase_of(slot, EVENT_DOWN)
    dirty = is_first or has_gap
    live = int(counts[LIVE]) | wakes(slot, 0, swings[0]) | wakes(slot, 1, swings[1])
    for number in range(LANES):
        if (live >> number) & 1 == 1:
            step(lent(lane_of(slot, number)))
    built_up = before_up == A and phase_of(slot, EVENT_UP) == B
    built_down = before_down == A and phase_of(slot, EVENT_DOWN) == B
    if built_up or built_down:
        absorb(slot, EVENT_UP if built_up else EVENT_DOWN)
    if swings[0] or swings[1]:
        live |= seek_range(slot, swings)
    if live != 0 or dirty:
        dirty = settle(slot, live, (built_down, built_up), swings) or dirty
        if dirty:
            choose(slot)
            if slot.used[0] > first_record:
                fill_in(slot, int(first_record))


@kernel
def settle(slot: Slot, live: int, opposed: tuple[bool, bool], swings: tuple[bool, bool]) -> bool:
    """What every live lane needs after all have moved; remembers which are live. True where confidence may differ.

    T13: a range built on the other side ends a markup.
    """
    remaining, dirty = 0, False
    for number in range(LANES):
        if (live >> number) & 1 == 0:
            continue
        wholes = shifted(slot.wholes, number * WHOLES)
        if opposed[number % 2] and wholes[PHASE] == E:
            lane = lent(lane_of(slot, number))
            move(lane, t.T13)
            wipe(lane)
        if (swings[0] or swings[1]) and wholes[PHASE] >= B:
            measure(lent(lane_of(slot, number)))
        if wholes[DIRTY] == 1:
            reckon(lent(lane_of(slot, number)))
            wholes[DIRTY] = 0
            dirty = True
        if wholes[PHASE] != NONE or wholes[CLIMAX_BAR] >= 0 or wholes[SOFT_BAR] >= 0:
            remaining |= 1 << number
    slot.counts[LIVE] = remaining
    return dirty


@kernel
def absorb(slot: Slot, event: int) -> None:
    """T19: a cluster range that is still only a cause gives its levels up to a new event range over it."""
    if phase_of(slot, CLUSTER_UP) != B or phase_of(slot, CLUSTER_DOWN) != B:
        return
    cluster = shifted(slot.reals, CLUSTER_UP * REALS)
    if overlaps(lent(lane_of(slot, event)), cluster[SUPPORT], cluster[RESISTANCE]):
        for number in range(CLUSTER_UP, LANES):
            lane = lent(lane_of(slot, number))
            move(lane, t.T19)
            wipe(lane)


@kernel
def seek_range(slot: Slot, swings: tuple[bool, bool]) -> int:
    """A cluster range, where none is live or only its markup is; bits of the lanes it lives in."""
    up, down = phase_of(slot, CLUSTER_UP), phase_of(slot, CLUSTER_DOWN)
    if (up != NONE and up != E) or (down != NONE and down != E):
        return 0
    return 0b1100 if form_range(slot, swings) else 0


@kernel
def form_range(slot: Slot, swings: tuple[bool, bool]) -> bool:
    """The best pair of levels around the swings just confirmed, unless an event range has them."""
    up, down = lent(lane_of(slot, CLUSTER_UP)), lent(lane_of(slot, CLUSTER_DOWN))
    best = nothing()
    if swings[0]:
        best = seek_cluster(up, slot.scratch)
    if swings[1]:
        best = better(best, seen_from_above(seek_cluster(down, slot.scratch)))
    if best.quality < 0.0:
        return False
    for number in range(CLUSTER_UP):
        if overlaps(lent(lane_of(slot, number)), best.support, best.resistance):
            return False
    newest = up.bar - int(up.gates[g.PIVOT_BARS])
    open_cluster(up, best.start, (best.support, best.resistance), best.lows, newest)
    open_cluster(down, best.start, (-best.resistance, -best.support), best.tops, newest)
    return True


@kernel
def choose(slot: Slot) -> None:
    number = surest(slot.counts, slot.reals, slot.wholes)
    if has_changed(slot.counts, slot.wholes, number):
        change_shown(slot, number)


@kernel
def change_shown(slot: Slot, number: int) -> None:
    counts = slot.counts
    side = 0 if number == NOBODY else side_of(number)
    phase = NONE if number == NOBODY else phase_of(slot, number)
    emit_change(lent(lane_of(slot, max(0, number))), side, counts[SHOWN_PHASE], phase)
    counts[SHOWN_PHASE], counts[SHOWN_SIDE], counts[SHOWN_LANE] = phase, side, max(0, number)


@kernel
def fill_in(slot: Slot, first: int) -> None:
    for record in range(first, slot.used[0]):
        lane = lent(lane_of(slot, int(slot.out_wholes[record * OUT_WHOLES + OUT_LANE])))
        side = 1 if lane.sign > 0.0 else -1
        points = lane.gates[g.CONTEXT_POINTS]
        context = context_of(slot.all_counts, slot.higher, slot.first_slot, side, points)
        complete(lane, record, context, int(slot.counts[THIN_REFERENCE]))
