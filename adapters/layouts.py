"""Known layouts of files without a header: what their columns are, and how rows tell them apart.

A layout is taken by shape only when it alone fits every row looked at: a file of flat bars fits
both orders of open, high, low, close and is refused with the list, so that somebody says which.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from adapters.feed_errors import LayoutError
from adapters.stamps import from_texts
from adapters.texts import CellError, Texts, numbers
from engine.blocks import Float64

LAYOUTS: Mapping[str, tuple[str, ...]] = {
    "bitfinex": ("time", "open", "close", "high", "low", "volume"),
    "freqtrade": ("time", "open", "high", "low", "close", "volume"),
    "freqtrade-trades": ("time", "id", "type", "side", "price", "amount", "cost"),
    "binance-kline": (
        "open time", "open", "high", "low", "close", "volume", "close time", "quote asset volume",
        "number of trades", "taker base volume", "taker quote volume", "ignored",
    ),
    "binance-trades": ("trade id", "price", "qty", "quote qty", "time", "is buyer maker", "is best match"),
    "binance-trades-usdm": ("trade id", "price", "qty", "quote qty", "time", "is buyer maker"),
    "binance-aggtrades": (
        "agg trade id", "price", "qty", "first id", "last id", "time", "is buyer maker", "is best match",
    ),
    "ohlc": ("time", "open", "high", "low", "close"),
}  # fmt: skip
"""Name -> its columns, in names that `adapters.columns` recognises."""

LEAN = "lean"
NAMED = "header"
"""The layout of a file that names its columns."""

SAMPLE_ROWS = 1_000
_SIDES = ("buy", "sell")
_FLAGS = ("true", "false")


def fitting(rows: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """The layouts that every row fits; `rows` is a sample of one width."""
    return tuple(name for name, columns in LAYOUTS.items() if len(rows[0]) == len(columns) and _fits(columns, rows))


def known(source: str, first: str, fits: Sequence[str]) -> str:
    """The one layout that fits. Raises LayoutError with the choices."""
    if len(fits) == 1:
        return fits[0]
    if fits:
        found = f"rows of {' and of '.join(fits)} alike"
        raise LayoutError(f"{source}: rows without a header must be of one layout, was {found}; name the layout")
    raise LayoutError(
        f"{source}: row 1 must be a header, or a row of a known layout ({', '.join((*LAYOUTS, LEAN))}), "
        f"was {first[:80]!r}; name the columns or the layout"
    )


def _fits(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    cells = {name: [row[at] for row in rows] for at, name in enumerate(columns)}
    times = cells.get("time") or cells["open time"]
    try:
        from_texts(Texts.of(times), "UTC")
        values = {name: numbers(Texts.of(cells[name])) for name in _PRICES if name in cells}
    except CellError:
        return False
    if "close time" in cells and not all(map(_later, times, cells["close time"])):
        return False
    if "side" in cells and not all(side.lower() in _SIDES for side in cells["side"]):
        return False
    if "is buyer maker" in cells and not all(flag.lower() in _FLAGS for flag in cells["is buyer maker"]):
        return False
    return _is_bar(values) if "open" in values else bool((values["price"] > 0).all())


_PRICES = ("open", "high", "low", "close", "volume", "price", "amount", "qty")


def _is_bar(values: Mapping[str, Float64]) -> bool:
    low, high = np.minimum(values["open"], values["close"]), np.maximum(values["open"], values["close"])
    inside = (values["low"] > 0) & (values["low"] <= low) & (high <= values["high"])
    return bool(inside.all() and (values.get("volume", low) >= 0).all())


def _later(opened: str, closed: str) -> bool:
    return opened.isdecimal() and closed.isdecimal() and int(opened) < int(closed)
