"""What stands on a tape: header, fact and snapshot as bytes, and the hash that chains them.

A message is its canonical msgpack. A block is a msgpack map from column to bytes: a letter for
the coding, then the values, little-endian. Columns that hold their default in every row are
left out, columns of one value keep it once, the rest is compressed with zlib at level 1 (higher
levels and delta coding were measured: a tenth smaller at most, and slower).

TapeError
└── TapeMismatch    the tape belongs to another build, lock file or configuration
"""

import struct
import zlib
from hashlib import blake2b

import msgspec
import numpy as np

from engine.blocks import NAN_COLUMNS, Bars, Column, MarketBlock, Quotes, Trades
from engine.calendars import Calendar
from engine.messages import Instrument, SessionStart, decode, encode
from engine.ports import Item

FORMAT_VERSION = 1
HASH_SIZE = 32

BLOCKS: dict[str, type[MarketBlock]] = {kind.__name__: kind for kind in (Trades, Quotes, Bars)}

_CONSTANT = b"="
_ZLIB = b"z"


class TapeError(Exception):
    """A tape cannot be written, read or trusted. Names the file and what was found."""


class TapeMismatch(TapeError):  # noqa: N818  the field's word, and short
    """The tape was begun under another build, lock file or configuration; names which."""


class TapeHeader(msgspec.Struct, frozen=True, kw_only=True):
    """All that a replay needs besides the facts. Hashes are hexadecimal.

    `epoch` is the creation second in base 36. `opening_snapshot` is the line's state before the
    first fact, b"" for a fresh line. `calendars` are the trading sessions that the session names;
    `calendar_version` says who made them.
    """

    build_hash: str
    lock_hash: str
    config_hash: str
    session: SessionStart
    instruments: tuple[Instrument, ...]
    calendar_version: str
    epoch: str
    opening_snapshot: bytes = b""
    format_version: int = FORMAT_VERSION
    calendars: tuple[Calendar, ...] = ()


class Snapshot(msgspec.Struct, frozen=True):
    """The line's state after the fact with `sequence`; `hash` is the chain's at `position`."""

    position: int
    sequence: int
    hash: bytes
    build_hash: str
    lock_hash: str
    config_hash: str
    payload: bytes


_encoder = msgspec.msgpack.Encoder(decimal_format="string")
_header_decoder = msgspec.msgpack.Decoder(TapeHeader)
_columns_decoder = msgspec.msgpack.Decoder(dict[str, bytes])


def encode_header(header: TapeHeader) -> bytes:
    return _encoder.encode(header)


def decode_header(data: bytes) -> TapeHeader:
    """Raises msgspec.MsgspecError on anything else."""
    return _header_decoder.decode(data)


def encode_fact(fact: Item) -> tuple[str, int, bytes]:
    """Kind, number of rows, payload."""
    if isinstance(fact, MarketBlock):
        return type(fact).__name__, len(fact), _encoder.encode(_packed_columns(fact))
    return type(fact).__name__, 1, encode(fact)


def decode_fact(kind: str, sequence: int, rows: int, payload: bytes) -> Item:
    """Inverse of `encode_fact`; columns are new and writable.

    Raises ValueError (msgspec's errors among them) or zlib.error when the payload is no such
    fact.
    """
    block = BLOCKS.get(kind)
    if block is None:
        return decode(payload)
    packed = _columns_decoder.decode(payload)
    columns = {
        coding.name: coding.unpack(packed.get(coding.name) or _CONSTANT + coding.default, rows)
        for coding in _CODINGS[kind]
    }
    return block(sequence=sequence, **columns)  # type: ignore[arg-type]


def link(previous: bytes, position: int, sequence: int, kind: str, rows: int, payload: bytes) -> bytes:
    """The next hash of the chain: covers everything in the row and all rows before it."""
    name = kind.encode()
    digest = blake2b(previous + struct.pack("<qqqB", position, sequence, rows, len(name)) + name, digest_size=HASH_SIZE)
    digest.update(payload)
    return digest.digest()


def seal(*fields: bytes | str | int) -> bytes:
    """Hash of a row that stands beside the chain: header, snapshot, end."""
    return blake2b(_encoder.encode(fields), digest_size=HASH_SIZE).digest()


def seal_snapshot(snapshot: Snapshot) -> bytes:
    return seal(*msgspec.structs.astuple(snapshot))


class _Coding:
    """How one column is written: its dtype here and on the tape, and its default there."""

    __slots__ = ("bits", "default", "dtype", "name", "stored")

    def __init__(self, name: str, dtype: np.dtype[np.generic]) -> None:
        self.name = name
        self.dtype = dtype
        self.stored = dtype.newbyteorder("<")
        self.bits = np.dtype(f"i{dtype.itemsize}")
        self.default = np.array([np.nan if name in NAN_COLUMNS else 0], self.stored).tobytes()

    def pack(self, column: Column) -> bytes:
        """b"" when every row is, bit for bit, the default: -0.0 is no 0.0."""
        assert column.dtype == self.dtype
        bits = column.view(self.bits)
        if len(bits) == 1 or (bits == bits[0]).all():
            value = column[:1].astype(self.stored, copy=False).tobytes()
            return b"" if value == self.default else _CONSTANT + value
        return _ZLIB + zlib.compress(column.astype(self.stored, copy=False).tobytes(), 1)

    def unpack(self, data: bytes, rows: int) -> Column:
        coding = data[:1]
        raw = zlib.decompress(data[1:]) if coding == _ZLIB else data[1:]
        column = np.frombuffer(raw, self.stored).astype(self.dtype)
        if coding == _CONSTANT and len(column) == 1:
            return column.repeat(rows)
        if coding != _ZLIB or len(column) != rows:
            raise ValueError(f"{self.name} must be {rows} rows, was {len(column)} with coding {coding!r}")
        return column


_CODINGS = {
    name: tuple(_Coding(column, np.dtype(dtype)) for column, dtype in block.COLUMNS.items())
    for name, block in BLOCKS.items()
}


def _packed_columns(block: MarketBlock) -> dict[str, bytes]:
    if not len(block):
        return {}
    packed = {coding.name: coding.pack(getattr(block, coding.name)) for coding in _CODINGS[type(block).__name__]}
    return {name: data for name, data in packed.items() if data}
