"""Requests for history: own deadlines, own pace, one address list, answers as bytes."""

import asyncio
from collections.abc import Mapping
from typing import TypeVar

import aiohttp
import msgspec

from adapters.live import hosts
from adapters.live.lost import FAILURES, LostError, classified, lost_by_status
from engine.live.ports import Clock

TIMEOUT_S = 10.0
MOST_AT_ONCE = 4
MOST_BYTES = 64 << 20


T = TypeVar("T")


class Rest:
    """One venue's. Requests are `gap_s` apart; after 429 or 418 none leaves before the venue allows it."""

    def __init__(
        self, http: aiohttp.ClientSession, base: str, venue: str, mode: str, clock: Clock, gap_s: float = 0.05
    ) -> None:
        self.requests = 0
        self._http = http
        self._base = base.rstrip("/")
        self._venue = venue
        self._mode = mode
        self._clock = clock
        self._gap_s = gap_s
        self._next_ns = 0
        self._slots = asyncio.Semaphore(MOST_AT_ONCE)

    async def get(self, path: str, query: Mapping[str, str], headers: Mapping[str, str] | None = None) -> bytes:
        """The body of a success. Raises LostError, FeedRefusedError or ForbiddenHostError."""
        url = hosts.check(self._base + path, self._venue, self._mode)
        async with self._slots:
            await self._turn()
            self.requests += 1
            try:
                async with asyncio.timeout(TIMEOUT_S), self._http.get(url, params=query, headers=headers) as answer:
                    if answer.status != 200:
                        raise self._refused(answer.status, answer.headers.get("Retry-After", ""))
                    body = await answer.content.read(MOST_BYTES)
                    if not answer.content.at_eof():
                        raise LostError(
                            "protocol", f"{path}: the answer must be at most {MOST_BYTES >> 20} MB, was more"
                        )
                    return body
            except FAILURES as error:
                raise classified(error) from None

    async def _turn(self) -> None:
        now_ns = self._clock.monotonic_ns()
        wait_ns = max(0, self._next_ns - now_ns)
        self._next_ns = max(self._next_ns, now_ns) + int(self._gap_s * 1e9)
        if wait_ns:
            await self._clock.sleep(wait_ns / 1e9)

    def _refused(self, status: int, retry_after: str) -> LostError:
        lost = lost_by_status(status, retry_after)
        self._next_ns = max(self._next_ns, self._clock.monotonic_ns() + int(lost.retry_after_s * 1e9))
        return lost


def read(decoding: msgspec.json.Decoder[T], body: bytes) -> T:
    """Raises LostError where an answer is not what its protocol says: what it would have held is not known."""
    try:
        return decoding.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise LostError("protocol", f"an answer must be readable, was not: {error}") from None
