"""Journal: gives every outside fact its place in the one order, and has it kept.

The sequence number is the tape's order and the line's order at once: there is no second merge.
A fact is handed to the recorder before it is passed on, so nothing acts on what was not recorded.
"""

from collections.abc import Iterator

import msgspec

from engine.blocks import MarketBlock
from engine.ports import Item, Recorder


class Journal:
    """Numbers facts from `first_sequence`; a market block counts its rows, another fact one.

    A block without rows says nothing: it is neither recorded nor passed on. Raises TypeError on
    a message that has no sequence number, which no outside fact lacks.
    """

    def __init__(self, recorder: Recorder | None, first_sequence: int = 1) -> None:
        self.recorder = recorder
        self.next_sequence = first_sequence

    def process(self, message: Item) -> Iterator[Item]:
        rows = len(message) if isinstance(message, MarketBlock) else 1
        if rows == 0:
            return
        fact = _numbered(message, self.next_sequence)
        if self.recorder is not None:
            self.recorder.append(fact)
        # A fact that could not be kept has no number: it may be given again.
        self.next_sequence += rows
        yield fact

    def snapshot(self) -> bytes:
        return msgspec.msgpack.encode(self.next_sequence)

    def restore(self, data: bytes) -> None:
        self.next_sequence = msgspec.msgpack.decode(data, type=int)


def _numbered(fact: Item, sequence: int) -> Item:
    """A copy, never the caller's object changed; what is already numbered so passes as it is."""
    if isinstance(fact, MarketBlock):
        return fact if fact.sequence == sequence else fact.derive(sequence=sequence)
    return msgspec.structs.replace(fact, sequence=sequence)
