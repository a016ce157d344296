"""Small makers of facts, so that a test reads as given, when, then."""

from decimal import Decimal

import numpy as np

from engine.blocks import Bars, Trades
from engine.instruments import InstrumentTable
from engine.messages import EndOfFeed, Heartbeat, Instrument, SessionStart
from engine.timeframes import DAY_NS, LENGTH_NS, TIMEFRAMES

START_NS = 18_262 * DAY_NS  # 2020-01-01, a Wednesday


def instrument(symbol: str = "AAA", **changes: object) -> Instrument:
    fields: dict[str, object] = {
        "symbol": symbol,
        "asset_class": "stock",
        "tick": Decimal("0.01"),
        "lot": Decimal(1),
        "point_value": Decimal(1),
        "min_notional": Decimal(0),
        "currency": "USD",
        "calendar": "",
        "match_on": "bars",
        "allows_negative": False,
    }
    return Instrument(**(fields | changes))  # type: ignore[arg-type]


def table(*symbols: str, **changes: object) -> InstrumentTable:
    return InstrumentTable(instrument(symbol, **changes) for symbol in (symbols or ("AAA",)))


def session(*symbols: str, feeds: tuple[str, ...] = ("file",), cash: int = 100_000, **changes: object) -> SessionStart:
    fields: dict[str, object] = {
        "time_ns": START_NS,
        "mode": "replay",
        "feeds": feeds,
        "timeframes": TIMEFRAMES,
        "symbols": symbols or ("AAA",),
        "cash": Decimal(cash),
        "currency": "USD",
    }
    return SessionStart(**(fields | changes))  # type: ignore[arg-type]


def trades(
    *prices: float, start_ns: int = START_NS, step_ns: int = 1_000_000_000, size: float = 100, **columns: object
) -> Trades:
    """Trades `step_ns` apart, all of instrument 0 and feed 0 unless columns say otherwise."""
    times = start_ns + step_ns * np.arange(len(prices), dtype=np.int64)
    given: dict[str, object] = {"time_ns": times, "received_ns": times, "price": prices, "size": size}
    return Trades.of(**(given | columns))


def bars(
    *ohlc: tuple[float, float, float, float],
    timeframe: str = "1d",
    start_ns: int = START_NS,
    volume: object = 1_000,
    **columns: object,
) -> Bars:
    """Consecutive outside bars of one instrument from (open, high, low, close) tuples."""
    length = LENGTH_NS[timeframe]
    opens = start_ns + length * np.arange(len(ohlc), dtype=np.int64)
    o, h, low, c = (list(column) for column in zip(*ohlc, strict=True)) if ohlc else ([], [], [], [])
    given: dict[str, object] = {
        "open_ns": opens,
        "close_ns": opens + length,
        "timeframe": TIMEFRAMES.index(timeframe),
        "open": o,
        "high": h,
        "low": low,
        "close": c,
        "volume": volume,
        "trades": -1,
    }
    return Bars.of(**(given | columns))


def heartbeat(time_ns: int, feed: int = 0) -> Heartbeat:
    return Heartbeat(time_ns=time_ns, feed=feed)


def end_of_feed(time_ns: int, feed: int = 0) -> EndOfFeed:
    return EndOfFeed(time_ns=time_ns, feed=feed)
