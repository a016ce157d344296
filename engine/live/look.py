"""What can be seen of a line at an instant: campaigns with their legs, phases, verdicts with their sums.

All of it is derived from the stages' own state and from what left the line. Prices, quantities and money are
decimals, `_bp` are basis points of equity, times ISO 8601, UTC.
"""

from collections.abc import Iterator, Sequence
from decimal import Decimal

import numpy as np

from engine.app import Line
from engine.campaigns.settings import CampaignSettings
from engine.campaigns.state import LEGS, Bracket, Campaign
from engine.control.status import View
from engine.instruments import ASSET_CLASSES
from engine.iso import iso
from engine.messages import Approved, Leg, Receipt, Refused, SessionStart
from engine.risk.heat import heat_bp
from engine.wyckoff.explained_lanes import SlotCopy, copied, lane_of
from engine.wyckoff.explained_range import confidence_of, levels_of
from engine.wyckoff.kinds import PHASES
from engine.wyckoff.layout import BARS, SHOWN_LANE, SHOWN_PHASE, SHOWN_SIDE

IDLE = "IDLE"
SIDES = {1: "accumulation", -1: "distribution", 0: ""}


class LegView(View, frozen=True, kw_only=True):
    """One of the three legs. `planned_percent` is its part of the campaign's cap. `state` is that of its last attempt,
    IDLE before the first; the rest belongs to that attempt, None where there is no such price yet."""

    leg: str
    planned_percent: Decimal
    attempts: int
    state: str
    risk_bp: Decimal
    quantity: Decimal
    entry_price: Decimal | None
    stop: Decimal | None
    at_breakeven: bool
    trailing: bool


class CampaignLook(View, frozen=True, kw_only=True):
    """A campaign that has not ended. `range_began` opened the first bar of its range."""

    campaign: str
    symbol: str
    timeframe: str
    direction: int
    state: str
    range_began: str
    last_pattern: str
    broken: str
    legs: tuple[LegView, ...]


class PhaseLook(View, frozen=True, kw_only=True):
    """What the detector says of one slot. `bars` are those with volume that it has seen."""

    symbol: str
    timeframe: str
    phase: str
    side: str
    confidence: float | None
    support: float | None
    resistance: float | None
    bars: int


class VerdictLook(View, frozen=True, kw_only=True):
    """What the gate said to one wish. `code` is "" where it approved; `value`, `limit` and `margin` belong to it,
    `sum` writes the heat out that an entry would have made."""

    time: str
    intent: str
    symbol: str
    action: str
    reason: str
    score: float
    verdict: str
    quantity: Decimal
    stage: str
    code: str
    value: Decimal
    limit: Decimal
    margin: Decimal
    sum: str


def campaigns(line: Line, settings: CampaignSettings, symbol: str = "") -> list[CampaignLook]:
    """In the order in which they were formed; of one symbol where it is named."""
    return [_campaign(one, settings) for one in line.campaigns.campaigns if symbol in ("", one.symbol)]


def phases(line: Line, start: SessionStart) -> list[PhaseLook]:
    """Of every slot that has seen a bar, by symbol, then timeframe."""
    return [
        _phase(line, slot, (symbol, timeframe))
        for slot, (symbol, timeframe) in enumerate(_slots(start))
        if line.detector.state.counts[slot, BARS]
    ]


def slot_of(line: Line, start: SessionStart, symbol: str, timeframe: str) -> SlotCopy:
    """A copy of what the detector knows of one slot."""
    place = start.detect_on.index(timeframe)
    slot = line.table.number(symbol) * len(start.detect_on) + place
    asset = ASSET_CLASSES.index(line.table.named(symbol).asset_class)
    return copied(line.detector.state, slot, line.detector.rules.gates[asset, place], timeframe)


def verdict(said: Approved | Refused) -> VerdictLook:
    intent, receipt = said.intent, said.receipt
    is_approved = isinstance(said, Approved)
    return VerdictLook(
        time=iso(intent.decision_ns),
        intent=intent.intent_id,
        symbol=intent.symbol,
        action=intent.action.value,
        reason=intent.reason,
        score=intent.score,
        verdict="APPROVED" if is_approved else "REFUSED",
        quantity=said.quantity if isinstance(said, Approved) else receipt.quantity,
        stage="" if isinstance(said, Approved) else said.stage,
        code=receipt.code,
        value=receipt.value,
        limit=receipt.limit,
        margin=receipt.margin,
        sum=heat_sum(receipt) if intent.action.value == "ENTER" else "",
    )


def heat_sum(receipt: Receipt) -> str:
    """`heat 9.60 % + 1.10 % = 10.70 % >= 10.00 %`, as the law has it; "" where there is no equity."""
    if receipt.equity <= 0:
        return ""
    held = receipt.open_risk + receipt.working_risk
    projected = held + receipt.new_risk
    is_over = projected * 10_000 >= receipt.equity * receipt.limit_bp
    parts = (heat_bp(held, receipt.equity), heat_bp(receipt.new_risk, receipt.equity))
    total = heat_bp(projected, receipt.equity)
    # Rounded up, what is allowed by a hair would look refused.
    told = "nearly " if total == receipt.limit_bp and not is_over else ""
    said = f"heat {_percent(parts[0])} + {_percent(parts[1])} = {told}{_percent(total)}"
    return f"{said} {'>=' if is_over else '<'} {_percent(receipt.limit_bp)}"


def _percent(value_bp: int) -> str:
    return f"{value_bp / 100:.2f} %"


def _campaign(one: Campaign, settings: CampaignSettings) -> CampaignLook:
    return CampaignLook(
        campaign=one.campaign,
        symbol=one.symbol,
        timeframe=one.timeframe,
        direction=one.direction,
        state=one.state.value,
        range_began=iso(one.range_start_ns),
        last_pattern=one.last_pattern.value if one.last_pattern else "",
        broken=one.broken,
        legs=tuple(_leg(leg, [each for each in one.brackets if each.leg is leg], settings) for leg in LEGS),
    )


def _leg(leg: Leg, attempts: Sequence[Bracket], settings: CampaignSettings) -> LegView:
    last = attempts[-1] if attempts else None
    lot = last.lot if last else None
    return LegView(
        leg=leg.value,
        planned_percent=settings.split_percent.of(leg),
        attempts=len(attempts),
        state=last.state.value if last else IDLE,
        risk_bp=last.risk_bp if last else Decimal(0),
        quantity=lot.open if lot else Decimal(0),
        entry_price=lot.entry_price if lot and lot.entered else None,
        stop=last.stop_price if last else None,
        at_breakeven=bool(last and last.at_breakeven),
        trailing=bool(last and last.trailing),
    )


def _slots(start: SessionStart) -> Iterator[tuple[str, str]]:
    for symbol in start.symbols:
        for timeframe in start.detect_on:
            yield symbol, timeframe


def _phase(line: Line, slot: int, name: tuple[str, str]) -> PhaseLook:
    symbol, timeframe = name
    counts = line.detector.state.counts[slot]
    side = int(np.sign(counts[SHOWN_SIDE]))
    confidence = support = resistance = None
    if side:
        gates = line.detector.rules.gates[ASSET_CLASSES.index(line.table.named(symbol).asset_class)]
        now = copied(line.detector.state, slot, gates[slot % len(gates)], timeframe)
        lane = lane_of(now, int(counts[SHOWN_LANE]))
        levels, confidence = levels_of(lane), confidence_of(lane)
        support = levels.support.price if levels.support else None
        resistance = levels.resistance.price if levels.resistance else None
    return PhaseLook(
        symbol=symbol,
        timeframe=timeframe,
        phase=PHASES[int(counts[SHOWN_PHASE])].value,
        side=SIDES[side],
        confidence=confidence,
        support=support,
        resistance=resistance,
        bars=int(counts[BARS]),
    )
