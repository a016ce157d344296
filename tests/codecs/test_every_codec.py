"""What every codec keeps: it reports each frame once, breaks at none, and knows its own frames from others'.

That each protocol knows its own frames and nobody else's is how a recording's protocol is found.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.codecs.protocols import PROTOCOLS
from tests.codecs import test_bitfinex
from tests.codecs.codec_laws import assert_all_variants_lawful, assert_lawful, frames_near, verdict
from tests.codecs.frames import FRAMES

MAKE = {name: protocol.make for name, protocol in PROTOCOLS.items()} | {"bitfinex": test_bitfinex.announced}
"""Codecs that understand `FRAMES`: Bitfinex gives its channels numbers first."""


def test_every_protocol_has_frames() -> None:
    assert sorted(FRAMES) == sorted(PROTOCOLS)


@pytest.mark.parametrize("name", sorted(PROTOCOLS))
def test_own_frames_are_understood(name: str) -> None:
    codec = PROTOCOLS[name].make()

    assert all(verdict(codec, frame) in ("rows", "passed") for frame in FRAMES[name])


@pytest.mark.parametrize("name", sorted(PROTOCOLS))
@pytest.mark.parametrize("bomb", [b'{"a":', b"[", b'{"channel":"trade","data":[', b'[1,"te",['])
def test_brackets_without_end_are_malformed(name: str, bomb: bytes) -> None:
    assert verdict(PROTOCOLS[name].make(), bomb * 5_000) == "malformed"


@pytest.mark.parametrize("name", sorted(PROTOCOLS))
@pytest.mark.parametrize("other", sorted(FRAMES))
def test_foreign_frames_are_never_rows_and_hardly_understood(name: str, other: str) -> None:
    """Some answers to requests look alike everywhere, `{"type":"error"}`; no market frame does."""
    if name == other:
        return
    codec = PROTOCOLS[name].make()

    verdicts = [verdict(codec, frame) for frame in FRAMES[other]]

    assert "rows" not in verdicts
    assert 4 * verdicts.count("passed") <= len(verdicts)


@pytest.mark.parametrize("name", sorted(PROTOCOLS))
def test_no_odd_value_breaks_the_codec(name: str) -> None:
    assert_all_variants_lawful(MAKE[name], FRAMES[name])


@pytest.mark.parametrize("name", sorted(PROTOCOLS))
@given(data=st.data())
def test_every_frame_is_reported_once(name: str, data: st.DataObject) -> None:
    assert_lawful(MAKE[name](), data.draw(frames_near(FRAMES[name])))
