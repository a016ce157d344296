"""The loopback venues themselves: what they send, what they keep, and their control ports."""

import json

import aiohttp
import pytest
from websockets.asyncio.client import connect

from adapters.live.clock import FastClock
from adapters.loopback.alpaca import KEY, SECRET, AlpacaVenue
from adapters.loopback.binance import BinanceVenue
from adapters.loopback.chaos import TROUBLES, chaos
from adapters.loopback.faults import ACTIONS, Fault, Faults
from adapters.loopback.market import MINUTE_MS, Listing
from tests.live_feeds.rig import eventually, scene

pytestmark = pytest.mark.timeout(20)


@pytest.mark.asyncio
async def test_history_over_rest_is_what_was_streamed() -> None:
    venue = BinanceVenue(["BTCUSDT"], rate=200, seed=5)
    async with venue.running(), aiohttp.ClientSession() as http:
        async with connect(f"{venue.stream_url}/stream?streams=btcusdt@aggTrade") as socket:
            streamed = [json.loads(await socket.recv())["data"] for _ in range(60)]
        asked = {"symbol": "BTCUSDT", "fromId": str(streamed[0]["a"]), "limit": "60"}
        async with http.get(f"{venue.rest_url}/api/v3/aggTrades", params=asked) as answer:
            history = await answer.json()

    keys = ("a", "p", "q", "T", "m")
    assert [[one[key] for key in keys] for one in history] == [[one[key] for key in keys] for one in streamed]
    assert venue.ledger.ids("BTCUSDT", "aggTrade") >= {one["a"] for one in streamed}


@pytest.mark.asyncio
async def test_subscriptions_are_acknowledged_and_can_be_taken_back() -> None:
    venue = BinanceVenue(["BTCUSDT"], rate=0)
    async with venue.running(), connect(f"{venue.stream_url}/ws") as socket:
        await socket.send(json.dumps({"method": "SUBSCRIBE", "params": ["btcusdt@trade"], "id": 7}))
        assert json.loads(await socket.recv()) == {"result": None, "id": 7}
        made = venue.trade("BTCUSDT")
        assert json.loads(await socket.recv())["t"] == made.id
        await socket.send(json.dumps({"method": "UNSUBSCRIBE", "params": ["btcusdt@trade"], "id": 8}))
        assert json.loads(await socket.recv())["id"] == 8
        venue.trade("BTCUSDT")
        await socket.send("no json")
        assert json.loads(await socket.recv())["error"]["code"] == 3


@pytest.mark.asyncio
async def test_faults_are_switched_over_the_control_port() -> None:
    venue = BinanceVenue(["BTCUSDT"], rate=50)
    async with venue.running(), aiohttp.ClientSession(f"http://127.0.0.1:{venue.control_port}") as http:
        async with http.post("/_ctl/fault", json={"action": "refuse", "status": 503, "count": 1}) as answer:
            assert answer.status == 200
        async with http.post("/_ctl/fault", json={"action": "explode"}) as answer:
            assert (answer.status, "explode" in await answer.text()) == (400, True)
        async with http.post("/_ctl/fault", json={"action": "drop", "unknown": 1}) as answer:
            assert answer.status == 400
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await _dial(venue)
        async with http.get("/_ctl/ledger") as answer:
            told = await answer.json()
        assert [one["status"] for one in told["opened"]] == [503]
        async with http.post("/_ctl/clear") as answer:
            assert answer.status == 200


async def _dial(venue: BinanceVenue) -> None:
    async with aiohttp.ClientSession() as http, http.ws_connect(f"{venue.stream_url}/ws"):
        pass


@pytest.mark.asyncio
async def test_alpaca_speaks_json_and_refuses_who_is_not_logged_in() -> None:
    venue = AlpacaVenue(["AAPL"], rate=0)
    async with venue.running(), connect(f"ws://{venue.address}/v2/iex") as socket:
        assert json.loads(await socket.recv()) == [{"T": "success", "msg": "connected"}]
        await socket.send(json.dumps({"action": "subscribe", "trades": ["AAPL"]}))
        assert json.loads(await socket.recv())[0]["code"] == 401
        await socket.send(json.dumps({"action": "auth", "key": KEY, "secret": "wrong"}))
        assert json.loads(await socket.recv())[0]["code"] == 402
        await socket.send(json.dumps({"action": "auth", "key": KEY, "secret": SECRET}))
        assert json.loads(await socket.recv())[0]["msg"] == "authenticated"
        await socket.send(json.dumps({"action": "subscribe", "trades": ["AAPL"]}))
        assert json.loads(await socket.recv())[0]["trades"] == ["AAPL"]
        made = venue.trade("AAPL")
        assert json.loads(await socket.recv())[0]["i"] == made.id


def test_the_same_seed_makes_the_same_market() -> None:
    one, other = (Listing("BTCUSDT", "3", 1_000 * MINUTE_MS, 50) for _ in range(2))

    for now_ms in range(1_000 * MINUTE_MS, 1_003 * MINUTE_MS, 700):
        assert one.trade(now_ms) == other.trade(now_ms)
    assert one.candles(MINUTE_MS, 0, 2_000 * MINUTE_MS) == other.candles(MINUTE_MS, 0, 2_000 * MINUTE_MS)


def test_bars_are_made_of_the_trades_late_ones_included() -> None:
    listing = Listing("BTCUSDT", "3", 1_000 * MINUTE_MS, 5)
    for now_ms in range(1_000 * MINUTE_MS, 1_004 * MINUTE_MS, 900):
        listing.trade(now_ms)
    listing.trade(1_002 * MINUTE_MS + 5)

    for candle in listing.candles(MINUTE_MS, 1_000 * MINUTE_MS, 1_003 * MINUTE_MS):
        inside = [one for one in listing.prints if candle.open_ms <= one.time_ms < candle.open_ms + MINUTE_MS]
        inside.sort(key=lambda one: (one.time_ms, one.id))
        prices = [one.price for one in inside]
        assert (candle.open, candle.high, candle.low, candle.close) == (
            prices[0], max(prices), min(prices), prices[-1],
        )  # fmt: skip
        assert candle.trades == len(inside)
        assert candle.volume == pytest.approx(sum(one.size for one in inside))
    hour = listing.candles(60 * MINUTE_MS, 960 * MINUTE_MS, 1_019 * MINUTE_MS)
    assert sum(one.trades for one in hour if one.open_ms == 960 * MINUTE_MS) >= len(listing.prints)


def test_a_fault_strikes_as_often_as_it_was_told_to() -> None:
    faults = Faults(seed=1)
    faults.switch("dup", count=2, symbol="A")
    faults.switch("gap", p=0.5)

    assert [faults.strike("dup", symbol=symbol) is not None for symbol in ("B", "A", "A", "A")] == [
        False, True, True, False,
    ]  # fmt: skip
    struck = sum(faults.strike("gap") is not None for _ in range(1_000))
    assert 400 < struck < 600
    faults.clear("gap")
    assert not faults.has("gap")


def test_every_trouble_is_one_that_a_venue_knows() -> None:
    assert {action for action, _ in TROUBLES} <= set(ACTIONS)
    for action, options in TROUBLES:
        Fault(action=action, **options)
    with pytest.raises(ValueError, match="explode"):
        Fault(action="explode")


@pytest.mark.asyncio
@pytest.mark.parametrize("seed", [1, 2])
async def test_a_feed_lives_through_chaos_and_is_live_in_the_end(seed: int) -> None:
    clock = FastClock(60)
    async with chaos(seed, ["BTCUSDT", "ETHUSDT"], clock=clock, rate=10) as troubled:
        venue = Borrowed(troubled)
        table = {"name": "loop", "kind": "binance", "symbols": ["BTCUSDT", "ETHUSDT"], "stale_ceiling_s": 20.0}
        async with scene(venue, table) as run:
            await run.live()
            await run.until(lambda: len(troubled.ledger.troubles) >= 4, "trouble")
            await run.until(lambda: run.report.state == "LIVE", "live after trouble")
            seen = run.heard.ids(0)

            assert seen == sorted(set(seen))
            assert run.report.received >= run.report.applied


class Borrowed:
    """A venue that is open already, where a scene would open one."""

    def __init__(self, venue) -> None:
        self._venue = venue

    def running(self):
        return Nothing()

    def __getattr__(self, name: str):
        return getattr(self._venue, name)


class Nothing:
    async def __aenter__(self) -> None:
        await eventually(lambda: True)

    async def __aexit__(self, *_: object) -> None:
        await eventually(lambda: True)
