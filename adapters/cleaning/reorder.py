"""Rows that step back in time within a bound are put back in order, whatever their kind.

A row waits until its feed has shown a time `reorder_ns` later. Rows of one moment and instrument go
by trade id where they have one. A row that comes after rows beyond it have left is late: it leaves
at once. Which rows leave when depends on the rows alone, never on how they were cut into blocks.
What waits is as many rows as a feed brings in `reorder_ns`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from adapters.cleaning.findings import Notes, note
from adapters.cleaning.reasons import LATE, REORDERED
from engine.blocks import Int64, MarketBlock, Trades
from engine.kernels import kernel
from engine.messages import FOREVER_NS, NEVER_NS


@dataclass(slots=True)
class _Part:
    """Rows of one kind that wait: aligned columns. `key_ns` is when a row may leave, `arrival` counts rows of the
    feed; `late` rows leave before others of their key."""

    block: MarketBlock
    place: Int64
    key_ns: Int64
    late: npt.NDArray[np.bool_]
    arrival: Int64

    def take(self, which: "npt.NDArray[np.bool_] | Int64") -> "_Part":
        columns = {name: column[which] for name, column in self.block.columns().items()}
        block = type(self.block).of(**columns)
        return _Part(block, self.place[which], self.key_ns[which], self.late[which], self.arrival[which])

    @classmethod
    def join(cls, parts: "list[_Part]") -> "_Part":
        return cls(
            type(parts[0].block).join([part.block for part in parts]),
            *(
                np.concatenate([getattr(part, name) for part in parts])
                for name in ("place", "key_ns", "late", "arrival")
            ),
        )


class Reorder:
    """`add` gives the rows that may leave, `finish` the rest, as (block, places) in order."""

    def __init__(self, reorder_ns: int, notes: Notes) -> None:
        self._reorder_ns = reorder_ns
        self._notes = notes
        self._waiting: list[_Part] = []
        self._arrived = 0
        self._latest = np.array([NEVER_NS, NEVER_NS], np.int64)

    def finish(self) -> Iterator[tuple[MarketBlock, Int64]]:
        yield from self._leave(FOREVER_NS)

    def add(self, block: MarketBlock, place: Int64) -> Iterator[tuple[MarketBlock, Int64]]:
        size = len(block)
        key_ns, late = np.empty(size, np.int64), np.empty(size, np.bool_)
        assign(
            block.row_ns,
            block.columns()["instrument"],
            place,
            self._reorder_ns,
            self._latest,
            key_ns,
            late,
            self._notes,
        )
        arrival = np.arange(self._arrived, self._arrived + size, dtype=np.int64)
        self._arrived += size
        self._waiting.append(_Part(block, place, key_ns, late, arrival))
        yield from self._leave(int(self._latest[0]) - self._reorder_ns)

    def _leave(self, until_ns: int) -> Iterator[tuple[MarketBlock, Int64]]:
        """All rows before `until_ns`, and the late ones at it."""
        leaving, staying = [], []
        for part in self._waiting:
            ready = (part.key_ns < until_ns) | (part.late & (part.key_ns == until_ns))
            if ready.all():
                leaving.append(part)
            elif not ready.any():
                staying.append(part)
            else:
                leaving.append(part.take(ready))
                staying.append(part.take(~ready))
        kinds = list(dict.fromkeys(type(part.block) for part in staying))
        self._waiting = [_Part.join([one for one in staying if type(one.block) is kind]) for kind in kinds]
        if leaving:
            yield from _in_order(leaving, self._notes)


def _in_order(parts: list[_Part], notes: Notes) -> Iterator[tuple[MarketBlock, Int64]]:
    """The rows of all parts in order, cut where the kind changes."""
    kinds = list(dict.fromkeys(type(part.block) for part in parts))
    joined = [_by_id(_Part.join([part for part in parts if type(part.block) is kind]), notes) for kind in kinds]
    keys = [np.concatenate([getattr(part, name) for part in joined]) for name in ("arrival", "late", "key_ns")]
    order = np.lexsort((keys[0], ~keys[1], keys[2]))
    kind_of = np.repeat(np.arange(len(joined)), [len(part.place) for part in joined])
    offset = np.cumsum([0, *(len(part.place) for part in joined)])
    sorted_kinds = kind_of[order]
    borders = [0, *(np.flatnonzero(np.diff(sorted_kinds)) + 1).tolist(), len(order)]
    for start, stop in pairwise(borders):
        kind = int(sorted_kinds[start])
        part = joined[kind].take(order[start:stop] - offset[kind])
        yield part.block, part.place


def _by_id(part: _Part, notes: Notes) -> _Part:
    """Trades of one moment and instrument trade places, so that their ids ascend."""
    block = part.block
    if not isinstance(block, Trades) or not block.trade_id.any():
        return part
    held = (block.instrument, part.key_ns, part.late)
    places = np.lexsort((part.arrival, *held))
    rows = np.lexsort((part.arrival, np.where(part.late, part.arrival, block.trade_id), *held))
    if np.array_equal(places, rows):
        return part
    same = np.logical_and.reduce([column[places[1:]] == column[places[:-1]] for column in held])
    back = same & ~part.late[places[1:]] & (block.trade_id[places[1:]] < block.trade_id[places[:-1]])
    np.add.at(notes.counts[REORDERED], block.instrument[places[1:]][back], 1)
    moved = np.empty(len(places), np.int64)
    moved[places] = rows
    found = part.take(moved)
    found.arrival = part.arrival
    return found


@kernel
def assign(
    time_ns: Int64, instrument: npt.NDArray[np.int32], place: Int64, reorder_ns: int, latest: Int64, key_ns: Int64,
    late: npt.NDArray[np.bool_], notes: Notes,
) -> None:  # fmt: skip
    """When each row may leave. `latest` holds the feed's latest time."""
    for row in range(len(time_ns)):
        left_ns = latest[0] - reorder_ns if latest[0] > NEVER_NS + reorder_ns else NEVER_NS
        late[row] = time_ns[row] < left_ns
        key_ns[row] = max(time_ns[row], left_ns)
        if time_ns[row] < latest[0]:
            note(
                notes,
                LATE if late[row] else REORDERED,
                place[row],
                time_ns[row],
                instrument[row],
                float(latest[0] - time_ns[row]),
                0.0,
            )
        latest[0] = max(latest[0], time_ns[row])
