"""What venues say of their instruments, from the JSON they answer: files, or a recording's own.

A document is recognised by its shape. Its entries are only looked at when one is asked for: a damaged
entry stops the run that needs it, and no other.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from adapters.archives import members, reading
from adapters.feed_errors import FeedError
from adapters.venue_shapes import Alpaca, Binance, Bybit, Coinbase, Entry, Gate, Kraken, Kucoin, ShapeError
from engine.definitions import Definition
from engine.instruments import InstrumentError

MOST_BYTES = 256 << 20
"""Unpacked. The largest answer known, of Binance, has 15 MB."""

_PIECE = 1 << 20

Raws = Sequence[msgspec.Raw]


class MetadataError(InstrumentError):
    """A file cannot be read as a venue's list of instruments. Names it and what was found."""


class UnlistedError(MetadataError):
    """The venue answers, in so many words, that it does not list what it was asked for."""


class _UnlistedShapeError(ShapeError):
    """The same, before the document has its name."""


class Shape(NamedTuple):
    """One venue's answer: for people, for the decoder, and the field that names an entry."""

    venue: str
    entry: type[Entry]
    name: str


BINANCE = Shape("Binance", Binance, "symbol")
COINBASE = Shape("Coinbase", Coinbase, "product_id")
KRAKEN = Shape("Kraken", Kraken, "wsname")
BYBIT = Shape("Bybit", Bybit, "symbol")
GATE = Shape("Gate", Gate, "id")
KUCOIN = Shape("KuCoin", Kucoin, "symbol")
ALPACA = Shape("Alpaca", Alpaca, "symbol")

LISTS: tuple[tuple[frozenset[str], Shape], ...] = (
    (frozenset(("id", "quote", "precision", "amount_precision")), GATE),
    (frozenset(("id", "class", "symbol")), ALPACA),
)
"""Bare lists are told apart by the keys of their first entry."""

KNOWN = (
    "Binance exchangeInfo, Coinbase products, Kraken AssetPairs, Bybit instruments-info, Gate currency_pairs, "
    "KuCoin symbols or Alpaca assets"
)


class Metadata:
    """One document. Symbols are as the venue's market stream writes them."""

    def __init__(self, name: str, shape: Shape, entries: Raws) -> None:
        self.venue = shape.venue
        self.name = f"{name} ({shape.venue})"
        self._shape = shape
        self._entries: dict[str, list[msgspec.Raw]] = {}
        for raw in entries:
            for symbol in _names(shape, raw):
                self._entries.setdefault(symbol, []).append(raw)

    @property
    def symbols(self) -> tuple[str, ...]:
        return tuple(sorted(self._entries))

    def definition(self, symbol: str) -> Definition | None:
        """None for a symbol that is not listed. Raises InstrumentError on a damaged entry."""
        found = [self._read(symbol, raw) for raw in self._entries.get(symbol, ())]
        if any(one != found[0] for one in found):
            raise InstrumentError(f"{self.name}: {symbol}: must be listed once, was listed {len(found)} times")
        return found[0] if found else None

    def _read(self, symbol: str, raw: msgspec.Raw) -> Definition:
        try:
            entry = msgspec.json.decode(raw, type=self._shape.entry)
            return entry.definition(symbol)
        except (msgspec.DecodeError, RecursionError, ShapeError) as error:
            raise InstrumentError(f"{self.name}: {symbol}: {error}") from None


def is_metadata(path: Path) -> bool:
    """Whether a file is a venue's list of instruments; whatever else it may be is somebody else's to say."""
    try:
        read_metadata(path)
    except MetadataError:
        return False
    return True


def read_metadata(path: Path) -> Metadata:
    """A file as its venue answered it, plain or compressed. Raises MetadataError."""
    pieces: list[bytes] = []
    for piece in _pieces(path):
        pieces.append(piece)
        if len(pieces) * _PIECE > MOST_BYTES:
            raise MetadataError(f"{path}: must be at most {MOST_BYTES >> 20} MB, was more")
    return recognised(path.name, b"".join(pieces))


def recorded_metadata(path: Path) -> list[Metadata]:
    """What a recorded session (cryptofeed, format 2) was answered before its first market message.

    Empty for a file of another kind, and where nothing was asked that is read here.
    """
    found = []
    for number, line in enumerate(_lines(path)):
        record = _record(line)
        if record is None or (number == 0) is not (record.t == HEADER) or record.t not in (HEADER, HTTP):
            break
        if record.t == HTTP and record.data:
            try:
                found.append(recognised(f"{path.name}, {record.url.removeprefix('https://')}", record.data.encode()))
            except MetadataError:
                continue  # an order book, a list of names: no instruments
    return found


def recognised(name: str, text: bytes) -> Metadata:
    """`name` is for people. Raises MetadataError on a document of no known shape."""
    try:
        shape, entries = _parts(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise MetadataError(f"{name}: must be {KNOWN}, was not: {error}") from None
    except _UnlistedShapeError as error:
        raise UnlistedError(f"{name}: {error}") from None
    except ShapeError as error:
        raise MetadataError(f"{name}: {error}") from None
    if not entries:
        raise MetadataError(f"{name}: must list instruments, was an empty list of {shape.venue}")
    return Metadata(name, shape, entries)


def _parts(text: bytes) -> tuple[Shape, Raws]:
    """Raises msgspec.DecodeError or ShapeError."""
    if text.lstrip()[:1] == b"[":
        return _bare_list(msgspec.json.decode(text, type=list[msgspec.Raw]))
    keys = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
    for name, opened in OBJECTS.items():
        if name in keys:
            return opened(keys)
    raise ShapeError(f"must be {KNOWN}, was an object of {', '.join(list(keys)[:5]) or 'nothing'}")


def _bare_list(entries: Raws) -> tuple[Shape, Raws]:
    first = msgspec.json.decode(entries[0], type=dict[str, msgspec.Raw]).keys() if entries else frozenset[str]()
    for keys, shape in LISTS:
        if keys <= first:
            return shape, entries
    raise ShapeError(f"must be {KNOWN}, was a list of {', '.join(list(first)[:5]) or 'nothing'}")


def _listed(shape: Shape, key: str) -> Callable[[Mapping[str, msgspec.Raw]], tuple[Shape, Raws]]:
    return lambda keys: (shape, msgspec.json.decode(keys[key], type=list[msgspec.Raw]))


def _coinbase(keys: Mapping[str, msgspec.Raw]) -> tuple[Shape, Raws]:
    """It counts what it found: a list without entries that says so itself is an answer."""
    found = msgspec.json.decode(keys["products"], type=list[msgspec.Raw])
    if not found and keys.get("num_products") == msgspec.Raw(b"0"):
        raise _UnlistedShapeError(f"must list instruments, was an empty list of {COINBASE.venue}")
    return COINBASE, found


def _result(keys: Mapping[str, msgspec.Raw]) -> tuple[Shape, Raws]:
    """Kraken maps names to pairs and tells errors; Bybit wraps a list and tells a code."""
    if "error" not in keys:
        return BYBIT, _bybit(keys)
    errors = msgspec.json.decode(keys["error"], type=list[str])
    if errors:
        told = f"must list instruments, was the error {', '.join(errors)}"
        raise (_UnlistedShapeError if UNKNOWN_PAIR in errors else ShapeError)(told)
    if "result" not in keys:
        raise ShapeError(f"must list instruments, was an answer of {KRAKEN.venue} without a result")
    return KRAKEN, list(msgspec.json.decode(keys["result"], type=dict[str, msgspec.Raw]).values())


def _bybit(keys: Mapping[str, msgspec.Raw]) -> Raws:
    code = msgspec.json.decode(keys.get("retCode", _NO_CODE), type=int)
    if code:
        words = msgspec.json.decode(keys.get("retMsg", _NO_WORDS), type=str)
        is_unknown = code == BAD_PARAMETER and "symbol" in words.lower()
        told = f"must list instruments, was the error {code} {words}".rstrip()
        raise (_UnlistedShapeError if is_unknown else ShapeError)(told)
    found = msgspec.json.decode(keys["result"], type=_BybitResult).list
    if not found and "retCode" in keys:
        raise _UnlistedShapeError(f"must list instruments, was an empty list of {BYBIT.venue}")
    return found


class _BybitResult(msgspec.Struct, frozen=True):
    list: list[msgspec.Raw]


UNKNOWN_PAIR: Final = "EQuery:Unknown asset pair"
BAD_PARAMETER: Final = 10_001
"""Bybit's code of any parameter that it does not take; its words name the symbol where it is that."""

_NO_CODE, _NO_WORDS = msgspec.Raw(b"0"), msgspec.Raw(b'""')

OBJECTS: dict[str, Callable[[Mapping[str, msgspec.Raw]], tuple[Shape, Raws]]] = {
    "symbols": _listed(BINANCE, "symbols"),
    "products": _coinbase,
    "result": _result,
    "data": _listed(KUCOIN, "data"),
    "error": _result,
}
"""Objects are told apart by the key that holds their list."""


def _names(shape: Shape, raw: msgspec.Raw) -> Iterable[str]:
    """What an entry is called; nothing where even that is damaged or it has no market stream."""
    if shape is not KRAKEN:
        try:
            named = msgspec.json.decode(raw, type=dict[str, msgspec.Raw]).get(shape.name)
            return () if named is None else (msgspec.json.decode(named, type=str),)
        except (msgspec.DecodeError, RecursionError):
            return ()
    try:
        return msgspec.json.decode(raw, type=_KrakenName).names
    except (msgspec.DecodeError, RecursionError):
        return ()


class _KrakenName(Kraken, frozen=True):
    """The names alone, so that other damage is told when the pair is asked for."""

    pair_decimals: int | None = None  # type: ignore[assignment]
    lot_decimals: int | None = None  # type: ignore[assignment]


class _Record(msgspec.Struct, frozen=True):
    t: str
    url: str = ""
    data: str | None = None


HEADER, HTTP = "header", "http"
_records = msgspec.json.Decoder(_Record)


def _record(line: bytes) -> _Record | None:
    try:
        return _records.decode(line)
    except (msgspec.DecodeError, RecursionError):
        return None


def _lines(path: Path) -> Iterator[bytes]:
    """Lines of a file, as far as they are asked for. Raises MetadataError on one beyond all bounds."""
    rest = b""
    for piece in _pieces(path):
        *whole, rest = (rest + piece).split(b"\n")
        yield from whole
        if len(rest) > MOST_BYTES:
            raise MetadataError(f"{path}: lines must be at most {MOST_BYTES >> 20} MB, was more")
    if rest:
        yield rest


def _pieces(path: Path) -> Iterator[bytes]:
    """The content of a file that holds one member. Raises MetadataError."""
    try:
        with reading(str(path)):
            for member in members(path):
                if member.name:
                    raise MetadataError(f"{path}: must be one document, was an archive")
                while piece := member.stream.read(_PIECE):
                    yield piece
    except FeedError as error:
        raise MetadataError(str(error)) from None
