"""Best bid and ask as venues write them, either side of which may be missing.

Nobody quoting is written as null, as an empty text or as a price of 0. The row then holds the other
side's price with size 0; without any side there is no row.
"""

from collections.abc import Sequence
from typing import Annotated, NamedTuple

from msgspec import Meta

from adapters.codecs.codec import RowBuffer
from adapters.codecs.fields import Size, decoder

Written = Annotated[float, Meta(ge=0)] | str | None
"""A price or size of a quote before it is known whether there is one."""


_size = decoder(Size)


class Quote(NamedTuple):
    """Prices of 0 where nobody quotes."""

    symbol: str
    time_ns: int
    bid: float
    bid_size: float
    ask: float
    ask_size: float


def side(price: Written, size: Written) -> tuple[float, float]:
    """(price, size), both 0 where nobody quotes. Raises msgspec.DecodeError on what is no number."""
    quoted = 0.0 if price is None or price == "" else _number(price)
    return (quoted, _number(size)) if quoted else (0.0, 0.0)


def _number(written: Written) -> float:
    """A decoder reads the text, quoted as it was; `msgspec.convert` would take ten times as long."""
    return written if isinstance(written, float) else _size.decode(f'"{written}"')


def give_quotes(quotes: Sequence[Quote], received_ns: int, rows: RowBuffer) -> None:
    """The quotes of one frame, which is passed when it has none."""
    quoted = [quote for quote in quotes if quote.bid or quote.ask]
    for symbol, time_ns, bid, bid_size, ask, ask_size in quoted:
        rows.quote(symbol, time_ns, received_ns, bid or ask, bid_size, ask or bid, ask_size)
    if not quoted:
        rows.passed("empty_quote")
