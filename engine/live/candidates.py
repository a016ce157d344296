"""What the next signal of each open campaign would add to heat: known before it comes, as its share of the cap is."""

from collections.abc import Iterator
from decimal import Decimal
from math import ceil
from typing import Final

from engine.app import Line
from engine.campaigns.allocation import entry_risk_bp
from engine.campaigns.settings import CampaignSettings
from engine.campaigns.state import LEGS, Campaign
from engine.control.status import CandidateView
from engine.messages import EventKind, Leg

BEST_SCORE: Final = 100.0
"""A weaker signal may ask less, never more."""

OF_PATTERN: Final = {EventKind.SPRING: Leg.SPRING, EventKind.TEST: Leg.SPRING, EventKind.SOS: Leg.SOS,
                     EventKind.LPS: Leg.LPS}  # fmt: skip


def candidates(line: Line, settings: CampaignSettings, heat_bp: int | None, limit_bp: int) -> Iterator[CandidateView]:
    """In the order in which the campaigns were formed. Risk is rounded up, as heat is."""
    for one in line.campaigns.campaigns:
        leg = next_leg(one)
        if leg is None:
            continue
        point_value = line.table.named(one.symbol).point_value
        risk_bp = entry_risk_bp(settings, one, leg=leg, score=BEST_SCORE, point_value=point_value)
        if risk_bp:
            yield _candidate(one, leg, risk_bp, (heat_bp, limit_bp))


def next_leg(campaign: Campaign) -> Leg | None:
    """The first that no entry has been made for, not before the pattern that was seen last."""
    if campaign.broken or not campaign.adds:
        return None
    begun = [LEGS.index(leg) + 1 for leg in (*campaign.taken, *campaign.asked)]
    pattern = OF_PATTERN.get(campaign.last_pattern) if campaign.last_pattern else None
    place = max([LEGS.index(pattern) if pattern else 0, *begun])
    return LEGS[place] if place < len(LEGS) else None


def _candidate(one: Campaign, leg: Leg, risk_bp: Decimal, heat: tuple[int | None, int]) -> CandidateView:
    heat_bp, limit_bp = heat
    projected_bp = None if heat_bp is None else heat_bp + ceil(risk_bp)
    return CandidateView(
        campaign=one.campaign,
        symbol=one.symbol,
        direction=one.direction,
        leg=leg.value,
        risk_bp=risk_bp,
        projected_bp=projected_bp,
        limit_bp=limit_bp,
        passes=projected_bp is not None and projected_bp < limit_bp,
    )
