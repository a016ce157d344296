"""Effort against result: the class of a bar and the VSA bars (rule book 1.4, 1.5), as labels of events.

A code is positive for an up bar and negative for a down bar, so that the mirror of a bar has the
negated code. Labels explain; no event is gated by one.
"""

import numpy as np

from engine.blocks import Float64
from engine.kernels import kernel
from engine.wyckoff.features import close_position
from engine.wyckoff.layout import ATR_ROW, CLOSE, HIGH, LOW, SR, VOLUME, VR

NORMAL, CLIMACTIC, ABSORBED, NO_INTEREST, EASE = range(5)
"""NO_INTEREST is no demand on an up bar, no supply on a down bar."""

EFFORTS = {
    0: "NORMAL", 1: "CLIMAX_UP", -1: "CLIMAX_DOWN", 2: "ABSORB_UP", -2: "ABSORB_DOWN", 3: "NO_DEMAND",
    -3: "NO_SUPPLY", 4: "EASE_UP", -4: "EASE_DOWN",
}  # fmt: skip

PLAIN, UNWANTED, STOPPING, UPTHRUST = range(4)

VSA_BARS = {
    0: "", 1: "NO_DEMAND", -1: "NO_SUPPLY", 2: "STOPPING_VOLUME_UP", -2: "STOPPING_VOLUME", 3: "UPTHRUST",
    -3: "DOWNTHRUST",
}  # fmt: skip

BACKGROUND_BARS = 20
DECLINE_BARS, DECLINE_ATR = 60, 4.0
"""Stopping volume stops a fall: the prior move that a climax asks for."""


@kernel
def effort_class(vr: float, sr: float, change: float, lean: float) -> int:
    """`change` is the close against the close before, `lean` the close against the bar's middle.

    A missing ratio makes a bar normal. The rule book's bounds are inclusive.
    """
    kind = NORMAL
    if (vr >= 2.0 and sr >= 1.0) or (vr >= 1.5 and sr >= 1.5):
        kind = CLIMACTIC
    elif vr >= 1.4 and sr <= 0.8:
        kind = ABSORBED
    elif vr <= 0.6 and sr <= 0.8:
        kind = NO_INTEREST
    elif sr >= 1.2 and vr < 0.8:
        kind = EASE
    direction = change if change != 0.0 else lean
    return kind if direction > 0.0 else -kind if direction < 0.0 else NORMAL


@kernel
def effort_at(window: Float64, place: int) -> int:
    change = window[CLOSE + place] - window[CLOSE + place - 1]
    lean = (window[CLOSE + place] - window[LOW + place]) - (window[HIGH + place] - window[CLOSE + place])
    return effort_class(window[VR + place], window[SR + place], change, lean)


@kernel
def lean_of_volume(window: Float64, place: int) -> float:
    """> 0 where down bars carried more volume than up bars in the 20 bars up to `place`: weakness."""
    ups, downs, up_vr, down_vr = 0, 0, 0.0, 0.0
    for index in range(max(1, place - BACKGROUND_BARS + 1), place + 1):
        change = window[CLOSE + index] - window[CLOSE + index - 1]
        if change > 0.0:
            ups += 1
            up_vr += window[VR + index]
        elif change < 0.0:
            downs += 1
            down_vr += window[VR + index]
    return down_vr * ups - up_vr * downs


@kernel
def came_down(window: Float64, place: int, sign: float) -> bool:
    """Did price fall at least 4 ATR (in the view of `sign`) from its high of 60 bars to this close?"""
    high_row = HIGH if sign > 0.0 else LOW
    highest = sign * window[high_row + place]
    for index in range(max(0, place - DECLINE_BARS + 1), place):
        highest = max(highest, sign * window[high_row + index])
    return bool(highest - sign * window[CLOSE + place] >= DECLINE_ATR * window[ATR_ROW + place])


@kernel
def vsa_at(window: Float64, place: int, newest: int) -> int:
    """The VSA bar at `place`, as far as the bars up to `newest` tell; 0 for none."""
    change = window[CLOSE + place] - window[CLOSE + place - 1]
    later = window[CLOSE + place + 1] - window[CLOSE + place] if newest > place else 0.0
    volume, vr, sr = window[VOLUME + place], window[VR + place], window[SR + place]
    sign = 1.0 if change > 0.0 else -1.0
    cp = close_position(window[HIGH + place], window[LOW + place], window[CLOSE + place])
    quiet = sr < 0.8 and volume < window[VOLUME + place - 1] and volume < window[VOLUME + place - 2]
    if quiet and change * later < 0.0 and sign * lean_of_volume(window, place) > 0.0:
        return int(sign) * UNWANTED
    off = (cp if sign < 0.0 else 1.0 - cp) >= 0.5
    if vr >= 2.0 and off and change * later < 0.0 and came_down(window, place, -sign):
        return int(sign) * STOPPING
    return thrust_at(window, place, cp)


@kernel
def thrust_at(window: Float64, place: int, cp: float) -> int:
    """A wide bar to a new extreme of five bars that closes at its other end, against a weak background."""
    if not (window[SR + place] >= 1.2 and window[VR + place] >= 1.0):
        return PLAIN
    high, low = window[HIGH + place], window[LOW + place]
    highest, lowest = -np.inf, np.inf
    for index in range(place - 5, place):
        highest, lowest = max(highest, window[HIGH + index]), min(lowest, window[LOW + index])
    lean = lean_of_volume(window, place)
    if high > highest and cp <= 0.3 and lean > 0.0:
        return UPTHRUST
    return -UPTHRUST if low < lowest and 1.0 - cp <= 0.3 and lean < 0.0 else PLAIN


@kernel
def median_ratio(window: Float64, place: int, lookback: int) -> float:
    """Volume over the median of the bars before: what one giant bar does not distort (1.1)."""
    lower, upper, index = np.nan, np.nan, place - lookback
    while index < place and (np.isnan(lower) or np.isnan(upper)):
        value, below, level = window[VOLUME + index], 0, 0
        for other in range(place - lookback, place):
            below += window[VOLUME + other] < value
            level += window[VOLUME + other] <= value
        if below <= (lookback - 1) // 2 < level:
            lower = value
        if below <= lookback // 2 < level:
            upper = value
        index += 1
    return float(window[VOLUME + place] / ((lower + upper) / 2))
