"""Automatic rally and secondary test: the two events that turn a climax into a range (3.3, 3.4).

The rally's high is resistance. A secondary test is a swing low in the lower half of the range on
less volume and spread than the climax; in phase A its low may lower support. Swings are found
with a one-ATR zigzag that starts at the rally's high, so two tests are always a bounce apart.
"""

from engine.kernels import hot, kernel
from engine.wyckoff import gates as g
from engine.wyckoff.features import close_of, high_of, low_of, place_of, ramp
from engine.wyckoff.layout import (
    AR_BAR,
    AR_HIGH,
    AR_SCORE,
    ATR_BEFORE,
    CP,
    PHASE,
    RANGE_ATR,
    RESISTANCE,
    SC_ATR,
    SC_BAR,
    SC_LOW,
    SC_PRIOR,
    SC_SR,
    SC_VR,
    SR,
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
    VR,
    Lane,
)  # fmt: skip
from engine.wyckoff.phases import T4, A, move, wipe
from engine.wyckoff.records import AR, ST, emit


@hot
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
    if top - climax >= gates[g.AR_MIN_BARS] and high - low >= least and lane.window[SR, place_of(lane, top)] > 0.0:
        confirm_rally(lane, int(top), high)
    elif expired:
        move(lane, T4)
        wipe(lane)


@kernel
def confirm_rally(lane: Lane, top: int, high: float) -> None:
    """Score: size 50, speed 25, close of its bar 15, share of the prior fall won back 10."""
    reals = lane.reals
    rise = (high - reals[SC_LOW]) / reals[SC_ATR]
    score = (
        50.0 * ramp(rise, 2.0, 5.0)
        + 25.0 * ramp(top - lane.wholes[SC_BAR], 15.0, 5.0)
        + 15.0 * lane.window[lane.offset + CP, place_of(lane, top)]
        + 10.0 * ramp(rise / reals[SC_PRIOR], 0.0, 0.5)
    )
    lane.wholes[AR_BAR], reals[AR_HIGH], reals[AR_SCORE] = top, high, score
    reals[RESISTANCE], reals[RANGE_ATR] = high, lane.levels[ATR_BEFORE]
    emit(lane, AR, top, high, score)
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
    lane.reals[ST_ATR] = lane.levels[ATR_BEFORE]


@hot
def seek_test(lane: Lane, bar: int) -> bool:
    """Move the zigzag on by one bar; emit a secondary test where a swing low is one."""
    reals, low, high = lane.reals, low_of(lane, bar), high_of(lane, bar)
    bounce = lane.gates[g.ST_BOUNCE_ATR] * lane.levels[ATR_BEFORE]
    if lane.window[SR, place_of(lane, bar)] == 0.0:
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
    gates, reals, tried = lane.gates, lane.reals, lane.wholes[ST_TRY_BAR]
    low, place = reals[ST_LOW], place_of(lane, tried)
    height = reals[AR_HIGH] - reals[SC_LOW]
    if low < reals[SC_LOW] - gates[g.ST_UNDER_ATR] * reals[ST_ATR]:
        return False
    if low > reals[SC_LOW] + gates[g.ST_UPPER_FRACTION] * height:
        return False
    if lane.window[VR, place] > gates[g.ST_VR_FRACTION] * reals[SC_VR]:
        return False
    if lane.window[SR, place] > gates[g.ST_SR_FRACTION] * reals[SC_SR]:
        return False
    if lane.wholes[ST_COUNT] > 0 and tried - lane.wholes[ST_BAR] < gates[g.ST_SEPARATION_BARS]:
        return False
    record_test(lane, int(tried), (low - reals[SC_LOW]) / height)
    return True


@kernel
def record_test(lane: Lane, tried: int, depth: float) -> None:
    """Score: volume drop 35, spread drop 20, proximity 15, holds the low 20, close 10; supply costs 10.

    `depth` is where the low lies between climax and rally, 0..1, negative below the climax.
    """
    reals, wholes, place = lane.reals, lane.wholes, place_of(lane, tried)
    volume, spread = lane.window[VR, place] / reals[SC_VR], lane.window[SR, place] / reals[SC_SR]
    under = (reals[SC_LOW] - reals[ST_LOW]) / reals[ST_ATR]
    score = (
        35.0 * ramp(volume, 0.8, 0.4)
        + 20.0 * ramp(spread, 0.9, 0.4)
        + 15.0 * ramp(depth, lane.gates[g.ST_UPPER_FRACTION], 1 / 3)
        + 20.0 * ramp(under, 0.75, 0.0)
        + 10.0 * ramp(lane.window[lane.offset + CP, place], 0.3, 0.7)
    )
    if under > 0.0 and volume >= lane.gates[g.ST_SUPPLY_VR]:
        score = max(0.0, score - lane.gates[g.ST_SUPPLY_POINTS])
    count = wholes[ST_COUNT]
    reals[ST_SCORE] = score if count == 0 else (reals[ST_SCORE] * count + score) / (count + 1)
    reals[ST_LAST_VR] = lane.window[VR, place]
    if count == 0:
        reals[ST_FIRST_VR] = reals[ST_LAST_VR]
    wholes[ST_COUNT], wholes[ST_BAR] = count + 1, tried
    if wholes[PHASE] == A:
        reals[SUPPORT] = min(reals[SUPPORT], reals[ST_LOW])
    emit(lane, ST, tried, reals[ST_LOW], score)


@hot
def closes_inside(lane: Lane) -> bool:
    return bool(lane.reals[SUPPORT] <= close_of(lane, lane.bar) <= lane.reals[RESISTANCE])
