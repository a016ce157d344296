"""The session as the control socket sees it: what it says of itself, and how it obeys.

An operator's command is a fact like a trade: it goes to the tape and through the line, so a replay obeys it at
the same place.
"""

import os
from collections.abc import Awaitable, Callable
from importlib.metadata import version

from engine import exits
from engine.config import Config
from engine.control import killfile
from engine.control.protocol import ALL, check_stop
from engine.control.status import (
    MOST_LISTED,
    Blocker,
    KillLevel,
    LoopView,
    SessionState,
    Status,
    stronger,
)
from engine.control.target import OperatorCommand, Outcome
from engine.identity import build_hash
from engine.ingress import IngressClosedError
from engine.iso import iso
from engine.live import views
from engine.live.session import LiveSession
from engine.live.tapes import SECOND_NS
from engine.messages import NEVER_NS, Role
from engine.paths import Paths

REFUSED = 6
KILL, UNKILL, STOP, RELOAD = "kill", "unkill", "stop", "reload"

Reload = Callable[[OperatorCommand], Awaitable[Outcome]]
Loop = Callable[[], LoopView]


class EngineTarget:
    """Status and commands of one session. `reload` obeys a reload, `loop` measures the process."""

    def __init__(self, session: LiveSession, config: Config, paths: Paths, reload: Reload, loop: Loop) -> None:
        self._session = session
        self._config = config
        self._paths = paths
        self._reload = reload
        self._loop = loop
        self.state = SessionState.STARTING
        self.kill_level = KillLevel.NONE
        self.kill_reason = ""
        self.paused_by = ""

    def recovered(self) -> None:
        """What stood when the tape ended stands again: halts are the line's own state."""
        for name, halt in self._session.opened.line.gate.halts.items():
            if name == KILL:
                self.kill_level, self.kill_reason = KillLevel(halt.level), halt.reason
            else:
                self.paused_by = halt.operator
        self.state = SessionState.WARMING

    def status(self) -> Status:
        session, line = self._session, self._session.opened.line
        now_ns = session.parts.clock.now_ns()
        held, working = views.positions(line), views.orders(line)
        left = views.warm_ups(session.warm_ups)
        equity = views.equity(line)
        start, line_ns = session.opened.session.start, line.bars.line_time_ns
        return Status(
            mode=self._config.run.mode,
            feed_is_simulated=any(feed.simulated for feed in session.parts.feeds),
            venue="paper",
            venue_is_simulated=True,
            account="paper",
            state=self._state(),
            blockers=self._blockers(),
            untradable=views.untradable(line),
            kill_level=self.kill_level,
            kill_reason=self.kill_reason,
            paused_by=self.paused_by,
            heat=views.heat(line, self._config.risk, self._config.campaigns),
            currency=start.currency,
            equity=equity,
            cash=line.gate.portfolio.cash,
            day=views.day(line, now_ns, line.ledger.trades.closed, held),
            feeds=views.feeds(session.parts.feeds, now_ns),
            warmups=left,
            warmups_left=len(left),
            positions=tuple(held[:MOST_LISTED]),
            position_count=len(held),
            orders=tuple(working[:MOST_LISTED]),
            order_count=len(working),
            campaigns=len(line.campaigns.campaigns),
            tape=views.tape(session.opened),
            loop=self._loop(),
            line_time="" if line_ns == NEVER_NS else iso(line_ns),
            started=iso(session.began_ns),
            uptime_s=(now_ns - session.began_ns) / SECOND_NS,
            pid=os.getpid(),
            release=version("wyckoff-engine"),
            build_hash=build_hash(),
            config_hash=self._config.hash,
            digest=line.tap.digest.hex,
        )

    async def submit(self, command: OperatorCommand) -> Outcome:
        if command.name == STOP:
            drain_s = check_stop(command.argument)
            self.state = SessionState.STOPPING
            self._session.stop(drain_s)
            return Outcome(0, f"stopping; at most {drain_s:.0f} s for what is on its way")
        if unknown := self._unknown(command):
            return Outcome(exits.NOT_FOUND, unknown)
        if command.name == KILL:
            self._note_kill(command)
        try:
            if command.name == RELOAD:
                return await self._reload(command)
            sequence = await self._session.command(command.name, command.argument, command.operator, command.reason)
        except IngressClosedError:
            return Outcome(REFUSED, f"{command.name} came too late: the session has ended")
        self._follow(command)
        return Outcome(0, self._told(command), sequence)

    def _unknown(self, command: OperatorCommand) -> str:
        """Why there is nothing that the command could mean, "" where there is. Such a one is no fact."""
        line, wanted = self._session.opened.line, command.argument
        if wanted == ALL:
            return ""
        if command.name == "cancel":
            entries = [one.order_id for one in views.orders(line) if one.role == Role.ENTRY]
            known = wanted in entries or f"{wanted}/{Role.ENTRY}" in entries
            return "" if known else f"{wanted}: no working entry has this id; see `wyckoff status`"
        if command.name == "force-exit" and wanted not in [one.campaign for one in line.campaigns.campaigns]:
            return f"{wanted}: no campaign has this id; see `wyckoff inspect`"
        return ""

    def _note_kill(self, command: OperatorCommand) -> None:
        """Before the fact: whoever restarts this engine finds the kill even if the tape never heard of it."""
        now_ns = self._session.parts.clock.now_ns()
        level, reason = self._killed_by(command)
        record = killfile.KillRecord(level, reason, command.operator, now_ns)
        killfile.write(self._paths.state_of(self._config.run.mode), record)

    def _killed_by(self, command: OperatorCommand) -> tuple[KillLevel, str]:
        """A kill that is no stronger than the one that stands leaves it its reason, as the gate does."""
        level = stronger(self.kill_level, KillLevel(command.argument))
        return level, command.reason if level is not self.kill_level else self.kill_reason

    def _follow(self, command: OperatorCommand) -> None:
        match command.name:
            case "kill":
                self.kill_level, self.kill_reason = self._killed_by(command)
            case "unkill":
                self.kill_level, self.kill_reason = KillLevel.NONE, ""
                killfile.clear(self._paths.state_of(self._config.run.mode))
            case "pause":
                self.paused_by = command.operator
            case "resume":
                self.paused_by = ""

    def _told(self, command: OperatorCommand) -> str:
        if command.name == KILL and self.kill_level != command.argument:
            return f"kill {self.kill_level} stands"
        if command.name == "resume" and self.kill_level:
            return f"resume is on the tape; kill {self.kill_level} stands until `wyckoff unkill`"
        return " ".join(filter(None, (command.name, command.argument, "is on the tape and holds")))

    def _state(self) -> SessionState:
        if self.state is not SessionState.RUNNING:
            return self.state
        if self.kill_level is not KillLevel.NONE:
            return SessionState.HALTED
        return SessionState.PAUSED if self.paused_by else SessionState.RUNNING

    def _blockers(self) -> tuple[Blocker, ...]:
        found = list(views.blockers(self._session.opened.line))
        if self.state is not SessionState.RUNNING:
            found.insert(0, Blocker(code=self.state.value.lower(), text=f"the session is {self.state.value.lower()}"))
        if self._session.driver.failure:
            found.insert(0, Blocker(code="durability", text=self._session.driver.failure))
        return tuple(found)
