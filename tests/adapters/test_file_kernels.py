"""The kernels that read text: their plain-Python forms, and Python's own reading, give the same."""

from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from adapters import dates, stamps, texts
from adapters.texts import CellError, Texts

CELLS = st.lists(
    st.one_of(
        st.integers(-(10**20), 10**20).map(str),
        st.floats(allow_nan=False).map(repr),
        st.from_regex(r"[0-9+\-. TZ:/]{0,24}", fullmatch=True),
        st.sampled_from(("", "9" * 19, "9223372036854775807", "9223372036854775808", "1" * 18 + ".5", "0" * 30 + "7")),
    ),
    max_size=8,
)


def both(module: Any, name: str, *arguments: Any) -> tuple[Any, Any]:
    """What the compiled form gives and leaves in its arrays, and what the plain one does, which finds
    plain functions under the names of all kernels."""
    results = []
    for is_plain in (False, True):
        given_now = [one.copy() if isinstance(one, np.ndarray) else one for one in arguments]
        with pytest.MonkeyPatch.context() as patch:
            if is_plain:
                for owner in (texts, stamps, dates):
                    for key, value in list(vars(owner).items()):
                        if hasattr(value, "py_func"):
                            patch.setattr(owner, key, value.py_func)
            found = getattr(module, name)(*given_now)
        arrays = [one.tolist() for one in given_now if isinstance(one, np.ndarray)]
        results.append((repr(found), repr(arrays)))
    return results[0], results[1]


def spans(cells: list[str]) -> tuple[Texts, int]:
    return Texts.of(cells), len(cells)


@settings(max_examples=150, deadline=None)
@given(CELLS)
@example(["300", "255", "99999999999999999999", "123456789012345678"])
def test_plain_python_reads_as_the_kernels_do(cells: list[str]) -> None:
    read, size = spans(cells)
    at = (read.data, read.starts, read.ends)

    for order in range(3):
        outputs = np.zeros(size, np.int64), np.zeros(size, np.int64), np.zeros(size, np.int8), np.zeros(size, np.bool_)
        compiled, python = both(stamps, "read_stamps", *at, order, *outputs)
        assert compiled == python
    for module, name, columns in (
        (texts, "read_numbers", (np.zeros(size), np.zeros(size, np.bool_))),
        (texts, "read_integers", (np.zeros(size, np.int64), np.zeros(size, np.bool_))),
        (texts, "code_words", (np.full(32, -1, np.int32), np.zeros(size, np.int32), np.zeros(size, np.int64))),
        (dates, "find_order", ()),
    ):
        compiled, python = both(module, name, *at, *columns)
        assert compiled == python


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(-(2**62), 2**62) | st.integers(10**6, 10**15), max_size=8))
def test_numbers_are_read_as_their_digits_are(values: list[int]) -> None:
    numbers = np.array(values, np.int64)

    assert outcome(lambda: stamps.from_numbers(numbers)) == outcome(
        lambda: stamps.from_texts(Texts.of([str(value) for value in values]), "UTC")
    )
    outputs = np.zeros(len(values), np.int64), np.zeros(len(values), np.int8)
    compiled, python = both(stamps, "read_epochs", numbers, *outputs)
    assert compiled == python


@settings(max_examples=200, deadline=None)
@given(st.lists(st.floats(1e6, 1e19) | st.floats() | st.integers(10**8, 10**15).map(float), max_size=6))
def test_fractional_numbers_are_read_as_their_digits_are(values: list[float]) -> None:
    numbers = np.array(values, np.float64)

    assert outcome(lambda: stamps.from_numbers(numbers)) == outcome(
        lambda: stamps.from_texts(Texts.of([f"{value:.9f}" for value in values]), "UTC")
    )


def outcome(read: Any) -> Any:
    try:
        found = read()
    except CellError as error:
        return error.index
    return found.wall_ns.tolist(), found.utc_ns.tolist(), found.unit.tolist()


@settings(deadline=None)
@given(st.lists(st.text(st.characters(codec="utf-8", exclude_categories=("Z", "C")), max_size=4), max_size=60))
def test_words_are_numbered_by_first_appearance(cells: list[str]) -> None:
    codes, names = texts.words(Texts.of(cells))

    assert names == list(dict.fromkeys(cells))
    assert [names[code] for code in codes] == cells


def test_identities_beyond_eight_bits() -> None:
    read = Texts.of(["300", "18446744073709551616", "x", ""])

    compiled, python = both(
        texts, "read_integers", read.data, read.starts, read.ends, np.zeros(4, np.int64), np.zeros(4, np.bool_)
    )

    assert compiled == python
    assert texts.identities(read)[0] == 300


@settings(deadline=None)
@given(st.lists(st.tuples(st.text("ab1é", max_size=4), st.text("x2ü", max_size=4)), max_size=12))
def test_texts_are_joined_by_a_space(pairs: list[tuple[str, str]]) -> None:
    found = texts.joined(Texts.of([one for one, _ in pairs]), Texts.of([other for _, other in pairs]))

    assert [found[at] for at in range(len(pairs))] == [f"{one} {other}" for one, other in pairs]


def test_digits_beyond_63_bits_are_no_number() -> None:
    for digits, value in (("9223372036854775799", 2**63 - 9), ("9999999999999999999", -1), ("300", 300)):
        data = np.frombuffer(digits.encode(), np.uint8)

        compiled, python = both(stamps, "read_digits", data, 0, len(data))

        assert compiled == python
        assert stamps.read_digits(data, 0, len(data)) == (value, len(data))
