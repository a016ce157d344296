"""What Prometheus reads: gauges and counters of the engine as the stream tells them, and of the monitor itself.

Names begin with `wyckoff_`, units are base units. Symbols are no labels: their number has no bound.
"""

from collections.abc import Iterable, Iterator
from decimal import Decimal
from math import ceil
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from engine.control.status import KILL_ORDER, QueuesView, SessionState, Status
from engine.messages import CampaignState
from engine.monitor.guard import Guard
from engine.monitor.hub import Hub
from engine.monitor.lanes import Lanes
from engine.monitor.replica import CONNECTED, Replica

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
QUANTILES: Final = ("0.5", "0.99")
US: Final = 1_000_000
FEED_STATES: Final = ("CONNECTING", "LIVE", "STALE", "RECOVERING", "CLOSED")


class EngineMetrics(Collector):
    """Made from the replica whenever they are asked for, so nothing is counted twice."""

    def __init__(self, replica: Replica, hub: Hub, guard: Guard, lanes: Lanes) -> None:
        self._replica = replica
        self._lanes = lanes
        self._hub = hub
        self._guard = guard
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def text(self) -> bytes:
        return generate_latest(self._registry)

    def collect(self) -> Iterable[Metric]:
        yield from self._own()
        yield from _counted(self._replica)
        status = self._replica.status
        mode = status.mode if status else (self._replica.session.mode if self._replica.session else "")
        yield _labelled("wyckoff_up", "1 while the engine streams", ("mode",), [((mode,), float(status is not None))])
        yield from self._pipeline()
        if status is not None:
            yield from _session(status)
            yield from _money(status)
            yield from _feeds(status)
            yield from _process(status)

    def _pipeline(self) -> Iterator[Metric]:
        """Queues and stages, as far as the engine tells of them."""
        lanes = self._lanes.now()
        depths = [((one.stage,), float(one.depth)) for one in lanes]
        capacities = [((one.stage,), float(one.capacity)) for one in lanes if one.capacity is not None]
        yield _labelled("wyckoff_queue_depth", "What waits in a queue", ("stage",), depths)
        yield _labelled("wyckoff_queue_capacity", "What may wait in it", ("stage",), capacities)
        high = [((one.stage,), float(one.high_water)) for one in lanes]
        yield _labelled("wyckoff_queue_high_water", "The most that has waited in it", ("stage",), high)
        dropped = CounterMetricFamily("wyckoff_queue_dropped", "What found no room", labels=("stage",))
        for one in lanes:
            dropped.add_metric((one.stage,), one.dropped)
        yield dropped
        yield from _stages(self._replica.queues)
        acks = self._replica.acks
        found = [((), (quantile(acks, 0.5), quantile(acks, 0.99)))] if acks else []
        yield _quantiles("wyckoff_order_ack_seconds", "From a decision to the venue's word, of late", (), found)

    def _own(self) -> Iterator[Metric]:
        link = self._replica.link
        yield _gauge("wyckoff_monitor_connected", "1 while connected to the stream", link.state == CONNECTED)
        yield _gauge("wyckoff_monitor_stream_age_seconds", "Since the last word of the engine", link.age_s)
        yield _gauge("wyckoff_monitor_clients", "WebSocket clients", len(self._hub.clients))
        yield _counter("wyckoff_monitor_clients_cut", "Clients closed because they were too slow", self._hub.cut)
        yield _counter("wyckoff_monitor_refused_tokens", "Wrong tokens", self._guard.refused)
        yield _counter("wyckoff_monitor_frames", "Frames of the stream", self._replica.frames)


def _session(status: Status) -> Iterator[Metric]:
    states = [((one.value,), float(one is status.state)) for one in SessionState]
    yield _labelled("wyckoff_state", "1 for the state the session is in", ("state",), states)
    yield _gauge("wyckoff_killed", "0 none, 1 entries, 2 cancel, 3 flatten", KILL_ORDER.index(status.kill_level))
    yield _gauge("wyckoff_paused", "1 while paused by an operator", bool(status.paused_by))
    blockers = [((code,), 1.0) for code in dict.fromkeys(one.code for one in status.blockers)]
    yield _labelled("wyckoff_blocked", "1 for each kind of reason that stands against entries", ("code",), blockers)
    yield _gauge("wyckoff_uptime_seconds", "Since the session began", status.uptime_s)
    yield _gauge("wyckoff_warmups_left", "Detectors that still want history", status.warmups_left)


def _money(status: Status) -> Iterator[Metric]:
    heat = status.heat
    heats = [("current", heat.heat_bp), ("warning", heat.warning_bp), ("critical", heat.critical_bp)]
    yield _gauge("wyckoff_portfolio_heat_ratio", "Risk over equity", _ratio(heat.heat_bp))
    limits = [((name,), value / 10_000) for name, value in (*heats[1:], ("limit", heat.limit_bp)) if value is not None]
    yield _labelled("wyckoff_portfolio_heat_limit_ratio", "Borders of heat", ("border",), limits)
    yield _gauge("wyckoff_equity", "Account currency, open positions at marks", status.equity)
    yield _gauge("wyckoff_cash", "Account currency", status.cash)
    yield _gauge("wyckoff_day_pnl", "Since midnight UTC, account currency", status.day.pnl)
    yield _gauge("wyckoff_positions", "Open positions", status.position_count)
    yield _gauge("wyckoff_working_orders", "Working orders", status.order_count)


def _feeds(status: Status) -> Iterator[Metric]:
    names = ("feed", "channel")
    feeds = [(one, (one.name, one.channel)) for one in status.feeds]
    ages = [(labels, one.age_s) for one, labels in feeds if one.age_s is not None]
    limits = [(labels, one.limit_s) for one, labels in feeds if one.limit_s is not None]
    states = [((one.name, state), float(one.status == state)) for one in status.feeds for state in FEED_STATES]
    yield _labelled("wyckoff_feed_last_message_age_seconds", "Since the last row", names, ages)
    yield _labelled("wyckoff_feed_stale_after_seconds", "Age at which the feed is stale", names, limits)
    skews = [((one.name,), one.clock_skew_s) for one in status.feeds if one.clock_skew_s is not None]
    yield _labelled("wyckoff_feed_clock_skew_seconds", "The venue's stamps ahead of our clock", ("feed",), skews)
    yield _labelled("wyckoff_feed_state", "1 for the state a feed is in", ("feed", "state"), states)
    for name, text, field in (
        ("wyckoff_feed_rows", "Rows that reached the line", "rows"),
        ("wyckoff_feed_reconnects", "Connections after the first", "reconnects"),
        ("wyckoff_feed_gaps", "Gaps that history could not fill", "gaps"),
        ("wyckoff_feed_withheld", "Rows withheld as impossible", "withheld"),
        ("wyckoff_feed_conflated", "Quotes that a later one replaced", "conflated"),
        ("wyckoff_feed_sequence_breaks", "Holes in the venue's numbering, filled or not", "sequence_breaks"),
    ):
        counter = CounterMetricFamily(name, text, labels=("feed",))
        for one in status.feeds:
            counter.add_metric((one.name,), getattr(one, field))
        yield counter


def _process(status: Status) -> Iterator[Metric]:
    loop = status.loop
    yield _gauge("wyckoff_event_loop_lag_seconds", "Lateness of the engine's loop", loop.lag_s)
    yield _counter("wyckoff_event_loop_stalls", "Times the loop was silent for too long", loop.stalls)
    yield _gauge("wyckoff_resident_memory_bytes", "Of the engine", loop.rss_mb * 1_000_000)
    yield _gauge("wyckoff_resident_memory_limit_bytes", "At 80 % of it entries stop", loop.rss_limit_mb * 1_000_000)
    yield _counter("wyckoff_log_lines_dropped", "Lines that found no room", loop.logs_dropped)
    if status.tape is not None:
        yield _gauge("wyckoff_journal_bytes", "Size of the tape", status.tape.size_bytes)
        yield _gauge("wyckoff_journal_lag_seconds", "Age of the oldest fact not on disk", status.tape.lag_s)
        yield _counter("wyckoff_journal_rows", "Market rows of the tape", status.tape.rows)


def _stages(queues: QueuesView | None) -> Iterator[Metric]:
    stages = queues.stages if queues else ()
    times = [((one.stage,), (one.p50_us / US, one.p99_us / US)) for one in stages]
    yield _quantiles("wyckoff_stage_latency_seconds", "How long a stage holds an item, of late", ("stage",), times)
    items = CounterMetricFamily("wyckoff_stage_items", "Items that a stage has taken", labels=("stage",))
    for one in stages:
        items.add_metric((one.stage,), one.items)
    yield items


def _quantiles(
    name: str, text: str, labels: tuple[str, ...], found: Iterable[tuple[tuple[str, ...], tuple[float, float]]]
) -> Metric:
    """Of a distribution that somebody else has summed up."""
    samples = [
        ((*values, which), value) for values, both in found for which, value in zip(QUANTILES, both, strict=True)
    ]
    return _labelled(name, text, (*labels, "quantile"), samples)


def quantile(values: Iterable[float], fraction: float) -> float:
    """The value at or below which that fraction lies, by nearest rank."""
    ordered = sorted(values)
    return ordered[max(0, ceil(fraction * len(ordered)) - 1)]


def _counted(replica: Replica) -> Iterator[Metric]:
    """Since the monitor connected."""
    orders = CounterMetricFamily("wyckoff_orders", "Verdicts and reports by kind and code", labels=("status", "reason"))
    for (kind, reason), number in sorted(replica.counts.items()):
        orders.add_metric((kind, reason), number)
    yield orders
    states = dict.fromkeys(CampaignState, 0)
    for change in replica.campaigns.values():
        states[change.state] += 1
    found = [((state.value,), float(number)) for state, number in states.items()]
    yield _labelled("wyckoff_campaigns", "Campaigns by state", ("state",), found)


def _ratio(bp: int | None) -> float | None:
    return None if bp is None else bp / 10_000


def _gauge(name: str, text: str, value: Decimal | float | None) -> Metric:
    """Without a sample where the value is not known."""
    found = GaugeMetricFamily(name, text)
    if value is not None:
        found.add_metric((), float(value))
    return found


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(name, text, value=value)


def _labelled(
    name: str, text: str, labels: tuple[str, ...], samples: Iterable[tuple[tuple[str, ...], float]]
) -> Metric:
    found = GaugeMetricFamily(name, text, labels=labels)
    for values, sample in samples:
        found.add_metric(values, sample)
    return found
