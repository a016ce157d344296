"""What a sample of trades says, and how little: every figure with its n and a bootstrap interval.

A handful of trades decides nothing, so no mean is shown without the 90 % interval that resampling
the same trades gives. The resampling is seeded by a constant: the same trades, the same interval.
Money is exact; R, its means and the intervals are statistics and are floats.
"""

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from itertools import groupby

import msgspec
import numpy as np
import numpy.typing as npt

from engine.campaigns.lots import total
from engine.campaigns.performance import Trade
from engine.instruments import MONEY

RESAMPLES = 2_000
SEED = 20_010_911
LOWEST, HIGHEST = 5.0, 95.0
"""Percentiles of the resampled figures: 90 % lie between."""

MOST_DRAWS = 1_000_000
"""Draws held in memory at once."""

Floats = npt.NDArray[np.float64]
Figure = Callable[[Floats], Floats]


class Estimate(msgspec.Struct, frozen=True):
    """`low` and `high` bound the bootstrap 90 % interval; None below two values."""

    n: int
    value: float | None
    low: float | None
    high: float | None


class Statistics(msgspec.Struct, frozen=True, kw_only=True):
    """Of closed legs, costs in. A win has R > 0 (P&L > 0 where the first stop is unknown).

    `r` is weighted by risk: all profit over all initial risk. `win_rate` is a fraction 0..1;
    `expectancy` is in account currency a leg. None: undefined, such as a profit factor without losses.
    """

    legs: int
    wins: int
    losses: int
    pnl: Decimal
    costs: Decimal
    risk: Decimal
    r: Decimal | None
    win_rate: Estimate
    mean_r: Estimate
    median_r: Estimate
    expectancy: Estimate
    profit_factor: Decimal | None
    max_consecutive_losses: int
    mean_mfe_r: Estimate
    mean_mae_r: Estimate
    mean_efficiency: Estimate


def statistics(trades: Sequence[Trade]) -> Statistics:
    """`trades` in the order in which they closed."""
    wins = [one.pnl for one in trades if one.pnl > 0]
    losses = [-one.pnl for one in trades if one.pnl < 0]
    measured = [one for one in trades if one.r is not None]
    risk = total([one.risk for one in measured])
    multiples = _column(one.r for one in measured)
    return Statistics(
        legs=len(trades),
        wins=len(wins),
        losses=len(losses),
        pnl=total([one.pnl for one in trades]),
        costs=total([one.costs for one in trades]),
        risk=risk,
        r=MONEY.divide(total([one.pnl for one in measured]), risk) if risk else None,
        win_rate=estimate(_column(one.pnl > 0 for one in trades), _mean),
        mean_r=estimate(multiples, _mean),
        median_r=estimate(multiples, _median),
        expectancy=estimate(_column(one.pnl for one in trades), _mean),
        profit_factor=MONEY.divide(total(wins), total(losses)) if losses else None,
        max_consecutive_losses=longest_run(one.pnl < 0 for one in trades),
        mean_mfe_r=estimate(_column(one.mfe_r for one in trades), _mean),
        mean_mae_r=estimate(_column(one.mae_r for one in trades), _mean),
        mean_efficiency=estimate(_column(one.efficiency for one in trades), _mean),
    )


def longest_run(flags: Iterable[bool]) -> int:
    return max((sum(1 for _ in run) for flag, run in groupby(flags) if flag), default=0)


def estimate(values: Floats, figure: Figure) -> Estimate:
    """A figure of a sample, and the interval that resampling it with replacement gives."""
    if not len(values):
        return Estimate(0, None, None, None)
    value = float(figure(values[np.newaxis])[0])
    if len(values) < 2:
        return Estimate(len(values), value, None, None)
    generator = np.random.Generator(np.random.PCG64(SEED))
    at_once = max(1, MOST_DRAWS // len(values))
    found: list[Floats] = []
    for done in range(0, RESAMPLES, at_once):
        draws = generator.integers(0, len(values), (min(at_once, RESAMPLES - done), len(values)))
        found.append(figure(values[draws]))
    low, high = np.percentile(np.concatenate(found), (LOWEST, HIGHEST)).tolist()
    return Estimate(len(values), value, low, high)


def _column(values: Iterable[Decimal | bool | None]) -> Floats:
    """As floats; what is not known is left out."""
    return np.array([float(one) for one in values if one is not None], np.float64)


def _mean(samples: Floats) -> Floats:
    """Of each row."""
    means: Floats = samples.mean(axis=1)
    return means


def _median(samples: Floats) -> Floats:
    return np.asarray(np.median(samples, axis=1), np.float64)
