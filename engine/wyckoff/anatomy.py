"""What the parts of an event's score are called, in the order of the weights in `DetectorSettings`.

The parts add up to the score, except where it is capped (a soft stop, a weak breakout and what
follows it, an asset class), lowered (a test with supply), or scaled because a part cannot be there
yet (a quiet spring taken without its test).
"""

from math import isnan

from engine.messages import Event, EventKind

CLIMAX_PARTS = ("volume", "spread", "close off the low", "prior move", "follow-through")
BREAKOUT_PARTS = ("volume", "spread", "close", "distance", "spring and test", "rising lows")
THRUST_PARTS = ("volume", "close", "speed")

PARTS: dict[EventKind, tuple[str, ...]] = {
    EventKind.PS: ("volume", "spread", "reaction"),
    EventKind.SC: CLIMAX_PARTS,
    EventKind.SOFT_STOP: CLIMAX_PARTS,
    EventKind.AR: ("size", "speed", "close", "retracement"),
    EventKind.ST: ("volume drop", "spread drop", "proximity", "holds the low", "close"),
    EventKind.UT: THRUST_PARTS,
    EventKind.SHAKE: THRUST_PARTS,
    EventKind.SPRING: ("volume", "depth", "reclaim speed", "reclaim quality", "level", "background", "test"),
    EventKind.TEST: ("spring", "test"),
    EventKind.SOS: BREAKOUT_PARTS,
    EventKind.BREAKOUT_WEAK: BREAKOUT_PARTS,
    EventKind.SOS_MINOR: BREAKOUT_PARTS,
    EventKind.LPS: ("dry-up", "spread", "proximity", "hold", "bounce", "breakout"),
    EventKind.LPS_INSIDE: ("dry-up", "spread", "hold of the middle", "above the test", "bounce", "test"),
}
"""Kinds that are not here have no parts."""

UPTHRUST_PARTS = ("close-back speed", "failure close", "extreme volume", "supply before", "test")
"""Of a SPRING of direction -1."""


def score_parts(event: Event) -> dict[str, float]:
    """The points of each part that is there, by name."""
    upthrust = event.kind is EventKind.SPRING and event.direction < 0
    names = UPTHRUST_PARTS if upthrust else PARTS.get(event.kind, ())
    points = (event.part_1, event.part_2, event.part_3, event.part_4, event.part_5, event.part_6, event.part_7)
    return {name: value for name, value in zip(names, points, strict=False) if not isnan(value)}
