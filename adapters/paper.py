"""The paper book: a simulated venue that fills orders against recorded or live rows.

A trade is a bar of one price, so one set of rules serves both. An order sees a trade after its
decision time plus latency, a bar that opens at or after its decision. Each row offers a share of
its size, given to the most aggressive order first; what is no whole lot stays with the order that
it was offered to, so that small rows add up. Where a bar does not say in which order things
happened, the worse is assumed: stops before targets, gaps at the open, no target on the entry bar.
"""

from bisect import bisect_left, insort
from collections import OrderedDict
from decimal import Decimal

import msgspec

from adapters.paper_account import Account
from adapters.paper_costs import PaperSettings, commission, execution_price
from adapters.paper_orders import NEVER, Group, Offer, Resting, coverable, flaw, is_covered, value_of
from adapters.paper_share import Share
from engine.instruments import MONEY, InstrumentTable
from engine.messages import (
    FOREVER_NS,
    Accepted,
    Cancelled,
    CancelRequest,
    ExecutionFact,
    Expired,
    Fill,
    Order,
    Rejected,
    Role,
)
from engine.ports import MarketRow

VERSION = 2

ENDED_KEPT = 4_096
"""Ids of ended orders remembered; the oldest are forgotten first. Orders are named by campaign, leg
and attempt, all of which only count up, so that a late duplicate is one of a recent order."""


class BookState(msgspec.Struct, frozen=True):
    """A snapshot: groups hold the orders; every index over them is rebuilt."""

    version: int
    number: int
    ignored_cancels: int
    groups: dict[str, Group]
    ended: list[str]
    account: Account | None


class Waiting(msgspec.Struct, frozen=True):
    """A working order and its group, and the high and low from which on a row may concern it."""

    resting: Resting
    group: Group
    above: float
    below: float


class PaperBook:
    """The `Book` of simulation.

    `cash` is what the account begins with; None lends without bound. `ignored_cancels` counts
    requests to cancel what was not working.
    """

    def __init__(self, table: InstrumentTable, settings: PaperSettings, cash: Decimal | None = None) -> None:
        self._table = table
        self._settings = settings
        self._account = None if cash is None else Account(cash)
        self._clear()

    def _clear(self) -> None:
        self._number = 0
        self.ignored_cancels = 0
        self._groups: dict[str, Group] = {}
        self._orders: dict[str, Resting] = {}
        self._by_instrument: dict[str, dict[str, Waiting]] = {symbol: {} for symbol in self._table.symbols}
        self._expiries: list[tuple[int, int, str]] = []
        self._ended: OrderedDict[str, None] = OrderedDict()

    # ---------------------------------------------------------------------------- requests

    def submit(self, order: Order, *, now_ns: int, mark: float) -> list[ExecutionFact]:
        code, reason = self._objection(order, mark)
        if code:
            if order.order_id not in self._orders:
                self._remember(order.order_id)
            return [Rejected(now_ns, order.order_id, order.symbol, code, reason)]
        self._number += 1
        resting = Resting(order=order, number=self._number)
        group = self._groups.get(order.group)
        if group is None:
            group = self._groups[order.group] = Group(symbol=order.symbol, side=order.side)
        group.add(resting)
        accepted = Accepted(now_ns, order.order_id, order.symbol, f"paper-{resting.number}")
        if not order.replaces:
            self._index(resting)
            return [accepted]
        old = self._orders[order.replaces]
        resting.inherit(old, now_ns, self._settings.latency_ns)
        cancelled = self._cancelled(old, now_ns, "replaced")
        self._index(resting)
        return [cancelled, accepted]

    def cancel(self, request: CancelRequest, *, now_ns: int) -> list[ExecutionFact]:
        resting = self._orders.get(request.order_id)
        if resting is None:
            self.ignored_cancels += 1
            return []
        return [self._cancelled(resting, now_ns, request.reason), *self._settle(resting.order.group, now_ns)]

    @property
    def due_ns(self) -> int:
        return self._expiries[0][0] if self._expiries else FOREVER_NS

    def due(self, line_ns: int) -> list[tuple[int, str]]:
        reached = self._expiries[: bisect_left(self._expiries, (line_ns + 1,))]
        return [(expires_ns, order_id) for expires_ns, _, order_id in reached]

    def expire(self, order_id: str) -> list[ExecutionFact]:
        resting = self._orders.get(order_id)
        if resting is None:
            return []
        order = resting.order
        time_ns = max(resting.ends_ns, order.decision_ns)
        self._end(resting)
        expired = Expired(time_ns=time_ns, order_id=order_id, symbol=order.symbol, filled=resting.filled)
        return [expired, *self._settle(order.group, time_ns)]

    def _objection(self, order: Order, mark: float) -> tuple[str, str]:
        """(code, reason) of a rejection, ("", "") for an order that can rest."""
        group = self._groups.get(order.group)
        if order.order_id in self._orders or order.order_id in self._ended or _names(group, order):
            return "DUPLICATE_ID", f"order id {order.order_id} was used before"
        if order.symbol not in self._by_instrument:
            return "UNKNOWN_SYMBOL", f"{order.symbol} is not in the session"
        code, reason = flaw(order, self._table.named(order.symbol), mark)
        if code:
            return code, reason
        if order.symbol in self._settings.halted:
            return "HALTED", f"{order.symbol} is not being traded"
        if not _belongs(order, group):
            return "NO_PARENT", f"group {order.group} has nothing working or open that it could join"
        if order.replaces and not self._replaceable(order):
            return "NO_ORDER", f"{order.replaces} is not working, or has triggered: it cannot be replaced"
        return self._unpaid(order, mark)

    def _unpaid(self, order: Order, mark: float) -> tuple[str, str]:
        """An entry costs no more than the account can pay beside the entries that work."""
        if self._account is None or order.role is not Role.ENTRY:
            return "", ""
        instrument = self._table.named(order.symbol)
        notional = value_of(order, instrument, order.quantity, mark)
        cost = MONEY.add(notional, commission(self._settings, instrument, order.quantity, notional))
        power = self._account.power(self._settings.leverage, self._reserved)
        return ("BUYING_POWER", f"cost must be <= {power}, was {cost}") if cost > power else ("", "")

    @property
    def _reserved(self) -> Decimal:
        """What working entries may still cost; a market order, which is about to fill, counts nothing."""
        reserved = Decimal(0)
        for one in self._orders.values():
            if one.order.role is Role.ENTRY:
                value = value_of(one.order, self._table.named(one.order.symbol), one.remaining, float("nan"))
                reserved = MONEY.add(reserved, value)
        return reserved

    def _replaceable(self, order: Order) -> bool:
        old = self._orders.get(order.replaces)
        return old is not None and old.order.group == order.group and not old.triggered

    # ---------------------------------------------------------------------------- matching

    def triggers(self, instrument: int) -> tuple[float, float]:
        above, below = NEVER
        for one in self._by_instrument[self._table.symbols[instrument]].values():
            if (one.above < above or one.below > below) and is_covered(one.resting, one.group):
                above, below = min(above, one.above), max(below, one.below)
        return above, below

    def match(self, row: MarketRow) -> list[ExecutionFact]:
        """Fills of one row, most aggressive order first, then what they ended."""
        instrument = self._table[row.instrument]
        if row.size <= 0 or not self._by_instrument[instrument.symbol]:
            return []
        reached = self._reached(instrument.symbol, row)
        settled = {one.order.group: self._groups[one.order.group].entered for one, _ in reached}
        share = Share(row, instrument, self._settings)
        facts: list[ExecutionFact] = []
        entered_at: dict[str, float] = {}
        for resting, offer in reached:
            name = resting.order.group
            fills = self._execute(resting, offer, share, settled[name])
            if fills and resting.order.role is Role.ENTRY:
                entered_at.setdefault(name, offer.price)
            facts += fills
        if row.is_bar:
            facts += self._stop_out(entered_at, {one.number: offer for one, offer in reached}, share)
        for name in settled:
            facts += self._settle(name, row.time_ns)
        return facts

    def _reached(self, symbol: str, row: MarketRow) -> list[tuple[Resting, Offer]]:
        """Orders that the row reaches, by price, then time. Remembers what it triggers.

        Exits act on what was open before the row. No target acts on a row on which a stop of its
        group does.
        """
        found: list[tuple[Resting, Offer]] = []
        stopped: dict[str, None] = {}
        for one in self._by_instrument[symbol].values():
            resting = one.resting
            if (row.high < one.above and row.low > one.below) or not is_covered(resting, one.group):
                continue
            was = resting.triggered
            offer = self._offer(resting, row, row.open)
            if resting.order.role is Role.STOP and (offer is not None or resting.triggered is not was):
                stopped[resting.order.group] = None
            if offer is not None:
                found.append((resting, offer))
        found = [pair for pair in found if pair[0].order.role is not Role.TARGET or pair[0].order.group not in stopped]
        found.sort(key=lambda pair: (pair[1].rank, pair[0].number))
        return found

    def _offer(self, resting: Resting, row: MarketRow, start: float) -> Offer | None:
        """What the order would do; a trigger changes what it waits for."""
        was = resting.triggered
        offer = resting.offer(row, start, self._settings.latency_ns)
        if resting.triggered is not was:
            self._wait(resting)
        return offer

    def _stop_out(self, entered_at: dict[str, float], offers: dict[int, Offer], share: Share) -> list[ExecutionFact]:
        """On a bar, what has just been entered may be stopped out: the worse order of events."""
        facts: list[ExecutionFact] = []
        for name, entry_price in entered_at.items():
            group = self._groups[name]
            for stop in [one for one in group.orders if one.working and one.order.role is Role.STOP]:
                if not is_covered(stop, group):
                    continue
                offer = offers.get(stop.number) or self._offer(stop, share.row, entry_price)
                if offer is not None:
                    facts += self._execute(stop, offer, share, group.entered)
        return facts

    def _execute(self, resting: Resting, offer: Offer, share: Share, entered: Decimal) -> list[ExecutionFact]:
        """Fill what the row's share and the group allow: one Fill, or nothing."""
        order, group = resting.order, self._groups[resting.order.group]
        entry = order.role is Role.ENTRY
        limited = entry or self._settings.exits_participate
        quantity = share.take(resting, coverable(resting, group, entered), limited=limited)
        if quantity <= 0:
            return []
        price = execution_price(
            self._settings, share.instrument, order,
            raw_price=offer.price, taker=offer.taker, share=min(1.0, float(quantity) / share.row.size),
        )  # fmt: skip
        unit_value = MONEY.multiply(abs(price), share.instrument.point_value)
        resting.book(quantity, unit_value)
        owed = commission(self._settings, share.instrument, resting.filled, resting.notional)
        costs, resting.charged = MONEY.subtract(owed, resting.charged), owed
        self._settle_money(resting, group, quantity=quantity, value=MONEY.multiply(unit_value, quantity), costs=costs)
        if not resting.remaining:
            self._end(resting)
        return [_fill(resting, share.row.time_ns, quantity, price, costs)]

    def _settle_money(
        self, resting: Resting, group: Group, *, quantity: Decimal, value: Decimal, costs: Decimal
    ) -> None:
        if resting.order.role is Role.ENTRY:
            group.enter(quantity, value)
            if self._account is not None:
                self._account.enter(value, costs)
            return
        cost = group.leave(quantity)
        if self._account is not None:
            self._account.leave(group.side, cost=cost, value=value, costs=costs)

    # -------------------------------------------------------------------------- life cycle

    def _index(self, resting: Resting) -> None:
        order = resting.order
        self._orders[order.order_id] = resting
        self._wait(resting)
        if resting.ends_ns:
            insort(self._expiries, (resting.ends_ns, resting.number, order.order_id))

    def _wait(self, resting: Resting) -> None:
        """Note what the order waits for now; its place among the others is that of its first time."""
        order = resting.order
        above, below = resting.triggers()
        waiting = Waiting(resting, self._groups[order.group], above, below)
        self._by_instrument[order.symbol][order.order_id] = waiting

    def _end(self, resting: Resting) -> None:
        order = resting.order
        resting.working = False
        del self._orders[order.order_id]
        del self._by_instrument[order.symbol][order.order_id]
        self._remember(order.order_id)
        if order.group in self._groups:
            self._groups[order.group].drop(resting)
        if resting.ends_ns:
            del self._expiries[bisect_left(self._expiries, (resting.ends_ns, resting.number, order.order_id))]

    def _remember(self, order_id: str) -> None:
        self._ended[order_id] = None
        if len(self._ended) > ENDED_KEPT:
            self._ended.popitem(last=False)

    def _cancelled(self, resting: Resting, time_ns: int, reason: str) -> Cancelled:
        self._end(resting)
        return Cancelled(time_ns, resting.order.order_id, resting.order.symbol, resting.filled, reason)

    def _settle(self, name: str, time_ns: int) -> list[ExecutionFact]:
        """Close a group that has nothing open and nothing entering: its exits are pointless."""
        group = self._groups[name]
        if group.entering or not group.flat:
            return []
        reason = "flat" if group.entered else "parent"
        del self._groups[name]
        return [self._cancelled(one, time_ns, reason) for one in group.orders if one.working]

    # --------------------------------------------------------------------------- snapshots

    def snapshot(self) -> bytes:
        state = BookState(
            version=VERSION,
            number=self._number,
            ignored_cancels=self.ignored_cancels,
            groups=self._groups,
            ended=list(self._ended),
            account=self._account,
        )
        return msgspec.msgpack.encode(state)

    def restore(self, data: bytes) -> None:
        state = msgspec.msgpack.decode(data, type=BookState)
        assert state.version == VERSION
        self._clear()
        self._number, self.ignored_cancels, self._groups = state.number, state.ignored_cancels, state.groups
        self._ended = OrderedDict.fromkeys(state.ended)
        self._account = state.account
        for group in state.groups.values():
            for resting in group.orders:
                if resting.working:
                    self._index(resting)


def _names(group: Group | None, order: Order) -> bool:
    """The group still holds an order of this id."""
    return group is not None and group.named(order.order_id) is not None


def _belongs(order: Order, group: Group | None) -> bool:
    """An entry begins a group or adds to one on its side; an exit needs a group that lives."""
    if order.role is Role.ENTRY:
        return not order.parent and (group is None or (group.symbol, group.side) == (order.symbol, order.side))
    return group is not None and group.admits(order)


def _fill(resting: Resting, time_ns: int, quantity: Decimal, price: Decimal, costs: Decimal) -> Fill:
    order = resting.order
    return Fill(
        time_ns=time_ns,
        order_id=order.order_id,
        execution_id=f"{order.order_id}#{resting.executions}",
        symbol=order.symbol,
        side=order.side,
        role=order.role,
        group=order.group,
        quantity=quantity,
        price=price,
        costs=costs,
        remaining=resting.remaining,
        simulated=True,
    )


__all__ = ["PaperBook", "PaperSettings"]
