"""The state of one engine as its stream tells it, bounded, and what changes with every frame.

`apply` takes what came in and gives back what viewers are to be told: already encoded, once for all of them.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from typing import Any, Final

import msgspec

from engine.control.status import QueuesView, Status
from engine.iso import parse_iso
from engine.messages import (
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
    Instrument,
    Message,
    Order,
    Refused,
    Rejected,
    SessionStart,
    decode,
)
from engine.monitor import views
from engine.monitor.alerts import Alerts
from engine.monitor.bars_shown import BarRings, bars_json
from engine.monitor.frames import Hello, Told
from engine.monitor.shapes import AlertView, LinkView, OrderView, PhaseView, PriceView
from engine.store_bars import BarPack

MOST_LISTED: Final = 200
MOST_ORDERS: Final = 1_000
MOST_CAMPAIGNS: Final = 2_000
MOST_HEATS: Final = 1_440
"""Minutes of line time of which heat is remembered, where it has changed."""


MINUTE_MS: Final = 60_000

CONNECTED, CONNECTING, ABSENT = "CONNECTED", "CONNECTING", "ABSENT"

STATES: Final = {"Accepted": "WORKING", "Rejected": "REJECTED", "Cancelled": "CANCELLED", "Expired": "EXPIRED"}
"""An order after a report that is no fill."""

Ring = deque[bytes]


class Delta(msgspec.Struct, frozen=True):
    """One change, as JSON. Of those with a `key` only the newest counts; "" is never left out.

    `bars` is set for bars alone: the slot whose subscribers are told.
    """

    topic: str
    key: str
    data: bytes
    bars: tuple[str, str] | None = None

    @property
    def item(self) -> bytes:
        return b'{"topic":"%s","data":%s}' % (self.topic.encode(), self.data)


class Replica:
    """`monotonic_ns` dates the last word from the engine."""

    def __init__(self, monotonic_ns: Callable[[], int]) -> None:
        self._monotonic_ns = monotonic_ns
        self.link_state = ABSENT
        self.link_reason = "not connected yet"
        self.heard_ns: int | None = None
        self.frames = 0
        self._alerts = Alerts()
        self.reset()

    def reset(self) -> None:
        """Nothing is known of the engine that is about to introduce itself."""
        self.hello: Hello | None = None
        self.session: SessionStart | None = None
        self.instruments: tuple[Instrument, ...] = ()
        self.status: Status | None = None
        self.status_json = b"null"
        self.queues: QueuesView | None = None
        self.heats: deque[tuple[int, int]] = deque(maxlen=MOST_HEATS)
        self.bars = BarRings()
        self.prices: dict[str, PriceView] = {}
        self.campaigns: dict[str, CampaignChange] = {}
        self.phases: dict[tuple[str, str, int], PhaseView] = {}
        self.orders: dict[str, OrderView] = {}
        self.acks: deque[float] = deque(maxlen=MOST_ORDERS)
        self.counts: dict[tuple[str, str], int] = {}
        self.rings: dict[str, Ring] = {
            name: deque(maxlen=MOST_LISTED)
            for name in ("decision", "declined", "execution", "event", "feed", "command", "alert")
        }
        self.zone_since_ns: int | None = None
        self.version = 0

    # ------------------------------------------------------------------------------ what comes in

    def apply(self, told: Told) -> list[Delta]:
        """Raises ValueError on bars that cannot be read. A Hello resets; whoever sees it sends snapshots."""
        self.heard_ns = self._monotonic_ns()
        self.frames += 1
        self.version += 1
        match told:
            case Hello():
                self._begin(told)
                return []
            case Status():
                return self._take_status(told)
            case QueuesView():
                self.queues = told
                return []
            case BarPack():
                columns = self.bars.add(told)
                key = (told.symbol, told.timeframe)
                return [Delta("bars", f"bars {key[0]} {key[1]}", bars_json(*key, columns), key)]
            case tuple():
                shown = [PriceView(symbol=one.symbol, time_ms=views.ms(one.time_ns), price=one.price) for one in told]
                self.prices |= {one.symbol: one for one in shown}
                return [Delta("price", f"price {one.symbol}", msgspec.json.encode(one)) for one in shown]
            case _:
                return list(self._message(told))

    def lost(self, state: str, reason: str) -> list[Delta]:
        """The stream has ended: what was true is not known any more."""
        is_news = (state, reason) != (self.link_state, self.link_reason)
        self.link_state, self.link_reason = state, reason
        self.version += 1
        had_status, self.status, self.status_json = self.status is not None, None, b"null"
        self.queues = None
        gone = [Delta("status", "status", b"null"), Delta("heat", "heat", b"null")] if had_status else []
        return [*gone, *([self.link_delta()] if is_news else [])]

    @property
    def link(self) -> LinkView:
        age_s = None if self.heard_ns is None else (self._monotonic_ns() - self.heard_ns) / 1e9
        return LinkView(state=self.link_state, age_s=age_s, reason=self.link_reason)

    def link_delta(self) -> Delta:
        return Delta("link", "link", msgspec.json.encode(self.link))

    def tell(self, alert: AlertView) -> Delta:
        """An alert of the monitor's own."""
        return self._ring("alert", alert)

    # ----------------------------------------------------------------------------- what is shown

    def state_json(self) -> bytes:
        """The `state` of a snapshot."""
        parts = {
            "link": msgspec.json.encode(self.link),
            "status": self.status_json,
            "heat": msgspec.json.encode(self.status.heat if self.status else None),
            "prices": msgspec.json.encode(list(self.prices.values())),
            "campaigns": msgspec.json.encode([views.campaign_change_view(one) for one in self.campaigns.values()]),
            "phases": msgspec.json.encode(list(self.phases.values())),
            "orders": msgspec.json.encode(list(self.orders.values())[-MOST_LISTED:]),
            "decisions": _listed(self.rings["decision"]),
            "declined": _listed(self.rings["declined"]),
            "executions": _listed(self.rings["execution"]),
            "events": _listed(self.rings["event"]),
            "feed": _listed(self.rings["feed"]),
            "commands": _listed(self.rings["command"]),
            "alerts": _listed(self.rings["alert"]),
        }
        return b"{%s}" % b",".join(b'"%s":%s' % (name.encode(), data) for name, data in parts.items())

    # ------------------------------------------------------------------------------------- parts

    def _begin(self, told: Hello) -> None:
        kept = self.rings["alert"]
        self.reset()
        self.rings["alert"] = kept
        session = decode(told.session)
        assert isinstance(session, SessionStart)
        found = [decode(one) for one in told.instruments]
        self.hello, self.session = told, session
        self.instruments = tuple(one for one in found if isinstance(one, Instrument))
        self.link_state, self.link_reason = CONNECTED, ""

    def _take_status(self, told: Status) -> list[Delta]:
        self.status, self.status_json = told, msgspec.json.encode(told)
        self._keep_heat(told)
        return [
            Delta("status", "status", self.status_json),
            Delta("heat", "heat", msgspec.json.encode(told.heat)),
        ]

    def _keep_heat(self, told: Status) -> None:
        """One value a minute, as long as it changes."""
        heat_bp = told.heat.heat_bp
        if heat_bp is None or not told.line_time:
            return
        time_ms = views.ms(parse_iso(told.line_time)) or 0
        last = self.heats[-1] if self.heats else None
        if last is None or (heat_bp != last[1] and time_ms // MINUTE_MS > last[0] // MINUTE_MS):
            self.heats.append((time_ms, heat_bp))

    def _message(self, told: Message) -> Iterator[Delta]:
        self._count(told)
        feeds = self.session.feeds if self.session else ()
        match told:
            case Detections():
                yield from self._detections(told)
            case CampaignChange():
                yield self._campaign(told)
            case Approved() | Refused():
                yield self._ring("decision", views.signal_view(told))
            case Declined():
                yield self._ring("declined", views.declined_view(told))
            case Order():
                yield self._order(views.order_view(told))
            case Accepted() | Rejected() | Fill() | Cancelled() | Expired():
                yield self._ring("execution", views.execution_view(told))
                yield from self._reported(told)
            case HeatChange():
                self.zone_since_ns = told.time_ns
                yield Delta("heat_change", "", msgspec.json.encode(views.heat_change_view(told)))
            case FeedStatus():
                name = feeds[told.feed] if told.feed < len(feeds) else str(told.feed)
                yield self._ring("feed", views.feed_status_view(told, name))
            case Command():
                yield self._ring("command", views.command_view(told))
        alert = self._alerts.of(told, feeds)
        if alert is not None:
            yield self._ring("alert", alert)

    def _detections(self, told: Detections) -> Iterator[Delta]:
        for event in told.events:
            yield self._ring("event", _event(event))
        for phase in views.phase_views(told):
            self.phases[phase.symbol, phase.timeframe, phase.direction] = phase
            yield Delta("phase", "", msgspec.json.encode(phase))

    def _campaign(self, told: CampaignChange) -> Delta:
        self.campaigns.pop(told.campaign, None)
        self.campaigns[told.campaign] = told
        _bound(self.campaigns, MOST_CAMPAIGNS)
        return Delta("campaign", "", msgspec.json.encode(views.campaign_change_view(told)))

    def _order(self, order: OrderView) -> Delta:
        self.orders.pop(order.order_id, None)
        self.orders[order.order_id] = order
        _bound(self.orders, MOST_ORDERS)
        return Delta("order", "", msgspec.json.encode(order))

    def _reported(self, told: Accepted | Rejected | Fill | Cancelled | Expired) -> Iterator[Delta]:
        order = self.orders.get(told.order_id)
        if order is None:
            return
        if isinstance(told, Accepted) and order.time_ms is not None:
            self.acks.append(max(0.0, (told.time_ns // views.MS_NS - order.time_ms) / 1_000))
        filled = order.filled + told.quantity if isinstance(told, Fill) else order.filled
        state = STATES.get(type(told).__name__, "")
        if isinstance(told, Fill):
            state = "WORKING" if told.remaining > Decimal(0) else "FILLED"
        yield self._order(msgspec.structs.replace(order, state=state, filled=filled))

    def _ring(self, topic: str, view: msgspec.Struct) -> Delta:
        data = msgspec.json.encode(view)
        self.rings[topic].append(data)
        self.version += 1
        return Delta(topic, "", data)

    def _count(self, told: Message) -> None:
        """For metrics: orders and verdicts by what came of them."""
        match told:
            case Refused():
                key = ("refused", told.receipt.code.lower())
            case Approved():
                key = ("approved", "")
            case Accepted() | Rejected() | Fill() | Cancelled() | Expired():
                key = (type(told).__name__.lower(), getattr(told, "code", "").lower())
            case _:
                return
        self.counts[key] = self.counts.get(key, 0) + 1


def _event(event: Event) -> msgspec.Struct:
    return views.event_view(event)


def _listed(ring: Iterable[bytes]) -> bytes:
    return b"[%s]" % b",".join(ring)


def _bound(table: dict[str, Any], most: int) -> None:
    while len(table) > most:
        del table[next(iter(table))]
