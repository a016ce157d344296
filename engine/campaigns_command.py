"""`list-runs`, `show-campaigns`, `show-campaign`, `show-trades`: what a store tells about its runs."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import msgspec

from engine.campaign_detail import allocation, exit_plans, filled_bp, last_exit, positions, refusals, warnings
from engine.campaign_views import (
    AccountView,
    CampaignRow,
    CampaignsView,
    CampaignView,
    ChangeView,
    GroupView,
    LegView,
    PointView,
    RunsView,
    RunView,
    TradesView,
    TradeView,
    View,
)
from engine.campaigns.allocation import BP_PER_PERCENT
from engine.campaigns.curve import CurvePoint, deepest
from engine.campaigns.lots import ZERO, total
from engine.campaigns.performance import ENDED, Trade
from engine.campaigns.settings import HUNDRED
from engine.campaigns.state import LEGS
from engine.exits import NOT_FOUND, ExitError, emit
from engine.instruments import MONEY
from engine.iso import iso
from engine.messages import NEVER_NS, Leg, Phase
from engine.show_campaigns import campaign_text, campaigns_text, runs_text, trades_text
from engine.statistics import statistics
from engine.store_book import StoreBook
from engine.store_reader import RunRow, StoreReader, reading


def run_list_runs(store: Path, *, as_json: bool) -> None:
    with reading(store) as reader:
        show(runs_view(reader), runs_text, as_json=as_json)


def run_show_campaigns(store: Path, run: str | None, *, as_json: bool) -> None:
    with reading(store) as reader:
        show(campaigns_view(reader, reader.run(run)), campaigns_text, as_json=as_json)


def run_show_campaign(store: Path, campaign: str, run: str | None, *, as_json: bool) -> None:
    with reading(store) as reader:
        show(campaign_view(reader, reader.run(run), campaign), campaign_text, as_json=as_json)


def run_show_trades(store: Path, run: str | None, *, as_json: bool) -> None:
    with reading(store) as reader:
        show(trades_view(reader, reader.run(run)), trades_text, as_json=as_json)


def show(view: View, text: Callable[..., str], *, as_json: bool) -> None:
    emit(msgspec.json.format(msgspec.json.encode(view), indent=2).decode() if as_json else text(view))


def runs_view(reader: StoreReader) -> RunsView:
    return RunsView(store=str(reader.path), runs=[_run(StoreBook(reader, one)) for one in reader.runs()])


def campaigns_view(reader: StoreReader, run: RunRow) -> CampaignsView:
    book = StoreBook(reader, run)
    found = [campaign_row(book, campaign) for campaign in book.changes]
    return CampaignsView(
        store=str(reader.path), run=run.run, name=run.name, currency=_currency(book), campaigns=found
    )  # fmt: skip


def campaign_view(reader: StoreReader, run: RunRow, campaign: str) -> CampaignView:
    """Raises ExitError where the run has no such campaign."""
    book = StoreBook(reader, run, campaign)
    if campaign not in book.changes:
        raise ExitError(NOT_FOUND, f"{reader.path}: run {run.run} has no campaign {campaign}")
    curve = book.curve(campaign)
    return CampaignView(
        store=str(reader.path),
        run=run.run,
        currency=_currency(book),
        campaign=campaign_row(book, campaign),
        changes=[
            ChangeView(
                number=one.number, time=iso(one.time_ns), kind=one.kind, previous=one.previous.value,
                state=one.state.value, cause=one.cause,
            )
            for one in book.changes[campaign]
        ],
        positions=list(positions(book)),
        exit_plans=list(exit_plans(book)),
        allocation=list(allocation(book)),
        refusals=refusals(book),
        warnings=warnings(book),
        performance=statistics(book.trades),
        max_drawdown_fraction=deepest(curve),
        curve=_points(curve),
    )  # fmt: skip


def trades_view(reader: StoreReader, run: RunRow) -> TradesView:
    book = StoreBook(reader, run)
    trades = book.trades
    curve = book.curve()
    return TradesView(
        store=str(reader.path),
        run=run.run,
        name=run.name,
        account=_account(book, curve),
        trades=[_trade(one) for one in trades],
        all=statistics(trades),
        by_leg=[_group(leg, [one for one in trades if one.leg is leg]) for leg in LEGS],
        by_phase=[
            _group(phase, found) for phase in Phase if (found := [one for one in trades if one.phase is phase])
        ],
        curve=_points(curve),
    )  # fmt: skip


def _run(book: StoreBook) -> RunView:
    run = book.run
    return RunView(
        run=run.run,
        name=run.name,
        mode=run.mode,
        started=iso(run.started_ns),
        ended=None if run.ended_ns is None else iso(run.ended_ns),
        campaigns=len(book.changes),
        legs_closed=len(book.trades),
        pnl=total([one.pnl for one in book.trades]),
        currency=_currency(book),
        dropped=run.dropped,
        digest=run.digest,
        config_hash=run.config_hash,
        build_hash=run.build_hash,
    )


def campaign_row(book: StoreBook, campaign: str) -> CampaignRow:
    changes = book.changes[campaign]
    origin = book.origins.get(campaign)
    groups = book.groups_of(campaign)
    pnl = total([book.pnl(one) for one in groups])
    risk = total([book.risk(one) for one in groups])
    moved = [one for one in changes if one.previous is not one.state] or changes
    is_over = changes[-1].state in ENDED
    return CampaignRow(
        campaign=campaign,
        symbol=origin.symbol if origin else campaign,
        timeframe=origin.timeframe if origin else "",
        direction=origin.direction if origin else 1,
        state=changes[-1].state.value,
        opened=iso(changes[0].time_ns),
        closed=iso(changes[-1].time_ns) if is_over else None,
        legs=[_leg(book, campaign, leg) for leg in LEGS],
        open_quantity=total([book.lots[one].open for one in groups]),
        risk=risk,
        pnl=pnl,
        r=MONEY.divide(pnl, risk) if risk else None,
        cause=moved[-1].cause,
        last_exit=last_exit(book, campaign),
    )


def _leg(book: StoreBook, campaign: str, leg: Leg) -> LegView:
    asked = [one for one in book.entries_of(campaign) if one.leg is leg]
    filled = total([filled_bp(book, one.group) for one in asked])
    settings = book.campaigns
    cap_bp = settings.cap_percent * BP_PER_PERCENT if settings else ZERO
    return LegView(
        leg=leg.value,
        attempts=len(asked),
        planned_percent=settings.split_percent.of(leg) if settings else None,
        filled_percent=MONEY.divide(MONEY.multiply(filled, HUNDRED), cap_bp) if cap_bp else None,
        asked_bp=max((one.risk_bp for one in asked), default=ZERO),
        filled_bp=filled,
    )


def _account(book: StoreBook, curve: Sequence[CurvePoint]) -> AccountView:
    cash = book.session.cash if book.session else ZERO
    values = [
        MONEY.multiply(one.price, MONEY.multiply(one.quantity, book.point_value(one.symbol))) for one in book.fills
    ]
    last = curve[-1] if curve else None
    return AccountView(
        currency=_currency(book),
        cash=cash,
        pnl=last.pnl if last else ZERO,
        return_fraction=last.return_fraction if last else ZERO,
        max_drawdown_fraction=deepest(curve),
        exposure_fraction=_exposure(book),
        turnover=MONEY.divide(total([value.copy_abs() for value in values]), cash) if cash else None,
        executions=len(book.fills),
    )


def _exposure(book: StoreBook) -> float | None:
    """The share of the run's time with anything held; None while it has no end."""
    start_ns, end_ns = book.run.started_ns, book.run.ended_ns
    if end_ns is None or end_ns <= start_ns:
        return None
    spans = [(lot.entry_ns, end_ns if lot.open else lot.exit_ns) for lot in book.lots.values() if lot.entered]
    return held_ns(spans) / (end_ns - start_ns)


def held_ns(spans: Iterable[tuple[int, int]]) -> int:
    """The length of the union of spans of time."""
    held, until = 0, NEVER_NS
    for begin, end in sorted(spans):
        held += max(0, end - max(begin, until))
        until = max(until, end)
    return held


def _group(name: Leg | Phase, trades: Sequence[Trade]) -> GroupView:
    return GroupView(name=name.value, statistics=statistics(trades))


def _points(curve: Sequence[CurvePoint]) -> list[PointView]:
    return [
        PointView(
            time=iso(one.time_ns), pnl=one.pnl, return_fraction=one.return_fraction,
            drawdown_fraction=one.drawdown_fraction,
        )
        for one in curve
    ]  # fmt: skip


def _trade(trade: Trade) -> TradeView:
    same = {name: getattr(trade, name) for name in TradeView.__struct_fields__ if name in Trade.__struct_fields__}
    named = {"leg": trade.leg.value, "side": trade.side.value, "phase": trade.phase.value}
    return TradeView(**(same | named), entered=iso(trade.entry_ns), exited=iso(trade.exit_ns))


def _currency(book: StoreBook) -> str:
    return book.session.currency if book.session else ""


__all__ = [
    "campaign_row", "campaign_view", "campaigns_view", "held_ns", "run_list_runs", "run_show_campaign",
    "run_show_campaigns", "run_show_trades", "runs_view", "show", "trades_view",
]  # fmt: skip
