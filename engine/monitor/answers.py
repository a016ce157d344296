"""How a GET is answered: JSON with an ETag, 304 for who has it, parameters checked, missing things told apart."""

from collections.abc import Awaitable, Callable, Mapping
from hashlib import blake2b
from typing import Final, TypeVar

import msgspec
from aiohttp import web
from multidict import MultiMapping

from engine.monitor.problems import ProblemError
from engine.monitor.queries import QueryError, parsed
from engine.monitor.shelf import Missing, NoStoreError

JSON: Final = "application/json"

Q = TypeVar("Q")
T = TypeVar("T")


def answered(request: web.Request, view: object, *, max_age_s: int = 0, age_s: int = 0) -> web.Response:
    return answered_json(request, msgspec.json.encode(view), max_age_s=max_age_s, age_s=age_s)


def answered_json(request: web.Request, data: bytes, *, max_age_s: int = 0, age_s: int = 0) -> web.Response:
    tag = blake2b(data, digest_size=12).hexdigest()
    headers = {"Cache-Control": f"private, max-age={max_age_s}" if max_age_s else "private, no-cache"}
    if max_age_s:
        headers["Age"] = str(age_s)
    if _has(request, tag):
        made = web.Response(status=304, headers=headers)
    else:
        made = web.Response(body=data, content_type=JSON, headers=headers)
    made.etag = tag
    return made


def asked(request: web.Request, kind: type[Q]) -> Q:
    """The query as a struct. Raises ProblemError 400."""
    try:
        return parsed(kind, _single(request.query))
    except QueryError as error:
        raise ProblemError(400, "bad_query", str(error)) from None


async def found(work: Callable[[], Awaitable[T]]) -> T:
    """What the store has. Raises ProblemError 404 or 503."""
    try:
        return await work()
    except Missing as error:
        raise ProblemError(404, "not_found", str(error)) from None
    except NoStoreError as error:
        raise ProblemError(503, "no_store", str(error), retry_s=5) from None


def _single(query: MultiMapping[str]) -> Mapping[str, str]:
    repeated = [name for name in query if len(query.getall(name)) > 1]
    if repeated:
        raise QueryError(f"{repeated[0][:40]}: must stand once")
    return dict(query)


def _has(request: web.Request, tag: str) -> bool:
    known = request.if_none_match
    return known is not None and any(one.value in (tag, "*") for one in known)
