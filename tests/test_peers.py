"""The strategy of `make bench-peers`: every engine that is here makes the trades its rules say.

A short form: small markets, this engine, and backtesting.py where it is installed. The other engines
need environments of their own, which the suite does not make.
"""

import re
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from tests.benchmarks.peers import feeds, run_ours
from tests.benchmarks.peers.compare import compared, expected
from tests.benchmarks.peers.environments import LOCKS
from tests.benchmarks.peers.peers import PEERS, WE
from tests.benchmarks.peers.strategy import MINUTE_NS, OURS, Highest, Plan, Rules, Trade

SMALL = {"bars": 20_000, "busy": 8_000, "trades": 60_000}
PLANS = {"bars": Plan(60, 10), "busy": feeds.PLANS["busy"], "trades": Plan(20, 4)}


def ours(kind: str, columns: dict[str, Any]) -> list[Trade]:
    prepared = run_ours.Prepared(kind, columns, PLANS[kind], False)
    prepared.run()
    return prepared.trades()


@pytest.mark.parametrize("kind", SMALL)
def test_this_engine_makes_the_trades_of_the_reference(kind: str) -> None:
    columns = feeds.make(kind, SMALL[kind])

    made = ours(kind, columns)

    assert made == expected(kind, columns, PLANS[kind], OURS)
    assert len(made) >= 5


def test_backtesting_makes_the_trades_of_the_reference_under_its_rules() -> None:
    pytest.importorskip("backtesting", reason="backtesting is not installed")
    columns = feeds.make("busy", SMALL["busy"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from tests.benchmarks.peers import run_backtesting

        prepared = run_backtesting.Prepared("busy", columns, PLANS["busy"], False)
        prepared.run()
    rules = next(one.on_bars for one in PEERS if one.module == "run_backtesting")

    found = compared(prepared.trades(), "busy", columns, PLANS["busy"], rules)

    assert found.is_explained
    assert found.made >= 20
    assert found.equal >= found.made - 1


def minute_bars(*ohlc: tuple[int, int, int, int]) -> dict[str, np.ndarray]:
    columns = dict(zip(("open", "high", "low", "close"), np.array(ohlc).T, strict=True))
    return columns | {"close_ns": MINUTE_NS * np.arange(1, len(ohlc) + 1), "volume": np.full(len(ohlc), 1_000)}


def trades(*prices: int, side: Sequence[int]) -> dict[str, np.ndarray]:
    """Two a minute."""
    times = MINUTE_NS // 2 * np.arange(len(prices)) + 1
    return {"time_ns": times, "price": np.array(prices), "side": np.array(side), "size": np.full(len(prices), 100)}


def test_reference_buys_the_next_open_and_trails_the_highest_close() -> None:
    bars = minute_bars(
        (1_000, 1_000, 1_000, 1_000),
        (1_000, 1_010, 1_000, 1_010),
        (1_020, 1_100, 1_015, 1_100),
        (1_095, 1_096, 980, 985),
    )

    (trade,) = expected("bars", bars, Plan(1, 100), OURS)

    assert trade == Trade(3 * MINUTE_NS, 1_020, 4 * MINUTE_NS, 990)


def test_a_jumped_stop_fills_at_the_open_or_at_its_level() -> None:
    bars = minute_bars((1_000, 1_000, 1_000, 1_000), (1_000, 1_010, 1_000, 1_010), (1_010,) * 4, (800, 800, 790, 795))

    (jumped,) = expected("bars", bars, Plan(1, 100), OURS)
    (held,) = expected("bars", bars, Plan(1, 100), Rules(gap="stop"))

    assert (jumped.exit_price, held.exit_price) == (800, 909)


def test_a_stop_that_comes_late_spares_the_bar_of_the_entry() -> None:
    bars = minute_bars(
        (1_000, 1_000, 1_000, 1_000), (1_000, 1_010, 1_000, 1_010), (1_010, 1_012, 800, 1_000), (1_000, 1_000, 890, 895)
    )

    (at_once,) = expected("bars", bars, Plan(1, 100), OURS)
    (late,) = expected("bars", bars, Plan(1, 100), Rules(protects_entry_bar=False))

    assert at_once.exit_ns == at_once.entry_ns == 3 * MINUTE_NS
    assert late.exit_ns == 4 * MINUTE_NS


def test_on_trades_a_buy_fills_at_the_next_trade_or_at_the_implied_ask() -> None:
    columns = trades(1_000, 1_000, 1_011, 1_010, 1_013, 1_012, 800, 800, side=(0, 0, 1, 0, 1, 0, 0, 0))

    (following,) = expected("trades", columns, Plan(1, 100), OURS)
    (asked,) = expected("trades", columns, Plan(1, 100), Rules(entry="ask"))

    assert following.entry_price == 1_013
    assert asked.entry_price == 1_011


def test_differences_are_counted_by_rule_and_a_made_up_trade_is_unexplained() -> None:
    columns = feeds.make("busy", 2_000)
    rules = Rules(entry="last", gap="stop")
    made = expected("busy", columns, PLANS["busy"], rules)

    known = compared(made, "busy", columns, PLANS["busy"], rules)
    wrong = compared([*made[1:], made[0]._replace(exit_price=1)], "busy", columns, PLANS["busy"], rules)

    assert known.is_explained
    assert known.equal + sum(known.by_rule.values()) == len(made)
    assert (wrong.unexplained, wrong.missing, wrong.is_explained) == (1, 1, False)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 20])
def test_highest_of_a_window(size: int) -> None:
    values = np.random.default_rng(size).integers(0, 50, 200)
    expected_ = [values[end - size : end].max() for end in range(size, len(values) + 1)]
    window = Highest(size)
    found = []
    for value in values.tolist():
        window.add(value)
        found.append(window.value)

    assert found == [None] * (size - 1) + expected_
    assert run_ours.highest(values.astype(float), size).tolist() == expected_


def test_marks_do_not_depend_on_how_bars_were_cut() -> None:
    bars = run_ours.bars_of(feeds.make("bars", 3_000))
    whole = run_ours.Breakout(Plan(20, 5)).marks(bars)
    cut = run_ours.Breakout(Plan(20, 5))
    pieces = [cut.marks(bars.slice(start, min(start + 7, 3_000))) for start in range(0, 3_000, 7)]

    assert np.concatenate(pieces).tolist() == whole.tolist()
    assert whole.any()


def test_every_peer_is_pinned_with_hashes_and_names_no_index() -> None:
    for peer in PEERS:
        if peer is not WE:
            assert peer.environment is not None
            pinned = peer.environment.lock_file.read_text()
            assert re.search(r"^\S+==\S+ \\\n    --hash=sha256:", pinned, re.MULTILINE)
            assert "://" not in pinned
    assert {path.stem for path in LOCKS.glob("*.in")} == {path.stem for path in LOCKS.glob("*.txt")}
