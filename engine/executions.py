"""Which executions have been heard of, so that one that a venue reports again counts once.

Each stage that adds up executions keeps its own memory: it is part of what that stage adds up, and
goes into its snapshot.
"""

from collections import OrderedDict
from collections.abc import Iterable
from typing import Final

from engine.messages import Fill

KEPT: Final = 4_096
"""How many are remembered; the oldest are forgotten first. Repeats come at reconnections, of what
happened last."""


class Executions:
    def __init__(self, seen: Iterable[str] = ()) -> None:
        self._seen = OrderedDict.fromkeys(seen)

    def first(self, fill: Fill) -> bool:
        """False for an execution that has been heard of before."""
        key = f"{fill.order_id}#{fill.execution_id}"
        if key in self._seen:
            return False
        self._seen[key] = None
        if len(self._seen) > KEPT:
            self._seen.popitem(last=False)
        return True

    def save(self) -> list[str]:
        return list(self._seen)
