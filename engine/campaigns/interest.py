"""What the campaign manager reacts to: what becomes known anywhere else need not stop the line.

A pattern may begin a campaign wherever it is seen. Every other event of the side that is traded only
moves a campaign that lives, as does the phase that begins a markup; of the other side, one event ends it.
"""

from engine.campaigns.lifecycle import MARKUP, OPPOSITE, PATTERNS
from engine.campaigns.moments import LONG
from engine.messages import EventKind, Phase
from engine.sightings import Concern


def concern(seen: EventKind | Phase, direction: int) -> Concern:
    """Of an event by its kind, of a phase change by the phase that begins."""
    if isinstance(seen, Phase):
        return Concern.CAMPAIGN if seen is MARKUP and direction == LONG else Concern.NEVER
    if direction == LONG:
        return Concern.ALWAYS if seen in PATTERNS else Concern.CAMPAIGN
    return Concern.CAMPAIGN if seen is OPPOSITE else Concern.NEVER
