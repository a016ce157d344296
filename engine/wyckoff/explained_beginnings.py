"""Gates of what begins a range: climax, soft stop, automatic rally, secondary test, levels touched twice.

Each function judges the newest bar of a lane whose earlier steps at this bar are done, and names what the
kernels compare there, with the kernels' own functions.
"""

import numpy as np

from engine.messages import EventKind
from engine.wyckoff import gates as g
from engine.wyckoff.climax import is_climax, is_loud, is_lowest, lower_climax, prior_move
from engine.wyckoff.clusters import SCRATCH, better, nothing, overlaps, seek_cluster, seen_from_above
from engine.wyckoff.clusters import Candidate as SwingPair
from engine.wyckoff.explained_gates import (
    AT_LEAST,
    AT_MOST,
    ATR,
    BARS,
    COUNT,
    OVER,
    POINTS,
    RATIO,
    UNDER,
    Candidate,
    Gates,
)
from engine.wyckoff.explained_lanes import again
from engine.wyckoff.explained_plain import plain
from engine.wyckoff.features import atr_of, close_of, cp_of, high_of, is_climactic, low_of, sr_of, vr_of
from engine.wyckoff.layout import (
    AR_BAR,
    AR_HIGH,
    ATR_BEFORE,
    CLIMAX,
    CLIMAX_BAR,
    CLIMAX_LOW,
    CLIMAX_MIDDLE,
    CLUSTER_DOWN,
    CLUSTER_UP,
    EDGE_VOLUME,
    ORIGIN,
    SC_ATR,
    SC_BAR,
    SC_LOW,
    SC_SR,
    SC_VR,
    SOFT,
    SOFT_ATR,
    SOFT_BAR,
    SOFT_HIGH,
    SOFT_LOW,
    SR,
    ST_ATR,
    ST_BAR,
    ST_COUNT,
    ST_HIGH,
    ST_LOW,
    ST_TRY_BAR,
    ST_WAITS,
    SUPPORT,
    VOLUME,
    VR,
    Lane,
)
from engine.wyckoff.machine import yields_to_climax
from engine.wyckoff.rally import MOST_TRY_BARS, bounced, is_pivot
from engine.wyckoff.soft import has_new_swing


def climax(lane: Lane) -> Candidate:
    """A bar that is one by itself, or a candidate that waits for a close above its middle."""
    if lane.wholes[CLIMAX_BAR] >= 0 and not (plain(is_loud)(lane) and plain(is_climax)(lane)):
        return pending_climax(Gates(lane, EventKind.SC))
    found = Gates(lane, EventKind.SC)
    words, gates, window, at = found.words, lane.gates, lane.window, lane.at
    found.number("spread ratio", window[SR + at], AT_LEAST, gates[g.SC_SR], RATIO)
    reached = plain(is_climactic)(lane) and window[VR + at] >= gates[g.SC_VR_FLOOR]
    found.verdict("volume ratio", window[VR + at], AT_LEAST, climactic_limit(lane), RATIO, reached)
    if lane.levels[EDGE_VOLUME] > 0.0:
        found.number("volume at this time of day", window[VOLUME + at], AT_LEAST, lane.levels[EDGE_VOLUME], COUNT)
    bars = int(gates[g.SC_LOW_BARS])
    lowest = min(plain(low_of)(lane, bar) for bar in range(lane.bar - bars + 1, lane.bar + 1))
    found.price(f"{words.low}, the {words.lowest} of {bars} bars", plain(low_of)(lane, lane.bar), AT_MOST, lowest)
    assert plain(is_lowest)(lane, bars) == (plain(low_of)(lane, lane.bar) == lowest)
    prior = plain(prior_move)(lane, lane.bar)
    found.number(f"{words.fall} into it over {int(gates[g.PRIOR_MOVE_BARS])} bars", prior, AT_LEAST,
                 gates[g.SC_PRIOR_ATR], ATR)  # fmt: skip
    found.close_position(f"close off its {words.low}", plain(cp_of)(lane, lane.bar), AT_LEAST, 0.5)
    return found.candidate()


def climactic_limit(lane: Lane) -> float:
    """The volume ratio that the newest bar must reach: clamp(percentile of the window, floor, ceiling)."""
    gates, length = lane.gates, int(lane.gates[g.PERCENTILE_BARS])
    if lane.bar < length + gates[g.VR_LOOKBACK_BARS]:
        return float(gates[g.SC_VR_CEILING])
    place = VR + lane.at
    usual = np.sort(lane.window[place - length : place])[int(gates[g.PERCENTILE_RANK]) - 1]
    return float(min(gates[g.SC_VR_CEILING], max(gates[g.SC_VR_FLOOR], usual)))


def pending_climax(found: Gates) -> Candidate:
    lane, words = found.lane, found.words
    age, middle = lane.bar - lane.wholes[CLIMAX_BAR], lane.reals[CLIMAX_MIDDLE]
    found.number("bars since the climactic bar", age, AT_MOST, lane.gates[g.SC_CONFIRM_BARS], BARS)
    if age == 0:
        found.close_position(f"close off its {words.low}", plain(cp_of)(lane, lane.bar), AT_LEAST, 0.5)
    else:
        found.price(f"close {words.above} the middle of the climactic bar", plain(close_of)(lane, lane.bar), OVER,
                    middle)  # fmt: skip
    return found.candidate()


def lower_one(lane: Lane) -> Candidate:
    """Phase A: a lower climax takes the place of the first. `lane` is as phase A begins its step."""
    found, tried = Gates(lane, EventKind.SC), again(lane)
    is_new = plain(lower_climax)(tried)
    if lane.wholes[CLIMAX_BAR] >= 0 or is_new:
        return pending_climax(Gates(tried, EventKind.SC))
    reals, words = lane.reals, found.words
    limit = lane.gates[g.SC_AGAIN_VR] * reals[SC_VR]
    least = reals[CLIMAX_LOW] if lane.wholes[CLIMAX_BAR] >= 0 else reals[SC_LOW]
    found.price(f"{words.low} {words.below} the climax", plain(low_of)(lane, lane.bar), UNDER, least)
    found.number("volume ratio, against the climax's", lane.window[VR + lane.at], AT_LEAST, limit, RATIO)
    found.number("spread ratio", lane.window[SR + lane.at], OVER, 0.0, RATIO)
    if lane.levels[EDGE_VOLUME] > 0.0:
        volume, edge = lane.window[VOLUME + lane.at], lane.levels[EDGE_VOLUME]
        found.number("volume at this time of day", volume, AT_LEAST, edge, COUNT)
    return found.candidate()


def soft_stop(lane: Lane) -> Candidate:
    """`lane` holds the newest swing already, where it ended a fall."""
    found = Gates(lane, EventKind.SOFT_STOP)
    words, reals, gates, bar = found.words, lane.reals, lane.gates, lane.bar
    held = int(lane.wholes[SOFT_BAR])
    if held < 0:
        if plain(has_new_swing)(lane):
            pivot = bar - int(gates[g.PIVOT_BARS])
            found.number(f"{words.fall} into the swing {words.low}", plain(prior_move)(lane, pivot), AT_LEAST,
                         gates[g.SOFT_PRIOR_ATR], ATR)  # fmt: skip
        found.fact(f"swing {words.low}, {words.lowest} of {int(gates[g.SOFT_LOW_BARS])} bars after a {words.fall}",
                   passes=False)  # fmt: skip
        return found.candidate()
    highest = max(reals[SOFT_HIGH], plain(high_of)(lane, bar))
    found.price(f"no {words.low} {words.below} the swing", plain(low_of)(lane, bar), AT_LEAST, reals[SOFT_LOW])
    found.number("bars since the swing", bar - held, AT_MOST, gates[g.AR_MAX_BARS], BARS)
    found.number(f"{words.rise} from the swing", highest - reals[SOFT_LOW], AT_LEAST,
                 gates[g.SOFT_RISE_ATR] * reals[SOFT_ATR], ATR, per=reals[SOFT_ATR])  # fmt: skip
    found.fact("no climax in the making", passes=bool(lane.wholes[CLIMAX_BAR] < 0))
    return found.candidate()


def is_held_up(lane: Lane, found: Gates) -> bool:
    """Phase A waits or ends before rally and test are looked at; as gates of what had to wait."""
    tried, words = again(lane), found.words
    if lane.wholes[ORIGIN] == CLIMAX:
        waits = lane.wholes[CLIMAX_BAR] >= 0 or plain(lower_climax)(tried)
    else:
        waits = lane.wholes[ORIGIN] == SOFT and plain(yields_to_climax)(tried)
    found.fact("no lower climax in the making", passes=not waits)
    under = lane.reals[SUPPORT] - lane.gates[g.RANGE_FAIL_ATR] * lane.levels[ATR_BEFORE]
    close, vr = plain(close_of)(lane, lane.bar), lane.window[VR + lane.at]
    if close < under and vr >= 1.0:
        found.price(f"no close far {words.below} {words.support} on volume", close, AT_LEAST, under)
        return True
    return bool(waits)


def rally(lane: Lane) -> Candidate:
    """`lane` is as phase A begins its step, without a rally."""
    found = Gates(lane, EventKind.AR)
    is_held_up(lane, found)
    words, gates, reals, climax_bar = found.words, lane.gates, lane.reals, int(lane.wholes[SC_BAR])
    if lane.bar <= climax_bar:
        found.number("bars since the climax", lane.bar - climax_bar, AT_LEAST, 1, BARS)
        return found.candidate()
    highs = [plain(high_of)(lane, bar) for bar in range(climax_bar + 1, lane.bar + 1)]
    top = climax_bar + 1 + highs.index(max(highs))
    least = max(gates[g.AR_RISE_ATR] * reals[SC_ATR], gates[g.AR_RISE_FRACTION] * abs(reals[SC_LOW]))
    found.number(f"{words.rise} from the climax", max(highs) - reals[SC_LOW], AT_LEAST, least, ATR, per=reals[SC_ATR])
    found.number(f"bars from the climax to the {words.high}", top - climax_bar, AT_LEAST, gates[g.AR_MIN_BARS], BARS)
    age = lane.bar - climax_bar
    if age >= gates[g.AR_MAX_BARS]:
        found.number("bars since the climax, the last that count", age, AT_LEAST, gates[g.AR_MAX_BARS], BARS)
    else:
        found.number(f"bars the {words.high} was not exceeded", lane.bar - top, AT_LEAST, gates[g.AR_PIVOT_BARS], BARS)
    found.number(f"spread ratio of the {words.high}", plain(sr_of)(lane, top), OVER, 0.0, RATIO)
    return found.candidate()


def secondary_test(lane: Lane, *, held_up: Lane | None = None) -> Candidate:
    """`lane` has a rally and its zigzag has come to the bar before. `held_up` is the lane as phase A began its step."""
    found = Gates(lane, EventKind.ST)
    if held_up is not None:
        is_held_up(held_up, found)
    words, reals, wholes, bar = found.words, lane.reals, lane.wholes, lane.bar
    low = plain(low_of)(lane, bar)
    if held_up is not None:
        found.number("bars since the rally", bar - wholes[AR_BAR], OVER, 0, BARS)
    tried = int(wholes[ST_TRY_BAR])
    if wholes[ST_WAITS] == 1 or low < reals[ST_LOW] or tried < 0:
        found.fact(f"a swing {words.low} to look at", passes=False)
        return found.candidate()
    found.number("spread ratio of this bar", plain(sr_of)(lane, bar), OVER, 0.0, RATIO)
    bounce = lane.gates[g.ST_BOUNCE_ATR] * plain(atr_of)(lane, bar)
    came_back = max(reals[ST_HIGH], plain(high_of)(lane, bar)) - reals[ST_LOW]
    is_swing = bool((came_back >= bounce or plain(is_pivot)(lane, bar)) and bar - tried <= MOST_TRY_BARS)
    found.verdict(f"bounce off the {words.low}, or its three bars hold", came_back / plain(atr_of)(lane, bar), AT_LEAST,
                  lane.gates[g.ST_BOUNCE_ATR], ATR, is_swing)  # fmt: skip
    _accepts(found, tried)
    return found.candidate()


def _accepts(found: Gates, tried: int) -> None:
    """The gates of 3.4 on the tried swing."""
    lane, words = found.lane, found.words
    gates, reals, wholes = lane.gates, lane.reals, lane.wholes
    low, height = reals[ST_LOW], reals[AR_HIGH] - reals[SC_LOW]
    found.price(f"{words.low} not far {words.below} the climax", low, AT_LEAST,
                reals[SC_LOW] - gates[g.ST_UNDER_ATR] * reals[ST_ATR])  # fmt: skip
    found.price(f"{words.low} in the climax's half", low, AT_MOST, reals[SC_LOW] + gates[g.ST_UPPER_FRACTION] * height)
    found.number("volume ratio, against the climax's", plain(vr_of)(lane, tried), AT_MOST,
                 gates[g.ST_VR_FRACTION] * reals[SC_VR], RATIO)  # fmt: skip
    found.number("spread ratio, against the climax's", plain(sr_of)(lane, tried), AT_MOST,
                 gates[g.ST_SR_FRACTION] * reals[SC_SR], RATIO)  # fmt: skip
    if wholes[ST_COUNT] > 0:
        last = int(wholes[ST_BAR])
        found.number("bars since the last test", tried - last, AT_LEAST, gates[g.ST_SEPARATION_BARS], BARS)
        found.fact(f"a bounce of {gates[g.ST_BOUNCE_ATR]:g} ATR since the last test",
                   passes=bool(plain(bounced)(lane, last, tried)))  # fmt: skip


def cluster(lanes: list[Lane]) -> Candidate:
    """A pair of levels, each touched twice, around the swing that this bar confirmed in either view.

    `lanes` are the four of a slot, all of which have taken their step at this bar.
    """
    up, down = lanes[CLUSTER_UP], lanes[CLUSTER_DOWN]
    found, scratch = Gates(up, EventKind.RANGE_FORMED), np.zeros(SCRATCH)
    swings = [plain(has_new_swing)(lane) for lane in (up, down)]
    if not found.fact("a swing confirmed at this bar", passes=any(swings)):
        return found.candidate()
    best = plain(seek_cluster)(up, scratch) if swings[0] else nothing_found()
    if swings[1]:
        best = plain(better)(best, plain(seen_from_above)(plain(seek_cluster)(down, scratch)))
    if best.quality < 0.0:
        found.fact(
            f"two levels with {int(up.gates[g.CLUSTER_TOUCHES])} touches each, of a width and age that fit, "
            f"quality {up.gates[g.RANGE_TRACK_QUALITY]:g} or more",
            passes=False,
        )
        return found.candidate()
    found.number("quality of the best pair of levels", best.quality, AT_LEAST, up.gates[g.RANGE_TRACK_QUALITY], POINTS)
    covered = [plain(overlaps)(lane, best.support, best.resistance) for lane in lanes[:CLUSTER_UP]]
    found.fact("no range of a climax over it", passes=not any(covered))
    return found.candidate()


def nothing_found() -> SwingPair:
    found: SwingPair = plain(nothing)()
    return found
