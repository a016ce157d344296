"""Driving a recorded session at a pace: fused where it goes as fast as it can, else as actors.

Both drivers give one digest. The fused one gives the event loop a turn at least every 20 ms; the
other joins the stages by bounded queues, as a live session does.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing

import anyio
from anyio.abc import ObjectReceiveStream
from anyio.lowlevel import checkpoint

from engine.actor import InFlight, run_line
from engine.app import MARKET, ROUTER, Line
from engine.blocks import MarketBlock
from engine.pace import Pace, paced
from engine.ports import Item
from engine.replay import Progress, Run

TURN_NS = 20_000_000
CAPACITY = 64
"""Messages a queue between two stages holds."""

Turn = Callable[[], Awaitable[None]]


async def go(run: Run, pace: Pace, progress: Progress, *, clock_ns: Callable[[], int], turn: Turn = checkpoint) -> None:
    """From where the run is to its last fact, or until the pace stops it: then its tape can be resumed.

    `turn` is awaited again and again: it lets others run, and may wait for them.
    """
    if pace.speed:
        await queued(run, pace, progress, turn=turn)
    else:
        await fused(run, pace, progress, clock_ns=clock_ns, turn=turn)
    if pace.is_stopped:
        run.abandon()
    else:
        run.end()


async def fused(
    run: Run, pace: Pace, progress: Progress, *, clock_ns: Callable[[], int], turn: Turn = checkpoint
) -> None:
    """Depth-first in this task. Rows of at most one block go between two looks at the clock."""
    resumed_ns = clock_ns()
    async with aclosing(_facts(run, pace)) as facts:
        async for fact in facts:
            seen = changes(run.line)
            for _ in run.push(fact):
                if clock_ns() - resumed_ns >= TURN_NS:
                    await turn()
                    resumed_ns = clock_ns()
            if pace.is_stepping and changes(run.line) != seen:
                pace.stepped()
            progress(run.rows)


async def queued(
    run: Run, pace: Pace, progress: Progress, *, capacity: int = CAPACITY, turn: Turn = checkpoint
) -> None:
    """As actors. No snapshot is put on a tape meanwhile: a resumed run replays it from its first fact."""
    for fact in run.known:
        for _ in run.push(fact):
            await turn()
    busy = InFlight()
    outlet, sink = anyio.create_memory_object_stream[Item](capacity)
    facts = _told(run, pace, progress, busy)
    stages = run.line.chain.stages
    try:
        async with aclosing(facts), anyio.create_task_group() as group:
            group.start_soon(_drain, sink, busy, turn)
            await run_line(stages, facts, outlet, capacity=capacity, market=MARKET, router=ROUTER, busy=busy)
    except BaseExceptionGroup as error:
        raise cause(error) from None


async def _facts(run: Run, pace: Pace) -> AsyncGenerator[Item]:
    for fact in run.known:
        yield fact
    async with aclosing(paced(run.facts, pace)) as facts:
        async for fact in facts:
            yield fact


async def _told(run: Run, pace: Pace, progress: Progress, busy: InFlight) -> AsyncGenerator[Item]:
    """Facts at their pace. A step waits until the line has dealt with what was let go."""
    async with aclosing(paced(run.facts, pace)) as facts:
        async for fact in facts:
            seen = changes(run.line) if pace.is_stepping else 0
            yield fact
            run.rows += len(fact) if isinstance(fact, MarketBlock) else 0
            progress(run.rows)
            if pace.is_stepping:
                await busy.idle()
                if changes(run.line) != seen:
                    pace.stepped()


async def _drain(sink: ObjectReceiveStream[Item], busy: InFlight, turn: Turn) -> None:
    async with sink:
        async for _ in sink:
            await turn()
            busy.done()


def changes(line: Line) -> int:
    """Grows when a bar has closed, something was detected, wished or executed."""
    counts = line.tap.counts
    return counts.total_messages + sum(counts.bars.values())


def cause(error: BaseException) -> BaseException:
    """What a task group was ended by: the first of its tasks, for the others are then cancelled."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
