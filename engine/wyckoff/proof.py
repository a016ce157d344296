"""Test of a spring (rule book 3.7): price comes back towards its low on less volume and spread.

Confirmed by the first close above the high of the test's bar, within three bars. A return on the
spring's volume that closes on its low met supply instead.
"""

from engine.kernels import kernel
from engine.wyckoff import gates as g
from engine.wyckoff import kinds as k
from engine.wyckoff.features import close_of, cp_of, high_of, low_of, ramp, sr_of, vr_of
from engine.wyckoff.layout import (
    ATR_BEFORE,
    RECLAIM_BAR,
    RESISTANCE,
    SPRING_BASE,
    SPRING_LOW,
    SPRING_SR,
    SPRING_TYPE,
    SPRING_VR,
    TEST_BAR,
    TEST_LOW,
    TEST_SCORE,
    TESTS,
    TRIAL_ATR,
    TRIAL_BAR,
    TRIAL_HIGH,
    TRIAL_LOW,
    Lane,
)  # fmt: skip
from engine.wyckoff.records import emit, put_part, set_variant


@kernel
def seek_spring_test(lane: Lane) -> bool:
    """The first test of the spring. True when it met supply instead: back to phase B."""
    wholes, reals, gates = lane.wholes, lane.reals, lane.gates
    if wholes[TRIAL_BAR] >= 0 and wholes[TESTS] == 0:
        if close_of(lane, lane.bar) > reals[TRIAL_HIGH]:
            confirm_spring_test(lane)
        elif lane.bar - wholes[TRIAL_BAR] >= gates[g.TEST_CONFIRM_BARS]:
            wholes[TRIAL_BAR] = -1
    since, low = lane.bar - wholes[RECLAIM_BAR], low_of(lane, lane.bar)
    zone = max(
        gates[g.TEST_ZONE_ATR] * lane.levels[ATR_BEFORE],
        gates[g.TEST_ZONE_FRACTION] * (reals[RESISTANCE] - reals[SPRING_LOW]),
    )
    if since < 1 or since > gates[g.TEST_WINDOW_BARS] or not reals[SPRING_LOW] <= low <= reals[SPRING_LOW] + zone:
        return False
    vr, sr = vr_of(lane, lane.bar), sr_of(lane, lane.bar)
    if vr >= reals[SPRING_VR] and cp_of(lane, lane.bar) < gates[g.TEST_SUPPLY_CP]:
        return True
    quiet = vr <= gates[g.TEST_VR_FRACTION] * reals[SPRING_VR] and 0.0 < sr <= reals[SPRING_SR]
    if quiet and wholes[TESTS] == 0 and (wholes[TRIAL_BAR] < 0 or low < reals[TRIAL_LOW]):
        wholes[TRIAL_BAR], reals[TRIAL_LOW], reals[TRIAL_HIGH] = lane.bar, low, high_of(lane, lane.bar)
        reals[TRIAL_ATR] = lane.levels[ATR_BEFORE]
    return False


@kernel
def confirm_spring_test(lane: Lane) -> None:
    """The spring's score plus the test's weight: half for volume, a quarter each for spread and a higher low.

    Parts: the spring without its test, then the test.
    """
    wholes, reals, trial = lane.wholes, lane.reals, int(lane.wholes[TRIAL_BAR])
    volume, spread = vr_of(lane, trial) / reals[SPRING_VR], sr_of(lane, trial) / reals[SPRING_SR]
    higher = (reals[TRIAL_LOW] - reals[SPRING_LOW]) / reals[TRIAL_ATR]
    share = 0.5 * ramp(volume, 0.8, 0.4) + 0.25 * ramp(spread, 1.0, 0.5) + 0.25 * ramp(higher, 0.0, 0.1)
    weight = lane.gates[g.UTAD_WEIGHTS + 4 if lane.gates[g.SPRING_IS_UPTHRUST] > 0.0 else g.SPRING_WEIGHTS + 6]
    reals[TEST_SCORE] = put_part(lane, reals[SPRING_BASE]) + put_part(lane, weight * share)
    reals[TEST_LOW] = reals[TRIAL_LOW]
    wholes[TESTS] += 1
    wholes[TEST_BAR] = lane.bar
    record = emit(lane, k.TEST, trial, reals[TRIAL_LOW], reals[TEST_SCORE])
    set_variant(lane, record, wholes[SPRING_TYPE])
    wholes[TRIAL_BAR] = -1
