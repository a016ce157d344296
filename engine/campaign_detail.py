"""The parts of one campaign's view: positions, exit plans, allocation, refusals.

Each is a function of a `StoreBook`: what was asked for, what the gate said, what the venue did.
"""

from collections.abc import Iterator
from decimal import Decimal

from engine.campaign_views import (
    AllocationView,
    ExitPlanView,
    PositionView,
    RefusalView,
    StopView,
    TargetView,
)
from engine.campaigns.allocation import BP_PER_PERCENT, share_percent
from engine.campaigns.lots import ZERO, Lot, total
from engine.instruments import MONEY
from engine.iso import iso
from engine.messages import Action, Fill, Intent, Leg, Role
from engine.store_book import APPROVED, REFUSED, StoreBook, VerdictRow

UNIT_DIGITS = 8
"""Risk and equity on the line are in 1e-8 account units."""

ANY_SCORE = 100.0
"""An entry that was asked for had the score its leg needs."""


def positions(book: StoreBook) -> Iterator[PositionView]:
    trades = {one.group: one for one in book.trades}
    for group, lot in book.lots.items():
        if not lot.entered:
            continue
        trade, risk, pnl = trades.get(group), book.risk(group), book.pnl(group)
        yield PositionView(
            group=group,
            leg=leg_of(group),
            is_open=bool(lot.open),
            entered_quantity=lot.entered,
            open_quantity=lot.open,
            entered=iso(lot.entry_ns),
            entry_price=lot.entry_price,
            exited=iso(lot.exit_ns) if lot.exited else None,
            exit_price=lot.exit_price if lot.exited else None,
            risk=risk,
            costs=MONEY.add(lot.entry_costs, lot.exit_costs),
            pnl=pnl,
            r=MONEY.divide(pnl, risk) if risk else None,
            phase=trade.phase.value if trade else None,
            mfe_r=trade.mfe_r if trade else None,
            mae_r=trade.mae_r if trade else None,
            efficiency=trade.efficiency if trade else None,
        )


def exit_plans(book: StoreBook) -> Iterator[ExitPlanView]:
    """Of every entry that was approved."""
    for group, entry in book.entries.items():
        if verdict_of(book, entry) != APPROVED:
            continue
        fills = book.groups.get(group, [])
        moves = [one for one in book.intents if one.group == group and one.action is Action.MOVE_STOP]
        made = [one.reason for one in moves if verdict_of(book, one) == APPROVED]
        yield ExitPlanView(
            group=group,
            targets=[_target(book, group, number, fills) for number in (1, 2, 3)],
            stops=[_stop(book, one) for one in (entry, *moves)],
            at_breakeven="breakeven" in made,
            trailing="trail" in made,
            stopped=any(one.role is Role.STOP for one in fills),
            exits=[one.reason for one in book.intents if one.group == group and one.action is Action.EXIT],
        )


def allocation(book: StoreBook) -> Iterator[AllocationView]:
    """One row an entry that was asked for; shares as the fills before it had made them."""
    settings = book.campaigns
    for group, entry in book.entries.items():
        verdict = book.verdicts.get(entry.intent_id)
        share = slice_bp = None
        if settings is not None:
            share = share_percent(settings, entry.leg, _taken_before(book, entry), ANY_SCORE)
            slice_bp = MONEY.divide(MONEY.multiply(settings.cap_percent * BP_PER_PERCENT, share), Decimal(100))
        is_approved = verdict is not None and verdict.verdict == APPROVED
        yield AllocationView(
            group=group,
            decided=iso(entry.decision_ns),
            share_percent=share,
            slice_bp=slice_bp,
            pattern_bp=settings.pattern_percent.of(entry.leg) * BP_PER_PERCENT if settings else None,
            trade_bp=settings.trade_percent * BP_PER_PERCENT if settings else None,
            asked_bp=entry.risk_bp,
            verdict=verdict.verdict if verdict else "",
            quantity=verdict.quantity if verdict and is_approved else ZERO,
            approved_risk=money(verdict.new_risk) if verdict and is_approved else ZERO,
            equity=money(verdict.equity) if verdict else ZERO,
            filled_quantity=book.lots.get(group, Lot()).entered,
            filled_risk=book.risk(group),
            filled_bp=filled_bp(book, group),
        )


def refusals(book: StoreBook) -> list[RefusalView]:
    """By the strategy, the gate and the venue, in order of time."""
    found = [(one.decision_ns, _refused(one)) for one in book.verdicts.values() if one.verdict == REFUSED]
    for one in book.declines:
        view = RefusalView(
            time=iso(one.time_ns), subject=one.event_id, stage=one.stage or "STRATEGY", code=one.code,
            value=_number(one.value),
            limit=_number(one.limit), missed_by=one.missed_by,
        )  # fmt: skip
        found.append((one.time_ns, view))
    for said in book.rejections:
        view = RefusalView(
            time=iso(said.time_ns), subject=said.order_id, stage="VENUE", code=said.code, value=said.reason, limit="",
            missed_by=None,
        )  # fmt: skip
        found.append((said.time_ns, view))
    return [view for _, view in sorted(found, key=lambda one: one[0])]


def warnings(book: StoreBook) -> list[RefusalView]:
    """What spoke against entries and refused none, near misses among it, in order of time."""
    return [
        RefusalView(
            time=iso(one.time_ns), subject=one.subject, stage=one.stage, code=one.code, value=_number(one.value),
            limit=_number(one.limit), missed_by=one.missed_by,
        )
        for one in book.warnings
    ]  # fmt: skip


STOPS = {"": "first stop", "breakeven": "stop at breakeven", "trail": "trailing stop"}
"""By the reason of the move that put a stop where it stood."""


def last_exit(book: StoreBook, campaign: str) -> str:
    """What sold last: `target 3`, `trailing stop`, `exit, <reason>`; "" where nothing did."""
    groups = book.groups_of(campaign)
    sold = [one for group in groups for one in book.groups[group] if one.role is not Role.ENTRY]
    if not sold:
        return ""
    last = max(sold, key=lambda one: one.time_ns)
    number = last.order_id.rsplit("/", 1)[1][len(last.role) :]
    if last.role is Role.TARGET:
        return f"target {number}"
    if last.role is Role.STOP:
        reason = book.reasons.get(f"{last.group}/{Action.MOVE_STOP}-{number}", "")
        return STOPS.get(reason, f"stop, {reason}")
    return f"exit, {book.reasons.get(f'{last.group}/{Action.EXIT}-{number}', '')}"


def filled_bp(book: StoreBook, group: str) -> Decimal:
    """What the fills put at risk, in basis points of the equity that the gate saw."""
    entry = book.entries.get(group)
    verdict = book.verdicts.get(entry.intent_id) if entry else None
    if verdict is None or verdict.equity <= 0:
        return ZERO
    return MONEY.divide(MONEY.multiply(book.risk(group), Decimal(10_000)), money(verdict.equity))


def money(units: int) -> Decimal:
    return Decimal(units).scaleb(-UNIT_DIGITS, MONEY)


def leg_of(group: str) -> str:
    return group.rsplit("/", 2)[1]


def verdict_of(book: StoreBook, intent: Intent) -> str:
    """Approved, Refused, or "" where none is known."""
    found = book.verdicts.get(intent.intent_id)
    return found.verdict if found else ""


def _taken_before(book: StoreBook, entry: Intent) -> list[Leg]:
    """Legs of the campaign with an entry fill by the time of the decision."""
    found = [
        Leg(leg_of(group))
        for group in book.groups_of(entry.campaign)
        if any(one.role is Role.ENTRY and one.time_ns <= entry.decision_ns for one in book.groups[group])
    ]
    return list(dict.fromkeys(found))


def _target(book: StoreBook, group: str, number: int, fills: list[Fill]) -> TargetView:
    order_id = f"{group}/TARGET{number}"
    mine = [one for one in fills if one.order_id == order_id]
    ordered = [one.quantity for one in book.orders if one.order_id == order_id]
    price: Decimal = getattr(book.entries[group], f"target_{number}")
    return TargetView(
        number=number,
        price=price,
        quantity=ordered[-1] if ordered else ZERO,
        filled=total([one.quantity for one in mine]),
        hit=bool(mine),
        time=iso(mine[0].time_ns) if mine else None,
    )


def _stop(book: StoreBook, intent: Intent) -> StopView:
    reason = "entry" if intent.action is Action.ENTER else intent.reason
    return StopView(
        time=iso(intent.decision_ns), price=intent.stop_price, reason=reason, verdict=verdict_of(book, intent)
    )


def _refused(row: VerdictRow) -> RefusalView:
    return RefusalView(
        time=iso(row.decision_ns), subject=row.intent_id, stage=row.stage, code=row.code, value=row.value,
        limit=row.limit, missed_by=row.missed_by,
    )  # fmt: skip


def _number(value: float | None) -> str:
    return "NaN" if value is None else f"{value:.10g}"
