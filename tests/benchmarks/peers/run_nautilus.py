"""NautilusTrader 1.x: a backtest on one venue, as its examples write it.

Its market order is matched while the bar that decided is still the market, so it fills at that bar's
close; minutes of the trade feed are built by its own aggregator. What does not cost the comparison
anything is off: logging, the analysis after the run.
"""

from decimal import Decimal
from importlib.metadata import version
from typing import Any

from nautilus_trader.backtest.engine import BacktestEngine, BacktestEngineConfig
from nautilus_trader.config import LoggingConfig, StrategyConfig
from nautilus_trader.model.currencies import USD
from nautilus_trader.model.data import Bar, BarType, TradeTick
from nautilus_trader.model.enums import AccountType, AggressorSide, OmsType, OrderSide
from nautilus_trader.model.identifiers import InstrumentId, Symbol, TradeId, Venue
from nautilus_trader.model.instruments import Equity
from nautilus_trader.model.objects import Money, Price, Quantity
from nautilus_trader.trading.strategy import Strategy

from tests.benchmarks.peers.measured import main
from tests.benchmarks.peers.strategy import TICKS_PER_UNIT, Plan, Signals, Trade

VENUE = Venue("SIM")
INSTRUMENT = Equity(
    instrument_id=InstrumentId(Symbol("AAA"), VENUE),
    raw_symbol=Symbol("AAA"),
    currency=USD,
    price_precision=2,
    price_increment=Price.from_str("0.01"),
    lot_size=Quantity.from_int(1),
    ts_event=0,
    ts_init=0,
)
OUTSIDE = BarType.from_str("AAA.SIM-1-MINUTE-LAST-EXTERNAL")
BUILT = BarType.from_str("AAA.SIM-1-MINUTE-LAST-INTERNAL")
QUANTITY = Quantity.from_int(5)


class Breakout(Strategy):
    def __init__(self, bar_type: BarType, plan: Plan) -> None:
        super().__init__(StrategyConfig())
        self.bar_type = bar_type
        self.plan = plan
        self.signals = Signals(plan)
        self.level = 0
        self.protection: Any = None
        self.closed: list[Trade] = []

    def on_start(self) -> None:
        self.subscribe_bars(self.bar_type)

    def on_bar(self, bar: Bar) -> None:
        close = ticks(bar.close)
        breaks_out = self.signals.breaks_out(ticks(bar.high), close)
        if self.protection is not None:
            level = self.plan.stop(close)
            if level > self.level:
                self.level = level
                self.modify_order(self.protection, trigger_price=price(level))
        elif breaks_out:
            self.level = self.plan.stop(close)
            self.submit_order(self.order_factory.market(INSTRUMENT.id, OrderSide.BUY, QUANTITY))

    def on_position_opened(self, event: Any) -> None:
        self.protection = self.order_factory.stop_market(
            INSTRUMENT.id, OrderSide.SELL, event.quantity, trigger_price=price(self.level), reduce_only=True
        )
        self.submit_order(self.protection)

    def on_position_closed(self, event: Any) -> None:
        self.protection = None
        entry, leave = (round(one * TICKS_PER_UNIT) for one in (event.avg_px_open, event.avg_px_close))
        self.closed.append(Trade(event.ts_opened, entry, event.ts_closed, leave))


class Empty(Strategy):
    """What the engine costs before a strategy does anything."""

    def __init__(self, bar_type: BarType) -> None:
        super().__init__(StrategyConfig())
        self.bar_type = bar_type
        self.closed: list[Trade] = []

    def on_start(self) -> None:
        self.subscribe_bars(self.bar_type)

    def on_bar(self, bar: Bar) -> None:
        pass


def ticks(value: Price) -> int:
    return round(value.as_double() * TICKS_PER_UNIT)


def price(level: int) -> Price:
    return Price(level / TICKS_PER_UNIT, 2)


class Prepared:
    def __init__(self, kind: str, columns: dict[str, Any], plan: Plan, is_empty: bool) -> None:
        self.engine = BacktestEngine(
            BacktestEngineConfig(logging=LoggingConfig(bypass_logging=True), run_analysis=False)
        )
        self.engine.add_venue(
            venue=VENUE, oms_type=OmsType.NETTING, account_type=AccountType.MARGIN, base_currency=USD,
            starting_balances=[Money(100_000, USD)], default_leverage=Decimal(1), bar_execution=True,
            trade_execution=kind == "trades",
        )  # fmt: skip
        self.engine.add_instrument(INSTRUMENT)
        bar_type = BUILT if kind == "trades" else OUTSIDE
        self.engine.add_data(trade_ticks(columns) if kind == "trades" else bars(columns))
        self.strategy = Empty(bar_type) if is_empty else Breakout(bar_type, plan)
        self.engine.add_strategy(self.strategy)

    def run(self) -> None:
        self.engine.run()

    def trades(self) -> list[Trade]:
        return self.strategy.closed


def bars(columns: dict[str, Any]) -> list[Bar]:
    names = ("open", "high", "low", "close", "volume", "close_ns")
    rows = zip(*(columns[name].tolist() for name in names), strict=True)
    return [
        Bar(OUTSIDE, price(first), price(high), price(low), price(close), Quantity(volume, 0), time_ns, time_ns)
        for first, high, low, close, volume, time_ns in rows
    ]


def trade_ticks(columns: dict[str, Any]) -> list[TradeTick]:
    sides = (AggressorSide.SELLER, AggressorSide.BUYER)
    rows = zip(*(columns[name].tolist() for name in ("price", "size", "side", "time_ns")), strict=True)
    return [
        TradeTick(INSTRUMENT.id, price(level), Quantity(size, 0), sides[side], TradeId(str(row)), time_ns, time_ns)
        for row, (level, size, side, time_ns) in enumerate(rows)
    ]


if __name__ == "__main__":
    main(version("nautilus_trader"), Prepared)
