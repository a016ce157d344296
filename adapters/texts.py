"""A column of texts as spans of one byte array, and the kernels that split and read it.

A CSV block is never turned into Python strings: `split_lines` finds where each field lies, and
`numbers` reads decimals in place. A decimal of up to 15-16 digits is an exact integer over an
exact power of ten, so one division rounds as `float()` does (Clinger 1990); everything else,
words for "nothing" included, goes through `float()` itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import numpy.typing as npt

from engine.blocks import Float64, Int32, Int64
from engine.kernels import inlined, kernel

Bytes = npt.NDArray[np.uint8]

NOTHING = frozenset(("", "nan", "null", "none", "na", "n/a", "nat", "-"))
"""Texts that stand for an absent value, in lower case."""

_POWERS = np.array([float(10**power) for power in range(23)])
_EXACT = 2**53
_NEWLINE, _RETURN, _SPACE, _TAB, _PLUS, _MINUS, _POINT, _ZERO, _NINE = 10, 13, 32, 9, 43, 45, 46, 48, 57


class CellError(ValueError):
    """One cell cannot be read. The reader of the page adds file, row and field."""

    def __init__(self, index: int, expected: str, found: str) -> None:
        super().__init__(f"must be {expected}, was {found!r}")
        self.index = index


@dataclass(frozen=True, slots=True)
class Texts:
    """`starts` and `ends` are (n,): text i is `data[starts[i]:ends[i]]`, UTF-8, stripped."""

    data: Bytes
    starts: Int64
    ends: Int64

    @classmethod
    def of(cls, values: Sequence[str]) -> "Texts":
        encoded = [value.strip().encode() for value in values]
        lengths = np.fromiter(map(len, encoded), np.int64, len(encoded))
        ends = np.cumsum(lengths)
        return cls(np.frombuffer(b"".join(encoded), np.uint8), ends - lengths, ends)

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, index: int) -> str:
        span = self.data[self.starts[index] : self.ends[index]]
        return span.tobytes().decode("utf-8", "replace")


def numbers(texts: Texts) -> Float64:
    """(n,) float64, NaN where there is nothing. Raises CellError."""
    values = np.empty(len(texts))
    unread = np.zeros(len(texts), np.bool_)
    read_numbers(texts.data, texts.starts, texts.ends, values, unread)
    for index in np.flatnonzero(unread).tolist():
        values[index] = _number(texts[index], index)
    return values


def identities(texts: Texts) -> Int64:
    """(n,) int64: whole numbers as they are, other texts as 63 bits of BLAKE2b, nothing as 0."""
    values = np.zeros(len(texts), np.int64)
    unread = np.zeros(len(texts), np.bool_)
    read_integers(texts.data, texts.starts, texts.ends, values, unread)
    for index in np.flatnonzero(unread).tolist():
        values[index] = identity(texts[index])
    return values


def words(texts: Texts) -> tuple[Int32, list[str]]:
    """(n,) codes into the list of distinct texts, in order of first appearance."""
    size = len(texts)
    codes, firsts = np.empty(size, np.int32), np.empty(size, np.int64)
    places = np.full(1 << max(4, (2 * size).bit_length()), -1, np.int32)
    found = code_words(texts.data, texts.starts, texts.ends, places, codes, firsts)
    return codes, [texts[index] for index in firsts[:found].tolist()]


def joined(first: Texts, second: Texts) -> Texts:
    """Each text of `first`, a space, and the text of `second` beside it."""
    lengths = first.ends - first.starts + 1 + second.ends - second.starts
    ends = np.cumsum(lengths)
    data = np.full(int(lengths.sum()), _SPACE, np.uint8)
    join_spans(first.data, first.starts, first.ends, data, ends - lengths)
    join_spans(second.data, second.starts, second.ends, data, ends - (second.ends - second.starts))
    return Texts(data, ends - lengths, ends)


def _number(text: str, index: int) -> float:
    if text.lower() in NOTHING:
        return float("nan")
    try:
        # Python reads 1_000 as a number; no data file means it.
        return float(text if "_" not in text else "_")
    except ValueError:
        raise CellError(index, "a number", text) from None


def identity(text: str) -> int:
    """One text as `identities` reads it."""
    if text.lower() in NOTHING:
        return 0
    digits = text.lstrip("0") or "0"
    if text.isdecimal() and len(digits) < 20 and int(digits) < 2**63:
        return int(digits)
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest()) >> 1


# ------------------------------------------------------------------------------ kernels


@inlined
def digit(byte: int) -> int:
    """A byte's distance from "0", in 64 bits: in plain Python a NumPy byte would keep 8."""
    return int(np.int64(byte) - _ZERO)


@kernel
def split_lines(data: Bytes, delimiter: int, starts: Int64, ends: Int64, lines: Int64) -> tuple[int, int, int, int]:
    """Find the fields of a block of whole lines; blank lines are skipped.

    `starts` and `ends` are (columns, capacity), `lines` (capacity,), counted from 0 in the block.
    Returns rows, lines seen, and the line and field count of the first ragged line (-1, 0 if none).
    """
    columns = starts.shape[0]
    row = line = field = begin = 0
    for i in range(len(data)):
        if data[i] != delimiter and data[i] != _NEWLINE:
            continue
        if field < columns:
            starts[field, row] = begin
            ends[field, row] = i
        field += 1
        begin = i + 1
        if data[i] != _NEWLINE:
            continue
        if field == columns:
            for k in range(columns):
                starts[k, row], ends[k, row] = strip_span(data, starts[k, row], ends[k, row])
            lines[row] = line
            row += 1
        elif not (field == 1 and blank(data, starts[0, row], i)):
            return row, line, line, field
        field = 0
        line += 1
    return row, line, -1, 0


@kernel
def strip_span(data: Bytes, start: int, end: int) -> tuple[int, int]:
    while start < end and (data[start] == _SPACE or data[start] == _TAB):
        start += 1
    while start < end and (data[end - 1] == _SPACE or data[end - 1] == _TAB or data[end - 1] == _RETURN):
        end -= 1
    return start, end


@kernel
def blank(data: Bytes, start: int, end: int) -> bool:
    first, last = strip_span(data, start, end)
    return first == last


@kernel
def read_numbers(data: Bytes, starts: Int64, ends: Int64, values: Float64, unread: npt.NDArray[np.bool_]) -> None:
    """Fill `values`; mark in `unread` what is not a plain, exactly readable decimal."""
    for row in range(len(starts)):
        value, plain = plain_decimal(data, starts[row], ends[row])
        values[row] = value
        unread[row] = not plain


@kernel
def plain_decimal(data: Bytes, start: int, end: int) -> tuple[float, bool]:
    first = start + 1 if start < end and (data[start] == _MINUS or data[start] == _PLUS) else start
    mantissa = digits = places = 0
    point = False
    for i in range(first, end):
        byte = data[i]
        if _ZERO <= byte <= _NINE and digits < 18:
            mantissa = mantissa * 10 + digit(byte)
            digits += 1
            places += point
        elif byte == _POINT and not point:
            point = True
        else:
            return np.nan, False
    # 18 digits cannot overflow 63 bits; beyond 2**53 a mantissa is not an exact float.
    if digits == 0 or mantissa > _EXACT:
        return np.nan, False
    value = mantissa / _POWERS[places]
    return (-value if data[start] == _MINUS else value), True


@kernel
def read_integers(data: Bytes, starts: Int64, ends: Int64, values: Int64, unread: npt.NDArray[np.bool_]) -> None:
    for row in range(len(starts)):
        digits = ends[row] - starts[row]
        value = 0
        plain = 0 < digits <= 18
        for i in range(starts[row], ends[row] if plain else starts[row]):
            plain = plain and _ZERO <= data[i] <= _NINE
            value = value * 10 + digit(data[i]) if plain else 0
        values[row] = value
        unread[row] = not plain


@kernel
def code_words(data: Bytes, starts: Int64, ends: Int64, places: Int32, codes: Int32, firsts: Int64) -> int:
    """Number the distinct texts; `firsts` gets the row each appears in first. Returns how many.

    `places` is a hash table of codes, -1 where free: a power of two, over twice the rows.
    """
    found = 0
    mask = len(places) - 1
    for row in range(len(starts)):
        if row > 0 and same_text(data, starts, ends, row, row - 1):
            codes[row] = codes[row - 1]
            continue
        place = hashed(data, starts[row], ends[row]) & mask
        while places[place] >= 0 and not same_text(data, starts, ends, row, firsts[places[place]]):
            place = (place + 1) & mask
        if places[place] < 0:
            places[place] = found
            firsts[found] = row
            found += 1
        codes[row] = places[place]
    return found


@kernel
def same_text(data: Bytes, starts: Int64, ends: Int64, one: int, other: int) -> bool:
    length = ends[one] - starts[one]
    if length != ends[other] - starts[other]:
        return False
    same = True
    for i in range(length):
        same = same and data[starts[one] + i] == data[starts[other] + i]
    return same


@kernel
def hashed(data: Bytes, start: int, end: int) -> int:
    """A polynomial of the bytes, modulo 2**30: no step leaves 63 bits."""
    value = 0
    for i in range(start, end):
        value = (value * 31 + digit(data[i])) & 0x3FFF_FFFF
    return value


@kernel
def strip_spans(data: Bytes, starts: Int64, ends: Int64) -> None:
    for row in range(len(starts)):
        starts[row], ends[row] = strip_span(data, starts[row], ends[row])


@kernel
def join_spans(data: Bytes, starts: Int64, ends: Int64, into: Bytes, places: Int64) -> None:
    """Copy each text to its place."""
    for row in range(len(starts)):
        for i in range(ends[row] - starts[row]):
            into[places[row] + i] = data[starts[row] + i]
