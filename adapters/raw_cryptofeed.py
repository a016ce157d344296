"""Recordings of cryptofeed, format 2: JSON lines, a header, then what each connection sent and got.

A connection is in order within itself; connections may lie one after the other in the file. So
the file is surveyed once, and connections that do not follow each other in time are read by a
reader each (a lane) and merged by receive time. A file in order has one lane. Memory is that of a
piece for every lane; the cost is that every lane reads the file up to its own last line.
"""

import heapq
from base64 import b64decode
from binascii import Error as Base64Error
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from adapters.feed_errors import EmptyError, FormatError
from adapters.raw_lines import Frame, lines

FORMAT: Final = 2
MOST_LANES: Final = 64
"""Connections open at the same time; more would keep too many readers."""

US_PER_S: Final = 1_000_000
NS_PER_US: Final = 1_000
RECEIVED: Final = "recv"
_RECORDED_BESIDE: Final = ("http", "connect", "send")

Moment = Annotated[float, Meta(ge=0, le=9_223_372_035)]
"""Epoch seconds as Python's clock gave them: a quarter of a microsecond at best."""


class Header(Struct):
    t: str
    format: int = 1
    exchange: str = ""


class Outline(Struct):
    """A record without its payload."""

    t: str
    conn: str = ""
    ts: Moment = 0.0
    addr: str = ""


class Received(Struct):
    t: str
    conn: str
    ts: Moment
    data: str | None = None
    b64: str | None = None


_HEADERS: Final = msgspec.json.Decoder(Header)
_OUTLINES: Final = msgspec.json.Decoder(Outline)
_RECEIVED: Final = msgspec.json.Decoder(Received)
_DAMAGED: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


@dataclass(slots=True)
class Connection:
    """From its first record to its last; lines are numbers in the file. A name that connects again
    is another connection."""

    number: int
    name: str
    address: str
    first_ns: int
    first_line: int
    last_ns: int
    last_line: int
    frames: int = 0


@dataclass(slots=True)
class Lane:
    """Connections that one reader can serve, because they follow each other."""

    connections: list[Connection]

    def takes(self, connection: Connection) -> bool:
        last = self.connections[-1]
        return connection.first_line > last.last_line and connection.first_ns >= last.last_ns


class CryptofeedRecording:
    def __init__(self, path: Path) -> None:
        """Reads the file once. Raises FeedError."""
        self.paths: tuple[Path, ...] = (path,)
        self.exchange = _header(path).exchange
        survey = Survey()
        for number, line in _numbered(path):
            survey.take(number, line)
        self._surveyed = survey.counts
        self._lanes = survey.lanes(path)
        self.first_ns, self.last_ns = survey.span_ns
        self.counts = Counter(self._surveyed)

    def frames(self) -> Iterator[Frame]:
        """A frame whose payload is damaged comes out empty: its codec will refuse it."""
        self.counts = Counter(self._surveyed)
        lanes = [_frames(self.paths[0], lane) for lane in self._lanes]
        return lanes[0] if len(lanes) == 1 else heapq.merge(*lanes, key=itemgetter(0))


class Survey:
    """What is in the file, without the payloads: connections, their order, records by type."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._found: list[Connection] = []
        self._current: dict[str, Connection] = {}
        self._in_order = True
        self._last_ns = 0

    def take(self, number: int, line: bytes) -> None:
        try:
            record = _OUTLINES.decode(line)
        except _DAMAGED:
            self.counts["malformed_record"] += 1
            return
        time_ns = received_ns(record.ts)
        if record.t == "connect" or (record.t == RECEIVED and record.conn not in self._current):
            self._begin(number, record, time_ns)
        connection = self._current.get(record.conn)
        if connection is not None:
            if record.t == RECEIVED:
                self._receive(connection, time_ns)
            connection.last_ns = max(connection.last_ns, time_ns)
            connection.last_line = number
        if record.t != RECEIVED:
            self.counts[record.t if record.t in _RECORDED_BESIDE else "unknown_record"] += 1

    def _begin(self, number: int, record: Outline, time_ns: int) -> None:
        again = any(one.address == record.addr and one.last_ns <= time_ns for one in self._found)
        self.counts["reconnections"] += again or record.conn in self._current
        self.counts["connections"] += 1
        connection = Connection(len(self._found), record.conn, record.addr, time_ns, number, time_ns, number)
        self._found.append(connection)
        self._current[record.conn] = connection

    def _receive(self, connection: Connection, time_ns: int) -> None:
        connection.frames += 1
        self.counts["receipt_stepped_back"] += time_ns < connection.last_ns
        self._in_order = self._in_order and time_ns >= self._last_ns
        self._last_ns = max(self._last_ns, time_ns)

    @property
    def span_ns(self) -> tuple[int, int]:
        found = [connection for connection in self._found if connection.frames]
        return min(one.first_ns for one in found), max(one.last_ns for one in found)

    def lanes(self, path: Path) -> list[Lane]:
        """As few as will do. Raises FeedError."""
        found = [connection for connection in self._found if connection.frames]
        if not found:
            raise EmptyError(f"{path}: must hold received messages, was {dict(self.counts) or 'a header only'}")
        if self._in_order:
            return [Lane(found)]
        lanes: list[Lane] = []
        for connection in found:
            lane = next((lane for lane in lanes if lane.takes(connection)), None)
            if lane is None:
                lanes.append(Lane([connection]))
            else:
                lane.connections.append(connection)
        if len(lanes) > MOST_LANES:
            raise FormatError(f"{path}: connections at the same time must be at most {MOST_LANES}, was {len(lanes)}")
        return lanes


def received_ns(seconds: float) -> int:
    return round(seconds * US_PER_S) * NS_PER_US


def _frames(path: Path, lane: Lane) -> Iterator[Frame]:
    """The frames of a lane's connections, as they lie in the file."""
    begins = {connection.first_line: connection for connection in lane.connections}
    first, last = min(begins), max(connection.last_line for connection in lane.connections)
    current: dict[str, Connection] = {}
    for number, line in _numbered(path):
        if number < first:
            continue
        if number > last:
            return
        if number in begins:
            current[begins[number].name] = begins[number]
        try:
            record = _RECEIVED.decode(line)
        except _DAMAGED:
            continue
        connection = current.get(record.conn)
        # A name that connected again may be read by another lane.
        if record.t == RECEIVED and connection is not None and number <= connection.last_line:
            yield received_ns(record.ts), connection.number, _payload(record)


def _payload(record: Received) -> bytes:
    if record.data is not None:
        return record.data.encode(errors="surrogatepass")
    try:
        return b64decode(record.b64 or "", validate=True)
    except (Base64Error, ValueError):
        return b""


def _numbered(path: Path) -> Iterator[tuple[int, bytes]]:
    """Lines that hold something, without the header, by their number in the file."""
    number = 0
    for batch in lines(path):
        for line in batch:
            if number and line.strip():
                yield number, line
            number += 1


def _header(path: Path) -> Header:
    first = next((line for batch in lines(path) for line in batch), b"")
    try:
        header = _HEADERS.decode(first)
    except _DAMAGED as error:
        raise FormatError(f"{path}: line 1 must be a header record, was {first[:60]!r} ({error})") from error
    if header.t != "header" or header.format != FORMAT:
        raise FormatError(f"{path}: must be a recording of format {FORMAT}, was {header.t} of format {header.format}")
    return header
