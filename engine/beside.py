"""What runs beside a session once a second and only looks at its status: protections, alerts, the dead man.

Nothing here can hold the session up: alerts and calls have tasks and budgets of their own, and a status
that cannot be judged is left for the next second.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import anyio
import structlog

from engine.config import ConfigError, Problem, Settled
from engine.control.status import SessionState, Status
from engine.control.target import ControlTarget
from engine.live.ports import Clock
from engine.outbound import AddressError, Alert
from engine.protections import Memory, Protections, read_memory, write_memory
from engine.telling import LOOK_S, Telling

STALE: Final = ("STALE", "DOWN", "CLOSED")


@dataclass(slots=True)
class Beside:
    """`directory` is the state's. `run` ends by cancellation. Raises AddressError where an address cannot be
    called."""

    settled: Settled
    target: ControlTarget
    clock: Clock
    directory: Path
    _telling: Telling = field(init=False)
    _before: Status | None = field(default=None, init=False)
    _saved: Memory | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self._telling = Telling(self.settled, self.clock)

    def prepared(self, settled: Settled) -> Callable[[], None]:
        """As `Telling.prepared`: protections need a restart. Raises ConfigError, changing nothing."""
        try:
            return self._telling.prepared(settled)
        except AddressError as error:
            raise ConfigError([Problem(error.secret.name, error.problem, error.secret.origin)]) from None

    async def run(self) -> None:
        protections = Protections(self.settled.config.protections, read_memory(self.directory))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._telling.run, lambda: self.target.status().state)
            while True:
                status = self.target.status()
                for alert in events(self._before, status):
                    self._telling.tell(alert)
                self._before = status
                await self._protect(protections, status)
                await self.clock.sleep(LOOK_S)

    async def _protect(self, protections: Protections, status: Status) -> None:
        if status.equity is None or not status.line_time or not self.settled.config.protections:
            return
        for command in protections.judge(status.line_time[:10], status.equity):
            structlog.get_logger().error("protection", name=command.operator, action=command.name, why=command.reason)
            await self.target.submit(command)
        if protections.memory is not None and protections.memory != self._saved:
            try:
                write_memory(self.directory, protections.memory)
                self._saved = protections.memory
            except OSError as error:
                structlog.get_logger().warning("protections_not_saved", error=error.strerror)


def events(before: Status | None, now: Status) -> Iterator[Alert]:
    """What a person would want to be told of the difference between two looks."""
    if before is None:
        source = "simulated" if now.feed_is_simulated else "real"
        yield _alert("start", f"{now.mode} begins on a {source} feed", now)
        return
    if now.kill_level and now.kill_level != before.kill_level:
        yield _alert("kill", f"kill {now.kill_level}: {now.kill_reason}", now)
    if now.paused_by and now.paused_by != before.paused_by:
        yield _alert("pause", f"paused by {now.paused_by}", now)
    if now.state is SessionState.STOPPING and before.state is not SessionState.STOPPING:
        yield _alert("stop", "stopping", now)
    states = {feed.name: feed.status for feed in before.feeds}
    for feed in now.feeds:
        if feed.status in STALE and states.get(feed.name) not in STALE:
            yield _alert("feed_stale", f"feed {feed.name}: {feed.status} {feed.reason}".rstrip(), now)
    yield from _counted(before, now)


def _counted(before: Status, now: Status) -> Iterator[Alert]:
    counts = (
        ("fill", now.day.entries + now.day.exits, before.day.entries + before.day.exits, "fills today"),
        ("refused", now.day.refused, before.day.refused, "entries refused today"),
        ("campaign", now.campaigns, before.campaigns, "campaigns"),
        ("stall", now.loop.stalls, before.loop.stalls, "stalls of the loop"),
    )
    for event, count, old, words in counts:
        if count > old:
            yield _alert(event, f"{count} {words}", now)


def _alert(event: str, text: str, status: Status) -> Alert:
    return Alert(event, f"[{status.mode}] {text}", status.mode, status.line_time)
