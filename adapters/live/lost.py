"""Why a connection or a request failed, told apart by what to do about it.

Exception
├── LostError               this attempt failed; another may succeed, not before `retry_after_s`
└── FeedRefusedError      (engine.live.ports) asking again will not help: keys, permission, unknown symbols
"""

import asyncio
import socket
import ssl

import aiohttp

from engine.live.ports import FeedRefusedError

FATAL_STATUS = (401, 402, 403, 451)
"""Unauthorised, not paid for, forbidden, unavailable for legal reasons: the same tomorrow."""

BANNED_STATUS, BAN_S = 418, 120.0
"""Binance bans addresses that go on after 429: for two minutes at first."""


class LostError(Exception):
    """`kind` is one word: dns, tls, refused, status, timeout, closed, mute, protocol, busy."""

    def __init__(self, kind: str, reason: str, retry_after_s: float = 0.0) -> None:
        self.kind = kind
        self.reason = reason
        self.retry_after_s = retry_after_s
        super().__init__(f"{kind}: {reason}")


FAILURES = (aiohttp.ClientError, OSError, TimeoutError, asyncio.IncompleteReadError)
"""What a request or a connection may raise."""


def classified(error: BaseException) -> LostError:
    """An exception of FAILURES as what it means."""
    if isinstance(error, aiohttp.WSServerHandshakeError | aiohttp.ClientResponseError):
        return lost_by_status(error.status, dict(error.headers or {}).get("Retry-After", ""))
    if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientSSLError | ssl.SSLError):
        return LostError("tls", _told(error))
    if isinstance(error, aiohttp.ClientConnectorDNSError | socket.gaierror):
        return LostError("dns", _told(error))
    if isinstance(error, TimeoutError):
        return LostError("timeout", "no answer in time")
    if isinstance(error, aiohttp.ClientConnectorError | ConnectionRefusedError):
        return LostError("refused", _told(error))
    return LostError("closed", _told(error))


def lost_by_status(status: int, retry_after: str) -> LostError:
    """Of an answer that is no success. Raises FeedRefusedError where asking again will not help."""
    if status in FATAL_STATUS:
        raise FeedRefusedError(f"HTTP status {status}")
    wait_s = _seconds(retry_after)
    return LostError("status", f"HTTP status {status}", max(wait_s, BAN_S) if status == BANNED_STATUS else wait_s)


def _seconds(text: str) -> float:
    try:
        return min(max(float(text), 0.0), 3_600.0)
    except ValueError:
        return 0.0


def _told(error: BaseException) -> str:
    """Without addresses in full: they may hold signatures."""
    return f"{type(error).__name__}: {str(error).split('?')[0][:120]}"
