"""Bars as a chart takes them: rows of numbers, oldest first, one for each open time, newest word wins.

The replica keeps the bars that came over the stream as columns, bounded for each slot and for all together.
"""

from collections.abc import Iterable
from typing import Final

import msgspec
import numpy as np

from engine.messages import Phase
from engine.monitor.shapes import MonitorView
from engine.monitor.views import MS_NS
from engine.store_bars import BarPack, Columns, unpacked

SHOWN: Final = (
    "open_ms", "close_ms", "open", "high", "low", "close", "volume", "phase", "direction", "confidence", "source",
    "gap_ms",
)  # fmt: skip
MOST_SLOT_BARS: Final = 2_000
MOST_BARS: Final = 400_000
"""In all slots together: 30 MB."""

MOST_FRESH: Final = 16
"""Packs of a slot that lie apart."""

PHASES: Final = tuple(phase.value for phase in Phase)

Key = tuple[str, str]
Row = tuple[int | float | str, ...]


class BarsView(MonitorView, frozen=True, kw_only=True):
    """`rows` are values in the order of `columns`. `older` says that there are bars before the first."""

    symbol: str
    timeframe: str
    columns: tuple[str, ...] = SHOWN
    rows: list[Row]
    older: bool = False


class BarsReload(MonitorView, frozen=True):
    """More bars have closed than a slow reader was told: fetch them again."""

    symbol: str
    timeframe: str
    reload: bool = True


class BarRings:
    """The newest bars by slot."""

    def __init__(self) -> None:
        self._old: dict[Key, Columns] = {}
        self._fresh: dict[Key, list[Columns]] = {}
        self.bars = 0

    def clear(self) -> None:
        self._old, self._fresh, self.bars = {}, {}, 0

    def add(self, pack: BarPack) -> Columns:
        """Raises ValueError where the pack cannot be read."""
        columns = unpacked(pack.data)
        key = (pack.symbol, pack.timeframe)
        fresh = self._fresh.setdefault(key, [])
        fresh.append(columns)
        self.bars += len(columns["open_ns"])
        if len(fresh) > MOST_FRESH or self.bars > MOST_BARS:
            self._fold(key)
        return columns

    def of(self, symbol: str, timeframe: str) -> list[Columns]:
        key = (symbol, timeframe)
        old = self._old.get(key)
        return [*([] if old is None else [old]), *self._fresh.get(key, ())]

    def _fold(self, key: Key) -> None:
        parts = self.of(*key)
        most = MOST_SLOT_BARS if self.bars <= MOST_BARS else MOST_SLOT_BARS // 10
        joined = merged(parts, most)
        self.bars += len(joined["open_ns"]) - sum(len(part["open_ns"]) for part in parts)
        self._old[key], self._fresh[key] = joined, []


def merged(parts: Iterable[Columns], most: int) -> Columns:
    """The last `most` bars of all parts, by open time; where two tell of one bar, the later part does."""
    found = list(parts)
    names = found[0].keys()
    joined = {name: np.concatenate([part[name] for part in found]) for name in names}
    opens = joined["open_ns"][::-1]
    _, first = np.unique(opens, return_index=True)
    keep = (len(opens) - 1 - first)[-most:]
    return {name: column[keep] for name, column in joined.items()}


def rows_of(columns: Columns) -> list[Row]:
    """As `SHOWN` names them."""
    listed = [
        (columns["open_ns"] // MS_NS).tolist(),
        (columns["close_ns"] // MS_NS).tolist(),
        *(columns[name].tolist() for name in ("open", "high", "low", "close", "volume")),
        [PHASES[number] for number in columns["phase"].tolist()],
        *(columns[name].tolist() for name in ("direction", "confidence", "source", "gap_ms")),
    ]
    return list(zip(*listed, strict=True))


def bars_json(symbol: str, timeframe: str, columns: Columns) -> bytes:
    return msgspec.json.encode(BarsView(symbol=symbol, timeframe=timeframe, rows=rows_of(columns)))
