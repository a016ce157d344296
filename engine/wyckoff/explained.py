"""Why the detector says what it says: one view of one slot, from its own state and what it has emitted.

`explain` is a pure function of a copy of the slot's state, the same copy from before its newest bar where
there is one, and the slot's events and phase changes so far. A command makes it from a feed, a daemon from
its live stage; the newest bar's gates are exact where the state before it is known, else they say how the
state as it is now would judge that bar once more.
"""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from engine.iso import iso
from engine.messages import Event, Phase, PhaseChange
from engine.naming import event_name
from engine.wyckoff import gates as g
from engine.wyckoff.anatomy import score_parts
from engine.wyckoff.edges import NONE, A
from engine.wyckoff.explained_gates import Candidate, finite
from engine.wyckoff.explained_judging import judged
from engine.wyckoff.explained_lanes import SlotCopy, as_judged, lanes_of
from engine.wyckoff.explained_plain import plain
from engine.wyckoff.explained_range import Levels, Part, confidence_of, confidence_parts, levels_of
from engine.wyckoff.explained_waits import Wait, waits_of
from engine.wyckoff.features import close_position
from engine.wyckoff.kinds import KINDS, ORIGINS, PHASES
from engine.wyckoff.layout import (
    ATR_ROW,
    CLOSE,
    CLUSTER_UP,
    HIGH,
    IS_ACTIVE,
    LAST_EVENT_NS,
    LAST_KIND,
    LAST_KNOWN_NS,
    LOW,
    ORIGIN,
    PHASE,
    SC_BAR,
    SC_NS,
    SHOWN_LANE,
    SHOWN_SIDE,
    SR,
    VOLUME,
    VR,
    Lane,
)
from engine.wyckoff.scribe import CLUSTER_ENDING

RECENT = 8
"""Events of the slot that are told beside those of its live ranges."""

SIDES = {1: "accumulation", -1: "distribution"}


class BarView(msgspec.Struct, frozen=True):
    """The newest closed bar with volume. `atr` is the one that tests at this bar used."""

    opened: str
    high: float
    low: float
    close: float
    volume: float
    volume_ratio: float | None
    spread_ratio: float | None
    close_position: float
    atr: float | None


class Progress(msgspec.Struct, frozen=True):
    bars: int
    needed: int


class EventView(msgspec.Struct, frozen=True):
    """One event. `event` is the field's word; `bar` opened the bar it points at, `known_bar` the one whose
    close confirmed it, `known` is when it could be acted on."""

    event_id: str
    event: str
    kind: str
    direction: int
    range: str
    score: float
    parts: dict[str, float]
    price: float
    bar: str
    known_bar: str
    known: str
    variant: int
    supersedes: str
    superseded_by: str


class LaneView(msgspec.Struct, frozen=True):
    """One range, or the search for one. `phase` is NONE where there is none; `judged` are the gates of what
    could come at the newest bar, `next` the same for a phase that began at it; `is_shown` is the one that
    speaks for the instrument."""

    direction: int
    range: str
    origin: str
    phase: str
    is_shown: bool
    started: str
    bars: int
    is_active: bool
    confidence: float | None
    parts: list[Part]
    levels: Levels
    events: list[EventView]
    waits: list[Wait]
    judged: list[Candidate]
    next: list[Candidate]


class Explanation(msgspec.Struct, frozen=True):
    """`at` is the time asked about, `since` the close from which the phase held, "" where not known.
    `warmup` is null once the detector judges; `percentile` counts bars of the volume percentile's window
    and is null once it is full. `parts` add up to `confidence`, kept in 0..100."""

    symbol: str
    timeframe: str
    at: str
    bar: BarView | None
    warmup: Progress | None
    percentile: Progress | None
    phase: str
    direction: int
    side: str
    since: str
    confidence: float | None
    parts: list[Part]
    lanes: list[LaneView]
    recent: list[EventView]


class Change(NamedTuple):
    """A phase change, which does not say itself when it became known."""

    known_ns: int
    change: PhaseChange


class Slot(msgspec.Struct, frozen=True):
    """Which slot is looked at, and when."""

    symbol: str
    timeframe: str
    at_ns: int


def explain(
    slot: Slot,
    now: SlotCopy,
    before: SlotCopy | None = None,
    events: Sequence[Event] = (),
    changes: Sequence[Change] = (),
) -> Explanation:
    """`events` and `changes` are the slot's up to now, oldest first."""
    views = {one.event_id: one for one in event_views(events)}
    lanes = _lanes(slot, now, before, views, events) if now.is_warm else []
    shown = next((one for one in lanes if one.is_shown), None)
    direction = shown.direction if shown else 0
    phase = shown.phase if shown else (Phase.NONE if now.is_warm else Phase.WARMUP).value
    gates = now.gates[0]
    return Explanation(
        symbol=slot.symbol, timeframe=slot.timeframe, at=iso(slot.at_ns), bar=_bar(now),
        warmup=None if now.is_warm else Progress(now.bars, _warm_bars(now)),
        percentile=_percentile(now, int(gates[g.PERCENTILE_BARS])),
        phase=phase, direction=direction, side=SIDES.get(direction, ""), since=_since(changes, phase, direction),
        confidence=shown.confidence if shown else None, parts=shown.parts if shown else [], lanes=lanes,
        recent=list(views.values())[-RECENT:],
    )  # fmt: skip


def event_views(events: Sequence[Event]) -> list[EventView]:
    later = {one.supersedes: one.event_id for one in events if one.supersedes}
    return [
        EventView(
            event_id=one.event_id, event=event_name(one.kind, one.direction), kind=one.kind.value,
            direction=one.direction, range="cluster" if one.event_id.endswith(CLUSTER_ENDING) else "event",
            score=one.score, parts=score_parts(one), price=one.price, bar=iso(one.event_ns),
            known_bar=iso(one.confirm_ns), known=iso(one.known_ns), variant=one.variant, supersedes=one.supersedes,
            superseded_by=later.get(one.event_id, ""),
        )
        for one in events
    ]  # fmt: skip


def _lanes(
    slot: Slot, now: SlotCopy, before: SlotCopy | None, views: dict[str, EventView], events: Sequence[Event]
) -> list[LaneView]:
    lanes = lanes_of(now)
    earlier = lanes if before is None else as_judged(before, now)
    first = judged(earlier)
    again = judged(lanes) if before is not None else first
    by_id = {one.event_id: one for one in events}
    shown = int(now.counts[SHOWN_LANE]) if now.counts[SHOWN_SIDE] != 0 else -1
    made = []
    for lane, old, judged_now, judged_next in zip(lanes, earlier, first, again, strict=True):
        has_moved = _is_another(old, lane)
        chain = _chain(slot, lane, by_id)
        made.append(_lane(lane, lane.number == shown, [views[one] for one in chain], judged_now,
                          judged_next if has_moved else []))  # fmt: skip
    return made


def _is_another(old: Lane, lane: Lane) -> bool:
    """The lane is in another phase, or has another range, than when it judged the newest bar."""
    return bool(old.wholes[PHASE] != lane.wholes[PHASE] or old.wholes[SC_NS] != lane.wholes[SC_NS])


def _lane(
    lane: Lane, is_shown: bool, chain: list[EventView], judged_now: list[Candidate], judged_next: list[Candidate]
) -> LaneView:
    wholes, live = lane.wholes, lane.wholes[PHASE] >= A
    return LaneView(
        direction=1 if lane.sign > 0.0 else -1, range="cluster" if lane.number >= CLUSTER_UP else "event",
        origin=ORIGINS[wholes[ORIGIN]] if live else "", phase=PHASES[max(NONE, int(wholes[PHASE]))].value,
        is_shown=is_shown, started=iso(int(wholes[SC_NS])) if live else "",
        bars=int(lane.bar - wholes[SC_BAR] + 1) if live else 0, is_active=bool(live and wholes[IS_ACTIVE] == 1),
        confidence=confidence_of(lane), parts=confidence_parts(lane), levels=levels_of(lane), events=chain,
        waits=waits_of(lane), judged=judged_now, next=judged_next,
    )  # fmt: skip


def _chain(slot: Slot, lane: Lane, by_id: dict[str, Event]) -> list[str]:
    """Ids of the live range's events, oldest first: what its last follows, and what they took the place of."""
    wholes = lane.wholes
    kind = KINDS[int(wholes[LAST_KIND])]
    if kind is None or wholes[PHASE] < A:
        return []
    ending = CLUSTER_ENDING if lane.number >= CLUSTER_UP else ""
    stem = f"{slot.symbol}:{slot.timeframe}:{int(lane.sign):+d}:"
    wanted = [f"{stem}{kind.value}:{wholes[LAST_EVENT_NS]}:{wholes[LAST_KNOWN_NS]}{ending}"]
    found: dict[str, Event] = {}
    while wanted:
        event = by_id.get(wanted.pop())
        if event is None or event.event_id in found:
            continue
        found[event.event_id] = event
        wanted += [one for one in (event.follows, event.supersedes) if one]
        wanted += [one.event_id for one in by_id.values() if one.confirm_ns == event.confirm_ns and _beside(one, event)]
    return [one for one in by_id if one in found]


def _beside(one: Event, event: Event) -> bool:
    """The relabel that a new climax brought with it."""
    same = one.direction == event.direction and one.event_id.endswith(CLUSTER_ENDING) == event.event_id.endswith(
        CLUSTER_ENDING
    )
    return same and bool(one.supersedes) and one.kind is not event.kind


def _since(changes: Sequence[Change], phase: str, direction: int) -> str:
    """When what is shown now began to be: the last change, where it led here."""
    if not changes or (changes[-1].change.phase.value, changes[-1].change.direction) != (phase, direction):
        return ""
    return iso(changes[-1].known_ns)


def _bar(now: SlotCopy) -> BarView | None:
    if now.bars == 0:
        return None
    window, at = now.window.reshape(-1), now.at
    high, low, close = (float(window[row + at]) for row in (HIGH, LOW, CLOSE))
    return BarView(
        opened=iso(int(now.opens[at])), high=high, low=low, close=close, volume=float(window[VOLUME + at]),
        volume_ratio=finite(window[VR + at]), spread_ratio=finite(window[SR + at]),
        close_position=float(plain(close_position)(high, low, close)), atr=finite(window[ATR_ROW + at]),
    )  # fmt: skip


def _warm_bars(now: SlotCopy) -> int:
    gates = now.gates[0]
    return int(max(gates[g.PRIOR_MOVE_BARS], gates[g.VR_LOOKBACK_BARS] + 2, gates[g.ATR_BARS] + 2))


def _percentile(now: SlotCopy, length: int) -> Progress | None:
    """A volume ratio counts from its own look-back on."""
    lookback = int(now.gates[0][g.VR_LOOKBACK_BARS])
    valid = max(0, now.bars - 1 - lookback)
    return None if valid >= length else Progress(valid, length)
