"""Phases A to E as a table: which event moves the state machine where (rule book 4.4).

`TRANSITIONS` is the whole machine. Kernels name an edge as `t.T5`, through this module: a bare
constant would make the compiler build every function it is passed to once for each constant.
"""

from enum import IntEnum
from typing import NamedTuple

WARMUP, NONE, A, B, C, D, E = range(7)
"""Phase codes, as in the `phase` column of bars. A failed or completed range is NONE."""


class Edge(IntEnum):
    """Edges T1 to T15 of the rule book; T16 to T19 close what the table leaves open."""

    T1, T2, T3, T4, T5, T6, T7, T8, T9, T10, T11, T12, T13, T14, T15, T16, T17, T18, T19 = range(1, 20)


class Transition(NamedTuple):
    sources: tuple[int, ...]
    target: int
    trigger: str


TRANSITIONS = {
    Edge.T1: Transition((NONE, E), A, "selling climax or soft stop confirmed"),
    Edge.T2: Transition((A,), A, "a lower climax confirmed before any secondary test"),
    Edge.T3: Transition((A,), B, "rally and first secondary test, or 20 closes inside the range"),
    Edge.T4: Transition((A,), NONE, "no rally, no test, no hold, width out of bounds, or a close far below on volume"),
    Edge.T5: Transition((B, C), C, "spring confirmed"),
    Edge.T6: Transition((B,), D, "sign of strength without a spring, strong enough"),
    Edge.T7: Transition((B, C), NONE, "closed far below support, or the spring clock ran out"),
    Edge.T8: Transition((C,), D, "sign of strength after a spring"),
    Edge.T9: Transition((C,), B, "no strength for 60 bars, or the test met supply"),
    Edge.T10: Transition((C,), NONE, "closed below the spring's low"),
    Edge.T11: Transition((D,), E, "closed above the sign of strength after a last point of support"),
    Edge.T12: Transition((D,), B, "the breakout failed or a reaction cancelled it"),
    Edge.T13: Transition((E,), NONE, "the other side built a range, or a close below support"),
    Edge.T14: Transition((A, B, C, D, E), NONE, "sessions are missing"),
    Edge.T15: Transition((B, C), D, "weak breakout and three closes above resistance"),
    Edge.T16: Transition((D,), NONE, "60 bars without markup"),
    Edge.T17: Transition((D,), NONE, "closed below support"),
    Edge.T18: Transition((NONE, E), B, "two levels touched twice each"),
    Edge.T19: Transition((B,), NONE, "a range between a climax and its rally took the levels over"),
}

T1, T2, T3, T4, T5, T6, T7, T8, T9, T10, T11, T12, T13, T14, T15, T16, T17, T18, T19 = range(1, 20)

TARGETS = tuple(TRANSITIONS[Edge(code)].target if code in list(Edge) else NONE for code in range(T19 + 1))
