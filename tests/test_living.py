"""Campaigns are counted where they live, from their first step to their last."""

import pytest

from engine.instruments import InstrumentTable
from engine.living import Living
from engine.messages import CampaignChange, CampaignState
from tests.makers import instrument

TABLE = InstrumentTable((instrument("AAA"), instrument("BTC-2020-01-01"), instrument("ETH/USD")))
OLD = CampaignState.ACTIVE


def change(campaign: str, state: CampaignState) -> CampaignChange:
    return CampaignChange(campaign, 1, 0, "CAMPAIGN_STATE", OLD, state, "")


@pytest.mark.parametrize("ending", [CampaignState.COMPLETED, CampaignState.INVALIDATED, CampaignState.EXPIRED])
def test_a_campaign_counts_until_it_ends(ending: CampaignState) -> None:
    living = Living(TABLE)

    living.follow(change("AAA-2024-05-06", CampaignState.FORMING))
    living.follow(change("AAA-2024-05-06.2", CampaignState.FORMING))
    living.follow(change("ETH/USD-2024-05-06", CampaignState.FORMING))
    assert living.counts.tolist() == [2, 0, 1]

    living.follow(change("AAA-2024-05-06", ending))
    assert living.counts.tolist() == [1, 0, 1]


def test_a_symbol_may_look_like_a_name() -> None:
    living = Living(TABLE)

    living.follow(change("BTC-2020-01-01-2024-05-06.3", CampaignState.FORMING))

    assert living.counts.tolist() == [0, 1, 0]


def test_the_first_step_may_be_heard_of_twice() -> None:
    living = Living(TABLE)

    for _ in range(2):
        living.follow(change("AAA-2024-05-06", CampaignState.FORMING))

    assert living.counts.tolist() == [1, 0, 0]


def test_what_was_saved_is_loaded() -> None:
    living, other = Living(TABLE), Living(TABLE)
    living.follow(change("AAA-2024-05-06", CampaignState.FORMING))
    other.follow(change("ETH/USD-2024-05-06", CampaignState.FORMING))

    other.load(living.save())

    assert other.counts.tolist() == [1, 0, 0]
