"""Sections 3.6 and 3.7: the break below support, its type and score, and the test after it."""

from dataclasses import dataclass

from tests.wyckoff.reference import book
from tests.wyckoff.reference.features import Bar, ramp
from tests.wyckoff.reference.gates import Gates


@dataclass(frozen=True)
class Break:
    """The bars from the first close below support (or the one bar that closed back) to the newest.

    `deepest` is the event; None where every bar under support was flat. `vr`, `sr`: the most of the
    bars that traded under support.
    """

    first: Bar
    deepest: Bar | None
    vr: float
    sr: float
    closes_below: int


def break_below(bars: list[Bar], supports: dict[int, float], earliest: int) -> Break | None:
    """3.6 (b), (d): the break that the newest bar begins, continues or ends; none begins before `earliest`.

    `supports` is the S that each bar met, by its number: a test may lower S on the way. Reading: a
    break begins with a low under S; how deep a spring must go is its own gate.
    """
    first = now = bars[-1]
    while first.number > earliest and bars[first.number - 1].close < supports[first.number - 1]:
        first = bars[first.number - 1]
    if not now.low < supports[now.number] and first is now:
        return None
    leg = [bar for bar in bars[first.number :] if bar.low < supports[bar.number]]
    solid = [bar for bar in leg if bar.sr > 0.0]
    return Break(
        first=first,
        deepest=min(solid, key=lambda bar: (bar.low, bar.number)) if solid else None,
        vr=max([0.0, *(bar.vr for bar in leg)]),
        sr=max([0.0, *(bar.sr for bar in leg)]),
        closes_below=sum(bar.close < supports[bar.number] for bar in bars[first.number :]),
    )


def clock_ran_out(bars: list[Bar], support: float, below: Break, gates: Gates) -> bool:
    """4.4 T7: a close under S - 2.5 ATR, more than three closes under S, or five bars since the first."""
    now = bars[-1]
    return (
        gates.below("T7 close", now.close, support - book.SHOCK_ATR * now.atr_before)
        or below.closes_below > book.SPRING_CLOSES
        or now.number - below.first.number >= book.SPRING_BARS
    )


def spring_type(below: Break) -> int:
    """3.6 (f): 3 quiet, 1 heavy, else 2."""
    if below.vr < book.QUIET_VR and below.sr < book.QUIET_SR:
        return 3
    return 1 if below.vr >= book.HEAVY_VR and below.sr >= book.HEAVY_SR else 2


def depth_fits(below: Break, support: float, most_fraction: float, gates: Gates) -> bool:
    """3.6 (b), (c). Reading: ATR is that before the break's first bar; the fraction is of support."""
    if below.deepest is None:
        return False
    depth, atr = support - below.deepest.low, below.first.atr_before
    most = book.SHOCK_ATR if spring_type(below) == 1 else book.SPRING_ATR
    return gates.above("spring depth", depth, book.SPRING_EDGE_ATR * atr) and gates.at_most(
        "spring depth", depth, min(most_fraction * abs(support), most * atr)
    )


def is_upthrust(bars: list[Bar], below: Break) -> bool:
    """3.9, distribution only: back within three bars; effort of vr 1.2, or none (vr < .85 and sr < 1)."""
    quiet = below.vr < book.UTAD_QUIET_VR and below.sr < book.UTAD_QUIET_SR
    return bars[-1].number - below.first.number <= book.UTAD_BARS and (below.vr >= book.UTAD_VR or quiet)


def upthrust_base(now: Bar, below: Break, signs: int, has_climax: bool) -> float:
    """3.9: close-back speed 25, failure-bar close 20, volume extremity 15, background supply 20; the test has 20.

    Readings: speed 1, 2/3, 1/3 for up to one, two, three bars; close .3 to .8 in this view; volume
    1.2 to 2.5, or .85 down to .4 on a narrow bar; background 5 for each sign of supply and for the climax.
    """
    speed = {0: 1.0, 1: 1.0, 2: 2 / 3, 3: 1 / 3}[now.number - below.first.number]
    quiet = ramp(below.vr, 0.85, 0.4) if below.sr < book.UTAD_QUIET_SR else 0.0
    return (
        25.0 * speed
        + 20.0 * ramp(now.cp, 0.3, 0.8)
        + 15.0 * max(ramp(below.vr, 1.2, 2.5), quiet)
        + 5.0 * min(4, signs + has_climax)
    )


def minimum_cause(bars: list[Bar], b_min: int) -> int:
    """4.4 Bmin: 8 where that is less and the mean |return| of the last 20 bars exceeds 3 %."""
    total = 0.0
    for bar in bars[-20:]:
        before = bars[bar.number - 1].close
        total += abs(bar.close - before) / abs(before)
    return min(b_min, book.B_VOLATILE) if total / 20 > book.B_VOLATILE_RETURN else b_min


def spring_base(
    now: Bar, support: float, below: Break, level_strength: float, *, has_climax: bool, dries_up: bool
) -> float:
    """3.6: volume 25, depth 10, speed 20, reclaim 10, level 10, background 5; the other 20 are the test's.

    Readings: full depth marks from .2 to .8 ATR, none at 0 and at the gate; speed counts from the
    first close under support; reclaim is cp 7 (.3 to .8) and vr >= 1 another 3; background is 2.5
    for the climax and 2.5 where the last test came on less volume than the first.
    """
    assert below.deepest is not None
    depth = (support - below.deepest.low) / below.first.atr_before
    most = book.SHOCK_ATR if spring_type(below) == 1 else book.SPRING_ATR
    bars_below = now.number - below.first.number
    return (
        25.0 * ramp(below.vr, 1.5, 0.3)
        + 10.0 * min(ramp(depth, 0.0, 0.2), ramp(depth, most, 0.8))
        + {0: 20.0, 1: 20.0, 2: 16.0, 3: 12.0, 4: 8.0, 5: 4.0}[bars_below]
        + 7.0 * ramp(now.cp, 0.3, 0.8)
        + (3.0 if now.vr >= 1.0 else 0.0)
        + 0.1 * level_strength
        + (2.5 if has_climax else 0.0)
        + (2.5 if dries_up else 0.0)
    )


@dataclass(frozen=True)
class Spring:
    """An accepted spring: the bar it points at, the bar that closed back, and what the test is held against."""

    deepest: Bar
    reclaim: int
    type: int
    vr: float
    sr: float
    base: float
    score: float


@dataclass(frozen=True)
class Verdict:
    """What the newest bar says about the test: the bar tested and its score, or that supply was met."""

    tested: Bar | None = None
    score: float = 0.0
    met_supply: bool = False


def spring_test(bars: list[Bar], spring: Spring, resistance: float, gates: Gates) -> Verdict:
    """3.7: told from the reclaim on, bar by bar.

    Readings: a lower quiet bar takes the place of the one being tried; only the first test is an
    event; supply is met by a bar in the test's zone and window.
    """
    tried: Bar | None = None
    is_done = False
    verdict = Verdict()
    for bar in bars[spring.reclaim + 1 :]:
        verdict = Verdict()
        if tried is not None and not is_done:
            if bar.close > tried.high:
                verdict, is_done = Verdict(tried, test_score(spring, tried)), True
            elif bar.number - tried.number >= book.TEST_CONFIRM_BARS:
                tried = None
        if not in_test_zone(bar, spring, resistance):
            continue
        if bar.vr >= spring.vr and bar.cp < book.TEST_SUPPLY_CP:
            verdict = Verdict(verdict.tested, verdict.score, met_supply=True)
        elif is_quiet(bar, spring) and not is_done and (tried is None or bar.low < tried.low):
            tried = bar
    if verdict.tested is not None:
        gates.above("TEST close over high", bars[-1].close, verdict.tested.high)
    return verdict


def in_test_zone(bar: Bar, spring: Spring, resistance: float) -> bool:
    """3.7: 1 to 15 bars after the reclaim, from the spring's low up to max(1 ATR, a third of the range)."""
    low = spring.deepest.low
    zone = max(book.TEST_ATR * bar.atr_before, book.TEST_SHARE * (resistance - low))
    return bar.number - spring.reclaim <= book.TEST_BARS and low <= bar.low <= low + zone


def is_quiet(bar: Bar, spring: Spring) -> bool:
    return bar.vr <= book.TEST_VR * spring.vr and 0.0 < bar.sr <= spring.sr


def test_score(spring: Spring, tried: Bar) -> float:
    """3.6: the spring's 80 and 20 for the test. Reading: volume 10, spread 5, higher low 5 (full at .1 ATR)."""
    higher = (tried.low - spring.deepest.low) / tried.atr_before
    points = (
        10.0 * ramp(tried.vr / spring.vr, 0.8, 0.4)
        + 5.0 * ramp(tried.sr / spring.sr, 1.0, 0.5)
        + 5.0 * ramp(higher, 0.0, 0.1)
    )
    return spring.base + points
