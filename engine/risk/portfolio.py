"""The books: positions, reservations, cash, marks, and the risk they add up to.

The gate is their only writer. Every fact changes one position and the running sums by the
difference, so a decision costs the same with one group open and with a hundred. What nothing
here asked for (foreign orders, late or excess fills) is held against us at full notional.
"""

from decimal import Decimal
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from engine.blocks import Float64
from engine.instruments import MONEY, InstrumentTable
from engine.messages import AccountState, ExternalOrder, Fill, Intent, Role, SessionStart, Side
from engine.risk.foreign import foreign_risk, unpriced
from engine.risk.marks import Holdings, Marks, MarksState
from engine.risk.position import (
    NO_STOP,
    ZERO,
    Position,
    adopted,
    close,
    close_early,
    open_risk,
    realised,
    reserved,
    working_risk,
)
from engine.risk.units import DIGITS, equity_units

UNITS: Final = 10.0**DIGITS

EXECUTIONS_KEPT = 16_384
"""How many past executions are remembered, to apply a repeated one once."""


NEVER_KNOWN: Final = (-1, -1)
"""Versions of books and marks that none have."""


class Totals(msgspec.Struct):
    """Risks and realised profit in units, and how many groups and working entries they cover."""

    open_risk: int = 0
    working_risk: int = 0
    realised: int = 0
    groups: int = 0
    entries: int = 0

    def add(self, other: "Totals", sign: int) -> None:
        self.open_risk += sign * other.open_risk
        self.working_risk += sign * other.working_risk
        self.realised += sign * other.realised
        self.groups += sign * other.groups
        self.entries += sign * other.entries


class PortfolioState(msgspec.Struct):
    """All that a snapshot keeps. `shortfall` is by how much the venue's equity is below ours;
    `closed` is the realised profit of groups that are gone, by campaign."""

    currency: str = ""
    cash: Decimal = ZERO
    shortfall: Decimal = ZERO
    positions: dict[str, Position] = {}
    closed: dict[str, int] = {}
    finished: dict[str, bool] = {}
    foreign: dict[str, ExternalOrder] = {}
    executions: dict[str, bool] = {}


class PortfolioSnapshot(msgspec.Struct, frozen=True):
    state: PortfolioState
    marks: MarksState


class Portfolio:
    """`positions` by group, live ones only. Risks and equity are whole 1e-8 account units."""

    def __init__(self, instruments: InstrumentTable) -> None:
        self._instruments = instruments
        self.marks = Marks(instruments)
        self.version = 0
        self._money_version = 0
        self._known: tuple[tuple[int, int], tuple[int, str]] = (NEVER_KNOWN, (0, ""))
        self._load(PortfolioState())

    # ------------------------------------------------------------------ what a decision reads

    @property
    def open_risk(self) -> int:
        return self._account.open_risk

    @property
    def working_risk(self) -> int:
        """Reserved entries and foreign orders."""
        return self._account.working_risk + foreign_risk(self._state.foreign, self._instruments, self.marks)

    @property
    def entries(self) -> int:
        return self._account.entries

    def symbol_entries(self, symbol: str) -> int:
        return self._symbols[symbol].entries if symbol in self._symbols else 0

    def campaign_risk(self, campaign: str) -> int:
        """Open and working risk of a campaign, and its realised loss; profit frees nothing."""
        live = self._campaigns.get(campaign, _NOTHING)
        loss = -(live.realised + self._state.closed.get(campaign, 0))
        return live.open_risk + live.working_risk + max(0, loss)

    @property
    def is_flat(self) -> bool:
        """Nothing held, reserved or foreign, and cash to show for it: heat is 0."""
        state = self._state
        return not state.positions and not state.foreign and self._holdings.is_empty and state.cash > state.shortfall

    @property
    def is_holding(self) -> bool:
        """Something is held, so that a price can change equity."""
        return not self._holdings.is_empty

    @property
    def cash(self) -> Decimal:
        return self._state.cash

    def equity(self) -> int | None:
        """Cash and holdings at the marks, rounded down; None where a mark is missing."""
        worth = self._holdings.worth(self.marks)
        if worth is None:
            return None
        return equity_units(MONEY.subtract(MONEY.add(self._state.cash, worth), self._state.shortfall))

    def known_equity(self) -> tuple[int, str]:
        """Equity and "", or 0 and the symbol that keeps it from being known. Once for each state of things."""
        now = (self._money_version, self.marks.version)
        if now != self._known[0]:
            unmarked = self.unmarked()
            equity = None if unmarked else self.equity()
            self._known = (now, ((equity or 0), unmarked))
        return self._known[1]

    @property
    def floats(self) -> tuple[float, npt.NDArray[np.intp], Float64]:
        """Cash in units, the numbers of what is held, and units of each by price: equity, almost."""
        numbers, lots = self._holdings.lots
        return (float(self._state.cash) - float(self._state.shortfall)) * UNITS, numbers, lots * UNITS

    @property
    def has_open_prices(self) -> bool:
        """Whether the risk of a foreign order follows a mark: it came without a price."""
        return any(not one.price for one in self._state.foreign.values())

    def unmarked(self) -> str:
        """The first symbol whose missing mark makes equity or risk unknown, or ""."""
        if self._holdings.worth(self.marks) is None:
            return self._instruments[self._holdings.unmarked(self.marks)].symbol
        return unpriced(self._state.foreign, self._instruments, self.marks)

    @property
    def currency(self) -> str:
        return self._state.currency

    @property
    def positions(self) -> dict[str, Position]:
        return self._state.positions

    # ------------------------------------------------------------------------ what changes it

    def start(self, fact: SessionStart) -> None:
        self._money_changed()
        self._state.cash = fact.cash
        self._state.currency = fact.currency

    def account(self, fact: AccountState) -> None:
        """The venue's cash is the cash; its equity, where lower than ours, is a lasting shortfall."""
        if fact.currency != self._state.currency:
            return
        self._money_changed()
        self._state.cash = fact.cash
        worth = self._holdings.worth(self.marks)
        if worth is not None:
            self._state.shortfall = max(ZERO, MONEY.subtract(MONEY.add(fact.cash, worth), fact.equity))

    def external(self, fact: ExternalOrder) -> None:
        """Count a foreign order until it is reported again with quantity 0."""
        self._money_changed()
        self._state.foreign.pop(fact.venue_order_id, None)
        if fact.quantity:
            self._state.foreign[fact.venue_order_id] = fact

    def reserve(self, intent: Intent, quantity: Decimal) -> None:
        """Book an approved entry. Its group must be free and its quantity positive."""
        assert intent.group not in self._state.positions
        assert quantity > 0
        number = self._instruments.number(intent.symbol)
        self._book(reserved(intent, quantity, self._instruments[number].point_value, number))

    def fill(self, fact: Fill) -> None:
        """Apply an execution once, however often it is reported."""
        if not self._first_report(fact):
            return
        sign = 1 if fact.side is Side.BUY else -1
        number = self._instruments.number(fact.symbol)
        point_value = self._instruments[number].point_value
        signed = MONEY.multiply(fact.quantity if sign > 0 else fact.quantity.copy_negate(), point_value)
        paid = MONEY.add(MONEY.multiply(signed, fact.price), fact.costs)
        self._money_changed()
        self._state.cash = MONEY.subtract(self._state.cash, paid)
        self._holdings.add(number, signed)
        held = self._state.positions.get(fact.group)
        if fact.role is Role.ENTRY:
            self._enter(held or adopted(fact, sign, point_value, number), fact)
            return
        excess = self._leave(held, fact) if held else fact.quantity
        if excess:
            self._take_over(adopted(fact, sign, point_value, number), fact, excess)

    def accepted(self, order_id: str) -> None:
        """A stop protects from the moment the venue has it; an older one never comes back."""
        position, name, number = self._named(order_id)
        if position is None or name != "STOP":
            return
        price = position.asked_stops.pop(number, None)
        if price is not None and number > position.stop_number:
            position.stop_price = price
            position.stop_number = number
            position.stop_lost = position.stop_leaving = False
            self._book(position)

    def replaced(self, order_id: str) -> None:
        """The venue swaps a stop: the old one counts until the new one is accepted or refused."""
        position, name, number = self._named(order_id)
        if position is None or name != "STOP" or number != position.stop_number or not position.asked_stops:
            self.ended(order_id, ZERO)
        else:
            position.stop_leaving = True

    def ended(self, order_id: str, filled: Decimal) -> None:
        """An order is gone; `filled` is what it had filled by the venue's count."""
        position, name, number = self._named(order_id)
        if position is None:
            return
        if name == "ENTRY":
            # What the venue has filled and not yet reported stays reserved until the fill is here.
            position.awaited = max(ZERO, MONEY.subtract(filled, position.entered))
        elif name == "STOP":
            _end_stop(position, number)
        elif name == "EXIT":
            position.working_exits.pop(number, None)
        self._book(position)

    def finish(self, campaign: str) -> None:
        """A campaign is over: forget its result once its last group is gone."""
        self._state.finished[campaign] = True
        self._forget(campaign)

    # ------------------------------------------------------------------------------ snapshots

    def save(self) -> PortfolioSnapshot:
        return PortfolioSnapshot(self._state, self.marks.save())

    def load(self, snapshot: PortfolioSnapshot) -> None:
        self.marks.load(snapshot.marks)
        self._known = (NEVER_KNOWN, (0, ""))
        self._load(snapshot.state)

    def _load(self, state: PortfolioState) -> None:
        self._state = state
        self._account = Totals()
        self._campaigns: dict[str, Totals] = {}
        self._symbols: dict[str, Totals] = {}
        self._groups: dict[str, Totals] = {}
        self._holdings = Holdings()
        for position in list(state.positions.values()):
            net = MONEY.subtract(position.open_quantity, position.early_quantity)
            held = MONEY.multiply(net, position.point_value)
            self._holdings.add(position.instrument, held if position.direction > 0 else held.copy_negate())
            self._book(position)

    # ------------------------------------------------------------------------------- the parts

    def _money_changed(self) -> None:
        """Equity is another, or whether it can be known: not only risk."""
        self.version += 1
        self._money_version += 1

    def _first_report(self, fact: Fill) -> bool:
        key = f"{fact.order_id}#{fact.execution_id}"
        seen = self._state.executions
        if key in seen:
            return False
        seen[key] = True
        if len(seen) > EXECUTIONS_KEPT:
            del seen[next(iter(seen))]
        return True

    def _enter(self, position: Position, fact: Fill) -> None:
        position.awaited = max(ZERO, MONEY.subtract(position.awaited, fact.quantity))
        position.entered = MONEY.add(position.entered, fact.quantity)
        position.entry_value = MONEY.add(position.entry_value, MONEY.multiply(fact.quantity, fact.price))
        position.costs = MONEY.add(position.costs, fact.costs)
        if position.early:
            close_early(position)
        self._book(position)

    def _leave(self, position: Position, fact: Fill) -> Decimal:
        """Close what is open or on its way; returns the part of the fill that found nothing to close."""
        excess = close(position, fact.quantity, fact.price)
        position.costs = MONEY.add(position.costs, fact.costs)
        _, name, number = self._named(fact.order_id)
        if name == "EXIT" and number in position.working_exits:
            position.working_exits[number] = max(ZERO, MONEY.subtract(position.working_exits[number], fact.quantity))
        if name == "STOP" and not fact.remaining:
            _end_stop(position, number)
        self._book(position)
        return excess

    def _take_over(self, position: Position, fact: Fill, quantity: Decimal) -> None:
        """Hold what an exit sold too much as a position of its own; no order here will close it."""
        position.group = f"{fact.group}~{fact.execution_id}"
        position.entered = quantity
        position.entry_value = MONEY.multiply(quantity, fact.price)
        self._book(position)

    def _named(self, order_id: str) -> tuple[Position | None, str, int]:
        """The order's position, and its name split: ("STOP", 2) for `group/STOP2`."""
        group, _, name = order_id.rpartition("/")
        kind = name.rstrip("0123456789")
        return self._state.positions.get(group), kind, int(name[len(kind) :] or 0)

    def _book(self, position: Position) -> None:
        """Enter a changed position into the sums, or close it where nothing is left of it."""
        self.version += 1
        group = position.group
        before = self._groups.pop(group, _NOTHING)
        after = Totals(open_risk(position), working_risk(position), realised(position), 1, 1 if position.awaited else 0)
        campaign = self._campaigns.setdefault(position.campaign, Totals())
        for totals in (self._account, campaign, self._symbols.setdefault(position.symbol, Totals())):
            totals.add(before, -1)
            totals.add(after, 1)
        self._groups[group] = after
        self._state.positions[group] = position
        if position.is_over:
            self._close(position, after)

    def _close(self, position: Position, totals: Totals) -> None:
        del self._state.positions[position.group], self._groups[position.group]
        self._account.add(totals, -1)
        self._symbols[position.symbol].add(totals, -1)
        campaign = self._campaigns[position.campaign]
        campaign.add(totals, -1)
        closed = self._state.closed
        closed[position.campaign] = closed.get(position.campaign, 0) + totals.realised
        if not campaign.groups:
            del self._campaigns[position.campaign]
        self._forget(position.campaign)

    def _forget(self, campaign: str) -> None:
        if campaign in self._state.finished and campaign not in self._campaigns:
            self._state.closed.pop(campaign, None)
            del self._state.finished[campaign]


_NOTHING = Totals()


def _end_stop(position: Position, number: int) -> None:
    """Nothing protects once the confirmed stop is gone, or one that was to come or to replace it."""
    position.asked_stops.pop(number, None)
    if position.stop_leaving or position.stop_number in (NO_STOP, number):
        position.stop_lost, position.stop_leaving = True, False
