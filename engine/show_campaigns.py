"""The views of a store as text for a terminal: tables, one fact a line, the curve as a sparkline."""

from collections.abc import Iterator, Sequence
from decimal import Decimal

from engine.campaign_views import (
    CampaignRow,
    CampaignsView,
    CampaignView,
    ExitPlanView,
    LegView,
    RefusalView,
    RunsView,
    TradesView,
)
from engine.messages import CampaignState
from engine.statistics import Estimate, Statistics
from engine.text_table import NOTHING, amount, columns, day, multiple, percent, plain, price, shortened, sparkline

CURVE_WIDTH = 60
COMPLETED = CampaignState.COMPLETED.value
SIDES = {1: "long", -1: "short"}


def runs_text(view: RunsView) -> str:
    if not view.runs:
        return f"{view.store} holds no run."
    rows = [
        (
            str(one.run), day(one.started), day(one.ended), str(one.campaigns), str(one.legs_closed),
            f"{amount(one.pnl)} {one.currency}", (one.digest or NOTHING)[:12], one.name,
        )
        for one in view.runs
    ]  # fmt: skip
    head = ("run", "from", "to", "campaigns", "legs", "P&L", "digest", "name")
    missing = [
        f"run {one.run} misses {one.dropped:,} messages: replay it into the store again"
        for one in view.runs
        if one.dropped
    ]
    return "\n".join([*columns(head, rows, left=(1, 2, 6, 7)), *missing])


def campaigns_text(view: CampaignsView) -> str:
    if not view.campaigns:
        return f"Run {view.run} formed no campaign."
    head = (
        "campaign", "symbol", "tf", "side", "state", "opened", "closed", "planned", "filled", "R", view.currency,
        "cause",
    )  # fmt: skip
    rows = [
        (
            one.campaign, one.symbol, one.timeframe, SIDES[one.direction], one.state, day(one.opened), day(one.closed),
            _planned(one.legs), _filled(one.legs), multiple(one.r), _pnl(one), _cause(one),
        )
        for one in view.campaigns
    ]  # fmt: skip
    note = "planned, filled: spring/SOS/LPS in % of the risk a campaign may take; R: all profit over all initial risk"
    return "\n".join([*columns(head, rows, left=(0, 1, 2, 3, 4, 5, 6, 11)), "", note])


def campaign_text(view: CampaignView) -> str:
    return "\n".join(_campaign(view))


def trades_text(view: TradesView) -> str:
    return "\n".join(_trades(view))


# ---------------------------------------------------------------------------- one campaign


def _campaign(view: CampaignView) -> Iterator[str]:
    row = view.campaign
    yield f"{row.campaign}  {row.symbol} {row.timeframe} {SIDES[row.direction]}  {row.state}"
    yield f"opened {day(row.opened)}, closed {day(row.closed)}: {_cause(row)}"
    held = f", {plain(row.open_quantity)} still held" if row.open_quantity else ""
    yield f"P&L {amount(row.pnl)} {view.currency}, R {multiple(row.r)} on {amount(row.risk)} at risk{held}"
    yield from _section("progression", _changes(view))
    yield from _section("positions", _positions(view))
    for plan in view.exit_plans:
        yield from _section(f"exit plan of {_short(plan.group, row)}", _exit_plan(plan))
    yield from _section("allocation", _allocation(view))
    yield from _section("refusals", _refusals(view, view.refusals))
    if view.warnings:
        yield from _section("warnings and near misses of what was proposed", _refusals(view, view.warnings))
    if view.curve:
        worst = percent(view.max_drawdown_fraction, 2)
        yield from _section("curve", [sparkline([one.pnl for one in view.curve], CURVE_WIDTH),
                                      f"{len(view.curve)} points, maximum drawdown {worst} of equity"])  # fmt: skip


def _section(name: str, lines: Sequence[str]) -> Iterator[str]:
    yield ""
    yield name
    yield from (f"  {line}" for line in (lines or ["none"]))


def _changes(view: CampaignView) -> list[str]:
    rows = [
        (
            str(one.number), day(one.time), one.kind.removeprefix("CAMPAIGN_"),
            one.state if one.state == one.previous else f"{one.previous} > {one.state}", shortened(one.cause),
        )
        for one in view.changes
    ]  # fmt: skip
    return columns(("#", "time", "change", "state", "cause"), rows, left=(1, 2, 3, 4)) if rows else []


def _positions(view: CampaignView) -> list[str]:
    rows = [
        (
            _short(one.group, view.campaign), plain(one.entered_quantity), plain(one.open_quantity), day(one.entered),
            price(one.entry_price), day(one.exited), price(one.exit_price), amount(one.risk), amount(one.pnl),
            multiple(one.r), multiple(one.mfe_r), multiple(one.mae_r and -one.mae_r), _kept(one.r, one.efficiency),
        )
        for one in view.positions
    ]  # fmt: skip
    head = ("leg", "quantity", "open", "entered", "at", "left", "at", "risk", "P&L", "R", "MFE R", "MAE R", "kept")
    return columns(head, rows, left=(0, 3, 5)) if rows else []


def _exit_plan(plan: ExitPlanView) -> list[str]:
    rows = [
        (
            f"target {one.number}", plain(one.price), plain(one.quantity), plain(one.filled),
            f"hit {day(one.time)}" if one.hit else "not reached",
        )
        for one in plan.targets
    ]  # fmt: skip
    lines = columns(("", "price", "quantity", "filled", ""), rows, left=(0, 4))
    said = [f"{plain(one.price)} {one.reason} {day(one.time)}{_but(one.verdict)}" for one in plan.stops]
    lines.append(f"stop {', then '.join(said)}; {'executed' if plan.stopped else 'not executed'}")
    flags = [name for name, on in (("at breakeven", plan.at_breakeven), ("trailing", plan.trailing)) if on]
    lines += [", ".join(flags)] if flags else []
    return lines + [f"exit: {shortened(reason)}" for reason in plan.exits]


def _but(verdict: str) -> str:
    return "" if verdict == "Approved" else f" ({verdict.lower() or 'no verdict'})"


def _allocation(view: CampaignView) -> list[str]:
    rows = [
        (
            _short(one.group, view.campaign), day(one.decided), plain(one.share_percent), plain(one.slice_bp),
            plain(one.pattern_bp), plain(one.trade_bp), plain(one.asked_bp), one.verdict, amount(one.approved_risk),
            plain(one.quantity), plain(one.filled_quantity), f"{one.filled_bp:.1f}",
        )
        for one in view.allocation
    ]  # fmt: skip
    head = (
        "leg", "decided", "share %", "slice bp", "pattern bp", "trade bp", "asked bp", "verdict", "risk", "quantity",
        "filled", "filled bp",
    )  # fmt: skip
    return columns(head, rows, left=(0, 1, 7)) if rows else []


def _refusals(view: CampaignView, found: Sequence[RefusalView]) -> list[str]:
    rows = [
        (
            day(one.time), one.stage, one.code, one.value, one.limit, percent(one.missed_by),
            shortened(one.subject.removeprefix(f"{view.campaign.campaign}/")),
        )
        for one in found
    ]  # fmt: skip
    return columns(("time", "stage", "code", "value", "limit", "away", "of"), rows, left=(0, 1, 2, 6)) if rows else []


def _kept(r: Decimal | None, efficiency: Decimal | None) -> str:
    """Of what a winner could have made; of a loser it says nothing."""
    return percent(efficiency, 0) if r is not None and r > 0 else NOTHING


def _short(group: str, row: CampaignRow) -> str:
    return group.removeprefix(f"{row.campaign}/")


def _planned(legs: Sequence[LegView]) -> str:
    return "/".join(plain(one.planned_percent) for one in legs)


def _filled(legs: Sequence[LegView]) -> str:
    return "/".join(
        f"{one.filled_percent:.0f}" if one.filled_percent else ("0" if one.attempts else NOTHING) for one in legs
    )


def _cause(row: CampaignRow) -> str:
    """Why it is in its state; of one that became flat, what closed its last leg."""
    return f"flat: {shortened(row.last_exit)}" if row.state == COMPLETED and row.last_exit else shortened(row.cause)


def _pnl(row: CampaignRow) -> str:
    """Nothing, where nothing was ever bought."""
    return amount(row.pnl) if row.r is not None or row.pnl else NOTHING


# ----------------------------------------------------------------------------------- trades


def _trades(view: TradesView) -> Iterator[str]:
    account = view.account
    if not view.trades:
        yield f"Run {view.run} closed no leg."
    else:
        yield from _legs(view)
        yield ""
        yield from _summary(view)
        yield ""
        yield "[low, high]: 90 % of 2,000 resamplings of these legs; PF: profit factor; row: losses in a row at most"
    yield ""
    returned = percent(account.return_fraction, 2)
    yield f"account     {amount(account.pnl)} {account.currency} on {amount(account.cash)} ({returned}), open at marks"
    turnover = NOTHING if account.turnover is None else f"{account.turnover:.2f} x cash"
    yield (
        f"drawdown    {percent(account.max_drawdown_fraction, 2)} at most    "
        f"exposure {percent(account.exposure_fraction)} of time    turnover {turnover}"
    )
    if view.curve:
        yield f"curve       {sparkline([one.pnl for one in view.curve], CURVE_WIDTH)}"


def _legs(view: TradesView) -> list[str]:
    rows = [
        (
            one.campaign, one.leg, one.phase, plain(one.quantity), day(one.entered), price(one.entry_price),
            day(one.exited), price(one.exit_price), amount(one.pnl), multiple(one.r),
            multiple(one.mfe_r), multiple(one.mae_r and -one.mae_r), _kept(one.r, one.efficiency),
        )
        for one in view.trades
    ]  # fmt: skip
    head = (
        "campaign", "leg", "ph", "quantity", "entered", "at", "left", "at", view.account.currency, "R", "MFE R",
        "MAE R", "kept",
    )  # fmt: skip
    return columns(head, rows, left=(0, 1, 2, 4, 6))


def _summary(view: TradesView) -> list[str]:
    groups = [(one.name, one.statistics) for one in view.by_leg if one.statistics.legs]
    phases = [(f"phase {one.name}", one.statistics) for one in view.by_phase]
    rows = [(name, *_figures(found)) for name, found in [*groups, *phases, ("all", view.all)]]
    head = ("", "n", "win rate", "mean R", "median R", f"{view.account.currency} a leg", "R by risk", "PF", "row")
    return columns(head, rows)


def _figures(found: Statistics) -> tuple[str, ...]:
    return (
        str(found.legs),
        _interval(found.win_rate, 100, "{:.0f}"),
        _interval(found.mean_r, 1, "{:+.2f}"),
        _interval(found.median_r, 1, "{:+.2f}"),
        _interval(found.expectancy, 1, "{:,.0f}"),
        multiple(found.r),
        NOTHING if found.profit_factor is None else f"{found.profit_factor:.2f}",
        str(found.max_consecutive_losses),
    )


def _interval(found: Estimate, scale: int, form: str) -> str:
    if found.value is None:
        return NOTHING
    value = form.format(found.value * scale)
    if found.low is None or found.high is None:
        return value
    return f"{value} [{form.format(found.low * scale)}, {form.format(found.high * scale)}]"
