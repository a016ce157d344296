"""Basana: its backtesting exchange, on bars only; it has no way to match against single trades.

The stop is an order of its own, placed when the fill of the entry is heard of, so it first stands in
the bar after that of the entry. Moving it is cancelling it and placing another.
"""

import asyncio
import datetime
from decimal import Decimal
from importlib.metadata import version
from typing import Any

import basana as bs
from basana.backtesting import exchange as backtesting
from basana.backtesting import liquidity

from tests.benchmarks.peers.measured import main
from tests.benchmarks.peers.strategy import MINUTE_NS, TICKS_PER_UNIT, Plan, Signals, Trade

PAIR = bs.Pair("AAA", "USD")
MINUTE = datetime.timedelta(minutes=1)
QUANTITY = Decimal(5)


class Breakout:
    def __init__(self, exchange: backtesting.Exchange, plan: Plan) -> None:
        self.exchange = exchange
        self.plan = plan
        self.signals = Signals(plan)
        self.level = 0
        self.entry: str | None = None
        self.stop: str | None = None
        self.closed: list[Trade] = []

    async def on_bar(self, event: bs.BarEvent) -> None:
        close = ticks(event.bar.close)
        breaks_out = self.signals.breaks_out(ticks(event.bar.high), close)
        await self.settle()
        level = self.plan.stop(close)
        if self.stop is not None and level > self.level:
            await self.exchange.cancel_order(self.stop)
            self.level = level
            await self.protect()
        elif self.entry is None and breaks_out:
            self.level = level
            created = await self.exchange.create_market_order(bs.OrderOperation.BUY, PAIR, QUANTITY)
            self.entry = created.id

    async def settle(self) -> None:
        """Protect what was bought, forget what was sold."""
        if self.entry is None:
            return
        if self.stop is None:
            await self.protect()
            return
        sold = await self.exchange.get_order_info(self.stop)
        if not sold.is_open:
            bought = await self.exchange.get_order_info(self.entry)
            self.closed.append(Trade(*executed(bought), *executed(sold)))
            self.entry = self.stop = None

    async def protect(self) -> None:
        price = Decimal(self.level) / TICKS_PER_UNIT
        created = await self.exchange.create_stop_order(bs.OrderOperation.SELL, PAIR, QUANTITY, price)
        self.stop = created.id


def ticks(price: Decimal) -> int:
    return int(price * TICKS_PER_UNIT)


def executed(order: Any) -> tuple[int, int]:
    """When the minute of the fill closed, and at what price it filled."""
    fill = order.fills[0]
    return int(fill.when.timestamp()) * 1_000_000_000 + MINUTE_NS, ticks(fill.price)


class Prepared:
    def __init__(self, kind: str, columns: dict[str, Any], plan: Plan, is_empty: bool) -> None:
        assert kind != "trades"
        self.dispatcher = bs.backtesting_dispatcher()
        exchange = backtesting.Exchange(
            self.dispatcher,
            initial_balances={"USD": Decimal(100_000)},
            liquidity_strategy_factory=liquidity.InfiniteLiquidity,
        )
        exchange.set_pair_info(PAIR, bs.PairInfo(0, 2))
        exchange.add_bar_source(bs.FifoQueueEventSource(events=bars(columns)))
        self.strategy = Breakout(exchange, plan)
        exchange.subscribe_to_bar_events(PAIR, nothing if is_empty else self.strategy.on_bar)

    def run(self) -> None:
        asyncio.run(self.dispatcher.run())

    def trades(self) -> list[Trade]:
        return self.strategy.closed


async def nothing(event: bs.BarEvent) -> None:
    pass


def bars(columns: dict[str, Any]) -> list[bs.BarEvent]:
    names = ("open", "high", "low", "close")
    prices = zip(*([Decimal(one) / TICKS_PER_UNIT for one in columns[name].tolist()] for name in names), strict=True)
    volumes, closes = (columns[name].tolist() for name in ("volume", "close_ns"))
    events = []
    for ohlc, volume, close_ns in zip(prices, volumes, closes, strict=True):
        when = datetime.datetime.fromtimestamp(close_ns // 1_000_000_000, tz=datetime.UTC)
        events.append(bs.BarEvent(when, bs.Bar(when - MINUTE, PAIR, *ohlc, Decimal(volume), MINUTE)))
    return events


if __name__ == "__main__":
    main(version("basana"), Prepared)
