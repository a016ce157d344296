"""Every figure with its n; intervals that are the same for the same trades; None where undefined."""

from decimal import Decimal

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import statistics as module
from engine.statistics import Estimate, estimate, longest_run, statistics
from tests.campaigns.test_campaign_performance import trade


def sized(pnl: object, risk: object) -> object:
    return msgspec.structs.replace(trade(pnl, Decimal(str(pnl)) / Decimal(str(risk))), risk=Decimal(str(risk)))


def test_r_of_many_trades_is_weighted_by_their_risk() -> None:
    found = statistics([sized(300, 100), sized(-1_000, 1_000)])

    assert found.r == Decimal(-700) / Decimal(1_100)
    assert found.mean_r.value == 1.0


def test_figures_of_wins_and_losses() -> None:
    found = statistics([trade(300, 3), trade(-100, -1), trade(-100, -1), trade(0, 0), trade(-50, -0.5), trade(50)])

    assert (found.legs, found.wins, found.losses, found.pnl) == (6, 2, 3, 100)
    assert (found.win_rate.n, found.win_rate.value) == (6, 2 / 6)
    assert (found.median_r.n, found.median_r.value) == (5, -0.5)
    assert found.profit_factor == Decimal(350) / Decimal(250)
    assert found.max_consecutive_losses == 2


def test_what_is_undefined_is_none() -> None:
    nothing = statistics([])

    assert (nothing.r, nothing.profit_factor, nothing.max_consecutive_losses) == (None, None, 0)
    assert nothing.win_rate == nothing.mean_r == Estimate(0, None, None, None)
    assert statistics([trade(5, 1)]).profit_factor is None
    assert statistics([trade(5, 1)]).mean_r == Estimate(1, 1.0, None, None)


def test_the_longest_row_of_losses() -> None:
    assert longest_run([]) == 0
    assert longest_run([True, False, True, True, False, False, False]) == 2


def test_an_interval_is_the_same_for_the_same_trades_however_they_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(1).normal(0.3, 1.0, 25)
    first = estimate(values, module._mean)
    np.random.default_rng(5).normal(size=10)

    assert estimate(values, module._mean) == first
    monkeypatch.setattr(module, "MOST_DRAWS", 40 * 25)
    assert estimate(values, module._mean) == first


def test_an_interval_of_a_mean_is_about_that_of_the_normal_theory() -> None:
    values = np.random.default_rng(2).normal(0.5, 2.0, 400)

    found = estimate(values, module._mean)

    assert found.low is not None
    assert found.high is not None
    assert found.low < values.mean() < found.high
    assert found.high - found.low == pytest.approx(2 * 1.645 * values.std() / 20, rel=0.08)


@given(st.lists(st.floats(-100, 100), min_size=2, max_size=30))
def test_an_interval_lies_within_the_sample(values: list[float]) -> None:
    found = estimate(np.array(values), module._median)

    assert found.low is not None
    assert found.high is not None
    assert min(values) <= found.low <= found.high <= max(values)
    assert found.n == len(values)
