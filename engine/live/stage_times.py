"""How long things take between a frame and its verdict, as numbers that a person can look at.

The shell reads the clock, before and after what it measures: no stage does, and nothing decides by what is found
here. Times go into histograms of a fixed size, so that measuring costs the same after a month.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from engine.actor import Chain
from engine.blocks import MarketBlock
from engine.control.status import StageTime
from engine.messages import Approved, Refused
from engine.ports import Item, Stage

FEED, INBOX, LINE = "feed", "inbox", "line"
VERDICT, FIRST, LAST = "verdict", "verdicts.first", "verdicts.last"
HOPS: Final = (FEED, INBOX, LINE, VERDICT, FIRST, LAST)
"""From the receipt of a frame to the inbox; in the inbox; through the whole line; from the receipt of the frame (or
the arrival of the heartbeat) that released it to the only verdict, or to the first and the last of several."""

STAGES: Final = ("journal", "bars", "detector", "market", "campaigns", "gate", "router", "tap", "ledger")

SAMPLED: Final = 16
"""One fact of so many is measured stage by stage; the hops are measured of all."""

WINDOW_NS: Final = 60_000_000_000
"""Quantiles are of the last one to two of these."""

PARTS_BITS: Final = 2
PLACES: Final = 64 << PARTS_BITS
EXACT_BITS: Final = PARTS_BITS + 1
"""Each power of two has four buckets; what is shorter than 8 ns counts as 0 or more exactly."""

US_NS: Final = 1_000.0


class Histogram:
    """Durations in buckets that grow with them. `add` allocates nothing."""

    __slots__ = ("_before", "_counts", "_items")

    def __init__(self) -> None:
        self._counts = [0] * PLACES
        self._before = [0] * PLACES
        self._items = 0

    def add(self, ns: int) -> None:
        """Less than nothing, as a clock that was set may say, counts as nothing."""
        bits = ns.bit_length()
        if ns < 0:
            self._counts[0] += 1
        elif bits <= EXACT_BITS:
            self._counts[ns] += 1
        else:
            self._counts[(bits << PARTS_BITS) + ((ns >> (bits - EXACT_BITS)) & 3)] += 1

    @property
    def items(self) -> int:
        return self._items + sum(self._counts)

    def turn(self) -> None:
        """Begin another window; the one before last is forgotten."""
        self._items += sum(self._counts)
        self._counts, self._before = self._before, self._counts
        self._counts[:] = (0,) * PLACES

    def quantile_ns(self, share: float) -> float:
        """0 where nothing was measured lately."""
        counts = [now + before for now, before in zip(self._counts, self._before, strict=True)]
        wanted, seen = share * sum(counts), 0
        for place, count in enumerate(counts):
            if count and seen + count >= wanted:
                least, size = _bucket(place)
                return least + size * (wanted - seen) / count
            seen += count
        return 0.0


def _bucket(place: int) -> tuple[int, int]:
    """The shortest duration of a bucket, and how many there are in it."""
    if place <= 1 << EXACT_BITS:
        return place, 1
    shift = (place >> PARTS_BITS) - EXACT_BITS
    return (4 + (place & 3)) << shift, 1 << shift


class StageTimes:
    """A sink of the Tap that the driver tells when a fact begins and ends.

    `now_ns` is the clock that frames are stamped by, `monotonic_ns` the one for what happens here. Verdicts with no
    row between them were released together.
    """

    reads = (MarketBlock, Approved, Refused)

    def __init__(self, now_ns: Callable[[], int], monotonic_ns: Callable[[], int]) -> None:
        self.hops = {name: Histogram() for name in HOPS}
        self.stages = [Histogram() for _ in STAGES]
        self._feed, self._inbox, self._line = (self.hops[name] for name in (FEED, INBOX, LINE))
        self._now_ns = now_ns
        self._monotonic_ns = monotonic_ns
        self._timed: list[TimedStage] = []
        self._sampling: Chain | None = None
        self._facts = 0
        self._window_ns = 0
        self._is_passing = False
        self._began_ns = self._received_ns = 0
        self._rows: MarketBlock | None = None
        self._verdicts = self._first_ns = self._last_ns = 0

    def chain_for(self, chain: Chain) -> Chain:
        """The chain that the next fact is to take: now and then one of the same stages, each measured."""
        self._facts += 1
        if self._facts % SAMPLED:
            return chain
        if self._sampling is None:
            self._timed = [TimedStage(stage, self._monotonic_ns) for stage in chain.stages]
            self._sampling = Chain(self._timed)
        return self._sampling

    def begin(self, fact: Item, since_ns: int) -> None:
        """`since_ns` is when the fact came into the inbox."""
        self._began_ns = began_ns = self._now_ns()
        self._received_ns = since_ns
        if isinstance(fact, MarketBlock) and len(fact):
            self._received_ns = int(getattr(fact, "received_ns")[0])  # noqa: B009 - all three kinds have it
            self._feed.add(since_ns - self._received_ns)
        self._inbox.add(began_ns - since_ns)
        self._is_passing = True

    def end(self) -> None:
        """The fact is through, or was refused."""
        ended_ns = self._now_ns()
        self._line.add(ended_ns - self._began_ns)
        if self._verdicts:
            self._settle()
        self._rows, self._is_passing = None, False
        for histogram, timed in zip(self.stages, self._timed, strict=False):
            if timed.items:
                histogram.add(timed.spent_ns)
                timed.items = timed.spent_ns = 0
        if ended_ns - self._window_ns >= WINDOW_NS:
            self._window_ns = ended_ns
            for histogram in (*self.hops.values(), *self.stages):
                histogram.turn()

    def write(self, item: Item) -> None:
        if isinstance(item, Approved | Refused):
            if self._is_passing:
                self._last_ns = self._now_ns()
                self._first_ns = self._first_ns if self._verdicts else self._last_ns
                self._verdicts += 1
        elif isinstance(item, MarketBlock) and len(item):
            if self._verdicts:
                self._settle()
            self._rows = item

    def told(self) -> tuple[StageTime, ...]:
        """Hops first, then the stages of the line."""
        found = (*self.hops.items(), *zip(STAGES, self.stages, strict=True))
        return tuple(_told(name, histogram) for name, histogram in found)

    def _settle(self) -> None:
        """From the row before the verdicts, which is at most older than the one that released them."""
        rows = self._rows
        # A slice of a block is cut when it is read, so it is read only where there was a verdict.
        frame_ns = self._received_ns if rows is None else int(getattr(rows, "received_ns")[-1])  # noqa: B009
        if self._verdicts == 1:
            self.hops[VERDICT].add(self._first_ns - frame_ns)
        else:
            self.hops[FIRST].add(self._first_ns - frame_ns)
            self.hops[LAST].add(self._last_ns - frame_ns)
        self._verdicts = 0


class TimedStage:
    """A stage, and how long it took itself: what its outputs lead to further down is not counted."""

    def __init__(self, stage: Stage, monotonic_ns: Callable[[], int]) -> None:
        self.spent_ns = 0
        self.items = 0
        self._stage = stage
        self._process = stage.process
        self._monotonic_ns = monotonic_ns

    def process(self, message: Item) -> Iterable[Item]:
        began_ns = self._monotonic_ns()
        outputs = self._process(message)
        self.spent_ns += self._monotonic_ns() - began_ns
        self.items += 1
        return outputs if type(outputs) is tuple else self._outputs(iter(outputs))

    def _outputs(self, outputs: Iterator[Item]) -> Iterator[Item]:
        while True:
            began_ns = self._monotonic_ns()
            output = next(outputs, None)
            self.spent_ns += self._monotonic_ns() - began_ns
            if output is None:
                return
            yield output

    def snapshot(self) -> bytes:
        return self._stage.snapshot()

    def restore(self, data: bytes) -> None:
        self._stage.restore(data)


def _told(name: str, histogram: Histogram) -> StageTime:
    p50_us, p99_us = (round(histogram.quantile_ns(share) / US_NS, 3) for share in (0.5, 0.99))
    return StageTime(stage=name, items=histogram.items, p50_us=p50_us, p99_us=p99_us)
