"""How much a leg may risk: the 40/30/30 split, moved by what was really filled.

A leg that was never filled counts as skipped and its share goes to the next leg that is taken:
the cap rises, the risk of a pattern does not. What is open, pending or lost has used its part.
"""

from collections.abc import Sequence
from decimal import ROUND_DOWN, Decimal

from engine.campaigns.performance import ZERO, initial_risk, realised, total
from engine.campaigns.settings import CampaignSettings
from engine.campaigns.state import LEGS, Bracket, Campaign
from engine.instruments import MONEY
from engine.messages import Leg

BP_PER_PERCENT = Decimal(100)
FINEST_BP = Decimal("0.0001")


def share_percent(settings: CampaignSettings, leg: Leg, taken: Sequence[Leg], score: float) -> Decimal:
    """The leg's share of the campaign cap, in percent: its own and that of legs skipped before it.

    0 where the leg is not worth a campaign of its own: an LPS after nothing needs its own score.
    """
    share = settings.split_percent.of(leg)
    for earlier in reversed(LEGS[: LEGS.index(leg)]):
        if earlier in taken:
            return share
        share += settings.split_percent.of(earlier)
    alone_and_weak = leg is Leg.LPS and score < settings.lps_alone_score
    return ZERO if alone_and_weak else share


def used_bp(bracket: Bracket, direction: int, point_value: Decimal) -> Decimal:
    """What a bracket uses of the budget: all it asked for while its entry may still fill, then
    what is left at risk down to its current stop plus what it has lost."""
    if bracket.is_waiting:
        return bracket.risk_bp
    if not bracket.is_taken:
        return ZERO
    risk = initial_risk(bracket.lot, bracket.first_stop, direction, point_value)
    if not risk:
        return bracket.risk_bp
    distance = MONEY.multiply(MONEY.subtract(bracket.lot.entry_price, bracket.stop_price), Decimal(direction))
    at_risk = MONEY.multiply(MONEY.multiply(max(ZERO, distance), bracket.lot.open), point_value)
    lost = max(ZERO, -realised(bracket.lot, direction, point_value))
    used = MONEY.divide(MONEY.multiply(bracket.risk_bp, MONEY.add(at_risk, lost)), risk)
    return max(used, bracket.risk_bp) if bracket.entry_live else used


def budget_left_bp(settings: CampaignSettings, campaign: Campaign, point_value: Decimal) -> Decimal:
    """What the campaign may still risk, in basis points of equity."""
    used = total([used_bp(one, campaign.direction, point_value) for one in campaign.brackets])
    return MONEY.subtract(settings.cap_percent * BP_PER_PERCENT, used)


def entry_risk_bp(
    settings: CampaignSettings, campaign: Campaign, *, leg: Leg, score: float, point_value: Decimal
) -> Decimal:
    """What a new entry of `leg` may risk, in basis points of equity; 0 refuses it."""
    cap_bp = settings.cap_percent * BP_PER_PERCENT
    share = share_percent(settings, leg, campaign.taken, score)
    slice_bp = MONEY.divide(MONEY.multiply(cap_bp, share), Decimal(100))
    used = [used_bp(one, campaign.direction, point_value) for one in campaign.brackets]
    of_leg = [amount for one, amount in zip(campaign.brackets, used, strict=True) if one.leg is leg]
    risk_bp = min(
        settings.pattern_percent.of(leg) * BP_PER_PERCENT,
        MONEY.subtract(slice_bp, total(of_leg)),
        MONEY.subtract(cap_bp, total(used)),
        settings.trade_percent * BP_PER_PERCENT,
    )
    return max(ZERO, risk_bp).quantize(FINEST_BP, ROUND_DOWN, MONEY)
