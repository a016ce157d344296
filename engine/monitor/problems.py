"""Errors as `application/problem+json`: what is wrong, in words and as a code; never a trace, path or release."""

from http import HTTPStatus

import msgspec
from aiohttp import web


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    type: str = "about:blank"
    title: str
    status: int
    detail: str
    code: str


class ProblemError(Exception):
    """Ends a request with this status. `retry_s` becomes Retry-After."""

    def __init__(self, status: int, code: str, detail: str, *, retry_s: int = 0) -> None:
        super().__init__(detail)
        self.problem = Problem(title=HTTPStatus(status).phrase, status=status, detail=detail, code=code)
        self.retry_s = retry_s


def response(error: ProblemError) -> web.Response:
    headers = {"Retry-After": str(error.retry_s)} if error.retry_s else {}
    if error.problem.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    return web.Response(
        body=msgspec.json.encode(error.problem),
        status=error.problem.status,
        content_type="application/problem+json",
        headers=headers,
    )


def of_http(error: web.HTTPException) -> web.Response:
    """An error of the server's own."""
    status = HTTPStatus(error.status)
    code = status.name.lower()
    made = response(ProblemError(error.status, code, status.description or status.phrase))
    if "Allow" in error.headers:
        made.headers["Allow"] = error.headers["Allow"]
    return made
