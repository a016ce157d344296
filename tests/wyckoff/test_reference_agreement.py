"""The kernels and the slow reference say the same, bar by bar, event by event, to the bit where sums allow it.

`PENDING` names the parts of the rules that the kernels do not follow yet; it may only shrink.
"""

import os
from collections import Counter
from dataclasses import fields, replace

import numpy as np
import pytest

from engine.blocks import Bars
from tests.wyckoff.reference import book, events
from tests.wyckoff.reference.compare import Comparison, compare
from tests.wyckoff.reference.generated import KINDS, series
from tests.wyckoff.reference.parts import ALL, Parts
from tests.wyckoff.reference.real import FILES, SHARED, from_file, stocks, universe
from tests.wyckoff.series import ACCUMULATION, closed, mirrored, planted

SOAK = bool(os.environ.get("WYCKOFF_SOAK"))
SEEDS, ROWS = (range(60), 2_000) if SOAK else (range(12), 500)

PENDING: dict[str, str] = {}
AGREED = replace(ALL, **dict.fromkeys(PENDING, False))


def at(bars: Bars, timeframe: str) -> Bars:
    """The same bars, one after the other on another timeframe."""
    return closed(np.stack([bars.open, bars.high, bars.low, bars.close, bars.volume], axis=1), timeframe)


def agree(comparisons: list[Comparison]) -> Counter[str]:
    """Fails with the first difference of each series; returns the events that agreed, by kind and direction."""
    differences = [one.difference for one in comparisons if one.difference]
    assert not differences, f"{len(differences)} of {len(comparisons)} series differ:\n" + "\n".join(differences[:5])
    close_calls = [one.close_call for one in comparisons if one.close_call]
    assert len(close_calls) <= len(comparisons) // 20, "\n".join(close_calls[:5])
    total: Counter[str] = Counter()
    for one in comparisons:
        total.update(one.kinds)
    return total


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.timeout(900)
def test_generated_series_agree(kind: str) -> None:
    found = agree([compare(name, bars, AGREED) for name, bars in series(kind, SEEDS, ROWS)])

    assert found["SC+1"] + found["SC-1"] > 0


def test_the_generated_series_reach_every_kind_of_event_on_both_sides() -> None:
    found: Counter[str] = Counter()
    for kind in ("planted", "upside_down", "schematic", "distribution"):
        found += agree([compare(name, bars, AGREED) for name, bars in series(kind, range(5), 1_200)])

    kinds = ("SC", "AR", "ST", "SPRING", "TEST", "SOS", "LPS", "BREAKOUT_WEAK", "SOS_FAILED", "SPRING_FAILED")
    for label in [f"{kind}{side}" for kind in (*kinds, "RANGE_FAILED", "PHASE") for side in ("+1", "-1")]:
        assert found[label] > 0, label


@pytest.mark.parametrize("timeframe", ["1w", "4h", "1h", "15m", "5m", "1m"])
def test_other_timeframes_agree(timeframe: str) -> None:
    chosen = [
        (name, at(bars, timeframe)) for kind in ("planted", "range") for name, bars in series(kind, range(3), ROWS)
    ]

    assert agree([compare(name, bars, AGREED) for name, bars in chosen])


MARKETS = {"stocks": book.NEW_YORK, "fx": book.FX, "crypto": book.CRYPTO}


@pytest.mark.parametrize("market", MARKETS)
@pytest.mark.parametrize("timeframe", ["1d", "15m"])
def test_other_markets_agree(market: str, timeframe: str) -> None:
    """Volume by local time of day, the edges of a session, caps and gates of an asset class, gaps."""
    chosen = [
        (name, at(bars, timeframe)) for kind in ("planted", "trend") for name, bars in series(kind, range(2), 1_600)
    ]

    assert agree([compare(name, bars, AGREED, MARKETS[market]) for name, bars in chosen])


def test_the_written_accumulation_agrees_on_both_sides() -> None:
    upright, upside_down = (
        compare("accumulation", bars, AGREED) for bars in (closed(ACCUMULATION), mirrored(closed(ACCUMULATION)))
    )

    agree([upright, upside_down])
    assert (upright.kinds["LPS+1"], upside_down.kinds["LPS-1"]) == (1, 1)


@pytest.mark.parametrize("name", ["AAPL", "GOOG", "IBM", "MSFT", "FB"])
def test_real_stocks_agree(name: str) -> None:
    if name not in stocks():
        pytest.skip("bokeh_sampledata is not installed")

    agree([compare(name, stocks()[name], AGREED)])


@pytest.mark.parametrize("name", FILES)
def test_real_files_agree(name: str) -> None:
    bars = from_file(name, limit=50_000 if SOAK else 5_000)
    if bars is None:
        pytest.skip(f"no {SHARED / FILES[name][0]}")

    agree([compare(name, bars, AGREED)])


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(not SOAK, reason="150 stocks: part of make soak")
def test_a_universe_of_stocks_agrees() -> None:
    comparisons = [compare(name, bars, AGREED) for name, bars in universe(limit=2_000)]
    if not comparisons:
        pytest.skip("no universe of stocks")

    agree(comparisons)


def test_what_is_pending_is_a_part_of_the_rules_and_shows() -> None:
    """Each pending part exists; the table cannot hide more than it names."""
    assert set(PENDING) <= {one.name for one in fields(Parts)}


def test_a_difference_is_found_and_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    bars = planted(600, seed=2)
    assert compare("planted", bars, AGREED).difference == ""

    monkeypatch.setattr(book, "ST_VR", 0.3)
    told = compare("planted", bars, AGREED).difference

    assert "ST" in told
    assert "ST vr: " in told


@pytest.mark.parametrize("score", ["climax_score", "rally_score", "secondary_test_score"])
def test_a_score_that_is_off_by_a_millionth_is_found(score: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real = getattr(events, score)
    monkeypatch.setattr(events, score, lambda *given: real(*given) + 1e-6)

    assert "score" in compare("planted", planted(600, seed=2), AGREED).difference
