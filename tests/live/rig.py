"""What the tests of live sessions share: a clock that is told the time, and a feed that is a list."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import numpy as np

from engine.blocks import Bars, MarketBlock, Trades
from engine.config import Config
from engine.definitions import VenueMetadata
from engine.live.ports import FeedReport, Inbox, Seen
from engine.live.session import LiveParts, LiveSession
from engine.live.tapes import Tapes
from engine.messages import FILLED, FeedStatus
from engine.ports import Item
from tests.lines import lively


class ToldClock:
    """Stands still until a fact moves it; sleeping waits for ever, so that nothing happens behind a test's back."""

    def __init__(self, now_ns: int) -> None:
        self.time_ns = now_ns

    def now_ns(self) -> int:
        return self.time_ns

    def monotonic_ns(self) -> int:
        return self.time_ns

    async def sleep(self, seconds: float) -> None:
        await anyio.sleep_forever()


@dataclass
class ListedFeed:
    """Plays its facts, moving the clock with them, then says that it is through."""

    facts: Sequence[Item]
    symbols: tuple[str, ...]
    clock: ToldClock
    name: str = "listed"
    kind: str = "trades"
    timeframe: str = ""
    simulated: bool = True
    lateness_ns: int = 0
    past: Mapping[tuple[str, str], Bars] = field(default_factory=dict)
    dies_after: int | None = None
    pause_s: float = 0.0
    through: anyio.Event = field(default_factory=anyio.Event)
    resumed: Mapping[str, Seen] = field(default_factory=dict)

    async def open(self) -> VenueMetadata | None:
        return None

    async def history(self, symbol: str, timeframe: str, bars: int, until_ns: int) -> Bars:
        return self.past.get((symbol, timeframe), Bars.empty())

    def resume_after(self, seen: Mapping[str, Seen]) -> None:
        self.resumed = dict(seen)

    async def run(self, inbox: Inbox, numbers: Mapping[str, int], feed: int) -> None:
        await inbox.market(FeedStatus(self.clock.now_ns(), feed, "LIVE", FILLED))
        after = max((one.trade_id for one in self.resumed.values()), default=-1)
        for number, fact in enumerate(self.facts):
            if number == self.dies_after:
                raise DiedError
            rows = _after(fact, after)
            if rows is None:
                continue
            await inbox.market(rows)
            if self.pause_s:
                await anyio.sleep(self.pause_s)
            self.clock.time_ns = max(self.clock.time_ns, _time_of(rows))
        self.through.set()
        await anyio.sleep_forever()

    def report(self) -> FeedReport:
        return FeedReport(name=self.name, state="LIVE", reason="", since_ns=0)


class DiedError(Exception):
    """Stands for the end of the process."""


def _time_of(fact: Item) -> int:
    return int(fact.row_ns[-1]) if isinstance(fact, MarketBlock) else fact.time_ns  # type: ignore[attr-defined]


def _after(fact: Item, after_id: int) -> Item | None:
    """What is not on the tape yet; ids count the rows of a made-up market."""
    if isinstance(fact, Trades):
        rows = np.flatnonzero(fact.trade_id > after_id)
        return fact.slice(int(rows[0]), len(fact)) if len(rows) else None
    return fact


def parts(feed: ListedFeed, directory: Path, config: Config | None = None) -> LiveParts:
    return LiveParts(config or lively(), [feed], Tapes(directory / "tapes"), feed.clock)


async def play(session: LiveSession) -> None:
    """From the first fact until every feed is through."""
    async with anyio.create_task_group() as group:
        group.start_soon(session.run)
        for feed in session.parts.feeds:
            assert isinstance(feed, ListedFeed)
            await feed.through.wait()
        session.stop()
