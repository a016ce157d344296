"""The real ccxt.pro against the loopback Binance, behind our own session."""

import pytest

from adapters.live import build
from adapters.live.hosts import ForbiddenHostError
from adapters.loopback.binance import BinanceVenue
from tests.live_feeds.rig import account, assert_sane, at, fast, scene

pytest.importorskip("ccxt.pro")

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(20)]

TABLE = {
    "name": "loop", "kind": "ccxt", "exchange": "binance", "symbols": ["BTC/USDT", "ETH/USDT"],
    "stale_ceiling_s": 30.0, "tick_s": 0.2,
}  # fmt: skip
VENUE_SYMBOLS = {"BTC/USDT": "BTCUSDT", "ETH/USDT": "ETHUSDT"}


def made(run, number: int) -> list[int]:
    symbol = VENUE_SYMBOLS[run.feed.symbols[number]]
    return [one.id for one in run.venue.market.listings[symbol].prints]


async def test_every_trade_since_the_minute_began_arrives_once() -> None:
    venue = BinanceVenue(rate=20, clock=fast())

    async with scene(venue, TABLE) as run:
        await run.live()
        await run.rows(150)
        await run.quiet()

        assert [run.heard.ids(0), run.heard.ids(1)] == [made(run, 0), made(run, 1)]
        account(run.report)
        assert_sane(run.heard)


@pytest.mark.parametrize("how", ["abort", "fin", "close"])
async def test_a_break_is_filled(how: str) -> None:
    venue = BinanceVenue(rate=20, clock=fast())

    async with scene(venue, TABLE) as run:
        await run.live()
        await run.rows(60)
        await venue.kick(how)
        await run.live(times=2)
        await run.rows(60)
        await run.quiet()

        assert run.heard.ids(0) == made(run, 0)
        assert run.report.reconnects >= 1


async def test_damaged_frames_do_not_end_the_connection() -> None:
    venue = BinanceVenue(rate=20, clock=fast())

    async with scene(venue, TABLE) as run:
        await run.live()
        venue.faults.switch("corrupt", count=4, how="badjson")
        venue.faults.switch("mutate", count=4, value="abc")
        await run.until(lambda: run.report.malformed >= 8, "all of the damage")
        await run.rows(20)
        await run.quiet()

        assert run.report.reconnects == 0
        account(run.report)


async def test_a_mute_stream_is_found_out() -> None:
    venue = BinanceVenue(rate=20, clock=fast())

    async with scene(venue, TABLE) as run:
        await run.live()
        await run.rows(60)
        venue.mute()
        await run.until(lambda: run.report.reconnects >= 1, "a new connection")
        await run.live(times=2)
        await run.quiet()

        assert run.heard.ids(0) == made(run, 0)


async def test_a_burst_is_received_whole() -> None:
    """The library's own loop would be mute for ever after some 2,000 messages: see `ccxt_taps`."""
    venue = BinanceVenue(rate=200, clock=fast())

    async with scene(venue, TABLE) as run:
        await run.live()
        await run.rows(7_000)
        await run.quiet()

        assert run.heard.ids(0) == made(run, 0)


async def test_bars_are_closed_by_the_next_one() -> None:
    venue = BinanceVenue(rate=20, clock=fast(60))

    async with scene(venue, TABLE | {"data": "bars", "timeframe": "1m", "stale_ceiling_s": 300.0}) as run:
        await run.live()
        await run.until(lambda: len(run.heard.bars) >= 4, "bars")

        opens = run.heard.bars.open_ns[run.heard.bars.instrument == 0]
        assert (opens[1:] - opens[:-1] == 60_000_000_000).all()


async def test_markets_are_told() -> None:
    venue = BinanceVenue(rate=20)
    async with venue.running():
        told = await build(at(venue, TABLE), venue.clock).open()

    assert told is not None
    definition = told.definition("BTC/USDT")
    assert definition is not None
    assert (str(definition.tick), str(definition.lot), definition.currency) == ("0.0001", "0.001", "USDT")


async def test_no_private_call_leaves() -> None:
    venue = BinanceVenue(rate=20)
    async with venue.running():
        feed = build(at(venue, TABLE), venue.clock)
        exchange = await feed._ccxt.fresh()
        exchange.apiKey, exchange.secret = "k", "s"
        try:
            with pytest.raises(ForbiddenHostError):
                await exchange.create_order("BTC/USDT", "market", "buy", 1)
            with pytest.raises(ForbiddenHostError):
                await exchange.fetch_balance()
        finally:
            await exchange.close()
            await feed._ccxt.close()

    assert {path for _, path, _ in venue.ledger.requests} == {"/api/v3/exchangeInfo"}


async def test_another_host_than_the_exchange_s_is_refused() -> None:
    with pytest.raises(ForbiddenHostError):
        build(TABLE | {"rest_url": "https://example.com"}, fast())


async def test_an_unknown_exchange_is_named() -> None:
    with pytest.raises(ValueError, match="mtgox"):
        build(TABLE | {"exchange": "mtgox"}, fast())
