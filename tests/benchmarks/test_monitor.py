"""A short form of the run with a thousand viewers: nobody who reads loses a frame, who never reads is let go."""

import pytest

from tests.benchmarks.monitor import MOST_CUT_S, STUCK_SHARE, measure

VIEWERS = 40


@pytest.mark.timeout(120)
def test_readers_lose_nothing_and_stuck_ones_are_cut() -> None:
    assert VIEWERS * STUCK_SHARE >= 2

    found = measure(VIEWERS, 3.0)

    assert found["lost"] == 0
    assert found["least_frames_per_s"] > 0
    assert found["cut_s"] < MOST_CUT_S
    assert found["with"]["ticks"] > 0
