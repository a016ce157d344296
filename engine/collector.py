"""The garbage collector under a long run: what is loaded stays out of its sight.

The line makes many small objects that die young and none that form cycles; full collections over
everything that is loaded only stall it (0.8 s over two million objects, measured).
"""

import gc

YOUNG_OBJECTS = 50_000
"""Allocations between collections of the youngest generation; Python's default is 700."""


def settle() -> None:
    """Call once, after everything is loaded and before the first fact."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, 20, 100)
