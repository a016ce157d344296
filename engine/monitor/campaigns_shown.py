"""A campaign's row with what only a running engine knows: its heat, its stop, its open gain, what comes next."""

from decimal import Decimal
from typing import Final

import msgspec

from engine.campaign_views import CampaignRow
from engine.control.status import PositionView
from engine.monitor.replica import Replica

ENDED: Final = ("COMPLETED", "INVALIDATED", "EXPIRED")
LEG_EVENTS: Final = ("SPRING", "SOS", "LPS")


class CampaignShown(CampaignRow, frozen=True, kw_only=True):
    """None where it is not known or there is nothing to know."""

    phase: str | None = None
    heat_bp: Decimal | None = None
    unrealised: Decimal | None = None
    average_price: Decimal | None = None
    stop: Decimal | None = None
    targets: tuple[Decimal, ...] = ()
    next_event: str | None = None


def shown(row: CampaignRow, replica: Replica) -> CampaignShown:
    held = [one for one in replica.status.positions if one.campaign == row.campaign] if replica.status else []
    phase = replica.phases.get((row.symbol, row.timeframe, row.direction))
    is_over = row.state in ENDED
    return CampaignShown(
        **msgspec.structs.asdict(row),
        phase=phase.phase if phase and not is_over else None,
        heat_bp=_heat_bp(held, replica),
        unrealised=_sum([one.unrealised for one in held]) if held else None,
        average_price=_average(held),
        stop=next((one.stop for one in held if one.stop is not None), None),
        targets=_targets(row, replica) if not is_over else (),
        next_event=None if is_over else next_event(row),
    )


def next_event(row: CampaignRow) -> str:
    """What the plan waits for: the first leg that has not filled, then the way up."""
    for leg, event in zip(row.legs, LEG_EVENTS, strict=False):
        if not leg.filled_bp:
            return event
    return "targets"


def _heat_bp(held: list[PositionView], replica: Replica) -> Decimal | None:
    """What would be lost at the stops, in basis points of equity."""
    status = replica.status
    if not held or status is None or not status.equity:
        return None
    points = {one.symbol: one.point_value for one in replica.instruments}
    lost = [
        max(Decimal(0), one.quantity * (one.mark - one.stop)) * points.get(one.symbol, Decimal(1))
        for one in held
        if one.mark is not None and one.stop is not None
    ]
    return (sum(lost, Decimal(0)) * 10_000 / status.equity).quantize(Decimal("0.1"))


def _average(held: list[PositionView]) -> Decimal | None:
    quantity = sum((one.quantity for one in held), Decimal(0))
    if not quantity:
        return None
    value = sum((one.quantity * one.average_price for one in held), Decimal(0))
    return (value / quantity).quantize(held[0].average_price)


def _targets(row: CampaignRow, replica: Replica) -> tuple[Decimal, ...]:
    prices = [
        one.limit_price
        for one in replica.orders.values()
        if one.campaign == row.campaign and one.role == "TARGET" and one.state in ("PENDING", "WORKING")
    ]
    return tuple(dict.fromkeys(prices))


def _sum(values: list[Decimal | None]) -> Decimal | None:
    return None if None in values else sum((one for one in values if one is not None), Decimal(0))
