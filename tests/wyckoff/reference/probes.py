"""Section 3.5: upthrust and shakeout in phase B, tests of demand and supply that are no trades."""

from dataclasses import dataclass

from tests.wyckoff.reference import book
from tests.wyckoff.reference.features import Bar, ramp
from tests.wyckoff.reference.gates import Gates
from tests.wyckoff.reference.springs import Break


@dataclass(frozen=True)
class Probe:
    """The bar of the extreme, its score, and the points it adds to the range's bias."""

    bar: Bar
    score: float
    bias: float


def upthrust(bars: list[Bar], resistance: float, earliest: int, gates: Gates) -> Probe | None:
    """3.5 UT: above R by at most 1.5 ATR, closed back on the same or one of the next two bars.

    Readings: ATR is that before the first bar above; a bar is above by its high, it is back by its
    close at or under R; a thrust that is not back in time is none, nor is what follows until it is.
    """
    now = bars[-1]
    if now.close > resistance:
        return None
    first = now
    while first.number > earliest and bars[first.number - 1].close > resistance:
        first = bars[first.number - 1]
    top = max(bars[first.number :], key=lambda bar: (bar.high, -bar.number))
    back = now.number - first.number
    if not top.high > resistance or back >= book.UT_BACK_BARS:
        return None
    if not gates.at_most("UT depth", top.high - resistance, book.UT_ATR * first.atr_before):
        return None
    return Probe(top, upthrust_score(top, back), upthrust_bias(top))


def upthrust_score(top: Bar, bars: int) -> float:
    """Ours: volume 40 (1 to 2), close 40 (cp .5 to 0), speed 20 (same bar 1, next half, none after)."""
    return 40.0 * ramp(top.vr, 1.0, 2.0) + 40.0 * ramp(top.cp, 0.5, 0.0) + 20.0 * ramp(bars, 2.0, 0.0)


def upthrust_bias(bar: Bar) -> float:
    """3.5: a high-volume UT that closes low takes 10."""
    return -book.UT_POINTS if bar.vr >= book.UT_VR and bar.cp <= book.UT_CP else 0.0


def shakeout(bars: list[Bar], support: float, below: Break, gates: Gates) -> Probe | None:
    """3.5 SHAKE: the mirrored probe below S, where it was no spring. A strong close gives 5."""
    now, back = bars[-1], bars[-1].number - below.first.number
    if below.deepest is None or back >= book.UT_BACK_BARS:
        return None
    depth = support - below.deepest.low
    if not depth > 0.0 or not gates.at_most("SHAKE depth", depth, book.UT_ATR * below.first.atr_before):
        return None
    score = 40.0 * ramp(below.deepest.vr, 1.0, 2.0) + 40.0 * ramp(now.cp, 0.5, 1.0) + 20.0 * ramp(back, 2.0, 0.0)
    return Probe(below.deepest, score, book.SHAKE_POINTS if now.cp >= book.SHAKE_CP else 0.0)
