"""Section 1: what one bar says. Volume and spread ratio, close position, ATR, effort classes, VSA bars, zones."""

from dataclasses import dataclass, replace
from math import log, nan
from statistics import median

from tests.wyckoff.reference import book


@dataclass(frozen=True, slots=True)
class Bar:
    """A closed bar with volume, in one view of the mirror; `number` counts from 0, `atr_before` is ATR(i-1).

    `edge_volume` is what its volume must reach to be climactic, at the edges of a session.
    """

    number: int
    open_ns: int
    high: float
    low: float
    close: float
    volume: float
    vr: float
    sr: float
    cp: float
    atr_before: float
    atr: float
    edge_volume: float = 0.0


def mirrored(bar: Bar) -> Bar:
    """Section 0.3: exact negation, high and low swapped; volume and spread stay."""
    high, low, close = -bar.low, -bar.high, -bar.close
    return replace(bar, high=high, low=low, close=close, cp=close_position(high, low, close))


def summed(values: list[float]) -> float:
    """The kernels' order of adding: four interleaved sums, then pairs."""
    first, second, third, fourth = (sum(values[place::4], 0.0) for place in range(4))
    return (first + second) + (third + fourth)


def volume_ratio(volume: float, before: list[float]) -> float:
    """1.1: over the mean of the 20 valid bars before; NaN until there are 20."""
    if len(before) < book.VR_BARS:
        return nan
    return volume / (summed(before[-book.VR_BARS :]) / book.VR_BARS)


def volume_ratio_median(volume: float, before: list[float]) -> float:
    """1.1 [X]: `vr_med`, over the median of the 20 valid bars before."""
    return nan if len(before) < book.VR_BARS else volume / median(before[-book.VR_BARS :])


def spread_ratio(spread: float, before: list[float]) -> float:
    """1.2: over the mean spread of the 20 bars before; 0 where the bar or its past is flat."""
    if len(before) < book.SR_BARS:
        return nan
    total = summed(before[-book.SR_BARS :])
    return spread / (total / book.SR_BARS) if spread > 0 and total > 0 else 0.0


def close_position(high: float, low: float, close: float) -> float:
    """1.3."""
    return 0.5 if high == low else (close - low) / (high - low)


def true_range(high: float, low: float, before: float | None) -> float:
    return high - low if before is None else max(high - low, abs(high - before), abs(low - before))


def wilder_atr(ranges: list[float], before: float) -> float:
    """0.2: the mean of the first 14 true ranges, then (13 * ATR + TR) / 14; NaN until there are 14."""
    if len(ranges) < book.ATR_BARS:
        return nan
    if len(ranges) == book.ATR_BARS:
        return sum(ranges) / book.ATR_BARS
    return (before * (book.ATR_BARS - 1) + ranges[-1]) / book.ATR_BARS


def effort_class(vr: float, sr: float, change: float, lean: float = 0.0) -> str:
    """1.4 [X], in this order; `change` is c - c_prev. NaN gives NORMAL.

    Reading: where the close did not change, `lean` decides, the close against the bar's middle; where
    that does not either, the bar is NORMAL.
    """
    direction = change or lean
    if direction == 0:
        return "NORMAL"
    side = "DOWN" if direction < 0 else "UP"
    if (vr >= 2.0 and sr >= 1.0) or (vr >= 1.5 and sr >= 1.5):
        return f"CLIMAX_{side}"
    if vr >= 1.4 and sr <= 0.8:
        return f"ABSORB_{side}"
    if vr <= 0.6 and sr <= 0.8:
        return "NO_SUPPLY" if direction < 0 else "NO_DEMAND"
    if sr >= 1.2 and vr < 0.8:
        return f"EASE_{side}"
    return "NORMAL"


def effort_of(bars: list[Bar], place: int) -> str:
    bar = bars[place]
    lean = (bar.close - bar.low) - (bar.high - bar.close)
    return effort_class(bar.vr, bar.sr, bar.close - bars[place - 1].close, lean)


def effort_result(vr: float, sr: float) -> float:
    """1.4: ln vr - ln sr; positive is effort without result. Never decides a gate."""
    return log(vr) - log(sr)


def zone(vr: float) -> str:
    """1.6: a border belongs to the higher class."""
    for name, least in (("CLIMAX", 2.0), ("HIGH", 1.3), ("NORMAL", 0.7), ("LOW", 0.5)):
        if vr >= least:
            return name
    return "DRY"


def background(bars: list[Bar], place: int) -> float:
    """1.5 "weakness in background": above 0 where down bars of the last 20 had the higher mean vr.

    Reading: below 0 is strength; means are compared by cross products.
    """
    ups: list[float] = []
    downs: list[float] = []
    for bar in bars[max(1, place - 19) : place + 1]:
        change = bar.close - bars[bar.number - 1].close
        if change != 0:
            (ups if change > 0 else downs).append(bar.vr)
    return sum(downs) * len(ups) - sum(ups) * len(downs)


def vsa_bar(bars: list[Bar], place: int) -> str:
    """1.5, literature column: "" where the bars so far show none. All but the upthrust ask the next bar to confirm.

    Readings: of several the first of this order; "after a decline" is a prior move of 4 ATR (3.2); the
    mirror of stopping volume is STOPPING_VOLUME_UP, of the upthrust DOWNTHRUST.
    """
    bar, before = bars[place], bars[place - 1]
    after = bars[place + 1] if place + 1 < len(bars) else bar
    change, later, weakness = bar.close - before.close, after.close - bar.close, background(bars, place)
    is_quiet = bar.sr < 0.8 and bar.volume < before.volume and bar.volume < bars[place - 2].volume
    if is_quiet and change > 0 > later and weakness > 0:
        return "NO_DEMAND"
    if is_quiet and change < 0 < later and weakness < 0:
        return "NO_SUPPLY"
    past = bars[max(0, place - book.PRIOR_BARS + 1) : place + 1]
    if bar.vr >= 2.0 and change < 0 < later and bar.cp >= 0.5 and fell(past, bar.close, bar.atr_before):
        return "STOPPING_VOLUME"
    rise = [mirrored(one) for one in past]
    if bar.vr >= 2.0 and change > 0 > later and 1.0 - bar.cp >= 0.5 and fell(rise, -bar.close, bar.atr_before):
        return "STOPPING_VOLUME_UP"
    if bar.sr >= 1.2 and bar.vr >= 1.0:
        five = bars[place - 5 : place]
        if bar.high > max(one.high for one in five) and bar.cp <= 0.3 and weakness > 0:
            return "UPTHRUST"
        if bar.low < min(one.low for one in five) and 1.0 - bar.cp <= 0.3 and weakness < 0:
            return "DOWNTHRUST"
    return ""


def fell(past: list[Bar], close: float, atr: float) -> bool:
    """A prior move of 4 ATR from the highest high of 60 bars to the close."""
    return max(one.high for one in past) - close >= book.SC_PRIOR_ATR * atr


def ramp(value: float, start: float, end: float) -> float:
    """0 at `start`, 1 at `end`, linear between, flat beyond."""
    return min(1.0, max(0.0, (value - start) / (end - start)))
