"""Automatic rally and secondary test: the two events that turn a climax into a range (3.3, 3.4).

The rally's high is resistance. A secondary test is a swing low in the lower half of the range on
less volume and spread than the climax; in phase A its low may lower support. Swings are found
with a one-ATR zigzag that starts at the rally's high, so two tests are always a bounce apart.
"""

from engine.kernels import kernel
from engine.wyckoff import edges as t
from engine.wyckoff import gates as g
from engine.wyckoff import kinds as k
from engine.wyckoff.features import atr_of, close_of, cp_of, high_of, low_of, ramp, sr_of, vr_of
from engine.wyckoff.layout import (
    AR_BAR,
    AR_HIGH,
    AR_SCORE,
    ATR_BEFORE,
    RANGE_ATR,
    RESISTANCE,
    SC_ATR,
    SC_BAR,
    SC_LOW,
    SC_PRIOR,
    SC_SR,
    SC_VR,
    ST_ATR,
    ST_BAR,
    ST_COUNT,
    ST_FIRST_VR,
    ST_HIGH,
    ST_LAST_VR,
    ST_LOW,
    ST_SCORE,
    ST_TRY_BAR,
    ST_WAITS,
    SUPPORT,
    Lane,
)  # fmt: skip
from engine.wyckoff.phases import move, wipe
from engine.wyckoff.ranges import lower_support
from engine.wyckoff.records import emit, part

MOST_TRY_BARS = 200
"""A low that bounced by less than an ATR for so long is no swing; it would leave the window."""


@kernel
def seek_rally(lane: Lane) -> None:
    """The highest high since the climax, once three bars have not exceeded it, or after 15 bars."""
    gates, climax = lane.gates, lane.wholes[SC_BAR]
    top = climax + 1
    if lane.bar < top:
        return
    for bar in range(top + 1, lane.bar + 1):
        if high_of(lane, bar) > high_of(lane, top):
            top = bar
    expired = lane.bar - climax >= gates[g.AR_MAX_BARS]
    if lane.bar - top < gates[g.AR_PIVOT_BARS] and not expired:
        return
    low, high = lane.reals[SC_LOW], high_of(lane, top)
    least = max(gates[g.AR_RISE_ATR] * lane.reals[SC_ATR], gates[g.AR_RISE_FRACTION] * abs(low))
    if top - climax >= gates[g.AR_MIN_BARS] and high - low >= least and sr_of(lane, top) > 0.0:
        confirm_rally(lane, int(top), high)
    elif expired:
        move(lane, t.T4)
        wipe(lane)


@kernel
def confirm_rally(lane: Lane, top: int, high: float) -> None:
    """Parts: size, speed, close of its bar, share of the prior fall won back."""
    reals = lane.reals
    rise = (high - reals[SC_LOW]) / reals[SC_ATR]
    score = (
        part(lane, g.AR_WEIGHTS, ramp(rise, 2.0, 5.0))
        + part(lane, g.AR_WEIGHTS, ramp(top - lane.wholes[SC_BAR], 15.0, 5.0))
        + part(lane, g.AR_WEIGHTS, cp_of(lane, top))
        + part(lane, g.AR_WEIGHTS, ramp(rise / reals[SC_PRIOR], 0.0, 0.5))
    )
    lane.wholes[AR_BAR], reals[AR_HIGH], reals[AR_SCORE] = top, high, score
    reals[RESISTANCE], reals[RANGE_ATR] = high, lane.levels[ATR_BEFORE]
    emit(lane, k.AR, top, high, score)
    restart_zigzag(lane, high)
    for bar in range(top + 1, lane.bar):
        seek_test(lane, bar)


@kernel
def restart_zigzag(lane: Lane, high: float) -> None:
    """Look for the next swing low from a high."""
    lane.wholes[ST_WAITS], lane.wholes[ST_TRY_BAR] = 1, -1
    lane.reals[ST_HIGH], lane.reals[ST_LOW] = high, lane.reals[SUPPORT]


@kernel
def try_low(lane: Lane, bar: int) -> None:
    lane.wholes[ST_WAITS], lane.wholes[ST_TRY_BAR] = 0, bar
    lane.reals[ST_LOW] = lane.reals[ST_HIGH] = low_of(lane, bar)
    lane.reals[ST_ATR] = atr_of(lane, bar)


@kernel
def seek_test(lane: Lane, bar: int) -> bool:
    """Move the zigzag on by one bar; emit a secondary test where a swing low is one."""
    reals, low, high = lane.reals, low_of(lane, bar), high_of(lane, bar)
    bounce = lane.gates[g.ST_BOUNCE_ATR] * atr_of(lane, bar)
    if sr_of(lane, bar) == 0.0:
        return False
    if lane.wholes[ST_WAITS] == 1:
        if low < reals[ST_LOW] or reals[ST_HIGH] - low >= bounce:
            try_low(lane, bar)
        else:
            reals[ST_HIGH] = max(reals[ST_HIGH], high)
        return False
    if low < reals[ST_LOW]:
        try_low(lane, bar)
        return False
    if bar - lane.wholes[ST_TRY_BAR] > MOST_TRY_BARS:
        restart_zigzag(lane, high)
        return False
    reals[ST_HIGH] = max(reals[ST_HIGH], high)
    if reals[ST_HIGH] - reals[ST_LOW] < bounce and not is_pivot(lane, bar):
        return False
    lane.wholes[ST_WAITS] = 1
    return accept_test(lane)


@kernel
def is_pivot(lane: Lane, bar: int) -> bool:
    """The tried low has held for three bars and is below the three before it."""
    tried, side = lane.wholes[ST_TRY_BAR], int(lane.gates[g.ST_PIVOT_BARS])
    if bar - tried < side:
        return False
    least = low_of(lane, tried - 1)
    for step in range(2, side + 1):
        least = min(least, low_of(lane, tried - step))
    return bool(least > lane.reals[ST_LOW])


@kernel
def accept_test(lane: Lane) -> bool:
    """The gates of 3.4 on the confirmed swing low."""
    gates, reals, tried = lane.gates, lane.reals, int(lane.wholes[ST_TRY_BAR])
    low = reals[ST_LOW]
    height = reals[AR_HIGH] - reals[SC_LOW]
    if low < reals[SC_LOW] - gates[g.ST_UNDER_ATR] * reals[ST_ATR]:
        return False
    if low > reals[SC_LOW] + gates[g.ST_UPPER_FRACTION] * height:
        return False
    if vr_of(lane, tried) > gates[g.ST_VR_FRACTION] * reals[SC_VR]:
        return False
    if sr_of(lane, tried) > gates[g.ST_SR_FRACTION] * reals[SC_SR]:
        return False
    if lane.wholes[ST_COUNT] > 0 and tried - lane.wholes[ST_BAR] < gates[g.ST_SEPARATION_BARS]:
        return False
    if lane.wholes[ST_COUNT] > 0 and not bounced(lane, int(lane.wholes[ST_BAR]), tried):
        return False
    record_test(lane, tried, (low - reals[SC_LOW]) / height)
    return True


@kernel
def bounced(lane: Lane, last: int, tried: int) -> bool:
    """Did price rise by an ATR from the last test before it came to this one?"""
    if lane.bar - last > MOST_TRY_BARS:
        return True
    low = low_of(lane, last)
    for bar in range(last + 1, tried):
        if high_of(lane, bar) - low >= lane.gates[g.ST_BOUNCE_ATR] * atr_of(lane, bar):
            return True
    return False


@kernel
def record_test(lane: Lane, tried: int, depth: float) -> None:
    """Parts: volume drop, spread drop, proximity, holds the low, close; supply costs points.

    `depth` is where the low lies between climax and rally, 0..1, negative below the climax.
    """
    reals, wholes = lane.reals, lane.wholes
    volume, spread = vr_of(lane, tried) / reals[SC_VR], sr_of(lane, tried) / reals[SC_SR]
    under = (reals[SC_LOW] - reals[ST_LOW]) / reals[ST_ATR]
    score = (
        part(lane, g.ST_WEIGHTS, ramp(volume, 0.8, 0.4))
        + part(lane, g.ST_WEIGHTS, ramp(spread, 0.9, 0.4))
        + part(lane, g.ST_WEIGHTS, ramp(depth, lane.gates[g.ST_UPPER_FRACTION], 1 / 3))
        + part(lane, g.ST_WEIGHTS, ramp(under, 0.75, 0.0))
        + part(lane, g.ST_WEIGHTS, ramp(cp_of(lane, tried), 0.3, 0.7))
    )
    if under > 0.0 and volume >= lane.gates[g.ST_SUPPLY_VR]:
        score = max(0.0, score - lane.gates[g.ST_SUPPLY_POINTS])
    count = wholes[ST_COUNT]
    reals[ST_SCORE] = score if count == 0 else (reals[ST_SCORE] * count + score) / (count + 1)
    reals[ST_LAST_VR] = vr_of(lane, tried)
    if count == 0:
        reals[ST_FIRST_VR] = reals[ST_LAST_VR]
    wholes[ST_COUNT], wholes[ST_BAR] = count + 1, tried
    lower_support(lane, reals[ST_LOW])
    emit(lane, k.ST, tried, reals[ST_LOW], score)


@kernel
def closes_inside(lane: Lane) -> bool:
    return bool(lane.reals[SUPPORT] <= close_of(lane, lane.bar) <= lane.reals[RESISTANCE])
