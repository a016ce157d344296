"""Several feeds as one stream of facts, by (time, feed number), each feed in its own order.

Every feed has a head: a block, or another fact. The head that ends first bounds what may leave:
all rows up to its end, from all heads, sorted once. A row that steps back in time within its feed
stays behind the row before it.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

import numpy as np

from engine.blocks import Int64, MarketBlock
from engine.messages import NEVER_NS
from engine.ports import Feed, Item

HEAD_ROWS = 4_096
"""Rows a feed is asked for at a time, at least."""


def merge(feeds: Sequence[Feed], numbers: Mapping[str, int], chunk: int) -> Iterator[Item]:
    """Feed i of `feeds` has number i. Blocks hold at most `chunk` rows of one kind."""
    rows = max(chunk, HEAD_ROWS)
    heads = [_Head(feed.facts(numbers, number, rows), number) for number, feed in enumerate(feeds)]
    heads = [head for head in heads if head.advance()]
    while heads:
        first = min(heads, key=lambda head: (head.end_ns, head.number))
        taken = [head.take(first.end_ns, inclusive=head.number <= first.number) for head in heads]
        yield from _blocks([part for part in taken if part is not None], chunk)
        if not isinstance(first.fact, MarketBlock):
            yield first.fact
            first.spent = True
        heads = [head for head in heads if not head.spent or head.advance()]


class _Head:
    """The next fact of one feed, and how much of it has left. `end_ns` is its last row's time."""

    def __init__(self, facts: Iterator[Item], number: int) -> None:
        self.number = number
        self.end_ns = NEVER_NS
        self.spent = False
        self._facts = facts
        self._row = 0
        self._key_ns: Int64 = np.empty(0, np.int64)

    def advance(self) -> bool:
        """Take the next fact that is not an empty block; False at the end of the feed."""
        for fact in self._facts:
            if isinstance(fact, MarketBlock):
                if not len(fact):
                    continue
                self._key_ns = np.maximum(np.maximum.accumulate(fact.row_ns), self.end_ns)
                self.end_ns = int(self._key_ns[-1])
            else:
                self.end_ns = max(self.end_ns, int(getattr(fact, "time_ns", self.end_ns)))
            self.fact: Item = fact
            self._row = 0
            self.spent = False
            return True
        return False

    def take(self, until_ns: int, *, inclusive: bool) -> tuple[Int64, MarketBlock] | None:
        """Rows up to `until_ns` that have not left yet, with their keys."""
        if not isinstance(self.fact, MarketBlock):
            return None
        start = self._row
        stop = int(np.searchsorted(self._key_ns, until_ns, side="right" if inclusive else "left"))
        if stop <= start:
            return None
        self._row = stop
        self.spent = stop == len(self.fact)
        return self._key_ns[start:stop], self.fact.slice(start, stop)


def _blocks(parts: list[tuple[Int64, MarketBlock]], chunk: int) -> Iterator[MarketBlock]:
    """The rows of all parts by (key, feed), joined where neighbours are of one kind."""
    if not parts:
        return
    kinds = list(dict.fromkeys(type(block) for _, block in parts))
    kind_of = np.repeat([kinds.index(type(block)) for _, block in parts], [len(keys) for keys, _ in parts])
    order = np.argsort(np.concatenate([keys for keys, _ in parts]), kind="stable")
    joined = [_join([block for _, block in parts if type(block) is kind]) for kind in kinds]
    # Where each row lies inside the joined block of its own kind.
    place = np.empty(len(kind_of), np.int64)
    for number in range(len(kinds)):
        place[kind_of == number] = np.arange(int((kind_of == number).sum()))
    sorted_kinds, sorted_places = kind_of[order], place[order]
    borders = [0, *(np.flatnonzero(np.diff(sorted_kinds)) + 1).tolist(), len(order)]
    for start, stop in pairwise(borders):
        block = _picked(joined[int(sorted_kinds[start])], sorted_places[start:stop])
        yield from pieces(block, chunk)


def pieces(block: MarketBlock, chunk: int) -> Iterator[MarketBlock]:
    """The block's rows in blocks of at most `chunk`, unnumbered."""
    for start in range(0, len(block), chunk):
        piece = block.slice(start, min(start + chunk, len(block)))
        piece.sequence = 0
        yield piece


def _join(blocks: list[MarketBlock]) -> MarketBlock:
    return type(blocks[0]).join(blocks)


def _picked(block: MarketBlock, places: Int64) -> MarketBlock:
    """Rows by place; as they are where the places run on without a gap."""
    first, last = int(places[0]), int(places[-1])
    if last - first == len(places) - 1 and bool((np.diff(places) == 1).all()):
        return block.slice(first, last + 1)
    return type(block).of(**{name: column[places] for name, column in block.columns().items()})
