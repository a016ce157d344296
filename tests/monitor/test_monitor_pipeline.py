"""Queues and stages on their way from the engine to the page and to Prometheus, told or not told."""

from collections import deque
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families

from engine.control.status import FeedView, LaneView, QueuesView, StageTime
from engine.live import views
from engine.live.ports import FeedReport
from engine.messages import Accepted
from engine.monitor.frames import FrameReader, framed
from engine.monitor.metrics import quantile
from engine.store import StoreState, StoreStatus
from tests.control.makers import status
from tests.monitor.rig import Rig, running, until
from tests.test_tap import order

TOLD = QueuesView(
    lanes=(
        LaneView(stage="inbox.market", depth=3, capacity=1_000, high_water=40),
        LaneView(stage="store", depth=9, capacity=65_536, high_water=12, dropped=2),
        LaneView(stage="log", depth=0, capacity=None, high_water=0, dropped=1),
    ),
    stages=(StageTime(stage="detector", items=1_234, p50_us=8.5, p99_us=91.0),),
)


async def samples(rig: Rig, name: str) -> dict[tuple[str, ...], float]:
    families = text_string_to_metric_families(rig.monitor.metrics.text().decode())
    found = [one for family in families for one in family.samples if one.name == name]
    return {tuple(one.labels.values()): one.value for one in found}


def test_queues_travel_as_a_frame() -> None:
    reader = FrameReader()

    (found,) = reader.feed(framed(TOLD))

    assert found == TOLD


@pytest.mark.asyncio
async def test_what_the_engine_tells_of_queues_is_shown_and_measured(tmp_path: Path) -> None:
    async with running(tmp_path, queues=lambda: TOLD) as rig:
        await until(lambda: rig.monitor.replica.queues)
        _, found = await rig.get("queues")
        dropped = await samples(rig, "wyckoff_queue_dropped_total")
        depth = await samples(rig, "wyckoff_queue_depth")
        capacity = await samples(rig, "wyckoff_queue_capacity")
        latency = await samples(rig, "wyckoff_stage_latency_seconds")
        items = await samples(rig, "wyckoff_stage_items_total")

    assert [(one["stage"], one["depth"], one["dropped"]) for one in found["items"]] == [
        ("inbox.market", 3, 0), ("store", 9, 2), ("log", 0, 1),
    ]  # fmt: skip
    assert found["stages"] == [{"stage": "detector", "items": 1_234, "p50_us": 8.5, "p99_us": 91.0}]
    assert found["loop_lag_s"] == status().loop.lag_s
    assert dropped == {("inbox.market",): 0, ("store",): 2, ("log",): 1}
    assert depth["store",] == 9
    assert capacity == {("inbox.market",): 1_000, ("store",): 65_536}
    assert latency == {("0.5", "detector"): pytest.approx(8.5e-6), ("0.99", "detector"): pytest.approx(91e-6)}
    assert items == {("detector",): 1_234}


@pytest.mark.asyncio
async def test_an_engine_that_tells_of_no_queues_shows_its_inbox(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        _, found = await rig.get("queues")
        rig.engine.now = status(loop=msgspec.structs.replace(status().loop, waiting_market=7))
        await until(lambda: rig.monitor.replica.status and rig.monitor.replica.status.loop.waiting_market == 7)
        await rig.get("queues")
        rig.engine.now = status()
        await until(lambda: rig.monitor.replica.status and rig.monitor.replica.status.loop.waiting_market == 1)
        _, later = await rig.get("queues")
        latency = await samples(rig, "wyckoff_stage_latency_seconds")

    assert [one["stage"] for one in found["items"]] == ["inbox.control", "inbox.market"]
    assert (found["stages"], latency) == ([], {})
    assert (later["items"][1]["depth"], later["items"][1]["high_water"]) == (1, 7)


@pytest.mark.asyncio
async def test_queues_of_an_engine_that_has_gone_are_not_shown(tmp_path: Path) -> None:
    async with running(tmp_path, queues=lambda: TOLD) as rig:
        await until(lambda: rig.monitor.replica.queues)
        rig.monitor.replica.lost("ABSENT", "gone")
        _, found = await rig.get("queues")

    assert found == {"items": [], "loop_lag_s": None, "stages": []}


@pytest.mark.asyncio
async def test_the_venues_word_is_timed(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        asked = order(1)
        rig.stream.write(asked)
        rig.stream.write(Accepted(asked.decision_ns + 250_000_000, asked.order_id, asked.symbol, "v1"))
        await until(lambda: rig.monitor.replica.acks)
        found = await samples(rig, "wyckoff_order_ack_seconds")

    assert found == {("0.5",): 0.25, ("0.99",): 0.25}


def test_a_quantile_is_one_of_the_values() -> None:
    values = deque([5.0, 1.0, 4.0, 2.0, 3.0])

    assert [quantile(values, fraction) for fraction in (0.01, 0.5, 0.6, 0.99, 1.0)] == [1, 3, 3, 5, 5]


# ------------------------------------------------------------------------------ from the session


@dataclass
class Timed:
    """A session whose inbox counts and whose stages are timed."""

    inbox: Any

    def stage_times(self) -> tuple[StageTime, ...]:
        return TOLD.stages


STORE = StoreStatus(StoreState.OK, "", written=5, pending=4, dropped=3, high_water=8)


def test_a_session_that_times_its_stages_is_told_whole() -> None:
    lanes = [SimpleNamespace(stage="inbox.market", depth=1, capacity=10, high_water=2, dropped=0, conflated=5)]
    session: Any = Timed(SimpleNamespace(lanes=lambda: lanes))

    found = views.queues(session, STORE, logs_dropped=6)

    assert found.stages == TOLD.stages
    assert [(one.stage, one.depth, one.high_water, one.dropped) for one in found.lanes] == [
        ("inbox.market", 1, 2, 0), ("log", 0, 0, 6), ("store", 4, 8, 3),
    ]  # fmt: skip


def test_a_feed_is_shown_with_its_clock_and_its_breaks() -> None:
    report = FeedReport(
        name="f", state="LIVE", reason="", since_ns=0, skew_ns=1_500_000_000, sequence_breaks=3, conflated=9
    )
    quiet = FeedReport(name="f", state="LIVE", reason="", since_ns=0)
    made = [
        SimpleNamespace(name="f", kind="trades", simulated=False, report=lambda one=one: one) for one in (report, quiet)
    ]
    feeds: Any = made

    found, plain = views.feeds(feeds, 5)

    assert (found.clock_skew_s, found.sequence_breaks, found.conflated) == (1.5, 3, 9)
    assert plain.clock_skew_s is None


@pytest.mark.asyncio
async def test_clocks_and_breaks_of_feeds_are_measured(tmp_path: Path) -> None:
    feed = FeedView(
        name="f", kind="trades", simulated=False, status="LIVE", clock_skew_s=1.5, sequence_breaks=3, conflated=9
    )
    async with running(tmp_path) as rig:
        rig.engine.now = status(feeds=(feed,))
        await until(lambda: rig.monitor.replica.status and rig.monitor.replica.status.feeds[0].name == "f")
        found = [
            await samples(rig, f"wyckoff_feed_{name}")
            for name in ("clock_skew_seconds", "sequence_breaks_total", "conflated_total")
        ]

    assert found == [{("f",): 1.5}, {("f",): 3}, {("f",): 9}]
