"""Brackets are found by their group as long as their campaign lives, in a session and after a restart."""

import pytest

from engine.blocks import MarketBlock
from engine.campaigns.book import CampaignBook
from engine.campaigns.manager import CampaignManager
from engine.campaigns.state import Campaign
from engine.timeframes import TIMEFRAMES
from tests.lines import config, line, recorded
from tests.markets import bar_market


def agrees(book: CampaignBook) -> bool:
    """Every bracket of every living campaign, and nothing else."""
    kept = {group: (id(campaign), id(one)) for group, (campaign, one) in book._brackets.items()}
    return kept == {one.group: (id(living), id(one)) for living in book.campaigns.values() for one in living.brackets}


def driven() -> tuple[CampaignBook, list[bytes]]:
    """A book after a busy market, and its state whenever it held brackets; asked at every block."""
    market = recorded(bar_market(1, 60_000, 1, "1m", daily_range=0.002))
    built = line(market, config())
    manager = next(one for one in built.chain.stages if isinstance(one, CampaignManager))
    book, states = manager._book, []
    for fact in market.facts(150):
        built.chain.push(fact)
        if isinstance(fact, MarketBlock):
            assert agrees(book)
            states += [book.snapshot()] if book._brackets else []
    return book, states


def test_brackets_are_found_while_their_campaign_lives_and_after_a_restart() -> None:
    book, states = driven()

    assert states
    for state in states:
        copy = CampaignBook(book.settings, book.table, TIMEFRAMES)
        copy.restore(state)
        assert agrees(copy)
        assert copy._brackets


def test_brackets_that_outlive_their_campaign_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    end = CampaignBook._end

    def forgetful(book: CampaignBook, campaign: Campaign) -> None:
        kept = dict(book._brackets)
        end(book, campaign)
        book._brackets = kept

    monkeypatch.setattr(CampaignBook, "_end", forgetful)

    with pytest.raises((AssertionError, KeyError)):
        driven()
