"""Sections 2.1 and 3.4: pivots with k bars on each side, and the one-ATR zigzag of the secondary tests."""

from typing import NamedTuple

from tests.wyckoff.reference import book
from tests.wyckoff.reference.features import Bar


def is_pivot_low(bars: list[Bar], place: int, k: int) -> bool:
    """2.1: below the k bars on either side; of equal lows the first is the pivot."""
    if place < k or place + k >= len(bars):
        return False
    low = bars[place].low
    left, right = bars[place - k : place], bars[place + 1 : place + k + 1]
    return all(bar.low > low for bar in left) and all(bar.low >= low for bar in right)


def confirmed_swing(bars: list[Bar], k: int) -> Bar | None:
    """2.1: the pivot that the newest bar confirms, where price came back by 1 ATR(i-1).

    Reading: the reversal is the highest high of the k bars after the pivot, over its low.
    """
    place = len(bars) - 1 - k
    if place < 0 or not is_pivot_low(bars, place, k):
        return None
    reversal = max(bar.high for bar in bars[place + 1 :]) - bars[place].low
    return bars[place] if reversal >= book.SWING_ATR * bars[-1].atr_before else None


class Swing(NamedTuple):
    """A swing low and the number of the bar that confirmed it."""

    low: Bar
    confirm: int


class Start(NamedTuple):
    """Where a zigzag begins: first bar, the high before it, support then, and the bar at which that was known."""

    first: int
    high: float
    support: float
    known: int


def swing_lows(bars: list[Bar], start: Start) -> list[Swing]:
    """3.4: "a swing low (k = 3, or a bounce of 1 ATR before a lower low)".

    Reading: a low is tried when price fell 1 ATR from the last swing high, or under the last swing
    low (at the start: under support). Flat bars take no part. Each bar is judged with its own ATR(i-1),
    also where the start became known later. A low that is tried for over 200 bars is given up.
    """
    found: list[Swing] = []
    tried: Bar | None = None
    high, low = start.high, start.support
    for bar in bars[start.first :]:
        if bar.sr == 0.0:
            continue
        bounce = book.ST_BOUNCE_ATR * bar.atr_before
        falls = bar.low < low if tried is not None else bar.low < low or high - bar.low >= bounce
        if falls:
            tried, low, high = bar, bar.low, bar.low
            continue
        if tried is not None and bar.number - tried.number > book.ST_TRIED_BARS:
            tried, high, low = None, bar.high, start.support
            continue
        high = max(high, bar.high)
        if tried is not None and (high - low >= bounce or _held(bars, tried, bar)):
            found.append(Swing(tried, bar.number))
            tried = None
    return found


def _held(bars: list[Bar], tried: Bar, bar: Bar) -> bool:
    """The k = 3 pivot: three bars since without a lower low, and the three before it were higher."""
    before = bars[tried.number - book.ST_K : tried.number]
    return bar.number - tried.number >= book.ST_K and all(one.low > tried.low for one in before)
