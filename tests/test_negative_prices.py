"""Oil went below zero in April 2020: prices of 0 or less pass where the instrument allows them, and only there."""

from decimal import Decimal
from pathlib import Path

import pytest

from adapters.files import open_feed
from adapters.merging import merge
from engine.blocks import Bars
from engine.config import Config, load, shipped
from engine.messages import Quarantine
from engine.session import from_feeds

ROWS = """date,open,high,low,close,volume
2020-04-16,19.9,20.2,18.9,19.9,100
2020-04-17,19.9,20.0,17.3,18.3,100
2020-04-20,17.7,17.9,-40.3,-37.6,100
2020-04-21,-14.0,13.9,-16.7,10.0,100
"""


@pytest.fixture
def oil(tmp_path: Path) -> Path:
    path = tmp_path / "CL.csv"
    path.write_text(ROWS)
    return path


def configured(tmp_path: Path, *, allowed: bool) -> Config:
    mine = tmp_path / "mine.toml"
    mine.write_text(f"[instruments.symbols.CL]\nallows_negative = {str(allowed).lower()}\n")
    return load([shipped("replay"), mine])


@pytest.mark.parametrize(("allowed", "lows"), [(True, [18.9, 17.3, -40.3, -16.7]), (False, [18.9, 17.3])])
def test_a_price_below_zero_is_the_instruments_to_allow(
    tmp_path: Path, oil: Path, allowed: bool, lows: list[float]
) -> None:
    feed = open_feed(oil)

    session = from_feeds(configured(tmp_path, allowed=allowed), [feed], merge, 4_096)

    facts = list(session.facts)
    found = [low for fact in facts if isinstance(fact, Bars) for low in fact.low.tolist()]
    assert found == lows
    assert session.table.named("CL").allows_negative is allowed
    assert session.table.named("CL").tick > Decimal(0)
    assert any(isinstance(fact, Quarantine) for fact in facts) is not allowed
