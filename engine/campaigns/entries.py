"""From a proposal to an ENTER intent: priced on the tick, checked, given its budget.

Every entry has a worst price, a stop below it and targets above it, so that the risk the gate
approves bounds the risk that can be filled. What is not entered says why.
"""

from collections.abc import Iterator
from math import isfinite

import msgspec

from engine.campaigns import intents
from engine.campaigns.allocation import BP_PER_PERCENT, budget_left_bp, entry_risk_bp
from engine.campaigns.book import CampaignBook
from engine.campaigns.intents import Plan
from engine.campaigns.lifecycle import PATTERN
from engine.campaigns.performance import ZERO
from engine.campaigns.positions import ask_cancel
from engine.campaigns.priority import OrderKey
from engine.campaigns.state import LEGS, Bracket, Campaign
from engine.campaigns.watches import OWNER, Purpose
from engine.instruments import price_above, price_below
from engine.messages import Instrument, Leg, Message, OrderKind, Warned
from engine.ports import Decline, Proposal
from engine.timeframes import usual_length_ns

SOS_CLOSES = 2
"""Closes under the structure that a leg above the range forgives but the last."""

LOW_BUDGET = "BUDGET_LOW"


class Candidate(msgspec.Struct, frozen=True):
    """One entry that a strategy wants. `invalid_price` is the close that breaks its structure."""

    order: OrderKey
    campaign: Campaign
    proposal: Proposal
    score: float
    invalid_price: float


def flaw(proposal: Proposal) -> str:
    """Why a proposal cannot be traded at all, or ""."""
    prices = (proposal.worst, proposal.stop, *proposal.targets)
    if proposal.kind not in (OrderKind.LIMIT, OrderKind.STOP_LIMIT):
        return f"an entry needs a worst price, was {proposal.kind}"
    if not all(isfinite(price) for price in (*prices, proposal.score)):
        return "prices and score must be finite"
    if proposal.kind is OrderKind.STOP_LIMIT and not proposal.stop < proposal.trigger <= proposal.worst:
        return "trigger must lie above the stop and not above the worst price"
    if not proposal.stop < proposal.worst < proposal.targets[0]:
        return "worst price must lie between stop and first target"
    if not proposal.targets[0] <= proposal.targets[1] <= proposal.targets[2]:
        return "targets must be nearest first"
    return "" if proposal.valid_bars >= 1 else "must be valid for a bar"


def priced(instrument: Instrument, proposal: Proposal) -> Plan:
    """On the tick: entry and stop away from the market, targets towards it."""
    trigger = price_above(instrument, proposal.trigger) if proposal.kind is OrderKind.STOP_LIMIT else ZERO
    first, second, third = (price_below(instrument, target) for target in proposal.targets)
    return Plan(
        kind=proposal.kind,
        entry_price=trigger,
        limit_price=price_above(instrument, proposal.worst),
        stop_price=price_below(instrument, proposal.stop),
        targets=(first, second, third),
    )


def admit(book: CampaignBook, candidate: Candidate) -> Iterator[Message]:
    """The entry, with the waiting entries that it replaces taken back; or a note why not."""
    campaign, proposal = candidate.campaign, candidate.proposal
    instrument = book.table.named(campaign.symbol)
    refusal = _refusal(campaign, proposal.leg, book.settings.max_positions)
    risk_bp = entry_risk_bp(
        book.settings, campaign, leg=proposal.leg, score=proposal.score, point_value=instrument.point_value
    )
    if refusal or risk_bp <= 0:
        yield book.note(campaign, PATTERN, f"{proposal.leg} not entered: {refusal or 'no budget left'}")
        return
    for older in campaign.brackets:
        if older.is_waiting and LEGS.index(older.leg) <= LEGS.index(proposal.leg):
            yield from ask_cancel(book, campaign, older, cause=f"replaced by a new {proposal.leg}")
    plan = priced(instrument, proposal)
    attempt = 1 + sum(1 for one in campaign.brackets if one.leg is proposal.leg)
    bracket = Bracket(
        group=f"{campaign.campaign}/{proposal.leg}/{attempt}",
        leg=proposal.leg,
        expires_ns=book.now_ns + proposal.valid_bars * usual_length_ns(campaign.timeframe),
        first_stop=plan.stop_price,
        stop_price=plan.stop_price,
        risk_bp=risk_bp,
        invalid_price=candidate.invalid_price,
        closes_left=1 if proposal.leg is Leg.SPRING else SOS_CLOSES,
    )
    book.add(campaign, bracket)
    yield from _low_budget(book, campaign, bracket, instrument)
    lapse_ns = min(bracket.expires_ns, book.now_ns + book.settings.answer_ns)
    yield book.watches.at_time(bracket.group, Purpose.LAPSE, time_ns=lapse_ns, now_ns=book.now_ns)
    yield intents.enter(campaign, bracket, plan, now_ns=book.now_ns, score=candidate.score, reason=proposal.reason)


def _refusal(campaign: Campaign, leg: Leg, most: int) -> str:
    if campaign.broken:
        return f"structure broken: {campaign.broken}"
    if not campaign.adds:
        return "campaign adds no more"
    later = [one for one in campaign.taken if LEGS.index(one) >= LEGS.index(leg)]
    if later:
        return f"{later[0]} is taken"
    held = sum(1 for one in campaign.brackets if one.lot.open)
    return f"{held} positions are held" if held >= most else ""


def warned(book: CampaignBook, campaign: Campaign, one: Decline, *, subject: str, source: str) -> Warned:
    return Warned(
        time_ns=book.now_ns,
        campaign=campaign.campaign,
        symbol=campaign.symbol,
        subject=subject,
        source=source,
        stage=one.stage,
        code=one.code,
        value=one.value,
        limit=one.limit,
        margin=one.limit - one.value,
    )


def _low_budget(book: CampaignBook, campaign: Campaign, bracket: Bracket, instrument: Instrument) -> Iterator[Warned]:
    """Says that after this entry little is left of what the campaign may risk."""
    left_bp = budget_left_bp(book.settings, campaign, instrument.point_value)
    limit_bp = book.settings.low_budget_percent * BP_PER_PERCENT
    if left_bp < limit_bp:
        found = Decline(LOW_BUDGET, float(left_bp), float(limit_bp), "RISK")
        yield warned(book, campaign, found, subject=bracket.group, source=OWNER)
