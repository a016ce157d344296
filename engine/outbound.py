"""Calls to a person's or a watchman's web address, within a budget: alerts and the dead-man ping.

An address is a secret. A call that fails or hangs costs the engine nothing: at most one is under way,
each has a deadline, and what cannot be told in time is counted and let go.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

import aiohttp
import msgspec
import structlog

from engine.config.credentials import Secret
from engine.control.rate import Bucket

DEADLINE_S: Final = 10.0
MOST_WAITING: Final = 100
ALERTS_AT_ONCE: Final = 20
ALERTS_PER_S: Final = 1 / 60
"""After a first burst one alert a minute: more than a person reads."""

log = structlog.get_logger()


class Alert(msgspec.Struct, frozen=True):
    """What a webhook is sent, as one JSON object. `text` is what chat programs show."""

    event: str
    text: str
    mode: str
    time: str


class AddressError(ValueError):
    """Not an address that may be called; never says which. `problem` is the text without the secret's name."""

    def __init__(self, secret: Secret, problem: str) -> None:
        self.secret = secret
        self.problem = problem
        super().__init__(f"{secret.name}: {problem}")


def checked_address(secret: Secret) -> str:
    """HTTPS, or HTTP to this machine. Raises AddressError."""
    try:
        parts = urlsplit(secret.reveal())
        host = parts.hostname or ""
    except ValueError:
        raise AddressError(secret, "must be an address") from None
    local = host in ("localhost", "127.0.0.1", "::1")
    if not host or not (parts.scheme == "https" or (parts.scheme == "http" and local)):
        raise AddressError(secret, "must be an https address")
    return secret.reveal()


class Poster:
    """One call at a time to one address. `failed` and `sent` count."""

    def __init__(self, secret: Secret, *, deadline_s: float = DEADLINE_S) -> None:
        self._address = checked_address(secret)
        self._name = secret.name
        self._deadline_s = deadline_s
        self.sent = 0
        self.failed = 0

    async def get(self) -> bool:
        return await self._call("GET", None)

    async def post(self, body: bytes) -> bool:
        return await self._call("POST", body)

    async def _call(self, method: str, body: bytes | None) -> bool:
        """Whether it was answered with 2xx in time."""
        timeout = aiohttp.ClientTimeout(total=self._deadline_s)
        headers = {"Content-Type": "application/json"} if body is not None else {}
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout, trust_env=False) as session,
                session.request(method, self._address, data=body, headers=headers, allow_redirects=False) as response,
            ):
                is_good = response.status < 300
                reason = str(response.status)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            is_good, reason = False, type(error).__name__
        if is_good:
            self.sent += 1
        else:
            self.failed += 1
            log.warning("call_failed", address=self._name, reason=reason)
        return is_good


class DeadMan:
    """Asks an outside watchman's address while the engine is well; silence makes him call a person."""

    def __init__(self, poster: Poster, monotonic_ns: Callable[[], int], *, every_s: float) -> None:
        self._poster = poster
        self._monotonic_ns = monotonic_ns
        self._every_ns = int(every_s * 1e9)
        self._called_ns: int | None = None

    async def beat(self, *, healthy: bool) -> bool:
        """Called often; whether a call was made and answered. Unhealthy engines are silent."""
        now_ns = self._monotonic_ns()
        if not healthy or (self._called_ns is not None and now_ns - self._called_ns < self._every_ns):
            return False
        self._called_ns = now_ns
        return await self._poster.get()


class Channel(Protocol):
    """Where a body goes; whether it arrived."""

    def post(self, body: bytes) -> Awaitable[bool]: ...


class Alerts:
    """A bounded queue of alerts in front of a channel. `tell` never waits; `run` sends until cancelled."""

    def __init__(self, poster: Channel, events: tuple[str, ...], monotonic_ns: Callable[[], int]) -> None:
        self._poster = poster
        self.events = events
        self._bucket = Bucket(monotonic_ns, capacity=ALERTS_AT_ONCE, per_s=ALERTS_PER_S)
        self._waiting: deque[Alert] = deque(maxlen=MOST_WAITING)
        self._arrived = asyncio.Event()
        self.left_out = 0

    def change(self, poster: Channel, events: tuple[str, ...]) -> None:
        """Another address from the next alert on, those that wait included."""
        self._poster, self.events = poster, events

    def tell(self, alert: Alert) -> bool:
        """Whether it will be sent: its kind is wanted and the budget is not used up."""
        if alert.event not in self.events:
            return False
        if alert.event != "kill" and not self._bucket.take():
            self.left_out += 1
            return False
        self._waiting.append(alert)
        self._arrived.set()
        return True

    async def run(self) -> None:
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while self._waiting:
                await self._poster.post(_body(self._waiting.popleft()))


def _body(alert: Alert) -> bytes:
    shown: dict[str, Any] = {**msgspec.structs.asdict(alert), "content": alert.text}
    return msgspec.json.encode(shown)
