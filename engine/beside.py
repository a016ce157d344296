"""What runs beside a session once a second and only looks at its status: protections, alerts, the dead man.

Nothing here can hold the session up: alerts and calls have tasks and budgets of their own, and a status
that cannot be judged is left for the next second.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import anyio
import structlog

from engine.config import Config, Secrets
from engine.control.status import SessionState, Status
from engine.control.target import ControlTarget
from engine.live.ports import Clock
from engine.notify import Redacted, Retrying, Telegram
from engine.outbound import Alert, Alerts, Channel, DeadMan, Poster
from engine.protections import Memory, Protections, read_memory, write_memory

LOOK_S: Final = 1.0

WELL: Final = (SessionState.WARMING, SessionState.RUNNING, SessionState.PAUSED)
"""States in which the dead man's switch is held down; a halted engine is one that a person should look at."""

STALE: Final = ("STALE", "DOWN", "CLOSED")


@dataclass(slots=True)
class Beside:
    """`directory` is the state's. `run` ends by cancellation."""

    config: Config
    secrets: Secrets
    target: ControlTarget
    clock: Clock
    directory: Path
    _before: Status | None = field(default=None, init=False)
    _saved: Memory | None = field(default=None, init=False)

    async def run(self) -> None:
        """Raises AddressError at once where an address cannot be called."""
        protections = Protections(self.config.protections, read_memory(self.directory))
        channels, dead_man = list(self._channels()), self._dead_man()
        async with anyio.create_task_group() as tasks:
            for alerts in channels:
                tasks.start_soon(alerts.run)
            if dead_man is not None:
                tasks.start_soon(self._hold_down, dead_man)
            while True:
                status = self.target.status()
                for alert in events(self._before, status):
                    for alerts in channels:
                        alerts.tell(alert)
                self._before = status
                await self._protect(protections, status)
                await self.clock.sleep(LOOK_S)

    async def _protect(self, protections: Protections, status: Status) -> None:
        if status.equity is None or not status.line_time or not self.config.protections:
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

    async def _hold_down(self, dead_man: DeadMan) -> None:
        while True:
            await dead_man.beat(healthy=self.target.status().state in WELL)
            await self.clock.sleep(LOOK_S)

    def _channels(self) -> Iterator[Alerts]:
        """Everybody who is told, each with a queue of its own: one that hangs holds no other up."""
        webhook, url = self.config.notify.webhook, self.secrets.get("notify.webhook_url")
        if webhook is not None and url is not None:
            yield Alerts(self._safe(Poster(url)), webhook.events, self.clock.monotonic_ns)
        telegram, token = self.config.notify.telegram, self.secrets.get("notify.telegram_token")
        if telegram is not None and token is not None:
            yield Alerts(self._safe(Telegram(token, telegram.chat_id)), telegram.events, self.clock.monotonic_ns)

    def _safe(self, channel: Channel) -> Channel:
        known = [one.reveal() for one in self.secrets]
        return Retrying(Redacted(channel, known), self.clock)

    def _dead_man(self) -> DeadMan | None:
        secret = self.secrets.get("live.dead_man_url")
        if secret is None:
            return None
        return DeadMan(Poster(secret), self.clock.monotonic_ns, every_s=self.config.live.dead_man_every_s)


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
