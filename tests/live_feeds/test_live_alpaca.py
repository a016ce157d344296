"""Our Alpaca feed and the real alpaca-py client, against the same loopback venue."""

import asyncio
import warnings
from datetime import UTC, datetime, timedelta

import pytest

from adapters.live import build
from adapters.loopback.alpaca import KEY, SECRET, AlpacaVenue
from engine.live.ports import FeedUnreachableError
from tests.live_feeds.rig import account, assert_sane, at, eventually, fast, scene

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(20)]

TABLE = {
    "name": "loop", "kind": "alpaca", "exchange": "iex", "symbols": ["AAPL", "SPY"], "stale_ceiling_s": 20.0,
    "tick_s": 0.2,
}  # fmt: skip


class Secret:
    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value


class Vault:
    """Credentials as the configuration gives them."""

    def __init__(self, key: str = KEY, secret: str = SECRET) -> None:
        self._held = {"alpaca.api_key": Secret(key), "alpaca.secret_key": Secret(secret)}

    def get(self, name: str) -> Secret | None:
        return self._held.get(name)


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> Vault:
    from adapters import live
    from adapters.live.settings import Keys

    monkeypatch.setattr(live, "_keys", lambda *_: Keys(KEY, SECRET))
    return Vault()


async def test_every_trade_since_the_minute_began_arrives_once() -> None:
    venue = AlpacaVenue(rate=20, clock=fast())

    async with scene(venue, TABLE) as run:
        await run.live()
        await run.rows(100)
        await run.quiet()

        for number in (0, 1):
            assert [one // 64 for one in run.heard.ids(number)] == run.made(number)
        account(run.report)
        assert_sane(run.heard)


@pytest.mark.parametrize("how", ["abort", "fin", "close"])
async def test_a_break_is_filled_by_time_and_repeats_are_dropped(how: str) -> None:
    venue = AlpacaVenue(rate=20, clock=fast())

    async with scene(venue, TABLE) as run:
        await run.live()
        await run.rows(100)
        await venue.kick(how)
        await run.live(times=2)
        await run.rows(100)
        await run.quiet()

        for number in (0, 1):
            assert [one // 64 for one in run.heard.ids(number)] == run.made(number)
        assert run.report.duplicates > 0
        account(run.report)


async def test_a_mute_stream_is_found_out() -> None:
    venue = AlpacaVenue(rate=20, clock=fast())

    async with scene(venue, TABLE) as run:
        await run.live()
        await run.rows(40)
        venue.mute()
        await run.until(lambda: run.report.reconnects >= 1, "a new connection")
        await run.live(times=2)
        await run.quiet()

        assert [one // 64 for one in run.heard.ids(0)] == run.made(0)


async def test_bars_come_closed_once_and_corrections_after_them() -> None:
    venue = AlpacaVenue(rate=20, clock=fast(60))

    async with scene(venue, TABLE | {"data": "bars", "timeframe": "1m", "stale_ceiling_s": 300.0}) as run:
        await run.live()
        await run.until(lambda: len(run.heard.bars) >= 4, "bars")
        bars = run.heard.bars
        last_ms = int(bars.open_ns[bars.instrument == 0][-1]) // 1_000_000
        candle = venue.market.listings["AAPL"].candles(60_000, last_ms, last_ms)[0]
        venue.publish_bar("AAPL", candle._replace(high=candle.high + 1), updated=True)
        await run.until(lambda: (run.heard.bars.high == candle.high + 1).any(), "the correction")

        opens = run.heard.bars.open_ns[run.heard.bars.instrument == 0].tolist()
        assert opens.count(last_ms * 1_000_000) == 2
        assert len(opens) - len(set(opens)) == 1


@pytest.mark.parametrize("symbol", ["AAPL"])
async def test_what_the_plan_does_not_have_ends_the_feed(symbol: str) -> None:
    venue = AlpacaVenue(rate=20, clock=fast())
    venue.plan = frozenset(("SPY",))

    async with scene(venue, TABLE) as run:
        await run.until(lambda: run.task.done(), "the end")

        assert run.heard.states == ["RECOVERING", "DOWN"]
        assert "409" in run.heard.reasons[-1]


async def test_wrong_keys_end_the_feed_after_one_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    from adapters import live
    from adapters.live.settings import Keys

    monkeypatch.setattr(live, "_keys", lambda *_: Keys("wrong", "wrong"))
    venue = AlpacaVenue(rate=20, clock=fast())

    async with scene(venue, TABLE) as run:
        await run.until(lambda: run.task.done(), "the end")

        assert run.heard.states[-1] == "DOWN"
        assert venue.ledger.granted == 1
        assert "wrong" not in " ".join(run.heard.reasons)


async def test_another_connection_of_our_keys_is_waited_for() -> None:
    venue = AlpacaVenue(rate=20, clock=fast(40))
    venue.faults.switch("conn_limit", count=1)

    async with scene(venue, TABLE) as run:
        await run.live()

        first, second = venue.ledger.opened[:2]
        assert second.at_ns - first.at_ns >= 30e9


async def test_history_is_asked_with_keys_and_an_error_is_no_empty_answer() -> None:
    venue = AlpacaVenue(rate=20)
    async with venue.running():
        feed = build(at(venue, TABLE), venue.clock)
        found = await feed.history("AAPL", "5m", 50, venue.clock.now_ns())
        venue.faults.switch("http", status=503)

        assert len(found) == 50
        with pytest.raises(FeedUnreachableError):
            await feed.history("AAPL", "5m", 50, venue.clock.now_ns())


# ------------------------------------------------------------------- the library that others use


async def test_alpaca_py_streams_from_the_loopback_venue() -> None:
    alpaca = pytest.importorskip("alpaca.data.live")
    venue = AlpacaVenue(rate=50)
    async with venue.running():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            stream = alpaca.StockDataStream(KEY, SECRET, url_override=f"ws://{venue.address}/v2/iex", raw_data=True)
            heard: list[dict] = []

            async def hear(one: dict) -> None:
                heard.append(one)

            stream.subscribe_trades(hear, "AAPL")
            stream.subscribe_quotes(hear, "SPY")
            running = asyncio.create_task(stream._run_forever())
            async with asyncio.timeout(10):
                await eventually(lambda: sum(one["T"] == "t" for one in heard) >= 20)
            await stream.stop_ws()
            await stream.close()
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    ids = [one["i"] for one in heard if one["T"] == "t"]
    made = [one.id for one in venue.market.listings["AAPL"].prints]
    assert ids == made[made.index(ids[0]) : made.index(ids[-1]) + 1]
    assert all(one["S"] == "SPY" for one in heard if one["T"] == "q")


async def test_alpaca_py_pages_through_history() -> None:
    historical = pytest.importorskip("alpaca.data.historical")
    requests = pytest.importorskip("alpaca.data.requests")
    venue = AlpacaVenue(rate=500)
    async with venue.running():
        await eventually(lambda: len(venue.market.listings["AAPL"].prints) >= 150)
        client = historical.StockHistoricalDataClient(KEY, SECRET, url_override=f"http://{venue.address}")
        asked = requests.StockTradesRequest(
            symbol_or_symbols="AAPL", start=datetime.now(UTC) - timedelta(minutes=5), limit=120
        )
        found = await asyncio.to_thread(client.get_stock_trades, asked)
        client._session.close()

    assert [trade.id for trade in found["AAPL"]] == [one.id for one in venue.market.listings["AAPL"].prints[:120]]
