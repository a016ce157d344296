"""The market that a loopback venue offers: a seeded walk of prices, made as time passes.

Everything made is kept, so that what a client asks for later agrees with what it was sent. Before
the venue's start there are minutes of history; from then on bars are made of the trades.
"""

import math
import random
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import NamedTuple

MINUTE_MS = 60_000
FIRST_ID = 1_000
DECIMALS = 4


class Print(NamedTuple):
    symbol: str
    id: int
    time_ms: int
    price: float
    size: float
    buyer_is_maker: bool


class Candle(NamedTuple):
    """`open_ms` is where its interval begins; `trades` is 0 where nothing traded."""

    open_ms: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    trades: int


class Listing:
    """One symbol: its trades, and its minutes before there were any."""

    def __init__(self, symbol: str, seed: str, start_ms: int, history: int) -> None:
        draw = random.Random(f"{seed}/{symbol}")  # noqa: S311
        self.symbol = symbol
        self.prints: list[Print] = []
        self._draw = draw
        self._price = math.exp(draw.uniform(math.log(5), math.log(400)))
        self._minutes = list(self._history(start_ms, history))

    @property
    def price(self) -> float:
        return round(self._price, DECIMALS)

    def trade(self, time_ms: int) -> Print:
        draw = self._draw
        self._price *= math.exp(draw.gauss(0, 0.0003))
        size = round(draw.expovariate(1 / 3) + 0.001, 3)
        made = Print(self.symbol, self.next_id, time_ms, self.price, size, draw.random() < 0.5)
        self.prints.append(made)
        self._fold(made)
        return made

    @property
    def next_id(self) -> int:
        return FIRST_ID + len(self.prints)

    def since(self, first_id: int, most: int) -> Sequence[Print]:
        """Trades from an id on, in order of ids."""
        start = max(0, first_id - FIRST_ID)
        return self.prints[start : start + most]

    def between(self, first_ms: int, last_ms: int) -> list[Print]:
        """Trades of a time, in order of ids; late ones stand where they were made."""
        return [one for one in self.prints if first_ms <= one.time_ms <= last_ms]

    def candles(self, length_ms: int, first_ms: int, last_ms: int) -> list[Candle]:
        """Bars that open in [first_ms, last_ms], the last perhaps unfinished. A silent minute is flat."""
        minutes = self._minutes
        start = bisect_left(minutes, first_ms // length_ms * length_ms, key=lambda one: one.open_ms)
        inside: dict[int, list[Candle]] = {}
        for one in minutes[start:]:
            opens = one.open_ms // length_ms * length_ms
            if opens > last_ms:
                break
            if opens >= first_ms:
                inside.setdefault(opens, []).append(one)
        return [_joined(opens, inside[opens]) for opens in sorted(inside)]

    def pass_time(self, now_ms: int) -> None:
        """Minutes in which nothing traded are bars too, once they have begun."""
        last = self._minutes[-1]
        for open_ms in range(last.open_ms + MINUTE_MS, now_ms + 1, MINUTE_MS):
            self._minutes.append(Candle(open_ms, last.close, last.close, last.close, last.close, 0.0, 0))

    def _fold(self, made: Print) -> None:
        """In order it extends the last minute; a late trade has its minute made anew."""
        self.pass_time(made.time_ms)
        last = self._minutes[-1]
        in_order = len(self.prints) < 2 or made.time_ms >= self.prints[-2].time_ms
        if in_order and last.open_ms <= made.time_ms:
            self._minutes[-1] = _extended(last, made)
            return
        minute = made.time_ms // MINUTE_MS * MINUTE_MS
        place = bisect_left(self._minutes, minute, key=lambda one: one.open_ms)
        if place < len(self._minutes) and self._minutes[place].open_ms == minute:
            of_minute = [one for one in self.prints if minute <= one.time_ms < minute + MINUTE_MS]
            self._minutes[place] = _of_trades(minute, of_minute)

    def _history(self, start_ms: int, minutes: int) -> Iterator[Candle]:
        last = start_ms // MINUTE_MS * MINUTE_MS
        for open_ms in range(last - minutes * MINUTE_MS, last, MINUTE_MS):
            steps = [self._price]
            for _ in range(4):
                self._price *= math.exp(self._draw.gauss(0, 0.0008))
                steps.append(self._price)
            rounded = [round(one, DECIMALS) for one in steps]
            volume = round(self._draw.expovariate(1 / 200) + 1, 3)
            yield Candle(open_ms, rounded[0], max(rounded), min(rounded), rounded[-1], volume, 40)
        price = round(self._price, DECIMALS)
        yield Candle(last, price, price, price, price, 0.0, 0)


class LoopbackMarket:
    """All listings. `make` deals trades out to symbols as the seed will have it."""

    def __init__(self, symbols: Sequence[str], seed: int, start_ms: int, history: int = 1_500) -> None:
        self.start_ms = start_ms
        self.listings = {symbol: Listing(symbol, str(seed), start_ms, history) for symbol in symbols}
        self.suspended: set[str] = set()
        self._symbols = list(symbols)
        self._draw = random.Random(seed)  # noqa: S311

    def make(self, count: int, now_ms: int) -> list[Print]:
        """What would have been of a symbol that is suspended is nobody's."""
        choices = self._draw.choices(self._symbols, k=count)
        return [self.listings[symbol].trade(now_ms) for symbol in choices if symbol not in self.suspended]


def _extended(minute: Candle, made: Print) -> Candle:
    if not minute.trades:
        return Candle(minute.open_ms, made.price, made.price, made.price, made.price, made.size, 1)
    high, low = max(minute.high, made.price), min(minute.low, made.price)
    volume = minute.volume + made.size
    return Candle(minute.open_ms, minute.open, high, low, made.price, volume, minute.trades + 1)


def _of_trades(open_ms: int, trades: list[Print]) -> Candle:
    """Open is the earliest price and close the latest; among equal times ids decide."""
    ordered = sorted(trades, key=lambda one: (one.time_ms, one.id))
    prices = [one.price for one in ordered]
    volume = math.fsum(one.size for one in ordered)
    return Candle(open_ms, prices[0], max(prices), min(prices), prices[-1], round(volume, 3), len(prices))


def _joined(open_ms: int, minutes: list[Candle]) -> Candle:
    traded = [one for one in minutes if one.trades] or minutes
    high, low = max(one.high for one in traded), min(one.low for one in traded)
    volume = math.fsum(one.volume for one in minutes)
    count = sum(one.trades for one in minutes)
    return Candle(open_ms, traded[0].open, high, low, traded[-1].close, round(volume, 3), count)
