"""The made-up market: the same for the same seed, in the clock's time, and labelled."""

import asyncio

import numpy as np
import pytest

from adapters.live import build
from adapters.simulated_walk import STEPS, Walk
from engine.blocks import Bars, Trades
from engine.messages import FeedStatus, Heartbeat
from engine.timeframes import MINUTE_NS
from tests.live_feeds.rig import Heard, eventually, fast

pytestmark = pytest.mark.timeout(20)

TABLE = {"name": "sim", "kind": "simulated", "symbols": ["ACME", "BOLT"], "seed": 3}


async def run_until(feed, heard: Heard, condition) -> None:
    listening = asyncio.create_task(heard.listen())
    running = asyncio.create_task(feed.run(heard.inbox, {"ACME": 0, "BOLT": 1}, 0))
    async with asyncio.timeout(10):
        await eventually(condition)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    heard.inbox.close()
    await listening


@pytest.mark.asyncio
async def test_history_and_stream_of_bars_meet() -> None:
    clock, heard = fast(), Heard()
    feed = build(TABLE | {"data": "bars", "timeframe": "1m", "speed": 60.0}, clock)
    history = await feed.history("ACME", "1m", 50, clock.now_ns())

    await run_until(feed, heard, lambda: len(heard.bars) >= 6)

    bars = heard.bars
    opens = bars.open_ns[bars.instrument == 0]
    assert len(history) == 50
    assert int(opens[0]) == int(history.close_ns[-1])
    assert (np.diff(opens) == MINUTE_NS).all()
    assert bars.open[bars.instrument == 0][0] == pytest.approx(history.close[-1], rel=0.2)
    assert heard.of(FeedStatus)[-1].reason == "simulated market"
    assert feed.simulated


@pytest.mark.asyncio
async def test_trades_of_a_bar_are_within_it_and_touch_its_ends() -> None:
    clock, heard = fast(), Heard()
    feed = build(TABLE | {"speed": 60.0}, clock)

    await run_until(feed, heard, lambda: len(heard.trades) >= 6 * STEPS)

    trades, walk = heard.trades, Walk("3/ACME")
    mine = trades.trade_id[trades.instrument == 0]
    assert mine.tolist() == list(range(1, len(mine) + 1))
    assert (np.diff(trades.time_ns) >= 0).all()
    opening, high, low, close, _ = walk.bars(3_000, 3_001)[0]
    first = trades.price[trades.instrument == 0][:STEPS]
    assert (first.max(), first.min()) == (high, low)
    assert (first[0], first[-1]) == (opening, close)


@pytest.mark.asyncio
async def test_no_row_comes_behind_a_heartbeat() -> None:
    clock, heard = fast(), Heard()
    feed = build(TABLE | {"speed": 600.0}, clock)

    await run_until(feed, heard, lambda: len(heard.trades) >= 100)

    proven_ns = 0
    for fact in heard.facts:
        if isinstance(fact, Heartbeat):
            proven_ns = fact.time_ns
        elif isinstance(fact, Trades | Bars):
            assert int(fact.row_ns.min()) > proven_ns


def test_a_seed_decides_every_price_however_it_is_asked_for() -> None:
    whole = Walk("7").bars(0, 2_000)
    parts = Walk("7")

    assert [row for start in range(0, 2_000, 37) for row in parts.bars(start, min(start + 37, 2_000))] == whole
    assert Walk("8").bars(0, 50) != whole[:50]


def test_bars_are_sane_for_ever() -> None:
    rows = np.array(Walk("11").bars(0, 20_000))

    opening, high, low, close, volume = rows.T
    assert (low > 0).all()
    assert (high >= np.maximum(opening, close)).all()
    assert (low <= np.minimum(opening, close)).all()
    assert (volume > 0).all()


@pytest.mark.asyncio
async def test_longer_bars_end_at_the_price_the_stream_begins_with() -> None:
    clock = fast()
    feed = build(TABLE | {"data": "bars", "timeframe": "1m"}, clock)

    minutes = await feed.history("ACME", "1m", 10, clock.now_ns())
    days = await feed.history("ACME", "1d", 100, clock.now_ns())

    assert len(days) == 100
    assert days.close[-1] == pytest.approx(minutes.close[-1], rel=0.2)
