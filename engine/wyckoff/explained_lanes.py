"""One slot of a detector, copied, and its lanes as the kernels see them: what an explanation is made from.

A copy may be written to, so the kernels' own steps can be tried on it without touching the line.
"""

from typing import NamedTuple

import numpy as np

from engine.blocks import Float64, Int64
from engine.timeframes import LENGTH_NS
from engine.wyckoff.edges import NONE, WARMUP
from engine.wyckoff.explained_plain import plain
from engine.wyckoff.gaps import has_gap
from engine.wyckoff.layout import (
    BARS,
    CLIMAX_BAR,
    LANES,
    MOST_RECORDS_PER_BAR,
    NEXT,
    OUT_REALS,
    OUT_WHOLES,
    PHASE,
    PIVOTS_DOWN,
    PIVOTS_UP,
    SHOWN_PHASE,
    Lane,
    State,
)
from engine.wyckoff.phases import clear, wipe


class SlotCopy(NamedTuple):
    """The arrays of one slot. `gates` is (2 sides, COUNT); `number` its place among the detected timeframes."""

    window: Float64
    opens: Int64
    levels: Float64
    counts: Int64
    reals: Float64
    wholes: Int64
    swings: Float64
    gates: Float64
    timeframe: str

    @property
    def bars(self) -> int:
        """Bars with volume seen so far."""
        return int(self.counts[BARS])

    @property
    def at(self) -> int:
        """The newest bar's place in the window."""
        return int(self.counts[NEXT]) - 1

    @property
    def is_warm(self) -> bool:
        return int(self.counts[SHOWN_PHASE]) != WARMUP


def copied(state: State, slot: int, gates: Float64, timeframe: str) -> SlotCopy:
    """Slot number `slot` of a detector's state, as it is now."""
    return SlotCopy(
        state.windows[slot].copy(), state.opens[slot].copy(), state.levels[slot].copy(), state.counts[slot].copy(),
        state.reals[slot].copy(), state.wholes[slot].copy(), state.swings[slot].copy(), gates, timeframe,
    )  # fmt: skip


def lane_of(slot: SlotCopy, number: int) -> Lane:
    """A lane over a copy of its numbers, with room for records of its own."""
    side, counts = number % 2, slot.counts
    return Lane(
        slot.window.reshape(-1), slot.opens, slot.levels, slot.gates[side], slot.reals[number].copy(),
        slot.wholes[number].copy(), slot.swings[side].reshape(-1), slot.swings[1 - side].reshape(-1),
        int(counts[PIVOTS_UP + side]), int(counts[PIVOTS_DOWN - side]), number, 1.0 - 2.0 * side, slot.at,
        slot.bars - 1, 0, np.zeros(MOST_RECORDS_PER_BAR * OUT_WHOLES, np.int64),
        np.zeros(MOST_RECORDS_PER_BAR * OUT_REALS), np.zeros(2, np.int64),
    )  # fmt: skip


def lanes_of(slot: SlotCopy) -> list[Lane]:
    return [lane_of(slot, number) for number in range(LANES)]


def again(lane: Lane) -> Lane:
    """A copy to try something on."""
    return lane._replace(
        reals=lane.reals.copy(), wholes=lane.wholes.copy(), out_wholes=lane.out_wholes.copy(),
        out_reals=lane.out_reals.copy(), used=lane.used.copy(),
    )  # fmt: skip


def as_judged(before: SlotCopy, now: SlotCopy) -> list[Lane]:
    """The lanes as they were when they judged the newest bar: its features known, nothing decided yet."""
    mixed = now._replace(reals=before.reals, wholes=before.wholes)
    lanes = lanes_of(mixed)
    at = now.at
    for lane in lanes:
        if not before.is_warm:
            plain(clear)(lane)
        elif at > 0 and plain(has_gap)(lane.gates, LENGTH_NS[now.timeframe], now.opens[at - 1], now.opens[at]):
            lane.wholes[PHASE], lane.wholes[CLIMAX_BAR] = NONE, -1
            plain(wipe)(lane)
    return lanes
