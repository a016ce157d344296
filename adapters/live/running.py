"""One run of a live feed: its parts side by side until it is cancelled or refused for good."""

import asyncio
from dataclasses import dataclass
from typing import Final

import aiohttp

from adapters.cleaning import Cleaner
from adapters.live.hosts import ForbiddenHostError
from adapters.live.keeper import Keeper
from adapters.live.recovery import Recovery
from adapters.live.symbol_watch import SymbolWatch
from adapters.live.watch import Watch
from engine.live.ports import Clock, FeedRefusedError, FeedReport

REPEATS: Final = ("duplicate", "duplicate_conflicting", "forgotten_id")
MOVED: Final = ("rows", "reordered", *REPEATS)


@dataclass(frozen=True, slots=True)
class Running:
    http: aiohttp.ClientSession
    clock: Clock
    cleaner: Cleaner
    recovery: Recovery
    keeper: Keeper
    watch: Watch
    symbols: SymbolWatch

    async def run(self) -> None:
        """Until cancelled, or until the venue refuses for good."""
        keeper, watch = self.keeper, self.watch
        keeper.outlet.say(keeper.status.begin(self.clock.now_ns()))
        try:
            async with asyncio.TaskGroup() as tasks:
                looking = watch.run(), watch.measure(), watch.probe(), self.symbols.run()
                for beside in (keeper.outlet.run(), *looking, keeper.recover()):
                    tasks.create_task(beside)
                await keeper.run(self.http)
        except* (FeedRefusedError, ForbiddenHostError) as group:
            keeper.down(str(_first(group)))
        await keeper.outlet.drain()

    def report(self, name: str) -> FeedReport:
        counts, intake, outlet, status = self.cleaner.counts, self.keeper.intake, self.keeper.outlet, self.keeper.status
        repeats = sum(counts.get(reason, 0) for reason in REPEATS)
        withheld = {reason: rows for reason, rows in counts.items() if reason not in MOVED}
        if outlet.bad_revisions:
            withheld["bad_ohlc"] = withheld.get("bad_ohlc", 0) + outlet.bad_revisions
        return FeedReport(
            name=name, state=status.state.value, reason=status.reason, since_ns=status.since_ns,
            last_row_ns=outlet.last_row_ns, last_frame_ns=self.keeper.last_frame_ns,
            stale_after_ns=self.watch.stale_after_ns, received=intake.received, applied=outlet.applied,
            duplicates=intake.duplicates + repeats, conflated=intake.conflated, withheld=withheld,
            gaps=self.recovery.gaps, sequence_breaks=intake.breaks, reconnects=max(0, self.keeper.reconnects),
            malformed=intake.counts["malformed_frame"],
            unknown=intake.counts["unknown_message"] + intake.counts["unwanted_symbol"],
            skew_ns=self.watch.skew.offset_ns,
        )  # fmt: skip


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    found: BaseException = group
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return found
