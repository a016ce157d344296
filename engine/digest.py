"""The decision digest: one line that says whether two runs decided the same.

BLAKE2b over the canonical msgpack of every wish and simulated execution, in order, as a chain:
`state' = BLAKE2b(state || message)`. A chain, because a running hash object cannot be put into
a snapshot and 32 bytes can.
"""

from hashlib import blake2b

from engine.messages import (
    Accepted,
    Approved,
    Cancelled,
    CancelRequest,
    Expired,
    Fill,
    Intent,
    Message,
    Order,
    Refused,
    Rejected,
    encode,
)

DECISIONS = (Intent, Approved, Refused, Order, CancelRequest)
"""What the engine wished: always in the digest."""

EXECUTIONS = (Accepted, Rejected, Fill, Cancelled, Expired)
"""What the venue answered: in the digest only when the venue is the paper book."""

SIZE = 32

START = blake2b(b"wyckoff decisions 1", digest_size=SIZE).digest()
"""The state before the first decision; the number changes if what is covered ever does."""


class Digest:
    """Folds decisions into 32 bytes. `simulated` says whether executions are ours to cover."""

    def __init__(self, simulated: bool) -> None:
        self._kinds = frozenset(DECISIONS + EXECUTIONS if simulated else DECISIONS)
        self.state = START
        self.count = 0

    def covers(self, message: object) -> bool:
        return type(message) in self._kinds

    def add(self, message: Message) -> None:
        """Fold one message in. The caller has asked `covers` first."""
        self.state = blake2b(self.state + encode(message), digest_size=SIZE).digest()
        self.count += 1

    @property
    def hex(self) -> str:
        return self.state.hex()
