"""How a message becomes rows of the read model: which table, which columns, which values.

A column is named like the field it holds. Fields of new kinds need a migration; a test compares
tables and messages.
"""

from collections.abc import Iterator
from decimal import Decimal
from enum import Enum

import msgspec

from engine.campaigns.curve import CurvePoint
from engine.campaigns.performance import Trade
from engine.instruments import MONEY
from engine.messages import (
    Accepted,
    Approved,
    CampaignChange,
    Cancelled,
    CancelRequest,
    Declined,
    Detections,
    Event,
    Expired,
    Fill,
    HaltChange,
    HeatChange,
    Instrument,
    Intent,
    Message,
    Order,
    PhaseChange,
    Receipt,
    Refused,
    Rejected,
    SessionStart,
    Warned,
)
from engine.store_bars import BarPack
from engine.store_heat import HeatSample

Value = str | int | float | bytes | None
Storable = Message | Trade | CurvePoint | BarPack | HeatSample
Stored = tuple[str, tuple[Value, ...]]
"""Table, and the values of its columns after `run` and `item`."""

_SIMPLE: dict[type[Storable], str] = {
    SessionStart: "sessions",
    Instrument: "instruments",
    CampaignChange: "campaign_changes",
    Intent: "intents",
    Order: "orders",
    CancelRequest: "cancel_requests",
    HeatChange: "heat",
    HaltChange: "halts",
    Trade: "trades",
    CurvePoint: "curve",
    BarPack: "bars",
    HeatSample: "heat_samples",
}
_REPORTS = (Accepted, Rejected, Fill, Cancelled, Expired)

TOLD_AGAIN = tuple(_SIMPLE[kind] for kind in (CurvePoint, BarPack, HeatSample))

# Approved repeats the receipt's quantity.
COLUMNS: dict[str, tuple[str, ...]] = {
    "events": ("part", *Event.__struct_fields__),
    "phase_changes": ("part", "time_ns", "decision_ns", *PhaseChange.__struct_fields__),
    "verdicts": (
        "intent_id", "campaign", "symbol", "decision_ns", "verdict", "stage", *Receipt.__struct_fields__,
        "missed_by",
    ),
    "declines": (*Declined.__struct_fields__, "missed_by"),
    "warnings": (*Warned.__struct_fields__, "missed_by"),
    "executions": (
        "report", "time_ns", "order_id", "symbol", "sequence", "venue_id", "code", "reason", "filled", "execution_id",
        "side", "role", "group", "quantity", "price", "costs", "remaining", "simulated",
    ),
    **{table: kind.__struct_fields__ for kind, table in _SIMPLE.items()},
}  # fmt: skip

STORED: tuple[type[Storable], ...] = (*_SIMPLE, *_REPORTS, Declined, Warned, Detections, Approved, Refused)
"""What leaves rows; all other messages leave none."""


def insertion(table: str) -> str:
    names = ("run", "item", *COLUMNS[table])
    columns = ", ".join(f'"{name}"' for name in names)
    # A recovered run tells the last points of its curve and of its heat again; an open pack of bars grows.
    verb = "INSERT OR REPLACE" if table in TOLD_AGAIN else "INSERT"
    return f"{verb} INTO {table} ({columns}) VALUES ({', '.join('?' * len(names))})"


def rows(message: Storable) -> Iterator[Stored]:
    """The rows that a message or record leaves, none for most kinds."""
    table = _SIMPLE.get(type(message))
    if table is not None:
        yield table, _values(message, COLUMNS[table])
    elif isinstance(message, Detections):
        yield from _detections(message)
    elif isinstance(message, Approved | Refused):
        yield "verdicts", _verdict(message)
    elif isinstance(message, Declined | Warned):
        missed = missed_by(Decimal(message.value), Decimal(message.limit), refused=True)
        table = "declines" if isinstance(message, Declined) else "warnings"
        yield table, (*_values(message, message.__struct_fields__), missed)
    elif isinstance(message, _REPORTS):
        yield "executions", (type(message).__name__, *_values(message, COLUMNS["executions"][1:]))


def _detections(message: Detections) -> Iterator[Stored]:
    for part, event in enumerate(message.events):
        yield "events", (part, *_values(event, Event.__struct_fields__))
    for part, change in enumerate(message.phases):
        values = _values(change, PhaseChange.__struct_fields__)
        yield "phase_changes", (part, message.time_ns, message.decision_ns, *values)


def _verdict(message: Approved | Refused) -> tuple[Value, ...]:
    intent = message.intent
    stage = message.stage if isinstance(message, Refused) else ""
    about = (intent.intent_id, intent.campaign, intent.symbol, intent.decision_ns, type(message).__name__, stage)
    # Risks are whole 1e-8 account units and may be larger than SQLite's integers.
    told = (str(getattr(message.receipt, name)) for name in Receipt.__struct_fields__)
    return (
        *about,
        *told,
        missed_by(message.receipt.value, message.receipt.limit, refused=isinstance(message, Refused)),
    )


def missed_by(value: Decimal, limit: Decimal, *, refused: bool) -> float | None:
    """How far a value missed its limit, as a fraction of it; None where that has no meaning.

    Some limits must not be passed, some must be reached. What was refused missed its limit, so its
    sign is +, whichever kind it was; what was approved kept an upper limit, so its sign is -.
    """
    if not value.is_finite() or not limit.is_finite() or not limit:
        return None
    away = MONEY.divide(MONEY.subtract(value, limit).copy_abs(), limit.copy_abs())
    return float(away) if refused else -float(away)


def _values(message: Storable, names: tuple[str, ...]) -> tuple[Value, ...]:
    return tuple(_value(getattr(message, name, None)) for name in names)


def _value(value: object) -> Value:
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, tuple):
        return msgspec.json.encode(value).decode()
    assert value is None or isinstance(value, str | int | float | bytes)
    return value
