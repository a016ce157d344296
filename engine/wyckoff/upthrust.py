"""Upthrust and shakeout: short excursions beyond the levels in phase B (rule book 3.5). Evidence, no trades.

An upthrust goes above resistance and is back at a close within three bars; a shakeout is its
counterpart below support that was no spring. Both move the confidence of the range; on the side
of distribution shakeouts, upthrusts in real prices, are the signs of supply an upthrust needs.
"""

from engine.kernels import kernel
from engine.wyckoff import gates as g
from engine.wyckoff import kinds as k
from engine.wyckoff.features import close_of, cp_of, high_of, ramp, vr_of
from engine.wyckoff.layout import (
    ATR_BEFORE,
    LEG_ATR,
    LEG_BAR,
    LEG_LOW,
    LEG_LOW_BAR,
    RESISTANCE,
    SIGNS,
    SOS_KIND,
    SOS_KNOWN_NS,
    SOS_NS,
    SUPPORT,
    THRUST_ATR,
    THRUST_BAR,
    THRUST_HIGH,
    THRUST_HIGH_BAR,
    THRUSTS,
    Lane,
)  # fmt: skip
from engine.wyckoff.phases import add_bias
from engine.wyckoff.records import emit, part, relabel

OUTSIDE = -2
"""In THRUST_BAR: price stayed above for too long; the next upthrust begins after a close back inside."""


@kernel
def watch_resistance(lane: Lane) -> None:
    """One bar of phase B."""
    started, top = lane.wholes[THRUST_BAR], lane.reals[RESISTANCE]
    if started >= 0 or (started == -1 and high_of(lane, lane.bar) > top):
        follow_thrust(lane, top)
    elif started == OUTSIDE and close_of(lane, lane.bar) <= top:
        lane.wholes[THRUST_BAR] = -1


@kernel
def follow_thrust(lane: Lane, top: float) -> None:
    gates, reals, wholes, high = lane.gates, lane.reals, lane.wholes, high_of(lane, lane.bar)
    if wholes[THRUST_BAR] < 0:
        wholes[THRUST_BAR] = wholes[THRUST_HIGH_BAR] = lane.bar
        reals[THRUST_HIGH], reals[THRUST_ATR] = high, lane.levels[ATR_BEFORE]
    elif high > reals[THRUST_HIGH]:
        reals[THRUST_HIGH], wholes[THRUST_HIGH_BAR] = high, lane.bar
    bars = lane.bar - wholes[THRUST_BAR]
    if close_of(lane, lane.bar) <= top:
        if bars < gates[g.UT_BACK_BARS] and reals[THRUST_HIGH] - top <= gates[g.UT_DEPTH_ATR] * reals[THRUST_ATR]:
            confirm_thrust(lane, int(wholes[THRUST_HIGH_BAR]), bars)
        wholes[THRUST_BAR] = -1
    elif bars + 1 >= gates[g.UT_BACK_BARS]:
        wholes[THRUST_BAR] = OUTSIDE


@kernel
def confirm_thrust(lane: Lane, bar: int, bars: int) -> int:
    """Parts: volume (1 to 2), low close, speed. A loud one that closes low costs confidence."""
    vr, cp = vr_of(lane, bar), cp_of(lane, bar)
    score = (
        part(lane, g.UT_WEIGHTS, ramp(vr, 1.0, 2.0))
        + part(lane, g.UT_WEIGHTS, ramp(cp, 0.5, 0.0))
        + part(lane, g.UT_WEIGHTS, ramp(bars, 2.0, 0.0))
    )
    lane.wholes[THRUSTS] += 1
    if is_heavy(lane, bar):
        add_bias(lane, -lane.gates[g.UT_POINTS])
    return emit(lane, k.UT, bar, high_of(lane, bar), score)


@kernel
def is_heavy(lane: Lane, bar: int) -> bool:
    """High volume that closes low: supply."""
    return bool(vr_of(lane, bar) >= lane.gates[g.UT_VR] and cp_of(lane, bar) <= lane.gates[g.UT_CP])


@kernel
def retag_breakout(lane: Lane, bar: int, bars: int) -> None:
    """A failed breakout whose highest bar met supply was an upthrust (T12)."""
    row = confirm_thrust(lane, bar, bars)
    relabel(lane, row, lane.wholes[SOS_KIND], lane.wholes[SOS_NS], lane.wholes[SOS_KNOWN_NS])


@kernel
def shake_out(lane: Lane) -> None:
    """A leg below support that closed back soon and was no spring. Parts: volume, close, speed."""
    gates, reals, wholes = lane.gates, lane.reals, lane.wholes
    bars, depth = lane.bar - wholes[LEG_BAR], reals[SUPPORT] - reals[LEG_LOW]
    if bars >= gates[g.UT_BACK_BARS] or not 0.0 < depth <= gates[g.UT_DEPTH_ATR] * reals[LEG_ATR]:
        return
    cp = cp_of(lane, lane.bar)
    score = (
        part(lane, g.UT_WEIGHTS, ramp(vr_of(lane, int(wholes[LEG_LOW_BAR])), 1.0, 2.0))
        + part(lane, g.UT_WEIGHTS, ramp(cp, 0.5, 1.0))
        + part(lane, g.UT_WEIGHTS, ramp(bars, 2.0, 0.0))
    )
    wholes[SIGNS] += 1
    if cp >= gates[g.SHAKE_CP]:
        add_bias(lane, gates[g.SHAKE_POINTS])
    emit(lane, k.SHAKE, int(wholes[LEG_LOW_BAR]), reals[LEG_LOW], score)
