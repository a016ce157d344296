"""Memory does not grow with the feed: more market data than the process may hold goes through the line."""

import pytest

from tests.benchmarks.bounded import alone

LIMIT_MB = 320
ROWS = 8_000_000


@pytest.mark.timeout(120)
def test_a_feed_larger_than_memory_goes_through_the_line() -> None:
    found = alone(ROWS, LIMIT_MB)

    assert found["rows"] >= ROWS
    assert found["feed_mb"] > LIMIT_MB
    assert found["peak_mb"] < LIMIT_MB
    assert found["bars"] >= ROWS // 100 - 1
    assert found["decisions"] > 0


@pytest.mark.timeout(60)
def test_the_limit_is_one() -> None:
    """Far less than the line itself needs: the process must fail, or the test above says nothing."""
    with pytest.raises(RuntimeError):
        alone(1_000, 24)
