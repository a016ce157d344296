"""Makers for campaign tests: settings, events, fills, a scripted strategy, and a line of one stage."""

from collections.abc import Iterable
from decimal import Decimal
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from engine.blocks import Bars, Trades
from engine.campaigns.manager import CampaignManager
from engine.campaigns.settings import CampaignSettings
from engine.messages import (
    Accepted,
    Action,
    CampaignChange,
    Cancelled,
    Detections,
    Event,
    EventKind,
    Expired,
    Fill,
    Intent,
    Leg,
    Message,
    OrderKind,
    Phase,
    PhaseChange,
    Rejected,
    Role,
    Side,
    StrategyMark,
    Watch,
    Watched,
)
from engine.ports import Item, Moment, Proposal
from engine.timeframes import DAY_NS, TIMEFRAMES
from tests.makers import START_NS, bars, table

M = TypeVar("M", bound=Message)

NAN = float("nan")
CAMPAIGN = "AAA-2020-01-01"


def day(number: int) -> int:
    return START_NS + number * DAY_NS


def settings(**changes: object) -> CampaignSettings:
    fields: dict[str, object] = {
        "cap_percent": "5.0",
        "trade_percent": "2.0",
        "split_percent": {"spring": 40, "sos": 30, "lps": 30},
        "pattern_percent": {"spring": "0.5", "sos": "0.8", "lps": "0.7"},
        "lps_alone_score": 75,
    }
    return CampaignSettings.model_validate(fields | changes)


def event(kind: EventKind, at: int = 20, /, **changes: object) -> Event:
    """An event of the range 98..110 that began on day 0, confirmed by the bar of day `at`."""
    prices = {EventKind.SPRING: 97.5, EventKind.TEST: 98.2, EventKind.SOS: 111.0, EventKind.LPS: 109.8}
    phases = {EventKind.SPRING: Phase.C, EventKind.TEST: Phase.C}
    fields: dict[str, object] = {
        "event_id": f"{kind}@{at}",
        "symbol": "AAA",
        "timeframe": "1d",
        "direction": 1,
        "kind": kind,
        "event_ns": day(at - 1),
        "confirm_ns": day(at),
        "known_ns": day(at + 1),
        "price": prices.get(kind, 100.0),
        "score": 80.0,
        "phase": phases.get(kind, Phase.D),
        "support": 98.0,
        "resistance": 110.0,
        "range_start_ns": day(0),
        "range_bars": 20,
        "variant": 3 if kind in phases else 0,
        "high": 100.0,
        "low": 98.0,
        "close": 99.0,
        "atr": 1.0,
        "volume_ratio": 0.7,
        "spread_ratio": 0.8,
        "close_position": 0.6,
        "supersedes": "",
        "follows": "before",
        "phase_confidence": NAN,
        "quality": 80.0,
        "support_strength": 70.0,
        "resistance_strength": 70.0,
    }
    return Event(**(fields | changes))  # type: ignore[arg-type]


def phase(to: Phase, confidence: float = 80.0, **changes: object) -> PhaseChange:
    fields: dict[str, object] = {
        "symbol": "AAA",
        "timeframe": "1d",
        "direction": 1,
        "previous": Phase.B,
        "phase": to,
        "confidence": confidence,
        "support": 98.0,
        "resistance": 110.0,
        "range_start_ns": day(0),
    }
    return PhaseChange(**(fields | changes))  # type: ignore[arg-type]


def detections(*found: Event | PhaseChange | StrategyMark, at: int | None = None) -> Detections:
    """Everything that became known at the close of one day: that of the events, or `at`."""
    events = tuple(one for one in found if isinstance(one, Event))
    close_ns = events[0].known_ns if at is None and events else day((at or 0) + 1)
    return Detections(
        time_ns=close_ns,
        decision_ns=close_ns,
        events=events,
        phases=tuple(one for one in found if isinstance(one, PhaseChange)),
        marks=tuple(one for one in found if isinstance(one, StrategyMark)),
    )


def accepted(group: str, order: str = "ENTRY", at: int = 21) -> Accepted:
    return Accepted(day(at), f"{group}/{order}", "AAA", f"v-{group}")


def cancelled(group: str, order: str = "ENTRY", at: int = 22) -> Cancelled:
    return Cancelled(day(at), f"{group}/{order}", "AAA", Decimal(0), "")


def expired(group: str, order: str = "ENTRY", at: int = 22) -> Expired:
    return Expired(day(at), f"{group}/{order}", "AAA", Decimal(0))


def rejected(group: str, order: str = "ENTRY", at: int = 22) -> Rejected:
    return Rejected(day(at), f"{group}/{order}", "AAA", "NO", "")


def fill(
    group: str,
    order: str = "ENTRY",
    *,
    quantity: object = 100,
    price: object = 101,
    at: int = 22,
    remaining: int = 0,
    costs: object = 0,
) -> Fill:
    role = Role(order.rstrip("0123456789"))
    return Fill(
        time_ns=day(at),
        order_id=f"{group}/{order}",
        execution_id=f"{group}/{order}/{at}/{quantity}/{remaining}",
        symbol="AAA",
        side=Side.BUY if role is Role.ENTRY else Side.SELL,
        role=role,
        group=group,
        quantity=Decimal(str(quantity)),
        price=Decimal(str(price)),
        costs=Decimal(str(costs)),
        remaining=Decimal(remaining),
        simulated=True,
    )


def closed(first: int, *closes: float, symbol: int = 0) -> Trades:
    """A block of no rows that releases daily bars with these closes from day `first` on."""
    block = Trades.empty()
    block.closed = bars(*((c, c, c, c) for c in closes), start_ns=day(first), instrument=symbol)
    return block


PROPOSALS = {
    EventKind.SPRING: (Leg.SPRING, OrderKind.STOP_LIMIT, 101.0, 102.0, 97.0, (110.0, 122.0, 134.0)),
    EventKind.TEST: (Leg.SPRING, OrderKind.STOP_LIMIT, 101.0, 102.0, 97.0, (110.0, 122.0, 134.0)),
    EventKind.SOS: (Leg.SOS, OrderKind.LIMIT, NAN, 112.0, 108.0, (122.0, 134.0, 146.0)),
    EventKind.LPS: (Leg.LPS, OrderKind.LIMIT, NAN, 111.0, 108.0, (122.0, 134.0, 146.0)),
}


def proposal(kind: EventKind, score: float = 80.0, /, **changes: object) -> Proposal:
    leg, order, trigger, worst, stop, targets = PROPOSALS[kind]
    fields: dict[str, object] = {
        "leg": leg,
        "kind": order,
        "trigger": trigger,
        "worst": worst,
        "stop": stop,
        "targets": targets,
        "score": score,
        "valid_bars": 3,
        "reason": f"{kind} scripted",
    }
    return Proposal(**(fields | changes))  # type: ignore[arg-type]


class Scripted:
    """Proposes a fixed plan for each pattern, or what it was told to."""

    name = "scripted"

    def __init__(self, **changes: object) -> None:
        self._changes = changes
        self.moments: list[Moment] = []

    def marks(self, bars: Bars) -> npt.NDArray[np.bool_]:
        return np.zeros(len(bars), np.bool_)

    def propose(self, moment: Moment) -> Iterable[Proposal]:
        self.moments.append(moment)
        if moment.mark is not None:
            yield proposal(EventKind.LPS, **self._changes)
        elif moment.event is not None and moment.event.kind in PROPOSALS:
            yield proposal(moment.event.kind, moment.event.score, **self._changes)


class Line:
    """One manager; `send` returns what it added to the messages sent."""

    def __init__(self, *strategies: object, symbols: tuple[str, ...] = ("AAA", "BBB"), **changes: object) -> None:
        given = strategies or (Scripted(),)
        self.manager = CampaignManager(settings(**changes), table(*symbols), TIMEFRAMES, given)  # type: ignore[arg-type]
        self.out: list[Item] = []

    def send(self, *items: Item) -> list[Item]:
        added: list[Item] = []
        for item in items:
            produced = list(self.manager.process(item))
            assert produced[0] is item
            added += produced[1:]
        self.out += added
        return added

    def fire(self, watch_id: str, *, at: int, price: float = NAN, close: float = NAN, atr: float = NAN) -> list[Item]:
        watch = next(one for one in reversed(of(Watch, self.out)) if one.watch_id == watch_id)
        return self.send(Watched(watch_id, watch.owner, watch.kind, watch.symbol, day(at), price, close, atr))

    def enter(self, kind: EventKind, *, at: int, price: object, quantity: object = 100, score: float = 80.0) -> str:
        """Detect, accept and fill one leg; returns its group."""
        entry = only(Action.ENTER, self.send(detections(event(kind, at, score=score))))
        self.send(accepted(entry.group, at=at + 1), fill(entry.group, quantity=quantity, price=price, at=at + 2))
        return entry.group


def of(kind: type[M], items: Iterable[Item]) -> list[M]:
    return [one for one in items if isinstance(one, kind)]


def intents(action: Action, items: Iterable[Item]) -> list[Intent]:
    return [one for one in of(Intent, items) if one.action is action]


def only(action: Action, items: Iterable[Item]) -> Intent:
    (intent,) = intents(action, items)
    return intent


def kinds(items: Iterable[Item]) -> list[str]:
    return [one.kind for one in of(CampaignChange, items)]


def states(items: Iterable[Item]) -> list[str]:
    return [str(one.state) for one in of(CampaignChange, items)]
