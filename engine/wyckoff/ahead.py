"""Memory asked for before it is needed: with thousands of slots in turn, none is in the cache when its bar comes.

Two steps, because where a slot's newest bars lie is itself in its memory: first its counts, some
bars later what the counts point at. Nothing here changes a number; one slot on its own skips it.
"""

from engine.blocks import Int8, Int16, Int32
from engine.kernels import hot, kernel
from engine.wyckoff.bare import fetched, shifted
from engine.wyckoff.layout import (
    ATR_ROW,
    CAPACITY,
    CLOSE,
    COUNTS,
    HIGH,
    LANES,
    LEVELS,
    LIVE,
    LOW,
    NEXT,
    REALS,
    ROWS,
    SR,
    VOLUME,
    VR,
    WHOLES,
    ZONE_PLACE,
    State,
)  # fmt: skip
from engine.wyckoff.timeofday import SESSIONS, WIDTH, Clock, entry_of

FAR_BARS, NEAR_BARS = 12, 6
"""How many bars ahead counts are asked for, and how many what they point at."""
LINE = 8
"""Eight-byte numbers in a line of the cache."""
LOOK_BACK = 20
"""Bars before the newest that every bar reads."""
HOT_LINES = 3
"""Lines at the front of a lane that every bar of it reads."""


@hot
def slot_number(row: int, instruments: Int32, timeframes: Int8, places: Int16, detected: int) -> int:
    """Which slot the bar at `row` belongs to, -1 for none."""
    place = places[timeframes[row]]
    return int(instruments[row]) * detected + int(place) if place >= 0 else -1


@hot
def fetch_counts(state: State, number: int) -> None:
    fetched(state.counts, number * COUNTS)
    fetched(state.counts, number * COUNTS + LINE)
    fetched(state.levels, number * LEVELS)


@kernel
def fetch_slot(state: State, number: int) -> None:
    """The newest bars of a slot, and the fronts of its live lanes."""
    counts = shifted(state.counts, number * COUNTS)
    place = counts[NEXT]
    window = shifted(state.windows, number * ROWS * CAPACITY)
    for back in range(0, LOOK_BACK + LINE, LINE):
        at = max(0, place - back)
        fetched(window, VOLUME + at)
        fetched(window, HIGH + at)
        fetched(window, LOW + at)
    fetched(window, CLOSE + place)
    fetched(window, VR + place)
    fetched(window, SR + place)
    fetched(window, ATR_ROW + place)
    fetched(state.opens, number * CAPACITY + place)
    live = counts[LIVE]
    for lane in range(LANES):
        if (live >> lane) & 1 == 1:
            first = number * LANES + lane
            for line in range(HOT_LINES):
                fetched(state.wholes, first * WHOLES + line * LINE)
                fetched(state.reals, first * REALS + line * LINE)


@kernel
def fetch_times(clock: Clock, state: State, who: tuple[int, int, int], open_ns: int) -> None:
    """The entry of a bar's time of day. `who` are its slot, its instrument and its timeframe among the detected."""
    number, instrument, place = who
    if clock.base[number] < 0:
        return
    edge = int(clock.zone[instrument]) * clock.changes + state.counts[number * COUNTS + ZONE_PLACE]
    entry = entry_of(clock, number, instrument, clock.length_ns[place], open_ns + clock.offsets[edge])
    fetched(clock.values, entry * WIDTH)
    fetched(clock.values, entry * WIDTH + WIDTH - 1)
    fetched(clock.ages, entry * SESSIONS)
