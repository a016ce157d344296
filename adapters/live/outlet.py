"""The way of a feed's rows into the inbox: cleaned, in order with what is said about the feed.

Rows that are decoded while the loop is busy leave as one block. There is one writer, so a status
never overtakes the rows that came before it.
"""

import asyncio
from collections import deque
from typing import NamedTuple

import numpy as np

from adapters.cleaning import Cleaner
from adapters.live.intake import Intake
from engine.blocks import BlockError, MarketBlock
from engine.live.ports import Inbox
from engine.messages import NEVER_NS
from engine.ports import Item

MOST_ROWS = 8_192
"""Rows that wait for the inbox before the reader waits too, and TCP pushes back."""

CROWDED_ROWS = 2_048
"""From here on only the newest quote of each symbol is kept."""


class Revised(NamedTuple):
    """Rows that correct others."""

    block: MarketBlock


class Outlet:
    """`applied` counts rows that went into the inbox."""

    def __init__(self, inbox: Inbox, intake: Intake, cleaner: Cleaner) -> None:
        self.applied = 0
        self.bad_revisions = 0
        self.last_row_ns = NEVER_NS
        self._inbox = inbox
        self._intake = intake
        self._cleaner = cleaner
        self._out: deque[Item | Revised] = deque()
        self._negative = np.zeros(1 + max(cleaner.findings.symbols, default=0), np.bool_)
        self._rows = 0
        self._wake = asyncio.Event()
        self._room = asyncio.Event()

    def say(self, fact: Item) -> None:
        """After all rows that were decoded before it."""
        self._gather()
        self._out.append(fact)
        self._wake.set()

    def wake(self) -> None:
        self._wake.set()

    async def flow(self) -> None:
        """To be awaited by whoever has decoded rows."""
        self._wake.set()
        waiting = self._rows + self._intake.rows
        self._intake.is_crowded = waiting >= CROWDED_ROWS
        if waiting >= MOST_ROWS:
            self._room.clear()
            await self._room.wait()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            self._gather()
            while self._out:
                await self._send(self._out.popleft())
            self._room.set()

    async def drain(self) -> None:
        """What is left when a feed ends for good."""
        self._gather()
        while self._out:
            await self._send(self._out.popleft())

    def _gather(self) -> None:
        for block in self._intake.take_revisions():
            self._out.append(Revised(block))
        if self._intake.rows or self._intake.is_crowded:
            for block in self._intake.take():
                self._rows += len(block)
                self._out.append(block)

    async def _send(self, item: "Item | Revised") -> None:
        if isinstance(item, Revised):
            await self._correct(item.block)
            return
        if not isinstance(item, MarketBlock):
            await self._inbox.market(item)
            return
        self._rows -= len(item)
        for block in self._cleaner.clean(item):
            self.applied += len(block)
            self.last_row_ns = max(self.last_row_ns, int(block.row_ns.max()))
            await self._inbox.market(block)

    async def _correct(self, block: MarketBlock) -> None:
        """A cleaner would drop it as a repeat; the aggregator compares it with what it corrects."""
        for row in range(len(block)):
            one = block.slice(row, row + 1)
            one.sequence = 0
            try:
                one.check("revision", 1, self._negative)
            except BlockError:
                self.bad_revisions += 1
                continue
            self.applied += 1
            await self._inbox.market(one)
