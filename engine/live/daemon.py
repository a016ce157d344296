"""The process around a live session: control socket, signals, watchdogs, supervision.

Everything here may fail without the line noticing, and nothing here decides. What is measured of the process
becomes Health facts, on which the gate refuses entries.
"""

from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import anyio
import structlog
from anyio.abc import TaskGroup
from pydantic import ValidationError

from engine import exits
from engine.beside import Beside
from engine.config import Config, ConfigError, Problem, Settled, problems
from engine.control import killfile
from engine.control.server import ControlServer
from engine.control.status import KillLevel, QueuesView, SessionState
from engine.control.target import OperatorCommand
from engine.ingress import IngressClosedError
from engine.live import views
from engine.live.machine import MS_NS, Machine
from engine.live.opening import nothing
from engine.live.ports import Clock, LiveFeed
from engine.live.read_model import ReadModel
from engine.live.reloading import Prepare, Reloading
from engine.live.self_check import SelfCheckError, checked
from engine.live.session import LiveParts, LiveSession
from engine.live.stream import SOCKET_NAME, EngineStream
from engine.live.supervision import keep_running
from engine.live.tapes import SECOND_NS, Tapes
from engine.live.target import EngineTarget
from engine.log import LogBook
from engine.notify_systemd import Notifier
from engine.paths import Paths
from engine.signals import Signals
from engine.tap import Sink
from engine.tape import TapeError
from engine.watchdog import LoopWatch, StallReport

PACE_S = 0.1
"""How often the loop shows that it lives."""

STORE_END_S = 10.0
"""How long the end of a session waits for its read model, which can be rebuilt from the tapes."""

MEASURE_S = 1.0
"""How often what may be slow is looked at: memory, disk, the kill file, the line that systemd shows."""


def build_feeds(config: Config, clock: Clock, secrets: object) -> list[LiveFeed]:
    """The feeds of the configuration, not yet reached. Raises ConfigError."""
    adapters: Any = import_module("adapters.live")
    feeds: list[LiveFeed] = []
    for place, table in enumerate(config.feeds):
        try:
            feeds.append(adapters.build(table, clock, config.run.mode, secrets))
        except ValidationError as error:
            raise ConfigError(problems(error, f"feeds.{place}")) from None
        except ValueError as error:
            raise ConfigError([Problem(f"feeds.{place}", str(error), "")]) from None
    return feeds


def adjust_feeds(feeds: Sequence[LiveFeed], config: Config) -> None:
    """The limits of silence of the configuration, for feeds that run."""
    adapters: Any = import_module("adapters.live")
    for feed, table in zip(feeds, config.feeds, strict=True):
        adapters.adjust(feed, table)


@dataclass(slots=True)
class Daemon:
    """One engine: `run` returns when it has ended cleanly. `reread` settles the configuration again, `monitor` is the
    command of the page's process, () for none. `adopt` and `anew` are those of `open_line`."""

    settled: Settled
    paths: Paths
    clock: Clock
    logs: LogBook
    notifier: Notifier
    reread: Callable[[], Settled]
    adopt: bool = False
    monitor: Sequence[str] = ()
    anew: bool = False
    session: LiveSession = field(init=False)
    target: EngineTarget = field(init=False)
    machine: Machine = field(init=False)
    stream: EngineStream = field(init=False)
    store: ReadModel | None = field(init=False)
    around: Beside = field(init=False)
    _watch: LoopWatch = field(init=False)
    _hung_up: anyio.Event = field(default_factory=anyio.Event)

    @property
    def config(self) -> Config:
        """What holds now: a reload changes it."""
        return self.settled.config

    @property
    def directory(self) -> Path:
        return self.paths.state_of(self.config.run.mode)

    async def run(self) -> None:
        """Raises what `LiveSession.begin` and `run` raise."""
        self._assemble()
        log = structlog.get_logger()
        async with AsyncExitStack() as around:
            await around.enter_async_context(Signals(self._stopped, self._reloaded, self._killed))
            await self.session.begin()
            self.target.recovered()
            log.info("session_begins", mode=self.config.run.mode, tape=str(self.session.opened.tape.path))
            if self.session.opened.instead:
                log.warning("tape_begun_anew", reason=self.session.opened.instead)
            await around.enter_async_context(ControlServer(self.target, self.paths.socket, self.logs))
            self._watch.start()
            around.callback(self._watch.stop)
            async with anyio.create_task_group() as beside:
                await self._serve(beside)
                beside.start_soon(self._show_life)
                beside.start_soon(self._measure)
                beside.start_soon(self._begin_trading)
                beside.start_soon(self._check_days)
                beside.start_soon(self._obey_hang_ups)
                await self.session.run()
                await self._let_store_end()
                # From here on the loop only waits for others to end: silence is no stall.
                self._watch.stop()
                beside.cancel_scope.cancel()
        self.notifier.stopping("ended cleanly")
        log.info("session_ended", digest=self.session.opened.line.tap.digest.hex)

    async def _serve(self, beside: TaskGroup) -> None:
        """Everybody who only looks: store, stream to the monitor, alerts and protections."""
        opened = self.session.opened
        if self.store is not None:
            await beside.start(self.store.run)
        run = self.store.name if self.store else ""
        self.stream.begin(
            opened.session.start, opened.session.table.all, run=run, status=self.target.status, queues=self._queues
        )
        beside.start_soon(self.stream.run)
        beside.start_soon(self.around.run)
        if self.monitor and self.config.monitor is not None:
            beside.start_soon(keep_running, "monitor", self.monitor, self.clock)

    def _queues(self) -> QueuesView:
        return views.queues(self.session, self.store.status if self.store else None, self.logs.dropped)

    async def _let_store_end(self) -> None:
        """What the session came to is stored, unless the disk takes nothing any more."""
        if self.store is not None:
            self.store.close(self.session.opened.line)
            with anyio.move_on_after(STORE_END_S):
                await self.store.ended.wait()

    def _assemble(self) -> None:
        settings = self.config.live
        feeds = build_feeds(self.config, self.clock, self.settled.secrets)
        self._watch = LoopWatch(
            self.clock.monotonic_ns,
            self._stalled,
            limit_ns=settings.loop_stall_ms * MS_NS,
            halt_ns=settings.loop_halt_ms * MS_NS,
        )
        self.machine = Machine(settings, self.directory, self.clock, self._watch, int(PACE_S * SECOND_NS))
        self.stream = EngineStream(self.paths.runtime / SOCKET_NAME, self.clock)
        store = self.config.store.sqlite
        self.store = None
        if store:
            self.store = ReadModel(self.paths.resolved(store, self.config.run.mode), self.config, self.clock)
        sinks: list[Sink] = [self.stream, *([self.store] if self.store else [])]
        prepare = self.store.open if self.store else nothing
        tapes = Tapes(self.directory / "tapes")
        parts = LiveParts(self.config, feeds, tapes, self.clock, sinks, prepare, self.adopt, self.anew)
        self.session = LiveSession(parts)
        reloading = Reloading(self.session, lambda: self.settled, self.reread, self._reloadable(feeds))
        self.target = EngineTarget(self.session, self.config, self.paths, reloading.obey, self.machine.view)
        self.around = Beside(self.settled, self.target, self.clock, self.directory)

    def _reloadable(self, feeds: Sequence[LiveFeed]) -> list[Prepare]:
        """What takes settings while it runs."""
        return [
            lambda held: partial(self.logs.change, held.config.log, tuple(held.secrets)),
            lambda held: partial(self.machine.change, held.config.live),
            lambda held: partial(adjust_feeds, feeds, held.config),
            lambda held: self.around.prepared(held),
            lambda held: partial(setattr, self, "settled", held),
        ]

    async def _begin_trading(self) -> None:
        """When history is through: what stood before the start stands again, then entries are possible."""
        await self.session.warm.wait()
        record = killfile.read(self.directory)
        if record is not None and record.level is not self.target.kill_level:
            await self._order("kill", record.level, record.operator, record.reason or "stood before the start")
        if self.config.run.on_start == "paused" and not self.target.paused_by:
            await self._order("pause", "", "on_start", "run.on_start is paused")
        self.target.state = SessionState.RUNNING
        self.notifier.ready(self._told())

    async def _show_life(self) -> None:
        while True:
            await self.clock.sleep(PACE_S)
            self.machine.beat()
            if self.notifier.interval_s is not None:
                self.notifier.watchdog()

    async def _measure(self) -> None:
        while True:
            await self.clock.sleep(MEASURE_S)
            # The session may end between two measurements: what was measured then concerns nobody.
            with suppress(IngressClosedError):
                for health in self.machine.measure(self.session.inbox, self.session.opened.tape, self.logs.dropped):
                    await self.session.inbox.control(health)
            # A disk that takes nothing is told by the tape; the decisions wait.
            with suppress(TapeError):
                await anyio.to_thread.run_sync(self.session.opened.decisions.sync)
            if killfile.requested(self.paths.runtime) and self.target.kill_level is KillLevel.NONE:
                await self._order("kill", KillLevel.ENTRIES, "file", "a KILL file was put into the runtime directory")
            self.notifier.status(self._told())

    async def _check_days(self) -> None:
        """Each tape that ended is replayed; the tapes that are kept no longer go once theirs has been."""
        done = 0
        while True:
            await self.clock.sleep(MEASURE_S)
            while done < len(self.session.ended_tapes):
                tape, done = self.session.ended_tapes[done], done + 1
                await self._check(tape)

    async def _check(self, tape: Path) -> None:
        log = structlog.get_logger()
        try:
            proof = await checked(tape, self.config)
        except SelfCheckError as error:
            log.error("self_check_failed", tape=str(tape), reason=str(error))
            return
        if not proof.ok:
            log.error("decisions_differ", tape=str(tape), number=proof.number, was=proof.was, is_now=proof.is_now)
            await self._order(
                "pause", "", "self_check", f"{tape.name} does not replay: decision {proof.number} differs"
            )
            return
        log.info("self_check", tape=str(tape), decisions=proof.decisions, digest=proof.digest)
        tapes = self.session.parts.tapes
        for old in tapes.older_than(self.config.tape.keep_days, self.clock.now_ns()):
            tapes.forget(old)
            log.info("tape_forgotten", tape=str(old), keep_days=self.config.tape.keep_days)

    async def _obey_hang_ups(self) -> None:
        while True:
            await self._hung_up.wait()
            self._hung_up = anyio.Event()
            await self._order("reload", "", "SIGHUP", "")

    async def _order(self, name: str, argument: str, operator: str, reason: str) -> None:
        outcome = await self.target.submit(OperatorCommand(name, argument, operator, reason))
        log = structlog.get_logger()
        say = log.warning if outcome.code == exits.OK else log.error
        say("command", name=name, argument=argument, by=operator, outcome=outcome.message)

    def _told(self) -> str:
        status = self.target.status()
        blocked = "; ".join(one.text for one in status.blockers[:2])
        return f"{status.state}: {blocked}" if blocked else str(status.state)

    # ----------------------------------------------------------------- from outside the loop's turn

    def _stopped(self, signal: str) -> None:
        structlog.get_logger().info("stopping", signal=signal)
        self.target.state = SessionState.STOPPING
        self.session.stop(self.config.live.drain_s)

    def _reloaded(self, signal: str) -> None:
        """SIGHUP: a command as any other, as soon as the loop gets to it."""
        self._hung_up.set()

    def _killed(self, signal: str) -> None:
        """SIGUSR2: the kill file is there before anything else; the next measurement makes a command of it."""
        killfile.request(self.paths.runtime)

    def _stalled(self, report: StallReport) -> None:
        structlog.get_logger().error("loop_stalled", silent_ms=report.silent_ns // MS_NS, stacks=report.stacks)
