"""Coverage-guided fuzzing of everything that reads a file: `python -m tests.fuzz.fuzz_files -runs=100000`.

An input is four bytes that choose the file's name (so what LEAN's folders say of it), a container
to pack it into, the options it is opened with and the chunk; then its content. Whatever comes,
either the file is a feed whose facts hold the laws of `check`, or one of our errors names it.
Options are libFuzzer's; a folder among them is the corpus, else one in the temporary folder grows.
"""

import random
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import atheris
import msgspec
import numpy as np

# Numba compiles the code of kernels, so their modules come first, as they are.
from adapters import dates, stamps, texts
from adapters.cleaning import CleaningSettings

with atheris.instrument_imports(include=["adapters"]):
    from adapters.files import DROPPED, FileFeed, FileOptions, open_feed
    from adapters.raw import UNREAD, RawFeed, RawOptions, is_raw, open_raw

from adapters.feed_errors import FeedError
from engine.blocks import Bars, BlockError, MarketBlock, Quotes, Trades
from engine.messages import NEVER_NS, EndOfFeed, Quarantine
from tests.adapters.table_makers import COMPRESSIONS, tar, zipped
from tests.codecs.codec_laws import ODD_VALUES
from tests.fuzz.file_seeds import CONTENTS, LEAN_NAMES, ZIP, lean_seeds, seed_files

LEAD: Final = 4
LONGEST_RUN_S: Final = 20
MOST_MEMORY_MB: Final = 2_000
"""A reader needs a tenth of it; compiling the kernels for the first time takes the rest."""
KERNELS: Final = (dates, stamps, texts)
LONGEST_INPUT: Final = 16_384
CHUNKS: Final = (1, 7, 977)
REFUSE: Final = CleaningSettings(bad_rows="refuse")
SETTINGS: Final = CleaningSettings()

NAMES: Final = ("AAA.csv", "BTCUSDT-1m.json", "recording.jsonl", "2020.0101.tar", *LEAN_NAMES)

CONTAINERS: Final[tuple[Callable[[bytes], bytes], ...]] = (
    bytes,
    *COMPRESSIONS.values(),
    lambda data: tar({"README.md": "no rows", "AAA.csv": data, "BBB.csv": data[: data.rfind(b"\n") + 1] or data}),
    lambda data: zipped({"AAA.csv": data}),
    lambda data: zipped({"a/AAA.csv": data, "b/BBB.csv": data}, 0),
    lambda data: COMPRESSIONS["gz"](tar({"AAA.csv": COMPRESSIONS["zst"](data)})),
)

OPTIONS: Final = (
    FileOptions(),
    FileOptions(timeframe="1m"),
    FileOptions(timeframe="1d", zone="America/New_York"),
    FileOptions(adjust="none", cleaning=REFUSE),
    FileOptions(sort=False, symbol="X"),
    FileOptions(fold="1h"),
    FileOptions(fold="1w", made_ns=1_600_000_000_000_000_000),
    FileOptions(layout="binance-kline"),
    FileOptions(layout="bitfinex", timeframe="1d"),
    FileOptions(layout="lean"),
    FileOptions(columns=("time", "price", "size")),
    FileOptions(columns=("time", "open", "high", "low", "close", "volume"), timeframe="1m"),
    FileOptions(mapping={"price": "last", "size": "lots"}, dates="dmy"),
    FileOptions(member="*.csv", start_ns=1_500_000_000_000_000_000, end_ns=1_600_000_000_500_000_000),
    FileOptions(zone="Europe/Berlin", dates="mdy", timeframe="4h"),
    FileOptions(cleaning=CleaningSettings(reorder_ns=1_000_000_000, confirmed_by=1, remembered_ids=2)),
)
RAW_OPTIONS: Final = (
    RawOptions(),
    RawOptions(kinds=frozenset(("trades", "quotes", "bars"))),
    RawOptions(protocol="binance", cleaning=REFUSE),
    RawOptions(kinds=frozenset(("quotes",)), start_ns=1_500_000_000_000_000_000, end_ns=1_750_000_000_000_000_000),
)

Feed = FileFeed | RawFeed


def judge(data: bytes) -> None:
    """Raises AssertionError, or what a reader raised and should not have."""
    outcome(data)


def outcome(data: bytes) -> str:
    """The kind of the feed, or why it is none. Raises as `judge`."""
    lead, content = data[:LEAD].ljust(LEAD, b"\0"), data[LEAD:]
    path = _folder() / NAMES[lead[0] % len(NAMES)]
    path.write_bytes(CONTAINERS[lead[1] % len(CONTAINERS)](content))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            feed = _opened(path, lead[2])
            found = check(feed, 65_536)
            if lead[3] % 4:
                assert check(feed, CHUNKS[lead[3] % 4 - 1]) == found, "chunks show"
            return feed.kind
        except (FeedError, BlockError) as error:
            said = str(error)
    assert path.name in said, f"an error that does not name the file: {said}"
    return f"refused: {said}"


def _opened(path: Path, which: int) -> Feed:
    if is_raw(path):
        return open_raw(path, RAW_OPTIONS[which % len(RAW_OPTIONS)])
    return open_feed(path, OPTIONS[which % len(OPTIONS)])


def check(feed: Feed, chunk: int) -> dict[str, list[object]]:
    """All rows, column by column of each kind, after they have held the laws."""
    assert feed.symbols
    assert all(feed.symbols)
    facts = list(feed.facts({symbol: number for number, symbol in enumerate(feed.symbols)}, 0, chunk))
    blocks = [fact for fact in facts if isinstance(fact, MarketBlock)]
    end = facts[-1]
    for block in blocks:
        assert 0 < len(block) <= chunk
        _check_rows(block, len(feed.symbols), refused=feed._options.cleaning if isinstance(feed, RawFeed) else SETTINGS)
    assert isinstance(end, EndOfFeed)
    assert end.time_ns == max((int(block.row_ns.max()) for block in blocks), default=NEVER_NS)
    assert all(isinstance(fact, Quarantine) for fact in facts[len(blocks) : -1])
    _check_counts(feed, sum(map(len, blocks)))
    assert isinstance(feed, RawFeed) or _in_order(feed, blocks), "rows of a file step back"
    return _columns(blocks)


def _in_order(feed: FileFeed, blocks: list[MarketBlock]) -> bool:
    """Rows that waited until the next ones confirmed their price may come after those of other symbols."""
    times_ns = np.concatenate([np.empty(0, np.int64), *(block.row_ns for block in blocks)])
    symbols = np.concatenate([np.empty(0, np.int64), *(block.columns()["instrument"] for block in blocks)])
    kept = np.argsort(symbols, kind="stable") if "price_jump" in feed.findings.all else slice(None)
    times_ns, symbols = times_ns[kept], symbols[kept]
    return not ((np.diff(times_ns) < 0) & (np.diff(symbols) == 0)).any()


def _check_rows(block: MarketBlock, symbols: int, refused: CleaningSettings) -> None:
    prices, sizes = _NUMBERS[type(block)]
    for name in (*prices, *sizes):
        assert np.isfinite(getattr(block, name)).all(), f"{name} must be finite"
    for name in prices:
        assert (getattr(block, name) > 0).all(), f"{name} must be > 0"
    for name in sizes:
        assert (getattr(block, name) >= 0).all(), f"{name} must be >= 0"
    assert (block.row_ns >= refused.first_ns).all()
    assert (block.row_ns < refused.end_ns).all()
    instrument = block.columns()["instrument"]
    assert ((instrument >= 0) & (instrument < symbols)).all()
    if isinstance(block, Bars):
        assert (block.open_ns < block.close_ns).all()
        assert (block.high >= np.maximum(block.open, block.close)).all()
        assert (block.low <= np.minimum(block.open, block.close)).all()
        assert (block.trades >= -1).all()
    elif isinstance(block, Quotes):
        assert (block.bid <= block.ask).all()


_NUMBERS: Final[dict[type[MarketBlock], tuple[tuple[str, ...], tuple[str, ...]]]] = {
    Trades: (("price",), ("size",)),
    Quotes: (("bid", "ask"), ("bid_size", "ask_size")),
    Bars: (("open", "high", "low", "close"), ("volume",)),
}


def _check_counts(feed: Feed, out: int) -> None:
    counts = dict(feed.counts)
    assert all(count >= 0 for count in counts.values()), counts
    lost = sum(rows for reason, rows in counts.items() if reason in (*DROPPED, *UNREAD))
    assert counts["rows"] == out + lost, f"{counts}, {out} rows out"
    assert len(feed.content_hash) == 64


def _columns(blocks: list[MarketBlock]) -> dict[str, list[object]]:
    """By kind and name; "order" is the kind of each row."""
    found: dict[str, list[object]] = {"order": []}
    for block in blocks:
        kind = type(block).__name__
        found["order"] += [kind] * len(block)
        for name, column in block.columns().items():
            if column.dtype.kind in "iu" or name in (*_NUMBERS[type(block)][0], *_NUMBERS[type(block)][1]):
                found.setdefault(f"{kind}.{name}", []).extend(column.tolist())
    return found


# ----------------------------------------------------------------------------- the inputs


def seeds() -> list[bytes]:
    """Each well-formed content plain, in each container, and under each name and option that it is made for."""
    found = []
    for name, options, content in CONTENTS:
        lead = bytes([NAMES.index(name)])
        found += [lead + bytes([container, options, container % 4]) + content for container in range(len(CONTAINERS))]
    # Packed already, so that the containers' own bytes are mutated.
    packed = [(name, pack(content)) for name, _, content in CONTENTS[:4] for pack in CONTAINERS[1:]]
    packed += list(seed_files())
    found += [
        bytes([NAMES.index(name), 0, number % 2, number % 4]) + content for number, (name, content) in enumerate(packed)
    ]
    found += [bytes([NAMES.index(name), ZIP, 0, 1]) + content for name, content in lean_seeds()]
    return [seed for seed in found if len(seed) <= LONGEST_INPUT]


def mutate(data: bytes, most: int, seed: int) -> bytes:
    """Bytes, as libFuzzer does; or one cell, one line, one of the choices."""
    chance = random.Random(seed)
    lead, content = data[:LEAD].ljust(LEAD, b"\0"), data[LEAD:]
    kind = chance.random()
    if kind < 0.4 or not content:
        return bytes(lead + atheris.Mutate(content, max(1, most - LEAD)))[:most]
    if kind < 0.5:
        at = chance.randrange(LEAD)
        return (lead[:at] + bytes([chance.randrange(64)]) + lead[at + 1 :] + content)[:most]
    return (lead + _with_other_cells(content, chance))[:most]


def _with_other_cells(content: bytes, chance: random.Random) -> bytes:
    between = b"\n" if b"\n" in content else b"],["
    rows = content.split(between)
    at = chance.randrange(len(rows))
    what = chance.random()
    if what < 0.1:
        rows.insert(at, rows[chance.randrange(len(rows))])
    elif what < 0.2:
        del rows[at]
    elif what < 0.3:
        other = chance.randrange(len(rows))
        rows[at], rows[other] = rows[other], rows[at]
    else:
        cells = rows[at].split(b",")
        cells[chance.randrange(len(cells))] = _odd(chance)
        rows[at] = b",".join(cells)
    return between.join(rows)


def _odd(chance: random.Random) -> bytes:
    if chance.random() < 0.5:
        return chance.choice(ODD_CELLS)
    value: Any = chance.choice(ODD_VALUES)
    return value.encode(errors="surrogatepass") if isinstance(value, str) else msgspec.json.encode(str(value))[1:-1]


ODD_CELLS: Final = (
    b"", b" ", b"0", b"-0", b"-1", b"nan", b"NULL", b"inf", b"-inf", b"1e308", b"1e309", b"5e-324", b"1e-9999", b"0x10",
    b"1_000", b'"1,5"', b'"', b"1,5", b"+1", b".", b"-", b"e", b"9223372036854775807", b"9223372036854775808",
    b"-9223372036854775808", b"99999999999999999999999999", b"1600000000", b"1600000000000", b"1600000000000000",
    b"1600000000000000000", b"-62135596800", b"253402300800", b"20131007", b"20131007 09:30", b"20131007 25:61",
    b"2013-10-07", b"2013-10-07T09:30:00Z", b"2013-10-07 09:30:00-04:00", b"2013-11-03 01:30:00", b"2013-03-10 02:30",
    b"0000-00-00", b"9999-12-31", b"10/07/2013", b"13/13/2013", b"31.12.2013", b"86400000", b"FFFFFFFF", b"buy",
    b"true", b"Time", b"open", b"\xff\xfe", b"\xef\xbb\xbf", b"\x00", "\u0661\u0662".encode(), b"\r", b";", b"\t",
)  # fmt: skip

_folders: list[Path] = []


def _folder() -> Path:
    """In memory where the system has such a place."""
    if not _folders:
        memory = Path("/dev/shm")
        keeper = tempfile.TemporaryDirectory(prefix="wyckoff-fuzz-", dir=memory if memory.is_dir() else None)
        _kept.append(keeper)
        _folders.append(Path(keeper.name))
        for name in NAMES:
            (_folders[0] / name).parent.mkdir(parents=True, exist_ok=True)
    return _folders[0]


_kept: list[tempfile.TemporaryDirectory[str]] = []


def main(arguments: list[str]) -> None:
    """Never returns: libFuzzer ends the process, with 77 when a law was broken."""
    folders = [Path(each) for each in arguments[1:] if not each.startswith("-")]
    corpus = folders[0] if folders else Path(tempfile.gettempdir()) / "wyckoff-fuzz-files"
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds()):
        (corpus / f"seed-{number:03}").write_bytes(seed)
        judge(seed)  # kernels are compiled before the clock runs
    options = [each for each in arguments if each.startswith("-")]
    defaults = [f"-timeout={LONGEST_RUN_S}", f"-rss_limit_mb={MOST_MEMORY_MB}", f"-max_len={LONGEST_INPUT}"]
    atheris.Setup([arguments[0], *defaults, *options, str(corpus)], judge, custom_mutator=mutate)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv)
