"""The life of a campaign as one table, and how campaigns are named.

An edge that is not in `EDGES` does not exist; states without outgoing edges are terminal. The
value of an edge is the kind of the CampaignChange that announces it.
"""

import re
from datetime import date, timedelta
from typing import NamedTuple

from engine.messages import CampaignState, EventKind
from engine.timeframes import DAY_NS

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

FOLLOWERS: dict[EventKind, tuple[EventKind, ...]] = {
    EventKind.SPRING: PATTERNS,
    EventKind.TEST: PATTERNS,
    EventKind.SOS: (EventKind.SOS, EventKind.LPS),
    EventKind.LPS: (EventKind.LPS,),
}
"""Which pattern may follow which; after a failed SOS the sequence begins anew."""


class CampaignName(NamedTuple):
    symbol: str
    date: str
    ordinal: int


_NAME = re.compile(r"^(.+)-(\d{4}-\d{2}-\d{2})(?:\.(\d+))?$")


def base_name(symbol: str, range_start_ns: int) -> str:
    """`{symbol}-{UTC date of the first range bar}`."""
    return f"{symbol}-{date(1970, 1, 1) + timedelta(days=range_start_ns // DAY_NS)}"


def numbered_name(base: str, ordinal: int) -> str:
    """The first campaign of a base name carries it plainly, the second as `.2`, and so on."""
    return base if ordinal == 1 else f"{base}.{ordinal}"


def parse_name(campaign: str) -> CampaignName:
    """Inverse of naming; symbols may hold dashes and slashes. Raises ValueError."""
    found = _NAME.match(campaign)
    if found is None:
        raise ValueError(f"campaign id must be symbol-YYYY-MM-DD[.n], was {campaign}")
    return CampaignName(found[1], found[2], int(found[3] or 1))
