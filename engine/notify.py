"""Telling a person through Telegram, and trying again within a budget where a message did not get through.

Both are what `outbound.Alerts` posts through. Texts are redacted before they leave, and a token is part of
no address that anybody is shown.
"""

from collections import deque
from collections.abc import Iterable
from typing import Final

import aiohttp
import msgspec
import structlog

from engine.config.credentials import Secret
from engine.live.ports import Clock
from engine.outbound import DEADLINE_S, AddressError, Channel
from engine.redaction import Redactor

TELEGRAM: Final = "https://api.telegram.org"
MOST_TEXT: Final = 3_500
"""Characters; Telegram takes 4,096."""

TRIES: Final = 4
FIRST_WAIT_S: Final = 2.0
MOST_WAIT_S: Final = 60.0
BUDGET: Final = 10
BUDGET_S: Final = 600.0
"""So many repeated tries in this time, for all messages together: a dead address is left in peace."""

log = structlog.get_logger()


class TelegramMessage(msgspec.Struct, frozen=True):
    """What the bot is asked to send. No parse mode: text is text."""

    chat_id: str
    text: str
    disable_notification: bool = False


class _Told(msgspec.Struct, frozen=True):
    """Of a webhook's body what a chat shows."""

    event: str = ""
    text: str = ""


class Telegram:
    """Sends the text of an alert to one chat. `failed` and `sent` count."""

    def __init__(self, token: Secret, chat_id: str, *, base: str = TELEGRAM, deadline_s: float = DEADLINE_S) -> None:
        """Raises AddressError where the token is none, without repeating it."""
        number, _, rest = token.reveal().partition(":")
        if not number.isdigit() or len(rest) < 20 or not rest.replace("-", "").replace("_", "").isalnum():
            raise AddressError(token, "must be a bot's token, NUMBER:LETTERS")
        self._address = f"{base}/bot{token.reveal()}/sendMessage"
        self._name = token.name
        self._chat_id = chat_id
        self._deadline_s = deadline_s
        self.sent = 0
        self.failed = 0

    async def post(self, body: bytes) -> bool:
        """`body` is what a webhook would get."""
        told = msgspec.json.decode(body, type=_Told)
        text = told.text[:MOST_TEXT]
        message = msgspec.json.encode(TelegramMessage(self._chat_id, text, told.event in ("start", "stop")))
        is_good, reason = await self._asked(message)
        self.sent += is_good
        self.failed += not is_good
        if not is_good:
            log.warning("call_failed", address=self._name, reason=reason)
        return is_good

    async def _asked(self, message: bytes) -> tuple[bool, str]:
        timeout = aiohttp.ClientTimeout(total=self._deadline_s)
        headers = {"Content-Type": "application/json"}
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout, trust_env=False) as session,
                session.post(self._address, data=message, headers=headers, allow_redirects=False) as answer,
            ):
                return answer.status == 200, str(answer.status)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            # The error's own text holds the address, and with it the token.
            return False, type(error).__name__


class Redacted:
    """Takes secrets out of everything that passes."""

    def __init__(self, channel: Channel, secrets: Iterable[str]) -> None:
        self._channel = channel
        self._redactor = Redactor(secrets)

    async def post(self, body: bytes) -> bool:
        return await self._channel.post(self._redactor.text(body.decode("utf-8", "replace")).encode())


class Retrying:
    """Tries again, further and further apart, while the budget lasts. `given_up` counts messages that were lost."""

    def __init__(self, channel: Channel, clock: Clock, *, tries: int = TRIES, budget: int = BUDGET) -> None:
        self._channel = channel
        self._clock = clock
        self._tries = tries
        self._budget = budget
        self._spent_ns: deque[int] = deque()
        self.given_up = 0

    async def post(self, body: bytes) -> bool:
        if await self._channel.post(body):
            return True
        wait_s = FIRST_WAIT_S
        for _ in range(self._tries - 1):
            if not self._may_spend():
                break
            await self._clock.sleep(wait_s)
            wait_s = min(MOST_WAIT_S, wait_s * 4)
            if await self._channel.post(body):
                return True
        self.given_up += 1
        return False

    def _may_spend(self) -> bool:
        now_ns = self._clock.monotonic_ns()
        while self._spent_ns and now_ns - self._spent_ns[0] >= BUDGET_S * 1e9:
            self._spent_ns.popleft()
        if len(self._spent_ns) >= self._budget:
            return False
        self._spent_ns.append(now_ns)
        return True
