"""Asking the strategies: what each sees of one event or mark, and the candidates that come back.

Strategies are pure; all they may know is in the `Moment`. A proposal that cannot be traded is
kept out here, and the words for it go into the campaign's note.
"""

from collections.abc import Sequence

from engine.campaigns.book import CampaignBook
from engine.campaigns.entries import Candidate, flaw
from engine.campaigns.priority import millionths, order_key, proposal_score
from engine.campaigns.state import Campaign
from engine.messages import Event, Leg, StrategyMark
from engine.ports import Decline, Moment, Proposal, Strategy

LONG = 1
"""Only accumulation is traded; a distribution can end a markup."""

NO_LEVEL = float("nan")


class Proposals:
    """Usable proposals of one moment, and a phrase about all of them."""

    def __init__(self, answers: Sequence[tuple[str, Proposal | Decline]]) -> None:
        """`answers` are (strategy, what it said)."""
        proposals = [one for _, one in answers if isinstance(one, Proposal)]
        self.declines = [(strategy, one) for strategy, one in answers if isinstance(one, Decline)]
        self.usable = [one for one in proposals if not flaw(one)]
        flaws = [f"{one.leg} unusable: {flaw(one)}" for one in proposals if flaw(one)]
        entries = [f"{one.leg} proposed" for one in self.usable]
        self.phrase = ", ".join(entries + flaws) or "no entry proposed"


class Proposer:
    def __init__(self, book: CampaignBook, strategies: Sequence[Strategy]) -> None:
        self._book = book
        self._strategies = tuple(strategies)

    def on_event(self, campaign: Campaign, event: Event) -> Proposals:
        moment = self._moment(campaign, event, None)
        return Proposals([(one.name, said) for one in self._strategies for said in one.propose(moment)])

    def on_mark(self, campaign: Campaign | None, mark: StrategyMark) -> Proposals:
        """Only the strategy that made the mark is asked."""
        moment = self._moment(campaign, None, mark)
        named = [strategy for strategy in self._strategies if strategy.name == mark.strategy]
        return Proposals([(one.name, said) for one in named for said in one.propose(moment)])

    def _moment(self, campaign: Campaign | None, event: Event | None, mark: StrategyMark | None) -> Moment:
        seen = event or mark
        assert seen is not None
        phase, confidence = self._book.phase((seen.symbol, seen.timeframe, LONG))
        return Moment(
            decision_ns=self._book.now_ns,
            instrument=self._book.table.named(seen.symbol),
            event=event,
            mark=mark,
            phase=phase,
            confidence=confidence,
            taken=campaign.taken if campaign else (),
            asked=campaign.asked if campaign else (),
            spring_low=campaign.spring_low if campaign else NO_LEVEL,
        )


def candidate(campaign: Campaign, proposal: Proposal, seen: Event | StrategyMark) -> Candidate:
    score = millionths(proposal_score(proposal)) / 1_000_000
    confirm_ns = seen.confirm_ns if isinstance(seen, Event) else seen.open_ns
    return Candidate(
        order=order_key(score, confirm_ns, campaign.symbol, campaign.timeframe, campaign.campaign),
        campaign=campaign,
        proposal=proposal,
        score=score,
        invalid_price=_invalid_price(campaign, proposal.leg, seen),
    )


def _invalid_price(campaign: Campaign, leg: Leg, seen: Event | StrategyMark) -> float:
    """A spring stands on its low, what follows stands above the range; a mark on nothing."""
    if not isinstance(seen, Event):
        return NO_LEVEL
    return campaign.spring_low if leg is Leg.SPRING else seen.resistance - seen.atr
