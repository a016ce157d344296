"""Makers of small recordings: files of frames, in the containers that recorders write."""

import gzip
import json
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import zstandard

from adapters.raw import RawFeed
from engine.blocks import Bars, MarketBlock, Trades
from engine.ports import Item

START_NS = 1_723_161_255_000_000_000
SECOND_NS = 1_000_000_000
MS = 1_000_000


def print_of(number: int, *, symbol: str = "BTCUSDT", price: object = "100.5", ms: int | None = None) -> str:
    """A Binance trade in its envelope; `ms` is its time, by default one second a number."""
    time_ms = START_NS // MS + 1000 * number if ms is None else ms
    trade = {"e": "trade", "E": time_ms, "s": symbol, "t": number, "p": price, "q": "2", "T": time_ms, "m": False}
    return json.dumps({"stream": f"{symbol.lower()}@trade", "data": trade}, separators=(",", ":"))


def book_of(symbol: str = "btcusdt") -> str:
    return f'{{"stream":"{symbol}@depth@100ms","data":{{"e":"depthUpdate","b":[],"a":[]}}}}'


def write_lines(path: Path, *frames: str, start_ns: int = START_NS, step_ns: int = SECOND_NS) -> Path:
    """`<receive time> <frame>` lines, `step_ns` apart."""
    return write(path, "".join(f"{start_ns + step_ns * at} {frame}\n" for at, frame in enumerate(frames)))


def write(path: Path, text: str | bytes) -> Path:
    """Compressed as the name says."""
    data = text.encode() if isinstance(text, str) else text
    if path.suffix == ".gz":
        data = gzip.compress(data)
    elif path.suffix == ".zst":
        data = zstandard.compress(data)
    path.write_bytes(data)
    return path


def header(exchange: str = "BINANCE", **changes: object) -> dict[str, object]:
    return {"t": "header", "format": 2, "exchange": exchange, "config": {"trades": ["BTC-USDT"]}} | changes


def connect(conn: str, second: float, addr: str = "wss://example/stream") -> dict[str, object]:
    return {"t": "connect", "conn": conn, "ts": START_NS / SECOND_NS + second, "addr": addr}


def recv(conn: str, second: float, data: str) -> dict[str, object]:
    return {"t": "recv", "conn": conn, "ts": START_NS / SECOND_NS + second, "data": data}


def recv_binary(conn: str, second: float, data: str) -> dict[str, object]:
    record = recv(conn, second, data)
    return {**record, "b64": b64encode(data.encode()).decode(), "data": None}


def write_cryptofeed(path: Path, *records: dict[str, object] | str, head: dict[str, object] | None = None) -> Path:
    """A header, then records; a text is a line as it is."""
    lines = [each if isinstance(each, str) else json.dumps(each, separators=(",", ":")) for each in records]
    return write(path, "\n".join([json.dumps(head or header(), separators=(",", ":")), *lines, ""]))


@dataclass
class Replayed:
    feed: RawFeed
    facts: list[Item]

    @property
    def blocks(self) -> list[MarketBlock]:
        return [fact for fact in self.facts if isinstance(fact, MarketBlock)]

    @property
    def trades(self) -> Trades:
        return Trades.join([Trades.empty(), *(block for block in self.blocks if isinstance(block, Trades))])

    @property
    def bars(self) -> Bars:
        return Bars.join([Bars.empty(), *(block for block in self.blocks if isinstance(block, Bars))])

    @property
    def rows(self) -> list[tuple[object, ...]]:
        """Every row with its kind, in order, without regard to blocks."""
        return [
            (type(block).__name__, *row)
            for block in self.blocks
            for row in zip(
                *(np.nan_to_num(column, nan=-1).tolist() for column in block.columns().values()), strict=True
            )
        ]


def replayed(feed: RawFeed, chunk: int = 4096, symbols: Sequence[str] = ()) -> Replayed:
    numbers = {symbol: number for number, symbol in enumerate(symbols or feed.symbols)}
    return Replayed(feed, list(feed.facts(numbers, 3, chunk)))
