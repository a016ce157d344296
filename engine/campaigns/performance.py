"""What trades brought: fills folded into lots, lots into trades, trades into a summary.

A group (one campaign, leg and attempt) gives one row, written when it is flat, with
quantity-weighted prices over all its fills. The campaign manager folds the same `Lot`, so a
reader of a stored stream and the engine that wrote it agree to the last digit.
"""

from collections.abc import Sequence
from decimal import Decimal

import msgspec

from engine.instruments import MONEY, InstrumentTable
from engine.messages import Action, Fill, Intent, Leg, Message, Role, Side

ZERO = Decimal(0)


class Lot(msgspec.Struct, frozen=True):
    """All fills of one group. Values are price * quantity; costs in account currency, >= 0."""

    entered: Decimal = ZERO
    entry_value: Decimal = ZERO
    entry_costs: Decimal = ZERO
    entry_ns: int = 0
    exited: Decimal = ZERO
    exit_value: Decimal = ZERO
    exit_costs: Decimal = ZERO
    exit_ns: int = 0

    @property
    def open(self) -> Decimal:
        """Quantity still held, never negative."""
        return max(ZERO, MONEY.subtract(self.entered, self.exited))

    @property
    def entry_price(self) -> Decimal:
        """Quantity-weighted; 0 before the first entry fill."""
        return MONEY.divide(self.entry_value, self.entered) if self.entered else ZERO

    @property
    def exit_price(self) -> Decimal:
        """Quantity-weighted; 0 before the first exit fill."""
        return MONEY.divide(self.exit_value, self.exited) if self.exited else ZERO


def folded(lot: Lot, fill: Fill) -> Lot:
    """`lot` after one more fill of its group."""
    value = MONEY.multiply(fill.price, fill.quantity)
    if fill.role is Role.ENTRY:
        return msgspec.structs.replace(
            lot,
            entered=MONEY.add(lot.entered, fill.quantity),
            entry_value=MONEY.add(lot.entry_value, value),
            entry_costs=MONEY.add(lot.entry_costs, fill.costs),
            entry_ns=lot.entry_ns or fill.time_ns,
        )
    return msgspec.structs.replace(
        lot,
        exited=MONEY.add(lot.exited, fill.quantity),
        exit_value=MONEY.add(lot.exit_value, value),
        exit_costs=MONEY.add(lot.exit_costs, fill.costs),
        exit_ns=fill.time_ns,
    )


def realised(lot: Lot, direction: int, point_value: Decimal) -> Decimal:
    """Profit of what has been exited, all exit costs and its share of the entry costs in."""
    if not lot.entered or not lot.exited:
        return -lot.exit_costs
    points = MONEY.subtract(lot.exit_value, MONEY.multiply(lot.entry_price, lot.exited))
    entry_costs = MONEY.divide(MONEY.multiply(lot.entry_costs, min(lot.exited, lot.entered)), lot.entered)
    gross = MONEY.multiply(MONEY.multiply(points, point_value), Decimal(direction))
    return MONEY.subtract(gross, MONEY.add(entry_costs, lot.exit_costs))


def initial_risk(lot: Lot, stop_price: Decimal, direction: int, point_value: Decimal) -> Decimal:
    """What the entry put at risk: distance to the first stop times quantity, >= 0."""
    distance = MONEY.multiply(MONEY.subtract(lot.entry_price, stop_price), Decimal(direction))
    return max(ZERO, MONEY.multiply(MONEY.multiply(distance, lot.entered), point_value))


class Trade(msgspec.Struct, frozen=True):
    """One closed group. `side` is the entry's; `r` is None where the first stop is unknown."""

    symbol: str
    campaign: str
    leg: Leg
    side: Side
    quantity: Decimal
    entry_ns: int
    entry_price: Decimal
    exit_ns: int
    exit_price: Decimal
    costs: Decimal
    pnl: Decimal
    r: Decimal | None


class _LedgerState(msgspec.Struct, frozen=True):
    closed: list[Trade]
    lots: dict[str, Lot]
    sides: dict[str, Side]
    stops: dict[str, Decimal]


_encoder = msgspec.msgpack.Encoder(decimal_format="string", order="deterministic")
_decoder = msgspec.msgpack.Decoder(_LedgerState)


class TradeLedger:
    """Folds a stream of messages into closed trades, in the order they closed.

    Fills make the trades; an ENTER intent, where the stream has it, tells the first stop that R
    is measured by. All other messages are passed over.
    """

    def __init__(self, table: InstrumentTable) -> None:
        self.closed: list[Trade] = []
        self._table = table
        self._lots: dict[str, Lot] = {}
        self._sides: dict[str, Side] = {}
        self._stops: dict[str, Decimal] = {}

    def add(self, message: Message) -> Trade | None:
        """The trade this message closed, if it closed one."""
        if isinstance(message, Intent) and message.action is Action.ENTER:
            self._stops[message.group] = message.stop_price
        if not isinstance(message, Fill) or message.group.count("/") < 2:
            return None
        lot = folded(self._lots.get(message.group, Lot()), message)
        self._lots[message.group] = lot
        if message.role is Role.ENTRY:
            self._sides[message.group] = message.side
        if not lot.entered or lot.open:
            return None
        trade = self._trade(message, lot)
        del self._lots[message.group]
        self._sides.pop(message.group)
        self.closed.append(trade)
        return trade

    def snapshot(self) -> bytes:
        return _encoder.encode(_LedgerState(self.closed, self._lots, self._sides, self._stops))

    def restore(self, data: bytes) -> None:
        state = _decoder.decode(data)
        self.closed, self._lots, self._sides, self._stops = state.closed, state.lots, state.sides, state.stops

    def _trade(self, fill: Fill, lot: Lot) -> Trade:
        campaign, leg, _ = fill.group.rsplit("/", 2)
        side = self._sides[fill.group]
        direction = 1 if side is Side.BUY else -1
        point_value = self._table.named(fill.symbol).point_value
        pnl = realised(lot, direction, point_value)
        stop = self._stops.get(fill.group)
        risk = initial_risk(lot, stop, direction, point_value) if stop is not None else ZERO
        return Trade(
            symbol=fill.symbol,
            campaign=campaign,
            leg=Leg(leg),
            side=side,
            quantity=lot.entered,
            entry_ns=lot.entry_ns,
            entry_price=lot.entry_price,
            exit_ns=lot.exit_ns,
            exit_price=lot.exit_price,
            costs=MONEY.add(lot.entry_costs, lot.exit_costs),
            pnl=pnl,
            r=MONEY.divide(pnl, risk) if risk else None,
        )


class Summary(msgspec.Struct, frozen=True):
    """None means undefined: no trades, no known R, or no losses to divide by."""

    trades: int
    wins: int
    pnl: Decimal
    win_rate: Decimal | None
    expectancy: Decimal | None
    expectancy_r: Decimal | None
    profit_factor: Decimal | None


def summarise(trades: Sequence[Trade]) -> Summary:
    """A win is a trade with a profit after costs; expectancy is per trade, in money and in R."""
    gains = total([trade.pnl for trade in trades if trade.pnl > 0])
    losses = total([-trade.pnl for trade in trades if trade.pnl < 0])
    wins = sum(1 for trade in trades if trade.pnl > 0)
    multiples = [trade.r for trade in trades if trade.r is not None]
    pnl = MONEY.subtract(gains, losses)
    count = Decimal(len(trades))
    return Summary(
        trades=len(trades),
        wins=wins,
        pnl=pnl,
        win_rate=MONEY.divide(Decimal(wins), count) if trades else None,
        expectancy=MONEY.divide(pnl, count) if trades else None,
        expectancy_r=MONEY.divide(total(multiples), Decimal(len(multiples))) if multiples else None,
        profit_factor=MONEY.divide(gains, losses) if losses else None,
    )


def total(amounts: Sequence[Decimal]) -> Decimal:
    """Their sum under the money context, in order."""
    result = ZERO
    for amount in amounts:
        result = MONEY.add(result, amount)
    return result
