"""What a run gives back in Python: events, phases, trades, equity and bars as NumPy structured arrays.

Times are datetime64[ns], UTC; a missing number is NaN, a missing time NaT. Money is float64 here:
exact decimals are in `summary` and in the trades of a store.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.blocks import MarketBlock
from engine.campaigns.curve import ACCOUNT, CurvePoint
from engine.campaigns.performance import Trade
from engine.ledger import Record
from engine.messages import Detections, Event, Phase, PhaseChange, SessionStart
from engine.naming import event_name
from engine.ports import Item
from engine.report.candles import BarKeeper
from engine.summary import RunSummary

Table = npt.NDArray[np.void]

TIME = "datetime64[ns]"

BAR_COLUMNS = (
    "open_ns", "close_ns", "open", "high", "low", "close", "volume", "vr", "sr", "cp", "atr", "phase", "direction",
    "confidence", "swing_low", "swing_high",
)  # fmt: skip
"""Of `engine.blocks.Bars`: what came from the feed, then what the detector measured."""

PHASES = np.array([phase.value for phase in Phase])
NO_LIMIT = 2**62

EVENTS = {
    "symbol": "U", "timeframe": "U", "direction": "i1", "event": "U", "event_time": TIME, "confirm_time": TIME,
    "known_time": TIME, "price": "f8", "score": "f8", "confidence": "f8", "phase": "U", "support": "f8",
    "resistance": "f8", "volume_ratio": "f8", "spread_ratio": "f8", "event_id": "U", "supersedes": "U",
}  # fmt: skip
PHASE_CHANGES = {
    "symbol": "U", "timeframe": "U", "direction": "i1", "time": TIME, "previous": "U", "phase": "U",
    "confidence": "f8", "support": "f8", "resistance": "f8", "range_start": TIME,
}  # fmt: skip
TRADES = {
    "symbol": "U", "timeframe": "U", "campaign": "U", "leg": "U", "side": "U", "phase": "U", "quantity": "f8",
    "entry_time": TIME, "entry_price": "f8", "stop_price": "f8", "exit_time": TIME, "exit_price": "f8", "costs": "f8",
    "pnl": "f8", "risk": "f8", "r": "f8", "mfe_r": "f8", "mae_r": "f8",
}  # fmt: skip
EQUITY = {"time": TIME, "equity": "f8", "pnl": "f8", "return": "f8", "drawdown": "f8"}
BARS = {
    "time": TIME, "close_time": TIME, **dict.fromkeys(("open", "high", "low", "close", "volume"), "f8"),
    **dict.fromkeys(("volume_ratio", "spread_ratio", "close_position", "atr"), "f8"), "phase": "U", "direction": "i1",
    **dict.fromkeys(("confidence", "swing_low", "swing_high"), "f8"),
}  # fmt: skip


@dataclass(frozen=True)
class Frames:
    """Data frames; `bars` has all symbols and timeframes below each other."""

    events: Any
    phases: Any
    trades: Any
    equity: Any
    bars: Any


@dataclass(frozen=True)
class Result:
    """One run.

    events   what was recognised, in the order in which it became known (`known_time`)
    phases   changes of phase; the phase of each bar is a column of `bars`
    trades   closed legs, in the order in which they closed
    equity   the account, marked to market at executions and while anything is held
    bars     by (symbol, timeframe): the bars that were detected on, with what was measured on them
    summary  counts and profit, as `wyckoff replay --json` prints them
    """

    summary: RunSummary
    events: Table
    phases: Table
    trades: Table
    equity: Table
    bars: Mapping[tuple[str, str], Table]

    @property
    def digest(self) -> str:
        """The same for every run that decided the same."""
        return self.summary.digest

    def to_pandas(self) -> Frames:
        """The same as data frames, times in UTC. Raises ImportError where pandas is not installed."""
        try:
            pandas: Any = import_module("pandas")
        except ModuleNotFoundError as error:
            raise ImportError("to_pandas() needs pandas, which is not installed: pip install pandas") from error
        parts = [_frame(pandas, table, symbol, timeframe) for (symbol, timeframe), table in self.bars.items()]
        bars = pandas.concat(parts, ignore_index=True) if parts else pandas.DataFrame(columns=list(BARS))
        tables = (self.events, self.phases, self.trades, self.equity)
        events, phases, trades, equity = (_frame(pandas, one) for one in tables)
        return Frames(events, phases, trades, equity, bars)


def _frame(pandas: Any, table: Table, symbol: str = "", timeframe: str = "") -> Any:
    assert table.dtype.names is not None
    columns = {name: table[name] for name in table.dtype.names}
    frame = pandas.DataFrame(columns)
    for name in columns:
        if columns[name].dtype.kind == "M":
            frame[name] = frame[name].dt.tz_localize("UTC")
    if symbol:
        frame.insert(0, "symbol", symbol)
        frame.insert(1, "timeframe", timeframe)
    return frame


class Collector:
    """A sink of the Tap and the Ledger: keeps what a Result is made of."""

    reads = (MarketBlock, Detections)

    def __init__(self, session: SessionStart) -> None:
        self._cash = float(session.cash)
        self._keeper = BarKeeper(session, BAR_COLUMNS, NO_LIMIT)
        self._events: list[Event] = []
        self._phases: list[tuple[int, PhaseChange]] = []
        self._trades: list[Trade] = []
        self._curve: list[CurvePoint] = []

    def write(self, item: Item) -> None:
        if isinstance(item, Detections):
            self._events += item.events
            self._phases += [(item.decision_ns, one) for one in item.phases]
        else:
            self._keeper.write(item)

    def record(self, item: int, record: Record) -> None:
        if isinstance(record, Trade):
            self._trades.append(record)
        elif record.campaign == ACCOUNT:
            self._curve.append(record)

    def result(self, summary: RunSummary) -> Result:
        return Result(
            summary=summary,
            events=table(EVENTS, [_event(one) for one in self._events]),
            phases=table(PHASE_CHANGES, [_phase(time_ns, one) for time_ns, one in self._phases]),
            trades=table(TRADES, [_trade(one) for one in self._trades]),
            equity=table(EQUITY, [_point(self._cash, one) for one in self._curve]),
            bars={(symbol, name): _bars(columns) for symbol, name, columns in self._keeper.groups()},
        )


def table(dtypes: Mapping[str, str], rows: Sequence[Sequence[object]]) -> Table:
    """Texts get the width that they need."""
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(dtypes)
    return _joined(dtypes, [_column(kind, values) for kind, values in zip(dtypes.values(), columns, strict=True)])


def _column(kind: str, values: Sequence[Any]) -> npt.NDArray[Any]:
    if kind == TIME:
        return np.array(values, np.int64).view(TIME)
    if kind == "U":
        return np.array(values, f"U{max([1, *map(len, values)])}")
    return np.array([np.nan if value is None else value for value in values], kind)


def _joined(dtypes: Iterable[str], columns: Sequence[npt.NDArray[Any]]) -> Table:
    made = np.empty(len(columns[0]), [(name, column.dtype) for name, column in zip(dtypes, columns, strict=True)])
    for name, column in zip(dtypes, columns, strict=True):
        made[name] = column
    return made


def _bars(columns: Sequence[npt.NDArray[Any]]) -> Table:
    of = dict(zip(BAR_COLUMNS, columns, strict=True))
    of["open_ns"], of["close_ns"] = of["open_ns"].view(TIME), of["close_ns"].view(TIME)
    of["phase"] = PHASES[of["phase"]]
    return _joined(BARS, list(of.values()))


def _event(one: Event) -> tuple[object, ...]:
    return (
        one.symbol, one.timeframe, one.direction, event_name(one.kind, one.direction), one.event_ns, one.confirm_ns,
        one.known_ns, one.price, one.score, one.confidence, one.phase.value, one.support, one.resistance,
        one.volume_ratio, one.spread_ratio, one.event_id, one.supersedes,
    )  # fmt: skip


def _phase(time_ns: int, one: PhaseChange) -> tuple[object, ...]:
    return (
        one.symbol, one.timeframe, one.direction, time_ns, one.previous.value, one.phase.value, one.confidence,
        one.support, one.resistance, one.range_start_ns,
    )  # fmt: skip


def _trade(one: Trade) -> tuple[object, ...]:
    return (
        one.symbol, one.timeframe, one.campaign, one.leg.value, one.side.value, one.phase.value, one.quantity,
        one.entry_ns, one.entry_price, one.stop_price, one.exit_ns, one.exit_price, one.costs, one.pnl, one.risk,
        one.r, one.mfe_r, one.mae_r,
    )  # fmt: skip


def _point(cash: float, one: CurvePoint) -> tuple[object, ...]:
    pnl = float(one.pnl)
    return one.time_ns, cash + pnl, pnl, float(one.return_fraction), float(one.drawdown_fraction)
