"""REST of portfolio heat: now, who makes it, what moves together, what comes next, and how it came to this."""

from decimal import Decimal
from typing import Final

from aiohttp import web

from engine.control.status import CandidateView, HeatView, PositionView
from engine.instruments import MONEY
from engine.monitor import shelf
from engine.monitor.answers import answered, asked
from engine.monitor.bars_read import bars_of
from engine.monitor.cache import MINUTE_S
from engine.monitor.correlation import Group, Moves, groups, moves
from engine.monitor.parts import MONITOR, Monitor
from engine.monitor.problems import ProblemError
from engine.monitor.queries import BarsQuery, ListQuery
from engine.monitor.replica import Replica
from engine.monitor.shapes import MonitorView
from engine.monitor.shelf import Missing, NoStoreError, Page
from engine.monitor.views import MS_NS

BP: Final = Decimal(10_000)
TENTH: Final = Decimal("0.1")
MOST_POINTS: Final = 2_000
MOST_GROUPED: Final = 50
"""Symbols that are compared with each other."""


class CampaignHeat(MonitorView, frozen=True, kw_only=True):
    campaign: str
    symbol: str
    risk: Decimal
    heat_bp: Decimal | None


class GroupHeat(MonitorView, frozen=True, kw_only=True):
    """Positions that have moved together. `correlation` is that of the weakest link, with the sign of what is held."""

    symbols: tuple[str, ...]
    campaigns: tuple[str, ...]
    risk: Decimal
    heat_bp: Decimal | None
    correlation: float


class HeatNow(MonitorView, frozen=True, kw_only=True):
    heat: HeatView | None
    zone_since_ms: int | None
    campaigns: list[CampaignHeat]
    groups: list[GroupHeat]
    candidates: tuple[CandidateView, ...]


class HeatPoint(MonitorView, frozen=True):
    time_ms: int
    heat_bp: int


def routes() -> list[web.RouteDef]:
    return [web.get("/api/v1/heat", heat), web.get("/api/v1/heat/series", series)]


async def heat(request: web.Request) -> web.Response:
    monitor = request.app[MONITOR]
    now, since_ns = monitor.replica.status, monitor.replica.zone_since_ns
    shares = campaign_heats(monitor.replica)
    view = HeatNow(
        heat=now.heat if now else None,
        zone_since_ms=None if since_ns is None else since_ns // MS_NS,
        campaigns=shares,
        groups=await grouped(monitor, shares),
        candidates=now.heat.candidates if now else (),
    )
    return answered(request, view)


def campaign_heats(replica: Replica) -> list[CampaignHeat]:
    """What each open campaign would lose at its stops, at today's marks."""
    now = replica.status
    if now is None:
        return []
    points = {one.symbol: one.point_value for one in replica.instruments}
    risks: dict[tuple[str, str], Decimal] = {}
    for one in now.positions:
        if one.mark is None or one.stop is None:
            continue
        lost = MONEY.multiply(one.quantity, one.mark - one.stop) * points.get(one.symbol, Decimal(1))
        key = (one.campaign, one.symbol)
        risks[key] = risks.get(key, Decimal(0)) + max(lost, Decimal(0))
    return [
        CampaignHeat(campaign=campaign, symbol=symbol, risk=risk, heat_bp=_heat_bp(risk, now.equity))
        for (campaign, symbol), risk in risks.items()
    ]


async def grouped(monitor: Monitor, shares: list[CampaignHeat]) -> list[GroupHeat]:
    """Compared once a minute, and when something else is held."""
    status = monitor.replica.status
    held = directions(status.positions) if status else {}
    if status is None or len(held) < 2:
        return []

    async def make() -> list[Group]:
        return groups(held, {symbol: found for symbol in held if (found := await _moves(monitor, symbol)) is not None})

    found, _ = await monitor.cache.of("groups", MINUTE_S, make, version=repr(held))
    return [_group(one, shares, status.equity) for one in found]


def directions(positions: tuple[PositionView, ...]) -> dict[str, int]:
    """1 long, -1 short, by symbol; what is long and short at once is left out."""
    net: dict[str, Decimal] = {}
    for one in positions:
        net[one.symbol] = net.get(one.symbol, Decimal(0)) + one.quantity
    return {symbol: 1 if quantity > 0 else -1 for symbol, quantity in list(net.items())[:MOST_GROUPED] if quantity}


async def _moves(monitor: Monitor, symbol: str) -> Moves | None:
    """On the shortest bars that are kept of the symbol."""
    session = monitor.replica.session
    for timeframe in session.detect_on if session else ():
        joined, _ = await bars_of(monitor, BarsQuery(symbol=symbol, timeframe=timeframe))
        if joined is not None:
            return moves(joined)
    return None


def _group(one: Group, shares: list[CampaignHeat], equity: Decimal | None) -> GroupHeat:
    parts = [share for share in shares if share.symbol in one.symbols]
    risk = sum((share.risk for share in parts), Decimal(0))
    return GroupHeat(
        symbols=one.symbols,
        campaigns=tuple(share.campaign for share in parts),
        risk=risk,
        heat_bp=_heat_bp(risk, equity),
        correlation=round(one.correlation, 3),
    )


def _heat_bp(risk: Decimal, equity: Decimal | None) -> Decimal | None:
    return MONEY.divide(risk * BP, equity).quantize(TENTH) if equity else None


async def series(request: web.Request) -> web.Response:
    """Oldest first; of many points those stay that are the highest of their stretch. What the stream has told since
    the store was written comes last."""
    monitor = request.app[MONITOR]
    query = asked(request, ListQuery)
    try:
        kept = await monitor.shelf.read(lambda reader, run: shelf.heat_series(reader, run, query), query.run)
    except (NoStoreError, Missing) as error:
        if query.run is not None or monitor.replica.hello is None:
            is_missing = isinstance(error, Missing)
            raise ProblemError(
                404 if is_missing else 503, "not_found" if is_missing else "no_store", str(error)
            ) from None
        kept = []
    last_ms = kept[-1][0] if kept else -1
    told = [one for one in monitor.replica.heats if one[0] > last_ms] if query.run is None else []
    points = [one for one in (*kept, *told) if _is_within(one[0], query)]
    return answered(request, Page([HeatPoint(*one) for one in thinned(points, MOST_POINTS)]))


def _is_within(time_ms: int, query: ListQuery) -> bool:
    return (query.from_ms is None or time_ms >= query.from_ms) and (query.to_ms is None or time_ms <= query.to_ms)


def thinned(points: list[tuple[int, int]], most: int) -> list[tuple[int, int]]:
    """The highest of each stretch, and the last of all."""
    if len(points) <= most:
        return points
    length = -(-len(points) // (most - 1))
    found = [max(points[at : at + length], key=lambda one: one[1]) for at in range(0, len(points), length)]
    return found if found[-1] == points[-1] else [*found, points[-1]]


__all__ = ["CampaignHeat", "GroupHeat", "HeatNow", "HeatPoint", "campaign_heats", "routes", "thinned"]
