"""Bars for readers: packed columns of consecutive closed bars of one symbol and timeframe.

A run may have millions of bars, so they are kept as compressed columns, not as rows. A short pack is
open: the next one of its slot begins with the same bar and takes its place.
"""

from collections.abc import Iterator
from typing import Final

import msgspec
import numpy as np
import zstandard

from engine.blocks import Backlog, Bars, Column, MarketBlock
from engine.messages import SessionStart

COLUMNS: Final[dict[str, type[np.generic]]] = {
    "open_ns": np.int64, "close_ns": np.int64, "open": np.float64, "high": np.float64, "low": np.float64,
    "close": np.float64, "volume": np.float64, "confidence": np.float64, "gap_ms": np.int64, "phase": np.int8,
    "direction": np.int8, "source": np.int8,
}  # fmt: skip
"""What is kept of `Bars`, in the order in which it is packed."""

ROW_BYTES: Final = sum(np.dtype(dtype).itemsize for dtype in COLUMNS.values())
MOST_WAITING: Final = 16_384
"""Bars of all slots that wait to be packed."""

OPEN_BARS: Final = 128
"""A pack of fewer is open."""

MOST_OPEN: Final = 4_096
"""Slots with an open pack that are remembered; beyond, packs are simply short."""

MOST_PACKED_BYTES: Final = MOST_WAITING * ROW_BYTES * 2
"""What a pack may unpack to."""

Columns = dict[str, Column]
Slot = tuple[int, int]


class BarPack(msgspec.Struct, frozen=True):
    """`data` is what `unpacked` takes."""

    symbol: str
    timeframe: str
    first_open_ns: int
    last_open_ns: int
    count: int
    data: bytes


class BarKeeper:
    """Collects the closed bars of blocks and packs them by slot. Says nothing before `session` is known."""

    def __init__(self, session: SessionStart | None = None, *, appends: bool = True) -> None:
        """`appends`: an open pack of a slot is told again with what came since."""
        self._session = session
        self._appends = appends
        self._backlog = Backlog()
        self._pieces: list[tuple[MarketBlock, int, int]] = []
        self._open: dict[Slot, Columns] = {}
        self._packer = zstandard.ZstdCompressor(level=1)
        self.waiting = 0

    def begin(self, session: SessionStart) -> None:
        self._session = session

    def add(self, bars: Bars) -> bool:
        """Whether it is time for `packs`."""
        if len(bars):
            self.waiting += len(bars)
            earlier = self._backlog.add(bars)
            if earlier is not None:
                self._pieces.append(earlier)
        return self.waiting >= MOST_WAITING

    def packs(self) -> Iterator[BarPack]:
        """All that waits."""
        last = self._backlog.take()
        pieces = [*self._pieces, last] if last is not None else self._pieces
        self._pieces, self.waiting = [], 0
        session = self._session
        if not pieces or session is None:
            return
        detected = [number for number, name in enumerate(session.timeframes) if name in session.detect_on]
        for slot, columns in _by_slot(pieces, detected):
            symbol, timeframe = session.symbols[slot[0]], session.timeframes[slot[1]]
            yield self._pack(symbol, timeframe, self._opened(slot, columns))

    def _opened(self, slot: Slot, columns: Columns) -> Columns:
        before = self._open.pop(slot, None)
        if before is not None:
            columns = {name: np.concatenate((before[name], column)) for name, column in columns.items()}
        if self._appends and len(columns["open_ns"]) < OPEN_BARS and len(self._open) < MOST_OPEN:
            self._open[slot] = columns
        return columns

    def _pack(self, symbol: str, timeframe: str, columns: Columns) -> BarPack:
        data = self._packer.compress(b"".join(columns[name].tobytes() for name in COLUMNS))
        opens = columns["open_ns"]
        return BarPack(symbol, timeframe, int(opens[0]), int(opens[-1]), len(opens), data)


def unpacked(data: bytes) -> Columns:
    """The columns of a pack. Raises ValueError on anything else."""
    try:
        raw = zstandard.ZstdDecompressor().decompress(data, max_output_size=MOST_PACKED_BYTES)
    except zstandard.ZstdError as error:
        raise ValueError(f"bars: cannot be unpacked: {error}") from None
    rows, rest = divmod(len(raw), ROW_BYTES)
    if rest:
        raise ValueError(f"bars: must have {ROW_BYTES} bytes a bar, was {len(raw)}")
    found: Columns = {}
    at = 0
    for name, dtype in COLUMNS.items():
        found[name] = np.frombuffer(raw, dtype, rows, at)
        at += rows * np.dtype(dtype).itemsize
    return found


def _by_slot(pieces: list[tuple[MarketBlock, int, int]], timeframes: list[int]) -> Iterator[tuple[Slot, Columns]]:
    """Bars in the order of release, slot by slot."""
    wanted = ("instrument", "timeframe", *COLUMNS)
    whole = {
        name: np.concatenate([getattr(block, name)[start:stop] for block, start, stop in pieces]) for name in wanted
    }
    keep = np.isin(whole["timeframe"], timeframes)
    key = whole["instrument"].astype(np.int64) * 128 + whole["timeframe"]
    order = np.argsort(key, kind="stable")
    order = order[keep[order]]
    if not len(order):
        return
    keys = key[order]
    for rows in np.split(order, np.flatnonzero(np.diff(keys)) + 1):
        slot = (int(whole["instrument"][rows[0]]), int(whole["timeframe"][rows[0]]))
        yield slot, {name: np.ascontiguousarray(whole[name][rows], dtype) for name, dtype in COLUMNS.items()}
