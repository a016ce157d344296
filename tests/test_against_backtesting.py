"""The same simple strategy through the whole line and through backtesting.py, trade by trade.

Both buy the next open after a breakout, with a fixed stop and a fixed target, on the same real daily
bars, at no cost. Entry and exit day, price, size and reason must be the same; where they are not, one
of the rules in `RULES` says why, and a difference that no rule explains fails.
"""

import csv
import gzip
import importlib.util
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cache
from math import floor
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import pytest

from engine.blocks import Bars
from engine.instruments import ASSET_CLASSES
from engine.messages import Fill, Leg, Order, OrderKind, Role
from engine.ports import Moment, Proposal
from engine.timeframes import DAY_NS, TIMEFRAMES
from tests.lines import SHIPPED, config, decide, line, recorded

SYMBOLS = ("AAPL", "GOOG", "IBM", "MSFT")
LOOKBACK = 20
CASH = 100_000
VALID_DAYS = 12  # an order lives in days, and exchanges close for several
FOREVER = dict.fromkeys(TIMEFRAMES, 100_000)
RISK = 0.01
LARGEST = 0.20

RULES = {
    "stop first": "a bar that spans stop and target stops",
    "entry bar": "a target is never reached on the bar of the entry",
    "gap": "a level that the bar opens beyond fills at the open",
    "worst price": "an entry never pays more than its worst price, the market order of the other does",
    "tick": "levels lie on the tick away from the market, prices there are not rounded",
}


@dataclass(frozen=True)
class Levels:
    """Worst price, stop and target as shares of the close that broke out."""

    worst: float
    stop: float
    target: float


WIDE = Levels(worst=1.14, stop=0.93, target=1.15)
TIGHT = Levels(worst=1.018, stop=0.985, target=1.02)
"""So near that stop and target often lie in one bar, the entry's too."""


@dataclass(frozen=True)
class Trade:
    entry: int
    entry_price: float
    exit: int
    exit_price: float
    size: int
    reason: str


@dataclass(frozen=True)
class Prices:
    day: npt.NDArray[np.int64]
    open: npt.NDArray[np.float64]
    high: npt.NDArray[np.float64]
    low: npt.NDArray[np.float64]
    close: npt.NDArray[np.float64]
    volume: npt.NDArray[np.float64]

    @property
    def breakouts(self) -> npt.NDArray[np.int64]:
        """Bars that close above the highest high of the bars before them."""
        highest = np.array([self.high[i - LOOKBACK : i].max() for i in range(LOOKBACK, len(self.high))])
        return LOOKBACK + np.flatnonzero(self.close[LOOKBACK:] > highest)


@cache
def prices(symbol: str) -> Prices:
    found = importlib.util.find_spec("bokeh_sampledata")
    if found is None or found.origin is None:
        pytest.skip("bokeh_sampledata is not installed")
    with gzip.open(Path(found.origin).parent / "_data" / "stocks.csv.gz", "rt") as text:
        rows = [one for one in csv.DictReader(text) if one["Ticker"] == symbol]
    day = np.array([np.datetime64(one["Date"], "D").astype(np.int64) for one in rows])
    names = ("Open", "High", "Low", "Close", "Volume")
    # To whole cents, the tick: the file holds some prices that were halved by a split.
    columns = (np.round([float(one[name]) for one in rows], 2) for name in names)
    return Prices(day, *columns)


# ------------------------------------------------------------------------------------- our line


class Breakout:
    """Marks the bars it was told of and buys each at the next open."""

    name = "breakout"

    def __init__(self, days: Iterable[int], levels: Levels) -> None:
        self._opens_ns = np.array([day * DAY_NS for day in days])
        self._levels = levels

    def marks(self, bars: Bars) -> npt.NDArray[np.bool_]:
        return np.isin(bars.open_ns, self._opens_ns)

    def propose(self, moment: Moment) -> Iterable[Proposal]:
        if moment.mark is None:
            return
        close = moment.mark.close
        yield Proposal(
            leg=Leg.LPS,
            kind=OrderKind.LIMIT,
            trigger=float("nan"),
            worst=close * self._levels.worst,
            stop=close * self._levels.stop,
            targets=(close * self._levels.target,) * 3,
            score=80.0,
            valid_bars=VALID_DAYS,
            reason="breakout",
        )


FREE = {
    "latency_ns": 0, "participation": 1, "half_spread_bp": 0, "impact_bp": 0, "stock_per_share": 0, "stock_minimum": 0,
}  # fmt: skip
CAMPAIGNS = {
    "pattern_percent": {"spring": "0.5", "sos": "0.5", "lps": str(100 * RISK)},
    "dormant_bars": FOREVER, "expire_bars": FOREVER, "time_stop_bars": FOREVER,
    "cooldown_days": dict.fromkeys(ASSET_CLASSES, 0),
}  # fmt: skip
UNHALTED = [one for one in SHIPPED["risk"]["rules"] if one not in ("daily_loss", "drawdown")]
"""The other side knows of no bad days."""
QUIET = {"sc_prior_atr": 1_000, "soft_prior_atr": 1_000, "cluster_touches": 10, "cluster_bars": 20}
"""No climax is deep enough, no level touched often enough: structure neither opens campaigns here nor ends them."""


def our_trades(symbol: str, levels: Levels, patched: pytest.MonkeyPatch) -> tuple[dict[int, Trade], dict[int, int]]:
    """(closed trades, size of every entry that was sent), both by the bar of the decision."""
    data = prices(symbol)
    open_ns = data.day * DAY_NS
    block = Bars.of(
        open_ns=open_ns, close_ns=open_ns + DAY_NS, received_ns=open_ns + DAY_NS, timeframe=TIMEFRAMES.index("1d"),
        open=data.open, high=data.high, low=data.low, close=data.close, volume=data.volume, trades=-1,
    )  # fmt: skip
    market = recorded(block)
    market = replace(market, start=msgspec.structs.replace(market.start, time_ns=int(open_ns[0]), cash=Decimal(CASH)))
    strategy = Breakout(data.day[data.breakouts], levels)
    patched.setattr("engine.app.strategy", lambda name, table: strategy)
    settings = config(
        run={"strategies": ["breakout"]}, paper=FREE, campaigns=CAMPAIGNS, detector=QUIET, risk={"rules": UNHALTED}
    )
    built = line(market, settings)
    left = decide(market, built=built).left
    bar_of = {int(day): number for number, day in enumerate(data.day)}
    entries = [one for one in left if isinstance(one, Order) and one.role is Role.ENTRY]
    decided = {one.group: bar_of[one.decision_ns // DAY_NS - 1] for one in entries}
    sent = {decided[one.group]: int(one.quantity) for one in entries}
    return _folded([one for one in left if isinstance(one, Fill)], decided, bar_of), sent


def _folded(fills: Iterable[Fill], decided: Mapping[str, int], bar_of: Mapping[int, int]) -> dict[int, Trade]:
    groups: dict[str, list[Fill]] = {}
    for fill in fills:
        groups.setdefault(fill.group, []).append(fill)
    found = {}
    for group, (entry, *exits) in groups.items():
        size = sum(one.quantity for one in exits)
        if size == entry.quantity:
            found[decided[group]] = Trade(
                entry=bar_of[entry.time_ns // DAY_NS - 1],
                entry_price=float(entry.price),
                exit=bar_of[exits[-1].time_ns // DAY_NS - 1],
                exit_price=float(sum(one.quantity * one.price for one in exits) / size),
                size=int(size),
                reason="/".join(dict.fromkeys(str(one.role) for one in exits)),
            )
    return found


# ------------------------------------------------------------------------------------ the other


def backtesting() -> Any:
    """The library; its import warns of things that are not ours."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("backtesting", reason="backtesting is not installed")


def their_trades(symbol: str, levels: Levels, sizes: Mapping[int, int] | None) -> dict[int, Trade]:
    """By the bar of the decision. `sizes` None: one position at a time, sized by its own equity and
    on the tick; else every bar in it is bought with that size, at levels as they come."""
    library = backtesting()
    data = prices(symbol)
    breakouts = set(data.breakouts.tolist())

    class Other(library.Strategy):  # type: ignore[misc, name-defined]
        def init(self) -> None:
            pass

        def next(self) -> None:
            bar = len(self.data) - 1
            worst, stop, target = (data.close[bar] * one for one in (levels.worst, levels.stop, levels.target))
            if sizes is not None:
                if bar in sizes:
                    self.buy(size=sizes[bar], sl=float(stop), tp=float(target))
            elif bar in breakouts and not self.position and not self.orders:
                worst, stop, target = -on_tick(-worst), on_tick(stop), on_tick(target)
                size = floor(min(self.equity * RISK / (worst - stop), self.equity * LARGEST / worst))
                self.buy(size=size, sl=stop, tp=target)

    frame = pandas_frame(data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cash = CASH if sizes is None else 1_000 * CASH
        result = library.Backtest(frame, Other, cash=cash, commission=0).run()
    return {int(row.EntryBar) - 1: _their_trade(row, data, levels) for row in result._trades.itertuples()}


def _their_trade(row: Any, data: Prices, levels: Levels) -> Trade:
    stopped = row.ExitPrice <= data.close[row.EntryBar - 1] * levels.stop + 1e-9
    return Trade(
        entry=int(row.EntryBar),
        entry_price=float(row.EntryPrice),
        exit=int(row.ExitBar),
        exit_price=float(row.ExitPrice),
        size=int(row.Size),
        reason="STOP" if stopped else "TARGET",
    )


def pandas_frame(data: Prices) -> Any:
    pandas = pytest.importorskip("pandas")
    columns = {name.capitalize(): getattr(data, name) for name in ("open", "high", "low", "close", "volume")}
    return pandas.DataFrame(columns, index=pandas.to_datetime(data.day, unit="D"))


def on_tick(price: float) -> float:
    """The first tick at or below, by whole hundredths."""
    return floor(Decimal(repr(float(price))) * 100) / 100


# -------------------------------------------------------------------------------- the comparison


def explained(bar: int, ours: Trade | None, theirs: Trade, data: Prices, levels: Levels) -> str:
    """The rule that makes two trades differ, "" where they are the same, "?" where none does."""
    if ours == theirs:
        return ""
    if theirs.entry_price > -on_tick(-data.close[bar] * levels.worst):
        return "worst price"
    if ours is None:
        return "?"
    stop, target = data.close[bar] * levels.stop, data.close[bar] * levels.target
    same_entry = (ours.entry, ours.entry_price, ours.size) == (theirs.entry, theirs.entry_price, theirs.size)
    if same_entry and theirs.reason == "TARGET" and theirs.exit == theirs.entry < ours.exit:
        return "entry bar"
    if same_entry and (ours.exit, ours.reason) == (theirs.exit, theirs.reason):
        return "tick" if abs(ours.exit_price - theirs.exit_price) < 0.01 else "?"
    first = min(ours.exit, theirs.exit)
    between = on_tick(stop) < data.low[first] <= stop or on_tick(target) <= data.high[first] < target
    return "tick" if same_entry and between else "?"


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_every_trade_is_the_same_in_backtesting_py(symbol: str, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = their_trades(symbol, WIDE, None)
    ours, _ = our_trades(symbol, WIDE, monkeypatch)

    assert ours == theirs
    assert len(ours) >= 20
    assert {one.reason for one in ours.values()} == {"STOP", "TARGET"}


def test_every_difference_has_a_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = dict.fromkeys(("", *RULES), 0)
    for symbol in SYMBOLS:
        data = prices(symbol)
        ours, sent = our_trades(symbol, TIGHT, monkeypatch)
        theirs = their_trades(symbol, TIGHT, sent)
        assert set(ours) <= set(theirs)
        for bar, their in theirs.items():
            rule = explained(bar, ours.get(bar), their, data, TIGHT)
            assert rule != "?", (symbol, bar, ours.get(bar), their)
            counts[rule] += 1
            counts["gap"] += gapped(bar, ours.get(bar), data)
            counts["stop first"] += spans_both(bar, ours.get(bar), data)

    assert all(count >= 3 for count in counts.values()), counts


def gapped(bar: int, ours: Trade | None, data: Prices) -> bool:
    """Stopped at an open below the stop."""
    return ours is not None and ours.reason == "STOP" and ours.exit_price < on_tick(data.close[bar] * TIGHT.stop)


def spans_both(bar: int, ours: Trade | None, data: Prices) -> bool:
    """The bar of the exit reaches stop and target, and opens between them."""
    if ours is None:
        return False
    stop, target = data.close[bar] * TIGHT.stop, data.close[bar] * TIGHT.target
    both = data.low[ours.exit] <= on_tick(stop) and data.high[ours.exit] >= target
    if both and stop < data.open[ours.exit] < target:
        assert ours.reason == "STOP"
        return True
    return False
