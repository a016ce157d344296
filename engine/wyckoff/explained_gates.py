"""What a gate is to a reader: a name, the number now, the limit, the unit, and whether it passes.

Numbers are in the lane's view; `Gates` compares them as the kernels do and then shows them as the real
market does: on the side of distribution prices and close positions are mirrored, and relations with them.
"""

from math import isfinite

import msgspec

from engine.messages import EventKind
from engine.naming import event_name
from engine.wyckoff.layout import Lane

AT_LEAST, AT_MOST, OVER, UNDER = ">=", "<=", ">", "<"
_MIRROR = {AT_LEAST: AT_MOST, AT_MOST: AT_LEAST, OVER: UNDER, UNDER: OVER}

ATR, RATIO, BARS, PRICE, POINTS, COUNT, SHARE, YES = "ATR", "x", "bars", "price", "points", "", "of bar", "yes/no"


class Gate(msgspec.Struct, frozen=True):
    """One condition at the newest bar. `value` is null where it cannot be known yet; yes/no is 1 or 0."""

    name: str
    value: float | None
    relation: str
    limit: float | None
    unit: str
    passes: bool


class Candidate(msgspec.Struct, frozen=True):
    """An event that may come next in a lane, judged at the newest bar: it is there when every gate passes.

    `event` is the field's word for the side, `kind` the engine's. `range` is event or cluster.
    """

    event: str
    kind: str
    direction: int
    range: str
    passes: bool
    gates: list[Gate]


class Words:
    """The words of one side of the mirror."""

    def __init__(self, sign: float) -> None:
        up = sign > 0.0
        self.low, self.high = ("low", "high") if up else ("high", "low")
        self.below, self.above = ("below", "above") if up else ("above", "below")
        self.support, self.resistance = ("support", "resistance") if up else ("resistance", "support")
        self.fall, self.rise = ("fall", "rise") if up else ("rise", "fall")
        self.lowest, self.highest = ("lowest", "highest") if up else ("highest", "lowest")
        self.up, self.down = ("up", "down") if up else ("down", "up")


class Gates:
    """Collects the gates of one candidate."""

    def __init__(self, lane: Lane, kind: EventKind) -> None:
        self.lane = lane
        self.kind = kind
        self.words = Words(lane.sign)
        self._found: list[Gate] = []

    def number(self, name: str, value: float, relation: str, limit: float, unit: str, *, per: float = 1.0) -> bool:
        """Compared as it is; shown over `per`."""
        return self._add(name, value / per, relation, limit / per, unit, holds(value, relation, limit))

    def price(self, name: str, value: float, relation: str, limit: float) -> bool:
        """Prices of the lane's view, shown as real ones."""
        sign, shown = self.lane.sign, relation if self.lane.sign > 0.0 else _MIRROR[relation]
        return self._add(name, sign * value, shown, sign * limit, PRICE, holds(value, relation, limit))

    def close_position(self, name: str, value: float, relation: str, limit: float) -> bool:
        """Positions of the lane's view: 0 at its low, shown as the real bar's."""
        if self.lane.sign > 0.0:
            return self.number(name, value, relation, limit, SHARE)
        return self._add(name, 1.0 - value, _MIRROR[relation], 1.0 - limit, SHARE, holds(value, relation, limit))

    def fact(self, name: str, passes: bool) -> bool:
        return self._add(name, float(passes), AT_LEAST, 1.0, YES, passes)

    def verdict(self, name: str, value: float, relation: str, limit: float, unit: str, passes: bool) -> bool:
        """Numbers for people where the kernel's own answer is `passes`."""
        return self._add(name, value, relation, limit, unit, passes)

    def candidate(self) -> Candidate:
        side = 1 if self.lane.sign > 0.0 else -1
        return Candidate(
            event=event_name(self.kind, side), kind=self.kind.value, direction=side,
            range="event" if self.lane.number < 2 else "cluster", passes=all(one.passes for one in self._found),
            gates=list(self._found),
        )  # fmt: skip

    def _add(self, name: str, value: float, relation: str, limit: float, unit: str, passes: bool) -> bool:
        self._found.append(Gate(name, finite(value), relation, finite(limit), unit, bool(passes)))
        return bool(passes)


def holds(value: float, relation: str, limit: float) -> bool:
    """NaN passes no gate."""
    if relation == AT_LEAST:
        return bool(value >= limit)
    if relation == AT_MOST:
        return bool(value <= limit)
    return bool(value > limit) if relation == OVER else bool(value < limit)


def finite(value: float) -> float | None:
    return float(value) + 0.0 if isfinite(value) else None
