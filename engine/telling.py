"""Everybody who is told: a webhook, a chat, the dead man's watchman. A reload may exchange any of them.

Each has a queue of its own, so that one that hangs holds no other up. What waits when an address is
exchanged goes to the new one: a dead address is why it was.
"""

from collections.abc import Callable
from typing import Final

import anyio
from anyio.lowlevel import checkpoint

from engine.config import Settled
from engine.control.status import SessionState
from engine.live.ports import Clock
from engine.notify import Redacted, Retrying, Telegram
from engine.outbound import Alert, Alerts, Channel, DeadMan, Poster

LOOK_S: Final = 1.0

WELL: Final = (SessionState.WARMING, SessionState.RUNNING, SessionState.PAUSED)
"""States in which the dead man's switch is held down; a halted engine is one that a person should look at."""


class Nobody:
    """Stands where no address is configured."""

    async def post(self, body: bytes) -> bool:
        await checkpoint()
        return True


class Telling:
    """`tell` never waits; `run` sends until cancelled. Raises AddressError where an address cannot be called."""

    def __init__(self, settled: Settled, clock: Clock) -> None:
        self._clock = clock
        self._webhook = Alerts(Nobody(), (), clock.monotonic_ns)
        self._chat = Alerts(Nobody(), (), clock.monotonic_ns)
        self._dead_man: DeadMan | None = None
        self.prepared(settled)()

    def prepared(self, settled: Settled) -> Callable[[], None]:
        """What tells by these settings from the call on that it gives back. Raises AddressError, changing nothing."""
        webhook, chat = self._by_webhook(settled), self._by_chat(settled)
        dead_man = self._watchman(settled)

        def switch() -> None:
            self._webhook.change(*webhook)
            self._chat.change(*chat)
            self._dead_man = dead_man

        return switch

    def tell(self, alert: Alert) -> None:
        for alerts in (self._webhook, self._chat):
            alerts.tell(alert)

    async def run(self, state: Callable[[], SessionState]) -> None:
        async with anyio.create_task_group() as tasks:
            for alerts in (self._webhook, self._chat):
                tasks.start_soon(alerts.run)
            while True:
                if self._dead_man is not None:
                    await self._dead_man.beat(healthy=state() in WELL)
                await self._clock.sleep(LOOK_S)

    def _by_webhook(self, settled: Settled) -> tuple[Channel, tuple[str, ...]]:
        settings, url = settled.config.notify.webhook, settled.secrets.get("notify.webhook_url")
        if settings is None or url is None:
            return Nobody(), ()
        return self._safe(Poster(url), settled), settings.events

    def _by_chat(self, settled: Settled) -> tuple[Channel, tuple[str, ...]]:
        settings, token = settled.config.notify.telegram, settled.secrets.get("notify.telegram_token")
        if settings is None or token is None:
            return Nobody(), ()
        return self._safe(Telegram(token, settings.chat_id), settled), settings.events

    def _watchman(self, settled: Settled) -> DeadMan | None:
        secret = settled.secrets.get("live.dead_man_url")
        if secret is None:
            return None
        return DeadMan(Poster(secret), self._clock.monotonic_ns, every_s=settled.config.live.dead_man_every_s)

    def _safe(self, channel: Channel, settled: Settled) -> Channel:
        return Retrying(Redacted(channel, [one.reveal() for one in settled.secrets]), self._clock)
