"""Where campaigns live, as Market needs to know it: of more that becomes known there it must stop.

Of each campaign it is told the first step and the last.
"""

import numpy as np

from engine.blocks import Int32
from engine.instruments import InstrumentTable
from engine.messages import CampaignChange, CampaignState
from engine.naming import parse_name

ENDED = (CampaignState.COMPLETED, CampaignState.INVALIDATED, CampaignState.EXPIRED)


class Living:
    """`counts` is the number of living campaigns by instrument."""

    def __init__(self, table: InstrumentTable) -> None:
        self._table = table
        self._campaigns: dict[str, int] = {}
        self.counts: Int32 = np.zeros(len(table), np.int32)

    def follow(self, change: CampaignChange) -> None:
        number = self._campaigns.pop(change.campaign, None)
        if number is not None:
            self.counts[number] -= 1
        if change.state not in ENDED:
            self._add(change.campaign, self._table.number(parse_name(change.campaign).symbol))

    def save(self) -> dict[str, int]:
        return self._campaigns

    def load(self, campaigns: dict[str, int]) -> None:
        self._campaigns = {}
        self.counts[:] = 0
        for campaign, number in campaigns.items():
            self._add(campaign, number)

    def _add(self, campaign: str, number: int) -> None:
        self._campaigns[campaign] = number
        self.counts[number] += 1
