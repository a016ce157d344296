"""Features of one bar: volume and spread ratio, close position, ATR, swings, the volume percentile.

Every number at a bar reads that bar and bars before it in the slot's window. Sums run over fixed
short windows afresh at each bar, so nothing drifts and chunking cannot matter. The ratios are the
"effort" and "result" of Wyckoff's third law (rule book 1.1 to 1.3).
"""

import numpy as np

from engine.blocks import Float64, Int64
from engine.kernels import hot, kernel
from engine.wyckoff import gates as g
from engine.wyckoff.layout import (
    ATR,
    ATR_BEFORE,
    ATR_ROW,
    BARS,
    CAPACITY,
    CLOSE,
    EDGE_VOLUME,
    HIGH,
    KEPT,
    LOW,
    NEXT,
    PIVOT_BAR,
    PIVOT_CP,
    PIVOT_LOW,
    PIVOT_VOLUME,
    PIVOT_VR,
    PIVOTS,
    ROWS,
    SR,
    TR_SUM,
    VOLUME,
    VR,
    Lane,
)  # fmt: skip


@kernel
def volume_ratio(window: Float64, place: int, volume: float, lookback: int) -> float:
    """`volume` over the mean of the `lookback` bars before `place`; NaN where there are fewer.

    Four running sums, because one would make every addition wait for the one before.
    """
    if place < lookback:
        return np.nan
    one = two = three = four = 0.0
    first = place - lookback
    last = place - lookback % 4
    for index in range(first, last, 4):
        one += window[VOLUME + index]
        two += window[VOLUME + index + 1]
        three += window[VOLUME + index + 2]
        four += window[VOLUME + index + 3]
    for index in range(last, place):
        one += window[VOLUME + index]
    return volume / (((one + two) + (three + four)) / lookback)


@kernel
def spread_ratio(window: Float64, place: int, spread: float, lookback: int) -> float:
    """`spread` over the mean spread of the bars before; 0 for a flat bar or a flat past."""
    if place < lookback:
        return np.nan
    one = two = three = four = 0.0
    first = place - lookback
    last = place - lookback % 4
    for index in range(first, last, 4):
        one += window[HIGH + index] - window[LOW + index]
        two += window[HIGH + index + 1] - window[LOW + index + 1]
        three += window[HIGH + index + 2] - window[LOW + index + 2]
        four += window[HIGH + index + 3] - window[LOW + index + 3]
    for index in range(last, place):
        one += window[HIGH + index] - window[LOW + index]
    total = (one + two) + (three + four)
    return spread / (total / lookback) if spread > 0.0 and total > 0.0 else 0.0


@hot
def close_position(high: float, low: float, close: float) -> float:
    """0 at the low, 1 at the high, 0.5 for a flat bar."""
    return (close - low) / (high - low) if high > low else 0.5


@kernel
def make_room(window: Float64, opens: Int64, counts: Int64) -> int:
    """The place of the next bar; a full window first moves its last KEPT bars to the front."""
    place = counts[NEXT]
    if place == CAPACITY:
        shift = CAPACITY - KEPT
        for row in range(0, ROWS * CAPACITY, CAPACITY):
            for index in range(row, row + KEPT):
                window[index] = window[index + shift]
        for index in range(KEPT):
            opens[index] = opens[index + shift]
        place = KEPT
    counts[NEXT] = place + 1
    return int(place)


@kernel
def fold_true_range(levels: Float64, bar: int, true_range: float, length: int) -> None:
    """Wilder's ATR: the mean of the first `length` ranges, then smoothed; NaN before."""
    levels[ATR_BEFORE] = levels[ATR]
    if bar < length:
        levels[TR_SUM] = true_range + (levels[TR_SUM] if bar > 0 else 0.0)
        levels[ATR] = levels[TR_SUM] / length if bar == length - 1 else np.nan
        if bar == 0:
            levels[ATR_BEFORE] = np.nan
    else:
        levels[ATR] = (levels[ATR] * (length - 1) + true_range) / length


@kernel
def push(
    window: Float64, opens: Int64, levels: Float64, counts: Int64, gates: Float64,
    high: float, low: float, close: float, volume: float, open_ns: int,
) -> int:  # fmt: skip
    """Take a bar with volume into the window and return its place there."""
    bar = counts[BARS]
    at = make_room(window, opens, counts)
    spread = high - low
    true_range = spread
    if bar > 0:
        before = window[CLOSE + at - 1]
        true_range = max(spread, max(abs(high - before), abs(low - before)))
    effort = true_range if gates[g.SR_TRUE_RANGE] > 0.0 and spread > 0.0 else spread
    window[VR + at] = volume_ratio(window, at, volume, int(gates[g.VR_LOOKBACK_BARS]))
    window[SR + at] = spread_ratio(window, at, effort, int(gates[g.SR_LOOKBACK_BARS]))
    window[VOLUME + at] = volume
    window[HIGH + at], window[LOW + at], window[CLOSE + at] = high, low, close
    opens[at] = open_ns
    fold_true_range(levels, bar, true_range, int(gates[g.ATR_BARS]))
    window[ATR_ROW + at] = levels[ATR_BEFORE]
    counts[BARS] = bar + 1
    return at


@kernel
def swing(window: Float64, atr: float, gates: Float64, sign: float, at: int) -> float:
    """The low (in the view of `sign`) of the bar `pivot_bars` ago if this bar confirms it as a swing, else NaN.

    The first of equal extremes wins, and price must have come back by `swing_atr` since.
    """
    side = int(gates[g.PIVOT_BARS])
    place = at - side
    if place < side:
        return np.nan
    low_row, high_row = (LOW, HIGH) if sign > 0.0 else (HIGH, LOW)
    low = sign * window[low_row + place]
    if sign * window[low_row + place + 1] < low or sign * window[low_row + place - 1] <= low:
        return np.nan
    highest = sign * window[high_row + place + 1]
    for step in range(2, side + 1):
        if sign * window[low_row + place - step] <= low or sign * window[low_row + place + step] < low:
            return np.nan
        highest = max(highest, sign * window[high_row + place + step])
    return low if highest - low >= gates[g.SWING_ATR] * atr else np.nan


@kernel
def keep_swing(window: Float64, ring: Float64, seen: int, place: int, bar: int, sign: float) -> None:
    """Put the confirmed swing at `place` into the ring of its view, the `seen`-th of all."""
    low_row, high_row = (LOW, HIGH) if sign > 0.0 else (HIGH, LOW)
    low, high = sign * window[low_row + place], sign * window[high_row + place]
    entry = seen % PIVOTS
    ring[PIVOT_BAR + entry], ring[PIVOT_LOW + entry] = bar, low
    ring[PIVOT_VR + entry], ring[PIVOT_VOLUME + entry] = window[VR + place], window[VOLUME + place]
    ring[PIVOT_CP + entry] = close_position(high, low, sign * window[CLOSE + place])


@kernel
def is_climactic(lane: Lane) -> bool:
    """vr reaches clamp(percentile of the trailing window, floor, ceiling); the ceiling until it is full.

    No sort: vr is at or above the percentile when at least `rank` of the window are not above it.
    """
    if lane.window[VOLUME + lane.at] < lane.levels[EDGE_VOLUME]:
        return False
    vr = lane.window[VR + lane.at]
    if vr >= lane.gates[g.SC_VR_CEILING]:
        return True
    length = int(lane.gates[g.PERCENTILE_BARS])
    if not vr >= lane.gates[g.SC_VR_FLOOR] or lane.bar < length + lane.gates[g.VR_LOOKBACK_BARS]:
        return False
    below = 0
    for index in range(lane.at - length, lane.at):
        below += lane.window[VR + index] <= vr
    return bool(below >= lane.gates[g.PERCENTILE_RANK])


@hot
def place_of(lane: Lane, bar: int) -> int:
    """Where bar number `bar` lies in the window."""
    return lane.at - (lane.bar - bar)


@hot
def low_of(lane: Lane, bar: int) -> float:
    return float(lane.sign * lane.window[(LOW if lane.sign > 0.0 else HIGH) + lane.at - (lane.bar - bar)])


@hot
def high_of(lane: Lane, bar: int) -> float:
    return float(lane.sign * lane.window[(HIGH if lane.sign > 0.0 else LOW) + lane.at - (lane.bar - bar)])


@hot
def close_of(lane: Lane, bar: int) -> float:
    return float(lane.sign * lane.window[CLOSE + lane.at - (lane.bar - bar)])


@hot
def cp_of(lane: Lane, bar: int) -> float:
    return close_position(high_of(lane, bar), low_of(lane, bar), close_of(lane, bar))


@hot
def vr_of(lane: Lane, bar: int) -> float:
    return float(lane.window[VR + lane.at - (lane.bar - bar)])


@hot
def sr_of(lane: Lane, bar: int) -> float:
    return float(lane.window[SR + lane.at - (lane.bar - bar)])


@hot
def atr_of(lane: Lane, bar: int) -> float:
    """ATR of the bar before `bar`: what the tests at `bar` use."""
    return float(lane.window[ATR_ROW + lane.at - (lane.bar - bar)])


@kernel
def ramp(value: float, start: float, end: float) -> float:
    """0 at `start`, 1 at `end`, linear between, flat beyond; falls when end < start."""
    share = (value - start) / (end - start)
    return min(1.0, max(0.0, share))
