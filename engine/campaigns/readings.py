"""What a check measured against its limit, and whether that refuses the entry.

A number that is not known never passes: each comparison asks for the good side, which NaN is not on.
"""

from math import isfinite
from typing import Final

import msgspec

from engine.ports import Decline

ROUNDING: Final = 1e-9
"""Of a limit: prices are floats, and a stop put exactly at the limit must pass it."""


class Reading(msgspec.Struct, frozen=True):
    """`graded` says that `value` and `limit` are amounts of one kind, so that passing may be a near thing."""

    code: str
    value: float
    limit: float
    failed: bool
    graded: bool = True

    def decline(self, stage: str) -> Decline:
        return Decline(self.code, self.value, self.limit, stage)

    def is_near(self, percent: float) -> bool:
        """Whether it passed by no more than `percent` of its limit."""
        if self.failed or not self.graded or not isfinite(self.value):
            return False
        return abs(self.value - self.limit) <= percent / 100.0 * abs(self.limit)


def at_least(code: str, value: float, limit: float) -> Reading:
    return Reading(code, value, limit, not value >= limit - abs(limit) * ROUNDING)


def at_most(code: str, value: float, limit: float) -> Reading:
    return Reading(code, value, limit, not value <= limit + abs(limit) * ROUNDING)


def below(code: str, value: float, limit: float) -> Reading:
    return Reading(code, value, limit, not value < limit)


def unless(code: str, failed: bool, value: float, limit: float) -> Reading:
    """A matter of yes or no; `value` and `limit` only say what it was about."""
    return Reading(code, value, limit, failed, graded=False)
