"""What is said of symbols: by a venue's own words where it has some, by trades where it has none, else nothing."""

import json
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, cast

import anyio
import pytest
from anyio.lowlevel import checkpoint

from adapters.live.intake import Intake
from adapters.live.lost import LostError
from adapters.live.outlet import Outlet
from adapters.live.rest import Rest
from adapters.live.settings import FeedSettings
from adapters.live.symbol_watch import RESUMED_NS, SymbolWatch
from adapters.live.venue import Venue
from adapters.venue_metadata import recognised
from engine.live.ports import Clock
from engine.messages import SymbolStatus

S = 1_000_000_000
NOW_NS = 1_800_000_000 * S
MINUTE_NS = 60 * S

Answer = str | LostError
Told = tuple[str, str, bool]


class Steps:
    """A clock that sleeping moves, until its end."""

    def __init__(self) -> None:
        self.time_ns = NOW_NS
        self.ends_ns = NOW_NS

    def now_ns(self) -> int:
        return self.time_ns

    def monotonic_ns(self) -> int:
        return self.time_ns

    async def sleep(self, seconds: float) -> None:
        await checkpoint()
        if self.time_ns >= self.ends_ns:
            raise EndedError
        self.time_ns += int(seconds * S)


class EndedError(Exception):
    """The clock has come to its end."""


class Listing:
    """A venue that answers by what it was asked for. None: it says nothing of its instruments."""

    def __init__(self, name: str, answers: Callable[[Sequence[str]], Answer] | None) -> None:
        self.name = name
        self.asked: list[tuple[str, ...]] = []
        self.answers = answers

    @property
    def metadata(self) -> Callable[[Rest, Sequence[str]], Awaitable[bytes]] | None:
        return None if self.answers is None else self._answer

    async def _answer(self, rest: Rest, symbols: Sequence[str]) -> bytes:
        await checkpoint()
        self.asked.append(tuple(symbols))
        assert self.answers is not None
        answer = self.answers(symbols)
        if isinstance(answer, LostError):
            raise answer
        return answer.encode()


class Said(list[SymbolStatus]):
    def say(self, fact: SymbolStatus) -> None:
        self.append(fact)

    def told(self) -> list[Told]:
        told = [(one.symbol, one.cause, one.holds) for one in self]
        self.clear()
        return told


class Scene:
    def __init__(
        self, name: str, symbols: tuple[str, ...], answers: Callable[[Sequence[str]], Answer] | None,
        known: str = "", **settings: Any,
    ) -> None:  # fmt: skip
        self.clock, self.said, self.venue = Steps(), Said(), Listing(name, answers)
        wanted = FeedSettings(name="one", kind=name, symbols=symbols, **settings)
        numbers = {symbol: number for number, symbol in enumerate(symbols)}
        self.intake = Intake(numbers, 0, frozenset((wanted.data,)), consecutive=False)
        self.intake.release()
        self.watch = SymbolWatch(
            cast(Venue, self.venue), cast(Rest, None), wanted, cast(Clock, self.clock), self.intake,
            cast(Outlet, self.said), recognised(name, known.encode()) if known else None,
        )  # fmt: skip

    def passes(self, seconds: float) -> list[Told]:
        """What is said meanwhile."""
        self.clock.ends_ns = self.clock.time_ns + int(seconds * S)

        async def watched() -> None:
            with suppress(EndedError):
                await self.watch.run()

        anyio.run(watched)
        return self.said.told()

    def status(self, *, trades: bool) -> list[Told]:
        self.intake.status("AAPL", trades, "T1 news")
        return self.said.told()

    def trade(self, symbol: str, time_ns: int) -> None:
        self.intake.trade(symbol, time_ns, time_ns, 10.0, 1.0, 0, time_ns)

    def bar(self, open_ns: int, volume: float = 5.0) -> None:
        close_ns = open_ns + MINUTE_NS
        self.intake.bar("AAPL", "1m", open_ns, close_ns, close_ns, 10.0, 10.0, 10.0, 10.0, volume)


def stocks(**settings: Any) -> Scene:
    return Scene("alpaca", ("AAPL",), None, **settings)


RELEASED = ("AAPL", "HALTED", False)


# ------------------------------------------------------------------------------------- halts, and trades after them


def test_a_trade_that_is_later_than_a_halt_takes_it_back() -> None:
    scene = stocks()
    scene.passes(1)
    assert scene.status(trades=False) == [("AAPL", "HALTED", True)]

    halted_ns = scene.clock.time_ns
    scene.trade("AAPL", halted_ns + RESUMED_NS)
    assert RELEASED not in scene.passes(30)
    scene.trade("AAPL", halted_ns + RESUMED_NS + 1)

    assert RELEASED in scene.passes(1)


def test_the_bar_in_which_a_halt_falls_does_not_take_it_back() -> None:
    scene = stocks(data="bars", timeframe="1m")
    scene.passes(1)
    scene.status(trades=False)
    halted_ns = scene.clock.time_ns

    scene.bar(halted_ns - MINUTE_NS // 2)
    assert RELEASED not in scene.passes(60)
    scene.bar(halted_ns + RESUMED_NS)
    assert RELEASED not in scene.passes(60)
    scene.bar(halted_ns + RESUMED_NS + MINUTE_NS, volume=0.0)
    assert RELEASED not in scene.passes(60)
    scene.bar(halted_ns + RESUMED_NS + 2 * MINUTE_NS)

    assert RELEASED in scene.passes(1)


def test_that_it_trades_again_is_told_though_this_run_never_heard_of_the_halt() -> None:
    assert stocks().status(trades=True) == [RELEASED]


# ------------------------------------------------------------------------------------- what an earlier run has held


def test_without_metadata_whatever_was_held_is_taken_back_by_the_first_trade() -> None:
    scene = Scene("ccxt", ("AAPL", "MSFT"), None)

    scene.trade("AAPL", NOW_NS)
    assert scene.passes(30) == []
    scene.trade("AAPL", NOW_NS + 1)

    assert scene.passes(1) == [("AAPL", cause, False) for cause in ("HALTED", "DELISTED", "REDEFINED")]
    assert scene.passes(60) == []


def binance(*symbols: str, tick: str = "0.10") -> str:
    filters = [{"filterType": "PRICE_FILTER", "tickSize": tick}, {"filterType": "LOT_SIZE", "stepSize": "0.001"}]
    entries = [
        {"symbol": one, "status": "TRADING", "quoteAsset": "USDT", "filters": filters, "extra": 1} for one in symbols
    ]
    return json.dumps({"symbols": entries})


COINS = ("BTCUSDT", "ETHUSDT")
FREE = [(symbol, cause, False) for symbol in COINS for cause in ("DELISTED", "REDEFINED")]


def coins(answers: Callable[[Sequence[str]], Answer]) -> Scene:
    return Scene("binance", COINS, answers, binance(*COINS))


def test_with_metadata_a_trade_takes_back_a_halt_and_nothing_else() -> None:
    scene = coins(lambda _: LostError("timeout", "no answer in time"))

    scene.trade("BTCUSDT", NOW_NS + 1)

    assert scene.passes(30) == [("BTCUSDT", "HALTED", False)]


def test_the_first_look_is_the_first_that_succeeds() -> None:
    answers: list[Answer] = [LostError("timeout", "no answer in time"), "<html>Service Unavailable</html>"]
    scene = coins(lambda symbols: answers.pop(0) if answers else binance(*symbols))

    assert scene.passes(59) == []
    assert scene.passes(62) == FREE
    assert scene.venue.asked == [COINS, COINS, COINS]
    assert scene.passes(3_599) == []


def test_each_symbol_has_a_first_look_of_its_own() -> None:
    lost = [LostError("status", "HTTP status 400"), LostError("timeout", "no answer in time")]

    def answers(symbols: Sequence[str]) -> Answer:
        is_lost = lost and (len(symbols) > 1 or symbols == ("ETHUSDT",))
        return lost.pop(0) if is_lost else binance(*symbols)

    scene = coins(answers)

    assert scene.passes(1) == FREE[:2]
    assert scene.passes(61) == FREE[2:]


def test_a_change_is_told_and_so_is_its_end() -> None:
    ticks = ["0.50", "0.10"]
    scene = coins(lambda symbols: binance(*symbols, tick=ticks.pop(0) if len(ticks) > 1 else ticks[0]))

    held = [one for one in scene.passes(1) if one[2]]
    assert held == [(symbol, "REDEFINED", True) for symbol in COINS]
    assert scene.passes(3_601) == [(symbol, "REDEFINED", False) for symbol in COINS]


# ------------------------------------------------------------------------------------- which answers say something

BYBIT = {"symbol": "BTCUSDT", "quoteCoin": "USDT", "priceFilter": {"tickSize": "0.1"},
         "lotSizeFilter": {"minOrderQty": "0.001", "basePrecision": "0.001"}}  # fmt: skip
KRAKEN = {"wsname": "XBT/USD", "pair_decimals": 1, "lot_decimals": 8}
COINBASE = {"product_id": "BTC-USD", "product_type": "SPOT", "base_increment": "0.001", "quote_increment": "0.01",
            "quote_currency_id": "USD"}  # fmt: skip

GOOD = {
    "binance": ("BTCUSDT", json.loads(binance("BTCUSDT"))),
    "bybit": ("BTCUSDT", {"retCode": 0, "result": {"list": [BYBIT]}}),
    "kraken": ("BTC/USD", {"error": [], "result": {"XXBTZUSD": KRAKEN}}),
    "coinbase": ("BTC-USD", {"products": [COINBASE]}),
}

DAMAGED = {"symbol": "BTCUSDT", "status": "TRADING", "quoteAsset": "USDT", "filters": []}

SILENT: list[tuple[str, object]] = [
    ("kraken", {"error": ["EGeneral:Too many requests"]}),
    ("kraken", {"error": ["EService:Unavailable"], "result": {}}),
    ("kraken", {"error": []}),
    ("bybit", {"retCode": 10006, "retMsg": "Too many visits!", "result": {}}),
    ("bybit", {"retCode": 10006, "retMsg": "Too many visits!", "result": {"list": []}}),
    ("bybit", {"retCode": 10016, "retMsg": "Server error on symbol", "result": {"list": []}}),
    ("bybit", {"retCode": 10001, "retMsg": "category invalid", "result": {}}),
    ("binance", {"status": "maintenance"}),
    ("binance", {"symbols": []}),
    ("binance", {"symbols": ["maintenance"]}),
    ("binance", {"symbols": [DAMAGED]}),
    ("binance", {"data": [{"symbol": "OTHER"}]}),
    ("binance", LostError("status", "HTTP status 503")),
    ("coinbase", {"products": []}),
]

GONE: list[tuple[str, object]] = [
    ("kraken", {"error": ["EQuery:Unknown asset pair"]}),
    ("kraken", {"error": [], "result": {"XETHZUSD": KRAKEN | {"wsname": "ETH/USD"}}}),
    ("bybit", {"retCode": 10001, "retMsg": "Not supported symbols", "result": {}}),
    ("bybit", {"retCode": 0, "result": {"category": "spot", "list": []}}),
    ("bybit", {"retCode": 0, "result": {"list": [BYBIT | {"symbol": "ETHUSDT"}]}}),
    ("binance", LostError("status", "HTTP status 400")),
    ("binance", json.loads(binance("ETHUSDT"))),
    ("coinbase", {"products": [], "num_products": 0}),
    ("coinbase", LostError("status", "HTTP status 404")),
]


def after(name: str, answer: object) -> tuple[str, list[Told]]:
    """What is said once the venue, which knew the symbol when the session began, answers so."""
    symbol, good = GOOD[name]
    told = answer if isinstance(answer, LostError) else json.dumps(answer)
    answers: list[Answer] = [json.dumps(good), told]
    scene = Scene(name, (symbol,), lambda _: answers.pop(0) if len(answers) > 1 else told, json.dumps(good))
    assert scene.passes(1) == [(symbol, "DELISTED", False), (symbol, "REDEFINED", False)]
    return symbol, scene.passes(3_700)


@pytest.mark.parametrize(("name", "answer"), SILENT, ids=lambda one: str(one)[:60])
def test_an_answer_that_cannot_be_read_says_nothing(name: str, answer: object) -> None:
    assert after(name, answer)[1] == []


@pytest.mark.parametrize(("name", "answer"), GONE, ids=lambda one: str(one)[:60])
def test_a_venue_that_does_not_know_a_symbol_has_delisted_it(name: str, answer: object) -> None:
    symbol, told = after(name, answer)

    assert told == [(symbol, "DELISTED", True)]


def test_one_symbol_that_is_unknown_leaves_the_others_alone() -> None:
    def answers(symbols: Sequence[str]) -> Answer:
        return LostError("status", "HTTP status 400") if "ETHUSDT" in symbols else binance(*symbols)

    told = coins(answers).passes(1)

    assert [one for one in told if one[2]] == [("ETHUSDT", "DELISTED", True)]
    assert ("BTCUSDT", "DELISTED", False) in told
