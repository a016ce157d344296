"""One live session from its first fact to a clean end: feeds, line, tape, operator, in one task group.

The order of things at the start is the order in which they may fail: reach the feeds, build the line or go on
with the tape, warm up, then let rows in. At the end: feeds are cut, what has arrived goes through, working
entries are cancelled, the state is put on the tape and the tape is ended.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import anyio

from engine.config import Config
from engine.control.status import StageTime
from engine.ingress import Ingress
from engine.live.driver import LineDriver
from engine.live.opening import OpenLine, Plan, Prepare, next_day, nothing, open_line, plan
from engine.live.ports import Clock, FeedUnreachableError, LiveFeed, Seen
from engine.live.stage_times import StageTimes
from engine.live.tapes import SECOND_NS, Tapes
from engine.live.warm_up import WarmUp, warm_up
from engine.messages import FOREVER_NS, Command, ConfigChange, FeedStatus
from engine.tap import Sink
from engine.timeframes import is_counted

STOP = "stop"

MOST_ROWS = 8_192
"""Rows that go through the line in one piece at most: more would keep the loop from its turn."""


@dataclass(slots=True)
class LiveParts:
    """What a session is made of; the shell names them, tests replace them."""

    config: Config
    feeds: Sequence[LiveFeed]
    tapes: Tapes
    clock: Clock
    sinks: Sequence[Sink] = ()
    prepare: Prepare = nothing
    adopt: bool = False
    anew: bool = False


@dataclass(slots=True)
class LiveSession:
    """`begin` then `run`; `stop` from anywhere on the same loop."""

    parts: LiveParts
    inbox: Ingress = field(init=False)
    driver: LineDriver = field(init=False)
    planned: Plan = field(init=False)
    warm_ups: list[WarmUp] = field(default_factory=list)
    began_ns: int = 0
    warm: anyio.Event = field(default_factory=anyio.Event)
    ended_tapes: list[Path] = field(default_factory=list)
    _ends_ns: int = FOREVER_NS
    _stop: anyio.Event = field(default_factory=anyio.Event)
    _times: StageTimes = field(init=False)

    async def begin(self) -> None:
        """Raises FeedUnreachableError, FeedRefusedError, ConfigError, InstrumentError, TapeError."""
        parts = self.parts
        self.began_ns = parts.clock.now_ns()
        known = [found for feed in parts.feeds if (found := await feed.open()) is not None]
        self.planned = plan(parts.config, parts.feeds, known, parts.clock.now_ns())
        times = self._times = StageTimes(parts.clock.now_ns, parts.clock.monotonic_ns)
        sinks = (*parts.sinks, times)
        opened = open_line(self.planned, parts.tapes, sinks, parts.prepare, adopt=parts.adopt, anew=parts.anew)
        self.inbox = Ingress(
            control_capacity=parts.config.live.control_queue,
            market_capacity=parts.config.live.market_queue,
            max_rows=MOST_ROWS,
            now_ns=parts.clock.now_ns,
        )
        self.driver = LineDriver(
            opened,
            self.inbox,
            parts.clock,
            snapshot_every_rows=parts.config.tape.snapshot_every_rows,
            next_day=self._next_day,
            ends_ns=lambda: self._ends_ns,
            times=times,
        )

    @property
    def opened(self) -> OpenLine:
        """The line and the tape of the day."""
        return self.driver.opened

    async def run(self) -> None:
        """Until `stop`. The tape ends clean unless an exception gets out."""
        await self._open_line()
        self.warm.set()
        try:
            async with anyio.create_task_group() as around:
                around.start_soon(self.driver.run)
                async with anyio.create_task_group() as outside:
                    for number, feed in enumerate(self.parts.feeds):
                        outside.start_soon(self._follow, feed, number)
                    await self._stop.wait()
                    outside.cancel_scope.cancel()
                # Behind the rows that have arrived, which control facts overtake.
                await self.inbox.market(self._command(STOP, "", "session", ""))
                self.inbox.close()
        except BaseException:
            self.opened.close(clean=False)
            raise
        self.opened.keep_state()
        self.opened.close(clean=True)

    def stop(self, drain_s: float | None = None) -> None:
        """Begin the end of the session; `run` returns when all has gone through, or raises TapeError where the tape
        takes nothing for `drain_s`, by default what the configuration says."""
        limit_s = self.parts.config.live.drain_s if drain_s is None else drain_s
        self._ends_ns = self.parts.clock.monotonic_ns() + int(limit_s * SECOND_NS)
        self._stop.set()

    async def command(self, name: str, argument: str, operator: str, reason: str) -> int:
        """Put an operator's command on the line; returns when it holds and is durable, with its number."""
        return await self.tell(self._command(name, argument, operator, reason))

    async def tell(self, fact: Command | ConfigChange) -> int:
        """As `command`, of what is said already."""
        passed = self.driver.notice(fact)
        await self.inbox.control(fact)
        await passed.wait()
        sequence = self.opened.tape.last_sequence
        await anyio.to_thread.run_sync(self.opened.tape.sync)
        return sequence

    def _next_day(self, last: OpenLine) -> OpenLine:
        parts = self.parts
        following = next_day(parts.config, last, parts.tapes, parts.clock.now_ns())
        self.ended_tapes.append(last.tape.path)
        return following

    def stage_times(self) -> tuple[StageTime, ...]:
        """How long frames, facts and verdicts take lately. After `begin`."""
        return self._times.told()

    @property
    def seen(self) -> Mapping[str, Seen]:
        return self.opened.seen

    async def _open_line(self) -> None:
        if self.opened.begun:
            for fact in self.opened.session.facts:
                await self.driver.push(fact)
            await self._warm_up()
        else:
            # Whatever was live when the tape stopped is not live now.
            for number in range(len(self.parts.feeds)):
                await self.driver.push(FeedStatus(self.parts.clock.now_ns(), number, "RECOVERING", "restarted"))

    async def _warm_up(self) -> None:
        start = self.planned.start
        frames = {name: start.timeframes.index(name) for name in start.detect_on if not is_counted(name)}
        facts = warm_up(self.parts.feeds, start.symbols, frames, start.trades_from_ns, self.warm_ups)
        async for fact in facts:
            await self.driver.push(fact)

    async def _follow(self, feed: LiveFeed, number: int) -> None:
        """A feed that ends by itself was refused for good and has said so: the session goes on, its entries do not."""
        table = self.opened.session.table
        numbers = {symbol: table.number(symbol) for symbol in feed.symbols}
        feed.resume_after({symbol: self.seen[symbol] for symbol in feed.symbols if symbol in self.seen})
        try:
            await feed.run(self.inbox, numbers, number)
        except FeedUnreachableError as error:
            await self.inbox.market(FeedStatus(self.parts.clock.now_ns(), number, "STALE", str(error)))

    def _command(self, name: str, argument: str, operator: str, reason: str) -> Command:
        return Command(self.parts.clock.now_ns(), name, argument, operator, reason)
