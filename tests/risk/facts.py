"""Makers of intents, executions and a gate with books in a known state."""

from collections.abc import Iterable, Sequence
from decimal import Decimal

from engine.blocks import MarketBlock
from engine.instruments import InstrumentTable
from engine.messages import (
    Accepted,
    Action,
    Approved,
    Cancelled,
    Expired,
    Fill,
    HeatChange,
    Intent,
    Leg,
    Message,
    OrderKind,
    Refused,
    Rejected,
    Role,
    Side,
)
from engine.ports import Item, RiskRule
from engine.risk.gate import RiskGate
from engine.risk.settings import RiskSettings
from tests.makers import START_NS, bars, session, table

ALL_RULES = (
    "numeric", "currency", "data_mark", "data_stale", "halted", "duplicate", "open_orders",
    "risk_trade", "risk_campaign", "daily_loss", "drawdown", "health", "heat",
)  # fmt: skip


def settings(**changes: object) -> RiskSettings:
    fields: dict[str, object] = {
        "rules": ALL_RULES,
        "heat_warning_bp": 700,
        "heat_critical_bp": 900,
        "heat_limit_bp": 1000,
        "trade_limit_bp": 200,
        "campaign_limit_bp": 500,
        "campaign_warning_bp": 400,
        "daily_loss_bp": 300,
        "drawdown_bp": 1500,
        "notional_cap_bp": 2000,
        "max_symbol_entries": 2,
        "max_entries": 50,
    }
    return RiskSettings(**(fields | changes))  # type: ignore[arg-type]


def gate(
    *symbols: str,
    cash: object = 100_000,
    prices: Sequence[float] | None = None,
    rules: Iterable[RiskRule] | None = None,
    **changes: object,
) -> RiskGate:
    """A gate that has started with `cash` and has a mark of 100 for every symbol unless told otherwise."""
    names = symbols or ("AAA",)
    built = RiskGate(settings(**changes), table(*names), None if rules is None else list(rules))
    tell(built, session(*names, cash=Decimal(str(cash))))  # type: ignore[arg-type]
    for number, price in enumerate(prices or [100.0] * len(names)):
        tell(built, marks(price, instrument=number))
    return built


def marks(price: float, **columns: object) -> MarketBlock:
    return bars((price, price, price, price), **columns)  # type: ignore[arg-type]


def tell(stage: RiskGate, *items: Item) -> list[Item]:
    return [output for item in items for output in stage.process(item)]


def verdict(stage: RiskGate, one: Intent) -> Approved | Refused:
    outputs = tell(stage, one)
    assert outputs[0] is one
    found = outputs[1]
    assert isinstance(found, Approved | Refused)
    return found


def code(stage: RiskGate, one: Intent) -> str:
    return verdict(stage, one).receipt.code


def heat_changes(items: Iterable[Item]) -> list[HeatChange]:
    return [one for one in items if isinstance(one, HeatChange)]


def enter(group: str = "AAA-2020-01-01/SPRING/1", **changes: object) -> Intent:
    """Buys at up to 100 with a stop at 90: 10 a share; 1 % of equity unless told otherwise."""
    fields: dict[str, object] = {
        "intent_id": f"{group}/ENTER",
        "action": Action.ENTER,
        "campaign": group.rsplit("/", 2)[0],
        "leg": Leg.SPRING,
        "group": group,
        "symbol": group.split("-", 1)[0],
        "timeframe": "1d",
        "direction": 1,
        "decision_ns": START_NS,
        "expires_ns": START_NS + 10**15,
        "entry_kind": OrderKind.LIMIT,
        "entry_price": Decimal(0),
        "limit_price": Decimal(100),
        "stop_price": Decimal(90),
        "target_1": Decimal(110),
        "target_2": Decimal(120),
        "target_3": Decimal(130),
        "risk_bp": Decimal(100),
        "score": 80.0,
        "reason": "spring",
    }
    given = {name: Decimal(str(value)) if name in _MONEY else value for name, value in changes.items()}
    return Intent(**(fields | given))  # type: ignore[arg-type]


_MONEY = (
    "entry_price", "limit_price", "stop_price", "target_1", "target_2", "target_3", "risk_bp",
)  # fmt: skip


def mirrored(one: Intent) -> dict[str, object]:
    """Changes that turn a long intent around a price of 100 into its mirror image."""
    prices = ("limit_price", "stop_price", "target_1", "target_2", "target_3")
    return {"direction": -one.direction} | {name: 200 - getattr(one, name) for name in prices}


def wish(action: Action, group: str = "AAA-2020-01-01/SPRING/1", number: int = 0, **changes: object) -> Intent:
    suffix = f"-{number}" if number else ""
    zero = dict.fromkeys(_MONEY, Decimal(0))
    return enter(group, **(zero | {"action": action, "intent_id": f"{group}/{action}{suffix}"} | changes))


def move_stop(price: object, number: int = 2, group: str = "AAA-2020-01-01/SPRING/1") -> Intent:
    return wish(Action.MOVE_STOP, group, number, stop_price=price)


def leave(number: int = 1, group: str = "AAA-2020-01-01/SPRING/1") -> Intent:
    return wish(Action.EXIT, group, number)


def cancel(group: str = "AAA-2020-01-01/SPRING/1") -> Intent:
    return wish(Action.CANCEL, group)


def fill(
    name: str = "ENTRY", quantity: object = 100, price: object = 100, *, group: str = "AAA-2020-01-01/SPRING/1",
    execution_id: str = "1", costs: object = 0, remaining: object = 0, side: Side | None = None,
) -> Fill:  # fmt: skip
    """A long group's execution: entries buy, exits sell, unless `side` says otherwise."""
    role = Role(name.rstrip("0123456789"))
    return Fill(
        time_ns=START_NS,
        order_id=f"{group}/{name}",
        execution_id=execution_id,
        symbol=group.split("-", 1)[0],
        side=side or (Side.BUY if role is Role.ENTRY else Side.SELL),
        role=role,
        group=group,
        quantity=Decimal(str(quantity)),
        price=Decimal(str(price)),
        costs=Decimal(str(costs)),
        remaining=Decimal(str(remaining)),
        simulated=True,
    )


def accepted(name: str = "STOP1", group: str = "AAA-2020-01-01/SPRING/1") -> Message:
    return Accepted(time_ns=START_NS, order_id=f"{group}/{name}", symbol=group.split("-", 1)[0], venue_id="v")


def cancelled(
    name: str = "ENTRY", group: str = "AAA-2020-01-01/SPRING/1", *, filled: object = 0, reason: str = ""
) -> Message:
    quantity = Decimal(str(filled))
    return Cancelled(
        time_ns=START_NS, order_id=f"{group}/{name}", symbol=group.split("-", 1)[0], filled=quantity, reason=reason
    )


def expired(name: str = "ENTRY", group: str = "AAA-2020-01-01/SPRING/1", *, filled: object = 0) -> Message:
    quantity = Decimal(str(filled))
    return Expired(time_ns=START_NS, order_id=f"{group}/{name}", symbol=group.split("-", 1)[0], filled=quantity)


def rejected(name: str = "ENTRY", group: str = "AAA-2020-01-01/SPRING/1") -> Message:
    return Rejected(time_ns=START_NS, order_id=f"{group}/{name}", symbol=group.split("-", 1)[0], code="NO", reason="no")


def group_of(number: int, campaign: str = "AAA-2020-01-01") -> str:
    return f"{campaign}/SPRING/{number}"


def instruments(*symbols: str) -> InstrumentTable:
    return table(*symbols)
