"""Is this price anywhere near the last ones? Rows that are not wait, and the next ones decide.

A price is near when it lies within a band of the last price or of the median of the last eight: the
last follows a fast market, the median survives one bad print that slipped in. Rows that are far wait
for company: `confirmed_by` in a row that are near each other are let go together, so that a real
crash passes two rows later; a row that is near the old prices ends the wait, and what waited is
withheld. A far price that comes back again and again becomes a third price to be near to. Slots are
instruments for prints, (instrument, timeframe) for bars.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from adapters.cleaning.findings import Notes, note
from adapters.cleaning.reasons import ABSURD, PRICE_JUMP, SYMBOL_REUSED
from adapters.cleaning.settings import CleaningSettings
from engine.blocks import Float64, Int32, Int64
from engine.kernels import hot, kernel
from engine.messages import NEVER_NS

REMEMBERED = 8
"""Prices behind the median."""

PASSED, WAITING, RELEASED = range(3)

Flags = npt.NDArray[np.bool_]


class Levels(NamedTuple):
    """`history` is (slots, REMEMBERED), a ring; `held` is (slots, confirmed_by): row indexes that wait,
    and `strange` the price of each that is farthest off. `second` is the far price seen last, `again` how often."""

    last: Float64
    last_ns: Int64
    history: Float64
    filled: Int64
    held: Int64
    holding: Int64
    reference: Float64
    strange: Float64
    second: Float64
    again: Int64

    @classmethod
    def empty(cls, slots: int, confirmed_by: int) -> "Levels":
        return cls(
            last=np.zeros(slots),
            last_ns=np.full(slots, NEVER_NS, np.int64),
            history=np.zeros((slots, REMEMBERED)),
            filled=np.zeros(slots, np.int64),
            held=np.zeros((slots, confirmed_by), np.int64),
            holding=np.zeros(slots, np.int64),
            reference=np.zeros(slots),
            strange=np.zeros((slots, confirmed_by)),
            second=np.zeros(slots),
            again=np.zeros(slots, np.int64),
        )

    def carry(self) -> Int64:
        """Indexes of all rows that wait, in order of arrival. From now on they are rows 0, 1, ..."""
        taken = np.arange(self.held.shape[1]) < self.holding[:, None]
        waiting = np.sort(self.held[taken])
        self.held[taken] = np.searchsorted(waiting, self.held[taken])
        return waiting


class Limits(NamedTuple):
    """`CleaningSettings` as kernels take them."""

    first_ns: int
    end_ns: int
    ahead_ns: int
    reuse_ns: int
    reuse_ratio: float
    hole_band: float
    listing_band: float
    hole_ns: int
    hole_lengths: int
    confirmed_by: int
    settled_by: int
    trade_band: float
    consecutive_ids: bool
    remembered_ids: int
    made_ns: int
    counts_late: bool

    @classmethod
    def of(cls, settings: CleaningSettings, made_ns: int) -> "Limits":
        chosen = {name: getattr(settings, name) for name in cls._fields if name in type(settings).model_fields}
        # Where rows are put back in order, what came too late is counted there.
        return cls(made_ns=made_ns, counts_late=not settings.reorder_ns, **chosen)


class Judged(NamedTuple):
    """What kernels need to tell of a row that waited: its columns, by index."""

    time_ns: Int64
    instrument: Int32
    price: Float64
    place: Int64


@hot
def is_near(price: float, other: float, band: float) -> bool:
    return price <= other * band and price * band >= other


@kernel
def median(history: Float64, filled: int) -> float:
    """Of the last prices of one slot; the lower of the two in the middle."""
    kept = np.sort(history[: min(filled, REMEMBERED)])
    return float(kept[(len(kept) - 1) // 2])


@hot
def remember(levels: Levels, slot: int, price: float, time_ns: int) -> None:
    last, last_ns, history, filled = levels[:4]
    last[slot] = price
    last_ns[slot] = max(last_ns[slot], time_ns)
    history[slot, filled[slot] % REMEMBERED] = price
    filled[slot] += 1


@kernel
def is_far(low: float, high: float, last: float, slot: int, band: float, limits: Limits, levels: Levels) -> bool:
    """Whether a price of [low, high] is near neither `last`, nor the median, nor a second price that has settled."""
    if is_near(low, last, band) and is_near(high, last, band):
        return False
    filled = levels.filled[slot]
    middle = median(levels.history[slot], filled) if filled > 0 else last
    second = levels.second[slot] if levels.again[slot] + 1 >= limits.settled_by else last
    return not (is_near_one(low, last, middle, second, band) and is_near_one(high, last, middle, second, band))


@hot
def is_near_one(price: float, last: float, middle: float, second: float, band: float) -> bool:
    return is_near(price, last, band) or is_near(price, middle, band) or is_near(price, second, band)


@kernel
def see_again(strange: float, slot: int, band: float, levels: Levels) -> None:
    """Count a far price, with those near it."""
    if levels.again[slot] > 0 and is_near(strange, levels.second[slot], band):
        levels.again[slot] += 1
    else:
        levels.second[slot] = strange
        levels.again[slot] = 1


@kernel
def forget_reused(
    price: float, row: int, slot: int, judged: Judged, limits: Limits, levels: Levels, notes: Notes
) -> None:
    """After a long silence and a jump, the old prices say nothing about the new ones."""
    silent = judged.time_ns[row] - levels.last_ns[slot] > limits.reuse_ns
    if silent and not is_near(price, levels.last[slot], limits.reuse_ratio):
        note(
            notes, SYMBOL_REUSED, judged.place[row], judged.time_ns[row], judged.instrument[row], price,
            levels.last[slot],
        )  # fmt: skip
        levels.filled[slot] = 0


@kernel
def give_up(slot: int, judged: Judged, levels: Levels, notes: Notes) -> None:
    """What waited is withheld."""
    for waiting in range(levels.holding[slot]):
        row = levels.held[slot, waiting]
        note(
            notes, ABSURD, judged.place[row], judged.time_ns[row], judged.instrument[row],
            levels.strange[slot, waiting], levels.last[slot],
        )  # fmt: skip
    levels.holding[slot] = 0


@kernel
def wait(
    price: float,
    strange: float,
    row: int,
    slot: int,
    band: float,
    judged: Judged,
    limits: Limits,
    levels: Levels,
    notes: Notes,
) -> bool:
    """Let a far row wait; True when it completes a run that confirms itself."""
    see_again(strange, slot, band, levels)
    if levels.filled[slot] == 0:
        levels.last[slot] = price  # what the row was compared with, to show it
    if levels.holding[slot] > 0 and not is_near(price, levels.reference[slot], band):
        give_up(slot, judged, levels, notes)
    if levels.holding[slot] == 0:
        levels.reference[slot] = price
    levels.held[slot, levels.holding[slot]] = row
    levels.strange[slot, levels.holding[slot]] = strange
    levels.holding[slot] += 1
    return bool(levels.holding[slot] == limits.confirmed_by)


@kernel
def let_go(slot: int, judged: Judged, levels: Levels, notes: Notes, out: Int64, size: int) -> int:
    """All rows that wait go out; their prices are the new level. Returns how many rows are out."""
    first = levels.held[slot, 0]
    note(
        notes, PRICE_JUMP, judged.place[first], judged.time_ns[first], judged.instrument[first], judged.price[first],
        levels.last[slot],
    )  # fmt: skip
    levels.filled[slot] = 0
    for waiting in range(levels.holding[slot]):
        row = levels.held[slot, waiting]
        out[size] = row
        size += 1
        remember(levels, slot, judged.price[row], judged.time_ns[row])
    levels.holding[slot] = 0
    return size
