"""What every request passes before it is answered: Host, rate, Origin, who it is, what it may, how it ends.

Reading needs a session or a bearer token; changing anything needs our own Origin, the session's CSRF value and
JSON as well. Nothing is ever allowed to another origin, so there is no CORS.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Middleware

from engine.live.ports import Clock
from engine.monitor.guard import COOKIE, OPERATE, Guard, Session, is_our_host, is_our_origin, same
from engine.monitor.problems import ProblemError, of_http, response
from engine.monitor.session_file import Role

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

BODY_S: Final = 5.0
"""A body must have come by then."""

MOST_BODY_BYTES: Final = 16_384
READING: Final = frozenset(("GET", "HEAD"))
OPEN_PATHS: Final = frozenset(("/", "/favicon.ico", "/healthz", "/readyz", "/about"))
OPEN_BELOW: Final = "/static/"
SIGN_IN: Final = "/api/v1/session"
SECRET_PARAMETERS: Final = frozenset(("token", "access_token", "authorization", "auth", "apikey", "api_key", "bearer"))

CONTENT_SECURITY_POLICY: Final = (
    "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
"""Styles may be inline because the chart library sets them on its elements; scripts may not."""

NAME: Final = "wyckoff"

HEADERS: Final = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
    "Server": NAME,
}


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks. `session` is None for a bearer token."""

    role: Role
    session: Session | None
    address: str

    @property
    def told(self) -> str:
        """For the audit: role, session and address, nothing secret."""
        how = f"session {self.session.name}" if self.session else "token"
        return f"{self.role}, {how}, {self.address}"


CALLER: Final = web.RequestKey("caller", Caller)


def gate(guard: Guard, clock: Clock, busy: set[object]) -> Middleware:
    """The middleware. `busy` holds the connections whose request is being answered."""

    @web.middleware
    async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
        began_ns = clock.monotonic_ns()
        busy.add(request.protocol)
        try:
            answer = await _answered(request, handler, guard)
        except ProblemError as error:
            answer = response(error)
        except web.HTTPException as error:
            answer = of_http(error)
        finally:
            busy.discard(request.protocol)
        if not answer.prepared:
            answer.headers["Server-Timing"] = f"total;dur={(clock.monotonic_ns() - began_ns) / 1e6:.2f}"
        return answer

    return guarded


async def _answered(request: web.Request, handler: Handler, guard: Guard) -> web.StreamResponse:
    check_host(request, guard)
    address = request.remote or ""
    if not SECRET_PARAMETERS.isdisjoint(name.lower() for name in request.query):
        raise ProblemError(400, "secret_in_address", "a token never belongs into an address: it would be logged")
    if not _is_kill(request) and not guard.requests.take(address):
        raise ProblemError(429, "too_many_requests", "too many requests: try again in a second", retry_s=1)
    if not _is_open(request):
        request[CALLER] = caller_of(request, guard)
    if request.method not in READING:
        _check_change(request)
    return await handler(request)


def check_host(request: web.BaseRequest, guard: Guard) -> None:
    """Raises ProblemError 421."""
    if not is_our_host(request.headers.get("Host", ""), guard.hosts):
        raise ProblemError(421, "wrong_host", "Host must be this machine's address, localhost or one of its names")


def check_origin(request: web.BaseRequest, *, required: bool) -> None:
    """Raises ProblemError 403 where another page asks, or where a browser must say who asks and does not."""
    origin = request.headers.get("Origin")
    if origin is None:
        if required:
            raise ProblemError(403, "no_origin", "Origin must be this page's own, was absent")
    elif not is_our_origin(origin, request.headers.get("Host", "")):
        raise ProblemError(403, "wrong_origin", "Origin must be this page's own")
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        raise ProblemError(403, "wrong_origin", "the request comes from another site")


def caller_of(request: web.BaseRequest, guard: Guard) -> Caller:
    """Raises ProblemError 401 or 429."""
    address = request.remote or ""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme:
        role = guard.role_of_token(token.strip()) if scheme.lower() == "bearer" else None
        if role is None:
            if not guard.tries.take(address):
                raise ProblemError(429, "too_many_tries", "too many wrong tokens: wait a minute", retry_s=60)
            raise ProblemError(401, "wrong_token", "the token is not known here")
        return Caller(role, None, address)
    session = guard.session(request.cookies.get(COOKIE, ""))
    if session is None:
        raise ProblemError(401, "not_signed_in", "sign in with the token of this monitor")
    return Caller(session.role, session, address)


def operator_of(request: web.Request) -> Caller:
    """Raises ProblemError 403."""
    caller = request[CALLER]
    if caller.role != OPERATE:
        raise ProblemError(403, "read_only", "this session may look, not operate")
    return caller


async def body_of(request: web.Request) -> bytes:
    """Raises ProblemError 408, 413."""
    try:
        async with asyncio.timeout(BODY_S):
            return await request.read()
    except TimeoutError:
        raise ProblemError(408, "slow_body", f"the body must come within {BODY_S:.0f} s") from None
    except web.HTTPRequestEntityTooLarge:
        raise ProblemError(413, "too_large", f"the body must have at most {MOST_BODY_BYTES:,} bytes") from None


async def add_headers(_: web.Request, answer: web.StreamResponse) -> None:
    """On every answer, also on errors; an answer that says nothing of caches is in none."""
    for name, value in HEADERS.items():
        answer.headers[name] = value
    answer.headers.setdefault("Cache-Control", "no-store")


def _check_change(request: web.Request) -> None:
    """What a browser of ours sends with everything that changes something."""
    caller = request.get(CALLER)
    by_cookie = caller is None or caller.session is not None
    check_origin(request, required=by_cookie)
    if request.method == "POST" and request.content_type != "application/json":
        raise ProblemError(415, "not_json", "Content-Type must be application/json")
    if caller is not None and caller.session is not None:
        given = request.headers.get("X-CSRF-Token", "")
        if not same(given, caller.session.csrf):
            raise ProblemError(403, "wrong_csrf", "X-CSRF-Token must be the session's own")


def _is_open(request: web.Request) -> bool:
    """Paths that need no sign-in: the page itself, and signing in."""
    path = request.path
    if path == SIGN_IN:
        return request.method != "DELETE"
    return (path in OPEN_PATHS or path.startswith(OPEN_BELOW)) and request.method in READING


def _is_kill(request: web.Request) -> bool:
    """Commands have their own limits behind the sign-in: a kill never waits for a page that asks too much."""
    return request.method == "POST" and request.path == "/api/v1/commands"


__all__ = [
    "CALLER", "CONTENT_SECURITY_POLICY", "MOST_BODY_BYTES", "Caller", "Handler", "add_headers", "body_of", "caller_of",
    "check_host", "check_origin", "gate", "operator_of",
]  # fmt: skip
