"""Events on a chart: a mark at the bar each points at, a thin line to the bar at which it was known.

What matters most is labelled first; a label that finds no free place is left out, its mark stays.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from engine.iso import iso
from engine.messages import EventKind
from engine.naming import event_name
from engine.report.frame import PRICE_BOTTOM, PRICE_TOP, Frame
from engine.report.markup import Html, tag
from engine.report.material import EventRow
from engine.text_table import day

CHARACTER = 6.6
LINE = 12.0
"""Of a label, in units of the page."""

MOST_LEVELS = 5

WEIGHT = {
    **dict.fromkeys((EventKind.SPRING, EventKind.SOS, EventKind.LPS), 0),
    **dict.fromkeys((EventKind.SC, EventKind.AR, EventKind.ST, EventKind.TEST, EventKind.PS), 1),
    **dict.fromkeys((EventKind.SPRING_FAILED, EventKind.SOS_FAILED, EventKind.RANGE_FAILED), 2),
    EventKind.BREAKOUT_WEAK: 2,
}
OTHER = 3

SHORT = {"BREAKOUT_WEAK": "weak breakout", "BREAKDOWN_WEAK": "weak breakdown", "RANGE_FAILED": "range failed",
         "RANGE_FORMED": "range", "SOFT_STOP": "soft stop"}  # fmt: skip


class Box(NamedTuple):
    left: float
    right: float
    top: float
    bottom: float

    def meets(self, other: "Box") -> bool:
        return (
            self.left < other.right and other.left < self.right and self.top < other.bottom and other.top < self.bottom
        )


class Mark(NamedTuple):
    event: EventRow
    place: int
    known: int
    y: float
    is_below: bool


def marks(frame: Frame, events: Sequence[EventRow], *, side: int, most_weight: int) -> list[Html]:
    """`side` is the direction that is told in full, 0 both; lighter events than `most_weight` are left out."""
    shown = [one for one in events if weight(one, side) <= most_weight and one.price is not None]
    shown = [one for one in shown if frame.candles.holds(one.event_ns, one.event_ns)]
    relabelled = {one.supersedes for one in events if one.supersedes}
    taken: list[tuple[str, Box]] = []
    drawn: list[tuple[int, Html]] = []
    for place, one in sorted(enumerate(shown), key=lambda each: (weight(each[1], side), each[0])):
        mark = _mark(frame, one)
        label = _label(frame, mark, taken) if weight(one, side) < OTHER or len(shown) <= 40 else None
        drawn.append((place, _drawn(frame, mark, label, is_old=one.event_id in relabelled, is_far=_far(one, side))))
    return [html for _, html in sorted(drawn, key=lambda each: each[0])]


def weight(event: EventRow, side: int) -> int:
    return WEIGHT.get(event.kind, OTHER) + (1 if _far(event, side) else 0)


def _far(event: EventRow, side: int) -> bool:
    return bool(side) and event.direction != side


def _mark(frame: Frame, event: EventRow) -> Mark:
    place = frame.candles.place(event.event_ns)
    assert event.price is not None
    low, high = float(frame.candles.low[place]), float(frame.candles.high[place])
    y = min(max(frame.price(event.price), PRICE_TOP - 6), PRICE_BOTTOM + 6)
    return Mark(
        event, place, frame.candles.place(event.confirm_ns), y, abs(event.price - low) <= abs(event.price - high)
    )


def _label(frame: Frame, mark: Mark, taken: list[tuple[str, Box]]) -> tuple[str, float, float] | None:
    """(text, x, y) in the first free line beyond the candles it covers; one word is not said twice in a place."""
    text = name_of(mark.event)
    half = len(text) * CHARACTER / 2 + 2
    x = min(max(frame.x(mark.place), half), frame.right - half + 20)
    reach = max(1, int(half / frame.step) + 1)
    first, last = max(0, mark.place - reach), mark.place + reach + 1
    if mark.is_below:
        edge, step = frame.price(float(frame.candles.low[first:last].min())) + 9, LINE
    else:
        edge, step = frame.price(float(frame.candles.high[first:last].max())) - 9, -LINE
    for level in range(MOST_LEVELS):
        middle = edge + step * level
        box = Box(x - half, x + half, middle - LINE / 2, middle + LINE / 2)
        inside = box.top >= PRICE_TOP - 6 and box.bottom <= PRICE_BOTTOM + 8
        met = [said for said, other in taken if box.meets(other)]
        if text in met:
            return None
        if inside and not met:
            taken.append((text, box))
            return text, x, middle + 3.5
    return None


def _drawn(frame: Frame, mark: Mark, label: tuple[str, float, float] | None, *, is_old: bool, is_far: bool) -> Html:
    x, known = frame.x(mark.place), frame.x(mark.known)
    side = "accumulation" if mark.event.direction > 0 else "distribution"
    return tag(
        "g",
        tag("desc", told(mark.event)),
        tag("path", d=f"M{x:.1f} {mark.y:.1f}H{known:.1f}M{known:.1f} {mark.y - 3:.1f}v6", class_="known")
        if mark.known > mark.place
        else None,
        tag("circle", cx=x, cy=mark.y, r=2.2 if is_far else 3),
        tag("text", label[0], x=label[1], y=label[2]) if label else None,
        class_=f"event {side} tip{' old' if is_old else ''}{' far' if is_far else ''}",
        data_k=f"{mark.known}",
    )


def name_of(event: EventRow) -> str:
    name = event_name(event.kind, event.direction)
    return SHORT.get(name, name.replace("_", " ").replace(" FAILED", " failed").replace(" MINOR", " minor"))


def told(event: EventRow) -> str:
    side = "accumulation" if event.direction > 0 else "distribution"
    return "\n".join(_told(event, side))


def _told(event: EventRow, side: str) -> Iterator[str]:
    yield f"{event_name(event.kind, event.direction)}, {side}"
    score = "" if event.score is None else f"score {event.score:.0f}, "
    yield f"{score}phase {event.phase.value}"
    yield f"at {day(iso(event.event_ns))}, price {event.price:.6g}"
    yield f"known {day(iso(event.known_ns))}"
    if event.volume_ratio is not None and event.spread_ratio is not None:
        yield f"volume {event.volume_ratio:.2f} x, range {event.spread_ratio:.2f} x"
