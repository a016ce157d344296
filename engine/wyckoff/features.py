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
    BARS,
    CAPACITY,
    CLOSE,
    CP,
    HIGH,
    KEPT,
    LOW,
    MIRRORED,
    NEXT,
    ROWS,
    SR,
    TR_SUM,
    VOLUME,
    VR,
    Lane,
)  # fmt: skip


@hot
def volume_ratio(window: Float64, place: int, volume: float, lookback: int) -> float:
    """`volume` over the mean of the `lookback` bars before `place`; NaN where there are fewer."""
    if place < lookback:
        return np.nan
    total = 0.0
    for index in range(place - lookback, place):
        total += window[VOLUME, index]
    return volume / (total / lookback)


@hot
def spread_ratio(window: Float64, place: int, spread: float, lookback: int) -> float:
    """`spread` over the mean spread of the bars before; 0 for a flat bar or a flat past."""
    if place < lookback:
        return np.nan
    total = 0.0
    for index in range(place - lookback, place):
        total += window[HIGH, index] - window[LOW, index]
    return spread / (total / lookback) if spread > 0.0 and total > 0.0 else 0.0


@hot
def close_position(high: float, low: float, close: float) -> float:
    """0 at the low, 1 at the high, 0.5 for a flat bar."""
    return (close - low) / (high - low) if high > low else 0.5


@hot
def make_room(window: Float64, opens: Int64, counts: Int64) -> int:
    """The place of the next bar; a full window first moves its last KEPT bars to the front."""
    place = counts[NEXT]
    if place == CAPACITY:
        shift = CAPACITY - KEPT
        for row in range(ROWS):
            for index in range(KEPT):
                window[row, index] = window[row, index + shift]
        for index in range(KEPT):
            opens[index] = opens[index + shift]
        place = KEPT
    counts[NEXT] = place + 1
    return int(place)


@hot
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


@hot
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
        before = window[CLOSE, at - 1]
        true_range = max(spread, max(abs(high - before), abs(low - before)))
    window[VR, at] = volume_ratio(window, at, volume, int(gates[g.VR_LOOKBACK_BARS]))
    window[SR, at] = spread_ratio(window, at, spread, int(gates[g.SR_LOOKBACK_BARS]))
    window[VOLUME, at] = volume
    window[HIGH, at], window[LOW, at], window[CLOSE, at] = high, low, close
    window[CP, at] = close_position(high, low, close)
    window[MIRRORED + HIGH, at], window[MIRRORED + LOW, at], window[MIRRORED + CLOSE, at] = -low, -high, -close
    window[MIRRORED + CP, at] = close_position(-low, -high, -close)
    opens[at] = open_ns
    fold_true_range(levels, bar, true_range, int(gates[g.ATR_BARS]))
    counts[BARS] = bar + 1
    return at


@hot
def swing(window: Float64, levels: Float64, gates: Float64, view: int, at: int) -> float:
    """The low (in this view) of the bar `pivot_bars` ago if this bar confirms it as a swing, else NaN.

    The first of equal extremes wins, and price must have come back by `swing_atr` since.
    """
    side = int(gates[g.PIVOT_BARS])
    place = at - side
    if place < side:
        return np.nan
    low = window[view + LOW, place]
    highest = window[view + HIGH, place + 1]
    for step in range(1, side + 1):
        if window[view + LOW, place - step] <= low or window[view + LOW, place + step] < low:
            return np.nan
        highest = max(highest, window[view + HIGH, place + step])
    return low if highest - low >= gates[g.SWING_ATR] * levels[ATR_BEFORE] else np.nan


@kernel
def is_climactic(lane: Lane) -> bool:
    """vr reaches clamp(percentile of the trailing window, floor, ceiling); the ceiling until it is full.

    No sort: vr is at or above the percentile when at least `rank` of the window are not above it.
    """
    vr = lane.window[VR, lane.at]
    if vr >= lane.gates[g.SC_VR_CEILING]:
        return True
    length = int(lane.gates[g.PERCENTILE_BARS])
    if not vr >= lane.gates[g.SC_VR_FLOOR] or lane.bar < length + lane.gates[g.VR_LOOKBACK_BARS]:
        return False
    below = 0
    for index in range(lane.at - length, lane.at):
        below += lane.window[VR, index] <= vr
    return bool(below >= lane.gates[g.PERCENTILE_RANK])


@hot
def place_of(lane: Lane, bar: int) -> int:
    """Where bar number `bar` lies in the window."""
    return lane.at - (lane.bar - bar)


@hot
def low_of(lane: Lane, bar: int) -> float:
    return float(lane.window[lane.offset + LOW, lane.at - (lane.bar - bar)])


@hot
def high_of(lane: Lane, bar: int) -> float:
    return float(lane.window[lane.offset + HIGH, lane.at - (lane.bar - bar)])


@hot
def close_of(lane: Lane, bar: int) -> float:
    return float(lane.window[lane.offset + CLOSE, lane.at - (lane.bar - bar)])


@kernel
def ramp(value: float, start: float, end: float) -> float:
    """0 at `start`, 1 at `end`, linear between, flat beyond; falls when end < start."""
    share = (value - start) / (end - start)
    return min(1.0, max(0.0, share))
