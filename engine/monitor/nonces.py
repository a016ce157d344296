"""Commands that were made once and are sent again: what a nonce has been used for is refused.

A nonce is the millisecond of its making and something random. It is good for five minutes, so no more than those
of ten have to be remembered; where too many are, new ones are refused rather than old ones forgotten.
"""

import re
from collections import OrderedDict
from typing import Final

from engine.live.ports import Clock

GOOD_MS: Final = 300_000
"""Before and after: clocks of browsers are not ours."""

MOST_KEPT: Final = 20_000

_NONCE: Final = re.compile(r"(\d{13})-[A-Za-z0-9_-]{8,64}")


class Nonces:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._seen: OrderedDict[str, int] = OrderedDict()

    def take(self, nonce: str) -> bool:
        """False where it is no nonce, too old, from the future, used before, or there is no room."""
        found = _NONCE.fullmatch(nonce)
        now_ms = self._clock.now_ns() // 1_000_000
        self._forget(now_ms)
        if found is None or abs(now_ms - int(found[1])) > GOOD_MS or nonce in self._seen:
            return False
        if len(self._seen) >= MOST_KEPT:
            return False
        self._seen[nonce] = now_ms
        return True

    def _forget(self, now_ms: int) -> None:
        while self._seen and now_ms - next(iter(self._seen.values())) > 2 * GOOD_MS:
            self._seen.popitem(last=False)
