"""What a session asks of a venue: where it is, what to say to it, and its history.

A venue is data and pure functions where it can be: everything that waits, retries or reads a clock
is the session's. Its codec is one of `adapters.codecs`.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Literal, Protocol, TypeAlias

import aiohttp

from adapters.codecs.codec import Codec
from adapters.live.intake import Candle, Trade
from adapters.live.rest import Rest

Socket: TypeAlias = "aiohttp.ClientWebSocketResponse[Literal[False]]"
"""A connection whose text frames are bytes, as codecs read them."""


class Wanted:
    """What a feed asks a venue for. `timeframe` is that of bars, "" without."""

    __slots__ = ("kind", "quotes", "symbols", "timeframe")

    def __init__(self, symbols: tuple[str, ...], kind: str, timeframe: str, *, quotes: bool) -> None:
        self.symbols, self.kind, self.timeframe, self.quotes = symbols, kind, timeframe, quotes

    @property
    def kinds(self) -> frozenset[str]:
        return frozenset((self.kind, "quotes")) if self.quotes else frozenset((self.kind,))


class Venue(Protocol):
    """`name` is its line in the list of hosts. `page` is how many rows of history one answer holds at most.

    `consecutive` venues number the trades of a symbol one by one in what `trades` and the stream give.
    `ping` is what is sent every `ping_s` where a ping frame is not enough, "" otherwise; `most_s` is
    how long the venue lets a connection live. `only_latest`: history has the last `page` trades and no more.
    """

    name: str
    stream_url: str
    rest_url: str
    consecutive: bool
    only_latest: bool
    page: int
    ping: str
    ping_s: float
    most_s: float

    def codec(self) -> Codec: ...

    def url(self, wanted: Wanted) -> str:
        """Of the stream, with what it wants in its path."""
        ...

    def headers(self) -> dict[str, str]: ...

    def greet(self, socket: Socket, wanted: Wanted) -> Awaitable[None]:
        """Log in and subscribe. Raises LostError or FeedRefusedError."""
        ...

    def trades(self, rest: Rest, symbol: str, after_id: int, since_ns: int, now_ns: int) -> Awaitable[Sequence[Trade]]:
        """The next page, oldest first: numbers above `after_id` where that is > 0, else from `since_ns` on."""
        ...

    def latest(self, rest: Rest, symbol: str, now_ns: int) -> Awaitable[tuple[int, int]]:
        """(number, time_ns) of the last trade that the venue knows; (0, 0) without one."""
        ...

    def bars(
        self, rest: Rest, symbol: str, timeframe: str, first_ns: int, last_ns: int, now_ns: int
    ) -> Awaitable[Sequence[Candle]]:
        """Bars that open in [first_ns, last_ns] and have closed by `now_ns`, oldest first; at most `page`."""
        ...

    @property
    def time_ns(self) -> "Callable[[Rest], Awaitable[int]] | None":
        """Asks for the venue's clock; None where it tells none that is fine enough to compare ours with."""
        ...

    @property
    def metadata(self) -> "Callable[[Rest, Sequence[str]], Awaitable[bytes]] | None":
        """Asks what it says of its instruments, as `adapters.venue_metadata` reads it; None where it says nothing."""
        ...
