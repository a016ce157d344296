"""Small well-formed files of every kind that is read, made in code: what the file fuzzer begins with."""

import io
import json
from collections.abc import Iterator
from typing import Final

from tests.adapters.raw_makers import START_NS, connect, header, print_of, recv, recv_binary
from tests.codecs.frames import FRAMES

_DAY: Final = "equity/usa/{resolution}/spy/20131007_{kind}.zip"
LEAN_NAMES: Final = (
    _DAY.format(resolution="tick", kind="trade"),
    _DAY.format(resolution="tick", kind="quote"),
    _DAY.format(resolution="second", kind="trade"),
    _DAY.format(resolution="minute", kind="trade"),
    _DAY.format(resolution="minute", kind="quote"),
    "equity/usa/daily/spy.zip",
    "forex/oanda/tick/eurusd/20140504_quote.zip",
    "forex/oanda/hour/eurusd.zip",
    "crypto/coinbase/minute/btcusd/20180404_trade.zip",
)
ZIP: Final = 6
"""Number of the container that LEAN's files have."""

_DAILY = "Date,Open,High,Low,Close,Adj Close,Volume\n" + "".join(
    f"2020-01-{day:02},{day}.5,{day + 2},{day},{day + 1},{(day + 1) / 2},{100 * day}\n" for day in range(1, 13)
)
_MINUTES = "".join(
    f"{1_600_000_020_000 + 60_000 * n},{10 + n % 3},13,9,{11 + n % 2},{n},"
    f"{1_600_000_079_999 + 60_000 * n},1,{n},1,1,0\n"
    for n in range(12)
)
_TRADES = "time,price,size,side,id\n" + "".join(
    f"{1_600_000_000_000 + 250 * n},{10 + n % 5 / 10},{1 + n % 3},{'buy' if n % 2 else 'sell'},{n + 1}\n"
    for n in range(24)
)
_STACKED = "Symbol;Datetime;Open;High;Low;Close;Volume\n" + "".join(
    f"{name};2022-03-14 {9 + n // 60:02}:{n % 60:02}:00-04:00;{1 + n};{3 + n};{1 + n};{2 + n};{n}\n"
    for name in ("AAA", "BBB")
    for n in range(6)
)
_QUOTES = "timestamp,bid,ask,bid_size,ask_size\n" + "".join(
    f"2022-03-14T09:30:{n:02}.5Z,{10 + n % 3 / 10},{10.5 + n % 4 / 10},{n},{n % 2}\n" for n in range(12)
)
_NEWEST_FIRST = (
    "https://www.example.com\nunix,date,symbol,open,high,low,close,Volume BTC,Volume USDT,tradecount\n"
) + "".join(
    f"{(1_600_003_600 - 3600 * n) * (1000 if n < 4 else 1)},2020-09-13 12:26:40,BTC/USDT,"
    f"{10 + n},{12 + n},{9 + n},{11 + n},5,50,{'' if n else 3}\n"
    for n in range(10)
)
_FUTURE = "Date,Open,High,Low,Close,Volume,OI\n" + "".join(
    f"20060102,09:{n:02}:00,10,12,9,11,{n + 1},0\n" for n in range(1, 9)
)
_JSON_ROWS = json.dumps(
    [[1_570_752_011_620 + n, n, None, "sell", 0.5 + n, 2.0, 1.0] for n in range(10)], separators=(",", ":")
)
_JSON_NAMED = json.dumps(
    [{"time": 1_600_000_000 + 60 * n, "open": 2, "high": 3, "low": 1, "close": 2, "volume": n} for n in range(8)]
)
_LEAN: Final = {
    LEAN_NAMES[0]: "".join(f"{34_200_000 + n},1674100,100,P,20002000,0\n" for n in range(8)),
    LEAN_NAMES[1]: "".join(
        f"{34_200_000 + n},{1_674_100 * (n % 2)},1,{1_674_200 * (1 - n % 2)},2,P,0,0\n" for n in range(8)
    ),
    LEAN_NAMES[2]: "".join(f"{34_200_000 + 7_000 * n},10000,30000,9000,20000,{n}\n" for n in range(20)),
    LEAN_NAMES[3]: "".join(f"{34_200_000 + 60_000 * n},10000,30000,9000,20000,{n}\n" for n in range(8)),
    LEAN_NAMES[4]: "".join(f"{34_200_000 + 60_000 * n},1,3,1,2,5,2,4,2,3,6\n" for n in range(8)),
    LEAN_NAMES[5]: "".join(f"201310{day:02} 00:00,10000,30000,9000,20000,{day}\n" for day in range(7, 19)),
    LEAN_NAMES[6]: "".join(f"{75_600_000 + 10 * n},1.38817,1.38832\n" for n in range(8)),
    LEAN_NAMES[7]: "".join(f"20140504 {21 + n:02}:00,1,3,1,2,0,2,4,2,3,0\n" for n in range(3)),
    LEAN_NAMES[8]: "".join(f"{60_000 * n},1.5,3,1,2,{n}.25\n" for n in range(8)),
}

CONTENTS: Final[list[tuple[str, int, bytes]]] = [
    (name, options, text.encode())
    for name, options, text in (
        ("AAA.csv", 0, _DAILY),
        ("AAA.csv", 0, _TRADES),
        ("AAA.csv", 0, _STACKED),
        ("AAA.csv", 0, _QUOTES),
        ("AAA.csv", 3, _NEWEST_FIRST),
        ("AAA.csv", 0, _FUTURE),
        ("AAA.csv", 0, _MINUTES),
        ("AAA.csv", 7, _MINUTES),
        ("AAA.csv", 5, _STACKED),
        ("AAA.csv", 10, "".join(f"{1_600_000_000 + n},{10 + n % 3},{n}\n" for n in range(8))),
        ("BTCUSDT-1m.json", 0, _JSON_ROWS),
        ("BTCUSDT-1m.json", 0, _JSON_NAMED),
    )
]
"""Name, number of the options, text."""


def seed_files() -> Iterator[tuple[str, bytes]]:
    """Name and bytes of files that are no text, or that are recordings of raw messages."""
    yield from _recordings()
    yield from _columnar()


def lean_seeds() -> Iterator[tuple[str, bytes]]:
    for name, text in _LEAN.items():
        yield name, text.encode()


def _recordings() -> Iterator[tuple[str, bytes]]:
    for name, frames in FRAMES.items():
        lines = [b"%d %s" % (START_NS + 1_000_000 * at, frame.replace(b"\n", b" ")) for at, frame in enumerate(frames)]
        yield "recording.jsonl", b"\n".join(lines)
        exchange = {"gate": "GATEIO", "kraken_v1": "KRAKEN"}.get(name, name.upper())
        records = [recv("0", at / 100, frame.decode(errors="replace")) for at, frame in enumerate(frames)]
        yield "recording.jsonl", _json_lines([header(exchange), connect("0", 0.0), *records])
    prints = [print_of(number) for number in range(8)]
    crossing = [recv("1", 0.5, prints[1]), recv_binary("0", 0.1, prints[2]), recv("0", 1.2, prints[3])]
    yield "recording.jsonl", _json_lines([header(), connect("0", 0.0), connect("1", 0.2), *crossing])


def _json_lines(records: list[dict[str, object]]) -> bytes:
    return b"".join(json.dumps(record, separators=(",", ":")).encode() + b"\n" for record in records)


def _columnar() -> Iterator[tuple[str, bytes]]:
    import pyarrow as pa
    import pyarrow.feather
    import pyarrow.parquet

    times = pa.array([1_600_000_000_000 + 60_000 * n for n in range(8)], pa.timestamp("ms", tz="UTC"))
    names = pa.array(["AAA", "BBB"] * 4).dictionary_encode()
    bars = {"date": times, **{name: [2.0] * 8 for name in ("open", "high", "low", "close")}, "volume": list(range(8))}
    prints = {"timestamp": times, "symbol": names, "price": [1.5] * 8, "amount": [1.0] * 8, "side": ["buy", None] * 4}
    for table in (pa.table(bars), pa.table(prints)):
        for compression in ("snappy", "zstd", "none"):
            stream = io.BytesIO()
            pyarrow.parquet.write_table(table, stream, compression=compression, use_dictionary=compression != "none")
            yield "AAA.csv", stream.getvalue()
        for compression in ("uncompressed", "zstd", "lz4"):
            stream = io.BytesIO()
            pyarrow.feather.write_feather(table, stream, compression=compression)
            yield "AAA.csv", stream.getvalue()
