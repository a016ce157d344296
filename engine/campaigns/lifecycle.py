"""The life of a campaign as one table.

An edge that is not in `EDGES` does not exist; states without outgoing edges are terminal. The
value of an edge is the kind of the CampaignChange that announces it.
"""

from engine.messages import CampaignState, EventKind, Phase

FORMED = "CAMPAIGN_FORMED"
ACTIVATED = "CAMPAIGN_ACTIVATED"
PATTERN = "PATTERN_DETECTED"
STATE = "CAMPAIGN_STATE"
COMPLETED = "CAMPAIGN_COMPLETED"
FAILED = "CAMPAIGN_FAILED"

_S = CampaignState

# A dormant campaign may still hold a position, and that position may reach its targets: without
# DORMANT -> COMPLETED a winner could not finish. MARKUP without any fill has to end in EXPIRED.
EDGES: dict[tuple[CampaignState, CampaignState], str] = {
    (_S.FORMING, _S.ACTIVE): ACTIVATED,
    (_S.FORMING, _S.EXPIRED): STATE,
    (_S.FORMING, _S.INVALIDATED): FAILED,
    (_S.ACTIVE, _S.DORMANT): STATE,
    (_S.ACTIVE, _S.MARKUP): STATE,
    (_S.ACTIVE, _S.COMPLETED): COMPLETED,
    (_S.ACTIVE, _S.INVALIDATED): FAILED,
    (_S.DORMANT, _S.ACTIVE): STATE,
    (_S.DORMANT, _S.COMPLETED): COMPLETED,
    (_S.DORMANT, _S.EXPIRED): STATE,
    (_S.DORMANT, _S.INVALIDATED): FAILED,
    (_S.MARKUP, _S.COMPLETED): COMPLETED,
    (_S.MARKUP, _S.EXPIRED): STATE,
    (_S.MARKUP, _S.INVALIDATED): FAILED,
}

TERMINAL = tuple(state for state in CampaignState if all(start is not state for start, _ in EDGES))

PATTERNS = (EventKind.SPRING, EventKind.TEST, EventKind.SOS, EventKind.LPS)
"""Events that form a campaign and count towards its activation."""

FAILURES = (EventKind.SPRING_FAILED, EventKind.RANGE_FAILED)
"""Events after which the structure no longer stands."""

MARKUP = Phase.E
"""The phase in which an active campaign is in markup."""

OPPOSITE = EventKind.SPRING
"""Of the other side, what ends a markup: an upthrust after distribution."""

FOLLOWERS: dict[EventKind, tuple[EventKind, ...]] = {
    EventKind.SPRING: PATTERNS,
    EventKind.TEST: PATTERNS,
    EventKind.SOS: (EventKind.SOS, EventKind.LPS),
    EventKind.LPS: (EventKind.LPS,),
}
"""Which pattern may follow which; after a failed SOS the sequence begins anew."""
