"""What every codec obeys, whatever bytes it is given.

`assert_lawful` judges one frame. `frames_near(samples)` draws arbitrary bytes, arbitrary JSON and
damaged copies of real frames; `variants` replaces each value of a sample in turn, without chance.
"""

import json
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st

from adapters.codecs.codec import Codec, RowBuffer

RECEIVED_NS = 1_700_000_000_123_456_789
ROWS = "rows"
GROUPS = (ROWS, "passed", "unknown", "malformed")

NOT_NUMBERS = ("NaN", "nan", "Infinity", "-Infinity", "inf", "1e999", "", " 1", "1_0", "0x10", None, True, [], {})
ODD_VALUES = (*NOT_NUMBERS, -1, 0, 1.5, "x", 2**31, 2**63, -(2**63) - 1, 10**400, "9" * 400, [[]], {"e": "trade"}, "-0")


class Numbers(dict[str, int]):
    """A number for any symbol, as it comes."""

    def __missing__(self, symbol: str) -> int:
        return self.setdefault(symbol, len(self))

    def get(self, symbol: str, default: object = None) -> int:  # type: ignore[override]
        return self[symbol]


class Told(RowBuffer):
    """A row buffer that remembers what it was told: `calls` is the groups, in order."""

    def __init__(self) -> None:
        super().__init__(Numbers(), feed=0)
        self.calls: list[str] = []
        self.given: list[tuple[Any, ...]] = []

    def trade(self, *row: Any) -> None:  # type: ignore[override]
        symbol, time_ns, received_ns, price, size, side, trade_id = row
        self._row(row, symbol, (time_ns, received_ns, trade_id), (price, size))
        assert side in (-1, 0, 1)
        super().trade(*row)

    def quote(self, *row: Any) -> None:  # type: ignore[override]
        symbol, time_ns, received_ns, *values = row
        self._row(row, symbol, (time_ns, received_ns), values)
        super().quote(*row)

    def bar(self, *row: Any) -> None:  # type: ignore[override]
        symbol, _, open_ns, close_ns, received_ns, *values = row
        self._row(row, symbol, (open_ns, close_ns, received_ns), values[:5])
        assert close_ns > open_ns
        assert all(type(trades) is int and -1 <= trades < 2**31 for trades in values[5:])
        super().bar(*row)

    def skipped(self) -> None:
        self.calls.append(ROWS)
        super().skipped()

    def unfinished(self) -> None:
        self.calls.append(ROWS)
        super().unfinished()

    def passed(self, reason: str) -> None:
        assert reason
        self.calls.append("passed")
        super().passed(reason)

    def unknown(self, kind: str) -> None:
        assert type(kind) is str
        self.calls.append("unknown")
        super().unknown(kind)

    def malformed(self) -> None:
        self.calls.append("malformed")
        super().malformed()

    def _row(self, row: tuple[Any, ...], symbol: Any, whole: Sequence[Any], values: Sequence[Any]) -> None:
        self.calls.append(ROWS)
        self.given.append(row)
        assert type(symbol) is str
        assert symbol
        assert all(type(each) is int and -(2**63) <= each < 2**63 for each in whole), row
        assert all(type(each) is float and math.isfinite(each) for each in values), row

    @property
    def verdict(self) -> str:
        """The one group that this frame was reported to."""
        assert self.calls, "the frame was reported to nobody"
        assert set(self.calls) == {self.calls[0]}, f"the frame was reported to {self.calls}"
        assert self.calls[0] == ROWS or len(self.calls) == 1, f"the frame was reported {len(self.calls)} times"
        return self.calls[0]


def told(codec: Codec, frame: bytes, received_ns: int = RECEIVED_NS) -> Told:
    """What the codec makes of one frame; it is judged."""
    rows = Told()
    codec.decode(frame, received_ns, rows)
    assert rows.verdict in GROUPS
    count = len(rows.given)
    assert rows.rows == count
    blocks = rows.take()
    assert sum(map(len, blocks)) == count
    for block in blocks:
        assert all(np.isfinite(getattr(block, name)).all() for name in ("price", "bid", "open") if hasattr(block, name))
    return rows


def verdict(codec: Codec, frame: bytes | str | object) -> str:
    """rows, passed, unknown or malformed."""
    return told(codec, as_frame(frame)).verdict


assert_lawful = told


def as_frame(value: bytes | str | object) -> bytes:
    if isinstance(value, bytes):
        return value
    return value.encode() if isinstance(value, str) else json.dumps(value, separators=(",", ":")).encode()


def variants(sample: bytes, values: Sequence[object] = ODD_VALUES) -> Iterator[bytes]:
    """The sample with each value, array and object in turn replaced by each of `values`, or left out."""
    whole = json.loads(sample)
    for path in _paths(whole):
        for value in values:
            yield as_frame(_replaced(whole, path, lambda parent, key, value=value: parent.__setitem__(key, value)))
        yield as_frame(_replaced(whole, path, lambda parent, key: parent.__delitem__(key)))


def assert_all_variants_lawful(make: Callable[[], Codec], samples: Sequence[bytes]) -> None:
    """Each value of each sample replaced by each odd value. A codec with state keeps it between them."""
    kept = make()
    for sample in samples:
        assert_lawful(make(), sample)
        for frame in variants(sample):
            assert_lawful(make(), frame)
            assert_lawful(kept, frame)
        for cut in range(0, len(sample), max(1, len(sample) // 64)):
            assert_lawful(kept, sample[:cut])


def frames_near(samples: Sequence[bytes]) -> st.SearchStrategy[bytes]:
    """Arbitrary bytes, arbitrary JSON, and real frames that were cut, patched or had values replaced."""
    scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
    values = st.recursive(
        scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_keys(samples), inner, max_size=6)
    )
    return st.one_of(
        st.binary(max_size=200),
        values.map(as_frame),
        st.builds(lambda sample, cut: sample[: cut % (len(sample) + 1)], st.sampled_from(samples), st.integers(0)),
        st.builds(_patched, st.sampled_from(samples), st.integers(0), st.binary(max_size=4)),
        st.builds(_with_value, st.sampled_from(samples), st.integers(0), values),
    )


def _keys(samples: Sequence[bytes]) -> st.SearchStrategy[str]:
    known = {str(path[-1]) for sample in samples for path in _paths(json.loads(sample)) if path}
    return st.sampled_from(sorted(known)) | st.text(max_size=4) if known else st.text(max_size=4)


def _patched(sample: bytes, at: int, patch: bytes) -> bytes:
    at %= len(sample) + 1
    return sample[:at] + patch + sample[at + len(patch) :]


def _with_value(sample: bytes, which: int, value: object) -> bytes:
    whole = json.loads(sample)
    paths = list(_paths(whole))
    path = paths[which % len(paths)]
    return as_frame(_replaced(whole, path, lambda parent, key: parent.__setitem__(key, value)))


def _paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inner:
        yield (*path, key)
        yield from _paths(each, (*path, key))


def _replaced(whole: Any, path: tuple[Any, ...], change: Callable[[Any, Any], None]) -> Any:
    copy = json.loads(json.dumps(whole))
    parent = copy
    for key in path[:-1]:
        parent = parent[key]
    change(parent, path[-1])
    return copy
