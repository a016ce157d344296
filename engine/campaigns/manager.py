"""CampaignManager: the stage between what is seen and what is wished.

At one decision point facts come first, then exits and stop moves, then entries, best score first.
Market data passes through untouched; only its closed bars are counted. Refusals are never heard of:
what was not accepted in time has lapsed.
"""

from collections.abc import Iterable, Iterator, Sequence

from engine.blocks import MarketBlock
from engine.campaigns import clock, commands, positions
from engine.campaigns.book import CampaignBook
from engine.campaigns.entries import Candidate, admit, warned
from engine.campaigns.lifecycle import FAILURES, FOLLOWERS, FORMED, MARKUP, OPPOSITE, PATTERN, PATTERNS
from engine.campaigns.lots import ZERO
from engine.campaigns.moments import LONG, Proposals, Proposer, candidate
from engine.campaigns.settings import CampaignSettings
from engine.campaigns.state import Campaign
from engine.campaigns.watches import Purpose, parse_watch
from engine.instruments import InstrumentTable
from engine.messages import (
    NEVER_NS,
    Accepted,
    BarTaint,
    CampaignState,
    Cancelled,
    Command,
    Declined,
    Detections,
    Event,
    EventKind,
    Expired,
    Fill,
    Leg,
    Message,
    NotSent,
    PhaseChange,
    Rejected,
    StrategyMark,
    SymbolStatus,
    Watched,
)
from engine.ports import Item, Strategy
from engine.sightings import Shown, Sightings

ENDINGS: dict[type[Message], str] = {
    Rejected: "rejected",
    Cancelled: "cancelled",
    Expired: "expired",
    NotSent: "not sent",
}

REPORTS = (Fill, Accepted, Rejected, Cancelled, Expired, NotSent)

HEARD = frozenset((Detections, Watched, Command, SymbolStatus, *REPORTS))
"""What may move a campaign."""


class _Decision:
    """What one Detections message has led to so far, besides facts."""

    def __init__(self) -> None:
        self.abandoned: list[tuple[Campaign, str]] = []
        self.cancelled: list[tuple[Campaign, str]] = []
        self.candidates: list[Candidate] = []


class CampaignManager:
    """`timeframes` is the session's table, which `Bars.timeframe` indexes. What is detected before
    `trades_from_ns` is history: phases are followed, no campaign is formed."""

    def __init__(
        self,
        settings: CampaignSettings,
        table: InstrumentTable,
        timeframes: tuple[str, ...],
        strategies: Sequence[Strategy],
        trades_from_ns: int = NEVER_NS,
    ) -> None:
        self._trades_from_ns = trades_from_ns
        self._book = CampaignBook(settings, table, timeframes)
        self._settings = settings
        self._proposer = Proposer(self._book, strategies)

    @property
    def campaigns(self) -> tuple[Campaign, ...]:
        """Those that have not ended, in the order in which they were formed."""
        return tuple(self._book.campaigns.values())

    def process(self, message: Item) -> Iterable[Item]:
        if isinstance(message, MarketBlock):
            self._book.bars.see(message)
            return (message,) if message.known is None else (message, *self._learn(message.known))
        if type(message) in HEARD:
            assert isinstance(message, Message)
            return (message, *self._react(message))
        if isinstance(message, BarTaint):
            self._book.taint(message)
        return (message,)

    def _learn(self, known: Sightings) -> Iterable[Message]:
        """Market ends a piece at a point that may concern a campaign: only the last one may."""
        self._book.follow(known.phases)
        self._book.advance(known.decision_ns)
        detections = known.concerning(self._book.living)
        return () if detections is None else self._detect(detections)

    def _react(self, message: Message) -> Iterable[Message]:
        """What the message leads to. Nothing below is asked for it, so it may be made at once."""
        if isinstance(message, Watched):
            return self._watched(message)
        if isinstance(message, Command):
            return commands.obey(self._book, message)
        if isinstance(message, SymbolStatus):
            return commands.withdraw(self._book, message)
        if isinstance(message, Detections):
            self._book.follow(map(shown, message.phases))
            self._book.advance(message.decision_ns)
            return self._detect(message)
        assert isinstance(message, REPORTS)
        self._book.advance(message.time_ns)
        if isinstance(message, Fill):
            return positions.on_fill(self._book, message)
        if isinstance(message, Accepted):
            return positions.on_accepted(self._book, message.order_id)
        filled = message.filled if isinstance(message, Cancelled | Expired) else ZERO
        return positions.on_ended(self._book, message.order_id, cause=ENDINGS[type(message)], filled=filled)

    def snapshot(self) -> bytes:
        return self._book.snapshot()

    def restore(self, data: bytes) -> None:
        self._book.restore(data)

    def _watched(self, message: Watched) -> Iterator[Message]:
        if not self._book.watches.fired(message.watch_id):
            return
        self._book.advance(message.time_ns)
        subject, purpose = parse_watch(message.watch_id)
        if purpose is Purpose.CLOCK:
            yield from clock.on_clock(self._book, self._book.campaigns[subject])
        else:
            yield from positions.on_watched(self._book, subject, purpose, message)

    # ------------------------------------------------------------------ one decision point

    def _detect(self, detections: Detections) -> Iterator[Message]:
        decision = _Decision()
        for change in detections.phases:
            yield from self._phase(change)
        if detections.decision_ns < self._trades_from_ns:
            return
        for event in detections.events:
            yield from self._event(event, decision)
        for mark in detections.marks:
            yield from self._mark(mark, decision)
        if decision.cancelled or decision.abandoned:
            yield from self._exits(decision)
        if decision.candidates:
            yield from self._entries(decision)

    def _exits(self, decision: _Decision) -> Iterator[Message]:
        for campaign, cause in decision.cancelled:
            for bracket in campaign.brackets:
                if bracket.is_waiting and bracket.leg is not Leg.SPRING:
                    yield from positions.ask_cancel(self._book, campaign, bracket, cause=cause)
        for campaign, cause in decision.abandoned:
            yield from positions.abandon(self._book, campaign, cause)

    def _entries(self, decision: _Decision) -> Iterator[Message]:
        """One entry per leg and decision: a second proposal for it has the lower score."""
        asked: dict[tuple[str, Leg], None] = {}
        for entry in sorted(decision.candidates, key=lambda one: one.order):
            leg = (entry.campaign.campaign, entry.proposal.leg)
            if leg not in asked and entry.campaign.campaign in self._book.campaigns:
                asked[leg] = None
                yield from admit(self._book, entry)

    # ------------------------------------------------------------------------------- facts

    def _phase(self, change: PhaseChange) -> Iterator[Message]:
        campaign = self._book.find((change.symbol, change.timeframe, change.direction, change.range_start_ns))
        if campaign is None or change.phase is not MARKUP:
            return
        yield from clock.hear(self._book, campaign, "phase E")
        if campaign.state is CampaignState.ACTIVE:
            yield from self._book.step(campaign, CampaignState.MARKUP, "phase E")

    def _event(self, event: Event, decision: _Decision) -> Iterator[Message]:
        if event.direction != LONG:
            self._opposite(event, decision)
            return
        key = (event.symbol, event.timeframe, event.direction, event.range_start_ns)
        campaign = self._book.find(key)
        if campaign is None:
            if event.kind not in PATTERNS or self._book.is_over(key):
                return
            campaign = self._book.form(key)
            yield from self._begin(campaign, f"{event.kind} {event.event_id}")
        if event.kind in FAILURES:
            yield from self._fail(campaign, event, decision)
            return
        yield from clock.hear(self._book, campaign, f"{event.kind} {event.event_id}")
        if event.kind is EventKind.SOS_FAILED:
            campaign.last_pattern = None
            decision.cancelled.append((campaign, f"{event.kind} {event.event_id}"))
        yield from self._pattern(campaign, event, decision)

    def _pattern(self, campaign: Campaign, event: Event, decision: _Decision) -> Iterator[Message]:
        counts = event.kind in PATTERNS
        last = campaign.last_pattern
        if counts and last is not None and event.kind not in FOLLOWERS[last]:
            yield self._book.note(campaign, PATTERN, f"{event.kind} {event.event_id} out of sequence after {last}")
            return
        if event.kind is EventKind.SPRING:
            campaign.spring_low, campaign.spring_volume_ratio = event.price, event.volume_ratio
        found = self._proposer.on_event(campaign, event)
        decision.candidates.extend(candidate(campaign, one, event) for one in found.usable)
        if counts:
            cause = f"{event.kind} {event.event_id} score {event.score:.1f}: {found.phrase}"
            yield self._book.note(campaign, PATTERN, cause)
            yield from self._told(campaign, event, found)
            yield from self._count(campaign, event)

    def _told(self, campaign: Campaign, event: Event, found: Proposals) -> Iterator[Message]:
        for strategy, one in found.declines:
            yield Declined(
                time_ns=self._book.now_ns,
                campaign=campaign.campaign,
                symbol=event.symbol,
                event_id=event.event_id,
                strategy=strategy,
                code=one.code,
                value=one.value,
                limit=one.limit,
                stage=one.stage or "STRATEGY",
                margin=one.limit - one.value,
            )
        for strategy, one in found.cautions:
            yield warned(self._book, campaign, one, subject=event.event_id, source=strategy)

    def _count(self, campaign: Campaign, event: Event) -> Iterator[Message]:
        """Two patterns in sequence, or a strong one, make a campaign active."""
        campaign.patterns += 1
        campaign.last_pattern = event.kind
        strong = event.score >= self._settings.activate_score
        if campaign.state is CampaignState.FORMING and (campaign.patterns >= 2 or strong):
            cause = f"{event.kind} score {event.score:.1f}" if strong else f"{campaign.patterns} patterns"
            yield from self._book.step(campaign, CampaignState.ACTIVE, cause)

    def _fail(self, campaign: Campaign, event: Event, decision: _Decision) -> Iterator[Message]:
        campaign.broken = campaign.broken or f"{event.kind} {event.event_id}"
        decision.abandoned.append((campaign, campaign.broken))
        yield from positions.settle(self._book, campaign)

    def _opposite(self, event: Event, decision: _Decision) -> None:
        """An upthrust after distribution ends a markup of the same symbol and timeframe."""
        if event.kind is not OPPOSITE or event.score < self._settings.opposite_score:
            return
        for campaign in self._book.campaigns.values():
            here = (campaign.symbol, campaign.timeframe) == (event.symbol, event.timeframe)
            if here and campaign.state is CampaignState.MARKUP:
                decision.abandoned.append((campaign, f"opposite {event.kind} {event.event_id}"))

    def _mark(self, mark: StrategyMark, decision: _Decision) -> Iterator[Message]:
        """A mark belongs to the newest campaign there, else it forms one once it proposes."""
        campaign = self._book.newest(mark.symbol, mark.timeframe, LONG)
        found = self._proposer.on_mark(campaign, mark)
        if not found.usable:
            return
        key = (mark.symbol, mark.timeframe, LONG, mark.open_ns)
        if campaign is not None:
            yield from clock.hear(self._book, campaign, f"{mark.strategy} mark")
        elif self._book.is_over(key):
            return
        else:
            campaign = self._book.form(key)
            yield from self._begin(campaign, f"{mark.strategy} mark")
        yield self._book.note(campaign, PATTERN, f"{mark.strategy} mark: {found.phrase}")
        for proposal in found.usable:
            decision.candidates.append(candidate(campaign, proposal, mark))

    def _begin(self, campaign: Campaign, cause: str) -> Iterator[Message]:
        yield self._book.note(campaign, FORMED, cause)
        yield from clock.start_clock(self._book, campaign)


def shown(change: PhaseChange) -> Shown:
    return Shown(change.symbol, change.timeframe, change.direction, change.phase, change.confidence)
