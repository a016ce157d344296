"""Alpaca market data, WebSocket v2 in JSON: trades, quotes, minute bars, and their corrections.

A frame is a list of messages, each with its kind in `T`. Trade numbers count by exchange, so the
exchange's letter is part of ours. A minute bar comes again as `u` when late trades have changed it.
"""

from collections.abc import Callable
from typing import Any, Final, Protocol

import msgspec
from msgspec import Struct

from adapters.codecs.codec import RowBuffer
from adapters.codecs.fields import DAMAGED, Count, Identity, Number, Symbol, decoder
from adapters.codecs.times import rfc3339_ns
from adapters.texts import identity
from engine.blocks import BUYER, SELLER, UNKNOWN_SIDE
from engine.timeframes import MINUTE_NS


class Trade(Struct, tag_field="T", tag="t"):
    """`x` is the exchange, `tks` the taker's side, of crypto only."""

    S: Symbol
    i: Identity
    p: Number
    s: Number
    t: str
    x: str = ""
    tks: str = ""


class Quote(Struct, tag_field="T", tag="q"):
    S: Symbol
    bp: Number
    bs: Number
    ap: Number
    as_: Number = msgspec.field(name="as")
    t: str = ""


class Bar(Struct, tag_field="T", tag="b"):
    S: Symbol
    o: Number
    h: Number
    l: Number  # noqa: E741
    c: Number
    v: Number
    t: str
    n: Count = -1


class UpdatedBar(Bar, tag_field="T", tag="u"):
    pass


class Status(Struct, tag_field="T", tag="s"):
    """`sc` is 2 (tape A and B) or H, P (tape C) where trading stops, and 3 or T where it goes on."""

    S: Symbol
    sc: str = ""
    sm: str = ""
    rc: str = ""
    rm: str = ""
    t: str = ""


class Success(Struct, tag_field="T", tag="success"):
    msg: str = ""


class Subscription(Struct, tag_field="T", tag="subscription"):
    trades: list[str] = []
    quotes: list[str] = []
    bars: list[str] = []


class Refusal(Struct, tag_field="T", tag="error"):
    code: int = 0
    msg: str = ""


class Named(Struct):
    kind: str = msgspec.field(default="", name="T")


Known = Trade | Quote | Bar | UpdatedBar | Status | Success | Subscription | Refusal

PASSED: Final = {
    "d": "daily_bar", "l": "price_band", "c": "correction", "x": "correction", "i": "imbalance",
    "o": "book", "n": "news",
}  # fmt: skip
"""Kinds that carry no row of ours, and what they are counted as."""

STOPS: Final = ("2", "H", "P")
GOES_ON: Final = ("3", "T")
"""Codes of trading status. Others say what is expected, or that quotes come again before trading does."""

_FRAMES: Final = decoder(list[Known])
_ONE: Final[msgspec.json.Decoder[Known]] = msgspec.json.Decoder(Known, strict=False)
_NAMES: Final = decoder(Named)
_RAWS: Final = decoder(list[msgspec.Raw])
_TAKERS: Final = {"B": BUYER, "S": SELLER}
_MOST_NUMBER: Final = 2**57


class RevisingBuffer(Protocol):
    """A buffer that takes corrections; others get none."""

    def revise(
        self, symbol: str, timeframe: str, open_ns: int, close_ns: int, received_ns: int,
        open_: float, high: float, low: float, close: float, volume: float, trades: int = -1,
    ) -> None: ...  # fmt: skip


class StatusBuffer(Protocol):
    """A buffer that wants to know when a symbol is halted; others count it."""

    def status(self, symbol: str, trades: bool, reason: str) -> None: ...


class AlpacaCodec:
    """`refused` is called with an error's code and text, where somebody wants to know at once."""

    def __init__(self, refused: Callable[[int, str], None] | None = None) -> None:
        self._refused = refused

    def decode(self, frame: bytes, received_ns: int, rows: RowBuffer) -> None:
        try:
            messages, unknown = _messages(frame)
            given = [(one, _time_ns(one)) for one in messages]
        except DAMAGED:
            rows.malformed()
            return
        before = rows.rows
        reasons = [reason for one, time_ns in given if (reason := self._give(one, time_ns, received_ns, rows))]
        if rows.rows != before or any(reason == "row" for reason in reasons):
            return
        if unknown and unknown not in PASSED:
            rows.unknown(unknown)
        else:
            rows.passed(reasons[0] if reasons else PASSED.get(unknown, "empty"))

    def _give(self, one: Known, time_ns: int, received_ns: int, rows: RowBuffer) -> str:
        """What the message was: `row`, or why it is none."""
        if isinstance(one, Trade):
            number, side = _number(one), _TAKERS.get(one.tks, UNKNOWN_SIDE)
            rows.trade(one.S, time_ns, received_ns, one.p, one.s, side, number)
        elif isinstance(one, Quote):
            if not (one.bp or one.ap):
                return "empty_quote"
            rows.quote(one.S, time_ns, received_ns, one.bp or one.ap, one.bs, one.ap or one.bp, one.as_)
        elif isinstance(one, UpdatedBar):
            revise = getattr(rows, "revise", None)
            if revise is None:
                return "correction"
            revise(one.S, "1m", time_ns, time_ns + MINUTE_NS, received_ns, one.o, one.h, one.l, one.c, one.v, one.n)
        elif isinstance(one, Bar):
            rows.bar(one.S, "1m", time_ns, time_ns + MINUTE_NS, received_ns, one.o, one.h, one.l, one.c, one.v, one.n)
        elif isinstance(one, Status):
            return self._stands(one, rows)
        else:
            return self._heard(one)
        return "row"

    def _stands(self, one: Status, rows: RowBuffer) -> str:
        status = getattr(rows, "status", None)
        if status is not None and one.sc in STOPS + GOES_ON:
            status(one.S, one.sc in GOES_ON, f"{one.sm or one.sc} {one.rc} {one.rm}".strip()[:120])
        return "status"

    def _heard(self, one: Success | Subscription | Refusal) -> str:
        if isinstance(one, Refusal):
            if self._refused is not None:
                self._refused(one.code, one.msg)
            return "refusal"
        return "acknowledgement"


def _messages(frame: bytes) -> tuple[list[Known], str]:
    """Those of known kinds, and the first kind that is not. Raises what is in DAMAGED."""
    try:
        return _FRAMES.decode(frame), ""
    except msgspec.ValidationError:
        pass
    known, unknown = [], ""
    for raw in _RAWS.decode(frame):
        kind = _NAMES.decode(raw).kind
        if kind in _TAGS:
            known.append(_ONE.decode(raw))
        else:
            unknown = unknown or kind or "no kind"
    return known, unknown


def _time_ns(one: Known) -> int:
    time_ns = rfc3339_ns(one.t) if isinstance(one, Trade | Quote | Bar) else 0
    if time_ns > 2**63 - 1 - MINUTE_NS:
        raise msgspec.ValidationError("a bar must close before 2262")
    return time_ns


def _number(trade: Trade) -> int:
    """Numbers of different exchanges stay apart."""
    return trade_number(trade.i, trade.x)


def trade_number(number: int, exchange: str) -> int:
    """One number of both, for every exchange that has one letter."""
    if 0 < number < _MOST_NUMBER and len(exchange) <= 1 and exchange < "_":
        return number * 64 + (ord(exchange) - 31 if exchange else 0)
    return identity(f"{exchange}{number}")


_TAGS: Final[Any] = frozenset(("t", "q", "b", "u", "s", "success", "subscription", "error"))
