"""Codes of the kinds of event, phase and origin that records carry, and what they mean.

Kernels name a kind as `k.SC`, through this module: a bare constant would make the compiler build
every function it is passed to once for each constant.
"""

from engine.messages import EventKind, Phase

PHASE_CHANGE, PS, SC, AR, ST, SPRING, TEST, SOS, LPS = range(9)
BREAKOUT_WEAK, SOS_FAILED, SPRING_FAILED, RANGE_FAILED = range(9, 13)
SOFT_STOP, UT, SHAKE, SOS_MINOR, LPS_INSIDE, SUPPLY_WARNING, RANGE_FORMED = range(13, 20)

KINDS = (
    None, EventKind.PS, EventKind.SC, EventKind.AR, EventKind.ST, EventKind.SPRING, EventKind.TEST, EventKind.SOS,
    EventKind.LPS, EventKind.BREAKOUT_WEAK, EventKind.SOS_FAILED, EventKind.SPRING_FAILED, EventKind.RANGE_FAILED,
    EventKind.SOFT_STOP, EventKind.UT, EventKind.SHAKE, EventKind.SOS_MINOR, EventKind.LPS_INSIDE,
    EventKind.SUPPLY_WARNING, EventKind.RANGE_FORMED,
)  # fmt: skip
"""Record codes to event kinds; code 0 is a phase change."""

PHASES = tuple(Phase)
"""Phase codes to phases: WARMUP, NONE, A to E."""

ORIGINS = ("", "CLIMAX", "SOFT_STOP", "CLUSTER")
