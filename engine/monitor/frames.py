"""What an engine tells its monitor, as bytes: one way, length before content, nothing pickled.

A frame is a length, a kind and a payload. Messages travel as they stand on the line; bars as packs of
columns; the rest as small structs.
"""

import struct
from collections.abc import Iterator
from enum import IntEnum
from typing import Final, TypeVar

import msgspec

from engine.control.status import QueuesView, Status
from engine.messages import Instrument, Message, SessionStart, decode, encode
from engine.store_bars import BarPack

STREAM_SCHEMA: Final = 2
"""Rises when a frame changes its meaning."""

MOST_FRAME_BYTES: Final = 16_000_000

_HEAD: Final = struct.Struct(">IB")


class Kind(IntEnum):
    HELLO = 1
    MESSAGE = 2
    STATUS = 3
    BARS = 4
    PRICES = 5
    QUEUES = 6


class Hello(msgspec.Struct, frozen=True):
    """First frame. `session` and `instruments` are encoded messages; `run` is the run's name in the store."""

    schema: int
    run: str
    release: str
    session: bytes
    instruments: tuple[bytes, ...]


class Price(msgspec.Struct, frozen=True, array_like=True):
    symbol: str
    time_ns: int
    price: float


Told = Hello | Message | Status | QueuesView | BarPack | tuple[Price, ...]

S = TypeVar("S")


class FrameError(ValueError):
    """Bytes that no engine of this release would send."""


def framed(told: Told) -> bytes:
    """One frame."""
    match told:
        case Hello():
            kind, payload = Kind.HELLO, msgspec.msgpack.encode(told)
        case Status():
            kind, payload = Kind.STATUS, msgspec.msgpack.encode(told)
        case QueuesView():
            kind, payload = Kind.QUEUES, msgspec.msgpack.encode(told)
        case BarPack():
            kind, payload = Kind.BARS, msgspec.msgpack.encode(told)
        case tuple():
            kind, payload = Kind.PRICES, msgspec.msgpack.encode(told)
        case _:
            kind, payload = Kind.MESSAGE, encode(told)
    return _HEAD.pack(len(payload), kind) + payload


def hello(run: str, release: str, session: SessionStart, instruments: tuple[Instrument, ...]) -> Hello:
    return Hello(STREAM_SCHEMA, run, release, encode(session), tuple(encode(one) for one in instruments))


def told_by(kind: int, payload: bytes) -> Told:
    """Raises FrameError."""
    try:
        match kind:
            case Kind.HELLO:
                return _checked(msgspec.msgpack.decode(payload, type=Hello))
            case Kind.MESSAGE:
                return decode(payload)
            case Kind.STATUS:
                return msgspec.msgpack.decode(payload, type=Status)
            case Kind.QUEUES:
                return msgspec.msgpack.decode(payload, type=QueuesView)
            case Kind.BARS:
                return msgspec.msgpack.decode(payload, type=BarPack)
            case Kind.PRICES:
                return msgspec.msgpack.decode(payload, type=tuple[Price, ...])
    except msgspec.MsgspecError as error:
        raise FrameError(f"stream: a frame of kind {kind} cannot be read: {error}") from None
    raise FrameError(f"stream: kind must be 1 to {max(Kind)}, was {kind}")


class FrameReader:
    """Bytes as they come in, frames as they are complete. Raises FrameError."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def feed(self, data: bytes) -> Iterator[Told]:
        self._bytes += data
        at = 0
        while len(self._bytes) - at >= _HEAD.size:
            length, kind = _HEAD.unpack_from(self._bytes, at)
            if length > MOST_FRAME_BYTES:
                raise FrameError(f"stream: a frame must have at most {MOST_FRAME_BYTES:,} bytes, was {length:,}")
            end = at + _HEAD.size + length
            if len(self._bytes) < end:
                break
            payload = bytes(self._bytes[at + _HEAD.size : end])
            at = end
            yield told_by(kind, payload)
        del self._bytes[:at]


def _checked(found: Hello) -> Hello:
    if found.schema != STREAM_SCHEMA:
        raise FrameError(f"stream: schema must be {STREAM_SCHEMA}, was {found.schema}: another release runs here")
    return found
