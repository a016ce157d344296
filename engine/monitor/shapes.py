"""The shapes of what the monitor shows of messages: flat objects, the same on REST and on the WebSocket.

`*_ms` are milliseconds since the epoch, UTC: a browser's numbers hold no nanoseconds. Money, prices of orders
and quantities are decimal strings; what kernels measured are numbers, null where unknown.
"""

from decimal import Decimal

import msgspec


class MonitorView(msgspec.Struct, frozen=True, kw_only=True):
    """Root of all that is shown."""


class EventView(MonitorView, frozen=True):
    """`event_ms` and `confirm_ms` are opens of bars; `known_ms` is when it could be acted on."""

    event_id: str
    symbol: str
    timeframe: str
    direction: int
    kind: str
    name: str
    event_ms: int | None
    confirm_ms: int | None
    known_ms: int | None
    price: float
    score: float
    confidence: float
    phase: str
    support: float
    resistance: float
    range_start_ms: int | None
    variant: int
    supersedes: str
    follows: str
    origin: str
    objective: float
    quality: float
    volume_ratio: float
    spread_ratio: float
    close_position: float
    effort: str
    vsa: str
    stage: str
    parts: tuple[float, ...]


class PhaseView(MonitorView, frozen=True):
    symbol: str
    timeframe: str
    direction: int
    previous: str
    phase: str
    confidence: float
    support: float
    resistance: float
    range_start_ms: int | None
    time_ms: int | None
    known_ms: int | None


class CampaignChangeView(MonitorView, frozen=True):
    campaign: str
    number: int
    time_ms: int | None
    kind: str
    previous: str
    state: str
    cause: str


class SignalView(MonitorView, frozen=True):
    """An intent and what the gate said; heat before and with it, in basis points rounded up."""

    intent_id: str
    action: str
    campaign: str
    leg: str
    symbol: str
    timeframe: str
    direction: int
    time_ms: int | None
    entry_kind: str
    entry_price: Decimal
    limit_price: Decimal
    stop_price: Decimal
    targets: tuple[Decimal, Decimal, Decimal]
    risk_bp: Decimal
    score: float
    reason: str
    verdict: str
    stage: str
    code: str
    value: Decimal
    limit: Decimal
    missed_by: float | None
    heat_before_bp: int
    heat_after_bp: int
    limit_bp: int
    quantity: Decimal
    text: str
    item: int = 0


class RefusalView(MonitorView, frozen=True):
    """`source` is gate or strategy."""

    time_ms: int | None
    source: str
    campaign: str
    symbol: str
    subject: str
    stage: str
    code: str
    value: str
    limit: str
    missed_by: float | None
    text: str
    item: int = 0


class OrderView(MonitorView, frozen=True):
    """`leg` is that of the campaign: SPRING, SOS or LPS."""

    order_id: str
    campaign: str
    group: str
    role: str
    symbol: str
    side: str
    kind: str
    quantity: Decimal
    limit_price: Decimal
    stop_price: Decimal
    time_in_force: str
    time_ms: int | None
    leg: str = ""
    state: str = "PENDING"
    filled: Decimal = Decimal(0)
    item: int = 0


class ExecutionView(MonitorView, frozen=True):
    """A venue's report; "" and null where its kind has no such field."""

    report: str
    time_ms: int | None
    order_id: str
    symbol: str
    campaign: str
    execution_id: str = ""
    side: str = ""
    role: str = ""
    group: str = ""
    quantity: Decimal | None = None
    price: Decimal | None = None
    costs: Decimal | None = None
    remaining: Decimal | None = None
    filled: Decimal | None = None
    simulated: bool = True
    code: str = ""
    reason: str = ""
    item: int = 0


class HeatChangeView(MonitorView, frozen=True):
    time_ms: int | None
    previous: str
    state: str
    heat_bp: int
    item: int = 0


class FeedStatusView(MonitorView, frozen=True):
    time_ms: int | None
    feed: str
    status: str
    reason: str


class CommandView(MonitorView, frozen=True):
    time_ms: int | None
    name: str
    argument: str
    operator: str
    reason: str


class AlertView(MonitorView, frozen=True):
    """`level` is info, warning or critical; `code` is short and stable."""

    time_ms: int | None
    level: str
    code: str
    text: str


class PriceView(MonitorView, frozen=True):
    symbol: str
    time_ms: int | None
    price: float


class PointView(MonitorView, frozen=True):
    time_ms: int | None
    pnl: Decimal
    return_fraction: Decimal
    drawdown_fraction: Decimal


class LinkView(MonitorView, frozen=True):
    """The monitor's connection to the engine. `state` is CONNECTED, CONNECTING or ABSENT."""

    state: str
    age_s: float | None
    reason: str
