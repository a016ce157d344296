"""What a running session shows of its line: read between facts, changed by nobody.

Everything here is derived on demand from the stages' own state, so that it cannot disagree with what they decide.
"""

from collections.abc import Sequence
from decimal import Decimal
from itertools import islice

from engine.app import Line
from engine.campaigns.performance import Trade
from engine.campaigns.settings import CampaignSettings
from engine.control.status import (
    MOST_LISTED,
    Blocker,
    DayView,
    FeedView,
    HeatView,
    LaneView,
    OrderView,
    PositionView,
    QueuesView,
    TapeView,
    WarmUpView,
)
from engine.ingress import Ingress
from engine.instruments import MONEY
from engine.live.candidates import candidates
from engine.live.opening import OpenLine
from engine.live.ports import FeedReport, LiveFeed
from engine.live.session import LiveSession
from engine.live.tapes import SECOND_NS
from engine.live.warm_up import WarmUp
from engine.messages import NEVER_NS, Fill, Refused, Role
from engine.risk.position import Position
from engine.risk.settings import RiskSettings
from engine.store import BUFFER_MESSAGES, StoreStatus
from engine.timeframes import DAY_NS

UNITS = Decimal(10) ** 8
MOST_CANDIDATES = 100
ZERO = Decimal(0)


def heat(line: Line, settings: RiskSettings, planned: CampaignSettings | None = None) -> HeatView:
    """With `planned`, also what the next entries would add."""
    heat_bp, state = line.gate.heat_now()
    next_ones = (
        ()
        if planned is None
        else tuple(islice(candidates(line, planned, heat_bp, settings.heat_limit_bp), MOST_CANDIDATES))
    )
    return HeatView(
        heat_bp=heat_bp,
        state=state.value,
        warning_bp=settings.heat_warning_bp,
        critical_bp=settings.heat_critical_bp,
        limit_bp=settings.heat_limit_bp,
        candidates=next_ones,
    )


def equity(line: Line) -> Decimal | None:
    """In account currency; None where a mark is missing."""
    units = None if line.gate.portfolio.unmarked() else line.gate.portfolio.equity()
    return None if units is None else MONEY.divide(Decimal(units), UNITS)


def blockers(line: Line) -> tuple[Blocker, ...]:
    """What the gate says stands against every entry."""
    return tuple(Blocker(code=one.code, text=one.cause) for one in line.gate.blocks())


def untradable(line: Line) -> tuple[Blocker, ...]:
    """What stands against entries of single symbols."""
    return tuple(Blocker(code=one.code, text=one.cause) for one in line.gate.untradable)


def positions(line: Line) -> list[PositionView]:
    held = [one for one in line.gate.portfolio.positions.values() if one.open_quantity]
    return [_position(line, one) for one in held]


def orders(line: Line) -> list[OrderView]:
    """Entries that may still fill, and the stop that protects what is held."""
    found: list[OrderView] = []
    for one in line.gate.portfolio.positions.values():
        if one.awaited:
            found.append(_entry(one))
        if one.open_quantity and one.is_confirmed:
            found.append(_stop(one))
    return found


def day(line: Line, now_ns: int, trades: Sequence[Trade], held: Sequence[PositionView]) -> DayView:
    """Since 00:00 UTC: trades that closed since then, and what open positions have come to."""
    began_ns = now_ns - now_ns % DAY_NS
    closed = [trade for trade in trades if trade.exit_ns >= began_ns]
    realised = sum((trade.pnl for trade in closed), ZERO)
    parts = [one.unrealised for one in held]
    unrealised = None if None in parts else sum((one for one in parts if one is not None), ZERO)
    counts = line.tap.counts
    return DayView(
        pnl=None if unrealised is None else realised + unrealised,
        realised=realised,
        unrealised=unrealised,
        costs=sum((trade.costs for trade in closed), ZERO),
        entries=counts.of(Fill),
        exits=len(closed),
        refused=counts.of(Refused),
    )


def feeds(found: Sequence[LiveFeed], now_ns: int) -> tuple[FeedView, ...]:
    return tuple(_feed(one, one.report(), now_ns) for one in found[:MOST_LISTED])


def tape(opened: OpenLine) -> TapeView:
    path = opened.tape.path
    return TapeView(
        path=str(path),
        sequence=opened.tape.last_sequence,
        rows=sum(opened.line.tap.counts.rows.values()),
        lag_s=opened.tape.lag_ns() / SECOND_NS,
        size_bytes=path.stat().st_size if path.exists() else 0,
    )


def queues(session: LiveSession, store: StoreStatus | None = None, logs_dropped: int = 0) -> QueuesView:
    """Where things wait on their way through this process, and how long its stages hold them."""
    lanes = [*_lanes(session.inbox), LaneView(stage="log", depth=0, capacity=None, high_water=0, dropped=logs_dropped)]
    if store is not None:
        lanes.append(
            LaneView(
                stage="store",
                depth=store.pending,
                capacity=BUFFER_MESSAGES,
                high_water=store.high_water,
                dropped=store.dropped,
            )
        )
    return QueuesView(lanes=tuple(lanes), stages=session.stage_times())


def warm_ups(found: Sequence[WarmUp]) -> tuple[WarmUpView, ...]:
    """Those that are not through."""
    left = [one for one in found if one.bars < one.needed]
    return tuple(
        WarmUpView(symbol=one.symbol, timeframe=one.timeframe, bars=one.bars, needed=one.needed)
        for one in left[:MOST_LISTED]
    )


def _position(line: Line, one: Position) -> PositionView:
    mark = line.gate.portfolio.marks.of(one.instrument)
    quantity = one.open_quantity * one.direction
    gained = None if mark is None else (mark - one.average_price) * quantity * one.point_value
    return PositionView(
        symbol=one.symbol,
        quantity=quantity,
        average_price=one.average_price,
        mark=mark,
        unrealised=gained,
        stop=one.stop_price if one.is_confirmed else None,
        campaign=one.campaign,
    )


def _entry(one: Position) -> OrderView:
    return OrderView(
        order_id=f"{one.group}/{Role.ENTRY}",
        symbol=one.symbol,
        campaign=one.campaign,
        role=Role.ENTRY,
        side="BUY" if one.direction > 0 else "SELL",
        kind="",
        quantity=one.awaited + one.entered,
        filled=one.entered,
        limit_price=one.worst_price,
    )


def _stop(one: Position) -> OrderView:
    return OrderView(
        order_id=f"{one.group}/{Role.STOP}{one.stop_number}",
        symbol=one.symbol,
        campaign=one.campaign,
        role=Role.STOP,
        side="SELL" if one.direction > 0 else "BUY",
        kind="STOP",
        quantity=one.open_quantity,
        filled=ZERO,
        stop_price=one.stop_price,
    )


def _feed(feed: LiveFeed, report: FeedReport, now_ns: int) -> FeedView:
    return FeedView(
        name=feed.name,
        kind=feed.kind,
        simulated=feed.simulated,
        status=report.state,
        reason=report.reason,
        age_s=None if report.last_row_ns == NEVER_NS else max(0.0, (now_ns - report.last_row_ns) / SECOND_NS),
        limit_s=report.stale_after_ns / SECOND_NS if report.stale_after_ns else None,
        rows=report.applied,
        gaps=report.gaps,
        reconnects=report.reconnects,
        withheld=sum(report.withheld.values()),
        conflated=report.conflated,
        sequence_breaks=report.sequence_breaks,
        clock_skew_s=report.skew_ns / SECOND_NS if report.skew_ns else None,
    )


def _lanes(inbox: Ingress) -> list[LaneView]:
    return [
        LaneView(
            stage=one.stage, depth=one.depth, capacity=one.capacity, high_water=one.high_water, dropped=one.dropped
        )
        for one in inbox.lanes()
    ]
