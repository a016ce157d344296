"""The contract of every module in the strategies folder."""

import importlib
import pkgutil
from collections.abc import Iterable

import numpy as np
import pytest
from pydantic import ValidationError

import strategies
from engine.blocks import Bars, equal
from engine.messages import Event, EventKind, Phase, StrategyMark
from engine.ports import Decline, Moment, Proposal, Strategy
from tests.campaigns.campaign_makers import day, event
from tests.makers import bars, instrument

NAMES = sorted(module.name for module in pkgutil.iter_modules(strategies.__path__))


def built(name: str) -> Strategy:
    strategy: Strategy = importlib.import_module(f"strategies.{name}").build({})
    return strategy


def decorated_bars(rows: int = 300) -> Bars:
    """A random walk with the detector's columns filled in."""
    random = np.random.default_rng(3)
    close = 100.0 + np.cumsum(random.normal(size=rows))
    ohlc = [(c, c + 1.0, c - 1.0, c) for c in close.tolist()]
    shape = {name: random.uniform(0.1, 2.0, rows) for name in ("vr", "sr", "cp", "atr", "confidence")}
    return bars(*ohlc, phase=random.integers(0, 7, rows), direction=random.integers(-1, 2, rows), **shape)


def moments() -> Iterable[Moment]:
    for kind in EventKind:
        for direction in (1, -1):
            found = event(kind, direction=direction, high=99.0, close=98.8, score=90.0)
            yield moment(found, None)
    yield moment(None, StrategyMark("any", "AAA", "1d", day(20), 100.0))


def moment(found: Event | None, mark: StrategyMark | None) -> Moment:
    return Moment(day(21), instrument(), found, mark, Phase.D, 90.0, (), ())


def test_there_are_strategies() -> None:
    assert "wyckoff_bmad" in NAMES


@pytest.mark.parametrize("name", NAMES)
def test_build_names_its_module_and_refuses_unknown_keys(name: str) -> None:
    assert built(name).name == name
    with pytest.raises(ValidationError):
        importlib.import_module(f"strategies.{name}").build({"no_such_key": 1})


@pytest.mark.parametrize("name", NAMES)
def test_proposals_depend_on_the_moment_alone(name: str) -> None:
    strategy, other = built(name), built(name)
    asked = list(moments())

    first = [repr(list(strategy.propose(one))) for one in asked]
    again = [repr(list(strategy.propose(one))) for one in reversed(asked)]

    assert list(reversed(again)) == first
    assert [repr(list(other.propose(one))) for one in asked] == first
    assert all(isinstance(one, Proposal | Decline) for every in asked for one in strategy.propose(every))


@pytest.mark.parametrize("name", NAMES)
def test_marks_read_the_past_only_and_change_nothing(name: str) -> None:
    strategy = built(name)
    whole, untouched = decorated_bars(), decorated_bars()

    marks = strategy.marks(whole)

    assert (marks.dtype, marks.shape) == (np.bool_, (len(whole),))
    assert equal(whole, untouched)
    assert np.array_equal(strategy.marks(whole), marks)
    for stop in (0, 1, 7, 150):
        assert np.array_equal(strategy.marks(whole.slice(0, stop)), marks[:stop])
