"""How campaigns fall silent: dormant, then expired, counted in bars since their last event.

One line-time watch per campaign wakes the count. It is set to the earliest moment at which the
bars could have passed; where a market slept meanwhile, the watch is set again for the rest.
"""

from collections.abc import Iterator

from engine.campaigns.book import CampaignBook
from engine.campaigns.lifecycle import STATE
from engine.campaigns.state import Campaign
from engine.campaigns.watches import Purpose
from engine.messages import CampaignState, Message
from engine.timeframes import settings_of, usual_length_ns


def start_clock(book: CampaignBook, campaign: Campaign) -> Iterator[Message]:
    """(Re)set the watch to when the campaign would next fall silent."""
    yield from book.watches.drop(campaign.campaign, Purpose.CLOCK)
    yield _watch(book, campaign, max(1, _limit(book, campaign) - book.bars_since_event(campaign)))


def hear(book: CampaignBook, campaign: Campaign, cause: str) -> Iterator[Message]:
    """A confirmed event of the campaign's range: it is awake."""
    campaign.event_bars = book.bars.count(campaign.symbol, campaign.timeframe)
    if campaign.state is CampaignState.DORMANT and campaign.adds:
        yield from book.step(campaign, CampaignState.ACTIVE, cause)
        yield from start_clock(book, campaign)


def on_clock(book: CampaignBook, campaign: Campaign) -> Iterator[Message]:
    silent = book.bars_since_event(campaign)
    limit = _limit(book, campaign)
    if silent < limit:
        yield _watch(book, campaign, limit - silent)
    elif campaign.state is CampaignState.ACTIVE:
        yield from book.step(campaign, CampaignState.DORMANT, f"no event for {silent} bars")
        yield from start_clock(book, campaign)
    elif campaign.holds:
        campaign.adds = False
        yield book.note(campaign, STATE, f"no event for {silent} bars: adds no more")
    elif campaign.is_live:
        yield _watch(book, campaign, 1)
    else:
        yield from book.step(campaign, CampaignState.EXPIRED, f"no event for {silent} bars")


def _limit(book: CampaignBook, campaign: Campaign) -> int:
    waits = campaign.state in (CampaignState.FORMING, CampaignState.ACTIVE)
    table = book.settings.dormant_bars if waits else book.settings.expire_bars
    return table[settings_of(campaign.timeframe)]


def _watch(book: CampaignBook, campaign: Campaign, bars: int) -> Message:
    time_ns = book.now_ns + bars * usual_length_ns(campaign.timeframe)
    return book.watches.at_time(campaign.campaign, Purpose.CLOCK, time_ns=time_ns, now_ns=book.now_ns)
