"""What a slot shows of its lanes: the phase of the one we are surest of, and what changes is recorded.

On equal confidence what was shown stays; else the event range before the cluster range, and of the
two sides of a cluster range the one that goes on the way price came.
"""

from engine.blocks import Float64, Int64
from engine.kernels import hot, kernel
from engine.wyckoff.edges import NONE, A
from engine.wyckoff.layout import (
    CLUSTER_UP,
    CONFIDENCE,
    LANES,
    PHASE,
    REALS,
    SHOWN_LANE,
    SHOWN_PHASE,
    SHOWN_SIDE,
    TREND,
    WHOLES,
)  # fmt: skip

NOBODY = -1


@hot
def side_of(lane: int) -> int:
    return 1 if lane % 2 == 0 else -1


@kernel
def surest(counts: Int64, reals: Float64, wholes: Int64) -> int:
    """The lane to show, or NOBODY. `reals` and `wholes` are those of all lanes of the slot."""
    best, shown = 0.0, int(counts[SHOWN_LANE]) if counts[SHOWN_SIDE] != 0 else NOBODY
    found, equals, keeps = NOBODY, 0, False
    for lane in range(LANES):
        if wholes[lane * WHOLES + PHASE] < A:
            continue
        confidence = reals[lane * REALS + CONFIDENCE]
        if found == NOBODY or confidence > best:
            found, best, equals, keeps = lane, confidence, 1, lane == shown
        elif confidence == best:
            equals += 1
            keeps = keeps or lane == shown
    if equals <= 1:
        return found
    return shown if keeps else settle_tie(reals, wholes, best)


@kernel
def settle_tie(reals: Float64, wholes: Int64, best: float) -> int:
    """Among equals: the only side there is, else the side of a cluster range's trend, else nobody."""
    up, down = NOBODY, NOBODY
    for lane in range(LANES - 1, -1, -1):
        if wholes[lane * WHOLES + PHASE] >= A and reals[lane * REALS + CONFIDENCE] == best:
            up, down = (lane, down) if side_of(lane) > 0 else (up, lane)
    if up == NOBODY or down == NOBODY:
        return max(up, down)
    if up >= CLUSTER_UP and down >= CLUSTER_UP:
        return up if wholes[up * WHOLES + TREND] > 0 else down if wholes[down * WHOLES + TREND] > 0 else NOBODY
    return NOBODY


@kernel
def has_changed(counts: Int64, wholes: Int64, lane: int) -> bool:
    phase, side = (NONE, 0) if lane == NOBODY else (int(wholes[lane * WHOLES + PHASE]), side_of(lane))
    moved = side != 0 and lane != counts[SHOWN_LANE]
    return bool(moved or phase != counts[SHOWN_PHASE] or side != counts[SHOWN_SIDE])
