"""backtesting.py: one vectorised indicator, and a stop attached to the trade. Bars only.

It matches as this engine does on bars: the next open, a stop that stands from the entry on, a jumped stop at the open.
"""

import contextlib
import io
import warnings
from importlib.metadata import version
from typing import Any

from tests.benchmarks.peers.measured import main
from tests.benchmarks.peers.strategy import TICKS_PER_UNIT, Plan, Trade

# Its import and its statistics warn of things that are not ours.
warnings.simplefilter("ignore")
with contextlib.redirect_stderr(io.StringIO()):
    import backtesting
    import pandas as pd

SIZE = 5


def breakout(plan: Plan) -> type[backtesting.Strategy]:
    class Breakout(backtesting.Strategy):
        def init(self) -> None:
            self.level = self.I(
                lambda high: pd.Series(high).rolling(plan.lookback).max().shift().values, self.data.High
            )

        def next(self) -> None:
            close = self.data.Close[-1]
            stop = plan.stop(round(close * TICKS_PER_UNIT)) / TICKS_PER_UNIT
            if self.position:
                for trade in self.trades:
                    trade.sl = max(trade.sl, stop)
            elif close > self.level[-1]:
                self.buy(size=SIZE, sl=stop)

    return Breakout


class Empty(backtesting.Strategy):
    def init(self) -> None:
        pass

    def next(self) -> None:
        pass


class Prepared:
    def __init__(self, kind: str, columns: dict[str, Any], plan: Plan, is_empty: bool) -> None:
        assert kind != "trades"
        prices = {name.capitalize(): columns[name] / TICKS_PER_UNIT for name in ("open", "high", "low", "close")}
        index = pd.to_datetime(columns["close_ns"])
        self.closes = columns["close_ns"]
        frame = pd.DataFrame({**prices, "Volume": columns["volume"]}, index=index)
        self.test = backtesting.Backtest(frame, Empty if is_empty else breakout(plan), cash=100_000, commission=0)
        self.result: Any = None

    def run(self) -> None:
        with contextlib.redirect_stderr(io.StringIO()):
            self.result = self.test.run()

    def trades(self) -> list[Trade]:
        rows = self.result._trades.itertuples()
        return [
            Trade(
                int(self.closes[row.EntryBar]), round(row.EntryPrice * TICKS_PER_UNIT),
                int(self.closes[row.ExitBar]), round(row.ExitPrice * TICKS_PER_UNIT),
            )
            for row in rows
        ]  # fmt: skip


if __name__ == "__main__":
    main(version("backtesting"), Prepared)
