"""Which column of a file is what: names are compared without case, spaces, `_`, `-` and `.`.

A file holds bars when it has open, high, low and close, else trades when it has price and size,
else quotes when it has bid and ask.
The first name that a file has wins, so epoch columns come before dates, whose texts vary more.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from adapters.feed_errors import LayoutError

BARS = "bars"
TRADES = "trades"
QUOTES = "quotes"

NAMES = {
    "time": ("unix", "ms", "timestamp", "ts", "opentime", "datetime", "gmttime", "localtime", "date", "time"),
    "symbol": ("symbol", "ticker", "instrument"),
    "open": ("open", "o"),
    "high": ("high", "h"),
    "low": ("low", "l"),
    "close": ("close", "c"),
    "adj_close": ("adjclose", "adjustedclose"),
    "volume": ("volume", "vol", "v"),
    "trades": ("trades", "tradecount", "numberoftrades"),
    "price": ("price",),
    "size": ("size", "qty", "quantity", "amount"),
    "side": ("side",),
    "is_buyer_maker": ("isbuyermaker",),
    "id": ("id", "tradeid", "aggtradeid"),
    "conditions": ("conditions", "condition"),
    "bid": ("bid", "bidprice"),
    "ask": ("ask", "askprice", "offer", "offerprice"),
    "bid_size": ("bidsize", "bidqty", "bidquantity", "bidvolume", "bidamount"),
    "ask_size": ("asksize", "askqty", "askquantity", "askvolume", "askamount", "offersize"),
}
"""Our column -> the names it goes by in files, most telling first."""

OHLC = ("open", "high", "low", "close")
BAR_COLUMNS = (*OHLC, "volume", "adj_close", "trades")
TRADE_COLUMNS = ("price", "size", "side", "is_buyer_maker", "id", "conditions")
QUOTE_COLUMNS = ("bid", "ask", "bid_size", "ask_size")
WANTED = {BARS: BAR_COLUMNS, TRADES: TRADE_COLUMNS, QUOTES: QUOTE_COLUMNS}

_NEEDED = {BARS: OHLC, TRADES: ("price", "size"), QUOTES: ("bid", "ask")}

QUOTE_CURRENCIES = ("usdt", "usdc", "usd", "busd", "tusd", "fdusd", "dai", "eur", "gbp", "jpy", "krw", "try")
"""A volume named after one of these counts money, not units, when another volume is there."""


@dataclass(frozen=True, slots=True)
class Layout:
    """`columns` is our column -> position in the file. `clock` joins it when the time of day of
    a date column stands in a column of its own."""

    kind: str
    columns: Mapping[str, int]


def recognise(source: str, names: Sequence[str], mapping: Mapping[str, str]) -> Layout:
    """Raises LayoutError naming the columns found and what was looked for."""
    chosen = _mapped(source, names, mapping)
    plain = [_plain(name) for name in names]
    for ours, theirs in NAMES.items():
        if ours not in chosen:
            chosen |= _named(source, ours, theirs, plain)
    chosen.setdefault("volume", _named_volume(plain))
    chosen.setdefault("time", plain.index("") if "" in plain else -1)
    chosen = {ours: position for ours, position in chosen.items() if position >= 0}
    kind = _kind(source, names, chosen)
    wanted = ("time", "symbol", *WANTED[kind])
    columns = {ours: chosen[ours] for ours in wanted if ours in chosen}
    if "time" not in mapping and plain[columns["time"]] == "date" and "time" in plain:
        columns["clock"] = plain.index("time")
    return Layout(kind, columns)


def is_known(names: Sequence[str], mapping: Mapping[str, str]) -> bool:
    """Whether any of these is the name of a column, so that they are names and not values."""
    known = {name for theirs in NAMES.values() for name in theirs}
    return any(_plain(name) in known or name in mapping.values() for name in names)


def _mapped(source: str, names: Sequence[str], mapping: Mapping[str, str]) -> dict[str, int]:
    for ours, theirs in mapping.items():
        if theirs not in names:
            raise LayoutError(f"{source}: mapping.{ours} must be one of {_listed(names)}, was {theirs!r}")
    return {ours: list(names).index(theirs) for ours, theirs in mapping.items()}


def _named(source: str, ours: str, theirs: tuple[str, ...], plain: Sequence[str]) -> dict[str, int]:
    for name in theirs:
        if plain.count(name) > 1:
            raise LayoutError(f"{source}: {ours} must be one column, was {plain.count(name)} named {name!r}")
        if name in plain:
            return {ours: plain.index(name)}
    return {}


def _named_volume(plain: Sequence[str]) -> int:
    """`Volume BTC`-like columns: the first that counts units of the base, else the first."""
    volumes = [name for name in plain if name.startswith("volume")]
    in_units = [name for name in volumes if name.removeprefix("volume") not in QUOTE_CURRENCIES]
    return plain.index((in_units or volumes)[0]) if volumes else -1


def _kind(source: str, names: Sequence[str], chosen: Mapping[str, int]) -> str:
    kind = next((kind for kind, needed in _NEEDED.items() if all(ours in chosen for ours in needed)), "")
    if not kind:
        raise LayoutError(
            f"{source}: columns must hold open, high, low, close (bars), price, size (trades) or bid, ask (quotes), "
            f"was {_listed(names)}"
        )
    if "time" not in chosen:
        raise LayoutError(f"{source}: time must be one of {', '.join(NAMES['time'])}, was {_listed(names)}")
    return kind


def _plain(name: str) -> str:
    name = name.strip().lower()
    if name.startswith("__index_level_"):  # how pandas names an unnamed index in Parquet
        return ""
    return "".join(character for character in name if character not in " _-.")


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name[:40]) for name in names[:40])
    return shown if len(names) <= 40 else f"{shown} and {len(names) - 40} more"
