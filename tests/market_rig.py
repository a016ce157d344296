"""A small stand-in for the line around Market: released bars above it, a scripted router below.

`lined` does what the aggregator does for one feed; `run` hands each output down before Market is
resumed, lets `react` answer through the desk, and checks that no row or bar is lost or doubled.
"""

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal

import numpy as np

from adapters.paper import PaperBook, PaperSettings
from engine.blocks import Bars, MarketBlock
from engine.instruments import InstrumentTable
from engine.market import Market
from engine.messages import (
    CancelRequest,
    Detections,
    Fill,
    Message,
    Order,
    OrderKind,
    Role,
    Side,
    TimeInForce,
    Watch,
    WatchKind,
)
from engine.ports import Item, MarketRow
from engine.timeframes import TIMEFRAMES
from tests.makers import START_NS, session, table

MINUTE = 60_000_000_000
FREE = PaperSettings(
    latency_ns=0, participation=Decimal(1), half_spread_bp=Decimal(0), impact_bp=Decimal(0),
    stock_per_share=Decimal(0), stock_minimum=Decimal(0),
)  # fmt: skip
"""No costs, no latency, whole rows: what is left are the matching rules."""

Reaction = Callable[[Market, Item], None]


def order(name: str = "ENTRY", role: Role = Role.ENTRY, **changes: object) -> Order:
    """A buy of 10 at the market in group `g`, decided at START_NS; prices may be given as floats."""
    fields: dict[str, object] = {
        "order_id": f"g/{name}", "campaign": "c", "group": "g", "role": role, "symbol": "AAA",
        "side": Side.BUY if role is Role.ENTRY else Side.SELL, "kind": OrderKind.MARKET, "quantity": Decimal(10),
        "limit_price": Decimal(0), "stop_price": Decimal(0), "time_in_force": TimeInForce.GTC, "expires_ns": 0,
        "parent": "" if role is Role.ENTRY else "g/ENTRY", "replaces": "", "decision_ns": START_NS,
    }  # fmt: skip
    given = {key: Decimal(str(value)) if isinstance(value, int | float) else value for key, value in changes.items()}
    for name_ns in ("expires_ns", "decision_ns"):
        if name_ns in changes:
            given[name_ns] = changes[name_ns]
    if "expires_ns" in changes:
        given["time_in_force"] = TimeInForce.GTD
    return Order(**(fields | given))  # type: ignore[arg-type]


def entry(kind: OrderKind = OrderKind.MARKET, **changes: object) -> Order:
    return order("ENTRY", kind=kind, **changes)


def stop(price: float, name: str = "STOP1", **changes: object) -> Order:
    return order(name, Role.STOP, kind=OrderKind.STOP, stop_price=price, **changes)


def target(price: float, name: str = "TARGET1", **changes: object) -> Order:
    return order(name, Role.TARGET, kind=OrderKind.LIMIT, limit_price=price, **changes)


def leave(name: str = "EXIT1", **changes: object) -> Order:
    return order(name, Role.EXIT, **changes)


def cancel(name: str = "ENTRY", decision_ns: int = START_NS) -> CancelRequest:
    return CancelRequest(order_id=f"g/{name}", symbol="AAA", decision_ns=decision_ns, reason="asked")


def watch(kind: WatchKind, level: float = float("nan"), name: str = "w", **changes: object) -> Watch:
    fields: dict[str, object] = {
        "watch_id": name, "owner": "c", "kind": kind, "symbol": "AAA", "timeframe": "1m", "level": float(level),
        "time_ns": 0, "decision_ns": START_NS,
    }  # fmt: skip
    return Watch(**(fields | changes))  # type: ignore[arg-type]


def row(open_: float, high: float, low: float, close: float, n: int = 0, size: float = 1_000) -> MarketRow:
    """The nth minute bar after START_NS."""
    return MarketRow(
        instrument=0, is_bar=True, open_ns=START_NS + n * MINUTE, time_ns=START_NS + (n + 1) * MINUTE,
        open=open_, high=high, low=low, close=close, size=size,
    )  # fmt: skip


def print_(price: float, n: int = 1, size: float = 1_000) -> MarketRow:
    """A trade n nanoseconds after START_NS."""
    return MarketRow(
        instrument=0, is_bar=False, open_ns=START_NS + n, time_ns=START_NS + n,
        open=price, high=price, low=price, close=price, size=size,
    )  # fmt: skip


class Venue:
    """A paper book on its own, fed by hand; `facts` is all it has said."""

    def __init__(self, settings: PaperSettings = FREE, instruments: InstrumentTable | None = None) -> None:
        self.book = PaperBook(instruments or table("AAA"), settings)
        self.facts: list[Message] = []

    def send(self, *requests: Order | CancelRequest, mark: float = float("nan")) -> list[Message]:
        said: list[Message] = []
        for one in requests:
            if isinstance(one, Order):
                said += self.book.submit(one, now_ns=one.decision_ns, mark=mark)
            else:
                said += self.book.cancel(one, now_ns=one.decision_ns)
        self.facts += said
        return said

    def rows(self, *rows: MarketRow) -> list[Message]:
        said: list[Message] = []
        for one in rows:
            said += self.book.match(one)
        self.facts += said
        return said


def told(facts: Iterable[Message]) -> list[tuple[object, ...]]:
    """Executions in short: (order name, quantity, price) for fills, (order name, word) for the rest."""
    short: list[tuple[object, ...]] = []
    for fact in facts:
        name = getattr(fact, "order_id").partition("/")[2]  # noqa: B009
        if isinstance(fact, Fill):
            short.append((name, float(fact.quantity), float(fact.price)))
        else:
            word = getattr(fact, "reason", "") if type(fact).__name__ == "Cancelled" else ""
            short.append((name, getattr(fact, "code", "") or word or type(fact).__name__))
    return short


def lined(block: MarketBlock, *, sequence: int = 1, closed: Bars | None = None) -> MarketBlock:
    """`block` as the aggregator would pass it on: one feed, proven to the latest row - 1."""
    line_ns = np.maximum.accumulate(block.row_ns) - 1
    return block.derive(
        sequence=sequence,
        line_ns=line_ns,
        line_time_ns=int(line_ns[-1]) if len(block) else 0,
        closed=Bars.empty() if closed is None else closed,
    )


def announcement(fact: Message, line_time_ns: int, closed: Bars | None = None) -> list[Item]:
    """A control fact after the empty block that the aggregator puts before it."""
    block = Bars.empty()
    block.sequence = getattr(fact, "sequence")  # noqa: B009
    block.line_time_ns = line_time_ns
    block.closed = Bars.empty() if closed is None else closed
    return [block, fact]


def detections(time_ns: int) -> Detections:
    return Detections(time_ns=time_ns, decision_ns=time_ns, events=(), phases=(), marks=())


def ignore(market: Market, item: Item) -> None:
    """No reaction."""


def run(market: Market, stream: Iterable[tuple[Item, Sequence[object]]], react: Reaction = ignore) -> list[Message]:
    """Messages other than Detections that left, in order, after a SessionStart."""
    left: list[Message] = []
    for item, requests in [(session("AAA"), ()), *stream]:
        rows, bars = 0, 0
        for out in market.process(item):
            if isinstance(out, MarketBlock):
                rows, bars = rows + len(out), bars + len(out.closed or ())
            elif out is not item:
                left.append(out)
            if out is item:
                for request in requests:
                    market.submit(request)  # type: ignore[arg-type]
            react(market, out)
        if isinstance(item, MarketBlock):
            assert (rows, bars) == (len(item), len(item.closed or ()))
    return left


def market_of(*symbols: str, settings: PaperSettings = FREE, match_on: str = "bars", **changes: object) -> Market:
    instruments = table(*(symbols or ("AAA",)), match_on=match_on, **changes)
    return Market(instruments, TIMEFRAMES, PaperBook(instruments, settings))
