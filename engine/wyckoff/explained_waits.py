"""What a lane waits for and what would end it, in words with price levels, as of its newest closed bar.

Levels are those the next bar is judged by: its tests use the ATR that the newest bar left.
"""

from collections.abc import Iterator

import msgspec

from engine.wyckoff import gates as g
from engine.wyckoff.edges import NONE, A, B, C, D, E
from engine.wyckoff.explained_gates import Words, finite
from engine.wyckoff.explained_lanes import again
from engine.wyckoff.explained_plain import plain
from engine.wyckoff.features import low_of
from engine.wyckoff.layout import (
    AR_BAR,
    AR_HIGH,
    ATR,
    B_BAR,
    CLIMAX_BAR,
    CLIMAX_MIDDLE,
    CLUSTER_UP,
    HELD_CLOSES,
    IS_WEAK,
    LEG_BAR,
    LEG_CLOSE_BAR,
    LEG_CLOSES,
    LPS_COUNT,
    PHASE,
    RECLAIM_BAR,
    RESISTANCE,
    SC_ATR,
    SC_BAR,
    SC_LOW,
    SC_VR,
    SOFT_ATR,
    SOFT_BAR,
    SOFT_LOW,
    SOS_BAR,
    SOS_CLOSES_BELOW,
    SOS_HIGH,
    SOS_LEG_VR,
    SPRING_LOW,
    SPRING_VR,
    SUPPORT,
    TESTS,
    TRIAL_BAR,
    TRIAL_HIGH,
    WEAK_ABOVE,
    Lane,
)
from engine.wyckoff.spring import minimum_cause

ADVANCES, INVALIDATES = "advances", "invalidates"


class Wait(msgspec.Struct, frozen=True):
    """`effect` is advances or invalidates; `label` is the text in a word or two. `level` is the price that
    decides and `bars` how many are left, null where there are none."""

    effect: str
    label: str
    text: str
    level: float | None = None
    bars: int | None = None


def waits_of(lane: Lane) -> list[Wait]:
    phase = int(lane.wholes[PHASE])
    if phase < NONE or (phase == NONE and lane.number >= CLUSTER_UP):
        return []
    return list(_Waiting(lane).of[phase]())


def price_text(value: float) -> str:
    """Enough digits to tell ticks apart, no more."""
    return f"{value:,.2f}" if abs(value) >= 10 else f"{value:.5g}"


class _Waiting:
    """The sentences of one lane, by phase. In a text `{}` stands for the level, `[]` for the bars left."""

    def __init__(self, lane: Lane) -> None:
        self.lane, self.words = lane, Words(lane.sign)
        self.reals, self.wholes, self.gates = lane.reals, lane.wholes, lane.gates
        self.atr = float(lane.levels[ATR])
        self.is_up = lane.sign > 0.0
        self.of = {NONE: self.none, A: self.a, B: self.b, C: self.c, D: self.d, E: self.e}

    def none(self) -> Iterator[Wait]:
        words, gates, lane = self.words, self.gates, self.lane
        if self.wholes[CLIMAX_BAR] >= 0:
            text = f"a close {words.above} {{}}, the middle of the climactic bar, within [] bars confirms the climax"
            left = self.left(CLIMAX_BAR, g.SC_CONFIRM_BARS)
            yield self.to("climax confirms", text, self.reals[CLIMAX_MIDDLE], left)
        bars = int(gates[g.SC_LOW_BARS])
        lowest = min(plain(low_of)(lane, bar) for bar in range(lane.bar - bars + 2, lane.bar + 1))
        name = "selling" if self.is_up else "buying"
        fall = f"after a {words.fall} of {gates[g.SC_PRIOR_ATR]:g} ATR"
        text = f"a {name} climax: a wide bar on climactic volume to a new {bars}-bar {words.low}, beyond {{}}, {fall}"
        yield self.to(f"{name} climax", text, lowest)
        if self.wholes[SOFT_BAR] >= 0:
            rise = self.reals[SOFT_LOW] + gates[g.SOFT_RISE_ATR] * self.reals[SOFT_ATR]
            text = f"a {words.rise} to {{}} within [] bars: a soft stop"
            yield self.to("soft stop", text, rise, self.left(SOFT_BAR, g.AR_MAX_BARS))
            yield self.against("swing void", f"a {words.low} beyond {{}} forgets the swing", self.reals[SOFT_LOW])

    def a(self) -> Iterator[Wait]:
        yield from self.rally() if self.wholes[AR_BAR] == 0 else self.secondary_test()
        level = self.reals[SUPPORT] - self.gates[g.RANGE_FAIL_ATR] * self.atr
        support = f"{self.words.support} {self.beyond(g.RANGE_FAIL_ATR)}"
        text = f"a close {self.words.below} {{}} = {support} on average volume or more drops the range"
        yield self.against("drops", text, level)

    def rally(self) -> Iterator[Wait]:
        gates, reals = self.gates, self.reals
        least = max(gates[g.AR_RISE_ATR] * reals[SC_ATR], gates[g.AR_RISE_FRACTION] * abs(reals[SC_LOW]))
        held = f"that is not exceeded for {gates[g.AR_PIVOT_BARS]:g} bars, within [] bars of now"
        text = f"an automatic rally: a {self.words.high} at {{}} or beyond {held}"
        yield self.to("rally", text, reals[SC_LOW] + least, self.left(SC_BAR, g.AR_MAX_BARS))

    def secondary_test(self) -> Iterator[Wait]:
        gates, reals = self.gates, self.reals
        far = reals[SC_LOW] + gates[g.ST_UPPER_FRACTION] * (reals[AR_HIGH] - reals[SC_LOW])
        volume = f"on a volume ratio of {gates[g.ST_VR_FRACTION] * reals[SC_VR]:.2f} or less"
        text = (
            f"a secondary test: a swing {self.words.low} no farther from the climax than {{}}, {volume}, within [] bars"
        )
        yield self.to("test", text, far, self.left(AR_BAR, g.ST_WINDOW_BARS))
        held = gates[g.HOLD_BARS] - self.wholes[HELD_CLOSES]
        yield self.to("hold", f"or {gates[g.HOLD_BARS]:g} closes in a row inside the range: [] more", None, held)

    def b(self) -> Iterator[Wait]:
        yield from self.leg() if self.wholes[LEG_BAR] >= 0 else self.probe()
        yield from self.strength()
        yield from self.failure()

    def leg(self) -> Iterator[Wait]:
        wholes, words = self.wholes, self.words
        since = LEG_CLOSE_BAR if wholes[LEG_CLOSE_BAR] >= 0 else LEG_BAR
        closes = self.gates[g.SPRING_CLOSES_BELOW] - wholes[LEG_CLOSES] + 1
        left = min(self.left(since, g.SPRING_RECLAIM_BARS), closes)
        which = "first close" if wholes[LEG_CLOSE_BAR] >= 0 else f"first {words.low}"
        text = (
            f"a close back {words.above} {words.support} {{}} within [] bars: {self.a_spring} where its gates pass; "
            f"{self.lane.bar - wholes[since]} bars since the {which} {words.below}"
        )
        yield self.to(f"{self.spring_name}: close back", text, self.reals[SUPPORT], left)

    def probe(self) -> Iterator[Wait]:
        words, gates, support = self.words, self.gates, self.reals[SUPPORT]
        deepest = support - min(gates[g.DEPTH_FRACTION] * abs(support), gates[g.SPRING_DEPTH_ATR] * self.atr)
        early = plain(minimum_cause)(again(self.lane)) - (self.lane.bar - self.wholes[B_BAR])
        later = f", not for {early:g} more bars" if early > 0 and self.wholes[PHASE] == B else ""
        text = (
            f"{self.a_spring}: {words.below} {words.support} {{}}, on ordinary volume not beyond "
            f"{self.shown(deepest)}, and a close back within {gates[g.SPRING_RECLAIM_BARS]:g} bars{later}"
        )
        yield self.to(f"{self.spring_name} {words.below}", text, support)

    def strength(self) -> Iterator[Wait]:
        words, gates, wholes, top = self.words, self.gates, self.wholes, self.reals[RESISTANCE]
        needed = top + max(gates[g.SOS_DISTANCE_ATR] * self.atr, gates[g.SOS_FRACTION] * abs(top))
        name = "sign of strength" if self.is_up else "sign of weakness"
        text = f"a {name}: a close {words.above} {{}} at the end of a leg on expanding volume"
        yield self.to(name, text, needed)
        if wholes[IS_WEAK] == 1:
            left = gates[g.WEAK_CLOSES] - wholes[WEAK_ABOVE]
            yield self.to("weak breakout holds", f"the weak breakout's [] more closes {words.above} {{}}", top, left)
            text = f"a close back {words.below} {{}} voids the weak breakout"
            yield self.against("weak breakout void", text, top - gates[g.SOS_FAIL_ATR] * self.atr)

    def failure(self) -> Iterator[Wait]:
        words, gates, wholes, support = self.words, self.gates, self.wholes, self.reals[SUPPORT]
        level = support - gates[g.SPRING_SHOCK_ATR] * self.atr
        equal = f"{words.support} {self.beyond(g.SPRING_SHOCK_ATR)}"
        yield self.against("fails", f"a close {words.below} {{}} = {equal} fails the range at once", level)
        closes, most = int(wholes[LEG_CLOSES]) if wholes[LEG_BAR] >= 0 else 0, int(gates[g.SPRING_CLOSES_BELOW])
        text = (
            f"{most + 1} closes {words.below} {words.support} {{}} ({closes} so far), or "
            f"{gates[g.SPRING_RECLAIM_BARS]:g} bars since the first of them without one back, fail the range"
        )
        yield self.against("fails in time", text, support)

    def c(self) -> Iterator[Wait]:
        wholes, words = self.wholes, self.words
        if wholes[LEG_BAR] >= 0:
            yield from self.leg()
        if wholes[TESTS] == 0:
            yield from self.test()
        yield from self.strength()
        text = (
            f"a close {words.below} {{}}, the {self.spring_name}'s {words.low}: it never sprang, the range has failed"
        )
        yield self.against("fails", text, self.reals[SPRING_LOW])
        text = f"[] more bars without strength: the {self.spring_name} is stale, back to phase B"
        yield self.against("stale", text, None, self.left(RECLAIM_BAR, g.SPRING_STALE_BARS))

    def test(self) -> Iterator[Wait]:
        words, gates, reals = self.words, self.gates, self.reals
        if self.wholes[TRIAL_BAR] >= 0:
            text = f"a close {words.above} {{}}, the {words.high} of the quiet bar, within [] bars confirms the test"
            yield self.to("test confirms", text, reals[TRIAL_HIGH], self.left(TRIAL_BAR, g.TEST_CONFIRM_BARS))
        left = self.left(RECLAIM_BAR, g.TEST_WINDOW_BARS)
        if left > 0:
            low, width = reals[SPRING_LOW], reals[RESISTANCE] - reals[SPRING_LOW]
            zone = max(gates[g.TEST_ZONE_ATR] * self.atr, gates[g.TEST_ZONE_FRACTION] * width)
            volume = f"on a volume ratio of {gates[g.TEST_VR_FRACTION] * reals[SPRING_VR]:.2f} or less"
            text = f"a test: back to between {self.shown(low)} and {{}} within [] bars {volume}"
            yield self.to("test", text, low + zone, left)

    def d(self) -> Iterator[Wait]:
        words, gates, reals, wholes = self.words, self.gates, self.reals, self.wholes
        if wholes[LPS_COUNT] > 0:
            name = "markup" if self.is_up else "markdown"
            text = f"a close {words.above} {{}}, the {words.high} of the breakout: {name}, phase E"
            yield self.to(name, text, reals[SOS_HIGH])
        yield from self.backup()
        back, left = reals[RESISTANCE] - gates[g.SOS_FAIL_ATR] * self.atr, self.left(SOS_BAR, g.SOS_FAIL_BARS)
        if wholes[IS_WEAK] == 1:
            text = f"a close back {words.below} {{}}: the weak breakout fails, back to phase B"
            yield self.against("breakout fails", text, back)
        elif left > 0:
            more = gates[g.SOS_FAIL_CLOSES] - wholes[SOS_CLOSES_BELOW]
            closes = f"{more:g} close{'' if more == 1 else 's'} back {words.below}"
            text = f"{closes} {{}} within [] bars: the breakout fails, back to phase B"
            yield self.against("breakout fails", text, back, left)
        yield self.against("fails", f"a close {words.below} {words.support} {{}} fails the range", reals[SUPPORT])
        text = "[] more bars in this phase: the range is given up"
        yield self.against("given up", text, None, self.left(SOS_BAR, g.D_MAX_BARS))

    def backup(self) -> Iterator[Wait]:
        gates, level = self.gates, self.reals[RESISTANCE]
        left = self.left(SOS_BAR, g.LPS_WINDOW_BARS)
        if left <= 0:
            return
        name = "last point of support" if self.is_up else "last point of supply"
        volume = f"volume ratio {gates[g.LPS_LEG_FRACTION] * self.reals[SOS_LEG_VR]:.2f} or less"
        nearest = self.shown(level - gates[g.LPS_UNDER_ATR] * self.atr)
        text = (
            f"a {name}: a quiet pullback ({volume}) to between {nearest} and {{}} that turns {self.words.up} again, "
            "within [] bars"
        )
        yield self.to(name, text, level + gates[g.LPS_OVER_ATR] * self.atr, left)

    def e(self) -> Iterator[Wait]:
        yield from self.backup()
        text = f"a close {self.words.below} {self.words.support} {{}} ends it"
        yield self.against("ends", text, self.reals[SUPPORT])

    @property
    def spring_name(self) -> str:
        return "spring" if self.is_up else "upthrust"

    @property
    def a_spring(self) -> str:
        return "a spring" if self.is_up else "an upthrust"

    def to(self, label: str, text: str, level: float | None = None, bars: float | None = None) -> Wait:
        return self._wait(ADVANCES, label, (text, level, bars))

    def against(self, label: str, text: str, level: float | None = None, bars: float | None = None) -> Wait:
        return self._wait(INVALIDATES, label, (text, level, bars))

    def _wait(self, effect: str, label: str, said: tuple[str, float | None, float | None]) -> Wait:
        text, level, bars = said
        real = None if level is None else finite(self.lane.sign * level)
        left = None if bars is None else max(0, int(bars))
        shown = text.replace("{}", "unknown" if real is None else price_text(real)).replace("[]", str(left))
        return Wait(effect, label, shown, real, left)

    def shown(self, level: float) -> str:
        return price_text(self.lane.sign * level)

    def beyond(self, gate: int) -> str:
        return f"{'-' if self.is_up else '+'} {self.gates[gate]:g} ATR"

    def left(self, since: int, most: int) -> int:
        """Bars left of `most` since a bar."""
        return int(self.gates[most] - (self.lane.bar - self.wholes[since]))
