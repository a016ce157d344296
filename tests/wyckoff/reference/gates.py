"""A gate is a number held against a limit. Every one is written down, so that a difference can be explained."""

from collections import deque
from typing import NamedTuple

MARGIN = 1e-9


class Held(NamedTuple):
    bar: int
    name: str
    value: float
    relation: str
    limit: float
    passed: bool

    def __str__(self) -> str:
        return f"{'+' if self.passed else '-'} {self.name}: {self.value!r} {self.relation} {self.limit!r}"


class Gates:
    """The last gates of one side, and the bars at which one lay within 1e-9 of its limit without meeting it.

    Such bars are not judged (section 0.3): rounding decides them.
    """

    def __init__(self) -> None:
        self.bar = -1
        self.rows: deque[Held] = deque(maxlen=400)
        self.close_calls: set[int] = set()

    def at_least(self, name: str, value: float, limit: float) -> bool:
        return self._held(name, value, ">=", limit, value >= limit)

    def at_most(self, name: str, value: float, limit: float) -> bool:
        return self._held(name, value, "<=", limit, value <= limit)

    def above(self, name: str, value: float, limit: float) -> bool:
        return self._held(name, value, ">", limit, value > limit)

    def below(self, name: str, value: float, limit: float) -> bool:
        return self._held(name, value, "<", limit, value < limit)

    def at(self, bar: int) -> list[Held]:
        return [row for row in self.rows if row.bar == bar]

    def _held(self, name: str, value: float, relation: str, limit: float, passed: bool) -> bool:
        self.rows.append(Held(self.bar, name, value, relation, limit, passed))
        if value != limit and abs(value - limit) <= MARGIN * max(1.0, abs(limit)):
            self.close_calls.add(self.bar)
        return passed
