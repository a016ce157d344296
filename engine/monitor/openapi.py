"""The OpenAPI document and the schema of the WebSocket, made from the very structs that are served."""

from collections.abc import Iterator
from functools import cache
from http import HTTPStatus
from importlib.metadata import version
from typing import Any, Final

import msgspec
from aiohttp import web

from engine.campaign_views import AccountView, CampaignView, GroupView, RunView, TradeView
from engine.control.protocol import Answer
from engine.control.status import FeedView, HeatView, Status
from engine.monitor import shapes
from engine.monitor.answers import answered_json
from engine.monitor.bars_shown import BarsReload, BarsView
from engine.monitor.campaigns_shown import CampaignShown
from engine.monitor.hub import SCHEMA, HelloView
from engine.monitor.operate import Preview, Wanted
from engine.monitor.pages import Readiness
from engine.monitor.problems import Problem
from engine.monitor.queries import BarsQuery, ListQuery, LogQuery, PreviewQuery, RingQuery, RunQuery
from engine.monitor.ranges import RangeView
from engine.monitor.rest_engine import InstrumentsView, QueuesShown, SessionView, SignIn, StatusView
from engine.monitor.rest_heat import HeatNow, HeatPoint
from engine.monitor.rest_store import PARTS
from engine.monitor.shelf import Page
from engine.statistics import Statistics

API: Final = "/api/v1"

FREE: Final[dict[str, Any]] = {"type": "object"}
"""Objects whose keys are those of a log line, a document or one part of a larger view."""

Route = tuple[str, type[msgspec.Struct] | None, Any, str]
"""Path, its query, what it answers with, what it is."""


class StatisticsView(msgspec.Struct, frozen=True, kw_only=True):
    """Of closed legs."""

    run: int
    name: str
    account: AccountView
    all: Statistics
    by_leg: list[GroupView]
    by_phase: list[GroupView]


class TradesShown(msgspec.Struct, frozen=True, kw_only=True):
    run: int
    name: str
    account: AccountView
    trades: list[TradeView]
    next: str | None


GETS: Final[tuple[Route, ...]] = (
    ("/session", None, SessionView, "Who is signed in"),
    ("/status", None, StatusView, "What the engine does, and why it does not trade"),
    ("/feeds", None, Page[FeedView], "Feeds and how old their last message is"),
    ("/queues", None, QueuesShown, "Where things wait, and how long the stages of the line take"),
    ("/instruments", RunQuery, InstrumentsView, "What is traded, and on which bars"),
    ("/heat", None, HeatNow, "Portfolio heat, and who makes it"),
    ("/heat/history", ListQuery, Page[shapes.HeatChangeView], "When heat crossed a border"),
    ("/heat/series", ListQuery, Page[HeatPoint], "Heat over time, oldest first"),
    ("/alerts", RingQuery, Page[shapes.AlertView], "What a person should have been told"),
    ("/commands", RingQuery, Page[shapes.CommandView], "What operators asked for"),
    ("/commands/preview", PreviewQuery, Preview, "What a command would touch"),
    ("/logs", LogQuery, FREE, "The end of the engine's log"),
    ("/bars", BarsQuery, BarsView, "Closed bars with phase, direction and confidence, oldest first"),
    ("/events", ListQuery, Page[shapes.EventView], "Wyckoff events, newest first"),
    ("/phases", ListQuery, Page[shapes.PhaseView], "Changes of phase, newest first"),
    ("/ranges", ListQuery, Page[RangeView], "Trading ranges"),
    ("/campaigns", ListQuery, Page[CampaignShown], "Campaigns, newest first"),
    ("/campaigns/{campaign}", RunQuery, CampaignView, "One campaign, whole"),
    *((f"/campaigns/{{campaign}}/{part}", RunQuery, FREE, f"One campaign: {part}") for part in PARTS),
    ("/signals", ListQuery, Page[shapes.SignalView], "Intents and verdicts, newest first"),
    ("/refusals", ListQuery, Page[shapes.RefusalView], "Refusals of gate and strategies, newest first"),
    ("/orders", ListQuery, Page[shapes.OrderView], "Orders and their state, newest first"),
    ("/fills", ListQuery, Page[shapes.ExecutionView], "Executions, newest first"),
    ("/runs", ListQuery, Page[RunView], "Runs of the store, newest first"),
    ("/trades", ListQuery, TradesShown, "Closed legs, newest first; at most 5 minutes old"),
    ("/statistics", RunQuery, StatisticsView, "Figures of all legs; at most 5 minutes old"),
    ("/statistics/legs", RunQuery, FREE, "By leg; at most 15 minutes old"),
    ("/statistics/phases", RunQuery, FREE, "By phase; at most 30 minutes old"),
    ("/curve", RunQuery, FREE, "P&L over time; at most 15 minutes old"),
    ("/openapi.json", None, FREE, "This document"),
    ("/schemas/monitor-ws.json", None, FREE, "Every message of /ws"),
)

MAY_FAIL: Final = (400, 401, 403, 404, 421, 429, 502, 503)


def routes() -> list[web.RouteDef]:
    return [web.get(f"{API}/openapi.json", document), web.get(f"{API}/schemas/monitor-ws.json", messages)]


async def document(request: web.Request) -> web.Response:
    return answered_json(request, msgspec.json.encode(openapi()))


async def messages(request: web.Request) -> web.Response:
    return answered_json(request, msgspec.json.encode(websocket_schema()))


@cache
def openapi() -> dict[str, Any]:
    """OpenAPI 3.1."""
    bodies = [SignIn, Wanted, Answer, Problem, Readiness]
    kinds = [*bodies, *(answer for _, _, answer, _ in GETS if answer is not FREE)]
    schemas, components = msgspec.json.schema_components(kinds, ref_template="#/components/schemas/{name}")
    of = {str(kind): schema for kind, schema in zip(kinds, schemas, strict=True)}
    paths: dict[str, Any] = {}
    for path, query, answer, text in GETS:
        shown = FREE if answer is FREE else of[str(answer)]
        paths[f"{API}{path}"] = {"get": _operation(path, text, query, shown, of)}
    _changes(paths, of)
    return {
        "openapi": "3.1.0",
        "info": {"title": "wyckoff monitor", "version": version("wyckoff-engine")},
        "servers": [{"url": "/"}],
        "security": [{"bearer": []}, {"cookie": []}],
        "paths": paths,
        "components": {
            "schemas": _nullable(components),
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "cookie": {"type": "apiKey", "in": "cookie", "name": "wyckoff_session"},
            },
        },
    }


@cache
def websocket_schema() -> dict[str, Any]:
    """The messages of /ws: frames, and the data of each topic."""
    topics: dict[str, Any] = {
        "link": shapes.LinkView, "status": Status, "heat": HeatView, "price": shapes.PriceView, "bars": BarsView,
        "bars reload": BarsReload, "event": shapes.EventView, "phase": shapes.PhaseView,
        "decision": shapes.SignalView, "declined": shapes.RefusalView, "order": shapes.OrderView,
        "execution": shapes.ExecutionView, "campaign": shapes.CampaignChangeView,
        "heat_change": shapes.HeatChangeView, "feed": shapes.FeedStatusView, "command": shapes.CommandView,
        "alert": shapes.AlertView,
    }  # fmt: skip
    kinds = [HelloView, *topics.values()]
    schemas, components = msgspec.json.schema_components(kinds, ref_template="#/$defs/{name}")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "wyckoff monitor, /ws",
        "version": SCHEMA,
        "hello": schemas[0],
        "snapshot": {"type": "object", "required": ["type", "seq", "state"]},
        "delta": {"type": "object", "required": ["type", "seq", "items"]},
        "topics": dict(zip(topics, schemas[1:], strict=True)),
        "$defs": _nullable(components),
    }


def _nullable(schema: Any) -> Any:
    """Numbers that a kernel could not measure are NaN, and NaN is null in JSON."""
    if isinstance(schema, dict):
        found = {name: _nullable(one) for name, one in schema.items()}
        return found | {"type": ["number", "null"]} if found.get("type") == "number" else found
    return [_nullable(one) for one in schema] if isinstance(schema, list) else schema


def _operation(
    path: str, text: str, query: type[msgspec.Struct] | None, answer: dict[str, Any], of: dict[str, Any]
) -> dict[str, Any]:
    parameters = list(_parameters(path, query))
    answers = {"200": _content("application/json", answer, "Done"), "304": {"description": "Not modified"}}
    return {
        "summary": text,
        "operationId": "get" + path.replace("/", "_").replace("{", "").replace("}", "").replace(".", "_"),
        "parameters": parameters,
        "responses": answers | _failures(of),
    }


def _parameters(path: str, query: type[msgspec.Struct] | None) -> Iterator[dict[str, Any]]:
    if "{campaign}" in path:
        yield {"name": "campaign", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
    if query is None:
        return
    (_,), components = msgspec.json.schema_components([query])
    schema = components[query.__name__]
    for name, one in schema["properties"].items():
        shown = {key: value for key, value in one.items() if key != "default"}
        alternatives = [kind for kind in shown.get("anyOf", ()) if kind.get("type") != "null"]
        required = name in schema.get("required", ())
        yield {
            "name": name, "in": "query", "required": required, "schema": alternatives[0] if alternatives else shown,
        }  # fmt: skip


def _changes(paths: dict[str, Any], of: dict[str, Any]) -> None:
    """What is no GET."""
    paths[f"{API}/session"] |= {
        "post": _posted("sign_in", "Exchange the token for a session", SignIn, of[str(SessionView)], of),
        "delete": {
            "summary": "Sign out",
            "operationId": "sign_out",
            "responses": {"204": {"description": "Signed out"}} | _failures(of),
        },
    }
    paths[f"{API}/commands"]["post"] = _posted("command", "Operate the engine", Wanted, of[str(Answer)], of)


def _posted(
    name: str, text: str, body: type[msgspec.Struct], answer: dict[str, Any], of: dict[str, Any]
) -> dict[str, Any]:
    return {
        "summary": text,
        "operationId": name,
        "requestBody": {"required": True, "content": {"application/json": {"schema": of[str(body)]}}},
        "responses": {"200": _content("application/json", answer, "Done")}
        | _failures(of, 408, 409, 413, 415, 501, 504),
    }


def _failures(of: dict[str, Any], *more: int) -> dict[str, Any]:
    return {
        str(code): _content("application/problem+json", of[str(Problem)], HTTPStatus(code).phrase)
        for code in sorted((*MAY_FAIL, *more))
    }


def _content(kind: str, schema: dict[str, Any], text: str) -> dict[str, Any]:
    return {"description": text, "content": {kind: {"schema": schema}}}
