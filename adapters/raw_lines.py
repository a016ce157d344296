"""Recordings of one `<receive time, epoch ns> <frame>` a line: one connection, in order of receipt.

Files are read forward in pieces, whatever container they lie in, so memory is that of a piece and
the longest line. Files of several days that follow each other are one recording.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, Protocol

from adapters.archives import members, reading
from adapters.feed_errors import EmptyError, FormatError, OrderError
from adapters.tar_members import Stream
from engine.iso import iso

Frame = tuple[int, int, bytes]
"""Receive time, number of the connection, the message as the venue sent it."""

PIECE_BYTES = 1 << 20
LINE_BYTES = 64 << 20
"""Longest line; the full book of a liquid market is 3 MB."""

HEAD: Final = re.compile(rb"[0-9]{19} *[ \t][{\[]")
_STAMP_DIGITS: Final = 19  # nanoseconds from 2001 to 2286
_LAST_STAMP: Final = b"9223372036854775807"


class Recording(Protocol):
    """What a venue sent, in order of receipt. `frames` may be asked for again.

    `exchange` is the venue's name, "" where the recording does not say. `counts` is what was
    recorded beside frames, and what was wrong with it; `first_ns` and `last_ns` are times of receipt.
    All are final after `frames`.
    """

    paths: tuple[Path, ...]
    exchange: str
    counts: Counter[str]
    first_ns: int
    last_ns: int

    def frames(self) -> Iterator[Frame]: ...


class LineRecording:
    """`paths` in order of time."""

    exchange = ""

    def __init__(self, paths: Sequence[Path]) -> None:
        """Raises FeedError, OrderError where one file begins before another ends."""
        self.paths = tuple(paths)
        self.counts: Counter[str] = Counter()
        self.first_ns = 0
        self.last_ns = 0

    def frames(self) -> Iterator[Frame]:
        self.counts = counts = Counter(connections=1)
        self.first_ns = last_ns = 0
        for path in self.paths:
            begins = True
            for batch in lines(path):
                for line in batch:
                    stamp, _, frame = line.partition(b" ")
                    if len(stamp) != _STAMP_DIGITS or not stamp.isdigit() or stamp > _LAST_STAMP:
                        counts["malformed_frame"] += bool(line.strip())
                        continue
                    received_ns = int(stamp)
                    if received_ns < last_ns:
                        if begins:
                            raise _out_of_order(path, last_ns, received_ns)
                        counts["receipt_stepped_back"] += 1
                    last_ns = received_ns
                    begins = False
                    self.first_ns = self.first_ns or received_ns
                    yield received_ns, 0, frame
        self.last_ns = last_ns


def lines(path: Path) -> Iterator[list[bytes]]:
    """All lines, a list a piece. Raises FeedError where the file or its container is damaged."""
    source = str(path)
    with reading(source):
        held = b""
        for number, member in enumerate(members(path)):
            if number:
                raise FormatError(f"{source}: must hold one recording, was an archive of several members")
            for piece in _pieces(member.stream):
                found = (held + piece).split(b"\n")
                held = found.pop()
                if len(held) > LINE_BYTES:
                    raise FormatError(f"{source}: lines must be at most {LINE_BYTES:,} bytes, was a longer one")
                yield found
        if held:
            yield [held]


def _pieces(stream: Stream) -> Iterator[bytes]:
    """What the stream gives, which may be a little at a time, in pieces of a size."""
    parts: list[bytes] = []
    size = 0
    while part := stream.read(PIECE_BYTES):
        parts.append(part)
        size += len(part)
        if size >= PIECE_BYTES:
            yield b"".join(parts)
            parts, size = [], 0
    yield b"".join(parts)


def head(path: Path) -> bytes:
    """The first bytes behind all containers."""
    source = str(path)
    with reading(source):
        member = next(members(path), None)
        if member is None:
            raise EmptyError(f"{source}: must hold rows, was empty")
        return member.head


def _out_of_order(path: Path, last_ns: int, first_ns: int) -> OrderError:
    return OrderError(f"{path}: must begin after {iso(last_ns)}, where the file before ends, was {iso(first_ns)}")
