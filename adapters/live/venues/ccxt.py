"""Any exchange that ccxt.pro streams: public data, spot, history through ccxt as well."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

from adapters.codecs.codec import Codec
from adapters.live import hosts
from adapters.live.ccxt_taps import Exchange, exchange_class, library, public_only
from adapters.live.intake import Candle, Trade
from adapters.live.lost import LostError
from adapters.live.rest import Rest
from adapters.live.venue import Socket, Wanted
from adapters.texts import identity
from engine.blocks import BUYER, SELLER, UNKNOWN_SIDE
from engine.live.ports import FeedRefusedError
from engine.timeframes import LENGTH_NS

NS_PER_MS: Final = 1_000_000
TIMEOUT_MS: Final = 10_000
CALL_S: Final = 15.0

OPTIONS: Final[dict[str, dict[str, Any]]] = {
    "binance": {
        # The numbers of the stream and of history must be of one kind, and only spot markets are asked for.
        "watchTrades": {"name": "aggTrade"}, "watchTradesForSymbols": {"name": "aggTrade"},
        "fetchMarkets": {"types": ["spot"]},
    },
}  # fmt: skip
"""What an exchange must be told beside `defaultType`."""


class CcxtFeedVenue:
    """Satisfies `adapters.live.venue.Venue`; its own requests go through ccxt and not through `Rest`."""

    name = "ccxt"
    consecutive = False
    only_latest = False
    page = 1_000
    ping = ""
    ping_s = 10.0
    most_s = 24 * 3600.0
    metadata = None
    """Markets are asked for with `markets`."""

    def __init__(self, exchange: str, mode: str, stream_url: str = "", rest_url: str = "") -> None:
        """Raises ValueError on an unknown exchange; ForbiddenHostError on an address that is not loopback."""
        self.stream_url = stream_url
        self.rest_url = rest_url
        self._base = public_only(exchange_class(exchange))
        self._exchange = exchange
        for url in filter(None, (stream_url, rest_url)):
            hosts.check(url, self.name, mode)
        self._history: Exchange | None = None
        self._markets: Any = None
        logging.getLogger("ccxt").setLevel(logging.WARNING)

    async def fresh(self, change: Callable[[type[Any]], type[Any]] = lambda base: base) -> Exchange:
        """Another object of this exchange, which knows its markets. Raises LostError or FeedRefusedError."""
        made = self._made(change(self._base))
        if self._markets is None:
            await self.markets()
        made.set_markets(self._markets)
        return made

    async def markets(self) -> Any:
        """Symbol -> market. Raises LostError or FeedRefusedError."""
        if self._markets is None:
            self._markets = await self._call("load_markets")
        return self._markets

    async def close(self) -> None:
        history, self._history = self._history, None
        if history is not None:
            await history.close()

    def classified(self, error: BaseException) -> LostError:
        """What an exception of ccxt means. Raises FeedRefusedError where asking again will not help."""
        ccxt = library()
        told = f"{type(error).__name__}: {str(error).split('?')[0][:120]}"
        if isinstance(error, LostError | FeedRefusedError | hosts.ForbiddenHostError):
            raise error
        if isinstance(error, ccxt.AuthenticationError | ccxt.BadSymbol | ccxt.NotSupported):
            raise FeedRefusedError(f"ccxt: {self._exchange}: {told}")
        if isinstance(error, ccxt.RateLimitExceeded | ccxt.DDoSProtection):
            return LostError("status", told, 5.0)
        if isinstance(error, TimeoutError | ccxt.RequestTimeout):
            return LostError("timeout", told)
        return LostError("protocol" if isinstance(error, ccxt.ExchangeError) else "closed", told)

    async def trades(self, rest: Rest, symbol: str, after_id: int, since_ns: int, now_ns: int) -> Sequence[Trade]:
        found = await self._call("fetch_trades", symbol, since_ns // NS_PER_MS, self.page)
        return [_trade(symbol, one, now_ns) for one in found if one.get("price") and one.get("timestamp")]

    async def latest(self, rest: Rest, symbol: str, now_ns: int) -> tuple[int, int]:
        found = await self._call("fetch_trades", symbol, None, 1)
        return (identity(str(found[-1]["id"])), int(found[-1]["timestamp"]) * NS_PER_MS) if found else (0, 0)

    async def bars(
        self, rest: Rest, symbol: str, timeframe: str, first_ns: int, last_ns: int, now_ns: int
    ) -> Sequence[Candle]:
        found = await self._call("fetch_ohlcv", symbol, timeframe, first_ns // NS_PER_MS, self.page)
        length_ns = LENGTH_NS[timeframe]
        candles = [
            (symbol, timeframe, row[0] * NS_PER_MS, row[0] * NS_PER_MS + length_ns, now_ns, *map(float, row[1:6]), -1)
            for row in found
        ]
        return [one for one in candles if one[3] <= now_ns and one[2] <= last_ns]

    async def time_ns(self, rest: Rest) -> int:
        history = self._history or self._made(self._base)
        self._history = history
        return int(await self._call("fetch_time")) * NS_PER_MS if history.has.get("fetchTime") else 0

    def codec(self) -> Codec:
        raise NotImplementedError("ccxt reads its own frames")

    def url(self, wanted: Wanted) -> str:
        return self.stream_url

    def headers(self) -> dict[str, str]:
        return {}

    def greet(self, socket: Socket, wanted: Wanted) -> Awaitable[None]:
        raise NotImplementedError("ccxt subscribes by itself")

    async def _call(self, method: str, *arguments: Any) -> Any:
        if self._history is None:
            self._history = self._made(self._base)
        try:
            async with asyncio.timeout(CALL_S):
                return await getattr(self._history, method)(*arguments)
        except hosts.ForbiddenHostError:
            raise
        except Exception as error:  # noqa: BLE001  the library's own mistakes end an attempt, not the feed
            raise self.classified(error) from None

    def _made(self, base: type[Any]) -> Exchange:
        options = {"defaultType": "spot", **OPTIONS.get(self._exchange, {})}
        made = base({"enableRateLimit": True, "timeout": TIMEOUT_MS, "options": options, "newUpdates": True})
        made.options["fetchMargins"] = False
        made.has["fetchCurrencies"] = False
        made.urls["api"] = _readdressed(made.urls["api"], self.stream_url, self.rest_url)
        return made


def _readdressed(urls: Any, stream_url: str, rest_url: str) -> Any:
    """The same paths on other hosts, where other hosts are named."""
    if isinstance(urls, dict):
        return {name: _readdressed(one, stream_url, rest_url) for name, one in urls.items()}
    target = stream_url if str(urls).startswith("ws") else rest_url
    if not target or not isinstance(urls, str):
        return urls
    host, path = urlsplit(target), urlsplit(urls)
    return urlunsplit((host.scheme, host.netloc, path.path, path.query, ""))


def _trade(symbol: str, one: Any, now_ns: int) -> Trade:
    side = {"buy": BUYER, "sell": SELLER}.get(str(one.get("side")), UNKNOWN_SIDE)
    return (
        symbol, int(one["timestamp"]) * NS_PER_MS, now_ns, float(one["price"]), float(one["amount"] or 0.0), side,
        identity(str(one.get("id") or "")),
    )  # fmt: skip
