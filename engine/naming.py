"""What an event is called on each side: the mirrors have names of their own.

The engine knows events by their accumulation names and a direction. Exports and charts speak the
language of the field, in which the mirror of a spring is an upthrust after distribution.
"""

from engine.messages import EventKind

MIRRORS = {
    EventKind.PS: "PSY",
    EventKind.SC: "BC",
    EventKind.UT: "SHAKE",
    EventKind.SPRING: "UTAD",
    EventKind.SPRING_FAILED: "UTAD_FAILED",
    EventKind.SOS: "SOW",
    EventKind.SOS_FAILED: "SOW_FAILED",
    EventKind.LPS: "LPSY",
    EventKind.BREAKOUT_WEAK: "BREAKDOWN_WEAK",
    EventKind.SHAKE: "UT",
    EventKind.SOS_MINOR: "SOW_MINOR",
    EventKind.LPS_INSIDE: "LPSY_INSIDE",
    EventKind.SUPPLY_WARNING: "DEMAND_WARNING",
}
"""Names for direction -1 where they differ; AR, ST, TEST and RANGE_FAILED are the same word."""


NAMES = tuple(dict.fromkeys(name for kind in EventKind for name in (kind.value, MIRRORS.get(kind, kind.value))))
"""Every name, in the order of the vocabulary, each beside its mirror."""


def event_name(kind: EventKind, direction: int) -> str:
    """The field's word for `kind` on the side of `direction` (+1 accumulation, -1 distribution)."""
    return MIRRORS.get(kind, kind.value) if direction < 0 else kind.value
