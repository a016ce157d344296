"""What may come next in a lane at its newest bar, each event with its gates, in the order the kernels judge.

The kernels' own steps are taken on a copy between one event's gates and the next's, so that every gate
sees what its kernel saw.
"""

from engine.wyckoff import explained_beginnings as begin
from engine.wyckoff import explained_decisions as decide
from engine.wyckoff import gates as g
from engine.wyckoff.backup import seek_inside_backup
from engine.wyckoff.climax import watch_climax
from engine.wyckoff.edges import NONE, A, B, C, D, E
from engine.wyckoff.explained_gates import Candidate
from engine.wyckoff.explained_lanes import again
from engine.wyckoff.explained_plain import plain
from engine.wyckoff.features import close_of
from engine.wyckoff.layout import (
    AR_BAR,
    CLIMAX,
    CLUSTER,
    CLUSTER_DOWN,
    CLUSTER_UP,
    ORIGIN,
    PHASE,
    RECLAIM_BAR,
    SOFT,
    SPRING_LOW,
    TESTS,
    Lane,
)
from engine.wyckoff.machine import in_phase_a, in_phase_b, in_phase_c, in_phase_d, in_phase_e, step
from engine.wyckoff.phases import fold_volume
from engine.wyckoff.proof import seek_spring_test
from engine.wyckoff.rally import seek_rally
from engine.wyckoff.ranges import check_active
from engine.wyckoff.soft import has_new_swing, hold_swing
from engine.wyckoff.spring import watch_support
from engine.wyckoff.strength import seek_strength
from engine.wyckoff.upthrust import watch_resistance

STEPS = {A: in_phase_a, B: in_phase_b, C: in_phase_c, D: in_phase_d, E: in_phase_e}


def judged(lanes: list[Lane]) -> list[list[Candidate]]:
    """Of each lane of a slot. Lanes are as they were before they judged the newest bar."""
    found = [candidates(lane) for lane in lanes]
    stepped = [again(lane) for lane in lanes]
    if plain(has_new_swing)(lanes[CLUSTER_UP]) or plain(has_new_swing)(lanes[CLUSTER_DOWN]):
        for lane in stepped:
            plain(step)(lane)
    if all(lane.wholes[PHASE] in (NONE, E) for lane in stepped[CLUSTER_UP:]):
        found[CLUSTER_UP].append(begin.cluster(stepped))
    return found


def candidates(lane: Lane) -> list[Candidate]:
    phase = int(lane.wholes[PHASE])
    made: list[Candidate] = []
    if phase == A:
        made = in_a(lane)
    elif phase == B:
        made = in_b(lane)
    elif phase == C:
        made = in_c(lane)
    elif phase in (D, E):
        made = [decide.backup(lane)] if stands(lane) else []
    return made + anew(lane) if lane.number < CLUSTER_UP else made


def in_a(lane: Lane) -> list[Candidate]:
    made = [begin.lower_one(lane)] if lane.wholes[ORIGIN] == CLIMAX else []
    if lane.wholes[AR_BAR] == 0:
        made.append(begin.rally(lane))
        if not made[-1].passes:
            return made
    rallied = again(lane)
    if rallied.wholes[AR_BAR] == 0:
        plain(seek_rally)(rallied)
    return [*made, begin.secondary_test(rallied, held_up=lane)]


def in_b(lane: Lane) -> list[Candidate]:
    lane = again(lane)
    plain(fold_volume)(lane)
    plain(check_active)(lane)
    spring = decide.spring(lane)
    made = [spring, decide.shakeout(lane, is_spring=spring.passes)]
    plain(watch_support)(lane)
    if lane.wholes[PHASE] != B:
        return made
    made.append(decide.upthrust(lane))
    plain(watch_resistance)(lane)
    made += decide.breakout(lane)
    plain(seek_strength)(lane)
    if lane.wholes[PHASE] == B and lane.wholes[ORIGIN] != CLUSTER:
        made.append(begin.secondary_test(lane))
    return made


def in_c(lane: Lane) -> list[Candidate]:
    lane = again(lane)
    plain(fold_volume)(lane)
    if plain(close_of)(lane, lane.bar) < lane.reals[SPRING_LOW]:
        return []
    made, reclaimed = [decide.spring(lane)], lane.wholes[RECLAIM_BAR]
    plain(watch_support)(lane)
    if lane.wholes[PHASE] != C:
        return made
    if lane.wholes[RECLAIM_BAR] == reclaimed:
        if lane.wholes[TESTS] == 0:
            made.append(decide.proof(lane))
        if plain(seek_spring_test)(lane):
            return made
    made.append(decide.inside_backup(lane))
    plain(seek_inside_backup)(lane)
    return made + decide.breakout(lane)


def stands(lane: Lane) -> bool:
    """Phases D and E go on at this bar: it neither fails nor becomes a markup."""
    tried, phase = again(lane), lane.wholes[PHASE]
    plain(in_phase_d if phase == D else in_phase_e)(tried)
    return bool(tried.wholes[PHASE] == phase)


def anew(lane: Lane) -> list[Candidate]:
    """A climax or a soft stop, once the phase has taken its step: what ends at a bar leaves it free."""
    lane, before = again(lane), int(lane.wholes[PHASE])
    if before in STEPS:
        plain(STEPS[before])(lane)
    phase, soft = lane.wholes[PHASE], lane.wholes[ORIGIN] == SOFT
    made = [begin.climax(lane)] if phase in (NONE, E) or (phase == A and soft) else []
    if phase != A or soft:
        plain(watch_climax)(lane)
    if lane.wholes[PHASE] == NONE:
        if plain(has_new_swing)(lane):
            plain(hold_swing)(lane, lane.bar - int(lane.gates[g.PIVOT_BARS]))
        made.append(begin.soft_stop(lane))
    return made
