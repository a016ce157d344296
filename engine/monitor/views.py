"""Messages as the monitor shows them: from the stream and from the store alike."""

from decimal import Decimal

import msgspec

from engine.campaigns.curve import CurvePoint
from engine.messages import (
    FOREVER_NS,
    NEVER_NS,
    Accepted,
    Approved,
    CampaignChange,
    Cancelled,
    Command,
    Declined,
    Detections,
    Event,
    Expired,
    FeedStatus,
    Fill,
    HeatChange,
    Intent,
    Order,
    PhaseChange,
    Receipt,
    Refused,
    Rejected,
)
from engine.monitor.shapes import (
    CampaignChangeView,
    CommandView,
    EventView,
    ExecutionView,
    FeedStatusView,
    HeatChangeView,
    OrderView,
    PhaseView,
    PointView,
    RefusalView,
    SignalView,
)
from engine.naming import event_name
from engine.store_rows import missed_by

MS_NS = 1_000_000
HEAT_LIMIT = "HEAT_LIMIT"
"""The gate's code of the one law that every entry is held to."""


def ms(time_ns: int) -> int | None:
    """None before and after every stamp."""
    return None if time_ns in (NEVER_NS, FOREVER_NS) else time_ns // MS_NS


Execution = Accepted | Rejected | Fill | Cancelled | Expired


def event_view(one: Event) -> EventView:
    parts = tuple(getattr(one, f"part_{number}") for number in range(1, 8))
    same = {name: getattr(one, name) for name in _SAME_OF_EVENT}
    return EventView(
        **same,
        kind=one.kind.value,
        name=event_name(one.kind, one.direction),
        event_ms=ms(one.event_ns),
        confirm_ms=ms(one.confirm_ns),
        known_ms=ms(one.known_ns),
        phase=one.phase.value,
        range_start_ms=ms(one.range_start_ns),
        parts=parts,
    )


def phase_view(one: PhaseChange, time_ns: int, known_ns: int) -> PhaseView:
    same = {name: getattr(one, name) for name in _SAME_OF_PHASE}
    return PhaseView(
        **same,
        previous=one.previous.value,
        phase=one.phase.value,
        range_start_ms=ms(one.range_start_ns),
        time_ms=ms(time_ns),
        known_ms=ms(known_ns),
    )


def phase_views(found: Detections) -> list[PhaseView]:
    return [phase_view(one, found.time_ns, found.decision_ns) for one in found.phases]


def campaign_change_view(one: CampaignChange) -> CampaignChangeView:
    return CampaignChangeView(
        campaign=one.campaign, number=one.number, time_ms=ms(one.time_ns), kind=one.kind,
        previous=one.previous.value, state=one.state.value, cause=one.cause,
    )  # fmt: skip


def signal_view(verdict: Approved | Refused) -> SignalView:
    stage = verdict.stage if isinstance(verdict, Refused) else ""
    return signal_of(verdict.intent, verdict.receipt, type(verdict).__name__, stage)


def signal_of(intent: Intent, receipt: Receipt, verdict: str, stage: str, item: int = 0) -> SignalView:
    same = {name: getattr(intent, name) for name in _SAME_OF_INTENT}
    return SignalView(
        **same,
        action=intent.action.value,
        leg=intent.leg.value,
        time_ms=ms(intent.decision_ns),
        entry_kind=intent.entry_kind.value,
        targets=(intent.target_1, intent.target_2, intent.target_3),
        verdict=verdict,
        stage=stage,
        code=receipt.code,
        value=receipt.value,
        limit=receipt.limit,
        missed_by=missed_by(receipt.value, receipt.limit, refused=verdict == Refused.__name__),
        heat_before_bp=heat_bp(receipt, 0),
        heat_after_bp=heat_bp(receipt, receipt.new_risk),
        limit_bp=receipt.limit_bp,
        quantity=receipt.quantity,
        text=verdict_text(receipt),
        item=item,
    )


def heat_bp(receipt: Receipt, new_risk: int) -> int:
    """As the Tap counts it, without its kernels: they would cost the monitor 80 MB."""
    risk = receipt.open_risk + receipt.working_risk + new_risk
    return -(-risk * 10_000 // receipt.equity) if receipt.equity > 0 else 0


def verdict_text(receipt: Receipt) -> str:
    """Why, in one line: `heat 9.60 % + 1.10 % >= 10.00 %`."""
    if not receipt.code:
        return ""
    if receipt.code == HEAT_LIMIT:
        if receipt.equity <= 0:
            return "heat: no equity left to risk"
        before, added = heat_bp(receipt, 0), heat_bp(receipt, receipt.new_risk) - heat_bp(receipt, 0)
        return f"heat {before / 100:.2f} % + {added / 100:.2f} % >= {receipt.limit_bp / 100:.2f} %"
    return f"{receipt.code.lower()}: was {plain(receipt.value)}, limit {plain(receipt.limit)}"


def refusal_view(signal: SignalView) -> RefusalView:
    return RefusalView(
        time_ms=signal.time_ms, source="gate", campaign=signal.campaign, symbol=signal.symbol,
        subject=signal.intent_id, stage=signal.stage, code=signal.code, value=plain(signal.value),
        limit=plain(signal.limit), missed_by=signal.missed_by, text=signal.text, item=signal.item,
    )  # fmt: skip


def declined_view(one: Declined, item: int = 0) -> RefusalView:
    value, limit = Decimal(one.value), Decimal(one.limit)
    return RefusalView(
        time_ms=ms(one.time_ns), source="strategy", campaign=one.campaign, symbol=one.symbol, subject=one.event_id,
        stage=one.strategy, code=one.code, value=f"{one.value:g}", limit=f"{one.limit:g}",
        missed_by=missed_by(value, limit, refused=True),
        text=f"{one.code.lower()}: was {one.value:g}, limit {one.limit:g}", item=item,
    )  # fmt: skip


def order_view(one: Order, state: str = "PENDING", filled: Decimal = Decimal(0), item: int = 0) -> OrderView:
    same = {name: getattr(one, name) for name in _SAME_OF_ORDER}
    return OrderView(
        **same, role=one.role.value, side=one.side.value, kind=one.kind.value, time_in_force=one.time_in_force.value,
        time_ms=ms(one.decision_ns), leg=leg_of(one.group), state=state, filled=filled, item=item,
    )  # fmt: skip


def execution_view(one: Execution, item: int = 0) -> ExecutionView:
    same = {name: getattr(one, name) for name in _SAME_OF_EXECUTION if hasattr(one, name)}
    return ExecutionView(
        **same, report=type(one).__name__, time_ms=ms(one.time_ns), campaign=campaign_of_order(one.order_id), item=item
    )


def heat_change_view(one: HeatChange, item: int = 0) -> HeatChangeView:
    return HeatChangeView(
        time_ms=ms(one.time_ns), previous=one.previous.value, state=one.state.value, heat_bp=one.heat_bp, item=item
    )


def feed_status_view(one: FeedStatus, feed: str) -> FeedStatusView:
    return FeedStatusView(time_ms=ms(one.time_ns), feed=feed, status=one.status, reason=one.reason)


def command_view(one: Command) -> CommandView:
    return CommandView(
        time_ms=ms(one.time_ns), name=one.name, argument=one.argument, operator=one.operator, reason=one.reason
    )


def point_view(one: CurvePoint) -> PointView:
    same = {name: getattr(one, name) for name in ("pnl", "return_fraction", "drawdown_fraction")}
    return PointView(**same, time_ms=ms(one.time_ns))


def campaign_of_order(order_id: str) -> str:
    """An order is campaign/leg/attempt/role."""
    return order_id.rsplit("/", 3)[0] if order_id.count("/") >= 3 else ""


def leg_of(group: str) -> str:
    """A group is campaign/leg/attempt."""
    return group.rsplit("/", 2)[1] if group.count("/") >= 2 else ""


def plain(value: Decimal) -> str:
    """Without exponent and needless zeros."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _same(view: type[msgspec.Struct], message: type[msgspec.Struct], *otherwise: str) -> tuple[str, ...]:
    names = frozenset(message.__struct_fields__)
    return tuple(name for name in view.__struct_fields__ if name in names and name not in otherwise)


_SAME_OF_EVENT = _same(EventView, Event, "kind", "phase")
_SAME_OF_PHASE = _same(PhaseView, PhaseChange, "previous", "phase")
_SAME_OF_INTENT = _same(SignalView, Intent, "action", "leg", "entry_kind")
_SAME_OF_ORDER = _same(OrderView, Order, "role", "side", "kind", "time_in_force")
_SAME_OF_EXECUTION = tuple(
    name for name in ExecutionView.__struct_fields__ if name not in ("report", "time_ms", "campaign", "item")
)
