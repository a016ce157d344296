"""What trades brought: lots into trades, trades into a summary.

A group (one campaign, leg and attempt) gives one row, written when it is flat, with
quantity-weighted prices over all its fills. The campaign manager folds the same `Lot`, so a
reader of a stored stream and the engine that wrote it agree to the last digit.
"""

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

import msgspec

from engine.campaigns.lots import ZERO, Lot, folded, initial_risk, realised, total
from engine.instruments import MONEY, InstrumentTable, mark_price
from engine.messages import (
    Action,
    CampaignState,
    Detections,
    Fill,
    Intent,
    Leg,
    Message,
    Phase,
    PhaseChange,
    Refused,
    Role,
    Side,
)

# Whoever reads trades from a store needs no kernels: they would cost the monitor 70 MB.
if TYPE_CHECKING:
    from engine.sightings import Shown

ENDED = (CampaignState.COMPLETED, CampaignState.INVALIDATED, CampaignState.EXPIRED)

PLANS_KEPT = 10_000
"""Entries whose first stop is remembered; the oldest are forgotten first."""

Extremes = tuple[float, float]
"""Highest and lowest price that a group has seen while it was held."""


class Trade(msgspec.Struct, frozen=True):
    """One closed group. `side` is the entry's; `r` is None where the first stop is unknown.

    `phase` is the detector's when the entry was decided, `risk` what the entry put at risk (0 where
    the first stop is unknown). `mfe` and `mae` are the furthest that price went for and against the
    mean entry price, >= 0, in price and in R; `efficiency` is R over `mfe_r`. None: not followed.
    """

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
    group: str = ""
    timeframe: str = ""
    phase: Phase = Phase.WARMUP
    stop_price: Decimal = ZERO
    risk: Decimal = ZERO
    mfe: Decimal | None = None
    mae: Decimal | None = None
    mfe_r: Decimal | None = None
    mae_r: Decimal | None = None
    efficiency: Decimal | None = None


class _Plan(msgspec.Struct, frozen=True):
    """What the ENTER intent of a group said."""

    timeframe: str
    phase: Phase
    stop_price: Decimal


_NO_PLAN = _Plan("", Phase.WARMUP, ZERO)


class LedgerState(msgspec.Struct, frozen=True):
    closed: list[Trade]
    lots: dict[str, Lot]
    sides: dict[str, Side]
    plans: dict[str, _Plan]
    phases: list[tuple[tuple[str, str, int], Phase]]


class TradeLedger:
    """Folds a stream of messages into closed trades, in the order they closed.

    Fills make the trades; an ENTER intent, where the stream has it, tells the first stop that R
    is measured by; `extremes` gives high and low of a group that has become flat. All other
    messages are passed over.
    """

    def __init__(self, table: InstrumentTable, extremes: Callable[[Fill], Extremes | None] = lambda fill: None) -> None:
        self.closed: list[Trade] = []
        self._table = table
        self._extremes = extremes
        self._lots: dict[str, Lot] = {}
        self._sides: dict[str, Side] = {}
        self._plans: dict[str, _Plan] = {}
        self._phases: dict[tuple[str, str, int], Phase] = {}

    def add(self, message: Message) -> Trade | None:
        """The trade this message closed, if it closed one."""
        match message:
            case Fill():
                return self._fill(message) if is_grouped(message) else None
            case Detections():
                self.learn(message.phases)
            case Intent(action=Action.ENTER):
                key = (message.symbol, message.timeframe, message.direction)
                plan = _Plan(message.timeframe, self._phases.get(key, Phase.WARMUP), message.stop_price)
                self._plans[message.group] = plan
                if len(self._plans) > PLANS_KEPT:
                    del self._plans[next(iter(self._plans))]
            case Refused(intent=Intent(action=Action.ENTER)):
                self._plans.pop(message.intent.group, None)
        return None

    def save(self) -> LedgerState:
        return LedgerState(self.closed, self._lots, self._sides, self._plans, list(self._phases.items()))

    def load(self, state: LedgerState) -> None:
        self.closed, self._lots, self._sides, self._plans = state.closed, state.lots, state.sides, state.plans
        self._phases = dict(state.phases)

    def learn(self, phases: "Iterable[PhaseChange | Shown]") -> None:
        """Direction 0 speaks for both directions."""
        for one in phases:
            for direction in (one.direction,) if one.direction else (1, -1):
                self._phases[one.symbol, one.timeframe, direction] = one.phase

    def _fill(self, fill: Fill) -> Trade | None:
        lot = folded(self._lots.get(fill.group, Lot()), fill)
        self._lots[fill.group] = lot
        if fill.role is Role.ENTRY:
            self._sides[fill.group] = fill.side
        if not lot.entered or lot.open or lot.exited > lot.entered:
            return None
        del self._lots[fill.group]
        trade = self._trade(fill, lot)
        self.closed.append(trade)
        return trade

    def _trade(self, fill: Fill, lot: Lot) -> Trade:
        campaign, leg, _ = fill.group.rsplit("/", 2)
        side = self._sides.pop(fill.group)
        direction = 1 if side is Side.BUY else -1
        point_value = self._table.named(fill.symbol).point_value
        plan = self._plans.get(fill.group, _NO_PLAN)
        pnl = realised(lot, direction, point_value)
        risk = ZERO if plan is _NO_PLAN else initial_risk(lot, plan.stop_price, direction, point_value)
        trade = Trade(
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
            group=fill.group,
            timeframe=plan.timeframe,
            phase=plan.phase,
            stop_price=plan.stop_price,
            risk=risk,
        )
        extremes = self._extremes(fill)
        return trade if extremes is None else with_excursions(trade, extremes, point_value)


def is_grouped(fill: Fill) -> bool:
    """Whether the fill belongs to a leg of a campaign."""
    return fill.group.count("/") >= 2


def with_excursions(trade: Trade, extremes: Extremes, point_value: Decimal) -> Trade:
    """The trade with what price did between its first entry and its last exit."""
    high, low = (mark_price(price) for price in extremes)
    up, down = MONEY.subtract(high, trade.entry_price), MONEY.subtract(trade.entry_price, low)
    mfe, mae = (up, down) if trade.side is Side.BUY else (down, up)
    mfe, mae = max(ZERO, mfe), max(ZERO, mae)
    if trade.r is None:
        return msgspec.structs.replace(trade, mfe=mfe, mae=mae)
    size = MONEY.multiply(trade.quantity, point_value)
    mfe_r, mae_r = (MONEY.divide(MONEY.multiply(one, size), trade.risk) for one in (mfe, mae))
    efficiency = MONEY.divide(trade.r, mfe_r) if mfe_r else None
    return msgspec.structs.replace(trade, mfe=mfe, mae=mae, mfe_r=mfe_r, mae_r=mae_r, efficiency=efficiency)


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


__all__ = [
    "ENDED", "ZERO", "LedgerState", "Lot", "Summary", "Trade", "TradeLedger", "folded", "initial_risk", "is_grouped",
    "realised", "summarise", "total", "with_excursions",
]  # fmt: skip
