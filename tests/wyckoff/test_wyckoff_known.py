"""What became known at a few bars is told one by one, at many by columns: it is the same."""

from dataclasses import fields

import numpy as np
import pytest

from engine.blocks import Bars, Trades
from engine.campaigns.interest import concern
from engine.messages import StrategyMark
from engine.wyckoff import known
from engine.wyckoff.kinds import KINDS, PHASES
from engine.wyckoff.known import Found, Teller
from engine.wyckoff.layout import OUT_KIND, OUT_PHASE, OUT_REALS, OUT_ROW, OUT_SIDE, OUT_WHOLES
from engine.wyckoff.scribe import Scribe
from tests.makers import table

SYMBOLS = table("AAA", "BBB", "CCC")
FRAMES = ("1m", "5m")


def some(seed: int) -> tuple[Trades, Found]:
    """A block that has released some bars at few closes, and records and marks in no order but that of bars."""
    draw = np.random.default_rng(seed)
    count, things, marks = int(draw.integers(1, 17)), int(draw.integers(0, 10)), int(draw.integers(0, 7))
    closes = np.sort(draw.integers(1, 5, count)) * 1_000
    block = Trades.of(time_ns=np.arange(40), price=np.ones(40)).derive(sequence=100)
    bars = Bars.of(
        close_ns=closes, instrument=draw.integers(0, 3, count), timeframe=draw.integers(0, 2, count),
        release=100 + np.sort(draw.integers(0, 41, count)),
    )  # fmt: skip
    wholes, reals = np.zeros((things, OUT_WHOLES), np.int64), draw.uniform(0, 100, (things, OUT_REALS))
    wholes[:, OUT_ROW] = np.sort(draw.integers(0, count, things))
    wholes[:, OUT_KIND] = draw.integers(0, len(KINDS), things) * draw.integers(0, 2, things)
    wholes[:, OUT_SIDE] = draw.integers(0, 2, things) * 2 - 1
    wholes[:, OUT_PHASE] = draw.integers(0, len(PHASES), things)
    rows = np.sort(draw.integers(0, count, marks)).tolist()
    noted = [(row, StrategyMark("probe", "AAA", "1m", row, 1.0)) for row in rows]
    return block.derive(closed=bars), Found(bars, wholes, reals, noted)


@pytest.mark.parametrize("seed", range(60))
def test_few_things_are_told_as_many_are(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    block, found = some(seed)
    teller = Teller(Scribe(SYMBOLS, FRAMES, 7, "settings"), 7, "settings", concern)

    by_one = teller.tell(block, found, 3)
    monkeypatch.setattr(known, "FEW", 0)
    by_column = teller.tell(block, found, 3)

    if by_one is None or by_column is None:
        assert by_one is by_column is None
        return
    assert (by_one.start, by_one.stop) == (by_column.start, by_column.stop)
    for one in fields(by_one.columns):
        mine, other = getattr(by_one.columns, one.name), getattr(by_column.columns, one.name)
        if isinstance(other, np.ndarray):
            assert mine.dtype == other.dtype, one.name
            assert mine.tolist() == other.tolist(), one.name
        elif one.name != "writer":
            assert mine == other, one.name
