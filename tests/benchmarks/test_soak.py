"""The short form of `make soak-live`: eighty connections that end, and nothing that grows."""

import pytest

from tests.benchmarks.soak import Sample, _grown, run
from tests.faults.rig import warm_up


@pytest.mark.timeout(300)
def test_eighty_reconnects_leave_nothing_behind() -> None:
    warm_up()

    found = run(minutes=0.35, reconnects=80)

    assert found.failures == []
    assert found.reconnects >= 80
    assert found.rows > 5_000


def test_growth_is_noticed() -> None:
    flat = [Sample(float(second), 200.0, 20, 9, 5) for second in range(40)]
    leaky = [Sample(float(second), 200.0 + second, 20 + second, 9, 5) for second in range(40)]

    assert _grown(flat, 40.0) == []
    assert [text.split()[0] for text in _grown(leaky, 40.0)] == ["files", "rss_mb"]
