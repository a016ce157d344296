"""Keeps one connection standing, and its successor before the venue ends it; says what state that makes.

A new connection is a gap until history has filled it. Waits between attempts are drawn, bounded and
only forgotten when data has flowed for a while.
"""

import asyncio
from collections.abc import Callable

import aiohttp

from adapters.live.intake import Intake
from adapters.live.link import AnyLink
from adapters.live.lost import LostError
from adapters.live.outlet import Outlet
from adapters.live.pacing import Backoff, budget_by
from adapters.live.recovery import Recovery
from adapters.live.settings import FeedSettings
from adapters.live.venue import Venue
from engine.feed_health import State, Status
from engine.live.ports import Clock
from engine.messages import FILLED, NEVER_NS

WITH_GAPS = "with gaps"
"""History could not give all that was missing."""

STEADY_S = 10.0
"""A connection that has carried data for so long makes earlier failures forgotten."""

FIRST_FRAME_S = 30.0
"""How long a successor may take to bring its first frame."""


class Keeper:
    """`link` is the one that counts. `reconnects` counts connections after the first."""

    def __init__(
        self, make: Callable[[], AnyLink], venue: Venue, settings: FeedSettings, clock: Clock, intake: Intake,
        outlet: Outlet, status: Status, recovery: Recovery,
    ) -> None:  # fmt: skip
        self.link: AnyLink | None = None
        self.reconnects = -1
        self.last_frame_ns = NEVER_NS
        self.intake = intake
        self.outlet = outlet
        self.status = status
        self.skewed = ""
        self._make = make
        self._venue = venue
        self._settings = settings
        self._clock = clock
        self._recovery = recovery
        self._budget = budget_by(clock)
        self._backoff = Backoff(settings.name)
        self._is_missing = asyncio.Event()
        self._is_broken = True
        self._why = "connecting"
        self._opened = 0
        self._gaps = 0
        intake.on_hole = self._on_hole

    async def run(self, http: aiohttp.ClientSession) -> None:
        """Until cancelled. Raises FeedRefusedError or ForbiddenHostError."""
        while True:
            await self._budget.wait(self._clock)
            try:
                await self._serve(http)
            except LostError as lost:
                self.broken(str(lost))
                await self._clock.sleep(self._backoff.wait_s(lost.retry_after_s))

    async def recover(self) -> None:
        """Fills what is missing whenever something is. Raises FeedRefusedError."""
        while True:
            await self._is_missing.wait()
            self._is_missing.clear()
            opened = self._opened
            self._move(State.RECOVERING, self._why)
            if self._is_broken:
                await self._recovery.fill()
            else:
                await self._clock.sleep(self._settings.reorder_ms / 1000)
            if opened == self._opened and self.is_connected:
                await self._recovery.release()
            if opened != self._opened or not self.is_connected:
                self.intake.hold()
                if self.is_connected:
                    self._is_missing.set()
                continue
            self._is_broken = False
            if self.intake.holes():
                self._is_missing.set()
            else:
                self.settle()

    @property
    def is_connected(self) -> bool:
        return self.link is not None and self.link.is_open

    @property
    def is_whole(self) -> bool:
        """Connected, with nothing missing but what may be on its way."""
        return self.is_connected and not self._is_broken

    def broken(self, reason: str) -> None:
        """The connection is gone, or not to be believed."""
        self._is_broken = True
        self.intake.hold()
        self._move(State.STALE, reason)

    def _on_hole(self, symbol: str, first: int, last: int) -> None:
        """Rows wait for others. Not live from this row on, or the rows of other symbols would prove its time."""
        if self.is_whole:
            self._why = f"{symbol}: {first} to {last} are missing"
            self._move(State.RECOVERING, self._why)
            self._is_missing.set()

    def settle(self) -> None:
        """Live, if nothing else speaks against it. Its reason says whether all is there since it last was."""
        if self.skewed:
            self._move(State.STALE, self.skewed)
        elif self.is_whole:
            gaps = self._recovery.gaps
            self._move(State.LIVE, FILLED if gaps == self._gaps else WITH_GAPS)
            self._gaps = gaps

    def stale(self, reason: str) -> None:
        """Too silent, while somebody finds out why."""
        self._move(State.STALE, reason)

    def down(self, reason: str) -> None:
        self._move(State.DOWN, reason)

    def follow(self) -> None:
        """To be called now and then: data that flows makes failures forgotten."""
        link = self.link
        if link is not None and link.is_open and link.frames:
            now_ns = self._clock.monotonic_ns()
            self.last_frame_ns = self._clock.now_ns() - (now_ns - link.heard_ns)
            if link.heard_ns - link.opened_ns > STEADY_S * 1e9:
                self._backoff.succeeded()

    async def _serve(self, http: aiohttp.ClientSession) -> None:
        """One connection after the other without a break, until one is lost. Always raises."""
        link, running = self._dial(http)
        rotation: asyncio.Task[tuple[AnyLink, asyncio.Task[None]] | None] | None = None
        try:
            while True:
                rotation = asyncio.create_task(self._successor(http))
                await asyncio.wait({running, rotation}, return_when=asyncio.FIRST_COMPLETED)
                if running.done():
                    await running
                following = await rotation
                if following is not None:
                    link.end(LostError("closed", "replaced by its successor"))
                    await asyncio.wait({running})
                    running.exception()
                    link, running = following
        finally:
            await _cancelled(running, rotation, _left_over(rotation))

    def _dial(self, http: aiohttp.ClientSession) -> tuple[AnyLink, asyncio.Task[None]]:
        link = self._make()
        return link, asyncio.create_task(link.run(http, self._on_open, self.outlet.flow))

    async def _successor(self, http: aiohttp.ClientSession) -> tuple[AnyLink, asyncio.Task[None]] | None:
        """A second connection that has brought its first frame; None where none could be had."""
        await self._clock.sleep(min(self._settings.rotate_h * 3600, self._venue.most_s * 23 / 24))
        await self._budget.wait(self._clock)
        link, running = self._dial(http)
        try:
            for _ in range(int(FIRST_FRAME_S / self._settings.tick_s)):
                await self._clock.sleep(self._settings.tick_s)
                if running.done() or link.frames:
                    break
            if running.done() or not link.frames:
                await _cancelled(running)
                return None
        except asyncio.CancelledError:
            await _cancelled(running)
            raise
        return link, running

    def _on_open(self, link: AnyLink) -> None:
        self.reconnects += 1
        follows = self.is_whole
        self.link = link
        if follows:
            return
        self._opened += 1
        self._why = "filling what was missed"
        self._is_missing.set()

    def _move(self, state: State, reason: str) -> None:
        for fact in self.status.move(state, reason, self._clock.now_ns()):
            self.outlet.say(fact)


def _left_over(
    rotation: "asyncio.Task[tuple[AnyLink, asyncio.Task[None]] | None] | None",
) -> "asyncio.Task[None] | None":
    """The successor that came in the very moment in which its predecessor was lost."""
    if rotation is None or not rotation.done() or rotation.cancelled() or rotation.exception() is not None:
        return None
    following = rotation.result()
    return None if following is None else following[1]


async def _cancelled(*tasks: "asyncio.Task[object] | None") -> None:
    """Ends tasks; what they raised is of no interest any more."""
    ending = [task for task in tasks if task is not None]
    for task in ending:
        task.cancel()
    await asyncio.gather(*ending, return_exceptions=True)
