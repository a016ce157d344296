"""Who may see and who may operate: tokens, the sessions they are exchanged for, and the limits on guessing.

A token is compared in constant time, is never part of an address, and is exchanged once for a cookie that
scripts cannot read. Of sessions only digests are kept, in memory and, where a file for them is named, there:
then they outlive a restart of the monitor.
"""

import hmac
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable
from hashlib import sha256
from ipaddress import ip_address
from pathlib import Path
from secrets import token_urlsafe  # noqa: TID251 - what a session is known by must be unguessable
from socket import gethostname
from typing import Final
from urllib.parse import urlsplit

import msgspec

from engine.control.rate import Bucket
from engine.live.ports import Clock
from engine.monitor.session_file import Kept, Role, SessionFile

READ: Final = "read"
OPERATE: Final = "operate"
SESSION_S: Final = 12 * 3_600
SESSION_NS: Final = SESSION_S * 1_000_000_000
MOST_SESSIONS: Final = 1_000
MOST_ADDRESSES: Final = 10_000
TRIES_AT_ONCE: Final = 10
TRIES_PER_S: Final = 1 / 6
REQUESTS_AT_ONCE: Final = 200
REQUESTS_PER_S: Final = 50.0
SECRET_BYTES: Final = 32
LEAST_TOKEN: Final = 43
"""Characters: 256 bit in base 64."""

COOKIE: Final = "wyckoff_session"


class WeakTokenError(ValueError):
    """A token that could be guessed."""


class Session(msgspec.Struct, frozen=True):
    """`key` is the digest of the cookie; `csrf` follows from the cookie, and nothing follows from it."""

    key: bytes
    role: Role
    csrf: str
    expires_ns: int

    @property
    def name(self) -> str:
        """What the log calls it: not enough to be it."""
        return self.key.hex()[:8]


class Tokens:
    """At most two: one that may operate, one that may only look. Only their digests are kept."""

    def __init__(self, operate: str = "", read: str = "") -> None:
        """Raises WeakTokenError."""
        self._known: list[tuple[bytes, Role]] = []
        for token, role in ((operate, OPERATE), (read, READ)):
            if token and (len(token) < LEAST_TOKEN or len(set(token)) < 10):
                raise WeakTokenError(f"the token to {role} must have at least {LEAST_TOKEN} random characters")
            if token:
                self._known.append((_digest(token), "operate" if role == OPERATE else "read"))

    def __bool__(self) -> bool:
        return bool(self._known)

    @property
    def mark(self) -> str:
        """Another one with every other pair of tokens; tells neither."""
        return _digest("".join(f"{role} {digest.hex()}\n" for digest, role in self._known)).hex()

    def role(self, token: str) -> Role | None:
        """Looks at every token whatever it finds, so that time tells nothing."""
        given, found = _digest(token), None
        for digest, role in self._known:
            if hmac.compare_digest(digest, given):
                found = role
        return found


class Limits:
    """A bucket for each address, forgotten when too many have come."""

    def __init__(self, clock: Clock, *, capacity: int, per_s: float) -> None:
        self._clock = clock
        self._capacity, self._per_s = capacity, per_s
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()

    def take(self, address: str) -> bool:
        bucket = self._buckets.get(address)
        if bucket is None:
            bucket = Bucket(self._clock.monotonic_ns, capacity=self._capacity, per_s=self._per_s)
            self._buckets[address] = bucket
            if len(self._buckets) > MOST_ADDRESSES:
                self._buckets.popitem(last=False)
        self._buckets.move_to_end(address)
        return bucket.take()


class Guard:
    """Tokens, sessions and tries of one monitor."""

    def __init__(
        self,
        tokens: Tokens,
        clock: Clock,
        *,
        allow_operate: bool,
        hosts: Iterable[str] = (),
        make: Callable[[], str] | None = None,
        sessions: Path | None = None,
    ) -> None:
        """`hosts` are names of this machine beside its own; `sessions` is the file that keeps them."""
        self.hosts = frozenset(name.lower() for name in hosts)
        self._tokens = tokens
        self._clock = clock
        self._allow_operate = allow_operate
        self._make = make or (lambda: token_urlsafe(SECRET_BYTES))
        self._file = SessionFile(sessions, tokens.mark) if sessions else None
        self._sessions: OrderedDict[bytes, Kept] = OrderedDict()
        self._remember()
        self.tries = Limits(clock, capacity=TRIES_AT_ONCE, per_s=TRIES_PER_S)
        self.requests = Limits(clock, capacity=REQUESTS_AT_ONCE, per_s=REQUESTS_PER_S)
        self.refused = 0

    def role_of_token(self, token: str) -> Role | None:
        role = self._tokens.role(token)
        if role is None:
            self.refused += 1
            return None
        return role if self._allow_operate else "read"

    def open(self, role: Role) -> tuple[str, Session]:
        """A new session and the value of its cookie, which is not kept."""
        value = self._make()
        kept = Kept(_digest(value).hex(), role, self._clock.now_ns() + SESSION_NS)
        self._sessions[_digest(value)] = kept
        self._drop_old()
        self._keep()
        return value, self._shown(value, kept)

    def session(self, cookie: str) -> Session | None:
        """None where it is unknown or over."""
        key = _digest(cookie)
        found = self._sessions.get(key)
        if found is not None and found.expires_ns <= self._clock.now_ns():
            del self._sessions[key]
            return None
        return None if found is None else self._shown(cookie, found)

    def close(self, cookie: str) -> None:
        if self._sessions.pop(_digest(cookie), None) is not None:
            self._keep()

    def is_alive(self, session: Session) -> bool:
        return session.key in self._sessions and session.expires_ns > self._clock.now_ns()

    def _shown(self, cookie: str, kept: Kept) -> Session:
        """Whoever was signed in to operate may only look once operating is not allowed any more."""
        role: Role = kept.role if self._allow_operate else READ
        return Session(_digest(cookie), role, _csrf(cookie), kept.expires_ns)

    def _remember(self) -> None:
        """What the file has. None lasts longer than one that is opened now."""
        now_ns = self._clock.now_ns()
        for one in self._file.read() if self._file else ():
            if one.expires_ns <= now_ns + SESSION_NS:
                self._sessions[bytes.fromhex(one.digest)] = one
        self._drop_old()

    def _drop_old(self) -> None:
        while len(self._sessions) > MOST_SESSIONS:
            self._sessions.popitem(last=False)

    def _keep(self) -> None:
        if self._file is not None:
            now_ns = self._clock.now_ns()
            self._file.write([one for one in self._sessions.values() if one.expires_ns > now_ns])


def same(one: str, other: str) -> bool:
    """In constant time."""
    return hmac.compare_digest(one.encode("utf-8", "surrogateescape"), other.encode("utf-8", "surrogateescape"))


def is_our_host(host: str, names: Collection[str] = ()) -> bool:
    """Whether a Host header names this machine by number, as localhost, by its own name or one of `names`.

    A web page that has its own name resolve to us (DNS rebinding) still says its own name here.
    """
    try:
        name = urlsplit(f"//{host}").hostname or ""
        ip_address(name)
    except ValueError:
        return name_of(host) in ("localhost", gethostname().lower(), *names)
    return True


def is_our_origin(origin: str, host: str) -> bool:
    """Whether a page of ours asks: the same name and port as in Host, nothing else."""
    return origin.lower() in (f"http://{host.lower()}", f"https://{host.lower()}")


def name_of(host: str) -> str:
    """Without the port, in lower case; "" for nonsense."""
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""


def _csrf(cookie: str) -> str:
    """Not kept anywhere: known again from the cookie alone, and telling nothing of it."""
    return hmac.digest(cookie.encode("utf-8", "surrogateescape"), b"csrf", "sha256").hex()


def _digest(text: str) -> bytes:
    return sha256(text.encode("utf-8", "surrogateescape")).digest()
