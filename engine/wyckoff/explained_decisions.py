"""Gates of what decides a range: spring and its test, shakeout, upthrust, breakout, backup.

As in `explained_beginnings`: the newest bar, the kernels' own functions, earlier steps of the bar done.
"""

import numpy as np

from engine.messages import EventKind
from engine.wyckoff import gates as g
from engine.wyckoff.backup import pullback, pullback_effort, turns_up
from engine.wyckoff.edges import B
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
from engine.wyckoff.features import close_of, high_of, low_of, sr_of, vr_of
from engine.wyckoff.layout import (
    ATR_BEFORE,
    B_BAR,
    CLUSTER,
    INSIDE_BAR,
    IS_ACTIVE,
    IS_WEAK,
    LEG_ATR,
    LEG_BAR,
    LEG_LOW,
    LEG_VR,
    LPS_BAR,
    MINOR_DONE,
    ORIGIN,
    PHASE,
    RECLAIM_BAR,
    RESISTANCE,
    RESISTANCE_STRENGTH,
    SC_BAR,
    SIGNS,
    SOS_BAR,
    SOS_LEG_VR,
    SPRING_LOW,
    SPRING_SR,
    SPRING_VR,
    ST_COUNT,
    SUPPORT,
    TEST_BAR,
    TESTS,
    THRUST_ATR,
    THRUST_BAR,
    THRUST_HIGH,
    TREND,
    TRIAL_BAR,
    TRIAL_HIGH,
    Lane,
)
from engine.wyckoff.ranges import measure
from engine.wyckoff.spring import (
    HEAVY,
    QUIET,
    follow_leg,
    has_background,
    has_effort,
    minimum_cause,
    spring_base,
    spring_type,
    start_leg,
)
from engine.wyckoff.strength import judge_leg


def leg_below(lane: Lane) -> Lane:
    """The lane once the newest bar has been counted into the leg beyond support, where there is one."""
    tried = again(lane)
    low = plain(low_of)(tried, tried.bar)
    if tried.wholes[LEG_BAR] < 0:
        if low >= tried.reals[SUPPORT]:
            return tried
        plain(start_leg)(tried)
    if low < tried.reals[SUPPORT]:
        plain(follow_leg)(tried, low)
    return tried


def spring(lane: Lane) -> Candidate:
    """`lane` has folded the newest bar's volume in and checked its age."""
    found, leg = Gates(lane, EventKind.SPRING), leg_below(lane)
    words, reals, wholes = found.words, leg.reals, leg.wholes
    if wholes[LEG_BAR] < 0:
        found.price(f"{words.low} {words.below} {words.support}", plain(low_of)(leg, leg.bar), UNDER, reals[SUPPORT])
    else:
        _leg_gates(found, leg)
    active = leg.gates[g.RANGE_ACTIVE_BARS]
    found.verdict("age of the range", leg.bar - wholes[SC_BAR] + 1, AT_LEAST, active, BARS, wholes[IS_ACTIVE] == 1)
    found.number("secondary tests", wholes[ST_COUNT], AT_LEAST, 1, COUNT)
    if wholes[ORIGIN] == CLUSTER and leg.gates[g.SPRING_SIGNS] > 0.0 and not wholes[TREND] < 0:
        found.verdict("signs of supply before it", wholes[SIGNS], AT_LEAST, leg.gates[g.SPRING_SIGNS], COUNT,
                      bool(plain(has_background)(leg)))  # fmt: skip
    _cause_gate(found, leg)
    return found.candidate()


def _leg_gates(found: Gates, leg: Lane) -> None:
    words, gates, reals, wholes = found.words, leg.gates, leg.reals, leg.wholes
    kind, atr = plain(spring_type)(leg), reals[LEG_ATR]
    deepest = gates[g.SPRING_SHOCK_ATR] if kind == HEAVY else gates[g.SPRING_DEPTH_ATR]
    depth, most = reals[SUPPORT] - reals[LEG_LOW], min(gates[g.DEPTH_FRACTION] * abs(reals[SUPPORT]), deepest * atr)
    found.price(f"close back {words.above} {words.support}", plain(close_of)(leg, leg.bar), AT_LEAST, reals[SUPPORT])
    found.number(f"depth {words.below} {words.support}", depth, OVER, gates[g.SPRING_EDGE_ATR] * atr, ATR, per=atr)
    found.number(f"depth {words.below} {words.support}", depth, AT_MOST, most, ATR, per=atr)
    found.number(f"bars since the first {words.below} it", leg.bar - wholes[LEG_BAR], AT_MOST,
                 gates[g.SPRING_RECLAIM_BARS], BARS)  # fmt: skip
    if not plain(has_effort)(leg, kind):
        limit = max(gates[g.SPRING_EFFORT_VR], 0.0) or gates[g.SPRING_MOST_VR]
        relation = AT_LEAST if gates[g.SPRING_EFFORT_VR] > 0.0 else UNDER
        found.verdict(f"volume ratio {words.below} it", reals[LEG_VR], relation, limit, RATIO, passes=False)
    elif gates[g.SPRING_EFFORT_VR] > 0.0:
        found.verdict(f"volume ratio {words.below} it, or none at all", reals[LEG_VR], AT_LEAST,
                      gates[g.SPRING_EFFORT_VR], RATIO, passes=True)  # fmt: skip


def _cause_gate(found: Gates, leg: Lane) -> None:
    """Bars of phase B; a very good spring over two tests may come sooner."""
    bars, least = leg.bar - leg.wholes[B_BAR], plain(minimum_cause)(leg)
    passes = bars >= least
    if not passes and leg.wholes[LEG_BAR] >= 0 and leg.wholes[ST_COUNT] >= 2:
        passes = spring_score(leg) > leg.gates[g.B_OVERRIDE_SCORE]
    found.verdict("bars of phase B", bars, AT_LEAST, least, BARS, bool(passes))


def spring_score(leg: Lane) -> float:
    """What the spring would score, as the kernel reckons it before its test."""
    tried, kind = again(leg), plain(spring_type)(leg)
    gates, reals = tried.gates, tried.reals
    plain(measure)(tried)
    deepest = gates[g.SPRING_SHOCK_ATR] if kind == HEAVY else gates[g.SPRING_DEPTH_ATR]
    base = plain(spring_base)(tried, (reals[SUPPORT] - reals[LEG_LOW]) / reals[LEG_ATR], deepest)
    test = g.UTAD_WEIGHTS + 4 if gates[g.SPRING_IS_UPTHRUST] > 0.0 else g.SPRING_WEIGHTS + 6
    return float(base / (1.0 - gates[test] / 100.0) if kind == QUIET else base)


def shakeout(lane: Lane, *, is_spring: bool) -> Candidate:
    """`lane` as for a spring: what is no spring may still have shaken somebody out."""
    found, leg = Gates(lane, EventKind.SHAKE), leg_below(lane)
    words, gates, reals, wholes = found.words, leg.gates, leg.reals, leg.wholes
    if wholes[LEG_BAR] < 0:
        found.price(f"{words.low} {words.below} {words.support}", plain(low_of)(leg, leg.bar), UNDER, reals[SUPPORT])
        return found.candidate()
    depth, most = reals[SUPPORT] - reals[LEG_LOW], gates[g.UT_DEPTH_ATR] * reals[LEG_ATR]
    found.price(f"close back {words.above} {words.support}", plain(close_of)(leg, leg.bar), AT_LEAST, reals[SUPPORT])
    found.number("bars it took", leg.bar - wholes[LEG_BAR], UNDER, gates[g.UT_BACK_BARS], BARS)
    found.number(f"depth {words.below} {words.support}", depth, OVER, 0.0, ATR, per=reals[LEG_ATR])
    found.number(f"depth {words.below} {words.support}", depth, AT_MOST, most, ATR, per=reals[LEG_ATR])
    found.fact("it is no spring", passes=not is_spring)
    return found.candidate()


def upthrust(lane: Lane) -> Candidate:
    """`lane` is in phase B and its support has been watched."""
    found = Gates(lane, EventKind.UT)
    words, gates, reals, started = found.words, lane.gates, lane.reals, int(lane.wholes[THRUST_BAR])
    high, top = plain(high_of)(lane, lane.bar), reals[RESISTANCE]
    if started < 0:
        found.price(f"{words.high} {words.above} {words.resistance}", high, OVER, top)
        if started < -1:
            found.fact(f"a close back {words.below} {words.resistance} since the last time", passes=False)
    bars, atr = (lane.bar - started, reals[THRUST_ATR]) if started >= 0 else (0, lane.levels[ATR_BEFORE])
    reach = max(high, reals[THRUST_HIGH]) if started >= 0 else high
    found.price(f"close back {words.below} {words.resistance}", plain(close_of)(lane, lane.bar), AT_MOST, top)
    found.number("bars it took", bars, UNDER, gates[g.UT_BACK_BARS], BARS)
    found.number(f"reach {words.above} {words.resistance}", reach - top, AT_MOST, gates[g.UT_DEPTH_ATR] * atr, ATR,
                 per=atr)  # fmt: skip
    return found.candidate()


def proof(lane: Lane) -> Candidate:
    """Test of the spring; `lane` is in phase C and its support has been watched."""
    found = Gates(lane, EventKind.TEST)
    words, gates, reals, wholes, bar = found.words, lane.gates, lane.reals, lane.wholes, lane.bar
    if wholes[TRIAL_BAR] >= 0:
        found.price(f"close {words.above} the {words.high} of the test's bar", plain(close_of)(lane, bar), OVER,
                    reals[TRIAL_HIGH])  # fmt: skip
        return found.candidate()
    zone = max(
        gates[g.TEST_ZONE_ATR] * lane.levels[ATR_BEFORE],
        gates[g.TEST_ZONE_FRACTION] * (reals[RESISTANCE] - reals[SPRING_LOW]),
    )
    low, vr, sr = plain(low_of)(lane, bar), plain(vr_of)(lane, bar), plain(sr_of)(lane, bar)
    since = bar - wholes[RECLAIM_BAR]
    found.number("bars since the spring", since, AT_LEAST, 1, BARS)
    found.number("bars since the spring", since, AT_MOST, gates[g.TEST_WINDOW_BARS], BARS)
    found.price(f"{words.low} holds the spring's", low, AT_LEAST, reals[SPRING_LOW])
    found.price(f"{words.low} near the spring's", low, AT_MOST, reals[SPRING_LOW] + zone)
    found.number("volume ratio, against the spring's", vr, AT_MOST, gates[g.TEST_VR_FRACTION] * reals[SPRING_VR], RATIO)
    found.number("spread ratio, against the spring's", sr, AT_MOST, reals[SPRING_SR], RATIO)
    found.fact(f"then a close {words.above} the {words.high} of that bar", passes=False)
    return found.candidate()


def breakout(lane: Lane) -> list[Candidate]:
    """Strong, weak and minor; `lane` is in phase B or C and its levels have been watched."""
    tried = again(lane)
    has_leg, _, score = plain(judge_leg)(tried)
    has_leg = bool(has_leg)
    strong = _strong(lane, has_leg, score)
    made = [strong]
    if lane.wholes[IS_WEAK] == 0:
        weak = Gates(lane, EventKind.BREAKOUT_WEAK)
        _crossing(weak)
        weak.fact("it is no strong one", passes=not strong.passes)
        made.append(weak.candidate())
    if lane.gates[g.HAS_MINOR] > 0.0:
        made.append(_minor(lane, has_leg))
    return made


def crossing_price(lane: Lane) -> float:
    """The close that a breakout needs, in the lane's view."""
    gates, top = lane.gates, lane.reals[RESISTANCE]
    return float(top + max(gates[g.SOS_DISTANCE_ATR] * lane.levels[ATR_BEFORE], gates[g.SOS_FRACTION] * abs(top)))


def _crossing(found: Gates) -> None:
    lane, words = found.lane, found.words
    close = plain(close_of)(lane, lane.bar)
    found.price(f"close clear {words.above} {words.resistance}", close, AT_LEAST, crossing_price(lane))


def _strong(lane: Lane, has_leg: bool, score: float) -> Candidate:
    found = Gates(lane, EventKind.SOS)
    gates, wholes = lane.gates, lane.wholes
    _crossing(found)
    found.fact("a leg on expanding volume and spread", passes=has_leg)
    found.number("secondary tests", wholes[ST_COUNT], AT_LEAST, 1, COUNT)
    active = gates[g.RANGE_ACTIVE_BARS]
    found.verdict("age of the range", lane.bar - wholes[SC_BAR] + 1, AT_LEAST, active, BARS, wholes[IS_ACTIVE] == 1)
    if wholes[PHASE] == B:
        measured = again(lane)
        plain(measure)(measured)
        strength = measured.reals[RESISTANCE_STRENGTH]
        found.number("bars of phase B", lane.bar - wholes[B_BAR], AT_LEAST, plain(minimum_cause)(lane), BARS)
        found.number("score without a spring", score, AT_LEAST, gates[g.SOS_DIRECT_SCORE], POINTS)
        found.number(f"strength of {found.words.resistance}", strength, AT_LEAST, gates[g.SOS_LEVEL_STRENGTH], POINTS)
    return found.candidate()


def _minor(lane: Lane, has_leg: bool) -> Candidate:
    found = Gates(lane, EventKind.SOS_MINOR)
    words, close, top = found.words, plain(close_of)(lane, lane.bar), lane.reals[RESISTANCE]
    near = top - lane.gates[g.SOW_MINOR_ATR] * lane.levels[ATR_BEFORE]
    found.price(f"close at {words.resistance}", close, AT_LEAST, near)
    found.price(f"close not clear {words.above} {words.resistance}", close, UNDER, crossing_price(lane))
    found.fact("a leg on expanding volume and spread", passes=has_leg)
    found.number("secondary tests", lane.wholes[ST_COUNT], AT_LEAST, 1, COUNT)
    found.fact("the first of this approach", passes=bool(lane.wholes[MINOR_DONE] == 0))
    return found.candidate()


def backup(lane: Lane) -> Candidate:
    """`lane` is in phase D or E and its breakout stands."""
    found = Gates(lane, EventKind.LPS)
    words, gates, reals, wholes, bar = found.words, lane.gates, lane.reals, lane.wholes, lane.bar
    level, atr = reals[RESISTANCE], lane.levels[ATR_BEFORE]
    found.number("bars since the breakout", bar - wholes[SOS_BAR], AT_MOST, gates[g.LPS_WINDOW_BARS], BARS)
    if bar - wholes[SOS_BAR] > gates[g.LPS_WINDOW_BARS]:
        return found.candidate()
    low_bar, mean_vr, mean_sr = _pullback_gates(found, int(max(wholes[SOS_BAR], wholes[LPS_BAR])))
    low = plain(low_of)(lane, low_bar)
    found.price(f"{words.low} not far {words.below} {words.resistance}", low, AT_LEAST,
                level - gates[g.LPS_UNDER_ATR] * atr)  # fmt: skip
    found.price(f"{words.low} near {words.resistance}", low, AT_MOST, level + gates[g.LPS_OVER_ATR] * atr)
    found.number("volume ratio of the pullback, against the breakout's", mean_vr, AT_MOST,
                 gates[g.LPS_LEG_FRACTION] * reals[SOS_LEG_VR], RATIO)  # fmt: skip
    _quiet_gates(found, low_bar, mean_sr)
    closes = [plain(close_of)(lane, each) for each in range(int(wholes[SOS_BAR]), bar + 1)]
    found.number(f"{words.lowest} close since the breakout, from {words.resistance}", (min(closes) - level) / atr,
                 AT_LEAST, -gates[g.LPS_UNDER_ATR], ATR)  # fmt: skip
    return found.candidate()


def inside_backup(lane: Lane) -> Candidate:
    """`lane` is in phase C with a test, its support has been watched."""
    found = Gates(lane, EventKind.LPS_INSIDE)
    words, reals, wholes = found.words, lane.reals, lane.wholes
    found.number("tests of the spring", wholes[TESTS], AT_LEAST, 1, COUNT)
    if wholes[TESTS] == 0:
        return found.candidate()
    found.number("bars since the test", lane.bar - wholes[TEST_BAR], OVER, 0, BARS)
    low_bar, _, mean_sr = _pullback_gates(found, int(max(wholes[TEST_BAR], wholes[INSIDE_BAR])))
    width = reals[RESISTANCE] - reals[SUPPORT]
    middle = reals[SUPPORT] + lane.gates[g.LPS_INSIDE_FRACTION] * width
    found.price(f"{words.low} {words.above} the middle of the range", plain(low_of)(lane, low_bar), AT_LEAST, middle)
    _quiet_gates(found, low_bar, mean_sr)
    return found.candidate()


def _pullback_gates(found: Gates, start: int) -> tuple[int, float, float]:
    """The low bar of the pullback since bar `start`, its mean vr and sr."""
    lane, words = found.lane, found.words
    top, low_bar = (int(bar) for bar in plain(pullback)(lane, start))
    found.number("bars of the pullback", low_bar - top, AT_LEAST, lane.gates[g.LPS_PULLBACK_BARS], BARS)
    found.number(f"bars since its {words.low}", lane.bar - low_bar, AT_MOST, lane.gates[g.LPS_CONFIRM_BARS], BARS)
    close, high = plain(close_of)(lane, lane.bar), plain(high_of)(lane, low_bar)
    turns = bool(plain(turns_up)(lane, low_bar))
    sign = lane.sign
    found.verdict(f"first close {words.above} the {words.high} of that bar", sign * close,
                  OVER if sign > 0.0 else UNDER, sign * high, "price", turns)  # fmt: skip
    if low_bar == top:
        return low_bar, np.nan, np.nan
    mean_vr, mean_sr = plain(pullback_effort)(lane, top, low_bar)
    return low_bar, float(mean_vr), float(mean_sr)


def _quiet_gates(found: Gates, low_bar: int, mean_sr: float) -> None:
    lane, words = found.lane, found.words
    found.number(f"volume ratio of its {words.low} bar", plain(vr_of)(lane, low_bar), AT_MOST,
                 lane.gates[g.LPS_VR_BAR], RATIO)  # fmt: skip
    found.number("spread ratio of the pullback", mean_sr, AT_MOST, lane.gates[g.LPS_SR_MEAN], RATIO)
    found.number(f"spread ratio of its {words.low} bar", plain(sr_of)(lane, low_bar), OVER, 0.0, RATIO)
