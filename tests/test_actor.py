"""The line's plumbing: lazy fusing, queued actors, the idle rule, the two-lane ingress."""

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from itertools import count

import anyio
import pytest
from anyio import wait_all_tasks_blocked

from engine.actor import Chain, drive, run_line
from engine.blocks import Trades
from engine.ingress import Ingress, IngressClosedError
from engine.messages import Heartbeat
from engine.ports import Item
from tests.makers import heartbeat, trades

pytestmark = pytest.mark.anyio


class Splitter:
    """Says each heartbeat three times, and notes what its downstream has told it in between."""

    def __init__(self) -> None:
        self.replies: list[int] = []
        self.seen: list[tuple[int, tuple[int, ...]]] = []

    def process(self, message: Item) -> Iterator[Item]:
        assert isinstance(message, Heartbeat)
        for part in range(3):
            self.seen.append((message.time_ns * 10 + part, tuple(self.replies)))
            yield heartbeat(message.time_ns * 10 + part)

    def snapshot(self) -> bytes:
        return b""

    def restore(self, data: bytes) -> None: ...


class Replier(Splitter):
    """Answers each message over the back edge, twice when the number is even."""

    def __init__(self, market: Splitter) -> None:
        super().__init__()
        self._market = market

    def process(self, message: Item) -> Iterator[Item]:
        assert isinstance(message, Heartbeat)
        yield message
        self._market.replies.append(message.time_ns)
        if message.time_ns % 2 == 0:
            yield message


class Passer(Splitter):
    def process(self, message: Item) -> Iterator[Item]:
        yield message


def line() -> tuple[Splitter, list[Splitter]]:
    market = Splitter()
    return market, [Passer(), market, Passer(), Replier(market), Passer()]


async def queued(stages: Sequence[Splitter], facts: Iterable[Item], capacity: int) -> list[Item]:
    async def source() -> AsyncIterator[Item]:
        for fact in facts:
            yield fact

    left: list[Item] = []
    outlet, sink = anyio.create_memory_object_stream[Item](capacity)
    async with anyio.create_task_group() as group:
        group.start_soon(lambda: run_line(stages, source(), outlet, capacity=capacity, market=1, router=3))
        async with sink:
            left.extend([item async for item in sink])
    return left


def test_chain_hands_each_output_all_the_way_down_before_it_resumes_the_stage() -> None:
    market, stages = line()

    left = Chain(stages).run(heartbeat(1))

    assert [item.time_ns for item in left if isinstance(item, Heartbeat)] == [10, 10, 11, 12, 12]
    assert market.seen == [(10, ()), (11, (10,)), (12, (10, 11))]


@pytest.mark.parametrize("capacity", [0, 1, 2, 64])
async def test_queued_line_equals_fused_line(capacity: int) -> None:
    facts = [heartbeat(n) for n in range(20)]
    fused_market, fused_stages = line()
    chain = Chain(fused_stages)
    expected = [item for fact in facts for item in chain.run(fact)]

    market, stages = line()
    left = await queued(stages, facts, capacity)

    assert left == expected
    assert market.seen == fused_market.seen


async def test_without_the_idle_rule_replies_come_late() -> None:
    """The guard is needed: a market that does not wait sees fewer replies."""
    market, stages = line()

    async def source() -> AsyncIterator[Item]:
        for n in range(5):
            yield heartbeat(n)

    outlet, sink = anyio.create_memory_object_stream[Item](64)
    async with anyio.create_task_group() as group:
        # Ends of the back edge given wrongly: nobody waits for the replier.
        group.start_soon(lambda: run_line(stages, source(), outlet, capacity=64, market=4, router=4))
        async with sink:
            async for _ in sink:
                pass

    fused_market, fused_stages = line()
    chain = Chain(fused_stages)
    for n in range(5):
        chain.push(heartbeat(n))
    assert market.seen != fused_market.seen


async def test_drive_gives_the_loop_a_turn_when_time_is_up() -> None:
    _, stages = line()
    ticks = count(0, 7_000_000)
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            await anyio.lowlevel.checkpoint()
            turns += 1

    async with anyio.create_task_group() as group:
        group.start_soon(other)
        chain = Chain(stages, pause_after=4)
        await drive((step for n in range(100) for step in chain.steps(heartbeat(n))), lambda: next(ticks))
        group.cancel_scope.cancel()

    assert turns >= 100


async def test_ingress_drains_control_before_market() -> None:
    ingress = Ingress(control_capacity=4, market_capacity=4)
    await ingress.market(heartbeat(1))
    await ingress.control(heartbeat(2))
    ingress.close()

    assert [fact async for fact in ingress] == [heartbeat(2), heartbeat(1)]


async def test_ingress_joins_waiting_blocks_up_to_its_bound_and_never_over_another_fact() -> None:
    ingress = Ingress(control_capacity=4, market_capacity=16, max_rows=5)
    for block in (trades(1, 2), trades(3), trades(4, 5, 6)):
        await ingress.market(block)
    await ingress.market(heartbeat(7))
    await ingress.market(trades(8))
    ingress.close()

    drained = [fact async for fact in ingress]

    assert [len(fact) if isinstance(fact, Trades) else fact for fact in drained] == [3, 3, heartbeat(7), 1]
    assert isinstance(drained[0], Trades)
    assert drained[0].price.tolist() == [1, 2, 3]


async def test_ingress_tells_how_its_lanes_do_and_since_when_a_fact_has_waited() -> None:
    ticks = iter((10, 20, 30))
    ingress = Ingress(control_capacity=4, market_capacity=16, now_ns=lambda: next(ticks))
    for block in (trades(1), trades(2), trades(3, 4)):
        await ingress.market(block)

    joined = await anext(ingress)

    assert isinstance(joined, Trades)
    assert (len(joined), ingress.since_ns) == (4, 10)
    control, market = ingress.lanes()
    assert (control.stage, control.high_water, control.conflated, control.dropped) == ("inbox.control", 0, 0, 0)
    assert (market.depth, market.capacity, market.high_water, market.conflated, market.dropped) == (0, 16, 3, 2, 0)


async def test_ingress_writer_waits_while_its_lane_is_full() -> None:
    ingress = Ingress(control_capacity=1, market_capacity=1)
    written: list[int] = []

    async def write() -> None:
        for n in range(3):
            await ingress.market(heartbeat(n))
            written.append(n)

    async with anyio.create_task_group() as group:
        group.start_soon(write)
        await wait_all_tasks_blocked()
        assert written == [0]
        await ingress.control(heartbeat(9))
        assert await anext(ingress) == heartbeat(9)
        assert await anext(ingress) == heartbeat(0)
        await wait_all_tasks_blocked()
        assert written == [0, 1]
        assert await anext(ingress) == heartbeat(1)
        assert await anext(ingress) == heartbeat(2)


async def test_ingress_wakes_its_reader_and_refuses_writers_once_closed() -> None:
    ingress = Ingress(control_capacity=1, market_capacity=1)
    read: list[Item] = []

    async def reader() -> None:
        read.extend([fact async for fact in ingress])

    async with anyio.create_task_group() as group:
        group.start_soon(reader)
        await wait_all_tasks_blocked()
        await ingress.market(heartbeat(1))
        await wait_all_tasks_blocked()
        ingress.close()

    assert read == [heartbeat(1)]
    with pytest.raises(IngressClosedError):
        await ingress.control(heartbeat(2))
