"""REST of what the store knows: bars with structure, campaigns, decisions, orders, runs, statistics.

Where no store is kept, the newest entries that the stream has told stand in for it.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, TypeVar

import msgspec
from aiohttp import web

from engine.campaign_views import CampaignRow, CampaignView, TradesView
from engine.campaigns_command import campaign_view, campaigns_view, trades_view
from engine.monitor import cache, shelf
from engine.monitor.answers import answered, answered_json, asked, found
from engine.monitor.bars_read import bars_of
from engine.monitor.bars_shown import BarsView, rows_of
from engine.monitor.campaigns_shown import shown
from engine.monitor.parts import MONITOR, Monitor
from engine.monitor.problems import ProblemError
from engine.monitor.queries import BarsQuery, ListQuery, RunQuery
from engine.monitor.ranges import ranges_of, told_event
from engine.monitor.shapes import EventView
from engine.monitor.shelf import Missing, NoStoreError, Page
from engine.store_reader import RunRow, StoreReader

API: Final = "/api/v1"
MOST_CURVE: Final = 2_000
MOST_RANGE_EVENTS: Final = 1_000

PARTS: Final[dict[str, tuple[str, ...]]] = {
    "progression": ("changes",),
    "positions": ("positions",),
    "exit-plan": ("exit_plans",),
    "risk": ("allocation", "refusals"),
    "allocation": ("allocation",),
    "performance": ("performance", "max_drawdown_fraction"),
    "curve": ("curve", "max_drawdown_fraction"),
}
"""Parts of a campaign that can be asked for alone, and the fields of its view that they are."""

T = TypeVar("T")
Read = Callable[[StoreReader, RunRow], T]
Reading = Callable[[StoreReader, RunRow, ListQuery], Page[Any]]


def routes() -> list[web.RouteDef]:
    lists: dict[str, tuple[Reading, str]] = {
        "events": (shelf.events, "event"),
        "phases": (shelf.phases, ""),
        "signals": (shelf.signals, "decision"),
        "refusals": (shelf.refusals, "declined"),
        "orders": (shelf.orders, ""),
        "fills": (shelf.fills, "execution"),
        "heat/history": (shelf.heat_history, ""),
    }
    return [
        web.get(f"{API}/bars", bars),
        web.get(f"{API}/ranges", ranges),
        web.get(f"{API}/campaigns", campaigns),
        web.get(f"{API}/campaigns/{{campaign}}", campaign),
        *(web.get(f"{API}/campaigns/{{campaign}}/{part}", campaign_part(part)) for part in PARTS),
        web.get(f"{API}/runs", runs),
        web.get(f"{API}/trades", trades),
        web.get(f"{API}/statistics", statistics_part(("account", "all", "by_leg", "by_phase"), cache.STATISTICS_S)),
        web.get(f"{API}/statistics/legs", statistics_part(("by_leg",), cache.BY_LEG_S)),
        web.get(f"{API}/statistics/phases", statistics_part(("by_phase",), cache.BY_PHASE_S)),
        web.get(f"{API}/curve", curve),
        *(web.get(f"{API}/{name}", listed(reading, ring)) for name, (reading, ring) in lists.items()),
    ]


# ----------------------------------------------------------------------------------- structure


async def bars(request: web.Request) -> web.Response:
    query = asked(request, BarsQuery)
    joined, older = await found(lambda: bars_of(request.app[MONITOR], query))
    rows = [] if joined is None else rows_of(joined)
    return answered(request, BarsView(symbol=query.symbol, timeframe=query.timeframe, rows=rows, older=older))


async def ranges(request: web.Request) -> web.Response:
    monitor = request.app[MONITOR]
    query = msgspec.structs.replace(asked(request, ListQuery), limit=MOST_RANGE_EVENTS)
    page = await _stored(monitor, query, shelf.events, "event")
    events = [one if isinstance(one, EventView) else told_event(one) for one in page.items]
    return answered(request, Page(ranges_of(events)))


def listed(reading: Reading, ring: str) -> Callable[[web.Request], Awaitable[web.Response]]:
    """A route that pages through a table; `ring` stands in for it where no store is kept."""

    async def handler(request: web.Request) -> web.Response:
        query = asked(request, ListQuery)
        return answered(request, await _stored(request.app[MONITOR], query, reading, ring))

    return handler


async def _stored(monitor: Monitor, query: ListQuery, reading: Reading, ring: str) -> Any:
    try:
        return await monitor.shelf.read(lambda reader, run: reading(reader, run, query), query.run)
    except (NoStoreError, Missing) as error:
        if query.run is not None or monitor.replica.hello is None:
            status = 404 if isinstance(error, Missing) else 503
            raise ProblemError(status, "not_found" if status == 404 else "no_store", str(error)) from None
        return Page(_from_ring(monitor, query, ring))


def _from_ring(monitor: Monitor, query: ListQuery, ring: str) -> list[Any]:
    wanted = {name: getattr(query, name) for name in ("symbol", "timeframe", "campaign", "kind", "verdict")}
    entries = [msgspec.json.decode(one) for one in reversed(monitor.replica.rings.get(ring, ()))]
    kept = [one for one in entries if all(not value or one.get(name) == value for name, value in wanted.items())]
    return kept[: query.limit]


# ----------------------------------------------------------------------------------- campaigns


async def campaigns(request: web.Request) -> web.Response:
    """Newest first; a cursor counts campaigns."""
    monitor = request.app[MONITOR]
    query = asked(request, ListQuery)

    def read(reader: StoreReader, run: RunRow) -> list[CampaignRow]:
        return campaigns_view(reader, run).campaigns

    rows = await _kept(monitor, f"campaigns {query.run}", cache.CAMPAIGNS_S, (read, query.run))
    kept = [
        row for row in reversed(rows)
        if query.state in ("", row.state) and query.symbol in ("", row.symbol) and query.campaign in ("", row.campaign)
    ]  # fmt: skip
    page = paged(kept, query)
    return answered(request, Page([shown(row, monitor.replica) for row in page.items], page.next))


async def campaign(request: web.Request) -> web.Response:
    view = await _campaign(request)
    return answered(request, view)


def campaign_part(part: str) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handler(request: web.Request) -> web.Response:
        view = await _campaign(request)
        fields = ("currency", *PARTS[part])
        return answered(request, {"campaign": view.campaign.campaign} | {name: getattr(view, name) for name in fields})

    return handler


async def _campaign(request: web.Request) -> CampaignView:
    query = asked(request, RunQuery)
    name = request.match_info["campaign"]

    def read(reader: StoreReader, run: RunRow) -> CampaignView:
        return msgspec.structs.replace(campaign_view(reader, run, name), store=reader.path.name)

    return await _kept(request.app[MONITOR], f"campaign {query.run} {name}", cache.CAMPAIGN_S, (read, query.run))


async def _kept(monitor: Monitor, key: str, ttl_s: int, reading: tuple[Read[T], str | None]) -> T:
    """What has been read before, unless the store has changed since."""
    read, run = reading
    version = await found(lambda: monitor.shelf.read(shelf.tip, run))
    value, _ = await monitor.cache.of(key, ttl_s, lambda: found(lambda: monitor.shelf.read(read, run)), version=version)
    return value


def paged(rows: Sequence[T], query: ListQuery) -> Page[Any]:
    """Of rows that are all there; a cursor counts them."""
    first = int(query.cursor.partition("-")[0]) if query.cursor else 0
    until = first + query.limit
    items: list[Any] = list(rows[first:until])
    return Page(items, f"{until}-0" if until < len(rows) else None)


# ---------------------------------------------------------------------------------- statistics


async def runs(request: web.Request) -> web.Response:
    query = asked(request, ListQuery)
    return answered(request, paged(await found(request.app[MONITOR].shelf.runs), query))


async def trades(request: web.Request) -> web.Response:
    """Closed legs, newest first; a cursor counts them."""
    monitor = request.app[MONITOR]
    query = asked(request, ListQuery)
    run = await found(lambda: monitor.shelf.read(lambda _, row: row, query.run))

    async def make() -> TradesView:
        return await found(lambda: monitor.shelf.read(trades_view, str(run.run)))

    view, age_s = await monitor.cache.of(f"{run.run} trades", cache.STATISTICS_S, make)
    wanted = [
        one for one in reversed(view.trades)
        if query.symbol in ("", one.symbol) and query.campaign in ("", one.campaign)
    ]  # fmt: skip
    page = paged(wanted, query)
    told = {"run": run.run, "name": run.name, "account": view.account, "trades": page.items, "next": page.next}
    return answered(request, told, max_age_s=cache.STATISTICS_S, age_s=age_s)


def statistics_part(fields: tuple[str, ...], ttl_s: int) -> Callable[[web.Request], Awaitable[web.Response]]:
    """Made at most once in `ttl_s`: resampling thousands of trades costs seconds."""

    async def handler(request: web.Request) -> web.Response:
        monitor = request.app[MONITOR]
        query = asked(request, RunQuery)
        run = await found(lambda: monitor.shelf.read(lambda _, row: row, query.run))

        async def make() -> bytes:
            view = await found(lambda: monitor.shelf.read(trades_view, str(run.run)))
            told = {name: getattr(view, name) for name in ("run", "name", *fields)}
            return msgspec.json.encode(told)

        data, age_s = await monitor.cache.of(f"{run.run} {' '.join(fields)}", ttl_s, make)
        return answered_json(request, data, max_age_s=ttl_s, age_s=age_s)

    return handler


async def curve(request: web.Request) -> web.Response:
    """The account's P&L, oldest first, thinned to at most 2,000 points; the first and last are kept."""
    monitor = request.app[MONITOR]
    query = asked(request, RunQuery)
    run = await found(lambda: monitor.shelf.read(lambda _, row: row, query.run))

    async def make() -> bytes:
        points = await found(lambda: monitor.shelf.read(shelf.curve, str(run.run)))
        step = max(1, -(-len(points) // (MOST_CURVE - 1)))
        thin = points[::step] if not points or points[::step][-1] is points[-1] else [*points[::step], points[-1]]
        return msgspec.json.encode({"run": run.run, "items": thin, "next": None})

    data, age_s = await monitor.cache.of(f"{run.run} curve", cache.CURVE_S, make)
    return answered_json(request, data, max_age_s=cache.CURVE_S, age_s=age_s)
