"""How stages become a line: fused in one thread, or as actors joined by bounded queues.

Deterministic stages joined by single-writer FIFO queues give the same output whatever the
capacities and the scheduler do (Kahn 1974). One back edge exists, from the router to `Market`,
and one rule keeps it deterministic: `Market` is resumed only when everything it has said has
been dealt with. `Chain` has that by construction; `run_line` counts messages in flight.
"""

from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Iterator, Sequence
from typing import Final

import anyio
from anyio.abc import ObjectReceiveStream, ObjectSendStream
from anyio.lowlevel import checkpoint

from engine.ports import Item, Stage
from engine.sightings import spread


class Chain:
    """Fuses stages depth-first and lazily: each output goes all the way down before its stage
    is resumed, so a stage that acts on replies finds them done."""

    def __init__(self, stages: Sequence[Stage], pause_after: int = 3) -> None:
        """`steps` pauses whenever an output of one of the first `pause_after` stages is dealt with."""
        self.stages = tuple(stages)
        self._process: Final = [stage.process for stage in stages]
        self._pause_after = min(pause_after, len(self.stages))

    def push(self, item: Item) -> None:
        """Take one fact through the whole line."""
        self._down(0, item)

    def run(self, item: Item) -> list[Item]:
        """`push` that gives what leaves the last stage."""
        left: list[Item] = []
        self._down(0, item, left)
        return [one for item in left for one in spread(item)]

    def steps(self, item: Item) -> Iterator[None]:
        """`push` in small steps, for a caller that has other things to do in between."""
        yield from self._steps(0, item)

    def _down(self, depth: int, item: Item, left: list[Item] | None = None) -> None:
        process, last = self._process, len(self._process) - 1
        while depth < last:
            outputs = process[depth](item)
            depth += 1
            if type(outputs) is not tuple:
                for output in outputs:
                    self._down(depth, output, left)
                return
            if len(outputs) != 1:
                for output in outputs[:-1]:
                    self._down(depth, output, left)
                if not outputs:
                    return
            # A tuple resumes nobody: its last output, mostly the only one, needs no call of its own.
            item = outputs[-1]
        outputs = process[depth](item)
        if left is not None:
            left += outputs
        elif type(outputs) is not tuple:
            for _ in outputs:
                pass

    def _steps(self, depth: int, item: Item) -> Iterator[None]:
        if depth == self._pause_after:
            self._down(depth, item)
            yield
            return
        for output in self._process[depth](item):
            yield from self._steps(depth + 1, output)

    def snapshot(self) -> list[bytes]:
        """State of every stage, in order. Only meaningful between facts."""
        return [stage.snapshot() for stage in self.stages]

    def restore(self, states: Sequence[bytes]) -> None:
        for stage, state in zip(self.stages, states, strict=True):
            stage.restore(state)


class InFlight:
    """Counts messages inside the stages that `Market` has to wait for."""

    def __init__(self) -> None:
        self._count = 0
        self._idle = anyio.Event()

    def add(self) -> None:
        self._count += 1

    def done(self) -> None:
        assert self._count > 0
        self._count -= 1
        if self._count == 0:
            self._idle.set()

    async def idle(self) -> None:
        while self._count:
            self._idle = anyio.Event()
            await self._idle.wait()


async def run_actor(
    stage: Stage,
    inbox: ObjectReceiveStream[Item],
    outlet: ObjectSendStream[Item],
    *,
    inside: InFlight | None = None,
    waits: InFlight | None = None,
    counts: InFlight | None = None,
    busy: InFlight | None = None,
) -> None:
    """Run one stage until its inbox ends, then close the outlet.

    `counts` is told of each output before it is sent, `inside` when an input has been dealt
    with, and `waits` must be idle before the stage is resumed. `busy` is told of both.
    """
    async with inbox, outlet:
        async for item in inbox:
            for output in stage.process(item):
                if counts is not None:
                    counts.add()
                if busy is not None:
                    busy.add()
                await outlet.send(output)
                if waits is not None:
                    await waits.idle()
            if inside is not None:
                inside.done()
            if busy is not None:
                busy.done()


async def run_line(
    stages: Sequence[Stage],
    facts: AsyncIterable[Item],
    outlet: ObjectSendStream[Item],
    *,
    capacity: int,
    market: int,
    router: int,
    busy: InFlight | None = None,
) -> None:
    """Run stages as actors until `facts` ends; what leaves the line goes to `outlet`.

    `market` and `router` are the positions of the two ends of the back edge. `capacity` bounds
    every queue, in messages; 0 is a rendezvous. `busy` counts facts and all that they lead to; who reads
    `outlet` tells it what is done there.
    """
    in_flight = InFlight()
    feed, inbox = anyio.create_memory_object_stream[Item](capacity)
    async with anyio.create_task_group() as actors:
        for position, stage in enumerate(stages):
            last = position == len(stages) - 1
            down, following = (outlet, None) if last else anyio.create_memory_object_stream[Item](capacity)
            actors.start_soon(_actor, stage, inbox, down, position, (market, router), in_flight, busy)
            if following is not None:
                inbox = following
        async with feed:
            async for fact in facts:
                if busy is not None:
                    busy.add()
                await feed.send(fact)


async def _actor(
    stage: Stage,
    inbox: ObjectReceiveStream[Item],
    outlet: ObjectSendStream[Item],
    position: int,
    edge: tuple[int, int],
    in_flight: InFlight,
    busy: InFlight | None,
) -> None:
    market, router = edge
    await run_actor(
        stage,
        inbox,
        outlet,
        inside=in_flight if market < position <= router else None,
        waits=in_flight if position == market else None,
        counts=in_flight if market <= position < router else None,
        busy=busy,
    )


async def drive(
    steps: Iterable[object],
    clock_ns: Callable[[], int],
    *,
    turn: Callable[[], Awaitable[None]] = checkpoint,
    pause_ns: int = 20_000_000,
) -> None:
    """Exhaust the steps of a fused line inside an event loop, giving the loop a `turn` at least
    every `pause_ns`, as far as single kernel calls allow. The clock is the caller's."""
    resumed_ns = clock_ns()
    for _ in steps:
        if clock_ns() - resumed_ns >= pause_ns:
            await turn()
            resumed_ns = clock_ns()
