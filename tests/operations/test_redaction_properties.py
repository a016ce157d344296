"""Whatever a secret is made of and however it is wrapped, its text is gone; nothing else is lost."""

import json
from base64 import b64encode
from collections.abc import Callable
from urllib.parse import quote, quote_plus, urlencode

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from engine.control.protocol import Request, RequestError, decode_request
from engine.redaction import HIDDEN, Redactor

SECRETS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=12, max_size=60)
PLAIN = st.text(st.sampled_from("abc xyz 0189 .-_/\n"), max_size=30)

WRAPS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "json": json.dumps,
    "json in json": lambda text: json.dumps(json.dumps({"a": text})),
    "repr": repr,
    "repr of bytes": lambda text: repr(text.encode()),
    "query": lambda text: urlencode({"a": text}),
    "quoted": quote,
    "quoted whole": lambda text: quote(text, safe=""),
    "plus": quote_plus,
    "base 64": lambda text: b64encode(text.encode()).decode(),
    "base 64 with a name": lambda text: b64encode(f"name:{text}".encode()).decode(),
    "hex": lambda text: text.encode().hex(),
}


@pytest.mark.parametrize("wrap", WRAPS.values(), ids=WRAPS)
@settings(max_examples=60, deadline=None)
@given(secret=SECRETS, before=PLAIN, after=PLAIN)
def test_a_loaded_secret_is_gone_in_every_disguise(
    wrap: Callable[[str], str], secret: str, before: str, after: str
) -> None:
    disguised = wrap(secret)
    assume(secret not in before + after + HIDDEN)

    found = Redactor([secret]).text(before + disguised + after)

    assert secret not in found
    assert disguised.strip("\"'") not in found


@settings(max_examples=200, deadline=None)
@given(text=PLAIN)
def test_what_holds_no_secret_stays_as_it_is(text: str) -> None:
    assert Redactor(["CANARY-5e1f-topsecret"]).text(text) == text


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


def asked(data: bytes) -> Request | str:
    try:
        return decode_request(data)
    except RequestError as error:
        return str(error)


@settings(max_examples=300, deadline=None)
@given(data=st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()))
def test_no_bytes_whatever_get_past_the_protocol_but_a_request(data: bytes) -> None:
    found = asked(data)

    assert isinstance(found, Request) or found.isprintable()


@settings(max_examples=300, deadline=None)
@given(name=st.text(max_size=50), argument=st.text(max_size=250), reason=st.text(max_size=600))
def test_what_gets_past_is_one_printable_line_within_its_bounds(name: str, argument: str, reason: str) -> None:
    found = asked(json.dumps({"version": 1, "name": name, "argument": argument, "reason": reason}).encode())

    if isinstance(found, str):
        assert found.isprintable()
    else:
        assert (found.argument + found.reason).isprintable()
        assert len(found.argument) <= 200
        assert len(found.reason) <= 500
