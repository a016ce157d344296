"""Sample frames of every protocol, by its name: those of its own tests."""

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
