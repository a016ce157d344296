"""The watches that Market looks for, by what can fire them.

Every watch fires once. Among those that one row or bar fires, the earlier registered goes first;
among line-time watches, the earlier time. A watch that was taken back, or replaced under the same
id, between being found and being told does not fire: `take` says so.
"""

from bisect import bisect_left, insort
from collections.abc import Iterable
from math import inf

import msgspec

from engine.market_kernel import CLOSE_ABOVE, CLOSE_BELOW, HIGH, LOW
from engine.messages import FOREVER_NS, Watch, Watched, WatchKind

SWINGS = (WatchKind.SWING_LOW, WatchKind.SWING_HIGH)
CLOSES = (WatchKind.CLOSE_ABOVE, WatchKind.CLOSE_BELOW, *SWINGS)
LANES = {
    WatchKind.CLOSE_ABOVE: CLOSE_ABOVE,
    WatchKind.CLOSE_BELOW: CLOSE_BELOW,
    WatchKind.SWING_LOW: LOW,
    WatchKind.SWING_HIGH: HIGH,
}
"""Where the scan kernel's `levels` say what bar watches of a kind wait for."""

ABOVES = (WatchKind.CLOSE_ABOVE, WatchKind.TOUCH_ABOVE)

Slot = tuple[int, int]
"""(instrument, timeframe) for bar watches; else (instrument or -1, one of the codes below)."""
TOUCHES = -1
EQUITIES = -2
TIMES = -3

NOTHING: dict[str, "Entry"] = {}

NOTHING_NEAR = {kind: 0.0 if kind in SWINGS else inf if kind in ABOVES else -inf for kind in WatchKind}
"""What `nearest` says of a slot in which nothing waits."""


class Entry(msgspec.Struct, frozen=True):
    """A registered watch. `number` counts registrations and never repeats."""

    number: int
    slot: Slot
    watch: Watch


class Fired(msgspec.Struct, frozen=True):
    """A watch that was found true, with what it will say."""

    entry: Entry
    watched: Watched


class Watches:
    """All registered watches. `bars` counts those that look at bars."""

    def __init__(self) -> None:
        self.number = 0
        self.bars = 0
        self._entries: dict[str, Entry] = {}
        self._slots: dict[Slot, dict[str, Entry]] = {}
        self._times: list[tuple[int, int, str]] = []

    def add(self, watch: Watch, slot: Slot) -> Entry:
        assert watch.watch_id not in self._entries
        self.number += 1
        entry = Entry(self.number, slot, watch)
        self._put(entry)
        return entry

    def remove(self, watch_id: str) -> Entry | None:
        """What is no longer looked for; None for a watch that is not registered."""
        entry = self._entries.pop(watch_id, None)
        if entry is None:
            return None
        del self._slots[entry.slot][watch_id]
        self.bars -= entry.watch.kind in CLOSES
        if entry.watch.kind is WatchKind.LINE_TIME:
            del self._times[bisect_left(self._times, (entry.watch.time_ns, entry.number, watch_id))]
        return entry

    def take(self, fired: Fired) -> bool:
        """Remove a found watch; False when it is no longer the one that was found."""
        watch_id = fired.entry.watch.watch_id
        current = self._entries.get(watch_id)
        if current is None or current.number != fired.entry.number:
            return False
        self.remove(watch_id)
        return True

    @property
    def due_ns(self) -> int:
        """Time of the earliest line-time watch, FOREVER_NS without one."""
        return self._times[0][0] if self._times else FOREVER_NS

    def nearest(self, slot: Slot, kind: WatchKind) -> float:
        """Of one kind in a slot, the level that a price reaches first, infinitely far away without one; of
        swings, which have none, 1.0 when any is waited for."""
        entries = self._slots.get(slot)
        if not entries:
            return NOTHING_NEAR[kind]
        levels = [one.watch.level for one in entries.values() if one.watch.kind is kind]
        if kind in SWINGS:
            return float(bool(levels))
        return min(levels, default=inf) if kind in ABOVES else max(levels, default=-inf)

    def due(self, line_ns: int) -> list[Fired]:
        """Line-time watches that `line_ns` reaches, earliest first; their `price` is that line time."""
        reached = self._times[: bisect_left(self._times, (line_ns + 1,))]
        return [_fired(self._entries[watch_id], time_ns, float(line_ns)) for time_ns, _, watch_id in reached]

    def touched(self, instrument: int, time_ns: int, row: tuple[float, float, float]) -> list[Fired]:
        """Touch watches hit by a row of (open, high, low); a gap touches at the open."""
        start, high, low = row
        found = []
        for entry in self._in((instrument, TOUCHES)):
            level = entry.watch.level
            if entry.watch.kind is WatchKind.TOUCH_ABOVE and high >= level:
                found.append(_fired(entry, time_ns, max(start, level)))
            elif entry.watch.kind is WatchKind.TOUCH_BELOW and low <= level:
                found.append(_fired(entry, time_ns, min(start, level)))
        return found

    def closed(self, slot: Slot, time_ns: int, bar: "ClosedBar") -> list[Fired]:
        """Bar watches of one (instrument, timeframe) that a closed bar fires."""
        found = []
        for entry in self._in(slot):
            price = _bar_price(entry.watch, bar)
            if price == price:
                found.append(_fired(entry, time_ns, price, (bar.close, bar.atr)))
        return found

    def ruined(self, equity: float, time_ns: int) -> list[Fired]:
        """Equity watches at or above `equity`."""
        return [_fired(entry, time_ns, equity) for entry in self._in((-1, EQUITIES)) if equity <= entry.watch.level]

    def snapshot(self) -> list[Entry]:
        return list(self._entries.values())

    @classmethod
    def restored(cls, number: int, entries: list[Entry]) -> "Watches":
        watches = cls()
        watches.number = number
        for entry in entries:
            watches._put(entry)
        return watches

    def _put(self, entry: Entry) -> None:
        watch = entry.watch
        self._entries[watch.watch_id] = entry
        self._slots.setdefault(entry.slot, {})[watch.watch_id] = entry
        self.bars += watch.kind in CLOSES
        if watch.kind is WatchKind.LINE_TIME:
            insort(self._times, (watch.time_ns, entry.number, watch.watch_id))

    def _in(self, slot: Slot) -> Iterable[Entry]:
        return self._slots.get(slot, NOTHING).values()


class ClosedBar(msgspec.Struct, frozen=True, gc=False):
    """What bar watches read of a closed bar."""

    close: float
    atr: float
    swing_low: float
    swing_high: float


def _bar_price(watch: Watch, bar: ClosedBar) -> float:
    """The price at which `bar` fires `watch`, NaN where it does not."""
    if watch.kind is WatchKind.SWING_LOW:
        return bar.swing_low
    if watch.kind is WatchKind.SWING_HIGH:
        return bar.swing_high
    beyond = bar.close > watch.level if watch.kind is WatchKind.CLOSE_ABOVE else bar.close < watch.level
    return bar.close if beyond else float("nan")


def _fired(entry: Entry, time_ns: int, price: float = float("nan"), bar: tuple[float, float] | None = None) -> Fired:
    watch = entry.watch
    close, atr = bar or (float("nan"), float("nan"))
    fired_ns = max(time_ns, watch.decision_ns)
    return Fired(entry, Watched(watch.watch_id, watch.owner, watch.kind, watch.symbol, fired_ns, price, close, atr))
