"""One range and everything accepted in it so far: the memory of one side of the mirror."""

from dataclasses import dataclass, field
from math import isnan, nan

from tests.wyckoff.reference import book, levels
from tests.wyckoff.reference.features import Bar
from tests.wyckoff.reference.springs import Spring
from tests.wyckoff.reference.strength import Breakout
from tests.wyckoff.reference.swings import Start

Name = tuple[str, int, int]
"""What names an event on a side: its kind, the bar it points at, the bar that confirmed it."""


@dataclass
class Range:
    """Opened by a climax. `known` is the bar that confirmed it, `atr` the ATR when resistance became known.

    `cause` holds the bars of phases B and C, in order. `scores` are of the kinds present; ST has one per test.
    """

    climax: Bar
    known: int
    support: float
    resistance: float = nan
    atr: float = nan
    rally: Bar | None = None
    pending: Bar | None = None
    tests: list[Bar] = field(default_factory=list)
    was_held: bool = False
    b_start: int = -1
    zigzag: Start | None = None
    earliest_break: int = 0
    supports: dict[int, float] = field(default_factory=dict)
    spring: Spring | None = None
    breakout: Breakout | None = None
    backups: list[int] = field(default_factory=list)
    ps_score: float = nan
    is_soft: bool = False
    is_cluster: bool = False
    touches: int = 0
    touches_dry_up: bool = False
    trend: int = 0
    bias: float = 0.0
    upthrusts: int = 0
    signs: int = 0
    springs: int = 0
    frozen: float = nan
    objective: float = nan
    earliest_thrust: int = 0
    tested: Bar | None = None
    test_known: int = -1
    last: Name | None = None
    inside: list[int] = field(default_factory=list)
    minor_said: bool = False
    cause: list[Bar] = field(default_factory=list)
    scores: dict[str, list[float]] = field(default_factory=dict)
    quality: float = nan
    support_strength: float = nan
    resistance_strength: float = nan

    def age(self, now: Bar) -> int:
        return now.number - self.climax.number + 1

    @property
    def test_count(self) -> int:
        return self.touches if self.is_cluster else len(self.tests)

    @property
    def dries_up(self) -> bool:
        """3.6 "B tests declining": the last on less volume than the first."""
        if self.is_cluster:
            return self.touches >= 2 and self.touches_dry_up
        return len(self.tests) >= 2 and self.tests[-1].vr < self.tests[0].vr

    @property
    def origin(self) -> str:
        return "CLUSTER" if self.is_cluster else "SOFT_STOP" if self.is_soft else "CLIMAX"

    @property
    def has_climax(self) -> bool:
        return not self.is_soft and not self.is_cluster

    def is_active(self, now: Bar) -> bool:
        """2.2 [X] 3. Reading: quality decides what is traded, not what is active."""
        return self.age(now) >= book.ACTIVE_BARS

    def measure(self, lows: list[Bar], highs: list[Bar], now: Bar) -> None:
        """2.3, 2.4; `lows` and `highs` are the pivots of this view and of its mirror, in which resistance is support.

        Reading: done when a swing confirms or an event asks for it, and kept until then.
        """
        near, first = book.TOUCH_ATR * self.atr, self.climax.number
        low = levels.measured(levels.touches(lows, self.support, near, first), self.support, now)
        high = levels.measured(levels.touches(highs, -self.resistance, near, first), -self.resistance, now)
        self.quality = levels.quality(self.age(now), low, high, self.atr)
        self.support_strength, self.resistance_strength = levels.strength(low), levels.strength(high)

    def lean(self, points: float) -> None:
        """3.5: what probes say about the range. Reading: their sum stays within 20."""
        self.bias = min(book.BIAS_MOST, max(-book.BIAS_MOST, self.bias + points))

    def forget_breakout(self) -> None:
        self.breakout = None
        self.backups.clear()
        self.scores.pop("SOS", None)
        self.scores.pop("LPS", None)


def completeness(phase: str, range_: Range) -> float:
    """4.2: share of the mandatory events that are there. Reading: a weak breakout is no sign of strength."""
    if range_.is_cluster:
        return cluster_completeness(phase, range_)
    kinds = {"A": 2, "B": 3, "C": 4, "D": 4, "E": 5}[phase]
    wanted = ["SC", "AR", "ST", "SPRING"] if phase == "C" else ["SC", "AR", "ST", "SOS", "LPS"]
    is_weak = range_.breakout is not None and range_.breakout.is_weak
    there = [kind for kind in wanted[:kinds] if kind in range_.scores and not (kind == "SOS" and is_weak)]
    return len(there) / kinds


def cluster_completeness(phase: str, range_: Range) -> float:
    """4.2 without a climax: the touches stand for one of its three first events."""
    wanted = {"B": [], "C": ["SPRING"], "D": ["SOS"], "E": ["SOS", "LPS"]}[phase]
    is_weak = range_.breakout is not None and range_.breakout.is_weak
    there = [kind for kind in wanted if kind in range_.scores and not (kind == "SOS" and is_weak)]
    return (1 + len(there)) / {"B": 3, "C": 4, "D": 4, "E": 5}[phase]


def volume_signature(range_: Range, bars: list[Bar]) -> float:
    """4.2: half for a falling slope of vr over phases B and C, half for heavier up bars.

    The slope's sign is that of sum(t * vr) - mean(t) * sum(vr); means are compared by cross products.
    """
    cause = range_.cause
    slope = sum(place * bar.vr for place, bar in enumerate(cause))
    level = sum(bar.vr for bar in cause)
    ups = [bar.vr for bar in cause if bar.close > bars[bar.number - 1].close]
    downs = [bar.vr for bar in cause if bar.close < bars[bar.number - 1].close]
    contracts = len(cause) >= 3 and slope < (len(cause) - 1) / 2 * level
    leans_up = bool(ups) and bool(downs) and sum(ups) * len(downs) > sum(downs) * len(ups)
    return 0.5 * contracts + 0.5 * leans_up


KINDS = ("SC", "AR", "ST", "SPRING", "TEST", "SOS", "LPS")


def confidence(phase: str, range_: Range, bars: list[Bar]) -> float:
    """4.2: 40 % mean event score, 25 % quality, 20 % completeness, 15 % volume; less 15 or 20 (T3, T15).

    Readings: several tests count as their mean; quality and volume join once the range was measured.
    """
    present = [sum(range_.scores[kind]) / len(range_.scores[kind]) for kind in KINDS if kind in range_.scores]
    points = 0.40 * (sum(present) / len(present) if present else 0.0) + 20.0 * completeness(phase, range_)
    if not isnan(range_.quality):
        points += 0.25 * range_.quality + 15.0 * volume_signature(range_, bars)
    if range_.was_held and not range_.tests:
        points -= book.HOLD_POINTS
    if phase == "A" and not isnan(range_.ps_score):
        points += book.PS_POINTS / 100.0 * range_.ps_score
    if phase == "D" and range_.breakout is not None and range_.breakout.is_weak:
        points -= book.WEAK_POINTS
    return min(100.0, max(0.0, points + range_.bias))
