"""Each protocol knows its own frames and nobody else's: that is how a recording's protocol is found."""

import pytest

from adapters.codecs.protocols import PROTOCOLS
from tests.codecs import (
    test_binance,
    test_bitfinex,
    test_bybit,
    test_coinbase,
    test_gate,
    test_kraken,
    test_kraken_v1,
    test_kucoin,
)
from tests.codecs.codec_laws import verdict

FRAMES = {
    "binance": test_binance.FRAMES,
    "bitfinex": test_bitfinex.FRAMES,
    "bybit": test_bybit.FRAMES,
    "coinbase": test_coinbase.FRAMES,
    "gate": test_gate.FRAMES,
    "kraken": test_kraken.FRAMES,
    "kraken_v1": test_kraken_v1.FRAMES,
    "kucoin": test_kucoin.FRAMES,
}


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
