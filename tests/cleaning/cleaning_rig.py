"""Runs a Cleaner over rows cut anywhere, and tells what came of each."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from adapters.cleaning import Cleaner, CleaningSettings, Findings
from adapters.cleaning.reasons import REASONS
from engine.blocks import Bars, MarketBlock, Quotes, Trades

SYMBOLS = {"AAA": 0, "BBB": 1}
START_NS = 1_600_000_000_000_000_000
MINUTE_NS = 60_000_000_000


class Cleaned(NamedTuple):
    blocks: list[MarketBlock]
    findings: Findings

    @property
    def all(self) -> dict[str, int]:
        return self.findings.all

    @property
    def rows(self) -> list[tuple[object, ...]]:
        """Every row that came out, in order, with its kind and all its columns."""
        return [row for block in self.blocks for row in rows_of(block)]

    def column(self, name: str) -> list[Any]:
        return [value for block in self.blocks for value in getattr(block, name).tolist()]

    def found(self, reason: str) -> list[tuple[int, float, float]]:
        return [(one.place, one.found, one.other) for one in self.findings.examples(reason)]


def rows_of(block: MarketBlock) -> list[tuple[object, ...]]:
    columns = [[repr(value) for value in column.tolist()] for column in block.columns().values()]
    return [(type(block).__name__, *row) for row in zip(*columns, strict=True)]


def clean(*blocks: MarketBlock, made_ns: int | None = None, negative: bool = False, **settings: Any) -> Cleaned:
    allowed = tuple(SYMBOLS) if negative else ()
    cleaner = Cleaner(SYMBOLS, CleaningSettings(**settings), source="feed", allows_negative=allowed, made_ns=made_ns)
    out = [found for block in blocks for found in cleaner.clean(block)] + cleaner.finish()
    cleaned = Cleaned(out, cleaner.findings)
    withheld = sum(rows for reason, rows in cleaner.counts.items() if reason not in ("rows", "reordered"))
    assert cleaner.counts["rows"] == sum(map(len, blocks)) == sum(map(len, out)) + withheld
    return cleaned


def cut(blocks: Sequence[MarketBlock], at: Sequence[int]) -> list[MarketBlock]:
    """The same rows in other blocks: cut after every `at` rows, one after the other."""
    pieces: list[MarketBlock] = []
    lengths = list(at) or [1]
    turn = 0
    for block in blocks:
        start = 0
        while start < len(block):
            stop = min(start + lengths[turn % len(lengths)], len(block))
            pieces.append(block.slice(start, stop))
            start, turn = stop, turn + 1
    return pieces


def notes_of(findings: Findings) -> tuple[object, ...]:
    """All that was noted, for comparison."""
    examples = [findings.examples(reason.name) for reason in REASONS]
    return [repr(found) for found in examples], findings.notes.counts.tolist(), findings.skew_ns, findings.rows  # type: ignore[return-value]


def prints(*prices: float, **columns: object) -> Trades:
    """Trades of instrument 0, a second apart."""
    time_ns = START_NS + np.arange(len(prices), dtype=np.int64) * 1_000_000_000
    given: dict[str, object] = {"time_ns": time_ns, "received_ns": time_ns, "price": prices, "size": 1.0}
    if "time_ns" in columns:
        given["received_ns"] = columns["time_ns"]
    return Trades.of(**(given | columns))


def candles(*ohlc: tuple[float, float, float, float], **columns: object) -> Bars:
    """Minute bars of instrument 0, one after the other."""
    open_ns = START_NS + np.arange(len(ohlc), dtype=np.int64) * MINUTE_NS
    o, h, low, c = (list(column) for column in zip(*ohlc, strict=True))
    given: dict[str, object] = {
        "open_ns": open_ns, "close_ns": open_ns + MINUTE_NS, "received_ns": open_ns + MINUTE_NS,
        "open": o, "high": h, "low": low, "close": c, "volume": 1.0,
    }  # fmt: skip
    return Bars.of(**(given | columns))


def flat(*prices: float, **columns: object) -> Bars:
    return candles(*((price, price, price, price) for price in prices), **columns)


def quotes(*pairs: tuple[float, float], **columns: object) -> Quotes:
    time_ns = START_NS + np.arange(len(pairs), dtype=np.int64) * 1_000_000_000
    bid, ask = ([pair[side] for pair in pairs] for side in (0, 1))
    given: dict[str, object] = {
        "time_ns": time_ns, "received_ns": time_ns, "bid": bid, "ask": ask, "bid_size": 1.0, "ask_size": 1.0,
    }  # fmt: skip
    return Quotes.of(**(given | columns))
