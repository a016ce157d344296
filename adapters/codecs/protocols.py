"""The protocols we can read: one line each. A new venue is one module and its line here.

`exchanges` are the names by which recordings call a venue that speaks it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from adapters.codecs.binance import BinanceCodec
from adapters.codecs.bitfinex import BitfinexCodec
from adapters.codecs.bybit import BybitCodec
from adapters.codecs.codec import Codec
from adapters.codecs.coinbase import CoinbaseCodec
from adapters.codecs.gate import GateCodec
from adapters.codecs.kraken import KrakenCodec
from adapters.codecs.kraken_v1 import KrakenV1Codec
from adapters.codecs.kucoin import KucoinCodec


@dataclass(frozen=True, slots=True)
class Protocol:
    """`consecutive_ids`: trades of a symbol are numbered one by one, so that a missing number is a gap."""

    make: Callable[[], Codec]
    exchanges: tuple[str, ...]
    consecutive_ids: bool = False


PROTOCOLS: Mapping[str, Protocol] = {
    "binance": Protocol(BinanceCodec, ("BINANCE", "BINANCE_FUTURES", "BINANCE_US"), consecutive_ids=True),
    "coinbase": Protocol(CoinbaseCodec, ("COINBASE",), consecutive_ids=True),
    "bitfinex": Protocol(BitfinexCodec, ("BITFINEX",)),
    "bybit": Protocol(BybitCodec, ("BYBIT",)),
    "gate": Protocol(GateCodec, ("GATEIO",)),
    "kraken": Protocol(KrakenCodec, ("KRAKEN",)),
    "kraken_v1": Protocol(KrakenV1Codec, ("KRAKEN",)),
    "kucoin": Protocol(KucoinCodec, ("KUCOIN",)),
}


def known() -> str:
    """For messages: every protocol that can be named."""
    return ", ".join(sorted(PROTOCOLS))


def of_exchange(exchange: str) -> list[str]:
    """The protocols that this exchange of a recording speaks or spoke; none when it is not known."""
    return [name for name, one in PROTOCOLS.items() if exchange.upper() in one.exchanges]
