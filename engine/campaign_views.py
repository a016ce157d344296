"""What `show-campaigns`, `show-campaign`, `show-trades` and `list-runs` print, as one object each.

Times are ISO 8601, UTC. Money, prices and quantities are decimal strings in JSON. Names that end in
`_fraction` are 0..1 (or its negative), `_percent` 0..100, `_bp` basis points of equity.
"""

from decimal import Decimal

import msgspec

from engine.statistics import Statistics


class View(msgspec.Struct, frozen=True, kw_only=True):
    """Root of all that is printed."""


class RunView(View, frozen=True):
    """`ended` and `digest` are None while the run goes on or where it crashed; `dropped` counts
    messages that the store misses."""

    run: int
    name: str
    mode: str
    started: str
    ended: str | None
    campaigns: int
    legs_closed: int
    pnl: Decimal
    currency: str
    dropped: int
    digest: str | None
    config_hash: str
    build_hash: str


class RunsView(View, frozen=True):
    store: str
    runs: list[RunView]


class LegView(View, frozen=True):
    """One of the three legs. `planned_percent` and `filled_percent` are of the campaign's cap, by risk:
    the split of the configuration, and what the fills put at risk (None: not known)."""

    leg: str
    attempts: int
    planned_percent: Decimal | None
    filled_percent: Decimal | None
    asked_bp: Decimal
    filled_bp: Decimal


class CampaignRow(View, frozen=True):
    """`pnl` is realised, costs in; `r` is all of it over all initial risk. `closed` is None and
    `open_quantity` more than 0 where it goes on. `cause` is that of the last change of state,
    `last_exit` what sold last: a target, a stop and why it stood there, or an exit and its reason."""

    campaign: str
    symbol: str
    timeframe: str
    direction: int
    state: str
    opened: str
    closed: str | None
    legs: list[LegView]
    open_quantity: Decimal
    risk: Decimal
    pnl: Decimal
    r: Decimal | None
    cause: str
    last_exit: str


class CampaignsView(View, frozen=True):
    store: str
    run: int
    name: str
    currency: str
    campaigns: list[CampaignRow]


class ChangeView(View, frozen=True):
    number: int
    time: str
    kind: str
    previous: str
    state: str
    cause: str


class PositionView(View, frozen=True):
    """One leg and attempt that filled. `exit_price` and `exited` are None before the first exit."""

    group: str
    leg: str
    is_open: bool
    entered_quantity: Decimal
    open_quantity: Decimal
    entered: str
    entry_price: Decimal
    exited: str | None
    exit_price: Decimal | None
    risk: Decimal
    costs: Decimal
    pnl: Decimal
    r: Decimal | None
    phase: str | None
    mfe_r: Decimal | None
    mae_r: Decimal | None
    efficiency: Decimal | None


class TargetView(View, frozen=True):
    """`hit` holds from the first execution of the target's order on."""

    number: int
    price: Decimal
    quantity: Decimal
    filled: Decimal
    hit: bool
    time: str | None


class StopView(View, frozen=True):
    """A stop as it was asked for. The first is that of the entry."""

    time: str
    price: Decimal
    reason: str
    verdict: str


class ExitPlanView(View, frozen=True):
    """`stopped` says that a stop has executed; `exits` are the reasons of exits that were asked for."""

    group: str
    targets: list[TargetView]
    stops: list[StopView]
    at_breakeven: bool
    trailing: bool
    stopped: bool
    exits: list[str]


class AllocationView(View, frozen=True):
    """How much an entry might risk, asked for, was given and took.

    `share_percent` of the cap is the leg's own and that of legs skipped before it; `slice_bp` the
    cap's part that this is; `pattern_bp` and `trade_bp` the two other ceilings. None: the store
    does not know the configuration.
    """

    group: str
    decided: str
    share_percent: Decimal | None
    slice_bp: Decimal | None
    pattern_bp: Decimal | None
    trade_bp: Decimal | None
    asked_bp: Decimal
    verdict: str
    quantity: Decimal
    approved_risk: Decimal
    equity: Decimal
    filled_quantity: Decimal
    filled_risk: Decimal
    filled_bp: Decimal


class RefusalView(View, frozen=True):
    """`missed_by` is |value - limit| / |limit|, >= 0: how near it was. None: there is no such ratio."""

    time: str
    subject: str
    stage: str
    code: str
    value: str
    limit: str
    missed_by: float | None


class PointView(View, frozen=True):
    time: str
    pnl: Decimal
    return_fraction: Decimal
    drawdown_fraction: Decimal


class CampaignView(View, frozen=True):
    store: str
    run: int
    currency: str
    campaign: CampaignRow
    changes: list[ChangeView]
    positions: list[PositionView]
    exit_plans: list[ExitPlanView]
    allocation: list[AllocationView]
    refusals: list[RefusalView]
    warnings: list[RefusalView]
    performance: Statistics
    max_drawdown_fraction: Decimal
    curve: list[PointView]


class TradeView(View, frozen=True):
    """One closed leg; fields as in the table `trades` of the store."""

    symbol: str
    timeframe: str
    campaign: str
    leg: str
    side: str
    phase: str
    quantity: Decimal
    entered: str
    entry_price: Decimal
    stop_price: Decimal
    exited: str
    exit_price: Decimal
    costs: Decimal
    pnl: Decimal
    risk: Decimal
    r: Decimal | None
    mfe: Decimal | None
    mae: Decimal | None
    mfe_r: Decimal | None
    mae_r: Decimal | None
    efficiency: Decimal | None


class GroupView(View, frozen=True):
    name: str
    statistics: Statistics


class AccountView(View, frozen=True):
    """`pnl` is realised and open, as the curve ends; `max_drawdown_fraction` is that of the curve.
    `exposure_fraction` is the share of the run's time with anything held, `turnover` the value of
    all executions over the starting cash."""

    currency: str
    cash: Decimal
    pnl: Decimal
    return_fraction: Decimal
    max_drawdown_fraction: Decimal
    exposure_fraction: float | None
    turnover: Decimal | None
    executions: int


class TradesView(View, frozen=True):
    store: str
    run: int
    name: str
    account: AccountView
    trades: list[TradeView]
    all: Statistics
    by_leg: list[GroupView]
    by_phase: list[GroupView]
    curve: list[PointView]
