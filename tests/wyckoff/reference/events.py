"""Section 3: gates and scores of the events before the spring: climax, preliminary support, rally, secondary test.

All in one view: x = direction * price. `now` is always the newest bar, the last of `bars`.
"""

from math import ceil

from tests.wyckoff.reference import book
from tests.wyckoff.reference.features import Bar, ramp
from tests.wyckoff.reference.gates import Gates
from tests.wyckoff.reference.swings import Swing


def prior_move(bars: list[Bar], place: int) -> float:
    """3.2 (1): (highest high of the last 60 bars - close) / ATR. Reading: ATR(i-1), after 0.2."""
    bar, window = bars[place], bars[place - book.PRIOR_BARS + 1 : place + 1]
    return (max(one.high for one in window) - bar.close) / bar.atr_before


def is_lowest(bars: list[Bar], place: int) -> bool:
    """3.2 (4): l_i = min of the last 20 lows, this one included."""
    return bars[place].low == min(one.low for one in bars[place - book.SC_LOW_BARS + 1 : place + 1])


def climactic_volume(bars: list[Bar], place: int) -> float:
    """3.2 (2): clamp(96th percentile of the 250 vr before, 1.6, 2.0); 2.0 until there are 250 (4.8).

    Reading: the percentile is the value of rank ceil(.96 * 250), without interpolation.
    """
    if place < book.PERCENTILE_BARS + book.VR_BARS:
        return book.SC_VR_CEILING
    window = sorted(bar.vr for bar in bars[place - book.PERCENTILE_BARS : place])
    rank = ceil(book.SC_PERCENTILE * book.PERCENTILE_BARS / 100)
    return min(book.SC_VR_CEILING, max(book.SC_VR_FLOOR, window[rank - 1]))


def is_climax(bars: list[Bar], place: int, gates: Gates) -> bool:
    """3.2 (1) to (4)."""
    bar = bars[place]
    return (
        gates.at_least("SC sr", bar.sr, book.SC_SR)
        and gates.at_least("SC vr floor", bar.vr, book.SC_VR_FLOOR)
        and gates.at_least("SC edge volume", bar.volume, bar.edge_volume)
        and gates.at_least("SC vr", bar.vr, climactic_volume(bars, place))
        and is_lowest(bars, place)
        and gates.at_least("SC prior move", prior_move(bars, place), book.SC_PRIOR_ATR)
    )


def middle(bar: Bar) -> float:
    return (bar.high + bar.low) / 2


def closed_off_low(bars: list[Bar], climax: Bar, gates: Gates) -> bool:
    """3.2 (5): cp >= .5 on the bar itself, else a close above its middle (within five bars: the caller's clock)."""
    now = bars[-1]
    if now.number == climax.number:
        return gates.at_least("SC cp", now.cp, 0.5)
    return gates.above("SC close over middle", now.close, middle(climax))


def is_confirmed_by(climax: Bar, bar: Bar) -> bool:
    """3.2 (5) at an earlier bar."""
    return bar.cp >= 0.5 if bar.number == climax.number else bar.close > middle(climax)


def climax_score(bars: list[Bar], climax: Bar, close_points: float) -> float:
    """3.2: volume 35, spread 20, close off low `close_points`, prior move 15, follow-through 10, scaled to 100.

    The close has 20 points, of a buying climax 10 (3.8).

    Readings: three quarters are cp, one the close under the close before; follow-through is the
    confirming close over the bar's middle, full at 1 ATR.
    """
    falls = climax.close < bars[climax.number - 1].close
    through = (bars[-1].close - middle(climax)) / climax.atr_before
    points = (
        35.0 * ramp(climax.vr, 1.6, 3.5)
        + 20.0 * ramp(climax.sr, 1.3, 2.5)
        + close_points * (0.75 * climax.cp + (0.25 if falls else 0.0))
        + 15.0 * ramp(prior_move(bars, climax.number), 4.0, 10.0)
        + 10.0 * ramp(through, 0.0, 1.0)
    )
    return points * 100.0 / (80.0 + close_points)


def is_soft_stop(bars: list[Bar], low: Bar, gates: Gates) -> bool:
    """3.2, no-climax start: the swing `low` is the lowest, after a fall of 4 ATR, and price rallied by 2 ATR."""
    if low.number < book.SOFT_BARS - 1:
        return False
    before, since = bars[low.number - book.SOFT_BARS + 1 : low.number], bars[low.number + 1 :]
    is_lowest = all(bar.low > low.low for bar in before) and all(bar.low >= low.low for bar in since)
    return (
        is_lowest
        and gates.at_least("SOFT_STOP prior move", prior_move(bars, low.number), book.SOFT_ATR)
        and gates.at_least(
            "SOFT_STOP rally", max(bar.high for bar in since) - low.low, book.SOFT_RISE_ATR * low.atr_before
        )
    )


def preliminary_support(bars: list[Bar], old: Bar, new: Bar, gates: Gates) -> float | None:
    """3.1: the score of a superseded climax as PS, None where a gate fails.

    Score, ours: volume 40 (1.5 to 2.5), spread 25 (1.2 to 2.0), reaction 35 (1 to 3 ATR).
    Reading: the reaction counts highs up to the bar that confirms the new climax.
    """
    last = old.number + min(bars[-1].number - old.number, book.PS_REACTION_BARS)
    highest = max([old.low, *(bar.high for bar in bars[old.number + 1 : last + 1])])
    reaction = (highest - old.low) / old.atr_before
    passed = (
        book.PS_SOONEST <= new.number - old.number <= book.PS_LATEST
        and gates.at_least("PS reaction", reaction, book.PS_REACTION_ATR)
        and gates.at_least("PS vr", old.vr, book.PS_VR)
        and gates.at_least("PS sr", old.sr, book.PS_SR)
        and stands_out(bars, old, gates)
    )
    if not passed:
        return None
    return 40.0 * ramp(old.vr, 1.5, 2.5) + 25.0 * ramp(old.sr, 1.2, 2.0) + 35.0 * ramp(reaction, 1.0, 3.0)


def stands_out(bars: list[Bar], old: Bar, gates: Gates) -> bool:
    """3.1: the 20-bar low and the drawdown, which a climax that came by T2 need not have."""
    return is_lowest(bars, old.number) and gates.at_least(
        "PS prior move", prior_move(bars, old.number), book.SC_PRIOR_ATR
    )


def rally(bars: list[Bar], climax: Bar, floor: float, gates: Gates) -> Bar | None:
    """3.3: the highest high since the climax, once three bars have not passed it or 15 bars are over.

    Reading: the pivot is one among the bars after the climax; a pivot that fails a gate is passed over.
    """
    since = bars[climax.number + 1 :]
    if not since:
        return None
    top = max(since, key=lambda bar: (bar.high, -bar.number))
    is_known = bars[-1].number - top.number >= book.AR_K or is_overdue(bars, climax)
    rise = max(book.AR_RISE_ATR * climax.atr_before, floor * abs(climax.low))
    if (
        is_known
        and top.number - climax.number >= book.AR_MIN_BARS
        and gates.at_least("AR rise", top.high - climax.low, rise)
        and top.sr > 0.0
    ):
        return top
    return None


def is_overdue(bars: list[Bar], climax: Bar) -> bool:
    return bars[-1].number - climax.number >= book.AR_BARS


def rally_score(bars: list[Bar], climax: Bar, top: Bar) -> float:
    """3.3: size 50 (2 to 5 ATR), speed 25 (15 to 5 bars), close 15, retrace 10.

    Reading: retrace is the share of the prior fall won back, full at one half.
    """
    rise = (top.high - climax.low) / climax.atr_before
    return (
        50.0 * ramp(rise, 2.0, 5.0)
        + 25.0 * ramp(top.number - climax.number, 15.0, 5.0)
        + 15.0 * top.cp
        + 10.0 * ramp(rise / prior_move(bars, climax.number), 0.0, 0.5)
    )


def is_secondary_test(swing: Swing, climax: Bar, top: Bar, gates: Gates) -> bool:
    """3.4: near the climax, on less volume and spread."""
    low, height = swing.low.low, top.high - climax.low
    return (
        gates.at_least("ST low", low, climax.low - book.ST_UNDER_ATR * swing.low.atr_before)
        and gates.at_most("ST upper", low, climax.low + book.ST_UPPER * height)
        and gates.at_most("ST vr", swing.low.vr, book.ST_VR * climax.vr)
        and gates.at_most("ST sr", swing.low.sr, book.ST_SR * climax.sr)
    )


def are_apart(bars: list[Bar], last: Bar, swing: Swing, gates: Gates) -> bool:
    """3.4: distinct tests have at least five bars and a bounce of 1 ATR between them. Reading: 200 bars hold one."""
    if swing.low.number - last.number < book.ST_APART_BARS:
        return False
    if bars[-1].number - last.number > book.ST_TRIED_BARS:
        return True
    between = bars[last.number + 1 : swing.low.number]
    bounce = max(bar.high - last.low - book.ST_BOUNCE_ATR * bar.atr_before for bar in between)
    return gates.at_least("ST bounce between", bounce, 0.0)


def secondary_test_score(swing: Swing, climax: Bar, top: Bar) -> float:
    """3.4: volume drop 35, spread drop 20, proximity 15 (full in the lowest third), holds low 20, cp 10.

    3.2: a lower low on .6 of the climax's volume is a test with supply, 10 less.
    """
    bar = swing.low
    volume, spread = bar.vr / climax.vr, bar.sr / climax.sr
    under = (climax.low - bar.low) / swing.low.atr_before
    score = (
        35.0 * ramp(volume, 0.8, 0.4)
        + 20.0 * ramp(spread, 0.9, 0.4)
        + 15.0 * ramp((bar.low - climax.low) / (top.high - climax.low), book.ST_UPPER, 1 / 3)
        + 20.0 * ramp(under, 0.75, 0.0)
        + 10.0 * ramp(bar.cp, 0.3, 0.7)
    )
    if under > 0.0 and volume >= book.ST_SUPPLY_VR:
        return max(0.0, score - book.ST_SUPPLY_POINTS)
    return score
