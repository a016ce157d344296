"""A replay as the control socket and the page see it: what stands in its line, and how fast it goes.

Only its pace obeys: pause and resume hold the facts and let them go. A recorded session has no operator, so
nothing that would decide otherwise than its feeds is taken.
"""

import os
import resource
from collections.abc import AsyncIterator, Sequence
from importlib.metadata import version
from typing import Final

from anyio.lowlevel import checkpoint

from engine import exits
from engine.config import Config
from engine.control.status import MOST_LISTED, FeedView, LoopView, SessionState, Status
from engine.control.target import OperatorCommand, Outcome
from engine.identity import build_hash
from engine.iso import iso
from engine.live import views
from engine.live.ports import Clock
from engine.live.tapes import SECOND_NS
from engine.messages import NEVER_NS
from engine.pace import Pace, PaceState
from engine.replay import Run
from engine.session import Session

STATES: Final = {
    PaceState.RUNNING: SessionState.RUNNING,
    PaceState.STEPPING: SessionState.PAUSED,
    PaceState.PAUSED: SessionState.PAUSED,
    PaceState.STOPPED: SessionState.STOPPING,
}


class ReplayTarget:
    """Of one run at its pace."""

    def __init__(self, run: Run, config: Config, session: Session, pace: Pace, clock: Clock) -> None:
        self._run = run
        self._config = config
        self._session = session
        self._pace = pace
        self._clock = clock
        self._began_ns = clock.now_ns()

    def status(self) -> Status:
        line, start = self._run.line, self._session.start
        held, working = views.positions(line), views.orders(line)
        line_ns = line.bars.line_time_ns
        return Status(
            mode="replay",
            feed_is_simulated=False,
            venue="paper",
            venue_is_simulated=True,
            account="paper",
            state=STATES[self._pace.state],
            blockers=views.blockers(line),
            untradable=views.untradable(line),
            heat=views.heat(line, self._config.risk, self._config.campaigns),
            currency=start.currency,
            equity=views.equity(line),
            cash=line.gate.portfolio.cash,
            day=views.day(line, max(line_ns, 0), line.ledger.trades.closed, held),
            feeds=self._feeds(start.feeds),
            warmups=(),
            warmups_left=0,
            positions=tuple(held[:MOST_LISTED]),
            position_count=len(held),
            orders=tuple(working[:MOST_LISTED]),
            order_count=len(working),
            campaigns=len(line.campaigns.campaigns),
            tape=None,
            loop=self._loop(),
            line_time="" if line_ns == NEVER_NS else iso(line_ns),
            started=iso(self._began_ns),
            uptime_s=(self._clock.now_ns() - self._began_ns) / SECOND_NS,
            pid=os.getpid(),
            release=version("wyckoff-engine"),
            build_hash=build_hash(),
            config_hash=self._config.hash,
            digest=line.tap.digest.hex,
        )

    async def submit(self, command: OperatorCommand) -> Outcome:
        """What is let go or held is so before the next fact."""
        outcome = self._obeyed(command)
        await checkpoint()
        return outcome

    def _obeyed(self, command: OperatorCommand) -> Outcome:
        if self._pace.is_stopped:
            return Outcome(exits.REFUSED, f"{command.name}: the replay has stopped")
        match command.name:
            case "pause":
                self._pace.pause()
                return Outcome(0, "the replay is held; resume lets it go on")
            case "resume":
                self._pace.resume()
                return Outcome(0, "the replay goes on")
            case "stop":
                self._pace.stop()
                return Outcome(0, "the replay stops before its next fact")
            case _:
                return Outcome(
                    exits.REFUSED, f"{command.name}: a replay decides as its feeds make it; only its pace obeys"
                )

    def _feeds(self, names: Sequence[str]) -> tuple[FeedView, ...]:
        """Rows are told where there is one feed: those of several are not counted apart."""
        rows = self._run.rows if len(names) == 1 else 0
        return tuple(
            FeedView(name=name, kind="recorded", simulated=False, status="LIVE", rows=rows)
            for name in names[:MOST_LISTED]
        )

    def _loop(self) -> LoopView:
        used_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1_000
        limit_mb = self._config.live.rss_limit_mb
        return LoopView(lag_s=0.0, stalls=0, waiting_control=0, waiting_market=0, rss_mb=used_mb, rss_limit_mb=limit_mb)


class NoLog:
    """A replay keeps no log."""

    def last(self, count: int) -> list[str]:
        return []

    async def follow(self) -> AsyncIterator[str]:
        await checkpoint()
        for line in self.last(0):
            yield line
