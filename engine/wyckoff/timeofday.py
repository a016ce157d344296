"""Volume by time of day: an intraday bar is compared with the same time on earlier days (rule book 9.3).

A table keeps the volumes of the last 20 sessions for every local time of day, float32, one entry a
time. Weekend days of markets that never close have entries of their own, because their volume is
another regime. The median of an entry, once it holds ten, takes the place of the mean of the bars before.
"""

from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np

from engine.blocks import Int8, Int64
from engine.instruments import InstrumentTable
from engine.kernels import kernel
from engine.timeframes import DAY_NS, LENGTH_NS, MINUTE_NS, is_counted
from engine.wyckoff.layout import Float32, UInt8

SESSIONS = 20
"""Volumes that an entry keeps, lowest first; its last column counts them."""
COUNTED = SESSIONS
WIDTH = SESSIONS + 1

FIRST_YEAR, LAST_YEAR = 1970, 2100
NO_HOURS = (-1, -1)
EDGE_MINUTES = 15
"""The first and last quarter of an hour of regular trading are always busy (9.3)."""
EDGE_RANK = 0.95
EDGE_MULTIPLE = 2.0

CALENDARS = {
    "XNYS": ("America/New_York", (570, 960)),
    "XNAS": ("America/New_York", (570, 960)),
    "XTSE": ("America/Toronto", (570, 960)),
    "XLON": ("Europe/London", (480, 990)),
    "XPAR": ("Europe/Paris", (540, 1050)),
    "XAMS": ("Europe/Amsterdam", (540, 1050)),
    "XETR": ("Europe/Berlin", (540, 1050)),
    "XFRA": ("Europe/Berlin", (480, 1200)),
    "XSWX": ("Europe/Zurich", (540, 1050)),
    "XTKS": ("Asia/Tokyo", (540, 900)),
    "XHKG": ("Asia/Hong_Kong", (570, 960)),
    "XASX": ("Australia/Sydney", (600, 960)),
}
"""Exchange calendar to its time zone and regular hours, in minutes of the local day."""

CLASS_ZONES = {"fx": "America/New_York"}
"""Time zone of instruments without a calendar; the others are on UTC."""


class Clock(NamedTuple):
    """What turns a bar into an entry. `base` is (slots,): a slot's first entry, -1 for none.

    `values` is (entries, WIDTH), `ages` (entries, SESSIONS): 0 for the oldest of an entry's volumes.
    `zone` and `groups` are per instrument; `edges` and `offsets` are (zones, changes): from a time
    on, what is added to UTC; `hours` is (zones, 2) minutes; `length_ns` per detected timeframe.
    """

    values: Float32
    ages: UInt8
    base: Int64
    zone: Int8
    groups: Int8
    edges: Int64
    offsets: Int64
    hours: Int64
    length_ns: Int64
    changes: int


def clock_of(table: InstrumentTable, detect_on: tuple[str, ...]) -> Clock:
    """An empty table for these instruments and timeframes. Raises ZoneInfoNotFoundError without zone data."""
    names = [_zone(one.calendar, one.asset_class) for one in table.all]
    zones = tuple(dict.fromkeys(names)) or (("UTC", NO_HOURS),)
    groups = [3 if one.asset_class == "crypto" else 1 for one in table.all]
    entries = [[_entries(name) * group for name in detect_on] for group in groups]
    sizes = np.array(entries, dtype=np.int64).reshape(-1)
    ends = np.cumsum(sizes)
    count = int(ends[-1]) if len(ends) else 0
    changes = [_changes(name) for name, _ in zones]
    most = max(len(edges) for edges, _ in changes)
    return Clock(
        values=np.zeros((count, WIDTH), np.float32),
        ages=np.zeros((count, SESSIONS), np.uint8),
        base=np.where(sizes > 0, ends - sizes, -1),
        zone=np.array([zones.index(name) for name in names], np.int8),
        groups=np.array(groups, np.int8),
        edges=np.array([edges + [2**63 - 1] * (most + 1 - len(edges)) for edges, _ in changes], np.int64),
        offsets=np.array([offsets + [0] * (most + 1 - len(offsets)) for _, offsets in changes], np.int64),
        hours=np.array([hours for _, hours in zones], np.int64),
        length_ns=np.array([LENGTH_NS[name] for name in detect_on], np.int64),
        changes=most + 1,
    )


def entries_of(clock: Clock, slot: int) -> slice:
    """The entries that belong to a slot."""
    first = int(clock.base[slot])
    later = clock.base[slot + 1 :]
    later = later[later >= 0]
    return slice(0, 0) if first < 0 else slice(first, int(later[0]) if len(later) else len(clock.values))


def _zone(calendar: str, asset_class: str) -> tuple[str, tuple[int, int]]:
    return CALENDARS.get(calendar, (CLASS_ZONES.get(asset_class, "UTC"), NO_HOURS))


def _entries(timeframe: str) -> int:
    """Times of day of a timeframe; none where its bars last a day or more, or as long as their count takes."""
    return DAY_NS // LENGTH_NS[timeframe] if LENGTH_NS[timeframe] < DAY_NS and not is_counted(timeframe) else 0


def _changes(name: str) -> tuple[list[int], list[int]]:
    """From when on (UTC, ns) which offset (ns) holds, found day by day, then to the minute."""
    if name == "UTC":
        return [-(2**63)], [0]
    zone = ZoneInfo(name)
    edges, offsets = [-(2**63)], [_offset(zone, datetime(FIRST_YEAR, 1, 1, tzinfo=UTC))]
    day, end, step = datetime(FIRST_YEAR, 1, 1, tzinfo=UTC), datetime(LAST_YEAR, 1, 1, tzinfo=UTC), timedelta(days=7)
    while day < end:
        later = _offset(zone, day + step)
        if later != offsets[-1]:
            edges.append(_edge(zone, day, day + step))
            offsets.append(later)
        day += step
    return edges, offsets


def _offset(zone: ZoneInfo, at: datetime) -> int:
    offset = at.astimezone(zone).utcoffset()
    assert offset is not None
    return int(offset.total_seconds()) * 1_000_000_000


def _edge(zone: ZoneInfo, low: datetime, high: datetime) -> int:
    """The minute at which the offset changes, between two moments with different ones."""
    before = _offset(zone, low)
    while high - low > timedelta(minutes=1):
        middle = (low + (high - low) / 2).replace(second=0, microsecond=0)
        low, high = (middle, high) if _offset(zone, middle) == before else (low, middle)
    return int(high.timestamp()) * 1_000_000_000


@kernel
def local_ns(clock: Clock, zone: int, place: int, open_ns: int) -> tuple[int, int]:
    """Local time, and the place in `edges` it was found at, sought from where the slot was last."""
    first = int(zone) * clock.changes
    while clock.edges[first + place + 1] <= open_ns:
        place += 1
    while place > 0 and clock.edges[first + place] > open_ns:
        place -= 1
    return open_ns + clock.offsets[first + place], place


@kernel
def entry_of(clock: Clock, slot: int, instrument: int, length_ns: int, local: int) -> int:
    day = local // DAY_NS
    time = (local - day * DAY_NS) // length_ns
    group = max(0, (day + 3) % 7 - 4) if clock.groups[instrument] > 1 else 0
    return int(clock.base[slot] + group * (DAY_NS // length_ns) + time)


@kernel
def reference(values: Float32, least: int) -> float:
    """Median of an entry; NaN with fewer than `least` sessions or a median of nothing."""
    count = int(values[COUNTED])
    if count < least:
        return np.nan
    middle = (np.float64(values[(count - 1) // 2]) + np.float64(values[count // 2])) / 2
    return middle if middle > 0.0 else np.nan


@kernel
def remember(values: Float32, ages: UInt8, volume: float) -> None:
    """Put a session's volume in its place among the sorted; the oldest of a full entry makes room."""
    count, place = int(values[COUNTED]), 0
    if count < SESSIONS:
        place = count
        values[COUNTED] = count + 1
    else:
        while ages[place] != 0:
            place += 1
        for other in range(SESSIONS):
            ages[other] -= 1
        count = SESSIONS - 1
    value = np.float32(volume)
    while place < count and values[place + 1] < value:
        values[place], ages[place] = values[place + 1], ages[place + 1]
        place += 1
    while place > 0 and values[place - 1] > value:
        values[place], ages[place] = values[place - 1], ages[place - 1]
        place -= 1
    values[place], ages[place] = value, count


@kernel
def edge_volume(clock: Clock, zone: int, local: int, length_ns: int, values: Float32, least: int) -> float:
    """The volume a climax needs at this time: 0 inside regular hours and where none are known."""
    opened, closed = clock.hours[2 * zone], clock.hours[2 * zone + 1]
    if opened < 0 or length_ns > EDGE_MINUTES * MINUTE_NS:
        return 0.0
    minute = (local % DAY_NS) // MINUTE_NS
    if not (opened <= minute < opened + EDGE_MINUTES or closed - EDGE_MINUTES <= minute < closed):
        return 0.0
    count = int(values[COUNTED])
    if count < least:
        return np.inf
    return EDGE_MULTIPLE * np.float64(values[int(np.ceil(EDGE_RANK * count)) - 1])
