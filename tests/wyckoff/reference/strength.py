"""Sections 3.10 and 3.11: sign of strength, weak breakout, their failure, and the backup after them."""

from dataclasses import dataclass

from tests.wyckoff.reference import book
from tests.wyckoff.reference.features import Bar, ramp
from tests.wyckoff.reference.gates import Gates

RISING_BARS = 200


def crosses(now: Bar, resistance: float, floor: float, gates: Gates) -> bool:
    """3.10: the close at least max(.25 ATR, 1 % m from daily up) above resistance."""
    distance = max(book.SOS_ATR * now.atr_before, floor * abs(resistance))
    return gates.at_least("SOS close", now.close, resistance + distance)


def leg(bars: list[Bar]) -> list[Bar]:
    """3.10: from the last swing low to the crossing close, ten bars at most. Reading: from their (first) lowest low."""
    last = bars[-book.SOS_LEG_BARS :]
    start = min(last, key=lambda bar: (bar.low, bar.number))
    return bars[start.number :]


def rises(bars: list[Bar], bar: Bar) -> bool:
    return bar.close > bars[bar.number - 1].close


def shows_demand(bars: list[Bar], gates: Gates, least_vr: float, *, by_ratio: bool) -> bool:
    """3.10: one up bar with vr 1.5 (fx 1.8), sr 1.2, cp .5, or two with vr 1.3; up volume at least down volume.

    9.3: intraday volumes are only comparable as ratios (`by_ratio`).
    """
    legs = leg(bars)
    ups = [bar for bar in legs if rises(bars, bar)]
    downs = [bar for bar in legs if bar.close < bars[bar.number - 1].close]
    wide = sum(bar.vr >= least_vr and bar.sr >= book.SOS_SR and bar.cp >= book.SOS_CP for bar in ups)
    loud = sum(bar.vr >= book.SOS_PAIR_VR for bar in ups)
    up_volume, down_volume = (sum(bar.vr if by_ratio else bar.volume for bar in some) for some in (ups, downs))
    has_effort = gates.at_least("SOS wide bars", wide, 1) or gates.at_least("SOS loud bars", loud, 2)
    return has_effort and gates.at_least("SOS up volume", up_volume, down_volume)


def leg_volume(bars: list[Bar]) -> float:
    """Mean vr of the leg, what a backup's volume is held against."""
    legs = leg(bars)
    return sum(bar.vr for bar in legs) / len(legs)


def breakout_score(bars: list[Bar], resistance: float, first: int, has_spring: bool, has_test: bool) -> float:
    """3.10: volume 30 (1.5 to 2.5), spread 15, close 20, distance 15, spring and test 10, rising lows 10.

    Readings: volume and spread of the best up bar of the leg; spread 1.2 to 2.0; cp .5 to .9;
    distance full from 1 to 2 ATR and none at 4; 5 for the spring and 5 for its test.
    """
    now = bars[-1]
    ups = [bar for bar in leg(bars) if rises(bars, bar)]
    distance = (now.close - resistance) / now.atr_before
    score = 30.0 * ramp(max([0.0, *(bar.vr for bar in ups)]), 1.5, 2.5)
    score += 15.0 * ramp(max([0.0, *(bar.sr for bar in ups)]), 1.2, 2.0)
    score += 20.0 * ramp(now.cp, 0.5, 0.9)
    score += 15.0 * min(ramp(distance, 0.25, 1.0), ramp(distance, 4.0, 2.0))
    score += (5.0 if has_spring else 0.0) + (5.0 if has_test else 0.0)
    return score + (10.0 if has_rising_lows(bars, first) else 0.0)


def has_rising_lows(bars: list[Bar], first: int) -> bool:
    """3.10: rising lows in the last third of the range. Reading: its later half holds above its earlier half."""
    span = min(RISING_BARS, (bars[-1].number - first) // 3)
    if span < 4:
        return False
    third = bars[-span:]
    early, late = third[: span - span // 2], third[span - span // 2 :]
    return min(bar.low for bar in late) > min(bar.low for bar in early)


@dataclass(frozen=True)
class Breakout:
    """The newest breakout of a range: SOS or BREAKOUT_WEAK."""

    bar: Bar
    kind: str
    leg_vr: float
    score: float

    @property
    def is_weak(self) -> bool:
        return self.kind == "BREAKOUT_WEAK"


def has_failed(bars: list[Bar], breakout: Breakout, resistance: float, gates: Gates) -> bool:
    """3.10: two closes under R - .5 ATR within ten bars. T15: after a weak breakout one, at any time."""
    since = bars[breakout.bar.number + 1 :]
    if breakout.is_weak:
        counted, needed = since, 1
    else:
        counted, needed = since[: book.SOS_FAIL_BARS], book.SOS_FAIL_CLOSES
    if bars[-1] not in counted[-1:]:
        return False
    gates.below("SOS_FAILED close", bars[-1].close, resistance - book.SOS_FAIL_ATR * bars[-1].atr_before)
    return sum(bar.close < resistance - book.SOS_FAIL_ATR * bar.atr_before for bar in counted) >= needed


def reaction_cancels(bars: list[Bar], breakout: Breakout, gates: Gates) -> bool:
    """3.11 cancel rule: a pullback bar with vr >= 1.5, sr >= 1.2, cp <= .3.

    Reading: it closes down, within 20 bars of the breakout, and is no new high since it.
    """
    now, before = bars[-1], bars[-2]
    if now.number - breakout.bar.number > book.LPS_BARS or not now.close < before.close:
        return False
    heavy = (
        gates.at_least("cancel vr", now.vr, book.CANCEL_VR)
        and gates.at_least("cancel sr", now.sr, book.CANCEL_SR)
        and gates.at_most("cancel cp", now.cp, book.CANCEL_CP)
    )
    highs = [bar.high for bar in bars[breakout.bar.number : now.number]]
    return heavy and bool(highs) and max(highs) >= now.high


@dataclass(frozen=True)
class Backup:
    low: Bar
    score: float


def backup(bars: list[Bar], breakout: Breakout, after: int, resistance: float, gates: Gates) -> Backup | None:
    """3.11: the pullback runs from the highest high from bar `after` on to the lowest low since that high.

    Reading: ATR is that before the confirming bar; closes are looked at from the breakout on.
    """
    now = bars[-1]
    if now.number - breakout.bar.number > book.LPS_BARS:
        return None
    top = max(bars[after:], key=lambda bar: (bar.high, -bar.number))
    fallen = bars[top.number + 1 :]
    if not fallen:
        return None
    low = min(fallen, key=lambda bar: (bar.low, bar.number))
    pulled = bars[top.number + 1 : low.number + 1]
    if len(pulled) < book.LPS_PULLBACK or not turns_up(bars, low, gates):
        return None
    vr, sr = sum(bar.vr for bar in pulled) / len(pulled), sum(bar.sr for bar in pulled) / len(pulled)
    held = (min(bar.close for bar in bars[breakout.bar.number :]) - resistance) / now.atr_before
    passed = (
        gates.at_least("LPS low", low.low, resistance - book.LPS_UNDER_ATR * now.atr_before)
        and gates.at_most("LPS low", low.low, resistance + book.LPS_OVER_ATR * now.atr_before)
        and gates.at_most("LPS mean vr", vr, book.LPS_LEG * breakout.leg_vr)
        and gates.at_most("LPS vr", low.vr, book.LPS_VR)
        and gates.at_most("LPS mean sr", sr, book.LPS_SR)
        and low.sr != 0.0
        and gates.at_least("LPS hold", held, -book.LPS_UNDER_ATR)
    )
    return Backup(low, backup_score(now, low, breakout, resistance, (vr, sr, held))) if passed else None


def turns_up(bars: list[Bar], low: Bar, gates: Gates) -> bool:
    """3.11: this close is the first above the low bar's high, within three bars."""
    since = bars[low.number + 1 :]
    if not 1 <= len(since) <= book.LPS_CONFIRM_BARS or any(bar.close > low.high for bar in since[:-1]):
        return False
    return gates.above("LPS close over high", since[-1].close, low.high)


def backup_score(
    now: Bar, low: Bar, breakout: Breakout, resistance: float, effort: tuple[float, float, float]
) -> float:
    """3.11: dry-up 30, spread 15, proximity 20, hold 15, bounce 10, the breakout's score 10; 75 after a weak one.

    `effort` is mean vr, mean sr, and the lowest close over resistance in ATR. Readings: dry-up .8 to
    .4 of the leg; spread 1.0 to .5; proximity full at R; hold full at R; bounce full at .5 ATR.
    """
    vr, sr, held = effort
    gap = (low.low - resistance) / now.atr_before
    near = ramp(gap, book.LPS_OVER_ATR, 0.0) if gap > 0.0 else ramp(gap, -book.LPS_UNDER_ATR, 0.0)
    score = (
        30.0 * ramp(vr / breakout.leg_vr, 0.8, 0.4)
        + 15.0 * ramp(sr, 1.0, 0.5)
        + 20.0 * near
        + 15.0 * ramp(held, -book.LPS_UNDER_ATR, 0.0)
        + 10.0 * ramp((now.close - low.high) / now.atr_before, 0.0, 0.5)
        + 0.1 * breakout.score
    )
    return min(score, book.LPS_WEAK_CAP) if breakout.is_weak else score


def inside_backup(
    bars: list[Bar], after: int, levels: tuple[float, float], tested: Bar, test_score: float, gates: Gates
) -> Backup | None:
    """3.11, inside the range: a quiet higher low that holds the middle between S and R (`levels`), turning up.

    Readings: no leg to hold volume against, so the low bar's vr is at most 1 and the mean sr at most 1.
    Score, ours: mean vr 30 (1 to .5), spread 15 (1 to .5), hold 20 (middle to R), higher than the test
    15 (1 ATR), bounce 10 (.5 ATR), the test's score 10.
    """
    now, middle = bars[-1], (levels[0] + levels[1]) / 2
    top = max(bars[after:], key=lambda bar: (bar.high, -bar.number))
    fallen = bars[top.number + 1 :]
    if not fallen:
        return None
    low = min(fallen, key=lambda bar: (bar.low, bar.number))
    pulled = bars[top.number + 1 : low.number + 1]
    if len(pulled) < book.LPS_PULLBACK or not turns_up(bars, low, gates):
        return None
    vr, sr = sum(bar.vr for bar in pulled) / len(pulled), sum(bar.sr for bar in pulled) / len(pulled)
    held = levels[0] + book.INSIDE_SHARE * (levels[1] - levels[0])
    passed = (
        gates.at_least("LPS_INSIDE low", low.low, held)
        and gates.at_most("LPS_INSIDE vr", low.vr, book.LPS_VR)
        and gates.at_most("LPS_INSIDE mean sr", sr, book.LPS_SR)
        and low.sr != 0.0
    )
    if not passed:
        return None
    score = (
        30.0 * ramp(vr, 1.0, 0.5)
        + 15.0 * ramp(sr, 1.0, 0.5)
        + 20.0 * ramp((low.low - middle) / (levels[1] - middle), 0.0, 1.0)
        + 15.0 * ramp((low.low - tested.low) / now.atr_before, 0.0, 1.0)
        + 10.0 * ramp((now.close - low.high) / now.atr_before, 0.0, 0.5)
        + 0.1 * test_score
    )
    return Backup(low, score)
