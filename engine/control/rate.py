"""A token bucket: so many at once, so many a second, on a clock that is given."""

from collections.abc import Callable


class Bucket:
    """`take` says whether one more is allowed now."""

    def __init__(self, monotonic_ns: Callable[[], int], *, capacity: int, per_s: float) -> None:
        assert capacity >= 1
        assert per_s > 0
        self._monotonic_ns = monotonic_ns
        self._capacity = capacity
        self._per_ns = per_s / 1e9
        self._left = float(capacity)
        self._seen_ns = monotonic_ns()

    def take(self) -> bool:
        now_ns = self._monotonic_ns()
        self._left = min(self._capacity, self._left + max(0, now_ns - self._seen_ns) * self._per_ns)
        self._seen_ns = now_ns
        if self._left < 1:
            return False
        self._left -= 1
        return True
