"""Asking the strategies: what each sees of one event or mark, and the candidates that come back.

Strategies are pure; all they may know is in the `Moment`. A proposal that cannot be traded is
kept out here, and the words for it go into the campaign's note. What concerns every strategy is
asked here too: bars in doubt, and symbols that are left alone after a loss.
"""

from collections.abc import Sequence

from engine.campaigns.book import CampaignBook
from engine.campaigns.entries import Candidate, flaw
from engine.campaigns.priority import millionths, order_key, proposal_score
from engine.campaigns.state import Campaign
from engine.messages import Event, EventKind, Leg, StrategyMark
from engine.ports import Decline, Moment, Proposal, Strategy

LONG = 1
"""Only accumulation is traded; a distribution can end a markup."""

NO_LEVEL = float("nan")

TAINTED = "DATA_TAINT"
COOLDOWN = "STRAT_COOLDOWN"

FALLS = (EventKind.SPRING, EventKind.TEST)


class Proposals:
    """Usable proposals of one moment, and a phrase about all of them."""

    def __init__(self, answers: Sequence[tuple[str, Proposal | Decline]]) -> None:
        """`answers` are (strategy, what it said)."""
        self.usable: list[Proposal] = []
        self.cautions: list[tuple[str, Decline]] = []
        self.declines: list[tuple[str, Decline]] = []
        flaws: list[str] = []
        for strategy, one in answers:
            if isinstance(one, Decline):
                self.declines.append((strategy, one))
            elif found := flaw(one):
                flaws.append(f"{one.leg} unusable: {found}")
            else:
                self.usable.append(one)
                self.cautions += [(strategy, caution) for caution in one.cautions]
        entries = [f"{one.leg} proposed" for one in self.usable]
        self.phrase = ", ".join(entries + flaws) or "no entry proposed"


class Proposer:
    def __init__(self, book: CampaignBook, strategies: Sequence[Strategy]) -> None:
        self._book = book
        self._strategies = tuple(strategies)

    def on_event(self, campaign: Campaign, event: Event) -> Proposals:
        moment = self._moment(campaign, event, None)
        against = self._objection(event, (event.event_ns, event.confirm_ns))
        said = ((one.name, said) for one in self._strategies for said in one.propose(moment))
        return Proposals([(name, _unless(against, one)) for name, one in said])

    def on_mark(self, campaign: Campaign | None, mark: StrategyMark) -> Proposals:
        """Only the strategy that made the mark is asked."""
        moment = self._moment(campaign, None, mark)
        named = [strategy for strategy in self._strategies if strategy.name == mark.strategy]
        against = self._objection(mark, (mark.open_ns, mark.open_ns))
        return Proposals([(one.name, _unless(against, said)) for one in named for said in one.propose(moment)])

    def _objection(self, seen: Event | StrategyMark, bars_ns: tuple[int, int]) -> Decline | None:
        """What speaks against any entry on this: a bar that it was seen on is in doubt, or a cooldown."""
        if self._book.tainted(seen.symbol, seen.timeframe, bars_ns):
            return Decline(TAINTED, 1.0, 0.0, "DATA")
        left = self._book.cooldown_bars(seen.symbol, LONG)
        return Decline(COOLDOWN, float(left), 0.0, "STRATEGY") if left else None

    def _moment(self, campaign: Campaign | None, event: Event | None, mark: StrategyMark | None) -> Moment:
        seen = event or mark
        assert seen is not None
        phase, confidence = self._book.phase((seen.symbol, seen.timeframe, LONG))
        atr_rank, volume_rank = self._ranks(event)
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
            spring_volume_ratio=campaign.spring_volume_ratio if campaign else NO_LEVEL,
            atr_rank=atr_rank,
            volume_rank=volume_rank,
        )

    def _ranks(self, event: Event | None) -> tuple[float, float]:
        """Only of what may end a fall: nothing else is judged by them."""
        if event is None or event.kind not in FALLS or not event.close:
            return NO_LEVEL, NO_LEVEL
        volatility = event.atr / abs(event.close)
        return self._book.bars.ranks(event.symbol, event.timeframe, volatility=volatility, volume=event.volume_ratio)


def _unless(against: Decline | None, said: Proposal | Decline) -> Proposal | Decline:
    """A proposal that something speaks against becomes a decline; others are told as they are."""
    return against if against is not None and isinstance(said, Proposal) else said


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
