"""What each venue is asked and what its answers mean, from answers as the venues' documentation has them."""

from collections.abc import Mapping

import msgspec
import pytest

from adapters.direct_feed import VENUES
from adapters.live import build
from adapters.live.hosts import DATA_HOSTS, ForbiddenHostError, check
from adapters.live.lost import LostError
from adapters.live.settings import Keys, settings_of
from adapters.live.venue import Wanted
from adapters.live.venues.alpaca import AlpacaFeedVenue
from engine.blocks import SELLER
from engine.config.feeds import AlpacaFeed, CcxtFeed, DirectFeed, SimulatedFeed
from engine.live.clock import SystemClock
from engine.timeframes import MINUTE_NS

NOW_NS = 1_700_000_000_000_000_000
SYMBOLS = {"binance": "BTCUSDT", "bybit": "BTCUSDT", "coinbase": "BTC-USD", "kraken": "BTC/USD"}

ANSWERS = {
    "binance": {
        "aggTrades": [{"a": 7, "p": "10.5", "q": "2", "f": 1, "l": 1, "T": 1_699_999_999_000, "m": True}],
        "klines": [[1_699_999_800_000, "1", "3", "0.5", "2", "9", 1_699_999_859_999, "0", 4, "0", "0", "0"]],
        "time": {"serverTime": 1_700_000_000_000},
    },
    "coinbase": {
        "ticker": {"trades": [{"trade_id": "7", "product_id": "BTC-USD", "price": "10.5", "size": "2",
                               "time": "2023-11-14T22:13:19Z", "side": "BUY"}]},
        "candles": {"candles": [{"start": "1699999800", "low": "0.5", "high": "3", "open": "1", "close": "2",
                                 "volume": "9"}]},
        "time": {"iso": "x", "epochSeconds": "1700000000", "epochMillis": "1700000000000"},
    },
    "kraken": {
        "Trades": {"error": [], "result": {"XXBTZUSD": [["10.5", "2", 1699999999.0, "s", "m", "", 7]], "last": "1"}},
        "OHLC": {"error": [], "result": {"XXBTZUSD": [[1699999800, "1", "3", "0.5", "2", "1.5", "9", 4]], "last": 1}},
    },
    "bybit": {
        "recent-trade": {"retCode": 0, "result": {"list": [
            {"execId": "7", "symbol": "BTCUSDT", "price": "10.5", "size": "2", "side": "Sell", "time": "1699999999000"}
        ]}},
        "kline": {"retCode": 0, "result": {"list": [["1699999800000", "1", "3", "0.5", "2", "9", "1"]]}},
        "time": {"retCode": 0, "result": {"timeSecond": "1700000000", "timeNano": "1700000000000000000"}},
    },
}  # fmt: skip


class Answering:
    """Stands in for `Rest`: by the last part of the path."""

    def __init__(self, answers: Mapping[str, object]) -> None:
        self.asked: list[tuple[str, Mapping[str, str]]] = []
        self._answers = answers

    async def get(self, path: str, query: Mapping[str, str], headers: Mapping[str, str] | None = None) -> bytes:
        self.asked.append((path, query))
        return msgspec.json.encode(self._answers[path.rsplit("/", 1)[-1]])


@pytest.mark.parametrize("name", sorted(VENUES))
@pytest.mark.asyncio
async def test_history_of_trades_is_read(name: str) -> None:
    rest, symbol = Answering(ANSWERS[name]), SYMBOLS[name]
    venue = VENUES[name]("", "")

    found = await venue.trades(rest, symbol, 0, NOW_NS - MINUTE_NS, NOW_NS)
    number, time_ns = await venue.latest(rest, symbol, NOW_NS)

    assert [tuple(one) for one in found] == [(symbol, 1_699_999_999 * 10**9, NOW_NS, 10.5, 2.0, SELLER, 7)]
    assert (number, time_ns) == (7, 1_699_999_999 * 10**9)


@pytest.mark.parametrize("name", sorted(VENUES))
@pytest.mark.asyncio
async def test_history_of_bars_is_read(name: str) -> None:
    rest, symbol = Answering(ANSWERS[name]), SYMBOLS[name]
    open_ns = 1_699_999_800 * 10**9

    found = await VENUES[name]("", "").bars(rest, symbol, "1m", open_ns, NOW_NS, NOW_NS)

    assert len(found) == 1
    assert found[0][:4] == (symbol, "1m", open_ns, open_ns + MINUTE_NS)
    assert found[0][5:10] == (1.0, 3.0, 0.5, 2.0, 9.0)


@pytest.mark.parametrize("name", sorted(VENUES))
@pytest.mark.asyncio
async def test_a_bar_that_has_not_closed_is_none(name: str) -> None:
    open_ns = 1_699_999_800 * 10**9

    found = await VENUES[name]("", "").bars(
        Answering(ANSWERS[name]), SYMBOLS[name], "1m", open_ns, open_ns, open_ns + MINUTE_NS - 1
    )

    assert list(found) == []


@pytest.mark.parametrize("name", sorted(VENUES))
@pytest.mark.asyncio
async def test_a_damaged_answer_is_no_empty_answer(name: str) -> None:
    rest = Answering({path: {"unexpected": 1} for path in ANSWERS[name]})

    with pytest.raises(LostError):
        await VENUES[name]("", "").trades(rest, SYMBOLS[name], 0, 0, NOW_NS)


@pytest.mark.parametrize("name", sorted(VENUES))
@pytest.mark.parametrize("kind", ["trades", "bars"])
def test_every_symbol_is_subscribed_to(name: str, kind: str) -> None:
    symbols = tuple(f"{SYMBOLS[name]}{number}" for number in range(25))
    wanted = Wanted(symbols, kind, "1m" if kind == "bars" else "", quotes=True)

    asked = msgspec.json.encode(list(VENUES[name]("", "").subscriptions(wanted))).decode()

    assert all(symbol in asked or symbol.lower() in asked for symbol in symbols)


@pytest.mark.parametrize("name", sorted(VENUES))
def test_a_venue_s_own_addresses_are_on_the_list_of_data_hosts(name: str) -> None:
    venue = VENUES[name]("", "")
    wanted = Wanted((SYMBOLS[name],), "trades", "", quotes=False)

    check(venue.url(wanted), venue.name, "live")
    host = venue.rest_url.removeprefix("https://")
    assert host in DATA_HOSTS[name]


@pytest.mark.parametrize(
    ("url", "mode"),
    [
        ("https://api.binance.com/api/v3/order", "paper"),
        ("https://api.alpaca.markets/v2/orders", "live"),
        ("https://paper-api.alpaca.markets/v2/orders", "paper"),
        ("http://data-api.binance.vision/api/v3/time", "paper"),
        ("http://127.0.0.1:80/", "live"),
        ("https://data-api.binance.vision.evil.example/", "paper"),
    ],
)
@pytest.mark.parametrize("venue", ["binance", "alpaca"])
def test_an_order_host_or_another_one_is_out_of_reach(url: str, mode: str, venue: str) -> None:
    with pytest.raises(ForbiddenHostError):
        check(url, venue, mode)


@pytest.mark.parametrize("path", ["/0/private/AddOrder", "/0/private/Balance", "/"])
def test_of_hosts_that_take_orders_too_only_public_paths_are_reached(path: str) -> None:
    check("https://api.kraken.com/0/public/Time", "kraken", "live")

    with pytest.raises(ForbiddenHostError, match="/0/public/"):
        check(f"https://api.kraken.com{path}", "kraken", "live")


def test_keys_and_venues_do_not_show_them() -> None:
    keys = Keys("the-key", "the-secret")
    venue = AlpacaFeedVenue("iex", keys)

    assert "the-" not in f"{keys!r} {keys!s} {venue!r}"


TABLES = [
    SimulatedFeed(kind="simulated", name="s", symbols=("A",), stale_after={"bars": "15s"}, seed=1),
    AlpacaFeed(kind="alpaca", name="a", symbols=("AAPL",), stale_after={"trades": "30s"}, channels=("trades",),
               source="iex"),
    CcxtFeed(kind="ccxt", name="c", symbols=("BTC/USDT",), stale_after={"trades": "off", "quotes": "1m"},
             channels=("trades", "quotes"), exchange="binance"),
    DirectFeed(kind="binance", name="b", symbols=("BTCUSDT",), stale_after={"bars": "2m"}, channels=("bars",)),
    DirectFeed(kind="kraken", name="k", symbols=("BTC/USD",), stale_after={"trades": "15s"}, channels=("trades",)),
]  # fmt: skip


@pytest.mark.parametrize("table", TABLES, ids=lambda one: one.kind)
def test_every_kind_of_the_configuration_makes_a_feed(table) -> None:
    if table.kind == "ccxt":
        pytest.importorskip("ccxt.pro")

    feed = build(table, SystemClock())

    assert (feed.name, feed.symbols) == (table.name, table.symbols)
    assert feed.simulated == (table.kind == "simulated")
    assert feed.report().state == "RECOVERING"


def test_a_limit_of_silence_holds_however_quiet_a_symbol_is_and_off_is_never() -> None:
    alpaca, ccxt = settings_of(TABLES[1]), settings_of(TABLES[2])

    assert (alpaca.stale_floor_s, alpaca.stale_ceiling_s) == (5.0, 30.0)
    assert ccxt.stale_floor_s > 86_400
    assert settings_of(TABLES[3]).lateness_ms >= 2_500
