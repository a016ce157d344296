"""What events and campaigns are called.

The engine knows events by their accumulation names and a direction. Exports and charts speak the
language of the field, in which the mirror of a spring is an upthrust after distribution. A campaign
is named by its symbol and the day its range began.
"""

import re
from datetime import date, timedelta
from functools import lru_cache
from typing import NamedTuple

from engine.messages import EventKind
from engine.timeframes import DAY_NS

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


DAYS_KEPT = 4_096
"""Dates whose text is remembered; many campaigns begin on one day."""


class CampaignName(NamedTuple):
    symbol: str
    date: str
    ordinal: int


_NAME = re.compile(r"^(.+)-(\d{4}-\d{2}-\d{2})(?:\.(\d+))?$")


def base_name(symbol: str, range_start_ns: int) -> str:
    """`{symbol}-{UTC date of the first range bar}`."""
    return f"{symbol}-{_day(range_start_ns // DAY_NS)}"


@lru_cache(maxsize=DAYS_KEPT)
def _day(number: int) -> str:
    """The date of a day, counted from the epoch."""
    return str(date(1970, 1, 1) + timedelta(days=number))


def numbered_name(base: str, ordinal: int) -> str:
    """The first campaign of a base name carries it plainly, the second as `.2`, and so on."""
    return base if ordinal == 1 else f"{base}.{ordinal}"


def parse_name(campaign: str) -> CampaignName:
    """Inverse of naming; symbols may hold dashes and slashes. Raises ValueError."""
    found = _NAME.match(campaign)
    if found is None:
        raise ValueError(f"campaign id must be symbol-YYYY-MM-DD[.n], was {campaign}")
    return CampaignName(found[1], found[2], int(found[3] or 1))
