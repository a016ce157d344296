"""Readers of the LEAN files in the shared test data: a plain parse, and the sessions they cover.

All days are of October 2013, when New York was four hours behind UTC. Times are milliseconds
since midnight there, prices ten-thousandths of a dollar.
"""

from pathlib import Path
from zipfile import ZipFile

import numpy as np

from engine.blocks import Bars, Int64, Trades
from engine.sessions import Sessions, sessions_of
from engine.timeframes import DAY_NS, MINUTE_NS, TIMEFRAMES

EQUITIES = Path(__file__).parents[2] / "shared/data/lean/Data/equity/usa"
NEW_YORK_NS = 4 * 60 * MINUTE_NS
EXTENDED = (4 * 60, 20 * 60)
REGULAR = (9 * 60 + 30, 16 * 60)
"""From and until when, in minutes after midnight."""

_OHLC = ("open", "high", "low", "close")


def midnight_ns(day: str) -> int:
    """When `day` (YYYYMMDD) begins in New York."""
    date = np.datetime64(f"{day[:4]}-{day[4:6]}-{day[6:]}", "ns")
    return int(date.astype(np.int64)) + NEW_YORK_NS


def sessions(days: tuple[str, ...], hours: tuple[int, int] = EXTENDED) -> Sessions:
    return sessions_from(np.array([midnight_ns(day) + hours[0] * MINUTE_NS for day in days]), hours[1] - hours[0])


def sessions_from(opens_ns: Int64, minutes_: int) -> Sessions:
    return sessions_of([(opens_ns, opens_ns + minutes_ * MINUTE_NS)], [0])


def ticks(symbol: str, day: str) -> Trades:
    rows = _rows(EQUITIES / "tick" / symbol / f"{day}_trade.zip", 3)
    times_ns = midnight_ns(day) + rows[:, 0].astype(np.int64) * 1_000_000
    return Trades.of(time_ns=times_ns, received_ns=times_ns, price=rows[:, 1] / 10_000, size=rows[:, 2])


def minutes(symbol: str, day: str) -> Bars:
    rows = _rows(EQUITIES / "minute" / symbol / f"{day}_trade.zip", 6)
    opens_ns = midnight_ns(day) + rows[:, 0].astype(np.int64) * 1_000_000
    return _bars(opens_ns, MINUTE_NS, "1m", rows[:, 1:])


def hours(symbol: str, days: tuple[str, ...]) -> Bars:
    """LEAN's hours begin at whole hours, so the first one covers only half an hour of trading."""
    stamps, rows = _stamped(EQUITIES / "hour" / f"{symbol}.zip", days)
    opens_ns = [midnight_ns(stamp[:8]) + int(stamp[9:11]) * 60 * MINUTE_NS for stamp in stamps]
    return _bars(np.array(opens_ns), 60 * MINUTE_NS, "1h", rows)


def days(symbol: str, days_: tuple[str, ...]) -> Bars:
    stamps, rows = _stamped(EQUITIES / "daily" / f"{symbol}.zip", days_)
    return _bars(np.array([midnight_ns(stamp[:8]) for stamp in stamps]), DAY_NS, "1d", rows)


def _bars(opens_ns: np.ndarray, length_ns: int, timeframe: str, rows: np.ndarray) -> Bars:
    prices = {name: rows[:, place] / 10_000 for place, name in enumerate(_OHLC)}
    return Bars.of(
        open_ns=opens_ns, close_ns=opens_ns + length_ns, timeframe=TIMEFRAMES.index(timeframe),
        volume=rows[:, 4], trades=-1, **prices,
    )  # fmt: skip


def _rows(path: Path, columns: int) -> np.ndarray:
    lines = _text(path).splitlines()
    values = [value for line in lines for value in line.split(",", columns)[:columns]]
    return np.array(values, np.float64).reshape(-1, columns)


def _stamped(path: Path, days_: tuple[str, ...]) -> tuple[list[str], np.ndarray]:
    fields = [line.split(",") for line in _text(path).splitlines() if line[:8] in days_]
    return [row[0] for row in fields], np.array([row[1:] for row in fields], np.float64)


def _text(path: Path) -> str:
    with ZipFile(path) as archive:
        return archive.read(archive.namelist()[0]).decode()
