"""Trade ids that were seen, in bounded memory: two generations of a hash table for each instrument.

Ids go into the younger generation; when it is full the elder is emptied and becomes the younger. So
at least the last `remembered_ids` of an instrument are known and nothing is ever searched for long.
A trade older than all that was forgotten cannot be told from a repeat and is dropped as one. Some
venues begin to count anew each day, so an id that comes hours after its last trade repeats nothing.
"""

from typing import NamedTuple

import numpy as np

from engine.blocks import Int32, Int64
from engine.kernels import hot, kernel
from engine.messages import NEVER_NS

NEW, SAME, DIFFERENT = range(3)

_GOLDEN = -7_046_029_254_386_353_131  # 2**64 / golden ratio, as int64: Fibonacci hashing (Knuth 6.4)
_MIXER = -4_417_276_706_812_531_889  # an odd constant of xxHash64

_SPAN_BITS = 43  # spans of 2**43 ns, 2.4 hours
_SPANS = (1 << 20) - 1
RENEWED_SPANS = 3
"""So many spans after its last trade, which is 5 to 7 hours, an id is that of another trade."""


class Identities(NamedTuple):
    """`slot_of` is (instruments,), -1 without a table; `ids` and `prints` are (slots, 2, size), 0 = empty."""

    slot_of: Int32
    ids: Int64
    prints: Int64
    filled: Int64
    younger: Int64
    latest_ns: Int64
    forgotten_ns: Int64

    @classmethod
    def empty(cls, instruments: int, slots: int, remembered: int) -> "Identities":
        """Tables are at most half full."""
        size = 1 << (2 * remembered - 1).bit_length()
        return cls(
            slot_of=np.full(instruments, -1, np.int32),
            ids=np.zeros((slots, 2, size), np.int64),
            prints=np.zeros((slots, 2, size), np.int64),
            filled=np.zeros(slots, np.int64),
            younger=np.zeros(slots, np.int64),
            latest_ns=np.full((slots, 2), NEVER_NS, np.int64),
            forgotten_ns=np.full(slots, NEVER_NS, np.int64),
        )

    def with_table_for(self, instrument: int) -> "Identities":
        """The same with a table for one more instrument; room doubles when it runs out."""
        used = int(self.slot_of.max()) + 1
        grown = self
        if used == len(self.filled):
            more = Identities.empty(len(self.slot_of), max(used, 1), 1)
            wide = {"ids": self.ids.shape[1:], "prints": self.prints.shape[1:]}
            columns = {
                name: np.concatenate([
                    column,
                    np.zeros((len(more.filled), *wide[name]), np.int64) if name in wide else getattr(more, name),
                ])
                for name, column in self._asdict().items() if name != "slot_of"
            }  # fmt: skip
            grown = Identities(slot_of=self.slot_of, **columns)
        grown.slot_of[instrument] = used
        return grown


@hot
def print_of(time_ns: int, price: float, size: float, side: int) -> int:
    """A number that is equal for equal trades, and all but surely not for others. Its low bits are the
    span of time that the trade lies in."""
    mixed = np.int64(time_ns) * _MIXER + np.int64(side)
    mixed = (mixed ^ (mixed >> 29)) * _GOLDEN + _bits(price)
    mixed = (mixed ^ (mixed >> 32)) * _MIXER + _bits(size)
    return int((mixed & ~_SPANS) | ((np.int64(time_ns) >> _SPAN_BITS) & _SPANS))


@hot
def is_renewed(fingerprint: int, before: int) -> bool:
    """Whether the trade lies so far behind another that its venue has begun to count anew."""
    return bool(RENEWED_SPANS <= ((fingerprint - before) & _SPANS) <= _SPANS // 2)


@hot
def _bits(value: float) -> int:
    return int(np.float64(value).view(np.int64))


@hot
def find(ids: Int64, identity: int) -> int:
    """Where `identity` stands in one table, or the empty place where it would."""
    mask = len(ids) - 1
    # Ids that follow each other lie side by side, for the cache; the high part shifts them about.
    at = (np.int64(identity) + ((np.int64(identity) >> 12) * _GOLDEN >> 40)) & mask
    while ids[at] != 0 and ids[at] != identity:
        at = (at + 1) & mask
    return int(at)


@kernel
def meet(identity: int, fingerprint: int, time_ns: int, slot: int, remembered: int, known: Identities) -> int:
    """Whether a trade id is NEW (then it is remembered), or a repeat with SAME or DIFFERENT values."""
    _, ids, prints, filled, younger, latest_ns, _ = known
    young = younger[slot]
    at = find(ids[slot, young], identity)
    if ids[slot, young, at] == identity:
        if is_renewed(fingerprint, prints[slot, young, at]):
            prints[slot, young, at] = fingerprint
            latest_ns[slot, young] = max(latest_ns[slot, young], time_ns)
            return NEW
        return SAME if prints[slot, young, at] == fingerprint else DIFFERENT
    elder = find(ids[slot, 1 - young], identity)
    if ids[slot, 1 - young, elder] == identity and not is_renewed(fingerprint, prints[slot, 1 - young, elder]):
        return SAME if prints[slot, 1 - young, elder] == fingerprint else DIFFERENT
    if filled[slot] == remembered:
        young = turn(slot, known)
        at = find(ids[slot, young], identity)
    ids[slot, young, at] = identity
    prints[slot, young, at] = fingerprint
    filled[slot] += 1
    latest_ns[slot, young] = max(latest_ns[slot, young], time_ns)
    return NEW


@kernel
def turn(slot: int, known: Identities) -> int:
    """Forget the elder generation, which becomes the younger one."""
    _, ids, _, filled, younger, latest_ns, forgotten_ns = known
    elder = 1 - younger[slot]
    ids[slot, elder, :] = 0
    forgotten_ns[slot] = max(forgotten_ns[slot], latest_ns[slot, elder])
    latest_ns[slot, elder] = NEVER_NS
    younger[slot] = elder
    filled[slot] = 0
    return int(elder)
