"""A feed over a venue's own stream, from start to end, against a loopback venue."""

import asyncio

import pytest

from adapters.live import build
from adapters.loopback.binance import BinanceVenue
from engine.blocks import Bars
from engine.live.ports import Seen
from engine.messages import Heartbeat
from engine.timeframes import MINUTE_NS
from tests.live_feeds.rig import account, assert_sane, at, eventually, fast, scene

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(20)]

TABLE = {"name": "loop", "kind": "binance", "symbols": ["BTCUSDT", "ETHUSDT"]}


async def test_every_trade_since_the_minute_began_arrives_once_and_in_order() -> None:
    venue = BinanceVenue(rate=20, clock=fast())

    async with scene(venue, TABLE) as run:
        await run.live()
        await run.rows(200)
        await run.quiet()

        assert run.heard.states[:2] == ["RECOVERING", "LIVE"]
        assert run.report.reconnects == 0
        assert [run.heard.ids(0), run.heard.ids(1)] == [run.made(0), run.made(1)]
        account(run.report)
        assert_sane(run.heard)


async def test_history_and_stream_meet_without_a_gap_or_a_repeat() -> None:
    venue = BinanceVenue(rate=20, clock=fast(60))
    history: list[Bars] = []

    async def before(feed) -> None:
        history.append(await feed.history("BTCUSDT", "1m", 30, venue.clock.now_ns()))

    async with scene(venue, TABLE | {"data": "bars", "timeframe": "1m"}, before=before) as run:
        await run.until(lambda: len(run.heard.bars) >= 4, "bars")

        stream = run.heard.bars
        closes = stream.close_ns[stream.instrument == 0]
        assert len(history[0]) == 30
        assert (history[0].close_ns[1:] == history[0].open_ns[:-1] + 2 * MINUTE_NS).all()
        assert int(stream.open_ns[stream.instrument == 0][0]) == int(history[0].close_ns[-1])
        assert (closes[1:] - closes[:-1] == MINUTE_NS).all()


async def test_heartbeats_move_time_while_nothing_trades() -> None:
    venue = BinanceVenue(rate=20, clock=fast())

    async with scene(venue, TABLE) as run:
        await run.live()
        venue.halt()
        await run.until(lambda: len(run.heard.of(Heartbeat)) > 3, "heartbeats")
        first = run.heard.last_heartbeat()
        await run.until(lambda: run.heard.last_heartbeat() > first + 2_000_000_000, "time")

        assert run.heard.last_heartbeat() < venue.clock.now_ns()


async def test_what_was_missed_while_we_were_away_comes_first() -> None:
    venue = BinanceVenue(["BTCUSDT"], rate=20, clock=fast())
    table = TABLE | {"symbols": ["BTCUSDT"]}
    async with venue.running():
        await eventually(lambda: len(venue.market.listings["BTCUSDT"].prints) >= 50)
        seen = venue.market.listings["BTCUSDT"].prints[9]

        async def before(feed) -> None:
            feed.resume_after({"BTCUSDT": Seen(time_ns=seen.time_ms * 1_000_000, trade_id=seen.id)})
            await asyncio.sleep(0)

        again = BinanceVenue(["BTCUSDT"], rate=20, clock=venue.clock)
        again.market = venue.market
        async with scene(again, table, before=before) as run:
            await run.live()
            await run.rows(20)
            venue.halt()
            await run.quiet()

            assert run.heard.ids(0) == [one for one in run.made(0) if one > seen.id]


async def test_a_venue_tells_its_instruments() -> None:
    venue = BinanceVenue(rate=20)
    async with venue.running():
        told = await build(at(venue, TABLE), venue.clock).open()

    assert told is not None
    assert told.symbols == ("BTCUSDT", "ETHUSDT")
    assert str(told.definition("BTCUSDT").lot) == "0.001"


async def test_quotes_come_beside_trades_when_asked_for() -> None:
    venue = BinanceVenue(rate=20, clock=fast())

    async with scene(venue, TABLE | {"quotes": True}) as run:
        await run.live()
        await run.until(lambda: len(run.heard.quotes) > 20, "quotes")
        await run.quiet()

        assert len(run.heard.trades) > 0
        account(run.report)
