"""Every message on the line: outside facts, derived facts, wishes, requests to Market.

Messages are frozen, flat and complete: a reader needs no other object to understand one. Market
rows are the exception; they move as columns (`engine.blocks`). Times are nanoseconds since the
epoch, UTC, and end in `_ns`. Money and quantities are `Decimal` at the instrument's scale;
numbers measured by a kernel (scores, ratios, levels) are `float`. Wishes name symbols, never
instrument numbers, so that their digest means the same on every machine. The words that fields
may use are in `vocabulary`.
"""

from typing import Any

import msgspec

from engine.messages.base import FOREVER_NS, NEVER_NS, Message
from engine.messages.derived import (
    BarTaint,
    CampaignChange,
    Declined,
    Detections,
    Event,
    HaltChange,
    HeatChange,
    PhaseChange,
    StrategyMark,
    Warned,
    Watched,
)
from engine.messages.facts import (
    FILLED,
    Accepted,
    AccountState,
    Cancelled,
    Command,
    ConfigChange,
    EndOfFeed,
    Expired,
    ExternalOrder,
    FeedStatus,
    Fill,
    Health,
    Heartbeat,
    Instrument,
    NoAnswer,
    NotSent,
    Quarantine,
    Rejected,
    Sent,
    SessionStart,
    SymbolStatus,
)
from engine.messages.vocabulary import (
    Action,
    CampaignState,
    EventKind,
    HeatState,
    Leg,
    OrderKind,
    Phase,
    Role,
    Side,
    TimeInForce,
    WatchKind,
)
from engine.messages.wishes import Approved, CancelRequest, Intent, Order, Receipt, Refused, Unwatch, Watch

OutsideFact = (
    SessionStart | Instrument | Heartbeat | EndOfFeed | FeedStatus | Health | AccountState
    | Accepted | Rejected | Fill | Cancelled | Expired | Sent | NotSent | NoAnswer
    | ExternalOrder | Command | ConfigChange | Quarantine | SymbolStatus
)  # fmt: skip
DerivedFact = (
    Detections | BarTaint | CampaignChange | Declined | Warned | HeatChange | HaltChange | Watched
)  # fmt: skip
Wish = Intent | Approved | Refused | Order | CancelRequest
Request = Watch | Unwatch

ExecutionFact = Accepted | Rejected | Fill | Cancelled | Expired

_encoder = msgspec.msgpack.Encoder(decimal_format="string", order="deterministic")
_decoder: msgspec.msgpack.Decoder[Any] = msgspec.msgpack.Decoder(OutsideFact | DerivedFact | Wish | Request)


def encode(message: Message) -> bytes:
    """Canonical msgpack: one message has one encoding."""
    return _encoder.encode(message)


def decode(data: bytes) -> Message:
    """Inverse of `encode`. Raises `msgspec.ValidationError` on anything else."""
    message: Message = _decoder.decode(data)
    return message


__all__ = [
    "FILLED",
    "FOREVER_NS",
    "NEVER_NS",
    "OutsideFact",
    "DerivedFact",
    "Wish",
    "Request",
    "ExecutionFact",
    "decode",
    "encode",
    "Accepted",
    "AccountState",
    "Action",
    "Approved",
    "BarTaint",
    "CampaignChange",
    "CampaignState",
    "CancelRequest",
    "Cancelled",
    "Command",
    "ConfigChange",
    "Declined",
    "Detections",
    "EndOfFeed",
    "Event",
    "EventKind",
    "Expired",
    "ExternalOrder",
    "FeedStatus",
    "Fill",
    "HaltChange",
    "Health",
    "Heartbeat",
    "HeatChange",
    "HeatState",
    "Instrument",
    "Intent",
    "Leg",
    "Message",
    "NoAnswer",
    "NotSent",
    "Order",
    "OrderKind",
    "Phase",
    "PhaseChange",
    "Quarantine",
    "Receipt",
    "Refused",
    "Rejected",
    "Role",
    "Sent",
    "SessionStart",
    "Side",
    "StrategyMark",
    "SymbolStatus",
    "TimeInForce",
    "Unwatch",
    "Watch",
    "WatchKind",
    "Warned",
    "Watched",
]
