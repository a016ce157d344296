"""Generated markets: what is planted is there, what is not planted is not, and a seed says it all."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.blocks import equal
from engine.messages import EventKind
from engine.wyckoff.detector import SIDES
from engine.wyckoff.schematics import BEFORE_BARS, DECOYS, KINDS, SCHEMATICS, Series, as_bars, generate
from tests.makers import START_NS
from tests.wyckoff.series import events

seeds = st.integers(0, 2**32)
kinds = st.sampled_from(KINDS)
ORDER = (EventKind.PS, EventKind.SC, EventKind.AR, EventKind.SPRING, EventKind.TEST, EventKind.SOS, EventKind.LPS)


@given(kind=kinds, seed=seeds)
def test_every_bar_is_market_data(kind: str, seed: int) -> None:
    bars = as_bars(generate(kind, seed), "1d", START_NS)

    bars.check("generated", 1, np.zeros(1, np.bool_))

    assert (bars.volume >= 1).all()


@given(kind=kinds, seed=seeds)
def test_the_same_seed_gives_the_same_bars(kind: str, seed: int) -> None:
    one, other = generate(kind, seed), generate(kind, seed)

    assert equal(as_bars(one, "1h", START_NS), as_bars(other, "1h", START_NS))
    assert one.planted == other.planted
    assert not np.array_equal(one.close[:200], generate(kind, seed + 1).close[:200])


@given(kind=st.sampled_from(tuple(SCHEMATICS)), seed=seeds)
def test_a_planted_event_points_at_the_extreme_of_its_bar(kind: str, seed: int) -> None:
    series = generate(kind, seed)

    for planted in series.planted:
        assert planted.price in (series.low[planted.row], series.high[planted.row])
        assert planted.row >= BEFORE_BARS[0]


@given(kind=st.sampled_from(tuple(SCHEMATICS)), seed=seeds)
def test_planted_events_stand_in_the_order_of_the_schematic(kind: str, seed: int) -> None:
    planted = [one for one in generate(kind, seed).planted if one.kind in ORDER]

    assert all(one.row < other.row for one, other in pairwise(planted))
    assert [one.kind for one in planted] == sorted((one.kind for one in planted), key=ORDER.index)


@given(seed=seeds)
def test_a_climax_is_the_low_of_its_fall_and_its_rally_makes_resistance(seed: int) -> None:
    series = generate("accumulation", seed, noise=0.1)
    climax = next(one for one in series.planted if one.kind is EventKind.SC)
    rally = next(one for one in series.planted if one.kind is EventKind.AR)

    assert climax.price == series.low[climax.row - 20 : climax.row + 1].min()
    assert climax.price == pytest.approx(series.support, abs=1e-3)
    assert rally.price == pytest.approx(series.resistance, rel=0.2)


@given(seed=seeds)
def test_a_distribution_is_an_accumulation_upside_down(seed: int) -> None:
    series = generate("distribution", seed, noise=0.1)
    climax = next(one for one in series.planted if one.kind is EventKind.SC)

    assert climax.direction == -1
    assert climax.price == series.high[climax.row - 20 : climax.row + 1].max()
    assert series.support < series.resistance


@pytest.mark.parametrize("kind", DECOYS)
def test_a_decoy_has_nothing_planted(kind: str) -> None:
    series = generate(kind, 1)

    assert series.planted == ()
    assert series.first_row == -1
    assert np.isnan(series.support)


def test_the_strength_of_the_signature_is_in_the_volume_of_the_climax() -> None:
    def climax_volume(signature: float) -> float:
        found = []
        for seed in range(30):
            series = generate("accumulation", seed, signature=signature)
            row = next(one.row for one in series.planted if one.kind is EventKind.SC)
            found.append(series.volume[row] / series.volume[row - 20 : row].mean())
        return float(np.median(found))

    assert climax_volume(0.0) < 1.3
    assert climax_volume(1.0) > 2.0


def test_an_unknown_kind_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"kind must be one of accumulation, .*, was 'cup-and-handle'"):
        generate("cup-and-handle", 1)


def test_the_detector_finds_planted_springs_more_often_than_springs_in_decoys() -> None:
    """Positive and negative control of wyckoff.md 10.3, P7: 60 schematics, 60 decoys, untuned seeds."""
    seeds_used = range(20)
    planted = [
        generate(kind, seed) for kind in ("accumulation", "distribution", "failed-upthrust") for seed in seeds_used
    ]
    decoys = [generate(kind, seed) for kind in ("random-walk", "trend", "volume-spikes") for seed in seeds_used]

    recalled = sum(_finds_spring(series) for series in planted) / len(planted)
    false_rate = sum(_springs(series) for series in decoys) / sum(map(len, decoys)) / len(SIDES)

    # A bar and side at random, with the two bars on each side that count as a match, holds a decoy's spring this often.
    assert recalled > 20 * 5 * false_rate
    assert recalled > 0.25


def _finds_spring(series: Series) -> bool:
    spring = next(one for one in series.planted if one.kind is EventKind.SPRING)
    bars = as_bars(series, "1d", START_NS)
    near = set(bars.open_ns[max(0, spring.row - 2) : spring.row + 3].tolist())
    wanted = (EventKind.SPRING, spring.direction)
    return any((one.kind, one.direction) == wanted and one.event_ns in near for one in events(bars))


def _springs(series: Series) -> int:
    return sum(one.kind is EventKind.SPRING for one in events(as_bars(series, "1d", START_NS)))
