"""Cutting and joining the blocks in a stream of facts without changing what it means.

By the law of blocks a stream is the sequence of its rows, so blocks may be cut anywhere and
joined where nothing lies between them. Works on facts as they stand before the BarAggregator:
blocks carry no line time and no closed bars. A block with sequence 0 has no number yet, and
neither has any part of it.
"""

from collections.abc import Iterable, Iterator

from engine.blocks import MarketBlock
from engine.ports import Item

MAX_ROWS = 65_536
"""Most rows that joining with `chunk=0` puts into one block."""


def count(fact: Item) -> int:
    """How many sequence numbers a fact takes: one a row, one for any other fact."""
    return len(fact) if isinstance(fact, MarketBlock) else 1


def sequence_of(fact: Item) -> int:
    """Sequence number of a fact from outside (of a block: of its first row)."""
    sequence: int = getattr(fact, "sequence")  # noqa: B009  derived messages have none
    return sequence


def rechunk(facts: Iterable[Item], chunk: int | None) -> Iterator[Item]:
    """The same rows in blocks of another size.

    `chunk` None leaves the blocks as they are, n >= 1 makes blocks of n rows, 0 joins as far as
    the law of blocks allows, up to MAX_ROWS. A block is shorter where another kind of fact
    follows. Blocks without rows vanish unless `chunk` is None.
    """
    if chunk is None:
        yield from facts
        return
    assert chunk >= 0
    held = _Held(chunk or MAX_ROWS)
    for fact in facts:
        if not isinstance(fact, MarketBlock):
            yield from held.release()
            yield fact
            continue
        if not held.accepts(fact):
            yield from held.release()
        yield from held.add(fact)
    yield from held.release()


def after(facts: Iterable[Item], sequence: int) -> Iterator[Item]:
    """The facts beyond `sequence`; a block that it falls into is cut."""
    for fact in facts:
        known = sequence + 1 - sequence_of(fact)
        if known >= count(fact):
            continue
        yield part(fact, known, len(fact)) if isinstance(fact, MarketBlock) and known > 0 else fact


def part(block: MarketBlock, start: int, stop: int) -> MarketBlock:
    """Rows [start, stop) as views; the part of an unnumbered block is unnumbered."""
    if start == 0 and stop == len(block):
        return block
    piece = block.slice(start, stop)
    if block.sequence == 0:
        piece.sequence = 0
    return piece


class _Held:
    """Rows of one kind that wait for their block to become full."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._parts: list[MarketBlock] = []
        self._rows = 0

    def accepts(self, block: MarketBlock) -> bool:
        return not self._parts or type(block) is type(self._parts[0])

    def add(self, block: MarketBlock) -> Iterator[MarketBlock]:
        """Take all rows of `block`; yields each block that is full."""
        assert block.line_ns is None
        assert block.closed is None
        self._check_follows(block)
        start = 0
        while start < len(block):
            stop = min(len(block), start + self._limit - self._rows)
            self._parts.append(part(block, start, stop))
            self._rows += stop - start
            start = stop
            if self._rows == self._limit:
                yield from self.release()

    def release(self) -> Iterator[MarketBlock]:
        if self._parts:
            block = type(self._parts[0]).join(self._parts)
            self._parts = []
            self._rows = 0
            yield block

    def _check_follows(self, block: MarketBlock) -> None:
        if self._parts and block.sequence:
            assert block.sequence == self._parts[0].sequence + self._rows
