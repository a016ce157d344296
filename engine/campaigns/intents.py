"""The four intents of a bracket, built in one place: ENTER, CANCEL, MOVE_STOP, EXIT.

A field an action does not use is zero. Ids count within the bracket, so they are functions of
its history.
"""

from decimal import Decimal

import msgspec

from engine.campaigns.performance import ZERO
from engine.campaigns.state import Bracket, Campaign
from engine.messages import Action, Intent, OrderKind


class Plan(msgspec.Struct, frozen=True):
    """A proposal on the tick: `entry_price` is the trigger (0 for a limit), `limit_price` the worst."""

    kind: OrderKind
    entry_price: Decimal
    limit_price: Decimal
    stop_price: Decimal
    targets: tuple[Decimal, Decimal, Decimal]


def enter(campaign: Campaign, bracket: Bracket, plan: Plan, *, now_ns: int, score: float, reason: str) -> Intent:
    return Intent(
        intent_id=f"{bracket.group}/{Action.ENTER}",
        action=Action.ENTER,
        campaign=campaign.campaign,
        leg=bracket.leg,
        group=bracket.group,
        symbol=campaign.symbol,
        timeframe=campaign.timeframe,
        direction=campaign.direction,
        decision_ns=now_ns,
        expires_ns=bracket.expires_ns,
        entry_kind=plan.kind,
        entry_price=plan.entry_price,
        limit_price=plan.limit_price,
        stop_price=plan.stop_price,
        target_1=plan.targets[0],
        target_2=plan.targets[1],
        target_3=plan.targets[2],
        risk_bp=bracket.risk_bp,
        score=score,
        reason=reason,
    )


def cancel(campaign: Campaign, bracket: Bracket, *, now_ns: int, reason: str) -> Intent:
    """Takes back the bracket's entry."""
    return _bare(campaign, bracket, (Action.CANCEL, ""), now_ns=now_ns, reason=reason)


def leave(campaign: Campaign, bracket: Bracket, *, now_ns: int, reason: str) -> Intent:
    """Closes what the bracket holds. `bracket.exits` has been counted up for it."""
    return _bare(campaign, bracket, (Action.EXIT, f"-{bracket.exits}"), now_ns=now_ns, reason=reason)


def move_stop(campaign: Campaign, bracket: Bracket, *, now_ns: int, reason: str) -> Intent:
    """Puts the stop at `bracket.stop_price`. `bracket.stops` has been counted up for it."""
    named = (Action.MOVE_STOP, f"-{bracket.stops}")
    return _bare(campaign, bracket, named, now_ns=now_ns, reason=reason, stop_price=bracket.stop_price)


def _bare(
    campaign: Campaign,
    bracket: Bracket,
    named: tuple[Action, str],
    *,
    now_ns: int,
    reason: str,
    stop_price: Decimal = ZERO,
) -> Intent:
    """An intent without a plan. `named` is its action and what follows that in its id."""
    action, suffix = named
    return Intent(
        intent_id=f"{bracket.group}/{action}{suffix}",
        action=action,
        campaign=campaign.campaign,
        leg=bracket.leg,
        group=bracket.group,
        symbol=campaign.symbol,
        timeframe=campaign.timeframe,
        direction=campaign.direction,
        decision_ns=now_ns,
        expires_ns=0,
        entry_kind=OrderKind.MARKET,
        entry_price=ZERO,
        limit_price=ZERO,
        stop_price=stop_price,
        target_1=ZERO,
        target_2=ZERO,
        target_3=ZERO,
        risk_bp=ZERO,
        score=0.0,
        reason=reason,
    )
