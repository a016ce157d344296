"""Recorded sessions of the shared data folder, frame by frame, and what a codec makes of a whole one."""

import io
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest
import zstandard

from adapters.codecs.codec import Codec, RowBuffer
from engine.blocks import MarketBlock
from tests.codecs.codec_laws import Numbers

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "data" / "feeds" / "cryptofeed"


class Replayed(NamedTuple):
    """`kinds` counts rows by kind of block, `counts` what the buffer counted."""

    blocks: list[MarketBlock]
    kinds: dict[str, int]
    counts: dict[str, int]
    unknown: dict[str, int]
    symbols: list[str]


class _Record(msgspec.Struct):
    t: str
    conn: str = ""
    ts: float = 0.0
    data: str = ""


def frames(exchange: str) -> list[tuple[str, int, bytes]]:
    """(connection, time of receipt, frame) in file order."""
    path = FOLDER / f"{exchange}.jsonl.zst"
    if not path.exists():
        pytest.skip(f"no real data at {path}")
    with path.open("rb") as file, zstandard.ZstdDecompressor().stream_reader(file) as stream:
        records = [msgspec.json.decode(line, type=_Record) for line in io.BufferedReader(stream)]  # type: ignore[arg-type]
    return [(each.conn, round(each.ts * 1e9), each.data.encode()) for each in records if each.t == "recv"]


def replayed(exchange: str, make: Callable[[], Codec]) -> Replayed:
    """One codec a connection, as live."""
    numbers = Numbers()
    rows = RowBuffer(numbers, 0)
    codecs: defaultdict[str, Codec] = defaultdict(make)
    for connection, received_ns, frame in frames(exchange):
        codecs[connection].decode(frame, received_ns, rows)
    blocks = rows.take()
    kinds: Counter[str] = Counter()
    for block in blocks:
        kinds[type(block).__name__] += len(block)
    return Replayed(blocks, dict(kinds), dict(rows.counts), dict(rows.unknown_kinds), list(numbers))
